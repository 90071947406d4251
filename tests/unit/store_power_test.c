/*
 * Power loss at every instant (G4): all writes of a store's story are logged;
 * for each moment of it the disk is made as it may be after the power went,
 * and looked at. What was acknowledged holds, what was under way is whole or
 * absent, and the store is sound and goes on.
 */
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

#include "../support/record_writes.h"
#include "store_story.h"

#define STEPS_MAX 64

static struct record_log log_;
static char text[STEPS_MAX + 1][STORY_TEXT];    /* text[i]: after i steps */
static const char *base;

static uint64_t roll(void *arg)
{
	return dice_next(arg);
}

static int setup(void **state)
{
	struct scene s = { .base = base };

	story_begin();
	record_sparse(true);
	/* from the first moment on: the directory is empty */
	snprintf(s.dir, sizeof s.dir, "%s/schwenk-power-XXXXXX", base);
	assert_non_null(mkdtemp(s.dir));
	record_begin(s.dir, &log_);
	must(&s, scene_open(&s));
	record_mark(0);
	scene_text(&s, text[0], STORY_TEXT);
	for (unsigned i = 0; i < story_steps(); i++) {
		if (story_step(&s, i))
			fail_msg("%s: %s", story_name(i), s.err.message);
		record_mark(i + 1);
		scene_text(&s, text[i + 1], STORY_TEXT);
	}
	record_end();
	assert_sound(&s);
	scene_end(&s);
	return 0;
}

static int teardown(void **state)
{
	record_log_free(&log_);
	story_end();
	return 0;
}

/* A disk after `done` steps were acknowledged. */
struct moment { struct scene scene; int done; bool go_on; char why[3 * STORY_TEXT]; };

static void make_disk(struct moment *m, const struct disk *disk, unsigned what, struct dice *dice, const struct record_op *next)
{
	memset(m, 0, sizeof *m);
	snprintf(m->scene.dir, sizeof m->scene.dir, "%s/schwenk-power-XXXXXX", base);
	assert_non_null(mkdtemp(m->scene.dir));
	disk_write(disk, what, roll, dice, next, m->scene.dir);
}

/* Is it as was promised? 0, or 1 with the reason. */
static int look(void *arg)
{
	struct moment *m = arg;
	struct scene *s = &m->scene;
	const char *then = text[m->done < 0 ? 0 : m->done], *next = m->done < (int)story_steps() ? text[m->done + 1] : then;
	char now[STORY_TEXT];

	if (scene_open(s)) {
		snprintf(m->why, sizeof m->why, "it does not open: %s", s->err.message);
		return 1;
	}
	scene_text(s, now, sizeof now);
	if (strcmp(now, then) && strcmp(now, next))
		snprintf(m->why, sizeof m->why, "it has\n%swhere should be\n%s", now, then);
	if (m->go_on) {
		must(s, scene_zone_add(s, "more.example"));
		must(s, scene_import_text(s, "more.example", "more", 1, "more"));
		must(s, scene_cutover(s, "more.example@more", true, NULL));
		must(s, scene_zone_remove(s, "more.example"));
		must(s, scene_clean(s));
	}
	scene_close(s);
	if (!m->why[0] && fsck_here(s->dir))
		snprintf(m->why, sizeof m->why, "it is not sound");
	return m->why[0] != '\0';
}

static void test_every_moment(void **state)
{
	struct dice dice = { .state = 2026 };
	struct disk *disk = disk_new();
	unsigned kinds = getenv("SCHWENK_SMALL") ? 3 : 6, looked = 0;
	int done = -1;

	for (size_t i = 0; i <= log_.count; i++) {
		const struct record_op *next = i < log_.count ? &log_.op[i] : NULL;

		/* marks change no disk: the moment behind them is enough */
		for (unsigned what = 0; what < kinds && (!next || next->kind != RECORD_MARK); what++) {
			struct moment m;

			make_disk(&m, disk, what, &dice, next);
			m.done = done;
			m.go_on = ++looked % 16 == 0;
			if (look(&m))
				fail_msg("moment %zu, disk %u, after step \"%s\": %s", i, what,
					done > 0 ? story_name((unsigned)done - 1) : "", m.why);
			remove_tree(m.scene.dir);
		}
		if (!next)
			break;
		if (next->kind == RECORD_MARK)
			done = (int)next->at;
		disk_apply(disk, next);
	}
	disk_free(disk);
	assert_int_equal(done, story_steps());
	assert_true(looked > 900);
	print_message("%u disks of %zu moments\n", looked, log_.count);
}

/* Would it be seen if the store did not sync (MDB_NOSYNC)? In a child, which
 * may well die of what it finds. */
static void test_missing_syncs_are_seen(void **state)
{
	struct dice dice = { .state = 5 };
	struct disk *disk = disk_new();
	unsigned seen = 0;
	int done = -1;

	for (size_t i = 0; i < log_.count && seen < 5; i++) {
		const struct record_op *op = &log_.op[i];

		if (op->kind == RECORD_MARK)
			done = (int)op->at;
		if (op->kind != RECORD_SYNC || done < 0)
			disk_apply(disk, op);
		if (done >= 0 && i % 10 == 0) {
			struct moment m;

			make_disk(&m, disk, 2, &dice, NULL);
			m.done = done;
			seen += in_child(look, &m) != 0;
			remove_tree(m.scene.dir);
		}
	}
	disk_free(disk);
	assert_true(seen == 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_moment),
		cmocka_unit_test(test_missing_syncs_are_seen),
	};

	base = scene_fast_base();
	return cmocka_run_group_tests(tests, setup, teardown);
}
