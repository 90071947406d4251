#include "store/catalog_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

const char *const set_state_name[] = { "loading", "ready", "failed", "dropping" };

bool set_name_valid(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > SET_NAME_MAX || !strcmp(name, "live") || !strcmp(name, "previous"))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* ---- reading ----------------------------------------------------------------- */

/* 1 found, 0 not, -1 failed. */
static int set_get(struct catalog_txn *t, uint64_t id, struct set_row *set, struct err *err)
{
	uint8_t key[8];
	MDB_val value;
	int rc;

	key_u64(key, id);
	rc = table_get(t, T_SET, key, sizeof key, &value, err);
	if (rc == 1 && row_get_set(set, value.mv_data, value.mv_size, err))
		return -1;
	return rc;
}

int catalog_set(struct catalog_txn *t, uint64_t id, struct set_row *set, struct err *err)
{
	int rc = set_get(t, id, set, err);

	if (!rc)
		return err_set(err, ERR_NO_SUCH_SET, "set %" PRIu64 " is here no more", id);
	return rc < 0 ? -1 : 0;
}

int catalog_sets(struct catalog_txn *t, uint64_t zone, int (*each)(void *, const struct set_row *), void *arg, struct err *err)
{
	uint64_t *ids;
	size_t count;
	int rc = prefix_ids(t, T_ZONE_SET, zone, 8, &ids, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		struct set_row set;

		rc = catalog_set(t, ids[i], &set, err);
		if (!rc && each(arg, &set))
			break;
	}
	free(ids);
	return rc;
}

static int no_such_set(const struct zone_row *zone, const char *name, struct err *err)
{
	char text[NAME_TEXT_MAX];

	name_to_text_short(text, zone->apex);
	if (!strcmp(name, "live"))
		return err_set(err, ERR_NO_SUCH_SET, "%s has no live set yet: cut over to one by name", text);
	if (!strcmp(name, "previous"))
		return err_set(err, ERR_NO_SUCH_SET, "%s has no previous set", text);
	return err_set(err, ERR_NO_SUCH_SET, "there is no set %s@%s: `schwenk sets %s` lists what there is", text, name, text);
}

/* A staged set under import and the one that it will replace have one name:
 * what can be switched to comes before what is not yet there. */
int catalog_set_by_name(struct catalog_txn *t, const struct zone_row *zone, const char *name, struct set_row *out, struct err *err)
{
	struct set_row set;
	uint64_t *ids;
	size_t count;
	bool found = false;
	int rc;

	if (!strcmp(name, "live") || !strcmp(name, "previous")) {
		uint64_t id = name[0] == 'l' ? zone->live.set : zone->previous.set;

		return id ? catalog_set(t, id, out, err) : no_such_set(zone, name, err);
	}
	rc = prefix_ids(t, T_ZONE_SET, zone->id, 8, &ids, &count, err);
	for (size_t i = 0; i < count && !rc; i++) {
		rc = catalog_set(t, ids[i], &set, err);
		if (rc || strcmp(set.name, name) || set.state == SET_DROPPING || (found && set.state == SET_LOADING))
			continue;
		*out = set;
		found = true;
	}
	free(ids);
	if (rc)
		return -1;
	return found ? 0 : no_such_set(zone, name, err);
}

/* An image [from, to] needs what leads to from below it; a base has from 0.
 * Where several lead to an edition (a fold, an edit of an older edition), the
 * one that jumps farthest back is taken: fewest images. */
int catalog_set_path(const struct set_row *set, uint32_t edition, struct set_image *path, unsigned *count, struct err *err)
{
	uint32_t want = edition;

	*count = 0;
	while (*count <= IMAGE_DELTA_MAX) {
		const struct set_image *best = NULL;

		for (unsigned i = 0; i < set->images; i++)
			if (set->image[i].to == want && set->image[i].from < want && (!best || set->image[i].from < best->from))
				best = &set->image[i];
		if (!best)
			break;
		path[(*count)++] = *best;
		if (best->from == 0)
			return 0;
		want = best->from;
	}
	return err_set(err, ERR_CORRUPT, "edition %u of set %" PRIu64 " (%s) cannot be read: no image leads to edition %u",
		edition, set->id, set->name, want);
}

