/* What writer.c, copy_in.c and the catalog's writing side share. */
#ifndef STORE_WRITER_INTERNAL_H
#define STORE_WRITER_INTERNAL_H

#include <stdatomic.h>

#include "store/catalog_rows.h"
#include "store/env.h"
#include "store/large_pages.h"
#include "store/writer.h"

#define SLICE_PAGES 128     /* dirty pages of one slice of bulk, at most about */
#define CATALOG_BULK_NEED (1u << 20)    /* octets that a transaction of bulk may take in the catalog */

struct store_writer {
	struct store_env catalog, images;
	char dir[4096];
	uint64_t hash_key;
	uint64_t catalog_head_room, images_head_room;
	uint64_t last_image;        /* highest id ever seen or drawn: a draw that was not committed is not drawn again */
	uint64_t last_image_at_open; /* orphans are looked for up to here */
	bool broken;                /* a commit failed other than for space: nothing more is written */
	struct read_ahead read_ahead;
	atomic_uint stale_wanted;   /* how often the dead readers' places were to be freed; 0: done, and no thread is at it */
	pthread_t stale_thread;
	bool stale_started;         /* and not joined yet */
};

/* The key of a chunk: image, part, number. */
#define CHUNK_KEY_SIZE 13
static inline void chunk_key(uint8_t key[CHUNK_KEY_SIZE], uint64_t image, unsigned part, uint32_t number)
{
	store_be64(key, image);
	key[8] = part;
	store_be32(key + 9, number);
}

/* Begin and end of a slice in the images environment. bulk: ERR_FULL unless
 * the head-room stays free behind need more octets. */
int writer_images_begin(struct store_writer *, bool bulk, uint64_t need, MDB_txn **, struct err *);
/* The same for the catalog: what a transaction of bulk asks before it begins. */
int writer_catalog_room(struct store_writer *, struct err *);
int writer_images_commit(struct store_writer *, MDB_txn *, struct err *);
/* A look at both environments, out of their kept transactions. */
int writer_begin_look(struct store_writer *, MDB_txn **catalog, MDB_txn **images, struct err *);
void writer_end_look(struct store_writer *, MDB_txn *catalog, MDB_txn *images);

#endif
