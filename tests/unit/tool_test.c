/* src/tool: whole commands, against a daemon that says what the test wants. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tool/session.h"
#include "tool/tool.h"
#include "tool_run.h"

/* ---- exit statuses -------------------------------------------------------------------------- */

static void without_a_daemon(void **state)
{
	struct run run;

	run_at(&run, "/nowhere/socket", "cutover a@b");
	assert_int_equal(run.status, STATUS_NO_DAEMON);
	has(run.say, "/nowhere/socket");
	assert_string_equal(run.out, "");
	run_free(&run);
	run_at(&run, "/nowhere/socket", "--json status");
	assert_int_equal(run.status, STATUS_NO_DAEMON);
	has(run.out, "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"unavailable\"");
	run_free(&run);
}

static void refused(void **state)
{
	struct run run;

	run_reply(&run, "cutover a@b", "{\"ok\":false,\"error\":{\"code\":\"no-such-set\",\"message\":\"no set a@b\"}}\n");
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "schwenk: no set a@b\n");
	assert_string_equal(run.out, "");
	run_free(&run);
	run_reply(&run, "--json cutover a@b", "{\"ok\":false,\"error\":{\"code\":\"no-such-set\",\"message\":\"no set a@b\"}}\n");
	assert_int_equal(run.status, STATUS_REFUSED);
	assert_string_equal(run.out, "{\"v\":1,\"ok\":false,\"error\":{\"code\":\"no-such-set\",\"message\":\"no set a@b\"}}\n");
	run_free(&run);
}

static void outcome_unknown(void **state)
{
	static const char *const changes[] = { "cutover a@b", "rollback a", "confirm a", "drop a@b", "serial a 7", "group delete g" };
	struct run run;

	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		run_reply(&run, changes[i], NULL);
		if (run.status != STATUS_UNKNOWN)
			fail_msg("%s gave %d: %s", changes[i], run.status, run.say);
		has(run.say, "schwenk history");
		run_free(&run);
	}
	/* half a line is no reply */
	run_reply(&run, "cutover a@b", "{\"ok\":true" SERVER_CLOSE);
	assert_int_equal(run.status, STATUS_UNKNOWN);
	has(run.say, "the outcome is unknown");
	run_free(&run);
	run_reply(&run, "rollback a", "{\"ok\":false,\"error\":{\"code\":\"timeout\",\"message\":\"worker 2 is silent\"}}\n");
	assert_int_equal(run.status, STATUS_UNKNOWN);
	run_free(&run);
	run_reply(&run, "cutover a@b", "rubbish\n");
	assert_int_equal(run.status, STATUS_UNKNOWN);
	run_free(&run);
}

static void lost_while_only_looking(void **state)
{
	struct run run;

	run_reply(&run, "sets a", NULL);
	assert_int_equal(run.status, STATUS_REFUSED);
	run_free(&run);
	run_reply(&run, "rollback --dry-run a", NULL);
	assert_int_equal(run.status, STATUS_REFUSED);
	run_free(&run);
}

/* ---- switches ---------------------------------------------------------------------------------- */

#define CUT "{\"ok\":true,\"switch\":17,\"zones\":[{\"zone\":\"shop.example\",\"from\":\"old\",\"to\":\"new\",\"from_serial\":7," \
	"\"to_serial\":8,\"outcome\":\"switched\",\"left_behind\":0,\"serial_stuck\":false}],\"back\":\"schwenk rollback shop.example\"," \
	"\"duration_us\":3210}\n"

static void the_last_line_is_the_command_back(void **state)
{
	char back[200];
	struct run run;

	run_reply(&run, "cutover shop.example@new -m move~to~Berlin", "{\"progress\":{\"text\":\"waiting for worker 2\"}}\n" CUT);
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"sets\":[\"shop.example@new\"]");
	has(run.server.lines, "\"note\":\"move to Berlin\"");
	has(run.say, "waiting for worker 2\n");
	has(run.out, "shop.example: old -> new, serial 7 -> 8\n");
	has(run.out, "3.2 ms");
	snprintf(back, sizeof back, "back: schwenk -s %s rollback shop.example\n", run.server.path);
	assert_string_equal(last_line(run.out), back);
	run_free(&run);
	run_reply(&run, "-q cutover shop.example@new", CUT);
	assert_string_equal(run.out, "");
	assert_string_equal(run.say, "");
	run_free(&run);
}

