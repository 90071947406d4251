/* Zones, sets and groups in the catalog. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store_scene.h"
#include "wire/rrtype.h"

#define A "a.example"
#define B "b.example"

static struct scene scene;

static int setup(void **state)
{
	memset(&scene, 0, sizeof scene);
	scene_begin(&scene);
	return 0;
}

static int teardown(void **state)
{
	assert_sound(&scene);
	scene_end(&scene);
	return 0;
}

/* Reads in a transaction that writes nothing. */
static struct catalog_txn *look(void)
{
	struct catalog_txn *t;

	err_clear(&scene.err);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	return t;
}

/* ---- zones ---------------------------------------------------------------------- */

static void test_zones_are_added_once(void **state)
{
	struct zone_row zone;

	must(&scene, scene_zone_add(&scene, "Shop.EXAMPLE"));
	scene_zone(&scene, "SHOP.example", &zone);
	assert_memory_equal(zone.apex, "\4shop\7example", 14);
	assert_int_equal(zone.id, 1);
	assert_int_equal(zone.live.set, 0);
	assert_int_equal(zone.switch_id, 0);
	assert_true(zone.created_us > 0);
	must_fail(&scene, ERR_EXISTS, scene_zone_add(&scene, "shop.example"));
	must_fail(&scene, ERR_NO_SUCH_ZONE, scene_zone_remove(&scene, "other.example"));
	must(&scene, scene_zone_add(&scene, "."));
	scene_zone(&scene, ".", &zone);
	assert_int_equal(zone.id, 2);
	assert_int_equal(zone.zones_below, 1);
}

static void test_ids_are_never_used_again(void **state)
{
	struct zone_row zone;

	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_zone_remove(&scene, A));
	must(&scene, scene_zone_add(&scene, A));
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.id, 2);
}

static uint32_t below(const char *zone)
{
	struct zone_row row;

	scene_zone(&scene, zone, &row);
	return row.zones_below;
}

static void test_zones_below_are_counted(void **state)
{
	static const char *const zones[] = { "a.b.example", "example", "x.a.b.example", "b.example", "ab.example", "a.b.examples", ".",
		"\\000.example" };

	for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++)
		must(&scene, scene_zone_add(&scene, zones[i]));
	assert_int_equal(below("."), 7);
	assert_int_equal(below("example"), 5);
	assert_int_equal(below("b.example"), 2);
	assert_int_equal(below("a.b.example"), 1);
	assert_int_equal(below("ab.example"), 0);
	assert_sound(&scene);
	must(&scene, scene_zone_remove(&scene, "b.example"));
	assert_int_equal(below("."), 6);
	assert_int_equal(below("example"), 4);
	must(&scene, scene_zone_remove(&scene, "x.a.b.example"));
	assert_int_equal(below("a.b.example"), 0);
	assert_int_equal(below("example"), 3);
	must(&scene, scene_zone_add(&scene, "b.example"));
	assert_int_equal(below("b.example"), 1);
}

struct names { unsigned count, stop_after; char text[16][32]; };

static int note_zone(void *arg, const struct zone_row *zone)
{
	struct names *n = arg;
	char text[NAME_TEXT_MAX];

	snprintf(n->text[n->count++], sizeof n->text[0], "%.31s", name_to_text_short(text, zone->apex));
	return n->count == n->stop_after;
}

