/* Switches, the way back, differences, problems. */
#include "tool/show_parts.h"

#include <stdlib.h>
#include <string.h>

#include "tool/names.h"
#include "tool/session.h"

#define ZONES_SHOWN 20          /* of one switch, besides those that need to be seen */

/* ---- switches ------------------------------------------------------------------- */

static void switched_line(struct tool *tool, const json_t *zone, const char *from, const char *to)
{
	int64_t a = reply_number(zone, "from_serial"), b = reply_number(zone, "to_serial");

	fprintf(tool->out, ": %s %s ", *from ? from : "nothing", show_arrow(tool));
	terminal_colour(tool, BOLD);
	show_put(tool, *to ? to : "nothing");
	terminal_colour(tool, PLAIN);
	if (*from)
		fprintf(tool->out, ", serial %lld %s %lld", (long long)a, show_arrow(tool), (long long)b);
	else
		fprintf(tool->out, ", serial %lld", (long long)b);
}

static void show_outcome(struct tool *tool, const char *what, const json_t *zone)
{
	const char *outcome = reply_text(zone, "outcome"), *from = reply_text(zone, "from"), *to = reply_text(zone, "to");
	const char *since = reply_text(zone, "since"), *by = reply_text(zone, "by");
	char name[NAME_TEXT_MAX], time[32];

	show_put(tool, names_show(tool, reply_text(zone, "zone"), name));
	if (strcmp(outcome, "already") == 0) {
		fprintf(tool->out, ": nothing changed: %s ", strcmp(what, "confirm") == 0 ? "not held; live is" : "already at");
		show_put(tool, *to ? to : "no set");
		if (*since)
			fprintf(tool->out, " since %s", terminal_time(since, time));
		if (*since && *by) {
			fputs(" by ", tool->out);
			show_put(tool, by);
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

static void show_warnings(struct tool *tool, const char *what, const json_t *zone)
{
	char name[NAME_TEXT_MAX], changes[COUNT_TEXT];
	int64_t left = reply_number(zone, "left_behind");

	if (left > 0)
		tool_note(tool, "%s: left behind in %s: %s made to it since", names_show(tool, reply_text(zone, "zone"), name),
			*reply_text(zone, "from") ? reply_text(zone, "from") : "the set", terminal_count(left, "change", changes));
	if (reply_true(zone, "serial_stuck"))
		tool_note(tool, "warning: %s: the SOA is signed, or covered by ZONEMD, and its serial is not ahead: secondaries will "
			"not follow; import spare SOAs (--soa), or the set anew with a higher serial", names_show(tool, reply_text(zone, "zone"), name));
	show_signed_warnings(tool, what, zone);
}

/* confirm takes what rollback takes. */
static void show_keep(struct tool *tool, const char *back)
{
	static const char rollback[] = "schwenk rollback";
	char *keep;

	if (strncmp(back, rollback, sizeof rollback - 1) != 0 || asprintf(&keep, "schwenk confirm%s", back + sizeof rollback - 1) < 0)
		return;
	fputs("keep: ", tool->out);
	show_put_command(tool, keep);
	putc('\n', tool->out);
	free(keep);
}

static bool is_plain(const json_t *zone)
{
	const char *outcome = reply_text(zone, "outcome");

	return strcmp(outcome, "switched") == 0 || strcmp(outcome, "already") == 0;
}

/* What went otherwise than the rest is always told, of the rest some. */
static void show_zones_switched(struct tool *tool, const char *what, const json_t *reply)
{
	const json_t *zones = json_object_get(reply, "zones"), *zone;
	int64_t members = reply_number(reply, "members");
	size_t shown = 0, plain = 0, i;
	char number[COUNT_TEXT];

	if (members < (int64_t)json_array_size(zones))
		members = (int64_t)json_array_size(zones);
	json_array_foreach(zones, i, zone) {
		if (is_plain(zone) && plain++ >= ZONES_SHOWN && members > ZONES_SHOWN + 1)
			continue;
		show_outcome(tool, what, zone);
		shown++;
	}
	/* the reply itself leaves out some of very many */
	if (members > (int64_t)shown)
		fprintf(tool->out, "... and %s\n", terminal_count(members - (int64_t)shown, "more zone", number));
	fflush(tool->out);
	json_array_foreach(zones, i, zone)
		show_warnings(tool, what, zone);
}

static void show_ways(struct tool *tool, const char *what, const json_t *reply, bool done)
{
	const char *back = reply_text(reply, "back"), *until = show_first_over(json_object_get(reply, "zones"), "back_signed_until");
	char time[32];
	const json_t *group;
	size_t i;

	if (done && strcmp(what, "cutover") == 0)
		show_keep(tool, back);
	json_array_foreach(json_object_get(reply, "groups_back"), i, group) {
		fputs("the whole group: ", tool->out);
		show_put_command(tool, json_string_value(group) ? json_string_value(group) : "");
		putc('\n', tool->out);
	}
	if (*back) {
		terminal_colour(tool, BOLD);
		fputs("back: ", tool->out);
		show_put_command(tool, back);
		terminal_colour(tool, PLAIN);
		putc('\n', tool->out);
	}
	if (*back && done && strcmp(what, "cutover") == 0 && *until && !show_is_over(until))
		fprintf(tool->out, "the way back validates until %s\n", terminal_time(until, time));
}

void show_switch(struct tool *tool, const char *what, const json_t *reply, bool dry_run)
{
	bool done = !dry_run && json_is_integer(json_object_get(reply, "switch")), confirm = strcmp(what, "confirm") == 0;

	if (tool->quiet)
		return;
	if (dry_run)
		fputs("would be done:\n", tool->out);
	show_zones_switched(tool, what, reply);
	if (done && !confirm)
		fprintf(tool->out, "switch %lld, visible to every client after %.1f ms\n", (long long)reply_number(reply, "switch"),
			(double)reply_number(reply, "duration_us") / 1000);
	/* nothing was kept: nothing to go back from */
	if (done || !confirm)
		show_ways(tool, what, reply, done);
}

void show_candidates(struct tool *tool, const json_t *candidates)
{
	struct table *t = table_new(tool, "ZONE|WOULD RETURN TO|COMMAND");
	const json_t *candidate;
	size_t i;

	json_array_foreach(candidates, i, candidate) {
		char *command = show_command(tool, reply_text(candidate, "command"));
		const char *group = reply_text(candidate, "group");
		char members[160], number[COUNT_TEXT];

		table_row(t);
		snprintf(members, sizeof members, "group %.63s, %s", group, terminal_count(reply_number(candidate, "members"), "zone", number));
		if (*group)
			table_cell(t, members, PLAIN);
		else
			show_cell_zone(tool, t, candidate);
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
		show_put(tool, json_string_value(one) ? json_string_value(one) : "");
		terminal_colour(tool, PLAIN);
		putc('\n', tool->out);
	}
}

void show_diff_counts(struct tool *tool, const json_t *reply)
{
	fflush(tool->out);
	tool_note(tool, "RRsets: %lld added, %lld removed, %lld changed", (long long)reply_number(reply, "added"),
		(long long)reply_number(reply, "removed"), (long long)reply_number(reply, "changed"));
}

void show_diff_row(struct tool *tool, const json_t *row)
{
	const json_t *old = json_object_get(row, "old"), *new = json_object_get(row, "new");

	diff_lines(tool, '-', old, new);
	diff_lines(tool, '+', new, old);
}

void show_diff(struct tool *tool, const json_t *reply)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(reply, "rows"), i, row)
		show_diff_row(tool, row);
	if (reply_true(reply, "more"))
		fputs("... and more\n", tool->out);
	show_diff_counts(tool, reply);
}

void show_problem(struct tool *tool, FILE *out, const json_t *problem)
{
	const char *file = reply_text(problem, "file"), *severity = reply_text(problem, "severity");
	const char *rule = reply_text(problem, "rule");
	int64_t line_number = reply_number(problem, "line"), column = reply_number(problem, "column");
	bool warning = strcmp(severity, "warning") == 0;

	terminal_progress_clear(tool);
	terminal_put_line(out, file);
	if (*file && line_number > 0)
		fprintf(out, ":%lld", (long long)line_number);
	if (*file && line_number > 0 && column > 0)
		fprintf(out, ":%lld", (long long)column);
	fprintf(out, "%s%s: ", *file ? ": " : "", warning ? "warning" : "error");
	terminal_put_line(out, reply_text(problem, "message"));
	if (*rule) {
		fputs(" [", out);
		terminal_put_line(out, rule);
		putc(']', out);
	}
	putc('\n', out);
}
