/*
 * The n-th system call fails, for every n until the story ends before it. A
 * step then says so, or succeeds; nothing is half done, what was acknowledged
 * stays, and the step succeeds when it is taken again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/record_writes.h"
#include "store_story.h"

#define STEPS_MAX 64

static char text[STEPS_MAX + 1][STORY_TEXT];    /* text[i]: after i steps */
static const char *base;

static void make_directory(struct scene *s)
{
	memset(s, 0, sizeof *s);
	snprintf(s->dir, sizeof s->dir, "%s/schwenk-fail-XXXXXX", base);
	assert_non_null(mkdtemp(s->dir));
}

/* What it is like where nothing fails. */
static int setup(void **state)
{
	struct scene s;

	story_begin();
	record_sparse(true);
	make_directory(&s);
	must(&s, scene_open(&s));
	scene_text(&s, text[0], STORY_TEXT);
	for (unsigned i = 0; i < story_steps(); i++) {
		must(&s, story_step(&s, i));
		scene_text(&s, text[i + 1], STORY_TEXT);
	}
	scene_end(&s);
	return 0;
}

static int teardown(void **state)
{
	story_end();
	return 0;
}

struct run { unsigned kinds, n; int error; const char *what; };

static void fail_run(const struct run *r, unsigned step, const char *why, const char *detail)
{
	fail_msg("%s, call %u fails: step \"%s\": %s: %s", r->what, r->n, step < story_steps() ? story_name(step) : "end", why, detail);
}

/* After a failed commit the writer may want to be started anew, as the daemon
 * does; what the store holds then is one of the two. */
static void look(const struct run *r, struct scene *s, unsigned step, char now[STORY_TEXT])
{
	struct catalog_txn *t;

	err_clear(&s->err);
	if (catalog_begin(s->writer, &t, &s->err)) {
		if (!err_is(&s->err, ERR_UNAVAILABLE))
			fail_run(r, step, "afterwards", s->err.message);
		scene_close(s);
		if (scene_open(s) && scene_open(s))
			fail_run(r, step, "the store does not open again", s->err.message);
	} else {
		catalog_abort(t);
	}
	scene_text(s, now, STORY_TEXT);
	if (strcmp(now, text[step]) && strcmp(now, text[step + 1]))
		fail_run(r, step, "half done", now);
}

static void abandon(const struct run *r, struct scene *s, unsigned step)
{
	struct catalog_txn *t;
	unsigned count;

	err_clear(&s->err);
	if (catalog_begin(s->writer, &t, &s->err) || catalog_abandon_loading(t, &count, &s->err)
	    || catalog_commit(t, NULL, NULL, &s->err))
		fail_run(r, step, "what was loading", s->err.message);
}

/* false: the story ended before the n-th call. */
static bool run(const struct run *r)
{
	struct scene s;
	char now[STORY_TEXT];

	make_directory(&s);
	fail_nth(s.dir, r->kinds, r->n, r->error);
	if (scene_open(&s) && scene_open(&s))
		fail_run(r, 0, "the store does not open", s.err.message);
	for (unsigned i = 0; i < story_steps(); i++) {
		if (story_step(&s, i)) {
			look(r, &s, i, now);
			abandon(r, &s, i);
			if (strcmp(now, text[i + 1]) && story_step(&s, i))
				fail_run(r, i, "it cannot be repeated", s.err.message);
		}
		scene_text(&s, now, sizeof now);
		if (strcmp(now, text[i + 1]))
			fail_run(r, i, "it did something else", now);
	}
	scene_close(&s);
	if (fsck_here(s.dir))
		fail_run(r, story_steps(), "fsck", "not sound");
	if (scene_open(&s) && scene_open(&s))
		fail_run(r, story_steps(), "the store does not open in the end", s.err.message);
	scene_text(&s, now, sizeof now);
	if (strcmp(now, text[story_steps()]))
		fail_run(r, story_steps(), "not what was acknowledged", now);
	scene_end(&s);
	return fail_end();
}

static void every_call(const char *what, unsigned kinds, int error)
{
	struct run r = { .kinds = kinds, .n = 1, .error = error, .what = what };
	unsigned step = getenv("SCHWENK_SMALL") ? 7 : 1;

	while (run(&r))
		r.n += step;
	print_message("%s: %u calls\n", what, r.n - 1);
	assert_true(r.n > 8);
}

static void test_writes_without_room(void **state)
{
	every_call("write: ENOSPC", FAIL_WRITE, ENOSPC);
}

static void test_writes_with_errors(void **state)
{
	every_call("write: EIO", FAIL_WRITE, EIO);
}

static void test_short_writes(void **state)
{
	every_call("write: half", FAIL_WRITE, FAIL_SHORT);
}

static void test_syncs(void **state)
{
	every_call("sync: EIO", FAIL_SYNC, EIO);
}

static void test_no_room_ahead(void **state)
{
	struct run r = { .kinds = FAIL_ROOM, .n = 1, .error = ENOSPC, .what = "fallocate: ENOSPC" };

	while (run(&r))
		r.n++;
	assert_true(r.n > 2);
}

static void test_names(void **state)
{
	struct run r = { .kinds = FAIL_NAME, .n = 1, .error = EACCES, .what = "open, rename: EACCES" };

	while (run(&r))
		r.n++;
	assert_true(r.n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_without_room),
		cmocka_unit_test(test_writes_with_errors),
		cmocka_unit_test(test_short_writes),
		cmocka_unit_test(test_syncs),
		cmocka_unit_test(test_no_room_ahead),
		cmocka_unit_test(test_names),
	};

	base = scene_fast_base();
	return cmocka_run_group_tests(tests, setup, teardown);
}
