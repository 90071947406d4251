#include "tool/show_parts.h"

#include <stdlib.h>
#include <string.h>

#include "tool/names.h"
#include "tool/session.h"

const char *show_arrow(const struct tool *tool)
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

void show_put(struct tool *tool, const char *text)
{
	terminal_put_line(tool->out, text);
}

void show_put_command(struct tool *tool, const char *command)
{
	char *text = show_command(tool, command);

	show_put(tool, text ? text : command);
	free(text);
}

void show_cell_zone(struct tool *tool, struct table *t, const json_t *object)
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
		show_cell_zone(tool, t, zone);
		table_cell(t, reply_text(zone, "live"), BOLD);
		table_cell(t, reply_text(zone, "previous"), PLAIN);
		cell_serial(t, zone, *reply_text(zone, "live") ? "serial" : "");
		table_number(t, reply_number(zone, "sets"));
		table_cell(t, state, strcmp(state, "held") == 0 ? YELLOW : strcmp(state, "live") == 0 ? GREEN : DIM);
		cell_time(t, zone, "switched");
	}
	table_print(t, "no zones");
}

void show_line(struct tool *tool, const char *label, const char *value)
{
	if (!*value)
		return;
	fprintf(tool->out, "%-12s ", label);
	show_put(tool, value);
	putc('\n', tool->out);
}

static void show_held(struct tool *tool, const json_t *held)
{
	char time[32], members[COUNT_TEXT], text[256], *back;
	const char *group = reply_text(held, "group");

	if (!json_is_object(held))
		return;
	back = show_command(tool, reply_text(held, "back"));
	snprintf(text, sizeof text, "since %s by %s, switch %lld", terminal_time(reply_text(held, "since"), time),
		*reply_text(held, "by") ? reply_text(held, "by") : "?", (long long)reply_number(held, "switch"));
	show_line(tool, "held", text);
	snprintf(text, sizeof text, "%.63s (%s)", group, terminal_count(reply_number(held, "members"), "zone", members));
	show_line(tool, "of group", *group ? text : "");
	show_line(tool, "back", back ? back : reply_text(held, "back"));
	free(back);
}

void show_zone(struct tool *tool, const json_t *zone)
{
	char buf[NAME_TEXT_MAX], serial[24], time[32], sets[32], until[200];
	const char *key;
	const json_t *value;

	terminal_colour(tool, BOLD);
	show_line(tool, "zone", names_show(tool, reply_text(zone, "zone"), buf));
	terminal_colour(tool, PLAIN);
	show_line(tool, "state", reply_text(zone, "state"));
	show_line(tool, "live", reply_text(zone, "live"));
	show_line(tool, "previous", reply_text(zone, "previous"));
	snprintf(serial, sizeof serial, "%lld", (long long)reply_number(zone, "serial"));
	show_line(tool, "serial", serial);
	show_line(tool, "live set", show_signing(zone, "signed_until", "spares", until));
	show_line(tool, "way back", show_signing(zone, "back_signed_until", "back_spares", until));
	show_line(tool, "", reply_true(zone, "back_stuck") ? "a rollback would not reach secondaries: no serial ahead" : "");
	show_line(tool, "sets", terminal_number(reply_number(zone, "sets"), sets));
	show_line(tool, "switched", terminal_time(reply_text(zone, "switched"), time));
	show_held(tool, json_object_get(zone, "held"));
	json_object_foreach(json_object_get(zone, "properties"), key, value) {
		fputs("property     ", tool->out);
		show_put(tool, key);
		putc('=', tool->out);
		show_put(tool, json_string_value(value) ? json_string_value(value) : "");
		putc('\n', tool->out);
	}
}

void show_sets(struct tool *tool, const json_t *sets)
{
	struct table *t = table_new(tool, "SET|STATE|>RECORDS|>SIZE|>SERIAL|CREATED|~HASH                             SOURCE");
	const json_t *set;
	size_t i;

	json_array_foreach(sets, i, set) {
		const char *state = reply_text(set, "state");
		bool live = reply_true(set, "live"), previous = reply_true(set, "previous");
		char buf[64], shown[NAME_TEXT_MAX + 64], zone[NAME_TEXT_MAX], name[64], source[600], until[200];

		names_split(reply_text(set, "set"), zone, name);
		snprintf(shown, sizeof shown, "%s@%s", names_show(tool, zone, (char[NAME_TEXT_MAX]){ "" }), name);
		table_row(t);
		table_cell(t, shown, live ? BOLD : PLAIN);
		snprintf(buf, sizeof buf, "%s%s", state, live ? ", live" : previous ? ", previous" : "");
		table_cell(t, buf, strcmp(state, "failed") == 0 ? RED : live ? GREEN : strcmp(state, "ready") == 0 ? PLAIN : DIM);
		table_number(t, reply_number(set, "records"));
		table_cell(t, terminal_bytes(reply_number(set, "octets"), (char[32]){ "" }), PLAIN);
		cell_serial(t, set, "serial");
		cell_time(t, set, "created");
		snprintf(source, sizeof source, "%s %.500s", reply_text(set, "hash"), reply_text(set, "source"));
		table_cell(t, source, PLAIN);
		if (*show_signing(set, "signed_until", "spares", until))
			table_under(t, until);
	}
	table_print(t, "no sets");
}

