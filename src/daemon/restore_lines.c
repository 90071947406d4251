/* Lines of a backup in text form: the catalog's rows, with the ids that they had. */
#include <stdio.h>
#include <string.h>

#include "control/commands.h"
#include "daemon/backup.h"
#include "daemon/restore_internal.h"
#include "daemon/rows_json.h"

int restore_bad_line(struct text_restore *r, const char *what)
{
	return err_set(r->err, ERR_CORRUPT, "%s", what);
}

static int unpack_failed(struct text_restore *r, const json_error_t *e)
{
	return err_set(r->err, ERR_CORRUPT, "not what a line of this kind is: %s", e->text);
}

/* null: none. */
static int get_at(struct text_restore *r, const json_t *json, struct set_at *at)
{
	*at = (struct set_at){ 0, 0 };
	if (json_is_null(json))
		return 0;
	if (json_array_size(json) != 2 || !json_is_integer(json_array_get(json, 0)) || !json_is_integer(json_array_get(json, 1)))
		return restore_bad_line(r, "a set's edition is a pair of numbers");
	at->set = (uint64_t)json_integer_value(json_array_get(json, 0));
	at->edition = (uint32_t)json_integer_value(json_array_get(json, 1));
	return 0;
}

static int get_text(struct text_restore *r, char *to, size_t size, const char *text)
{
	if ((size_t)snprintf(to, size, "%s", text) >= size)
		return restore_bad_line(r, "a text is too long");
	return 0;
}

/* ---- of each kind -------------------------------------------------------- */

static int put_ids(struct text_restore *r, json_t *line)
{
	json_int_t zone, set, history, group;
	json_error_t e;

	if (json_unpack_ex(line, &e, 0, "{s:I,s:I,s:I,s:I}", "zone", &zone, "set", &set, "history", &history, "group", &group) < 0)
		return unpack_failed(r, &e);
	r->ids = (struct catalog_ids){ (uint64_t)zone, (uint64_t)set, (uint64_t)history, (uint64_t)group };
	return 0;
}

/* Backups of before it was kept have no "former". */
static int put_formers(struct text_restore *r, uint64_t zone, const json_t *formers)
{
	const json_t *former;
	size_t i;

	json_array_foreach(formers, i, former) {
		uint64_t id = (uint64_t)json_integer_value(former);

		if (catalog_put_former(r->txn, zone, id, r->err) < 0)
			return -1;
		zone = id;
	}
	return 0;
}

static int put_retired(struct text_restore *r, json_t *line)
{
	uint8_t apex[NAME_MAX_SIZE];
	json_t *serial, *formers = NULL;
	struct retired_row row;
	json_int_t id = 0;
	const char *name;
	json_error_t e;
	size_t size;

	if (json_unpack_ex(line, &e, 0, "{s:s,s:o,s?I,s?o}", "zone", &name, "serial", &serial, "id", &id, "former", &formers) < 0)
		return unpack_failed(r, &e);
	r->retired++;
	row = (struct retired_row){ .serial_known = json_is_integer(serial), .highest_serial = (uint32_t)json_integer_value(serial),
		.zone = (uint64_t)id };
	if (control_parse_zone(name, apex, &size, r->err) < 0 || put_formers(r, row.zone, formers) < 0)
		return -1;
	return catalog_put_retired(r->txn, apex, size, &row, r->err);
}

static int put_zone(struct text_restore *r, json_t *line)
{
	json_int_t id, serial, switch_id, switched, created;
	json_t *live, *previous, *highest, *properties, *formers = NULL;
	struct zone_row *z = &r->zone;
	int fixed, held;
	const char *name;
	json_error_t e;
	size_t size;

	memset(z, 0, sizeof *z);
	if (json_unpack_ex(line, &e, 0, "{s:I,s:s,s:o,s:o,s:I,s:o,s:b,s:b,s:I,s:I,s:I,s:o,s?o}", "id", &id, "zone", &name, "live", &live,
		"previous", &previous, "serial", &serial, "highest", &highest, "serial_fixed", &fixed, "held", &held,
		"switch", &switch_id, "switched_us", &switched, "created_us", &created, "properties", &properties,
		"former", &formers) < 0)
		return unpack_failed(r, &e);
	if (control_parse_zone(name, z->apex, &size, r->err) < 0 || get_at(r, live, &z->live) < 0 || get_at(r, previous, &z->previous) < 0 ||
	    properties_change(z->properties, sizeof z->properties, properties, r->err) < 0)
		return -1;
	z->apex_size = (uint8_t)size;
	z->id = (uint64_t)id;
	z->served_serial = (uint32_t)serial;
	z->highest_serial = (uint32_t)json_integer_value(highest);
	z->flags = (fixed ? ZONE_SERIAL_FIXED : 0) | (held ? ZONE_HELD : 0) | (json_is_integer(highest) ? ZONE_SERIAL_KNOWN : 0);
	z->switch_id = (uint64_t)switch_id;
	z->switched_at_us = switched;
	z->created_us = created;
	r->zones++;
	return put_formers(r, z->id, formers) < 0 ? -1 : catalog_put_zone(r->txn, z, r->err);
}

