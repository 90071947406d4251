/*
 * The writing side of the store: held by the writer process only.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "store/catalog.h"
#include "store/image.h"
#include "store/map_ahead.h"

struct store_options {
	const char *dir;
	uint64_t catalog_map, images_map;   /* octets; sparse */
	uint64_t head_room;                 /* of the maps: bulk stops this far before the end; default 16 MiB catalog, 64 MiB images */
	unsigned max_readers;
};

/* Creates what is missing (schema, hash key), checks the versions, clears
 * stale readers, makes the head-room in the files. */
int store_writer_open(struct store_writer **, const struct store_options *, struct err *);
void store_writer_close(struct store_writer *);
/* Frees the places of dead processes in LMDB's reader tables. In a thread: LMDB
 * does it under the table's lock, and who is stopped while he opens the store
 * holds that. */
void store_writer_clear_stale_readers(struct store_writer *);
uint64_t store_writer_hash_key(struct store_writer *);

/* ---- copying an image in, slice by slice ---------------------------------- */
/* A job of the writer's bulk queue: between two steps anything may be
 * committed. The file is read into private memory chunk by chunk and checked
 * (image_check) before it is put. A step lasts at most about slice_us or 128
 * pages, whichever comes first, and ends in a durable commit of the images
 * environment. */
struct copy_in;
int copy_in_begin(struct store_writer *, int fd, uint64_t offset, uint64_t size, uint64_t image_id, struct copy_in **, struct err *);
/* 1: more to do, 0: all is in and checked, -1: failed (what was put is
 * garbage: catalog_image_gone after store_images_delete). */
int copy_in_step(struct copy_in *, int64_t slice_us, struct err *);
double copy_in_share(const struct copy_in *);   /* 0..1 */
const struct image_header *copy_in_header(const struct copy_in *);
void copy_in_free(struct copy_in *);
/* Many small images (a portfolio) in one commit: packed ones only. */
int store_images_put_packed(struct store_writer *, size_t count, const uint64_t *ids, const uint8_t *const *images, const size_t *sizes, struct err *);

/* Deletes up to a slice of an image's chunks; 1: more, 0: gone, -1: failed.
 * Only after a barrier: no snapshot names it any more. */
int store_image_delete_step(struct store_writer *, uint64_t image_id, int64_t slice_us, struct err *);
/* Images that no catalog row names, a few at a time (background, at start).
 * cursor begins at 0. 1: more, 0: done. */
int store_orphans_step(struct store_writer *, uint64_t *cursor, unsigned *deleted, struct err *);

/* Has the kernel read ahead what of the ready sets is not in memory (where they
 * do not fit into half of it: of the live sets). One round, in steps of about
 * slice_us; waits for the disk only where LMDB's own trees are. Begins with
 * zeros. 1: more, 0: the round is over, asked then tells how many octets were
 * missing; -1. */
struct store_warm {
	uint64_t set;                       /* the one at hand, */
	unsigned image, part;               /* how far in it */
	uint32_t number;
	bool all;                           /* not the live ones alone */
	bool looked;                        /* through all sets; what is left is to map */
	uint64_t asked;
	struct map_ahead catalog_map, images_map;
};
int store_warm_step(struct store_writer *, struct store_warm *, int64_t slice_us, struct err *);

struct store_space { uint64_t map, used, file; double share; uint32_t readers; uint64_t oldest_reader_lag; };
int store_space(struct store_writer *, struct store_space *catalog, struct store_space *images, struct err *);

/* ---- whole-store checks and copies (any process, read-only) ---------------- */
struct fsck_report { uint64_t zones, sets, images, nodes, records, problems;
	bool pages_damaged;     /* LMDB's own: nothing further was looked at */ };
/* Walks everything; each problem is told by say(). Progress 0..1. */
int store_fsck(const char *dir, struct fsck_report *, void (*say)(void *, const char *problem),
	void (*progress)(void *, double share), void *arg, struct err *);
/* Where a copy goes: makes the directory, or finds it empty (else ERR_EXISTS).
 * *made: it was not there; also where it fails behind that. */
int store_copy_directory(const char *to, bool *made, struct err *);
/* A consistent hot copy into an empty directory; nothing of one that fails is
 * left. The writer must not delete images meanwhile. */
int store_copy(const char *dir, const char *to, bool compact, struct err *);

/* The files of a copy. */
void store_copy_remove(const char *to);

/* "LMDB 0.9.24": for schwenkd -V. */
const char *store_library_version(void);

#endif
