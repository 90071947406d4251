/*
 * Requests that are one transaction of the writer: passed on with who asks and
 * what they may, answered when the barrier has passed (writer_link.c), and told
 * to the log in one line. And the two that change the daemon itself.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/handlers.h"
#include "daemon/way_back.h"

#define LOG_LISTED    5         /* zones in one line of the log */
#define GROUPS_LISTED 10
#define LOOKED_AT     100       /* zones of a rollback, for their groups */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_text(object, key);

	return text ? text : "";
}

/* ---- the line of the log ----------------------------------------------------------------- */

struct line { char text[1600]; size_t used; };

__attribute__((format(printf, 2, 3)))
static void line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->used, sizeof l->text - l->used, fmt, ap);
	va_end(ap);
	l->used += n < 0 ? 0 : (size_t)n;
	if (l->used >= sizeof l->text)
		l->used = sizeof l->text - 1;
}

/* "a.example, b.example and 7 more" */
static void line_add_names(struct line *l, const json_t *names)
{
	size_t i, n = json_array_size(names);
	json_t *name;

	json_array_foreach(names, i, name) {
		if (i == LOG_LISTED && n > LOG_LISTED + 1) {
			line_add(l, " and %zu more", n - i);
			break;
		}
		line_add(l, "%s%s", i ? ", " : "", json_string_value(name) ? json_string_value(name) : "?");
	}
}

static bool has_moved(const json_t *zone)
{
	const char *outcome = text_of(zone, "outcome");

	return strcmp(outcome, "switched") == 0 || strcmp(outcome, "overtook") == 0;
}

static void line_add_move(struct line *l, const json_t *zone, bool confirm)
{
	const char *from = text_of(zone, "from");

	line_add(l, "%s", text_of(zone, "zone"));
	if (confirm) {
		line_add(l, " keeps @%s", text_of(zone, "to"));
		return;
	}
	if (*from)
		line_add(l, " from @%s", from);
	line_add(l, " to @%s, serial ", text_of(zone, "to"));
	if (*from)
		line_add(l, "%" PRIu64 " to ", json_number(zone, "from_serial"));
	line_add(l, "%" PRIu64, json_number(zone, "to_serial"));
	if (json_is_true(json_object_get(zone, "serial_stuck")))
		line_add(l, " (not raised: signed elsewhere, no spare SOA left)");
	if (*text_of(zone, "keys"))
		line_add(l, " (%s)", text_of(zone, "keys"));
	if (json_number(zone, "left_behind"))
		line_add(l, " (%" PRIu64 " changes left behind)", json_number(zone, "left_behind"));
}

static void line_add_switch(struct line *l, const json_t *request, const json_t *reply)
{
	const json_t *zones = json_object_get(reply, "zones"), *zone;
	bool confirm = strcmp(text_of(request, "command"), "confirm") == 0;
	size_t i, listed = 0;

	if (*text_of(request, "group"))
		line_add(l, "group %s, %" PRIu64 " zones: ", text_of(request, "group"), json_number(reply, "members"));
	json_array_foreach(zones, i, zone) {
		if (!has_moved(zone))
			continue;
		if (listed == LOG_LISTED) {
			line_add(l, "; and more");
			break;
		}
		line_add(l, listed++ ? "; " : "");
		line_add_move(l, zone, confirm);
	}
	line_add(l, "; switch %" PRIu64, json_number(reply, "switch"));
}

static void line_add_what(struct line *l, const json_t *request, const json_t *reply)
{
	const char *group = text_of(request, "group"), *zone = text_of(request, "zone");
	const json_t *zones = json_object_get(reply, "zones"), *dropped = json_object_get(reply, "dropped");

	if (json_is_integer(json_object_get(reply, "serial"))) {
		line_add(l, "%s from %" PRIu64 " to %" PRIu64, zone, json_number(reply, "from_serial"),
			json_number(reply, "serial"));
		return;
	}
	if (*group)
		line_add(l, "group %s%s", group, json_array_size(zones) ? ": " : "");
	if (*zone)
		line_add(l, "%s", zone);
	line_add_names(l, dropped ? dropped : zones);
}

/* One event, one line: what happened to what, by whom, why. */
static void log_done(const struct request *r, const json_t *reply)
{
	bool is_switch = json_object_get(reply, "switch") != NULL;
	struct line l = { .used = 0 };
	char by[128];

	if (json_is_true(json_object_get(reply, "dry_run")))
		return;
	line_add(&l, "%s by %s: ", r->command->name, request_by(r, by));
	if (is_switch && json_is_null(json_object_get(reply, "switch"))) {
		log_info("%snothing to do, it was so already", l.text);
		return;
	}
	if (is_switch)
		line_add_switch(&l, r->json, reply);
	else
		line_add_what(&l, r->json, reply);
	if (*text_of(r->json, "note"))
		line_add(&l, " (%s)", text_of(r->json, "note"));
	log_notice("%s", l.text);
}

/* ---- a member of a group taken back by itself ----------------------------------------------- */

struct group_search { struct catalog_txn *txn; json_t *commands; unsigned left; };

