/*
 * The first pass of a switch: what it would do to each zone, and whether all
 * may. It writes nothing, so that a refusal leaves the transaction as it was.
 * Inside src/store only.
 */
#ifndef STORE_CATALOG_PLAN_H
#define STORE_CATALOG_PLAN_H

#include "store/catalog_internal.h"

#define MISSING_NAMED 5     /* members that an error names; more are counted */

struct switch_plan {
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

/* The members of an entry of the history. */
struct member_list { struct history_member *member; size_t count, capacity; };

/* ---- catalog_switch.c ------------------------------------------------ */

/* The group's last switch, if there was one, is over for all its members. */
int switch_end_last(struct switch_plan *p);
/* Both passes. write: the second; idle: where nothing moves (NULL: nothing to do);
 * the caller may give no err. */
int switch_run(struct switch_plan *p, struct switch_result *result, int (*plan)(struct switch_plan *),
	int (*write)(struct switch_plan *, uint64_t *), int (*idle)(struct switch_plan *), struct err *err);

/* ---- catalog_plan.c -------------------------------------------------- */

bool set_at_equal(struct set_at a, struct set_at b);
/* Is a zone with this outcome switched? */
bool outcome_moves(enum switch_outcome outcome);
/* One more zone; NULL: no memory, err is set. */
struct switch_result_item *plan_new_item(struct switch_plan *p, const uint8_t *apex, size_t size, uint64_t zone);
/* The same with what is live: nothing that would change yet. */
struct switch_result_item *plan_zone_item(struct switch_plan *p, const struct zone_row *zone);
/* Nothing to do: since when, and by whom. */
int plan_already(struct switch_plan *p, const struct zone_row *zone, struct switch_result_item *item);
/* One command cannot switch a zone twice. */
int plan_refuse_twice(struct switch_plan *p);
/* -1 with ERR_NO_GO where a rule forbids it for a zone. */
int plan_refuse_no_go(struct switch_plan *p);
/* The item goes to a set at an edition: may it? */
int plan_move(struct switch_plan *p, const struct zone_row *zone, const struct set_row *set, struct set_at to,
	enum switch_outcome outcome, struct switch_result_item *item);
/* The group's last switch and its members, a malloc'd list. what: there is nothing
 * to … where it was never switched. */
int plan_last_of_group(struct switch_plan *p, const char *what, struct history_row *row, struct member_list *list);

/* ---- catalog_cutover.c ----------------------------------------------- */

/* One zone, and a whole group: to a set by its name. */
int plan_cutover(struct switch_plan *p, const struct zone_row *zone, const char *set_name);
int plan_group_cutover(struct switch_plan *p);

/* ---- catalog_rollback.c ---------------------------------------------- */

/* One zone, and what the last switch of a group has moved: back. */
int plan_rollback(struct switch_plan *p, const struct zone_row *zone);
int plan_group_rollback(struct switch_plan *p);

#endif
