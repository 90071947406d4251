/*
 * The writing side of the store: opening it, slices of the images
 * environment, deleting, and what it all takes.
 */
#include "store/writer_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/turn.h"
#include "store/catalog_internal.h"

#define HEAD_ROOM_CATALOG (16u << 20)
#define HEAD_ROOM_IMAGES  (64u << 20)

/* ---- making and opening ------------------------------------------------------ */

static int draw(void *p, size_t size, struct err *err)
{
	if (getrandom(p, size, 0) != (ssize_t)size)
		return err_system(err, "no random numbers for a new store");
	return 0;
}

/* The first row of the catalog: a store begins here. */
static int create_catalog(struct store_writer *w, struct err *err)
{
	struct catalog_txn t = { .env = &w->catalog, .writer = w };
	MDB_val value;
	int rc;

	if (env_begin_write(t.env, &t.txn, err))
		return -1;
	rc = table_get(&t, T_META, CATALOG_META_KEY, strlen(CATALOG_META_KEY), &value, err);
	if (rc == 0) {
		t.meta = (struct meta_row){ .schema = STORE_SCHEMA, .generation = 1 };
		if (draw(t.meta.store_id, sizeof t.meta.store_id, err) == 0 &&
		    draw(&t.meta.hash_key, sizeof t.meta.hash_key, err) == 0 && catalog_write_meta(&t, err) == 0)
			return env_commit(t.env, t.txn, err);
		rc = -1;
	}
	mdb_txn_abort(t.txn);
	return rc < 0 ? -1 : 0;
}

static int read_catalog_meta(struct store_writer *w, struct meta_row *meta, struct err *err)
{
	struct catalog_txn t = { .env = &w->catalog };
	int rc;

	if (env_begin_look(t.env, &t.txn, err))
		return -1;
	rc = catalog_read_meta(&t, err);
	env_end_look(t.env, t.txn);
	*meta = t.meta;
	return rc;
}

/* Both environments must be of one store: one restored without the other
 * would serve records under others' names. */
static int match_images(struct store_writer *w, const struct meta_row *meta, struct err *err)
{
	const uint8_t *store_id = meta->store_id;
	MDB_val key = { .mv_size = strlen(IMAGES_META_KEY), .mv_data = (void *)(uintptr_t)IMAGES_META_KEY };
	MDB_val value = { .mv_size = 16, .mv_data = (void *)(uintptr_t)store_id };
	MDB_txn *txn;
	int rc;

	if (env_begin_write(&w->images, &txn, err))
		return -1;
	rc = mdb_put(txn, w->images.dbi[T_IMAGES_META], &key, &value, MDB_NOOVERWRITE);
	if (rc == 0 && meta->last_image == 0)
		return env_commit(&w->images, txn, err);
	if (rc == 0)
		err_set(err, ERR_CORRUPT, "%s is empty, but %s names images that should be in it: is this half a copy? Make the copy "
			"anew, or put back the file that belongs here", w->images.path, w->catalog.path);
	else if (rc == MDB_KEYEXIST && (value.mv_size != 16 || memcmp(value.mv_data, store_id, 16) != 0))
		err_set(err, ERR_CORRUPT, "%s and %s are not of one store: put back the two that belong together",
			w->catalog.path, w->images.path);
	else if (rc != MDB_KEYEXIST)
		env_error(err, rc, &w->images, "cannot write the images' first row");
	mdb_txn_abort(txn);
	return err->code ? -1 : 0;
}

/* The highest id that a chunk has. */
static int last_chunk_image(struct store_writer *w, uint64_t *id, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	MDB_txn *txn;
	int rc;

	*id = 0;
	if (env_begin_look(&w->images, &txn, err))
		return -1;
	rc = mdb_cursor_open(txn, w->images.dbi[T_CHUNK], &cursor);
	if (rc == 0) {
		rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
		if (rc == 0 && key.mv_size == CHUNK_KEY_SIZE)
			*id = load_be64(key.mv_data);
		mdb_cursor_close(cursor);
	}
	env_end_look(&w->images, txn);
	return rc && rc != MDB_NOTFOUND ? env_error(err, rc, &w->images, "cannot read the images") : 0;
}

/* A file that is gone must not be made anew beside the other one. */
static int refuse_half(const char *dir, struct err *err)
{
	static const char *const name[] = { "catalog.mdb", "images.mdb" };
	char path[4200];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, name[i]);
		if (stat(path, &st) && errno == ENOENT)
			return err_set(err, ERR_CORRUPT, "%s is missing, though the file %s beside it says that there is a store: put it "
				"back, or restore a backup into an empty directory", path, STORE_SIDE_FILE);
	}
	return 0;
}

