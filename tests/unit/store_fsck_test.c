/* Does fsck see damage? Every row of the catalog and every chunk is taken
 * away, and octets are changed, one at a time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/catalog_internal.h"
#include "store/lmdb_format.h"
#include "store/writer_internal.h"
#include "../support/record_writes.h"
#include "store_scene.h"

#define A "a.example"
#define B "b.a.example"

static struct scene scene;
static struct { uint8_t *bytes; size_t size, used /* zeros behind */; } kept[2];
static const char *const file[] = { "catalog.mdb", "images.mdb" };

/* ---- a store that has something in every table ------------------------------------- */

static void keep_files(void)
{
	for (int i = 0; i < 2; i++) {
		char path[512];
		ssize_t n;
		int fd;

		snprintf(path, sizeof path, "%s/%s", scene.dir, file[i]);
		fd = open(path, O_RDONLY);
		kept[i].bytes = malloc(8 << 20);
		n = pread(fd, kept[i].bytes, 8 << 20, 0);
		assert_true(n > 0 && n < 8 << 20);
		kept[i].size = kept[i].used = (size_t)n;
		while (!kept[i].bytes[kept[i].used - 1])
			kept[i].used--;
		close(fd);
	}
}

static void restore_files(void)
{
	for (int i = 0; i < 2; i++) {
		char path[512];
		int fd;

		snprintf(path, sizeof path, "%s/%s", scene.dir, file[i]);
		fd = open(path, O_WRONLY | O_TRUNC);
		assert_int_equal(pwrite(fd, kept[i].bytes, kept[i].used, 0), kept[i].used);
		assert_int_equal(ftruncate(fd, (off_t)kept[i].size), 0);
		close(fd);
	}
}

static void loading_set(void)
{
	struct catalog_txn *t;
	struct zone_row zone;
	struct set_row set;

	scene_zone(&scene, B, &zone);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_set_begin(t, &zone, "coming", "a test", &set, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
}

static int setup(void **state)
{
	struct import in = { .zone = A, .set = "work", .serial = 1 };
	struct model m[3];

	memset(&scene, 0, sizeof scene);
	scene.map = 4 << 20;
	scene.base = scene_fast_base();
	record_sparse(true);
	scene_begin(&scene);
	model_random(&m[0], A, 1, 1200, MODEL_CUTS | MODEL_NSEC3);
	model_change(&m[1], &m[0], 1, 9);
	model_change(&m[2], &m[1], 2, 9);
	in.model = &m[0];
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_zone_add(&scene, B));
	must(&scene, scene_import(&scene, &in, NULL));
	must(&scene, scene_import_text(&scene, A, "other", 2, "other"));
	must(&scene, scene_import_text(&scene, B, "one", 1, "one"));
	must(&scene, scene_import_text(&scene, B, "two", 2, "two"));
	must(&scene, scene_group(&scene, "both", A " " B));
	must(&scene, scene_cutover(&scene, A "@work", false, NULL));
	must(&scene, scene_edit(&scene, A, "work", &m[0], &m[1], 3));
	must(&scene, scene_fold(&scene, A, "work"));
	must(&scene, scene_edit(&scene, A, "work", &m[1], &m[2], 4));
	must(&scene, scene_cutover(&scene, B "@one", false, NULL));
	must(&scene, scene_import_text(&scene, A, "two", 2, "two"));
	must(&scene, scene_group_cutover(&scene, "both", "two", true, NULL));
	must(&scene, scene_drop(&scene, A, "other"));
	must(&scene, scene_import_signed(&scene, B, "signed", 50, NULL));
	must(&scene, scene_spare(&scene, B, "signed", 60));
	must(&scene, scene_spare(&scene, B, "signed", 70));
	loading_set();
	for (int i = 0; i < 3; i++)
		model_free(&m[i]);
	scene_close(&scene);
	keep_files();
	assert_int_equal(fsck_here(scene.dir), 0);
	return 0;
}

static int teardown(void **state)
{
	scene_end(&scene);
	for (int i = 0; i < 2; i++)
		free(kept[i].bytes);
	return 0;
}

