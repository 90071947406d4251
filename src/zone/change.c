/*
 * A change of a set: what is touched is taken out of the view, changed,
 * checked, and written as a delta image that hides the old nodes.
 *
 * One name's change reaches further than the name: names above it that hold
 * nothing begin or cease to exist, "*.x" is noted at x, and a delegation or a
 * DNAME that comes or goes occludes, or uncovers, all that lies below.
 */
#include "zone/load.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "store/content_hash.h"
#include "wire/rrtype.h"
#include "zone/check.h"
#include "zone/gather.h"
#include "zone/parse.h"
#include "zone/records.h"
#include "zone/sort.h"

struct change_record {
	const uint8_t *rdata;
	struct place place;
	uint32_t ttl;
	uint16_t type, size;
};

/* An owner that was named, with what it shall hold. */
struct touched {
	const uint8_t *owner;   /* relative, case as it came */
	size_t size;
	struct change_record *records;
	size_t count, space;
	struct found old;
	uint16_t *replaced; size_t replaced_count;  /* types that `replace` has emptied once */
};

/* An owner whose node may have to be written anew. */
struct affected { const uint8_t *owner; size_t size; };

struct change {
	const struct change_request *request;
	struct change_result *result;
	const struct view *base;
	struct reporter reporter, silent;
	struct parser *parser;
	struct sorter *sorter;          /* whole: owns the records */
	struct checker *checker;
	struct gather gather;
	struct arena arena;
	uint8_t *scratch;
	uint32_t default_ttl;
	struct touched *touched; size_t count, space;
	uint32_t *slots; size_t slot_space;         /* by name, of indices + 1, while lines are read */
	struct affected *affected; size_t affected_count, affected_space;
	struct image_builder *builder;
	struct touched *into;           /* while records are taken over */
	struct err *err;
};

static int no_memory(struct change *c)
{
	return err_set(c->err, ERR_NOMEM, "no memory for the change");
}

/* ---- what is touched ------------------------------------------------------------- */

static int add_record(struct change *c, struct touched *t, uint16_t type, uint32_t ttl, const uint8_t *rdata, uint16_t size,
	bool copy, const struct place *place)
{
	if (t->count == t->space) {
		size_t space = t->space ? 2 * t->space : 8;
		struct change_record *records = realloc(t->records, space * sizeof(*records));

		if (!records)
			return no_memory(c);
		t->records = records;
		t->space = space;
	}
	if (copy)
		rdata = arena_memdup(&c->arena, rdata, size ? size : 1);
	if (!rdata)
		return no_memory(c);
	t->records[t->count++] = (struct change_record){ .rdata = rdata, .size = size, .type = type, .ttl = ttl, .place = *place };
	return 0;
}

static int take_over(void *arg, const struct record_at *r)
{
	static const struct place nowhere = { 0, 0, 0 };
	struct change *c = arg;

	return add_record(c, c->into, r->type, r->ttl, r->rdata, r->size, true, &nowhere);
}

/* A relative name to keep; never of no octets, so that it has an address. */
static const uint8_t *keep_owner(struct change *c, const uint8_t *owner, size_t size)
{
	uint8_t *kept = arena_alloc(&c->arena, size + 1);

	if (kept)
		memcpy(kept, owner, size);
	return kept;
}

static struct touched *new_touched(struct change *c, const uint8_t *owner, size_t size)
{
	struct touched *t;

	if (c->count == c->space) {
		size_t space = c->space ? 2 * c->space : 64;
		struct touched *touched = realloc(c->touched, space * sizeof(*touched));

		if (!touched) {
			no_memory(c);
			return NULL;
		}
		c->touched = touched;
		c->space = space;
	}
	t = &c->touched[c->count];
	*t = (struct touched){ .owner = keep_owner(c, owner, size), .size = size };
	if (!t->owner) {
		no_memory(c);
		return NULL;
	}
	t->old = view_find_relative(c->base, owner, size);
	c->count++;
	return t;
}

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
		return no_memory(c);
	for (size_t i = 0; i < c->count; i++)
		c->slots[slot_of(c, c->touched[i].owner, c->touched[i].size)] = (uint32_t)i + 1;
	return 0;
}

