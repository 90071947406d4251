#include "daemon/rows_json.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/access.h"
#include "base/clock.h"
#include "base/property.h"
#include "daemon/way_back.h"

const char *json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

uint64_t json_number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

char *set_text(char *buf, const uint8_t *apex, const char *set)
{
	name_to_text_short(buf, apex);
	if (set && set[0]) {
		size_t n = strlen(buf);

		snprintf(buf + n, SET_TEXT_MAX - n, "@%s", set);
	}
	return buf;
}

json_t *time_json(int64_t wall_us)
{
	char buf[32];

	return wall_us ? json_string(clock_format(wall_us, buf)) : json_null();
}

static json_t *string_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

/* ---- zones ------------------------------------------------------------------- */

static int count_set(void *arg, const struct set_row *set)
{
	if (set->state != SET_DROPPING)
		++*(json_int_t *)arg;
	return 0;
}

/* The name of a set of the zone, or null; and until when it is signed. */
static json_t *set_name_json(struct catalog_txn *txn, struct set_at at, json_t **until)
{
	struct err err = ERR_INIT;
	struct set_row set;

	*until = json_null();
	if (!at.set || catalog_set_at(txn, at, &set, &err) < 0)
		return json_null();
	*until = until_json(&set.signing);
	return json_string(set.name);
}

json_t *spares_json(const struct serial_outlook *o)
{
	return o->fixed ? json_integer(o->spares) : json_null();
}

/* What comes of a switch to it, as far as serials go. */
static struct serial_outlook outlook_of(struct catalog_txn *txn, const struct zone_row *zone, struct set_at at)
{
	struct serial_outlook o = { .fixed = false };
	struct err ignored = ERR_INIT;

	if (!at.set || catalog_serial_outlook(txn, at, zone->flags & ZONE_SERIAL_KNOWN, zone->highest_serial, &o, &ignored) < 0)
		return (struct serial_outlook){ .fixed = false };
	return o;
}

static int take_first(void *arg, const struct history_row *row)
{
	*(struct history_row *)arg = *row;
	return 1;
}

int history_find(struct catalog_txn *txn, uint64_t id, struct history_row *row)
{
	struct err err = ERR_INIT;

	memset(row, 0, sizeof *row);
	if (!id || catalog_history(txn, 0, id + 1, take_first, row, &err) < 0 || row->id != id)
		return -1;
	return 0;
}

static json_t *held_json(struct catalog_txn *txn, const struct zone_row *zone)
{
	char back[SET_TEXT_MAX + 32];
	struct history_row row;
	const char *group;

	if (!(zone->flags & ZONE_HELD))
		return json_null();
	if (history_find(txn, zone->switch_id, &row) < 0)
		memset(&row, 0, sizeof row);
	/* once the group was switched again its command takes that back */
	group = row.held && catalog_is_groups_last(txn, &row) ? row.group : "";
	return json_pack("{s:I,s:o,s:o,s:o,s:I,s:s}", "switch", (json_int_t)zone->switch_id,
		"since", time_json(row.at_us ? row.at_us : zone->switched_at_us), "by", string_or_null(row.who.name),
		"group", string_or_null(group), "members", group[0] ? (json_int_t)row.held_members : (json_int_t)1,
		"back", back_command(back, sizeof back, group, zone->apex));
}

json_t *zone_json(struct catalog_txn *txn, const struct zone_row *zone)
{
	char name[NAME_TEXT_MAX];
	struct err err = ERR_INIT;
	json_int_t sets = 0;
	json_t *live_until, *previous_until, *live = set_name_json(txn, zone->live, &live_until);
	json_t *previous = set_name_json(txn, zone->previous, &previous_until);
	struct serial_outlook again = outlook_of(txn, zone, zone->live), back = outlook_of(txn, zone, zone->previous);

	catalog_sets(txn, zone->id, count_set, &sets, &err);
	return json_pack("{s:s,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:I,s:s,s:o,s:I,s:o,s:o}", "zone", name_to_text_short(name, zone->apex),
		"id", (json_int_t)zone->id, "live", live, "previous", previous, "signed_until", live_until,
		"back_signed_until", previous_until, "spares", spares_json(&again), "back_spares", spares_json(&back), "back_stuck", back.stuck,
		"serial", (json_int_t)zone->served_serial,
		"state", zone->flags & ZONE_HELD ? "held" : zone->live.set ? "live" : "prepared",
		"held", held_json(txn, zone), "sets", sets, "switched", time_json(zone->switched_at_us),
		"properties", properties_json(zone->properties));
}

/* ---- sets -------------------------------------------------------------------- */

json_t *until_json(const struct set_signing *signing)
{
	return time_json(signing->is_signed ? signing->until * 1000000 : 0);
}

