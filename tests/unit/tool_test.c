/* src/tool: arguments, names, rdata, tables, and whole commands against a
 * daemon that says what the test wants. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/args.h"
#include "tool/files.h"
#include "tool/names.h"
#include "tool/rdata.h"
#include "tool/session.h"
#include "tool/show.h"
#include "tool/terminal.h"
#include "tool/tool.h"
#include "tool_server.h"

/* ---- a run of the tool, with what it printed ------------------------------------------ */

struct run {
	struct server server;
	int status;
	char *out, *say;
};

static int split(char *text, char **argv, int max)
{
	int argc = 0;

	for (char *w = strtok(text, "\x1f"); w && argc < max; w = strtok(NULL, "\x1f"))
		argv[argc++] = w;
	argv[argc] = NULL;
	return argc;
}

/* words are separated by blanks; '~' within a word stands for a blank */
static void run_at(struct run *run, const char *socket, const char *command)
{
	char text[2048], *argv[64];
	size_t out_size, say_size;
	struct tool tool = { .socket = socket, .socket_given = true };
	struct args args;
	struct err err = ERR_INIT;

	snprintf(text, sizeof text, "schwenk %s", command);
	for (char *p = text; *p; p++)
		*p = *p == ' ' ? '\x1f' : *p == '~' ? ' ' : *p;
	tool.out = open_memstream(&run->out, &out_size);
	tool.say = open_memstream(&run->say, &say_size);
	if (args_parse(&args, split(text, argv, 63), argv, &err) < 0) {
		run->status = tool_error(&tool, STATUS_USAGE, &err);
	} else {
		tool.json = args_has(&args, "json");
		tool.quiet = args_has(&args, "quiet");
		run->status = tool_run(&tool, &args);
	}
	args_free(&args);
	fclose(tool.out);
	fclose(tool.say);
}

static void run_steps(struct run *run, const char *command, const struct server_step *steps, size_t count)
{
	server_start(&run->server, steps, count);
	run_at(run, run->server.path, command);
	server_end(&run->server);
}

static void run_reply(struct run *run, const char *command, const char *reply)
{
	const struct server_step step = { reply, NULL };

	run_steps(run, command, &step, 1);
}

static void run_free(struct run *run)
{
	free(run->out);
	free(run->say);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in: %s", part, text);
}

