#include "store/catalog_backup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/catalog_internal.h"

#define RAISE_ZONES 256         /* of one step */

/* ---- reading ------------------------------------------------------------- */

void catalog_ids(struct catalog_txn *t, struct catalog_ids *ids)
{
	*ids = (struct catalog_ids){ t->meta.last_zone, t->meta.last_set, t->meta.last_history, t->meta.last_group };
}

int catalog_holds(struct catalog_txn *t, int (*each)(void *, const struct catalog_hold *), void *arg, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	if (table_cursor(t, T_HELD, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, NULL, 0, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, NULL, 0, &key, &value, err)) {
		struct catalog_hold hold;
		struct held_row held;

		if (key.mv_size != 16 || row_get_held(&held, value.mv_data, value.mv_size, err)) {
			rc = err_set(err, ERR_CORRUPT, "a row of a held switch is damaged; run fsck");
			break;
		}
		hold = (struct catalog_hold){ .zone = load_be64(key.mv_data), .switch_id = load_be64((const uint8_t *)key.mv_data + 8),
			.from = held.from, .group = held.flags & HELD_GROUP, .open = held.flags & HELD_OPEN };
		if (each(arg, &hold)) {
			rc = 0;
			break;
		}
	}
	mdb_cursor_close(cursor);
	return rc;
}

int catalog_retired(struct catalog_txn *t, int (*each)(void *, const uint8_t *apex, size_t size, const struct retired_row *), void *arg,
	struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	if (table_cursor(t, T_RETIRED, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, NULL, 0, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, NULL, 0, &key, &value, err)) {
		uint8_t apex[NAME_MAX_SIZE];
		size_t size = key_to_name(apex, key.mv_data, key.mv_size);
		struct retired_row row;

		if (row_get_retired(&row, value.mv_data, size ? value.mv_size : 0, err)) {
			rc = -1;
			break;
		}
		if (each(arg, apex, size, &row)) {
			rc = 0;
			break;
		}
	}
	mdb_cursor_close(cursor);
	return rc;
}

int catalog_group_switch(struct catalog_txn *t, const char *group, uint64_t *id, struct err *err)
{
	struct group_row row;

	if (group_get(t, group, &row, err))
		return -1;
	*id = row.last_switch;
	return 0;
}

/* ---- putting back -------------------------------------------------------- */

static int id_is_new(struct catalog_txn *t, enum catalog_table table, uint64_t id, const char *what, struct err *err)
{
	uint8_t key[8];
	MDB_val value;
	int rc;

	key_u64(key, id);
	rc = id ? table_get(t, table, key, sizeof key, &value, err) : 1;
	if (rc > 0)
		return err_set(err, ERR_CORRUPT, "%s %" PRIu64 ": the id is there twice, or is none", what, id);
	return rc;
}

static void last_id(uint64_t *last, uint64_t id)
{
	if (*last < id)
		*last = id;
}

int catalog_put_zone(struct catalog_txn *t, const struct zone_row *given, struct err *err)
{
	struct zone_row zone = *given, made;
	uint64_t last = t->meta.last_zone;
	int rc;

	if (id_is_new(t, T_ZONE_ID, zone.id, "zone", err))
		return -1;
	t->meta.last_zone = zone.id - 1;
	rc = catalog_zone_add(t, zone.apex, zone.apex_size, &made, err);
	last_id(&t->meta.last_zone, last);
	if (rc)
		return -1;
	memcpy(zone.apex, made.apex, sizeof zone.apex);
	zone.zones_below = made.zones_below;
	return zone_put(t, &zone, err);
}

int catalog_put_set(struct catalog_txn *t, const struct set_row *set, struct err *err)
{
	uint8_t key[16];

	if (id_is_new(t, T_SET, set->id, "set", err))
		return -1;
	key_u64_u64(key, set->zone, set->id);
	if (set_put(t, set, err) || table_put(t, T_ZONE_SET, key, sizeof key, "", 0, 0, err) || edition_put(t, set, err))
		return -1;
	for (unsigned i = 0; i < set->images; i++)
		if (id_put(t, T_IMAGE, set->image[i].image, set->id, err))
			return -1;
	last_id(&t->meta.last_set, set->id);
	return 0;
}