static void test_zones_are_listed_in_slices(void **state)
{
	static const char *const zones[] = { "b.example", "example", "a.example", "z.a.example", "net" };
	static const char *const order[] = { "example", "a.example", "z.a.example", "b.example", "net" };
	struct names all = { 0 }, slice = { .stop_after = 2 };
	uint8_t after[NAME_MAX_SIZE];
	struct catalog_txn *t;

	for (size_t i = 0; i < 5; i++)
		must(&scene, scene_zone_add(&scene, zones[i]));
	t = look();
	assert_int_equal(catalog_zone_count(t), 5);
	must(&scene, catalog_zones(t, NULL, 0, note_zone, &all, &scene.err));
	assert_int_equal(all.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(all.text[i], order[i]);
	must(&scene, catalog_zones(t, NULL, 0, note_zone, &slice, &scene.err));
	assert_int_equal(slice.count, 2);
	slice.stop_after = 4;
	must(&scene, catalog_zones(t, after, apex_of("a.example", after), note_zone, &slice, &scene.err));
	assert_string_equal(slice.text[2], "z.a.example");
	assert_string_equal(slice.text[3], "b.example");
	slice.count = slice.stop_after = 0;
	must(&scene, catalog_zones(t, after, apex_of("zz.a.example", after), note_zone, &slice, &scene.err));
	assert_int_equal(slice.count, 2);
	catalog_abort(t);
}

static int set_properties(const char *zone, const char *text)
{
	uint8_t apex[NAME_MAX_SIZE];
	struct catalog_txn *t = look();
	int rc = catalog_zone_set_properties(t, apex, apex_of(zone, apex), text, &scene.err);

	if (!rc)
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return rc;
}

static void test_properties(void **state)
{
	char long_text[1100];
	struct zone_row zone;

	memset(long_text, 'x', sizeof long_text);
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, set_properties(A, "template=shop\n"));
	scene_zone(&scene, A, &zone);
	assert_string_equal(zone.properties, "template=shop\n");
	long_text[1024] = '\0';
	must_fail(&scene, ERR_LIMIT, set_properties(A, long_text));
	long_text[1023] = '\0';
	must(&scene, set_properties(A, long_text));
	scene_zone(&scene, A, &zone);
	assert_string_equal(zone.properties, long_text);
	must_fail(&scene, ERR_NO_SUCH_ZONE, set_properties(B, ""));
}

/* A removed zone leaves its last serial behind, for when it returns. */
static void test_serial_outlives_the_zone(void **state)
{
	struct zone_row zone;

	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "one", 500, "x"));
	must(&scene, scene_cutover(&scene, A "@one", false, NULL));
	must(&scene, scene_zone_remove(&scene, A));
	assert_sound(&scene);
	must(&scene, scene_clean(&scene));
	must(&scene, scene_zone_add(&scene, A));
	scene_zone(&scene, A, &zone);
	assert_true(zone.flags & ZONE_SERIAL_KNOWN);
	assert_int_equal(zone.highest_serial, 500);
	must(&scene, scene_import_text(&scene, A, "one", 10, "x"));
	must(&scene, scene_cutover(&scene, A "@one", false, NULL));
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.served_serial, 501);
}

/* ---- sets ----------------------------------------------------------------------- */

static void test_names_of_sets(void **state)
{
	char name[66];

	assert_true(set_name_valid("new"));
	assert_true(set_name_valid("2026.11_24-a"));
	assert_true(set_name_valid("-"));
	assert_false(set_name_valid(""));
	assert_false(set_name_valid("New"));
	assert_false(set_name_valid("a b"));
	assert_false(set_name_valid("a@b"));
	assert_false(set_name_valid("live"));
	assert_false(set_name_valid("previous"));
	assert_false(set_name_valid("m\xc3\xbcller"));
	memset(name, 'a', 65);
	name[63] = '\0';
	assert_true(set_name_valid(name));
	name[63] = 'a';
	name[64] = '\0';
	assert_false(set_name_valid(name));
	must(&scene, scene_zone_add(&scene, A));
	must_fail(&scene, ERR_BAD_REQUEST, scene_import_text(&scene, A, "live", 1, "x"));
}

static void test_import_makes_a_staged_set(void **state)
{
	struct zone_row zone;
	struct set_row set;

	must_fail(&scene, ERR_NO_SUCH_ZONE, scene_import_text(&scene, A, "new", 7, "x"));
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "new", 7, "x"));
	scene_set(&scene, A, "new", &set);
	assert_int_equal(set.state, SET_READY);
	assert_int_equal(set.edition, 1);
	assert_int_equal(set.soa_serial, 7);
	assert_int_equal(set.records, 2);
	assert_int_equal(set.rrsets, 2);
	assert_int_equal(set.nodes, 2);
	assert_int_equal(set.images, 1);
	assert_string_equal(set.source, "a test");
	assert_true(set.octets > 0);
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.live.set, 0);
	assert_int_equal(zone.flags, 0);
}

