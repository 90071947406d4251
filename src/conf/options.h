/* The table of options: private to src/conf and its tests. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "conf/conf.h"

enum option_type {
	OPTION_LISTEN,          /* a list of ADDRESS[@PORT]; struct conf_listen *, size_t */
	OPTION_PREFIXES,        /* a list of PREFIX, which may be empty; struct prefix_list */
	OPTION_PATH,            /* absolute; char * */
	OPTION_NAME,            /* of a user or a group, or null; char * */
	OPTION_TEXT,            /* or null; char * */
	OPTION_WORD,            /* one of words; char * */
	OPTION_COUNT,           /* unsigned */
	OPTION_COUNT16,         /* uint16_t */
	OPTION_SECONDS,         /* unsigned */
	OPTION_SIZE,            /* octets, with a unit; uint64_t */
	OPTION_BOOLEAN,         /* bool */
};

struct option_row {
	const char *name;
	enum option_type type;
	size_t offset;                  /* in struct conf */
	uint64_t min, max;              /* of numbers; max also the length of texts and paths */
	const char *words;              /* "a|b|c" for OPTION_WORD; "auto" where a number may be that */
	const char *initial;            /* as it would stand in the file; NULL: null */
	const char *help;               /* whole sentences, without mdoc */
};
extern const struct option_row option_rows[];      /* ends with name NULL */
const struct option_row *option_find(const char *name);

/* One scalar into its place. plain: it stood without quotes (a quoted "2" is
 * a text, not a number). Returns -1 with what is allowed in err (no place in
 * it). Lists: appends. */
int option_set(struct conf *, const struct option_row *, const char *text, bool plain, struct err *);
bool option_is_list(const struct option_row *);
/* What is allowed, for messages and the man page: "a number from 1 to 64". */
const char *option_allowed(const struct option_row *, char *buf, size_t size);
/* The value as it is written in the file, with newline. */
void option_print(const struct conf *, const struct option_row *, FILE *);
/* The nearest name in the table, for "did you mean"; NULL: none is near. */
const char *option_nearest(const char *name);

#endif
