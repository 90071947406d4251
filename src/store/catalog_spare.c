/*
 * Spare signed SOAs: for a set whose serial cannot be put in here, because its
 * SOA was signed elsewhere or a ZONEMD covers it. Each is an image of the apex
 * with another SOA (and ZONEMD), to be laid on top of the set's own: so whoever
 * reads a zone as it is served reads it like any edition.
 */
#include "store/catalog_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/image.h"
#include "wire/rrtype.h"

static void spare_key(uint8_t key[SPARE_KEY_SIZE], struct set_at at, uint32_t serial)
{
	key_u64(key, at.set);
	store_be32(key + 8, at.edition);
	store_be32(key + 12, serial);
}

static int decode(const MDB_val *key, const MDB_val *value, struct spare *spare, struct err *err)
{
	struct spare_row row;

	if (key->mv_size != SPARE_KEY_SIZE)
		return err_set(err, ERR_CORRUPT, "the key of a spare SOA has %zu octets; run fsck", key->mv_size);
	if (row_get_spare(&row, value->mv_data, value->mv_size, err))
		return -1;
	*spare = (struct spare){ .serial = load_be32((const uint8_t *)key->mv_data + 12), .image = row.image, .octets = row.octets,
		.until = row.until };
	return 0;
}

/* ---- reading --------------------------------------------------------------- */

int catalog_spares(struct catalog_txn *t, struct set_at at, int (*each)(void *, const struct spare *), void *arg, struct err *err)
{
	uint8_t prefix[SPARE_KEY_SIZE];
	struct spare spare;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	spare_key(prefix, at, 0);
	if (table_cursor(t, T_SPARE, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, prefix, 12, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, prefix, 12, &key, &value, err)) {
		rc = decode(&key, &value, &spare, err);
		if (rc || each(arg, &spare))
			break;
	}
	mdb_cursor_close(cursor);
	return rc < 0 ? -1 : 0;
}

int spare_find(struct catalog_txn *t, struct set_at at, uint32_t serial, struct spare *spare, struct err *err)
{
	uint8_t k[SPARE_KEY_SIZE];
	MDB_val key = { .mv_size = sizeof k, .mv_data = k }, value;
	int rc;

	spare_key(k, at, serial);
	rc = table_get(t, T_SPARE, k, sizeof k, &value, err);
	return rc == 1 && decode(&key, &value, spare, err) ? -1 : rc;
}

/* From a serial on, around the end of the numbers: the rows of the edition one
 * by one. each: nonzero ends it. */
static int each_from(struct catalog_txn *t, struct set_at at, uint32_t from, int (*each)(void *, const struct spare *), void *arg,
	struct err *err)
{
	uint8_t k[SPARE_KEY_SIZE];
	struct spare spare;
	MDB_cursor *cursor;
	int rc = 0, end = 0;