static int open_both(struct store_writer *w, const struct store_options *o, struct err *err)
{
	struct meta_row meta;
	bool found;

	if (env_side_file_check(o->dir, &found, err) || (found && refuse_half(o->dir, err)) ||
	    env_open_write(&w->catalog, o->dir, false, o->catalog_map, o->max_readers, err) ||
	    env_open_write(&w->images, o->dir, true, o->images_map, o->max_readers, err))
		return -1;
	if (!found && create_catalog(w, err))
		return -1;
	if (read_catalog_meta(w, &meta, err) || match_images(w, &meta, err) ||
	    last_chunk_image(w, &w->last_image_at_open, err))
		return -1;
	w->hash_key = meta.hash_key;
	if (w->last_image_at_open < meta.last_image)
		w->last_image_at_open = meta.last_image;
	w->last_image = w->last_image_at_open;
	/* last, so that its presence says that the rest is there */
	return found ? 0 : env_side_file_write(o->dir, err);
}

static void clear_stale_readers(struct store_writer *w)
{
	int dead;

	mdb_reader_check(w->catalog.env, &dead);
	mdb_reader_check(w->images.env, &dead);
}

static void *clear_until_done(void *arg)
{
	struct store_writer *w = arg;
	unsigned wanted;

	do {
		wanted = atomic_load(&w->stale_wanted);
		clear_stale_readers(w);
	} while (atomic_fetch_sub(&w->stale_wanted, wanted) != wanted);
	return NULL;
}

int store_writer_open(struct store_writer **out, const struct store_options *o, struct err *err)
{
	struct store_writer *w = calloc(1, sizeof *w);
	struct err no_reserve = ERR_INIT;

	if (!w)
		return err_set(err, ERR_NOMEM, "no memory to open the store");
	if (strlen(o->dir) >= sizeof w->dir) {
		free(w);
		return err_set(err, ERR_LIMIT, "the path of the database directory is too long: %.64s…", o->dir);
	}
	strcpy(w->dir, o->dir);
	w->catalog_head_room = o->head_room ? o->head_room : HEAD_ROOM_CATALOG;
	w->images_head_room = o->head_room ? o->head_room : HEAD_ROOM_IMAGES;
	/* of a small map not all */
	if (w->catalog_head_room > o->catalog_map / 4)
		w->catalog_head_room = o->catalog_map / 4;
	if (w->images_head_room > o->images_map / 4)
		w->images_head_room = o->images_map / 4;
	if (open_both(w, o, err)) {
		store_writer_close(w);
		return -1;
	}
	clear_stale_readers(w);
	/* a full disk is no reason not to serve */
	if (env_reserve(&w->catalog, 0, &no_reserve) || env_reserve(&w->images, 0, &no_reserve))
		log_warning("the store's reserve could not be made: %s", no_reserve.message);
	*out = w;
	return 0;
}

static bool end_clearing(struct store_writer *w)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	return !w->stale_started || pthread_timedjoin_np(w->stale_thread, NULL, &until) == 0;
}

void store_writer_close(struct store_writer *w)
{
	if (!w)
		return;
	read_ahead_end(&w->read_ahead);
	/* a thread that waits in LMDB needs the environments for as long as the process lives */
	if (!end_clearing(w))
		return;
	env_close(&w->catalog);
	env_close(&w->images);
	free(w);
}

void store_writer_clear_stale_readers(struct store_writer *w)
{
	if (atomic_fetch_add(&w->stale_wanted, 1))
		return;
	if (w->stale_started)
		pthread_join(w->stale_thread, NULL);    /* it has nothing left to do */
	w->stale_started = pthread_create(&w->stale_thread, NULL, clear_until_done, w) == 0;
	if (!w->stale_started) {
		log_warning("no thread to clear the reader table of the dead: it is done when the next process has died");
		atomic_store(&w->stale_wanted, 0);
	}
}

uint64_t store_writer_hash_key(struct store_writer *w)
{
	return w->hash_key;
}

/* ---- slices of the images environment ------------------------------------------ */

/* LMDB shows its freelist to read-only transactions alone. */
static int count_free(struct store_env *env, uint64_t *used, uint64_t *left, struct err *err)
{
	MDB_txn *txn;
	int rc;

	if (env_begin_look(env, &txn, err))
		return -1;
	rc = env_space(env, txn, used, left, err);
	env_end_look(env, txn);
	return rc;
}

/* Is there room in the map for bulk? The freelist is walked only where the end
 * of the map is near. */
