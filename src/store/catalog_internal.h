/* What the catalog's files share: a transaction, its tables, its rows. */
#ifndef STORE_CATALOG_INTERNAL_H
#define STORE_CATALOG_INTERNAL_H

#include "store/catalog.h"
#include "store/catalog_rows.h"
#include "store/env.h"
#include "store/key.h"

#define CHANGED_KEEP      1000  /* generations that can be followed row by row */
#define CHANGED_PER_ROW   100
#define CHANGED_ROWS_MAX  41    /* of one generation; more zones: one empty row, "all of them" */

struct changed_zone { uint64_t zone, hash; };

/* The history entry that is being written. */
struct history_writer {
	bool open;
	struct history_row row;
	uint32_t chunk;         /* number of the chunk in buf */
	uint8_t buf[ROW_MAX];
	size_t used;
};

struct catalog_txn {
	MDB_txn *txn;
	struct store_env *env;
	struct store_writer *writer;    /* NULL: read-only */
	struct meta_row meta;
	bool dirty;             /* something was put or deleted */
	bool failed;            /* a write failed half-way: must not be committed */
	bool served;            /* what is served changed */
	struct changed_zone *changed;
	size_t changed_count, changed_capacity;
	struct history_writer history;
};

/* ---- catalog.c: rows by table ---- */

/* 1 found, 0 not, -1 failed. value is valid until the next write. */
int table_get(struct catalog_txn *, enum catalog_table, const void *key, size_t size, MDB_val *value, struct err *);
/* A failure marks the transaction failed. flags: LMDB's. */
int table_put(struct catalog_txn *, enum catalog_table, const void *key, size_t size, const void *value, size_t value_size,
	unsigned flags, struct err *);
/* Absent rows are no error. */
int table_delete(struct catalog_txn *, enum catalog_table, const void *key, size_t size, struct err *);
int table_cursor(struct catalog_txn *, enum catalog_table, MDB_cursor **, struct err *);
/* All keys that begin with prefix, in order, stepping with rc; use:
 * for (rc = prefix_first(…); rc == 1; rc = prefix_next(…)). -1: failed. */
int prefix_first(struct catalog_txn *, MDB_cursor *, const void *prefix, size_t size, MDB_val *key, MDB_val *value, struct err *);
int prefix_next(struct catalog_txn *, MDB_cursor *, const void *prefix, size_t size, MDB_val *key, MDB_val *value, struct err *);
/* The be64 at `at` of all keys that begin with the id prefix, as a malloc'd list. */
int prefix_ids(struct catalog_txn *, enum catalog_table, uint64_t prefix, size_t at, uint64_t **ids, size_t *count, struct err *);

int catalog_read_meta(struct catalog_txn *, struct err *);
int catalog_write_meta(struct catalog_txn *, struct err *);
void key_u64(uint8_t key[8], uint64_t id);
void key_u64_u64(uint8_t key[16], uint64_t a, uint64_t b);

/* ---- catalog_zone.c ---- */
int zone_put(struct catalog_txn *, const struct zone_row *, struct err *);
/* The zone's row will have changed what is served: readers look it up anew. */
int zone_touch(struct catalog_txn *, const struct zone_row *, struct err *);
/* The zones of the keys (prefix, zone, …), each once, those with ids > after;
 * size: of the prefix, at most 8. */
int zones_by_id(struct catalog_txn *, enum catalog_table, const void *prefix, size_t size, uint64_t after,
	int (*each)(void *, const struct zone_row *), void *arg, struct err *);

/* ---- catalog_set.c ---- */
int set_put(struct catalog_txn *, const struct set_row *, struct err *);
/* A row of an id by itself: the image's set, a garbage image's set, a set that is
 * loading. */
int id_put(struct catalog_txn *, enum catalog_table, uint64_t id, uint64_t value, struct err *);
/* To DROPPING: its images become garbage; without images the row goes. */
int set_discard(struct catalog_txn *, struct set_row *, struct err *);
/* NULL, or what the set is in use for. */
const char *set_use(struct catalog_txn *, const struct zone_row *, const struct set_row *, struct err *);
/* Of the auto-named sets only the newest two stay, and what is in use. */
int sets_thin(struct catalog_txn *, const struct zone_row *, struct err *);

