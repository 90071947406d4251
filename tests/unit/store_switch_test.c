/* The switch: cutover, rollback, confirm, groups, serials, history. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store_scene.h"

#define A "a.example"
#define B "b.example"
#define C "c.example"

static struct scene scene;

/* Zones A, B, C with sets old (serial 100) and new (serial 200) each. */
static int setup(void **state)
{
	static const char *const zones[] = { A, B, C };

	memset(&scene, 0, sizeof scene);
	scene_begin(&scene);
	for (int i = 0; i < 3; i++) {
		must(&scene, scene_zone_add(&scene, zones[i]));
		must(&scene, scene_import_text(&scene, zones[i], "old", 100, "old"));
		must(&scene, scene_import_text(&scene, zones[i], "new", 200, "new"));
	}
	return 0;
}

static int teardown(void **state)
{
	assert_sound(&scene);
	scene_end(&scene);
	return 0;
}

static void assert_live(const char *zone, const char *wanted)
{
	char buf[128];

	assert_string_equal(scene_live(&scene, zone, buf), wanted);
}

static bool held(const char *zone)
{
	struct zone_row row;

	scene_zone(&scene, zone, &row);
	return row.flags & ZONE_HELD;
}

/* ---- one zone ------------------------------------------------------------------------ */

static void test_there_and_back(void **state)
{
	struct switch_result r;
	struct zone_row zone;

	must(&scene, scene_cutover(&scene, A "@old", false, &r));
	assert_int_equal(r.count, 1);
	assert_int_equal(r.items[0].outcome, OUTCOME_SWITCHED);
	assert_int_equal(r.items[0].member.from.set, 0);
	assert_string_equal(r.items[0].member.to_name, "old");
	assert_int_equal(r.items[0].member.to_serial, 100);
	switch_result_free(&r);
	assert_live(A, "old/100");
	assert_false(held(A));
	must(&scene, scene_cutover(&scene, A "@new", true, &r));
	assert_string_equal(r.items[0].member.from_name, "old");
	assert_int_equal(r.items[0].member.from_serial, 100);
	switch_result_free(&r);
	assert_live(A, "new/200");
	assert_true(held(A));
	must(&scene, scene_rollback(&scene, A, &r));
	assert_int_equal(r.items[0].outcome, OUTCOME_SWITCHED);
	assert_string_equal(r.items[0].member.to_name, "old");
	assert_int_equal(r.items[0].edits_left_behind, 0);
	switch_result_free(&r);
	assert_live(A, "old/201");      /* secondaries must follow the way back, too */
	assert_false(held(A));
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.previous.set, 0);
	must(&scene, scene_cutover(&scene, A "@new", false, NULL));
	assert_live(A, "new/202");
	assert_live(B, "-");
}

static uint64_t generation(void)
{
	struct catalog_txn *t;
	uint64_t g;

	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	g = catalog_generation(t);
	catalog_abort(t);
	return g;
}

static void test_doing_it_twice_changes_nothing(void **state)
{
	struct switch_request req = { .kind = SWITCH_CUTOVER, .now_us = 5000000, .hold = true };
	struct switch_item item[1];
	struct switch_result r;
	uint64_t before;

	req.items = item;
	req.count = (size_t)scene_items(A "@old", item, 1);
	must(&scene, scene_switch(&scene, &req, &r));
	assert_true(r.id > 0);
	switch_result_free(&r);
	before = generation();
	req.now_us = 9000000;
	must(&scene, scene_switch(&scene, &req, &r));
	assert_int_equal(r.id, 0);
	assert_int_equal(r.items[0].outcome, OUTCOME_ALREADY);
	assert_int_equal(r.items[0].since_us, 5000000);
	assert_string_equal(r.items[0].by, "tester");
	switch_result_free(&r);
	assert_int_equal(generation(), before);
	must(&scene, scene_cutover(&scene, A "@new", true, NULL));
	must(&scene, scene_rollback(&scene, A, NULL));
	before = generation();
	must(&scene, scene_rollback(&scene, A, &r));            /* must not go forward again */
	assert_int_equal(r.items[0].outcome, OUTCOME_ALREADY);
	assert_int_equal(r.id, 0);
	switch_result_free(&r);
	assert_live(A, "old/201");
	assert_int_equal(generation(), before);
}