static void test_import_replaces_a_staged_namesake(void **state)
{
	struct set_row first, second;

	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "new", 1, "x"));
	scene_set(&scene, A, "new", &first);
	must(&scene, scene_import_text(&scene, A, "new", 2, "y"));
	scene_set(&scene, A, "new", &second);
	assert_int_not_equal(first.id, second.id);
	assert_int_equal(second.soa_serial, 2);
	assert_sound(&scene);
	must(&scene, scene_clean(&scene));
	assert_sound(&scene);
}

/* While one is loaded, the staged one of the same name stays what it is. */
static void test_loading_sets_do_not_hide_others(void **state)
{
	struct set_row set, found;
	struct zone_row zone;
	struct catalog_txn *t;
	unsigned count;

	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "new", 1, "x"));
	scene_zone(&scene, A, &zone);
	t = look();
	must(&scene, catalog_set_begin(t, &zone, "new", "another", &set, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	scene_set(&scene, A, "new", &found);
	assert_int_equal(found.soa_serial, 1);
	t = look();
	must(&scene, catalog_set_drop(t, found.id, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	scene_set(&scene, A, "new", &found);
	assert_int_equal(found.state, SET_LOADING);
	must_fail(&scene, ERR_NOT_READY, scene_cutover(&scene, A "@new", true, NULL));
	assert_sound(&scene);
	t = look();
	must(&scene, catalog_abandon_loading(t, &count, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	assert_int_equal(count, 1);
	must_fail(&scene, ERR_NO_SUCH_SET, scene_cutover(&scene, A "@new", true, NULL));
}

static void test_finish_needs_a_loading_set(void **state)
{
	struct catalog_txn *t;
	struct set_row set;

	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "new", 1, "x"));
	scene_set(&scene, A, "new", &set);
	t = look();
	must_fail(&scene, ERR_INTERNAL, catalog_set_finish(t, &set, &scene.err));
	err_clear(&scene.err);
	set.id += 100;
	must_fail(&scene, ERR_NO_SUCH_SET, catalog_set_finish(t, &set, &scene.err));
	catalog_abort(t);
}

static void test_failed_sets_are_not_switched_to(void **state)
{
	struct import in = { .zone = A, .set = "bad", .serial = 1, .failed = true };
	struct model m;

	model_random(&m, A, 1, 5, 0);
	in.model = &m;
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import(&scene, &in, NULL));
	must_fail(&scene, ERR_NOT_READY, scene_cutover(&scene, A "@bad", true, NULL));
	must(&scene, scene_drop(&scene, A, "bad"));
	must_fail(&scene, ERR_NO_SUCH_SET, scene_cutover(&scene, A "@bad", true, NULL));
	model_free(&m);
}

static void test_dropping_frees_all(void **state)
{
	struct store_space catalog, images;
	uint64_t before;
	struct import in = { .zone = A, .set = "large", .serial = 1 };
	struct model m;

	model_random(&m, A, 1, 20000, 0);
	in.model = &m;
	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "small", 1, "x"));
	must(&scene, scene_clean(&scene));
	must(&scene, store_space(scene.writer, &catalog, &images, &scene.err));
	before = images.used;
	for (int i = 0; i < 3; i++) {
		must(&scene, scene_import(&scene, &in, NULL));
		must(&scene, store_space(scene.writer, &catalog, &images, &scene.err));
		assert_true(images.used > before + (1 << 20));
		must(&scene, scene_drop(&scene, A, "large"));
		assert_sound(&scene);
		must(&scene, scene_clean(&scene));
		must(&scene, store_space(scene.writer, &catalog, &images, &scene.err));
		assert_true(images.used <= before + (64 << 10));
		assert_sound(&scene);
	}
	model_free(&m);
}