static int put_editions(struct text_restore *r, const json_t *editions, struct set_row *set)
{
	struct err *err = r->err;
	const json_t *edition;
	size_t i;

	json_array_foreach(editions, i, edition) {
		if (i && catalog_put_edition(r->txn, set, err) < 0)
			return -1;
		if (restore_edition(r, edition, set) < 0)
			return -1;
	}
	return i ? 0 : restore_bad_line(r, "a set without editions");
}

static int put_set(struct text_restore *r, json_t *line)
{
	json_int_t id, zone, created;
	json_t *base, *editions;
	const char *name, *state, *source, *note;
	int auto_named, served;
	struct set_row set;
	json_error_t e;

	memset(&set, 0, sizeof set);
	if (json_unpack_ex(line, &e, 0, "{s:I,s:I,s:s,s:s,s:b,s:b,s:I,s:o,s:s,s:s,s:o}", "id", &id, "zone", &zone, "name", &name,
		"state", &state, "auto_named", &auto_named, "served", &served, "created_us", &created, "base_of", &base,
		"source", &source, "note", &note, "editions", &editions) < 0)
		return unpack_failed(r, &e);
	set.id = (uint64_t)id;
	set.zone = (uint64_t)zone;
	set.created_us = created;
	set.flags = (auto_named ? SET_AUTO_NAMED : 0) | (served ? SET_SERVED : 0);
	set.state = strcmp(state, set_state_name[SET_FAILED]) == 0 ? SET_FAILED : SET_READY;
	if (set.zone != r->zone.id || !set_name_valid(name) || (set.state == SET_READY && strcmp(state, set_state_name[SET_READY]) != 0))
		return restore_bad_line(r, "a set that is not of the zone before it, or has no proper name or state");
	if (get_text(r, set.name, sizeof set.name, name) < 0 || get_text(r, set.source, sizeof set.source, source) < 0 ||
	    get_text(r, set.note, sizeof set.note, note) < 0 || get_at(r, base, &set.base_of) < 0 || put_editions(r, editions, &set) < 0)
		return -1;
	r->sets++;
	return catalog_put_set(r->txn, &set, r->err);
}

static int put_group(struct text_restore *r, json_t *line)
{
	json_int_t last;
	const char *group;
	json_error_t e;

	if (json_unpack_ex(line, &e, 0, "{s:s,s:I}", "group", &group, "switch", &last) < 0)
		return unpack_failed(r, &e);
	r->groups++;
	return catalog_put_group(r->txn, group, (uint64_t)last, r->err);
}

static int put_members(struct text_restore *r, json_t *line)
{
	json_t *zones, *zone;
	const char *group;
	json_error_t e;
	size_t i;

	if (json_unpack_ex(line, &e, 0, "{s:s,s:o}", "group", &group, "zones", &zones) < 0)
		return unpack_failed(r, &e);
	json_array_foreach(zones, i, zone) {
		uint8_t apex[NAME_MAX_SIZE];
		size_t size;

		if (!json_is_string(zone))
			return restore_bad_line(r, "a member that is no zone");
		if (control_parse_zone(json_string_value(zone), apex, &size, r->err) < 0 ||
		    catalog_group_add(r->txn, group, apex, size, r->err) < 0)
			return -1;
	}
	return 0;
}

static int find_kind(struct text_restore *r, const char *name, enum switch_kind *kind)
{
	for (int i = 0; i <= SWITCH_RESTORE; i++)
		if (strcmp(switch_kind_name[i], name) == 0) {
			*kind = (enum switch_kind)i;
			return 0;
		}
	return restore_bad_line(r, "an entry of the history of a kind that is not known");
}

