/* Opening a store: versions, other writers, readers, room, copies. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/catalog_internal.h"
#include "store/writer_internal.h"
#include "../support/record_writes.h"
#include "store_scene.h"

#define A "a.example"

static struct scene scene;
static char path[512];

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", scene.dir, name);
	return path;
}

static int setup(void **state)
{
	memset(&scene, 0, sizeof scene);
	scene_begin(&scene);
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "old", 1, "old"));
	must(&scene, scene_import_text(&scene, A, "new", 2, "new"));
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	return 0;
}

static int teardown(void **state)
{
	scene_end(&scene);
	return 0;
}

static void put_file(const char *name, const char *text, size_t size)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, size), size);
	close(fd);
}

/* ---- versions -------------------------------------------------------------------- */

static void test_other_versions_are_explained(void **state)
{
	static const struct { const char *text, *says; } rows[] = {
		{ "Schwenk store\nschema 3\nlmdb 0.9\n", "schema 3" }, { "Schwenk store\nschema 2\nlmdb 1.0\n", "LMDB 1.0" },
		{ "something else\n", "not understood" }, { "", "not understood" },
	};

	scene_close(&scene);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		put_file(STORE_SIDE_FILE, rows[i].text, strlen(rows[i].text));
		must_fail(&scene, ERR_VERSION, scene_open(&scene));
		assert_non_null(strstr(scene.err.message, rows[i].says));
		scene_close(&scene);
	}
	put_file(STORE_SIDE_FILE, "Schwenk store\nschema 2\nlmdb 0.9\n", 32);
	must(&scene, scene_open(&scene));
}

/* Whatever opens a store of schema 1, whose images are of format 1, says the
 * way to one of ours. */
static void test_schema_1_is_refused_by_all(void **state)
{
	struct store_reader *reader = NULL;
	struct fsck_report report;
	char to[512];

	scene_close(&scene);
	put_file(STORE_SIDE_FILE, "Schwenk store\nschema 1\nlmdb 0.9\n", 32);
	snprintf(to, sizeof to, "%s", in_dir("copy"));
	for (unsigned i = 0; i < 4; i++) {
		int rc = i == 0 ? scene_open(&scene) : i == 1 ? store_reader_open(&reader, scene.dir, &scene.err) :
			i == 2 ? store_fsck(scene.dir, &report, NULL, NULL, NULL, &scene.err) : store_copy(scene.dir, to, false, &scene.err);

		must_fail(&scene, ERR_VERSION, rc);
		assert_non_null(strstr(scene.err.message, "schema 1"));
		assert_non_null(strstr(scene.err.message, "text backup"));
		scene_close(&scene);
	}
}

/* LMDB itself can say only "not an LMDB file". */
static void test_a_file_of_another_lmdb(void **state)
{
	scene_close(&scene);
	put_file("catalog.mdb", "no database at all, but long enough to have a page: ", 52);
	assert_int_equal(truncate(in_dir("catalog.mdb"), 1 << 20), 0);
	must_fail(&scene, ERR_VERSION, scene_open(&scene));
	assert_non_null(strstr(scene.err.message, "text backup"));
	assert_non_null(strstr(scene.err.message, "LMDB"));
	scene_close(&scene);
}

static void test_another_schema_in_the_catalog(void **state)
{
	struct catalog_txn *t;

	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	t->meta.schema = STORE_SCHEMA + 1;
	t->dirty = true;
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	must_fail(&scene, ERR_VERSION, catalog_begin(scene.writer, &t, &scene.err));
	scene_close(&scene);
	must_fail(&scene, ERR_VERSION, scene_open(&scene));
	scene_close(&scene);
}

static void test_files_of_two_stores(void **state)
{
	struct scene other = { .writer = NULL };
	char from[512];

	scene_begin(&other);
	scene_close(&other);
	scene_close(&scene);
	snprintf(from, sizeof from, "%s/images.mdb", other.dir);
	assert_int_equal(rename(from, in_dir("images.mdb")), 0);
	must_fail(&scene, ERR_CORRUPT, scene_open(&scene));
	assert_non_null(strstr(scene.err.message, "not of one store"));
	scene_close(&scene);
	scene_end(&other);
}