static void test_what_is_in_use_is_not_dropped(void **state)
{
	must(&scene, scene_zone_add(&scene, A));
	for (int i = 0; i < 3; i++) {
		static const char *const name[] = { "one", "two", "three" };

		must(&scene, scene_import_text(&scene, A, name[i], 1, name[i]));
	}
	must(&scene, scene_cutover(&scene, A "@one", true, NULL));
	must_fail(&scene, ERR_IN_USE, scene_drop(&scene, A, "one"));
	must(&scene, scene_cutover(&scene, A "@two", true, NULL));
	must_fail(&scene, ERR_IN_USE, scene_drop(&scene, A, "one"));            /* the way back */
	must_fail(&scene, ERR_IN_USE, scene_import_text(&scene, A, "one", 1, "x"));
	must_fail(&scene, ERR_IN_USE, scene_import_text(&scene, A, "two", 1, "x"));
	must(&scene, scene_confirm(&scene, A, NULL));
	must_fail(&scene, ERR_IN_USE, scene_drop(&scene, A, "one"));
	must(&scene, scene_cutover(&scene, A "@three", true, NULL));
	must(&scene, scene_drop(&scene, A, "one"));
	/* made while three was live, so from it */
	must(&scene, scene_import_text(&scene, A, "four", 1, "x"));
	must(&scene, scene_cutover(&scene, A "@two", true, NULL));
	must(&scene, scene_rollback(&scene, A, NULL));
	must(&scene, scene_cutover(&scene, A "@two", false, NULL));
	must(&scene, scene_confirm(&scene, A, NULL));
	must_fail(&scene, ERR_IN_USE, scene_drop(&scene, A, "three"));
	must(&scene, scene_drop(&scene, A, "four"));
	must(&scene, scene_import_text(&scene, A, "five", 1, "x"));
	must(&scene, scene_cutover(&scene, A "@five", false, NULL));
	must(&scene, scene_drop(&scene, A, "three"));
	must(&scene, scene_clean(&scene));
}

/* ---- orphans: chunks that nothing names ------------------------------------------- */

static void test_orphans_are_found_and_dropped(void **state)
{
	struct store_space catalog, before, after;
	struct model_image built;
	struct copy_in *c;
	struct model m;
	uint64_t cursor = 0;
	unsigned deleted = 0;
	int rc;

	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_import_text(&scene, A, "kept", 1, "x"));
	must(&scene, store_space(scene.writer, &catalog, &before, &scene.err));
	model_random(&m, A, 1, 3000, 0);
	model_build_key(&built, &m, false, store_writer_hash_key(scene.writer));
	must(&scene, copy_in_begin(scene.writer, built.fd, 0, built.size, 900, &c, &scene.err));
	while ((rc = copy_in_step(c, 1000, &scene.err)) == 1)
		;
	must(&scene, rc);
	assert_true(copy_in_share(c) == 1);
	copy_in_free(c);
	assert_sound(&scene);           /* an import may be under way */
	scene_close(&scene);
	must(&scene, scene_open(&scene));
	while ((rc = store_orphans_step(scene.writer, &cursor, &deleted, &scene.err)) == 1)
		;
	must(&scene, rc);
	assert_int_equal(deleted, 1);
	must(&scene, store_space(scene.writer, &catalog, &after, &scene.err));
	assert_true(after.used <= before.used + (64 << 10));
	model_close(&built);
	model_free(&m);
}

/* ---- images whose maker is not to be trusted --------------------------------------- */

static int take_in(const struct model_image *built, uint64_t id)
{
	struct err err = ERR_INIT;
	struct copy_in *c;
	int rc = copy_in_begin(scene.writer, built->fd, 0, built->size, id, &c, &err);

	if (rc)
		return rc;
	while ((rc = copy_in_step(c, 1000000, &err)) == 1)
		;
	copy_in_free(c);
	while (store_image_delete_step(scene.writer, id, 1000000, &scene.err) == 1)
		;
	return rc;
}

