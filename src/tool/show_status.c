/* How the daemon is: status, stats. */
#include "tool/show_parts.h"

#include <string.h>

#include "tool/names.h"
#include "tool/session.h"

#define WORKERS_SHOWN 16

static void uptime_text(int64_t s, char *buf, size_t size)
{
	if (s >= 86400)
		snprintf(buf, size, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
	else if (s >= 3600)
		snprintf(buf, size, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
	else if (s >= 60)
		snprintf(buf, size, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
	else
		snprintf(buf, size, "%lld s", (long long)s);
}

static void status_processes(struct tool *tool, const json_t *reply)
{
	const json_t *workers = json_object_get(reply, "workers"), *worker;
	int64_t restarts = 0;
	char text[128], number[COUNT_TEXT];
	size_t i, away = 0;

	json_array_foreach(workers, i, worker) {
		restarts += reply_number(worker, "restarts");
		away += !reply_number(worker, "pid");
	}
	snprintf(text, sizeof text, "%zu", json_array_size(workers));
	if (away)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", %zu of them not running", away);
	if (restarts)
		snprintf(text + strlen(text), sizeof text - strlen(text), ", restarted %s",
			terminal_count(restarts, "time", number));
	show_line(tool, "workers", text);
	if (!reply_number(json_object_get(reply, "writer"), "pid"))
		show_line(tool, "writer", "not running: nothing can be changed");
}

static void status_space(struct tool *tool, const json_t *reply)
{
	const json_t *space = json_object_get(reply, "space");
	double catalog = json_number_value(json_object_get(space, "catalog"));
	double images = json_number_value(json_object_get(space, "images"));
	char text[128];

	if (!json_is_object(space))
		return;
	snprintf(text, sizeof text, "catalog %.1f %%, records %.1f %% of their maps", catalog * 100, images * 100);
	terminal_colour(tool, catalog > 0.9 || images > 0.9 ? RED : PLAIN);
	show_line(tool, "space", text);
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
		show_line(tool, reply_true(job, "waiting") ? "waiting" : "running", text);
	}
}

static void status_command(struct tool *tool, const char *command)
{
	fputs("    ", tool->out);
	show_put_command(tool, command);
	putc('\n', tool->out);
}

/* One hold: a zone, or one that stands for its group. */
static void status_hold(struct tool *tool, const json_t *zone)
{
	const json_t *hold = json_object_get(zone, "held");
	const char *group = reply_text(hold, "group"), *by = reply_text(hold, "by"), *until = reply_text(zone, "back_signed_until");
	char name[NAME_TEXT_MAX], time[32], members[COUNT_TEXT], spares[96];

	terminal_colour(tool, YELLOW);
	if (*group)
		fprintf(tool->out, "group %s (%s)", group, terminal_count(reply_number(hold, "members"), "zone", members));
	else
		show_put(tool, names_show(tool, reply_text(zone, "zone"), name));
	terminal_colour(tool, PLAIN);
	fprintf(tool->out, ": %s, since %s by ", reply_text(zone, "live"), terminal_time(reply_text(hold, "since"), time));
	show_put(tool, *by ? by : "?");
	putc('\n', tool->out);
	status_command(tool, reply_text(hold, "back"));
	if (*show_spares(json_object_get(zone, "back_spares"), spares))
		fprintf(tool->out, "    the way back has %s%s\n", spares, reply_true(zone, "back_stuck") ? ": secondaries would not follow" : "");
	if (*until)
		fprintf(tool->out, "    the way back %s %s\n", show_is_over(until) ? "does not validate since" : "validates until",
			terminal_time(until, time));
}

static void status_held(struct tool *tool, const json_t *reply)
{
	const json_t *held = json_object_get(reply, "held"), *zone;
	int64_t more = reply_number(reply, "held_more");
	char number[COUNT_TEXT];
	size_t i;

	if (json_array_size(held))
		fputs("\nheld, until confirm or rollback:\n", tool->out);
	json_array_foreach(held, i, zone)
		status_hold(tool, zone);
	if (more > 0)
		fprintf(tool->out, "... and %s: schwenk zones --held\n", terminal_count(more, "more zone", number));
}

/* Each with the command back, while it is the zone's last. */
static void status_last(struct tool *tool, const json_t *last)
{
	if (json_array_size(last)) {
		fputs("\nlast switches:\n", tool->out);
		show_history(tool, last);
	}
}

void show_status(struct tool *tool, const json_t *reply)
{
	char text[128], up[64], zones[32], sets[COUNT_TEXT];

	uptime_text(reply_number(reply, "uptime"), up, sizeof up);
	snprintf(text, sizeof text, "%s, up %s", reply_text(reply, "version"), up);
	show_line(tool, "schwenkd", text);
	snprintf(text, sizeof text, "%s, with %s", terminal_number(reply_number(reply, "zones"), zones),
		terminal_count(reply_number(reply, "sets"), "set", sets));
	show_line(tool, "zones", text);
	status_processes(tool, reply);
	status_space(tool, reply);
	status_jobs(tool, json_object_get(reply, "jobs"));
	status_held(tool, reply);
	status_last(tool, json_object_get(reply, "last"));
}

/* A row a counter; those of an object within have its name before theirs. */
static void stats_rows(struct table *t, const char *prefix, json_t *total, const json_t *workers)
{
	const json_t *worker;
	json_t *value;
	const char *key;
	size_t i;

	json_object_foreach(total, key, value) {
		char name[64];

		if (!json_is_number(value))
			continue;
		snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? " " : "", key);
		table_row(t);
		table_cell(t, name, PLAIN);
		table_number(t, (int64_t)json_number_value(value));
		json_array_foreach(workers, i, worker)
			if (i < WORKERS_SHOWN)
				table_number(t, reply_number(*prefix ? json_object_get(worker, prefix) : worker, key));
	}
	json_object_foreach(total, key, value)
		if (json_is_object(value) && !*prefix)
			stats_rows(t, key, value, workers);
}

void show_stats(struct tool *tool, const json_t *reply)
{
	const json_t *workers = json_object_get(reply, "workers"), *worker;
	char columns[16 + WORKERS_SHOWN * 32] = "COUNTER|>TOTAL";
	struct table *t;
	size_t i;

	json_array_foreach(workers, i, worker)
		if (i < WORKERS_SHOWN)
			sprintf(columns + strlen(columns), "|>WORKER %lld", (long long)reply_number(worker, "number"));
	t = table_new(tool, columns);
	stats_rows(t, "", json_object_get(reply, "total"), workers);
	table_print(t, "no counters");
}
