#include "store/catalog_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- reading ------------------------------------------------------------------- */

static int no_such_zone(const uint8_t *apex, size_t size, struct err *err)
{
	char text[NAME_TEXT_MAX];

	if (name_length(apex, size) != size)
		return err_set(err, ERR_BAD_REQUEST, "the zone's name is malformed");
	return err_set(err, ERR_NO_SUCH_ZONE, "there is no zone %s here", name_to_text_short(text, apex));
}

int catalog_zone(struct catalog_txn *t, const uint8_t *apex, size_t size, struct zone_row *zone, struct err *err)
{
	uint8_t key[KEY_MAX];
	MDB_val value;
	int n = key_from_name(key, apex, size, err);
	int rc = n < 0 ? -1 : table_get(t, T_ZONE, key, n, &value, err);

	if (rc < 0)
		return -1;
	if (!rc)
		return no_such_zone(apex, size, err);
	return row_get_zone(zone, value.mv_data, value.mv_size, err);
}

int catalog_zone_by_id(struct catalog_txn *t, uint64_t id, struct zone_row *zone, struct err *err)
{
	uint8_t key[8];
	MDB_val value, row;
	int rc;

	key_u64(key, id);
	rc = table_get(t, T_ZONE_ID, key, sizeof key, &value, err);
	if (!rc)
		return err_set(err, ERR_NO_SUCH_ZONE, "zone %" PRIu64 " is here no more", id);
	if (rc > 0)
		rc = table_get(t, T_ZONE, value.mv_data, value.mv_size, &row, err);
	if (!rc)
		return err_set(err, ERR_CORRUPT, "zone %" PRIu64 " has a key but no row; run fsck", id);
	return rc < 0 ? -1 : row_get_zone(zone, row.mv_data, row.mv_size, err);
}

