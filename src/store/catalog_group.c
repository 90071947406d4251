#include "store/catalog_internal.h"

#include <stdlib.h>
#include <string.h>

static int no_such_group(const char *group, struct err *err)
{
	return err_set(err, ERR_NO_SUCH_GROUP, "there is no group \"%.80s\": `schwenk group list` shows what there is", group);
}

static bool group_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= GROUP_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* ---- rows ------------------------------------------------------------------------ */

/* 1 found, 0 not, -1 failed. */
static int group_find(struct catalog_txn *t, const char *group, struct group_row *row, struct err *err)
{
	MDB_val value;
	size_t n = strlen(group);
	int rc;

	if (n < 1 || n > GROUP_NAME_MAX)
		return 0;
	rc = table_get(t, T_GROUP, group, n, &value, err);
	if (rc == 1 && row_get_group(row, value.mv_data, value.mv_size, err))
		return -1;
	return rc;
}

int group_get(struct catalog_txn *t, const char *group, struct group_row *row, struct err *err)
{
	int rc = group_find(t, group, row, err);

	if (!rc)
		return no_such_group(group, err);
	return rc < 0 ? -1 : 0;
}

static int put_row(struct catalog_txn *t, const uint8_t *key, size_t size, const struct group_row *row, struct err *err)
{
	uint8_t buf[ROW_MAX];
	int n = row_put_group(buf, row, err);

	return n < 0 ? -1 : table_put(t, T_GROUP, key, size, buf, n, 0, err);
}

int group_put(struct catalog_txn *t, const char *group, const struct group_row *row, struct err *err)
{
	return put_row(t, (const uint8_t *)group, strlen(group), row, err);
}

/* A group that was deleted has this key in place of its name, which is free at
 * once, until its members are cleared: no name begins with 0. */
#define DELETED_KEY_SIZE 9

static void deleted_key(uint8_t key[DELETED_KEY_SIZE], uint64_t id)
{
	key[0] = 0;
	key_u64(key + 1, id);
}

static bool is_deleted(const MDB_val *key)
{
	return key->mv_size && *(const uint8_t *)key->mv_data == 0;
}

/* ---- reading --------------------------------------------------------------------- */

int catalog_group(struct catalog_txn *t, const char *group, int (*each)(void *, const uint8_t *apex, size_t size), void *arg,
	struct err *err)
{
	struct group_row row;
	uint64_t *ids;
	size_t count;
	int rc;

	if (group_get(t, group, &row, err) || prefix_ids(t, T_MEMBER, row.id, 8, &ids, &count, err))
		return -1;
	rc = 0;
	for (size_t i = 0; i < count && !rc; i++) {
		struct zone_row zone;

		rc = catalog_zone_by_id(t, ids[i], &zone, err);
		if (!rc && each(arg, zone.apex, zone.apex_size))
			break;
	}
	free(ids);
	return rc;
}

int catalog_group_zones(struct catalog_txn *t, const char *group, uint64_t after,
	int (*each)(void *, const struct zone_row *), void *arg, struct err *err)
{
	struct group_row row;
	uint8_t prefix[8];

	if (group_get(t, group, &row, err))
		return -1;
	key_u64(prefix, row.id);
	return zones_by_id(t, T_MEMBER, prefix, sizeof prefix, after, each, arg, err);
}

int catalog_groups(struct catalog_txn *t, int (*each)(void *, const char *group, uint64_t members), void *arg, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	if (table_cursor(t, T_GROUP, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, NULL, 0, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, NULL, 0, &key, &value, err)) {
		char name[GROUP_NAME_MAX + 1] = "";
		struct group_row row;

		if (is_deleted(&key))
			continue;
		if (row_get_group(&row, value.mv_data, value.mv_size, err)) {
			rc = -1;
			break;
		}
		memcpy(name, key.mv_data, key.mv_size < GROUP_NAME_MAX ? key.mv_size : GROUP_NAME_MAX);
		if (each(arg, name, row.members)) {
			rc = 0;
			break;
		}
	}
	mdb_cursor_close(cursor);
	return rc;
}

