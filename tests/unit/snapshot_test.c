/*
 * The readers' side of the store: which zone answers a name, and that what
 * was committed is what the next snapshot sees.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/snapshot.h"
#include "store/writer.h"
#include "zone/load.h"
#include "zone/records.h"

struct fixture {
	char dir[64];
	struct store_writer *writer;
	struct store_reader *reader;
};

static const struct who nobody = { .name = "test" };

static void must(int status, const struct err *err)
{
	if (status)
		fail_msg("%s", err->message);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct store_options o = { .catalog_map = 64u << 20, .images_map = 512u << 20, .max_readers = 16 };
	struct err err = ERR_INIT;

	strcpy(f->dir, "/tmp/schwenk-snapshot-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	o.dir = f->dir;
	must(store_writer_open(&f->writer, &o, &err), &err);
	must(store_reader_open(&f->reader, f->dir, &err), &err);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = { "catalog.mdb", "catalog.mdb-lock", "images.mdb", "images.mdb-lock", "STORE" };
	struct fixture *f = *state;

	store_reader_close(f->reader);
	store_writer_close(f->writer);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		char path[128];

		snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static size_t wire(uint8_t *buf, const char *text)
{
	const char *reason;
	size_t n = name_from_text(buf, text, strlen(text), NULL, false, &reason);

	assert_true(n > 0);
	return n;
}

/* ---- the writer's side, as short as can be --------------------------------------- */

static struct catalog_txn *begin(struct fixture *f)
{
	struct err err = ERR_INIT;
	struct catalog_txn *t;

	must(catalog_begin(f->writer, &t, &err), &err);
	return t;
}

static void commit(struct catalog_txn *t)
{
	struct err err = ERR_INIT;

	must(catalog_commit(t, NULL, NULL, &err), &err);
}

static void add_zone(struct fixture *f, const char *name)
{
	struct catalog_txn *t = begin(f);
	struct err err = ERR_INIT;
	uint8_t apex[NAME_MAX_SIZE];
	struct zone_row zone;

	must(catalog_zone_add(t, apex, wire(apex, name), &zone, &err), &err);
	commit(t);
}

static void remove_zone(struct fixture *f, const char *name)
{
	struct catalog_txn *t = begin(f);
	struct err err = ERR_INIT;
	uint8_t apex[NAME_MAX_SIZE];

	must(catalog_zone_remove(t, apex, wire(apex, name), &nobody, NULL, &err), &err);
	commit(t);
}

static int image_of(struct fixture *f, const char *name, const char *text, struct load_result *result)
{
	struct err err = ERR_INIT;
	uint8_t apex[NAME_MAX_SIZE];
	struct load_request q = { .apex = apex, .apex_size = wire(apex, name), .hash_key = store_writer_hash_key(f->writer),
		.text_fd = memfd_create("text", MFD_CLOEXEC), .text_name = "text", .image_fd = memfd_create("image", MFD_CLOEXEC),
		.scratch_fd = -1 };

	assert_int_equal(write(q.text_fd, text, strlen(text)), (ssize_t)strlen(text));
	lseek(q.text_fd, 0, SEEK_SET);
	must(zone_load(&q, result, &err), &err);
	close(q.text_fd);
	return q.image_fd;
}

