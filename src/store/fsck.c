/*
 * The whole store, looked at in one pair of snapshots: the catalog's first, so
 * that each image which it names is in that of the images. Tables are read
 * from end to end and what rows refer to is looked up one by one, so that
 * memory does not grow with the store.
 *
 * What an edition holds is not counted name by name once more: its base was
 * checked against its own header, and of each delta on top the nodes that it
 * hides are taken off and its own put on.
 */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/image_format.h"
#include "wire/rrtype.h"

/* ---- telling --------------------------------------------------------------- */

void fsck_say(struct fsck *f, const char *fmt, ...)
{
	char text[2 * NAME_TEXT_MAX + 1024];
	va_list ap;

	f->report->problems++;
	if (!f->say)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	f->say(f->arg, text);
}

char *fsck_set_text(struct fsck *f, const struct set_row *set, char buf[SET_TEXT_MAX])
{
	struct err ignored = ERR_INIT;
	char text[NAME_TEXT_MAX];
	struct zone_row zone;

	if (catalog_zone_by_id(&f->catalog, set->zone, &zone, &ignored))
		snprintf(buf, SET_TEXT_MAX, "set %" PRIu64 " (@%s of zone %" PRIu64 ")", set->id, set->name, set->zone);
	else
		snprintf(buf, SET_TEXT_MAX, "%s@%s", name_to_text_short(text, zone.apex), set->name);
	return buf;
}

static void row_done(struct fsck *f)
{
	uint64_t step = f->rows / 1000 + 1;

	if (++f->rows_done % step == 0 && f->progress)
		f->progress(f->arg, f->rows_done < f->rows ? (double)f->rows_done / (double)f->rows : 1);
}

int fsck_each(struct fsck *f, struct store_env *env, MDB_txn *txn, MDB_dbi dbi,
	int (*check)(struct fsck *, const MDB_val *, const MDB_val *, void *, struct err *), void *arg, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, dbi, &cursor);

	if (rc)
		return env_error(err, rc, env, "cannot read a table");
	while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		if (check(f, &key, &value, arg, err)) {
			mdb_cursor_close(cursor);
			return -1;
		}
		row_done(f);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : env_error(err, rc, env, "cannot read a table");
}

/* ---- images ------------------------------------------------------------------- */

static const uint8_t *get_chunk(struct chunk_source *source, uint64_t image, enum image_part part, uint32_t number,
	size_t *size, bool *stable)
{
	struct fsck *f = (struct fsck *)((char *)source - offsetof(struct fsck, source));
	uint8_t k[CHUNK_KEY_SIZE];
	MDB_val key = { .mv_size = sizeof k, .mv_data = k }, value;

	chunk_key(k, image, part, number);
	if (mdb_get(f->images, f->images_env.dbi[T_CHUNK], &key, &value))
		return NULL;
	*size = value.mv_size;
	*stable = true;         /* as long as the snapshot, which we end with */
	return value.mv_data;
}

/* The image whose chunks pass by. */
struct image_pass {
	uint64_t id;
	bool looked_at;         /* named by a set, and no garbage */
	bool bad;               /* said already */
	char text[SET_TEXT_MAX];
	struct image_check *check;
};

static int image_end(struct fsck *f, struct image_pass *p, struct err *err)
{
	struct err reason = ERR_INIT;
	int rc = 0;

	if (p->check && !p->bad && image_check_finish(p->check, &reason)) {
		if (err_is(&reason, ERR_NOMEM))
			rc = err_set(err, reason.code, "%s", reason.message);
		else
			fsck_say(f, "%s: image %" PRIu64 ": %s", p->text, p->id, reason.message);
	}
	image_check_free(p->check);
	p->check = NULL;
	return rc;
}

/* Does a row of the table have the image as its key? 1, 0, -1. */
static int image_row(struct fsck *f, enum catalog_table table, uint64_t id, uint64_t *set, struct err *err)
{
	uint8_t key[8];
	MDB_val value;
	int rc;

	key_u64(key, id);
	rc = table_get(&f->catalog, table, key, sizeof key, &value, err);
	/* that of a spare SOA has edition and serial behind the set */
	*set = rc == 1 && value.mv_size >= 8 ? load_le64(value.mv_data) : 0;
	return rc;
}

