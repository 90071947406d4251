/* Copies of a store that is in use. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/record_writes.h"
#include "store_scene.h"

#define A "a.example"
#define B "b.example"

static struct scene scene;
static char copy_dir[256];

static int import_large(const char *zone, const char *set, uint64_t seed)
{
	struct import in = { .zone = zone, .set = set, .serial = 1 };
	struct model m;
	int rc;

	model_random(&m, zone, seed, 3000, MODEL_NSEC3);
	in.model = &m;
	rc = scene_import(&scene, &in, NULL);
	model_free(&m);
	return rc;
}

static int setup(void **state)
{
	memset(&scene, 0, sizeof scene);
	scene_begin(&scene);
	snprintf(copy_dir, sizeof copy_dir, "%.240s.copy", scene.dir);
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_zone_add(&scene, B));
	must(&scene, import_large(A, "old", 1));
	must(&scene, scene_import_text(&scene, A, "new", 2, "new"));
	must(&scene, scene_import_text(&scene, B, "old", 2, "old"));
	must(&scene, scene_cutover(&scene, A "@old " B "@old", true, NULL));
	return 0;
}

static int teardown(void **state)
{
	scene_end(&scene);
	remove_tree(copy_dir);
	return 0;
}

struct copying { const char *from, *to; bool compact; unsigned fail; int error; };

/* As the job does it: nothing is left of one that fails, not its directory. */
static int copy_to_new(const char *from, const char *to, bool compact, struct err *err)
{
	bool made = false;

	if (store_copy_directory(to, &made, err) == 0 && store_copy(from, to, compact, err) == 0)
		return 0;
	if (made)
		rmdir(to);
	return -1;
}

static int copy_in_child(void *arg)
{
	const struct copying *c = arg;
	struct err err = ERR_INIT;
	int rc;

	if (c->fail)
		fail_nth(c->to, FAIL_WRITE | FAIL_SYNC | FAIL_NAME, c->fail, c->error);
	rc = copy_to_new(c->from, c->to, c->compact, &err);
	if (c->fail && !fail_end())
		return rc ? 90 : 50;            /* the failure did not come: all calls are behind us */
	if (!rc)
		return 0;
	return err_is(&err, ERR_EXISTS) ? 1 : err_is(&err, ERR_FULL) ? 2 : err_is(&err, ERR_SYSTEM) ? 3 : 99;
}

static int copy(bool compact)
{
	struct copying c = { .from = scene.dir, .to = copy_dir, .compact = compact };

	return in_child(copy_in_child, &c);
}

/* The copy is a store that says the same. */
static void assert_same(const char *wanted)
{
	struct scene s = { .writer = NULL };
	char text[4096];

	snprintf(s.dir, sizeof s.dir, "%s", copy_dir);
	must(&s, scene_open(&s));
	assert_string_equal(scene_text(&s, text, sizeof text), wanted);
	must(&s, scene_cutover(&s, A "@new", true, NULL));
	must(&s, scene_import_text(&s, B, "new", 3, "new"));
	assert_sound(&s);
	scene_close(&s);
}

static void test_plain_and_compact(void **state)
{
	char text[4096];

	scene_text(&scene, text, sizeof text);
	for (int compact = 0; compact < 2; compact++) {
		assert_int_equal(copy(compact), 0);
		assert_same(text);
		remove_tree(copy_dir);
	}
	/* the store itself goes on */
	must(&scene, scene_cutover(&scene, A "@new", true, NULL));
	assert_sound(&scene);
}

static void test_compact_is_smaller(void **state)
{
	struct stat plain, compact;
	char path[400];

	must(&scene, import_large(A, "gone", 2));
	must(&scene, scene_drop(&scene, A, "gone"));
	must(&scene, scene_clean(&scene));
	snprintf(path, sizeof path, "%s/images.mdb", copy_dir);
	assert_int_equal(copy(false), 0);
	assert_int_equal(stat(path, &plain), 0);
	remove_tree(copy_dir);
	assert_int_equal(copy(true), 0);
	assert_int_equal(stat(path, &compact), 0);
	assert_true(compact.st_size + (64 << 10) < plain.st_size);
	assert_int_equal(plain.st_mode & 0777, 0640);
}

