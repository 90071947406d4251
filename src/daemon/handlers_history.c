/* What was switched, and what can be taken back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/handlers.h"
#include "daemon/way_back.h"

#define ENTRIES_USUAL   20
#define ENTRIES_MOST    500    /* of one reply, … */
#define MEMBERS_IN_ALL  4000   /* … and zones in all of them; a client asks again */
#define MEMBERS_LISTED  100     /* of one entry */
#define FOLLOW_MS       200
#define CANDIDATES_MOST 100

/* ---- history ------------------------------------------------------------------------------ */

struct history {
	struct reading reading;
	struct catalog_txn *txn;        /* of this turn */
	const char *zone_text;          /* of the request's JSON; NULL: all zones */
	uint64_t zone;                  /* that has the name in this turn, or had it last; 0: all */
	uint64_t before;                /* the next entry is older than this; 0: the newest */
	size_t limit;
	json_t *list;
	size_t members;
	bool paused, more;
	/* --follow */
	uint64_t seen;                  /* the newest entry that was sent, or passed over */
	bool started;
};

static void history_clear(struct reading *g)
{
	json_decref(((struct history *)g)->list);
}

static int look_up_zone(struct history *h, struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	size_t size;

	if (!h->zone_text)
		return 0;
	return control_parse_zone(h->zone_text, apex, &size, err) < 0 ? -1 : catalog_history_zone(h->txn, apex, size, &h->zone, err);
}

static int list_entry(void *arg, const struct history_row *row)
{
	struct history *h = arg;
	json_t *entry;

	if (json_array_size(h->list) == h->limit || h->members >= MEMBERS_IN_ALL) {
		h->more = true;
		return 1;
	}
	entry = history_json(h->txn, row, MEMBERS_LISTED);
	json_object_set_new(entry, "back", back_of_entry(h->txn, row));
	h->members += json_array_size(json_object_get(entry, "zones"));
	json_array_append_new(h->list, entry);
	h->before = row->id;
	h->paused = reading_is_over(&h->reading);
	return h->paused;
}

static enum reading_result history_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct history *h = (struct history *)g;

	h->txn = txn;
	h->paused = false;
	if (look_up_zone(h, err) < 0 || catalog_history(txn, h->zone, h->before, list_entry, h, err) < 0)
		return READING_FAILED;
	if (h->paused)
		return READING_MORE;
	g->reply = json_pack("{s:O,s:b}", "entries", h->list, "more", h->more);
	return READING_DONE;
}

/* ---- history --follow ----------------------------------------------------------------------- */

static int take_id(void *arg, const struct history_row *row)
{
	*(uint64_t *)arg = row->id;
	return 1;
}

static int newest_entry(struct catalog_txn *txn, uint64_t *id, struct err *err)
{
	*id = 0;
	return catalog_history(txn, 0, 0, take_id, id, err);
}

static int count_back(void *arg, const struct history_row *row)
{
	struct history *h = arg;

	h->seen = row->id - 1;
	return --h->limit == 0;
}

/* The last few first: from where on? */
static int follow_start(struct history *h, struct err *err)
{
	h->started = true;
	if (newest_entry(h->txn, &h->seen, err) < 0)
		return -1;
	return catalog_history(h->txn, h->zone, 0, count_back, h, err);
}

static int take_row(void *arg, const struct history_row *row)
{
	*(struct history_row *)arg = *row;
	return 1;
}

/* Sends the entry of this id, if there is one and it is wanted. */
static int follow_entry(struct history *h, uint64_t id, struct err *err)
{
	struct history_row row = { .id = 0 };

	if (catalog_history(h->txn, h->zone, id + 1, take_row, &row, err) < 0)
		return -1;
	if (row.id == id)
		request_progress(h->reading.request, json_pack("{s:o}", "entry", history_json(h->txn, &row, MEMBERS_LISTED)));
	return 0;
}

static enum reading_result follow_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct history *h = (struct history *)g;
	uint64_t newest;

	h->txn = txn;
	g->wait_ms = FOLLOW_MS;
	/* each time: the zone may go, and come back as another one */
	if (look_up_zone(h, err) < 0 || (!h->started && follow_start(h, err) < 0) || newest_entry(txn, &newest, err) < 0)
		return READING_FAILED;
	while (h->seen < newest && !g->gone) {
		if (request_queued(g->request) > REQUEST_QUEUE_HIGH)
			return READING_WAIT;
		if (follow_entry(h, ++h->seen, err) < 0)
			return READING_FAILED;
		if (reading_is_over(g))
			return READING_MORE;
	}
	return READING_WAIT;
}

