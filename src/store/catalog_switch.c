/*
 * The switch, in two passes over its zones: the first decides for each what
 * would happen and whether all may, and writes nothing (catalog_plan.h); the
 * second, here, writes.
 */
#include "store/catalog_plan.h"

#include <stdlib.h>
#include <string.h>

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

static int move_holds(struct switch_plan *p, const struct zone_row *zone, struct set_at from)
{
	struct catalog_txn *t = p->t;

	if (p->req->kind == SWITCH_ROLLBACK)
		return held_close(t, zone->id, p->err);
	if (held_supersede(t, zone->id, p->err))
		return -1;
	return p->req->hold ? held_add(t, zone->id, t->history.row.id, from, p->req->group != NULL, p->err) : 0;
}

static int move_zone(struct switch_plan *p, const struct switch_result_item *item, bool fixed)
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
static int release_rest(struct switch_plan *p, uint64_t switch_id)
{
	for (size_t i = 0; i < p->count; i++) {
		struct zone_row zone;

		if (outcome_moves(p->items[i].outcome))
			continue;
		if (catalog_zone_by_id(p->t, p->items[i].member.zone, &zone, p->err)) {
			if (!err_is(p->err, ERR_NO_SUCH_ZONE))
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

/* ---- the group's switch before this one ---------------------------------- */

static int with_last_switch(struct switch_plan *p, int (*act)(struct catalog_txn *, uint64_t, struct err *))
{
	struct history_row last;

	if (!p->group.last_switch)
		return 0;
	if (history_get(p->t, p->group.last_switch, &last, p->err))
		return -1;
	return last.held ? act(p->t, last.id, p->err) : 0;
}

int switch_end_last(struct switch_plan *p)
{
	return with_last_switch(p, held_end);
}

/* The group's own switch before this one is over: a rollback goes one step. */
static int part_last_switch(struct switch_plan *p)
{
	return with_last_switch(p, held_part);
}

/* ---- both passes --------------------------------------------------------- */

static int apply(struct switch_plan *p, uint64_t *id)
{
	struct catalog_txn *t = p->t;
	const struct switch_request *req = p->req;

	if (history_begin(t, req->kind, &req->who, req->group, req->note, req->now_us,
		req->kind == SWITCH_RELOAD ? req->append_to : 0, p->err))
		return -1;
	*id = t->history.row.id;
	if (req->group && req->kind == SWITCH_ROLLBACK && (switch_end_last(p) || release_rest(p, p->group.last_switch)))
		return -1;
	for (size_t i = 0; i < p->count; i++)
		if (outcome_moves(p->items[i].outcome) && move_zone(p, &p->items[i], p->fixed[i]))
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

static int make_plan(struct switch_plan *p)
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
	return plan_refuse_twice(p);
}

/* A rollback that the others have done one by one leaves nothing to move, but
 * ends the group's switch all the same. */
static int end_idle_rollback(struct switch_plan *p)
{
	if (!p->req->group || p->req->kind != SWITCH_ROLLBACK)
		return 0;
	return release_rest(p, p->group.last_switch) || switch_end_last(p) ? -1 : 0;
}

int switch_run(struct switch_plan *p, struct switch_result *result, int (*plan)(struct switch_plan *),
	int (*write)(struct switch_plan *, uint64_t *), int (*idle)(struct switch_plan *), struct err *err)
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
		rc = plan_refuse_no_go(p);
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
	struct switch_plan p = { .t = t, .req = req };

	return switch_run(&p, result, make_plan, apply, end_idle_rollback, err);
}

void switch_result_free(struct switch_result *result)
{
	free(result->items);
	memset(result, 0, sizeof *result);
}
