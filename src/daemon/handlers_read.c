/* Lists out of main's own snapshot: zones, sets, groups, names to complete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/glob.h"
#include "daemon/handlers.h"
#include "daemon/rows_json.h"

#define ZONES_MOST    500       /* in one reply, whose text is made at once; a client asks again */
#define MEMBERS_MOST  5000      /* names only */
#define GROUPS_MOST   2000
#define SETS_MOST     500
#define NAMES_MOST    200       /* to complete: more are no help */

static const char *text_of(const struct request *r, const char *key)
{
	return json_string_value(json_object_get(r->json, key));
}

int handler_limit(const struct request *r, size_t usual, size_t most, size_t *limit, struct err *err)
{
	const json_t *number = json_object_get(r->json, "limit");
	json_int_t n = json_integer_value(number);

	if (number && n < 1)
		return err_set(err, ERR_BAD_REQUEST, "%s: \"limit\" must be at least 1", r->command->name);
	*limit = !number ? usual : (uint64_t)n > most ? most : (size_t)n;
	return 0;
}

/* ---- walking over zones in slices ------------------------------------------------- */

enum walk_kind { WALK_ALL, WALK_GROUP, WALK_HELD };

/* A list of zones that is made over several turns: where it is, what it takes. */
struct walk {
	struct reading reading;
	enum walk_kind kind;
	const char *group;              /* of the request's JSON, as are the others */
	const char *pattern, *prefix;
	bool held;
	size_t limit;
	json_t *list;
	json_t *(*row)(struct walk *, const struct zone_row *);
	struct catalog_txn *txn;        /* of this turn */
	bool resumed;                   /* "after" is to be looked up */
	uint8_t after[NAME_MAX_SIZE];
	size_t after_size;              /* 0: from the first */
	uint64_t after_id;
	bool paused, more;
	char last[NAME_TEXT_MAX];       /* listed last */
};

static json_t *whole_zone(struct walk *w, const struct zone_row *zone)
{
	return zone_json(w->txn, zone);
}

static json_t *zone_name(struct walk *w, const struct zone_row *zone)
{
	char name[NAME_TEXT_MAX];

	return json_string(name_to_text_short(name, zone->apex));
}

static bool walk_takes(const struct walk *w, const struct zone_row *zone, const char *name)
{
	if (w->held && !(zone->flags & ZONE_HELD))
		return false;
	if (w->prefix && strncasecmp(name, w->prefix, strlen(w->prefix)) != 0)
		return false;
	return !w->pattern || glob_match(w->pattern, name);
}

static int walk_zone(void *arg, const struct zone_row *zone)
{
	struct walk *w = arg;
	char name[NAME_TEXT_MAX];

	memcpy(w->after, zone->apex, zone->apex_size);
	w->after_size = zone->apex_size;
	w->after_id = zone->id;
	if (walk_takes(w, zone, name_to_text_short(name, zone->apex))) {
		if (json_array_size(w->list) == w->limit) {
			w->more = true;
			return 1;
		}
		json_array_append_new(w->list, w->row(w, zone));
		memcpy(w->last, name, sizeof w->last);
	}
	w->paused = reading_is_over(&w->reading);
	return w->paused;
}

/* Lists in the order of ids go on behind the id of "after". */
static int walk_resume(struct walk *w, struct err *err)
{
	char name[NAME_TEXT_MAX];
	struct zone_row zone;

	w->resumed = false;
	if (w->kind == WALK_ALL)
		return 0;
	if (catalog_zone(w->txn, w->after, w->after_size, &zone, err) < 0)
		return err_context(err, "\"after\": %s was removed meanwhile: ask from the beginning",
			name_to_text_short(name, w->after));
	w->after_id = zone.id;
	return 0;
}

/* A slice: READING_DONE when the list is complete. */
static enum reading_result walk_step(struct walk *w, struct catalog_txn *txn, struct err *err)
{
	int rc = -1;

	w->txn = txn;
	w->paused = false;
	if (w->resumed && walk_resume(w, err) < 0)
		return READING_FAILED;
	switch (w->kind) {
	case WALK_ALL:
		rc = catalog_zones(txn, w->after_size ? w->after : NULL, w->after_size, walk_zone, w, err);
		break;
	case WALK_GROUP:
		rc = catalog_group_zones(txn, w->group, w->after_id, walk_zone, w, err);
		break;
	case WALK_HELD:
		rc = catalog_held_zones(txn, w->after_id, walk_zone, w, err);
		break;
	}
	return rc < 0 ? READING_FAILED : w->paused ? READING_MORE : READING_DONE;
}

static void walk_clear(struct reading *g)
{
	json_decref(((struct walk *)g)->list);
}