static void test_no_way_back(void **state)
{
	must_fail(&scene, ERR_NO_PREVIOUS, scene_rollback(&scene, A, NULL));
	must(&scene, scene_cutover(&scene, A "@old", true, NULL));
	must_fail(&scene, ERR_NO_PREVIOUS, scene_rollback(&scene, A, NULL));
	assert_live(A, "old/100");
	must_fail(&scene, ERR_NO_SUCH_SET, scene_cutover(&scene, A "@none", false, NULL));
	must_fail(&scene, ERR_NO_SUCH_ZONE, scene_cutover(&scene, "none.example@old", false, NULL));
	must_fail(&scene, ERR_NO_SUCH_ZONE, scene_rollback(&scene, "none.example", NULL));
	must_fail(&scene, ERR_BAD_REQUEST, scene_rollback(&scene, "", NULL));
	assert_live(A, "old/100");
}

static void test_previous_moves_one_step(void **state)
{
	struct set_row set;

	must(&scene, scene_import_text(&scene, A, "third", 300, "third"));
	must(&scene, scene_cutover(&scene, A "@old", true, NULL));
	must(&scene, scene_cutover(&scene, A "@new", true, NULL));
	must(&scene, scene_cutover(&scene, A "@third", true, NULL));
	scene_set(&scene, A, "previous", &set);
	assert_string_equal(set.name, "new");
	must(&scene, scene_rollback(&scene, A, NULL));
	assert_live(A, "new/301");
	must(&scene, scene_drop(&scene, A, "third"));
	must(&scene, scene_drop(&scene, A, "old"));
}

static void test_by_the_names_live_and_previous(void **state)
{
	struct switch_result r;

	must_fail(&scene, ERR_NO_SUCH_SET, scene_cutover(&scene, A "@live", false, NULL));
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	must_fail(&scene, ERR_NO_SUCH_SET, scene_cutover(&scene, A "@previous", false, NULL));
	must(&scene, scene_cutover(&scene, A "@live", false, &r));
	assert_int_equal(r.items[0].outcome, OUTCOME_ALREADY);
	switch_result_free(&r);
	must(&scene, scene_cutover(&scene, A "@new", false, NULL));
	must(&scene, scene_cutover(&scene, A "@previous", false, NULL));
	assert_live(A, "old/201");
}

/* ---- several zones ---------------------------------------------------------------------- */

static void test_all_or_none(void **state)
{
	struct switch_result r;

	must(&scene, scene_drop(&scene, C, "new"));
	must_fail(&scene, ERR_NO_SUCH_SET, scene_cutover(&scene, A "@new " B "@new " C "@new", false, NULL));
	assert_live(A, "-");
	assert_live(B, "-");
	must_fail(&scene, ERR_BAD_REQUEST, scene_cutover(&scene, A "@new " B "@new " A "@old", false, NULL));
	assert_live(B, "-");
	must(&scene, scene_cutover(&scene, A "@new " B "@old", true, &r));
	assert_int_equal(r.count, 2);
	switch_result_free(&r);
	assert_live(A, "new/200");
	assert_live(B, "old/100");
	must(&scene, scene_cutover(&scene, A "@new " B "@new", true, &r));
	assert_int_equal(r.items[0].outcome, OUTCOME_ALREADY);
	assert_int_equal(r.items[1].outcome, OUTCOME_SWITCHED);
	switch_result_free(&r);
}

/* ---- holds --------------------------------------------------------------------------------- */

static int reload(const char *set, struct set_at expect)
{
	struct switch_item item[1];
	struct switch_request req = { .kind = SWITCH_RELOAD, .items = item, .expect_live = expect, .expect_live_given = true };

	req.count = (size_t)scene_items(set, item, 1);
	return scene_switch(&scene, &req, NULL);
}

static void test_a_held_zone_takes_no_reload(void **state)
{
	struct zone_row zone;
	struct switch_result r;

	must(&scene, scene_cutover(&scene, A "@old", true, NULL));
	scene_zone(&scene, A, &zone);
	must_fail(&scene, ERR_HELD, reload(A "@new", zone.live));
	must(&scene, scene_confirm(&scene, A, &r));
	assert_int_equal(r.items[0].outcome, OUTCOME_SWITCHED);
	assert_true(r.id > 0);
	switch_result_free(&r);
	assert_false(held(A));
	must(&scene, scene_confirm(&scene, A, &r));
	assert_int_equal(r.items[0].outcome, OUTCOME_ALREADY);
	assert_int_equal(r.id, 0);
	switch_result_free(&r);
	must(&scene, reload(A "@new", zone.live));
	assert_live(A, "new/200");
	assert_false(held(A));
	/* the live set is not what it was when the import began */
	must_fail(&scene, ERR_OVERTAKEN, reload(A "@old", zone.live));
	assert_live(A, "new/200");
}

