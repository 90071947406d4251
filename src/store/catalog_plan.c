/* The plan of a switch: its list of zones, and for each whether it may go to a set. */
#include "store/catalog_plan.h"

#include <stdlib.h>
#include <string.h>

bool set_at_equal(struct set_at a, struct set_at b)
{
	return a.set == b.set && a.edition == b.edition;
}

bool outcome_moves(enum switch_outcome outcome)
{
	return outcome == OUTCOME_SWITCHED || outcome == OUTCOME_OVERTOOK;
}

/* ---- the list of items --------------------------------------------------- */

struct switch_result_item *plan_new_item(struct switch_plan *p, const uint8_t *apex, size_t size, uint64_t zone)
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

struct switch_result_item *plan_zone_item(struct switch_plan *p, const struct zone_row *zone)
{
	struct switch_result_item *item = plan_new_item(p, zone->apex, zone->apex_size, zone->id);
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

int plan_already(struct switch_plan *p, const struct zone_row *zone, struct switch_result_item *item)
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

int plan_refuse_twice(struct switch_plan *p)
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

/* ---- may it? ------------------------------------------------------------- */

/* All are counted, the first is told. */
static void note_no_go(struct switch_plan *p, const struct zone_row *zone, const struct switch_result_item *item)
{
	if (keys_forbid(p->req, item) && !p->no_go++)
		keys_no_go_text(zone, item, p->no_go_text, sizeof p->no_go_text);
}

int plan_refuse_no_go(struct switch_plan *p)
{
	if (!p->no_go)
		return 0;
	if (p->no_go == 1)
		return err_set(p->err, ERR_NO_GO, "%s", p->no_go_text);
	return err_set(p->err, ERR_NO_GO, "%s (and %u more zones alike)", p->no_go_text, p->no_go - 1);
}

int plan_move(struct switch_plan *p, const struct zone_row *zone, const struct set_row *set, struct set_at to,
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

/* ---- members of a switch that was ---------------------------------------- */

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
	list->member = malloc(((size_t)row->members + 1) * sizeof *list->member);
	if (!list->member)
		return err_set(err, ERR_NOMEM, "no memory for the %u members of a switch", row->members);
	if (catalog_history_members(t, row->id, gather_member, list, err)) {
		free(list->member);
		list->member = NULL;
		return -1;
	}
	return 0;
}

int plan_last_of_group(struct switch_plan *p, const char *what, struct history_row *row, struct member_list *list)
{
	if (group_get(p->t, p->req->group, &p->group, p->err))
		return -1;
	if (!p->group.last_switch)
		return err_set(p->err, ERR_NO_PREVIOUS, "the group %s was never switched as a group: nothing to %s", p->req->group, what);
	return history_get(p->t, p->group.last_switch, row, p->err) || gather_members(p->t, row, list, p->err) ? -1 : 0;
}