/* Common to the lists: "group", "after", "limit". NULL: replied. */
static struct walk *walk_begin(struct request *r, size_t most, json_t *(*row)(struct walk *, const struct zone_row *),
	enum reading_result (*step)(struct reading *, struct catalog_txn *, struct err *))
{
	struct walk *w = reading_begin(r, sizeof *w, step, walk_clear);
	const char *after = text_of(r, "after");
	struct err err = ERR_INIT;

	if (!w)
		return NULL;
	w->list = json_array();
	w->row = row;
	w->group = text_of(r, "group");
	w->kind = w->group ? WALK_GROUP : WALK_ALL;
	if (handler_limit(r, most, most, &w->limit, &err) < 0 ||
	    (after && control_parse_zone(after, w->after, &w->after_size, &err) < 0)) {
		reading_fail(&w->reading, &err);
		return NULL;
	}
	w->resumed = after != NULL;
	return w;
}

/* The reply of a list: under key, with "more" and where to go on. */
static json_t *walk_reply(struct walk *w, const char *key)
{
	json_t *reply = json_pack("{s:O,s:b}", key, w->list, "more", w->more);

	if (w->more)
		json_object_set_new(reply, "after", json_string(w->last));
	return reply;
}

/* ---- zones ------------------------------------------------------------------------- */

static enum reading_result zones_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct walk *w = (struct walk *)g;
	enum reading_result result = walk_step(w, txn, err);

	if (result == READING_DONE)
		g->reply = walk_reply(w, "zones");
	return result;
}

void handle_zones(struct request *r)
{
	struct walk *w = walk_begin(r, ZONES_MOST, whole_zone, zones_step);
	struct err err = ERR_INIT;

	if (!w)
		return;
	w->pattern = text_of(r, "pattern");
	w->held = json_is_true(json_object_get(r->json, "held"));
	if (w->held && !w->group)
		w->kind = WALK_HELD;
	if (w->pattern && strlen(w->pattern) >= NAME_TEXT_MAX) {
		err_set(&err, ERR_LIMIT, "a pattern may have %d octets", NAME_TEXT_MAX - 1);
		reading_fail(&w->reading, &err);
	}
}

/* ---- one zone ----------------------------------------------------------------------- */

static int find_zone(const struct request *r, struct catalog_txn *txn, struct zone_row *zone, struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	size_t size;

	if (control_parse_zone(text_of(r, "zone"), apex, &size, err) < 0)
		return -1;
	return catalog_zone(txn, apex, size, zone, err);
}

static enum reading_result zone_show_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct zone_row zone;

	if (find_zone(g->request, txn, &zone, err) < 0)
		return READING_FAILED;
	g->reply = json_pack("{s:o}", "zone", zone_json(txn, &zone));
	return READING_DONE;
}

void handle_zone_show(struct request *r)
{
	reading_begin(r, sizeof(struct reading), zone_show_step, NULL);
}

struct set_list { struct catalog_txn *txn; json_t *array; const struct zone_row *zone; bool more; };

static int add_set(void *arg, const struct set_row *set)
{
	struct set_list *list = arg;

	list->more = json_array_size(list->array) == SETS_MOST;
	if (!list->more)
		json_array_append_new(list->array, set_json(list->txn, list->zone, set));
	return list->more;
}

static enum reading_result sets_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct zone_row zone;
	struct set_list list = { .txn = txn, .zone = &zone };
	char name[NAME_TEXT_MAX];

	if (find_zone(g->request, txn, &zone, err) < 0)
		return READING_FAILED;
	list.array = json_array();
	if (catalog_sets(txn, zone.id, add_set, &list, err) < 0) {
		json_decref(list.array);
		return READING_FAILED;
	}
	g->reply = json_pack("{s:s,s:o,s:b}", "zone", name_to_text_short(name, zone.apex), "sets", list.array, "more", list.more);
	return READING_DONE;
}

void handle_sets(struct request *r)
{
	reading_begin(r, sizeof(struct reading), sets_step, NULL);
}

/* ---- groups -------------------------------------------------------------------------- */

struct group_search { const char *name; uint64_t members; json_t *list; bool more; };

static int find_group(void *arg, const char *group, uint64_t members)
{
	struct group_search *s = arg;

	if (strcmp(group, s->name) != 0)
		return 0;
	s->members = members;
	return 1;
}

static int add_group(void *arg, const char *group, uint64_t members)
{
	struct group_search *s = arg;

	s->more = json_array_size(s->list) == GROUPS_MOST;
	if (!s->more)
		json_array_append_new(s->list, json_pack("{s:s,s:I}", "group", group, "members", (json_int_t)members));
	return s->more;
}

