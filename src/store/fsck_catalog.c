/* The catalog's half of the whole-store check: every row of every table is
 * decoded, and what it refers to looked up, in both directions. */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *zone_text(const struct zone_row *zone, char buf[NAME_TEXT_MAX])
{
	return name_to_text_short(buf, zone->apex);
}

/* Is there a row? */
static bool has_row(struct fsck *f, enum catalog_table table, const void *key, size_t size)
{
	struct err ignored = ERR_INIT;
	MDB_val value;

	return table_get(&f->catalog, table, key, size, &value, &ignored) == 1;
}

static bool has_id(struct fsck *f, enum catalog_table table, uint64_t id)
{
	uint8_t key[8];

	key_u64(key, id);
	return has_row(f, table, key, sizeof key);
}

static bool has_pair(struct fsck *f, enum catalog_table table, uint64_t a, uint64_t b)
{
	uint8_t key[16];

	key_u64_u64(key, a, b);
	return has_row(f, table, key, sizeof key);
}

/* The value of a row of ids, 0 where there is none. */
static uint64_t id_of(struct fsck *f, enum catalog_table table, uint64_t id)
{
	struct err ignored = ERR_INIT;
	uint8_t key[8];
	MDB_val value;

	key_u64(key, id);
	if (table_get(&f->catalog, table, key, sizeof key, &value, &ignored) != 1
	    || (value.mv_size != 8 && value.mv_size != SPARE_KEY_SIZE))
		return 0;
	return load_le64(value.mv_data);
}

/* false: said. */
static bool check_sizes(struct fsck *f, const char *table, const MDB_val *key, size_t key_size, const MDB_val *value, size_t value_size)
{
	if (key->mv_size == key_size && value->mv_size == value_size)
		return true;
	fsck_say(f, "table %s: a row of %zu and %zu octets, not %zu and %zu", table, key->mv_size, value->mv_size, key_size, value_size);
	return false;
}

/* ---- (set, edition) that something names ------------------------------------ */

/* who: "zone shop.example", "the held switch 7 of shop.example"; what: "live". */
static void check_named(struct fsck *f, const char *who, const char *what, struct set_at at, uint64_t zone)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct err reason = ERR_INIT;
	struct edition_row edition;
	struct set_row set;
	unsigned count;

	if (!at.set)
		return;
	if (catalog_set(&f->catalog, at.set, &set, &reason)) {
		fsck_say(f, "%s: its %s set: %s", who, what, reason.message);
		return;
	}
	if (set.zone != zone)
		fsck_say(f, "%s: its %s set, %" PRIu64 " (@%s), is of zone %" PRIu64, who, what, at.set, set.name, set.zone);
	if (set.state == SET_DROPPING || set.state == SET_LOADING)
		fsck_say(f, "%s: its %s set @%s is %s", who, what, set.name, set_state_name[set.state]);
	else if (edition_get(&f->catalog, at, &edition, &reason) || catalog_set_path(&set, at.edition, path, &count, &reason))
		fsck_say(f, "%s: its %s set @%s: %s", who, what, set.name, reason.message);
}

/* ---- zones -------------------------------------------------------------------- */

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
	zone_text(zone, z->text);
}

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
	else if (!rc || !has_id(f, T_HISTORY, zone->switch_id))
		fsck_say(f, "zone %s: its last switch, %" PRIu64 ", is not in the history", text, zone->switch_id);
	else if (member.to.set != zone->live.set)
		fsck_say(f, "zone %s: its last switch, %" PRIu64 ", went to set %" PRIu64 ", live is %" PRIu64, text,
			zone->switch_id, member.to.set, zone->live.set);
}

static bool held_open(struct fsck *f, uint64_t zone, uint64_t switch_id)
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
	zone_text(&zone, text);
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
	if (has_row(f, T_RETIRED, key->mv_data, key->mv_size))
		fsck_say(f, "zone %s: it is here, and among the removed ones", text);
	check_named(f, who, "live", zone.live, zone.id);
	check_named(f, who, "previous", zone.previous, zone.id);
	check_zone_switch(f, &zone, text);
	if (!(zone.flags & ZONE_HELD) != !held_open(f, zone.id, zone.switch_id))
		fsck_say(f, "zone %s: it is %s, its last switch %s", text, zone.flags & ZONE_HELD ? "held" : "not held",
			zone.flags & ZONE_HELD ? "is not" : "is");
	check_zone_serial(f, &zone, text);
	fsck_zone_spare(f, &zone, text);
	return check_set_names(f, &zone, text, err);
}

static int check_zones(struct fsck *f, struct err *err)
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

