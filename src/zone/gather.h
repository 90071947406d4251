/*
 * The records of one owner become RRsets: grouped by type, RRSIGs beside what
 * they cover, sorted, each record once, one TTL a set.
 */
#ifndef ZONE_GATHER_H
#define ZONE_GATHER_H

#include "base/arena.h"
#include "zone/check.h"

struct gathered;
struct gather {
	struct arena arena;
	struct gathered *records;
	size_t count, space;
	struct zone_node node;
	/* set by the owner of the struct, once */
	struct reporter *reporter;
	const uint8_t *apex; size_t apex_size;
	const char *(*file_name)(void *, unsigned); void *arg;
	bool drop_too_large;
};

/* A new owner (relative); what was gathered before is forgotten. */
void gather_begin(struct gather *, const uint8_t *owner, size_t owner_size);
/* rdata is copied if copy, else must outlive the use of the node. */
int gather_add(struct gather *, uint16_t type, uint32_t ttl, const uint8_t *rdata, uint16_t size, bool copy,
	const struct place *, struct err *);
/* The node: gather->node. RRsets that fit into no message are left out. */
int gather_finish(struct gather *, struct err *);
/* The node in the builder's form, valid until the next gather_begin. */
const struct build_rrset *gather_build(struct gather *, struct err *);
void gather_free(struct gather *);

#endif
