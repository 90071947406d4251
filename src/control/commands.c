#include "control/commands.h"

#include <string.h>

/* Keys of a row; the required ones come first. */
#define KEYS(...) (const struct control_key[]){ __VA_ARGS__ { NULL, KEY_STRING, false, NULL } }
#define NEED(name, type, help) { name, type, true, help },
#define MAY(name, type, help)  { name, type, false, help },

#define KEY_NOTE MAY("note", KEY_STRING, "why: goes into the history")

const struct control_command control_commands[] = {
	{ "status", RIGHT_READ, RUN_MAIN, false, KEYS(),
		"a summary of zones, holds, jobs and the last switches", false },
	{ "zones", RIGHT_READ, RUN_MAIN, false, KEYS(
		MAY("pattern", KEY_STRING, "shell pattern of the zones' names")
		MAY("group", KEY_STRING, "only members of this group")
		MAY("held", KEY_BOOLEAN, "only zones that await confirm or rollback")
		MAY("after", KEY_STRING, "resume behind this zone")
		MAY("limit", KEY_INTEGER, "at most so many zones")),
		"a line a zone", false },
	{ "zone-show", RIGHT_READ, RUN_MAIN, false, KEYS(
		NEED("zone", KEY_STRING, "the zone")),
		"a zone and its properties", false },
	{ "zone-add", RIGHT_ADMIN, RUN_WRITER, false, KEYS(
		NEED("zones", KEY_STRINGS, "zones to add")
		MAY("properties", KEY_OBJECT, "their properties, texts by name")),
		"add zones, without a live set", false },
	{ "zone-set", RIGHT_ADMIN, RUN_WRITER, false, KEYS(
		NEED("zone", KEY_STRING, "the zone")
		NEED("properties", KEY_OBJECT, "texts by name; null takes a property away")),
		"change a zone's properties", false },
	{ "zone-remove", RIGHT_ADMIN, RUN_WRITER, false, KEYS(
		NEED("zones", KEY_STRINGS, "zones to remove with all their sets")
		KEY_NOTE),
		"remove zones", false },
	{ "sets", RIGHT_READ, RUN_MAIN, false, KEYS(
		NEED("zone", KEY_STRING, "the zone")),
		"the sets of a zone", false },
	{ "import", RIGHT_STAGE, RUN_LOADER, true, KEYS(
		NEED("zone", KEY_STRING, "the zone")
		MAY("set", KEY_STRING, "the set to stage; absent: an ordinary reload, live at once")
		MAY("name", KEY_STRING, "of the file, for messages")
		MAY("drop", KEY_STRINGS, "rules whose breakers are left out")
		MAY("size", KEY_INTEGER, "octets of the text, for the progress")
		KEY_NOTE),
		"a zone file into a set", true },
	{ "import-soa", RIGHT_STAGE, RUN_LOADER, true, KEYS(
		NEED("set", KEY_STRING, "ZONE@SET")
		MAY("name", KEY_STRING, "of the file, for messages")),
		"spare signed SOAs for a set", true },
	{ "import-dir", RIGHT_ADMIN, RUN_LOADER, false, KEYS(
		MAY("set", KEY_STRING, "stage under this name; absent: live at once")
		MAY("prune", KEY_BOOLEAN, "remove zones whose file is gone, at most 5 %")
		MAY("drop", KEY_STRINGS, "rules whose breakers are left out")
		MAY("files", KEY_INTEGER, "how many there are, for the progress")
		KEY_NOTE),
		"a portfolio of zone files", false },
	{ "export", RIGHT_READ, RUN_TASK, true, KEYS(
		NEED("zone", KEY_STRING, "the zone")
		MAY("set", KEY_STRING, "the set; absent: the live one")),
		"a set as canonical zone file", true },
	{ "copy", RIGHT_STAGE, RUN_LOADER, false, KEYS(
		NEED("from", KEY_STRING, "ZONE@SET")
		NEED("to", KEY_STRING, "ZONE@SET to make")),
		"a new set from an existing one", false },
	{ "record", RIGHT_STAGE, RUN_LOADER, true, KEYS(
		NEED("set", KEY_STRING, "ZONE, or ZONE@SET")
		MAY("text", KEY_STRING, "the lines; else a descriptor")
		MAY("name", KEY_STRING, "of the file, for messages")
		MAY("dry_run", KEY_BOOLEAN, "only say what would change")
		KEY_NOTE),
		"add, delete or replace records", false },
	{ "edit", RIGHT_STAGE, RUN_LOADER, true, KEYS(
		NEED("set", KEY_STRING, "ZONE, or ZONE@SET")
		MAY("expect", KEY_STRING, "content hash of what was edited")
		MAY("name", KEY_STRING, "of the file, for messages")
		MAY("dry_run", KEY_BOOLEAN, "only say what would change")
		KEY_NOTE),
		"make a set equal to a text", true },
	{ "diff", RIGHT_READ, RUN_TASK, true, KEYS(
		NEED("from", KEY_STRING, "ZONE@SET")
		NEED("to", KEY_STRING, "ZONE@SET")),
		"what differs between two sets", false },
	{ "check", RIGHT_READ, RUN_TASK, false, KEYS(
		NEED("set", KEY_STRING, "ZONE@SET")),
		"errors and warnings of a set", false },
	{ "cutover", RIGHT_SWITCH, RUN_WRITER, false, KEYS(
		MAY("sets", KEY_STRINGS, "ZONE@SET, in one transaction")
		MAY("group", KEY_STRING, "instead: all members of a group …")
		MAY("set", KEY_STRING, "… to their set of this name")
		MAY("expect", KEY_STRING, "content hash that the set must have")
		MAY("serial", KEY_INTEGER, "the serial to serve")
		MAY("force", KEY_STRINGS, "rules to pass over, by name")
		KEY_NOTE),
		"switch, and hold", false },
	{ "rollback", RIGHT_SWITCH, RUN_WRITER, false, KEYS(
		MAY("zones", KEY_STRINGS, "the zones")
		MAY("group", KEY_STRING, "or a group's last switch")
		MAY("dry_run", KEY_BOOLEAN, "only say what would be done")
		KEY_NOTE),
		"back to the previous set", false },
	{ "confirm", RIGHT_SWITCH, RUN_WRITER, false, KEYS(
		MAY("zones", KEY_STRINGS, "the zones")
		MAY("group", KEY_STRING, "or a group's last switch")
		KEY_NOTE),
		"keep a switch: ends the hold", false },
	{ "history", RIGHT_READ, RUN_MAIN, false, KEYS(
		MAY("zone", KEY_STRING, "only of this zone")
		MAY("limit", KEY_INTEGER, "at most so many entries (20)")
		MAY("before", KEY_INTEGER, "older than this id")
		MAY("follow", KEY_BOOLEAN, "go on with what comes, as progress lines")),
		"who switched what, when, why", false },
	{ "group-create", RIGHT_ADMIN, RUN_WRITER, false, KEYS(
		NEED("group", KEY_STRING, "its name")
		MAY("zones", KEY_STRINGS, "its first members")),
		"a new group of zones", false },
	{ "group-delete", RIGHT_ADMIN, RUN_WRITER, false, KEYS(
		NEED("group", KEY_STRING, "its name")),
		"forget a group; its zones stay", false },
	{ "group-add", RIGHT_ADMIN, RUN_WRITER, false, KEYS(
		NEED("group", KEY_STRING, "its name")
		NEED("zones", KEY_STRINGS, "new members")),
		"put zones into a group", false },
	{ "group-remove", RIGHT_ADMIN, RUN_WRITER, false, KEYS(
		NEED("group", KEY_STRING, "its name")
		NEED("zones", KEY_STRINGS, "who leaves")),
		"take zones out of a group", false },
	{ "group-list", RIGHT_READ, RUN_MAIN, false, KEYS(
		MAY("group", KEY_STRING, "only this one, with its members")
		MAY("after", KEY_STRING, "resume behind this member")
		MAY("limit", KEY_INTEGER, "at most so many members")),
		"the groups", false },
	{ "drop", RIGHT_STAGE, RUN_WRITER, false, KEYS(
		NEED("sets", KEY_STRINGS, "ZONE@SET")),
		"delete sets that nothing needs", false },
	{ "serial", RIGHT_SWITCH, RUN_WRITER, false, KEYS(
		NEED("zone", KEY_STRING, "the zone")
		NEED("serial", KEY_INTEGER, "forward only")
		KEY_NOTE),
		"set the served serial", false },
	{ "backup", RIGHT_ADMIN, RUN_TASK, false, KEYS(
		NEED("directory", KEY_STRING, "where to, absolute; made if need be")
		MAY("text", KEY_BOOLEAN, "in our portable text form")
		MAY("compact", KEY_BOOLEAN, "leave free pages out")),
		"a consistent copy of the store", false },
	{ "fsck", RIGHT_ADMIN, RUN_TASK, false, KEYS(),
		"walk the whole store and check it", false },
	{ "stats", RIGHT_READ, RUN_MAIN, false, KEYS(),
		"counters", false },
	{ "reload", RIGHT_ADMIN, RUN_MAIN, false, KEYS(),
		"read the configuration anew", false },
	{ "stop", RIGHT_ADMIN, RUN_MAIN, false, KEYS(),
		"end the daemon", false },
	{ "complete", RIGHT_READ, RUN_MAIN, false, KEYS(
		NEED("what", KEY_STRING, "zones, sets or groups")
		MAY("prefix", KEY_STRING, "what was typed so far")),
		"names for the shell's completion", false },
	{ NULL, RIGHT_READ, RUN_MAIN, false, NULL, NULL, false },
};

const struct control_command *control_command_find(const char *name)
{
	for (const struct control_command *c = control_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
