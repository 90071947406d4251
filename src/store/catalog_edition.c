/*
 * Editions: what a set was and is, and the images that each is read from. An
 * edit adds one; a fold is another way to one that is there; what leads to no
 * edition that something names is given up.
 */
#include "store/catalog_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* ---- rows --------------------------------------------------------------------- */

int edition_get(struct catalog_txn *t, struct set_at at, struct edition_row *edition, struct err *err)
{
	uint8_t key[12];
	MDB_val value;
	int rc;

	key_u64(key, at.set);
	store_be32(key + 8, at.edition);
	rc = table_get(t, T_EDITION, key, sizeof key, &value, err);
	if (!rc)
		return err_set(err, ERR_CORRUPT, "set %" PRIu64 " has no edition %u; run fsck", at.set, at.edition);
	return rc < 0 ? -1 : row_get_edition(edition, value.mv_data, value.mv_size, err);
}

int catalog_set_at(struct catalog_txn *t, struct set_at at, struct set_row *set, struct err *err)
{
	struct edition_row edition;

	if (catalog_set(t, at.set, set, err))
		return -1;
	if (at.edition == set->edition)
		return 0;
	if (edition_get(t, at, &edition, err))
		return -1;
	set->edition = at.edition;
	set->flags = (set->flags & ~SET_SERIAL_FIXED) | (edition.flags & SET_SERIAL_FIXED);
	set->soa_serial = edition.soa_serial;
	set->records = edition.records;
	set->rrsets = edition.rrsets;
	set->nodes = edition.nodes;
	set->octets = edition.octets;
	set->hash = edition.hash;
	set->signing = edition.signing;
	return 0;
}

int edition_put(struct catalog_txn *t, const struct set_row *set, struct err *err)
{
	struct edition_row edition = { .flags = set->flags & SET_SERIAL_FIXED, .soa_serial = set->soa_serial,
		.records = set->records, .rrsets = set->rrsets, .nodes = set->nodes, .octets = set->octets, .hash = set->hash,
		.signing = set->signing };
	uint8_t key[12], buf[ROW_MAX];
	int n = row_put_edition(buf, &edition, err);

	key_u64(key, set->id);
	store_be32(key + 8, set->edition);
	return n < 0 ? -1 : table_put(t, T_EDITION, key, sizeof key, buf, n, 0, err);
}

int editions_delete(struct catalog_txn *t, uint64_t set, bool (*keep)(const void *, uint32_t), const void *arg,
	struct err *err)
{
	uint8_t prefix[8];
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc, del = 0;

	key_u64(prefix, set);
	if (spares_discard(t, set, keep, arg, err) || table_cursor(t, T_EDITION, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, prefix, 8, &key, &value, err); rc == 1 && !del;
	     rc = prefix_next(t, cursor, prefix, 8, &key, &value, err)) {
		if (keep && keep(arg, load_be32((const uint8_t *)key.mv_data + 8)))
			continue;
		del = mdb_cursor_del(cursor, 0);
		t->dirty = true;
	}
	mdb_cursor_close(cursor);
	if (del) {
		t->failed = true;
		return env_error(err, del, t->env, "cannot write the catalog");
	}
	return rc;
}

/* ---- folding ----------------------------------------------------------------------- */

/* The editions of a set that something names. */
struct named_editions {
	uint64_t set;
	uint32_t edition[512];
	unsigned count;
	bool overflow;          /* more than fit: then nothing is cleared */
};

static void name_edition(struct named_editions *named, struct set_at at)
{
	if (at.set != named->set || at.edition == 0)
		return;
	for (unsigned i = 0; i < named->count; i++)
		if (named->edition[i] == at.edition)
			return;
	if (named->count == sizeof named->edition / sizeof named->edition[0])
		named->overflow = true;
	else
		named->edition[named->count++] = at.edition;
}

static int name_bases(void *arg, const struct set_row *set)
{
	if (set->state != SET_DROPPING && !(set->flags & SET_SERVED))
		name_edition(arg, set->base_of);
	return 0;
}

static bool is_named(const void *arg, uint32_t edition)
{
	const struct named_editions *named = arg;

	for (unsigned i = 0; i < named->count; i++)
		if (named->edition[i] == edition)
			return true;
	return false;
}

static int name_held(struct catalog_txn *t, uint64_t zone, struct named_editions *named, struct err *err)
{
	uint8_t prefix[8];
	MDB_cursor *cursor;
	MDB_val key, value;
	struct held_row held;
	int rc;

	key_u64(prefix, zone);
	if (table_cursor(t, T_HELD, &cursor, err))
		return -1;
	for (rc = prefix_first(t, cursor, prefix, 8, &key, &value, err); rc == 1;
	     rc = prefix_next(t, cursor, prefix, 8, &key, &value, err)) {
		if (row_get_held(&held, value.mv_data, value.mv_size, err)) {
			rc = -1;
			break;
		}
		name_edition(named, held.from);
	}
	mdb_cursor_close(cursor);
	return rc;
}

