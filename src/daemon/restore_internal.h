/*
 * The way back from a backup in text form (BACKUP.md), line by line: what the
 * lines and the sets' files share. Known to src/daemon/restore_*.c only.
 */
#ifndef DAEMON_RESTORE_INTERNAL_H
#define DAEMON_RESTORE_INTERNAL_H

#include <jansson.h>

#include "store/catalog_backup.h"
#include "store/writer.h"

#define SMALL_IMAGES    256             /* put at once */

struct text_restore {
	struct store_writer *store;
	const char *dir;
	struct catalog_txn *txn;        /* open from line to line */
	unsigned lines_in_txn;
	uint64_t line;
	int sets_fd, image_fd, spares_fd, scratch_fd;
	struct zone_row zone;           /* the one whose sets come */
	struct catalog_ids ids;
	bool ended;
	uint64_t zones, sets, editions, spares, groups, entries, holds, retired;
	/* small images that are not put yet */
	uint64_t small_id[SMALL_IMAGES];
	uint8_t *small[SMALL_IMAGES];
	size_t small_size[SMALL_IMAGES], small_octets;
	unsigned small_count;
	struct err *err;
};

/* ---- restore_text.c -------------------------------------------------- */

/* A transaction for the next line: r->txn; now and then a new one. */
int restore_begin(struct text_restore *r);

/* ---- restore_sets.c -------------------------------------------------- */

/* The small images that are still kept: before the rows that name them. */
int restore_put_small(struct text_restore *r);
/* One edition of the set out of its file: an image, and a row of what the set
 * was then. */
int restore_edition(struct text_restore *r, const json_t *json, struct set_row *set);

/* ---- restore_lines.c ------------------------------------------------- */

/* -1 with ERR_CORRUPT. */
int restore_bad_line(struct text_restore *r, const char *what);
/* A line, within the transaction that is open. */
int restore_line(struct text_restore *r, json_t *line);

#endif