/* The touched owner of this name, with the records that it has now. */
static struct touched *touch(struct change *c, const uint8_t *owner, size_t size)
{
	struct touched *t;
	size_t slot;

	if (2 * (c->count + 1) > c->slot_space && grow_slots(c) < 0)
		return NULL;
	slot = slot_of(c, owner, size);
	if (c->slots[slot])
		return &c->touched[c->slots[slot] - 1];
	t = new_touched(c, owner, size);
	if (!t)
		return NULL;
	c->slots[slot] = (uint32_t)c->count;
	c->into = t;
	if (t->old.node && records_of_node(c->base, t->old, c->scratch, take_over, c, c->err) < 0)
		return NULL;
	return t;
}

/* ---- lines ---------------------------------------------------------------------------- */

static bool same_rdata(const struct change_record *r, uint16_t type, const uint8_t *rdata, size_t size)
{
	return r->type == type && r->size == size && rrtype_rdata_equal(type, r->rdata, rdata, size);
}

/* rdata NULL: every record of the type; type 0: every record. */
static void remove_records(struct touched *t, uint16_t type, const uint8_t *rdata, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < t->count; i++) {
		const struct change_record *r = &t->records[i];

		if ((type && r->type != type) || (rdata && !same_rdata(r, type, rdata, size)))
			t->records[n++] = *r;
	}
	t->count = n;
}

/* The first `replace` of an RRset empties it, further ones add to it. */
static int replace_once(struct change *c, struct touched *t, uint16_t type)
{
	uint16_t *replaced;

	for (size_t i = 0; i < t->replaced_count; i++)
		if (t->replaced[i] == type)
			return 0;
	replaced = realloc(t->replaced, (t->replaced_count + 1) * sizeof(*replaced));
	if (!replaced)
		return no_memory(c);
	t->replaced = replaced;
	t->replaced[t->replaced_count++] = type;
	return 0;
}

static bool was_replaced(const struct touched *t, uint16_t type)
{
	for (size_t i = 0; i < t->replaced_count; i++)
		if (t->replaced[i] == type)
			return true;
	return false;
}

/* An RRset has one TTL: the one that is stated, else the one that it has. */
static uint32_t settle_ttl(struct change *c, struct touched *t, const struct parsed_change *p)
{
	uint32_t ttl = p->has_ttl ? p->record.ttl : c->default_ttl;

	for (size_t i = 0; i < t->count; i++) {
		if (t->records[i].type != p->record.type)
			continue;
		if (p->has_ttl)
			t->records[i].ttl = ttl;
		else
			ttl = t->records[i].ttl;
	}
	return ttl;
}

static int apply_line(struct change *c, struct touched *t, const struct parsed_change *p)
{
	const struct parsed *r = &p->record;
	uint32_t ttl;

	if (p->kind == CHANGE_DELETE) {
		remove_records(t, p->has_type ? r->type : 0, p->has_rdata ? r->rdata : NULL, r->size);
		return 0;
	}
	ttl = settle_ttl(c, t, p);
	if (p->kind == CHANGE_REPLACE && !was_replaced(t, r->type)) {
		remove_records(t, r->type, NULL, 0);
		if (replace_once(c, t, r->type) < 0)
			return -1;
	}
	for (size_t i = 0; i < t->count; i++)
		if (same_rdata(&t->records[i], r->type, r->rdata, r->size))
			return 0;
	return add_record(c, t, r->type, ttl, r->rdata, (uint16_t)r->size, true, &r->place);
}

static bool is_signature_type(uint16_t type)
{
	return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3 || type == TYPE_NSEC3PARAM;
}

static int refuse_signed(struct change *c, const char *what)
{
	return err_set(c->err, ERR_SIGNED, "%s: its signatures would no longer be right, and the keys to make them anew are not here; "
		"sign the zone where the keys are, and import it", what);
}

static const char *file_of(struct change *c, const struct place *place)
{
	return parser_file_name(c->parser, place->file);
}

static void tell_out_of_zone(struct change *c, const struct parsed *p)
{
	char owner[NAME_TEXT_MAX], apex[NAME_TEXT_MAX];

	report(&c->reporter, RULE_OUT_OF_ZONE, file_of(c, &p->place), p->place.line, p->place.column, "%s is not in the zone %s",
		name_to_text(owner, p->owner), name_to_text(apex, c->base->apex));
}

