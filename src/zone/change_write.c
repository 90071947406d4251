/* The delta image: which nodes have to be written anew, and what that makes of
 * the set's counts and hash. */
#include "zone/change_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/content_hash.h"
#include "wire/rrtype.h"

/* ---- what has to be written ---------------------------------------------- */

static int affect(struct change *c, const uint8_t *owner, size_t size)
{
	if (c->affected_count == c->affected_space) {
		size_t space = c->affected_space ? 2 * c->affected_space : 64;
		struct affected *affected = realloc(c->affected, space * sizeof(*affected));

		if (!affected)
			return change_no_memory(c);
		c->affected = affected;
		c->affected_space = space;
	}
	c->affected[c->affected_count++] = (struct affected){ .owner = owner, .size = size };
	return 0;
}

static int affect_below(struct change *c, const struct touched *t)
{
	struct view_walk walk;
	struct found f;

	view_walk_seek(&walk, c->base, false, t->owner, t->size);
	while ((f = view_walk_next(&walk)).node) {
		const uint8_t *owner = node_owner(f.node);
		size_t size = node_owner_size(f.node);

		if (size == t->size && name_equal(owner, t->owner, size))
			continue;
		if (!relative_is_below(owner, size, t->owner, t->size))
			break;
		owner = change_keep_owner(c, owner, size);
		if (!owner)
			return change_no_memory(c);
		if (affect(c, owner, size) < 0)
			return -1;
	}
	return 0;
}

static int compare_affected(const void *x, const void *y)
{
	const struct affected *a = x, *b = y;

	return name_compare(a->owner, a->size, b->owner, b->size);
}

int change_find_affected(struct change *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct touched *t = &c->touched[i];

		for (size_t at = 0;; at += t->owner[at] + 1u) {
			if (affect(c, t->owner + at, t->size - at) < 0)
				return -1;
			if (at == t->size)
				break;
		}
		if (before_occludes(t) != (touched_has(t, TYPE_DNAME) || (t->size && touched_has(t, TYPE_NS)))
		    && affect_below(c, t) < 0)
			return -1;
	}
	if (!c->affected_count)
		return 0;
	qsort(c->affected, c->affected_count, sizeof(*c->affected), compare_affected);
	for (size_t i = 0; i < c->affected_count; i++)
		if (n == 0 || compare_affected(&c->affected[n - 1], &c->affected[i]) != 0)
			c->affected[n++] = c->affected[i];
	c->affected_count = n;
	return 0;
}

/* ---- writing ------------------------------------------------------------- */

static int count_node(struct change *c, const struct zone_node *n, struct found old)
{
	struct change_result *r = c->result;
	struct content_hash hash;
	uint8_t full[2 * NAME_MAX_SIZE];
	const struct build_rrset *build = gather_build(&c->gather, c->err);

	if (!build)
		return -1;
	name_lower(full, n->owner, n->owner_size);
	memcpy(full + n->owner_size, c->base->apex, c->base->apex_size);
	for (unsigned i = 0; i < n->count; i++) {
		content_hash_rrset(&hash, full, n->owner_size + c->base->apex_size, &build[i]);
		content_hash_add((struct content_hash *)r->hash_add, &hash);
		r->records += (int64_t)build[i].count + build[i].sig_count;
		r->rrsets++;
	}
	if (!old.node)
		return 0;
	if (content_hash_node(&hash, old, c->base->apex, c->base->apex_size) < 0)
		return err_set(c->err, ERR_CORRUPT, "a node of the set cannot be read");
	content_hash_add((struct content_hash *)r->hash_subtract, &hash);
	for (unsigned i = 0; i < node_rrsets(old.node); i++) {
		struct rrset set;

		if (!image_rrset_at(old.image, old.node, i, &set))
			return err_set(c->err, ERR_CORRUPT, "a node of the set cannot be read");
		r->records -= (int64_t)set.count + set.sig_count;
		r->rrsets--;
	}
	return 0;
}

static int write_node(struct change *c, const uint8_t *owner, size_t size, uint16_t flags, bool with_rrsets)
{
	const struct build_rrset *build = gather_build(&c->gather, c->err);

	if (!build)
		return -1;
	if (!c->builder) {
		c->builder = image_builder_new(c->request->image_fd, c->request->image_offset, c->base->apex,
			c->base->apex_size, c->base->hash_key, true, c->err);
		if (!c->builder)
			return -1;
	}
	return image_builder_node(c->builder, owner, size, flags, build, with_rrsets ? c->gather.node.count : 0, c->err);
}

/* The records of an owner that is affected, but was not named. */
static int gather_old(void *arg, const struct record_at *r)
{
	static const struct place nowhere = { 0, 0, 0 };
	struct change *c = arg;

	return gather_add(&c->gather, r->type, r->ttl, r->rdata, r->size, true, &nowhere, c->err);
}

static int put_affected(struct change *c, const struct affected *a)
{
	const struct touched *t = touched_find(c, a->owner, a->size);
	struct found old = t ? t->old : view_find_relative(c->base, a->owner, a->size);
	struct zone_node *n = &c->gather.node;
	bool exists;
	uint16_t flags;

	if (t) {
		if (change_gather(c, t) < 0)
			return -1;
		c->result->changed_rrsets += change_count_changed(c, n, old);
		if (count_node(c, n, old) < 0)
			return -1;
	} else {
		gather_begin(&c->gather, a->owner, a->size);
		if (old.node && records_of_node(c->base, old, c->scratch, gather_old, c, c->err) < 0)
			return -1;
		if (gather_finish(&c->gather, c->err) < 0)
			return -1;
	}
	exists = n->count || after_exists(c, a->owner, a->size);
	c->result->nodes += (int64_t)exists - (old.node != NULL);
	if (!exists)
		return old.node ? write_node(c, a->owner, a->size, NODE_GONE, false) : 0;
	flags = after_flags(c, a->owner, a->size);
	if (!t && old.node && (node_flags(old.node) & (NODE_WILD_CHILD | NODE_OCCLUDED)) == flags)
		return 0;
	return write_node(c, a->owner, a->size, flags, true);
}

int change_write_delta(struct change *c)
{
	for (size_t i = 0; i < c->affected_count; i++)
		if (put_affected(c, &c->affected[i]) < 0)
			return -1;
	return c->builder ? image_builder_finish(c->builder, &c->result->image_size, &c->result->header, c->err) : 0;
}