/* One zone by its name; of several the number, and what they switched with. */
static void history_what(struct tool *tool, const json_t *entry, char *buf, size_t size)
{
	const json_t *zones = json_object_get(entry, "zones"), *first = json_array_get(zones, 0);
	int64_t members = reply_number(entry, "members");
	const char *group = reply_text(entry, "group"), *from = reply_text(first, "from"), *to = reply_text(first, "to");
	char name[NAME_TEXT_MAX], count[COUNT_TEXT];

	if (members > 1 && *group)
		snprintf(buf, size, "group %s (%s)", group, terminal_count(members, "zone", count));
	else if (members > 1)
		snprintf(buf, size, "%s and %lld more", names_show(tool, reply_text(first, "zone"), name), (long long)members - 1);
	else if ((*to || *from) && strcmp(from, to) != 0)
		snprintf(buf, size, "%s: %s %s %s", names_show(tool, reply_text(first, "zone"), name), *from ? from : "nothing",
			show_arrow(tool), *to ? to : "nothing");
	else if (*to)
		snprintf(buf, size, "%s: %s", names_show(tool, reply_text(first, "zone"), name), to);
	else
		snprintf(buf, size, "%s", names_show(tool, reply_text(first, "zone"), name));
}

/* The way back, where the daemon told it, and until when it validates. */
static void under_back(struct tool *tool, struct table *t, const json_t *entry)
{
	const char *back = reply_text(entry, "back"), *until = show_first_over(json_object_get(entry, "zones"), "back_signed_until");
	char *command = *back ? show_command(tool, back) : NULL, time[32], text[96];

	if (*back)
		table_under(t, command ? command : back);
	free(command);
	if (!*until)
		return;
	snprintf(text, sizeof text, "the way back %s %s", show_is_over(until) ? "does not validate since" : "validates until",
		terminal_time(until, time));
	table_under(t, text);
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
		under_back(tool, t, entry);
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
	show_put(tool, *by ? by : "?");
	fputs("  ", tool->out);
	terminal_colour(tool, BOLD);
	show_put(tool, reply_text(entry, "kind"));
	terminal_colour(tool, PLAIN);
	fputs("  ", tool->out);
	show_put(tool, what);
	if (reply_number(entry, "members") == 1)
		fprintf(tool->out, ", serial %lld", (long long)reply_number(zone, "to_serial"));
	if (*note) {
		fputs("  (", tool->out);
		show_put(tool, note);
		putc(')', tool->out);
	}
	putc('\n', tool->out);
}

void show_members(struct tool *tool, const json_t *zones)
{
	const json_t *zone;
	size_t i;

	json_array_foreach(zones, i, zone) {
		char buf[NAME_TEXT_MAX];

		show_put(tool, names_show(tool, json_string_value(zone) ? json_string_value(zone) : "", buf));
		putc('\n', tool->out);
	}
}

void show_groups(struct tool *tool, const json_t *groups)
{
	struct table *t = table_new(tool, "GROUP|>ZONES");
	const json_t *group;
	size_t i;

	json_array_foreach(groups, i, group) {
		table_row(t);
		table_cell(t, reply_text(group, "group"), BOLD);
		table_number(t, reply_number(group, "members"));
	}
	table_print(t, "no groups");
}

int show_failed(struct tool *tool, const json_t *reply)
{
	const json_t *failed = json_object_get(reply, "failed"), *one;
	int64_t more = reply_number(reply, "failures") - (int64_t)json_array_size(failed);
	char number[32];
	size_t i;

	if (!json_array_size(failed))
		return STATUS_DONE;
	if (tool->json)
		return STATUS_PART;
	json_array_foreach(failed, i, one) {
		const char *key = *reply_text(one, "file") ? "file" : *reply_text(one, "set") ? "set" : "zone";

		fputs("failed: ", tool->say);
		terminal_put(tool->say, reply_text(one, key));
		fputs(": ", tool->say);
		terminal_put(tool->say, reply_text(json_object_get(one, "error"), "message"));
		putc('\n', tool->say);
	}
	if (more > 0)
		fprintf(tool->say, "... and %s more\n", terminal_number(more, number));
	return STATUS_PART;
}

int show_done(struct tool *tool, json_t *request, const char *done)
{
	json_t *reply;
	int status = session_ask(tool, request, -1, NULL, &reply);

	if (status != STATUS_DONE)
		return status;
	if (!tool_print_json(tool, reply))
		tool_note(tool, "%s", json_object_get(reply, "failed") ? "done, but for these:" : done);
	status = show_failed(tool, reply);
	json_decref(reply);
	return status;
}