static int check_zone_id(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct zone_row zone;

	if (!check_sizes(f, "zone_id", key, 8, value, value->mv_size))
		return 0;
	if (catalog_zone_by_id(&f->catalog, load_be64(key->mv_data), &zone, &reason))
		fsck_say(f, "table zone_id: %s", reason.message);
	else if (zone.id != load_be64(key->mv_data))
		fsck_say(f, "table zone_id: id %" PRIu64 " leads to zone %" PRIu64, load_be64(key->mv_data), zone.id);
	return 0;
}

static int check_retired(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	check_sizes(f, "retired", key, key->mv_size, value, 4);
	return 0;
}

/* ---- sets ----------------------------------------------------------------------- */

static void check_set_images(struct fsck *f, const struct set_row *set, const char *text)
{
	for (unsigned i = 0; i < set->images; i++) {
		const struct set_image *image = &set->image[i];
		bool garbage = has_id(f, T_GARBAGE, image->image);

		if (!image->image || image->image > f->catalog.meta.last_image)
			fsck_say(f, "%s: the id %" PRIu64 " of its image was never given", text, image->image);
		if (id_of(f, T_IMAGE, image->image) != set->id)
			fsck_say(f, "%s: image %" PRIu64 " is not said to be its own", text, image->image);
		if (garbage != (set->state == SET_DROPPING))
			fsck_say(f, "%s: it is %s, and its image %" PRIu64 " is %s", text, set_state_name[set->state], image->image,
				garbage ? "garbage" : "kept");
		if (image->from >= image->to || image->to > set->edition)
			fsck_say(f, "%s: image %" PRIu64 " leads from edition %u to %u of %u", text, image->image, image->from,
				image->to, set->edition);
	}
}

static void check_set_edition(struct fsck *f, const struct set_row *set, const char *text)
{
	struct err reason = ERR_INIT;
	struct edition_row e;

	if (edition_get(&f->catalog, (struct set_at){ .set = set->id, .edition = set->edition }, &e, &reason)) {
		fsck_say(f, "%s: %s", text, reason.message);
		return;
	}
	if (e.records != set->records || e.rrsets != set->rrsets || e.nodes != set->nodes
	    || e.soa_serial != set->soa_serial || (e.flags ^ set->flags) & SET_SERIAL_FIXED || memcmp(&e.hash, &set->hash, sizeof e.hash)
	    || !set_signing_equal(&e.signing, &set->signing))
		fsck_say(f, "%s: its counts are not those of its newest edition, %u", text, set->edition);
}

/* What a staged set was made from stays until it is live. */
static void check_base(struct fsck *f, const struct set_row *set, const char *text)
{
	struct err ignored = ERR_INIT;
	struct zone_row zone;

	if (set->flags & SET_SERVED || catalog_zone_by_id(&f->catalog, set->zone, &zone, &ignored)
	    || zone.live.set == set->id || zone.previous.set == set->id)
		return;
	check_named(f, text, "base", set->base_of, set->zone);
}

static int check_set(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	char text[SET_TEXT_MAX];
	struct set_row set;
	bool loading, zone;

	f->report->sets++;
	if (!check_sizes(f, "set", key, 8, value, value->mv_size))
		return 0;
	if (row_get_set(&set, value->mv_data, value->mv_size, &reason)) {
		fsck_say(f, "set %" PRIu64 ": %s", load_be64(key->mv_data), reason.message);
		return 0;
	}
	fsck_set_text(f, &set, text);
	if (set.id != load_be64(key->mv_data) || !set.id || set.id > f->catalog.meta.last_set)
		fsck_say(f, "%s: its id is %" PRIu64 ", its key %" PRIu64 ", the last given %" PRIu64, text, set.id,
			load_be64(key->mv_data), f->catalog.meta.last_set);
	if (!set_name_valid(set.name))
		fsck_say(f, "%s: that is no name for a set", text);
	zone = has_id(f, T_ZONE_ID, set.zone);
	loading = set.state == SET_LOADING;
	if (!zone && set.state != SET_DROPPING)
		fsck_say(f, "%s: its zone is not here", text);
	if (!has_pair(f, T_ZONE_SET, set.zone, set.id))
		fsck_say(f, "%s: it is missing in the list of its zone's sets", text);
	if (has_id(f, T_LOADING, set.id) != loading)
		fsck_say(f, "%s: it is %s, and %s in the list of loading sets", text, set_state_name[set.state], loading ? "not" : "is");
	if (loading != (set.images == 0) || (loading && set.edition))
		fsck_say(f, "%s: it is %s, and has %u images", text, set_state_name[set.state], set.images);
	check_set_images(f, &set, text);
	if (set.state == SET_READY || set.state == SET_FAILED)
		check_set_edition(f, &set, text);
	if (set.state != SET_DROPPING && zone)
		check_base(f, &set, text);
	return 0;
}