static void test_only_into_an_empty_directory(void **state)
{
	char text[4096], path[400];

	assert_int_equal(mkdir(copy_dir, 0700), 0);
	snprintf(path, sizeof path, "%s/something", copy_dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(copy(false), 1);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(copy(false), 0);
	assert_int_equal(copy(false), 1);
	assert_same(scene_text(&scene, text, sizeof text));
}

/* Of a copy that fails nothing is left, whatever it was that failed. */
static void test_failures_leave_nothing(void **state)
{
	static const int errors[] = { ENOSPC, EIO };
	unsigned n, ended = 0;

	for (int compact = 0; compact < 2; compact++)
		for (n = 1; n < 400; n += n < 20 ? 1 : 17) {
			struct copying c = { .from = scene.dir, .to = copy_dir, .compact = compact, .fail = n, .error = errors[n % 2] };
			int rc = in_child(copy_in_child, &c);

			if (rc == 50) {
				ended++;
				remove_tree(copy_dir);
				break;
			}
			assert_int_equal(rc, errors[n % 2] == ENOSPC ? 2 : 3);
			assert_int_equal(access(copy_dir, F_OK), -1);
		}
	assert_int_equal(ended, 2);
}

static uint64_t roll(void *arg)
{
	return dice_next(arg);
}

/* What a power loss leaves of a copy under way is the copy, or none. */
static void test_power_loss_while_copying(void **state)
{
	struct dice dice = { .state = 1 };
	struct disk *disk = disk_new();
	struct record_log log;
	struct err err = ERR_INIT;
	char text[4096], now[4096];
	unsigned whole = 0, none = 0;

	scene_text(&scene, text, sizeof text);
	scene_close(&scene);
	record_begin(copy_dir, &log);
	assert_int_equal(copy_to_new(scene.dir, copy_dir, false, &err), 0);
	record_end();
	for (size_t i = 0; i <= log.count; i++) {
		struct scene s = { .writer = NULL };

		for (unsigned what = 0; what < 4; what++) {
			snprintf(s.dir, sizeof s.dir, "%.240s.power", scene.dir);
			assert_int_equal(mkdir(s.dir, 0700), 0);
			disk_write(disk, what, roll, &dice, NULL, s.dir);
			if (i > 0 && !scene_open(&s) && strcmp(scene_text(&s, now, sizeof now), "")) {
				assert_string_equal(now, text);
				whole++;
			} else {
				none++;
			}
			scene_end(&s);
		}
		if (i < log.count)
			disk_apply(disk, &log.op[i]);
	}
	assert_true(whole > 0 && none > 0);
	disk_free(disk);
	record_log_free(&log);
	must(&scene, scene_open(&scene));
}

/* While the writer goes on: the copy is of one moment. */
static void test_copies_of_a_busy_store(void **state)
{
	struct scene s = { .writer = NULL };

	snprintf(s.dir, sizeof s.dir, "%s", copy_dir);
	for (int i = 0; i < 2; i++) {
		must(&scene, scene_import_text(&scene, A, i ? "s1" : "s0", 5, i ? "s1" : "s0"));
		must(&scene, scene_import_text(&scene, B, i ? "s1" : "s0", 5, i ? "s1" : "s0"));
	}
	for (int round = 0; round < 6; round++) {
		struct copying c = { .from = scene.dir, .to = copy_dir, .compact = round % 2 };
		char a[128], b[128];
		int status;
		pid_t pid;

		fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(copy_in_child(&c));
		/* both zones always go together */
		for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
			must(&scene, scene_cutover(&scene, i % 2 ? A "@s1 " B "@s1" : A "@s0 " B "@s0", false, NULL));
			must(&scene, import_large(A, "staged", (uint64_t)i));
			must(&scene, scene_cutover(&scene, A "@old " B "@old", false, NULL));
			must(&scene, scene_cutover(&scene, A "@new", true, NULL));
			must(&scene, scene_rollback(&scene, A, NULL));
		}
		assert_int_equal(status, 0);
		must(&s, scene_open(&s));
		scene_live(&s, A, a);
		scene_live(&s, B, b);
		if (!strncmp(b, "s", 1))
			assert_memory_equal(a, b, 2);
		assert_sound(&s);
		scene_close(&s);
		remove_tree(copy_dir);
	}
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_plain_and_compact),
		with_store(test_compact_is_smaller),
		with_store(test_only_into_an_empty_directory),
		with_store(test_failures_leave_nothing),
		with_store(test_power_loss_while_copying),
		with_store(test_copies_of_a_busy_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