/* A command back that is cut short, or that does what a zone's name says,
 * would be worse than none. */
static void the_command_back_is_whole_and_quoted(void **state)
{
	char reply[16384] = "{\"ok\":true,\"switch\":1,\"zones\":[],\"back\":\"schwenk rollback", last[64];
	struct run run;

	for (int i = 0; i < 300; i++)
		sprintf(reply + strlen(reply), " zone-number-%d.shop.example", i);
	strcat(reply, " a`b$c'd\\\\032e.example z.example\",\"duration_us\":1}\n");
	run_reply(&run, "cutover x@y", reply);
	has(run.out, "back: schwenk -s ");
	has(run.out, " rollback zone-number-0.shop.example zone-number-1.shop.example ");
	strcpy(last, " 'a`b$c'\\''d\\032e.example' z.example\n");
	assert_string_equal(run.out + strlen(run.out) - strlen(last), last);
	has(run.out, "keep: schwenk -s ");
	run_free(&run);
}

static void very_many_zones_are_counted(void **state)
{
	char reply[16384] = "{\"ok\":true,\"switch\":1,\"members\":4000,\"zones\":[";
	struct run run;

	for (int i = 0; i < 60; i++)
		sprintf(reply + strlen(reply), "%s{\"zone\":\"z%d\",\"from\":\"a\",\"to\":\"b\",\"outcome\":\"%s\"}", i ? "," : "", i,
			i == 59 ? "no-previous" : "switched");
	strcat(reply, "],\"back\":null,\"duration_us\":1}\n");
	run_reply(&run, "cutover --group g @b", reply);
	has(run.out, "z19: a -> b");
	has_not(run.out, "z20:");
	/* what is not as the rest is always named */
	has(run.out, "z59: stays: it had no set before\n... and 3,979 more zones\n");
	run_free(&run);
}

static void json_is_the_reply_on_one_line(void **state)
{
	json_t *reply;
	struct run run;

	run_reply(&run, "--json cutover shop.example@new", CUT);
	reply = json_loads(run.out, 0, NULL);
	assert_non_null(reply);
	assert_int_equal(reply_number(reply, "v"), 1);
	assert_int_equal(reply_number(reply, "switch"), 17);
	assert_ptr_equal(strchr(run.out, '\n'), run.out + strlen(run.out) - 1);
	json_decref(reply);
	run_free(&run);
}

static void nothing_changed_says_since_when(void **state)
{
	struct run run;

	setenv("TZ", "UTC", 1);
	run_reply(&run, "cutover shop.example@new", "{\"ok\":true,\"switch\":null,\"zones\":[{\"zone\":\"shop.example\",\"from\":\"new\","
		"\"to\":\"new\",\"from_serial\":8,\"to_serial\":8,\"outcome\":\"already\",\"since\":\"2026-11-24T04:00:05Z\",\"by\":\"ann\"}],"
		"\"back\":null,\"duration_us\":10}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.out, "nothing changed: already at new since 2026-11-24 04:00:05 by ann");
	run_free(&run);
}

static void groups_go_as_groups(void **state)
{
	struct run run;

	run_reply(&run, "cutover --group shops @new --expect 00ff --serial 9 --force R1 --force R2", CUT);
	has(run.server.lines, "\"group\":\"shops\"");
	has(run.server.lines, "\"set\":\"new\"");
	has(run.server.lines, "\"serial\":9");
	has(run.server.lines, "\"force\":[\"R1\",\"R2\"]");
	has(run.server.lines, "\"expect\":\"00ff\"");
	has_not(run.server.lines, "\"sets\"");
	run_free(&run);
	run_reply(&run, "rollback --group shops", CUT);
	has(run.server.lines, "\"group\":\"shops\"");
	has_not(run.server.lines, "zones");
	run_free(&run);
}

static void groups_are_expanded_where_the_request_has_none(void **state)
{
	static const struct server_step steps[] = {
		{ "{\"ok\":true,\"groups\":[{\"group\":\"g\",\"members\":2,\"zones\":[\"a.example\"]}],\"more\":true,\"after\":\"a.example\"}\n", NULL },
		{ "{\"ok\":true,\"groups\":[{\"group\":\"g\",\"members\":2,\"zones\":[\"b.example\"]}],\"more\":false}\n", NULL },
		{ "{\"ok\":true}\n", NULL },
	};
	struct run run;

	run_steps(&run, "drop --group g @old", steps, 3);
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"after\":\"a.example\"");
	has(run.server.lines, "\"sets\":[\"a.example@old\",\"b.example@old\"]");
	run_free(&run);
}

