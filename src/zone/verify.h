/*
 * A signed set by itself, as a validator would see it: every RRset that is
 * the zone's own has a signature by one of its keys, and its proofs of what is
 * not there hold.
 */
#ifndef ZONE_VERIFY_H
#define ZONE_VERIFY_H

#include "zone/check.h"

/* One signature, without its times. apex: the zone's, lower case. */
enum verdict { VERDICT_RIGHT, VERDICT_WRONG, VERDICT_UNKNOWN_ALGORITHM, VERDICT_NO_MEMORY };
struct verify_keys {
	const struct build_record *keys; uint32_t count;       /* the DNSKEY RRset */
	const uint8_t *apex; size_t apex_size;
};
/* owner: relative. reason: what is wrong, static. */
enum verdict verify_signature(const struct verify_keys *, const uint8_t *owner, size_t owner_size, const struct node_rrset *,
	const struct build_record *sig, const char **reason);

struct verifier;
/* The view and the reporter are borrowed. NULL: no memory. */
struct verifier *verifier_new(struct reporter *, const struct view *, int64_t now);
void verifier_free(struct verifier *);
/* Every owner in canonical order, the apex first, with its NODE_ flags, as
 * owners.h gives them. Of a zone that is not signed nothing is looked at. -1:
 * no memory. */
int verifier_node(struct verifier *, const struct zone_node *, uint16_t flags);
void verifier_finish(struct verifier *);

#endif
