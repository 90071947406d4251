/* The set as it will be once the change is done: what is touched over the rest
 * of the view; and whether that differs from what is there. */
#include "zone/change_internal.h"

#include <string.h>

#include "wire/rrtype.h"

bool after_has(const struct change *c, const uint8_t *owner, size_t size, uint16_t type)
{
	const struct touched *t = touched_find(c, owner, size);
	struct rrset set;

	return t ? touched_has(t, type) : found_rrset(view_find_relative(c->base, owner, size), type, &set);
}

bool after_has_below(const struct change *c, const uint8_t *owner, size_t size)
{
	struct view_walk walk;
	struct found f;
	size_t next = touched_from(c, owner, size);

	for (size_t i = next; i < c->count; i++) {
		const struct touched *t = &c->touched[i];

		if (t->size == size && name_equal(t->owner, owner, size))
			continue;
		if (!relative_is_below(t->owner, t->size, owner, size))
			break;
		if (t->count)
			return true;
	}
	view_walk_seek(&walk, c->base, false, owner, size);
	while ((f = view_walk_next(&walk)).node) {
		const uint8_t *name = node_owner(f.node);
		size_t name_size = node_owner_size(f.node);

		if (name_size == size && name_equal(name, owner, size))
			continue;
		if (!relative_is_below(name, name_size, owner, size))
			break;
		/* touched ones have been looked at above */
		if (node_rrsets(f.node) && !touched_find(c, name, name_size))
			return true;
	}
	return false;
}

bool after_exists(const struct change *c, const uint8_t *owner, size_t size)
{
	const struct touched *t = touched_find(c, owner, size);
	struct found f;

	if (t && t->count)
		return true;
	if (!t) {
		f = view_find_relative(c->base, owner, size);
		if (f.node && node_rrsets(f.node))
			return true;
	}
	return size == 0 || after_has_below(c, owner, size);
}

/* What occludes everything below it. */
static bool after_occludes(const struct change *c, const uint8_t *owner, size_t size)
{
	return after_has(c, owner, size, TYPE_DNAME) || (size && after_has(c, owner, size, TYPE_NS));
}

bool before_occludes(const struct touched *t)
{
	struct rrset set;

	return found_rrset(t->old, TYPE_DNAME, &set) || (t->size && found_rrset(t->old, TYPE_NS, &set));
}

const uint8_t *after_occluded_by(const struct change *c, const uint8_t *owner, size_t size, size_t *top_size)
{
	const uint8_t *top = NULL;
	size_t at = 0;

	while (at < size) {
		at += owner[at] + 1u;
		if (after_occludes(c, owner + at, size - at)) {
			top = owner + at;
			*top_size = size - at;
		}
	}
	return top;
}

uint16_t after_flags(const struct change *c, const uint8_t *owner, size_t size)
{
	uint8_t wildcard[NAME_MAX_SIZE + 2] = { 1, '*' };
	size_t top_size;
	uint16_t flags = 0;

	memcpy(wildcard + 2, owner, size);
	if (size + 2 + c->base->apex_size <= NAME_MAX_SIZE && after_exists(c, wildcard, size + 2))
		flags |= NODE_WILD_CHILD;
	if (after_occluded_by(c, owner, size, &top_size))
		flags |= NODE_OCCLUDED;
	return flags;
}

/* ---- before and after ---------------------------------------------------- */

/* Is the RRset that was gathered the one that the view has? */
static bool same_rrset(struct change *c, const struct node_rrset *s, const struct rrset *old)
{
	struct record_walk walk;
	struct record r;
	uint32_t equal = 0;

	if (s->count != old->count || s->sig_count != old->sig_count || s->ttl != rrset_ttl(old))
		return false;
	/* the order within an image may be another than ours */
	record_walk_begin(&walk, old, false, c->base->apex, c->base->apex_size);
	while (record_walk_next(&walk, &r, c->scratch))
		for (uint32_t i = 0; i < s->count; i++) {
			uint32_t k = (equal + i) % s->count;

			if (s->records[k].size == r.size && memcmp(s->records[k].rdata, r.rdata, r.size) == 0) {
				equal++;
				break;
			}
		}
	return equal == s->count;
}

bool change_same_node(struct change *c, const struct zone_node *n, struct found old)
{
	if ((old.node ? node_rrsets(old.node) : 0) != n->count)
		return false;
	for (unsigned i = 0; i < n->count; i++) {
		struct rrset set;

		if (!found_rrset(old, n->rrsets[i].type, &set) || !same_rrset(c, &n->rrsets[i], &set))
			return false;
	}
	return true;
}

unsigned change_count_changed(struct change *c, const struct zone_node *n, struct found old)
{
	unsigned changed = 0;
	struct rrset set;

	for (unsigned i = 0; i < n->count; i++)
		changed += !found_rrset(old, n->rrsets[i].type, &set) || !same_rrset(c, &n->rrsets[i], &set);
	for (unsigned i = 0; old.node && i < node_rrsets(old.node); i++) {
		bool there = false;

		for (unsigned k = 0; image_rrset_at(old.image, old.node, i, &set) && k < n->count; k++)
			there |= n->rrsets[k].type == set.type;
		changed += !there;
	}
	return changed;
}

int change_gather(struct change *c, const struct touched *t)
{
	gather_begin(&c->gather, t->owner, t->size);
	for (size_t i = 0; i < t->count; i++) {
		const struct change_record *r = &t->records[i];

		if (gather_add(&c->gather, r->type, r->ttl, r->rdata, r->size, false, &r->place, c->err) < 0)
			return -1;
	}
	return gather_finish(&c->gather, c->err);
}
