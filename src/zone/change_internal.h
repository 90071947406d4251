/*
 * A change of a set, from its text to the delta image: what its steps share.
 * Known to src/zone/change*.c only.
 *
 *   change_read.c     the text: which owners are touched, and what each shall hold
 *   change_touched.c  the owners that are touched
 *   change_after.c    the set as it will be
 *   change_check.c    what the rules say of that; what stays as it was is touched no more
 *   change_write.c    the nodes that have to be written anew
 */
#ifndef ZONE_CHANGE_INTERNAL_H
#define ZONE_CHANGE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "zone/check.h"
#include "zone/gather.h"
#include "zone/load.h"
#include "zone/parse.h"
#include "zone/records.h"
#include "zone/sort.h"

struct change_record {
	const uint8_t *rdata;
	struct place place;
	uint32_t ttl;
	uint16_t type, size;
};

/* An owner that was named, with what it shall hold. */
struct touched {
	const uint8_t *owner;   /* relative, case as it came */
	size_t size;
	struct change_record *records;
	size_t count, space;
	struct found old;
	uint16_t *replaced; size_t replaced_count;  /* types that `replace` has emptied once */
};

/* An owner whose node may have to be written anew. */
struct affected { const uint8_t *owner; size_t size; };

struct change {
	const struct change_request *request;
	struct change_result *result;
	const struct view *base;
	struct reporter reporter, silent;
	struct parser *parser;
	struct sorter *sorter;          /* whole: owns the records */
	struct checker *checker;
	struct gather gather;
	struct arena arena;
	uint8_t *scratch;
	uint32_t default_ttl;
	struct touched *touched; size_t count, space;
	uint32_t *slots; size_t slot_space;         /* by name, of indices + 1, while lines are read */
	struct affected *affected; size_t affected_count, affected_space;
	struct image_builder *builder;
	struct touched *into;           /* while records are taken over */
	struct err *err;
};

/* ---- change_read.c --------------------------------------------------- */

/* ERR_SIGNED: what, and where it can be done. */
int change_refuse_signed(struct change *c, const char *what);
const char *change_file_of(struct change *c, const struct place *place);
/* Lines of changes, and a whole text: into what is touched. The latter comes in
 * canonical order. */
int change_read_lines(struct change *c);
int change_read_whole(struct change *c);

/* ---- change_touched.c ------------------------------------------------ */

/* -1, always. */
int change_no_memory(struct change *c);
/* rdata is copied, unless it lives as long as the change. */
int touched_add(struct change *c, struct touched *t, uint16_t type, uint32_t ttl, const uint8_t *rdata, uint16_t size,
	bool copy, const struct place *place);
/* A relative name to keep; never of no octets, so that it has an address. */
const uint8_t *change_keep_owner(struct change *c, const uint8_t *owner, size_t size);
/* One that is not there yet, without records; NULL: no memory. */
struct touched *touched_new(struct change *c, const uint8_t *owner, size_t size);
/* The touched owner of this name; where it is new, with the records that it has
 * now. NULL: err is set. */
struct touched *touched_of(struct change *c, const uint8_t *owner, size_t size);
/* For qsort: into canonical order. */
int touched_compare(const void *x, const void *y);
/* The first touched name at or behind this one. */
size_t touched_from(const struct change *c, const uint8_t *owner, size_t size);
/* NULL: that name is not touched. Needs the canonical order, as touched_from does. */
const struct touched *touched_find(const struct change *c, const uint8_t *owner, size_t size);
bool touched_has(const struct touched *t, uint16_t type);

/* ---- change_after.c -------------------------------------------------- */

/* Does this name hold the type once the change is done? Names are relative. */
bool after_has(const struct change *c, const uint8_t *owner, size_t size, uint16_t type);
/* Is there data below this name once the change is done? */
bool after_has_below(const struct change *c, const uint8_t *owner, size_t size);
/* … also as an empty non-terminal. */
bool after_exists(const struct change *c, const uint8_t *owner, size_t size);
/* Did it occlude what lies below it? */
bool before_occludes(const struct touched *t);
/* The topmost name above that occludes this one; NULL: none. */
const uint8_t *after_occluded_by(const struct change *c, const uint8_t *owner, size_t size, size_t *top_size);
/* NODE_WILD_CHILD and NODE_OCCLUDED as they will be. */
uint16_t after_flags(const struct change *c, const uint8_t *owner, size_t size);
/* Is what was gathered what the view has? */
bool change_same_node(struct change *c, const struct zone_node *n, struct found old);
/* RRsets that were gathered and differ, and those that are gone. */
unsigned change_count_changed(struct change *c, const struct zone_node *n, struct found old);
/* What a touched owner shall hold, into the gather. */
int change_gather(struct change *c, const struct touched *t);

/* ---- change_check.c -------------------------------------------------- */

/* Every owner by itself through the rules (of a whole text also in its
 * place); only those that are not as they were stay touched. */
int change_check_and_prune(struct change *c);
/* The rules that look beyond an owner: what lies above and below it, and the
 * addresses of name servers. */
void change_check_around(struct change *c, const struct touched *t);

/* ---- change_write.c -------------------------------------------------- */

/* Owners whose node may have to be written anew, in canonical order. */
int change_find_affected(struct change *c);
int change_write_delta(struct change *c);

#endif