static int image_begin(struct fsck *f, struct image_pass *p, uint64_t id, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct set_row set;
	uint64_t set_id, unused;
	int named = image_row(f, T_IMAGE, id, &set_id, err);
	int garbage = named < 0 ? -1 : image_row(f, T_GARBAGE, id, &unused, err);

	if (garbage < 0)
		return -1;
	p->id = id;
	p->bad = false;
	/* what nothing names is being copied in, or was left behind: the writer
	 * drops it */
	p->looked_at = named && !garbage;
	if (!p->looked_at)
		return 0;
	f->report->images++;
	if (catalog_set(&f->catalog, set_id, &set, &ignored))
		snprintf(p->text, sizeof p->text, "set %" PRIu64, set_id);
	else
		fsck_set_text(f, &set, p->text);
	return 0;
}

static int image_chunk(struct fsck *f, struct image_pass *p, const MDB_val *key, const MDB_val *value, struct err *err)
{
	unsigned part = ((const uint8_t *)key->mv_data)[8];
	uint32_t number = load_be32((const uint8_t *)key->mv_data + 9);
	struct err reason = ERR_INIT;
	int rc;

	if (part >= PART_COUNT || (!p->check && (part != PART_HEADER || number))) {
		err_set(&reason, ERR_CORRUPT, "chunk %u of part %u where the header should be", number, part);
		rc = -1;
	} else if (!p->check) {
		p->check = image_check_new(value->mv_data, value->mv_size, f->catalog.meta.hash_key, &reason);
		rc = p->check ? 0 : -1;
	} else {
		rc = image_check_chunk(p->check, (enum image_part)part, number, value->mv_data, value->mv_size, &reason);
	}
	if (!rc)
		return 0;
	if (!err_is(&reason, ERR_CORRUPT) && !err_is(&reason, ERR_VERSION))     /* not the image's fault */
		return err_set(err, reason.code, "%s", reason.message);
	fsck_say(f, "%s: image %" PRIu64 ": %s", p->text, p->id, reason.message);
	p->bad = true;
	return 0;
}

static int check_chunk_row(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct image_pass *p = arg;
	uint64_t id;

	if (key->mv_size != CHUNK_KEY_SIZE) {
		fsck_say(f, "%s: a chunk's key has %zu octets, not %d", f->images_env.path, key->mv_size, CHUNK_KEY_SIZE);
		return 0;
	}
	id = load_be64(key->mv_data);
	if (id != p->id && (image_end(f, p, err) || image_begin(f, p, id, err)))
		return -1;
	return p->looked_at && !p->bad ? image_chunk(f, p, key, value, err) : 0;
}

static int check_images(struct fsck *f, struct err *err)
{
	struct image_pass p = { .id = 0 };
	int rc = fsck_each(f, &f->images_env, f->images, f->images_env.dbi[T_CHUNK], check_chunk_row, &p, err);

	return image_end(f, &p, err) || rc ? -1 : 0;
}

/* ---- what editions hold --------------------------------------------------------- */

struct totals { uint64_t records, rrsets, nodes; struct content_hash hash; };

/* One set whose editions are looked at; its images are opened once. */
struct set_pass {
	const struct set_row *set;
	struct zone_row zone;
	char text[SET_TEXT_MAX];
	struct image *image[IMAGE_DELTA_MAX + 1];       /* as in the row; NULL: cannot be opened */
};

