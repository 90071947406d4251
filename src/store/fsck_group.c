/* The check of groups and their members. */
#include "store/fsck_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	bool deleted = key->mv_size && *(const uint8_t *)key->mv_data == 0;
	char name[GROUP_NAME_MAX + 1] = "(deleted)";
	struct err reason = ERR_INIT;
	struct history_row history;
	struct group_row group;
	uint64_t *ids;
	size_t members;

	if (!deleted)
		snprintf(name, sizeof name, "%.*s", (int)key->mv_size, (const char *)key->mv_data);
	if (row_get_group(&group, value->mv_data, value->mv_size, &reason)) {
		fsck_say(f, "group %s: %s", name, reason.message);
		return 0;
	}
	if (deleted && (key->mv_size != 9 || load_be64((const uint8_t *)key->mv_data + 1) != group.id || group.last_switch))
		fsck_say(f, "group %s: its key does not tell its id, %" PRIu64, name, group.id);
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

int fsck_groups(struct fsck *f, struct err *err)
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

int fsck_member(struct fsck *f, const MDB_val *key, const MDB_val *value, void *arg, struct err *err)
{
	enum catalog_table other = *(enum catalog_table *)arg;
	uint64_t first, second, zone, group;

	if (!fsck_has_sizes(f, other == T_ZONE_GROUP ? "member" : "zone_group", key, 16, value, 0))
		return 0;
	first = load_be64(key->mv_data);
	second = load_be64((const uint8_t *)key->mv_data + 8);
	zone = other == T_ZONE_GROUP ? second : first;
	group = other == T_ZONE_GROUP ? first : second;
	if (!has_group(f, group) || !fsck_has_id(f, T_ZONE_ID, zone))
		fsck_say(f, "zone %" PRIu64 " is a member of group %" PRIu64 ", and one of them is not here", zone, group);
	if (!fsck_has_pair(f, other, second, first))
		fsck_say(f, "zone %" PRIu64 " is a member of group %" PRIu64 " in only one of two tables", zone, group);
	return 0;
}