/* A set, ready; the image's chunks in the store. */
static void add_set(struct fixture *f, const char *name, const char *set_name, const char *text)
{
	struct err err = ERR_INIT;
	struct load_result r;
	int fd = image_of(f, name, text, &r), n;
	struct catalog_txn *t = begin(f);
	uint8_t apex[NAME_MAX_SIZE];
	struct copy_in *copy;
	struct zone_row zone;
	struct set_row set;
	uint64_t image;

	must(catalog_zone(t, apex, wire(apex, name), &zone, &err), &err);
	must(catalog_set_begin(t, &zone, set_name, "test", &set, &err), &err);
	image = catalog_next_image_id(t);
	commit(t);
	must(copy_in_begin(f->writer, fd, 0, r.image_size, image, &copy, &err), &err);
	while ((n = copy_in_step(copy, 4000, &err)) > 0)
		;
	must(n, &err);
	copy_in_free(copy);
	close(fd);
	t = begin(f);
	must(catalog_set(t, set.id, &set, &err), &err);
	set.state = SET_READY;
	set.edition = 1;
	set.soa_serial = r.soa_serial;
	set.images = 1;
	set.image[0] = (struct set_image){ image, 0, 1, r.image_size };
	memcpy(set.hash.word, r.header.content, sizeof set.hash.word);
	must(catalog_set_finish(t, &set, &err), &err);
	commit(t);
}

static void cut_over(struct fixture *f, const char *name, const char *set)
{
	struct catalog_txn *t = begin(f);
	struct switch_item item = { .apex_size = 0 };
	struct switch_request q = { .kind = SWITCH_CUTOVER, .items = &item, .count = 1, .hold = true, .who = nobody, .now_us = 1 };
	struct switch_result result;
	struct err err = ERR_INIT;

	item.apex_size = (uint8_t)wire(item.apex, name);
	strcpy(item.set, set);
	must(catalog_switch(t, &q, &result, &err), &err);
	switch_result_free(&result);
	commit(t);
}

/* A zone with one TXT record that tells which it is. */
static void serve(struct fixture *f, const char *zone, const char *mark)
{
	char text[512];

	snprintf(text, sizeof text, "$TTL 60\n@ SOA ns.invalid. h.invalid. 1 1 1 1 1\n@ NS ns.invalid.\n@ TXT \"%s\"\n", mark);
	add_set(f, zone, mark, text);
	cut_over(f, zone, mark);
}

/* ---- the reader's side --------------------------------------------------------------- */

/* What answers the name: the TXT at the apex of its zone, or "". */
static const char *ask(struct fixture *f, const char *text, bool parent_side, bool *prepared)
{
	static char mark[64];
	uint8_t buf[NAME_MAX_SIZE], scratch[RECORD_SCRATCH];
	const struct zone_view *z;
	struct name name;
	struct rrset set;
	struct record_walk walk;
	struct record record;
	struct found apex;
	bool ignored;

	assert_true(name_parse(&name, buf, wire(buf, text), store_hash_key(f->reader)) > 0);
	z = snapshot_find_zone(f->reader, &name, parent_side, prepared ? prepared : &ignored);
	if (!z)
		return "";
	if (z->unreadable)
		return "unreadable";
	apex = view_find(&z->view, name.hash[name.labels - z->view.apex_labels], (const uint8_t *)"", 0);
	assert_non_null(apex.node);
	assert_true(found_rrset(apex, 16, &set));
	record_walk_begin(&walk, &set, false, z->view.apex, z->view.apex_size);
	assert_true(record_walk_next(&walk, &record, scratch));
	memcpy(mark, record.rdata + 1, record.rdata[0]);
	mark[record.rdata[0]] = '\0';
	return mark;
}

static void snapshot(struct fixture *f)
{
	struct err err = ERR_INIT;

	must(snapshot_begin(f->reader, &err), &err);
}

static void assert_answers(struct fixture *f, const char *name, const char *mark)
{
	snapshot(f);
	assert_string_equal(ask(f, name, false, NULL), mark);
	assert_string_equal(ask(f, name, false, NULL), mark);  /* out of the table */
	snapshot_end(f->reader);
}

