/*
 * The catalog: zones, sets, groups, switches, history. Small rows; every
 * change is one commit. Reading functions take a transaction from a snapshot
 * or from the writer; writing functions one from catalog_begin (the writer
 * process only). No JSON, no DNS parsing, no policy of who may: only the
 * rules of schwenk(1) and of FORMAT.md.
 */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/content_hash.h"
#include "store/signing.h"
#include "wire/name.h"

#define SET_NAME_MAX 63
#define GROUP_NAME_MAX 63
#define NOTE_MAX 512           /* -m TEXT, octets */

struct catalog_txn;

/* ---- rows, decoded ------------------------------------------------------- */

struct set_at { uint64_t set; uint32_t edition; };   /* set 0: none */

enum { ZONE_HELD = 1 << 0, ZONE_SERIAL_FIXED = 1 << 1,
       ZONE_SERIAL_KNOWN = 1 << 2 /* highest_serial means something: something was served once */ };
struct zone_row {
	uint8_t apex[NAME_MAX_SIZE]; uint8_t apex_size;  /* lower case */
	uint64_t id;
	struct set_at live, previous;
	uint64_t spare;                 /* image of the spare SOA that is served; 0: the live set's own */
	uint32_t served_serial;
	uint32_t highest_serial;        /* ever served; ahead of served_serial only where that is stuck (signed elsewhere) */
	uint32_t flags;
	uint32_t zones_below;           /* zones strictly below this apex */
	uint64_t switch_id;             /* the last switch (history id); 0: none */
	int64_t switched_at_us;         /* wall time of it */
	int64_t created_us;
	char properties[1024];          /* "key=value\n"…, opaque here */
};

enum set_state { SET_LOADING, SET_READY, SET_FAILED, SET_DROPPING };
extern const char *const set_state_name[];
/* A set is read from images: the newest whose [from, to] leads from nothing
 * (from == 0: a base) to the edition wanted, deltas on top. */
struct set_image { uint64_t image; uint32_t from, to; uint64_t octets; };
enum { SET_AUTO_NAMED = 1 << 0 /* made by `import ZONE FILE`: two such are kept */,
       SET_SERIAL_FIXED = 1 << 1 /* SOA has an RRSIG or the apex a ZONEMD */,
       SET_SERVED = 1 << 2 /* was live once: no staged set any more */ };
struct set_row {
	uint64_t id, zone;
	char name[SET_NAME_MAX + 1];
	enum set_state state;
	uint32_t flags;
	uint32_t edition;               /* the newest */
	uint32_t soa_serial;            /* of the newest edition, as in the records */
	uint64_t records, rrsets, nodes, octets;
	struct content_hash hash;
	struct set_signing signing;
	int64_t created_us;
	struct set_at base_of;          /* the live set when it was staged */
	char source[256];               /* "import of shop.zone", "copy of @old", … */
	char note[256];                 /* why failed: the first rule broken */
	unsigned images;
	struct set_image image[IMAGE_DELTA_MAX + 1]; /* oldest first */
};

struct who { uint32_t uid, gid, login_uid /* (uint32_t)-1: unknown */; int32_t pid; char name[64]; };

enum switch_kind { SWITCH_CUTOVER, SWITCH_ROLLBACK, SWITCH_RELOAD /* import ZONE FILE */, SWITCH_EDIT /* record, edit on a live set */,
	SWITCH_CONFIRM, SWITCH_SERIAL, SWITCH_ADD /* zone add */, SWITCH_REMOVE, SWITCH_RESTORE };
extern const char *const switch_kind_name[];
struct history_row {                    /* one a command; members in history_member */
	uint64_t id;
	enum switch_kind kind;
	int64_t at_us;
	struct who who;
	char group[GROUP_NAME_MAX + 1];
	char note[NOTE_MAX + 1];
	uint32_t members;
	uint32_t held_members;          /* of them, not yet confirmed or taken back */
	bool held;                      /* still awaits confirm or rollback: held_members > 0 */
};
struct history_member {
	uint8_t apex[NAME_MAX_SIZE]; uint8_t apex_size;
	uint64_t zone;
	struct set_at from, to;
	char from_name[SET_NAME_MAX + 1], to_name[SET_NAME_MAX + 1];
	uint32_t from_serial, to_serial;
};