#define FOLD_DELTAS 8               /* that make a fold worth while */
#define FOLD_RATIO  4               /* a larger image, by so much, stays as it is */
#define FOLD_OCTETS (1u << 20)      /* what may be written anew for little */

/* Each octet is written anew a few times until it is in the base, however many
 * edits there are: those of one size are put together into one of the next. */
unsigned catalog_fold_run(const struct set_image *path, unsigned count)
{
	uint64_t octets = 0, base;
	unsigned run = 0;

	if (count < 2)
		return 0;
	base = path[count - 1].octets;
	for (unsigned i = 0; i + 1 < count; i++) {
		if (run == i && (i == 0 || path[i].octets / FOLD_RATIO <= octets))
			run++;
		octets += path[i].octets;
	}
	if (octets > FOLD_OCTETS && octets > base / FOLD_RATIO)
		return count;
	if (run < FOLD_DELTAS)
		return 0;
	return run == count - 1 && base <= FOLD_OCTETS ? count : run;
}

/* ---- rows --------------------------------------------------------------------- */

int set_put(struct catalog_txn *t, const struct set_row *set, struct err *err)
{
	uint8_t key[8], buf[ROW_MAX];
	int n = row_put_set(buf, set, err);

	key_u64(key, set->id);
	return n < 0 ? -1 : table_put(t, T_SET, key, sizeof key, buf, n, 0, err);
}

int id_put(struct catalog_txn *t, enum catalog_table table, uint64_t id, uint64_t value, struct err *err)
{
	uint8_t key[8], v[8];

	key_u64(key, id);
	store_le64(v, value);
	return table_put(t, table, key, sizeof key, v, sizeof v, 0, err);
}

static int id_delete(struct catalog_txn *t, enum catalog_table table, uint64_t id, struct err *err)
{
	uint8_t key[8];

	key_u64(key, id);
	return table_delete(t, table, key, sizeof key, err);
}

/* Nothing of the set is left. */
static int set_forget(struct catalog_txn *t, const struct set_row *set, struct err *err)
{
	uint8_t key[16];

	key_u64_u64(key, set->zone, set->id);
	if (table_delete(t, T_ZONE_SET, key, sizeof key, err) || editions_delete(t, set->id, NULL, NULL, err)
	    || id_delete(t, T_LOADING, set->id, err))
		return -1;
	return id_delete(t, T_SET, set->id, err);
}

int set_discard(struct catalog_txn *t, struct set_row *set, struct err *err)
{
	if (set->images == 0)
		return set_forget(t, set, err);
	for (unsigned i = 0; i < set->images; i++)
		if (id_put(t, T_GARBAGE, set->image[i].image, set->id, err))
			return -1;
	set->state = SET_DROPPING;
	if (spares_discard(t, set->id, NULL, NULL, err) || id_delete(t, T_LOADING, set->id, err))
		return -1;
	return set_put(t, set, err);
}

/* ---- what a set is in use for --------------------------------------------------- */

struct base_search { uint64_t set, live, previous; bool found; };

static int look_for_base(void *arg, const struct set_row *set)
{
	struct base_search *search = arg;

	search->found = set->base_of.set == search->set && set->id != search->set && set->state != SET_DROPPING
		&& !(set->flags & SET_SERVED) && set->id != search->live && set->id != search->previous;
	return search->found;
}

const char *set_use(struct catalog_txn *t, const struct zone_row *zone, const struct set_row *set, struct err *err)
{
	struct base_search search = { .set = set->id, .live = zone->live.set, .previous = zone->previous.set };
	int rc;

	if (zone->live.set == set->id)
		return "it is live";
	if (zone->previous.set == set->id)
		return "it is the previous set, which a rollback returns to";
	rc = held_names(t, zone->id, set->id, err);
	if (rc)
		return rc < 0 ? "the catalog cannot be read" : "a held switch of a group would return to it";
	if (catalog_sets(t, zone->id, look_for_base, &search, err))
		return "the catalog cannot be read";
	return search.found ? "a staged set was made from it" : NULL;
}

