#include "tool/show.h"

#include <stdlib.h>
#include <string.h>

#include "tool/names.h"
#include "tool/session.h"
#include "tool/table.h"
#include "tool/terminal.h"

#define ZONES_SHOWN 50          /* of one switch */

static const char *arrow(const struct tool *tool)
{
	return tool->utf8 ? "\xe2\x86\x92" : "->";
}

/* Quoted for the shell where it needs to be. */
static void put_word(FILE *out, const char *word, size_t n)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";

	if (n && strspn(word, safe) >= n) {
		fwrite(word, 1, n, out);
		return;
	}
	putc('\'', out);
	for (; n; n--, word++) {
		if (*word == '\'')
			fputs("'\\''", out);
		else
			putc(*word, out);
	}
	putc('\'', out);
}

/* The names of zones may hold whatever the shell understands: a customer's
 * zone must not be able to put a command of its own behind "back:". */
char *show_command(const struct tool *tool, const char *command)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool first = true;

	if (!out)
		return NULL;
	while (*command) {
		size_t n = strcspn(command, " ");

		if (!first)
			putc(' ', out);
		put_word(out, command, n);
		if (first && tool->socket_given) {
			fputs(" -s ", out);
			put_word(out, tool->socket, strlen(tool->socket));
		}
		first = false;
		command += n;
		command += strspn(command, " ");
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void put(struct tool *tool, const char *text)
{
	terminal_put(tool->out, text);
}

static void put_command(struct tool *tool, const char *command)
{
	char *text = show_command(tool, command);

	put(tool, text ? text : command);
	free(text);
}

static void cell_zone(struct tool *tool, struct table *t, const json_t *object)
{
	char buf[NAME_TEXT_MAX];

	table_cell(t, names_show(tool, reply_text(object, "zone"), buf), PLAIN);
}

static void cell_time(struct table *t, const json_t *object, const char *key)
{
	char buf[32];

	table_cell(t, terminal_time(reply_text(object, key), buf), PLAIN);
}

/* Serials are names rather than quantities: no commas. */
static void cell_serial(struct table *t, const json_t *object, const char *key)
{
	char buf[24];

	snprintf(buf, sizeof buf, "%lld", (long long)reply_number(object, key));
	table_cell(t, json_is_number(json_object_get(object, key)) ? buf : "", PLAIN);
}

void show_zones(struct tool *tool, const json_t *zones)
{
	struct table *t = table_new(tool, "ZONE|LIVE|PREVIOUS|>SERIAL|>SETS|STATE|SWITCHED");
	const json_t *zone;
	size_t i;

	json_array_foreach(zones, i, zone) {
		const char *state = reply_text(zone, "state");

		table_row(t);
		cell_zone(tool, t, zone);
		table_cell(t, reply_text(zone, "live"), BOLD);
		table_cell(t, reply_text(zone, "previous"), PLAIN);
		cell_serial(t, zone, *reply_text(zone, "live") ? "serial" : "");
		table_number(t, reply_number(zone, "sets"));
		table_cell(t, state, strcmp(state, "held") == 0 ? YELLOW : strcmp(state, "live") == 0 ? GREEN : DIM);
		cell_time(t, zone, "switched");
	}
	table_print(t, "no zones");
}

static void line(struct tool *tool, const char *label, const char *value)
{
	if (!*value)
		return;
	fprintf(tool->out, "%-12s ", label);
	put(tool, value);
	putc('\n', tool->out);
}

static void show_held(struct tool *tool, const json_t *held)
{
	char time[32], text[NAME_TEXT_MAX + 64], *back;

	if (!json_is_object(held))
		return;
	back = show_command(tool, reply_text(held, "back"));
	snprintf(text, sizeof text, "since %s by %s, switch %lld", terminal_time(reply_text(held, "since"), time),
		*reply_text(held, "by") ? reply_text(held, "by") : "?", (long long)reply_number(held, "switch"));
	line(tool, "held", text);
	line(tool, "back", back ? back : reply_text(held, "back"));
	free(back);
}

void show_zone(struct tool *tool, const json_t *zone)
{
	char buf[NAME_TEXT_MAX], serial[24], time[32], sets[32];
	const char *key;
	const json_t *value;

	terminal_colour(tool, BOLD);
	line(tool, "zone", names_show(tool, reply_text(zone, "zone"), buf));
	terminal_colour(tool, PLAIN);
	line(tool, "state", reply_text(zone, "state"));
	line(tool, "live", reply_text(zone, "live"));
	line(tool, "previous", reply_text(zone, "previous"));
	snprintf(serial, sizeof serial, "%lld", (long long)reply_number(zone, "serial"));
	line(tool, "serial", serial);
	line(tool, "sets", terminal_number(reply_number(zone, "sets"), sets));
	line(tool, "switched", terminal_time(reply_text(zone, "switched"), time));
	show_held(tool, json_object_get(zone, "held"));
	json_object_foreach(json_object_get(zone, "properties"), key, value) {
		fputs("property     ", tool->out);
		put(tool, key);
		putc('=', tool->out);
		put(tool, json_string_value(value) ? json_string_value(value) : "");
		putc('\n', tool->out);
	}
}

void show_sets(struct tool *tool, const json_t *sets)
{
	struct table *t = table_new(tool, "SET|STATE|>RECORDS|>SIZE|>SERIAL|HASH|CREATED|~SOURCE");
	const json_t *set;
	size_t i;

	json_array_foreach(sets, i, set) {
		const char *state = reply_text(set, "state");
		bool live = reply_true(set, "live"), previous = reply_true(set, "previous");
		char buf[64], shown[NAME_TEXT_MAX + 64], zone[NAME_TEXT_MAX], name[64];

		names_split(reply_text(set, "set"), zone, name);
		snprintf(shown, sizeof shown, "%s@%s", names_show(tool, zone, (char[NAME_TEXT_MAX]){ "" }), name);
		table_row(t);
		table_cell(t, shown, live ? BOLD : PLAIN);
		snprintf(buf, sizeof buf, "%s%s", state, live ? ", live" : previous ? ", previous" : "");
		table_cell(t, buf, strcmp(state, "failed") == 0 ? RED : live ? GREEN : strcmp(state, "ready") == 0 ? PLAIN : DIM);
		table_number(t, reply_number(set, "records"));
		table_cell(t, terminal_bytes(reply_number(set, "octets"), (char[32]){ "" }), PLAIN);
		cell_serial(t, set, "serial");
		table_cell(t, reply_text(set, "hash"), DIM);
		cell_time(t, set, "created");
		table_cell(t, reply_text(set, "source"), PLAIN);
	}
	table_print(t, "no sets");
}

/* One zone by its name; of several the number, and what they switched with. */
static void history_what(struct tool *tool, const json_t *entry, char *buf, size_t size)
{
	const json_t *zones = json_object_get(entry, "zones"), *first = json_array_get(zones, 0);
	int64_t members = reply_number(entry, "members");
	const char *group = reply_text(entry, "group"), *from = reply_text(first, "from"), *to = reply_text(first, "to");
	char name[NAME_TEXT_MAX];

	if (members > 1 && *group)
		snprintf(buf, size, "group %s (%lld zones)", group, (long long)members);
	else if (members > 1)
		snprintf(buf, size, "%s and %lld more", names_show(tool, reply_text(first, "zone"), name), (long long)members - 1);
	else if (*to || *from)
		snprintf(buf, size, "%s: %s %s %s", names_show(tool, reply_text(first, "zone"), name), *from ? from : "-", arrow(tool),
			*to ? to : "-");
	else
		snprintf(buf, size, "%s", names_show(tool, reply_text(first, "zone"), name));
}

void show_history(struct tool *tool, const json_t *entries)
{
	struct table *t = table_new(tool, ">ID|AT|BY|KIND|WHAT|>SERIAL|~NOTE");
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry) {
		char what[NAME_TEXT_MAX + 256], id[24];
		bool one = reply_number(entry, "members") == 1;

		history_what(tool, entry, what, sizeof what);
		snprintf(id, sizeof id, "%lld", (long long)reply_number(entry, "id"));
		table_row(t);
		table_cell(t, id, DIM);
		cell_time(t, entry, "at");
		table_cell(t, reply_text(entry, "by"), PLAIN);
		table_cell(t, reply_text(entry, "kind"), BOLD);
		table_cell(t, what, PLAIN);
		cell_serial(t, json_array_get(json_object_get(entry, "zones"), 0), one ? "to_serial" : "");
		table_cell(t, reply_text(entry, "note"), PLAIN);
	}
	table_print(t, "nothing was switched yet");
}

