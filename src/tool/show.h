/* Replies as people read them. All print on tool->out unless told otherwise. */
#ifndef TOOL_SHOW_H
#define TOOL_SHOW_H

#include "tool/tool.h"

void show_zones(struct tool *, const json_t *zones);
void show_zone(struct tool *, const json_t *zone);
void show_sets(struct tool *, const json_t *sets);
void show_history(struct tool *, const json_t *entries);
void show_groups(struct tool *, const json_t *groups, bool members);
void show_status(struct tool *, const json_t *reply);
void show_stats(struct tool *, const json_t *reply);
/* The reply of cutover, rollback and confirm; the command back comes last. */
void show_switch(struct tool *, const char *what, const json_t *reply, bool dry_run);
void show_candidates(struct tool *, const json_t *candidates);
/* A row of a diff, as lines of + and -. */
void show_diff_row(struct tool *, const json_t *row);
/* file:line:column: severity: message [rule], on say. */
void show_problem(struct tool *, const json_t *problem);
/* A command that the daemon names, as it must be typed here (with our -s). */
char *show_command(const struct tool *, const char *command, char *buf, size_t size);

#endif