int catalog_zones(struct catalog_txn *t, const uint8_t *after, size_t after_size,
	int (*each)(void *, const struct zone_row *), void *arg, struct err *err)
{
	uint8_t start[KEY_MAX];
	MDB_cursor *cursor;
	MDB_val key, value;
	struct zone_row zone;
	int n = 0, rc;

	if (after && (n = key_from_name(start, after, after_size, err)) < 0)
		return -1;
	if (table_cursor(t, T_ZONE, &cursor, err))
		return -1;
	key.mv_data = start;
	key.mv_size = n;
	rc = mdb_cursor_get(cursor, &key, &value, after ? MDB_SET_RANGE : MDB_FIRST);
	if (!rc && after && key.mv_size == (size_t)n && !memcmp(key.mv_data, start, n))
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	while (!rc) {
		if (row_get_zone(&zone, value.mv_data, value.mv_size, err)) {
			mdb_cursor_close(cursor);
			return -1;
		}
		if (each(arg, &zone))
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? env_error(err, rc, t->env, "cannot read the zones") : 0;
}

static uint64_t count_rows(struct catalog_txn *t, enum catalog_table table)
{
	MDB_stat st;

	if (!t->txn || mdb_stat(t->txn, t->env->dbi[table], &st))
		return 0;
	return st.ms_entries;
}

uint64_t catalog_zone_count(struct catalog_txn *t)
{
	return count_rows(t, T_ZONE);
}

uint64_t catalog_set_count(struct catalog_txn *t)
{
	return count_rows(t, T_SET);
}

/* A table whose keys begin with `prefix` and a zone's id: each zone once. */
int zones_by_id(struct catalog_txn *t, enum catalog_table table, const void *prefix, size_t size, uint64_t after,
	int (*each)(void *, const struct zone_row *), void *arg, struct err *err)
{
	uint8_t start[16];
	uint64_t last = after;
	struct zone_row zone;
	MDB_cursor *cursor;
	MDB_val key = { .mv_size = size + 8, .mv_data = start }, value;
	int rc;

	if (after == UINT64_MAX || table_cursor(t, table, &cursor, err))
		return after == UINT64_MAX ? 0 : -1;
	memcpy(start, prefix, size);
	key_u64(start + size, after + 1);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	while (!rc && key.mv_size >= size + 8 && !memcmp(key.mv_data, start, size)) {
		uint64_t id = load_be64((const uint8_t *)key.mv_data + size);

		if (id != last) {
			last = id;
			if (catalog_zone_by_id(t, id, &zone, err)) {
				mdb_cursor_close(cursor);
				return -1;
			}
			if (each(arg, &zone))
				break;
		}
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? env_error(err, rc, t->env, "cannot read the catalog") : 0;
}

/* ---- writing ------------------------------------------------------------------- */

int zone_put(struct catalog_txn *t, const struct zone_row *zone, struct err *err)
{
	uint8_t key[KEY_MAX], buf[ROW_MAX];
	int k = key_from_name(key, zone->apex, zone->apex_size, err);
	int n = k < 0 ? -1 : row_put_zone(buf, zone, err);

	return n < 0 ? -1 : table_put(t, T_ZONE, key, k, buf, n, 0, err);
}

int zone_touch(struct catalog_txn *t, const struct zone_row *zone, struct err *err)
{
	struct name name;

	t->served = true;
	/* past this the rows say only "all of them" */
	if (t->changed_count > CHANGED_PER_ROW * CHANGED_ROWS_MAX)
		return 0;
	if (t->changed_count == t->changed_capacity) {
		size_t capacity = t->changed_capacity ? 2 * t->changed_capacity : 16;
		struct changed_zone *more = realloc(t->changed, capacity * sizeof *more);

		if (!more) {
			t->failed = true;
			return err_set(err, ERR_NOMEM, "no memory for a list of %zu zones", capacity);
		}
		t->changed = more;
		t->changed_capacity = capacity;
	}
	if (!name_parse(&name, zone->apex, zone->apex_size, t->meta.hash_key)) {
		t->failed = true;
		return err_set(err, ERR_CORRUPT, "the apex of zone %" PRIu64 " is malformed; run fsck", zone->id);
	}
	t->changed[t->changed_count].zone = zone->id;
	t->changed[t->changed_count++].hash = name.hash[0];
	return 0;
}

/* Zones above know how many are below them, so that a match of theirs can be
 * told to be the longest without a look at the table. */
static int count_below(struct catalog_txn *t, const uint8_t *apex, size_t size, int change, struct err *err)
{
	for (size_t at = 0; at < size && apex[at] != 0;) {
		uint8_t key[KEY_MAX];
		struct zone_row zone;
		MDB_val value;
		int n, rc;

		at += 1 + apex[at];
		n = key_from_name(key, apex + at, size - at, err);
		rc = n < 0 ? -1 : table_get(t, T_ZONE, key, n, &value, err);
		if (!rc)
			continue;
		if (rc < 0 || row_get_zone(&zone, value.mv_data, value.mv_size, err))
			return -1;
		zone.zones_below += change;
		if (zone_put(t, &zone, err) || zone_touch(t, &zone, err))
			return -1;
	}
	return 0;
}

/* How many zones lie strictly below a new apex: those directly below know the
 * rest, so their own subtrees are jumped over. */
static int find_below(struct catalog_txn *t, const uint8_t *key, size_t size, uint32_t *count, struct err *err)
{
	bool root = size == 1 && key[0] == 0;
	uint8_t at[KEY_MAX + 1];
	size_t at_size = size;
	MDB_cursor *cursor;
	int rc = 0;

	*count = 0;
	memcpy(at, key, size);
	if (table_cursor(t, T_ZONE, &cursor, err))
		return -1;
	for (;;) {
		MDB_val k = { .mv_size = at_size, .mv_data = at }, value;
		struct zone_row zone;

		rc = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);
		if (!rc && k.mv_size == size && !memcmp(k.mv_data, key, size))
			rc = mdb_cursor_get(cursor, &k, &value, MDB_NEXT);
		if (rc || (!root && (k.mv_size < size || memcmp(k.mv_data, key, size))))
			break;
		if (row_get_zone(&zone, value.mv_data, value.mv_size, err)) {
			mdb_cursor_close(cursor);
			return -1;
		}
		*count += 1 + zone.zones_below;
		/* behind all that begins with this key: its last octet is 00 */
		at_size = k.mv_size;
		memcpy(at, k.mv_data, at_size);
		at[at_size - 1] = 1;
	}
	mdb_cursor_close(cursor);
	return rc && rc != MDB_NOTFOUND ? env_error(err, rc, t->env, "cannot read the zones") : 0;
}

/* What a zone of this name has left behind; 1 found, 0 none, -1. */
static int retired_get(struct catalog_txn *t, const uint8_t *key, size_t size, struct retired_row *row, struct err *err)
{
	MDB_val value;
	int rc = table_get(t, T_RETIRED, key, size, &value, err);

	return rc == 1 && row_get_retired(row, value.mv_data, value.mv_size, err) ? -1 : rc;
}

int catalog_history_zone(struct catalog_txn *t, const uint8_t *apex, size_t size, uint64_t *id, struct err *err)
{
	struct err why = ERR_INIT, ignored = ERR_INIT;
	struct retired_row retired;
	struct zone_row zone;
	uint8_t key[KEY_MAX];
	int n;

	if (catalog_zone(t, apex, size, &zone, &why) == 0) {
		*id = zone.id;
		return 0;
	}
	n = err_is(&why, ERR_NO_SUCH_ZONE) ? key_from_name(key, apex, size, &ignored) : -1;
	if (n < 0 || retired_get(t, key, (size_t)n, &retired, &ignored) <= 0 || !retired.zone)
		return err_set(err, why.code, "%s", why.message);
	*id = retired.zone;
	return 0;
}

int catalog_zone_add(struct catalog_txn *t, const uint8_t *apex, size_t size, struct zone_row *zone, struct err *err)
{
	uint8_t key[KEY_MAX], id_key[8];
	struct retired_row retired = { .zone = 0 };
	char text[NAME_TEXT_MAX];
	MDB_val value;
	int n, rc;

	if (!size || size > NAME_MAX_SIZE || name_length(apex, size) != size)
		return err_set(err, ERR_BAD_REQUEST, "the zone's name is malformed");
	n = key_from_name(key, apex, size, err);
	rc = n < 0 ? -1 : table_get(t, T_ZONE, key, n, &value, err);
	if (rc > 0)
		return err_set(err, ERR_EXISTS, "the zone %s is here already", name_to_text_short(text, apex));
	if (rc < 0)
		return -1;
	memset(zone, 0, sizeof *zone);
	name_lower(zone->apex, apex, size);
	zone->apex_size = size;
	zone->id = ++t->meta.last_zone;
	zone->created_us = clock_wall_us();
	if (retired_get(t, key, (size_t)n, &retired, err) < 0)
		return -1;
	if (retired.serial_known) {
		/* secondaries may still have what was served before */
		zone->highest_serial = retired.highest_serial;
		zone->flags |= ZONE_SERIAL_KNOWN;
	}
	if (retired.zone && history_put_former(t, zone->id, retired.zone, err))
		return -1;
	if (find_below(t, key, n, &zone->zones_below, err))
		return -1;
	key_u64(id_key, zone->id);
	if (table_delete(t, T_RETIRED, key, n, err) || zone_put(t, zone, err)
	    || table_put(t, T_ZONE_ID, id_key, sizeof id_key, key, n, 0, err) || zone_touch(t, zone, err))
		return -1;
	return count_below(t, zone->apex, size, 1, err);
}

static int discard_sets(struct catalog_txn *t, const struct zone_row *zone, struct err *err)
{
	uint64_t *ids;
	size_t count;
	int rc = prefix_ids(t, T_ZONE_SET, zone->id, 8, &ids, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		struct set_row set;

		rc = catalog_set(t, ids[i], &set, err);
		if (!rc && set.state != SET_DROPPING)
			rc = set_discard(t, &set, err);
	}
	free(ids);
	return rc;
}

int catalog_zone_remove(struct catalog_txn *t, const uint8_t *apex, size_t size, const struct who *who, const char *note,
	struct err *err)
{
	struct history_member member = { 0 };
	struct zone_row zone;
	struct set_row set;
	uint8_t key[KEY_MAX], id_key[8], left[RETIRED_ROW_SIZE];
	int n;

	if (catalog_zone(t, apex, size, &zone, err))
		return -1;
	n = key_from_name(key, zone.apex, zone.apex_size, err);
	memcpy(member.apex, zone.apex, zone.apex_size);
	member.apex_size = zone.apex_size;
	member.zone = zone.id;
	member.from = zone.live;
	member.from_serial = member.to_serial = zone.served_serial;
	if (zone.live.set && !catalog_set(t, zone.live.set, &set, err))
		strcpy(member.from_name, set.name);
	if (history_begin(t, SWITCH_REMOVE, who, NULL, note, clock_wall_us(), 0, err)
	    || history_add(t, &member, false, err))
		return -1;
	row_put_retired(left, &(struct retired_row){ .serial_known = zone.flags & ZONE_SERIAL_KNOWN,
		.highest_serial = zone.highest_serial, .zone = zone.id });
	if (table_put(t, T_RETIRED, key, n, left, sizeof left, 0, err))
		return -1;
	key_u64(id_key, zone.id);
	if (held_forget_zone(t, zone.id, err) || group_forget_zone(t, zone.id, err) || discard_sets(t, &zone, err)
	    || table_delete(t, T_ZONE, key, n, err) || table_delete(t, T_ZONE_ID, id_key, sizeof id_key, err)
	    || zone_touch(t, &zone, err))
		return -1;
	return count_below(t, zone.apex, zone.apex_size, -1, err);
}

int catalog_zone_set_properties(struct catalog_txn *t, const uint8_t *apex, size_t size, const char *properties, struct err *err)
{
	struct zone_row zone;

	if (catalog_zone(t, apex, size, &zone, err))
		return -1;
	if (strlen(properties) >= sizeof zone.properties)
		return err_set(err, ERR_LIMIT, "the properties of a zone may have at most %zu octets, these have %zu",
			sizeof zone.properties - 1, strlen(properties));
	if (strcmp(zone.properties, properties) == 0)
		return 0;
	strcpy(zone.properties, properties);
	/* readers keep what they made of them */
	return zone_put(t, &zone, err) || zone_touch(t, &zone, err) ? -1 : 0;
}

/* Where the SOA is signed elsewhere: is there a spare one with the serial? */
static int take_spare(struct catalog_txn *t, struct zone_row *zone, uint32_t serial, struct err *err)
{
	char text[NAME_TEXT_MAX];
	struct spare spare;
	int rc;

	if (!(zone->flags & ZONE_SERIAL_FIXED))
		return 0;
	rc = spare_find(t, zone->live, serial, &spare, err);
	if (rc < 0)
		return -1;
	if (!rc)
		return err_set(err, ERR_SERIAL, "the SOA of %s is signed elsewhere, or covered by a ZONEMD: its serial cannot be put in "
			"here, and there is no spare one with serial %u; `schwenk import %s@live --soa FILE` brings some",
			name_to_text_short(text, zone->apex), serial, text);
	zone->spare = spare.image;
	return 0;
}

int catalog_serial(struct catalog_txn *t, const uint8_t *apex, size_t size, uint32_t serial, const struct who *who,
	const char *note, struct err *err)
{
	struct history_member member = { 0 };
	struct zone_row zone;
	struct set_row set;
	char text[NAME_TEXT_MAX];

	if (catalog_zone(t, apex, size, &zone, err))
		return -1;
	name_to_text_short(text, zone.apex);
	if (!zone.live.set)
		return err_set(err, ERR_NOT_READY, "%s has no live set, so serves no serial yet", text);
	if (!serial_ahead(serial, zone.highest_serial))
		return err_set(err, ERR_SERIAL, "serial %u of %s is not ahead of %u, which was served (RFC 1982): secondaries "
			"would not follow", serial, text, zone.highest_serial);
	if (catalog_set(t, zone.live.set, &set, err) || take_spare(t, &zone, serial, err))
		return -1;
	memcpy(member.apex, zone.apex, zone.apex_size);
	member.apex_size = zone.apex_size;
	member.zone = zone.id;
	member.from = member.to = zone.live;
	strcpy(member.from_name, set.name);
	strcpy(member.to_name, set.name);
	member.from_serial = zone.served_serial;
	member.to_serial = serial;
	zone.served_serial = zone.highest_serial = serial;
	if (history_begin(t, SWITCH_SERIAL, who, NULL, note, clock_wall_us(), 0, err)
	    || history_add(t, &member, false, err) || history_end(t, err))
		return -1;
	return zone_put(t, &zone, err) || zone_touch(t, &zone, err) ? -1 : 0;
}
