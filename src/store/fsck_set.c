/* The check of sets, their editions and images. */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <string.h>

static void check_set_images(struct fsck *f, const struct set_row *set, const char *text)
{
	for (unsigned i = 0; i < set->images; i++) {
		const struct set_image *image = &set->image[i];
		bool garbage = fsck_has_id(f, T_GARBAGE, image->image);

		if (!image->image || image->image > f->catalog.meta.last_image)
			fsck_say(f, "%s: the id %" PRIu64 " of its image was never given", text, image->image);
		if (fsck_id_of(f, T_IMAGE, image->image) != set->id)
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
	fsck_named(f, text, "base", set->base_of, set->zone);
}

int fsck_set(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	char text[SET_TEXT_MAX];
	struct set_row set;
	bool loading, zone;

	f->report->sets++;
	if (!fsck_has_sizes(f, "set", key, 8, value, value->mv_size))
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
	zone = fsck_has_id(f, T_ZONE_ID, set.zone);
	loading = set.state == SET_LOADING;
	if (!zone && set.state != SET_DROPPING)
		fsck_say(f, "%s: its zone is not here", text);
	if (!fsck_has_pair(f, T_ZONE_SET, set.zone, set.id))
		fsck_say(f, "%s: it is missing in the list of its zone's sets", text);
	if (fsck_has_id(f, T_LOADING, set.id) != loading)
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

int fsck_zone_set(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct set_row set;
	uint64_t id;

	if (!fsck_has_sizes(f, "zone_set", key, 16, value, 0))
		return 0;
	id = load_be64((const uint8_t *)key->mv_data + 8);
	if (catalog_set(&f->catalog, id, &set, &reason))
		fsck_say(f, "table zone_set: %s", reason.message);
	else if (set.zone != load_be64(key->mv_data))
		fsck_say(f, "table zone_set: set %" PRIu64 " is listed under zone %" PRIu64 ", and is of zone %" PRIu64, id,
			load_be64(key->mv_data), set.zone);
	return 0;
}

int fsck_edition_row(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct edition_row e;
	struct set_row set;
	uint32_t number;

	if (!fsck_has_sizes(f, "edition", key, 12, value, value->mv_size))
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

int fsck_loading(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	struct set_row set;

	if (!fsck_has_sizes(f, "loading", key, 8, value, 8))
		return 0;
	if (catalog_set(&f->catalog, load_be64(key->mv_data), &set, &reason))
		fsck_say(f, "table loading: %s", reason.message);
	else if (set.zone != load_le64(value->mv_data))
		fsck_say(f, "table loading: set %" PRIu64 " is of another zone", set.id);
	return 0;
}

/* ---- images and garbage -------------------------------------------------- */

static bool names_image(const struct set_row *set, uint64_t image)
{
	for (unsigned i = 0; i < set->images; i++)
		if (set->image[i].image == image)
			return true;
	return false;
}

int fsck_image(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct err reason = ERR_INIT;
	uint8_t chunk[CHUNK_KEY_SIZE];
	MDB_val k = { .mv_size = sizeof chunk, .mv_data = chunk }, header;
	struct set_row set;
	uint64_t id;

	if (!fsck_has_sizes(f, "image", key, 8, value, value->mv_size == SPARE_KEY_SIZE ? SPARE_KEY_SIZE : 8))
		return 0;
	id = load_be64(key->mv_data);
	if (fsck_has_id(f, T_GARBAGE, id))
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

int fsck_garbage(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	if (fsck_has_sizes(f, "garbage", key, 8, value, 8) && fsck_id_of(f, T_IMAGE, load_be64(key->mv_data)) != load_le64(value->mv_data))
		fsck_say(f, "image %" PRIu64 " is garbage of set %" PRIu64 ", and is said to be of another", load_be64(key->mv_data),
			load_le64(value->mv_data));
	return 0;
}
