/*
 * Reading the store. A snapshot is one transaction of each environment, the
 * catalog's first: what it names was committed to the images before, and is
 * not deleted before every reader of the old catalog is known to be gone.
 */
#include "store/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/catalog_internal.h"
#include "store/map_ahead.h"
#include "store/writer_internal.h"
#include "store/zone_cache.h"

#define COMPLAIN_US 10000000    /* about what cannot be read: once in so long */
#define MAP_ANEW_US 10000000

struct lmdb_source {
	struct chunk_source source;     /* first */
	MDB_txn *txn;
	MDB_dbi dbi;
	size_t inline_max;              /* a value up to this lies in a leaf page, and moves with it */
};

struct store_reader {
	struct store_env catalog_env, images_env;
	MDB_txn *catalog_txn, *images_txn;      /* kept; reset between snapshots */
	struct catalog_txn catalog;             /* its txn only within a snapshot */
	struct lmdb_source source;
	bool within, known;                     /* known: a snapshot has been begun before */
	uint64_t catalog_id, images_id;         /* transactions */
	uint64_t generation;
	struct zone_cache zones;
	snapshot_keep *keep;                    /* NULL: nothing is wanted */
	int64_t complained_us;
	struct map_ahead catalog_map, images_map;
	int64_t mapped_us;                      /* when the last round was over */
};

/* ---- chunks out of LMDB -------------------------------------------------------- */

static const uint8_t *get_chunk(struct chunk_source *source, uint64_t image, enum image_part part, uint32_t number,
	size_t *size, bool *stable)
{
	struct lmdb_source *s = (struct lmdb_source *)source;
	uint8_t k[CHUNK_KEY_SIZE];
	MDB_val key = { .mv_size = sizeof k, .mv_data = k }, value;

	chunk_key(k, image, part, number);
	if (mdb_get(s->txn, s->dbi, &key, &value))
		return NULL;
	*size = value.mv_size;
	/* what is too large for a leaf lies in pages of its own, which stay where
	 * they are as long as the value lives */
	*stable = value.mv_size > s->inline_max;
	return value.mv_data;
}

/* ---- opening ----------------------------------------------------------------------- */

static int check_same_store(struct store_reader *r, struct err *err)
{
	MDB_val key = { .mv_size = strlen(IMAGES_META_KEY), .mv_data = (void *)(uintptr_t)IMAGES_META_KEY }, value;
	int rc = mdb_get(r->images_txn, r->images_env.dbi[T_IMAGES_META], &key, &value);

	if (rc && rc != MDB_NOTFOUND)
		return env_error(err, rc, &r->images_env, "cannot read the images' first row");
	if (rc || value.mv_size != 16 || memcmp(value.mv_data, r->catalog.meta.store_id, 16) != 0)
		return err_set(err, ERR_CORRUPT, "%s and %s are not of one store: put back the two that belong together",
			r->catalog_env.path, r->images_env.path);
	return 0;
}

static int open_reader(struct store_reader *r, const char *dir, struct err *err)
{
	bool found;

	if (env_side_file_check(dir, &found, err))
		return -1;
	if (!found)
		return err_set(err, ERR_SYSTEM, "there is no store in %s (the file %s is missing)", dir, STORE_SIDE_FILE);
	if (zone_cache_init(&r->zones, ZONE_CACHE_OCTETS, err) || env_open_read(&r->catalog_env, dir, false, err) ||
	    env_open_read(&r->images_env, dir, true, err))
		return -1;
	r->catalog.env = &r->catalog_env;
	r->source.source.chunk = get_chunk;
	r->source.source.epoch = 1;
	r->source.dbi = r->images_env.dbi[T_CHUNK];
	/* LMDB: two nodes at least go into a page; node header and key beside it */
	r->source.inline_max = ((r->images_env.page_size - 16) / 2 & ~(size_t)1) - 2 - 8 - CHUNK_KEY_SIZE;
	if (snapshot_begin(r, err))
		return -1;
	if (env_check_reader(&r->catalog_env, err) || env_check_reader(&r->images_env, err) || check_same_store(r, err))
		return -1;
	snapshot_end(r);
	return 0;
}