/* ---- damage -------------------------------------------------------------------------- */

struct victim { bool images; unsigned table; size_t row; size_t octet; uint8_t flip; };

static void quiet(void *arg, const char *problem)
{
	char *first = arg;

	if (!first[0])
		snprintf(first, 512, "%s", problem);
}

/* Problems, or -1 where it cannot be read at all: seen in either case. */
static int64_t problems(char first[512])
{
	struct fsck_report report;
	struct err err = ERR_INIT;

	first[0] = '\0';
	return store_fsck(scene.dir, &report, quiet, NULL, first, &err) ? -1 : (int64_t)report.problems;
}

/* Takes the row away, or changes an octet of its value. false: there is none
 * such. */
static bool damage(const struct victim *v)
{
	struct store_env *env = v->images ? &scene.writer->images : &scene.writer->catalog;
	MDB_cursor *cursor;
	MDB_val key, value;
	MDB_txn *txn;
	bool there;
	int rc;

	must(&scene, env_begin_write(env, &txn, &scene.err));
	assert_int_equal(mdb_cursor_open(txn, env->dbi[v->table], &cursor), 0);
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	for (size_t i = 0; i < v->row && !rc; i++)
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	there = !rc && (!v->flip || v->octet < value.mv_size);
	if (there && v->flip) {
		uint8_t *copy = malloc(value.mv_size);

		memcpy(copy, value.mv_data, value.mv_size);
		copy[v->octet] ^= v->flip;
		value.mv_data = copy;
		assert_int_equal(mdb_cursor_put(cursor, &key, &value, MDB_CURRENT), 0);
		free(copy);
	} else if (there) {
		assert_int_equal(mdb_cursor_del(cursor, 0), 0);
	}
	mdb_cursor_close(cursor);
	must(&scene, env_commit(env, txn, &scene.err));
	return there;
}

/* 1 seen, 0 unseen, -1: there is no such victim. */
static int try(const struct victim *v, char first[512])
{
	bool there;

	restore_files();
	must(&scene, scene_open(&scene));
	there = damage(v);
	scene_close(&scene);
	return !there ? -1 : problems(first) != 0;
}

/* Rows whose loss is none, or cannot be known. */
static bool may_go(enum catalog_table table, size_t row)
{
	/* of changed rows the oldest go anyway; an edition that nothing names */
	return table == T_RETIRED || (table == T_CHANGED && row == 0) || table == T_EDITION;
}

static void test_every_row_is_missed(void **state)
{
	char first[512];
	unsigned rows = 0;

	for (unsigned table = 0; table < T_CATALOG_COUNT; table++)
		for (size_t row = 0;; row++) {
			struct victim v = { .table = table, .row = row };
			int seen = try(&v, first);

			if (seen < 0) {
				/* the story has something in every table but these */
				assert_true(row > 0 || table == T_RETIRED);
				break;
			}
			rows++;
			if (!seen && !may_go(table, row))
				fail_msg("row %zu of table %u is not missed", row, table);
		}
	assert_true(rows > 60);
}

static void test_every_chunk_is_missed(void **state)
{
	char first[512];
	size_t row = 0, unseen = 0;

	for (;; row++) {
		struct victim v = { .images = true, .table = T_CHUNK, .row = row };
		int seen = try(&v, first);

		if (seen < 0)
			break;
		unseen += !seen;
	}
	assert_true(row > 6);
	/* what is garbage may have gone already: of the fold, of the dropped set */
	assert_true(unseen >= 1 && unseen < row / 2);
}

static void test_changed_chunks_are_seen(void **state)
{
	struct dice d = { .state = 3 };
	unsigned tries = 0, seen = 0;
	char first[512];

	for (size_t row = 0; row < 40; row++)
		for (unsigned i = 0; i < (getenv("SCHWENK_SMALL") ? 2 : 8); i++) {
			struct victim v = { .images = true, .table = T_CHUNK, .row = row, .flip = 0x5a };
			int rc;

			/* most of them at the beginning, where headers lie */
			v.octet = dice_below(&d, i % 2 ? 64 : 600);
			rc = try(&v, first);
			if (rc < 0)
				continue;
			tries++;
			seen += (unsigned)rc;
		}
	assert_true(tries > 12);
	assert_true(seen >= tries / 2);         /* not what lies in garbage */
}