static int read_lines(struct change *c)
{
	struct parsed_change p;

	while (parser_next_change(c->parser, &p) > 0) {
		struct touched *t;

		if (!name_is_at_or_below(p.record.owner, p.record.owner_size, c->base->apex, c->base->apex_size)) {
			tell_out_of_zone(c, &p.record);
			continue;
		}
		if (p.has_type && is_signature_type(p.record.type))
			return refuse_signed(c, "a signature or proof cannot be changed by itself");
		t = touch(c, p.record.owner, p.record.owner_size - c->base->apex_size);
		if (!t || apply_line(c, t, &p) < 0)
			return -1;
	}
	return c->reporter.errors ? -1 : 0;
}

/* ---- a whole text ------------------------------------------------------------------------ */

static int sort_text(struct change *c)
{
	struct parsed p;
	bool chain = true;

	while (parser_next(c->parser, &p) > 0) {
		struct sort_record r = { .owner = p.owner, .owner_size = (uint8_t)(p.owner_size - c->base->apex_size),
			.rdata = p.rdata, .size = (uint16_t)p.size, .type = p.type, .ttl = p.ttl, .ttl_known = p.ttl_known,
			.place = p.place };

		if (!name_is_at_or_below(p.owner, p.owner_size, c->base->apex, c->base->apex_size)) {
			tell_out_of_zone(c, &p);
			chain = false;
			continue;
		}
		if (is_signature_type(p.type))
			return refuse_signed(c, "the text holds signatures or proofs");
		if (p.type == TYPE_NS && checker_ns(c->checker, r.owner_size == 0, p.rdata, &p.place) < 0)
			return no_memory(c);
		if (sorter_add(c->sorter, &r, p.same_owner && chain, c->err) < 0)
			return -1;
		chain = true;
	}
	if (!c->reporter.errors && !sorter_count(c->sorter))
		report(&c->reporter, RULE_EMPTY, c->request->text_name, 0, 0,
			"the text is empty: this would delete every record of the set");
	return c->reporter.errors ? -1 : sorter_finish(c->sorter, c->err);
}

/* All names of the view before this one (or all there are) are not in the text. */
static int touch_missing(struct change *c, struct view_walk *walk, struct found *f, const uint8_t *owner, size_t size)
{
	while (f->node && (!owner || name_compare(node_owner(f->node), node_owner_size(f->node), owner, size) < 0)) {
		if (node_rrsets(f->node) && !new_touched(c, node_owner(f->node), node_owner_size(f->node)))
			return -1;
		*f = view_walk_next(walk);
	}
	return 0;
}

static int read_whole(struct change *c)
{
	struct view_walk walk;
	struct found f;
	struct sort_record r;
	struct touched *t = NULL;
	int got;

	c->sorter = sorter_new(SIZE_MAX, -1);
	if (!c->sorter)
		return no_memory(c);
	if (sort_text(c) < 0)
		return -1;
	view_walk_begin(&walk, c->base, false);
	f = view_walk_next(&walk);
	while ((got = sorter_next(c->sorter, &r, c->err)) > 0) {
		if (r.next_owner) {
			if (touch_missing(c, &walk, &f, r.owner, r.owner_size) < 0)
				return -1;
			if (f.node && name_compare(node_owner(f.node), node_owner_size(f.node), r.owner, r.owner_size) == 0)
				f = view_walk_next(&walk);
			t = new_touched(c, r.owner, r.owner_size);
			if (!t)
				return -1;
		}
		if (add_record(c, t, r.type, r.ttl_known ? r.ttl : parser_soa_minimum(c->parser), r.rdata, r.size, false, &r.place) < 0)
			return -1;
	}
	return got < 0 ? -1 : touch_missing(c, &walk, &f, NULL, 0);
}

/* ---- the state after the change ------------------------------------------------------------ */

static int compare_touched(const void *x, const void *y)
{
	const struct touched *a = x, *b = y;

	return name_compare(a->owner, a->size, b->owner, b->size);
}

/* The first touched name at or behind this one. */
static size_t touched_from(const struct change *c, const uint8_t *owner, size_t size)
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

