/*
 * The rules of a zone as a whole, looked at owner by owner: for the loader,
 * for changes, and for `schwenk check`.
 */
#ifndef ZONE_CHECK_H
#define ZONE_CHECK_H

#include "zone/rules.h"

struct place { uint32_t line; uint16_t file, column; };   /* line 0: unknown */

struct node_rrset {
	uint16_t type;
	uint32_t ttl;
	struct build_record *records; struct place *places; uint32_t count;
	struct build_record *sigs; struct place *sig_places; uint32_t sig_count;
};
/* One owner with all it owns; the checker may take records out of it. */
struct zone_node {
	uint8_t owner[NAME_MAX_SIZE]; size_t owner_size;   /* relative, case as it came */
	struct node_rrset *rrsets; unsigned count;         /* types ascending; RRSIG: those that cover nothing */
};

struct checker;
/* file_name: of a place. drops: a bit for each rule_id. */
struct checker *checker_new(struct reporter *, const uint8_t *apex, size_t apex_size, uint64_t drops,
	const char *(*file_name)(void *, unsigned file), void *arg);
void checker_free(struct checker *);
/* First of all: every NS record, in any order. -1: no memory. */
int checker_ns(struct checker *, bool at_apex, const uint8_t *target, const struct place *);
/* Then every node in canonical order, the apex first. -1: no memory. */
int checker_node(struct checker *, struct zone_node *);
/* Then what is only known at the end. */
void checker_finish(struct checker *);

/* Does a relative name lie below another, and is not that name itself? */
bool relative_is_below(const uint8_t *name, size_t size, const uint8_t *top, size_t top_size);
/* What one owner by itself must obey; used by checker_node, and for changes. */
void check_owner(struct checker *, struct zone_node *);

#endif