static int import_large(const char *set, size_t names)
{
	struct import in = { .zone = A, .set = set, .serial = 1 };
	struct model m;
	int rc;

	model_random(&m, A, names, names, 0);
	in.model = &m;
	rc = scene_import(&scene, &in, NULL);
	model_free(&m);
	return rc;
}

static int open_reader(void *arg)
{
	struct store_reader *r;
	struct err err = ERR_INIT;

	if (!store_reader_open(&r, arg, &err))
		return 0;
	return err_is(&err, ERR_CORRUPT) && strstr(err.message, "cut short") ? 1 : 2;
}

/* LMDB would map it as if it were whole. */
static void test_a_file_cut_short(void **state)
{
	must(&scene, import_large("large", 4000));
	scene_close(&scene);
	assert_int_equal(in_child(open_reader, scene.dir), 0);
	assert_int_equal(truncate(in_dir("images.mdb"), 20 * 4096), 0);
	assert_int_equal(in_child(open_reader, scene.dir), 1);
	must_fail(&scene, ERR_CORRUPT, scene_open(&scene));
	assert_non_null(strstr(scene.err.message, "images.mdb is cut short"));
	scene_close(&scene);
}

/* A file that is gone is not made anew: what the other one says would be
 * answered by SERVFAIL, or forgotten. */
static void test_half_a_store(void **state)
{
	static const char *const names[] = { "images.mdb", "catalog.mdb" };

	scene_close(&scene);
	for (int i = 0; i < 2; i++) {
		char aside[512];

		snprintf(aside, sizeof aside, "%s/aside", scene.dir);
		assert_int_equal(rename(in_dir(names[i]), aside), 0);
		must_fail(&scene, ERR_CORRUPT, scene_open(&scene));
		assert_non_null(strstr(scene.err.message, names[i]));
		assert_int_equal(access(in_dir(names[i]), F_OK), -1);
		scene_close(&scene);
		assert_int_equal(rename(aside, in_dir(names[i])), 0);
	}
	must(&scene, scene_open(&scene));
	scene_close(&scene);
	/* a copy that was cut short after the catalog */
	assert_int_equal(unlink(in_dir("images.mdb")), 0);
	assert_int_equal(unlink(in_dir(STORE_SIDE_FILE)), 0);
	must_fail(&scene, ERR_CORRUPT, scene_open(&scene));
	assert_int_equal(access(in_dir(STORE_SIDE_FILE), F_OK), -1);
	scene_close(&scene);
}

static void test_no_store(void **state)
{
	struct store_reader *r;
	struct err err = ERR_INIT;

	scene_close(&scene);
	assert_int_equal(store_reader_open(&r, "/nonexistent", &err), -1);
	assert_string_equal(err.code, ERR_SYSTEM);
	assert_int_equal(unlink(in_dir(STORE_SIDE_FILE)), 0);
	err_clear(&err);
	assert_int_equal(store_reader_open(&r, scene.dir, &err), -1);
	assert_non_null(strstr(err.message, STORE_SIDE_FILE));
	/* what is there is not made anew because the side file is gone */
	must(&scene, scene_open(&scene));
	assert_string_equal(scene_live(&scene, A, path), "old/1");
}

/* ---- others that write ------------------------------------------------------------- */

static int write_beside(void *arg)
{
	struct scene s = *(struct scene *)arg;

	s.writer = NULL;
	if (scene_open(&s) || scene_zone_add(&s, "intruder.example"))
		return 1;
	scene_close(&s);
	return 0;
}

static void test_a_second_writer_is_noticed(void **state)
{
	char live[128];

	assert_int_equal(in_child(write_beside, &scene), 0);
	must_fail(&scene, ERR_CORRUPT, scene_cutover(&scene, A "@new", false, NULL));
	assert_non_null(strstr(scene.err.message, "someone else"));
	must_fail(&scene, ERR_CORRUPT, scene_zone_add(&scene, "b.example"));
	scene_close(&scene);
	must(&scene, scene_open(&scene));
	assert_string_equal(scene_live(&scene, A, live), "old/1");
	must(&scene, scene_cutover(&scene, A "@new", false, NULL));
	assert_sound(&scene);
}

