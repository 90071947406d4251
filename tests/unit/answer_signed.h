/* A zone signed by ldns in the test. */
#ifndef TESTS_UNIT_ANSWER_SIGNED_H
#define TESTS_UNIT_ANSWER_SIGNED_H

#include "answer_zone.h"

enum sign_kind { SIGN_NSEC, SIGN_NSEC3, SIGN_NSEC3_OPT_OUT };

struct signed_zone {
	struct test_zone zone;          /* as it is served */
	ldns_rdf *apex;
	ldns_rr_list *plain;            /* before signing */
	ldns_rr_list *keys;             /* DNSKEYs */
	enum sign_kind kind;
};

/* salt: hexadecimal, "" for none. */
void signed_zone_make(struct signed_zone *, const char *origin, const char *text, enum sign_kind, uint16_t iterations,
	const char *salt);
/* The zone's SOA of another serial with its signature; the zone is to be served
 * with it from now on. The list is the caller's. */
ldns_rr_list *signed_zone_soa(struct signed_zone *, uint32_t serial);
void signed_zone_free(struct signed_zone *);

#endif
