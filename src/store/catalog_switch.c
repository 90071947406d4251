/*
 * The switch, in two passes over its zones: the first decides for each what
 * would happen and whether all may, and writes nothing; the second writes.
 * So a refusal leaves the transaction as it was.
 */
#include "store/catalog_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MISSING_NAMED 5     /* members that an error names; more are counted */

struct plan {
	struct catalog_txn *t;
	const struct switch_request *req;
	struct err *err;
	struct switch_result_item *items;
	bool *fixed;            /* the set's serial cannot be replaced */
	size_t count, capacity;
	size_t moves;           /* items that will be switched */
	struct group_row group;
	struct history_row last;        /* the history entry looked at last */
	unsigned no_go;         /* zones that a rule forbids it for */
	char no_go_text[900];       /* of the first */
	unsigned missing;       /* members without the set */
	char missing_names[MISSING_NAMED * 80];
};

static bool at_equal(struct set_at a, struct set_at b)
{
	return a.set == b.set && a.edition == b.edition;
}

static bool moves(enum switch_outcome outcome)
{
	return outcome == OUTCOME_SWITCHED || outcome == OUTCOME_OVERTOOK;
}

/* ---- the list of items -------------------------------------------------------------- */

static struct switch_result_item *new_item(struct plan *p, const uint8_t *apex, size_t size, uint64_t zone)
{
	struct switch_result_item *item;

	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 16;
		struct switch_result_item *items = realloc(p->items, capacity * sizeof *items);
		bool *fixed = items ? realloc(p->fixed, capacity * sizeof *fixed) : NULL;

		if (items)
			p->items = items;
		if (fixed)
			p->fixed = fixed;
		if (!items || !fixed) {
			err_set(p->err, ERR_NOMEM, "no memory for a switch of %zu zones", capacity);
			return NULL;
		}
		p->capacity = capacity;
	}
	item = &p->items[p->count];
	p->fixed[p->count++] = false;
	memset(item, 0, sizeof *item);
	memcpy(item->member.apex, apex, size);
	item->member.apex_size = size;
	item->member.zone = zone;
	return item;
}

static struct switch_result_item *zone_item(struct plan *p, const struct zone_row *zone)
{
	struct switch_result_item *item = new_item(p, zone->apex, zone->apex_size, zone->id);
	struct set_row set;

	if (!item)
		return NULL;
	item->member.from = item->member.to = zone->live;
	item->member.from_serial = item->member.to_serial = zone->served_serial;
	if (zone->live.set) {
		if (catalog_set(p->t, zone->live.set, &set, p->err))
			return NULL;
		strcpy(item->member.from_name, set.name);
		strcpy(item->member.to_name, set.name);
	}
	return item;
}