static int check_zone_set(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct set_row set;
	uint64_t id;

	if (!check_sizes(f, "zone_set", key, 16, value, 0))
		return 0;
	id = load_be64((const uint8_t *)key->mv_data + 8);
	if (catalog_set(&f->catalog, id, &set, &reason))
		fsck_say(f, "table zone_set: %s", reason.message);
	else if (set.zone != load_be64(key->mv_data))
		fsck_say(f, "table zone_set: set %" PRIu64 " is listed under zone %" PRIu64 ", and is of zone %" PRIu64, id,
			load_be64(key->mv_data), set.zone);
	return 0;
}

static int check_edition_row(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct edition_row e;
	struct set_row set;
	uint32_t number;

	if (!check_sizes(f, "edition", key, 12, value, value->mv_size))
		return 0;
	number = load_be32((const uint8_t *)key->mv_data + 8);
	if (row_get_edition(&e, value->mv_data, value->mv_size, &reason))
		fsck_say(f, "edition %u of set %" PRIu64 ": %s", number, load_be64(key->mv_data), reason.message);
	else if (catalog_set(&f->catalog, load_be64(key->mv_data), &set, &reason))
		fsck_say(f, "table edition: %s", reason.message);
	else if (number < 1 || number > set.edition)
		fsck_say(f, "table edition: set %" PRIu64 " (@%s) has editions 1 to %u, not %u", set.id, set.name, set.edition, number);
	return 0;
}

static int check_loading(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct set_row set;

	if (!check_sizes(f, "loading", key, 8, value, 8))
		return 0;
	if (catalog_set(&f->catalog, load_be64(key->mv_data), &set, &reason))
		fsck_say(f, "table loading: %s", reason.message);
	else if (set.zone != load_le64(value->mv_data))
		fsck_say(f, "table loading: set %" PRIu64 " is of another zone", set.id);
	return 0;
}

/* ---- images and garbage ------------------------------------------------------------ */

static bool names_image(const struct set_row *set, uint64_t image)
{
	for (unsigned i = 0; i < set->images; i++)
		if (set->image[i].image == image)
			return true;
	return false;
}

static int check_image(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	uint8_t chunk[CHUNK_KEY_SIZE];
	MDB_val k = { .mv_size = sizeof chunk, .mv_data = chunk }, header;
	struct set_row set;
	uint64_t id;

	if (!check_sizes(f, "image", key, 8, value, value->mv_size == SPARE_KEY_SIZE ? SPARE_KEY_SIZE : 8))
		return 0;
	id = load_be64(key->mv_data);
	if (has_id(f, T_GARBAGE, id))
		return 0;
	if (catalog_set(&f->catalog, load_le64(value->mv_data), &set, &reason))
		fsck_say(f, "image %" PRIu64 ": %s", id, reason.message);
	else if (value->mv_size == SPARE_KEY_SIZE ? !fsck_names_spare(f, value->mv_data, id) : !names_image(&set, id))
		fsck_say(f, "image %" PRIu64 ": its set, %" PRIu64 " (@%s), does not name it, and it is no garbage", id, set.id, set.name);
	chunk_key(chunk, id, PART_HEADER, 0);
	if (mdb_get(f->images, f->images_env.dbi[T_CHUNK], &k, &header))
		fsck_say(f, "image %" PRIu64 " of set %" PRIu64 " is not in %s", id, load_le64(value->mv_data), f->images_env.path);
	return 0;
}

static int check_garbage(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	if (check_sizes(f, "garbage", key, 8, value, 8) && id_of(f, T_IMAGE, load_be64(key->mv_data)) != load_le64(value->mv_data))
		fsck_say(f, "image %" PRIu64 " is garbage of set %" PRIu64 ", and is said to be of another", load_be64(key->mv_data),
			load_le64(value->mv_data));
	return 0;
}

