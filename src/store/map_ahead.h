/*
 * Mapping ahead: of LMDB's map of a file what is in memory goes into the page
 * table, a piece at a time, so that looking at it later is no page fault (some
 * microseconds, on virtual machines tens of them, for 64 KiB each). Inside
 * src/store only.
 */
#ifndef STORE_MAP_AHEAD_H
#define STORE_MAP_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store_env;
struct MDB_txn;

struct map_ahead {              /* begins with zeros; anew where LMDB has mapped the file anew */
	uintptr_t map;          /* where the file is in memory; looked up once, for what does not look cannot meet damage */
	uint64_t at;            /* done up to here */
	uint64_t absent;        /* octets that were passed over, since they are not in memory */
};

#define MAP_PIECE ((size_t)256 << 10)   /* mapped in about 10 µs */

/* How many of the octets from a page's begin on are on pages that are not in
 * memory; at most MAP_PIECE octets. false: not known. */
bool count_absent(const void *page, size_t octets, size_t *absent);

/* Where LMDB has the file in memory. */
int env_find_map(const struct store_env *env, struct MDB_txn *txn, uintptr_t *map, struct err *err);

/* The next piece of what LMDB uses of the file. ask: the kernel is asked to read
 * what is passed over. 1: there is more, 0: done, until the file has grown. */
int env_map_ahead(const struct store_env *env, struct MDB_txn *txn, struct map_ahead *, bool ask, struct err *err);

/* Does so much fit into half of the memory? Else the page table of it is no use. */
bool fits_in_memory(uint64_t octets);

#endif