static int in_use(const struct zone_row *zone, const char *name, const char *use, const char *advice, struct err *err)
{
	char text[NAME_TEXT_MAX];

	return err_set(err, ERR_IN_USE, "%s@%s is in use: %s; %s", name_to_text_short(text, zone->apex), name, use, advice);
}

/* May an import put a new set under this name? */
static int name_is_free(struct catalog_txn *t, const struct zone_row *zone, const char *name, uint64_t except, struct err *err)
{
	uint64_t *ids;
	size_t count;
	int rc = prefix_ids(t, T_ZONE_SET, zone->id, 8, &ids, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		struct set_row set;
		const char *use = NULL;

		rc = catalog_set(t, ids[i], &set, err);
		if (rc || set.id == except || set.state == SET_DROPPING || set.state == SET_LOADING || strcmp(set.name, name))
			continue;
		use = set_use(t, zone, &set, err);
		if (use)
			rc = in_use(zone, name, use, "import under another name", err);
	}
	free(ids);
	return rc;
}

/* ---- the life of a set ------------------------------------------------------------ */

int catalog_set_begin(struct catalog_txn *t, const struct zone_row *zone, const char *name, const char *source,
	struct set_row *set, struct err *err)
{
	uint8_t key[16];

	if (!set_name_valid(name))
		return err_set(err, ERR_BAD_REQUEST, "\"%.80s\" is no name for a set: 1 to %d lower-case letters, digits, '.', "
			"'_', '-', and not \"live\" or \"previous\"", name, SET_NAME_MAX);
	if (name_is_free(t, zone, name, 0, err))
		return -1;
	memset(set, 0, sizeof *set);
	set->id = ++t->meta.last_set;
	set->zone = zone->id;
	strcpy(set->name, name);
	set->state = SET_LOADING;
	set->created_us = clock_wall_us();
	set->base_of = zone->live;
	snprintf(set->source, sizeof set->source, "%s", source ? source : "");
	key_u64_u64(key, zone->id, set->id);
	if (set_put(t, set, err) || table_put(t, T_ZONE_SET, key, sizeof key, "", 0, 0, err))
		return -1;
	return id_put(t, T_LOADING, set->id, zone->id, err);
}

/* The staged sets that a finished one replaces. */
static int replace_namesakes(struct catalog_txn *t, const struct set_row *new, struct err *err)
{
	uint64_t *ids;
	size_t count;
	int rc = prefix_ids(t, T_ZONE_SET, new->zone, 8, &ids, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		struct set_row set;

		rc = catalog_set(t, ids[i], &set, err);
		if (!rc && set.id != new->id && !strcmp(set.name, new->name)
		    && (set.state == SET_READY || set.state == SET_FAILED))
			rc = set_discard(t, &set, err);
	}
	free(ids);
	return rc;
}

int catalog_set_finish(struct catalog_txn *t, const struct set_row *finished, struct err *err)
{
	struct set_row set = *finished, old;
	struct zone_row zone;
	int rc = set_get(t, set.id, &old, err);

	if (rc < 0)
		return -1;
	if (!rc || old.state == SET_DROPPING)
		return err_set(err, ERR_NO_SUCH_SET, "the set @%s was dropped while it was loaded", set.name);
	if (old.state != SET_LOADING)
		return err_set(err, ERR_INTERNAL, "the set @%s is %s, not loading", set.name, set_state_name[old.state]);
	if ((set.state != SET_READY && set.state != SET_FAILED) || set.images != 1)
		return err_set(err, ERR_INTERNAL, "a set is finished as ready or failed, with one image");
	if (catalog_zone_by_id(t, old.zone, &zone, err) || name_is_free(t, &zone, old.name, set.id, err))
		return -1;
	set.zone = old.zone;
	strcpy(set.name, old.name);
	set.created_us = old.created_us;
	set.edition = 1;
	set.image[0].from = 0;
	set.image[0].to = 1;
	set.flags &= SET_AUTO_NAMED | SET_SERIAL_FIXED;
	if (replace_namesakes(t, &set, err) || set_put(t, &set, err) || edition_put(t, &set, err)
	    || id_put(t, T_IMAGE, set.image[0].image, set.id, err))
		return -1;
	return id_delete(t, T_LOADING, set.id, err);
}