static void the_longest_zone_answers(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 5; i++) {
		static const char *const zone[] = { "example", "shop.example", "a.b.shop.example", "shopa.example", "sho.example" };

		add_zone(f, zone[i]);
		serve(f, zone[i], ((const char *const[]){ "tld", "shop", "deep", "shopa", "sho" })[i]);
	}
	for (int round = 0; round < 2; round++) {
		assert_answers(f, "example", "tld");
		assert_answers(f, "www.example", "tld");
		assert_answers(f, "shop.example", "shop");
		assert_answers(f, "b.shop.example", "shop");
		assert_answers(f, "zz.b.shop.example", "shop");
		assert_answers(f, "a.b.shop.example", "deep");
		assert_answers(f, "x.y.a.b.shop.example", "deep");
		assert_answers(f, "aa.b.shop.example", "shop");
		assert_answers(f, "shopa.example", "shopa");
		assert_answers(f, "shop\\000.example", "tld");
		assert_answers(f, "sho.example", "sho");
		assert_answers(f, "zzz.example", "tld");
		assert_answers(f, "examplf", "");
		assert_answers(f, "a", "");
		assert_answers(f, ".", "");
	}
}

static void the_root_is_a_zone_too(void **state)
{
	struct fixture *f = *state;

	add_zone(f, ".");
	serve(f, ".", "root");
	add_zone(f, "shop.example");
	serve(f, "shop.example", "shop");
	assert_answers(f, ".", "root");
	assert_answers(f, "example", "root");
	assert_answers(f, "a.shop.example", "shop");
	assert_answers(f, "zz", "root");
}

static void a_prepared_zone_takes_no_part(void **state)
{
	struct fixture *f = *state;
	bool prepared;

	add_zone(f, "shop.example");
	snapshot(f);
	assert_string_equal(ask(f, "www.shop.example", false, &prepared), "");
	assert_true(prepared);
	assert_string_equal(ask(f, "example", false, &prepared), "");
	assert_false(prepared);
	snapshot_end(f->reader);
	add_zone(f, "example");
	serve(f, "example", "tld");
	snapshot(f);
	assert_string_equal(ask(f, "www.shop.example", false, &prepared), "tld");
	assert_false(prepared);
	snapshot_end(f->reader);
	serve(f, "shop.example", "shop");
	assert_answers(f, "www.shop.example", "shop");
}

static void ds_is_the_parents_where_the_parent_is_here(void **state)
{
	struct fixture *f = *state;

	add_zone(f, "shop.example");
	serve(f, "shop.example", "shop");
	snapshot(f);
	assert_string_equal(ask(f, "shop.example", true, NULL), "shop");
	snapshot_end(f->reader);
	add_zone(f, "example");
	serve(f, "example", "tld");
	snapshot(f);
	assert_string_equal(ask(f, "shop.example", true, NULL), "tld");
	assert_string_equal(ask(f, "www.shop.example", true, NULL), "shop");
	assert_string_equal(ask(f, "example", true, NULL), "tld");
	snapshot_end(f->reader);
}

static void commits_show_in_the_next_snapshot_only(void **state)
{
	struct fixture *f = *state;

	add_zone(f, "shop.example");
	serve(f, "shop.example", "old");
	add_set(f, "shop.example", "new", "$TTL 60\n@ SOA a. b. 1 1 1 1 1\n@ NS a.\n@ TXT new\n");
	snapshot(f);
	assert_string_equal(ask(f, "shop.example", false, NULL), "old");
	cut_over(f, "shop.example", "new");
	assert_string_equal(ask(f, "shop.example", false, NULL), "old");
	snapshot_end(f->reader);
	assert_answers(f, "shop.example", "new");
	cut_over(f, "shop.example", "old");
	assert_answers(f, "shop.example", "old");
}

static void zones_that_come_and_go_are_followed(void **state)
{
	struct fixture *f = *state;

	add_zone(f, "example");
	serve(f, "example", "tld");
	assert_answers(f, "www.shop.example", "tld");
	add_zone(f, "shop.example");
	serve(f, "shop.example", "shop");
	assert_answers(f, "www.shop.example", "shop");
	remove_zone(f, "shop.example");
	assert_answers(f, "www.shop.example", "tld");
	add_zone(f, "shop.example");
	assert_answers(f, "www.shop.example", "tld");
	serve(f, "shop.example", "again");
	assert_answers(f, "www.shop.example", "again");
	remove_zone(f, "example");
	assert_answers(f, "www.example", "");
	assert_answers(f, "www.shop.example", "again");
}

