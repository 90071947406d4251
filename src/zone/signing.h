/*
 * Signatures as far as they can be looked at while owners pass by: by which
 * keys, and until when. Crypto is verify.c's.
 */
#ifndef ZONE_SIGNING_H
#define ZONE_SIGNING_H

#include "store/signing.h"
#include "zone/check.h"

#define RRSIG_HEAD      18      /* octets before the signer's name */
#define EXPIRES_SOON    (7 * 24 * 3600)

/* RFC 4034 appendix B */
uint16_t dnskey_tag(const uint8_t *rdata, size_t size);

/* The fixed fields of an RRSIG. false: too short. */
struct rrsig {
	uint16_t covers, tag;
	uint8_t algorithm, labels;
	uint32_t original_ttl;
	int64_t inception, expiration;  /* seconds since 1970: of the times that the fields may mean, those nearest to now */
};
bool rrsig_parse(struct rrsig *, const struct build_record *, int64_t now);

struct signing;
/* now: seconds since 1970; file_name: of a place. apex is borrowed. NULL: no memory. */
struct signing *signing_new(struct reporter *, const uint8_t *apex, size_t apex_size, int64_t now,
	const char *(*file_name)(void *, unsigned file), void *arg);
void signing_free(struct signing *);
/* Every owner, the apex first. */
void signing_node(struct signing *, const struct zone_node *);
void signing_finish(struct signing *);
const struct set_signing *signing_result(const struct signing *);

#endif
