/*
 * The ways back of held switches. A row (zone, switch) says what a rollback of
 * that switch would return the zone to; as long as it stands, that set cannot
 * be dropped and its edition not be cleared.
 *
 * Of a zone's own switches only the last can be taken back: a further cutover
 * ends the hold of the one before. A group's switch is taken back as a whole,
 * whatever happened to single members since: its rows stay until the group is
 * confirmed or rolled back, or until every member has been by itself (OPEN
 * counts them, in the history entry). When the group is switched again its
 * command means that switch: what is still held by the one before is so by
 * itself from then on.
 */
#include "store/catalog_internal.h"

#include <stdlib.h>

int held_add(struct catalog_txn *t, uint64_t zone, uint64_t switch_id, struct set_at from, bool group, struct err *err)
{
	struct held_row held = { .flags = HELD_OPEN | (group ? HELD_GROUP : 0), .from = from };
	uint8_t key[16], buf[ROW_MAX];
	int n = row_put_held(buf, &held, err);

	key_u64_u64(key, zone, switch_id);
	return n < 0 ? -1 : table_put(t, T_HELD, key, sizeof key, buf, n, 0, err);
}

/* One member less awaits a decision; with the last one the switch is over. */
static int one_less(struct catalog_txn *t, uint64_t switch_id, struct err *err)
{
	struct history_row row;

	if (history_get(t, switch_id, &row, err))
		return -1;
	if (row.held_members <= 1)
		return held_end(t, switch_id, err);
	row.held_members--;
	return history_put(t, &row, err);
}

/* What to do with the holds of a zone. */
enum held_action { SUPERSEDE, CLOSE, FORGET };

static int held_row_of(struct catalog_txn *t, uint64_t zone, uint64_t switch_id, struct held_row *held, struct err *err)
{
	uint8_t key[16];
	MDB_val value;
	int rc;

	key_u64_u64(key, zone, switch_id);
	rc = table_get(t, T_HELD, key, sizeof key, &value, err);
	if (rc == 1 && row_get_held(held, value.mv_data, value.mv_size, err))
		return -1;
	return rc;
}

static int act_on(struct catalog_txn *t, uint64_t zone, uint64_t switch_id, enum held_action action, struct err *err)
{
	uint8_t key[16], buf[ROW_MAX];
	struct held_row held;
	bool was_open;
	int n, rc = held_row_of(t, zone, switch_id, &held, err);

	if (rc <= 0)
		return rc;
	if (action == SUPERSEDE && held.flags & HELD_GROUP)
		return 0;
	was_open = held.flags & HELD_OPEN;
	key_u64_u64(key, zone, switch_id);
	if (action == CLOSE && held.flags & HELD_GROUP) {
		held.flags &= ~HELD_OPEN;
		n = row_put_held(buf, &held, err);
		rc = n < 0 ? -1 : table_put(t, T_HELD, key, sizeof key, buf, n, 0, err);
	} else {
		rc = table_delete(t, T_HELD, key, sizeof key, err);
	}
	return rc || !was_open ? rc : one_less(t, switch_id, err);
}

static int act_on_zone(struct catalog_txn *t, uint64_t zone, enum held_action action, struct err *err)
{
	uint64_t *ids;
	size_t count;
	int rc = prefix_ids(t, T_HELD, zone, 8, &ids, &count, err);

	for (size_t i = 0; i < count && !rc; i++)
		rc = act_on(t, zone, ids[i], action, err);
	free(ids);
	return rc;
}

int held_supersede(struct catalog_txn *t, uint64_t zone, struct err *err)
{
	return act_on_zone(t, zone, SUPERSEDE, err);
}

int held_close(struct catalog_txn *t, uint64_t zone, struct err *err)
{
	return act_on_zone(t, zone, CLOSE, err);
}

int held_forget_zone(struct catalog_txn *t, uint64_t zone, struct err *err)
{
	return act_on_zone(t, zone, FORGET, err);
}

struct end_state { struct catalog_txn *t; uint64_t switch_id; struct err *err; int rc; };

static int end_member(void *arg, const struct history_member *member)
{
	struct end_state *state = arg;
	uint8_t key[16];

	key_u64_u64(key, member->zone, state->switch_id);
	state->rc = table_delete(state->t, T_HELD, key, sizeof key, state->err);
	return state->rc;
}

int held_end(struct catalog_txn *t, uint64_t switch_id, struct err *err)
{
	struct end_state state = { .t = t, .switch_id = switch_id, .err = err };
	struct history_row row;

	if (history_get(t, switch_id, &row, err) || catalog_history_members(t, switch_id, end_member, &state, err) || state.rc)
		return -1;
	row.held_members = 0;
	return history_put(t, &row, err);
}

struct part_state { struct catalog_txn *t; uint64_t switch_id; struct err *err; uint32_t left; int rc; };

/* The zone's row, if the zone is still held by this switch; else it goes. */
static int part_member(void *arg, const struct history_member *member)
{
	struct part_state *state = arg;
	uint8_t key[16], buf[ROW_MAX];
	struct err why = ERR_INIT;
	struct held_row held;
	struct zone_row zone;
	int n;

	key_u64_u64(key, member->zone, state->switch_id);
	state->rc = held_row_of(state->t, member->zone, state->switch_id, &held, state->err);
	if (state->rc <= 0)
		return state->rc;
	if (catalog_zone_by_id(state->t, member->zone, &zone, &why) && !err_is(&why, ERR_NO_SUCH_ZONE)) {
		err_set(state->err, why.code, "%s", why.message);
		state->rc = -1;
		return -1;
	}
	if (!(held.flags & HELD_OPEN) || why.code || zone.switch_id != state->switch_id) {
		state->rc = table_delete(state->t, T_HELD, key, sizeof key, state->err);
		return state->rc;
	}
	held.flags &= ~HELD_GROUP;
	n = row_put_held(buf, &held, state->err);
	state->rc = n < 0 ? -1 : table_put(state->t, T_HELD, key, sizeof key, buf, n, 0, state->err);
	state->left++;
	return state->rc;
}

int held_part(struct catalog_txn *t, uint64_t switch_id, struct err *err)
{
	struct part_state state = { .t = t, .switch_id = switch_id, .err = err };
	struct history_row row;

	if (history_get(t, switch_id, &row, err) || catalog_history_members(t, switch_id, part_member, &state, err) || state.rc < 0)
		return -1;
	row.held_members = state.left;
	return history_put(t, &row, err);
}

int held_names(struct catalog_txn *t, uint64_t zone, uint64_t set, struct err *err)
{
	uint64_t *ids;
	size_t count;
	int rc = prefix_ids(t, T_HELD, zone, 8, &ids, &count, err);

	for (size_t i = 0; i < count && !rc; i++) {
		struct held_row held;

		rc = held_row_of(t, zone, ids[i], &held, err);
		if (rc == 1)
			rc = held.from.set == set;
	}
	free(ids);
	return rc;
}

int catalog_held_zones(struct catalog_txn *t, uint64_t after, int (*each)(void *, const struct zone_row *), void *arg, struct err *err)
{
	return zones_by_id(t, T_HELD, "", 0, after, each, arg, err);
}