static void open_images(struct fsck *f, struct set_pass *p)
{
	for (unsigned i = 0; i < p->set->images; i++) {
		struct err reason = ERR_INIT;
		const uint8_t *apex;
		size_t size;

		p->image[i] = image_open(&f->source, p->set->image[i].image, &reason);
		if (!p->image[i]) {
			fsck_say(f, "%s: %s", p->text, reason.message);
			continue;
		}
		apex = image_apex(p->image[i], &size);
		if (image_is_delta(p->image[i]) == (p->set->image[i].from != 0) && size == p->zone.apex_size
		    && !memcmp(apex, p->zone.apex, size) && image_hash_key(p->image[i]) == f->catalog.meta.hash_key)
			continue;
		fsck_say(f, "%s: image %" PRIu64 " is of another zone, or no %s", p->text, p->set->image[i].image,
			p->set->image[i].from ? "delta" : "base");
		image_close(p->image[i]);
		p->image[i] = NULL;
	}
}

/* The view of an edition, newest image first; borrowed images. false: said. */
static bool edition_view(struct fsck *f, struct set_pass *p, uint32_t edition, struct view *v)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct err reason = ERR_INIT;
	unsigned count;

	if (catalog_set_path(p->set, edition, path, &count, &reason)) {
		fsck_say(f, "%s: %s", p->text, reason.message);
		return false;
	}
	v->images = 0;
	v->apex = p->zone.apex;
	v->apex_size = p->zone.apex_size;
	v->apex_labels = name_count_labels(p->zone.apex);
	v->hash_key = f->catalog.meta.hash_key;
	for (unsigned i = 0; i < count; i++) {
		unsigned k = 0;

		while (p->set->image[k].image != path[i].image)
			k++;
		if (!p->image[k])
			return false;
		v->image[v->images++] = p->image[k];
	}
	return true;
}

static int count_node(struct totals *t, struct found found, const struct view *v, bool nsec3, bool add)
{
	uint64_t records = 0, rrsets = node_rrsets(found.node), nodes = !nsec3;
	struct content_hash hash;
	struct rrset s;

	if (content_hash_node(&hash, found, v->apex, v->apex_size))
		return -1;
	for (unsigned i = 0; i < rrsets; i++)
		if (image_rrset_at(found.image, found.node, i, &s))
			records += (uint64_t)s.count + s.sig_count;
	if (add) {
		t->records += records;
		t->rrsets += rrsets;
		t->nodes += nodes;
		content_hash_add(&t->hash, &hash);
	} else {
		t->records -= records;
		t->rrsets -= rrsets;
		t->nodes -= nodes;
		content_hash_subtract(&t->hash, &hash);
	}
	return 0;
}

/* What the older images have at the owner of a delta's node. */
static struct found older_node(const struct view *older, const uint8_t *node, bool nsec3)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	size_t size = node_owner_size(node);
	struct view_walk walk;
	struct found f;
	struct name name;

	if (!nsec3) {
		memcpy(full, node_owner(node), size);
		memcpy(full + size, older->apex, older->apex_size);
		if (!name_parse(&name, full, size + older->apex_size, older->hash_key))
			return (struct found){ .node = NULL };
		return view_find(older, name.hash[0], name.lower, size);
	}
	view_walk_seek(&walk, older, true, node_owner(node), size);
	f = view_walk_next(&walk);
	if (f.node && name_compare(node_owner(f.node), node_owner_size(f.node), node_owner(node), size) != 0)
		f.node = NULL;
	return f;
}

/* One delta goes on top of the older images. */
static int count_delta(struct totals *t, struct image *delta, const struct view *older)
{
	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		struct found new = { .image = delta };
		struct image_walk walk;

		image_walk_begin(&walk, delta, nsec3);
		while ((new.node = image_walk_next(&walk))) {
			struct found old = older_node(older, new.node, nsec3);

			if (old.node && count_node(t, old, older, nsec3, false))
				return -1;
			if (!(node_flags(new.node) & NODE_GONE) && count_node(t, new, older, nsec3, true))
				return -1;
		}
	}
	return 0;
}

static int count_view(struct totals *t, const struct view *v, struct err *err)
{
	struct image_header base;
	struct view older = *v;

	if (image_read_header(v->image[v->images - 1], &base, err))
		return -1;
	*t = (struct totals){ .records = base.records, .rrsets = base.rrsets, .nodes = base.nodes };
	memcpy(t->hash.word, base.content, sizeof base.content);
	for (unsigned i = v->images - 1; i-- > 0;) {
		older.images = v->images - 1 - i;
		memcpy(older.image, v->image + i + 1, older.images * sizeof *older.image);
		if (count_delta(t, v->image[i], &older))
			return err_set(err, ERR_NOMEM, "no memory to count records");
	}
	return 0;
}

