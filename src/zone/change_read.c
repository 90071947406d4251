/* A change's text: lines that say what to add, delete or replace, or all records
 * that the set shall hold. */
#include "zone/change_internal.h"

#include <stdlib.h>

#include "wire/rrtype.h"

static bool is_signature_type(uint16_t type)
{
	return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3 || type == TYPE_NSEC3PARAM;
}

int change_refuse_signed(struct change *c, const char *what)
{
	return err_set(c->err, ERR_SIGNED, "%s: its signatures would no longer be right, and the keys to make them anew are not here; "
		"sign the zone where the keys are, and import it", what);
}

const char *change_file_of(struct change *c, const struct place *place)
{
	return parser_file_name(c->parser, place->file);
}

static void tell_out_of_zone(struct change *c, const struct parsed *p)
{
	char owner[NAME_TEXT_MAX], apex[NAME_TEXT_MAX];

	report(&c->reporter, RULE_OUT_OF_ZONE, change_file_of(c, &p->place), p->place.line, p->place.column, "%s is not in the zone %s",
		name_to_text(owner, p->owner), name_to_text(apex, c->base->apex));
}

/* ---- lines --------------------------------------------------------------- */

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
		return change_no_memory(c);
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
	return touched_add(c, t, r->type, ttl, r->rdata, (uint16_t)r->size, true, &r->place);
}

int change_read_lines(struct change *c)
{
	struct parsed_change p;

	while (parser_next_change(c->parser, &p) > 0) {
		struct touched *t;

		if (!name_is_at_or_below(p.record.owner, p.record.owner_size, c->base->apex, c->base->apex_size)) {
			tell_out_of_zone(c, &p.record);
			continue;
		}
		if (p.has_type && is_signature_type(p.record.type))
			return change_refuse_signed(c, "a signature or proof cannot be changed by itself");
		t = touched_of(c, p.record.owner, p.record.owner_size - c->base->apex_size);
		if (!t || apply_line(c, t, &p) < 0)
			return -1;
	}
	return c->reporter.errors ? -1 : 0;
}

/* ---- a whole text -------------------------------------------------------- */

static int sort_text(struct change *c)
{
	struct parsed p;
	bool chain = true;

	while (parser_next(c->parser, &p) > 0) {
		if (!name_is_at_or_below(p.owner, p.owner_size, c->base->apex, c->base->apex_size)) {
			tell_out_of_zone(c, &p);
			chain = false;
			continue;
		}
		if (is_signature_type(p.type))
			return change_refuse_signed(c, "the text holds signatures or proofs");
		if (p.type == TYPE_NS && checker_ns(c->checker, p.owner_size == c->base->apex_size, p.rdata, &p.place) < 0)
			return change_no_memory(c);
		if (sorter_add(c->sorter, &p, c->base->apex_size, p.same_owner && chain, c->err) < 0)
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
		if (node_rrsets(f->node) && !touched_new(c, node_owner(f->node), node_owner_size(f->node)))
			return -1;
		*f = view_walk_next(walk);
	}
	return 0;
}

int change_read_whole(struct change *c)
{
	struct view_walk walk;
	struct found f;
	struct sort_record r;
	struct touched *t = NULL;
	int got;

	c->sorter = sorter_new(SIZE_MAX, -1);
	if (!c->sorter)
		return change_no_memory(c);
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
			t = touched_new(c, r.owner, r.owner_size);
			if (!t)
				return -1;
		}
		if (touched_add(c, t, r.type, r.ttl_known ? r.ttl : parser_soa_minimum(c->parser), r.rdata, r.size, false, &r.place) < 0)
			return -1;
	}
	return got < 0 ? -1 : touch_missing(c, &walk, &f, NULL, 0);
}
