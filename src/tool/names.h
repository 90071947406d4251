/* Names of zones and sets as people write and read them. */
#ifndef TOOL_NAMES_H
#define TOOL_NAMES_H

#include "tool/tool.h"

#define NAME_TEXT_MAX 1100      /* a name of 255 octets, each as \DDD, and a set */

/* A zone as typed → as the protocol has it: A-labels, lower case, no final
 * dot. -1 with err. buf of NAME_TEXT_MAX. */
int names_zone(const char *typed, char *buf, struct err *);
/* ZONE@SET, ZONE or (with zone given) @SET. need_set: an error without one. */
int names_set(const char *typed, const char *zone, bool need_set, char *buf, struct err *);
/* The parts of ZONE[@SET]: set is "" where there is none. */
void names_split(const char *text, char *zone, char set[64]);
/* As it is shown: U-labels where the terminal can. */
const char *names_show(const struct tool *, const char *zone, char *buf);
/* Arguments → a JSON array of zones, or of sets; NULL: told, *status set. */
json_t *names_zones(struct tool *, const char *const *arg, size_t count, int *status);
json_t *names_sets(struct tool *, const char *const *arg, size_t count, int *status);
/* As above with --group expanded, for commands whose request has no group. */
json_t *names_zones_or_group(struct tool *, const struct args *, int *status);
json_t *names_sets_or_group(struct tool *, const struct args *, int *status);
/* @SET of --group G @SET, without the @; NULL: told. */
const char *names_group_set(struct tool *, const struct args *);

#endif