static const char *last_line(const char *text)
{
	const char *at = text + strlen(text);

	if (at > text && at[-1] == '\n')
		at--;
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

/* ---- arguments -------------------------------------------------------------------------- */

static const struct { const char *line, *part; } wrong_use[] = {
	{ "nonsense", "unknown command 'nonsense'" },
	{ "zone", "wants a second word" },
	{ "zone fly x", "unknown command 'zone fly'" },
	{ "sets", "usage: schwenk sets ZONE" },
	{ "status now", "too many arguments" },
	{ "cutover", "something is missing" },
	{ "cutover --group g", "something is missing" },
	{ "cutover --group g @new x@new", "too many arguments" },
	{ "rollback --group g shop.example", "too many arguments" },
	{ "rollback --group", "--group wants a value: --group G" },
	{ "zones --jsonx", "unknown option --jsonx" },
	{ "zones --json=1", "--json takes no value" },
	{ "zones -x", "unknown option -x" },
	{ "cutover a@b -m", "-m wants a value: -m TEXT" },
	{ "cutover a@b -m x -m y", "--note stands there twice" },
	{ "cutover shop.example", "names no set" },
	{ "cutover @new", "names no zone" },
	{ "cutover a@B", "is no set's name" },
	{ "cutover a@b --serial 4294967296", "no serial" },
	{ "cutover a@b --serial -1", "no serial" },
	{ "rollback a@b", "without @" },
	{ "serial shop.example 1x", "no serial" },
	{ "serial shop.example", "usage: schwenk serial" },
	{ "zone set shop.example foo", "'foo' is not KEY=VALUE" },
	{ "zone add a=b", "the zone comes first" },
	{ "import shop.example", "usage: schwenk import" },
	{ "import --prune a b", "--prune goes with --dir" },
	{ "import --dir /tmp x", "@SET" },
	{ "record add z w A", "something is missing" },
	{ "history --limit 0", "--limit" },
	{ "export --json a", "wants a FILE" },
	{ "zone remove a", "--yes is wanted" },
	{ "reload shop.example", "schwenk import shop.example FILE" },
	{ "complete rubbish", "none of" },
	{ "check --group g new", "where @SET is wanted" },
};

static void wrong_use_is_status_2(void **state)
{
	for (size_t i = 0; i < sizeof wrong_use / sizeof *wrong_use; i++) {
		struct run run;

		run_at(&run, "/nowhere/socket", wrong_use[i].line);
		if (run.status != STATUS_USAGE || !strstr(run.say, wrong_use[i].part))
			fail_msg("'%s' gave %d: %s", wrong_use[i].line, run.status, run.say);
		run_free(&run);
	}
}

static void options_may_stand_anywhere(void **state)
{
	char s[] = "schwenk", q[] = "-qs", sock[] = "/x", cut[] = "cutover", set[] = "a@b", note[] = "--note=x=y", json[] = "--json";
	char *argv[] = { s, q, sock, cut, set, note, json, NULL };
	struct args args;
	struct err err = ERR_INIT;

	assert_int_equal(args_parse(&args, 7, argv, &err), 0);
	assert_string_equal(args.command->name, "cutover");
	assert_string_equal(args_get(&args, "socket"), "/x");
	assert_string_equal(args_get(&args, "note"), "x=y");
	assert_true(args_has(&args, "quiet") && args_has(&args, "json"));
	assert_int_equal(args.count, 1);
	args_free(&args);
}

static void rdata_is_no_option(void **state)
{
	char s[] = "schwenk", r[] = "record", a[] = "add", m[] = "-m", why[] = "why", z[] = "z", n[] = "n", t[] = "TXT", v[] = "-all",
		w[] = "--json";
	char *argv[] = { s, r, a, m, why, z, n, t, v, w, NULL };
	struct args args;
	struct err err = ERR_INIT;

	assert_int_equal(args_parse(&args, 10, argv, &err), 0);
	assert_int_equal(args.count, 5);
	assert_string_equal(args.arg[3], "-all");
	assert_false(args_has(&args, "json"));
	assert_string_equal(args_get(&args, "note"), "why");
	args_free(&args);
}

/* ---- names and rdata ---------------------------------------------------------------------- */

static void names(void **state)
{
	char buf[NAME_TEXT_MAX], zone[NAME_TEXT_MAX], set[64];
	struct err err = ERR_INIT;
	char *longer = malloc(5000);

	assert_int_equal(names_zone("Shop.EXAMPLE.", buf, &err), 0);
	assert_string_equal(buf, "shop.example");
	assert_int_equal(names_zone(".", buf, &err), 0);
	assert_string_equal(buf, ".");
	assert_int_equal(names_zone("m\xc3\xbcller.example", buf, &err), 0);
	assert_string_equal(buf, "xn--mller-kva.example");
	assert_int_equal(names_set("M\xc3\xbcller.example@new", NULL, true, buf, &err), 0);
	assert_string_equal(buf, "xn--mller-kva.example@new");
	assert_int_equal(names_set("@b", "shop.example", true, buf, &err), 0);
	assert_string_equal(buf, "shop.example@b");
	assert_int_equal(names_set("shop.example", NULL, false, buf, &err), 0);
	assert_string_equal(buf, "shop.example");
	names_split("a.b@new", zone, set);
	assert_string_equal(zone, "a.b");
	assert_string_equal(set, "new");
	assert_int_equal(names_zone("", buf, &err), -1);
	err_clear(&err);
	assert_int_equal(names_zone("a b", buf, &err), -1);
	err_clear(&err);
	assert_non_null(longer);
	memset(longer, 'a', 4999);
	longer[4999] = '\0';
	assert_int_equal(names_zone(longer, buf, &err), -1);
	err_clear(&err);
	memcpy(longer, "a@", 2);
	assert_int_equal(names_set(longer, NULL, true, buf, &err), -1);
	err_clear(&err);
	memset(longer, 'a', 4999);
	memcpy(longer + 4990, "@new", 5);
	assert_int_equal(names_set(longer, NULL, true, buf, &err), -1);
	free(longer);
}

static const struct { const char *words, *line; } rdata[] = {
	{ "www A 192.0.2.1", "add www A 192.0.2.1\n" },
	{ "www 300 IN A 192.0.2.1", "add www 300 IN A 192.0.2.1\n" },
	{ "@ 1h TXT v=spf1~-all", "add @ 1h TXT \"v=spf1 -all\"\n" },
	{ "@ TXT plain", "add @ TXT plain\n" },
	{ "@ TXT a;b", "add @ TXT \"a;b\"\n" },
	{ "@ TXT \"a\"~\"b~c\"", "add @ TXT \"a\" \"b c\"\n" },
	{ "@ TXT a~\\b~\\065", "add @ TXT \"a \\\\b \\065\"\n" },
	{ "@ MX 10~mail", "add @ MX 10 mail\n" },
	{ "@ CAA 0 issue letsencrypt.org;~x=y", "add @ CAA 0 issue \"letsencrypt.org; x=y\"\n" },
	{ "caf\xc3\xa9 A 192.0.2.1", "add xn--caf-dma A 192.0.2.1\n" },
};

static void words_become_zone_text(void **state)
{
	const char *const broken[] = { "@", "TXT", "a\nadd b A 192.0.2.1" };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof rdata / sizeof *rdata; i++) {
		char text[256], *argv[16], *line;
		int n;

		snprintf(text, sizeof text, "%s", rdata[i].words);
		for (char *p = text; *p; p++)
			*p = *p == ' ' ? '\x1f' : *p == '~' ? ' ' : *p;
		n = split(text, argv, 15);
		line = rdata_line("add", (const char *const *)argv, (size_t)n, &err);
		assert_non_null(line);
		assert_string_equal(line, rdata[i].line);
		free(line);
	}
	assert_null(rdata_line("add", broken, 3, &err));
	has(err.message, "a line break");
}

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
	run_reply(&run, "cutover a@b", "{\"ok\":true");
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
		{ "{\"ok\":true,\"groups\":[{\"group\":\"g\",\"members\":2,\"zones\":[\"a.example\",\"b.example\"]}]}\n", NULL },
		{ "{\"ok\":true}\n", NULL },
	};
	struct run run;

	run_steps(&run, "drop --group g @old", steps, 2);
	assert_int_equal(run.status, STATUS_DONE);
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

