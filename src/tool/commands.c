/* The rows of the command line, in the order of the man page. */
#include <limits.h>

#include "tool/args.h"
#include "tool/tool.h"

#define ANY UINT_MAX
#define OPTIONS(...) (const struct arg_option[]){ __VA_ARGS__, { .name = NULL } }
#define NOTE { "note", 'm', "TEXT", false, "why; goes into the history" }
#define YES { "yes", 'y', NULL, false, "do not ask" }
#define DRY_RUN { "dry-run", 'n', NULL, false, "say what would be done, and do nothing" }
#define DROP { "drop", 0, "RULE", true, "leave out records that break RULE, and list them" }

const struct tool_command tool_commands[] = {
	{ "status", "", "", "a summary of zones, holds, running jobs and the last switches",
	  "Each switch that can be taken back is shown with the exact command back.",
	  NULL, 0, 0, 0, command_status },
	{ "zones", "[PATTERN]", "zones", "a line a zone",
	  "Shows live and previous set, served serial and state, of all zones or of those that match the shell pattern.",
	  OPTIONS({ "held", 0, NULL, false, "only zones that await confirm or rollback" }),
	  0, 1, ARGS_GROUP, command_zones },
	{ "zone show", "ZONE…", "zones+", "a zone and its properties", "",
	  NULL, 1, ANY, ARGS_GROUP, command_zone_show },
	{ "zone add", "ZONE… [KEY=VALUE…]", "", "add zones, without a live set",
	  "A zone without a live set is not answered for. The first import of a zone adds it, too.",
	  NULL, 1, ANY, 0, command_zone_add },
	{ "zone set", "ZONE KEY=VALUE…", "zones", "change a zone's properties",
	  "KEY= takes a property away.",
	  NULL, 2, ANY, 0, command_zone_set },
	{ "zone remove", "ZONE…", "zones+", "remove zones with all their sets",
	  "Asks, unless --yes. A removed zone leaves its last serial behind, for when it returns.",
	  OPTIONS(YES, NOTE), 1, ANY, ARGS_GROUP, command_zone_remove },
	{ "sets", "ZONE…", "zones+", "the sets of a zone",
	  "Shows state, records, octets, the SOA's serial, the content hash (canonical records less the SOA's serial: "
	  "equal on every machine), when each was made and from what.",
	  NULL, 1, ANY, ARGS_GROUP, command_sets },
	{ "import", "ZONE[@SET] FILE|- | --dir DIR [@SET] | ZONE@SET --soa FILE|-", "sets files", "a zone file into a set",
	  "With @SET the file is staged and no answer changes; it replaces a staged set of that name once it is ready, and is "
	  "refused for live, previous and scheduled ones. Without, it is the ordinary reload: into a new set named by the "
	  "serial it will be served with, cut over to at once; refused while the zone is held, or when the live set changed "
	  "meanwhile. $INCLUDE is opened below the file's own directory only. --dir takes every NAME.zone of a directory "
	  "(%2F stands for /), each by itself: those with errors are listed last, and the status is 5. "
	  "--soa adds spare signed SOAs to a set, for a zone that is signed elsewhere: each with another serial, its signatures, "
	  "and its ZONEMD where the zone has one; a switch takes the lowest that is ahead.",
	  OPTIONS({ "dir", 0, "DIR", false, "a portfolio: every NAME.zone of DIR" },
		{ "prune", 0, NULL, false, "with --dir: remove zones whose file is gone, at most 5 %" },
		{ "soa", 0, "FILE", false, "spare signed SOAs for a set that is there" },
		DROP, { "include-anywhere", 0, NULL, false, "$INCLUDE may leave the file's directory" }, NOTE),
	  0, 2, 0, command_import },
	{ "export", "ZONE[@SET] [FILE]", "sets files", "a set as canonical zone file",
	  "To standard output, or to FILE, which is replaced only when all of it is there. Of the live set it has the served serial.",
	  NULL, 1, 2, 0, command_export },
	{ "copy", "ZONE@A ZONE@B", "sets sets", "a new set from an existing one", "@B alone means the same zone.",
	  NULL, 2, 2, 0, command_copy },
	{ "edit", "ZONE[@SET]", "sets", "edit a set as text",
	  "Opens the text in $VISUAL or $EDITOR, then checks it, shows the difference, asks, and applies it if nobody changed the "
	  "set meanwhile. With errors it goes back to the editor; the text is never lost.",
	  OPTIONS(YES, NOTE), 1, 1, 0, command_edit },
	{ "record add", "ZONE[@SET] NAME [TTL] TYPE RDATA…", "sets", "add a record",
	  "NAME is relative to the zone; @ is the zone itself. Options stand before ZONE. Without @SET the live set is changed.",
	  OPTIONS(DRY_RUN, NOTE), 4, ANY, ARGS_OPTIONS_FIRST, command_record },
	{ "record del", "ZONE[@SET] NAME [TYPE [RDATA…]]", "sets", "delete a record, an RRset, or all of a name",
	  "Without RDATA the whole RRset goes, without TYPE all of the name. Options stand before ZONE.",
	  OPTIONS(DRY_RUN, NOTE), 2, ANY, ARGS_OPTIONS_FIRST, command_record },
	{ "record replace", "ZONE[@SET] NAME [TTL] TYPE RDATA…", "sets", "replace an RRset by one record",
	  "Options stand before ZONE.",
	  OPTIONS(DRY_RUN, NOTE), 4, ANY, ARGS_OPTIONS_FIRST, command_record },
	{ "record apply", "ZONE[@SET] FILE|-", "sets files", "several changes in one transaction",
	  "A line a change: add, del or replace, then as in the commands of that name.",
	  OPTIONS(DRY_RUN, NOTE), 2, 2, 0, command_record_apply },
	{ "diff", "ZONE@A [ZONE@B]", "sets sets", "what differs between two sets, RRset by RRset",
	  "With one set: what it would change in the live one. The SOA's serial is left aside. @B alone means the same zone.",
	  NULL, 1, 2, 0, command_diff },
	{ "check", "ZONE@SET…", "sets+", "errors and warnings of a set",
	  "Ends with 1 when a rule is broken.",
	  NULL, 1, ANY, ARGS_GROUP_SET, command_check },
	{ "cutover", "ZONE@SET…", "sets+", "switch to a set, and hold",
	  "Several zones switch in one transaction. When the command ends with 0, every query sent from then on is answered from "
	  "the new set. The zone is held until confirm or rollback. A cutover to the live set changes nothing, and says so. "
	  "The last line is the command back.",
	  OPTIONS({ "expect", 0, "HASH", false, "only if the set's content hash is HASH" },
		{ "serial", 0, "N", false, "serve this serial" },
		{ "force", 0, "RULE", true, "pass over a no-go, by name" }, NOTE),
	  1, ANY, ARGS_GROUP_SET, command_cutover },
	{ "confirm", "ZONE…", "zones+", "keep a switch: ends the hold", "",
	  OPTIONS(NOTE), 1, ANY, ARGS_GROUP, command_confirm },
	{ "rollback", "ZONE…", "zones+", "back to the previous set, now",
	  "Asks nothing. --group takes back the members of the group's last switch, to the sets that they had before it. Without "
	  "argument: what could be rolled back, with the commands, and status 2.",
	  OPTIONS(DRY_RUN, NOTE), 0, ANY, ARGS_GROUP, command_rollback },
	{ "history", "[ZONE]", "zones", "who switched what, when, and why", "",
	  OPTIONS({ "limit", 'l', "N", false, "at most so many entries (20)" },
		{ "follow", 'f', NULL, false, "go on with what comes" }),
	  0, 1, 0, command_history },
	{ "group create", "G [ZONE…]", "new zones+", "a new group of zones", "A group's zones switch together; a zone may be in several.",
	  NULL, 1, ANY, 0, command_group },
	{ "group add", "G ZONE…", "groups zones+", "put zones into a group", "",
	  NULL, 2, ANY, 0, command_group },
	{ "group remove", "G ZONE…", "groups zones+", "take zones out of a group", "",
	  NULL, 2, ANY, 0, command_group },
	{ "group delete", "G", "groups", "forget a group; its zones stay", "",
	  NULL, 1, 1, 0, command_group },
	{ "group list", "[G]", "groups", "the groups, or the members of one", "",
	  NULL, 0, 1, 0, command_group_list },
	{ "drop", "ZONE@SET…", "sets+", "delete sets that nothing needs",
	  "Refused for live and previous sets, for what a held switch would return to, and for the base of a staged set.",
	  NULL, 1, ANY, ARGS_GROUP_SET, command_drop },
	{ "backup", "DIR", "files", "a consistent copy of the store",
	  "schwenkd --restore DIR takes it.",
	  OPTIONS({ "text", 0, NULL, false, "in our portable text form" },
		{ "compact", 0, NULL, false, "leave free pages out" }), 1, 1, 0, command_backup },
	{ "fsck", "", "", "walk the whole store and check it", "Ends with 1 when something is wrong.",
	  NULL, 0, 0, 0, command_fsck },
	{ "serial", "ZONE N", "zones", "set the served serial, forward only", "",
	  OPTIONS(NOTE), 2, 2, 0, command_serial },
	{ "stats", "", "", "counters of the workers", "",
	  NULL, 0, 0, 0, command_stats },
	{ "reload", "", "", "read the configuration anew", "To read a zone anew, import it.",
	  NULL, 0, 1, 0, command_reload },
	{ "stop", "", "", "end the daemon", "",
	  NULL, 0, 0, 0, command_stop },
	{ "complete", "WHAT [PREFIX]", "", "words for the shell's completion",
	  "WHAT is commands, options, values, arguments, zones, sets or groups.",
	  NULL, 1, 2, ARGS_HIDDEN | ARGS_OPTIONS_FIRST, command_complete },
	{ .name = NULL },
};