/* The SOA's serial, and whether it can be replaced. false: none, or (a failed
 * set) several, so that the row's is any of theirs. */
static bool read_soa(const struct view *v, uint32_t *serial, bool *fixed)
{
	struct found apex = view_find(v, apex_hash(v->apex, v->hash_key), v->apex, 0);
	struct rrset soa, zonemd;

	if (!apex.node || !image_rrset(apex.image, apex.node, TYPE_SOA, &soa) || soa.count != 1 || soa.wire_size < 32)
		return false;
	*serial = load_be32(soa.wire + soa.wire_size - 20);
	*fixed = soa.sig_count || image_rrset(apex.image, apex.node, TYPE_ZONEMD, &zonemd);
	return true;
}

static int check_edition(struct fsck *f, struct set_pass *p, uint32_t number, const struct edition_row *e, struct err *err)
{
	struct totals t;
	struct view v;
	uint32_t serial;
	bool fixed;

	if (!edition_view(f, p, number, &v))
		return 0;
	if (count_view(&t, &v, err))
		return err_context(err, "%s", p->text);
	if (t.records != e->records || t.rrsets != e->rrsets || t.nodes != e->nodes)
		fsck_say(f, "%s: edition %u has %" PRIu64 " records in %" PRIu64 " RRsets of %" PRIu64 " names, its row says %" PRIu64
			", %" PRIu64 ", %" PRIu64, p->text, number, t.records, t.rrsets, t.nodes, e->records, e->rrsets, e->nodes);
	if (memcmp(&t.hash, &e->hash, sizeof t.hash) != 0)
		fsck_say(f, "%s: the content hash of edition %u is not that of its records", p->text, number);
	if (read_soa(&v, &serial, &fixed) && (serial != e->soa_serial || fixed != !!(e->flags & SET_SERIAL_FIXED)))
		fsck_say(f, "%s: edition %u has the SOA serial %u (%s), its row says %u (%s)", p->text, number,
			serial, fixed ? "fixed" : "free", e->soa_serial, e->flags & SET_SERIAL_FIXED ? "fixed" : "free");
	if (number == p->set->edition) {
		f->report->nodes += t.nodes;
		f->report->records += t.records;
	}
	return 0;
}

/* All editions that are kept of a set. */
static int check_editions(struct fsck *f, struct set_pass *p, struct err *err)
{
	uint8_t prefix[8];
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	key_u64(prefix, p->set->id);
	if (table_cursor(&f->catalog, T_EDITION, &cursor, err))
		return -1;
	for (rc = prefix_first(&f->catalog, cursor, prefix, 8, &key, &value, err); rc == 1;
	     rc = prefix_next(&f->catalog, cursor, prefix, 8, &key, &value, err)) {
		struct err ignored = ERR_INIT;
		struct edition_row e;

		/* what cannot be read was said when the table was */
		if (key.mv_size == 12 && !row_get_edition(&e, value.mv_data, value.mv_size, &ignored)
		    && check_edition(f, p, load_be32((const uint8_t *)key.mv_data + 8), &e, err)) {
			rc = -1;
			break;
		}
	}
	mdb_cursor_close(cursor);
	return rc;
}

static int check_set_content(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct set_pass p = { 0 };
	struct set_row set;
	int rc;

	if (row_get_set(&set, value->mv_data, value->mv_size, &ignored))
		return 0;
	if (set.state != SET_READY && set.state != SET_FAILED)
		return 0;
	p.set = &set;
	if (catalog_zone_by_id(&f->catalog, set.zone, &p.zone, &ignored))
		return 0;
	fsck_set_text(f, &set, p.text);
	open_images(f, &p);
	rc = check_editions(f, &p, err);
	for (unsigned i = 0; i < set.images; i++)
		image_close(p.image[i]);
	return rc;
}