	if (table_cursor(t, T_SPARE, &cursor, err))
		return -1;
	for (unsigned round = 0; round < 2 && !rc && !end; round++) {
		MDB_val key = { .mv_size = sizeof k, .mv_data = k }, value;

		spare_key(k, at, round ? 0 : from);
		rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
		while (!rc && !end && key.mv_size >= 12 && !memcmp(key.mv_data, k, 12)) {
			if (decode(&key, &value, &spare, err)) {
				mdb_cursor_close(cursor);
				return -1;
			}
			end = (round && spare.serial >= from) || each(arg, &spare);
			if (!end)
				rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
		}
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	mdb_cursor_close(cursor);
	return rc ? env_error(err, rc, t->env, "cannot read the catalog") : 0;
}

struct ahead { bool known; uint32_t after; struct spare first; uint32_t count; bool one; };

/* Round the circle those that are ahead come first, the nearest before all. */
static int take_ahead(void *arg, const struct spare *spare)
{
	struct ahead *a = arg;

	if (a->known && !serial_ahead(spare->serial, a->after))
		return 1;
	if (!a->count++)
		a->first = *spare;
	return a->one;
}

int spare_ahead(struct catalog_txn *t, struct set_at at, bool known, uint32_t after, struct spare *spare, struct err *err)
{
	struct ahead a = { .known = known, .after = after, .one = true };

	if (each_from(t, at, known ? after + 1 : 0, take_ahead, &a, err))
		return -1;
	*spare = a.first;
	return a.count ? 1 : 0;
}

int spare_count(struct catalog_txn *t, struct set_at at, bool known, uint32_t after, uint32_t *count, struct err *err)
{
	struct ahead a = { .known = known, .after = after };
	int rc = each_from(t, at, known ? after + 1 : 0, take_ahead, &a, err);

	*count = a.count;
	return rc;
}

/* ---- writing ----------------------------------------------------------------- */

int spare_put(struct catalog_txn *t, struct set_at at, const struct spare *spare, struct err *err)
{
	struct spare_row row = { .image = spare->image, .octets = spare->octets, .until = spare->until };
	uint8_t key[SPARE_KEY_SIZE], value[SPARE_KEY_SIZE], id[8], buf[ROW_MAX];
	int n = row_put_spare(buf, &row, err);

	spare_key(key, at, spare->serial);
	store_le64(value, at.set);
	store_le32(value + 8, at.edition);
	store_le32(value + 12, spare->serial);
	key_u64(id, spare->image);
	return n < 0 || table_put(t, T_SPARE, key, sizeof key, buf, (size_t)n, 0, err)
		|| table_put(t, T_IMAGE, id, sizeof id, value, sizeof value, 0, err) ? -1 : 0;
}

static int count_one(void *arg, const struct spare *spare)
{
	++*(uint32_t *)arg;
	return 0;
}

int catalog_spares_put(struct catalog_txn *t, struct set_at at, const struct spare *spares, size_t count, struct err *err)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct edition_row edition;
	struct set_row set;
	struct zone_row zone;
	uint32_t there = 0;
	unsigned images;

	if (catalog_set(t, at.set, &set, err) || catalog_zone_by_id(t, set.zone, &zone, err))
		return -1;
	if (set.state != SET_READY && set.state != SET_FAILED)
		return err_set(err, ERR_NOT_READY, "the set @%s is %s", set.name, set_state_name[set.state]);
	if (edition_get(t, at, &edition, err) || catalog_set_path(&set, at.edition, path, &images, err)
	    || catalog_spares(t, at, count_one, &there, err))
		return -1;
	if (!(edition.flags & SET_SERIAL_FIXED))
		return err_set(err, ERR_SERIAL, "the SOA of @%s is neither signed nor covered by a ZONEMD: its serial is put in "
			"here, and it needs no spare ones", set.name);
	if (images > IMAGE_DELTA_MAX)
		return err_set(err, ERR_LIMIT, "@%s is read from %u images: import it anew, then its spare SOAs", set.name, images);
	if (there + count > SPARES_MAX)
		return err_set(err, ERR_LIMIT, "@%s would have %zu spare SOAs, at most %d are kept", set.name, there + count, SPARES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct spare old;
		int rc = spare_find(t, at, spares[i].serial, &old, err);

		if (rc < 0)
			return -1;
		/* what is served stays; the new one is an orphan */
		if (rc && old.image == zone.spare)
			continue;
		if ((rc && id_put(t, T_GARBAGE, old.image, at.set, err)) || spare_put(t, at, &spares[i], err))
			return -1;
	}
	return 0;
}

/* ---- images --------------------------------------------------------------------- */

struct memory_source { struct chunk_source source; const uint8_t *image; size_t size; };

static const uint8_t *memory_chunk(struct chunk_source *source, uint64_t id, enum image_part part, uint32_t number, size_t *size,
	bool *stable)
{
	const struct memory_source *m = (const struct memory_source *)source;

	if (part != PART_HEADER || number)
		return NULL;
	*size = m->size;
	*stable = true;
	return m->image;
}

