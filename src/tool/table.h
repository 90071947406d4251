/* Tables for people, by libsmartcols. */
#ifndef TOOL_TABLE_H
#define TOOL_TABLE_H

#include "tool/terminal.h"

struct table;
/* columns: "ZONE|LIVE|>SERIAL|~NOTE"; '>': to the right, '~' (the last one
 * only): under the row where the terminal has no room for it. */
struct table *table_new(struct tool *, const char *columns);
void table_row(struct table *);
/* The next cell of the row; "" is shown as "-". */
void table_cell(struct table *, const char *text, enum colour);
void table_number(struct table *, int64_t);
/* A line of its own under the row, at most UNDER_MAX. */
#define UNDER_MAX 3
void table_under(struct table *, const char *text);
/* Prints on tool->out, and frees. With no rows: says none, if there is a text. */
void table_print(struct table *, const char *none);

#endif