int store_reader_open(struct store_reader **out, const char *dir, struct err *err)
{
	struct store_reader *r = calloc(1, sizeof *r);

	if (!r)
		return err_set(err, ERR_NOMEM, "no memory to open the store");
	if (open_reader(r, dir, err)) {
		store_reader_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	zone_cache_free(&r->zones);
	if (r->catalog_txn)
		mdb_txn_abort(r->catalog_txn);
	if (r->images_txn)
		mdb_txn_abort(r->images_txn);
	env_close(&r->catalog_env);
	env_close(&r->images_env);
	free(r);
}

/* ---- what has changed since the snapshot before ---------------------------------------- */

static int mark_changed(struct store_reader *r, const MDB_val *row)
{
	if (row->mv_size == 0 || row->mv_size % 16)
		return -1;
	for (size_t at = 0; at < row->mv_size; at += 16)
		zone_cache_mark(&r->zones, load_le64((uint8_t *)row->mv_data + at + 8), load_le64((uint8_t *)row->mv_data + at));
	return 0;
}

/* Follows the rows of the generations (from, to]. -1: they do not tell all,
 * look up everything anew. */
static int follow_rows(struct store_reader *r, uint64_t from, uint64_t to)
{
	struct err ignored = ERR_INIT;
	uint64_t wanted = from + 1;
	MDB_cursor *cursor;
	MDB_val key, value;
	uint8_t start[8];
	int rc;

	if (from > to || to - from > CHANGED_KEEP || table_cursor(&r->catalog, T_CHANGED, &cursor, &ignored))
		return -1;
	key_u64(start, wanted);
	key = (MDB_val){ .mv_size = sizeof start, .mv_data = start };
	for (rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		uint64_t g = key.mv_size >= 8 ? load_be64(key.mv_data) : 0;

		if (g != wanted && g != wanted + 1)
			break;                  /* a generation without a row */
		wanted = g;
		if (mark_changed(r, &value))
			break;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND && wanted == to ? 0 : -1;
}

static void follow_changes(struct store_reader *r)
{
	uint64_t now = r->catalog.meta.generation;

	if (r->generation == now)
		return;
	if (follow_rows(r, r->generation, now))
		r->zones.all_stale_before = now;
	r->generation = now;
}

/* ---- begin and end ------------------------------------------------------------------------ */

void store_reader_keep(struct store_reader *r, snapshot_keep *keep)
{
	r->keep = keep;
}

static int begin_env(struct store_env *env, MDB_txn **txn, bool *remapped, struct err *err)
{
	return *txn ? env_renew(env, *txn, remapped, err) : env_begin_read(env, txn, remapped, err);
}

static int begin_catalog(struct store_reader *r, struct err *err)
{
	bool remapped = false;
	uint64_t id;

	if (begin_env(&r->catalog_env, &r->catalog_txn, &remapped, err))
		return -1;
	if (remapped)
		r->catalog_map = (struct map_ahead){ .map = 0 };
	r->catalog.txn = r->catalog_txn;
	id = mdb_txn_id(r->catalog_txn);
	if (r->known && id == r->catalog_id)
		return 0;
	if (catalog_read_meta(&r->catalog, err)) {
		r->catalog.txn = NULL;
		mdb_txn_reset(r->catalog_txn);
		return -1;
	}
	r->catalog_id = id;
	if (!r->known)
		r->generation = r->catalog.meta.generation;
	follow_changes(r);
	return 0;
}

int snapshot_begin(struct store_reader *r, struct err *err)
{
	bool remapped = false;
	uint64_t id;

	if (r->within)
		return err_set(err, ERR_INTERNAL, "a snapshot is begun within another");
	if (begin_catalog(r, err))
		return -1;
	if (begin_env(&r->images_env, &r->images_txn, &remapped, err)) {
		r->catalog.txn = NULL;
		mdb_txn_reset(r->catalog_txn);
		return -1;
	}
	if (remapped) {
		zone_cache_clear(&r->zones);    /* every pointer into the old map */
		r->images_map = (struct map_ahead){ .map = 0 };
	}
	r->source.txn = r->images_txn;
	id = mdb_txn_id(r->images_txn);
	if (!r->known || id != r->images_id || remapped)
		r->source.source.epoch++;
	r->images_id = id;
	r->known = r->within = true;
	return 0;
}

void snapshot_end(struct store_reader *r)
{
	if (!r->within)
		return;
	if (!TAILQ_EMPTY(&r->zones.dead))
		zone_cache_bury(&r->zones);
	r->within = false;
	r->catalog.txn = NULL;
	r->source.txn = NULL;
	mdb_txn_reset(r->images_txn);
	mdb_txn_reset(r->catalog_txn);
}

/* What was not in memory may have been read since, by the writer. */
static void map_anew(struct store_reader *r)
{
	int64_t now = clock_boot_us();

	if (!r->catalog_map.absent && !r->images_map.absent)
		return;
	if (r->mapped_us && now - r->mapped_us < MAP_ANEW_US)
		return;
	r->mapped_us = now;
	r->catalog_map = (struct map_ahead){ .map = r->catalog_map.map };
	r->images_map = (struct map_ahead){ .map = r->images_map.map };
}

int store_reader_map_ahead(struct store_reader *r, struct err *err)
{
	int rc;

	if (snapshot_begin(r, err))
		return -1;
	rc = env_map_ahead(&r->catalog_env, r->catalog_txn, &r->catalog_map, false, err);
	if (rc == 0)
		rc = env_map_ahead(&r->images_env, r->images_txn, &r->images_map, false, err);
	snapshot_end(r);
	if (rc == 0)
		map_anew(r);
	return rc;
}

uint64_t snapshot_id(const struct store_reader *r)
{
	return r->catalog_id;
}

uint64_t store_hash_key(const struct store_reader *r)
{
	return r->catalog.meta.hash_key;
}

uint64_t snapshot_generation(const struct store_reader *r)
{
	return r->generation;
}

struct catalog_txn *snapshot_catalog(struct store_reader *r)
{
	return &r->catalog;
}

/* ---- views ------------------------------------------------------------------------------------ */

void view_close(struct view *v)
{
	for (unsigned i = 0; i < v->images; i++)
		image_close(v->image[i]);
	v->images = 0;
}

/* An open image of the id is taken over from the view, if it has one. */
static struct image *take_image(struct view *from, uint64_t id)
{
	for (unsigned i = 0; from && i < from->images; i++)
		if (image_id(from->image[i]) == id) {
			struct image *image = from->image[i];

			from->image[i] = from->image[--from->images];
			return image;
		}
	return NULL;
}

/* Opens the images of a path; those that `from` has open move over. */
static int open_path(struct store_reader *r, const struct set_image *path, unsigned count, const uint8_t *apex, size_t apex_size,
	struct view *from, struct view *v, struct err *err)
{
	v->apex = NULL;
	v->apex_size = (uint8_t)apex_size;
	v->apex_labels = name_count_labels(apex);
	v->hash_key = r->catalog.meta.hash_key;
	v->images = 0;
	for (unsigned i = 0; i < count; i++) {
		struct image *image = take_image(from, path[i].image);
		size_t size;

		if (!image && !(image = image_open(&r->source.source, path[i].image, err)))
			return -1;
		v->image[v->images++] = image;
		v->apex = image_apex(image, &size);
		if (size != apex_size || memcmp(v->apex, apex, apex_size) != 0 || image_hash_key(image) != v->hash_key ||
		    image_is_delta(image) != (path[i].from != 0))
			return err_set(err, ERR_CORRUPT, "image %llu is not what its set says; run fsck", (unsigned long long)path[i].image);
	}
	return 0;
}

/* The images of an edition, a spare SOA's first. */
static int find_path(struct store_reader *r, struct set_at at, uint64_t spare, struct set_image *path, unsigned *count, struct err *err)
{
	unsigned first = spare != 0;
	struct set_row set;

	if (catalog_set(&r->catalog, at.set, &set, err) || catalog_set_path(&set, at.edition, path + first, count, err))
		return -1;
	if (spare)
		path[0] = (struct set_image){ .image = spare, .from = at.edition, .to = at.edition };
	*count += first;
	if (*count > IMAGE_DELTA_MAX + 1)
		return err_set(err, ERR_LIMIT, "an edition of %u images has no room for a spare SOA", *count - 1);
	return 0;
}

int snapshot_open_spare(struct store_reader *r, const struct zone_row *zone, struct set_at at, uint64_t image, struct view *v,
	struct err *err)
{
	struct set_image path[IMAGE_DELTA_MAX + 2];
	unsigned count;

	if (find_path(r, at, image, path, &count, err))
		return -1;
	if (open_path(r, path, count, zone->apex, zone->apex_size, NULL, v, err)) {
		view_close(v);
		return -1;
	}
	return 0;
}

int snapshot_open_zone(struct store_reader *r, const struct zone_row *zone, struct view *v, struct err *err)
{
	return snapshot_open_spare(r, zone, zone->live, zone->spare, v, err);
}

int snapshot_open_set(struct store_reader *r, uint64_t set_id, uint32_t edition, struct view *v, struct err *err)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct zone_row zone;
	struct set_row set;
	unsigned count;

	if (catalog_set(&r->catalog, set_id, &set, err) || catalog_zone_by_id(&r->catalog, set.zone, &zone, err) ||
	    catalog_set_path(&set, edition ? edition : set.edition, path, &count, err))
		return -1;
	if (open_path(r, path, count, zone.apex, zone.apex_size, NULL, v, err)) {
		view_close(v);
		return -1;
	}
	return 0;
}

/* ---- zones as the answer path sees them ---------------------------------------------------------- */

static void complain(struct store_reader *r, const struct zone_row *zone, const struct err *err)
{
	int64_t now = clock_boot_us();
	char text[NAME_TEXT_MAX];

	if (r->complained_us && now - r->complained_us < COMPLAIN_US)
		return;
	r->complained_us = now;
	log_error("%s cannot be answered (SERVFAIL): %s", name_to_text_short(text, zone->apex), err->message);
}

/* The entry of a zone's live set; where it cannot be read the entry says so,
 * and is of use in this snapshot only. */
static struct zone_entry *make_entry(struct store_reader *r, const struct zone_row *zone, uint64_t hash, struct zone_entry *old)
{
	struct set_image path[IMAGE_DELTA_MAX + 2];
	struct err err = ERR_INIT;
	struct zone_entry *e;
	unsigned count = 0;
	bool readable = find_path(r, zone->live, zone->spare, path, &count, &err) == 0;

	e = zone_entry_new(readable ? count : 0);
	if (!e)
		return NULL;
	if (open_path(r, path, readable ? count : 0, zone->apex, zone->apex_size, old ? &old->zone.view : NULL, &e->zone.view, &err))
		readable = false;
	if (readable && r->keep) {
		size_t octets = 0;

		readable = r->keep(zone->properties, &e->zone.kept, &octets, &err) == 0;
		e->memory += octets;
	}
	if (!readable) {
		complain(r, zone, &err);
		view_close(&e->zone.view);
	}
	e->hash = hash;
	e->generation = r->generation;
	e->zones_below = zone->zones_below;
	e->zone.zone_id = zone->id;
	e->zone.set_id = zone->live.set;
	e->zone.edition = zone->live.edition;
	e->zone.served_serial = zone->served_serial;
	e->zone.serial_fixed = zone->flags & ZONE_SERIAL_FIXED;
	e->zone.unreadable = !readable;
	if (readable)
		zone_cache_add(&r->zones, e);
	else
		TAILQ_INSERT_TAIL(&r->zones.dead, e, link);
	return e;
}

/* 1: a row, 0: none, -1: the catalog cannot be read. */
static int zone_by_key(struct store_reader *r, const uint8_t *key, size_t size, struct zone_row *zone, struct err *err)
{
	MDB_val value;
	int rc = table_get(&r->catalog, T_ZONE, key, size, &value, err);

	return rc <= 0 ? rc : row_get_zone(zone, value.mv_data, value.mv_size, err) ? -1 : 1;
}

/* The row of the longest zone at or above the name of the key: its own, or
 * else the nearest before it in order, as long as that is not a name's whole
 * labels; what the two share leads on upwards. */
static int longest_zone(struct store_reader *r, const uint8_t *key, size_t size, struct zone_row *zone, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val k, value;
	int rc = 0;

	if (table_cursor(&r->catalog, T_ZONE, &cursor, err))
		return -1;
	while (size > 1) {
		size_t common = 0;

		k = (MDB_val){ .mv_size = size, .mv_data = (void *)(uintptr_t)key };
		rc = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);
		if (rc || k.mv_size != size || memcmp(k.mv_data, key, size) != 0)
			rc = mdb_cursor_get(cursor, &k, &value, rc ? MDB_LAST : MDB_PREV);
		if (rc)
			break;
		while (common < size && common < k.mv_size && key[common] == ((const uint8_t *)k.mv_data)[common])
			common++;
		if (common == k.mv_size && common > 1) {
			rc = row_get_zone(zone, value.mv_data, value.mv_size, err) ? -1 : 1;
			mdb_cursor_close(cursor);
			return rc;
		}
		size = key_label_boundary(key, common);
	}
	mdb_cursor_close(cursor);
	if (rc && rc != MDB_NOTFOUND)
		return env_error(err, rc, &r->catalog_env, "cannot read the zones");
	return zone_by_key(r, (const uint8_t *)"", 1, zone, err);       /* the root's key is 00 */
}

