/*
 * Do the NSEC or NSEC3 records of a signed zone prove all that they have to: a
 * closed chain over all names, each with the types that are there (RFC 4035
 * 2.3, RFC 5155 7.1)?
 */
#ifndef ZONE_DENIALS_H
#define ZONE_DENIALS_H

#include "zone/check.h"

struct denials;
/* The view and the reporter are borrowed. NULL: no memory. */
struct denials *denials_new(struct reporter *, const struct view *);
void denials_free(struct denials *);
/* Every owner in canonical order, the apex first, with its NODE_ flags. */
void denials_node(struct denials *, const struct zone_node *, uint16_t flags);
void denials_finish(struct denials *);

#endif