static int name_all(struct catalog_txn *t, const struct zone_row *zone, const struct set_row *set, struct named_editions *named,
	struct err *err)
{
	*named = (struct named_editions){ .set = set->id };
	name_edition(named, zone->live);
	name_edition(named, zone->previous);
	name_edition(named, (struct set_at){ .set = set->id, .edition = set->edition });
	return name_held(t, zone->id, named, err) || catalog_sets(t, zone->id, name_bases, named, err) ? -1 : 0;
}

static int compare_editions(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int catalog_set_editions(struct catalog_txn *t, const struct zone_row *zone, const struct set_row *set, uint32_t *editions,
	unsigned max, unsigned *count, struct err *err)
{
	struct named_editions named;

	if (name_all(t, zone, set, &named, err))
		return -1;
	if (named.overflow || named.count > max)
		return err_set(err, ERR_LIMIT, "more than %u editions of the set @%s are in use", max, set->name);
	qsort(named.edition, named.count, sizeof named.edition[0], compare_editions);
	memcpy(editions, named.edition, named.count * sizeof named.edition[0]);
	*count = named.count;
	return 0;
}

/* Leaves only the images that some named edition is read from. */
static int drop_unneeded(struct catalog_txn *t, const struct zone_row *zone, struct set_row *set, struct err *err)
{
	struct named_editions named;
	bool needed[IMAGE_DELTA_MAX + 2] = { false };
	struct set_image path[IMAGE_DELTA_MAX + 1];
	unsigned left = 0, count;

	if (name_all(t, zone, set, &named, err))
		return -1;
	if (named.overflow)
		return 0;
	for (unsigned n = 0; n < named.count; n++) {
		if (catalog_set_path(set, named.edition[n], path, &count, err))
			return -1;
		for (unsigned p = 0; p < count; p++)
			for (unsigned i = 0; i < set->images; i++)
				if (set->image[i].image == path[p].image)
					needed[i] = true;
	}
	for (unsigned i = 0; i < set->images; i++) {
		if (needed[i])
			set->image[left++] = set->image[i];
		else if (id_put(t, T_GARBAGE, set->image[i].image, set->id, err))
			return -1;
	}
	set->images = left;
	return editions_delete(t, set->id, is_named, &named, err);
}

/* Octets of what an edition is read from. */
static uint64_t edition_octets(const struct set_row *set)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct err err = ERR_INIT;
	uint64_t octets = 0;
	unsigned count;

	if (catalog_set_path(set, set->edition, path, &count, &err))
		return set->octets;
	for (unsigned i = 0; i < count; i++)
		octets += path[i].octets;
	return octets;
}

int catalog_set_folded(struct catalog_txn *t, uint64_t id, const struct set_image *folded, struct err *err)
{
	struct set_row set;
	struct zone_row zone;
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct err missing = ERR_INIT;
	unsigned count;

	if (catalog_set(t, id, &set, err))
		return -1;
	if (set.state == SET_DROPPING)
		return err_set(err, ERR_NO_SUCH_SET, "the set @%s was dropped while it was folded", set.name);
	if (catalog_zone_by_id(t, set.zone, &zone, err))
		return -1;
	if (folded->from >= folded->to || folded->to > set.edition)
		return err_set(err, ERR_INTERNAL, "a fold from edition %u to %u of %u", folded->from, folded->to, set.edition);
	/* what leads to no edition any more would be garbage at once */
	if (catalog_set_path(&set, folded->to, path, &count, &missing))
		return err_set(err, ERR_OVERTAKEN, "the set @%s was changed while it was folded", set.name);
	if (set.images == IMAGE_DELTA_MAX + 1) {
		/* full of deltas: room is made by what the fold replaces */
		unsigned i = 0;

		while (i < set.images && (set.image[i].from < folded->from || set.image[i].to != folded->to))
			i++;
		if (i == set.images)
			return err_set(err, ERR_LIMIT, "the set @%s has no room for one more image", set.name);
		if (id_put(t, T_GARBAGE, set.image[i].image, id, err))
			return -1;
		set.image[i] = *folded;
	} else {
		set.image[set.images++] = *folded;
	}
	if (id_put(t, T_IMAGE, folded->image, id, err) || drop_unneeded(t, &zone, &set, err))
		return -1;
	set.octets = edition_octets(&set);
	if (set_put(t, &set, err))
		return -1;
	/* what is answered stays, but from other images: readers look anew before
	 * the old ones are deleted */
	return zone.live.set == id ? zone_touch(t, &zone, err) : 0;
}

/* ---- edits ---------------------------------------------------------------------------- */

/* The SOA's serial to serve once the live set has a new edition: the set's
 * own where it is ahead, else the next. */
