/*
 * The canonical form of records (RFC 4034 6), over which signatures and digests
 * are made.
 */
#ifndef ZONE_CANONICAL_H
#define ZONE_CANONICAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Rdata whose names are lower case where the type asks for it (RFC 4034 6.2 as
 * corrected by RFC 6840 5.1): rdata itself where nothing changes, else a copy
 * in the arena. NULL: no memory. */
const uint8_t *canonical_rdata(struct arena *, uint16_t type, const uint8_t *rdata, uint16_t size);

/* Records one behind the other. All zero: empty. */
struct canonical {
	uint8_t *bytes;
	size_t size, room;
	struct arena names;     /* of the record that is put */
};
static inline void canonical_begin(struct canonical *c)
{
	c->size = 0;
}
/* Octets as they are. -1: no memory. */
int canonical_put(struct canonical *, const void *bytes, size_t size);
/* One record. owner: full, lower case. -1: no memory. */
int canonical_put_record(struct canonical *, const uint8_t *owner, size_t owner_size, uint16_t type, uint32_t ttl,
	const uint8_t *rdata, uint16_t size);
void canonical_free(struct canonical *);

#endif
