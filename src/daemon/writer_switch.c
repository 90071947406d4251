/* The writer's switches: the request, and the reply with a row a zone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/commands.h"
#include "control/rows.h"
#include "daemon/rows_json.h"
#include "daemon/way_back.h"
#include "daemon/writer.h"

#define LISTED_MAX 1000         /* zones that a reply lists, besides those that need to be named */

/* ---- the reply ------------------------------------------------------------------ */

static const char *const outcome_name[] = {
	[OUTCOME_SWITCHED] = "switched", [OUTCOME_ALREADY] = "already",
	[OUTCOME_NO_PREVIOUS] = "no-previous", [OUTCOME_OVERTOOK] = "overtook",
};

static void add_row(struct rows *rows, const struct switch_result_item *item)
{
	const struct history_member *m = &item->member;
	char zone[NAME_TEXT_MAX], keys[KEYS_TEXT_MAX];

	row_begin(rows);
	row_text(rows, "zone", name_to_text_short(zone, m->apex));
	row_text(rows, "from", m->from_name);
	row_text(rows, "to", m->to_name);
	row_number(rows, "from_serial", m->from_serial);
	row_number(rows, "to_serial", m->to_serial);
	row_text(rows, "outcome", outcome_name[item->outcome]);
	row_json(rows, "since", time_json(item->since_us));
	row_text(rows, "by", item->by);
	row_number(rows, "left_behind", item->edits_left_behind);
	row_flag(rows, "serial_stuck", item->serial_stuck);
	row_json(rows, "signed_until", time_json(item->signed_until * 1000000));
	row_json(rows, "back_signed_until", time_json(item->back_signed_until * 1000000));
	row_text(rows, "keys", switch_keys_text(item, keys));
	row_json(rows, "spares", spares_json(&item->outlook));
	row_json(rows, "back_spares", spares_json(&item->back));
	row_flag(rows, "back_stuck", item->back.stuck);
	row_end(rows);
}

static bool took_effect(const struct switch_result_item *item)
{
	return item->outcome == OUTCOME_SWITCHED || item->outcome == OUTCOME_OVERTOOK;
}

/* What is confirmed, or live already, may be the zone's first set. */
static bool has_way_back(struct catalog_txn *txn, const struct switch_request *request, const struct switch_result_item *item)
{
	struct err err = ERR_INIT;
	struct zone_row zone;

	if (request->kind != SWITCH_CONFIRM && item->outcome != OUTCOME_ALREADY)
		return item->member.from_name[0];
	return catalog_zone_by_id(txn, item->member.zone, &zone, &err) == 0 && zone.previous.set;
}

struct moved { json_t *zones; size_t left; };

static int take_moved(void *arg, const struct zone_row *zone)
{
	struct moved *moved = arg;
	char name[NAME_TEXT_MAX];

	if (!json_object_get(moved->zones, name_to_text_short(name, zone->apex)))
		return 1;
	moved->left--;
	return 0;
}

/* The set that the whole group, as it is now, would go forward to; NULL: the
 * zones must be named one by one. */
static const char *group_forward(struct catalog_txn *txn, const struct switch_request *request, const struct switch_result *result)
{
	struct moved moved = { json_object(), result->count };
	const char *set = result->count ? result->items[0].member.from_name : "";
	struct err err = ERR_INIT;
	bool same = request->group && set[0];

	for (size_t i = 0; i < result->count && same; i++) {
		const struct switch_result_item *item = &result->items[i];
		char name[NAME_TEXT_MAX];

		same = took_effect(item) && strcmp(item->member.from_name, set) == 0;
		json_object_set_new(moved.zones, name_to_text_short(name, item->member.apex), json_true());
	}
	same = same && catalog_group_zones(txn, request->group, 0, take_moved, &moved, &err) == 0 && moved.left == 0;
	json_decref(moved.zones);
	return same ? set : NULL;
}

static bool any_took_effect(const struct switch_result *result)
{
	for (size_t i = 0; i < result->count; i++)
		if (took_effect(&result->items[i]))
			return true;
	return false;
}

