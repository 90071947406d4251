#include "store/catalog_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/writer_internal.h"



void key_u64(uint8_t key[8], uint64_t id)
{
	store_be64(key, id);
}

void key_u64_u64(uint8_t key[16], uint64_t a, uint64_t b)
{
	store_be64(key, a);
	store_be64(key + 8, b);
}

/* ---- tables ------------------------------------------------------------------ */

int table_get(struct catalog_txn *t, enum catalog_table table, const void *key, size_t size, MDB_val *value, struct err *err)
{
	MDB_val k = { .mv_size = size, .mv_data = (void *)(uintptr_t)key };
	int rc;

	if (!t->txn)
		return err_set(err, ERR_INTERNAL, "the catalog is read outside a snapshot");
	rc = mdb_get(t->txn, t->env->dbi[table], &k, value);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? env_error(err, rc, t->env, "cannot read the catalog") : 1;
}

int table_put(struct catalog_txn *t, enum catalog_table table, const void *key, size_t size, const void *value, size_t value_size,
	unsigned flags, struct err *err)
{
	MDB_val k = { .mv_size = size, .mv_data = (void *)(uintptr_t)key };
	MDB_val v = { .mv_size = value_size, .mv_data = (void *)(uintptr_t)value };
	int rc;

	if (!t->writer)
		return err_set(err, ERR_INTERNAL, "the catalog is open for reading only");
	rc = mdb_put(t->txn, t->env->dbi[table], &k, &v, flags);
	t->dirty = true;
	if (rc) {
		t->failed = true;
		return env_error(err, rc, t->env, "cannot write the catalog");
	}
	return 0;
}

int table_delete(struct catalog_txn *t, enum catalog_table table, const void *key, size_t size, struct err *err)
{
	MDB_val k = { .mv_size = size, .mv_data = (void *)(uintptr_t)key };
	int rc;

	if (!t->writer)
		return err_set(err, ERR_INTERNAL, "the catalog is open for reading only");
	rc = mdb_del(t->txn, t->env->dbi[table], &k, NULL);
	if (rc == MDB_NOTFOUND)
		return 0;
	t->dirty = true;
	if (rc) {
		t->failed = true;
		return env_error(err, rc, t->env, "cannot write the catalog");
	}
	return 0;
}

int table_cursor(struct catalog_txn *t, enum catalog_table table, MDB_cursor **cursor, struct err *err)
{
	int rc;

	*cursor = NULL;
	if (!t->txn)
		return err_set(err, ERR_INTERNAL, "the catalog is read outside a snapshot");
	rc = mdb_cursor_open(t->txn, t->env->dbi[table], cursor);
	return rc ? env_error(err, rc, t->env, "cannot read the catalog") : 0;
}

static int prefix_step(struct catalog_txn *t, MDB_cursor *cursor, const void *prefix, size_t size, MDB_val *key,
	MDB_val *value, MDB_cursor_op op, struct err *err)
{
	int rc = mdb_cursor_get(cursor, key, value, op);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return env_error(err, rc, t->env, "cannot read the catalog");
	return key->mv_size >= size && (!size || memcmp(key->mv_data, prefix, size) == 0);
}

int prefix_first(struct catalog_txn *t, MDB_cursor *cursor, const void *prefix, size_t size, MDB_val *key, MDB_val *value,
	struct err *err)
{
	key->mv_data = (void *)(uintptr_t)prefix;
	key->mv_size = size;
	return prefix_step(t, cursor, prefix, size, key, value, size ? MDB_SET_RANGE : MDB_FIRST, err);
}

int prefix_next(struct catalog_txn *t, MDB_cursor *cursor, const void *prefix, size_t size, MDB_val *key, MDB_val *value,
	struct err *err)
{
	return prefix_step(t, cursor, prefix, size, key, value, MDB_NEXT, err);
}

int prefix_ids(struct catalog_txn *t, enum catalog_table table, uint64_t prefix, size_t at, uint64_t **ids, size_t *count,
	struct err *err)
{
	uint8_t start[8];
	MDB_cursor *cursor;
	MDB_val key, value;
	size_t capacity = 0;
	int rc;

	*ids = NULL;
	*count = 0;
	key_u64(start, prefix);
	if (table_cursor(t, table, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, start, 8, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, start, 8, &key, &value, err)) {
		if (*count == capacity) {
			uint64_t *more;

			capacity = capacity ? 2 * capacity : 16;
			more = realloc(*ids, capacity * sizeof **ids);
			if (!more) {
				rc = err_set(err, ERR_NOMEM, "no memory for a list of %zu rows", capacity);
				break;
			}
			*ids = more;
		}
		if (key.mv_size < at + 8) {
			rc = err_set(err, ERR_CORRUPT, "a key of the catalog is too short; run fsck");
			break;
		}
		(*ids)[(*count)++] = load_be64((const uint8_t *)key.mv_data + at);
	}
	mdb_cursor_close(cursor);
	if (rc < 0) {
		free(*ids);
		*ids = NULL;
		*count = 0;
	}
	return rc;
}

/* ---- the one row of counters ---------------------------------------------------- */

int catalog_read_meta(struct catalog_txn *t, struct err *err)
{
	MDB_val value;
	int rc = table_get(t, T_META, CATALOG_META_KEY, strlen(CATALOG_META_KEY), &value, err);

	if (rc < 0)
		return -1;
	if (!rc)
		return err_set(err, ERR_CORRUPT, "%s has no meta row: its creation was cut short, or it is damaged", t->env->path);
	if (row_get_meta(&t->meta, value.mv_data, value.mv_size, err))
		return -1;
	if (t->meta.schema != STORE_SCHEMA)
		return err_set(err, ERR_VERSION, "%s has schema %u, this version reads schema %d: make a text backup with the "
			"version that wrote it, and restore that", t->env->path, t->meta.schema, STORE_SCHEMA);
	return 0;
}