static int room_in_map(struct store_env *env, uint64_t want, const char *option, struct err *err)
{
	uint64_t used, left;
	MDB_envinfo info;

	mdb_env_info(env->env, &info);
	used = ((uint64_t)info.me_last_pgno + 1) * env->page_size;
	left = info.me_mapsize > used ? info.me_mapsize - used : 0;
	if (left >= want)
		return 0;
	if (count_free(env, &used, &left, err))
		return -1;
	if (left >= want)
		return 0;
	return err_set(err, ERR_FULL, "the map of %s (%llu MiB) is full but for what is kept for switches: drop sets or "
		"remove zones, or raise %s and restart", env->path, (unsigned long long)(env->map >> 20), option);
}

int writer_catalog_room(struct store_writer *w, struct err *err)
{
	if (env_reserve(&w->catalog, CATALOG_BULK_NEED, err))
		return err_context(err, "no room for more zones and sets: what is kept free on the disk is for switches");
	return room_in_map(&w->catalog, CATALOG_BULK_NEED + w->catalog_head_room, "catalog-map-size", err);
}

int writer_images_begin(struct store_writer *w, bool bulk, uint64_t need, MDB_txn **txn, struct err *err)
{
	if (w->broken)
		return err_set(err, ERR_UNAVAILABLE, "an earlier commit failed: the writer must be restarted");
	if (bulk && env_reserve(&w->images, need, err))
		return err_context(err, "no room for a set: what is kept free on the disk is for switches");
	if (bulk && room_in_map(&w->images, need + w->images_head_room, "images-map-size", err))
		return -1;
	if (env_begin_write(&w->images, txn, err))
		return -1;
	return 0;
}

int writer_images_commit(struct store_writer *w, MDB_txn *txn, struct err *err)
{
	struct err local = ERR_INIT;

	if (env_commit(&w->images, txn, &local) == 0)
		return 0;
	/* for lack of space nothing was lost; after anything else what LMDB
	 * holds in memory is not to be trusted */
	if (!err_is(&local, ERR_FULL))
		w->broken = true;
	return err_set(err, local.code, "%s", local.message);
}

/* ---- deleting ------------------------------------------------------------------- */

#define DELETE_MAX 512          /* chunks of one slice */

int store_image_delete_step(struct store_writer *w, uint64_t image, int64_t slice_us, struct err *err)
{
	uint8_t first[CHUNK_KEY_SIZE];
	int64_t until = clock_boot_us() + slice_us;
	MDB_cursor *cursor;
	MDB_val key = { .mv_size = sizeof first, .mv_data = first }, value;
	MDB_txn *txn;
	unsigned n = 0;
	int rc;

	chunk_key(first, image, 0, 0);
	if (writer_images_begin(w, false, 0, &txn, err))
		return -1;
	rc = mdb_cursor_open(txn, w->images.dbi[T_CHUNK], &cursor);
	if (rc) {
		mdb_txn_abort(txn);
		return env_error(err, rc, &w->images, "cannot delete an image");
	}
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (rc == 0 && key.mv_size == CHUNK_KEY_SIZE && load_be64(key.mv_data) == image) {
		if (n == DELETE_MAX || (n % 16 == 15 && clock_boot_us() > until))
			break;
		turn_over(300);
		rc = mdb_cursor_del(cursor, 0);
		if (rc == 0) {
			n++;
			/* stands on what came behind, or at the page's end */
			rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
			if (rc) {
				key = (MDB_val){ .mv_size = sizeof first, .mv_data = first };
				rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
			}
		}
	}
	mdb_cursor_close(cursor);
	if (rc && rc != MDB_NOTFOUND) {
		mdb_txn_abort(txn);
		return env_error(err, rc, &w->images, "cannot delete an image");
	}
	rc = rc == 0 && load_be64(key.mv_data) == image;        /* more */
	if (n == 0) {
		mdb_txn_abort(txn);
		return rc;
	}
	return writer_images_commit(w, txn, err) ? -1 : rc;
}

int writer_begin_look(struct store_writer *w, MDB_txn **catalog, MDB_txn **images, struct err *err)
{
	if (env_begin_look(&w->catalog, catalog, err))
		return -1;
	if (env_begin_look(&w->images, images, err) == 0)
		return 0;
	env_end_look(&w->catalog, *catalog);
	return -1;
}

void writer_end_look(struct store_writer *w, MDB_txn *catalog, MDB_txn *images)
{
	env_end_look(&w->images, images);
	env_end_look(&w->catalog, catalog);
}

/* ---- orphans ---------------------------------------------------------------------- */

#define ORPHANS_LOOK 256        /* images looked at in one step */

