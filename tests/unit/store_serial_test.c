/* Served serials (RFC 1982), editions, and the history of it all. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_scene.h"

#define A "a.example"
#define B "b.example"

static struct scene scene;

static int setup(void **state)
{
	memset(&scene, 0, sizeof scene);
	scene_begin(&scene);
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_zone_add(&scene, B));
	return 0;
}

static int teardown(void **state)
{
	assert_sound(&scene);
	scene_end(&scene);
	return 0;
}

static uint32_t served(const char *zone)
{
	struct zone_row row;

	scene_zone(&scene, zone, &row);
	return row.served_serial;
}

/* ---- arithmetic -------------------------------------------------------------------- */

static void test_ahead(void **state)
{
	assert_true(serial_ahead(1, 0));
	assert_false(serial_ahead(0, 1));
	assert_false(serial_ahead(5, 5));
	assert_true(serial_ahead(0, UINT32_MAX));
	assert_true(serial_ahead(0x7fffffff, 0));
	assert_false(serial_ahead(0x80000000, 0));      /* undefined by RFC 1982: no */
	assert_false(serial_ahead(0, 0x80000000));
	assert_true(serial_ahead(0x80000000, 1));
	assert_true(serial_ahead(1, 0x80000002));
	assert_false(serial_ahead(1, 0x80000001));
	assert_true(serial_ahead(10, 0x8000000b));
}

/* The serials of the sets that are gone to one after the other, and those
 * that must be served. */
static void go_through(const uint32_t *own, const uint32_t *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char set[32], item[64];

		snprintf(set, sizeof set, "s%zu", i);
		snprintf(item, sizeof item, A "@%s", set);
		must(&scene, scene_import_text(&scene, A, set, own[i], set));
		must(&scene, scene_cutover(&scene, item, false, NULL));
		if (served(A) != wanted[i])
			fail_msg("step %zu: serial %u, wanted %u", i, served(A), wanted[i]);
	}
}

static void test_a_set_ahead_is_served_as_it_is(void **state)
{
	static const uint32_t own[] = { 100, 200, 150, 202, 202, 0 }, wanted[] = { 100, 200, 201, 202, 203, 204 };

	go_through(own, wanted, 6);
}

static void test_around_two_to_the_32(void **state)
{
	static const uint32_t own[] = { UINT32_MAX - 1, UINT32_MAX - 1, 7, 0, 0x80000007, 0x80000008 };
	static const uint32_t wanted[] = { UINT32_MAX - 1, UINT32_MAX, 7, 8, 0x80000007, 0x80000008 };

	go_through(own, wanted, 6);
}

/* Zero is "none" to some secondaries: it is stepped over. */
static void test_zero_is_stepped_over(void **state)
{
	static const uint32_t own[] = { UINT32_MAX, 5 }, wanted[] = { UINT32_MAX, 5 };
	struct zone_row zone;

	go_through(own, wanted, 1);
	must(&scene, scene_import_text(&scene, A, "low", UINT32_MAX, "low"));
	must(&scene, scene_cutover(&scene, A "@low", false, NULL));
	assert_int_equal(served(A), 1);
	must(&scene, scene_rollback(&scene, A, NULL));
	assert_int_equal(served(A), 2);
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.highest_serial, 2);
}

/* Exactly 2^31 away is neither ahead nor behind. */
static void test_half_the_circle_away(void **state)
{
	static const uint32_t own[] = { 10, 0x8000000a, 0x8000000a }, wanted[] = { 10, 11, 0x8000000a };

	go_through(own, wanted, 3);
}

static int set_serial(uint32_t serial)
{
	uint8_t apex[NAME_MAX_SIZE];
	struct catalog_txn *t;

	err_clear(&scene.err);
	if (catalog_begin(scene.writer, &t, &scene.err))
		return -1;
	if (!catalog_serial(t, apex, apex_of(A, apex), serial, &scene_who, "jump", &scene.err))
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return -1;
}

static int cutover_with(const char *item, uint32_t serial)
{
	struct switch_item items[1];
	struct switch_request req = { .kind = SWITCH_CUTOVER, .items = items, .serial_given = true, .serial = serial };

	req.count = (size_t)scene_items(item, items, 1);
	return scene_switch(&scene, &req, NULL);
}

