#include "tool/table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

#define UNDER_INDENT 4

struct row {
	char *note;             /* in the last column, or under the row */
	char *under[UNDER_MAX]; /* always under it */
};

struct table {
	struct tool *tool;
	struct libscols_table *t;
	struct libscols_line *line;
	size_t column, columns;
	char note_name[64];     /* of the last column; "": there is no such one */
	struct row *row;
	size_t rows, room;
};

/* Long texts are ours to place: the library breaks them within words. */
static void add_column(struct table *table, const char *text, size_t n)
{
	char name[64];

	if (*text == '~') {
		snprintf(table->note_name, sizeof table->note_name, "%.*s", (int)(n - 1), text + 1);
		return;
	}
	snprintf(name, sizeof name, "%.*s", (int)(n - (*text == '>')), text + (*text == '>'));
	scols_table_new_column(table->t, name, 0, *text == '>' ? SCOLS_FL_RIGHT : 0);
	table->columns++;
}

struct table *table_new(struct tool *tool, const char *columns)
{
	struct table *table = calloc(1, sizeof *table);

	if (!table || !(table->t = scols_new_table())) {
		free(table);
		return NULL;
	}
	table->tool = tool;
	scols_table_enable_colors(table->t, tool->colour);
	scols_table_set_termforce(table->t, SCOLS_TERMFORCE_NEVER);
	while (*columns) {
		size_t n = strcspn(columns, "|");

		add_column(table, columns, n);
		columns += n + (columns[n] == '|');
	}
	return table;
}

void table_row(struct table *table)
{
	if (!table)
		return;
	table->line = NULL;
	if (table->rows == table->room) {
		size_t room = table->room ? table->room * 2 : 64;
		struct row *more = realloc(table->row, room * sizeof *more);

		if (!more)
			return;
		table->row = more;
		table->room = room;
	}
	table->line = scols_table_new_line(table->t, NULL);
	if (table->line)
		table->row[table->rows++] = (struct row){ .note = NULL };
	table->column = 0;
}

void table_cell(struct table *table, const char *text, enum colour colour)
{
	static const char *const names[] = { NULL, "bold", "\033[2m", "red", "green", "yellow" };

	if (!table || !table->line)
		return;
	if (table->column == table->columns) {
		table->row[table->rows - 1].note = strdup(text);
		return;
	}
	scols_line_set_data(table->line, table->column, *text ? text : "-");
	if (names[colour])
		scols_cell_set_color(scols_line_get_cell(table->line, table->column), names[colour]);
	table->column++;
}

void table_number(struct table *table, int64_t v)
{
	char buf[32];

	table_cell(table, terminal_number(v, buf), PLAIN);
}

void table_under(struct table *table, const char *text)
{
	for (size_t i = 0; table && table->line && i < UNDER_MAX; i++)
		if (!table->row[table->rows - 1].under[i]) {
			table->row[table->rows - 1].under[i] = strdup(text);
			return;
		}
}

/* ---- printing ------------------------------------------------------------------ */

/* What n octets take on the terminal; colours take nothing. */
static size_t width(const char *text, size_t n)
{
	mbstate_t state = { 0 };
	size_t columns = 0;

	while (n) {
		size_t octets, sequence = *text == '\033' ? strcspn(text, "m") + 1 : 0;
		wchar_t c;
		int w;

		if (sequence && sequence <= n) {
			text += sequence;
			n -= sequence;
			continue;
		}
		octets = mbrtowc(&c, text, n, &state);
		if (octets == 0 || octets > n) {
			octets = 1;
			memset(&state, 0, sizeof state);
			w = 1;
		} else
			w = wcwidth(c);
		columns += w > 0 ? (size_t)w : 0;
		text += octets;
		n -= octets;
	}
	return columns;
}

/* 0: a pipe or a file: whole lines, whatever the terminal behind. */
static size_t terminal_columns(const struct tool *tool)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (!tool->terminal)
		return 0;
	if (ioctl(fileno(tool->out), TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	return columns && atoi(columns) > 0 ? (size_t)atoi(columns) : 80;
}

static size_t line_octets(const char *text)
{
	size_t n = strcspn(text, "\n");

	while (n && text[n - 1] == ' ')
		n--;
	return n;
}

static void put_octets(FILE *out, const char *text, size_t n)
{
	fwrite(text, 1, n, out);
}

/* By whole words where they fit. */
static void put_under(struct tool *tool, const char *text, size_t columns)
{
	size_t at = 0;

	while (*text) {
		size_t blanks = strspn(text, " "), n = strcspn(text + blanks, " "), w = width(text + blanks, n);
		char word[4096];

		if (at && columns && at + 1 + w > columns) {
			putc('\n', tool->out);
			at = 0;
		}
		at += (size_t)fprintf(tool->out, "%*s", at ? 1 : UNDER_INDENT, "") + w;
		snprintf(word, sizeof word, "%.*s", (int)n, text + blanks);
		terminal_put_line(tool->out, word);
		text += blanks + n;
	}
	putc('\n', tool->out);
}

/* Does every note fit behind its row, and their heading? */
static bool notes_fit(const struct table *table, size_t body, size_t columns)
{
	if (columns && body + 1 + strlen(table->note_name) > columns)
		return false;
	for (size_t i = 0; columns && i < table->rows; i++)
		if (table->row[i].note && body + 1 + width(table->row[i].note, strlen(table->row[i].note)) > columns)
			return false;
	return true;
}

static void print_line(struct table *table, const char *text, const char *note, size_t body)
{
	FILE *out = table->tool->out;
	size_t n = line_octets(text);

	put_octets(out, text, n);
	if (note && *note) {
		fprintf(out, "%*s", (int)(body + 1 - width(text, n)), "");
		terminal_put_line(out, note);
	}
	putc('\n', out);
}

/* text: what the library made: the headings, then a line a row. */
static void print_lines(struct table *table, const char *text)
{
	size_t columns = terminal_columns(table->tool), body = 0;
	bool beside;

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t w = width(p, line_octets(p));

		body = w > body ? w : body;
	}
	beside = *table->note_name && notes_fit(table, body, columns);
	print_line(table, text, beside ? table->note_name : NULL, body);
	for (size_t i = 0; i < table->rows; i++) {
		const struct row *row = &table->row[i];

		text += strcspn(text, "\n");
		text += *text == '\n';
		print_line(table, text, beside ? row->note && *row->note ? row->note : "-" : NULL, body);
		if (!beside && row->note && *row->note)
			put_under(table->tool, row->note, columns);
		for (size_t k = 0; k < UNDER_MAX && row->under[k]; k++)
			put_under(table->tool, row->under[k], 0);       /* to be pasted: no break of ours */
	}
}

void table_print(struct table *table, const char *none)
{
	char *text = NULL;

	if (!table)
		return;
	if (table->rows && scols_print_table_to_string(table->t, &text) == 0 && text)
		print_lines(table, text);
	else if (none)
		tool_note(table->tool, "%s", none);
	free(text);
	for (size_t i = 0; i < table->rows; i++) {
		free(table->row[i].note);
		for (size_t k = 0; k < UNDER_MAX; k++)
			free(table->row[i].under[k]);
	}
	free(table->row);
	scols_unref_table(table->t);
	free(table);
}
