/* schwenk sets, copy, drop, check, diff, export. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/names.h"
#include "tool/session.h"
#include "tool/show.h"
#include "tool/terminal.h"

int command_sets(struct tool *tool, const struct args *args)
{
	int status = STATUS_DONE;
	json_t *zones = names_zones_or_group(tool, args, &status), *zone, *reply, *all = json_array();
	size_t i;

	json_array_foreach(zones, i, zone) {
		json_t *request = session_request("sets");

		json_object_set(request, "zone", zone);
		status = session_ask(tool, request, -1, NULL, &reply);
		if (status != STATUS_DONE)
			break;
		if (!tool_print_json(tool, reply))
			json_array_extend(all, json_object_get(reply, "sets"));
		json_decref(reply);
	}
	if (zones && status == STATUS_DONE && !tool->json)
		show_sets(tool, all);
	json_decref(all);
	json_decref(zones);
	return status;
}

/* ZONE@A [ZONE@B | @B] of copy and diff. */
static int two_sets(struct tool *tool, const struct args *args, char *a, char *b)
{
	char zone[NAME_TEXT_MAX], set[64];
	struct err err = ERR_INIT;

	if (names_set(args->arg[0], NULL, true, a, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	names_split(a, zone, set);
	if (args->count > 1 && names_set(args->arg[1], zone, true, b, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	return STATUS_DONE;
}

int command_copy(struct tool *tool, const struct args *args)
{
	char from[NAME_TEXT_MAX], to[NAME_TEXT_MAX];
	int status = two_sets(tool, args, from, to);
	json_t *request, *reply;

	if (status != STATUS_DONE)
		return status;
	request = json_pack("{s:i,s:s,s:s,s:s}", "v", 1, "command", "copy", "from", from, "to", to);
	status = session_ask(tool, request, -1, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply))
		tool_note(tool, "%s: a copy of %s", to, from);
	json_decref(reply);
	return STATUS_DONE;
}

int command_drop(struct tool *tool, const struct args *args)
{
	int status = STATUS_DONE;
	json_t *sets = names_sets_or_group(tool, args, &status), *request, *reply;
	size_t n = json_array_size(sets);
	char dropped[COUNT_TEXT];

	if (!sets)
		return status;
	request = session_request("drop");
	json_object_set_new(request, "sets", sets);
	status = session_ask(tool, request, -1, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	n = json_object_get(reply, "failed") ? json_array_size(json_object_get(reply, "dropped")) : n;
	if (!tool_print_json(tool, reply))
		tool_note(tool, "%s dropped; the space comes back in the background", terminal_count((int64_t)n, "set", dropped));
	status = show_failed(tool, reply);
	json_decref(reply);
	return status;
}

/* Here the problems are what was asked for: on out, and with -q, too. */
static void show_check(struct tool *tool, const char *set, const json_t *reply)
{
	char rules[COUNT_TEXT], warnings[COUNT_TEXT], signing[200], spares[96];
	const json_t *problem;
	size_t i;

	json_array_foreach(json_object_get(reply, "problems"), i, problem)
		show_problem(tool, tool->out, problem);
	fprintf(tool->out, "%s: %s, %s\n", set, terminal_count(reply_number(reply, "rules"), "error", rules),
		terminal_count(reply_number(reply, "warnings"), "warning", warnings));
	if (*show_signing(json_object_get(reply, "set"), "signed_until", "spares", signing))
		fprintf(tool->out, "    %s\n", signing);
	if (*show_spares(json_object_get(reply, "back_spares"), spares))
		fprintf(tool->out, "    the way back has %s\n", spares);
}

int command_check(struct tool *tool, const struct args *args)
{
	int status = STATUS_DONE, worst = STATUS_DONE;
	json_t *sets = names_sets_or_group(tool, args, &status), *set, *reply;
	size_t i;

	json_array_foreach(sets, i, set) {
		json_t *request = session_request("check");

		json_object_set(request, "set", set);
		status = session_ask(tool, request, -1, NULL, &reply);
		if (status != STATUS_DONE)
			break;
		if (reply_number(reply, "rules") > 0)
			worst = STATUS_REFUSED;
		if (!tool_print_json(tool, reply))
			show_check(tool, json_string_value(set), reply);
		json_decref(reply);
	}
	json_decref(sets);
	return status != STATUS_DONE ? status : worst;
}

/* ---- diff -------------------------------------------------------------------------- */

/* The daemon writes a row a line; they are shown, or gathered in rows. */
static int read_rows(struct tool *tool, FILE *file, json_t *rows)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n;

	rewind(file);
	while ((n = getline(&text, &room, file)) > 0) {
		json_t *row = json_loadb(text, (size_t)n, 0, NULL);

		if (!row) {
			free(text);
			return tool_fail(tool, STATUS_REFUSED, ERR_INTERNAL, "schwenkd sent a row that is no JSON");
		}
		if (rows)
			json_array_append(rows, row);
		else
			show_diff_row(tool, row);
		json_decref(row);
	}
	free(text);
	return ferror(file) ? tool_fail(tool, STATUS_REFUSED, ERR_SYSTEM, "reading the difference: %s", strerror(errno)) : STATUS_DONE;
}

static int show_file(struct tool *tool, FILE *file, json_t *reply)
{
	json_t *rows = tool->json ? json_array() : NULL;
	int status = read_rows(tool, file, rows);

	if (status == STATUS_DONE && tool->json) {
		json_object_set(reply, "rows", rows);
		json_object_set_new(reply, "more", json_false());
		tool_print_json(tool, reply);
	} else if (status == STATUS_DONE) {
		show_diff_counts(tool, reply);
	}
	json_decref(rows);
	return status;
}

int command_diff(struct tool *tool, const struct args *args)
{
	char a[NAME_TEXT_MAX], b[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], set[64];
	int status = two_sets(tool, args, a, b);
	json_t *request, *reply;
	FILE *file;

	if (status != STATUS_DONE)
		return status;
	if (args->count == 1) {
		names_split(a, zone, set);
		snprintf(b, sizeof b, "%s", a);
		snprintf(a, sizeof a, "%.1020s@live", zone);
	}
	file = tmpfile();
	if (!file)
		return tool_fail(tool, STATUS_REFUSED, ERR_SYSTEM, "no temporary file: %s", strerror(errno));
	request = json_pack("{s:i,s:s,s:s,s:s}", "v", 1, "command", "diff", "from", a, "to", b);
	status = session_ask(tool, request, fileno(file), NULL, &reply);
	if (status == STATUS_DONE) {
		status = show_file(tool, file, reply);
		json_decref(reply);
	}
	fclose(file);
	return status;
}

/* ---- export ------------------------------------------------------------------------ */

/* A file beside the one that it will replace, so that a reader never sees
 * half of it. */
static int open_beside(const char *path, char *temporary, size_t size, struct err *err)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	if ((size_t)snprintf(temporary, size, "%s.XXXXXX", path) >= size)
		return err_set(err, ERR_LIMIT, "the path is too long: %.100s…", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return err_system(err, "%s", temporary);
	if (fchmod(fd, 0666 & ~mask) < 0) {
		err_system(err, "%s", temporary);
		close(fd);
		unlink(temporary);
		return -1;
	}
	return fd;
}

static json_t *export_request(const char *target)
{
	char zone[NAME_TEXT_MAX], set[64];
	json_t *request = session_request("export");

	names_split(target, zone, set);
	json_object_set_new(request, "zone", json_string(zone));
	if (*set)
		json_object_set_new(request, "set", json_string(set));
	return request;
}

static int export_file(struct tool *tool, const char *target, const char *path)
{
	char temporary[4200];
	struct err err = ERR_INIT;
	json_t *reply;
	int fd = open_beside(path, temporary, sizeof temporary, &err), status;

	if (fd < 0)
		return tool_error(tool, STATUS_REFUSED, &err);
	session_if_interrupted(temporary, NULL);
	status = session_ask(tool, export_request(target), fd, NULL, &reply);
	if (status == STATUS_DONE && (fsync(fd) < 0 || rename(temporary, path) < 0)) {
		err_system(&err, "%s", path);
		status = tool_error(tool, STATUS_REFUSED, &err);
		json_decref(reply);
	} else if (status == STATUS_DONE) {
		if (!tool_print_json(tool, reply))
			tool_note(tool, "%s: written to %s", target, path);
		json_decref(reply);
	}
	if (status != STATUS_DONE)
		unlink(temporary);
	session_if_interrupted(NULL, NULL);
	close(fd);
	return status;
}

int command_export(struct tool *tool, const struct args *args)
{
	char target[NAME_TEXT_MAX];
	struct err err = ERR_INIT;
	struct stat st;
	json_t *reply;
	int status;

	if (names_set(args->arg[0], NULL, false, target, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	/* what is no regular file (/dev/null, a fifo) is written to as it is */
	if (args->count == 2 && strcmp(args->arg[1], "-") != 0
		&& (stat(args->arg[1], &st) < 0 || S_ISREG(st.st_mode)))
		return export_file(tool, target, args->arg[1]);
	if (args->count < 2 && tool->json)
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "with --json, export wants a FILE: the reply goes to standard output");
	if (args->count == 2 && strcmp(args->arg[1], "-") != 0) {
		int fd = open(args->arg[1], O_WRONLY | O_CLOEXEC | O_NOCTTY);

		if (fd < 0) {
			err_system(&err, "%s", args->arg[1]);
			return tool_error(tool, STATUS_REFUSED, &err);
		}
		status = session_ask(tool, export_request(target), fd, NULL, &reply);
		close(fd);
	} else {
		fflush(tool->out);
		status = session_ask(tool, export_request(target), fileno(tool->out), NULL, &reply);
	}
	if (status != STATUS_DONE)
		return status;
	if (args->count == 2)
		tool_print_json(tool, reply);
	json_decref(reply);
	return STATUS_DONE;
}
