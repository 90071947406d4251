/* Files that the tool opens for the daemon. */
#ifndef TOOL_FILES_H
#define TOOL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A file to read from, or "-". *size: its length, -1 where there is none (a
 * pipe). -1 with err: a directory, no permission, … */
int files_open(const char *path, int64_t *size, struct err *);

/* Where $INCLUDE looks: the directory of a zone file. */
struct files_base { int dir; bool anywhere; char text[256]; };
/* path "-": the current directory. */
int files_base_open(struct files_base *, const char *path, bool anywhere, struct err *);
void files_base_close(struct files_base *);
/* name as the zone file has it. What leaves the directory, by "..", by an
 * absolute name or by a symbolic link, is refused unless anywhere. Only
 * regular files. -1 with err. */
int files_open_below(const struct files_base *, const char *name, struct err *);

/* The names of all NAME.zone in a directory, sorted; malloc'd. */
struct files_list { char **name; size_t count; };
int files_list(const struct files_base *, struct files_list *, struct err *);
void files_list_free(struct files_list *);

#endif
