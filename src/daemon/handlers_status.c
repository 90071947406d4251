/* How the daemon is: status, stats. */
#include <string.h>

#include "base/clock.h"
#include "config.h"
#include "daemon/handlers.h"
#include "daemon/handlers_jobs.h"
#include "daemon/way_back.h"

#define HELD_LISTED    20
#define LAST_LISTED    5
#define MEMBERS_LISTED 10
#define SPACE_MS       1000     /* how long the writer may take to say its space */

/* ---- status ------------------------------------------------------------------------------ */

struct status {
	struct reading reading;
	struct catalog_txn *txn;        /* of this turn */
	json_t *held, *last;
	uint64_t group_switch[HELD_LISTED];     /* of the groups in held */
	size_t groups;
	uint64_t after_id;
	json_int_t held_more;
	bool paused, held_done;
	int64_t deadline_us;            /* for the space */
	struct question *asked;         /* NULL: answered, or not asked */
	json_t *space;
};

static void status_clear(struct reading *g)
{
	struct status *s = (struct status *)g;

	if (s->asked)
		s->asked->arg = NULL;
	json_decref(s->held);
	json_decref(s->last);
	json_decref(s->space);
}

/* Shares, as everybody wants them; octets beside them. */
static json_t *space_json(const json_t *reply)
{
	static const char *const environment[] = { "catalog", "images" };
	json_t *space = json_object();

	for (size_t i = 0; i < 2; i++) {
		const json_t *e = json_object_get(reply, environment[i]);
		json_t *octets = json_pack("{s:O?,s:O?,s:O?}", "used", json_object_get(e, "used"),
			"map", json_object_get(e, "map"), "file", json_object_get(e, "file"));

		json_object_set(space, environment[i], json_object_get(e, "share"));
		json_object_set_new(space, i ? "images_octets" : "catalog_octets", octets);
	}
	return space;
}

/* It may come after the status has gone without it. */
static void space_answered(void *arg, json_t *reply)
{
	struct question *q = arg;
	struct status *s = q->arg;

	question_end(q);
	if (!s)
		return;
	s->asked = NULL;
	if (reply && json_is_true(json_object_get(reply, "ok")))
		s->space = space_json(reply);
	reading_wake(&s->reading);
}

static void ask_space(struct status *s)
{
	struct daemon *d = s->reading.request->daemon;
	struct question *q = d->writer ? question_begin(NULL) : NULL;
	json_t *request;

	if (!q)
		return;
	q->arg = s;
	s->asked = q;
	request = json_pack("{s:s}", "command", "space");
	writer_request(d, request, NULL, 0, NULL, space_answered, q);
	json_decref(request);
}

/* Of a group's switch one zone, which says how many there are. */
static void add_held(struct status *s, const struct zone_row *zone)
{
	json_t *o;

	for (size_t i = 0; i < s->groups; i++)
		if (s->group_switch[i] == zone->switch_id)
			return;
	if (json_array_size(s->held) == HELD_LISTED) {
		s->held_more++;
		return;
	}
	o = zone_json(s->txn, zone);
	if (json_is_string(json_object_get(json_object_get(o, "held"), "group")))
		s->group_switch[s->groups++] = zone->switch_id;
	json_array_append_new(s->held, o);
}

static int held_zone(void *arg, const struct zone_row *zone)
{
	struct status *s = arg;

	s->after_id = zone->id;
	if (zone->flags & ZONE_HELD)
		add_held(s, zone);
	s->paused = reading_is_over(&s->reading);
	return s->paused;
}

static int last_switch(void *arg, const struct history_row *row)
{
	struct status *s = arg;
	json_t *entry = history_json(s->txn, row, MEMBERS_LISTED);

	json_object_set_new(entry, "back", back_of_entry(s->txn, row));
	json_array_append_new(s->last, entry);
	return json_array_size(s->last) == LAST_LISTED;
}

static json_t *process_json(const struct child *c, unsigned restarts)
{
	return json_pack("{s:o,s:I}", "pid", c ? json_integer(child_pid(c)) : json_null(), "restarts", (json_int_t)restarts);
}

static json_t *workers_json(struct daemon *d)
{
	json_t *workers = json_array();

	for (unsigned i = 0; i < d->worker_count; i++) {
		json_t *worker = process_json(d->worker[i], d->worker_restarts[i]);

		json_object_set_new(worker, "number", json_integer((json_int_t)i + 1));
		json_array_append_new(workers, worker);
	}
	return workers;
}

static json_t *status_json(struct status *s)
{
	struct daemon *d = s->reading.request->daemon;

	return json_pack("{s:s,s:I,s:s,s:o?,s:I,s:I,s:O,s:I,s:O,s:o,s:o,s:o,s:o}", "version", PACKAGE_VERSION,
		"uptime", (json_int_t)((clock_boot_us() - d->started_us) / 1000000),
		"database", d->conf->database, "configuration", json_string(d->conf_path),
		"zones", (json_int_t)catalog_zone_count(s->txn), "sets", (json_int_t)catalog_set_count(s->txn),
		"held", s->held, "held_more", s->held_more, "last", s->last,
		"workers", workers_json(d), "writer", process_json(d->writer, d->writer_restarts), "jobs", jobs_json(d),
		"space", s->space ? json_incref(s->space) : json_null());
}

static enum reading_result status_step(struct reading *g, struct catalog_txn *txn, struct err *err)
{
	struct status *s = (struct status *)g;
	int64_t left = s->deadline_us - clock_boot_us();

	s->txn = txn;
	if (!s->held_done) {
		s->paused = false;
		if (catalog_held_zones(txn, s->after_id, held_zone, s, err) < 0)
			return READING_FAILED;
		if (s->paused)
			return READING_MORE;
		s->held_done = true;
	}
	if (s->asked && left > 0) {
		g->wait_ms = (unsigned)(left / 1000 + 1);
		return READING_WAIT;
	}
	if (catalog_history(txn, 0, 0, last_switch, s, err) < 0)
		return READING_FAILED;
	g->reply = status_json(s);
	return READING_DONE;
}

void handle_status(struct request *r)
{
	struct status *s = reading_begin(r, sizeof *s, status_step, status_clear);

	if (!s)
		return;
	s->held = json_array();
	s->last = json_array();
	s->deadline_us = clock_boot_us() + SPACE_MS * INT64_C(1000);
	ask_space(s);
}

/* ---- stats -------------------------------------------------------------------------------- */

/* Adds what is a number, in objects too, to the totals. */
static void add_counters(json_t *total, json_t *counters)
{
	const char *key;
	json_t *value;

	json_object_foreach(counters, key, value) {
		json_t *sum = json_object_get(total, key);

		if (strcmp(key, "number") == 0 || strcmp(key, "pid") == 0)
			continue;
		if (json_is_integer(value)) {
			json_object_set_new(total, key, json_integer(json_integer_value(sum) + json_integer_value(value)));
		} else if (json_is_object(value)) {
			if (!sum)
				json_object_set_new(total, key, sum = json_object());
			add_counters(sum, value);
		}
	}
}

static void stats_collected(void *arg, json_t *workers)
{
	json_t *total = json_object(), *worker;
	struct question *q = arg;
	struct request *r = q->request;
	size_t i;

	question_end(q);
	json_array_foreach(workers, i, worker)
		add_counters(total, worker);
	request_reply(r, json_pack("{s:O,s:o}", "workers", workers, "total", total));
}

void handle_stats(struct request *r)
{
	struct question *q = question_begin(r);

	if (q)
		daemon_collect_stats(r->daemon, stats_collected, q);
}
