/* The confirmation of switches: the end of their holds. */
#include "store/catalog_plan.h"

#include <stdlib.h>

static int plan_confirm_zone(struct switch_plan *p, const struct zone_row *zone, bool held)
{
	struct switch_result_item *item = plan_zone_item(p, zone);

	if (!item)
		return -1;
	if (!held)
		return plan_already(p, zone, item);
	item->outcome = OUTCOME_SWITCHED;
	p->moves++;
	return 0;
}

static int plan_group_confirm(struct switch_plan *p)
{
	struct history_row row;
	struct member_list list;
	int rc = 0;

	if (plan_last_of_group(p, "confirm", &row, &list))
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

static int plan_confirm(struct switch_plan *p)
{
	if (p->req->group)
		return plan_group_confirm(p);
	for (size_t i = 0; i < p->req->count; i++) {
		struct zone_row zone;

		if (catalog_zone(p->t, p->req->items[i].apex, p->req->items[i].apex_size, &zone, p->err)
		    || plan_confirm_zone(p, &zone, zone.flags & ZONE_HELD))
			return -1;
	}
	return plan_refuse_twice(p);
}

static int end_idle_confirm(struct switch_plan *p)
{
	return p->req->group ? switch_end_last(p) : 0;
}

static int apply_confirm(struct switch_plan *p, uint64_t *id)
{
	struct catalog_txn *t = p->t;

	if (history_begin(t, SWITCH_CONFIRM, &p->req->who, p->req->group, p->req->note, p->req->now_us, 0, p->err))
		return -1;
	*id = t->history.row.id;
	if (p->req->group && switch_end_last(p))
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
	struct switch_plan p = { .t = t, .req = &own };

	own.kind = SWITCH_CUTOVER;      /* what check_request knows */
	own.expect = NULL;
	return switch_run(&p, result, plan_confirm, apply_confirm, end_idle_confirm, err);
}