static const struct touched *find_touched(const struct change *c, const uint8_t *owner, size_t size)
{
	size_t i = touched_from(c, owner, size);

	return i < c->count && c->touched[i].size == size && name_equal(c->touched[i].owner, owner, size) ? &c->touched[i] : NULL;
}

static bool touched_has(const struct touched *t, uint16_t type)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->records[i].type == type)
			return true;
	return false;
}

static bool new_has(const struct change *c, const uint8_t *owner, size_t size, uint16_t type)
{
	const struct touched *t = find_touched(c, owner, size);
	struct rrset set;

	return t ? touched_has(t, type) : found_rrset(view_find_relative(c->base, owner, size), type, &set);
}

/* Is there data below this name once the change is done? */
static bool new_has_below(const struct change *c, const uint8_t *owner, size_t size)
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
		if (node_rrsets(f.node) && !find_touched(c, name, name_size))
			return true;
	}
	return false;
}

static bool new_exists(const struct change *c, const uint8_t *owner, size_t size)
{
	const struct touched *t = find_touched(c, owner, size);
	struct found f;

	if (t && t->count)
		return true;
	if (!t) {
		f = view_find_relative(c->base, owner, size);
		if (f.node && node_rrsets(f.node))
			return true;
	}
	return size == 0 || new_has_below(c, owner, size);
}

/* What occludes everything below it. */
static bool new_occludes(const struct change *c, const uint8_t *owner, size_t size)
{
	return new_has(c, owner, size, TYPE_DNAME) || (size && new_has(c, owner, size, TYPE_NS));
}

static bool old_occludes(const struct touched *t)
{
	struct rrset set;

	return found_rrset(t->old, TYPE_DNAME, &set) || (t->size && found_rrset(t->old, TYPE_NS, &set));
}

/* The topmost name above that occludes this one; NULL: none. */
static const uint8_t *occluded_by(const struct change *c, const uint8_t *owner, size_t size, size_t *top_size)
{
	const uint8_t *top = NULL;
	size_t at = 0;

	while (at < size) {
		at += owner[at] + 1u;
		if (new_occludes(c, owner + at, size - at)) {
			top = owner + at;
			*top_size = size - at;
		}
	}
	return top;
}

static uint16_t new_flags(const struct change *c, const uint8_t *owner, size_t size)
{
	uint8_t wildcard[NAME_MAX_SIZE + 2] = { 1, '*' };
	size_t top_size;
	uint16_t flags = 0;

	memcpy(wildcard + 2, owner, size);
	if (size + 2 + c->base->apex_size <= NAME_MAX_SIZE && new_exists(c, wildcard, size + 2))
		flags |= NODE_WILD_CHILD;
	if (occluded_by(c, owner, size, &top_size))
		flags |= NODE_OCCLUDED;
	return flags;
}

/* ---- what has to be written ------------------------------------------------------------------ */