bool catalog_is_groups_last(struct catalog_txn *t, const struct history_row *history)
{
	struct err ignored = ERR_INIT;
	struct group_row row;

	return history->group[0] && group_find(t, history->group, &row, &ignored) == 1 && row.last_switch == history->id;
}

/* ---- writing --------------------------------------------------------------------- */

int catalog_group_create(struct catalog_txn *t, const char *group, struct err *err)
{
	struct group_row row = { 0 };
	int rc;

	if (!group_name_valid(group))
		return err_set(err, ERR_BAD_REQUEST, "\"%.80s\" is no name for a group: 1 to %d lower-case letters, digits, '.', "
			"'_', '-'", group, GROUP_NAME_MAX);
	rc = group_find(t, group, &row, err);
	if (rc > 0)
		return err_set(err, ERR_EXISTS, "the group %s is here already", group);
	if (rc < 0)
		return -1;
	row.id = ++t->meta.last_group;
	return group_put(t, group, &row, err);
}

int catalog_group_delete(struct catalog_txn *t, const char *group, struct err *err)
{
	uint8_t key[DELETED_KEY_SIZE];
	struct history_row history;
	struct group_row row;

	if (group_get(t, group, &row, err))
		return -1;
	if (row.last_switch) {
		if (history_get(t, row.last_switch, &history, err))
			return -1;
		if (history.held)
			return err_set(err, ERR_HELD, "the last switch of group %s is held: first `schwenk confirm --group %s` or "
				"`schwenk rollback --group %s`", group, group, group);
	}
	if (table_delete(t, T_GROUP, group, strlen(group), err) || !row.members)
		return t->failed ? -1 : 0;
	row.last_switch = 0;
	deleted_key(key, row.id);
	return put_row(t, key, sizeof key, &row, err);
}

static int forget_member(struct catalog_txn *t, uint64_t group, uint64_t zone, struct err *err)
{
	uint8_t key[16];

	key_u64_u64(key, group, zone);
	if (table_delete(t, T_MEMBER, key, sizeof key, err))
		return -1;
	key_u64_u64(key, zone, group);
	return table_delete(t, T_ZONE_GROUP, key, sizeof key, err);
}

/* The first group that was deleted. */
static int find_deleted(struct catalog_txn *t, struct group_row *row, struct err *err)
{
	static const uint8_t zero[1] = { 0 };
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	if (table_cursor(t, T_GROUP, &cursor, err))
		return -1;
	rc = prefix_first(t, cursor, zero, sizeof zero, &key, &value, err);
	if (rc == 1 && row_get_group(row, value.mv_data, value.mv_size, err))
		rc = -1;
	mdb_cursor_close(cursor);
	return rc;
}

/* Up to max ids of members; how many, or -1. */
static int first_members(struct catalog_txn *t, uint64_t group, uint64_t *ids, int max, struct err *err)
{
	uint8_t prefix[8];
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc, n = 0;

	key_u64(prefix, group);
	if (table_cursor(t, T_MEMBER, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, prefix, 8, &key, &value, err); rc == 1 && n < max;
	     rc = prefix_next(t, cursor, prefix, 8, &key, &value, err)) {
		if (key.mv_size < 16) {
			rc = err_set(err, ERR_CORRUPT, "a key of the catalog is too short; run fsck");
			break;
		}
		ids[n++] = load_be64((const uint8_t *)key.mv_data + 8);
	}
	mdb_cursor_close(cursor);
	return rc < 0 ? -1 : n;
}