static void test_of_reloaded_sets_two_are_kept(void **state)
{
	struct import in = { .zone = A, .automatic = true };
	unsigned left = 0;

	must(&scene, scene_cutover(&scene, A "@old", false, NULL));
	for (unsigned i = 1; i <= 6; i++) {
		struct zone_row zone;
		struct model m;
		char name[16], item[32];

		snprintf(name, sizeof name, "%u", 300 + i);
		snprintf(item, sizeof item, A "@%s", name);
		model_begin(&m, A);
		model_soa(&m, 300 + i);
		model_a(&m, name, i);
		model_sort(&m);
		in.set = name;
		in.serial = 300 + i;
		in.model = &m;
		must(&scene, scene_import(&scene, &in, NULL));
		scene_zone(&scene, A, &zone);
		must(&scene, reload(item, zone.live));
		assert_sound(&scene);
		model_free(&m);
	}
	must(&scene, scene_clean(&scene));
	for (unsigned i = 1; i <= 6; i++) {
		struct catalog_txn *t;
		struct zone_row zone;
		struct set_row set;
		struct err err = ERR_INIT;
		char name[16];

		snprintf(name, sizeof name, "%u", 300 + i);
		scene_zone(&scene, A, &zone);
		must(&scene, catalog_begin(scene.writer, &t, &scene.err));
		left += !catalog_set_by_name(t, &zone, name, &set, &err);
		catalog_abort(t);
	}
	assert_int_equal(left, 2);
	assert_live(A, "306/306");
	must(&scene, scene_rollback(&scene, A, NULL));
	assert_live(A, "305/307");
	must(&scene, scene_cutover(&scene, A "@old", false, NULL));     /* named sets are not thinned */
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void make_group(void)
{
	must(&scene, scene_cutover(&scene, A "@old " B "@old", false, NULL));
	must(&scene, scene_group(&scene, "shops", A " " B " " C));
}

static int membership(int (*change)(struct catalog_txn *, const char *, const uint8_t *, size_t, struct err *), const char *zone)
{
	uint8_t apex[NAME_MAX_SIZE];
	struct catalog_txn *t;

	err_clear(&scene.err);
	if (catalog_begin(scene.writer, &t, &scene.err))
		return -1;
	if (!change(t, "shops", apex, apex_of(zone, apex), &scene.err))
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return -1;
}

static void test_a_group_there_and_back(void **state)
{
	struct switch_result r;

	make_group();
	must_fail(&scene, ERR_NO_PREVIOUS, scene_group_rollback(&scene, "shops", NULL));
	must_fail(&scene, ERR_NO_SUCH_GROUP, scene_group_cutover(&scene, "none", "new", true, NULL));
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, &r));
	assert_int_equal(r.count, 3);
	switch_result_free(&r);
	assert_live(A, "new/200");
	assert_live(C, "new/200");
	assert_true(held(B));
	must(&scene, scene_group_rollback(&scene, "shops", &r));
	assert_int_equal(r.count, 3);
	for (size_t i = 0; i < 3; i++) {
		bool c = r.items[i].member.apex[1] == 'c';

		/* what had no set before stays, and is named */
		assert_int_equal(r.items[i].outcome, c ? OUTCOME_NO_PREVIOUS : OUTCOME_SWITCHED);
	}
	switch_result_free(&r);
	assert_live(A, "old/201");
	assert_live(B, "old/201");
	assert_live(C, "new/200");
	assert_false(held(A));
	assert_false(held(C));
	must(&scene, scene_group_rollback(&scene, "shops", &r));
	assert_int_equal(r.id, 0);
	assert_int_equal(r.items[0].outcome, OUTCOME_ALREADY);
	switch_result_free(&r);
	assert_live(A, "old/201");
}

static void test_members_are_frozen_in_a_switch(void **state)
{
	struct switch_result r;

	make_group();
	must(&scene, scene_cutover(&scene, C "@old", false, NULL));
	must(&scene, membership(catalog_group_remove, C));
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, NULL));
	assert_live(C, "old/100");
	must(&scene, membership(catalog_group_add, C));         /* a later joiner */
	must(&scene, membership(catalog_group_remove, A));      /* one that left since */
	must(&scene, scene_cutover(&scene, C "@new", false, NULL));
	must(&scene, scene_group_rollback(&scene, "shops", &r));
	assert_int_equal(r.count, 2);
	switch_result_free(&r);
	assert_live(A, "old/201");
	assert_live(B, "old/201");
	assert_live(C, "new/200");
}