static void warnings_of_a_switch(void **state)
{
	struct run run;

	run_reply(&run, "rollback shop.example", "{\"ok\":true,\"switch\":18,\"zones\":[{\"zone\":\"shop.example\",\"from\":\"new\","
		"\"to\":\"old\",\"from_serial\":8,\"to_serial\":9,\"outcome\":\"overtook\",\"left_behind\":2,\"serial_stuck\":true}],"
		"\"back\":\"schwenk cutover shop.example@new\",\"duration_us\":10}\n");
	has(run.out, "had been changed since");
	has(run.say, "2 changes made to new since stay behind");
	has(run.say, "secondaries will not follow");
	has(last_line(run.out), "cutover shop.example@new");
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
		"\"note\":\"\\u001b[2Jboo\",\"zones\":[{\"zone\":\"a\",\"from\":\"x\",\"to\":\"y\"}],\"members\":1}]}\n");
	has_not(run.out, "\033");
	has(run.out, "[2Jboo");
	run_free(&run);
	run_reply(&run, "cutover a@b", "{\"ok\":false,\"error\":{\"code\":\"rule\",\"message\":\"\\u001b]0;x\\u0007 \\u009b2J\"}}\n");
	has_not(run.say, "\033");
	has_not(run.say, "\007");
	has_not(run.say, "\xc2\x9b");
	run_free(&run);
}

