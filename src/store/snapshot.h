/*
 * Reading the store: one snapshot of the catalog and the images.
 *
 * A worker has one struct store_reader for its life; per batch it begins a
 * snapshot, answers out of it, ends it. Everything returned is valid until
 * the end of the snapshot only. The reader keeps a bounded table of the zones
 * asked for (ZONE_CACHE_MAX entries), brought up to date by the catalog's
 * `changed` rows when the generation has moved: never by time.
 */
#ifndef STORE_SNAPSHOT_H
#define STORE_SNAPSHOT_H

#include "store/catalog.h"
#include "store/image.h"

struct store_reader;

/* Opens both environments of the directory read-only; exits the reader with
 * an error if its snapshot is not in LMDB's reader table (lock file not
 * writable). ERR_VERSION where the schema or LMDB's format differs. */
int store_reader_open(struct store_reader **, const char *dir, struct err *);
void store_reader_close(struct store_reader *);

/* Makes of a zone's properties what its user wants to have at hand with the
 * zone: *kept, malloc'd in one piece of so many octets, or NULL. Called when
 * the zone comes into the table, and again when it has changed. -1: the zone
 * cannot be answered. The store does not look into it. */
typedef int snapshot_keep(const char *properties, void **kept, size_t *octets, struct err *);
void store_reader_keep(struct store_reader *, snapshot_keep *);

int snapshot_begin(struct store_reader *, struct err *);
void snapshot_end(struct store_reader *);
/* Maps a piece of what is in memory and was not mapped yet: else the first look
 * at each place is a page fault, which takes longer than the answer. Within no
 * snapshot. 1: there is more; 0: done for now; -1. */
int store_reader_map_ahead(struct store_reader *, struct err *);

uint64_t snapshot_id(const struct store_reader *);   /* catalog transaction id of this (or the last) snapshot */
uint64_t store_hash_key(const struct store_reader *);
uint64_t snapshot_generation(const struct store_reader *);

/* A zone as the answer path sees it. */
struct zone_view {
	uint64_t zone_id, set_id;
	uint32_t edition;
	uint32_t served_serial;
	bool serial_fixed;      /* SOA signed elsewhere, or ZONEMD: answer with the view's SOA as it stands */
	bool unreadable;        /* the live set cannot be read: SERVFAIL */
	void *kept;             /* what snapshot_keep made; NULL: nothing */
	struct view view;
};

/* The zone with a live set that is the longest match of the name; its labels
 * count from the right. parent_side: the name itself does not count as an
 * apex if a zone above it is here (type DS); NULL: none here. prepared is set
 * if the longest match is a zone without live set and none above has one. */
const struct zone_view *snapshot_find_zone(struct store_reader *, const struct name *, bool parent_side, bool *prepared);

/* Hints for a batch of names, each of the steps for all of them before the
 * next one; then snapshot_find_zone finds what it needs in the cache. */
#define SNAPSHOT_PREFETCH_STEPS 3
void snapshot_prefetch_zone(struct store_reader *, const struct name *, unsigned step);
/* With few zones all of them are in the cache anyway. */
bool snapshot_wants_prefetch(const struct store_reader *);

/* Opens any set at any edition for reading (loaders: export, diff, check,
 * edit, fold). The view is owned by the caller: view_close. ERR_NO_SUCH_SET,
 * ERR_CORRUPT. edition 0: the newest. */
int snapshot_open_set(struct store_reader *, uint64_t set_id, uint32_t edition, struct view *, struct err *);
/* The same of what a zone serves: with the spare SOA on top, if it serves one. */
int snapshot_open_zone(struct store_reader *, const struct zone_row *, struct view *, struct err *);
/* A spare SOA of an edition: the view of its apex alone is right. */
int snapshot_open_spare(struct store_reader *, const struct zone_row *, struct set_at, uint64_t image, struct view *, struct err *);
void view_close(struct view *);

/* The catalog's reading functions (catalog.h) take this. */
struct catalog_txn *snapshot_catalog(struct store_reader *);

#endif
