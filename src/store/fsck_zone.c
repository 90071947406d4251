/* The check of zones: their rows, what these name, and how zones lie below zones. */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *fsck_zone_text(const struct zone_row *zone, char buf[NAME_TEXT_MAX])
{
	return name_to_text_short(buf, zone->apex);
}

/* The zones that the one at hand lies below, outermost first. */
struct zone_stack {
	unsigned depth;
	struct open_zone { uint8_t key[KEY_MAX]; size_t size; uint32_t said, seen; char text[NAME_TEXT_MAX]; } *at;
};

static void close_zone(struct fsck *f, const struct open_zone *z)
{
	if (z->said != z->seen)
		fsck_say(f, "zone %s: %u zones lie below it, its row says %u", z->text, z->seen, z->said);
}

static bool is_below(const struct open_zone *z, const MDB_val *key)
{
	if (z->size == 1 && z->key[0] == 0)
		return true;    /* the root */
	return key->mv_size > z->size && !memcmp(key->mv_data, z->key, z->size);
}

/* Keys come in order, so that what lies below a zone comes right behind it. */
static void stack_zone(struct fsck *f, struct zone_stack *s, const MDB_val *key, const struct zone_row *zone)
{
	struct open_zone *z;

	while (s->depth && !is_below(&s->at[s->depth - 1], key))
		close_zone(f, &s->at[--s->depth]);
	for (unsigned i = 0; i < s->depth; i++)
		s->at[i].seen++;
	if (s->depth == NAME_MAX_LABELS + 1)
		return;
	z = &s->at[s->depth++];
	z->size = key->mv_size;
	memcpy(z->key, key->mv_data, key->mv_size);
	z->said = zone->zones_below;
	z->seen = 0;
	fsck_zone_text(zone, z->text);
}

/* ---- a zone -------------------------------------------------------------- */

static void check_zone_switch(struct fsck *f, const struct zone_row *zone, const char *text)
{
	struct err reason = ERR_INIT;
	struct history_member member;
	int rc;

	if (!zone->switch_id) {
		if (zone->live.set)
			fsck_say(f, "zone %s: it has a live set, but was never switched", text);
		return;
	}
	rc = history_member_of(&f->catalog, zone->switch_id, zone->id, &member, &reason);
	if (rc < 0)
		fsck_say(f, "zone %s: its last switch: %s", text, reason.message);
	else if (!rc || !fsck_has_id(f, T_HISTORY, zone->switch_id))
		fsck_say(f, "zone %s: its last switch, %" PRIu64 ", is not in the history", text, zone->switch_id);
	else if (member.to.set != zone->live.set)
		fsck_say(f, "zone %s: its last switch, %" PRIu64 ", went to set %" PRIu64 ", live is %" PRIu64, text,
			zone->switch_id, member.to.set, zone->live.set);
}

bool fsck_held_is_open(struct fsck *f, uint64_t zone, uint64_t switch_id)
{
	struct err ignored = ERR_INIT;
	struct held_row held;
	uint8_t key[16];
	MDB_val value;

	key_u64_u64(key, zone, switch_id);
	return table_get(&f->catalog, T_HELD, key, sizeof key, &value, &ignored) == 1
		&& !row_get_held(&held, value.mv_data, value.mv_size, &ignored) && held.flags & HELD_OPEN;
}

static void check_zone_serial(struct fsck *f, const struct zone_row *zone, const char *text)
{
	struct err ignored = ERR_INIT;
	struct edition_row edition;

	if (!zone->live.set) {
		if (zone->flags & ZONE_HELD)
			fsck_say(f, "zone %s: it is held, and has no live set", text);
		return;
	}
	if (!(zone->flags & ZONE_SERIAL_KNOWN))
		fsck_say(f, "zone %s: it has a live set, but its served serial is said to be unknown", text);
	if (zone->highest_serial != zone->served_serial && !(zone->flags & ZONE_SERIAL_FIXED))
		fsck_say(f, "zone %s: serial %u is served, though %u was", text, zone->served_serial, zone->highest_serial);
	if (edition_get(&f->catalog, zone->live, &edition, &ignored))
		return;         /* said with the live set */
	if (!(edition.flags & SET_SERIAL_FIXED) != !(zone->flags & ZONE_SERIAL_FIXED))
		fsck_say(f, "zone %s: its serial is %s, that of its live set is %s", text,
			zone->flags & ZONE_SERIAL_FIXED ? "fixed" : "free", edition.flags & SET_SERIAL_FIXED ? "fixed" : "free");
}

