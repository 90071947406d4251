/* The catalog's half of the whole-store check: every row of every table is
 * decoded, and what it refers to looked up, in both directions. */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <string.h>

bool fsck_has_row(struct fsck *f, enum catalog_table table, const void *key, size_t size)
{
	struct err ignored = ERR_INIT;
	MDB_val value;

	return table_get(&f->catalog, table, key, size, &value, &ignored) == 1;
}

bool fsck_has_id(struct fsck *f, enum catalog_table table, uint64_t id)
{
	uint8_t key[8];

	key_u64(key, id);
	return fsck_has_row(f, table, key, sizeof key);
}

bool fsck_has_pair(struct fsck *f, enum catalog_table table, uint64_t a, uint64_t b)
{
	uint8_t key[16];

	key_u64_u64(key, a, b);
	return fsck_has_row(f, table, key, sizeof key);
}

uint64_t fsck_id_of(struct fsck *f, enum catalog_table table, uint64_t id)
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

bool fsck_has_sizes(struct fsck *f, const char *table, const MDB_val *key, size_t key_size, const MDB_val *value, size_t value_size)
{
	if (key->mv_size == key_size && value->mv_size == value_size)
		return true;
	fsck_say(f, "table %s: a row of %zu and %zu octets, not %zu and %zu", table, key->mv_size, value->mv_size, key_size, value_size);
	return false;
}

/* ---- (set, edition) that something names --------------------------------- */

void fsck_named(struct fsck *f, const char *who, const char *what, struct set_at at, uint64_t zone)
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

/* ---- generations --------------------------------------------------------- */

struct changed_pass { bool any; uint64_t generation; uint32_t number; };

static int check_changed(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	struct changed_pass *p = arg;
	uint64_t generation;
	uint32_t number;

	if (!fsck_has_sizes(f, "changed", key, 12, value, value->mv_size))
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

/* ---- all tables ---------------------------------------------------------- */

int fsck_catalog(struct fsck *f, struct err *err)
{
	static const struct {
		enum catalog_table table;
		int (*check)(struct fsck *, const MDB_val *, const MDB_val *, void *, struct err *);
	} rows[] = {
		{ T_META, check_meta }, { T_ZONE_ID, fsck_zone_id }, { T_RETIRED, fsck_retired }, { T_SET, fsck_set },
		{ T_ZONE_SET, fsck_zone_set }, { T_EDITION, fsck_edition_row }, { T_LOADING, fsck_loading },
		{ T_IMAGE, fsck_image }, { T_GARBAGE, fsck_garbage }, { T_HISTORY, fsck_history },
		{ T_HISTORY_MEMBER, fsck_history_chunk }, { T_HISTORY_ZONE, fsck_history_zone }, { T_HELD, fsck_held },
		{ T_SPARE, fsck_spare },
	};
	enum catalog_table other[2] = { T_ZONE_GROUP, T_MEMBER };
	const MDB_dbi *dbi = f->catalog_env.dbi;

	if (fsck_zones(f, err) || fsck_groups(f, err)
	    || fsck_each(f, &f->catalog_env, f->catalog.txn, dbi[T_MEMBER], fsck_member, &other[0], err)
	    || fsck_each(f, &f->catalog_env, f->catalog.txn, dbi[T_ZONE_GROUP], fsck_member, &other[1], err))
		return -1;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (fsck_each(f, &f->catalog_env, f->catalog.txn, dbi[rows[i].table], rows[i].check, NULL, err))
			return -1;
	return check_generations(f, err);
}
