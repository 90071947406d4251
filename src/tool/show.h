/* Replies as people read them. All print on tool->out unless told otherwise. */
#ifndef TOOL_SHOW_H
#define TOOL_SHOW_H

#include "tool/tool.h"

void show_zones(struct tool *, const json_t *zones);
void show_zone(struct tool *, const json_t *zone);
void show_sets(struct tool *, const json_t *sets);
void show_history(struct tool *, const json_t *entries);
/* One entry on a line of its own: more may come later. */
void show_followed(struct tool *, const json_t *entry);
void show_groups(struct tool *, const json_t *groups);
void show_members(struct tool *, const json_t *zones);
void show_status(struct tool *, const json_t *reply);
void show_stats(struct tool *, const json_t *reply);
/* "3 spare SOAs left"; spares: as replies have it, null or absent: "". */
char *show_spares(const json_t *spares, char buf[96]);
/* Until when an object of a reply is signed, by that key of it, and how many
 * spare SOAs are left. */
char *show_signing(const json_t *object, const char *until_key, const char *spares_key, char buf[200]);
void show_signed_warnings(struct tool *, const char *what, const json_t *zone);
/* The reply of cutover, rollback and confirm; the command back comes last. */
void show_switch(struct tool *, const char *what, const json_t *reply, bool dry_run);
void show_candidates(struct tool *, const json_t *candidates);
/* A row of a diff, as lines of + and -. */
void show_diff_row(struct tool *, const json_t *row);
void show_diff_counts(struct tool *, const json_t *reply);
/* Both, of a reply that has the rows itself. */
void show_diff(struct tool *, const json_t *reply);
/* file:line:column: severity: message [rule]. */
void show_problem(struct tool *, FILE *, const json_t *problem);
/* What "failed" of a reply says could not be done, if anything; with --json it
 * is said already. STATUS_DONE or STATUS_PART. */
int show_failed(struct tool *, const json_t *reply);
/* Sends a request whose reply has nothing to show but what failed: prints it, or
 * notes that it is done. The status. */
int show_done(struct tool *, json_t *request, const char *done);
/* A command that the daemon names, as it can be pasted here: with our -s, and
 * each word quoted where the shell needs it. malloc'd; NULL: no memory. */
char *show_command(const struct tool *, const char *command);

#endif