/* A transaction in which nothing was put is none. */
static void test_empty_transactions(void **state)
{
	struct store_env *env[2] = { &scene.writer->catalog, &scene.writer->images };

	for (int i = 0; i < 4; i++) {
		MDB_txn *txn;

		must(&scene, env_begin_write(env[i % 2], &txn, &scene.err));
		must(&scene, env_commit(env[i % 2], txn, &scene.err));
	}
	must(&scene, scene_import_text(&scene, A, "new", 3, "newer"));
	must(&scene, scene_cutover(&scene, A "@new", false, NULL));
}

/* ---- readers -------------------------------------------------------------------------- */

static int die_with_a_snapshot(void *arg)
{
	struct store_reader *r;
	struct err err = ERR_INIT;

	if (store_reader_open(&r, arg, &err) || snapshot_begin(r, &err))
		return 1;
	raise(SIGKILL);
	return 2;
}

static void test_stale_readers_are_cleared(void **state)
{
	struct store_space catalog, images;

	assert_int_equal(in_child(die_with_a_snapshot, scene.dir), 127);
	must(&scene, scene_cutover(&scene, A "@new", false, NULL));
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	must(&scene, store_space(scene.writer, &catalog, &images, &scene.err));
	assert_true(catalog.oldest_reader_lag >= 2);
	store_writer_clear_stale_readers(scene.writer);
	for (int i = 0; i < 1000 && (catalog.oldest_reader_lag || images.oldest_reader_lag); i++) {
		usleep(1000);
		must(&scene, store_space(scene.writer, &catalog, &images, &scene.err));
	}
	assert_int_equal(catalog.oldest_reader_lag, 0);
	assert_int_equal(images.oldest_reader_lag, 0);
}

/* ---- room --------------------------------------------------------------------------------- */

static void abandon(void)
{
	struct catalog_txn *t;
	unsigned count;

	err_clear(&scene.err);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_abandon_loading(t, &count, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
}

static void drop_orphans(void)
{
	uint64_t cursor = 0;
	unsigned deleted = 0;
	int rc;

	scene_close(&scene);
	must(&scene, scene_open(&scene));
	while ((rc = store_orphans_step(scene.writer, &cursor, &deleted, &scene.err)) == 1)
		;
	must(&scene, rc);
	assert_true(deleted > 0);
}

/* A full map stops imports, never a switch; what is dropped gives room. */
static void test_a_full_map(void **state)
{
	char set[16];
	unsigned sets = 0;
	int rc = 0;

	scene_end(&scene);
	memset(&scene, 0, sizeof scene);
	scene.map = 6 << 20;
	scene_begin(&scene);
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "old", 1, "old"));
	must(&scene, scene_import_text(&scene, A, "new", 1, "new"));
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	while (!rc && sets < 40) {
		snprintf(set, sizeof set, "s%u", sets);
		rc = import_large(set, 4000);
		sets += !rc;
	}
	must_fail(&scene, ERR_FULL, rc);
	assert_true(sets > 0 && sets < 40);
	for (int i = 0; i < 100; i++) {
		must(&scene, scene_cutover(&scene, A "@new", true, NULL));
		must(&scene, scene_rollback(&scene, A, NULL));
	}
	assert_sound(&scene);
	abandon();
	must(&scene, scene_drop(&scene, A, "s0"));
	must(&scene, scene_clean(&scene));
	drop_orphans();
	must(&scene, import_large("s0", 4000));
	assert_sound(&scene);
}

/* Zones first to first + 49, each with a row of a kilobyte, in one transaction. */
static int add_fifty(unsigned first)
{
	char properties[900];
	struct catalog_txn *t;

	err_clear(&scene.err);
	memset(properties, 'p', sizeof properties - 1);
	properties[sizeof properties - 1] = '\0';
	if (catalog_begin_bulk(scene.writer, &t, &scene.err))
		return -1;
	for (unsigned i = first; i < first + 50; i++) {
		uint8_t apex[NAME_MAX_SIZE];
		char name[32];
		struct zone_row zone;
		size_t size;

		/* not in order, as names come */
		snprintf(name, sizeof name, "z%08x.example", i * 2654435761u);
		size = apex_of(name, apex);
		if (catalog_zone_add(t, apex, size, &zone, &scene.err) ||
		    catalog_zone_set_properties(t, apex, size, properties, &scene.err)) {
			catalog_abort(t);
			return -1;
		}
	}
	return catalog_commit(t, NULL, NULL, &scene.err);
}

