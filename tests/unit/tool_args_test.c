/* src/tool: arguments, names, rdata, numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tool/args.h"
#include "tool/names.h"
#include "tool/rdata.h"
#include "tool/terminal.h"
#include "tool/tool.h"
#include "tool_run.h"

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
	assert_int_equal(names_set("a\\@b.example@new", NULL, true, buf, &err), 0);
	names_split(buf, zone, set);
	assert_string_equal(zone, "a\\@b.example");
	assert_string_equal(set, "new");
	assert_int_equal(names_zone("a\\@b.example", buf, &err), 0);
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
	{ "www CNAME caf\xc3\xa9.example.", "add www CNAME xn--caf-dma.example.\n" },
	{ "@ TXT caf\xc3\xa9", "add @ TXT caf\xc3\xa9\n" },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_use_is_status_2),
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(rdata_is_no_option),
		cmocka_unit_test(names),
		cmocka_unit_test(words_become_zone_text),
		cmocka_unit_test(numbers_and_bars),
	};

	/* nobody answers the questions */
	if (!freopen("/dev/null", "r", stdin))
		return 1;
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
