/* schwenk status, group …, backup, fsck, stats, reload, stop, complete. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tool/names.h"
#include "tool/session.h"
#include "tool/show.h"
#include "tool/terminal.h"

#define STOP_MS 30000
#define COMPLETE_MS 1000

int command_status(struct tool *tool, const struct args *args)
{
	json_t *reply;
	int status = session_ask(tool, session_request("status"), -1, NULL, &reply);

	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply))
		show_status(tool, reply);
	json_decref(reply);
	return STATUS_DONE;
}

int command_stats(struct tool *tool, const struct args *args)
{
	json_t *reply;
	int status = session_ask(tool, session_request("stats"), -1, NULL, &reply);

	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply))
		show_stats(tool, reply);
	json_decref(reply);
	return STATUS_DONE;
}

/* ---- groups -------------------------------------------------------------------------- */

/* "group create" → group-create, … */
int command_group(struct tool *tool, const struct args *args)
{
	const char *kind = strchr(args->command->name, ' ') + 1;
	char command[32], done[160];
	int status = STATUS_DONE;
	json_t *zones = names_zones(tool, args->arg + 1, args->count - 1, &status), *request;

	if (!zones)
		return status;
	snprintf(command, sizeof command, "group-%s", kind);
	request = session_request(command);
	json_object_set_new(request, "group", json_string(args->arg[0]));
	if (json_array_size(zones))
		json_object_set(request, "zones", zones);
	json_decref(zones);
	snprintf(done, sizeof done, "group %.100s: %s", args->arg[0], strcmp(kind, "delete") == 0 ? "deleted; its zones stay"
		: strcmp(kind, "remove") == 0 ? "zones taken out" : strcmp(kind, "add") == 0 ? "zones added" : "created");
	return show_done(tool, request, done);
}

/* Members come in slices: they are gathered first. */
static int list_members(struct tool *tool, const char *group)
{
	json_t *zones, *reply;
	int status;

	zones = session_group(tool, group, &status);
	if (!zones)
		return status;
	reply = json_pack("{s:b,s:[{s:s,s:I,s:O}]}", "ok", 1, "groups", "group", group,
		"members", (json_int_t)json_array_size(zones), "zones", zones);
	if (!tool_print_json(tool, reply))
		show_members(tool, zones);
	json_decref(reply);
	json_decref(zones);
	return STATUS_DONE;
}

int command_group_list(struct tool *tool, const struct args *args)
{
	json_t *reply;
	int status;

	if (args->count)
		return list_members(tool, args->arg[0]);
	status = session_ask(tool, session_request("group-list"), -1, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply))
		show_groups(tool, json_object_get(reply, "groups"));
	json_decref(reply);
	return STATUS_DONE;
}

/* ---- the store ------------------------------------------------------------------------ */

int command_backup(struct tool *tool, const struct args *args)
{
	char done[512], *here = NULL, *absolute = NULL;
	json_t *request;
	int status;

	/* the daemon's working directory is another */
	if (args->arg[0][0] != '/') {
		here = getcwd(NULL, 0);
		if (!here || asprintf(&absolute, "%s/%s", here, args->arg[0]) < 0) {
			free(here);
			return tool_fail(tool, STATUS_REFUSED, ERR_SYSTEM, "where are we: %s", strerror(errno));
		}
	}
	request = session_request("backup");
	json_object_set_new(request, "directory", json_string(absolute ? absolute : args->arg[0]));
	if (args_has(args, "text"))
		json_object_set_new(request, "text", json_true());
	if (args_has(args, "compact"))
		json_object_set_new(request, "compact", json_true());
	snprintf(done, sizeof done, "backup is in %.300s; back by: schwenkd --restore %.100s", absolute ? absolute : args->arg[0],
		absolute ? absolute : args->arg[0]);
	status = show_done(tool, request, done);
	free(here);
	free(absolute);
	return status;
}

int command_fsck(struct tool *tool, const struct args *args)
{
	json_t *reply, *problem;
	char zones[COUNT_TEXT], sets[COUNT_TEXT], nodes[COUNT_TEXT], records[COUNT_TEXT], problems[COUNT_TEXT];
	size_t i, bad;
	int status = session_ask(tool, session_request("fsck"), -1, NULL, &reply);

	if (status != STATUS_DONE)
		return status;
	bad = json_array_size(json_object_get(reply, "problems"));
	if (!tool_print_json(tool, reply)) {
		json_array_foreach(json_object_get(reply, "problems"), i, problem) {
			terminal_put(tool->say, json_string_value(problem) ? json_string_value(problem) : "");
			putc('\n', tool->say);
		}
		if (!tool->quiet)
			fprintf(tool->out, "%s, %s, %s, %s: %s\n", terminal_count(reply_number(reply, "zones"), "zone", zones),
				terminal_count(reply_number(reply, "sets"), "set", sets),
				terminal_count(reply_number(reply, "nodes"), "node", nodes),
				terminal_count(reply_number(reply, "records"), "record", records),
				terminal_count((int64_t)bad, "problem", problems));
	}
	json_decref(reply);
	return bad ? STATUS_REFUSED : STATUS_DONE;
}

/* ---- the daemon ------------------------------------------------------------------------ */

