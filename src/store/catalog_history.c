#include "store/catalog_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/catalog_backup.h"

const char *const switch_kind_name[] = { "cutover", "rollback", "reload", "edit", "confirm", "serial", "add", "remove", "restore" };

/* ---- rows ---------------------------------------------------------------------- */

int history_get(struct catalog_txn *t, uint64_t id, struct history_row *row, struct err *err)
{
	uint8_t key[8];
	MDB_val value;
	int rc;

	key_u64(key, id);
	rc = table_get(t, T_HISTORY, key, sizeof key, &value, err);
	if (!rc)
		return err_set(err, ERR_CORRUPT, "the history has no entry %" PRIu64 "; run fsck", id);
	return rc < 0 ? -1 : row_get_history(row, value.mv_data, value.mv_size, err);
}

int history_put(struct catalog_txn *t, const struct history_row *row, struct err *err)
{
	uint8_t key[8], buf[ROW_MAX];
	int n = row_put_history(buf, row, err);

	key_u64(key, row->id);
	return n < 0 ? -1 : table_put(t, T_HISTORY, key, sizeof key, buf, n, 0, err);
}

static void chunk_key_of(uint8_t key[12], uint64_t id, uint32_t chunk)
{
	key_u64(key, id);
	store_be32(key + 8, chunk);
}

/* ---- reading ---------------------------------------------------------------------- */

static int each_entry_of_all(struct catalog_txn *t, uint64_t before, int (*each)(void *, const struct history_row *), void *arg,
	struct err *err)
{
	uint8_t start[8];
	MDB_cursor *cursor;
	MDB_val key = { .mv_size = sizeof start, .mv_data = start }, value;
	struct history_row row;
	int rc;

	key_u64(start, before);
	if (table_cursor(t, T_HISTORY, &cursor, err))
		return -1;
	rc = before ? mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE) : MDB_NOTFOUND;
	rc = mdb_cursor_get(cursor, &key, &value, rc ? MDB_LAST : MDB_PREV);
	while (!rc) {
		if (row_get_history(&row, value.mv_data, value.mv_size, err)) {
			mdb_cursor_close(cursor);
			return -1;
		}
		if (each(arg, &row))
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? env_error(err, rc, t->env, "cannot read the history") : 0;
}

/* Those of one zone; 1: each has ended it. *former: the zone of that name
 * before, whose entries are all older; 0: there is none. */