static void test_a_given_serial(void **state)
{
	must_fail(&scene, ERR_NOT_READY, set_serial(5));
	must(&scene, scene_import_text(&scene, A, "one", 100, "one"));
	must(&scene, scene_import_text(&scene, A, "two", 100, "two"));
	must(&scene, cutover_with(A "@one", 50));               /* nothing was served before */
	assert_int_equal(served(A), 50);
	must_fail(&scene, ERR_SERIAL, cutover_with(A "@two", 50));
	must_fail(&scene, ERR_SERIAL, cutover_with(A "@two", 49));
	must(&scene, cutover_with(A "@two", 1000));
	assert_int_equal(served(A), 1000);
	must_fail(&scene, ERR_SERIAL, set_serial(1000));
	must_fail(&scene, ERR_SERIAL, set_serial(999));
	must(&scene, set_serial(1001));
	assert_int_equal(served(A), 1001);
	must(&scene, set_serial(1001 + UINT32_C(0x7fffffff)));            /* the farthest there is */
	must(&scene, set_serial(5));
	assert_int_equal(served(A), 5);
}

/* ---- serials that cannot be put in ---------------------------------------------------- */

static int import_fixed(const char *set, uint32_t serial, bool fixed)
{
	struct import in = { .zone = A, .set = set, .serial = serial, .fixed = fixed };
	struct model m;
	int rc;

	model_begin(&m, A);
	model_soa(&m, serial);
	if (fixed)
		model_sign(&m, 6, 64);
	model_a(&m, set, serial);
	model_sort(&m);
	in.model = &m;
	rc = scene_import(&scene, &in, NULL);
	model_free(&m);
	return rc;
}

static void test_fixed_serials(void **state)
{
	struct switch_result r;
	struct zone_row zone;

	must(&scene, import_fixed("ten", 10, true));
	must(&scene, import_fixed("nine", 9, true));
	must(&scene, import_fixed("twenty", 20, true));
	must(&scene, import_fixed("free", 1, false));
	must(&scene, scene_cutover(&scene, A "@ten", true, NULL));
	must_fail(&scene, ERR_SERIAL, scene_cutover(&scene, A "@nine", true, NULL));
	must_fail(&scene, ERR_SERIAL, cutover_with(A "@twenty", 21));
	must_fail(&scene, ERR_SERIAL, set_serial(30));
	must(&scene, scene_cutover(&scene, A "@twenty", true, NULL));
	/* a way back is always open: the serial goes back, and it is said */
	must(&scene, scene_rollback(&scene, A, &r));
	assert_true(r.items[0].serial_stuck);
	switch_result_free(&r);
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.served_serial, 10);
	assert_int_equal(zone.highest_serial, 20);
	assert_true(zone.flags & ZONE_SERIAL_FIXED);
	assert_sound(&scene);
	must(&scene, scene_cutover(&scene, A "@free", true, NULL));
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.served_serial, 21);
	assert_false(zone.flags & ZONE_SERIAL_FIXED);
}

/* ---- editions ---------------------------------------------------------------------------- */

/* A zone that is edited: each version differs from the one before. */
static void make_versions(struct model *m, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (i == 0)
			model_random(&m[0], A, 1, 60, MODEL_CUTS);
		else
			model_change(&m[i], &m[i - 1], i, 5);
	}
}

/* The serial that the model's SOA has: see model_random and model_change. */
static uint32_t serial_of(unsigned version) { return version == 0 ? 1 : version + 2; }

static void import_version(const char *set, const struct model *m)
{
	struct import in = { .zone = A, .set = set, .serial = 1, .model = m };

	must(&scene, scene_import(&scene, &in, NULL));
}

static void test_live_edits_move_on(void **state)
{
	struct model m[4];
	struct zone_row zone;
	struct set_row set;

	make_versions(m, 4);
	import_version("work", &m[0]);
	must(&scene, scene_cutover(&scene, A "@work", false, NULL));
	assert_int_equal(served(A), 1);
	must(&scene, scene_edit(&scene, A, "work", &m[0], &m[1], serial_of(1)));
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.live.edition, 2);
	assert_int_equal(zone.served_serial, 3);
	assert_int_equal(zone.previous.set, 0);                 /* an edit is no switch */
	must(&scene, scene_edit(&scene, A, "work", &m[1], &m[2], serial_of(2)));
	must(&scene, set_serial(100));
	must(&scene, scene_edit(&scene, A, "work", &m[2], &m[3], serial_of(3)));
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.served_serial, 101);              /* the SOA's own is not ahead */
	scene_set(&scene, A, "work", &set);
	assert_int_equal(set.edition, 4);
	assert_int_equal(set.images, 4);
	for (unsigned i = 0; i < 4; i++)
		model_free(&m[i]);
}

static void test_overtaken_edits(void **state)
{
	struct set_image delta = { .image = 999, .from = 1 };
	struct set_row counts = { .state = SET_READY };
	struct catalog_txn *t;
	struct model m[3];
	struct set_row set;

	make_versions(m, 3);
	import_version("work", &m[0]);
	must(&scene, scene_edit(&scene, A, "work", &m[0], &m[1], serial_of(1)));
	scene_set(&scene, A, "work", &set);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must_fail(&scene, ERR_OVERTAKEN, catalog_set_edit(t, set.id, 1, &delta, &counts, &scene_who, NULL, &scene.err));
	catalog_abort(t);
	for (unsigned i = 0; i < 3; i++)
		model_free(&m[i]);
}

