/*
 * Editions: edits, images that span several of them, folds; what is kept of
 * them and what is given up.
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

struct fixture {
	char dir[64];
	struct store_writer *writer;
	struct store_reader *reader;
	uint8_t apex[NAME_MAX_SIZE]; size_t apex_size;
	uint64_t set;
};

static const struct who nobody = { .name = "test" };
static const char text[] = "$TTL 60\n@ SOA ns.invalid. h.invalid. 1 1 1 1 1\n@ NS ns.invalid.\nn0 TXT \"base\"\n";

static void must(int status, const struct err *err)
{
	if (status)
		fail_msg("%s", err->message);
}

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

/* The image of a file into the store; its id. */
static uint64_t put_image(struct fixture *f, int fd, uint64_t size)
{
	struct catalog_txn *t = begin(f);
	uint64_t id = catalog_next_image_id(t);
	struct err err = ERR_INIT;
	struct copy_in *copy;
	int n;

	commit(t);
	must(copy_in_begin(f->writer, fd, 0, size, id, &copy, &err), &err);
	while ((n = copy_in_step(copy, 4000, &err)) > 0)
		;
	must(n, &err);
	copy_in_free(copy);
	return id;
}

static void add_set(struct fixture *f)
{
	struct err err = ERR_INIT;
	struct load_request q = { .apex = f->apex, .apex_size = f->apex_size, .hash_key = store_writer_hash_key(f->writer),
		.text_fd = memfd_create("text", MFD_CLOEXEC), .text_name = "text", .image_fd = memfd_create("image", MFD_CLOEXEC),
		.scratch_fd = -1 };
	struct load_result r;
	struct zone_row zone;
	struct set_row set;
	struct catalog_txn *t = begin(f);

	must(catalog_zone_add(t, f->apex, f->apex_size, &zone, &err), &err);
	must(catalog_set_begin(t, &zone, "old", "test", &set, &err), &err);
	commit(t);
	assert_int_equal(write(q.text_fd, text, strlen(text)), (ssize_t)strlen(text));
	lseek(q.text_fd, 0, SEEK_SET);
	must(zone_load(&q, &r, &err), &err);
	set.state = SET_READY;
	set.edition = 1;
	set.soa_serial = 1;
	set.records = r.header.records;
	set.rrsets = r.header.rrsets;
	set.nodes = r.header.nodes;
	set.images = 1;
	set.image[0] = (struct set_image){ put_image(f, q.image_fd, r.image_size), 0, 1, r.image_size };
	memcpy(set.hash.word, r.header.content, sizeof set.hash.word);
	t = begin(f);
	must(catalog_set_finish(t, &set, &err), &err);
	commit(t);
	f->set = set.id;
	close(q.text_fd);
	close(q.image_fd);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct store_options o = { .catalog_map = 64u << 20, .images_map = 512u << 20, .max_readers = 16 };
	struct err err = ERR_INIT;
	const char *reason;

	strcpy(f->dir, "/tmp/schwenk-edition-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	o.dir = f->dir;
	must(store_writer_open(&f->writer, &o, &err), &err);
	must(store_reader_open(&f->reader, f->dir, &err), &err);
	f->apex_size = name_from_text(f->apex, "shop.example", 12, NULL, false, &reason);
	add_set(f);
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

/* ---- what is done to the set ------------------------------------------------------ */

static struct set_row row_of(struct fixture *f, uint32_t edition)
{
	struct err err = ERR_INIT;
	struct set_row set;

	must(snapshot_begin(f->reader, &err), &err);
	if (edition)
		must(catalog_set_at(snapshot_catalog(f->reader), (struct set_at){ f->set, edition }, &set, &err), &err);
	else
		must(catalog_set(snapshot_catalog(f->reader), f->set, &set, &err), &err);
	snapshot_end(f->reader);
	return set;
}

/* A record more; the image stands on stands_on, which the change alone does
 * where that is the edition, else the deltas are brought along. */
static int edit(struct fixture *f, uint32_t from, uint32_t stands_on, const char *line, struct err *err)
{
	struct change_request q = { .text = line, .text_size = strlen(line), .text_name = "change",
		.image_fd = memfd_create("delta", MFD_CLOEXEC) };
	struct set_row set = row_of(f, from);
	struct set_image delta = { .from = stands_on };
	struct change_result r;
	struct catalog_txn *t;
	struct view view;
	int status;

	must(snapshot_begin(f->reader, err), err);
	must(snapshot_open_set(f->reader, f->set, from, &view, err), err);
	q.base = &view;
	must(zone_change(&q, &r, err), err);
	delta.octets = r.image_size;
	if (stands_on != from) {
		struct image_file *file = image_file_open(q.image_fd, 0, r.image_size, err);
		struct view all = { .images = view.images, .apex = view.apex, .apex_size = view.apex_size,
			.apex_labels = view.apex_labels, .hash_key = view.hash_key };
		int fd = memfd_create("merged", MFD_CLOEXEC);
		struct image_header h;

		/* as many as there are above the base, and the change: so many again */
		all.image[0] = image_open(image_file_source(file), 0, err);
		memcpy(all.image + 1, view.image, (view.images - 1) * sizeof view.image[0]);
		must(zone_fold(&all, false, fd, 0, &delta.octets, &h, err), err);
		image_close(all.image[0]);
		image_file_close(file);
		close(q.image_fd);
		q.image_fd = fd;
	}
	view_close(&view);
	snapshot_end(f->reader);
	delta.image = put_image(f, q.image_fd, delta.octets);
	close(q.image_fd);
	set.records += (uint64_t)r.records;
	set.rrsets += (uint64_t)r.rrsets;
	set.nodes += (uint64_t)r.nodes;
	content_hash_add(&set.hash, (struct content_hash *)r.hash_add);
	content_hash_subtract(&set.hash, (struct content_hash *)r.hash_subtract);
	t = begin(f);
	status = catalog_set_edit(t, f->set, from, &delta, &set, &nobody, NULL, err);
	if (status)
		catalog_abort(t);
	else
		commit(t);
	return status;
}

static void edit_plain(struct fixture *f, uint32_t from, unsigned number)
{
	struct err err = ERR_INIT;
	char line[64];

	snprintf(line, sizeof line, "add n%u 60 TXT \"%u\"", number, number);
	must(edit(f, from, from, line, &err), &err);
}

static void cut_over(struct fixture *f, enum switch_kind kind, const char *set)
{
	struct catalog_txn *t = begin(f);
	struct switch_item item = { .apex_size = (uint8_t)f->apex_size };
	struct switch_request q = { .kind = kind, .items = &item, .count = 1, .who = nobody, .now_us = 1 };
	struct switch_result result;
	struct err err = ERR_INIT;

	memcpy(item.apex, f->apex, f->apex_size);
	strcpy(item.set, set);
	must(catalog_switch(t, &q, &result, &err), &err);
	switch_result_free(&result);
	commit(t);
}

/* ---- what comes of it --------------------------------------------------------------- */

/* How many names "nNUMBER" the edition has: the walk finds each, or not. */
static unsigned names(struct fixture *f, uint32_t edition, unsigned *images)
{
	struct err err = ERR_INIT;
	struct view_walk walk;
	struct found found;
	struct view view;
	unsigned n = 0;

	must(snapshot_begin(f->reader, &err), &err);
	must(snapshot_open_set(f->reader, f->set, edition, &view, &err), &err);
	view_walk_begin(&walk, &view, false);
	while ((found = view_walk_next(&walk)).node)
		n += node_owner_size(found.node) > 0 && node_owner(found.node)[1] == 'n';
	*images = view.images;
	view_close(&view);
	snapshot_end(f->reader);
	return n;
}

/* An image that brings the deltas along stands in for them, and they go. */
static void spanning(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct catalog_txn *t;
	uint64_t garbage[64];
	unsigned images;

	for (uint32_t i = 1; i <= 24; i++)
		edit_plain(f, i, i);
	assert_int_equal(names(f, 25, &images), 25);
	assert_int_equal(images, 25);
	must(edit(f, 25, 1, "add n25 60 TXT \"all\"", &err), &err);
	assert_int_equal(names(f, 26, &images), 26);
	assert_int_equal(images, 2);
	assert_int_equal(row_of(f, 0).images, 2);
	t = begin(f);
	assert_int_equal(catalog_garbage(t, garbage, 64), 24);
	catalog_abort(t);
	edit_plain(f, 26, 26);
	assert_int_equal(names(f, 27, &images), 27);
	assert_int_equal(images, 3);
}

/* What it should stand on was folded away meanwhile. */
static void spanning_nothing(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct set_row set = row_of(f, 0);
	struct set_image image = { .from = 7 };
	struct catalog_txn *t;

	for (uint32_t i = 1; i <= 8; i++)
		edit_plain(f, i, i);
	t = begin(f);
	set = row_of(f, 0);
	/* the edition 7 has no path of its own any more once [0, 9] is there */
	must(catalog_set_folded(t, f->set, &(struct set_image){ catalog_next_image_id(t), 0, 9, 100 }, &err), &err);
	assert_int_equal(catalog_set_edit(t, f->set, 9, &image, &set, &nobody, NULL, &err), -1);
	assert_true(err_is(&err, ERR_OVERTAKEN));
	catalog_abort(t);
}

/* Too many that are all needed: refused, with what to do, and nothing broken. */
static void no_room(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	unsigned images;

	for (uint32_t i = 1; i <= IMAGE_DELTA_MAX; i++)
		edit_plain(f, i, i);
	assert_int_equal(names(f, 0, &images), IMAGE_DELTA_MAX + 1);
	{
		struct set_row set = row_of(f, 0);
		struct set_image image = { .image = 1, .from = set.edition };
		struct catalog_txn *t = begin(f);

		assert_int_equal(catalog_set_edit(t, f->set, set.edition, &image, &set, &nobody, NULL, &err), -1);
		assert_true(err_is(&err, ERR_LIMIT));
		catalog_abort(t);
	}
	assert_int_equal(names(f, 0, &images), IMAGE_DELTA_MAX + 1);
}

/* ---- what to fold ------------------------------------------------------------------- */

static unsigned run_of(unsigned count, const uint64_t *octets)
{
	struct set_image path[IMAGE_DELTA_MAX + 1] = { 0 };

	for (unsigned i = 0; i < count; i++)
		path[i].octets = octets[i];
	return catalog_fold_run(path, count);
}

static void fold_runs(void **state)
{
	enum { K = 1000, M = 1000 * K };

	assert_int_equal(run_of(1, (uint64_t[]){ 70 * M }), 0);
	assert_int_equal(run_of(2, (uint64_t[]){ 1, 70 * M }), 0);
	/* few, but a large part of the set */
	assert_int_equal(run_of(2, (uint64_t[]){ 20 * M, 70 * M }), 2);
	assert_int_equal(run_of(3, (uint64_t[]){ 1, 20 * M, 70 * M }), 3);
	/* a small set is written anew for eight; of a large one they are put together */
	assert_int_equal(run_of(8, (uint64_t[]){ K, K, K, K, K, K, K, 500 * K }), 0);
	assert_int_equal(run_of(9, (uint64_t[]){ K, K, K, K, K, K, K, K, 500 * K }), 9);
	assert_int_equal(run_of(9, (uint64_t[]){ K, K, K, K, K, K, K, K, 70 * M }), 8);
	/* what is larger by far stays, until there is more to put with it */
	assert_int_equal(run_of(10, (uint64_t[]){ K, K, K, K, K, K, K, K, 100 * K, 70 * M }), 8);
	assert_int_equal(run_of(9, (uint64_t[]){ K, K, K, K, K, K, K, 100 * K, 70 * M }), 0);
	assert_int_equal(run_of(10, (uint64_t[]){ K, K, K, K, K, K, K, K, 32 * K, 70 * M }), 9);
}

/* However many edits there are, few images are looked in, and little is written
 * anew. */
static void fold_series(void **state)
{
	struct set_image path[IMAGE_DELTA_MAX + 1] = { { .octets = 70000000 } };
	uint64_t edited = 0, written = 0;
	unsigned count = 1, most = 1;

	for (unsigned i = 0; i < 100000; i++) {
		uint64_t octets = 600 + i * 7919 % 400;
		unsigned run;

		assert_true(count <= IMAGE_DELTA_MAX);
		memmove(path + 1, path, count++ * sizeof *path);
		path[0].octets = octets;
		edited += octets;
		most = count > most ? count : most;
		run = catalog_fold_run(path, count);
		if (!run)
			continue;
		octets = 0;
		for (unsigned k = 0; k < run; k++)
			octets += path[k].octets;
		count -= run - 1;
		memmove(path + 1, path + run, (count - 1) * sizeof *path);
		path[0].octets = octets;
		written += octets;
	}
	assert_in_range(most, 9, 20);
	assert_in_range(written / edited, 2, 20);       /* a fold of all every eight edits: 11,000 */
}

/* After a rollback an edit is of what is served, with that one's counts. */
static void after_rollback(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	uint64_t old = f->set, records, newest;
	struct set_row set;
	struct zone_row zone;
	struct catalog_txn *t;
	unsigned images;

	cut_over(f, SWITCH_CUTOVER, "old");
	t = begin(f);
	must(catalog_zone(t, f->apex, f->apex_size, &zone, &err), &err);
	must(catalog_set_begin(t, &zone, "new", "test", &set, &err), &err);
	set.state = SET_READY;
	set.edition = 1;
	set.images = 1;
	set.image[0] = (struct set_image){ catalog_next_image_id(t), 0, 1, 10 };
	must(catalog_set_finish(t, &set, &err), &err);
	commit(t);
	cut_over(f, SWITCH_CUTOVER, "new");
	records = row_of(f, 0).records;
	edit_plain(f, 1, 1);            /* of a set that a rollback returns to: not its edition */
	cut_over(f, SWITCH_ROLLBACK, "");
	newest = row_of(f, 0).records;
	assert_int_equal(newest, records + 1);
	assert_int_equal(row_of(f, 1).records, records);
	assert_int_equal(row_of(f, 1).edition, 1);
	assert_int_equal(edit(f, 2, 2, "add n7 60 TXT \"x\"", &err), -1);
	assert_true(err_is(&err, ERR_OVERTAKEN));
	edit_plain(f, 1, 2);
	assert_int_equal(names(f, 3, &images), 2);
	set = row_of(f, 0);
	assert_int_equal(set.id, old);
	assert_int_equal(set.edition, 3);
	assert_int_equal(set.records, records + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(spanning, setup, teardown),
		cmocka_unit_test_setup_teardown(spanning_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(after_rollback, setup, teardown),
		cmocka_unit_test(fold_runs),
		cmocka_unit_test(fold_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
