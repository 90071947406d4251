/* src/tool: commands that pass descriptors, against a daemon that says what the
 * test wants: import, export, diff, record, edit. */
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

#include "tool/tool.h"
#include "tool_run.h"

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
	assert_int_equal(run.status, STATUS_USAGE);
	has(run.say, "is a directory");
	has(run.say, "--dir");
	run_free(&run);
	run_at(&run, "/nowhere/socket", "import a@b /nowhere/file");
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "/nowhere/file: No such file");
	run_free(&run);
}

static void spare_soas_go_to_a_set(void **state)
{
	static const char *const wrong[] = { "import a.example@new %s --soa %s", "import a.example --soa %s", "import a.example@new --soa %s --drop ttl",
		"import --soa %s" };
	struct place place;
	char command[200];
	struct run run;

	place_make(&place);
	snprintf(command, sizeof command, "import a.example@new --soa %s", place.path);
	run_reply(&run, command, "{\"ok\":true,\"outcome\":\"added\",\"added\":2,\"set\":{\"set\":\"a.example@new\",\"spares\":3}}\n");
	assert_int_equal(run.status, STATUS_DONE);
	has(run.server.lines, "\"command\":\"import-soa\",\"set\":\"a.example@new\"");
	has(run.server.lines, place.path);
	assert_string_equal(run.server.files, "the zone's text\n");
	assert_string_equal(run.say, "a.example@new: 2 spare SOAs added; 3 spare SOAs left\n");
	run_free(&run);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		snprintf(command, sizeof command, wrong[i], place.path, place.other);
		run_at(&run, "/nowhere/socket", command);
		assert_int_equal(run.status, STATUS_USAGE);
		run_free(&run);
	}
	run_at(&run, "/nowhere/socket", "import a.example@new --soa /nowhere/file");
	assert_int_equal(run.status, STATUS_REFUSED);
	has(run.say, "/nowhere/file: No such file");
	run_free(&run);
	place_remove(&place);
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

/* What is typed, on a standard input that is no terminal. */
static void answer_with(const char *text)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	fputs(text, f);
	rewind(f);
	assert_true(dup2(fileno(f), STDIN_FILENO) >= 0);
	fclose(f);
	assert_non_null(freopen("/dev/stdin", "r", stdin));
}

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

/* What others changed meanwhile is not for the editor to repair. */
static void edit_that_was_overtaken(void **state)
{
	static const struct server_step steps[] = {
		{ SETS, NULL },
		{ "{\"ok\":true}\n", "one\n" },
		{ "{\"ok\":false,\"error\":{\"code\":\"changed\",\"message\":\"it was changed meanwhile\"}}\n", NULL },
	};
	char path[256] = "";
	struct run run;

	setenv("EDITOR", "sed -i s/one/zwei/", 1);
	answer_with("e\n");
	run_steps(&run, "edit a.example@x", steps, 3);
	assert_int_equal(run.status, STATUS_REFUSED);
	has_not(run.say, "[e]dit again");
	assert_int_equal(sscanf(strstr(run.say, "is kept in "), "is kept in %255s", path), 1);
	unlink(path);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	run_free(&run);
}

static void edit_asks(void **state)
{
	static const struct server_step steps[] = {
		{ SETS, NULL },
		{ "{\"ok\":true}\n", "one\n" },
		{ "{\"ok\":true,\"outcome\":\"staged\",\"added\":1,\"removed\":0,\"changed\":0,\"rows\":[{\"kind\":\"+\",\"old\":[],"
		  "\"new\":[\"b. 60 IN A 192.0.2.2\"]}],\"more\":false}\n", NULL },
		{ "{\"ok\":true,\"outcome\":\"staged\",\"set\":{\"set\":\"a.example@x\"}}\n", NULL },
	};
	char path[256] = "";
	struct run run;

	setenv("EDITOR", "sed -i s/one/zwei/", 1);
	answer_with("what?\ny\n");
	run_steps(&run, "edit a.example@x", steps, 4);
	assert_int_equal(run.status, STATUS_DONE);
	assert_string_equal(run.out, "+ b. 60 IN A 192.0.2.2\n");
	has(run.say, "RRsets: 1 added, 0 removed, 0 changed\n");
	has(run.say, "Apply this to a.example@x?");
	has(run.say, "a.example@x: changed; no answer does");
	run_free(&run);
	answer_with("n\n");
	run_steps(&run, "edit a.example@x", steps, 4);
	assert_int_equal(run.status, STATUS_REFUSED);
	has_not(run.say, "changed;");
	assert_int_equal(sscanf(strstr(run.say, "is kept in "), "is kept in %255s", path), 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(import_passes_the_file_and_its_includes),
		cmocka_unit_test(import_of_what_cannot_be_read),
		cmocka_unit_test(spare_soas_go_to_a_set),
		cmocka_unit_test(failed_set_is_status_1),
		cmocka_unit_test(a_directory_is_sent_as_it_is_asked_for),
		cmocka_unit_test(export_replaces_a_file_only_when_whole),
		cmocka_unit_test(diff_shows_what_changes),
		cmocka_unit_test(record_sends_zone_text),
		cmocka_unit_test(edit_applies_what_was_checked),
		cmocka_unit_test(edit_keeps_a_text_with_errors),
		cmocka_unit_test(edit_that_was_overtaken),
		cmocka_unit_test(edit_asks),
		cmocka_unit_test(edit_of_nothing),
	};

	/* nobody answers the questions */
	if (!freopen("/dev/null", "r", stdin))
		return 1;
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