int catalog_write_meta(struct catalog_txn *t, struct err *err)
{
	uint8_t buf[ROW_MAX];
	int n = row_put_meta(buf, &t->meta, err);

	return n < 0 ? -1 : table_put(t, T_META, CATALOG_META_KEY, strlen(CATALOG_META_KEY), buf, n, 0, err);
}

uint64_t catalog_generation(struct catalog_txn *t)
{
	return t->meta.generation;
}

uint64_t catalog_next_image_id(struct catalog_txn *t)
{
	struct store_writer *w = t->writer;

	if (!w)
		return 0;
	if (w->last_image < t->meta.last_image)
		w->last_image = t->meta.last_image;
	t->meta.last_image = ++w->last_image;
	t->dirty = true;
	return t->meta.last_image;
}

/* ---- begin, commit ---------------------------------------------------------------- */

int catalog_begin(struct store_writer *w, struct catalog_txn **out, struct err *err)
{
	struct catalog_txn *t;

	if (w->broken)
		return err_set(err, ERR_UNAVAILABLE, "an earlier commit failed: the writer must be restarted");
	t = calloc(1, sizeof *t);
	if (!t)
		return err_set(err, ERR_NOMEM, "no memory for a transaction");
	t->env = &w->catalog;
	t->writer = w;
	if (env_begin_write(t->env, &t->txn, err)) {
		free(t);
		return -1;
	}
	if (catalog_read_meta(t, err)) {
		catalog_abort(t);
		return -1;
	}
	*out = t;
	return 0;
}

int catalog_begin_bulk(struct store_writer *w, struct catalog_txn **out, struct err *err)
{
	return !w->broken && writer_catalog_room(w, err) ? -1 : catalog_begin(w, out, err);
}

void catalog_abort(struct catalog_txn *t)
{
	if (!t)
		return;
	if (t->txn)
		mdb_txn_abort(t->txn);
	free(t->changed);
	free(t);
}

static int put_changed_row(struct catalog_txn *t, uint32_t number, size_t first, size_t count, struct err *err)
{
	uint8_t key[12], buf[CHANGED_PER_ROW * 16];

	key_u64(key, t->meta.generation);
	store_be32(key + 8, number);
	for (size_t i = 0; i < count; i++) {
		store_le64(buf + 16 * i, t->changed[first + i].zone);
		store_le64(buf + 16 * i + 8, t->changed[first + i].hash);
	}
	return table_put(t, T_CHANGED, key, sizeof key, buf, 16 * count, MDB_APPEND, err);
}

/* Rows that no reader will follow any more: those that are so far behind
 * look up everything anew. Bounded work: as much as a commit may add. */
static int trim_changed(struct catalog_txn *t, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = 0;

	if (t->meta.generation <= CHANGED_KEEP)
		return 0;
	if (table_cursor(t, T_CHANGED, &cursor, err))
		return -1;
	for (unsigned i = 0; i < 2 * CHANGED_ROWS_MAX && !rc; i++) {
		rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
		if (rc || key.mv_size < 8 || load_be64(key.mv_data) >= t->meta.generation - CHANGED_KEEP)
			break;
		rc = mdb_cursor_del(cursor, 0);
	}
	mdb_cursor_close(cursor);
	if (rc && rc != MDB_NOTFOUND) {
		t->failed = true;
		return env_error(err, rc, t->env, "cannot write the catalog");
	}
	return 0;
}

/* The next generation, and which zones readers have to look up anew. */
static int put_generation(struct catalog_txn *t, struct err *err)
{
	size_t done = 0;
	uint32_t number = 0;

	t->meta.generation++;
	if (t->changed_count > CHANGED_PER_ROW * CHANGED_ROWS_MAX) {
		if (put_changed_row(t, 0, 0, 0, err))
			return -1;
		return trim_changed(t, err);
	}
	do {
		size_t n = t->changed_count - done;

		if (n > CHANGED_PER_ROW)
			n = CHANGED_PER_ROW;
		if (put_changed_row(t, number++, done, n, err))
			return -1;
		done += n;
	} while (done < t->changed_count);
	return trim_changed(t, err);
}

static int prepare_commit(struct catalog_txn *t, struct err *err)
{
	if (t->failed)
		return err_set(err, ERR_INTERNAL, "a transaction that failed half-way must not be committed");
	if (t->history.open && history_end(t, err))
		return -1;
	if (t->served && put_generation(t, err))
		return -1;
	return t->dirty ? catalog_write_meta(t, err) : 0;
}

int catalog_commit(struct catalog_txn *t, uint64_t *id, bool *changed, struct err *err)
{
	struct store_writer *w = t->writer;
	int rc = prepare_commit(t, err);
	uint64_t txn_id = mdb_txn_id(t->txn);
	bool served = t->served;

	if (!rc && !t->dirty) {
		txn_id = t->env->last_txn;
		mdb_txn_abort(t->txn);
		t->txn = NULL;
	} else if (!rc) {
		struct err local = ERR_INIT;

		rc = env_commit(t->env, t->txn, &local);
		t->txn = NULL;          /* freed, also on failure */
		if (rc) {
			/* for lack of space nothing was lost; after anything else
			 * what LMDB holds in memory is not to be trusted */
			w->broken = !err_is(&local, ERR_FULL);
			err_set(err, local.code, "%s", local.message);
		}
	}
	catalog_abort(t);
	if (rc)
		return -1;
	if (id)
		*id = txn_id;
	if (changed)
		*changed = served;
	return 0;
}
