/* schwenk import: a file, standard input, a directory. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/files.h"
#include "tool/names.h"
#include "tool/session.h"
#include "tool/show.h"
#include "tool/table.h"
#include "tool/terminal.h"

#define RAISED_SHOWN 10         /* zones of a directory whose serial was raised */

struct import {
	struct files_base base;
	struct files_list list;
	size_t sent;            /* of list */
};

static int open_file(void *arg, const char *name, struct err *err)
{
	struct import *import = arg;

	return files_open_below(&import->base, name, err);
}

/* --drop RULE…, -m TEXT: as the request has them. */
static void add_options(json_t *request, const struct args *args)
{
	json_t *drop = NULL;

	for (size_t i = 0; i < args->value_count; i++)
		if (strcmp(args->values[i].option->name, "drop") == 0) {
			drop = drop ? drop : json_array();
			json_array_append_new(drop, json_string(args->values[i].value));
		}
	if (drop)
		json_object_set_new(request, "drop", drop);
	if (args_get(args, "note"))
		json_object_set_new(request, "note", json_string(args_get(args, "note")));
}

static void note_raised(struct tool *tool, const char *zone, int64_t own, int64_t served)
{
	tool_note(tool, "notice: %s%sthe text's serial %lld is not ahead of what was served: it was raised to %lld", zone,
		*zone ? ": " : "", (long long)own, (long long)served);
}

/* An ordinary reload; nothing is held, but there is a way back. */
static void show_live(struct tool *tool, const char *set, const char *records, const json_t *reply)
{
	char *back = *reply_text(reply, "back") ? show_command(tool, reply_text(reply, "back")) : NULL;
	const json_t *own = json_object_get(json_object_get(reply, "set"), "serial");
	int64_t served = reply_number(reply, "serial");

	tool_note(tool, "%s: live, %s, serial %lld", set, records, (long long)served);
	if (own && json_integer_value(own) != served)
		note_raised(tool, "", json_integer_value(own), served);
	if (back)
		tool_note(tool, "back: %s", back);
	free(back);
}

/* The reply of import, record and edit of one set. */
static int show_imported(struct tool *tool, const json_t *reply, const char *zone)
{
	const json_t *set = json_object_get(reply, "set");
	const char *outcome = reply_text(reply, "outcome"), *name = reply_text(set, "set");
	char records[COUNT_TEXT], dropped[COUNT_TEXT], rules[COUNT_TEXT];
	const char *shown = *name ? name : zone;
	char plain[NAME_TEXT_MAX + 32], *cutover;

	terminal_count(reply_number(set, "records"), "record", records);
	if (reply_number(reply, "dropped") > 0)
		tool_note(tool, "left out by --drop: %s", terminal_count(reply_number(reply, "dropped"), "record", dropped));
	if (strcmp(outcome, "failed") == 0)
		tool_fail(tool, STATUS_REFUSED, ERR_RULE, "%s breaks rules in %s and cannot be switched to: repair it by 'schwenk edit %s', "
			"import it anew, or leave records out by --drop RULE", shown,
			terminal_count(reply_number(reply, "errors"), "place", rules), shown);
	else if (strcmp(outcome, "unchanged") == 0)
		tool_note(tool, "%s: unchanged", shown);
	else if (strcmp(outcome, "live") == 0)
		show_live(tool, shown, records, reply);
	else {
		snprintf(plain, sizeof plain, "schwenk cutover %s", shown);
		cutover = show_command(tool, plain);
		tool_note(tool, "%s: staged, %s; live by: %s", shown, records, cutover ? cutover : plain);
		free(cutover);
	}
	return strcmp(outcome, "failed") == 0 ? STATUS_REFUSED : STATUS_DONE;
}

