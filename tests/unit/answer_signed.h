/*
 * A zone signed by ldns in the test, and what a validator makes of a reply
 * out of it: an independent second opinion on every proof.
 */
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
void signed_zone_free(struct signed_zone *);

/* What a reply shows about the name at the end of its chain. */
enum proved {
	PROVED_POSITIVE, PROVED_NO_NAME, PROVED_NO_DATA, PROVED_WILDCARD_NO_DATA,
	PROVED_SECURE_REFERRAL, PROVED_INSECURE_REFERRAL, PROVED_CHAIN_ENDS,
};
struct proof {
	enum proved kind;
	unsigned steps;                 /* CNAMEs and DNAMEs on the way */
	unsigned wildcards;             /* RRsets of the answer that a wildcard made */
	unsigned records;               /* NSEC or NSEC3 in the reply, all of them needed */
	bool opt_out;                   /* a span with opt-out was used */
};

/* As RFC 4035 5 and RFC 5155 8 tell a validator: signatures, then proofs.
 * Returns NULL, or what is wrong with the reply (static). */
const char *prove(const struct signed_zone *, const ldns_pkt *, const ldns_rdf *name, uint16_t type, struct proof *);

#endif
