/*
 * What the tool's parts share. main.c owns struct tool.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "control/client.h"
#include "tool/args.h"

/* What the tool ends with. */
enum {
	STATUS_DONE = 0,        /* and visible to every client */
	STATUS_REFUSED = 1,     /* or failed; nothing changed */
	STATUS_USAGE = 2,
	STATUS_NO_DAEMON = 3,
	STATUS_UNKNOWN = 4,     /* timed out, or connection lost after a change was sent */
	STATUS_PART = 5,        /* what is not done is named */
};

struct progress_bar {
	int64_t started_us, drawn_us;
	bool visible;
};

struct tool {
	const char *socket;
	bool socket_given;      /* by -s: then the commands that we print name it, too */
	bool json, quiet;
	FILE *out, *say;        /* results; everything else */
	bool terminal;          /* out is one */
	bool colour;            /* on out */
	bool utf8;              /* out is a terminal that shows it */
	bool bar;               /* say is a terminal */
	struct progress_bar progress;
	struct control_client *client;
	json_t *problems;       /* told while the request ran; NULL: none */
	char socket_text[128];
};

/* The whole tool: what main() does. */
int tool_main(int argc, char **argv);
/* The same on a struct tool that is set up (tests). */
int tool_run(struct tool *, const struct args *);

/* What is refused as a bad request is a mistake in use, whoever found it, we or
 * the daemon: STATUS_USAGE. */
int tool_status(int status, const char *code);
/* Tells an error: on say, with --json as an object on out. Gives the status
 * back, as above. */
int tool_error(struct tool *, int status, const struct err *);
int tool_fail(struct tool *, int status, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A line for people; nothing with -q or --json. */
void tool_note(struct tool *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* With --json: prints the reply ("v" and the problems put in), gives true. */
bool tool_print_json(struct tool *, const json_t *reply);

/* ---- commands, by file ------------------------------------------------------ */
int command_status(struct tool *, const struct args *);         /* cmd_admin.c */
int command_group(struct tool *, const struct args *);
int command_group_list(struct tool *, const struct args *);
int command_backup(struct tool *, const struct args *);
int command_fsck(struct tool *, const struct args *);
int command_stats(struct tool *, const struct args *);
int command_reload(struct tool *, const struct args *);
int command_stop(struct tool *, const struct args *);
int command_complete(struct tool *, const struct args *);
int command_zones(struct tool *, const struct args *);          /* cmd_zones.c */
int command_zone_show(struct tool *, const struct args *);
int command_zone_add(struct tool *, const struct args *);
int command_zone_set(struct tool *, const struct args *);
int command_zone_remove(struct tool *, const struct args *);
int command_serial(struct tool *, const struct args *);
int command_sets(struct tool *, const struct args *);           /* cmd_sets.c */
int command_copy(struct tool *, const struct args *);
int command_drop(struct tool *, const struct args *);
int command_check(struct tool *, const struct args *);
int command_diff(struct tool *, const struct args *);
int command_export(struct tool *, const struct args *);
int command_import(struct tool *, const struct args *);         /* cmd_import.c */
int command_record(struct tool *, const struct args *);         /* cmd_edit.c */
int command_record_apply(struct tool *, const struct args *);
int command_edit(struct tool *, const struct args *);
int command_cutover(struct tool *, const struct args *);        /* cmd_switch.c */
int command_rollback(struct tool *, const struct args *);
int command_confirm(struct tool *, const struct args *);
int command_history(struct tool *, const struct args *);

#endif