static void rollback_alone_lists_and_does_nothing(void **state)
{
	struct run run;

	run_reply(&run, "rollback", "{\"ok\":false,\"error\":{\"code\":\"bad-request\",\"message\":\"name a zone\"},\"candidates\":["
		"{\"zone\":\"shop.example\",\"to\":\"old\",\"command\":\"schwenk rollback shop.example\"}]}\n");
	assert_int_equal(run.status, STATUS_USAGE);
	has(run.out, " rollback shop.example");
	has(run.say, "nothing was rolled back");
	run_free(&run);
}

static void a_member_alone_names_its_group(void **state)
{
	struct run run;

	run_reply(&run, "rollback a.example", "{\"ok\":true,\"switch\":9,\"zones\":[],\"groups_back\":[\"schwenk rollback --group g\"],"
		"\"back\":\"schwenk cutover a.example@new\",\"duration_us\":1}\n");
	has(run.out, "the whole group: schwenk -s ");
	has(run.out, " rollback --group g\n");
	run_free(&run);
}

static void counters_stand_by_worker(void **state)
{
	struct run run;

	run_reply(&run, "stats", "{\"ok\":true,\"workers\":[{\"number\":1,\"queries\":2,\"rcode\":{\"NOERROR\":2}},{\"number\":2,"
		"\"queries\":3,\"rcode\":{\"REFUSED\":3}}],\"total\":{\"queries\":5,\"rcode\":{\"NOERROR\":2,\"REFUSED\":3}}}\n");
	has(run.out, "COUNTER       TOTAL WORKER 1 WORKER 2\n");
	has(run.out, "queries           5        2        3\n");
	has(run.out, "rcode NOERROR     2        2        0\n");
	run_free(&run);
}

static void warnings_of_a_switch(void **state)
{
	struct run run;

	run_reply(&run, "rollback shop.example", "{\"ok\":true,\"switch\":18,\"zones\":[{\"zone\":\"shop.example\",\"from\":\"new\","
		"\"to\":\"old\",\"from_serial\":8,\"to_serial\":9,\"outcome\":\"overtook\",\"left_behind\":2,\"serial_stuck\":true}],"
		"\"back\":\"schwenk cutover shop.example@new\",\"duration_us\":10}\n");
	has(run.out, "had been changed since");
	has(run.say, "left behind in new: 2 changes made to it since");
	has(run.say, "secondaries will not follow");
	has(last_line(run.out), "cutover shop.example@new");
	run_free(&run);
}