/* The way back is to the edition that was live then, whatever was edited. */
static void test_rollback_to_an_edition(void **state)
{
	struct model m[4];
	struct switch_result r;
	struct zone_row zone;

	make_versions(m, 4);
	import_version("old", &m[0]);
	import_version("new", &m[0]);
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	must(&scene, scene_cutover(&scene, A "@new", true, NULL));
	must(&scene, scene_edit(&scene, A, "old", &m[0], &m[1], serial_of(1)));         /* not live: staged */
	must(&scene, scene_edit(&scene, A, "new", &m[0], &m[2], serial_of(2)));
	must(&scene, scene_edit(&scene, A, "new", &m[2], &m[3], serial_of(3)));
	must(&scene, scene_fold(&scene, A, "old"));
	assert_sound(&scene);
	must(&scene, scene_rollback(&scene, A, &r));
	assert_int_equal(r.items[0].edits_left_behind, 2);
	switch_result_free(&r);
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.live.edition, 1);
	/* an edit now is of what is served, not of the newest */
	must(&scene, scene_edit(&scene, A, "old", &m[0], &m[3], serial_of(3)));
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.live.edition, 3);
	assert_sound(&scene);
	must(&scene, scene_cutover(&scene, A "@old", false, &r));
	assert_int_equal(r.items[0].outcome, OUTCOME_ALREADY);
	switch_result_free(&r);
	for (unsigned i = 0; i < 4; i++)
		model_free(&m[i]);
}

/* A set that an edit has broken can still be gone back to as it was (G8). */
static void test_rollback_to_a_broken_set(void **state)
{
	struct set_image delta = { .from = 1 };
	struct set_row counts = { .state = SET_FAILED, .note = "two CNAMEs" }, set;
	struct catalog_txn *t;
	struct model m[2];

	make_versions(m, 2);
	import_version("old", &m[0]);
	import_version("new", &m[0]);
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	must(&scene, scene_cutover(&scene, A "@new", true, NULL));
	must(&scene, scene_edit(&scene, A, "old", &m[0], &m[1], serial_of(1)));
	/* and once more, now with an error: the same delta serves */
	scene_set(&scene, A, "old", &set);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	delta.image = set.image[1].image;
	counts.soa_serial = set.soa_serial;
	counts.records = set.records;
	counts.rrsets = set.rrsets;
	counts.nodes = set.nodes;
	counts.hash = set.hash;
	must(&scene, catalog_set_edit(t, set.id, 2, &delta, &counts, &scene_who, NULL, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	must_fail(&scene, ERR_NOT_READY, scene_cutover(&scene, A "@old", false, NULL));
	must(&scene, scene_rollback(&scene, A, NULL));
	for (unsigned i = 0; i < 2; i++)
		model_free(&m[i]);
}

static void test_folding_gives_room(void **state)
{
	struct model *m = calloc(IMAGE_DELTA_MAX + 8, sizeof *m);
	struct set_row set;

	make_versions(m, IMAGE_DELTA_MAX + 8);
	import_version("work", &m[0]);
	must(&scene, scene_cutover(&scene, A "@work", false, NULL));
	for (unsigned i = 1; i <= IMAGE_DELTA_MAX; i++)
		must(&scene, scene_edit(&scene, A, "work", &m[i - 1], &m[i], serial_of(i)));
	assert_sound(&scene);
	scene_set(&scene, A, "work", &set);
	assert_int_equal(set.images, IMAGE_DELTA_MAX + 1);
	must_fail(&scene, ERR_LIMIT, scene_edit(&scene, A, "work", &m[IMAGE_DELTA_MAX], &m[IMAGE_DELTA_MAX + 1], serial_of(IMAGE_DELTA_MAX + 1)));
	must(&scene, scene_fold(&scene, A, "work"));
	scene_set(&scene, A, "work", &set);
	assert_int_equal(set.images, 1);
	assert_sound(&scene);
	must(&scene, scene_clean(&scene));
	must(&scene, scene_edit(&scene, A, "work", &m[IMAGE_DELTA_MAX], &m[IMAGE_DELTA_MAX + 1], serial_of(IMAGE_DELTA_MAX + 1)));
	for (unsigned i = 0; i < IMAGE_DELTA_MAX + 8; i++)
		model_free(&m[i]);
	free(m);
}

/* ---- history --------------------------------------------------------------------------------- */

struct entries { unsigned count, stop_after; struct history_row row[32]; };

static int note_entry(void *arg, const struct history_row *row)
{
	struct entries *e = arg;

	e->row[e->count++] = *row;
	return e->count == e->stop_after;
}

static void read_history(const char *zone, uint64_t before, unsigned max, struct entries *e)
{
	struct catalog_txn *t;
	struct zone_row row = { .id = 0 };

	if (zone)
		scene_zone(&scene, zone, &row);
	memset(e, 0, sizeof *e);
	e->stop_after = max;
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_history(t, row.id, before, note_entry, e, &scene.err));
	catalog_abort(t);
}

static int count_members(void *arg, const struct history_member *member)
{
	++*(unsigned *)arg;
	return 0;
}

static void test_history_newest_first(void **state)
{
	struct entries e;
	unsigned members = 0;
	struct catalog_txn *t;

	must(&scene, scene_import_text(&scene, A, "one", 1, "one"));
	must(&scene, scene_import_text(&scene, A, "two", 2, "two"));
	must(&scene, scene_import_text(&scene, B, "one", 1, "one"));
	read_history(NULL, 0, 0, &e);
	assert_int_equal(e.count, 0);
	must(&scene, scene_cutover(&scene, A "@one " B "@one", true, NULL));
	must(&scene, scene_cutover(&scene, A "@two", false, NULL));
	must(&scene, scene_rollback(&scene, A, NULL));
	must(&scene, set_serial(77));
	read_history(NULL, 0, 0, &e);
	assert_int_equal(e.count, 4);
	assert_int_equal(e.row[0].kind, SWITCH_SERIAL);
	assert_string_equal(e.row[0].note, "jump");
	assert_int_equal(e.row[1].kind, SWITCH_ROLLBACK);
	assert_int_equal(e.row[3].kind, SWITCH_CUTOVER);
	assert_int_equal(e.row[3].members, 2);
	assert_true(e.row[3].held);                             /* B still is */
	assert_int_equal(e.row[3].held_members, 1);
	assert_string_equal(e.row[3].who.name, "tester");
	assert_int_equal(e.row[3].who.uid, 1000);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_history_members(t, e.row[3].id, count_members, &members, &scene.err));
	catalog_abort(t);
	assert_int_equal(members, 2);
	read_history(NULL, e.row[1].id, 1, &e);
	assert_int_equal(e.count, 1);
	assert_false(e.row[0].held);
	read_history(B, 0, 0, &e);
	assert_int_equal(e.count, 1);
	read_history(A, 0, 0, &e);
	assert_int_equal(e.count, 4);
	read_history(A, e.row[2].id, 0, &e);
	assert_int_equal(e.count, 1);
}