/* An entry that changed: anew, out of the row as it is now. NULL: it has no
 * live set any more. */
static struct zone_entry *refresh(struct store_reader *r, struct zone_entry *old)
{
	struct err err = ERR_INIT;
	uint8_t key[KEY_MAX];
	struct zone_row zone;
	struct zone_entry *e = NULL;
	int n = key_from_name(key, old->zone.view.apex, old->zone.view.apex_size, &err);

	if (n > 0 && zone_by_key(r, key, (size_t)n, &zone, &err) == 1 && zone.live.set) {
		/* out of the table first: the new one may need its room */
		uint64_t hash = old->hash;

		zone_cache_remove(&r->zones, old);
		e = make_entry(r, &zone, hash, old);
		return e;
	}
	zone_cache_remove(&r->zones, old);
	return NULL;
}

/* Without the table: the longest zone with a live set at or above the name's
 * label; *prepared where one without was passed. */
static struct zone_entry *search(struct store_reader *r, const struct name *name, unsigned label, bool *prepared)
{
	struct err err = ERR_INIT;
	uint8_t key[KEY_MAX];
	struct zone_row zone;

	while (label <= name->labels) {
		int n = key_from_name(key, name->lower + name->at[label], (size_t)name->size - name->at[label], &err);
		struct zone_entry *e;

		if (n < 0 || (n = longest_zone(r, key, (size_t)n, &zone, &err)) < 0) {
			log_error("the catalog cannot be read: %s", err.message);
			return NULL;
		}
		if (n == 0)
			return NULL;
		label = name->labels - name_count_labels(zone.apex);
		if (zone.live.set) {
			e = zone_cache_find(&r->zones, name->hash[label], zone.apex, zone.apex_size);
			if (e && !zone_cache_is_stale(&r->zones, e))
				return e;
			if (e)
				zone_cache_remove(&r->zones, e);
			return make_entry(r, &zone, name->hash[label], e);
		}
		*prepared = true;
		label++;
	}
	return NULL;
}

