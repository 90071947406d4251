/* The file format of LMDB 0.9, as far as we look at it ourselves (mdb.c:
 * MDB_page, MDB_node, MDB_db, MDB_meta); in the machine's own byte order. */
#ifndef STORE_LMDB_FORMAT_H
#define STORE_LMDB_FORMAT_H

#include <stdint.h>

#define LMDB_MAGIC   UINT32_C(0xbeefc0de)
#define LMDB_VERSION 1
#define LMDB_META_PAGES 2       /* the first ones */
#define LMDB_NO_PAGE UINT64_MAX /* root of an empty tree */
#define LMDB_PAGE_MIN 256
#define LMDB_PAGE_MAX 65536

enum { LMDB_BRANCH = 0x01, LMDB_LEAF = 0x02, LMDB_OVERFLOW = 0x04 };    /* kinds of pages */
enum { LMDB_BIG = 0x01, LMDB_TABLE = 0x02 };                            /* of a leaf's values */

/* lower, upper: of the free space between the nodes' places and the nodes; count: pages of a long value. */
struct lmdb_page { uint64_t number; uint16_t pad, flags; union { struct { uint16_t lower, upper; } bound; uint32_t count; } u; };
/* Of a leaf low and high are the value's size, of a branch, with flags, the page below. */
struct lmdb_node { uint16_t low, high, flags, key_size; };
struct lmdb_table { uint32_t pad; uint16_t flags, depth; uint64_t branches, leaves, overflows, entries, root; };
/* Behind the page's head. table: of free pages (its pad is the size of a page), of tables. */
struct lmdb_meta { uint32_t magic, version; uint64_t address, map_size; struct lmdb_table table[2]; uint64_t last_page, txn; };

_Static_assert(sizeof(struct lmdb_page) == 16 && sizeof(struct lmdb_node) == 8, "as LMDB has them");
_Static_assert(sizeof(struct lmdb_table) == 48 && sizeof(struct lmdb_meta) == 136, "as LMDB has them");

#endif
