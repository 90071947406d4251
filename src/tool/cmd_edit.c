/* schwenk edit and record. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool/files.h"
#include "tool/names.h"
#include "tool/rdata.h"
#include "tool/session.h"
#include "tool/show.h"
#include "tool/terminal.h"

static int show_changed(struct tool *tool, const char *target, const json_t *reply, bool dry_run)
{
	const char *outcome = reply_text(reply, "outcome");
	const json_t *set = json_object_get(reply, "set");
	const char *name = *reply_text(set, "set") ? reply_text(set, "set") : target;

	if (dry_run)
		show_diff(tool, reply);
	if (strcmp(outcome, "unchanged") == 0)
		tool_note(tool, "%s: unchanged", name);
	else if (dry_run)
		tool_note(tool, "%s: would be changed; nothing was", name);
	else if (reply_true(set, "live") || strcmp(outcome, "live") == 0)
		tool_note(tool, "%s: changed, serial %lld", name, (long long)reply_number(reply, "serial"));
	else
		tool_note(tool, "%s: changed; no answer does, the set is not live", name);
	if (strcmp(outcome, "failed") == 0)
		return tool_fail(tool, STATUS_REFUSED, ERR_RULE, "%s breaks rules and cannot be switched to", name);
	return STATUS_DONE;
}

/* ---- record -------------------------------------------------------------------------- */