void show_followed(struct tool *tool, const json_t *entry)
{
	const char *note = reply_text(entry, "note"), *by = reply_text(entry, "by");
	const json_t *zone = json_array_get(json_object_get(entry, "zones"), 0);
	char what[NAME_TEXT_MAX + 256], time[32];

	history_what(tool, entry, what, sizeof what);
	fprintf(tool->out, "%s  #%lld  ", terminal_time(reply_text(entry, "at"), time), (long long)reply_number(entry, "id"));
	put(tool, *by ? by : "?");
	fputs("  ", tool->out);
	terminal_colour(tool, BOLD);
	put(tool, reply_text(entry, "kind"));
	terminal_colour(tool, PLAIN);
	fputs("  ", tool->out);
	put(tool, what);
	if (reply_number(entry, "members") == 1)
		fprintf(tool->out, ", serial %lld", (long long)reply_number(zone, "to_serial"));
	if (*note) {
		fputs("  (", tool->out);
		put(tool, note);
		putc(')', tool->out);
	}
	putc('\n', tool->out);
}

void show_groups(struct tool *tool, const json_t *groups, bool members)
{
	struct table *t;
	const json_t *group, *zone;
	size_t i;

	if (members) {
		json_array_foreach(json_object_get(json_array_get(groups, 0), "zones"), i, zone) {
			char buf[NAME_TEXT_MAX];

			put(tool, names_show(tool, json_string_value(zone) ? json_string_value(zone) : "", buf));
			putc('\n', tool->out);
		}
		return;
	}
	t = table_new(tool, "GROUP|>ZONES");
	json_array_foreach(groups, i, group) {
		table_row(t);
		table_cell(t, reply_text(group, "group"), BOLD);
		table_number(t, reply_number(group, "members"));
	}
	table_print(t, "no groups");
}

