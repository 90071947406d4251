/* What a rollback would do to its zones: to the set before, or, of a group's
 * switch, to what each had before that. */
#include "store/catalog_plan.h"

#include <stdlib.h>
#include <string.h>

/* Editions made of the live set since it was switched to. */
static int count_edits(struct switch_plan *p, const struct zone_row *zone, const struct history_member *cutover,
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

int plan_rollback(struct switch_plan *p, const struct zone_row *zone)
{
	struct switch_result_item *item = plan_zone_item(p, zone);
	struct set_row set;
	char text[NAME_TEXT_MAX];

	if (!item)
		return -1;
	if (!zone->previous.set) {
		if (zone->switch_id && plan_already(p, zone, item))
			return -1;
		if (zone->switch_id && p->last.kind == SWITCH_ROLLBACK)
			return 0;
		return err_set(p->err, ERR_NO_PREVIOUS, "%s has no set to go back to: there was none before @%s",
			name_to_text_short(text, zone->apex), item->member.from_name);
	}
	if (catalog_set(p->t, zone->previous.set, &set, p->err) || count_edits(p, zone, NULL, item))
		return -1;
	return plan_move(p, zone, &set, zone->previous, OUTCOME_SWITCHED, item);
}

/* ---- a group ------------------------------------------------------------- */

/* The set that a member had before the switch. Once that is confirmed nothing
 * keeps it but being a zone's previous set. */
static int find_former(struct switch_plan *p, const struct history_member *then, struct set_row *set)
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
static int plan_member_back(struct switch_plan *p, const struct history_member *then)
{
	struct switch_result_item *item;
	struct zone_row zone;
	struct set_row set;
	bool overtook;

	if (catalog_zone_by_id(p->t, then->zone, &zone, p->err)) {
		if (!err_is(p->err, ERR_NO_SUCH_ZONE))
			return -1;
		/* removed since: named, like one that had no set before */
		err_clear(p->err);
		item = plan_new_item(p, then->apex, then->apex_size, then->zone);
		if (item)
			item->outcome = OUTCOME_NO_PREVIOUS;
		return item ? 0 : -1;
	}
	item = plan_zone_item(p, &zone);
	if (!item)
		return -1;
	if (!then->from.set) {
		item->outcome = OUTCOME_NO_PREVIOUS;
		return 0;
	}
	if (set_at_equal(zone.live, then->from))
		return plan_already(p, &zone, item);
	overtook = zone.live.set != then->to.set;
	if (find_former(p, then, &set) || count_edits(p, &zone, then, item))
		return -1;
	return plan_move(p, &zone, &set, then->from, overtook ? OUTCOME_OVERTOOK : OUTCOME_SWITCHED, item);
}

int plan_group_rollback(struct switch_plan *p)
{
	struct history_row row;
	struct member_list list;
	int rc = 0;

	if (plan_last_of_group(p, "go back to", &row, &list))
		return -1;
	for (size_t i = 0; i < list.count && !rc; i++) {
		struct zone_row zone;

		if (row.kind != SWITCH_ROLLBACK) {
			rc = plan_member_back(p, &list.member[i]);
			continue;
		}
		/* taken back already: two people must not undo each other */
		if (!catalog_zone_by_id(p->t, list.member[i].zone, &zone, p->err)) {
			struct switch_result_item *item = plan_zone_item(p, &zone);

			rc = item ? plan_already(p, &zone, item) : -1;
			if (!rc) {
				item->since_us = row.at_us;
				memcpy(item->by, row.who.name, sizeof item->by);
			}
		} else if (err_is(p->err, ERR_NO_SUCH_ZONE)) {
			err_clear(p->err);
		} else {
			rc = -1;
		}
	}
	free(list.member);
	return rc;
}
