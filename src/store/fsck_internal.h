/* What the two halves of the whole-store check share. Inside src/store only. */
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

#endif
