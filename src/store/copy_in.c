/*
 * Images into the store, slice by slice. What a loader made is read chunk by
 * chunk into memory of our own and checked there before it is put: the file
 * may change under us, and its maker met strangers' bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/writer_internal.h"

struct copy_in {
	struct store_writer *writer;
	uint64_t image;
	struct image_frames frames;
	struct image_check *check;      /* NULL: the header has not come yet */
	bool done;
};

int copy_in_begin(struct store_writer *w, int fd, uint64_t offset, uint64_t size, uint64_t image, struct copy_in **out, struct err *err)
{
	struct copy_in *c = calloc(1, sizeof *c);

	if (!c)
		return err_set(err, ERR_NOMEM, "no memory to copy an image in");
	c->writer = w;
	c->image = image;
	if (image_frames_begin(&c->frames, fd, offset, size, err)) {
		free(c);
		return -1;
	}
	*out = c;
	return 0;
}

static int put_chunk(struct store_writer *w, MDB_txn *txn, uint64_t image, enum image_part part, uint32_t number,
	const uint8_t *chunk, size_t size, struct err *err)
{
	uint8_t k[CHUNK_KEY_SIZE];
	MDB_val key = { .mv_size = sizeof k, .mv_data = k };
	MDB_val value = { .mv_size = size, .mv_data = (void *)(uintptr_t)chunk };
	int rc;

	chunk_key(k, image, part, number);
	rc = mdb_put(txn, w->images.dbi[T_CHUNK], &key, &value, MDB_NOOVERWRITE);
	if (rc == MDB_KEYEXIST)
		return err_set(err, ERR_INTERNAL, "image %llu is in the store already", (unsigned long long)image);
	return rc ? env_error(err, rc, &w->images, "cannot write an image") : 0;
}

/* 1: put, 0: there are no more, -1. */
static int copy_chunk(struct copy_in *c, MDB_txn *txn, size_t *size, struct err *err)
{
	enum image_part part;
	const uint8_t *chunk;
	uint32_t number;
	int n = image_frames_next(&c->frames, &part, &number, &chunk, size, err);

	if (n <= 0)
		return n;
	if (!c->check) {
		c->check = image_check_new(chunk, *size, c->writer->hash_key, err);
		if (!c->check)
			return -1;
	} else if (image_check_chunk(c->check, part, number, chunk, *size, err)) {
		return -1;
	}
	return put_chunk(c->writer, txn, c->image, part, number, chunk, *size, err) ? -1 : 1;
}

int copy_in_step(struct copy_in *c, int64_t slice_us, struct err *err)
{
	int64_t until = clock_boot_us() + slice_us;
	size_t page = c->writer->images.page_size, room = (size_t)SLICE_PAGES * page;
	MDB_txn *txn;
	int n = 1;

	if (c->done)
		return 0;
	if (writer_images_begin(c->writer, true, 2 * room, &txn, err))
		return -1;
	do {
		size_t size = 0;

		n = copy_chunk(c, txn, &size, err);
		room -= size + page < room ? size + page : room;
	} while (n > 0 && room > CHUNK_SIZE && clock_boot_us() < until);
	if (n == 0 && (!c->check || image_check_finish(c->check, err)))
		n = -1;
	if (n < 0) {
		mdb_txn_abort(txn);
		return -1;
	}
	if (writer_images_commit(c->writer, txn, err))
		return -1;
	c->done = n == 0;
	return n;
}

double copy_in_share(const struct copy_in *c)
{
	return c->frames.total > 1 ? (double)c->frames.done / (double)c->frames.total : 0;
}

const struct image_header *copy_in_header(const struct copy_in *c)
{
	return &c->frames.header;
}

void copy_in_free(struct copy_in *c)
{
	if (!c)
		return;
	image_check_free(c->check);
	image_frames_end(&c->frames);
	free(c);
}

/* ---- many small ones --------------------------------------------------------------- */

static int check_packed_image(struct store_writer *w, const uint8_t *image, size_t size, struct err *err)
{
	struct image_check *check = image_check_new(image, size, w->hash_key, err);
	int r = check ? image_check_finish(check, err) : -1;

	image_check_free(check);
	return r;
}

int store_images_put_packed(struct store_writer *w, size_t count, const uint64_t *ids, const uint8_t *const *images,
	const size_t *sizes, struct err *err)
{
	uint64_t need = 0;
	MDB_txn *txn;

	for (size_t i = 0; i < count; i++) {
		if (check_packed_image(w, images[i], sizes[i], err))
			return -1;
		need += sizes[i] + 2 * w->images.page_size;
	}
	if (writer_images_begin(w, true, need, &txn, err))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (put_chunk(w, txn, ids[i], PART_HEADER, 0, images[i], sizes[i], err)) {
			mdb_txn_abort(txn);
			return -1;
		}
	return writer_images_commit(w, txn, err);
}