/* Only the apex may lie in it: other names would hide those of the set. */
static bool is_apex_alone(struct image *image, const struct image_header *h, const uint8_t **node)
{
	struct image_walk walk;

	if (!h->delta || h->nodes != 1 || h->nsec3_nodes)
		return false;
	image_walk_begin(&walk, image, false);
	*node = image_walk_next(&walk);
	return *node && node_owner_size(*node) == 0 && !(node_flags(*node) & NODE_GONE);
}

static bool is_spare(struct image *image, const uint8_t *apex, size_t apex_size, uint32_t serial)
{
	struct err ignored = ERR_INIT;
	struct image_header h;
	const uint8_t *node;
	struct rrset soa;

	return image_read_header(image, &h, &ignored) == 0 && h.apex_size == apex_size && !memcmp(h.apex, apex, apex_size)
		&& is_apex_alone(image, &h, &node) && image_rrset(image, node, TYPE_SOA, &soa) && soa.count == 1
		&& soa.wire_size >= 32 && load_be32(soa.wire + soa.wire_size - 20) == serial;
}

int spare_image_check(const uint8_t *bytes, size_t size, uint64_t hash_key, const uint8_t *apex, size_t apex_size, uint32_t serial,
	struct err *err)
{
	struct memory_source source = { .source = { .chunk = memory_chunk }, .image = bytes, .size = size };
	struct image_check *check;
	struct image *image;
	bool good;
	int rc;

	if (size > CHUNK_SIZE)
		return err_set(err, ERR_LIMIT, "the apex has more than %d octets of records: too many for spare SOAs", CHUNK_SIZE);
	check = image_check_new(bytes, size, hash_key, err);
	rc = check ? image_check_finish(check, err) : -1;
	image_check_free(check);
	image = rc ? NULL : image_open(&source.source, 1, err);
	if (!image)
		return -1;
	good = is_spare(image, apex, apex_size, serial);
	image_close(image);
	return good ? 0 : err_set(err, ERR_CORRUPT, "an image that is not an apex with the SOA %u, and nothing else", serial);
}

/* ---- the end ---------------------------------------------------------------------- */

struct doomed { uint8_t (*key)[SPARE_KEY_SIZE]; uint64_t *image; size_t count, space; };

static int doom(struct doomed *d, const MDB_val *key, const struct spare *spare, struct err *err)
{
	if (d->count == d->space) {
		size_t space = d->space ? 2 * d->space : 64;
		void *keys = realloc(d->key, space * sizeof *d->key), *images;

		if (keys)
			d->key = keys;
		images = keys ? realloc(d->image, space * sizeof *d->image) : NULL;
		if (!images)
			return err_set(err, ERR_NOMEM, "no memory for a list of %zu spare SOAs", space);
		d->image = images;
		d->space = space;
	}
	memcpy(d->key[d->count], key->mv_data, SPARE_KEY_SIZE);
	d->image[d->count++] = spare->image;
	return 0;
}

static int find_doomed(struct catalog_txn *t, uint64_t set, bool (*keep)(const void *, uint32_t), const void *arg, struct doomed *d,
	struct err *err)
{
	uint8_t prefix[8];
	struct spare spare;
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	key_u64(prefix, set);
	if (table_cursor(t, T_SPARE, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, prefix, 8, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, prefix, 8, &key, &value, err)) {
		if (decode(&key, &value, &spare, err)) {
			rc = -1;
			break;
		}
		if (keep && keep(arg, load_be32((const uint8_t *)key.mv_data + 8)))
			continue;
		if (doom(d, &key, &spare, err)) {
			rc = -1;
			break;
		}
	}
	mdb_cursor_close(cursor);
	return rc;
}

int spares_discard(struct catalog_txn *t, uint64_t set, bool (*keep)(const void *, uint32_t), const void *arg, struct err *err)
{
	struct doomed d = { .count = 0 };
	int rc = find_doomed(t, set, keep, arg, &d, err);

	for (size_t i = 0; i < d.count && !rc; i++)
		rc = table_delete(t, T_SPARE, d.key[i], SPARE_KEY_SIZE, err) || id_put(t, T_GARBAGE, d.image[i], set, err) ? -1 : 0;
	free(d.key);
	free(d.image);
	return rc;
}