static int import_file(struct tool *tool, const struct args *args)
{
	char target[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], set[64];
	struct import import = { .base = { .dir = -1 } };
	const struct session_hooks hooks = { .open = open_file, .arg = &import };
	const char *path = args->arg[1];
	struct err err = ERR_INIT;
	json_t *request, *reply;
	int64_t size;
	int fd, status;

	if (names_set(args->arg[0], NULL, false, target, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	names_split(target, zone, set);
	fd = files_open(path, &size, &err);
	if (fd < 0 || files_base_open(&import.base, path, args_has(args, "include-anywhere"), &err) < 0) {
		if (fd >= 0)
			close(fd);
		return tool_error(tool, STATUS_REFUSED, &err);
	}
	request = session_request("import");
	json_object_set_new(request, "zone", json_string(zone));
	if (*set)
		json_object_set_new(request, "set", json_string(set));
	json_object_set_new(request, "name", json_string(strcmp(path, "-") == 0 ? "<stdin>" : path));
	if (size >= 0)
		json_object_set_new(request, "size", json_integer(size));
	add_options(request, args);
	status = session_ask(tool, request, fd, &hooks, &reply);
	close(fd);
	files_base_close(&import.base);
	if (status != STATUS_DONE)
		return status;
	status = strcmp(reply_text(reply, "outcome"), "failed") == 0 ? STATUS_REFUSED : STATUS_DONE;
	if (!tool_print_json(tool, reply))
		status = show_imported(tool, reply, target);
	json_decref(reply);
	return status;
}

/* ---- spare SOAs ---------------------------------------------------------------- */

static int import_soa(struct tool *tool, const struct args *args)
{
	const char *path = args_get(args, "soa");
	char target[NAME_TEXT_MAX], added[COUNT_TEXT], spares[96];
	struct err err = ERR_INIT;
	json_t *request, *reply;
	int64_t size;
	int fd, status;

	if (names_set(args->arg[0], NULL, true, target, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	fd = files_open(path, &size, &err);
	if (fd < 0)
		return tool_error(tool, STATUS_REFUSED, &err);
	request = session_request("import-soa");
	json_object_set_new(request, "set", json_string(target));
	json_object_set_new(request, "name", json_string(strcmp(path, "-") == 0 ? "<stdin>" : path));
	status = session_ask(tool, request, fd, NULL, &reply);
	close(fd);
	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply))
		tool_note(tool, "%s: %s added; %s", target, terminal_count(reply_number(reply, "added"), "spare SOA", added),
			show_spares(json_object_get(json_object_get(reply, "set"), "spares"), spares));
	json_decref(reply);
	return STATUS_DONE;
}

/* ---- a portfolio ----------------------------------------------------------------- */

static int send_named(struct import *import, struct tool *tool, const char *name, struct err *err)
{
	struct err why = ERR_INIT;
	int fd = files_open_below(&import->base, name, &why), r;
	json_t *file = json_string(name);

	if (!file) {
		/* the protocol is UTF-8: such a name cannot be told, only shown */
		terminal_error(tool, "a file's name that is not UTF-8 is skipped");
		if (fd >= 0)
			close(fd);
		return 0;
	}
	if (fd < 0)
		return session_send(tool, json_pack("{s:o,s:s}", "file", file, "error", why.message), -1, err);
	r = session_send(tool, json_pack("{s:o}", "file", file), fd, err);
	close(fd);
	return r;
}

static int send_files(void *arg, struct tool *tool, unsigned n, struct err *err)
{
	struct import *import = arg;

	for (; n && import->sent < import->list.count; n--)
		if (send_named(import, tool, import->list.name[import->sent++], err) < 0)
			return -1;
	if (n && import->sent == import->list.count)
		return session_send(tool, json_pack("{s:b}", "end", 1), -1, err);
	return 0;
}

static void show_raised(struct tool *tool, const json_t *reply)
{
	const json_t *raised = json_object_get(reply, "raised"), *one;
	int64_t more = reply_number(reply, "raises") - RAISED_SHOWN;
	char name[NAME_TEXT_MAX], number[COUNT_TEXT];
	size_t i;

	json_array_foreach(raised, i, one)
		if (i < RAISED_SHOWN)
			note_raised(tool, names_show(tool, reply_text(one, "zone"), name), reply_number(one, "own_serial"),
				reply_number(one, "serial"));
	if (more > 0)
		tool_note(tool, "notice: the same for %s", terminal_count(more, "more zone", number));
}

static int show_directory(struct tool *tool, const json_t *reply)
{
	const json_t *removed = json_object_get(reply, "removed"), *one;
	int64_t failures = reply_number(reply, "failures"), named = (int64_t)json_array_size(json_object_get(reply, "failed"));
	char zones[COUNT_TEXT], live[32], same[32], staged[32], number[32];
	size_t i;

	tool_note(tool, "%s: %s live, %s staged, %s unchanged, %zu removed, %s failed",
		terminal_count(reply_number(reply, "zones"), "zone", zones), terminal_number(reply_number(reply, "live"), live),
		terminal_number(reply_number(reply, "staged"), staged), terminal_number(reply_number(reply, "unchanged"), same),
		json_array_size(removed), terminal_number(failures < named ? named : failures, number));
	json_array_foreach(removed, i, one)
		tool_note(tool, "removed: %s", json_string_value(one) ? json_string_value(one) : "");
	show_raised(tool, reply);
	return show_failed(tool, reply);
}

static int import_directory(struct tool *tool, const struct args *args)
{
	const char *dir = args_get(args, "dir"), *set = args->count ? args->arg[0] : NULL;
	struct import import = { .base = { .dir = -1 } };
	const struct session_hooks hooks = { .open = open_file, .need = send_files, .arg = &import };
	struct err err = ERR_INIT;
	json_t *request, *reply;
	int status;

	if (args->count > 1 || (set && set[0] != '@'))
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "usage: schwenk import --dir DIR [@SET]; the zones' names are those "
			"of the files");
	if (files_base_open(&import.base, dir, args_has(args, "include-anywhere"), &err) < 0
		|| files_list(&import.base, &import.list, &err) < 0) {
		files_base_close(&import.base);
		return tool_error(tool, STATUS_REFUSED, &err);
	}
	if (import.list.count == 0) {
		files_base_close(&import.base);
		files_list_free(&import.list);
		return tool_fail(tool, STATUS_REFUSED, ERR_NO_SUCH_ZONE, "%s holds no NAME.zone", dir);
	}
	request = session_request("import-dir");
	if (set)
		json_object_set_new(request, "set", json_string(set + 1));
	if (args_has(args, "prune"))
		json_object_set_new(request, "prune", json_true());
	json_object_set_new(request, "files", json_integer((json_int_t)import.list.count));
	add_options(request, args);
	status = session_ask(tool, request, -1, &hooks, &reply);
	files_base_close(&import.base);
	files_list_free(&import.list);
	if (status != STATUS_DONE)
		return status;
	status = tool_print_json(tool, reply) ? show_failed(tool, reply) : show_directory(tool, reply);
	json_decref(reply);
	return status;
}

int command_import(struct tool *tool, const struct args *args)
{
	if (args_has(args, "dir"))
		return import_directory(tool, args);
	if (args_has(args, "soa") && (args->count != 1 || args_has(args, "drop")))
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "usage: schwenk import ZONE@SET --soa FILE|-");
	if (args_has(args, "soa"))
		return import_soa(tool, args);
	if (args_has(args, "prune"))
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "--prune goes with --dir");
	if (args->count != 2)
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST,
			"usage: schwenk import ZONE[@SET] FILE|-, or: schwenk import --dir DIR [@SET], or: schwenk import ZONE@SET --soa FILE|-");
	return import_file(tool, args);
}