/* What a validator would say of a switch, with the zone's name and the way on. */
static void warnings_of_a_signed_switch(void **state)
{
	struct run run;

	run_reply(&run, "cutover shop.example@new --force dnskey", "{\"ok\":true,\"switch\":17,\"zones\":[{\"zone\":\"shop.example\","
		"\"from\":\"old\",\"to\":\"new\",\"from_serial\":7,\"to_serial\":8,\"outcome\":\"switched\",\"serial_stuck\":false,"
		"\"spares\":0,\"back_stuck\":true,\"keys\":\"the key 4711 signs in @new\",\"signed_until\":\"2020-01-02T03:04:05Z\","
		"\"back_signed_until\":\"2020-01-01T03:04:05Z\"}],\"back\":\"schwenk rollback shop.example\"}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"force\":[\"dnskey\"]");
	has(run.say, "warning: shop.example: the key 4711 signs in @new\n");
	has(run.say, "warning: shop.example: the signatures of new expired on 2020-01-02 ");
	has(run.say, "warning: shop.example: old, the way back, has no spare signed SOA");
	has(run.say, "'schwenk import shop.example@old --soa FILE'");
	has(run.say, "warning: shop.example: the signatures of old, the way back, expired on 2020-01-01 ");
	run_free(&run);
	run_reply(&run, "rollback shop.example", "{\"ok\":true,\"switch\":18,\"zones\":[{\"zone\":\"shop.example\",\"from\":\"new\","
		"\"to\":\"old\",\"from_serial\":8,\"to_serial\":9,\"outcome\":\"switched\",\"serial_stuck\":false,\"spares\":1,"
		"\"back_spares\":0,\"back_stuck\":true}],\"back\":\"schwenk cutover shop.example@new\"}\n");
	has(run.say, "warning: shop.example: new has no spare signed SOA");
	has(run.say, "is refused before 'schwenk import shop.example@new --soa FILE'");
	run_free(&run);
}

static void a_note_is_never_left_out(void **state)
{
	struct run run;

	run_at(&run, "/nowhere/socket", "cutover a@b -m gr\xfc\xdf" "e");
	assert_int_equal(run.status, STATUS_USAGE);
	has(run.say, "--note is not UTF-8");
	run_free(&run);
}

static void status_tells_a_hold_once(void **state)
{
#define HELD(zone, group, back) "{\"zone\":\"" zone "\",\"live\":\"new\",\"held\":{\"switch\":7,\"since\":\"2026-11-24T04:00:05Z\"," \
	"\"by\":\"ann\",\"group\":" group ",\"members\":1200,\"back\":\"schwenk rollback " back "\"}}"
	struct run run;

	run_reply(&run, "status", "{\"ok\":true,\"version\":\"1\",\"uptime\":61,\"zones\":3,\"sets\":6,\"held\":["
		HELD("a.example", "\"g\"", "--group g") "," HELD("b.example", "null", "b.example") "],\"held_more\":2,\"last\":["
		"{\"id\":7,\"kind\":\"cutover\",\"at\":\"2026-11-24T04:00:05Z\",\"by\":\"ann\",\"zones\":[{\"zone\":\"b.example\","
		"\"from\":\"x\",\"to\":\"y\",\"to_serial\":9}],\"members\":1,\"back\":\"schwenk rollback b.example\"}],\"workers\":[],\"writer\":{\"pid\":1},\"jobs\":[],\"space\":{\"catalog\":0.01,\"images\":0.2}}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.out, "\ngroup g (1,200 zones): new, since 2026-11-24 04:00:05 by ann\n    schwenk -s ");
	has(run.out, " rollback --group g\nb.example: new, ");
	has(run.out, "\n... and 2 more zones: schwenk zones --held\n");
	has(run.out, "ann cutover b.example: x -> y      9 -\n    schwenk -s ");
	run_free(&run);
}

static void history_goes_on(void **state)
{
	static const char reply[] = "{\"progress\":{\"entry\":{\"id\":7,\"kind\":\"cutover\",\"at\":\"2026-11-24T04:00:05Z\",\"by\":\"ann\","
		"\"note\":\"why\",\"zones\":[{\"zone\":\"a.example\",\"from\":\"x\",\"to\":\"y\",\"to_serial\":9}],\"members\":1}}}\n" SERVER_CLOSE;
	struct run run;

	run_reply(&run, "history --follow", reply);
	assert_string_equal(run.out, "2026-11-24 04:00:05  #7  ann  cutover  a.example: x -> y, serial 9  (why)\n");
	run_free(&run);
	run_reply(&run, "history --follow --json", reply);
	has(run.out, "{\"v\":1,\"id\":7,");
	run_free(&run);
}

/* ---- tables ------------------------------------------------------------------------------------ */

static void zones_are_gathered_from_slices(void **state)
{
	static const struct server_step steps[] = {
		{ "{\"ok\":true,\"zones\":[{\"zone\":\"a.example\",\"live\":\"one\",\"previous\":null,\"serial\":7,\"state\":\"held\",\"sets\":2,"
		  "\"switched\":null}],\"more\":true}\n", NULL },
		{ "{\"ok\":true,\"zones\":[{\"zone\":\"b.example\",\"live\":null,\"previous\":null,\"serial\":0,\"state\":\"prepared\",\"sets\":1234,"
		  "\"switched\":null}],\"more\":false}\n", NULL },
	};
	struct run run;

	run_steps(&run, "zones --held *.example", steps, 2);
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"pattern\":\"*.example\"");
	has(run.server.lines, "\"held\":true");
	has(run.server.lines, "\"after\":\"a.example\"");
	has(run.out, "ZONE      LIVE PREVIOUS SERIAL  SETS STATE    SWITCHED\n");
	has(run.out, "a.example one  -             7     2 held     -\n");
	has(run.out, "b.example -    -             - 1,234 prepared -\n");
	run_free(&run);
}