static int each_entry_of_zone(struct catalog_txn *t, uint64_t zone, uint64_t before, uint64_t *former,
	int (*each)(void *, const struct history_row *), void *arg, struct err *err)
{
	uint8_t start[16];
	MDB_cursor *cursor;
	MDB_val key = { .mv_size = sizeof start, .mv_data = start }, value;
	struct history_row row;
	int rc, ended = 0;

	*former = 0;
	key_u64_u64(start, zone, before ? before : UINT64_MAX);
	if (table_cursor(t, T_HISTORY_ZONE, &cursor, err))
		return -1;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	rc = mdb_cursor_get(cursor, &key, &value, rc ? MDB_LAST : MDB_PREV);
	while (!rc && !ended && key.mv_size == 16 && load_be64(key.mv_data) == zone) {
		uint64_t id = load_be64((const uint8_t *)key.mv_data + 8);

		if (id == FORMER_ENTRY) {
			*former = value.mv_size == 8 ? load_le64(value.mv_data) : zone;
			break;
		}
		if (history_get(t, id, &row, err))
			ended = -1;
		else if (each(arg, &row))
			ended = 1;
		else
			rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? env_error(err, rc, t->env, "cannot read the history") : ended;
}

int catalog_history(struct catalog_txn *t, uint64_t zone, uint64_t before,
	int (*each)(void *, const struct history_row *), void *arg, struct err *err)
{
	uint64_t former;
	int rc;

	if (!zone)
		return each_entry_of_all(t, before, each, arg, err);
	do {
		rc = each_entry_of_zone(t, zone, before, &former, each, arg, err);
		if (!rc && former >= zone)
			return err_set(err, ERR_CORRUPT, "the history of zone %" PRIu64 " is damaged; run fsck", zone);
		zone = former;
	} while (!rc && zone);
	return rc < 0 ? -1 : 0;
}

int64_t catalog_former(struct catalog_txn *t, uint64_t zone, struct err *err)
{
	uint8_t key[16];
	MDB_val value;
	int rc;

	key_u64_u64(key, zone, FORMER_ENTRY);
	rc = table_get(t, T_HISTORY_ZONE, key, sizeof key, &value, err);
	if (rc == 1 && (value.mv_size != 8 || load_le64(value.mv_data) >= zone))
		return err_set(err, ERR_CORRUPT, "the history of zone %" PRIu64 " is damaged; run fsck", zone);
	return rc <= 0 ? rc : (int64_t)load_le64(value.mv_data);
}

int catalog_history_members(struct catalog_txn *t, uint64_t id,
	int (*each)(void *, const struct history_member *), void *arg, struct err *err)
{
	struct history_member member;
	MDB_cursor *cursor;
	MDB_val key, value;
	uint8_t prefix[8];
	int rc;

	key_u64(prefix, id);
	if (table_cursor(t, T_HISTORY_MEMBER, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, prefix, 8, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, prefix, 8, &key, &value, err)) {
		/* a copy: each may write */
		uint8_t copy[ROW_MAX];
		struct cursor c = cursor_over(copy, value.mv_size < ROW_MAX ? value.mv_size : ROW_MAX);

		memcpy(copy, value.mv_data, c.size);
		while (c.at < c.size && rc == 1) {
			if (row_get_member(&c, &member, err))
				rc = -1;
			else if (each(arg, &member))
				rc = 0;
		}
		if (rc != 1)
			break;
	}
	mdb_cursor_close(cursor);
	return rc < 0 ? -1 : 0;
}

int history_member_of(struct catalog_txn *t, uint64_t id, uint64_t zone, struct history_member *member, struct err *err)
{
	uint8_t by_zone[16], key[12];
	MDB_val value;
	struct cursor c;
	int rc;

	key_u64_u64(by_zone, zone, id);
	rc = table_get(t, T_HISTORY_ZONE, by_zone, sizeof by_zone, &value, err);
	if (rc <= 0)
		return rc;
	if (value.mv_size != 4)
		return err_set(err, ERR_CORRUPT, "the history of zone %" PRIu64 " is damaged; run fsck", zone);
	chunk_key_of(key, id, load_le32(value.mv_data));
	rc = table_get(t, T_HISTORY_MEMBER, key, sizeof key, &value, err);
	if (rc < 0)
		return -1;
	c = cursor_over(value.mv_data, rc ? value.mv_size : 0);
	while (c.at < c.size) {
		if (row_get_member(&c, member, err))
			return -1;
		if (member->zone == zone)
			return 1;
	}
	return err_set(err, ERR_CORRUPT, "entry %" PRIu64 " of the history lacks zone %" PRIu64 "; run fsck", id, zone);
}

/* ---- writing ----------------------------------------------------------------------- */

static bool same_command(const struct history_row *row, enum switch_kind kind, const struct who *who, const char *group,
	const char *note)
{
	return row->kind == kind && row->who.uid == who->uid && row->who.pid == who->pid
		&& !strcmp(row->group, group) && !strcmp(row->note, note);
}

/* Goes on with an entry of an earlier slice of the same command: with its last
 * chunk, so that chunks are full. */
static int history_reopen(struct catalog_txn *t, uint64_t id, struct err *err)
{
	struct history_writer *h = &t->history;
	uint8_t next[8];
	MDB_cursor *cursor;
	MDB_val key = { .mv_size = 8, .mv_data = next }, value;
	int rc;

	if (history_get(t, id, &h->row, err))
		return -1;
	h->chunk = 0;
	h->used = 0;
	h->open = true;
	key_u64(next, id + 1);
	if (table_cursor(t, T_HISTORY_MEMBER, &cursor, err))
		return -1;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	rc = mdb_cursor_get(cursor, &key, &value, rc ? MDB_LAST : MDB_PREV);
	if (!rc && key.mv_size == 12 && load_be64(key.mv_data) == id && value.mv_size <= ROW_MAX) {
		h->chunk = load_be32((const uint8_t *)key.mv_data + 8);
		h->used = value.mv_size;
		memcpy(h->buf, value.mv_data, value.mv_size);
	}
	mdb_cursor_close(cursor);
	return 0;
}

int history_begin(struct catalog_txn *t, enum switch_kind kind, const struct who *who, const char *group, const char *note,
	int64_t at_us, uint64_t append_to, struct err *err)
{
	struct history_writer *h = &t->history;
	static const struct who nobody = { .login_uid = UINT32_MAX };

	if (!who)
		who = &nobody;
	if (!note)
		note = "";
	if (!group)
		group = "";
	if (strlen(note) > NOTE_MAX)
		return err_set(err, ERR_LIMIT, "the note has %zu octets, at most %d are kept", strlen(note), NOTE_MAX);
	if (h->open && (append_to ? h->row.id == append_to : same_command(&h->row, kind, who, group, note)))
		return 0;
	if (h->open && history_end(t, err))
		return -1;
	if (append_to)
		return history_reopen(t, append_to, err);
	memset(&h->row, 0, sizeof h->row);
	h->row.id = ++t->meta.last_history;
	h->row.kind = kind;
	h->row.at_us = at_us;
	h->row.who = *who;
	snprintf(h->row.group, sizeof h->row.group, "%s", group);
	snprintf(h->row.note, sizeof h->row.note, "%s", note);
	h->chunk = 0;
	h->used = 0;
	h->open = true;
	return 0;
}

uint64_t catalog_history_open(const struct catalog_txn *t)
{
	return t->history.open ? t->history.row.id : 0;
}

int catalog_history_continue(struct catalog_txn *t, uint64_t id, struct err *err)
{
	if (t->history.open)
		return err_set(err, ERR_INTERNAL, "another entry of the history is open");
	return history_reopen(t, id, err);
}

static int flush_chunk(struct catalog_txn *t, struct err *err)
{
	struct history_writer *h = &t->history;
	uint8_t key[12];

	if (!h->used)
		return 0;
	chunk_key_of(key, h->row.id, h->chunk);
	return table_put(t, T_HISTORY_MEMBER, key, sizeof key, h->buf, h->used, 0, err);
}

int history_add(struct catalog_txn *t, const struct history_member *member, bool held, struct err *err)
{
	struct history_writer *h = &t->history;
	uint8_t key[16], chunk[4];
	struct cursor c = cursor_over(h->buf, sizeof h->buf);

	c.at = h->used;
	row_put_member(&c, member);
	if (c.failed) {
		if (flush_chunk(t, err))
			return -1;
		h->chunk++;
		c = cursor_over(h->buf, sizeof h->buf);
		row_put_member(&c, member);
	}
	h->used = c.at;
	h->row.members++;
	if (held)
		h->row.held_members++;
	key_u64_u64(key, member->zone, h->row.id);
	store_le32(chunk, h->chunk);
	return table_put(t, T_HISTORY_ZONE, key, sizeof key, chunk, sizeof chunk, 0, err);
}

int history_put_former(struct catalog_txn *t, uint64_t zone, uint64_t former, struct err *err)
{
	uint8_t key[16], value[8];

	key_u64_u64(key, zone, FORMER_ENTRY);
	store_le64(value, former);
	return table_put(t, T_HISTORY_ZONE, key, sizeof key, value, sizeof value, 0, err);
}

int history_end(struct catalog_txn *t, struct err *err)
{
	struct history_writer *h = &t->history;

	h->open = false;
	if (flush_chunk(t, err))
		return -1;
	return history_put(t, &h->row, err);
}