/* ---- status and counters -------------------------------------------------------- */

static void uptime_text(int64_t s, char *buf, size_t size)
{
	if (s >= 86400)
		snprintf(buf, size, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
	else if (s >= 3600)
		snprintf(buf, size, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
	else
		snprintf(buf, size, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
}

static void status_processes(struct tool *tool, const json_t *reply)
{
	const json_t *workers = json_object_get(reply, "workers"), *worker;
	int64_t restarts = 0;
	char text[128];
	size_t i;

	json_array_foreach(workers, i, worker)
		restarts += reply_number(worker, "restarts");
	snprintf(text, sizeof text, "%zu, %lld restarted%s", json_array_size(workers), (long long)restarts,
		json_is_object(json_object_get(reply, "writer")) ? "" : "; the writer is not running");
	line(tool, "workers", text);
}

static void status_space(struct tool *tool, const json_t *reply)
{
	const json_t *space = json_object_get(reply, "space");
	double catalog = json_number_value(json_object_get(space, "catalog"));
	double images = json_number_value(json_object_get(space, "images"));
	char text[128];

	snprintf(text, sizeof text, "catalog %.1f %%, records %.1f %% of their maps", catalog * 100, images * 100);
	terminal_colour(tool, catalog > 0.9 || images > 0.9 ? RED : PLAIN);
	line(tool, "space", text);
	terminal_colour(tool, PLAIN);
}

static void status_jobs(struct tool *tool, const json_t *jobs)
{
	const json_t *job;
	size_t i;

	json_array_foreach(jobs, i, job) {
		const json_t *share = json_object_get(job, "share");
		const char *what = reply_text(job, *reply_text(job, "set") ? "set" : "zone");
		char text[NAME_TEXT_MAX + 128], percent[32] = "";

		if (json_is_number(share) && json_number_value(share) >= 0)
			snprintf(percent, sizeof percent, ", %d %%", (int)(json_number_value(share) * 100));
		snprintf(text, sizeof text, "%s%s%s%s", reply_text(job, "command"), *what ? " " : "", what, percent);
		line(tool, "running", text);
	}
}

/* One hold: its first zone, and how many more there are of the same switch. */
static void status_hold(struct tool *tool, const json_t *zone, int64_t members)
{
	const json_t *hold = json_object_get(zone, "held");
	char name[NAME_TEXT_MAX], time[32], more[32];

	terminal_colour(tool, YELLOW);
	put(tool, names_show(tool, reply_text(zone, "zone"), name));
	if (members > 1)
		fprintf(tool->out, " and %s more", terminal_number(members - 1, more));
	terminal_colour(tool, PLAIN);
	fprintf(tool->out, ": %s, since %s by ", reply_text(zone, "live"), terminal_time(reply_text(hold, "since"), time));
	put(tool, *reply_text(hold, "by") ? reply_text(hold, "by") : "?");
	fputs("\n    ", tool->out);
	put_command(tool, reply_text(hold, "back"));
	putc('\n', tool->out);
}

/* A group of thousands is one hold with one command back, not thousands. */
static void status_held(struct tool *tool, const json_t *held)
{
	json_t *members = json_object();        /* of each command back */
	const json_t *zone;
	size_t i;

	json_array_foreach(held, i, zone) {
		const char *back = reply_text(json_object_get(zone, "held"), "back");

		json_object_set_new(members, back, json_integer((json_int_t)reply_number(members, back) + 1));
	}
	if (json_array_size(held))
		fprintf(tool->out, "\n%zu held, until confirm or rollback:\n", json_array_size(held));
	json_array_foreach(held, i, zone) {
		const char *back = reply_text(json_object_get(zone, "held"), "back");

		if (reply_number(members, back) > 0)
			status_hold(tool, zone, reply_number(members, back));
		json_object_set_new(members, back, json_integer(0));
	}
	json_decref(members);
}

void show_status(struct tool *tool, const json_t *reply)
{
	const json_t *last = json_object_get(reply, "last");
	char text[128], up[64], zones[32], sets[32];

	uptime_text(reply_number(reply, "uptime"), up, sizeof up);
	snprintf(text, sizeof text, "%s, up %s", reply_text(reply, "version"), up);
	line(tool, "schwenkd", text);
	snprintf(text, sizeof text, "%s, with %s sets", terminal_number(reply_number(reply, "zones"), zones),
		terminal_number(reply_number(reply, "sets"), sets));
	line(tool, "zones", text);
	status_processes(tool, reply);
	status_space(tool, reply);
	status_jobs(tool, json_object_get(reply, "jobs"));
	status_held(tool, json_object_get(reply, "held"));
	if (json_array_size(last)) {
		fputs("\nlast switches:\n", tool->out);
		show_history(tool, last);
	}
}

void show_stats(struct tool *tool, const json_t *reply)
{
	const json_t *workers = json_object_get(reply, "workers"), *worker, *value;
	char columns[4096] = "COUNTER|>TOTAL";
	struct table *t;
	const char *key;
	size_t i, n = strlen(columns);

	json_array_foreach(workers, i, worker)
		if (n + 16 < sizeof columns && i < 16)
			n += (size_t)snprintf(columns + n, sizeof columns - n, "|>WORKER %lld",
				(long long)(json_object_get(worker, "number") ? reply_number(worker, "number") : (int64_t)i + 1));
	t = table_new(tool, columns);
	json_object_foreach(json_object_get(reply, "total"), key, value) {
		if (!json_is_number(value))
			continue;
		table_row(t);
		table_cell(t, key, PLAIN);
		table_number(t, (int64_t)json_number_value(value));
		json_array_foreach(workers, i, worker)
			if (i < 16)
				table_number(t, reply_number(worker, key));
	}
	table_print(t, "no counters");
}

/* ---- switches ------------------------------------------------------------------- */

static void switched_line(struct tool *tool, const json_t *zone, const char *from, const char *to)
{
	int64_t a = reply_number(zone, "from_serial"), b = reply_number(zone, "to_serial");

	fprintf(tool->out, ": %s %s ", *from ? from : "-", arrow(tool));
	terminal_colour(tool, BOLD);
	put(tool, *to ? to : "-");
	terminal_colour(tool, PLAIN);
	if (*from)
		fprintf(tool->out, ", serial %lld %s %lld", (long long)a, arrow(tool), (long long)b);
	else
		fprintf(tool->out, ", serial %lld", (long long)b);
}

static void show_outcome(struct tool *tool, const char *what, const json_t *zone)
{
	const char *outcome = reply_text(zone, "outcome"), *from = reply_text(zone, "from"), *to = reply_text(zone, "to");
	const char *since = reply_text(zone, "since"), *by = reply_text(zone, "by");
	char name[NAME_TEXT_MAX], time[32];

	put(tool, names_show(tool, reply_text(zone, "zone"), name));
	if (strcmp(outcome, "already") == 0) {
		fprintf(tool->out, ": nothing changed: %s ", strcmp(what, "confirm") == 0 ? "not held; live is" : "already at");
		put(tool, *to ? to : "no set");
		if (*since)
			fprintf(tool->out, " since %s", terminal_time(since, time));
		if (*since && *by) {
			fputs(" by ", tool->out);
			put(tool, by);
		}
	} else if (strcmp(outcome, "no-previous") == 0) {
		fputs(": stays: it had no set before", tool->out);
	} else if (strcmp(what, "confirm") == 0) {
		fprintf(tool->out, ": %s is kept", *to ? to : "the live set");
	} else {
		switched_line(tool, zone, from, to);
		if (strcmp(outcome, "overtook") == 0)
			fputs(" (had been changed since)", tool->out);
	}
	putc('\n', tool->out);
}

static void show_warnings(struct tool *tool, const json_t *zone)
{
	char name[NAME_TEXT_MAX];
	int64_t left = reply_number(zone, "left_behind");

	if (left > 0)
		tool_note(tool, "%s: %lld change%s made to %s since stay behind in it", names_show(tool, reply_text(zone, "zone"), name),
			(long long)left, left == 1 ? "" : "s", *reply_text(zone, "from") ? reply_text(zone, "from") : "the set");
	if (reply_true(zone, "serial_stuck"))
		tool_note(tool, "warning: %s: the SOA is signed, or covered by ZONEMD, and its serial is not ahead: secondaries will "
			"not follow; import the set anew with a higher serial", names_show(tool, reply_text(zone, "zone"), name));
}

/* confirm takes what rollback takes. */
static void show_keep(struct tool *tool, const char *back)
{
	static const char rollback[] = "schwenk rollback";
	char *keep;

	if (strncmp(back, rollback, sizeof rollback - 1) != 0 || asprintf(&keep, "schwenk confirm%s", back + sizeof rollback - 1) < 0)
		return;
	fputs("keep: ", tool->out);
	put_command(tool, keep);
	putc('\n', tool->out);
	free(keep);
}

void show_switch(struct tool *tool, const char *what, const json_t *reply, bool dry_run)
{
	const json_t *zones = json_object_get(reply, "zones"), *zone;
	const char *back = reply_text(reply, "back");
	double ms = (double)reply_number(reply, "duration_us") / 1000;
	char number[32];
	int64_t members;
	size_t i;

	if (tool->quiet)
		return;
	if (dry_run)
		fputs("would be done:\n", tool->out);
	json_array_foreach(zones, i, zone) {
		if (i == ZONES_SHOWN && json_array_size(zones) > ZONES_SHOWN + 1)
			break;
		show_outcome(tool, what, zone);
	}
	/* the reply itself leaves out some of very many */
	members = reply_number(reply, "members");
	if (members < (int64_t)json_array_size(zones))
		members = (int64_t)json_array_size(zones);
	if (members > (int64_t)i)
		fprintf(tool->out, "... and %s more zones\n", terminal_number(members - (int64_t)i, number));
	fflush(tool->out);
	json_array_foreach(zones, i, zone)
		show_warnings(tool, zone);
	if (!dry_run && json_is_integer(json_object_get(reply, "switch")))
		fprintf(tool->out, "switch %lld, visible to every client after %.1f ms\n", (long long)reply_number(reply, "switch"), ms);
	if (!dry_run && strcmp(what, "cutover") == 0)
		show_keep(tool, back);
	if (*back) {
		terminal_colour(tool, BOLD);
		fputs("back: ", tool->out);
		put_command(tool, back);
		terminal_colour(tool, PLAIN);
		putc('\n', tool->out);
	}
}

void show_candidates(struct tool *tool, const json_t *candidates)
{
	struct table *t = table_new(tool, "ZONE|WOULD RETURN TO|COMMAND");
	const json_t *candidate;
	size_t i;

	json_array_foreach(candidates, i, candidate) {
		char *command = show_command(tool, reply_text(candidate, "command"));

		table_row(t);
		cell_zone(tool, t, candidate);
		table_cell(t, reply_text(candidate, "to"), PLAIN);
		table_cell(t, command ? command : "", BOLD);
		free(command);
	}
	table_print(t, NULL);
}

/* ---- differences and problems ---------------------------------------------------- */

static bool has_text(const json_t *list, const json_t *text)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (json_equal(one, text))
			return true;
	return false;
}

static void diff_lines(struct tool *tool, char sign, const json_t *lines, const json_t *other)
{
	const json_t *one;
	size_t i;

	json_array_foreach(lines, i, one) {
		if (has_text(other, one))
			continue;       /* the same on both sides of a changed RRset */
		terminal_colour(tool, sign == '+' ? GREEN : RED);
		fprintf(tool->out, "%c ", sign);
		put(tool, json_string_value(one) ? json_string_value(one) : "");
		terminal_colour(tool, PLAIN);
		putc('\n', tool->out);
	}
}

void show_diff_row(struct tool *tool, const json_t *row)
{
	const json_t *old = json_object_get(row, "old"), *new = json_object_get(row, "new");

	diff_lines(tool, '-', old, new);
	diff_lines(tool, '+', new, old);
}

void show_problem(struct tool *tool, FILE *out, const json_t *problem)
{
	const char *file = reply_text(problem, "file"), *severity = reply_text(problem, "severity");
	const char *rule = reply_text(problem, "rule");
	int64_t line_number = reply_number(problem, "line"), column = reply_number(problem, "column");
	bool warning = strcmp(severity, "warning") == 0;

	terminal_progress_clear(tool);
	terminal_put(out, file);
	if (*file && line_number > 0)
		fprintf(out, ":%lld", (long long)line_number);
	if (*file && line_number > 0 && column > 0)
		fprintf(out, ":%lld", (long long)column);
	fprintf(out, "%s%s: ", *file ? ": " : "", warning ? "warning" : "error");
	terminal_put(out, reply_text(problem, "message"));
	if (*rule) {
		fputs(" [", out);
		terminal_put(out, rule);
		putc(']', out);
	}
	putc('\n', out);
}