/* Nothing to do: since when, and by whom. */
static int is_already(struct plan *p, const struct zone_row *zone, struct switch_result_item *item)
{
	item->outcome = OUTCOME_ALREADY;
	item->since_us = zone->switched_at_us;
	if (!zone->switch_id)
		return 0;
	if (p->last.id != zone->switch_id && history_get(p->t, zone->switch_id, &p->last, p->err))
		return -1;
	memcpy(item->by, p->last.who.name, sizeof item->by);
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* One command cannot switch a zone twice. */
static int refuse_twice(struct plan *p)
{
	uint64_t *ids;
	uint64_t twice = 0;
	struct zone_row zone;
	char text[NAME_TEXT_MAX];

	if (p->count < 2)
		return 0;
	ids = malloc(p->count * sizeof *ids);
	if (!ids)
		return err_set(p->err, ERR_NOMEM, "no memory for a switch of %zu zones", p->count);
	for (size_t i = 0; i < p->count; i++)
		ids[i] = p->items[i].member.zone;
	qsort(ids, p->count, sizeof *ids, compare_ids);
	for (size_t i = 1; i < p->count; i++)
		if (ids[i] == ids[i - 1])
			twice = ids[i];
	free(ids);
	if (!twice || catalog_zone_by_id(p->t, twice, &zone, p->err))
		return twice ? -1 : 0;
	return err_set(p->err, ERR_BAD_REQUEST, "%s is named twice in one command", name_to_text_short(text, zone.apex));
}

/* ---- may it? ------------------------------------------------------------------------- */

/* All are counted, the first is told. */
static void note_no_go(struct plan *p, const struct zone_row *zone, const struct switch_result_item *item)
{
	if (keys_forbid(p->req, item) && !p->no_go++)
		keys_no_go_text(zone, item, p->no_go_text, sizeof p->no_go_text);
}

static int refuse_no_go(struct plan *p)
{
	if (!p->no_go)
		return 0;
	if (p->no_go == 1)
		return err_set(p->err, ERR_NO_GO, "%s", p->no_go_text);
	return err_set(p->err, ERR_NO_GO, "%s (and %u more zones alike)", p->no_go_text, p->no_go - 1);
}

/* The item goes to a set at an edition: may it? */
static int decide_move(struct plan *p, const struct zone_row *zone, const struct set_row *set, struct set_at to,
	enum switch_outcome outcome, struct switch_result_item *item)
{
	struct edition_row edition;
	char text[NAME_TEXT_MAX];

	name_to_text_short(text, zone->apex);
	if (set->state == SET_DROPPING)
		return err_set(p->err, ERR_NO_SUCH_SET, "%s@%s was dropped", text, set->name);
	/* a set is failed by its newest edition: an older one was live once, and
	 * the way back to it stays open */
	if (set->state != SET_READY && (set->state != SET_FAILED || to.edition == set->edition))
		return err_set(p->err, ERR_NOT_READY, "%s@%s is %s%s%s: only a ready set can be switched to%s", text, set->name,
			set_state_name[set->state], set->note[0] ? ": " : "", set->note,
			set->state == SET_FAILED ? "; repair it by `edit` or `record`, or import it anew" : "");
	if (edition_get(p->t, to, &edition, p->err))
		return -1;
	item->outcome = outcome;
	item->member.to = to;
	strcpy(item->member.to_name, set->name);
	p->fixed[p->count - 1] = edition.flags & SET_SERIAL_FIXED;
	p->moves++;
	if (keys_compare(p->t, zone, &edition, item, p->err))
		return -1;
	note_no_go(p, zone, item);
	return serial_decide(p->t, p->req, zone, &edition, set->name, item, p->err);
}

/* ---- cutover, reload: the first pass --------------------------------------------------- */

static int check_reload(struct plan *p, const struct zone_row *zone)
{
	char text[NAME_TEXT_MAX];

	name_to_text_short(text, zone->apex);
	if (zone->flags & ZONE_HELD)
		return err_set(p->err, ERR_HELD, "%s is held: its last cutover awaits `schwenk confirm %s` or `schwenk rollback %s`; "
			"until then import into a set by name, %s@SET", text, text, text, text);
	if (p->req->expect_live_given && !at_equal(zone->live, p->req->expect_live))
		return err_set(p->err, ERR_OVERTAKEN, "the live set of %s changed since the import began: nothing was switched; "
			"import again", text);
	return 0;
}

static int check_expected(struct plan *p, const struct zone_row *zone, const struct set_row *set)
{
	char hash[CONTENT_HASH_TEXT], text[NAME_TEXT_MAX];

	if (!p->req->expect)
		return 0;
	content_hash_text(&set->hash, hash);
	if (strcasecmp(hash, p->req->expect))
		return err_set(p->err, ERR_CHANGED, "%s@%s is not what was planned: its content hash is %s, expected was %s",
			name_to_text_short(text, zone->apex), set->name, hash, p->req->expect);
	return 0;
}

/* A serial that was asked for, of what is live with another one: to change
 * nothing in silence would leave the operator with the wrong one. */
static int check_served(struct plan *p, const struct zone_row *zone, const struct switch_result_item *item)
{
	uint32_t wanted = p->req->serial;
	char text[NAME_TEXT_MAX];

	if (!p->req->serial_given || wanted == zone->served_serial)
		return 0;
	name_to_text_short(text, zone->apex);
	if (!serial_ahead(wanted, zone->highest_serial))
		return err_set(p->err, ERR_SERIAL, "%s@%s is live already, with serial %u, and %u is not ahead of it (RFC 1982): nothing was "
			"changed", text, item->member.to_name, zone->served_serial, wanted);
	return err_set(p->err, ERR_SERIAL, "%s@%s is live already, with serial %u: nothing was changed; the serial alone is raised by "
		"`schwenk serial %s %u`", text, item->member.to_name, zone->served_serial, text, wanted);
}

static int plan_cutover(struct plan *p, const struct zone_row *zone, const char *set_name)
{
	struct switch_result_item *item = zone_item(p, zone);
	struct set_row set;
	struct set_at to;

	if (!item)
		return -1;
	if (p->req->kind == SWITCH_RELOAD && check_reload(p, zone))
		return -1;
	if (catalog_set_by_name(p->t, zone, set_name, &set, p->err))
		return -1;
	if (check_expected(p, zone, &set))
		return -1;
	/* "previous" means the edition that a rollback would return to */
	to = !strcmp(set_name, "previous") ? zone->previous : (struct set_at){ .set = set.id, .edition = set.edition };
	if (!strcmp(set_name, "live") || at_equal(to, zone->live))
		return check_served(p, zone, item) ? -1 : is_already(p, zone, item);
	return decide_move(p, zone, &set, to, OUTCOME_SWITCHED, item);
}

static void name_missing(struct plan *p, const struct zone_row *zone)
{
	char text[NAME_TEXT_MAX];
	size_t n = strlen(p->missing_names);

	if (p->missing++ < MISSING_NAMED)
		snprintf(p->missing_names + n, sizeof p->missing_names - n, "%s%.70s", n ? ", " : "",
			name_to_text_short(text, zone->apex));
}

static int plan_group_cutover(struct plan *p)
{
	const char *set = p->req->count ? p->req->items[0].set : "";
	uint64_t *ids;
	size_t count;
	int rc = 0;

	if (group_get(p->t, p->req->group, &p->group, p->err)
	    || prefix_ids(p->t, T_MEMBER, p->group.id, 8, &ids, &count, p->err))
		return -1;
	if (!count)
		rc = err_set(p->err, ERR_NO_SUCH_ZONE, "the group %s has no members", p->req->group);
	for (size_t i = 0; i < count && !rc; i++) {
		struct zone_row zone;

		rc = catalog_zone_by_id(p->t, ids[i], &zone, p->err);
		if (rc || !(rc = plan_cutover(p, &zone, set)))
			continue;
		/* name them all, not only the first */
		if (p->err && err_is(p->err, ERR_NO_SUCH_SET)) {
			name_missing(p, &zone);
			err_clear(p->err);
			rc = 0;
		}
	}
	free(ids);
	if (!rc && p->missing)
		return err_set(p->err, ERR_NO_SUCH_SET, "nothing was switched: %u of %zu members of group %s have no set @%s: %s%s",
			p->missing, count, p->req->group, set, p->missing_names, p->missing > MISSING_NAMED ? ", …" : "");
	return rc;
}

/* ---- rollback: the first pass ------------------------------------------------------------ */

/* Editions made of the live set since it was switched to. */
static int count_edits(struct plan *p, const struct zone_row *zone, const struct history_member *cutover,
	struct switch_result_item *item)
{
	struct history_member own;

	if (!cutover) {
		int rc = zone->switch_id ? history_member_of(p->t, zone->switch_id, zone->id, &own, p->err) : 0;

		if (rc <= 0)
			return rc;
		cutover = &own;
	}
	if (zone->live.set == cutover->to.set && zone->live.edition > cutover->to.edition)
		item->edits_left_behind = zone->live.edition - cutover->to.edition;
	return 0;
}

static int plan_rollback(struct plan *p, const struct zone_row *zone)
{
	struct switch_result_item *item = zone_item(p, zone);
	struct set_row set;
	char text[NAME_TEXT_MAX];

	if (!item)
		return -1;
	if (!zone->previous.set) {
		if (zone->switch_id && is_already(p, zone, item))
			return -1;
		if (zone->switch_id && p->last.kind == SWITCH_ROLLBACK)
			return 0;
		return err_set(p->err, ERR_NO_PREVIOUS, "%s has no set to go back to: there was none before @%s",
			name_to_text_short(text, zone->apex), item->member.from_name);
	}
	if (catalog_set(p->t, zone->previous.set, &set, p->err) || count_edits(p, zone, NULL, item))
		return -1;
	return decide_move(p, zone, &set, zone->previous, OUTCOME_SWITCHED, item);
}

/* The set that a member had before the switch. Once that is confirmed nothing
 * keeps it but being a zone's previous set. */
static int find_former(struct plan *p, const struct history_member *then, struct set_row *set)
{
	struct err missing = ERR_INIT;
	struct edition_row edition;
	char text[NAME_TEXT_MAX];

	if (!catalog_set(p->t, then->from.set, set, &missing) && !edition_get(p->t, then->from, &edition, &missing))
		return 0;
	return err_set(p->err, ERR_NO_SUCH_SET, "%s cannot be taken back to what it had before the switch of group %s: @%s as it "
		"was then is kept no more. Nothing was switched; take single zones back by `schwenk rollback ZONE`",
		name_to_text_short(text, then->apex), p->req->group, then->from_name);
}

/* One member of a group's switch, as it was then. */
static int plan_member_back(struct plan *p, const struct history_member *then)
{
	struct switch_result_item *item;
	struct zone_row zone;
	struct set_row set;
	bool overtook;

	if (catalog_zone_by_id(p->t, then->zone, &zone, p->err)) {
		if (!p->err || !err_is(p->err, ERR_NO_SUCH_ZONE))
			return -1;
		/* removed since: named, like one that had no set before */
		err_clear(p->err);
		item = new_item(p, then->apex, then->apex_size, then->zone);
		if (item)
			item->outcome = OUTCOME_NO_PREVIOUS;
		return item ? 0 : -1;
	}
	item = zone_item(p, &zone);
	if (!item)
		return -1;
	if (!then->from.set) {
		item->outcome = OUTCOME_NO_PREVIOUS;
		return 0;
	}
	if (at_equal(zone.live, then->from))
		return is_already(p, &zone, item);
	overtook = zone.live.set != then->to.set;
	if (find_former(p, then, &set) || count_edits(p, &zone, then, item))
		return -1;
	return decide_move(p, &zone, &set, then->from, overtook ? OUTCOME_OVERTOOK : OUTCOME_SWITCHED, item);
}

struct member_list { struct history_member *member; size_t count, capacity; };

static int gather_member(void *arg, const struct history_member *member)
{
	struct member_list *list = arg;

	if (list->count == list->capacity)
		return 1;
	list->member[list->count++] = *member;
	return 0;
}

/* The members of an entry, as a malloc'd list. */
static int gather_members(struct catalog_txn *t, const struct history_row *row, struct member_list *list, struct err *err)
{
	*list = (struct member_list){ .capacity = row->members };
	list->member = malloc((row->members + 1) * sizeof *list->member);
	if (!list->member)
		return err_set(err, ERR_NOMEM, "no memory for the %u members of a switch", row->members);
	if (catalog_history_members(t, row->id, gather_member, list, err)) {
		free(list->member);
		list->member = NULL;
		return -1;
	}
	return 0;
}

static int plan_group_rollback(struct plan *p)
{
	struct history_row row;
	struct member_list list;
	int rc = 0;

	if (group_get(p->t, p->req->group, &p->group, p->err))
		return -1;
	if (!p->group.last_switch)
		return err_set(p->err, ERR_NO_PREVIOUS, "the group %s was never switched as a group: nothing to go back to",
			p->req->group);
	if (history_get(p->t, p->group.last_switch, &row, p->err) || gather_members(p->t, &row, &list, p->err))
		return -1;
	for (size_t i = 0; i < list.count && !rc; i++) {
		struct zone_row zone;

		if (row.kind != SWITCH_ROLLBACK) {
			rc = plan_member_back(p, &list.member[i]);
			continue;
		}
		/* taken back already: two people must not undo each other */
		if (!catalog_zone_by_id(p->t, list.member[i].zone, &zone, p->err)) {
			struct switch_result_item *item = zone_item(p, &zone);

			rc = item ? is_already(p, &zone, item) : -1;
			if (!rc) {
				item->since_us = row.at_us;
				memcpy(item->by, row.who.name, sizeof item->by);
			}
		} else if (p->err && err_is(p->err, ERR_NO_SUCH_ZONE)) {
			err_clear(p->err);
		} else {
			rc = -1;
		}
	}
	free(list.member);
	return rc;
}

/* ---- the second pass ----------------------------------------------------------------------- */

static int mark_served(struct catalog_txn *t, uint64_t id, struct err *err)
{
	struct set_row set;

	if (catalog_set(t, id, &set, err))
		return -1;
	if (set.flags & SET_SERVED)
		return 0;
	set.flags |= SET_SERVED;
	return set_put(t, &set, err);
}

static int move_holds(struct plan *p, const struct zone_row *zone, struct set_at from)
{
	struct catalog_txn *t = p->t;

	if (p->req->kind == SWITCH_ROLLBACK)
		return held_close(t, zone->id, p->err);
	if (held_supersede(t, zone->id, p->err))
		return -1;
	return p->req->hold ? held_add(t, zone->id, t->history.row.id, from, p->req->group != NULL, p->err) : 0;
}

static int move_zone(struct plan *p, const struct switch_result_item *item, bool fixed)
{
	struct catalog_txn *t = p->t;
	struct zone_row zone;
	struct set_at from;

	if (catalog_zone(t, item->member.apex, item->member.apex_size, &zone, p->err))
		return -1;
	from = zone.live;
	zone.previous = p->req->kind == SWITCH_ROLLBACK ? (struct set_at){ 0 } : from;
	zone.live = item->member.to;
	zone.spare = item->spare;
	zone.served_serial = item->member.to_serial;
	if (!item->serial_stuck)
		zone.highest_serial = item->member.to_serial;
	zone.flags &= ~(ZONE_HELD | ZONE_SERIAL_FIXED);
	zone.flags |= ZONE_SERIAL_KNOWN | (fixed ? ZONE_SERIAL_FIXED : 0) | (p->req->hold ? ZONE_HELD : 0);
	zone.switch_id = t->history.row.id;
	zone.switched_at_us = p->req->now_us;
	if (history_add(t, &item->member, p->req->hold, p->err) || move_holds(p, &zone, from)
	    || mark_served(t, zone.live.set, p->err) || zone_put(t, &zone, p->err) || zone_touch(t, &zone, p->err))
		return -1;
	return p->req->kind == SWITCH_RELOAD ? sets_thin(t, &zone, p->err) : 0;
}

/* Members that a group's rollback left where they are (no set before) are not
 * held any longer: the switch is over. */
static int release_rest(struct plan *p, uint64_t switch_id)
{
	for (size_t i = 0; i < p->count; i++) {
		struct zone_row zone;

		if (moves(p->items[i].outcome))
			continue;
		if (catalog_zone_by_id(p->t, p->items[i].member.zone, &zone, p->err)) {
			if (!p->err || !err_is(p->err, ERR_NO_SUCH_ZONE))
				return -1;
			err_clear(p->err);
			continue;
		}
		if (!(zone.flags & ZONE_HELD) || zone.switch_id != switch_id)
			continue;
		zone.flags &= ~ZONE_HELD;
		if (zone_put(p->t, &zone, p->err))
			return -1;
	}
	return 0;
}

static int with_last_switch(struct plan *p, int (*act)(struct catalog_txn *, uint64_t, struct err *))
{
	struct history_row last;

	if (!p->group.last_switch)
		return 0;
	if (history_get(p->t, p->group.last_switch, &last, p->err))
		return -1;
	return last.held ? act(p->t, last.id, p->err) : 0;
}

static int end_last_switch(struct plan *p)
{
	return with_last_switch(p, held_end);
}

/* The group's own switch before this one is over: a rollback goes one step. */
static int part_last_switch(struct plan *p)
{
	return with_last_switch(p, held_part);
}

static int apply(struct plan *p, uint64_t *id)
{
	struct catalog_txn *t = p->t;
	const struct switch_request *req = p->req;

	if (history_begin(t, req->kind, &req->who, req->group, req->note, req->now_us,
		req->kind == SWITCH_RELOAD ? req->append_to : 0, p->err))
		return -1;
	*id = t->history.row.id;
	if (req->group && req->kind == SWITCH_ROLLBACK && (end_last_switch(p) || release_rest(p, p->group.last_switch)))
		return -1;
	for (size_t i = 0; i < p->count; i++)
		if (moves(p->items[i].outcome) && move_zone(p, &p->items[i], p->fixed[i]))
			return -1;
	if (req->group) {
		if (req->kind == SWITCH_CUTOVER && part_last_switch(p))
			return -1;
		p->group.last_switch = *id;
		if (group_put(t, req->group, &p->group, p->err))
			return -1;
	}
	return history_end(t, p->err);
}

static int check_request(const struct switch_request *req, struct err *err)
{
	if (req->kind != SWITCH_CUTOVER && req->kind != SWITCH_ROLLBACK && req->kind != SWITCH_RELOAD)
		return err_set(err, ERR_INTERNAL, "a %s is no switch", switch_kind_name[req->kind]);
	if (req->expect && (req->group || req->count != 1))
		return err_set(err, ERR_BAD_REQUEST, "the content hash to expect goes with one zone");
	if (req->group && req->kind == SWITCH_RELOAD)
		return err_set(err, ERR_INTERNAL, "a group has no reload");
	if (req->note && strlen(req->note) > NOTE_MAX)
		return err_set(err, ERR_LIMIT, "the note has %zu octets, at most %d are kept", strlen(req->note), NOTE_MAX);
	if (!req->group && !req->count)
		return err_set(err, ERR_BAD_REQUEST, "no zone is named");
	return 0;
}

static int make_plan(struct plan *p)
{
	const struct switch_request *req = p->req;

	if (req->group)
		return req->kind == SWITCH_ROLLBACK ? plan_group_rollback(p) : plan_group_cutover(p);
	for (size_t i = 0; i < req->count; i++) {
		const struct switch_item *item = &req->items[i];
		struct zone_row zone;

		if (catalog_zone(p->t, item->apex, item->apex_size, &zone, p->err))
			return -1;
		if (req->kind == SWITCH_ROLLBACK ? plan_rollback(p, &zone) : plan_cutover(p, &zone, item->set))
			return -1;
	}
	return refuse_twice(p);
}

/* A rollback that the others have done one by one leaves nothing to move, but
 * ends the group's switch all the same. */
static int end_idle_rollback(struct plan *p)
{
	if (!p->req->group || p->req->kind != SWITCH_ROLLBACK)
		return 0;
	return release_rest(p, p->group.last_switch) || end_last_switch(p) ? -1 : 0;
}

/* What one pass needs of its own error: the caller may give none. */
static int run(struct plan *p, struct switch_result *result, int (*plan)(struct plan *), int (*write)(struct plan *, uint64_t *),
	int (*idle)(struct plan *), struct err *err)
{
	struct err local = ERR_INIT;
	uint64_t id = 0;
	int rc;

	memset(result, 0, sizeof *result);
	p->err = &local;
	rc = check_request(p->req, &local);
	if (!rc)
		rc = plan(p);
	if (!rc)
		rc = refuse_no_go(p);
	if (!rc) {
		rc = p->moves ? write(p, &id) : idle ? idle(p) : 0;
		if (rc)
			p->t->failed = true;
	}
	free(p->fixed);
	if (rc) {
		free(p->items);
		return err_set(err, local.code ? local.code : ERR_INTERNAL, "%s", local.message);
	}
	result->id = id;
	result->count = p->count;
	result->items = p->items;
	return 0;
}

int catalog_switch(struct catalog_txn *t, const struct switch_request *req, struct switch_result *result, struct err *err)
{
	struct plan p = { .t = t, .req = req };

	return run(&p, result, make_plan, apply, end_idle_rollback, err);
}

void switch_result_free(struct switch_result *result)
{
	free(result->items);
	memset(result, 0, sizeof *result);
}

/* ---- confirm --------------------------------------------------------------------------------- */

static int plan_confirm_zone(struct plan *p, const struct zone_row *zone, bool held)
{
	struct switch_result_item *item = zone_item(p, zone);

	if (!item)
		return -1;
	if (!held)
		return is_already(p, zone, item);
	item->outcome = OUTCOME_SWITCHED;
	p->moves++;
	return 0;
}

static int plan_group_confirm(struct plan *p)
{
	struct history_row row;
	struct member_list list;
	int rc = 0;

	if (group_get(p->t, p->req->group, &p->group, p->err))
		return -1;
	if (!p->group.last_switch)
		return err_set(p->err, ERR_NO_PREVIOUS, "the group %s was never switched as a group: nothing to confirm",
			p->req->group);
	if (history_get(p->t, p->group.last_switch, &row, p->err) || gather_members(p->t, &row, &list, p->err))
		return -1;
	for (size_t i = 0; i < list.count && !rc; i++) {
		struct zone_row zone;

		rc = catalog_zone_by_id(p->t, list.member[i].zone, &zone, p->err);
		if (rc && err_is(p->err, ERR_NO_SUCH_ZONE)) {
			err_clear(p->err);
			rc = 0;
			continue;
		}
		/* a member that was switched again since is held by that switch */
		if (!rc)
			rc = plan_confirm_zone(p, &zone, (zone.flags & ZONE_HELD) && zone.switch_id == row.id);
	}
	free(list.member);
	return rc;
}

static int plan_confirm(struct plan *p)
{
	if (p->req->group)
		return plan_group_confirm(p);
	for (size_t i = 0; i < p->req->count; i++) {
		struct zone_row zone;

		if (catalog_zone(p->t, p->req->items[i].apex, p->req->items[i].apex_size, &zone, p->err)
		    || plan_confirm_zone(p, &zone, zone.flags & ZONE_HELD))
			return -1;
	}
	return refuse_twice(p);
}

static int end_idle_confirm(struct plan *p)
{
	return p->req->group ? end_last_switch(p) : 0;
}

static int apply_confirm(struct plan *p, uint64_t *id)
{
	struct catalog_txn *t = p->t;

	if (history_begin(t, SWITCH_CONFIRM, &p->req->who, p->req->group, p->req->note, p->req->now_us, 0, p->err))
		return -1;
	*id = t->history.row.id;
	if (p->req->group && end_last_switch(p))
		return -1;
	for (size_t i = 0; i < p->count; i++) {
		struct zone_row zone;

		if (p->items[i].outcome != OUTCOME_SWITCHED)
			continue;
		if (catalog_zone(t, p->items[i].member.apex, p->items[i].member.apex_size, &zone, p->err))
			return -1;
		zone.flags &= ~ZONE_HELD;
		if (history_add(t, &p->items[i].member, false, p->err) || zone_put(t, &zone, p->err)
		    || (!p->req->group && held_close(t, zone.id, p->err)))
			return -1;
	}
	return history_end(t, p->err);
}

int catalog_confirm(struct catalog_txn *t, const struct switch_request *req, struct switch_result *result, struct err *err)
{
	struct switch_request own = *req;
	struct plan p = { .t = t, .req = &own };

	own.kind = SWITCH_CUTOVER;      /* what check_request knows */
	own.expect = NULL;
	return run(&p, result, plan_confirm, apply_confirm, end_idle_confirm, err);
}
