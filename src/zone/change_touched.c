/* The owners that a change touches, each with the records that it shall hold:
 * by their names while the text is read, in canonical order afterwards. */
#include "zone/change_internal.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int change_no_memory(struct change *c)
{
	return err_set(c->err, ERR_NOMEM, "no memory for the change");
}

int touched_add(struct change *c, struct touched *t, uint16_t type, uint32_t ttl, const uint8_t *rdata, uint16_t size,
	bool copy, const struct place *place)
{
	if (t->count == t->space) {
		size_t space = t->space ? 2 * t->space : 8;
		struct change_record *records = realloc(t->records, space * sizeof(*records));

		if (!records)
			return change_no_memory(c);
		t->records = records;
		t->space = space;
	}
	if (copy)
		rdata = arena_memdup(&c->arena, rdata, size ? size : 1);
	if (!rdata)
		return change_no_memory(c);
	t->records[t->count++] = (struct change_record){ .rdata = rdata, .size = size, .type = type, .ttl = ttl, .place = *place };
	return 0;
}

const uint8_t *change_keep_owner(struct change *c, const uint8_t *owner, size_t size)
{
	uint8_t *kept = arena_alloc(&c->arena, size + 1);

	if (kept)
		memcpy(kept, owner, size);
	return kept;
}

struct touched *touched_new(struct change *c, const uint8_t *owner, size_t size)
{
	struct touched *t;

	if (c->count == c->space) {
		size_t space = c->space ? 2 * c->space : 64;
		struct touched *touched = realloc(c->touched, space * sizeof(*touched));

		if (!touched) {
			change_no_memory(c);
			return NULL;
		}
		c->touched = touched;
		c->space = space;
	}
	t = &c->touched[c->count];
	*t = (struct touched){ .owner = change_keep_owner(c, owner, size), .size = size };
	if (!t->owner) {
		change_no_memory(c);
		return NULL;
	}
	t->old = view_find_relative(c->base, owner, size);
	c->count++;
	return t;
}

/* ---- by name ------------------------------------------------------------- */

static size_t slot_of(const struct change *c, const uint8_t *owner, size_t size)
{
	uint8_t lower[NAME_MAX_SIZE + 1];
	size_t i;

	name_lower(lower, owner, size);
	i = XXH3_64bits(lower, size) & (c->slot_space - 1);
	while (c->slots[i]) {
		const struct touched *t = &c->touched[c->slots[i] - 1];

		if (t->size == size && name_equal(t->owner, owner, size))
			break;
		i = (i + 1) & (c->slot_space - 1);
	}
	return i;
}

static int grow_slots(struct change *c)
{
	free(c->slots);
	c->slot_space = c->slot_space ? 2 * c->slot_space : 128;
	c->slots = calloc(c->slot_space, sizeof(*c->slots));
	if (!c->slots)
		return change_no_memory(c);
	for (size_t i = 0; i < c->count; i++)
		c->slots[slot_of(c, c->touched[i].owner, c->touched[i].size)] = (uint32_t)i + 1;
	return 0;
}

static int take_over(void *arg, const struct record_at *r)
{
	static const struct place nowhere = { 0, 0, 0 };
	struct change *c = arg;

	return touched_add(c, c->into, r->type, r->ttl, r->rdata, r->size, true, &nowhere);
}

struct touched *touched_of(struct change *c, const uint8_t *owner, size_t size)
{
	struct touched *t;
	size_t slot;

	if (2 * (c->count + 1) > c->slot_space && grow_slots(c) < 0)
		return NULL;
	slot = slot_of(c, owner, size);
	if (c->slots[slot])
		return &c->touched[c->slots[slot] - 1];
	t = touched_new(c, owner, size);
	if (!t)
		return NULL;
	c->slots[slot] = (uint32_t)c->count;
	c->into = t;
	if (t->old.node && records_of_node(c->base, t->old, c->scratch, take_over, c, c->err) < 0)
		return NULL;
	return t;
}

/* ---- in order ------------------------------------------------------------ */

int touched_compare(const void *x, const void *y)
{
	const struct touched *a = x, *b = y;

	return name_compare(a->owner, a->size, b->owner, b->size);
}

size_t touched_from(const struct change *c, const uint8_t *owner, size_t size)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (name_compare(c->touched[middle].owner, c->touched[middle].size, owner, size) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct touched *touched_find(const struct change *c, const uint8_t *owner, size_t size)
{
	size_t i = touched_from(c, owner, size);

	return i < c->count && c->touched[i].size == size && name_equal(c->touched[i].owner, owner, size) ? &c->touched[i] : NULL;
}

bool touched_has(const struct touched *t, uint16_t type)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->records[i].type == type)
			return true;
	return false;
}