static int serial_after_edit(const struct zone_row *zone, const struct set_row *set, uint32_t *serial, struct err *err)
{
	char text[NAME_TEXT_MAX];

	if (serial_ahead(set->soa_serial, zone->highest_serial)) {
		*serial = set->soa_serial;
		return 0;
	}
	if (set->flags & SET_SERIAL_FIXED)
		return err_set(err, ERR_SERIAL, "the SOA of %s@%s is signed elsewhere, or covered by a ZONEMD, and its serial %u "
			"is not ahead of %u, which was served", name_to_text_short(text, zone->apex), set->name, set->soa_serial,
			zone->highest_serial);
	*serial = zone->highest_serial + 1;
	if (*serial == 0)       /* some secondaries take 0 for "none" */
		*serial = 1;
	return 0;
}

/* The edit is one of the live set: the zone goes along. */
static int edit_live(struct catalog_txn *t, struct zone_row *zone, const struct set_row *set, const struct who *who,
	const char *note, struct err *err)
{
	struct history_member member = { .apex_size = zone->apex_size, .zone = zone->id, .from = zone->live,
		.to = { .set = set->id, .edition = set->edition }, .from_serial = zone->served_serial };
	uint32_t serial = 0;

	if (serial_after_edit(zone, set, &serial, err))
		return -1;
	memcpy(member.apex, zone->apex, zone->apex_size);
	strcpy(member.from_name, set->name);
	strcpy(member.to_name, set->name);
	member.to_serial = serial;
	zone->live.edition = set->edition;
	zone->spare = 0;
	zone->served_serial = zone->highest_serial = serial;
	zone->flags &= ~ZONE_SERIAL_FIXED;
	if (set->flags & SET_SERIAL_FIXED)
		zone->flags |= ZONE_SERIAL_FIXED;
	if (history_begin(t, SWITCH_EDIT, who, NULL, note, clock_wall_us(), 0, err)
	    || history_add(t, &member, false, err) || history_end(t, err))
		return -1;
	return zone_put(t, zone, err) || zone_touch(t, zone, err) ? -1 : 0;
}

/* A place for one more image of the set, and that what it stands on is there. */
static int make_room(struct catalog_txn *t, const struct zone_row *zone, struct set_row *set, uint32_t stands_on, struct err *err)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct err missing = ERR_INIT;
	unsigned count;

	if (stands_on && catalog_set_path(set, stands_on, path, &count, &missing))
		return err_set(err, ERR_OVERTAKEN, "the set @%s was folded meanwhile: repeat the change", set->name);
	if (set->images == IMAGE_DELTA_MAX + 1 && drop_unneeded(t, zone, set, err))
		return -1;
	if (set->images == IMAGE_DELTA_MAX + 1)
		return err_set(err, ERR_LIMIT, "the set @%s has %u images that its editions are read from, and sets that were made "
			"from these: drop staged sets that are not needed any more", set->name, set->images);
	return 0;
}

static void take_counts(struct set_row *set, const struct set_row *counts)
{
	set->soa_serial = counts->soa_serial;
	set->records = counts->records;
	set->rrsets = counts->rrsets;
	set->nodes = counts->nodes;
	set->octets = edition_octets(set);
	set->hash = counts->hash;
	set->signing = counts->signing;
	set->flags = (set->flags & ~SET_SERIAL_FIXED) | (counts->flags & SET_SERIAL_FIXED);
	if (counts->state == SET_READY || counts->state == SET_FAILED) {
		set->state = counts->state;
		memcpy(set->note, counts->note, sizeof set->note);
	}
}

int catalog_set_edit(struct catalog_txn *t, uint64_t id, uint32_t from, const struct set_image *delta,
	const struct set_row *counts, const struct who *who, const char *note, struct err *err)
{
	struct set_row set;
	struct zone_row zone;
	uint32_t now;
	bool live;

	if (catalog_set(t, id, &set, err) || catalog_zone_by_id(t, set.zone, &zone, err))
		return -1;
	if (set.state != SET_READY && set.state != SET_FAILED)
		return err_set(err, ERR_NOT_READY, "the set @%s is %s: it cannot be edited", set.name, set_state_name[set.state]);
	live = zone.live.set == id;
	/* after a rollback the live edition may be older than the newest: an edit
	 * is of what is served */
	now = live ? zone.live.edition : set.edition;
	if (from != now)
		return err_set(err, ERR_OVERTAKEN, "the set @%s was changed meanwhile (edition %u, no longer %u): look again, "
			"and repeat the change", set.name, now, from);
	if (delta->from > from)
		return err_set(err, ERR_INTERNAL, "an image that stands on edition %u for a change of edition %u", delta->from, from);
	if (live && counts->state == SET_FAILED)
		return err_set(err, ERR_RULE, "the change would break a rule in the live set @%s: %s", set.name, counts->note);
	if (make_room(t, &zone, &set, delta->from, err))
		return -1;
	set.edition++;
	set.image[set.images] = *delta;
	set.image[set.images++].to = set.edition;
	take_counts(&set, counts);
	if (edition_put(t, &set, err) || id_put(t, T_IMAGE, delta->image, id, err)
	    || (live && edit_live(t, &zone, &set, who, note, err)))
		return -1;
	/* an image that spans older ones stands in for them */
	if (delta->from != from && drop_unneeded(t, &zone, &set, err))
		return -1;
	return set_put(t, &set, err);
}