void handle_history(struct request *r)
{
	bool follow = json_is_true(json_object_get(r->json, "follow"));
	const json_t *before = json_object_get(r->json, "before");
	struct history *h = reading_begin(r, sizeof *h, follow ? follow_step : history_step, history_clear);
	struct err err = ERR_INIT;

	if (!h)
		return;
	h->list = json_array();
	h->zone_text = json_string_value(json_object_get(r->json, "zone"));
	h->before = (uint64_t)json_integer_value(before);
	if (before && json_integer_value(before) < 1)
		err_set(&err, ERR_BAD_REQUEST, "history: \"before\" is the id of an entry, 1 or more");
	else if (before && follow)
		err_set(&err, ERR_BAD_REQUEST, "history: \"before\" and \"follow\" do not go together");
	else
		handler_limit(r, ENTRIES_USUAL, ENTRIES_MOST, &h->limit, &err);
	if (err.code)
		reading_fail(&h->reading, &err);
}

/* ---- what could be rolled back --------------------------------------------------------------- */

struct candidates {
	struct reading reading;
	struct catalog_txn *txn;        /* of this turn */
	json_t *list;
	uint64_t group_switch[CANDIDATES_MOST];         /* those listed, each once */
	size_t groups;
	bool held_done;                 /* held zones first, then the others */
	uint64_t after_id;
	uint8_t after[NAME_MAX_SIZE];
	size_t after_size;
	bool paused, more;
};

static void candidates_clear(struct reading *g)
{
	json_decref(((struct candidates *)g)->list);
}

static bool group_is_listed(struct candidates *c, uint64_t switch_id)
{
	for (size_t i = 0; i < c->groups; i++)
		if (c->group_switch[i] == switch_id)
			return true;
	return false;
}

static json_t *candidate_json(struct candidates *c, const struct zone_row *zone, const struct history_row *row)
{
	char name[NAME_TEXT_MAX], back[SET_TEXT_MAX + 32];
	struct err err = ERR_INIT;
	struct set_row set;
	json_t *o;

	if (catalog_set(c->txn, zone->previous.set, &set, &err) < 0)
		return NULL;
	o = json_pack("{s:s,s:s,s:b,s:s}", "zone", name_to_text_short(name, zone->apex), "to", set.name,
		"held", zone->flags & ZONE_HELD, "command", back_command(back, sizeof back, row ? row->group : NULL, zone->apex));
	if (row) {
		json_object_set_new(o, "group", json_string(row->group));
		json_object_set_new(o, "members", json_integer((json_int_t)row->members));
	}
	return o;
}

/* 1: the list is full. A group's held switch stands there once. */
static int add_candidate(struct candidates *c, const struct zone_row *zone)
{
	struct history_row row;
	bool group = (zone->flags & ZONE_HELD) && history_find(c->txn, zone->switch_id, &row) == 0 && row.held &&
		catalog_is_groups_last(c->txn, &row);
	json_t *o;

	if (!zone->previous.set || (group && group_is_listed(c, row.id)))
		return 0;
	if (json_array_size(c->list) == CANDIDATES_MOST) {
		c->more = true;
		return 1;
	}
	o = candidate_json(c, zone, group ? &row : NULL);
	if (o)
		json_array_append_new(c->list, o);
	if (group)
		c->group_switch[c->groups++] = row.id;
	return 0;
}

static int held_candidate(void *arg, const struct zone_row *zone)
{
	struct candidates *c = arg;

	c->after_id = zone->id;
	if ((zone->flags & ZONE_HELD) && add_candidate(c, zone))
		return 1;
	c->paused = reading_is_over(&c->reading);
	return c->paused;
}

static int other_candidate(void *arg, const struct zone_row *zone)
{
	struct candidates *c = arg;

	memcpy(c->after, zone->apex, zone->apex_size);
	c->after_size = zone->apex_size;
	if (!(zone->flags & ZONE_HELD) && add_candidate(c, zone))
		return 1;
	c->paused = reading_is_over(&c->reading);
	return c->paused;
}

static enum reading_result candidates_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct candidates *c = (struct candidates *)g;
	struct err refusal = ERR_INIT;
	json_t *error;

	c->txn = txn;
	c->paused = false;
	if (!c->held_done) {
		if (catalog_held_zones(txn, c->after_id, held_candidate, c, err) < 0)
			return READING_FAILED;
		c->held_done = !c->paused;
	}
	if (!c->paused && !c->more &&
	    catalog_zones(txn, c->after_size ? c->after : NULL, c->after_size, other_candidate, c, err) < 0)
		return READING_FAILED;
	if (c->paused)
		return READING_MORE;
	err_set(&refusal, ERR_BAD_REQUEST, "rollback what? %s", json_array_size(c->list) ?
		"Name zones, or a group; \"candidates\" has what could be rolled back" :
		"Nothing could be: no zone has a previous set");
	g->reply = control_error(&refusal);
	error = json_object_get(g->reply, "error");
	json_object_set(error, "candidates", c->list);
	json_object_set_new(error, "more", json_boolean(c->more));
	return READING_DONE;
}

void handle_candidates(struct request *r)
{
	struct candidates *c = reading_begin(r, sizeof *c, candidates_step, candidates_clear);

	if (c)
		c->list = json_array();
}
