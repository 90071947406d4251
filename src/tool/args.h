/*
 * The command line: one row per command, one row per option. Parsing, --help,
 * completion and the man page's check all come from the rows.
 */
#ifndef TOOL_ARGS_H
#define TOOL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

struct tool;
struct args;

struct arg_option {
	const char *name;       /* long, without dashes */
	char letter;            /* short; 0: none */
	const char *value;      /* what its value is called; NULL: it takes none */
	bool many;              /* may stand more than once */
	const char *help;
};

enum {
	ARGS_OPTIONS_FIRST = 1, /* what follows the first argument is no option (rdata may begin with '-') */
	ARGS_HIDDEN = 2,        /* not in the list of commands */
	ARGS_GROUP = 4,         /* --group G may stand instead of the arguments */
	ARGS_GROUP_SET = 8,     /* --group G @SET */
};

struct tool_command {
	const char *name;       /* "zone add" */
	const char *synopsis;   /* behind the name; options aside */
	const char *completes;  /* of its arguments, in order: "zones", "sets", "groups", "files", … "+": the last repeats */
	const char *help;       /* one line */
	const char *more;       /* whole sentences */
	const struct arg_option *options;       /* ends with name NULL; may be NULL */
	unsigned min, max;      /* arguments; max 0 with min 0: none, UINT_MAX: any */
	unsigned flags;
	int (*run)(struct tool *, const struct args *);
};
extern const struct tool_command tool_commands[];       /* ends with name NULL */
extern const struct arg_option args_global[];           /* -s, --json, -q, -h, -V */
extern const struct arg_option args_group_option[];     /* --group, of the commands that take it */

struct arg_value { const struct arg_option *option; const char *value; };
struct args {
	const struct tool_command *command;     /* NULL: none was named */
	const char **arg; size_t count;         /* point into argv */
	struct arg_value *values; size_t value_count;
};

/* Takes argv apart. -1 with err: a mistake in use (the caller exits with 2).
 * args_free in any case. */
int args_parse(struct args *, int argc, char **argv, struct err *);
void args_free(struct args *);
bool args_has(const struct args *, const char *option);
/* The (last) value; NULL: not given. */
const char *args_get(const struct args *, const char *option);

/* The command of this name ("zone add"); NULL: none. */
const struct tool_command *args_command(const char *name);
/* name: "zone add" or "zone" (all of them) or NULL (the list). */
void args_help(FILE *, const char *name);
/* The usage of a command, without newline. */
void args_usage(FILE *, const struct tool_command *);

#endif