/* The longest match at or above a label of the name. An entry of the table is
 * that where no zone lies below it, or where the label is its own. */
static struct zone_entry *find(struct store_reader *r, const struct name *name, unsigned label, bool *prepared)
{
	for (unsigned i = label; i <= name->labels; i++) {
		struct zone_entry *e = zone_cache_find(&r->zones, name->hash[i], name->lower + name->at[i],
			(size_t)name->size - name->at[i]);

		if (e && zone_cache_is_stale(&r->zones, e))
			e = refresh(r, e);
		if (e && (i == label || e->zones_below == 0))
			return e;
		if (e)
			break;
	}
	return search(r, name, label, prepared);
}

const struct zone_view *snapshot_find_zone(struct store_reader *r, const struct name *name, bool parent_side, bool *prepared)
{
	struct zone_entry *e = NULL;

	*prepared = false;
	if (parent_side && name->labels)
		e = find(r, name, 1, prepared);
	if (!e) {
		*prepared = false;
		e = find(r, name, 0, prepared);
	}
	if (e)
		*prepared = false;
	return e ? &e->zone : NULL;
}

/* ---- hints ---------------------------------------------------------------------------------------- */

#define PREFETCH_LABELS 3       /* from the name upwards: few zones lie deeper below their names */
#define PREFETCH_ZONES_MIN 256

bool snapshot_wants_prefetch(const struct store_reader *r)
{
	return r->zones.count >= PREFETCH_ZONES_MIN;
}

void snapshot_prefetch_zone(struct store_reader *r, const struct name *name, unsigned step)
{
	const struct zone_entry *e = NULL;

	for (unsigned i = 0; i < PREFETCH_LABELS && i <= name->labels && !e; i++) {
		if (step == 0)
			zone_cache_prefetch(&r->zones, name->hash[i]);
		else
			e = zone_cache_peek(&r->zones, name->hash[i]);
	}
	if (!e)
		return;
	if (step == 1) {
		__builtin_prefetch(e);
		__builtin_prefetch((const char *)e + 64);
	} else if (e->zone.view.images) {
		__builtin_prefetch(e->zone.view.image[0]);
		__builtin_prefetch((const char *)e->zone.view.image[0] + 64);
	}
}
