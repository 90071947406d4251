/*
 * The owners of a view one by one in canonical order, NSEC3's in their place,
 * each with its records as the loader had them.
 */
#ifndef ZONE_OWNERS_H
#define ZONE_OWNERS_H

#include "zone/gather.h"

struct owners {
	const struct view *view;
	struct gather gather;
	struct view_walk names, nsec3s;
	struct found name, nsec3;       /* the next of each; node NULL: none left */
	uint8_t *scratch;
	uint16_t flags;                 /* NODE_: of the name that was given last; NODE_NSEC3 alone: only a proof lies there */
	struct err *err;
};
/* view and reporter are borrowed. -1: no memory (err set); owners_end is due
 * all the same. */
int owners_begin(struct owners *, const struct view *, struct reporter *, struct err *);
/* 1: a node, valid until the next call; 0: the end; -1: failed (err set). Empty
 * non-terminals are given, too, without RRsets. */
int owners_next(struct owners *, struct zone_node **);
void owners_end(struct owners *);

#endif