json_t *set_json(struct catalog_txn *txn, const struct zone_row *zone, const struct set_row *set)
{
	bool finished = set->state == SET_READY || set->state == SET_FAILED;
	struct serial_outlook o = outlook_of(txn, zone, finished ? (struct set_at){ set->id, set->edition } : (struct set_at){ 0, 0 });
	char name[SET_TEXT_MAX], hash[CONTENT_HASH_TEXT];

	return json_pack("{s:s,s:s,s:s,s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:o,s:s,s:s,s:I,s:o,s:o}",
		"set", set_text(name, zone->apex, set->name), "name", set->name, "state", set_state_name[set->state],
		"live", zone->live.set == set->id, "previous", zone->previous.set == set->id,
		"records", (json_int_t)set->records, "rrsets", (json_int_t)set->rrsets, "nodes", (json_int_t)set->nodes,
		"octets", (json_int_t)set->octets, "serial", (json_int_t)set->soa_serial, "edition", (json_int_t)set->edition,
		"hash", content_hash_text(&set->hash, hash), "created", time_json(set->created_us),
		"source", set->source, "note", set->note, "images", (json_int_t)set->images,
		"signed_until", until_json(&set->signing), "spares", spares_json(&o));
}

/* ---- history ----------------------------------------------------------------- */

struct member_list { struct catalog_txn *txn; uint64_t id; json_t *array; unsigned left; };

/* Until when the way back of a zone's last switch validates. */
static json_t *back_until_json(struct catalog_txn *txn, uint64_t id, const struct history_member *m)
{
	struct err err = ERR_INIT;
	struct zone_row zone;
	struct set_row set;

	if (!m->from.set || catalog_zone_by_id(txn, m->zone, &zone, &err) < 0 || zone.switch_id != id ||
	    zone.previous.set != m->from.set || catalog_set_at(txn, zone.previous, &set, &err) < 0)
		return json_null();
	return until_json(&set.signing);
}

static int add_member(void *arg, const struct history_member *m)
{
	struct member_list *list = arg;
	char name[NAME_TEXT_MAX];

	if (list->left-- == 0)
		return 1;
	json_array_append_new(list->array, json_pack("{s:s,s:o,s:o,s:I,s:I,s:o}", "zone", name_to_text_short(name, m->apex),
		"from", string_or_null(m->from_name), "to", string_or_null(m->to_name),
		"from_serial", (json_int_t)m->from_serial, "to_serial", (json_int_t)m->to_serial,
		"back_signed_until", back_until_json(list->txn, list->id, m)));
	return 0;
}

json_t *history_json(struct catalog_txn *txn, const struct history_row *row, unsigned member_max)
{
	struct member_list list = { txn, row->id, json_array(), member_max };
	struct err err = ERR_INIT;

	catalog_history_members(txn, row->id, add_member, &list, &err);
	return json_pack("{s:I,s:s,s:o,s:o,s:I,s:o,s:I,s:o,s:o,s:b,s:o,s:I}", "id", (json_int_t)row->id,
		"kind", switch_kind_name[row->kind], "at", time_json(row->at_us), "by", string_or_null(row->who.name),
		"uid", (json_int_t)row->who.uid,
		"login_uid", row->who.login_uid == (uint32_t)-1 ? json_null() : json_integer(row->who.login_uid),
		"pid", (json_int_t)row->who.pid, "group", string_or_null(row->group), "note", string_or_null(row->note),
		"held", row->held, "zones", list.array, "members", (json_int_t)row->members);
}

/* ---- who --------------------------------------------------------------------- */

json_t *who_json(const struct who *who)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:s}", "uid", (json_int_t)who->uid, "gid", (json_int_t)who->gid,
		"login_uid", (json_int_t)who->login_uid, "pid", (json_int_t)who->pid, "name", who->name);
}

void who_from_json(struct who *who, const json_t *json)
{
	const char *name = json_string_value(json_object_get(json, "name"));

	memset(who, 0, sizeof *who);
	who->uid = (uint32_t)json_integer_value(json_object_get(json, "uid"));
	who->gid = (uint32_t)json_integer_value(json_object_get(json, "gid"));
	who->login_uid = (uint32_t)json_integer_value(json_object_get(json, "login_uid"));
	who->pid = (int32_t)json_integer_value(json_object_get(json, "pid"));
	snprintf(who->name, sizeof who->name, "%s", name ? name : "schwenkd");
}

/* ---- properties -------------------------------------------------------------- */

json_t *properties_json(const char *text)
{
	json_t *object = json_object();

	while (*text) {
		size_t line = strcspn(text, "\n"), key = strcspn(text, "=\n");

		if (key < line) {
			char name[64];

			snprintf(name, sizeof name, "%.*s", (int)key, text);
			json_object_set_new(object, name, json_stringn(text + key + 1, line - key - 1));
		}
		text += line + (text[line] == '\n');
	}
	return object;
}