/* ---- groups ------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool has_group(struct fsck *f, uint64_t id)
{
	return f->group_count && bsearch(&id, f->groups, f->group_count, sizeof id, compare_ids);
}

static int note_group(struct fsck *f, uint64_t id, struct err *err)
{
	uint64_t *more = realloc(f->groups, (f->group_count + 1) * sizeof *more);

	if (!more)
		return err_set(err, ERR_NOMEM, "no memory for a list of %zu groups", f->group_count + 1);
	f->groups = more;
	more[f->group_count++] = id;
	return 0;
}

static int check_group(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	char name[GROUP_NAME_MAX + 1] = "";
	struct err reason = ERR_INIT;
	struct history_row history;
	struct group_row group;
	uint64_t *ids;
	size_t members;

	memcpy(name, key->mv_data, key->mv_size < GROUP_NAME_MAX ? key->mv_size : GROUP_NAME_MAX);
	if (row_get_group(&group, value->mv_data, value->mv_size, &reason)) {
		fsck_say(f, "group %s: %s", name, reason.message);
		return 0;
	}
	if (!group.id || group.id > f->catalog.meta.last_group)
		fsck_say(f, "group %s: its id %" PRIu64 " was never given", name, group.id);
	if (note_group(f, group.id, err) || prefix_ids(&f->catalog, T_MEMBER, group.id, 8, &ids, &members, err))
		return -1;
	free(ids);
	if (members != group.members)
		fsck_say(f, "group %s: it has %zu members, its row says %" PRIu64, name, members, group.members);
	if (!group.last_switch)
		return 0;
	if (history_get(&f->catalog, group.last_switch, &history, &reason))
		fsck_say(f, "group %s: its last switch: %s", name, reason.message);
	else if (strcmp(history.group, name))
		fsck_say(f, "group %s: its last switch, %" PRIu64 ", is one of \"%s\"", name, group.last_switch, history.group);
	return 0;
}

static int check_groups(struct fsck *f, struct err *err)
{
	if (fsck_each(f, &f->catalog_env, f->catalog.txn, f->catalog_env.dbi[T_GROUP], check_group, NULL, err))
		return -1;
	if (f->group_count)
		qsort(f->groups, f->group_count, sizeof *f->groups, compare_ids);
	for (size_t i = 1; i < f->group_count; i++)
		if (f->groups[i] == f->groups[i - 1])
			fsck_say(f, "table group: two groups have the id %" PRIu64, f->groups[i]);
	return 0;
}

/* Both of the tables that say who is a member; arg: the other one. */
static int check_member(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	enum catalog_table other = *(enum catalog_table *)arg;
	uint64_t first, second, zone, group;

	if (!check_sizes(f, other == T_ZONE_GROUP ? "member" : "zone_group", key, 16, value, 0))
		return 0;
	first = load_be64(key->mv_data);
	second = load_be64((const uint8_t *)key->mv_data + 8);
	zone = other == T_ZONE_GROUP ? second : first;
	group = other == T_ZONE_GROUP ? first : second;
	if (!has_group(f, group) || !has_id(f, T_ZONE_ID, zone))
		fsck_say(f, "zone %" PRIu64 " is a member of group %" PRIu64 ", and one of them is not here", zone, group);
	if (!has_pair(f, other, second, first))
		fsck_say(f, "zone %" PRIu64 " is a member of group %" PRIu64 " in only one of two tables", zone, group);
	return 0;
}

/* ---- history ------------------------------------------------------------------------- */

struct member_pass { struct fsck *f; uint64_t id; uint32_t count, held; };

