/* What the files show*.c share. */
#ifndef TOOL_SHOW_PARTS_H
#define TOOL_SHOW_PARTS_H

#include "tool/show.h"
#include "tool/table.h"
#include "tool/terminal.h"

const char *show_arrow(const struct tool *);
/* On out: text that does not steer the terminal; a command as show_command
 * has it; "LABEL  VALUE", nothing without a value. */
void show_put(struct tool *, const char *text);
void show_put_command(struct tool *, const char *command);
void show_line(struct tool *, const char *label, const char *value);
/* "signed until TIME", or that it is over; until: RFC 3339, "" for what is not
 * signed: then "". Of several the first that is over. */
char *show_until(const char *until, char buf[96]);
bool show_is_over(const char *until);
const char *show_first_over(const json_t *zones, const char *key);
/* A cell with the object's "zone". */
void show_cell_zone(struct tool *, struct table *, const json_t *object);

#endif