/* After a cutover the way back is a rollback of what it moved; after a rollback
 * forward again is a cutover by name. Without an effect: what undoes the state
 * there is. */
static json_t *back_json(struct catalog_txn *txn, const struct switch_request *request, const struct switch_result *result)
{
	bool back_is_rollback = request->kind != SWITCH_ROLLBACK;
	const char *forward = back_is_rollback ? NULL : group_forward(txn, request, result);
	bool effect = any_took_effect(result), any = false;
	char *text = NULL;
	json_t *json;
	size_t size;
	FILE *out;

	if (request->kind == SWITCH_RELOAD && result->count > 1)
		return json_null();
	if (forward)
		return json_sprintf("schwenk cutover --group %s @%s", request->group, forward);
	if (back_is_rollback && request->group && (!effect || request->kind == SWITCH_CONFIRM))
		return back_of_group(txn, request->group, result, request->kind == SWITCH_CONFIRM);
	out = open_memstream(&text, &size);
	if (!out)
		return json_null();
	fputs(back_is_rollback ? "schwenk rollback" : "schwenk cutover", out);
	if (back_is_rollback && request->group)
		fprintf(out, " --group %s", request->group);
	for (size_t i = 0; i < result->count; i++) {
		const struct switch_result_item *item = &result->items[i];
		char zone[SET_TEXT_MAX];

		if (!has_way_back(txn, request, item) || (!took_effect(item) && (effect || !back_is_rollback)))
			continue;
		any = true;
		if (back_is_rollback && request->group)
			break;
		fprintf(out, " %s", set_text(zone, item->member.apex, back_is_rollback ? NULL : item->member.from_name));
	}
	json = fclose(out) == 0 && any ? json_string(text) : json_null();
	free(text);
	return json;
}

/* Nothing of it needs to be named. */
static bool is_plain(const struct switch_result_item *item)
{
	return (item->outcome == OUTCOME_SWITCHED || item->outcome == OUTCOME_ALREADY) && !item->serial_stuck &&
		!item->edits_left_behind && item->keys_fit == KEYS_FIT && !item->back.stuck;
}

json_t *switch_json(struct catalog_txn *txn, const struct switch_request *request, const struct switch_result *result)
{
	struct rows rows = { .text = NULL };
	bool many = result->count > ROWS_READ;
	unsigned listed = 0;
	json_t *reply;

	/* of many, main sees the first, and logs who moved: these come first */
	for (int round = many ? 0 : 1; round < 2; round++)
		for (size_t i = 0; i < result->count; i++) {
			const struct switch_result_item *item = &result->items[i];

			if (many && took_effect(item) != (round == 0))
				continue;
			if (!is_plain(item) || listed++ < LISTED_MAX)
				add_row(&rows, item);
		}
	reply = json_pack("{s:o,s:I,s:o}", "switch", result->id ? json_integer((json_int_t)result->id) : json_null(),
		"members", (json_int_t)result->count, "back", back_json(txn, request, result));
	if (rows_into(&rows, reply) < 0) {
		json_decref(reply);
		return NULL;
	}
	return reply;
}

/* ---- the request ---------------------------------------------------------------- */

static int parse_items(const json_t *texts, bool with_set, struct switch_item *items, struct err *err)
{
	for (size_t i = 0; i < json_array_size(texts); i++) {
		const char *text = json_string_value(json_array_get(texts, i));
		size_t size;

		if (with_set ? control_parse_set(text, items[i].apex, &size, items[i].set, err) < 0 :
		    control_parse_zone(text, items[i].apex, &size, err) < 0)
			return -1;
		if (with_set && !items[i].set[0])
			return err_set(err, ERR_BAD_REQUEST, "cutover takes sets, ZONE@SET: \"%s\" names none; `schwenk sets %s` lists them", text, text);
		items[i].apex_size = (uint8_t)size;
		for (size_t k = 0; k < i && i < 64; k++)
			if (items[k].apex_size == size && memcmp(items[k].apex, items[i].apex, size) == 0)
				return err_set(err, ERR_BAD_REQUEST, "\"%s\": a zone stands twice in one command", text);
	}
	return 0;
}

