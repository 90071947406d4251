/* What the rules say of a change: of each owner by itself, and of what lies
 * around it. */
#include "zone/change_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/rrtype.h"

/* ---- owners by themselves ------------------------------------------------ */

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
	return soa->rdata ? 0 : change_no_memory(c);
}

int change_check_and_prune(struct change *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct touched *t = &c->touched[i];
		bool same;

		if ((t->size == 0 && keep_old_soa(c, t) < 0) || change_gather(c, t) < 0)
			return -1;
		same = change_same_node(c, &c->gather.node, t->old);
		if (c->request->whole) {
			if (checker_node(c->checker, &c->gather.node) < 0)
				return change_no_memory(c);
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

/* ---- what lies around them ----------------------------------------------- */

static void __attribute__((format(printf, 4, 5))) complain(struct change *c, enum rule_id id, const struct place *place,
	const char *fmt, ...)
{
	char message[3 * NAME_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	report(&c->reporter, id, place && place->line ? change_file_of(c, place) : NULL, place ? place->line : 0,
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
		if (after_has(c, r->rdata, size, TYPE_A) || after_has(c, r->rdata, size, TYPE_AAAA))
			continue;
		if (after_has(c, r->rdata, size, TYPE_CNAME))
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
		if (!touched_find(c, t->owner + at, size) && found_rrset(f, TYPE_NS, &set)) {
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

void change_check_around(struct change *c, const struct touched *t)
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
	top = t->count ? after_occluded_by(c, t->owner, t->size, &top_size) : NULL;
	if (top && after_has(c, top, top_size, TYPE_DNAME)) {
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
	if (!top && touched_has(t, TYPE_DNAME) && after_has_below(c, t->owner, t->size))
		complain(c, RULE_BELOW_DNAME, place, "there is data below the DNAME at %s", name_text(c, t->owner, t->size, name));
	check_name_servers(c, t);
	check_lost_address(c, t);
}