int catalog_group_clear(struct catalog_txn *t, struct err *err)
{
	uint8_t key[DELETED_KEY_SIZE];
	uint64_t ids[GROUP_CLEAR_MAX];
	struct group_row row;
	int n, rc = find_deleted(t, &row, err);

	if (rc <= 0)
		return rc;
	n = first_members(t, row.id, ids, GROUP_CLEAR_MAX, err);
	for (int i = 0; i < n && rc == 1; i++)
		if (forget_member(t, row.id, ids[i], err))
			rc = -1;
	if (n < 0 || rc < 0)
		return -1;
	deleted_key(key, row.id);
	if (n < GROUP_CLEAR_MAX)
		return table_delete(t, T_GROUP, key, sizeof key, err) ? -1 : 1;
	row.members -= (uint64_t)n;
	return put_row(t, key, sizeof key, &row, err) ? -1 : 1;
}

/* The keys of a membership; 1: there is one, 0: none, -1: failed. */
static int membership(struct catalog_txn *t, const char *group, const uint8_t *apex, size_t size, struct group_row *row,
	uint8_t by_group[16], uint8_t by_zone[16], struct err *err)
{
	struct zone_row zone;
	MDB_val value;

	if (group_get(t, group, row, err) || catalog_zone(t, apex, size, &zone, err))
		return -1;
	key_u64_u64(by_group, row->id, zone.id);
	key_u64_u64(by_zone, zone.id, row->id);
	return table_get(t, T_MEMBER, by_group, 16, &value, err);
}

int catalog_group_add(struct catalog_txn *t, const char *group, const uint8_t *apex, size_t size, struct err *err)
{
	struct group_row row;
	uint8_t by_group[16], by_zone[16];
	int rc = membership(t, group, apex, size, &row, by_group, by_zone, err);

	if (rc)         /* idempotent: is a member already */
		return rc < 0 ? -1 : 0;
	row.members++;
	if (table_put(t, T_MEMBER, by_group, 16, "", 0, 0, err) || table_put(t, T_ZONE_GROUP, by_zone, 16, "", 0, 0, err))
		return -1;
	return group_put(t, group, &row, err);
}

int catalog_group_remove(struct catalog_txn *t, const char *group, const uint8_t *apex, size_t size, struct err *err)
{
	struct group_row row;
	uint8_t by_group[16], by_zone[16];
	int rc = membership(t, group, apex, size, &row, by_group, by_zone, err);

	if (rc <= 0)
		return rc;
	row.members--;
	if (table_delete(t, T_MEMBER, by_group, 16, err) || table_delete(t, T_ZONE_GROUP, by_zone, 16, err))
		return -1;
	return group_put(t, group, &row, err);
}

/* The group of an id: few groups, and only where a zone is removed. *size: of
 * the key of its row. */
static int group_by_id(struct catalog_txn *t, uint64_t id, uint8_t name[GROUP_NAME_MAX], size_t *size, struct group_row *row,
	struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	if (table_cursor(t, T_GROUP, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, NULL, 0, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, NULL, 0, &key, &value, err)) {
		if (row_get_group(row, value.mv_data, value.mv_size, err)) {
			rc = -1;
			break;
		}
		if (row->id == id && key.mv_size <= GROUP_NAME_MAX) {
			memcpy(name, key.mv_data, key.mv_size);
			*size = key.mv_size;
			break;
		}
	}
	mdb_cursor_close(cursor);
	if (!rc)
		return err_set(err, ERR_CORRUPT, "a zone is a member of a group that is not here; run fsck");
	return rc < 0 ? -1 : 0;
}

int group_forget_zone(struct catalog_txn *t, uint64_t zone, struct err *err)
{
	uint64_t *ids;
	size_t count;
	int rc = prefix_ids(t, T_ZONE_GROUP, zone, 8, &ids, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		uint8_t name[GROUP_NAME_MAX];
		struct group_row row;
		size_t size = 0;

		rc = group_by_id(t, ids[i], name, &size, &row, err);
		if (rc)
			break;
		row.members--;
		rc = forget_member(t, ids[i], zone, err) || put_row(t, name, size, &row, err) ? -1 : 0;
	}
	free(ids);
	return rc;
}