static void numbers_and_bars(void **state)
{
	char buf[160];
	json_t *progress = json_pack("{s:i,s:i,s:f}", "records", 1234567, "rate", 310000, "share", 0.5);

	assert_string_equal(terminal_number(0, buf), "0");
	assert_string_equal(terminal_number(999, buf), "999");
	assert_string_equal(terminal_number(-1234, buf), "-1,234");
	assert_string_equal(terminal_number(1000000, buf), "1,000,000");
	assert_string_equal(terminal_bytes(1023, buf), "1023 B");
	assert_string_equal(terminal_bytes(1536, buf), "1.5 KiB");
	terminal_progress_text(buf, sizeof buf, progress, 75);
	assert_string_equal(buf, "[############............]  50 %  1,234,567 records  310,000/s  1:15 left");
	json_decref(progress);
	progress = json_pack("{s:i}", "records", 100);
	terminal_progress_text(buf, sizeof buf, progress, 2);
	assert_string_equal(buf, "100 records  50/s");
	json_decref(progress);
	assert_string_equal(terminal_time("not a time", buf), "not a time");
}

/* ---- files --------------------------------------------------------------------------------------- */

struct place { char dir[32], path[64], other[64]; };

static void place_make(struct place *p)
{
	char path[96];
	FILE *f;

	strcpy(p->dir, "/tmp/tool-place.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof p->path, "%s/a.example.zone", p->dir);
	snprintf(p->other, sizeof p->other, "%s/1%%2F2.example.zone", p->dir);
	f = fopen(p->path, "w");
	fputs("the zone's text\n", f);
	fclose(f);
	f = fopen(p->other, "w");
	fputs("the other's text\n", f);
	fclose(f);
	snprintf(path, sizeof path, "%s/inc", p->dir);
	f = fopen(path, "w");
	fputs("the included text\n", f);
	fclose(f);
	snprintf(path, sizeof path, "%s/out", p->dir);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	snprintf(path, sizeof path, "%s/sub", p->dir);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void place_remove(struct place *p)
{
	static const char *const names[] = { "a.example.zone", "1%2F2.example.zone", "inc", "out", "exported", NULL };
	char path[96];

	for (size_t i = 0; names[i]; i++) {
		snprintf(path, sizeof path, "%s/%s", p->dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/sub", p->dir);
	rmdir(path);
	assert_int_equal(rmdir(p->dir), 0);
}

#define STAGED "{\"ok\":true,\"set\":{\"set\":\"a.example@new\",\"records\":4},\"outcome\":\"staged\",\"errors\":0,\"warnings\":1," \
	"\"dropped\":0,\"serial\":7}\n"

static void import_passes_the_file_and_its_includes(void **state)
{
	static const struct server_step steps[] = {
		{ "{\"progress\":{\"open\":\"inc\"}}\n", NULL },
		{ "{\"progress\":{\"open\":\"../etc\"}}\n", NULL },
		{ "{\"progress\":{\"open\":\"/etc/hostname\"}}\n", NULL },
		{ "{\"progress\":{\"open\":\"out\"}}\n", NULL },
		{ "{\"progress\":{\"open\":\"sub\"}}\n", NULL },
		{ "{\"progress\":{\"open\":\"none\"}}\n", NULL },
		{ "{\"progress\":{\"problem\":{\"severity\":\"warning\",\"rule\":\"ttl\",\"file\":\"a.zone\",\"line\":3,\"column\":5,"
		  "\"message\":\"two TTLs\"}}}\n" STAGED, NULL },
	};
	struct place place;
	char command[200];
	struct run run;

	place_make(&place);
	snprintf(command, sizeof command, "import a.example@new %s --drop cname --drop ttl", place.path);
	run_steps(&run, command, steps, 7);
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"command\":\"import\",\"zone\":\"a.example\",\"set\":\"new\"");
	has(run.server.lines, "\"size\":16");
	has(run.server.lines, "\"drop\":[\"cname\",\"ttl\"]");
	assert_string_equal(run.server.files, "the zone's text\nthe included text\n");
	assert_int_equal(run.server.fds, 2);
	has(run.server.lines, "../etc lies outside of");
	has(run.server.lines, "/etc/hostname lies outside of");
	has(run.server.lines, "out lies outside of");
	has(run.server.lines, "sub is not a regular file");
	has(run.server.lines, "none: No such file");
	has(run.say, "a.zone:3:5: warning: two TTLs [ttl]\n");
	has(run.say, "a.example@new: staged, 4 records");
	run_free(&run);
	place_remove(&place);
}

static void import_of_what_cannot_be_read(void **state)
{
	struct run run;

	run_at(&run, "/nowhere/socket", "import a@b /tmp");
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "is a directory");
	has(run.say, "--dir");
	run_free(&run);
	run_at(&run, "/nowhere/socket", "import a@b /nowhere/file");
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "/nowhere/file: No such file");
	run_free(&run);
}

static void failed_set_is_status_1(void **state)
{
	static const char reply[] = "{\"ok\":true,\"set\":{\"set\":\"a.example@new\",\"records\":4},\"outcome\":\"failed\",\"errors\":2}\n";
	struct place place;
	char command[200];
	struct run run;

	place_make(&place);
	snprintf(command, sizeof command, "import a.example@new %s", place.path);
	run_reply(&run, command, reply);
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "schwenk edit a.example@new");
	run_free(&run);
	snprintf(command, sizeof command, "--json import a.example@new %s", place.path);
	run_reply(&run, command, reply);
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.out, "\"outcome\":\"failed\"");
	run_free(&run);
	place_remove(&place);
}

