/* schwenk cutover, rollback, confirm, history. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/names.h"
#include "tool/session.h"
#include "tool/show.h"
#include "tool/table.h"
#include "tool/terminal.h"

#define HISTORY_USUAL 20

static int finish(struct tool *tool, json_t *request, const char *what)
{
	bool dry_run = json_is_true(json_object_get(request, "dry_run"));
	json_t *reply;
	int status = session_ask(tool, request, -1, NULL, &reply);

	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply))
		show_switch(tool, what, reply, dry_run);
	json_decref(reply);
	return STATUS_DONE;
}

static void add_note(json_t *request, const struct args *args)
{
	if (args_get(args, "note"))
		json_object_set_new(request, "note", json_string(args_get(args, "note")));
}

static int add_serial(struct tool *tool, json_t *request, const char *text)
{
	unsigned long long n;
	char *end;

	if (!text)
		return STATUS_DONE;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > 0xffffffffULL)
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "--serial: '%.40s' is no serial: 0 to 4294967295", text);
	json_object_set_new(request, "serial", json_integer((json_int_t)n));
	return STATUS_DONE;
}

int command_cutover(struct tool *tool, const struct args *args)
{
	const char *group = args_get(args, "group"), *set;
	json_t *request = session_request("cutover"), *sets, *force = NULL;
	int status = STATUS_DONE;

	if (group) {
		set = names_group_set(tool, args);
		if (!set) {
			json_decref(request);
			return STATUS_USAGE;
		}
		json_object_set_new(request, "group", json_string(group));
		json_object_set_new(request, "set", json_string(set));
	} else {
		sets = names_sets(tool, args->arg, args->count, &status);
		if (sets)
			json_object_set_new(request, "sets", sets);
	}
	if (status == STATUS_DONE)
		status = add_serial(tool, request, args_get(args, "serial"));
	if (status != STATUS_DONE) {
		json_decref(request);
		return status;
	}
	for (size_t i = 0; i < args->value_count; i++)
		if (strcmp(args->values[i].option->name, "force") == 0) {
			force = force ? force : json_array();
			json_array_append_new(force, json_string(args->values[i].value));
		}
	if (force)
		json_object_set_new(request, "force", force);
	if (args_get(args, "expect"))
		json_object_set_new(request, "expect", json_string(args_get(args, "expect")));
	add_note(request, args);
	return finish(tool, request, "cutover");
}

/* zones or group, as rollback and confirm take them; NULL: told. */
static json_t *zones_request(struct tool *tool, const struct args *args, const char *command, int *status)
{
	const char *group = args_get(args, "group");
	json_t *zones = NULL, *request;

	*status = STATUS_DONE;
	if (!group && !(zones = names_zones(tool, args->arg, args->count, status)))
		return NULL;
	request = session_request(command);
	if (group)
		json_object_set_new(request, "group", json_string(group));
	else
		json_object_set_new(request, "zones", zones);
	add_note(request, args);
	return request;
}

int command_confirm(struct tool *tool, const struct args *args)
{
	int status;
	json_t *request = zones_request(tool, args, "confirm", &status);

	return request ? finish(tool, request, "confirm") : status;
}

/* Without an argument nothing is done: a rollback of everything must not be
 * what a forgotten word gives. */
static int list_candidates(struct tool *tool)
{
	json_t *reply, *candidates;
	int status = session_exchange(tool, session_request("rollback"), -1, NULL, &reply);

	if (status != STATUS_DONE)
		return status;
	candidates = json_object_get(reply, "candidates");
	if (!candidates)
		candidates = json_object_get(json_object_get(reply, "error"), "candidates");
	if (!candidates) {
		status = session_refused(tool, reply);
		return status == STATUS_REFUSED ? STATUS_USAGE : status;
	}
	if (!tool_print_json(tool, reply)) {
		show_candidates(tool, candidates);
		terminal_error(tool, json_array_size(candidates) ? "nothing was rolled back: name a zone, as above"
			: "nothing was rolled back, and nothing can be: no zone has a previous set");
	}
	json_decref(reply);
	return STATUS_USAGE;
}

int command_rollback(struct tool *tool, const struct args *args)
{
	int status;
	json_t *request;

	if (args->count == 0 && !args_has(args, "group"))
		return list_candidates(tool);
	request = zones_request(tool, args, "rollback", &status);
	if (request && args_has(args, "dry-run"))
		json_object_set_new(request, "dry_run", json_true());
	return request ? finish(tool, request, "rollback") : status;
}

/* ---- history ------------------------------------------------------------------------ */

static void show_entry(struct tool *tool, const json_t *entry)
{
	if (!tool_print_json(tool, entry))
		show_followed(tool, entry);
	fflush(tool->out);
}

static void followed(void *arg, struct tool *tool, const json_t *progress)
{
	const json_t *entry = json_object_get(progress, "entry"), *entries = json_object_get(progress, "entries");
	size_t i;

	if (entry)
		show_entry(tool, entry);
	json_array_foreach(entries, i, entry)
		show_entry(tool, entry);
}

/* -1: told. */
static int read_limit(struct tool *tool, const char *text, long *limit)
{
	char *end;

	*limit = text ? strtol(text, &end, 10) : HISTORY_USUAL;
	if (!text || (!*end && *limit >= 1 && *limit <= 1000000))
		return 0;
	tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "--limit: '%.40s' is no number from 1 to 1000000", text);
	return -1;
}

/* A reply has some hundred entries at most: the next ones are asked for until
 * there are as many as wanted. */
static int collect_history(struct tool *tool, json_t *asked, long limit, json_t *all)
{
	bool more = true;

	while (more && (long)json_array_size(all) < limit) {
		json_t *request = json_copy(asked), *reply;
		const json_t *last = json_array_get(all, json_array_size(all) - 1);
		int status;

		json_object_set_new(request, "limit", json_integer(limit - (long)json_array_size(all)));
		if (last)
			json_object_set(request, "before", json_object_get(last, "id"));
		status = session_ask(tool, request, -1, NULL, &reply);
		if (status != STATUS_DONE)
			return status;
		more = reply_true(reply, "more") && json_array_size(json_object_get(reply, "entries"));
		json_array_extend(all, json_object_get(reply, "entries"));
		json_decref(reply);
	}
	return STATUS_DONE;
}

static int follow_history(struct tool *tool, json_t *request, long limit)
{
	const struct session_hooks follow = { .progress = followed, .for_ever = true };
	json_t *reply;
	int status;

	json_object_set_new(request, "limit", json_integer(limit));
	json_object_set_new(request, "follow", json_true());
	status = session_ask(tool, request, -1, &follow, &reply);
	if (status == STATUS_DONE)
		json_decref(reply);
	return status;
}

int command_history(struct tool *tool, const struct args *args)
{
	json_t *request, *all;
	char zone[NAME_TEXT_MAX];
	struct err err = ERR_INIT;
	long limit;
	int status;

	if (args->count && names_zone(args->arg[0], zone, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	if (read_limit(tool, args_get(args, "limit"), &limit) < 0)
		return STATUS_USAGE;
	request = session_request("history");
	if (args->count)
		json_object_set_new(request, "zone", json_string(zone));
	if (args_has(args, "follow"))
		return follow_history(tool, request, limit);
	all = json_pack("{s:b,s:[]}", "ok", 1, "entries");
	status = collect_history(tool, request, limit, json_object_get(all, "entries"));
	if (status == STATUS_DONE && !tool_print_json(tool, all))
		show_history(tool, json_object_get(all, "entries"));
	json_decref(all);
	json_decref(request);
	return status;
}