/* Not every octet of a row tells (notes, times): but none may do harm, and
 * most are seen. */
static void test_changed_rows_do_no_harm(void **state)
{
	unsigned tries = 0, seen = 0, step = getenv("SCHWENK_SMALL") ? 11 : 3;
	char first[512];

	for (unsigned table = 0; table < T_CATALOG_COUNT; table++)
		for (size_t row = 0; row < 12; row += 2)
			for (size_t octet = row % step; octet < 300; octet += step) {
				struct victim v = { .table = table, .row = row, .octet = octet, .flip = 0xff };
				int rc = try(&v, first);

				if (rc < 0)
					break;
				tries++;
				seen += (unsigned)rc;
			}
	print_message("%u of %u changes were seen\n", seen, tries);
	assert_true(tries > 100);
	assert_true(seen > tries / 2);
}

static void test_problems_name_the_place(void **state)
{
	struct victim v = { .table = T_ZONE_ID, .row = 0 };
	char first[512];

	assert_int_equal(try(&v, first), 1);
	assert_non_null(strstr(first, "zone " A));
	v = (struct victim){ .images = true, .table = T_CHUNK, .octet = 70, .flip = 1 };
	while (try(&v, first) == 0)     /* garbage is not looked at */
		v.row++;
	assert_non_null(strstr(first, B "@one: image "));
}

/* ---- damage below the rows: LMDB's own pages ------------------------------------------- */

#define PAGE 4096

static void write_at(int i, size_t at, const void *octets, size_t size)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/%s", scene.dir, file[i]);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, octets, size, (off_t)at), size);
	close(fd);
}

/* fsck in a process of its own: 1: it found something, 0: nothing. It must not die. */
static int fsck_apart(char first[512])
{
	int pipes[2], status;
	char text[513] = "";
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		n = problems(text + 1) != 0;
		text[0] = n ? '1' : '0';
		_exit(write(pipes[1], text, sizeof text - 1) != sizeof text - 1);
	}
	close(pipes[1]);
	n = read(pipes[0], text, sizeof text - 1);
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) || n <= 0)
		return -1;
	snprintf(first, 512, "%s", text + 1);
	return text[0] == '1';
}

/* Octets at random, in pages at random: a run of them, the head, the whole. */
static void test_random_pages_do_not_kill(void **state)
{
	unsigned tries = getenv("SCHWENK_SMALL") ? 100 : 600, seen = 0, named = 0;
	struct dice d = { .state = 8 };
	uint8_t octets[PAGE];
	char first[512];

	for (unsigned t = 0; t < tries; t++) {
		int i = (int)dice_below(&d, 2), rc;
		size_t page = dice_below(&d, kept[i].used / PAGE), at = 0, size = PAGE;

		if (t % 3 == 0)
			size = 16 + dice_below(&d, 48);
		else if (t % 3 == 1)
			at = dice_below(&d, PAGE - 64), size = 1 + dice_below(&d, 64);
		for (size_t k = 0; k < size; k++)
			octets[k] = (uint8_t)dice_below(&d, 256);
		restore_files();
		write_at(i, page * PAGE + at, octets, size);
		rc = fsck_apart(first);
		if (rc < 0)
			fail_msg("fsck died: %s, %zu octets at %zu of page %zu (try %u)", file[i], size, at, page, t);
		seen += (unsigned)rc;
		named += strstr(first, "page ") != NULL;
	}
	print_message("%u of %u were seen, %u by the page\n", seen, tries, named);
	/* not what is free, nor the inside of what is garbage */
	assert_true(seen > tries / 3);
	assert_true(named > tries / 8);
}

