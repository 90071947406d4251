/*
 * The catalog as a whole, for a backup in text form and for the way back: rows
 * that no other part reads, and rows put with the ids that they had. The
 * putting functions are for a store that is being made, by its only process.
 */
#ifndef STORE_CATALOG_BACKUP_H
#define STORE_CATALOG_BACKUP_H

#include "store/catalog.h"

/* ---- reading ------------------------------------------------------------- */

/* The last ids that were given: none is given twice. */
struct catalog_ids { uint64_t zone, set, history, group; };
void catalog_ids(struct catalog_txn *, struct catalog_ids *);

/* What a held switch would return a zone to. */
struct catalog_hold {
	uint64_t zone, switch_id;
	struct set_at from;
	bool group;             /* the switch is a group's */
	bool open;              /* the zone's own decision is awaited */
};
int catalog_holds(struct catalog_txn *, int (*each)(void *, const struct catalog_hold *), void *arg, struct err *);
/* Removed zones, and what each has left behind. */
int catalog_retired(struct catalog_txn *, int (*each)(void *, const uint8_t *apex, size_t size, const struct retired_row *), void *arg,
	struct err *);
/* The zone that had the name before this one (id) was removed; 0: none; -1: failed. */
int64_t catalog_former(struct catalog_txn *, uint64_t zone, struct err *);
/* The history id of the group's last switch; 0: none. */
int catalog_group_switch(struct catalog_txn *, const char *group, uint64_t *id, struct err *);

/* ---- putting back -------------------------------------------------------- */

/* Ids are kept; ERR_CORRUPT where one is there already, or 0. zones_below is
 * counted anew. */
int catalog_put_zone(struct catalog_txn *, const struct zone_row *, struct err *);
/* The set with its images, and the row of its newest edition. */
int catalog_put_set(struct catalog_txn *, const struct set_row *, struct err *);
/* A further edition; set: as it was then. */
int catalog_put_edition(struct catalog_txn *, const struct set_row *, struct err *);
/* A spare SOA of an edition; where that is what the zone serves, it is served. */
int catalog_put_spare(struct catalog_txn *, uint64_t zone, struct set_at, const struct spare *, struct err *);
int catalog_put_retired(struct catalog_txn *, const uint8_t *apex, size_t size, const struct retired_row *, struct err *);
int catalog_put_former(struct catalog_txn *, uint64_t zone, uint64_t former, struct err *);
int catalog_put_group(struct catalog_txn *, const char *group, uint64_t last_switch, struct err *);
/* An entry without members, then its members in any number of transactions. */
int catalog_put_history(struct catalog_txn *, const struct history_row *, struct err *);
int catalog_put_history_member(struct catalog_txn *, uint64_t id, const struct history_member *, struct err *);
int catalog_put_hold(struct catalog_txn *, const struct catalog_hold *, struct err *);
/* Last of all: ids lower than those given so far change nothing. */
int catalog_put_ids(struct catalog_txn *, const struct catalog_ids *, struct err *);

/* ---- serials ------------------------------------------------------------- */

/* What was served since the backup was made is not known: every serial goes
 * so far ahead (RFC 1982) that secondaries follow. Some zones behind `after`
 * (from the first at the begin), which is set to the last of them; 1: there are more,
 * 0: done, -1: failed. */
struct serial_raise {
	uint32_t step;
	struct who who;
	const char *note;
	uint64_t history;       /* in, out: the entry; 0: none yet */
	uint64_t raised;        /* out: zones, so far */
	/* The serial served is signed, or covered by a ZONEMD, and no spare SOA is
	 * so far ahead: it stays. */
	void (*stuck)(void *arg, const struct zone_row *);
	void *arg;
	uint8_t after[NAME_MAX_SIZE]; size_t after_size;        /* in, out; size 0: from the first */
};
int catalog_raise_serials(struct catalog_txn *, struct serial_raise *, struct err *);
/* The same for what removed zones have left behind; in one go. */
int catalog_raise_retired(struct catalog_txn *, uint32_t step, struct err *);

#endif