static void a_directory_is_sent_as_it_is_asked_for(void **state)
{
	static const struct server_step steps[] = {
		{ "{\"progress\":{\"need\":1}}\n", NULL },
		{ "{\"progress\":{\"need\":64}}\n", NULL },
		{ "", NULL },
		{ "{\"ok\":true,\"zones\":2,\"live\":1,\"unchanged\":0,\"staged\":0,\"removed\":[\"gone.example\"],\"failed\":[{\"zone\":\"a.example\","
		  "\"file\":\"a.example.zone\",\"error\":{\"code\":\"parse\",\"message\":\"a.example.zone:1:1: no SOA\"}}]}\n", NULL },
	};
	struct place place;
	char command[200];
	struct run run;

	place_make(&place);
	snprintf(command, sizeof command, "import --dir %s --prune", place.dir);
	run_steps(&run, command, steps, 4);
	assert_int_equal(run.status, STATUS_PART);
	has(run.server.lines, "\"command\":\"import-dir\"");
	has(run.server.lines, "\"prune\":true");
	has(run.server.lines, "\"files\":2");
	has(run.server.lines, "{\"file\":\"1%2F2.example.zone\"}\n{\"file\":\"a.example.zone\"}\n{\"end\":true}\n");
	assert_string_equal(run.server.files, "the other's text\nthe zone's text\n");
	has(last_line(run.say), "failed: a.example.zone: a.example.zone:1:1: no SOA");
	has(run.say, "removed: gone.example");
	run_free(&run);
	place_remove(&place);
}

static void export_replaces_a_file_only_when_whole(void **state)
{
	const struct server_step good = { "{\"ok\":true}\n", "new text\n" };
	const struct server_step bad = { "{\"ok\":false,\"error\":{\"code\":\"corrupt\",\"message\":\"bad image\"}}\n", "half" };
	char command[200], path[96], text[64] = "";
	struct place place;
	struct run run;
	FILE *f;

	place_make(&place);
	snprintf(path, sizeof path, "%s/exported", place.dir);
	snprintf(command, sizeof command, "export a.example@new %s", path);
	run_steps(&run, command, &good, 1);
	assert_int_equal(run.status, STATUS_DONE);
	run_free(&run);
	run_steps(&run, command, &bad, 1);
	assert_int_equal(run.status, STATUS_REFUSED);
	run_free(&run);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "new text\n");
	place_remove(&place);
}

static void diff_shows_what_changes(void **state)
{
	const struct server_step step = { "{\"ok\":true,\"added\":1,\"removed\":0,\"changed\":1,\"more\":false}\n",
		"{\"kind\":\"+\",\"owner\":\"a.\",\"type\":\"A\",\"old\":[],\"new\":[\"a. 60 IN A 192.0.2.1\"]}\n"
		"{\"kind\":\"~\",\"owner\":\"b.\",\"type\":\"A\",\"old\":[\"b. 60 IN A 192.0.2.1\",\"b. 60 IN A 192.0.2.2\"],"
		"\"new\":[\"b. 60 IN A 192.0.2.1\",\"b. 60 IN A 192.0.2.3\"]}\n" };
	struct run run;

	run_steps(&run, "diff shop.example@new", &step, 1);
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"from\":\"shop.example@live\",\"to\":\"shop.example@new\"");
	assert_string_equal(run.out, "+ a. 60 IN A 192.0.2.1\n- b. 60 IN A 192.0.2.2\n+ b. 60 IN A 192.0.2.3\n");
	has(run.say, "1 added, 0 removed, 1 changed");
	run_free(&run);
	run_steps(&run, "--json diff shop.example@a @b", &step, 1);
	has(run.server.lines, "\"to\":\"shop.example@b\"");
	has(run.out, "\"rows\":[{\"kind\":\"+\"");
	run_free(&run);
}