static int check_history_member(void *arg, const struct history_member *member)
{
	struct member_pass *p = arg;
	struct err reason = ERR_INIT;
	struct history_member found;
	char text[NAME_TEXT_MAX];
	int rc;

	p->count++;
	p->held += held_open(p->f, member->zone, p->id);
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

static int check_history(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct member_pass pass = { .f = f };
	struct err reason = ERR_INIT;
	struct history_row h;

	if (!check_sizes(f, "history", key, 8, value, value->mv_size))
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

/* The chunks of an entry are numbered from 0. */
static int check_history_chunk(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	uint32_t number;
	uint8_t before[12];

	if (!check_sizes(f, "history_member", key, 12, value, value->mv_size))
		return 0;
	number = load_be32((const uint8_t *)key->mv_data + 8);
	memcpy(before, key->mv_data, 8);
	store_be32(before + 8, number - 1);
	if (!has_row(f, T_HISTORY, key->mv_data, 8) || (number && !has_row(f, T_HISTORY_MEMBER, before, sizeof before)))
		fsck_say(f, "history %" PRIu64 ": members %u are here, what they belong behind is not", load_be64(key->mv_data), number);
	return 0;
}

static int check_history_zone(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct history_member found;
	uint64_t zone, id;

	if (!check_sizes(f, "history_zone", key, 16, value, 4))
		return 0;
	zone = load_be64(key->mv_data);
	id = load_be64((const uint8_t *)key->mv_data + 8);
	if (!has_id(f, T_HISTORY, id))
		fsck_say(f, "zone %" PRIu64 ": entry %" PRIu64 " of its history is not here", zone, id);
	else if (history_member_of(&f->catalog, id, zone, &found, &reason) != 1)
		fsck_say(f, "zone %" PRIu64 ": entry %" PRIu64 " of its history: %s", zone, id, reason.message);
	return 0;
}

static int check_held(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct history_row history;
	struct held_row held;
	struct zone_row zone;
	char text[NAME_TEXT_MAX], who[NAME_TEXT_MAX + 64];
	uint64_t id;

	if (!check_sizes(f, "held", key, 16, value, value->mv_size))
		return 0;
	id = load_be64((const uint8_t *)key->mv_data + 8);
	if (row_get_held(&held, value->mv_data, value->mv_size, &reason)
	    || catalog_zone_by_id(&f->catalog, load_be64(key->mv_data), &zone, &reason)
	    || history_get(&f->catalog, id, &history, &reason)) {
		fsck_say(f, "the held switch %" PRIu64 " of zone %" PRIu64 ": %s", id, load_be64(key->mv_data), reason.message);
		return 0;
	}
	snprintf(who, sizeof who, "the held switch %" PRIu64 " of zone %s", id, zone_text(&zone, text));
	if (!history.held_members)
		fsck_say(f, "%s: nothing of it is held any more", who);
	check_named(f, who, "former", held.from, zone.id);
	return 0;
}

/* ---- generations ----------------------------------------------------------------------- */

struct changed_pass { bool any; uint64_t generation; uint32_t number; };

static int check_changed(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct changed_pass *p = arg;
	uint64_t generation;
	uint32_t number;

	if (!check_sizes(f, "changed", key, 12, value, value->mv_size))
		return 0;
	generation = load_be64(key->mv_data);
	number = load_be32((const uint8_t *)key->mv_data + 8);
	if (value->mv_size % 16 || value->mv_size > 16 * CHANGED_PER_ROW)
		fsck_say(f, "table changed: row %u of generation %" PRIu64 " has %zu octets", number, generation, value->mv_size);
	if (p->any && !(generation == p->generation && number == p->number + 1) && !(generation == p->generation + 1 && number == 0))
		fsck_say(f, "table changed: row %u of generation %" PRIu64 " does not follow the one before", number, generation);
	*p = (struct changed_pass){ .any = true, .generation = generation, .number = number };
	return 0;
}

static int check_generations(struct fsck *f, struct err *err)
{
	struct changed_pass pass = { .any = false };

	if (fsck_each(f, &f->catalog_env, f->catalog.txn, f->catalog_env.dbi[T_CHANGED], check_changed, &pass, err))
		return -1;
	if (pass.any ? pass.generation != f->catalog.meta.generation : f->catalog.meta.generation > 1)
		fsck_say(f, "table changed: it ends with generation %" PRIu64 ", the last is %" PRIu64, pass.generation, f->catalog.meta.generation);
	return 0;
}

static int check_meta(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	if (key->mv_size != strlen(CATALOG_META_KEY) || memcmp(key->mv_data, CATALOG_META_KEY, key->mv_size))
		fsck_say(f, "table meta: an unknown row");
	return 0;
}

/* ---- all tables ------------------------------------------------------------------------- */

int fsck_catalog(struct fsck *f, struct err *err)
{
	static const struct {
		enum catalog_table table;
		int (*check)(struct fsck *, const MDB_val *, const MDB_val *, void *, struct err *);
	} rows[] = {
		{ T_META, check_meta }, { T_ZONE_ID, check_zone_id }, { T_RETIRED, check_retired }, { T_SET, check_set },
		{ T_ZONE_SET, check_zone_set }, { T_EDITION, check_edition_row }, { T_LOADING, check_loading },
		{ T_IMAGE, check_image }, { T_GARBAGE, check_garbage }, { T_HISTORY, check_history },
		{ T_HISTORY_MEMBER, check_history_chunk }, { T_HISTORY_ZONE, check_history_zone }, { T_HELD, check_held },
		{ T_SPARE, fsck_spare },
	};
	enum catalog_table other[2] = { T_ZONE_GROUP, T_MEMBER };
	const MDB_dbi *dbi = f->catalog_env.dbi;

	if (check_zones(f, err) || check_groups(f, err)
	    || fsck_each(f, &f->catalog_env, f->catalog.txn, dbi[T_MEMBER], check_member, &other[0], err)
	    || fsck_each(f, &f->catalog_env, f->catalog.txn, dbi[T_ZONE_GROUP], check_member, &other[1], err))
		return -1;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (fsck_each(f, &f->catalog_env, f->catalog.txn, dbi[rows[i].table], rows[i].check, NULL, err))
			return -1;
	return check_generations(f, err);
}
