#include "daemon/way_back.h"

#include <stdio.h>
#include <string.h>

#include "store/catalog_backup.h"

#define ZONES_MOST 10           /* that a command back names one by one */
#define LOOKED_AT  1000         /* members of a group's switch */

char *back_command(char *buf, size_t size, const char *group, const uint8_t *apex)
{
	char zone[NAME_TEXT_MAX];

	if (group && group[0])
		snprintf(buf, size, "schwenk rollback --group %s", group);
	else
		snprintf(buf, size, "schwenk rollback %s", name_to_text_short(zone, apex));
	return buf;
}

/* ---- by the group's command ------------------------------------------------------- */

struct members_search { struct catalog_txn *txn; bool held, found, blocked; unsigned left; };

/* What a rollback of the group would do with one member. */
static int look_at_member(void *arg, const struct history_member *member)
{
	struct members_search *s = arg;
	struct err ignored = ERR_INIT;
	struct zone_row zone;
	struct set_row set;

	if (catalog_zone_by_id(s->txn, member->zone, &zone, &ignored) == 0 && member->from.set &&
	    (zone.live.set != member->from.set || zone.live.edition != member->from.edition)) {
		if (catalog_set_at(s->txn, member->from, &set, &ignored) < 0 || set.state == SET_DROPPING)
			s->blocked = true;
		else
			s->found = true;
	}
	/* while it is held, what its members had cannot be dropped */
	return s->blocked || (s->found && s->held) || --s->left == 0;
}

bool back_by_group(struct catalog_txn *txn, const struct history_row *row)
{
	struct members_search s = { .txn = txn, .held = row->held, .left = LOOKED_AT };
	struct err ignored = ERR_INIT;

	if (row->kind != SWITCH_CUTOVER || !catalog_is_groups_last(txn, row))
		return false;
	/* a held switch of very many zones, all of the first ones being back: the rest is not */
	return catalog_history_members(txn, row->id, look_at_member, &s, &ignored) == 0 && !s.blocked &&
		(s.found || (s.held && s.left == 0));
}

/* ---- zone by zone ------------------------------------------------------------------- */

struct command { char text[ZONES_MOST * (SET_TEXT_MAX + 1) + 64]; unsigned zones; bool too_many; };

static void add_word(struct command *c, const uint8_t *apex, const char *set)
{
	char word[SET_TEXT_MAX];
	size_t n = strlen(c->text);

	if (c->zones == ZONES_MOST)
		c->too_many = true;
	else
		snprintf(c->text + n, sizeof c->text - n, " %s", set_text(word, apex, set));
	c->zones++;
}

static json_t *command_json(const struct command *c)
{
	return c->zones && !c->too_many ? json_string(c->text) : json_null();
}

struct entry_search { struct catalog_txn *txn; const struct history_row *row; struct command command; };

/* What undoes it for one member, if it is still the zone's last switch. */
static int add_member(void *arg, const struct history_member *member)
{
	struct entry_search *s = arg;
	struct err ignored = ERR_INIT;
	struct zone_row zone;
	struct set_row set;

	if (catalog_zone_by_id(s->txn, member->zone, &zone, &ignored) < 0 || zone.switch_id != s->row->id || !member->from.set)
		return 0;
	if (s->row->kind != SWITCH_ROLLBACK) {
		if (zone.previous.set)
			add_word(&s->command, zone.apex, NULL);
	} else if (catalog_set_by_name(s->txn, &zone, member->from_name, &set, &ignored) == 0 && set.state == SET_READY) {
		add_word(&s->command, zone.apex, member->from_name);
	}
	return s->command.too_many;
}

json_t *back_of_entry(struct catalog_txn *txn, const struct history_row *row)
{
	struct entry_search s = { .txn = txn, .row = row, .command = { .text = "schwenk rollback" } };
	struct err ignored = ERR_INIT;

	if (back_by_group(txn, row))
		return json_sprintf("schwenk rollback --group %s", row->group);
	if (row->kind == SWITCH_ROLLBACK)
		strcpy(s.command.text, "schwenk cutover");
	else if (row->kind != SWITCH_CUTOVER && row->kind != SWITCH_RELOAD)
		return json_null();
	if (row->members > ZONES_MOST || catalog_history_members(txn, row->id, add_member, &s, &ignored) < 0)
		return json_null();
	return command_json(&s.command);
}

json_t *back_of_group(struct catalog_txn *txn, const char *group, const struct switch_result *result, bool confirm)
{
	struct command c = { .text = "schwenk rollback" };
	struct err ignored = ERR_INIT;
	struct history_row last;
	bool otherwise = false;
	uint64_t id = 0;

	catalog_group_switch(txn, group, &id, &ignored);
	for (size_t i = 0; i < result->count; i++) {
		const struct history_member *m = &result->items[i].member;
		struct zone_row zone;

		if (catalog_zone_by_id(txn, m->zone, &zone, &ignored) < 0 || !zone.previous.set)
			continue;
		add_word(&c, zone.apex, NULL);
		otherwise = otherwise || zone.switch_id != id;
	}
	if (c.zones && (confirm || !otherwise) && history_find(txn, id, &last) == 0 &&
	    back_by_group(txn, &last))
		return json_sprintf("schwenk rollback --group %s", group);
	return command_json(&c);
}
