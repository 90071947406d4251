#include "tool/session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/commands.h"
#include "tool/names.h"
#include "tool/show.h"
#include "tool/terminal.h"

#define ANSWER_MS 30000         /* of what the daemon does at once */

const char *reply_text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

int64_t reply_number(const json_t *object, const char *key)
{
	return (int64_t)json_number_value(json_object_get(object, key));
}

bool reply_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* ---- Ctrl-C ------------------------------------------------------------------
 * It cancels nothing that was sent: say so, and that the outcome is unknown. */

static volatile sig_atomic_t change_under_way;
static const char *volatile unlinked_then, *volatile said_then;

/* write, whose result nobody could act on any more */
static void say_now(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static void interrupted(int sig)
{
	if (unlinked_then)
		unlink(unlinked_then);
	if (said_then)
		say_now(said_then);
	if (change_under_way) {
		say_now("\nschwenk: interrupted: what was sent goes on; 'schwenk history' tells how it ended\n");
		_exit(STATUS_UNKNOWN);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

void session_if_interrupted(const char *unlinked, const char *said)
{
	unlinked_then = unlinked;
	said_then = said;
}

static void watch_interrupt(bool change)
{
	struct sigaction sa = { .sa_handler = interrupted };

	change_under_way = change;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

/* ---- requests ------------------------------------------------------------------ */

json_t *session_request(const char *command)
{
	return json_pack("{s:i,s:s}", "v", 1, "command", command);
}

void session_close(struct tool *tool)
{
	control_client_close(tool->client);
	tool->client = NULL;
}

int session_send(struct tool *tool, json_t *line, int fd, struct err *err)
{
	int r = line ? control_client_send(tool->client, line, fd, err) : err_set(err, ERR_NOMEM, "no memory");

	json_decref(line);
	return r;
}

/* Whether something may be different afterwards. */
static bool is_change(const json_t *request, const struct control_command *c)
{
	return c && c->right != RIGHT_READ && strcmp(c->name, "fsck") != 0
		&& !json_is_true(json_object_get(request, "dry_run"));
}

static int lost(struct tool *tool, bool change, const struct err *err)
{
	session_close(tool);
	if (!change || err_is(err, ERR_DENIED))
		return tool_error(tool, STATUS_REFUSED, err);
	return tool_fail(tool, STATUS_UNKNOWN, err->code,
		"%s: the outcome is unknown; what was sent may go on: see 'schwenk history', or 'schwenk status'", err->message);
}

static int connect_daemon(struct tool *tool)
{
	struct err err = ERR_INIT;

	if (tool->client)
		return STATUS_DONE;
	if (control_client_open(&tool->client, tool->socket, &err) == 0)
		return STATUS_DONE;
	return tool_error(tool, err_is(&err, ERR_UNAVAILABLE) ? STATUS_NO_DAEMON : STATUS_REFUSED, &err);
}

static int give_file(struct tool *tool, const char *name, const struct session_hooks *hooks, struct err *err)
{
	struct err why = ERR_INIT;
	int fd, r;

	if (hooks && hooks->open)
		fd = hooks->open(hooks->arg, name, &why);
	else
		fd = err_set(&why, ERR_DENIED, "this command opens no files");
	if (fd < 0) {
		/* the loader puts file and line before it */
		json_t *text = json_string(why.message);

		return session_send(tool, json_pack("{s:s,s:o}", "file", name, "error",
			text ? text : json_string("cannot be opened")), -1, err);
	}
	r = session_send(tool, json_pack("{s:s}", "file", name), fd, err);
	close(fd);
	return r;
}

static int keep_problem(struct tool *tool, json_t *problem)
{
	if (!tool->problems)
		tool->problems = json_array();
	json_array_append(tool->problems, problem);
	/* with --json too: an exit status of 1 has its reason on standard error */
	if (!((tool->quiet || tool->json) && strcmp(reply_text(problem, "severity"), "warning") == 0))
		show_problem(tool, tool->say, problem);
	return 0;
}

static int handle_progress(struct tool *tool, json_t *line, const struct session_hooks *hooks, struct err *err)
{
	json_t *progress = json_object_get(line, "progress"), *part;

	if ((part = json_object_get(progress, "open")))
		return give_file(tool, json_string_value(part) ? json_string_value(part) : "", hooks, err);
	if ((part = json_object_get(progress, "need"))) {
		if (hooks && hooks->need)
			return hooks->need(hooks->arg, tool, (unsigned)json_integer_value(part), err);
		return session_send(tool, json_pack("{s:b}", "end", 1), -1, err);
	}
	if ((part = json_object_get(progress, "problem")))
		return keep_problem(tool, part);
	if (hooks && hooks->progress)
		hooks->progress(hooks->arg, tool, progress);
	else if ((part = json_object_get(progress, "text")))
		tool_note(tool, "%s", json_string_value(part) ? json_string_value(part) : "");
	else
		terminal_progress(tool, progress);
	return 0;
}

static int converse(struct tool *tool, int timeout_ms, const struct session_hooks *hooks, json_t **reply, struct err *err)
{
	for (;;) {
		json_t *line;
		bool final;
		int r;

		if (control_client_receive(tool->client, timeout_ms, &line, &final, err) < 0)
			return -1;
		if (final) {
			*reply = line;
			return 0;
		}
		r = handle_progress(tool, line, hooks, err);
		json_decref(line);
		if (r < 0)
			return -1;
	}
}

int session_exchange(struct tool *tool, json_t *request, int fd, const struct session_hooks *hooks, json_t **reply)
{
	const struct control_command *c = control_command_find(reply_text(request, "command"));
	bool change = is_change(request, c);
	bool quick = c && (c->place == RUN_MAIN || c->place == RUN_WRITER) && !(hooks && hooks->for_ever);
	struct err err = ERR_INIT;
	int status = request ? connect_daemon(tool) : tool_fail(tool, STATUS_REFUSED, ERR_NOMEM, "no memory");

	if (status != STATUS_DONE) {
		json_decref(request);
		return status;
	}
	json_decref(tool->problems);
	tool->problems = NULL;
	terminal_progress_start(tool);
	watch_interrupt(change);
	/* A daemon that refuses may close before it has read all: its reply, if
	 * there is one, says more than our failed write. */
	if (control_client_send(tool->client, request, fd, &err) < 0 && !err_is(&err, ERR_UNAVAILABLE)) {
		status = tool_error(tool, STATUS_REFUSED, &err);
		session_close(tool);
	} else {
		struct err receive = ERR_INIT;

		if (converse(tool, quick ? ANSWER_MS : -1, hooks, reply, &receive) < 0)
			status = lost(tool, change, &receive);
	}
	watch_interrupt(false);
	terminal_progress_clear(tool);
	json_decref(request);
	return status;
}

/* A refusal for a problem that stands there already does not repeat it. */
static bool told_already(const struct tool *tool, const char *message)
{
	const json_t *last = json_array_get(tool->problems, json_array_size(tool->problems) - 1);
	const char *text = reply_text(last, "message");

	return *text && strcmp(reply_text(last, "severity"), "warning") != 0 && strstr(message, text);
}

int session_refused(struct tool *tool, json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	const char *code = reply_text(error, "code"), *message = reply_text(error, "message");
	int status = strcmp(code, ERR_TIMEOUT) == 0 ? STATUS_UNKNOWN : tool_status(STATUS_REFUSED, code);

	tool_print_json(tool, reply);
	if (!*message)
		message = "schwenkd refused without a reason";
	terminal_error(tool, told_already(tool, message) ? "nothing was changed" : message);
	json_decref(reply);
	return status;
}

int session_ask(struct tool *tool, json_t *request, int fd, const struct session_hooks *hooks, json_t **reply)
{
	int status = session_exchange(tool, request, fd, hooks, reply);

	if (status != STATUS_DONE || reply_true(*reply, "ok"))
		return status;
	return session_refused(tool, *reply);
}

/* One reply's worth of members, behind *after, which is moved on; "": the last. */
static int more_members(struct tool *tool, const char *group, char after[NAME_TEXT_MAX], json_t *zones)
{
	json_t *request = session_request("group-list"), *reply;
	int status;

	json_object_set_new(request, "group", json_string(group));
	if (*after)
		json_object_set_new(request, "after", json_string(after));
	status = session_ask(tool, request, -1, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	json_array_extend(zones, json_object_get(json_array_get(json_object_get(reply, "groups"), 0), "zones"));
	snprintf(after, NAME_TEXT_MAX, "%s", reply_true(reply, "more") ? reply_text(reply, "after") : "");
	json_decref(reply);
	return STATUS_DONE;
}

json_t *session_group(struct tool *tool, const char *group, int *status)
{
	json_t *zones = json_array();
	char after[NAME_TEXT_MAX] = "";

	do
		*status = more_members(tool, group, after, zones);
	while (*status == STATUS_DONE && *after);
	if (*status == STATUS_DONE)
		return zones;
	json_decref(zones);
	return NULL;
}

json_t *session_members(struct tool *tool, const char *group, int *status)
{
	json_t *zones = session_group(tool, group, status);

	if (!zones || json_array_size(zones))
		return zones;
	*status = tool_fail(tool, STATUS_REFUSED, ERR_NO_SUCH_ZONE, "group %s has no members: add some by 'schwenk group add %s ZONE…'",
		group, group);
	json_decref(zones);
	return NULL;
}