static void strangers_text_does_not_steer_the_terminal(void **state)
{
	struct run run;

	run_reply(&run, "history", "{\"ok\":true,\"entries\":[{\"id\":1,\"kind\":\"cutover\",\"at\":\"2026-11-24T04:00:05Z\",\"by\":\"ann\","
		"\"note\":\"\\u001b[2Jboo\\n\\u0007\\nnot a new line\",\"zones\":[{\"zone\":\"a\",\"from\":\"x\",\"to\":\"y\"}],\"members\":1}]}\n");
	has_not(run.out, "\033");
	has(run.out, "[2Jboo \\007 not a new line\n");
	run_free(&run);
	run_reply(&run, "cutover a@b", "{\"ok\":false,\"error\":{\"code\":\"rule\",\"message\":\"\\u001b]0;x\\u0007 \\u009b2J\"}}\n");
	has_not(run.say, "\033");
	has_not(run.say, "\007");
	has_not(run.say, "\xc2\x9b");
	run_free(&run);
}

/* ---- the rest ---------------------------------------------------------------------------------------- */

static void check_and_fsck_end_with_1_when_something_is_wrong(void **state)
{
	struct run run;

	run_reply(&run, "check a@b", "{\"ok\":true,\"rules\":1,\"warnings\":0,\"problems\":[{\"severity\":\"rule\",\"rule\":\"ns\","
		"\"message\":\"no NS\"}]}\n");
	assert_int_equal(run.status, STATUS_REFUSED);
	assert_string_equal(run.out, "error: no NS [ns]\na@b: 1 error, 0 warnings\n");
	run_free(&run);
	run_reply(&run, "-q check a@b", "{\"ok\":true,\"rules\":0,\"warnings\":1,\"problems\":[{\"severity\":\"warning\",\"rule\":\"ttl\","
		"\"message\":\"two TTLs\"}]}\n");
	assert_string_equal(run.out, "warning: two TTLs [ttl]\na@b: 0 errors, 1 warning\n");
	run_free(&run);
	run_reply(&run, "check a@b", "{\"ok\":true,\"rules\":0,\"warnings\":2,\"problems\":[]}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.out, "a@b: 0 errors, 2 warnings");
	run_free(&run);
	run_reply(&run, "check a@b", "{\"ok\":true,\"rules\":0,\"warnings\":0,\"problems\":[],\"back_spares\":0,"
		"\"set\":{\"set\":\"a@b\",\"signed_until\":\"2020-01-02T03:04:05Z\",\"spares\":1}}\n");
	has(run.out, "a@b: 0 errors, 0 warnings\n    its signatures expired on 2020-01-0");
	has(run.out, ", 1 spare SOA left\n    the way back has no spare SOA left\n");
	run_free(&run);
	run_reply(&run, "fsck", "{\"ok\":true,\"zones\":1,\"problems\":[\"image 7: bad chunk\"]}\n");
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "image 7: bad chunk");
	run_free(&run);
}