int catalog_put_edition(struct catalog_txn *t, const struct set_row *set, struct err *err)
{
	return edition_put(t, set, err);
}

int catalog_put_spare(struct catalog_txn *t, uint64_t id, struct set_at at, const struct spare *spare, struct err *err)
{
	struct zone_row zone;

	if (spare_put(t, at, spare, err) || catalog_zone_by_id(t, id, &zone, err))
		return -1;
	/* never the serial of the set's own SOA: that is none to spare */
	if (zone.live.set != at.set || zone.live.edition != at.edition || zone.served_serial != spare->serial)
		return 0;
	zone.spare = spare->image;
	return zone_put(t, &zone, err);
}

int catalog_put_former(struct catalog_txn *t, uint64_t zone, uint64_t former, struct err *err)
{
	if (!former || former >= zone)
		return err_set(err, ERR_CORRUPT, "zone %" PRIu64 " cannot have been zone %" PRIu64 " before", zone, former);
	return history_put_former(t, zone, former, err);
}

int catalog_put_retired(struct catalog_txn *t, const uint8_t *apex, size_t size, const struct retired_row *row, struct err *err)
{
	uint8_t key[KEY_MAX], value[RETIRED_ROW_SIZE];
	int n = key_from_name(key, apex, size, err);

	row_put_retired(value, row);
	return n < 0 ? -1 : table_put(t, T_RETIRED, key, n, value, sizeof value, 0, err);
}

int catalog_put_group(struct catalog_txn *t, const char *group, uint64_t last_switch, struct err *err)
{
	struct group_row row;

	if (catalog_group_create(t, group, err) || group_get(t, group, &row, err))
		return -1;
	row.last_switch = last_switch;
	return group_put(t, group, &row, err);
}

int catalog_put_history(struct catalog_txn *t, const struct history_row *row, struct err *err)
{
	struct history_row entry = *row;

	if (id_is_new(t, T_HISTORY, row->id, "history", err))
		return -1;
	entry.members = 0;
	last_id(&t->meta.last_history, row->id);
	return history_put(t, &entry, err);
}

int catalog_put_history_member(struct catalog_txn *t, uint64_t id, const struct history_member *member, struct err *err)
{
	return history_begin(t, SWITCH_RESTORE, NULL, NULL, NULL, 0, id, err) || history_add(t, member, false, err) ? -1 : 0;
}

int catalog_put_hold(struct catalog_txn *t, const struct catalog_hold *hold, struct err *err)
{
	struct held_row held = { .flags = (hold->group ? HELD_GROUP : 0) | (hold->open ? HELD_OPEN : 0), .from = hold->from };
	uint8_t key[16], buf[ROW_MAX];
	int n = row_put_held(buf, &held, err);

	key_u64_u64(key, hold->zone, hold->switch_id);
	return n < 0 ? -1 : table_put(t, T_HELD, key, sizeof key, buf, n, 0, err);
}

int catalog_put_ids(struct catalog_txn *t, const struct catalog_ids *ids, struct err *err)
{
	last_id(&t->meta.last_zone, ids->zone);
	last_id(&t->meta.last_set, ids->set);
	last_id(&t->meta.last_history, ids->history);
	last_id(&t->meta.last_group, ids->group);
	return catalog_write_meta(t, err);
}

/* ---- serials ------------------------------------------------------------- */

static uint32_t raised(uint32_t serial, uint32_t step)
{
	serial += step;
	return serial ? serial : 1;     /* some secondaries take 0 for "none" */
}