/* ---- the whole ------------------------------------------------------------------- */

/* Rows of all tables, those of the sets twice: for the progress only. */
static void count_rows(struct fsck *f)
{
	MDB_stat st;

	for (unsigned i = 0; i < T_CATALOG_COUNT; i++)
		if (!mdb_stat(f->catalog.txn, f->catalog_env.dbi[i], &st))
			f->rows += i == T_SET ? 2 * st.ms_entries : st.ms_entries;
	if (!mdb_stat(f->images, f->images_env.dbi[T_CHUNK], &st))
		f->rows += st.ms_entries;
}

static int check_one_store(struct fsck *f, struct err *err)
{
	MDB_val key = { .mv_size = strlen(IMAGES_META_KEY), .mv_data = (void *)(uintptr_t)IMAGES_META_KEY }, value;
	int rc = mdb_get(f->images, f->images_env.dbi[T_IMAGES_META], &key, &value);

	if (rc && rc != MDB_NOTFOUND)
		return env_error(err, rc, &f->images_env, "cannot read the images' first row");
	if (rc || value.mv_size != sizeof f->catalog.meta.store_id
	    || memcmp(value.mv_data, f->catalog.meta.store_id, value.mv_size) != 0)
		fsck_say(f, "%s and %s are not of one store", f->catalog_env.path, f->images_env.path);
	return 0;
}

static int open_snapshots(struct fsck *f, const char *dir, struct err *err)
{
	bool remapped = false;

	if (env_open_read(&f->catalog_env, dir, false, err) || env_open_read(&f->images_env, dir, true, err)
	    || env_begin_read(&f->catalog_env, &f->catalog.txn, &remapped, err)
	    || env_check_reader(&f->catalog_env, err))
		return -1;
	if (env_begin_read(&f->images_env, &f->images, &remapped, err) || env_check_reader(&f->images_env, err))
		return -1;
	f->catalog.env = &f->catalog_env;
	f->source.chunk = get_chunk;
	return catalog_read_meta(&f->catalog, err);
}

/* 1: LMDB cannot be trusted with them. */
static int check_pages(struct fsck *f, const char *dir, struct err *err)
{
	bool found;
	int catalog, images;

	if (env_side_file_check(dir, &found, err))
		return -1;
	if (!found)
		return err_set(err, ERR_SYSTEM, "there is no store in %s (the file %s is missing)", dir, STORE_SIDE_FILE);
	catalog = fsck_pages(f, dir, false, err);
	images = catalog < 0 ? -1 : fsck_pages(f, dir, true, err);
	if (catalog < 0 || images < 0)
		return -1;
	if (catalog || images)
		fsck_say(f, "what lies in these pages was not looked at: stop the daemon, move %s away, and restore the last backup "
			"(schwenkd --restore)", dir);
	f->report->pages_damaged = catalog || images;
	return f->report->pages_damaged;
}

static void close_snapshots(struct fsck *f)
{
	if (f->images)
		mdb_txn_abort(f->images);
	if (f->catalog.txn)
		mdb_txn_abort(f->catalog.txn);
	env_close(&f->images_env);
	env_close(&f->catalog_env);
	free(f->groups);
}

int store_fsck(const char *dir, struct fsck_report *report, void (*say)(void *, const char *problem),
	void (*progress)(void *, double share), void *arg, struct err *err)
{
	struct fsck f = { .report = report, .say = say, .progress = progress, .arg = arg };
	int rc;

	memset(report, 0, sizeof *report);
	rc = check_pages(&f, dir, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	rc = open_snapshots(&f, dir, err);
	if (!rc) {
		count_rows(&f);
		if (check_one_store(&f, err) || fsck_catalog(&f, err) || check_images(&f, err)
		    || fsck_each(&f, &f.catalog_env, f.catalog.txn, f.catalog_env.dbi[T_SET], check_set_content, NULL, err))
			rc = -1;
		else if (progress)
			progress(arg, 1);
	}
	close_snapshots(&f);
	return rc;
}