static void test_members_changed_since_come_along(void **state)
{
	struct switch_result r;

	make_group();
	must(&scene, scene_import_text(&scene, A, "third", 500, "third"));
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, NULL));
	must(&scene, scene_cutover(&scene, A "@third", true, NULL));
	must_fail(&scene, ERR_IN_USE, scene_drop(&scene, A, "old"));    /* the group would return to it */
	must(&scene, scene_rollback(&scene, B, NULL));
	assert_sound(&scene);
	must(&scene, scene_group_rollback(&scene, "shops", &r));
	for (size_t i = 0; i < r.count; i++) {
		char which = (char)r.items[i].member.apex[1];

		assert_int_equal(r.items[i].outcome, which == 'a' ? OUTCOME_OVERTOOK : which == 'b' ? OUTCOME_ALREADY : OUTCOME_NO_PREVIOUS);
	}
	switch_result_free(&r);
	assert_live(A, "old/501");
	assert_live(B, "old/201");
	assert_sound(&scene);
	must(&scene, scene_cutover(&scene, A "@new", false, NULL));
	must(&scene, scene_confirm(&scene, A, NULL));
	must(&scene, scene_zone_remove(&scene, B));
}

static int note_held(void *arg, const struct zone_row *zone)
{
	char text[NAME_TEXT_MAX];

	if (zone->flags & ZONE_HELD)
		strcat(strcat(arg, name_to_text_short(text, zone->apex)), " ");
	return 0;
}

static int take_row(void *arg, const struct history_row *row)
{
	*(struct history_row *)arg = *row;
	return 1;
}

/* The held zones as catalog_held_zones lists them, and how many of the entry. */
static void assert_held(const char *wanted, uint64_t switch_id, unsigned members)
{
	struct history_row row = { .id = 0 };
	struct catalog_txn *t;
	char list[128] = "";

	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_held_zones(t, 0, note_held, list, &scene.err));
	must(&scene, catalog_history(t, 0, switch_id + 1, take_row, &row, &scene.err));
	catalog_abort(t);
	assert_string_equal(list, wanted);
	assert_int_equal(row.id, switch_id);
	assert_int_equal(row.held_members, members);
}

/* Who is not part of the group's next switch stays held, by itself: what a
 * rollback of the group takes back is the next switch. */
static void test_a_group_is_switched_again(void **state)
{
	struct switch_result r;
	uint64_t first;

	make_group();
	must(&scene, scene_cutover(&scene, C "@old", false, NULL));
	must(&scene, membership(catalog_group_remove, C));
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, &r));
	first = r.id;
	switch_result_free(&r);
	assert_held(A " " B " ", first, 2);
	must(&scene, membership(catalog_group_add, C));
	must(&scene, membership(catalog_group_remove, B));
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, &r));
	assert_int_equal(r.count, 2);                           /* A is there already, C follows */
	switch_result_free(&r);
	assert_true(held(A) && held(B) && held(C));
	assert_held(A " " B " " C " ", first, 2);
	must(&scene, scene_group_rollback(&scene, "shops", &r));
	assert_int_equal(r.count, 1);
	switch_result_free(&r);
	assert_live(C, "old/201");
	assert_held(A " " B " ", first, 2);
	must(&scene, scene_confirm(&scene, A, NULL));
	assert_held(B " ", first, 1);
	must_fail(&scene, ERR_IN_USE, scene_drop(&scene, B, "old"));
	must(&scene, scene_rollback(&scene, B, NULL));
	assert_held("", first, 0);
	must(&scene, scene_rollback(&scene, A, NULL));          /* its way back outlives the hold */
	assert_live(A, "old/201");
}

static void test_a_group_is_confirmed(void **state)
{
	struct switch_result r;
	struct catalog_txn *t;

	make_group();
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, NULL));
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must_fail(&scene, ERR_HELD, catalog_group_delete(t, "shops", &scene.err));
	catalog_abort(t);
	must(&scene, scene_confirm(&scene, A, NULL));
	assert_false(held(A));
	assert_true(held(B));
	must_fail(&scene, ERR_IN_USE, scene_drop(&scene, A, "old"));
	must(&scene, scene_group_confirm(&scene, "shops", &r));
	switch_result_free(&r);
	assert_false(held(B));
	assert_false(held(C));
	must(&scene, scene_group_confirm(&scene, "shops", &r));
	assert_int_equal(r.id, 0);
	switch_result_free(&r);
	assert_live(B, "new/200");
}

