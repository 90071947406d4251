#include "store/zone_cache.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 256
#define MALLOC_EACH 16          /* what malloc takes for itself, about */

int zone_cache_init(struct zone_cache *c, size_t limit, struct err *err)
{
	memset(c, 0, sizeof *c);
	TAILQ_INIT(&c->all);
	TAILQ_INIT(&c->dead);
	c->limit = limit;
	c->mask = SLOTS_FIRST - 1;
	c->slot = calloc(SLOTS_FIRST, sizeof *c->slot);
	return c->slot ? 0 : err_set(err, ERR_NOMEM, "no memory for the table of zones");
}

struct zone_entry *zone_entry_new(unsigned images)
{
	size_t size = offsetof(struct zone_entry, zone.view.image) + images * sizeof(struct image *);
	struct zone_entry *e = calloc(1, size);

	if (e)
		e->memory = size + MALLOC_EACH;
	return e;
}

void zone_entry_free(struct zone_entry *e)
{
	if (!e)
		return;
	view_close(&e->zone.view);
	free(e->zone.kept);
	free(e);
}

struct zone_entry *zone_cache_find(struct zone_cache *c, uint64_t hash, const uint8_t *apex, size_t size)
{
	for (size_t i = hash & c->mask; c->slot[i].entry; i = (i + 1) & c->mask) {
		struct zone_entry *e = c->slot[i].entry;

		if (c->slot[i].hash != hash || e->zone.view.apex_size != size || memcmp(e->zone.view.apex, apex, size) != 0)
			continue;
		if (!e->used)
			e->used = true;
		return e;
	}
	return NULL;
}

void zone_cache_mark(struct zone_cache *c, uint64_t hash, uint64_t zone)
{
	/* whatever its id: a zone that came back has another */
	for (size_t i = hash & c->mask; c->slot[i].entry; i = (i + 1) & c->mask)
		if (c->slot[i].hash == hash)
			c->slot[i].entry->stale = true;
}

static void put_slot(struct zone_cache *c, struct zone_entry *e)
{
	size_t i = e->hash & c->mask;

	while (c->slot[i].entry)
		i = (i + 1) & c->mask;
	c->slot[i] = (struct zone_slot){ .hash = e->hash, .entry = e };
}

/* What stood behind a freed slot because of it moves up. */
static void free_slot(struct zone_cache *c, const struct zone_entry *e)
{
	size_t i = e->hash & c->mask, next;

	while (c->slot[i].entry != e)
		i = (i + 1) & c->mask;
	for (next = (i + 1) & c->mask; c->slot[next].entry; next = (next + 1) & c->mask) {
		size_t home = c->slot[next].hash & c->mask;

		if (((next - home) & c->mask) >= ((next - i) & c->mask)) {
			c->slot[i] = c->slot[next];
			i = next;
		}
	}
	c->slot[i].entry = NULL;
}

void zone_cache_remove(struct zone_cache *c, struct zone_entry *e)
{
	free_slot(c, e);
	TAILQ_REMOVE(&c->all, e, link);
	c->count--;
	c->memory -= e->memory;
	TAILQ_INSERT_TAIL(&c->dead, e, link);
}

static bool grow(struct zone_cache *c)
{
	size_t size = 2 * (c->mask + 1);
	struct zone_slot *slot = calloc(size, sizeof *slot);
	struct zone_entry *e;

	if (!slot)
		return false;
	free(c->slot);
	c->slot = slot;
	c->mask = size - 1;
	TAILQ_FOREACH(e, &c->all, link)
		put_slot(c, e);
	return true;
}

static void make_room(struct zone_cache *c, size_t memory)
{
	struct zone_entry *e;

	memory += (c->mask + 1) * sizeof *c->slot;
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
		e->memory += image_memory(e->zone.view.image[i]) + MALLOC_EACH;
	make_room(c, e->memory);
	/* without memory for more slots the oldest entry makes way */
	if (2 * (c->count + 1) > c->mask && !grow(c))
		zone_cache_remove(c, TAILQ_FIRST(&c->all));
	put_slot(c, e);
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
	if (!c->slot)
		return;
	zone_cache_clear(c);
	free(c->slot);
}
