#include "tool/table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

struct table {
	struct tool *tool;
	struct libscols_table *t;
	struct libscols_line *line;
	size_t column;
};

struct table *table_new(struct tool *tool, const char *columns)
{
	struct table *table = calloc(1, sizeof *table);

	if (!table || !(table->t = scols_new_table())) {
		free(table);
		return NULL;
	}
	table->tool = tool;
	scols_table_set_stream(table->t, tool->out);
	scols_table_enable_colors(table->t, tool->colour);
	/* a pipe gets whole lines, whatever the width of the terminal behind */
	if (!tool->terminal)
		scols_table_set_termforce(table->t, SCOLS_TERMFORCE_NEVER);
	while (*columns) {
		size_t n = strcspn(columns, "|");
		char name[32];
		int flags = *columns == '>' ? SCOLS_FL_RIGHT : *columns == '~' ? SCOLS_FL_WRAP : 0;
		size_t skip = flags != 0;

		snprintf(name, sizeof name, "%.*s", (int)(n - skip), columns + skip);
		scols_table_new_column(table->t, name, 0, flags);
		columns += n + (columns[n] == '|');
	}
	return table;
}

void table_row(struct table *table)
{
	if (!table)
		return;
	table->line = scols_table_new_line(table->t, NULL);
	table->column = 0;
}

void table_cell(struct table *table, const char *text, enum colour colour)
{
	static const char *const names[] = { NULL, "bold", "darkgray", "red", "green", "yellow" };

	if (!table || !table->line)
		return;
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

void table_print(struct table *table, const char *none)
{
	if (!table)
		return;
	if (scols_table_get_nlines(table->t))
		scols_print_table(table->t);
	else if (none)
		tool_note(table->tool, "%s", none);
	scols_unref_table(table->t);
	free(table);
}