const char *property_get(const char *text, const char *key, char *buf, size_t size)
{
	size_t n;
	const char *value = property_find(text, key, &n);

	if (value)
		snprintf(buf, size, "%.*s", (int)n, value);
	return value ? buf : NULL;
}

static bool property_name_fits(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 63)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
			return false;
	return true;
}

static int properties_print(char *text, size_t size, json_t *object, struct err *err)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach(object, name, value) {
		if (n + strlen(name) + json_string_length(value) + 3 > size)
			return err_set(err, ERR_LIMIT, "the properties of a zone may have %zu octets together", size - 1);
		n += (size_t)sprintf(text + n, "%s=%s\n", name, json_string_value(value));
	}
	text[n] = '\0';
	return 0;
}

/* What a property that we act upon may be; others are notes for people. */
static int property_check(const char *name, const char *value, struct err *err)
{
	if (strcmp(name, "reload") == 0 && strcmp(value, "stagers") != 0)
		return err_set(err, ERR_BAD_REQUEST, "the property \"reload\" is \"stagers\", who then may reload the zone, too, "
			"or it is taken away; not \"%.64s\"", value);
	return strcmp(name, ACCESS_PROPERTY) == 0 ? access_check(value, err) : 0;
}

int properties_change(char *text, size_t size, const json_t *changes, struct err *err)
{
	json_t *object = properties_json(text), *value;
	const char *name;
	int status = 0;

	json_object_foreach((json_t *)(uintptr_t)changes, name, value) {
		const char *s = json_string_value(value);

		if (!property_name_fits(name))
			status = err_set(err, ERR_BAD_REQUEST, "\"%.64s\" is no name of a property: 1 to 63 of a-z, 0-9, \"-\", \"_\"", name);
		else if (json_is_null(value))
			json_object_del(object, name);
		else if (!s)
			status = err_set(err, ERR_BAD_REQUEST, "the property \"%s\" must be a string, or null to take it away", name);
		else if (strchr(s, '\n'))
			status = err_set(err, ERR_BAD_REQUEST, "the property \"%s\" may not hold a newline", name);
		else if ((status = property_check(name, s, err)) == 0)
			json_object_set(object, name, value);
		if (status < 0)
			break;
	}
	if (status == 0)
		status = properties_print(text, size, object, err);
	json_decref(object);
	return status;
}

/* ---- numbers ----------------------------------------------------------------- */

json_t *hex64_json(uint64_t v)
{
	return json_sprintf("%016" PRIx64, v);
}

uint64_t hex64_from_json(const json_t *json)
{
	const char *text = json_string_value(json);

	return text ? strtoull(text, NULL, 16) : 0;
}

json_t *signing_json(const struct set_signing *s)
{
	json_t *keys = json_array();

	if (!s->is_signed) {
		json_decref(keys);
		return json_null();
	}
	for (unsigned i = 0; i < s->keys; i++)
		json_array_append_new(keys, json_pack("[o,i,i,i]", hex64_json(s->key[i].hash), s->key[i].tag, s->key[i].algorithm,
			s->key[i].flags));
	return json_pack("{s:I,s:b,s:o}", "until", (json_int_t)s->until, "more", s->more_keys, "keys", keys);
}

void signing_from_json(struct set_signing *s, const json_t *json)
{
	const json_t *keys = json_object_get(json, "keys");

	memset(s, 0, sizeof *s);
	if (!json_is_object(json))
		return;
	s->is_signed = true;
	s->until = json_integer_value(json_object_get(json, "until"));
	s->more_keys = json_is_true(json_object_get(json, "more")) || json_array_size(keys) > SET_KEYS_MAX;
	for (size_t i = 0; i < json_array_size(keys) && i < SET_KEYS_MAX; i++) {
		const json_t *key = json_array_get(keys, i);

		s->key[s->keys++] = (struct set_key){ .hash = hex64_from_json(json_array_get(key, 0)),
			.tag = (uint16_t)json_integer_value(json_array_get(key, 1)),
			.algorithm = (uint8_t)json_integer_value(json_array_get(key, 2)),
			.flags = (uint8_t)json_integer_value(json_array_get(key, 3)) };
	}
}

json_t *content_json(const struct content_hash *hash)
{
	json_t *array = json_array();

	for (int i = 0; i < 8; i++)
		json_array_append_new(array, hex64_json(hash->word[i]));
	return array;
}

void content_from_json(struct content_hash *hash, const json_t *array)
{
	for (size_t i = 0; i < 8; i++)
		hash->word[i] = hex64_from_json(json_array_get(array, i));
}