static void a_reader_far_behind_looks_up_all_anew(void **state)
{
	struct fixture *f = *state;

	add_zone(f, "shop.example");
	serve(f, "shop.example", "old");
	add_set(f, "shop.example", "new", "$TTL 60\n@ SOA a. b. 1 1 1 1 1\n@ NS a.\n@ TXT new\n");
	assert_answers(f, "shop.example", "old");
	cut_over(f, "shop.example", "new");
	add_zone(f, "other.example");
	for (int i = 0; i < 1100; i++) {
		char name[32];

		snprintf(name, sizeof name, "z%d.other.example", i);
		add_zone(f, name);
	}
	assert_answers(f, "shop.example", "new");
}

static void a_removed_image_is_no_nxdomain(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	add_zone(f, "shop.example");
	serve(f, "shop.example", "old");
	for (uint64_t image = 1; image < 10; image++)
		while (store_image_delete_step(f->writer, image, 4000, &err) > 0)
			;
	assert_answers(f, "shop.example", "unreadable");
}

static void orphans_go_and_others_stay(void **state)
{
	struct fixture *f = *state;
	struct store_options o = { .dir = f->dir, .catalog_map = 64u << 20, .images_map = 512u << 20, .max_readers = 16 };
	struct err err = ERR_INIT;
	struct load_result r;
	struct copy_in *copy;
	uint64_t cursor = 0;
	unsigned deleted = 0;
	int fd, n;

	add_zone(f, "shop.example");
	serve(f, "shop.example", "old");
	fd = image_of(f, "shop.example", "@ 5 SOA a. b. 1 1 1 1 1\n@ 5 NS a.\n", &r);
	must(copy_in_begin(f->writer, fd, 0, r.image_size, 77, &copy, &err), &err);
	assert_int_equal(copy_in_step(copy, 60000000, &err), 0);
	copy_in_free(copy);
	close(fd);
	store_reader_close(f->reader);
	store_writer_close(f->writer);
	must(store_writer_open(&f->writer, &o, &err), &err);
	must(store_reader_open(&f->reader, f->dir, &err), &err);
	while ((n = store_orphans_step(f->writer, &cursor, &deleted, &err)) > 0)
		;
	must(n, &err);
	assert_int_equal(deleted, 1);
	assert_answers(f, "shop.example", "old");
}

/* More zones than the table takes: they come and go within one batch. */
static void many_zones_pass_through_the_table(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 300; i++) {
		char name[32], mark[16];

		snprintf(name, sizeof name, "z%d.example", i);
		snprintf(mark, sizeof mark, "m%d", i);
		add_zone(f, name);
		serve(f, name, mark);
	}
	for (int round = 0; round < 3; round++) {
		snapshot(f);
		for (int i = 0; i < 300; i++) {
			char name[32], mark[16];

			snprintf(name, sizeof name, "www.z%d.example", i);
			snprintf(mark, sizeof mark, "m%d", i);
			assert_string_equal(ask(f, name, false, NULL), mark);
		}
		snapshot_end(f->reader);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_longest_zone_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(the_root_is_a_zone_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_prepared_zone_takes_no_part, setup, teardown),
		cmocka_unit_test_setup_teardown(ds_is_the_parents_where_the_parent_is_here, setup, teardown),
		cmocka_unit_test_setup_teardown(commits_show_in_the_next_snapshot_only, setup, teardown),
		cmocka_unit_test_setup_teardown(zones_that_come_and_go_are_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reader_far_behind_looks_up_all_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(a_removed_image_is_no_nxdomain, setup, teardown),
		cmocka_unit_test_setup_teardown(orphans_go_and_others_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(many_zones_pass_through_the_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