int command_reload(struct tool *tool, const struct args *args)
{
	json_t *reply, *one;
	size_t i;
	int status;

	if (args->count)
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "reload reads the configuration anew; a zone is read anew by: "
			"schwenk import %.200s FILE", args->arg[0]);
	status = session_ask(tool, session_request("reload"), -1, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply)) {
		tool_note(tool, "the configuration was read anew");
		json_array_foreach(json_object_get(reply, "changed"), i, one)
			tool_note(tool, "%s: the new value is in force", json_string_value(one) ? json_string_value(one) : "");
		json_array_foreach(json_object_get(reply, "restart"), i, one)
			tool_note(tool, "%s takes effect at the next start", json_string_value(one) ? json_string_value(one) : "");
	}
	json_decref(reply);
	return STATUS_DONE;
}

/* It closes the socket first, and ends when its children have. */
static bool wait_for_end(struct tool *tool)
{
	int peer = control_client_peer(tool->client);
	/* a test's daemon is a thread of ours */
	int fd = peer > 0 && peer != getpid() ? (int)syscall(SYS_pidfd_open, peer, 0) : -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct err err = ERR_INIT;
	json_t *line;
	bool final, gone = true;

	while (control_client_receive(tool->client, STOP_MS, &line, &final, &err) == 0)
		json_decref(line);
	if (err_is(&err, ERR_TIMEOUT))
		gone = false;
	else if (fd >= 0)
		gone = poll(&p, 1, STOP_MS) > 0;
	if (fd >= 0)
		close(fd);
	return gone;
}

int command_stop(struct tool *tool, const struct args *args)
{
	json_t *reply;
	int status = session_ask(tool, session_request("stop"), -1, NULL, &reply);

	if (status != STATUS_DONE)
		return status;
	if (!wait_for_end(tool)) {
		json_decref(reply);
		return tool_fail(tool, STATUS_UNKNOWN, ERR_TIMEOUT, "schwenkd said that it ends, but has not within %d s", STOP_MS / 1000);
	}
	if (!tool_print_json(tool, reply))
		tool_note(tool, "schwenkd has stopped");
	json_decref(reply);
	return STATUS_DONE;
}

/* ---- the shell's completion -------------------------------------------------------------- */

static void complete_commands(struct tool *tool, const char *prefix)
{
	for (const struct tool_command *c = tool_commands; c->name; c++)
		if (!(c->flags & ARGS_HIDDEN) && strncmp(c->name, prefix, strlen(prefix)) == 0)
			fprintf(tool->out, "%s\n", c->name);
}

static void complete_rows(struct tool *tool, const struct arg_option *o)
{
	for (; o && o->name; o++)
		fprintf(tool->out, "--%s%s\n", o->name, o->value ? "=" : "");
}

static void value_rows(struct tool *tool, const struct arg_option *o)
{
	for (; o && o->name; o++) {
		if (o->value && o->letter)
			fprintf(tool->out, "-%c\n", o->letter);
		if (o->value)
			fprintf(tool->out, "--%s\n", o->name);
	}
}

/* Options behind which a value stands. */
static void complete_values(struct tool *tool, const char *command)
{
	const struct tool_command *c = args_command(command);

	value_rows(tool, args_global);
	value_rows(tool, c ? c->options : NULL);
	if (c && c->flags & (ARGS_GROUP | ARGS_GROUP_SET))
		value_rows(tool, args_group_option);
}

static void complete_options(struct tool *tool, const char *command)
{
	const struct tool_command *c = args_command(command);

	complete_rows(tool, args_global);
	complete_rows(tool, c ? c->options : NULL);
	if (c && c->flags & (ARGS_GROUP | ARGS_GROUP_SET))
		complete_rows(tool, args_group_option);
}

/* Silent when there is no daemon: somebody is typing. */
static int complete_names(struct tool *tool, const char *what, const char *prefix)
{
	json_t *request = session_request("complete"), *line, *names, *name;
	struct err err = ERR_INIT;
	bool final = false;
	size_t i;
	int r;

	json_object_set_new(request, "what", json_string(what));
	json_object_set_new(request, "prefix", json_string(prefix));
	r = control_client_open(&tool->client, tool->socket, &err);
	if (r == 0)
		r = control_client_send(tool->client, request, -1, &err);
	json_decref(request);
	if (r < 0 || control_client_receive(tool->client, COMPLETE_MS, &line, &final, &err) < 0)
		return STATUS_REFUSED;
	names = json_object_get(line, "names");
	if (!names)
		names = json_object_get(line, what);
	json_array_foreach(names, i, name)
		fprintf(tool->out, "%s\n", json_string_value(name) ? json_string_value(name) : "");
	json_decref(line);
	return STATUS_DONE;
}

int command_complete(struct tool *tool, const struct args *args)
{
	const char *what = args->arg[0], *prefix = args->count > 1 ? args->arg[1] : "";
	const struct tool_command *c;

	if (strcmp(what, "commands") == 0) {
		complete_commands(tool, prefix);
	} else if (strcmp(what, "options") == 0) {
		complete_options(tool, prefix);
	} else if (strcmp(what, "values") == 0) {
		complete_values(tool, prefix);
	} else if (strcmp(what, "arguments") == 0) {
		c = args_command(prefix);
		fprintf(tool->out, "%s\n", c ? c->completes : "");
	} else if (strcmp(what, "zones") == 0 || strcmp(what, "sets") == 0 || strcmp(what, "groups") == 0) {
		return complete_names(tool, what, prefix);
	} else {
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "complete: '%.40s' is none of: commands, options, values, "
			"arguments, zones, sets, groups", what);
	}
	return STATUS_DONE;
}
