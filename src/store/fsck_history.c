/* The check of the history and of the holds that refer to it. */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct member_pass { struct fsck *f; uint64_t id; uint32_t count, held; };

static int check_history_member(void *arg, const struct history_member *member)
{
	struct member_pass *p = arg;
	struct err reason = ERR_INIT;
	struct history_member found;
	char text[NAME_TEXT_MAX];
	int rc;

	p->count++;
	p->held += fsck_held_is_open(p->f, member->zone, p->id);
	name_to_text_short(text, member->apex);
	if (!member->zone || member->zone > p->f->catalog.meta.last_zone)
		fsck_say(p->f, "history %" PRIu64 ": the id %" PRIu64 " of zone %s was never given", p->id, member->zone, text);
	rc = history_member_of(&p->f->catalog, p->id, member->zone, &found, &reason);
	if (rc < 0)
		fsck_say(p->f, "history %" PRIu64 ": %s", p->id, reason.message);
	else if (!rc)
		fsck_say(p->f, "history %" PRIu64 ": zone %s is not led to it", p->id, text);
	return 0;
}

int fsck_history(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct member_pass pass = { .f = f };
	struct err reason = ERR_INIT;
	struct history_row h;

	if (!fsck_has_sizes(f, "history", key, 8, value, value->mv_size))
		return 0;
	pass.id = load_be64(key->mv_data);
	if (row_get_history(&h, value->mv_data, value->mv_size, &reason)) {
		fsck_say(f, "history %" PRIu64 ": %s", pass.id, reason.message);
		return 0;
	}
	if (h.id != pass.id || !h.id || h.id > f->catalog.meta.last_history)
		fsck_say(f, "history %" PRIu64 ": its row says %" PRIu64 ", the last given is %" PRIu64, pass.id, h.id,
			f->catalog.meta.last_history);
	if (catalog_history_members(&f->catalog, pass.id, check_history_member, &pass, &reason))
		fsck_say(f, "history %" PRIu64 ": %s", pass.id, reason.message);
	else if (pass.count != h.members)
		fsck_say(f, "history %" PRIu64 ": it has %u members, its row says %u", pass.id, pass.count, h.members);
	else if (pass.held != h.held_members)
		fsck_say(f, "history %" PRIu64 ": %u of its members are held, its row says %u", pass.id, pass.held, h.held_members);
	return 0;
}

int fsck_history_chunk(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	uint32_t number;
	uint8_t before[12];

	if (!fsck_has_sizes(f, "history_member", key, 12, value, value->mv_size))
		return 0;
	number = load_be32((const uint8_t *)key->mv_data + 8);
	memcpy(before, key->mv_data, 8);
	store_be32(before + 8, number - 1);
	if (!fsck_has_row(f, T_HISTORY, key->mv_data, 8) || (number && !fsck_has_row(f, T_HISTORY_MEMBER, before, sizeof before)))
		fsck_say(f, "history %" PRIu64 ": members %u are here, what they belong behind is not", load_be64(key->mv_data), number);
	return 0;
}

static void check_former(struct fsck *f, const MDB_val *key, const MDB_val *value)
{
	uint64_t zone, former;

	if (!fsck_has_sizes(f, "history_zone", key, 16, value, 8))
		return;
	zone = load_be64(key->mv_data);
	former = load_le64(value->mv_data);
	if (!former || former >= zone || zone > f->catalog.meta.last_zone || fsck_has_id(f, T_ZONE_ID, former))
		fsck_say(f, "zone %" PRIu64 ": its name cannot have been that of zone %" PRIu64 " before", zone, former);
}

int fsck_history_zone(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct history_member found;
	uint64_t zone, id;

	if (key->mv_size == 16 && load_be64((const uint8_t *)key->mv_data + 8) == FORMER_ENTRY) {
		check_former(f, key, value);
		return 0;
	}
	if (!fsck_has_sizes(f, "history_zone", key, 16, value, 4))
		return 0;
	zone = load_be64(key->mv_data);
	id = load_be64((const uint8_t *)key->mv_data + 8);
	if (!fsck_has_id(f, T_HISTORY, id))
		fsck_say(f, "zone %" PRIu64 ": entry %" PRIu64 " of its history is not here", zone, id);
	else if (history_member_of(&f->catalog, id, zone, &found, &reason) != 1)
		fsck_say(f, "zone %" PRIu64 ": entry %" PRIu64 " of its history: %s", zone, id, reason.message);
	return 0;
}

/* ---- holds --------------------------------------------------------------- */

int fsck_held(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct history_row history;
	struct held_row held;
	struct zone_row zone;
	char text[NAME_TEXT_MAX], who[NAME_TEXT_MAX + 64];
	uint64_t id;

	if (!fsck_has_sizes(f, "held", key, 16, value, value->mv_size))
		return 0;
	id = load_be64((const uint8_t *)key->mv_data + 8);
	if (row_get_held(&held, value->mv_data, value->mv_size, &reason)
	    || catalog_zone_by_id(&f->catalog, load_be64(key->mv_data), &zone, &reason)
	    || history_get(&f->catalog, id, &history, &reason)) {
		fsck_say(f, "the held switch %" PRIu64 " of zone %" PRIu64 ": %s", id, load_be64(key->mv_data), reason.message);
		return 0;
	}
	snprintf(who, sizeof who, "the held switch %" PRIu64 " of zone %s", id, fsck_zone_text(&zone, text));
	if (!history.held_members)
		fsck_say(f, "%s: nothing of it is held any more", who);
	fsck_named(f, who, "former", held.from, zone.id);
	return 0;
}
