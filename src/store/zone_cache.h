/*
 * The zones that a reader has been asked for, by the hash of their apex: a
 * bounded table, the least used go first. It knows nothing of LMDB; what is
 * in it is made and brought up to date by snapshot.c.
 */
#ifndef STORE_ZONE_CACHE_H
#define STORE_ZONE_CACHE_H

#include <sys/queue.h>

#include "store/snapshot.h"

#define ZONE_CACHE_OCTETS (24u << 20)   /* of entries, their open images, and slots */

struct zone_entry {
	TAILQ_ENTRY(zone_entry) link;   /* in the order in which they came in, or had a second chance */
	uint64_t hash;                  /* of the apex */
	uint64_t generation;            /* as of which it holds */
	uint32_t zones_below;
	bool stale;                     /* what is served changed since */
	bool used;                      /* since the hand passed */
	size_t memory;
	struct zone_view zone;          /* last: its view has room for its own images only */
};
TAILQ_HEAD(zone_list, zone_entry);

/* Beside the pointer, so that an entry is touched only where its hash is the
 * one looked for. */
struct zone_slot { uint64_t hash; struct zone_entry *entry; };   /* NULL: free */

struct zone_cache {
	struct zone_slot *slot;         /* open addressing, at most half full */
	size_t mask;
	size_t count, memory, limit;
	struct zone_list all;           /* the hand is at its head */
	struct zone_list dead;          /* out of the table, but perhaps still looked at in this snapshot */
	uint64_t all_stale_before;      /* entries of older generations are stale */
};

int zone_cache_init(struct zone_cache *, size_t limit, struct err *);
void zone_cache_free(struct zone_cache *);
/* NULL: not in the table. apex: lower case. */
struct zone_entry *zone_cache_find(struct zone_cache *, uint64_t hash, const uint8_t *apex, size_t size);
/* Hints, in steps that each need what the one before brought in. */
static inline void zone_cache_prefetch(const struct zone_cache *c, uint64_t hash)
{
	__builtin_prefetch(&c->slot[hash & c->mask]);
}
/* Perhaps the entry; it is not looked at. */
static inline struct zone_entry *zone_cache_peek(const struct zone_cache *c, uint64_t hash)
{
	size_t i = hash & c->mask;

	while (c->slot[i].entry && c->slot[i].hash != hash)
		i = (i + 1) & c->mask;
	return c->slot[i].entry;
}
static inline bool zone_cache_is_stale(const struct zone_cache *c, const struct zone_entry *e)
{
	return e->stale || e->generation < c->all_stale_before;
}
/* A new entry with room for images; not in the table yet. NULL: no memory. */
struct zone_entry *zone_entry_new(unsigned images);
/* Into the table; others go where it gets too large. Its images are open. */
void zone_cache_add(struct zone_cache *, struct zone_entry *);
/* Out of the table; freed by zone_cache_bury. */
void zone_cache_remove(struct zone_cache *, struct zone_entry *);
/* Frees an entry that is not in the table, with its images. */
void zone_entry_free(struct zone_entry *);
/* What was changed: entries of the hash become stale. */
void zone_cache_mark(struct zone_cache *, uint64_t hash, uint64_t zone);
/* At the end of a snapshot: frees the dead. */
void zone_cache_bury(struct zone_cache *);
/* All pointers are void: everything goes. Not within a snapshot. */
void zone_cache_clear(struct zone_cache *);

#endif
