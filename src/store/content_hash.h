/*
 * The content hash of a set: the sum, by eight 64-bit words, of a 512-bit
 * hash (four seeded XXH3-128) of each RRset: owner (full name, lower case),
 * type, class, TTL, rdata in bytewise order; the SOA's serial counts as 0;
 * the RRSIGs covering an RRset count as an RRset of their own. Additive, so
 * that an edit costs O(change). It guards against accidents, not against
 * forgers.
 */
#ifndef STORE_CONTENT_HASH_H
#define STORE_CONTENT_HASH_H

#include "store/image.h"

struct content_hash { uint64_t word[8]; };

void content_hash_add(struct content_hash *, const struct content_hash *);
void content_hash_subtract(struct content_hash *, const struct content_hash *);
/* Of one RRset given in build form; owner: full lower-case wire name. */
void content_hash_rrset(struct content_hash *out, const uint8_t *owner, size_t owner_size, const struct build_rrset *);
/* Of all RRsets of a node. */
int content_hash_node(struct content_hash *out, struct found, const uint8_t *apex, size_t apex_size);
#define CONTENT_HASH_TEXT 33   /* the first 128 bits in hex, and NUL: what people see and --expect takes */
char *content_hash_text(const struct content_hash *, char buf[CONTENT_HASH_TEXT]);

#endif