/* Confirmed, and then dropped: no way back, and it is said whose. */
static void test_a_member_whose_former_set_is_gone(void **state)
{
	make_group();
	must(&scene, scene_import_text(&scene, A, "third", 500, "third"));
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, NULL));
	must(&scene, scene_group_confirm(&scene, "shops", NULL));
	must(&scene, scene_cutover(&scene, A "@third", false, NULL));
	must(&scene, scene_drop(&scene, A, "old"));
	must(&scene, scene_clean(&scene));
	must_fail(&scene, ERR_NO_SUCH_SET, scene_group_rollback(&scene, "shops", NULL));
	assert_non_null(strstr(scene.err.message, A " cannot"));
	assert_live(B, "new/200");
	must(&scene, scene_rollback(&scene, B, NULL));
	assert_live(B, "old/201");
}

static void test_a_member_without_the_set(void **state)
{
	make_group();
	must(&scene, scene_drop(&scene, B, "new"));
	must(&scene, scene_drop(&scene, C, "new"));
	must_fail(&scene, ERR_NO_SUCH_SET, scene_group_cutover(&scene, "shops", "new", true, NULL));
	assert_non_null(strstr(scene.err.message, B));
	assert_non_null(strstr(scene.err.message, C));
	assert_null(strstr(scene.err.message, A));
	assert_live(A, "old/100");
}

static void test_a_removed_member_is_named(void **state)
{
	struct switch_result r;

	make_group();
	must(&scene, scene_group_cutover(&scene, "shops", "new", true, NULL));
	must(&scene, scene_zone_remove(&scene, B));
	assert_sound(&scene);
	must(&scene, scene_group_rollback(&scene, "shops", &r));
	assert_int_equal(r.count, 3);
	assert_int_equal(r.items[1].outcome, OUTCOME_NO_PREVIOUS);
	assert_memory_equal(r.items[1].member.apex, "\1b", 2);
	switch_result_free(&r);
	assert_live(A, "old/201");
}

/* ---- what is expected ---------------------------------------------------------------------------- */

static void test_only_what_was_planned(void **state)
{
	struct switch_item item[2];
	struct switch_request req = { .kind = SWITCH_CUTOVER, .items = item };
	char hash[CONTENT_HASH_TEXT];
	struct set_row set;

	scene_set(&scene, A, "new", &set);
	content_hash_text(&set.hash, hash);
	req.expect = hash;
	req.count = (size_t)scene_items(A "@new " B "@new", item, 2);
	must_fail(&scene, ERR_BAD_REQUEST, scene_switch(&scene, &req, NULL));
	req.count = 1;
	must(&scene, scene_import_text(&scene, A, "new", 200, "another"));
	must_fail(&scene, ERR_CHANGED, scene_switch(&scene, &req, NULL));
	assert_live(A, "-");
	must(&scene, scene_import_text(&scene, A, "new", 777, "new"));  /* the serial is no content */
	must(&scene, scene_switch(&scene, &req, NULL));
	assert_live(A, "new/777");
}

static void test_long_notes_are_refused(void **state)
{
	char note[NOTE_MAX + 2];
	struct switch_item item[1];
	struct switch_request req = { .kind = SWITCH_CUTOVER, .items = item, .note = note };

	memset(note, 'n', sizeof note);
	note[NOTE_MAX + 1] = '\0';
	req.count = (size_t)scene_items(A "@new", item, 1);
	must_fail(&scene, ERR_LIMIT, scene_switch(&scene, &req, NULL));
	note[NOTE_MAX] = '\0';
	must(&scene, scene_switch(&scene, &req, NULL));
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_there_and_back),
		with_store(test_doing_it_twice_changes_nothing),
		with_store(test_no_way_back),
		with_store(test_previous_moves_one_step),
		with_store(test_by_the_names_live_and_previous),
		with_store(test_all_or_none),
		with_store(test_a_held_zone_takes_no_reload),
		with_store(test_of_reloaded_sets_two_are_kept),
		with_store(test_a_group_there_and_back),
		with_store(test_members_are_frozen_in_a_switch),
		with_store(test_members_changed_since_come_along),
		with_store(test_a_group_is_confirmed),
		with_store(test_a_group_is_switched_again),
		with_store(test_a_member_whose_former_set_is_gone),
		with_store(test_a_member_without_the_set),
		with_store(test_a_removed_member_is_named),
		with_store(test_only_what_was_planned),
		with_store(test_long_notes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