/* What a removed zone leaves behind, for when its name returns. */
struct retired_row {
	bool serial_known;              /* something was served */
	uint32_t highest_serial;
	uint64_t zone;                  /* its id: the history's way on; 0: not known */
};

/* RFC 1982: is serial a ahead of b? Not where they are 2^31 apart. */
static inline bool serial_ahead(uint32_t a, uint32_t b)
{
	return a != b && (uint32_t)(a - b) < UINT32_C(0x80000000);
}

/* A signed SOA with another serial than the set's own, for a set whose serial
 * cannot be put in here: an image with the apex alone, on top of the edition's. */
struct spare { uint32_t serial; uint64_t image, octets; int64_t until; /* as set_signing's; 0: not signed */ };
#define SPARES_MAX 4096                 /* of one edition */
/* What a switch to a set would serve, once `highest` was. */
struct serial_outlook {
	bool fixed;                     /* the set's serial cannot be put in */
	bool stuck;                     /* … and neither it nor a spare is ahead */
	uint32_t serial;
	uint64_t spare;                 /* image; 0: the set's own SOA */
	uint32_t spares;                /* that are ahead; the one that would be taken counts */
	int64_t until;                  /* validates until; 0: not signed */
};

/* ---- reading ------------------------------------------------------------- */
/* 0 found, -1 not found or failed (err set: ERR_NO_SUCH_*). Iterators: each
 * calls back until it returns nonzero or the end; after != NULL resumes
 * strictly behind that apex, so that a long list can be made in slices. */

int catalog_zone(struct catalog_txn *, const uint8_t *apex, size_t size, struct zone_row *, struct err *);
int catalog_zone_by_id(struct catalog_txn *, uint64_t id, struct zone_row *, struct err *);
int catalog_zones(struct catalog_txn *, const uint8_t *after, size_t after_size,
	int (*each)(void *, const struct zone_row *), void *arg, struct err *);
uint64_t catalog_zone_count(struct catalog_txn *);
uint64_t catalog_set_count(struct catalog_txn *);        /* loading and dropping ones count */
int catalog_set(struct catalog_txn *, uint64_t id, struct set_row *, struct err *);
/* The same as it was at an edition: edition, counts, hash, signing, SOA serial,
 * and whether that is fixed. */
int catalog_set_at(struct catalog_txn *, struct set_at, struct set_row *, struct err *);
/* name may be "live" or "previous". */
int catalog_set_by_name(struct catalog_txn *, const struct zone_row *, const char *name, struct set_row *, struct err *);
int catalog_sets(struct catalog_txn *, uint64_t zone, int (*each)(void *, const struct set_row *), void *arg, struct err *);
int catalog_group(struct catalog_txn *, const char *group, int (*each)(void *, const uint8_t *apex, size_t size), void *arg, struct err *);
int catalog_groups(struct catalog_txn *, int (*each)(void *, const char *group, uint64_t members), void *arg, struct err *);
/* The members of a group, and the zones that a held switch names (ZONE_HELD
 * tells which still await their own decision): in the order of the zones' ids,
 * behind that of `after`; 0: from the first. */
int catalog_group_zones(struct catalog_txn *, const char *group, uint64_t after,
	int (*each)(void *, const struct zone_row *), void *arg, struct err *);
int catalog_held_zones(struct catalog_txn *, uint64_t after,
	int (*each)(void *, const struct zone_row *), void *arg, struct err *);
/* Newest first; zone 0: all; before 0: from the newest. Of a zone also what was
 * of zones of its name that were removed. */
int catalog_history(struct catalog_txn *, uint64_t zone, uint64_t before,
	int (*each)(void *, const struct history_row *), void *arg, struct err *);
/* The zone of that name, or else the last one that was removed: whose history
 * that of the name is. ERR_NO_SUCH_ZONE. */
int catalog_history_zone(struct catalog_txn *, const uint8_t *apex, size_t size, uint64_t *id, struct err *);
int catalog_history_members(struct catalog_txn *, uint64_t id,
	int (*each)(void *, const struct history_member *), void *arg, struct err *);
/* Is the entry its group's last switch, so that `rollback --group` means it? */
bool catalog_is_groups_last(struct catalog_txn *, const struct history_row *);
uint64_t catalog_generation(struct catalog_txn *);
/* The images that (set, edition) is read from, newest first. */
int catalog_set_path(const struct set_row *, uint32_t edition, struct set_image *path, unsigned *count, struct err *);
/* Of the path, newest first: how many of the newest images a fold should put
 * together so that answers need not look in many, and little is written anew:
 * 0: none; count: all, into a new base. */