/* What was taken back: was it a group's switch? */
static int look_for_group(void *arg, const struct history_row *row)
{
	struct group_search *s = arg;
	json_t *command, *other;
	size_t i;

	if (row->kind == SWITCH_EDIT || row->kind == SWITCH_CONFIRM || row->kind == SWITCH_SERIAL)
		return --s->left == 0;
	if (!back_by_group(s->txn, row))
		return 1;
	command = json_sprintf("schwenk rollback --group %s", row->group);
	json_array_foreach(s->commands, i, other)
		if (json_equal(other, command)) {
			json_decref(command);
			return 1;
		}
	json_array_append_new(s->commands, command);
	return 1;
}

static void look_at_zone(struct group_search *s, const json_t *zone, uint64_t switch_id)
{
	struct err err = ERR_INIT;
	uint8_t apex[NAME_MAX_SIZE];
	struct zone_row row;
	size_t size;

	s->left = 20;
	if (has_moved(zone) && control_parse_zone(text_of(zone, "zone"), apex, &size, &err) == 0 &&
	    catalog_zone(s->txn, apex, size, &row, &err) == 0)
		catalog_history(s->txn, row.id, switch_id, look_for_group, s, &err);
}

/* `rollback ZONE` takes back that zone alone: whoever meant the whole group
 * learns the command that does. */
static void add_group_commands(const struct request *r, json_t *reply)
{
	struct group_search s = { .commands = json_array() };
	const json_t *zones = json_object_get(reply, "zones"), *zone;
	struct err err = ERR_INIT;
	size_t i;

	if (daemon_snapshot(r->daemon, &err) == 0) {
		s.txn = snapshot_catalog(r->daemon->reader);
		json_array_foreach(zones, i, zone)
			if (i < LOOKED_AT && json_array_size(s.commands) < GROUPS_LISTED)
				look_at_zone(&s, zone, json_number(reply, "switch"));
		snapshot_end(r->daemon->reader);
	}
	if (json_array_size(s.commands))
		json_object_set(reply, "groups_back", s.commands);
	json_decref(s.commands);
}

/* ---- there and back --------------------------------------------------------------------------- */

static void on_progress(void *arg, json_t *progress)
{
	struct question *q = arg;

	request_progress(q->request, json_incref(progress));
}

static void pass_refusal(struct request *r, json_t *reply)
{
	struct err why = ERR_INIT, err = ERR_INIT;

	control_error_read(reply, &why);
	if (!err_is(&why, ERR_DENIED)) {
		request_reply(r, json_incref(reply));
		return;
	}
	/* the writer knows what needs a further right, main who has it */
	request_need_right(r, RIGHT_SWITCH, &err);
	err_set(&err, ERR_DENIED, "not allowed");
	err_context(&err, "%s", why.message);
	request_fail(r, &err);
}

static void on_reply(void *arg, json_t *from_writer)
{
	struct question *q = arg;
	struct request *r = q->request;
	int64_t arrived_us = q->asked_us;
	json_t *reply;

	question_end(q);
	if (!from_writer || !json_is_true(json_object_get(from_writer, "ok"))) {
		pass_refusal(r, from_writer);
		return;
	}
	reply = json_copy(from_writer);
	json_object_del(reply, "committed");    /* between main and the writer */
	json_object_del(reply, "changed");
	if (json_is_true(json_object_get(reply, "dry_run")))
		json_object_set_new(reply, "switch", json_null());      /* there is no such entry */
	else if (json_object_get(reply, "switch"))
		json_object_set_new(reply, "duration_us", json_integer(clock_boot_us() - arrived_us));
	if (r->peer && strcmp(r->command->name, "rollback") == 0 && json_is_integer(json_object_get(reply, "switch")) &&
	    !*text_of(r->json, "group"))
		add_group_commands(r, reply);
	log_done(r, reply);
	request_reply(r, reply);
}

/* The work goes on, whether the client stays or not. */
void handle_write(struct request *r)
{
	struct question *q = question_begin(r);
	json_t *request;

	if (!q)
		return;
	request = json_copy(r->json);
	json_object_set_new(request, "who", who_json(&r->who));
	json_object_set_new(request, "right", json_integer(r->right));
	writer_request(r->daemon, request, NULL, 0, on_progress, on_reply, q);
	json_decref(request);
}

void handle_rollback(struct request *r)
{
	/* of everything, because a word was forgotten: never */
	if (json_array_size(json_object_get(r->json, "zones")) == 0 && !json_object_get(r->json, "group"))
		handle_candidates(r);
	else
		handle_write(r);
}

/* ---- the daemon itself --------------------------------------------------------------------------- */

void handle_reload(struct request *r)
{
	json_t *reply = json_object();
	struct err err = ERR_INIT;
	char by[128];

	log_notice("reload by %s", request_by(r, by));
	if (daemon_reload(r->daemon, reply, &err) == 0) {
		request_reply(r, reply);
		return;
	}
	json_decref(reply);
	request_fail(r, &err);
}

void handle_stop(struct request *r)
{
	struct daemon *d = r->daemon;
	char by[128];

	log_notice("stop by %s", request_by(r, by));
	request_reply(r, json_object());
	daemon_stop(d);
}