static void record_sends_zone_text(void **state)
{
	struct run run;

	run_reply(&run, "record add -m why shop.example@new www 300 TXT v=spf1~-all", "{\"ok\":true,\"set\":{\"set\":\"shop.example@new\"},"
		"\"outcome\":\"staged\"}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"text\":\"add www 300 TXT \\\"v=spf1 -all\\\"\\n\"");
	has(run.server.lines, "\"set\":\"shop.example@new\"");
	run_free(&run);
}

/* ---- edit ------------------------------------------------------------------------------------------ */

#define SETS "{\"ok\":true,\"zone\":\"a.example\",\"sets\":[{\"set\":\"a.example@x\",\"name\":\"x\",\"live\":false,\"hash\":\"00\"}," \
	"{\"set\":\"a.example@y\",\"name\":\"y\",\"live\":true,\"hash\":\"ff\"}]}\n"

static void edit_applies_what_was_checked(void **state)
{
	static const struct server_step steps[] = {
		{ SETS, NULL },
		{ "{\"ok\":true}\n", "one\ntwo\n" },
		{ "{\"ok\":true,\"outcome\":\"live\"}\n", NULL },
		{ "{\"ok\":true,\"outcome\":\"live\",\"serial\":9,\"set\":{\"set\":\"a.example@y\",\"live\":true}}\n", NULL },
	};
	struct run run;

	unsetenv("VISUAL");
	setenv("EDITOR", "sed -i s/two/three/", 1);
	run_steps(&run, "edit -y -q a.example -m why", steps, 4);
	assert_int_equal(run.status, STATUS_DONE);
	assert_string_equal(run.server.files, "one\nthree\none\nthree\n");
	has(run.server.lines, "\"expect\":\"ff\",\"dry_run\":true");
	has(run.server.lines, "\"expect\":\"ff\",\"note\":\"why\"");
	run_free(&run);
}

static void edit_keeps_a_text_with_errors(void **state)
{
	static const struct server_step steps[] = {
		{ SETS, NULL },
		{ "{\"ok\":true}\n", "one\n" },
		{ "{\"progress\":{\"problem\":{\"severity\":\"error\",\"rule\":\"syntax\",\"file\":\"f\",\"line\":1,\"column\":2,\"message\":\"bad\"}}}\n"
		  "{\"ok\":false,\"error\":{\"code\":\"parse\",\"message\":\"not readable\"}}\n", NULL },
	};
	char path[256] = "", text[64] = "";
	const char *at;
	struct run run;
	FILE *f;

	setenv("EDITOR", "sed -i s/one/zwei/", 1);
	run_steps(&run, "edit --yes a.example@x", steps, 3);
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "f:1:2: error: bad [syntax]");
	at = strstr(run.say, "is kept in ");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "is kept in %255s", path), 1);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "zwei\n");
	unlink(path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	run_free(&run);
}

static void edit_of_nothing(void **state)
{
	static const struct server_step steps[] = { { SETS, NULL }, { "{\"ok\":true}\n", "one\n" } };
	struct run run;

	setenv("EDITOR", "true", 1);
	run_steps(&run, "edit a.example@x", steps, 2);
	assert_int_equal(run.status, STATUS_DONE);
	has(run.say, "nothing was edited");
	run_free(&run);
	setenv("EDITOR", "false", 1);
	run_steps(&run, "edit a.example@x", steps, 2);
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "the editor failed");
	run_free(&run);
}

/* ---- the rest ---------------------------------------------------------------------------------------- */