/* ---- catalog_edition.c ---- */
int edition_get(struct catalog_txn *, struct set_at, struct edition_row *, struct err *);
/* The row of the set's newest edition. */
int edition_put(struct catalog_txn *, const struct set_row *, struct err *);
/* The edition rows of a set, but for those that keep says yes to. */
int editions_delete(struct catalog_txn *, uint64_t set, bool (*keep)(const void *, uint32_t), const void *arg, struct err *);

/* ---- catalog_history.c ---- */
int history_get(struct catalog_txn *, uint64_t id, struct history_row *, struct err *);
int history_put(struct catalog_txn *, const struct history_row *, struct err *);
/* Opens a new entry, or goes on with append_to or with an open one of the same
 * command (same kind, who and note); then members; then end. */
int history_begin(struct catalog_txn *, enum switch_kind, const struct who *, const char *group, const char *note,
	int64_t at_us, uint64_t append_to, struct err *);
int history_add(struct catalog_txn *, const struct history_member *, bool held, struct err *);
/* The zone's name was that of another one before, which was removed. */
#define FORMER_ENTRY 0          /* in place of an entry's id, of which none is 0 */
int history_put_former(struct catalog_txn *, uint64_t zone, uint64_t former, struct err *);
int history_end(struct catalog_txn *, struct err *);
/* 1 found, 0 not, -1 failed. */
int history_member_of(struct catalog_txn *, uint64_t id, uint64_t zone, struct history_member *, struct err *);

/* ---- catalog_hold.c: the ways back of held switches ---- */
int held_add(struct catalog_txn *, uint64_t zone, uint64_t switch_id, struct set_at from, bool group, struct err *);
/* A further switch of the zone: the holds of its own end; those of groups stay. */
int held_supersede(struct catalog_txn *, uint64_t zone, struct err *);
/* Confirmed or taken back by itself: the same, and the groups' ones count it. */
int held_close(struct catalog_txn *, uint64_t zone, struct err *);
/* The switch is over for all its members. */
int held_end(struct catalog_txn *, uint64_t switch_id, struct err *);
/* The group was switched again: members still held by this switch are so each
 * by itself. After the zones were moved. */
int held_part(struct catalog_txn *, uint64_t switch_id, struct err *);
/* The zone is removed. */
int held_forget_zone(struct catalog_txn *, uint64_t zone, struct err *);
/* 1: some held switch of the zone would return to the set; 0; -1. */
int held_names(struct catalog_txn *, uint64_t zone, uint64_t set, struct err *);

/* ---- catalog_serial.c ---- */
/* The serial that the item will be served with, and out of which SOA; then what
 * comes of the next ones. set_name: for messages. */
int serial_decide(struct catalog_txn *, const struct switch_request *, const struct zone_row *, const struct edition_row *to,
	const char *set_name, struct switch_result_item *, struct err *);

/* ---- catalog_spare.c ---- */
#define SPARE_KEY_SIZE 16       /* of T_SPARE; the value of T_IMAGE for its image */
/* The spare SOA of exactly this serial; or the lowest that is ahead of after
 * (known: else the lowest of all). 1 found, 0 not, -1. */
int spare_find(struct catalog_txn *, struct set_at, uint32_t serial, struct spare *, struct err *);
int spare_ahead(struct catalog_txn *, struct set_at, bool known, uint32_t after, struct spare *, struct err *);
/* How many are ahead. -1: failed. */
int spare_count(struct catalog_txn *, struct set_at, bool known, uint32_t after, uint32_t *count, struct err *);
/* The spares of the editions that keep says no to become garbage. */
int spares_discard(struct catalog_txn *, uint64_t set, bool (*keep)(const void *, uint32_t), const void *arg, struct err *);
/* Puts one row, and that of its image. */
int spare_put(struct catalog_txn *, struct set_at, const struct spare *, struct err *);

/* ---- catalog_keys.c ---- */
/* Fills item->signed_until, back_signed_until, keys_fit and missing. */
int keys_compare(struct catalog_txn *, const struct zone_row *, const struct edition_row *to, struct switch_result_item *, struct err *);
/* A rollback asks no question, and a reload is somebody's nightly job: these are
 * only told. */
bool keys_forbid(const struct switch_request *, const struct switch_result_item *);
void keys_no_go_text(const struct zone_row *, const struct switch_result_item *, char *buf, size_t size);

/* ---- catalog_group.c ---- */
int group_get(struct catalog_txn *, const char *group, struct group_row *, struct err *);
int group_put(struct catalog_txn *, const char *group, const struct group_row *, struct err *);
int group_forget_zone(struct catalog_txn *, uint64_t zone, struct err *);

#endif