/* No two finished sets of a zone have one name. */
static int check_set_names(struct fsck *f, const struct zone_row *zone, const char *text, struct err *err)
{
	uint64_t *ids;
	size_t count;

	if (prefix_ids(&f->catalog, T_ZONE_SET, zone->id, 8, &ids, &count, err))
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct err ignored = ERR_INIT;
		struct set_row set, found;

		if (catalog_set(&f->catalog, ids[i], &set, &ignored) || (set.state != SET_READY && set.state != SET_FAILED))
			continue;
		if (!catalog_set_by_name(&f->catalog, zone, set.name, &found, &ignored) && found.id != set.id)
			fsck_say(f, "zone %s: two sets are called @%s (%" PRIu64 " and %" PRIu64 ")", text, set.name, set.id, found.id);
	}
	free(ids);
	return 0;
}

static int check_zone(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	char text[NAME_TEXT_MAX], who[NAME_TEXT_MAX + 8];
	uint8_t own_key[KEY_MAX], id_key[8];
	struct err reason = ERR_INIT;
	struct zone_row zone;
	MDB_val back;
	int n;

	f->report->zones++;
	if (row_get_zone(&zone, value->mv_data, value->mv_size, &reason)) {
		fsck_say(f, "table zone: %s", reason.message);
		return 0;
	}
	fsck_zone_text(&zone, text);
	snprintf(who, sizeof who, "zone %s", text);
	n = key_from_name(own_key, zone.apex, zone.apex_size, &reason);
	if (n < 0 || (size_t)n != key->mv_size || memcmp(own_key, key->mv_data, key->mv_size)) {
		fsck_say(f, "zone %s: its row lies under the key of another name", text);
		return 0;
	}
	stack_zone(f, arg, key, &zone);
	key_u64(id_key, zone.id);
	if (table_get(&f->catalog, T_ZONE_ID, id_key, sizeof id_key, &back, &reason) != 1
	    || back.mv_size != key->mv_size || memcmp(back.mv_data, key->mv_data, key->mv_size))
		fsck_say(f, "zone %s: id %" PRIu64 " does not lead to it", text, zone.id);
	if (!zone.id || zone.id > f->catalog.meta.last_zone)
		fsck_say(f, "zone %s: its id %" PRIu64 " was never given (the last is %" PRIu64 ")", text, zone.id, f->catalog.meta.last_zone);
	if (fsck_has_row(f, T_RETIRED, key->mv_data, key->mv_size))
		fsck_say(f, "zone %s: it is here, and among the removed ones", text);
	fsck_named(f, who, "live", zone.live, zone.id);
	fsck_named(f, who, "previous", zone.previous, zone.id);
	check_zone_switch(f, &zone, text);
	if (!(zone.flags & ZONE_HELD) != !fsck_held_is_open(f, zone.id, zone.switch_id))
		fsck_say(f, "zone %s: it is %s, its last switch %s", text, zone.flags & ZONE_HELD ? "held" : "not held",
			zone.flags & ZONE_HELD ? "is not" : "is");
	check_zone_serial(f, &zone, text);
	fsck_zone_spare(f, &zone, text);
	return check_set_names(f, &zone, text, err);
}

int fsck_zones(struct fsck *f, struct err *err)
{
	struct zone_stack stack = { .at = calloc(NAME_MAX_LABELS + 1, sizeof *stack.at) };
	int rc;

	if (!stack.at)
		return err_set(err, ERR_NOMEM, "no memory to check the zones");
	rc = fsck_each(f, &f->catalog_env, f->catalog.txn, f->catalog_env.dbi[T_ZONE], check_zone, &stack, err);
	while (stack.depth)
		close_zone(f, &stack.at[--stack.depth]);
	free(stack.at);
	return rc;
}

int fsck_zone_id(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct zone_row zone;

	if (!fsck_has_sizes(f, "zone_id", key, 8, value, value->mv_size))
		return 0;
	if (catalog_zone_by_id(&f->catalog, load_be64(key->mv_data), &zone, &reason))
		fsck_say(f, "table zone_id: %s", reason.message);
	else if (zone.id != load_be64(key->mv_data))
		fsck_say(f, "table zone_id: id %" PRIu64 " leads to zone %" PRIu64, load_be64(key->mv_data), zone.id);
	return 0;
}

int fsck_retired(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct retired_row row;

	if (row_get_retired(&row, value->mv_data, value->mv_size, &reason))
		fsck_say(f, "table retired: %s", reason.message);
	else if (row.zone > f->catalog.meta.last_zone || fsck_has_id(f, T_ZONE_ID, row.zone))
		fsck_say(f, "table retired: zone %" PRIu64 " is here, or was never", row.zone);
	return 0;
}