/* The zones or the group of a request; items is malloc'd, owned by the caller. */
static int parse_targets(const json_t *request, const char *list, struct switch_request *s, struct switch_item **items, struct err *err)
{
	const json_t *texts = json_object_get(request, list);
	const char *group = json_text(request, "group"), *set = json_text(request, "set");
	bool with_set = strcmp(list, "sets") == 0;
	size_t count = json_array_size(texts);

	if (group ? texts != NULL : count == 0)
		return err_set(err, ERR_BAD_REQUEST, "%s what? either \"%s\" or \"group\"", json_text(request, "command"), list);
	*items = calloc(count ? count : 1, sizeof **items);
	if (!*items)
		return err_set(err, ERR_NOMEM, "no memory for %zu zones", count);
	if (group && with_set) {
		if (!set || !set_name_valid(set[0] == '@' ? set + 1 : set))
			return err_set(err, ERR_BAD_REQUEST, "a group is cut over to a set by name: \"set\" must be one, 1 to 63 of a-z, 0-9, \".\", \"_\", \"-\"");
		snprintf((*items)[0].set, sizeof (*items)[0].set, "%s", set[0] == '@' ? set + 1 : set);
		count = 1;
	} else if (parse_items(texts, with_set, *items, err) < 0)
		return -1;
	s->items = *items;
	s->count = count;
	s->group = group;
	return 0;
}

static int parse_force(const json_t *rules, unsigned *force, struct err *err)
{
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const char *rule = json_string_value(json_array_get(rules, i));

		if (strcmp(rule, "dnskey") == 0)
			*force |= FORCE_DNSKEY;
		else if (strcmp(rule, "unsigned") == 0)
			*force |= FORCE_UNSIGNED;
		else
			return err_set(err, ERR_BAD_REQUEST, "no rule \"%.64s\" that could be passed over by force: there are \"dnskey\" and "
				"\"unsigned\"", rule);
	}
	return 0;
}

static int parse_cutover(const json_t *request, struct switch_request *s, struct err *err)
{
	const json_t *number = json_object_get(request, "serial"), *force = json_object_get(request, "force");

	s->hold = true;
	s->expect = json_text(request, "expect");
	if (number) {
		json_int_t n = json_integer_value(number);

		if (n < 0 || n > UINT32_MAX)
			return err_set(err, ERR_BAD_REQUEST, "a serial is a number from 0 to 4294967295");
		s->serial_given = true;
		s->serial = (uint32_t)n;
	}
	if ((s->expect || number) && (s->group || s->count > 1))
		return err_set(err, ERR_BAD_REQUEST, "\"expect\" and \"serial\" go with one zone only");
	return parse_force(force, &s->force, err);
}

static json_t *run_switch(struct catalog_txn *txn, const json_t *request, enum switch_kind kind, struct err *err)
{
	struct switch_request s = { .kind = kind, .note = json_text(request, "note"), .now_us = clock_wall_us() };
	struct switch_result result = { .items = NULL };
	struct switch_item *items = NULL;
	json_t *reply = NULL;

	who_from_json(&s.who, json_object_get(request, "who"));
	if (parse_targets(request, kind == SWITCH_CUTOVER ? "sets" : "zones", &s, &items, err) == 0 &&
	    (kind != SWITCH_CUTOVER || parse_cutover(request, &s, err) == 0) &&
	    (kind == SWITCH_CONFIRM ? catalog_confirm(txn, &s, &result, err) : catalog_switch(txn, &s, &result, err)) == 0) {
		reply = switch_json(txn, &s, &result);
		switch_result_free(&result);
	}
	free(items);
	return reply;
}

json_t *run_cutover(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	return run_switch(txn, request, SWITCH_CUTOVER, err);
}

json_t *run_rollback(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	return run_switch(txn, request, SWITCH_ROLLBACK, err);
}

json_t *run_confirm(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	return run_switch(txn, request, SWITCH_CONFIRM, err);
}