unsigned catalog_fold_run(const struct set_image *path, unsigned count);
/* The editions of the set that something names (newest, live, previous, a way
 * back, a base), oldest first. */
int catalog_set_editions(struct catalog_txn *, const struct zone_row *, const struct set_row *, uint32_t *editions, unsigned max,
	unsigned *count, struct err *);
/* The spare SOAs of an edition, serials rising as numbers. */
int catalog_spares(struct catalog_txn *, struct set_at, int (*each)(void *, const struct spare *), void *arg, struct err *);
/* known: highest means something. */
int catalog_serial_outlook(struct catalog_txn *, struct set_at, bool known, uint32_t highest, struct serial_outlook *, struct err *);
bool set_name_valid(const char *name);   /* and not "live" or "previous" */

/* ---- writing ------------------------------------------------------------- */

struct store_writer;   /* writer.h */
int catalog_begin(struct store_writer *, struct catalog_txn **, struct err *);
/* The same for what adds rows in numbers (zones, sets, members): ERR_FULL
 * where the rest of the map, or of the disk, is kept for switches. */
int catalog_begin_bulk(struct store_writer *, struct catalog_txn **, struct err *);
/* Durable when it returns 0. id: the transaction's, for the barrier; changed:
 * whether what is served changed (a barrier is due). The txn is freed also on
 * failure. */
int catalog_commit(struct catalog_txn *, uint64_t *id, bool *changed, struct err *);
void catalog_abort(struct catalog_txn *);

/* A command in several transactions is one entry of the history: the id of the
 * entry that this one writes (0: none so far), and going on with it in another,
 * by the same command. */
uint64_t catalog_history_open(const struct catalog_txn *);
int catalog_history_continue(struct catalog_txn *, uint64_t id, struct err *);

int catalog_zone_add(struct catalog_txn *, const uint8_t *apex, size_t size, struct zone_row *, struct err *);
/* Its sets become dropping; its last served serial stays behind. */
int catalog_zone_remove(struct catalog_txn *, const uint8_t *apex, size_t size, const struct who *, const char *note, struct err *);
int catalog_zone_set_properties(struct catalog_txn *, const uint8_t *apex, size_t size, const char *properties, struct err *);
int catalog_serial(struct catalog_txn *, const uint8_t *apex, size_t size, uint32_t serial, const struct who *, const char *note, struct err *);

/* A new row in state SET_LOADING (drawn at the import's begin, so that a crash
 * can be cleaned up). Does not replace: a staged set of that name may exist
 * until catalog_set_ready. ERR_IN_USE where the name is live, previous,
 * scheduled or named by a held switch. */
int catalog_set_begin(struct catalog_txn *, const struct zone_row *, const char *name, const char *source, struct set_row *, struct err *);
/* State READY or FAILED with what the image's header and the loader say;
 * a staged set of the same name becomes dropping. */
int catalog_set_finish(struct catalog_txn *, const struct set_row *, struct err *);
/* ERR_IN_USE for live, previous, scheduled, held's way back, base of a staged set. */
int catalog_set_drop(struct catalog_txn *, uint64_t set, struct err *);
/* Adds edition + 1 made of one image; ERR_OVERTAKEN unless the set is still at
 * edition `from` (a live set: unless that is served). delta->from: the edition
 * that the image stands on, `from` or one farther back that it spans, too.
 * Where the set is live: live moves, the served serial rises, generation. */
int catalog_set_edit(struct catalog_txn *, uint64_t set, uint32_t from, const struct set_image *delta,
	const struct set_row *counts, const struct who *, const char *note, struct err *);
/* Puts a folded image in: [from, to] replaces nothing, it is one more way; what
 * no path of a named edition needs afterwards is listed for clearing. */
int catalog_set_folded(struct catalog_txn *, uint64_t set, const struct set_image *, struct err *);
/* What the writer has to clean up: images of dropping sets, loading sets of a
 * dead process, images that no path needs. Fills ids, returns how many. */
unsigned catalog_garbage(struct catalog_txn *, uint64_t *images, unsigned max);
int catalog_image_gone(struct catalog_txn *, uint64_t image, struct err *);
/* Loading sets become dropping: at the writer's start. */
int catalog_abandon_loading(struct catalog_txn *, unsigned *count, struct err *);
uint64_t catalog_next_image_id(struct catalog_txn *);