/* Where in the file the newer meta page is. */
static size_t newer_meta(int i, struct lmdb_meta *meta)
{
	struct lmdb_meta other;

	memcpy(meta, kept[i].bytes + sizeof(struct lmdb_page), sizeof *meta);
	memcpy(&other, kept[i].bytes + PAGE + sizeof(struct lmdb_page), sizeof other);
	if (other.txn < meta->txn)
		return 0;
	*meta = other;
	return PAGE;
}

static void must_be_told(const char *wanted)
{
	char first[512];

	assert_int_equal(fsck_apart(first), 1);
	if (!strstr(first, wanted))
		fail_msg("\"%s\", not \"%s\"", first, wanted);
}

static void test_damaged_pages_are_named(void **state)
{
	struct lmdb_meta meta;
	uint16_t wild = 0xfff1;
	uint64_t far = 1 << 30;
	char wanted[64];
	size_t at;

	for (int i = 0; i < 2; i++) {
		at = newer_meta(i, &meta);
		snprintf(wanted, sizeof wanted, "%s: page %llu, of the tables: ", file[i], (unsigned long long)meta.table[1].root);
		/* lower, upper, a node's place, the number */
		for (unsigned where = 12; where < 18; where += 2) {
			restore_files();
			write_at(i, meta.table[1].root * PAGE + where, &wild, sizeof wild);
			must_be_told(wanted);
		}
		restore_files();
		write_at(i, meta.table[1].root * PAGE, &far, sizeof far);
		must_be_told(wanted);
		/* the meta page leads out of the file; in a circle */
		restore_files();
		write_at(i, at + sizeof(struct lmdb_page) + offsetof(struct lmdb_meta, table[1].root), &far, sizeof far);
		must_be_told("page 1073741824, of the tables: ");
		restore_files();
		write_at(i, at + sizeof(struct lmdb_page) + offsetof(struct lmdb_meta, table[0].root), &meta.table[1].root, 8);
		must_be_told(", of the free pages: ");
	}
}

static void test_damaged_head(void **state)
{
	uint32_t size[] = { 0, 1, 4095, 1u << 31 };
	struct err err = ERR_INIT;
	struct fsck_report report;

	for (size_t k = 0; k < 4; k++)
		for (size_t page = 0; page < 2; page++) {
			restore_files();
			write_at(0, page * PAGE + sizeof(struct lmdb_page) + offsetof(struct lmdb_meta, table[0].pad), &size[k], sizeof size[k]);
			err_clear(&err);
			assert_int_equal(store_fsck(scene.dir, &report, NULL, NULL, NULL, &err), -1);
			assert_string_equal(err.code, ERR_CORRUPT);
			assert_non_null(strstr(err.message, page ? "page 1 is damaged" : "page 0 is damaged"));
		}
}

static void no_progress(void *arg, double share)
{
	double *last = arg;

	assert_true(share >= *last && share <= 1);
	*last = share;
}

static void test_report_and_progress(void **state)
{
	struct fsck_report report;
	struct err err = ERR_INIT;
	double last = 0;

	restore_files();
	assert_int_equal(store_fsck(scene.dir, &report, NULL, no_progress, &last, &err), 0);
	assert_true(last == 1);
	assert_int_equal(report.problems, 0);
	assert_int_equal(report.zones, 2);
	assert_int_equal(report.sets, 7);
	assert_true(report.nodes > 1000 && report.records > report.nodes && report.images >= 5);
	assert_int_equal(store_fsck("/nonexistent", &report, NULL, NULL, NULL, &err), -1);
	assert_string_equal(err.code, ERR_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_missed),
		cmocka_unit_test(test_every_chunk_is_missed),
		cmocka_unit_test(test_changed_chunks_are_seen),
		cmocka_unit_test(test_changed_rows_do_no_harm),
		cmocka_unit_test(test_problems_name_the_place),
		cmocka_unit_test(test_random_pages_do_not_kill),
		cmocka_unit_test(test_damaged_pages_are_named),
		cmocka_unit_test(test_damaged_head),
		cmocka_unit_test(test_report_and_progress),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