/* Many members are split over rows, and over slices of one command. */
static void test_history_of_many_zones(void **state)
{
	struct switch_item items[1];
	struct switch_request req = { .kind = SWITCH_RELOAD, .items = items, .count = 1, .note = "all of them" };
	unsigned members = 0;
	struct catalog_txn *t;
	struct entries e;
	uint64_t id = 0;

	for (unsigned i = 0; i < 60; i++) {
		char zone[64], item[80];
		struct switch_result r;

		snprintf(zone, sizeof zone, "zone-with-a-rather-long-name-%u.example", i);
		snprintf(item, sizeof item, "%s@one", zone);
		must(&scene, scene_zone_add(&scene, zone));
		must(&scene, scene_import_text(&scene, zone, "one", 1, zone));
		scene_items(item, items, 1);
		req.append_to = id;
		must(&scene, scene_switch(&scene, &req, &r));
		assert_true(id == 0 || r.id == id);
		id = r.id;
		switch_result_free(&r);
	}
	read_history(NULL, 0, 0, &e);
	assert_int_equal(e.count, 1);
	assert_int_equal(e.row[0].members, 60);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_history_members(t, id, count_members, &members, &scene.err));
	catalog_abort(t);
	assert_int_equal(members, 60);
	read_history("zone-with-a-rather-long-name-31.example", 0, 0, &e);
	assert_int_equal(e.count, 1);
	assert_int_equal(e.row[0].id, id);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ahead),
		with_store(test_a_set_ahead_is_served_as_it_is),
		with_store(test_around_two_to_the_32),
		with_store(test_zero_is_stepped_over),
		with_store(test_half_the_circle_away),
		with_store(test_a_given_serial),
		with_store(test_fixed_serials),
		with_store(test_live_edits_move_on),
		with_store(test_overtaken_edits),
		with_store(test_rollback_to_an_edition),
		with_store(test_rollback_to_a_broken_set),
		with_store(test_folding_gives_room),
		with_store(test_history_newest_first),
		with_store(test_history_of_many_zones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