int catalog_set_drop(struct catalog_txn *t, uint64_t id, struct err *err)
{
	struct set_row set;
	struct zone_row zone;
	const char *use;

	if (catalog_set(t, id, &set, err))
		return -1;
	if (set.state == SET_DROPPING)
		return 0;
	if (catalog_zone_by_id(t, set.zone, &zone, err))
		return -1;
	use = set_use(t, &zone, &set, err);
	if (use)
		return in_use(&zone, set.name, use, "it was not dropped", err);
	return set_discard(t, &set, err);
}

int sets_thin(struct catalog_txn *t, const struct zone_row *zone, struct err *err)
{
	uint64_t *ids;
	size_t count;
	unsigned kept = 0;
	int rc = prefix_ids(t, T_ZONE_SET, zone->id, 8, &ids, &count, err);

	/* newest first; which is oldest last, so that no base is dropped before
	 * what was made from it has been looked at */
	for (size_t i = count; i-- && !rc;) {
		struct set_row set;

		rc = catalog_set(t, ids[i], &set, err);
		if (rc || !(set.flags & SET_AUTO_NAMED) || set.state != SET_READY)
			continue;
		if (kept < 2)
			kept++;
		else if (!set_use(t, zone, &set, err))
			rc = err && err->code ? -1 : set_discard(t, &set, err);
	}
	free(ids);
	return rc;
}

int catalog_abandon_loading(struct catalog_txn *t, unsigned *count, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	uint64_t id = 0;
	int rc;

	*count = 0;
	for (;;) {
		struct set_row set;

		if (table_cursor(t, T_LOADING, &cursor, err))
			return -1;
		rc = prefix_first(t, cursor, NULL, 0, &key, &value, err);
		if (rc == 1 && key.mv_size == 8)
			id = load_be64(key.mv_data);
		mdb_cursor_close(cursor);
		if (rc != 1)
			return rc;
		rc = set_get(t, id, &set, err);
		if (rc < 0 || id_delete(t, T_LOADING, id, err))
			return -1;
		if (rc && set.state == SET_LOADING) {
			if (set_discard(t, &set, err))
				return -1;
			++*count;
		}
	}
}

/* ---- garbage ------------------------------------------------------------------------ */

unsigned catalog_garbage(struct catalog_txn *t, uint64_t *images, unsigned max)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct err err = ERR_INIT;
	unsigned n = 0;
	int rc;

	if (table_cursor(t, T_GARBAGE, &cursor, &err))
		return 0;
	for (rc = prefix_first(t, cursor, NULL, 0, &key, &value, &err); rc == 1 && n < max;
	     rc = prefix_next(t, cursor, NULL, 0, &key, &value, &err))
		if (key.mv_size == 8)
			images[n++] = load_be64(key.mv_data);
	mdb_cursor_close(cursor);
	return n;
}

int catalog_image_gone(struct catalog_txn *t, uint64_t image, struct err *err)
{
	uint8_t key[8];
	MDB_val value;
	struct set_row set;
	uint64_t id;
	unsigned left = 0;
	int rc;

	key_u64(key, image);
	rc = table_get(t, T_GARBAGE, key, sizeof key, &value, err);
	if (rc <= 0)
		return rc;
	id = value.mv_size == 8 ? load_le64(value.mv_data) : 0;
	if (id_delete(t, T_GARBAGE, image, err) || id_delete(t, T_IMAGE, image, err))
		return -1;
	rc = set_get(t, id, &set, err);
	if (rc <= 0 || set.state != SET_DROPPING)
		return rc < 0 ? -1 : 0;
	for (unsigned i = 0; i < set.images; i++)
		if (set.image[i].image != image)
			set.image[left++] = set.image[i];
	set.images = left;
	return left ? set_put(t, &set, err) : set_forget(t, &set, err);
}