/* The first image at or behind *id. 1: there is one, 0: none, -1. */
static int next_image(struct store_writer *w, MDB_cursor *cursor, uint64_t *id, struct err *err)
{
	uint8_t first[CHUNK_KEY_SIZE];
	MDB_val key = { .mv_size = sizeof first, .mv_data = first }, value;
	int rc;

	chunk_key(first, *id, 0, 0);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return env_error(err, rc, &w->images, "cannot read the images");
	if (key.mv_size != CHUNK_KEY_SIZE)
		return err_set(err, ERR_CORRUPT, "%s: a key of %zu octets; run fsck", w->images.path, key.mv_size);
	*id = load_be64(key.mv_data);
	return 1;
}

/* Does a row of the catalog name it, be it as garbage? */
static int image_named(struct catalog_txn *t, uint64_t id, struct err *err)
{
	uint8_t key[8];
	MDB_val value;
	int rc;

	key_u64(key, id);
	rc = table_get(t, T_IMAGE, key, sizeof key, &value, err);
	return rc ? rc : table_get(t, T_GARBAGE, key, sizeof key, &value, err);
}

/* 1: *orphan is one, 0: none among those looked at; *cursor is behind them;
 * -1. *end: there are no more. */
static int find_orphan(struct store_writer *w, struct catalog_txn *t, MDB_cursor *images, uint64_t *cursor, uint64_t *orphan,
	bool *end, struct err *err)
{
	for (unsigned i = 0; i < ORPHANS_LOOK; i++) {
		uint64_t id = *cursor;
		int rc = next_image(w, images, &id, err);

		if (rc < 0)
			return -1;
		if (rc == 0 || id > w->last_image_at_open) {
			*end = true;
			return 0;
		}
		rc = image_named(t, id, err);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			*cursor = *orphan = id;
			return 1;
		}
		*cursor = id + 1;
	}
	return 0;
}

static int look_for_orphan(struct store_writer *w, uint64_t *cursor, uint64_t *orphan, bool *end, struct err *err)
{
	struct catalog_txn t = { .env = &w->catalog };
	MDB_cursor *images;
	MDB_txn *txn;
	int rc;

	if (writer_begin_look(w, &t.txn, &txn, err))
		return -1;
	rc = mdb_cursor_open(txn, w->images.dbi[T_CHUNK], &images);
	if (rc) {
		rc = env_error(err, rc, &w->images, "cannot read the images");
	} else {
		rc = find_orphan(w, &t, images, cursor, orphan, end, err);
		mdb_cursor_close(images);
	}
	writer_end_look(w, t.txn, txn);
	return rc;
}

int store_orphans_step(struct store_writer *w, uint64_t *cursor, unsigned *deleted, struct err *err)
{
	uint64_t orphan = 0;
	bool end = false;
	int rc = look_for_orphan(w, cursor, &orphan, &end, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return !end;
	rc = store_image_delete_step(w, orphan, 4000, err);
	if (rc == 0) {
		++*deleted;
		*cursor = orphan + 1;
	}
	return rc < 0 ? -1 : 1;
}

/* ---- space ------------------------------------------------------------------------ */

struct oldest { uint64_t txn; };

/* A line of LMDB's list: pid, thread, transaction or "-". */
static int look_for_oldest(const char *line, void *arg)
{
	struct oldest *oldest = arg;
	unsigned long long txn;

	if (sscanf(line, "%*d %*s %llu", &txn) == 1 && txn < oldest->txn)
		oldest->txn = txn;
	return 0;
}

static int space_of(struct store_env *env, struct store_space *s, struct err *err)
{
	struct oldest oldest = { .txn = UINT64_MAX };
	uint64_t left;
	MDB_envinfo info;
	struct stat st;
	MDB_txn *txn;
	int rc;

	if (env_begin_look(env, &txn, err))
		return -1;
	rc = env_space(env, txn, &s->used, &left, err);
	env_end_look(env, txn);
	if (rc)
		return -1;
	mdb_env_info(env->env, &info);
	s->map = info.me_mapsize;
	s->share = s->map ? (double)s->used / (double)s->map : 0;
	s->file = stat(env->path, &st) ? 0 : (uint64_t)st.st_size;
	s->readers = info.me_numreaders;
	mdb_reader_list(env->env, look_for_oldest, &oldest);
	s->oldest_reader_lag = oldest.txn < info.me_last_txnid ? info.me_last_txnid - oldest.txn : 0;
	return 0;
}

int store_space(struct store_writer *w, struct store_space *catalog, struct store_space *images, struct err *err)
{
	return space_of(&w->catalog, catalog, err) || space_of(&w->images, images, err) ? -1 : 0;
}

const char *store_library_version(void)
{
	static char version[32];
	int major, minor, patch;

	mdb_version(&major, &minor, &patch);
	snprintf(version, sizeof version, "LMDB %d.%d.%d", major, minor, patch);
	return version;
}
