/*
 * The catalog's rows as bytes (FORMAT.md). Every row begins with a version
 * octet; a row that a newer version wrote, or a damaged one, is ERR_CORRUPT.
 * Inside src/store only.
 */
#ifndef STORE_CATALOG_ROWS_H
#define STORE_CATALOG_ROWS_H

#include "store/catalog.h"

#define ROW_MAX 1900    /* larger ones would go to overflow pages, which a fragmented file is slow to place */

struct meta_row {
	uint32_t schema;
	uint8_t store_id[16];   /* the same in both environments */
	uint64_t hash_key;
	uint64_t generation;
	uint64_t last_zone, last_set, last_image, last_history, last_group;
};

/* What a set is at one of its editions. */
struct edition_row {
	uint32_t flags;         /* SET_SERIAL_FIXED */
	uint32_t soa_serial;
	uint64_t records, rrsets, nodes, octets;
	struct content_hash hash;
	struct set_signing signing;
};

struct spare_row {
	uint64_t image, octets;
	int64_t until;
};

struct group_row {
	uint64_t id, members;
	uint64_t last_switch;   /* history id of the group's last cutover or rollback; 0: none */
};

enum { HELD_GROUP = 1 << 0, HELD_OPEN = 1 << 1 /* not yet confirmed or taken back by itself */ };
struct held_row {
	uint32_t flags;
	struct set_at from;
};

/* Encoders return the size, or -1 with ERR_LIMIT; decoders 0, or -1 with
 * ERR_CORRUPT. buf: ROW_MAX octets. */
int row_put_meta(uint8_t *buf, const struct meta_row *, struct err *);
int row_get_meta(struct meta_row *, const void *, size_t, struct err *);
int row_put_zone(uint8_t *buf, const struct zone_row *, struct err *);
int row_get_zone(struct zone_row *, const void *, size_t, struct err *);
int row_put_set(uint8_t *buf, const struct set_row *, struct err *);
int row_get_set(struct set_row *, const void *, size_t, struct err *);
int row_put_edition(uint8_t *buf, const struct edition_row *, struct err *);
int row_get_edition(struct edition_row *, const void *, size_t, struct err *);
int row_put_spare(uint8_t *buf, const struct spare_row *, struct err *);
int row_get_spare(struct spare_row *, const void *, size_t, struct err *);
#define RETIRED_ROW_SIZE 16
void row_put_retired(uint8_t buf[RETIRED_ROW_SIZE], const struct retired_row *);
int row_get_retired(struct retired_row *, const void *data, size_t size, struct err *);
int row_put_group(uint8_t *buf, const struct group_row *, struct err *);
int row_get_group(struct group_row *, const void *, size_t, struct err *);
int row_put_held(uint8_t *buf, const struct held_row *, struct err *);
int row_get_held(struct held_row *, const void *, size_t, struct err *);
int row_put_history(uint8_t *buf, const struct history_row *, struct err *);
int row_get_history(struct history_row *, const void *, size_t, struct err *);
/* Members are packed one behind the other: these take a cursor. */
void row_put_member(struct cursor *, const struct history_member *);
int row_get_member(struct cursor *, struct history_member *, struct err *);

#endif
