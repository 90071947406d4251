/*
 * The two LMDB environments of a store directory, and what every process
 * that opens one must do alike. Inside src/store only.
 *
 * catalog.mdb  what is served; small rows, every change one commit
 * images.mdb   the records of sets; large values, written once
 * STORE        text: schema and LMDB version, for people and for the error
 *              message when LMDB itself can say only "not an LMDB file"
 */
#ifndef STORE_ENV_H
#define STORE_ENV_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define STORE_SCHEMA 2
#define STORE_SIDE_FILE "STORE"
#define STORE_RESERVE (16u << 20)    /* octets kept allocated behind the last used page */

enum catalog_table {
	T_META,            /* "state" -> counters; see struct meta_row */
	T_ZONE,            /* apex (key.h) -> zone row */
	T_ZONE_ID,         /* zone -> apex (key.h) */
	T_RETIRED,         /* apex -> highest serial of a removed zone */
	T_SET,             /* set -> set row */
	T_ZONE_SET,        /* zone, set -> nothing */
	T_EDITION,         /* set, edition -> counts, hash, serial */
	T_LOADING,         /* set -> nothing: to be abandoned at the writer's start */
	T_IMAGE,           /* image -> set; of a spare SOA: set, edition, serial */
	T_GARBAGE,         /* image -> set: to be deleted */
	T_GROUP,           /* name -> group row */
	T_MEMBER,          /* group, zone -> nothing */
	T_ZONE_GROUP,      /* zone, group -> nothing */
	T_HISTORY,         /* history -> row */
	T_HISTORY_MEMBER,  /* history, chunk -> member rows */
	T_HISTORY_ZONE,    /* zone, history -> chunk */
	T_HELD,            /* zone, history -> the way back of a held switch */
	T_SPARE,           /* set, edition, serial -> image of a spare signed SOA */
	T_CHANGED,         /* generation, number -> zones and their hashes */
	T_CATALOG_COUNT
};
enum images_table { T_IMAGES_META, T_CHUNK, T_IMAGES_COUNT };
#define STORE_TABLES_MAX T_CATALOG_COUNT

/* The rows of T_META and T_IMAGES_META, which are always there. */
#define CATALOG_META_KEY "state"
#define IMAGES_META_KEY  "store"        /* it holds the id of the store, as in the catalog */

struct store_env {
	MDB_env *env;
	const char *name;       /* "catalog" or "images", for messages */
	const char *first_row;  /* the key in its first table of the row that is always there */
	char path[4096];
	MDB_dbi dbi[STORE_TABLES_MAX];
	unsigned page_size;
	/* the writer's: */
	uint64_t map;           /* octets */
	uint64_t last_txn;      /* of the last committed write transaction */
	uint64_t allocated;     /* the file is allocated up to here */
	bool large_pages;
	uint64_t prepared;      /* pages of the cache are made up to here */
	bool no_fallocate;      /* the file system cannot: nothing can be promised */
	MDB_txn *look;          /* kept for env_begin_look; reset, if not looking */
	bool looking;
};

/* Always -1; what: "cannot read the zone table", … */
int env_error(struct err *err, int rc, const struct store_env *env, const char *what);

/* Opens an environment with its tables; images: which of the two. Read-only,
 * or for writing with a map of so many octets (creates what is missing). */
int env_open_read(struct store_env *env, const char *dir, bool images, struct err *err);
int env_open_write(struct store_env *env, const char *dir, bool images, uint64_t map,
	unsigned max_readers, struct err *err);
/* Read-only, and without the tables: nothing but the meta pages is read. */
int env_open_bare(struct store_env *env, const char *dir, bool images, struct err *err);
void env_close(struct store_env *env);

/* A read-only transaction; adopts a map that has grown (*remapped is then set:
 * pointers into the old one are void). */
int env_begin_read(struct store_env *env, MDB_txn **txn, bool *remapped, struct err *err);
int env_renew(struct store_env *env, MDB_txn *txn, bool *remapped, struct err *err);
/* The same, out of one that the environment keeps, for those that look often:
 * after the first it takes no lock of LMDB's, and so waits for nobody. Ended by
 * env_end_look. */
int env_begin_look(struct store_env *env, MDB_txn **txn, struct err *err);
void env_end_look(struct store_env *env, MDB_txn *txn);
/* Is the process's snapshot in LMDB's reader table? Else pages would be reused
 * under it. */
int env_check_reader(struct store_env *env, struct err *err);

/* A write transaction whose id is our last one plus one: anything else means
 * that someone else wrote, or scribbled over the lock file. */
int env_begin_write(struct store_env *env, MDB_txn **txn, struct err *err);
/* Commits and syncs; the transaction is freed in any case. */
int env_commit(struct store_env *env, MDB_txn *txn, struct err *err);
/* Makes the reserve behind the last used page, plus more octets, allocated in
 * the file. ERR_FULL: bulk must stop; what the reserve holds still works. */
int env_reserve(struct store_env *env, uint64_t more, struct err *err);
/* Octets of the map in use and free for new pages (the freelist's included). */
int env_space(struct store_env *env, MDB_txn *txn, uint64_t *used, uint64_t *left, struct err *err);

/* The side file. write: 0 or -1; check: -1 with ERR_VERSION where it names
 * another schema or LMDB; found tells whether there is one. */
int env_side_file_write(const char *dir, struct err *err);
int env_side_file_check(const char *dir, bool *found, struct err *err);

#endif
