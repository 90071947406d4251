/*
 * Reading ahead of what is not in memory. A set that was staged a week ago may
 * have left the page cache by the night of its cutover; after a restart of the
 * machine nothing is in it. A worker that meets such a page waits for the
 * disk, and all that it would have answered waits with it. So whatever is
 * answered from, or may be at the next command, is looked through again and
 * again, and what is missing is read in a thread. (What leads there, and packed
 * images, lie in pages of LMDB's trees: these the writer reads.)
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "store/catalog_internal.h"
#include "store/writer_internal.h"

#define LOOK_MAX  4096          /* rows of one step, whatever the clock says */

struct walk {
	struct store_writer *w;
	struct store_warm *warm;
	struct catalog_txn catalog;
	MDB_cursor *sets, *chunks;
	uintptr_t map;          /* where LMDB has images.mdb in memory */
};

/* Has the pages of a value read, if one of them is absent. false: not now. */
static bool ask_for(struct walk *k, const MDB_val *value)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = (uintptr_t)value->mv_data & ~(page - 1), end = (uintptr_t)value->mv_data + value->mv_size;
	size_t absent;

	if (!count_absent((const void *)begin, end - begin, &absent))
		return true;
	if (absent && (!read_ahead_add(&k->w->read_ahead, begin - k->map) || !read_ahead_add(&k->w->read_ahead, end - 1 - k->map)))
		return false;
	k->warm->asked += absent;
	return true;
}

/* The image's chunks from the one behind `from` on; 1: not all of them yet. */
static int look_through_image(struct walk *k, uint64_t image, int64_t until)
{
	struct store_warm *warm = k->warm;
	uint8_t first[CHUNK_KEY_SIZE];
	MDB_val key = { .mv_size = sizeof first, .mv_data = first }, value;
	int rc;

	chunk_key(first, image, warm->part, warm->number);
	rc = mdb_cursor_get(k->chunks, &key, &value, MDB_SET_RANGE);
	for (unsigned n = 0; rc == 0 && key.mv_size == CHUNK_KEY_SIZE && load_be64(key.mv_data) == image; n++) {
		if ((n % 16 == 15 && clock_boot_us() > until) || !ask_for(k, &value)) {
			warm->part = ((const uint8_t *)key.mv_data)[8];
			warm->number = load_be32((const uint8_t *)key.mv_data + 9);
			return 1;
		}
		rc = mdb_cursor_get(k->chunks, &key, &value, MDB_NEXT);
	}
	warm->part = 0;
	warm->number = 0;
	return 0;
}

static bool worth_it(struct walk *k, const struct set_row *set)
{
	struct err ignored = ERR_INIT;
	struct zone_row zone;

	if (set->state != SET_READY)
		return false;
	return k->warm->all || (catalog_zone_by_id(&k->catalog, set->zone, &zone, &ignored) == 0 && zone.live.set == set->id);
}

/* The set at the cursor; false: not all of it yet. One whose row is damaged is
 * passed over, so that the others are looked through: fsck tells of it. */
static bool look_through_set(struct walk *k, const MDB_val *row, int64_t until)
{
	struct err ignored = ERR_INIT;
	struct set_row set;

	if (row_get_set(&set, row->mv_data, row->mv_size, &ignored) || !worth_it(k, &set))
		return true;
	for (; k->warm->image < set.images; k->warm->image++)
		if (look_through_image(k, set.image[k->warm->image].image, until))
			return false;
	return true;
}

static int look_through(struct walk *k, int64_t until, struct err *err)
{
	uint8_t first[8];
	MDB_val key = { .mv_size = sizeof first, .mv_data = first }, row;
	int rc;

	store_be64(first, k->warm->set);
	rc = mdb_cursor_get(k->sets, &key, &row, MDB_SET_RANGE);
	for (unsigned n = 0; rc == 0 && key.mv_size == 8; n++) {
		uint64_t set = load_be64(key.mv_data);

		if (set != k->warm->set) {
			k->warm->set = set;
			k->warm->image = 0;
			k->warm->part = 0;
			k->warm->number = 0;
			if (n == LOOK_MAX || clock_boot_us() > until)
				return 1;
		}
		if (!look_through_set(k, &row, until))
			return 1;
		rc = mdb_cursor_get(k->sets, &key, &row, MDB_NEXT);
	}
	return rc == 0 || rc == MDB_NOTFOUND ? 0 : env_error(err, rc, &k->w->catalog, "cannot read the sets");
}

static int with_cursors(struct walk *k, MDB_txn *images, int64_t until, struct err *err)
{
	uint64_t used, left;
	int rc;

	if (env_find_map(&k->w->images, images, &k->map, err) < 0)
		return -1;
	if (!k->warm->set) {
		if (env_space(&k->w->images, images, &used, &left, err))
			return -1;
		k->warm->all = fits_in_memory(used);
		/* else the small pages that the trees come in would keep large ones out */
		if (k->warm->all) {
			madvise((void *)k->map, k->w->images.map, MADV_HUGEPAGE);
			madvise((void *)k->map, k->w->images.map, MADV_RANDOM);
		}
	}
	rc = mdb_cursor_open(k->catalog.txn, k->w->catalog.dbi[T_SET], &k->sets);
	if (rc)
		return env_error(err, rc, &k->w->catalog, "cannot read the sets");
	rc = mdb_cursor_open(images, k->w->images.dbi[T_CHUNK], &k->chunks);
	if (rc) {
		env_error(err, rc, &k->w->images, "cannot read the images");
	} else {
		rc = look_through(k, until, err);
		mdb_cursor_close(k->chunks);
	}
	mdb_cursor_close(k->sets);
	return err->code ? -1 : rc;
}

/* What the commands read of the catalog and what bulk work reads of the images
 * is mapped, too. */
static int map_both(struct walk *k, MDB_txn *images, int64_t until, struct err *err)
{
	int rc;

	do {
		rc = env_map_ahead(&k->w->catalog, k->catalog.txn, &k->warm->catalog_map, true, err);
		if (rc == 0)
			rc = env_map_ahead(&k->w->images, images, &k->warm->images_map, false, err);
	} while (rc > 0 && clock_boot_us() < until);
	return rc;
}

int store_warm_step(struct store_writer *w, struct store_warm *warm, int64_t slice_us, struct err *err)
{
	struct walk k = { .w = w, .warm = warm, .catalog = { .env = &w->catalog } };
	int64_t until = clock_boot_us() + slice_us;
	mdb_filehandle_t fd;
	MDB_txn *images;
	int rc;

	if (read_ahead_busy(&w->read_ahead))
		return 1;
	if (writer_begin_look(w, &k.catalog.txn, &images, err))
		return -1;
	rc = warm->looked ? 0 : with_cursors(&k, images, until, err);
	warm->looked = rc == 0;
	if (rc == 0 && (rc = map_both(&k, images, until, err)) == 0)
		warm->asked += warm->catalog_map.absent;
	writer_end_look(w, k.catalog.txn, images);
	mdb_env_get_fd(w->images.env, &fd);
	read_ahead_go(&w->read_ahead, fd);
	return rc;
}