static int put_history(struct text_restore *r, json_t *line)
{
	json_int_t id, at, held;
	const char *what, *group, *note;
	struct history_row row;
	json_error_t e;
	json_t *who;

	memset(&row, 0, sizeof row);
	if (json_unpack_ex(line, &e, 0, "{s:I,s:s,s:I,s:o,s:s,s:s,s:I}", "id", &id, "what", &what, "at_us", &at, "who", &who,
		"group", &group, "note", &note, "held_members", &held) < 0)
		return unpack_failed(r, &e);
	row.id = (uint64_t)id;
	row.at_us = at;
	row.held_members = (uint32_t)held;
	who_from_json(&row.who, who);
	r->entries++;
	if (find_kind(r, what, &row.kind) < 0 || get_text(r, row.group, sizeof row.group, group) < 0 ||
	    get_text(r, row.note, sizeof row.note, note) < 0)
		return -1;
	return catalog_put_history(r->txn, &row, r->err);
}

static int put_history_zone(struct text_restore *r, uint64_t entry, json_t *json)
{
	json_int_t zone, from_serial, to_serial;
	const char *name, *from_name, *to_name;
	struct history_member m;
	json_t *from, *to;
	json_error_t e;
	size_t size;

	memset(&m, 0, sizeof m);
	if (json_unpack_ex(json, &e, 0, "{s:s,s:I,s:o,s:o,s:s,s:s,s:I,s:I}", "zone", &name, "id", &zone, "from", &from, "to", &to,
		"from_name", &from_name, "to_name", &to_name, "from_serial", &from_serial, "to_serial", &to_serial) < 0)
		return unpack_failed(r, &e);
	if (control_parse_zone(name, m.apex, &size, r->err) < 0 || get_at(r, from, &m.from) < 0 || get_at(r, to, &m.to) < 0 ||
	    get_text(r, m.from_name, sizeof m.from_name, from_name) < 0 || get_text(r, m.to_name, sizeof m.to_name, to_name) < 0)
		return -1;
	m.apex_size = (uint8_t)size;
	m.zone = (uint64_t)zone;
	m.from_serial = (uint32_t)from_serial;
	m.to_serial = (uint32_t)to_serial;
	return catalog_put_history_member(r->txn, entry, &m, r->err);
}

static int put_history_zones(struct text_restore *r, json_t *line)
{
	json_t *zones, *zone;
	json_error_t e;
	json_int_t id;
	size_t i;

	if (json_unpack_ex(line, &e, 0, "{s:I,s:o}", "id", &id, "zones", &zones) < 0)
		return unpack_failed(r, &e);
	json_array_foreach(zones, i, zone)
		if (put_history_zone(r, (uint64_t)id, zone) < 0)
			return -1;
	return 0;
}

static int put_hold(struct text_restore *r, json_t *line)
{
	struct catalog_hold hold;
	json_int_t zone, id;
	json_error_t e;
	json_t *from;
	int group, open;

	if (json_unpack_ex(line, &e, 0, "{s:I,s:I,s:o,s:b,s:b}", "zone", &zone, "switch", &id, "from", &from, "group", &group,
		"open", &open) < 0)
		return unpack_failed(r, &e);
	hold = (struct catalog_hold){ .zone = (uint64_t)zone, .switch_id = (uint64_t)id, .group = group, .open = open };
	r->holds++;
	return get_at(r, from, &hold.from) < 0 ? -1 : catalog_put_hold(r->txn, &hold, r->err);
}

static int put_end(struct text_restore *r, json_t *line)
{
	r->ended = true;
	return catalog_put_ids(r->txn, &r->ids, r->err);
}

/* ---- any ----------------------------------------------------------------- */

static const struct { const char *kind; int (*put)(struct text_restore *, json_t *line); } kinds[] = {
	{ "ids", put_ids }, { "retired", put_retired }, { "zone", put_zone }, { "set", put_set }, { "group", put_group },
	{ "members", put_members }, { "history", put_history }, { "history-zones", put_history_zones }, { "hold", put_hold },
	{ "end", put_end },
};

int restore_line(struct text_restore *r, json_t *line)
{
	const char *kind = json_string_value(json_object_get(line, "kind"));

	if (r->ended)
		return restore_bad_line(r, "there is a line behind the end");
	for (size_t i = 0; kind && i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return restore_begin(r) < 0 ? -1 : kinds[i].put(r, line);
	return err_set(r->err, ERR_CORRUPT, "a line of a kind that is not known: \"%.40s\"", kind ? kind : "");
}