/* The writer takes in what the check finds right, and nothing else. */
static void test_a_damaged_image_is_refused(void **state)
{
	struct dice dice = { .state = 7 };
	struct model_image built;
	uint64_t key = store_writer_hash_key(scene.writer);
	unsigned refused = 0;
	struct model m;

	model_random(&m, A, 1, 3000, 0);
	model_build_key(&built, &m, false, key);
	assert_true(built.size > 2 * CHUNK_SIZE);
	assert_int_equal(take_in(&built, 900), 0);
	for (unsigned i = 1; i <= 200; i++) {
		off_t at = (off_t)dice_below(&dice, (uint32_t)built.size);
		struct err err = ERR_INIT;
		uint8_t was, now;
		int wrong;

		assert_int_equal(pread(built.fd, &was, 1, at), 1);
		now = was ^ (uint8_t)(1u << dice_below(&dice, 8));
		assert_int_equal(pwrite(built.fd, &now, 1, at), 1);
		wrong = model_check(built.fd, 0, built.size, key, &err);
		assert_int_equal(take_in(&built, 900 + i), wrong);
		refused += wrong != 0;
		assert_int_equal(pwrite(built.fd, &was, 1, at), 1);
	}
	assert_true(refused > 50);
	model_close(&built);
	model_free(&m);
}

/* ---- groups ------------------------------------------------------------------------ */

static int change_group(int (*change)(struct catalog_txn *, const char *, const uint8_t *, size_t, struct err *),
	const char *group, const char *zone)
{
	uint8_t apex[NAME_MAX_SIZE];
	struct catalog_txn *t = look();
	int rc = change(t, group, apex, apex_of(zone, apex), &scene.err);

	if (!rc)
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return rc;
}

static int delete_group(const char *group)
{
	struct catalog_txn *t = look();
	int rc = catalog_group_delete(t, group, &scene.err);

	if (!rc)
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return rc;
}

static int count_group(void *arg, const char *group, uint64_t members)
{
	*(uint64_t *)arg += 100 + members;
	return 0;
}

static int count_member(void *arg, const uint8_t *apex, size_t size)
{
	++*(unsigned *)arg;
	return 0;
}

static void test_groups(void **state)
{
	struct catalog_txn *t;
	uint64_t groups = 0;
	unsigned members = 0;

	must(&scene, scene_zone_add(&scene, A));
	must(&scene, scene_zone_add(&scene, B));
	must(&scene, scene_group(&scene, "shops", A " " B));
	must(&scene, scene_group(&scene, "one", A));
	must_fail(&scene, ERR_EXISTS, scene_group(&scene, "shops", ""));
	must_fail(&scene, ERR_BAD_REQUEST, scene_group(&scene, "Shops", ""));
	must_fail(&scene, ERR_NO_SUCH_ZONE, scene_group(&scene, "more", "c.example"));
	must(&scene, change_group(catalog_group_add, "one", A));        /* is a member already */
	must(&scene, change_group(catalog_group_add, "one", B));
	must(&scene, change_group(catalog_group_remove, "one", A));
	must(&scene, change_group(catalog_group_remove, "one", A));
	must_fail(&scene, ERR_NO_SUCH_GROUP, change_group(catalog_group_add, "none", A));
	t = look();
	must(&scene, catalog_groups(t, count_group, &groups, &scene.err));
	assert_int_equal(groups, 203);
	must(&scene, catalog_group(t, "shops", count_member, &members, &scene.err));
	assert_int_equal(members, 2);
	catalog_abort(t);
	assert_sound(&scene);
	must(&scene, scene_zone_remove(&scene, A));
	members = 0;
	t = look();
	must(&scene, catalog_group(t, "shops", count_member, &members, &scene.err));
	assert_int_equal(members, 1);
	catalog_abort(t);
	must(&scene, delete_group("shops"));
	must_fail(&scene, ERR_NO_SUCH_GROUP, delete_group("shops"));
}

/* Its name is free at once; who was in it goes in slices, also over a restart,
 * and while zones go. */