static int finish_record(struct tool *tool, const struct args *args, json_t *request, const char *target, int fd)
{
	bool dry_run = args_has(args, "dry-run");
	json_t *reply;
	int status;

	json_object_set_new(request, "set", json_string(target));
	if (dry_run)
		json_object_set_new(request, "dry_run", json_true());
	if (args_get(args, "note"))
		json_object_set_new(request, "note", json_string(args_get(args, "note")));
	status = session_ask(tool, request, fd, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	status = strcmp(reply_text(reply, "outcome"), "failed") == 0 ? STATUS_REFUSED : STATUS_DONE;
	if (!tool_print_json(tool, reply))
		status = show_changed(tool, target, reply, dry_run);
	json_decref(reply);
	return status;
}

int command_record(struct tool *tool, const struct args *args)
{
	const char *kind = strchr(args->command->name, ' ') + 1;
	char target[NAME_TEXT_MAX], *line;
	struct err err = ERR_INIT;
	json_t *request, *text;

	if (names_set(args->arg[0], NULL, false, target, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	line = rdata_line(kind, args->arg + 1, args->count - 1, &err);
	if (!line)
		return tool_error(tool, STATUS_USAGE, &err);
	text = json_string(line);
	free(line);
	if (!text)
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST,
			"the record is not UTF-8; write other octets as \\DDD, or use 'schwenk record apply'");
	request = session_request("record");
	json_object_set_new(request, "text", text);
	return finish_record(tool, args, request, target, -1);
}

int command_record_apply(struct tool *tool, const struct args *args)
{
	char target[NAME_TEXT_MAX];
	struct err err = ERR_INIT;
	json_t *request;
	int64_t size;
	int fd, status;

	if (names_set(args->arg[0], NULL, false, target, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	fd = files_open(args->arg[1], &size, &err);
	if (fd < 0)
		return tool_error(tool, STATUS_REFUSED, &err);
	request = session_request("record");
	json_object_set_new(request, "name", json_string(strcmp(args->arg[1], "-") == 0 ? "<stdin>" : args->arg[1]));
	status = finish_record(tool, args, request, target, fd);
	close(fd);
	return status;
}

/* ---- edit ---------------------------------------------------------------------------- */

struct edit {
	char target[NAME_TEXT_MAX];     /* ZONE[@SET] */
	json_t *set;                    /* what is edited, as `sets` has it; NULL: not found */
	char hash[128];                 /* of it */
	char dir[256], text[600], original[600];
	char kept[700];                 /* says where the text is */
	bool keep;                      /* the text is not to be lost */
};

/* The set's hash, so that what others change meanwhile is noticed. */
static int find_hash(struct tool *tool, struct edit *edit)
{
	char zone[NAME_TEXT_MAX], name[64];
	json_t *request = session_request("sets"), *reply, *set;
	size_t i;
	int status;

	names_split(edit->target, zone, name);
	json_object_set_new(request, "zone", json_string(zone));
	status = session_ask(tool, request, -1, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	json_array_foreach(json_object_get(reply, "sets"), i, set)
		if (!*name || strcmp(name, "live") == 0 ? reply_true(set, "live")
			: strcmp(name, "previous") == 0 ? reply_true(set, "previous") : strcmp(name, reply_text(set, "name")) == 0) {
			json_decref(edit->set);
			edit->set = json_incref(set);
			snprintf(edit->hash, sizeof edit->hash, "%s", reply_text(set, "hash"));
		}
	json_decref(reply);
	return STATUS_DONE;
}

static int copy_file(const char *from, const char *to, struct err *err)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char buf[65536];
	ssize_t n = -1;

	while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof buf)) > 0)
		if (write(out, buf, (size_t)n) != n) {
			n = -1;
			break;
		}
	if (n < 0)
		err_system(err, "%s", to);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return n < 0 ? -1 : 0;
}

/* The set's text in a directory of ours, twice. */
static int fetch(struct tool *tool, struct edit *edit)
{
	char zone[NAME_TEXT_MAX], name[64], file[200];
	const char *tmp = getenv("TMPDIR");
	struct err err = ERR_INIT;
	json_t *request, *reply;
	int fd, status;

	names_split(edit->target, zone, name);
	snprintf(edit->dir, sizeof edit->dir, "%.200s/schwenk.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(edit->dir)) {
		err_system(&err, "%s", edit->dir);
		edit->dir[0] = '\0';
		return tool_error(tool, STATUS_REFUSED, &err);
	}
	snprintf(file, sizeof file, "%.150s", edit->target);
	for (char *p = file; *p; p++)
		if (*p == '/')
			*p = '_';
	snprintf(edit->text, sizeof edit->text, "%s/%s.zone", edit->dir, file);
	snprintf(edit->original, sizeof edit->original, "%s/%s.was", edit->dir, file);
	snprintf(edit->kept, sizeof edit->kept, "schwenk: the edited text is kept in %s\n", edit->text);
	fd = open(edit->text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		err_system(&err, "%s", edit->text);
		return tool_error(tool, STATUS_REFUSED, &err);
	}
	request = session_request("export");
	json_object_set_new(request, "zone", json_string(zone));
	if (*name)
		json_object_set_new(request, "set", json_string(name));
	status = session_ask(tool, request, fd, NULL, &reply);
	close(fd);
	if (status != STATUS_DONE)
		return status;
	json_decref(reply);
	return copy_file(edit->text, edit->original, &err) < 0 ? tool_error(tool, STATUS_REFUSED, &err) : STATUS_DONE;
}

/* To its end; Ctrl-C is the editor's own business meanwhile. */
static int run_editor(const struct edit *edit)
{
	/* $EDITOR may have arguments: the shell takes it apart */
	static const char run[] = "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"";
	struct sigaction ignore = { .sa_handler = SIG_IGN }, interrupt, quit;
	int status = -1;
	pid_t pid;

	fflush(NULL);
	sigaction(SIGINT, &ignore, &interrupt);
	sigaction(SIGQUIT, &ignore, &quit);
	pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		execlp("sh", "sh", "-c", run, "sh", edit->text, (char *)NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static bool same_text(const char *a, const char *b)
{
	FILE *f = fopen(a, "re"), *g = fopen(b, "re");
	int c = f && g ? 0 : EOF;
	bool same = f && g;

	while (same && c != EOF) {
		c = getc(f);
		same = c == getc(g);
	}
	if (f)
		fclose(f);
	if (g)
		fclose(g);
	return same;
}

/* One edit request; *reply is ok or not. */
static int send_text(struct tool *tool, const struct args *args, struct edit *edit, bool dry_run, json_t **reply)
{
	json_t *request = session_request("edit");
	int fd = open(edit->text, O_RDONLY | O_CLOEXEC), status;
	struct err err = ERR_INIT;

	if (fd < 0) {
		err_system(&err, "%s", edit->text);
		json_decref(request);
		return tool_error(tool, STATUS_REFUSED, &err);
	}
	json_object_set_new(request, "set", json_string(edit->target));
	json_object_set_new(request, "name", json_string(edit->text));
	if (*edit->hash)
		json_object_set_new(request, "expect", json_string(edit->hash));
	if (dry_run)
		json_object_set_new(request, "dry_run", json_true());
	else if (args_get(args, "note"))
		json_object_set_new(request, "note", json_string(args_get(args, "note")));
	status = session_exchange(tool, request, fd, NULL, reply);
	close(fd);
	return status;
}

enum verdict { GIVE_UP, AGAIN, APPLY, NOTHING };

/* What came of the check: with errors, back to the editor; else shown. */
static enum verdict judge(struct tool *tool, const struct args *args, struct edit *edit, json_t *reply, int *status)
{
	char question[NAME_TEXT_MAX + 64], answer;

	if (!reply_true(reply, "ok")) {
		bool changed = strcmp(reply_text(json_object_get(reply, "error"), "code"), ERR_CHANGED) == 0;

		*status = session_refused(tool, json_incref(reply));
		if (changed)            /* and would be again: what was edited is gone */
			return GIVE_UP;
		answer = terminal_ask(tool, "[e]dit again, or [q]uit and keep the text?", "eEqQ");
		return answer == 'e' || answer == 'E' ? AGAIN : GIVE_UP;
	}
	if (strcmp(reply_text(reply, "outcome"), "unchanged") == 0)
		return NOTHING;
	if (!tool->json && !tool->quiet)
		show_diff(tool, reply);
	if (args_has(args, "yes"))
		return APPLY;
	snprintf(question, sizeof question, "Apply this to %s? [y]es, [e]dit again, [n]o", edit->target);
	answer = terminal_ask(tool, question, "yYeEnN");
	if (!answer)
		*status = tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "nothing was changed: without an answer, --yes is wanted");
	else
		*status = STATUS_REFUSED;
	return answer == 'y' || answer == 'Y' ? APPLY : answer == 'e' || answer == 'E' ? AGAIN : GIVE_UP;
}

static int apply(struct tool *tool, const struct args *args, struct edit *edit)
{
	json_t *reply;
	int status = send_text(tool, args, edit, false, &reply);

	if (status != STATUS_DONE)
		return status;
	if (!reply_true(reply, "ok"))
		return session_refused(tool, reply);
	edit->keep = false;
	if (!tool_print_json(tool, reply))
		status = show_changed(tool, edit->target, reply, false);
	json_decref(reply);
	return status;
}

/* The text came back as it was. With --json as the daemon says it of an import
 * that changes nothing; it was not asked, for what may break rules need not be
 * repaired at once. */
static int nothing_edited(struct tool *tool, const struct edit *edit)
{
	json_t *request, *reply;
	char zone[NAME_TEXT_MAX], name[64];
	int status;

	if (!tool->json) {
		tool_note(tool, "%s: nothing was edited", edit->target);
		return STATUS_DONE;
	}
	names_split(edit->target, zone, name);
	request = session_request("zone-show");
	json_object_set_new(request, "zone", json_string(zone));
	status = session_ask(tool, request, -1, NULL, &reply);
	if (status != STATUS_DONE)
		return status;
	json_object_set_new(reply, "outcome", json_string("unchanged"));
	json_object_set(reply, "set", edit->set);
	json_object_set(reply, "serial", json_object_get(json_object_get(reply, "zone"), "serial"));
	json_object_set_new(reply, "changed_rrsets", json_integer(0));
	json_object_set_new(reply, "errors", json_integer(0));
	json_object_set_new(reply, "warnings", json_integer(0));
	json_object_del(reply, "zone");
	tool_print_json(tool, reply);
	json_decref(reply);
	return STATUS_DONE;
}

static int edit_loop(struct tool *tool, const struct args *args, struct edit *edit)
{
	for (;;) {
		enum verdict verdict;
		json_t *reply;
		int status = STATUS_DONE;

		if (run_editor(edit) != 0)
			return tool_fail(tool, STATUS_REFUSED, ERR_SYSTEM, "the editor failed: nothing was changed");
		if (same_text(edit->original, edit->text)) {
			edit->keep = false;
			return nothing_edited(tool, edit);
		}
		edit->keep = true;
		session_if_interrupted(edit->original, edit->kept);
		status = send_text(tool, args, edit, true, &reply);
		if (status != STATUS_DONE)
			return status;
		verdict = judge(tool, args, edit, reply, &status);
		if (verdict == NOTHING) {
			edit->keep = false;
			if (!tool_print_json(tool, reply))
				tool_note(tool, "%s: unchanged: the records are the same", edit->target);
		}
		json_decref(reply);
		if (verdict == APPLY)
			return apply(tool, args, edit);
		if (verdict != AGAIN)
			return status;
	}
}

static void clean_up(struct tool *tool, struct edit *edit)
{
	if (!*edit->dir)
		return;
	session_if_interrupted(NULL, NULL);
	unlink(edit->original);
	if (edit->keep) {
		fputs(edit->kept, tool->say);
		return;
	}
	unlink(edit->text);
	rmdir(edit->dir);
}

int command_edit(struct tool *tool, const struct args *args)
{
	struct edit edit = { .keep = false };
	struct err err = ERR_INIT;
	int status;

	if (names_set(args->arg[0], NULL, false, edit.target, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	status = find_hash(tool, &edit);
	if (status == STATUS_DONE)
		status = fetch(tool, &edit);
	if (status == STATUS_DONE)
		status = edit_loop(tool, args, &edit);
	clean_up(tool, &edit);
	json_decref(edit.set);
	return status;
}