/* Adds spare SOAs to an edition of a set that nobody may change any more; one
 * with a serial that is there already replaces it, unless it is served. Images:
 * in the store, with an apex and nothing else. */
/* Is it an image of the zone's apex and nothing else, with an SOA of this serial?
 * Whoever made it met strangers' bytes, and it goes on top of a set. In memory;
 * ERR_CORRUPT. An apex that does not fit into a packed image: ERR_LIMIT. */
int spare_image_check(const uint8_t *image, size_t size, uint64_t hash_key, const uint8_t *apex, size_t apex_size, uint32_t serial,
	struct err *);
int catalog_spares_put(struct catalog_txn *, struct set_at, const struct spare *, size_t count, struct err *);

int catalog_group_create(struct catalog_txn *, const char *group, struct err *);
/* Its name is free at once; the members are cleared in slices, by: */
int catalog_group_delete(struct catalog_txn *, const char *group, struct err *);
/* Forgets so many members of groups that were deleted. 1: there may be more, 0:
 * nothing was to be done, -1. */
#define GROUP_CLEAR_MAX 256
int catalog_group_clear(struct catalog_txn *, struct err *);
int catalog_group_add(struct catalog_txn *, const char *group, const uint8_t *apex, size_t size, struct err *);
int catalog_group_remove(struct catalog_txn *, const char *group, const uint8_t *apex, size_t size, struct err *);

/* ---- the switch ---------------------------------------------------------- */

struct switch_item { uint8_t apex[NAME_MAX_SIZE]; uint8_t apex_size; char set[SET_NAME_MAX + 1]; };
enum switch_outcome { OUTCOME_SWITCHED, OUTCOME_ALREADY, OUTCOME_NO_PREVIOUS /* group rollback: a member that had no set before stays */,
	OUTCOME_OVERTOOK /* group rollback: changed since, taken back all the same */ };
struct switch_result_item {
	struct history_member member;
	enum switch_outcome outcome;
	int64_t since_us; char by[64];        /* ALREADY: since when, by whom */
	uint32_t edits_left_behind;           /* rollback: editions of the live set made since the cutover */
	bool serial_stuck;                    /* the served serial could not be raised (signed elsewhere) */
	/* of what is live then, and of what it was before: until when it is signed; 0: not */
	int64_t signed_until, back_signed_until;
	struct serial_outlook outlook;        /* of a switch here once more, after this one */
	struct serial_outlook back;           /* of one to what was live before */
	uint64_t spare;                       /* whose SOA is served now; 0: the set's own */
	enum keys_fit keys_fit; struct set_key missing;      /* the former with the latter */
};
/* What is wrong with keys that do not fit, in words. */
#define KEYS_TEXT_MAX 512
char *switch_keys_text(const struct switch_result_item *, char buf[KEYS_TEXT_MAX]);
enum { FORCE_DNSKEY = 1 << 0, FORCE_UNSIGNED = 1 << 1 };   /* rules that a cutover passes over */
struct switch_request {
	enum switch_kind kind;                /* CUTOVER, ROLLBACK, RELOAD */
	const struct switch_item *items; size_t count;
	const char *group;                    /* with CUTOVER: items hold one set name in [0] and no apex */
	bool hold;
	bool serial_given; uint32_t serial;
	unsigned force;                       /* CUTOVER */
	const char *expect;                   /* content hash text of the set (one zone), or NULL */
	struct set_at expect_live; bool expect_live_given;   /* RELOAD: else ERR_OVERTAKEN */
	uint64_t append_to;                   /* RELOAD: history id of an earlier slice of the same command; 0: a new entry */
	const char *note;
	struct who who;
	int64_t now_us;
};
struct switch_result {
	uint64_t id;                          /* history id; 0: nothing changed */
	size_t count;
	struct switch_result_item *items;     /* malloc'd, owned by the caller */
};
/* All or none; idempotent (schwenk(1), Switching). Nothing is written on error. */
int catalog_switch(struct catalog_txn *, const struct switch_request *, struct switch_result *, struct err *);
void switch_result_free(struct switch_result *);
/* Ends the hold of the zones, or of the group's last held switch. */
int catalog_confirm(struct catalog_txn *, const struct switch_request *, struct switch_result *, struct err *);

#endif