static void test_a_large_group_is_deleted(void **state)
{
	enum { ZONES = 2 * GROUP_CLEAR_MAX + 50 };
	struct catalog_txn *t = look();
	uint8_t apex[NAME_MAX_SIZE];
	uint64_t groups = 0;
	struct zone_row row;
	char name[32];
	int steps = 0, n;

	must(&scene, catalog_group_create(t, "large", &scene.err));
	for (int i = 0; i < ZONES; i++) {
		snprintf(name, sizeof name, "z%d.example", i);
		must(&scene, catalog_zone_add(t, apex, apex_of(name, apex), &row, &scene.err));
		must(&scene, catalog_group_add(t, "large", row.apex, row.apex_size, &scene.err));
	}
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	must(&scene, delete_group("large"));
	must_fail(&scene, ERR_NO_SUCH_GROUP, delete_group("large"));
	t = look();
	must(&scene, catalog_groups(t, count_group, &groups, &scene.err));
	assert_int_equal(groups, 0);
	catalog_abort(t);
	assert_sound(&scene);
	must(&scene, scene_group(&scene, "large", "z0.example z550.example"));
	do {
		t = look();
		n = catalog_group_clear(t, &scene.err);
		assert_true(n >= 0);
		must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
		assert_sound(&scene);
		if (steps++ == 0)
			must(&scene, scene_zone_remove(&scene, "z0.example"));  /* in it no more, and in the new one */
		if (steps == 1)
			must(&scene, scene_zone_remove(&scene, "z500.example"));        /* still in it */
		scene_close(&scene);
		must(&scene, scene_open(&scene));
	} while (n);
	assert_int_equal(steps, 4);
	t = look();
	must(&scene, catalog_groups(t, count_group, &groups, &scene.err));
	assert_int_equal(groups, 101);
	assert_int_equal(catalog_group_clear(t, &scene.err), 0);
	catalog_abort(t);
	assert_sound(&scene);
}

/* ---- transactions ------------------------------------------------------------------- */

static void test_commit_says_what_changed(void **state)
{
	struct catalog_txn *t = look();
	uint64_t id = 0, later = 0, generation;
	bool changed = true;
	struct zone_row row;
	uint8_t apex[NAME_MAX_SIZE];

	generation = catalog_generation(t);
	must(&scene, catalog_commit(t, &id, &changed, &scene.err));
	assert_false(changed);
	t = look();
	must(&scene, catalog_zone_add(t, apex, apex_of(A, apex), &row, &scene.err));
	must(&scene, catalog_commit(t, &later, &changed, &scene.err));
	assert_true(changed);
	assert_true(later > id);
	t = look();
	assert_int_equal(catalog_generation(t), generation + 1);
	catalog_abort(t);
	/* readers may keep what they make of properties */
	for (int i = 0; i < 2; i++) {
		must(&scene, set_properties(A, "x=y\n"));
		t = look();
		assert_int_equal(catalog_generation(t), generation + 2);
		catalog_abort(t);
	}
	/* what is not committed was not */
	t = look();
	must(&scene, catalog_zone_add(t, apex, apex_of(B, apex), &row, &scene.err));
	catalog_abort(t);
	must(&scene, scene_zone_add(&scene, B));
	scene_zone(&scene, B, &row);
	assert_int_equal(row.id, 2);
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_zones_are_added_once),
		with_store(test_ids_are_never_used_again),
		with_store(test_zones_below_are_counted),
		with_store(test_zones_are_listed_in_slices),
		with_store(test_properties),
		with_store(test_serial_outlives_the_zone),
		with_store(test_names_of_sets),
		with_store(test_import_makes_a_staged_set),
		with_store(test_import_replaces_a_staged_namesake),
		with_store(test_loading_sets_do_not_hide_others),
		with_store(test_finish_needs_a_loading_set),
		with_store(test_failed_sets_are_not_switched_to),
		with_store(test_dropping_frees_all),
		with_store(test_what_is_in_use_is_not_dropped),
		with_store(test_orphans_are_found_and_dropped),
		with_store(test_a_damaged_image_is_refused),
		with_store(test_groups),
		with_store(test_a_large_group_is_deleted),
		with_store(test_commit_says_what_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