/* One group, with its members. */
static enum reading_result members_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct walk *w = (struct walk *)g;
	struct group_search s = { .name = w->group };
	enum reading_result result = walk_step(w, txn, err);

	if (result != READING_DONE)
		return result;
	if (catalog_groups(txn, find_group, &s, err) < 0)
		return READING_FAILED;
	g->reply = json_pack("{s:[{s:s,s:I,s:O}],s:b}", "groups", "group", w->group, "members", (json_int_t)s.members,
		"zones", w->list, "more", w->more);
	if (w->more)
		json_object_set_new(g->reply, "after", json_string(w->last));
	return READING_DONE;
}

static enum reading_result groups_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct group_search s = { .list = json_array() };

	if (catalog_groups(txn, add_group, &s, err) < 0) {
		json_decref(s.list);
		return READING_FAILED;
	}
	g->reply = json_pack("{s:o,s:b}", "groups", s.list, "more", s.more);
	return READING_DONE;
}

void handle_group_list(struct request *r)
{
	if (text_of(r, "group"))
		walk_begin(r, MEMBERS_MOST, zone_name, members_step);
	else
		reading_begin(r, sizeof(struct reading), groups_step, NULL);
}

/* ---- completion ----------------------------------------------------------------------- */

struct completion {
	struct walk walk;
	char zone[NAME_TEXT_MAX];       /* "ZONE@…": before the "@" */
	const char *set;                /* behind it */
	const char *set_zone;           /* to put before the sets' names */
};

static int complete_set(void *arg, const struct set_row *set)
{
	struct completion *c = arg;
	json_t *list = c->walk.list;

	if (set->state != SET_DROPPING && strncmp(set->name, c->set, strlen(c->set)) == 0)
		json_array_append_new(list, json_sprintf("%s@%s", c->set_zone, set->name));
	return json_array_size(list) >= NAMES_MOST;
}

static enum reading_result complete_sets(struct completion *c, struct catalog_txn *txn, const char *zone_text, struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	struct zone_row zone;
	size_t size;

	c->set_zone = zone_text;
	/* somebody is typing: what does not exist (yet) completes to nothing */
	if (control_parse_zone(zone_text, apex, &size, err) < 0 || catalog_zone(txn, apex, size, &zone, err) < 0) {
		err_clear(err);
		return READING_DONE;
	}
	return catalog_sets(txn, zone.id, complete_set, c, err) < 0 ? READING_FAILED : READING_DONE;
}

static int complete_group(void *arg, const char *group, uint64_t members)
{
	struct walk *w = arg;

	if (strncmp(group, w->prefix, strlen(w->prefix)) == 0)
		json_array_append_new(w->list, json_string(group));
	return json_array_size(w->list) >= w->limit;
}

static enum reading_result complete_groups(struct walk *w, struct catalog_txn *txn, struct err *err)
{
	return catalog_groups(txn, complete_group, w, err) < 0 ? READING_FAILED : READING_DONE;
}

/* Sets of a zone that is not typed out yet: the zones; of a single one its sets, too. */
static enum reading_result complete_zones_and_sets(struct completion *c, struct catalog_txn *txn, struct err *err)
{
	enum reading_result result;

	if (c->set)
		return complete_sets(c, txn, c->zone, err);
	result = walk_step(&c->walk, txn, err);
	if (result != READING_DONE || json_array_size(c->walk.list) != 1)
		return result;
	c->set = "";
	return complete_sets(c, txn, c->walk.last, err);
}

static enum reading_result complete_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct completion *c = (struct completion *)g;
	const char *what = text_of(g->request, "what");
	enum reading_result result;

	if (strcmp(what, "groups") == 0)
		result = complete_groups(&c->walk, txn, err);
	else if (strcmp(what, "sets") == 0)
		result = complete_zones_and_sets(c, txn, err);
	else
		result = walk_step(&c->walk, txn, err);
	if (result == READING_DONE)
		g->reply = json_pack("{s:O}", "names", c->walk.list);
	return result;
}

void handle_complete(struct request *r)
{
	const char *what = text_of(r, "what"), *prefix = text_of(r, "prefix"), *at;
	struct completion *c;
	struct err err = ERR_INIT;

	if (strcmp(what, "zones") != 0 && strcmp(what, "sets") != 0 && strcmp(what, "groups") != 0) {
		err_set(&err, ERR_BAD_REQUEST, "complete: \"what\" is \"zones\", \"sets\" or \"groups\"");
		request_fail(r, &err);
		return;
	}
	c = reading_begin(r, sizeof *c, complete_step, walk_clear);
	if (!c)
		return;
	c->walk.list = json_array();
	c->walk.row = zone_name;
	c->walk.limit = NAMES_MOST;
	c->walk.prefix = prefix ? prefix : "";
	at = strchr(c->walk.prefix, '@');
	if (at && at - c->walk.prefix < (ptrdiff_t)sizeof c->zone) {
		memcpy(c->zone, c->walk.prefix, (size_t)(at - c->walk.prefix));
		c->set = at + 1;
	}
}
