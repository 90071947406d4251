#include "store/zone_cache.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 256

int zone_cache_init(struct zone_cache *c, size_t limit, struct err *err)
{
	memset(c, 0, sizeof *c);
	TAILQ_INIT(&c->all);
	TAILQ_INIT(&c->dead);
	c->limit = limit;
	c->mask = BUCKETS_FIRST - 1;
	c->bucket = calloc(BUCKETS_FIRST, sizeof *c->bucket);
	return c->bucket ? 0 : err_set(err, ERR_NOMEM, "no memory for the table of zones");
}

struct zone_entry *zone_entry_new(unsigned images)
{
	size_t size = offsetof(struct zone_entry, zone.view.image) + images * sizeof(struct image *);
	struct zone_entry *e = calloc(1, size);

	if (e)
		e->memory = size;
	return e;
}

void zone_entry_free(struct zone_entry *e)
{
	if (!e)
		return;
	view_close(&e->zone.view);
	free(e);
}

struct zone_entry *zone_cache_find(struct zone_cache *c, uint64_t hash, const uint8_t *apex, size_t size)
{
	for (struct zone_entry *e = c->bucket[hash & c->mask]; e; e = e->chain)
		if (e->hash == hash && e->zone.view.apex_size == size && memcmp(e->zone.view.apex, apex, size) == 0) {
			if (!e->used)
				e->used = true;
			return e;
		}
	return NULL;
}

void zone_cache_mark(struct zone_cache *c, uint64_t hash, uint64_t zone)
{
	/* whatever its id: a zone that came back has another */
	for (struct zone_entry *e = c->bucket[hash & c->mask]; e; e = e->chain)
		if (e->hash == hash)
			e->stale = true;
}

static void unlink_entry(struct zone_cache *c, struct zone_entry *e)
{
	struct zone_entry **p = &c->bucket[e->hash & c->mask];

	while (*p != e)
		p = &(*p)->chain;
	*p = e->chain;
	TAILQ_REMOVE(&c->all, e, link);
	c->count--;
	c->memory -= e->memory;
}

void zone_cache_remove(struct zone_cache *c, struct zone_entry *e)
{
	unlink_entry(c, e);
	TAILQ_INSERT_TAIL(&c->dead, e, link);
}

/* Without memory for a larger table the chains grow. */
static void grow(struct zone_cache *c)
{
	size_t size = 2 * (c->mask + 1);
	struct zone_entry **bucket = calloc(size, sizeof *bucket), *e;

	if (!bucket)
		return;
	free(c->bucket);
	c->bucket = bucket;
	c->mask = size - 1;
	TAILQ_FOREACH(e, &c->all, link) {
		e->chain = bucket[e->hash & c->mask];
		bucket[e->hash & c->mask] = e;
	}
}

static void make_room(struct zone_cache *c, size_t memory)
{
	struct zone_entry *e;

	while (c->memory + memory > c->limit && (e = TAILQ_FIRST(&c->all))) {
		if (e->used) {
			e->used = false;
			TAILQ_REMOVE(&c->all, e, link);
			TAILQ_INSERT_TAIL(&c->all, e, link);
		} else {
			zone_cache_remove(c, e);
		}
	}
}

void zone_cache_add(struct zone_cache *c, struct zone_entry *e)
{
	for (unsigned i = 0; i < e->zone.view.images; i++)
		e->memory += image_memory(e->zone.view.image[i]);
	make_room(c, e->memory);
	if (c->count > c->mask)
		grow(c);
	e->chain = c->bucket[e->hash & c->mask];
	c->bucket[e->hash & c->mask] = e;
	TAILQ_INSERT_TAIL(&c->all, e, link);
	c->count++;
	c->memory += e->memory;
}

void zone_cache_bury(struct zone_cache *c)
{
	struct zone_entry *e;

	while ((e = TAILQ_FIRST(&c->dead))) {
		TAILQ_REMOVE(&c->dead, e, link);
		zone_entry_free(e);
	}
}

void zone_cache_clear(struct zone_cache *c)
{
	struct zone_entry *e;

	while ((e = TAILQ_FIRST(&c->all)))
		zone_cache_remove(c, e);
	zone_cache_bury(c);
}

void zone_cache_free(struct zone_cache *c)
{
	if (!c->bucket)
		return;
	zone_cache_clear(c);
	free(c->bucket);
}