static void check_and_fsck_end_with_1_when_something_is_wrong(void **state)
{
	struct run run;

	run_reply(&run, "check a@b", "{\"ok\":true,\"rules\":1,\"warnings\":0,\"problems\":[{\"severity\":\"rule\",\"rule\":\"ns\","
		"\"message\":\"no NS\"}]}\n");
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "error: no NS [ns]");
	run_free(&run);
	run_reply(&run, "check a@b", "{\"ok\":true,\"rules\":0,\"warnings\":2,\"problems\":[]}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.out, "a@b: 0 errors, 2 warnings");
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
}

static void stop_waits_for_the_end(void **state)
{
	struct run run;

	run_reply(&run, "stop", "{\"ok\":true}\n{\"progress\":{\"text\":\"stopping\"}}\n");
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
	run_at(&run, "/nowhere", "complete arguments cutover");
	assert_string_equal(run.out, "sets+\n");
	run_free(&run);
	run_reply(&run, "complete sets shop", "{\"ok\":true,\"names\":[\"shop.example@new\"]}\n");
	assert_string_equal(run.out, "shop.example@new\n");
	run_free(&run);
}

static char *slurp(const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[512], *text = calloc(1, 1 << 18);
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", top ? top : ".", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("cannot read %s", path);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
	fclose(f);
	return text;
}

/* Every command has its section, and there every option. */
static void man_page_has_every_command_and_option(void **state)
{
	char *page = slurp("src/tool/schwenk.1");

	for (const struct tool_command *c = tool_commands; c->name; c++) {
		char head[64], *at, *end;

		if (c->flags & ARGS_HIDDEN)
			continue;
		snprintf(head, sizeof head, "\n.It Ic %s", c->name);
		for (at = strstr(page, head); at && at[strlen(head)] != '\n' && at[strlen(head)] != ' '; at = strstr(at + 1, head))
			;
		if (!at)
			fail_msg("schwenk.1 lacks: %s", c->name);
		end = strstr(at + 1, "\n.It Ic ");
		for (const struct arg_option *o = c->options; o && o->name; o++) {
			char option[64], *found;

			snprintf(option, sizeof option, "Fl -%s", o->name);
			found = strstr(at, option);
			if (!found || (end && found > end))
				fail_msg("schwenk.1, %s lacks: --%s", c->name, o->name);
		}
	}
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_use_is_status_2),
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(rdata_is_no_option),
		cmocka_unit_test(names),
		cmocka_unit_test(words_become_zone_text),
		cmocka_unit_test(without_a_daemon),
		cmocka_unit_test(refused),
		cmocka_unit_test(outcome_unknown),
		cmocka_unit_test(lost_while_only_looking),
		cmocka_unit_test(the_last_line_is_the_command_back),
		cmocka_unit_test(json_is_the_reply_on_one_line),
		cmocka_unit_test(nothing_changed_says_since_when),
		cmocka_unit_test(groups_go_as_groups),
		cmocka_unit_test(groups_are_expanded_where_the_request_has_none),
		cmocka_unit_test(rollback_alone_lists_and_does_nothing),
		cmocka_unit_test(warnings_of_a_switch),
		cmocka_unit_test(zones_are_gathered_from_slices),
		cmocka_unit_test(strangers_text_does_not_steer_the_terminal),
		cmocka_unit_test(numbers_and_bars),
		cmocka_unit_test(import_passes_the_file_and_its_includes),
		cmocka_unit_test(import_of_what_cannot_be_read),
		cmocka_unit_test(failed_set_is_status_1),
		cmocka_unit_test(a_directory_is_sent_as_it_is_asked_for),
		cmocka_unit_test(export_replaces_a_file_only_when_whole),
		cmocka_unit_test(diff_shows_what_changes),
		cmocka_unit_test(record_sends_zone_text),
		cmocka_unit_test(edit_applies_what_was_checked),
		cmocka_unit_test(edit_keeps_a_text_with_errors),
		cmocka_unit_test(edit_of_nothing),
		cmocka_unit_test(check_and_fsck_end_with_1_when_something_is_wrong),
		cmocka_unit_test(zone_properties),
		cmocka_unit_test(stop_waits_for_the_end),
		cmocka_unit_test(completion_words),
		cmocka_unit_test(man_page_has_every_command_and_option),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