static int raise_served(struct catalog_txn *t, struct serial_raise *r, struct zone_row *zone, uint32_t serial, struct err *err)
{
	struct history_member member = { .apex_size = zone->apex_size, .zone = zone->id, .from = zone->live, .to = zone->live,
		.from_serial = zone->served_serial };
	char text[NAME_TEXT_MAX];
	struct set_row set;

	if (catalog_set(t, zone->live.set, &set, err))
		return err_context(err, "the live set of %s", name_to_text_short(text, zone->apex));
	memcpy(member.apex, zone->apex, zone->apex_size);
	strcpy(member.from_name, set.name);
	strcpy(member.to_name, set.name);
	member.to_serial = zone->served_serial = zone->highest_serial = serial;
	if (history_begin(t, SWITCH_RESTORE, &r->who, NULL, r->note, clock_wall_us(), r->history, err)
	    || history_add(t, &member, false, err) || zone_put(t, zone, err) || zone_touch(t, zone, err))
		return -1;
	r->history = t->history.row.id;
	r->raised++;
	return 0;
}

/* A spare SOA that is as far ahead, or farther, or nothing. */
static int raise_fixed(struct catalog_txn *t, struct serial_raise *r, struct zone_row *zone, uint32_t serial, struct err *err)
{
	struct spare spare;
	int rc = spare_ahead(t, zone->live, true, serial - 1, &spare, err);

	if (rc == 1) {
		zone->spare = spare.image;
		return raise_served(t, r, zone, spare.serial, err);
	}
	if (!rc && r->stuck)
		r->stuck(r->arg, zone);
	return rc;
}

static int raise_zone(struct catalog_txn *t, struct serial_raise *r, struct zone_row *zone, struct err *err)
{
	uint32_t serial = raised(zone->highest_serial, r->step);

	if (!(zone->flags & ZONE_SERIAL_KNOWN))
		return 0;
	if (zone->live.set && zone->flags & ZONE_SERIAL_FIXED)
		return raise_fixed(t, r, zone, serial, err);
	if (zone->live.set)
		return raise_served(t, r, zone, serial, err);
	zone->highest_serial = serial;
	return zone_put(t, zone, err);
}

struct zone_batch { struct zone_row *rows; unsigned count; };

static int gather_zone(void *arg, const struct zone_row *zone)
{
	struct zone_batch *batch = arg;

	if (batch->count == RAISE_ZONES)
		return 1;
	batch->rows[batch->count++] = *zone;
	return 0;
}

int catalog_raise_serials(struct catalog_txn *t, struct serial_raise *r, struct err *err)
{
	struct zone_batch batch = { .rows = malloc(RAISE_ZONES * sizeof *batch.rows) };
	int rc;

	if (!batch.rows)
		return err_set(err, ERR_NOMEM, "no memory for a list of zones");
	/* first read, then write: the cursor walks over the table that is written */
	rc = catalog_zones(t, r->after_size ? r->after : NULL, r->after_size, gather_zone, &batch, err);
	for (unsigned i = 0; i < batch.count && !rc; i++)
		rc = raise_zone(t, r, &batch.rows[i], err);
	if (!rc && batch.count) {
		r->after_size = batch.rows[batch.count - 1].apex_size;
		memcpy(r->after, batch.rows[batch.count - 1].apex, r->after_size);
	}
	if (!rc)
		rc = batch.count == RAISE_ZONES;
	free(batch.rows);
	return rc;
}

int catalog_raise_retired(struct catalog_txn *t, uint32_t step, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc, put = 0;

	if (table_cursor(t, T_RETIRED, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, NULL, 0, &key, &value, err); rc == 1 && !put;
	     rc = prefix_next(t, cursor, NULL, 0, &key, &value, err)) {
		uint8_t buf[RETIRED_ROW_SIZE];
		MDB_val new = { .mv_size = sizeof buf, .mv_data = buf };
		struct retired_row row;

		if (row_get_retired(&row, value.mv_data, value.mv_size, err)) {
			rc = -1;
			break;
		}
		if (row.serial_known)
			row.highest_serial = raised(row.highest_serial, step);
		row_put_retired(buf, &row);
		put = mdb_cursor_put(cursor, &key, &new, MDB_CURRENT);
		t->dirty = true;
	}
	mdb_cursor_close(cursor);
	if (put) {
		t->failed = true;
		return env_error(err, put, t->env, "cannot write the catalog");
	}
	return rc;
}
