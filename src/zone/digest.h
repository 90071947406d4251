/*
 * Digests of a whole zone (RFC 8976, scheme SIMPLE), made while its owners pass
 * by: several at once, of different hashes, or with different SOAs.
 */
#ifndef ZONE_DIGEST_H
#define ZONE_DIGEST_H

#include "zone/check.h"

enum { ZONEMD_SIMPLE = 1 };                     /* RFC 8976 5.2 */
enum { ZONEMD_SHA384 = 1, ZONEMD_SHA512 = 2 };  /* RFC 8976 5.3 */
#define DIGEST_SIZE_MAX 64

/* Octets of a hash's digest; 0: a hash that is not known here. */
size_t digest_size(uint8_t hash);

struct digests;
/* NULL: no memory. apex: lower case, borrowed. */
struct digests *digests_new(const uint8_t *apex, size_t apex_size);
void digests_free(struct digests *);
/* One more digest, before the first node: returns its index, or -1 where there
 * is no memory. soa: an RRset with its signatures that stands in for the
 * zone's SOA; borrowed. NULL: the zone's own. */
int digests_add(struct digests *, uint8_t hash, const struct node_rrset *soa);
/* Every owner in canonical order, the apex first, NSEC3's in their place. -1:
 * no memory. */
int digests_node(struct digests *, const struct zone_node *);
/* Ends it; digest_size() octets. */
void digests_final(struct digests *, int index, uint8_t digest[DIGEST_SIZE_MAX]);

#endif