static void zone_properties(void **state)
{
	struct run run;

	run_reply(&run, "zone set shop.example reload=stagers note=", "{\"ok\":true}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"properties\":{\"reload\":\"stagers\",\"note\":null}");
	run_free(&run);
	run_reply(&run, "zone remove --yes a.example b.example", "{\"ok\":true}\n");
	has(run.server.lines, "\"zones\":[\"a.example\",\"b.example\"]");
	run_free(&run);
	run_reply(&run, "zone remove --yes a.example b.example", "{\"ok\":true,\"zones\":[\"a.example\"],\"failures\":1,"
		"\"failed\":[{\"zone\":\"b.example\",\"error\":{\"code\":\"no-such-zone\",\"message\":\"it is gone\"}}]}\n");
	assert_int_equal(run.status, STATUS_PART);
	has(run.say, "failed: b.example: it is gone");
	run_free(&run);
}

static void stop_waits_for_the_end(void **state)
{
	struct run run;

	run_reply(&run, "stop", "{\"ok\":true}\n{\"progress\":{\"text\":\"stopping\"}}\n" SERVER_CLOSE);
	assert_int_equal(run.status, STATUS_DONE);
	has(run.say, "has stopped");
	run_free(&run);
}

static void completion_words(void **state)
{
	struct run run;

	run_at(&run, "/nowhere", "complete commands zone");
	has(run.out, "zones\nzone show\nzone add\n");
	run_free(&run);
	run_at(&run, "/nowhere", "complete options cutover");
	has(run.out, "--expect=\n");
	has(run.out, "--group=\n");
	has(run.out, "--json\n");
	run_free(&run);
	run_at(&run, "/nowhere", "complete values cutover");
	assert_string_equal(run.out, "-s\n--socket\n--expect\n--serial\n--force\n-m\n--note\n--group\n");
	run_free(&run);
	run_at(&run, "/nowhere", "complete arguments cutover");
	assert_string_equal(run.out, "sets+\n");
	run_free(&run);
	run_reply(&run, "complete sets shop", "{\"ok\":true,\"names\":[\"shop.example@new\"]}\n");
	assert_string_equal(run.out, "shop.example@new\n");
	run_free(&run);
	/* somebody is typing: without a daemon, silence */
	run_at(&run, "/nowhere", "complete zones");
	assert_string_equal(run.out, "");
	assert_string_equal(run.say, "");
	run_free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_daemon),
		cmocka_unit_test(refused),
		cmocka_unit_test(outcome_unknown),
		cmocka_unit_test(lost_while_only_looking),
		cmocka_unit_test(the_last_line_is_the_command_back),
		cmocka_unit_test(the_command_back_is_whole_and_quoted),
		cmocka_unit_test(very_many_zones_are_counted),
		cmocka_unit_test(json_is_the_reply_on_one_line),
		cmocka_unit_test(nothing_changed_says_since_when),
		cmocka_unit_test(groups_go_as_groups),
		cmocka_unit_test(groups_are_expanded_where_the_request_has_none),
		cmocka_unit_test(rollback_alone_lists_and_does_nothing),
		cmocka_unit_test(a_member_alone_names_its_group),
		cmocka_unit_test(counters_stand_by_worker),
		cmocka_unit_test(warnings_of_a_switch),
		cmocka_unit_test(warnings_of_a_signed_switch),
		cmocka_unit_test(a_note_is_never_left_out),
		cmocka_unit_test(status_tells_a_hold_once),
		cmocka_unit_test(history_goes_on),
		cmocka_unit_test(zones_are_gathered_from_slices),
		cmocka_unit_test(strangers_text_does_not_steer_the_terminal),
		cmocka_unit_test(check_and_fsck_end_with_1_when_something_is_wrong),
		cmocka_unit_test(zone_properties),
		cmocka_unit_test(stop_waits_for_the_end),
		cmocka_unit_test(completion_words),
	};

	/* nobody answers the questions */
	if (!freopen("/dev/null", "r", stdin))
		return 1;
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