/* A full catalog stops who adds rows in numbers, never a switch. */
static void test_a_full_catalog(void **state)
{
	struct store_space catalog, images;
	unsigned zones = 0;
	int rc;

	scene_end(&scene);
	memset(&scene, 0, sizeof scene);
	scene.map = 8 << 20;
	scene_begin(&scene);
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "old", 1, "old"));
	must(&scene, scene_import_text(&scene, A, "new", 1, "new"));
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	while (!(rc = add_fifty(zones)) && zones < 20000)
		zones += 50;
	must_fail(&scene, ERR_FULL, rc);
	assert_non_null(strstr(scene.err.message, "catalog-map-size"));
	must(&scene, store_space(scene.writer, &catalog, &images, &scene.err));
	assert_true(zones >= 1000 && catalog.map - catalog.used >= 1 << 20);
	for (int i = 0; i < 100; i++) {
		must(&scene, scene_cutover(&scene, A "@new", true, NULL));
		must(&scene, scene_rollback(&scene, A, NULL));
	}
	must_fail(&scene, ERR_FULL, add_fifty(zones));
	assert_sound(&scene);
	for (unsigned i = 0; i < zones; i++) {
		char name[32];

		snprintf(name, sizeof name, "z%08x.example", i * 2654435761u);
		must(&scene, scene_zone_remove(&scene, name));
	}
	must(&scene, add_fifty(zones));
	assert_sound(&scene);
}

/* On a full disk there is what was kept: bulk stops, switches go on. */
static void test_a_full_disk(void **state)
{
	unsigned zones = 0;

	disk_full(scene.dir, true);
	must_fail(&scene, ERR_FULL, import_large("large", 60000));
	while (!add_fifty(zones) && zones < 40000)
		zones += 50;
	must_fail(&scene, ERR_FULL, add_fifty(zones));
	for (int i = 0; i < 100; i++) {
		must(&scene, scene_cutover(&scene, A "@new", true, NULL));
		must(&scene, scene_rollback(&scene, A, NULL));
		if (i % 10 == 0)
			must(&scene, scene_zone_remove(&scene, A ".b") ? scene_zone_add(&scene, A ".b") : 0);
	}
	disk_full(scene.dir, false);
	abandon();
	must(&scene, import_large("large", 60000));
	must(&scene, scene_cutover(&scene, A "@large", true, NULL));
	assert_sound(&scene);
}

/* A child must not inherit a way to write the store, wherever among the
 * descriptors its files are. */
static void test_no_child_inherits_it(void **state)
{
	int held[30];
	unsigned files = 0;

	scene_close(&scene);
	for (unsigned i = 0; i < 30; i++)
		held[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (unsigned i = 0; i < 30; i += 7)
		close(held[i]);
	must(&scene, scene_open(&scene));
	for (int fd = 3; fd < 256; fd++) {
		char link[32], target[512];
		ssize_t n;

		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		n = readlink(link, target, sizeof target - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strncmp(target, scene.dir, strlen(scene.dir)) == 0) {
			files++;
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		}
	}
	assert_true(files >= 4);
	for (unsigned i = 0; i < 30; i++)
		if (i % 7)
			close(held[i]);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_other_versions_are_explained),
		with_store(test_schema_1_is_refused_by_all),
		with_store(test_a_file_of_another_lmdb),
		with_store(test_another_schema_in_the_catalog),
		with_store(test_files_of_two_stores),
		with_store(test_a_file_cut_short),
		with_store(test_half_a_store),
		with_store(test_no_store),
		with_store(test_a_second_writer_is_noticed),
		with_store(test_no_child_inherits_it),
		with_store(test_empty_transactions),
		with_store(test_stale_readers_are_cleared),
		with_store(test_a_full_map),
		with_store(test_a_full_catalog),
		with_store(test_a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