static int affect(struct change *c, const uint8_t *owner, size_t size)
{
	if (c->affected_count == c->affected_space) {
		size_t space = c->affected_space ? 2 * c->affected_space : 64;
		struct affected *affected = realloc(c->affected, space * sizeof(*affected));

		if (!affected)
			return no_memory(c);
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
		owner = keep_owner(c, owner, size);
		if (!owner)
			return no_memory(c);
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

static int find_affected(struct change *c)
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
		if (old_occludes(t) != (touched_has(t, TYPE_DNAME) || (t->size && touched_has(t, TYPE_NS)))
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

static bool same_node(struct change *c, const struct zone_node *n, struct found old)
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

static unsigned count_changed(struct change *c, const struct zone_node *n, struct found old)
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

/* An SOA that differs in its serial alone is none that differs: the served
 * serial is the catalog's. */
static int keep_old_soa(struct change *c, struct touched *t)
{
	struct change_record *soa = NULL;
	struct record_walk walk;
	struct record r;
	struct rrset set;

	for (size_t i = 0; i < t->count; i++)
		if (t->records[i].type == TYPE_SOA) {
			if (soa)
				return 0;       /* two: the rules will tell */
			soa = &t->records[i];
		}
	if (!soa || t->size || soa->size < 22 || !found_rrset(t->old, TYPE_SOA, &set))
		return 0;
	record_walk_begin(&walk, &set, false, c->base->apex, c->base->apex_size);
	if (!record_walk_next(&walk, &r, c->scratch) || r.size != soa->size || memcmp(r.rdata, soa->rdata, r.size - 20u) != 0
	    || memcmp(r.rdata + r.size - 16, soa->rdata + r.size - 16, 16) != 0)
		return 0;
	soa->rdata = arena_memdup(&c->arena, r.rdata, r.size);
	return soa->rdata ? 0 : no_memory(c);
}

static int gather_touched(struct change *c, const struct touched *t)
{
	gather_begin(&c->gather, t->owner, t->size);
	for (size_t i = 0; i < t->count; i++) {
		const struct change_record *r = &t->records[i];

		if (gather_add(&c->gather, r->type, r->ttl, r->rdata, r->size, false, &r->place, c->err) < 0)
			return -1;
	}
	return gather_finish(&c->gather, c->err);
}

/* Every owner by itself through the rules (of a whole text also in its
 * place); only those that are not as they were stay touched. */
static int check_and_prune(struct change *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct touched *t = &c->touched[i];
		bool same;

		if ((t->size == 0 && keep_old_soa(c, t) < 0) || gather_touched(c, t) < 0)
			return -1;
		same = same_node(c, &c->gather.node, t->old);
		if (c->request->whole) {
			if (checker_node(c->checker, &c->gather.node) < 0)
				return no_memory(c);
		} else if (!same) {
			check_owner(c->checker, &c->gather.node);
		}
		if (same) {
			free(t->records);
			free(t->replaced);
		} else {
			c->touched[n++] = *t;
		}
	}
	c->count = n;
	if (c->request->whole)
		checker_finish(c->checker);
	return 0;
}

/* ---- rules -------------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 4, 5))) complain(struct change *c, enum rule_id id, const struct place *place,
	const char *fmt, ...)
{
	char message[3 * NAME_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	report(&c->reporter, id, place && place->line ? file_of(c, place) : NULL, place ? place->line : 0,
		place ? place->column : 0, "%s", message);
}

static char *name_text(const struct change *c, const uint8_t *owner, size_t size, char *buf)
{
	uint8_t full[2 * NAME_MAX_SIZE];

	memcpy(full, owner, size);
	memcpy(full + size, c->base->apex, c->base->apex_size);
	return name_to_text(buf, full);
}

/* Does a name server of this owner lie in the zone and lack an address? */
static void check_name_servers(struct change *c, const struct touched *t)
{
	char name[NAME_TEXT_MAX];

	for (size_t i = 0; i < t->count; i++) {
		const struct change_record *r = &t->records[i];
		size_t size = r->type == TYPE_NS ? name_length(r->rdata, r->size) : 0;

		if (!size || !name_is_at_or_below(r->rdata, size, c->base->apex, c->base->apex_size))
			continue;
		size -= c->base->apex_size;
		if (new_has(c, r->rdata, size, TYPE_A) || new_has(c, r->rdata, size, TYPE_AAAA))
			continue;
		if (new_has(c, r->rdata, size, TYPE_CNAME))
			complain(c, RULE_NS_IS_CNAME, &r->place, "the name server %s is a CNAME", name_to_text(name, r->rdata));
		else if (t->size == 0)
			complain(c, RULE_APEX_NS_ADDRESS, &r->place, "the zone's name server %s has no address",
				name_to_text(name, r->rdata));
		else
			complain(c, RULE_GLUE_MISSING, &r->place, "the name server %s lies in the zone, but has no address",
				name_to_text(name, r->rdata));
	}
}

/* An address that went: did a name server above need it? */
static void check_lost_address(struct change *c, const struct touched *t)
{
	struct rrset set;
	bool had = found_rrset(t->old, TYPE_A, &set) || found_rrset(t->old, TYPE_AAAA, &set);
	char name[NAME_TEXT_MAX];

	if (!had || touched_has(t, TYPE_A) || touched_has(t, TYPE_AAAA))
		return;
	for (size_t at = 0;; at += t->owner[at] + 1u) {
		size_t size = t->size - at;
		struct found f = view_find_relative(c->base, t->owner + at, size);
		struct record_walk walk;
		struct record r;

		/* touched ones are checked by themselves */
		if (!find_touched(c, t->owner + at, size) && found_rrset(f, TYPE_NS, &set)) {
			record_walk_begin(&walk, &set, false, c->base->apex, c->base->apex_size);
			while (record_walk_next(&walk, &r, c->scratch))
				if (r.size == t->size + c->base->apex_size && name_equal(r.rdata, t->owner, t->size)
				    && name_equal(r.rdata + t->size, c->base->apex, c->base->apex_size))
					complain(c, size ? RULE_GLUE_MISSING : RULE_APEX_NS_ADDRESS, NULL,
						"the name server %s has no address any more", name_to_text(name, r.rdata));
		}
		if (!size)
			return;
	}
}

static void check_around(struct change *c, const struct touched *t)
{
	char name[NAME_TEXT_MAX], top_name[NAME_TEXT_MAX];
	const struct place *place = NULL;
	const uint8_t *top;
	size_t top_size = 0;

	for (size_t i = 0; i < t->count && !place; i++)
		if (t->records[i].place.line)
			place = &t->records[i].place;
	if (t->size == 0) {
		if (!touched_has(t, TYPE_SOA))
			complain(c, RULE_NO_SOA, NULL, "%s would have no SOA", name_text(c, t->owner, 0, name));
		if (!touched_has(t, TYPE_NS))
			complain(c, RULE_NO_NS, NULL, "%s would have no NS", name_text(c, t->owner, 0, name));
	}
	top = t->count ? occluded_by(c, t->owner, t->size, &top_size) : NULL;
	if (top && new_has(c, top, top_size, TYPE_DNAME)) {
		complain(c, RULE_BELOW_DNAME, place, "%s lies below the DNAME at %s", name_text(c, t->owner, t->size, name),
			name_text(c, top, top_size, top_name));
	} else if (top) {
		for (size_t i = 0; i < t->count; i++)
			if (t->records[i].type != TYPE_A && t->records[i].type != TYPE_AAAA) {
				complain(c, RULE_BELOW_CUT, place, "%s lies below the delegation of %s and is no glue: it will never be answered",
					name_text(c, t->owner, t->size, name), name_text(c, top, top_size, top_name));
				break;
			}
	}
	if (!top && touched_has(t, TYPE_DNAME) && new_has_below(c, t->owner, t->size))
		complain(c, RULE_BELOW_DNAME, place, "there is data below the DNAME at %s", name_text(c, t->owner, t->size, name));
	check_name_servers(c, t);
	check_lost_address(c, t);
}

/* ---- writing --------------------------------------------------------------------------------------- */

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
	const struct touched *t = find_touched(c, a->owner, a->size);
	struct found old = t ? t->old : view_find_relative(c->base, a->owner, a->size);
	struct zone_node *n = &c->gather.node;
	bool exists;
	uint16_t flags;

	if (t) {
		if (gather_touched(c, t) < 0)
			return -1;
		c->result->changed_rrsets += count_changed(c, n, old);
		if (count_node(c, n, old) < 0)
			return -1;
	} else {
		gather_begin(&c->gather, a->owner, a->size);
		if (old.node && records_of_node(c->base, old, c->scratch, gather_old, c, c->err) < 0)
			return -1;
		if (gather_finish(&c->gather, c->err) < 0)
			return -1;
	}
	exists = n->count || new_exists(c, a->owner, a->size);
	c->result->nodes += (int64_t)exists - (old.node != NULL);
	if (!exists)
		return old.node ? write_node(c, a->owner, a->size, NODE_GONE, false) : 0;
	flags = new_flags(c, a->owner, a->size);
	if (!t && old.node && (node_flags(old.node) & (NODE_WILD_CHILD | NODE_OCCLUDED)) == flags)
		return 0;
	return write_node(c, a->owner, a->size, flags, true);
}

static int write_delta(struct change *c)
{
	for (size_t i = 0; i < c->affected_count; i++)
		if (put_affected(c, &c->affected[i]) < 0)
			return -1;
	return c->builder ? image_builder_finish(c->builder, &c->result->image_size, &c->result->header, c->err) : 0;
}

/* ---- the whole of it ----------------------------------------------------------------------------------- */

static bool is_signed(const struct view *view)
{
	struct found apex = view_find_relative(view, view->apex, 0);
	struct rrset set;

	return (found_rrset(apex, TYPE_SOA, &set) && set.sig_count) || found_rrset(apex, TYPE_NSEC, &set)
		|| found_rrset(apex, TYPE_NSEC3PARAM, &set);
}

/* The SOA's minimum, as in a zone file without TTLs. */
static uint32_t default_ttl(const struct view *view)
{
	struct rrset set;

	if (!found_rrset(view_find_relative(view, view->apex, 0), TYPE_SOA, &set) || set.wire_size < 32)
		return 3600;
	return load_be32(set.wire + set.wire_size - 4) & INT32_MAX;
}

static int prepare(struct change *c)
{
	const struct change_request *q = c->request;
	struct parser_options options = { .apex = c->base->apex, .apex_size = c->base->apex_size, .reporter = &c->reporter,
		.lines_are_changes = !q->whole };
	struct scanner *scanner = scanner_new_text(q->text, q->text_size, q->text_name);

	if (scanner)
		c->parser = parser_new(scanner, &options);
	if (c->parser)
		c->checker = checker_new(&c->reporter, c->base->apex, c->base->apex_size, 0, parser_file_name, c->parser);
	c->scratch = malloc(RECORD_SCRATCH);
	if (!c->parser || !c->checker || !c->scratch)
		return no_memory(c);
	c->gather.reporter = &c->reporter;
	c->gather.apex = c->base->apex;
	c->gather.apex_size = c->base->apex_size;
	c->gather.file_name = parser_file_name;
	c->gather.arg = c->parser;
	c->default_ttl = default_ttl(c->base);
	return 0;
}

static int run(struct change *c)
{
	if (c->base->images > IMAGE_DELTA_MAX)
		return err_set(c->err, ERR_BUSY, "the set has %u changes that are not folded yet: try again in a moment",
			c->base->images - 1);
	if (is_signed(c->base))
		return refuse_signed(c, "the set is signed");
	if (prepare(c) < 0 || (c->request->whole ? read_whole(c) : read_lines(c)) < 0)
		return -1;
	if (c->count)
		qsort(c->touched, c->count, sizeof(*c->touched), compare_touched);
	if (check_and_prune(c) < 0)
		return -1;
	for (size_t i = 0; i < c->count && !c->request->whole; i++)
		check_around(c, &c->touched[i]);
	if (c->reporter.rules)
		return -1;      /* the error is set: reporter.err_takes_rules */
	/* the same records are gathered again: what is wrong has been told */
	c->gather.reporter = &c->silent;
	if (find_affected(c) < 0)
		return -1;
	return write_delta(c);
}

static void note_apex(struct change *c)
{
	const struct touched *t = find_touched(c, c->base->apex, 0);

	view_soa_serial(c->base, &c->result->soa_serial);
	c->result->serial_fixed = t ? touched_has(t, TYPE_ZONEMD) : view_serial_fixed(c->base);
	for (size_t i = 0; t && i < t->count; i++)
		if (t->records[i].type == TYPE_SOA && t->records[i].size >= 22)
			c->result->soa_serial = load_be32(t->records[i].rdata + t->records[i].size - 20);
}

int zone_change(const struct change_request *request, struct change_result *result, struct err *err)
{
	struct err own = ERR_INIT;
	struct change c = { .request = request, .result = result, .base = request->base, .err = err ? err : &own };
	int status;

	memset(result, 0, sizeof(*result));
	c.reporter = (struct reporter){ .problem = request->problem, .arg = request->arg, .err = c.err, .err_takes_rules = true };
	status = run(&c);
	if (status == 0)
		note_apex(&c);
	image_builder_free(c.builder);
	gather_free(&c.gather);
	checker_free(c.checker);
	parser_free(c.parser);
	sorter_free(c.sorter);
	for (size_t i = 0; i < c.count; i++) {
		free(c.touched[i].records);
		free(c.touched[i].replaced);
	}
	free(c.touched);
	free(c.slots);
	free(c.affected);
	free(c.scratch);
	arena_free(&c.arena);
	return status;
}
