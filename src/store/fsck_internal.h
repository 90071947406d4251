/* What the files of the whole-store check share. Inside src/store only. */
#ifndef STORE_FSCK_INTERNAL_H
#define STORE_FSCK_INTERNAL_H

#include "store/catalog_internal.h"
#include "store/writer_internal.h"

struct fsck {
	struct store_env catalog_env, images_env;
	struct catalog_txn catalog;     /* the snapshot, read-only */
	MDB_txn *images;
	struct chunk_source source;     /* reads images */
	struct fsck_report *report;
	void (*say)(void *, const char *problem);
	void (*progress)(void *, double share);
	void *arg;
	uint64_t rows, rows_done;       /* of all tables, for the progress */
	uint64_t *groups;               /* ids, rising */
	size_t group_count;
};

#define SET_TEXT_MAX (NAME_TEXT_MAX + SET_NAME_MAX + 32)

/* A problem found; the check goes on. */
void fsck_say(struct fsck *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "zone@set", as far as that is known. */
char *fsck_set_text(struct fsck *, const struct set_row *, char buf[SET_TEXT_MAX]);
/* Calls for every row; -1 from it, or an unreadable table, ends the check. */
int fsck_each(struct fsck *, struct store_env *, MDB_txn *, MDB_dbi,
	int (*check)(struct fsck *, const MDB_val *key, const MDB_val *value, void *arg, struct err *), void *arg, struct err *);

/* Every row of the catalog's tables and what it refers to. */
int fsck_catalog(struct fsck *, struct err *);

/* ---- fsck_pages.c ---- */
/* LMDB's pages of one file, read without LMDB. 1: some are damaged, and told;
 * LMDB must not be let near them. -1: the file cannot be opened. */
int fsck_pages(struct fsck *, const char *dir, bool images, struct err *);

/* ---- fsck_spare.c ---- */
/* A row of the table, as fsck_each has it. */
int fsck_spare(struct fsck *, const MDB_val *key, const MDB_val *value, void *arg, struct err *);
/* Which SOA the zone's serial comes from, where it is fixed. text: the zone's name. */
void fsck_zone_spare(struct fsck *, const struct zone_row *, const char *text);
/* Is the image the spare SOA's that its row says? row: SPARE_KEY_SIZE octets. */
bool fsck_names_spare(struct fsck *, const uint8_t *row, uint64_t image);

/* ---- fsck_catalog.c -------------------------------------------------- */

/* Is there a row? */
bool fsck_has_row(struct fsck *f, enum catalog_table table, const void *key, size_t size);
bool fsck_has_id(struct fsck *f, enum catalog_table table, uint64_t id);
bool fsck_has_pair(struct fsck *f, enum catalog_table table, uint64_t a, uint64_t b);
/* The value of a row of ids, 0 where there is none. */
uint64_t fsck_id_of(struct fsck *f, enum catalog_table table, uint64_t id);
/* Has the row these sizes? false: said. */
bool fsck_has_sizes(struct fsck *f, const char *table, const MDB_val *key, size_t key_size, const MDB_val *value, size_t value_size);
/* who: "zone shop.example", "the held switch 7 of shop.example"; what: "live". */
void fsck_named(struct fsck *f, const char *who, const char *what, struct set_at at, uint64_t zone);

/* ---- fsck_zone.c ----------------------------------------------------- */

/* The name, for a problem. */
const char *fsck_zone_text(const struct zone_row *zone, char buf[NAME_TEXT_MAX]);
/* Is there a hold of the zone whose own decision is awaited? */
bool fsck_held_is_open(struct fsck *f, uint64_t zone, uint64_t switch_id);
/* fsck_zones and fsck_groups walk a table by themselves; the others are for a row of one,
 * as fsck_each has it. */
int fsck_zones(struct fsck *f, struct err *err);
int fsck_zone_id(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_retired(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);

/* ---- fsck_set.c ------------------------------------------------------ */

int fsck_set(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_zone_set(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_edition_row(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_loading(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_image(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_garbage(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);

/* ---- fsck_group.c ---------------------------------------------------- */

int fsck_groups(struct fsck *f, struct err *err);
/* Both of the tables that say who is a member; arg: the other one. */
int fsck_member(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);

/* ---- fsck_history.c -------------------------------------------------- */

int fsck_history(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
/* The chunks of an entry are numbered from 0. */
int fsck_history_chunk(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_history_zone(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);
int fsck_held(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err);

#endif
