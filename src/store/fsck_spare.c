/* The whole-store check of spare signed SOAs: their rows, both ways, and what lies
 * in their images. */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* Which SOA a serial that is fixed comes from. */
void fsck_zone_spare(struct fsck *f, const struct zone_row *zone, const char *text)
{
	struct err ignored = ERR_INIT;
	struct edition_row edition;
	struct spare spare;

	if (!zone->spare) {
		if (zone->flags & ZONE_SERIAL_FIXED && zone->live.set && !edition_get(&f->catalog, zone->live, &edition, &ignored)
		    && edition.soa_serial != zone->served_serial)
			fsck_say(f, "zone %s: serial %u is served, that of its live set is %u, and fixed", text, zone->served_serial,
				edition.soa_serial);
		return;
	}
	if (!zone->live.set || !(zone->flags & ZONE_SERIAL_FIXED))
		fsck_say(f, "zone %s: it serves a spare SOA, which its live set does not need", text);
	else if (spare_find(&f->catalog, zone->live, zone->served_serial, &spare, &ignored) != 1 || spare.image != zone->spare)
		fsck_say(f, "zone %s: image %" PRIu64 " is no spare SOA of its live set with serial %u, which it serves", text, zone->spare,
			zone->served_serial);
}

bool fsck_names_spare(struct fsck *f, const uint8_t *row, uint64_t image)
{
	struct set_at at = { .set = load_le64(row), .edition = load_le32(row + 8) };
	struct err ignored = ERR_INIT;
	struct spare spare;

	return spare_find(&f->catalog, at, load_le32(row + 12), &spare, &ignored) == 1 && spare.image == image;
}

/* ---- rows ------------------------------------------------------------------------- */

/* The row of the image is of this spare SOA, and it is no garbage. */
static bool is_said_to_be(struct fsck *f, const struct set_at *at, uint32_t serial, uint64_t image)
{
	struct err ignored = ERR_INIT;
	const uint8_t *said;
	MDB_val value;
	uint8_t id[8];

	key_u64(id, image);
	if (table_get(&f->catalog, T_GARBAGE, id, sizeof id, &value, &ignored)
	    || table_get(&f->catalog, T_IMAGE, id, sizeof id, &value, &ignored) != 1 || value.mv_size != SPARE_KEY_SIZE)
		return false;
	said = value.mv_data;
	return load_le64(said) == at->set && load_le32(said + 8) == at->edition && load_le32(said + 12) == serial;
}

static void check_image(struct fsck *f, const char *who, const struct set_row *set, uint32_t serial, uint64_t id)
{
	struct err reason = ERR_INIT;
	struct zone_row zone;
	const uint8_t *image;
	size_t size;
	bool stable;

	image = f->source.chunk(&f->source, id, PART_HEADER, 0, &size, &stable);
	if (!image)
		err_set(&reason, ERR_CORRUPT, "it is not in %s", f->images_env.path);
	else if (!catalog_zone_by_id(&f->catalog, set->zone, &zone, &reason))
		spare_image_check(image, size, f->catalog.meta.hash_key, zone.apex, zone.apex_size, serial, &reason);
	if (reason.code)
		fsck_say(f, "%s: image %" PRIu64 ": %s", who, id, reason.message);
}

int fsck_spare(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct set_at at;
	struct err reason = ERR_INIT;
	char text[SET_TEXT_MAX], who[SET_TEXT_MAX + 64];
	struct edition_row edition;
	struct spare_row spare;
	struct set_row set;
	uint32_t serial;

	if (key->mv_size != SPARE_KEY_SIZE) {
		fsck_say(f, "table spare: a key of %zu octets, not %d", key->mv_size, SPARE_KEY_SIZE);
		return 0;
	}
	at = (struct set_at){ .set = load_be64(key->mv_data), .edition = load_be32((const uint8_t *)key->mv_data + 8) };
	serial = load_be32((const uint8_t *)key->mv_data + 12);
	if (row_get_spare(&spare, value->mv_data, value->mv_size, &reason) || catalog_set(&f->catalog, at.set, &set, &reason)
	    || edition_get(&f->catalog, at, &edition, &reason)) {
		fsck_say(f, "the spare SOA %u of edition %u of set %" PRIu64 ": %s", serial, at.edition, at.set, reason.message);
		return 0;
	}
	snprintf(who, sizeof who, "%s: its spare SOA with serial %u", fsck_set_text(f, &set, text), serial);
	if (set.state == SET_DROPPING || !(edition.flags & SET_SERIAL_FIXED) || edition.soa_serial == serial)
		fsck_say(f, "%s: there should be none", who);
	if (!is_said_to_be(f, &at, serial, spare.image))
		fsck_say(f, "%s: image %" PRIu64 " is not said to be its own", who, spare.image);
	else
		check_image(f, who, &set, serial, spare.image);
	return 0;
}
