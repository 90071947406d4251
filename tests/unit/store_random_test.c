/*
 * Thousands of commands at random: whatever comes, a refusal changes nothing,
 * serials only move forward, the way back is kept, and fsck finds no fault.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/record_writes.h"
#include "store_scene.h"

#define ZONES 4
#define SETS 4
#define GROUPS 2

static const char *const zones[ZONES] = { "example", "a.example", "b.example", "x.a.example" };
static const char *const sets[SETS] = { "one", "two", "three", "four" };
static const char *const groups[GROUPS] = { "all", "some" };

static struct scene scene;
static struct model versions[ZONES][6];
static struct dice dice;

static const char *any_zone(void) { return zones[dice_below(&dice, ZONES)]; }
static const char *any_set(void) { return sets[dice_below(&dice, SETS)]; }
static const char *any_group(void) { return groups[dice_below(&dice, GROUPS)]; }

static unsigned number_of(const char *zone)
{
	unsigned i = 0;

	while (strcmp(zones[i], zone))
		i++;
	return i;
}

/* Which version of its zone a set holds at its newest or live edition: the
 * hash tells. */
static int version_of(const char *zone, const struct content_hash *hash)
{
	for (int i = 0; i < 6; i++) {
		struct model_image image;
		bool same;

		model_build(&image, &versions[number_of(zone)][i], false);
		same = !memcmp(image.header.content, hash->word, sizeof hash->word);
		model_close(&image);
		if (same)
			return i;
	}
	return -1;
}

/* ---- commands ------------------------------------------------------------------------ */

static int do_import(void)
{
	const char *zone = any_zone();
	struct import in = { .zone = zone, .set = any_set(), .automatic = dice_below(&dice, 3) == 0 };
	unsigned version = dice_below(&dice, 6);

	in.model = &versions[number_of(zone)][version];
	in.serial = version == 0 ? 1 : version + 2;
	return scene_import(&scene, &in, NULL);
}

static int do_cutover(void)
{
	char items[128];
	const char *a = any_zone(), *b = any_zone();

	if (dice_below(&dice, 3))
		snprintf(items, sizeof items, "%s@%s", a, any_set());
	else
		snprintf(items, sizeof items, "%s@%s %s@%s", a, any_set(), b, any_set());
	return scene_cutover(&scene, items, dice_below(&dice, 2), NULL);
}

static int do_reload(void)
{
	struct switch_item item[1];
	struct switch_request req = { .kind = SWITCH_RELOAD, .items = item, .count = 1 };
	char items[64];

	snprintf(items, sizeof items, "%s@%s", any_zone(), any_set());
	scene_items(items, item, 1);
	return scene_switch(&scene, &req, NULL);
}

static int do_rollback(void) { return scene_rollback(&scene, any_zone(), NULL); }
static int do_confirm(void) { return scene_confirm(&scene, any_zone(), NULL); }
static int do_group_cutover(void) { return scene_group_cutover(&scene, any_group(), any_set(), dice_below(&dice, 2), NULL); }
static int do_group_rollback(void) { return scene_group_rollback(&scene, any_group(), NULL); }
static int do_group_confirm(void) { return scene_group_confirm(&scene, any_group(), NULL); }
static int do_drop(void) { return scene_drop(&scene, any_zone(), any_set()); }
static int do_clean(void) { return scene_clean(&scene); }

/* An edition more, in its own way a small change: live ones count from what
 * is served. */
static int do_edit(void)
{
	const char *zone = any_zone(), *name = any_set();
	uint8_t apex[NAME_MAX_SIZE];
	struct catalog_txn *t;
	struct zone_row z;
	struct set_row row;
	unsigned to = dice_below(&dice, 6);
	int from = -1, rc;

	err_clear(&scene.err);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	rc = catalog_zone(t, apex, apex_of(zone, apex), &z, &scene.err) || catalog_set_by_name(t, &z, name, &row, &scene.err);
	if (!rc && z.live.set == row.id)
		rc = catalog_set_at(t, z.live, &row, &scene.err);
	catalog_abort(t);
	if (!rc)
		from = version_of(zone, &row.hash);
	if (from < 0)
		return rc ? -1 : 0;
	return scene_edit(&scene, zone, name, &versions[number_of(zone)][from], &versions[number_of(zone)][to], to == 0 ? 1 : to + 2);
}

static int do_fold(void)
{
	const char *zone = any_zone(), *name = any_set();
	uint8_t apex[NAME_MAX_SIZE];
	struct catalog_txn *t;
	struct zone_row z;
	struct set_row row;
	int rc;

	err_clear(&scene.err);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	rc = catalog_zone(t, apex, apex_of(zone, apex), &z, &scene.err) || catalog_set_by_name(t, &z, name, &row, &scene.err);
	catalog_abort(t);
	if (rc)
		return -1;
	return row.images < 2 ? 0 : scene_fold(&scene, zone, name);
}

static int do_zone(void)
{
	const char *zone = any_zone();

	/* seldom: a zone that is gone has no way back */
	if (dice_below(&dice, 4))
		return scene_zone_add(&scene, zone);
	return dice_below(&dice, 6) ? 0 : scene_zone_remove(&scene, zone);
}

static int do_member(void)
{
	uint8_t apex[NAME_MAX_SIZE];
	const char *zone = any_zone(), *group = any_group();
	struct catalog_txn *t;
	int rc;

	err_clear(&scene.err);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	if (dice_below(&dice, 3))
		rc = catalog_group_add(t, group, apex, apex_of(zone, apex), &scene.err);
	else
		rc = catalog_group_remove(t, group, apex, apex_of(zone, apex), &scene.err);
	if (!rc)
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return -1;
}

static int do_group(void)
{
	struct catalog_txn *t;
	int rc;

	err_clear(&scene.err);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	if (dice_below(&dice, 4))
		rc = catalog_group_create(t, any_group(), &scene.err);
	else
		rc = catalog_group_delete(t, any_group(), &scene.err);
	if (!rc)
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return -1;
}

static int do_serial(void)
{
	uint8_t apex[NAME_MAX_SIZE];
	struct catalog_txn *t;
	int rc;

	err_clear(&scene.err);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	rc = catalog_serial(t, apex, apex_of(any_zone(), apex), (uint32_t)dice_next(&dice), &scene_who, NULL, &scene.err);
	if (!rc)
		return catalog_commit(t, NULL, NULL, &scene.err);
	catalog_abort(t);
	return -1;
}

static int do_reopen(void)
{
	struct catalog_txn *t;
	unsigned count;

	scene_close(&scene);
	must(&scene, scene_open(&scene));
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_abandon_loading(t, &count, &scene.err));
	return catalog_commit(t, NULL, NULL, &scene.err);
}

static const struct { const char *name; int (*run)(void); unsigned often; } commands[] = {
	{ "import", do_import, 20 }, { "cutover", do_cutover, 20 }, { "reload", do_reload, 6 }, { "rollback", do_rollback, 10 },
	{ "confirm", do_confirm, 6 }, { "group cutover", do_group_cutover, 12 }, { "group rollback", do_group_rollback, 6 },
	{ "group confirm", do_group_confirm, 4 }, { "drop", do_drop, 8 }, { "clean", do_clean, 5 }, { "edit", do_edit, 16 },
	{ "fold", do_fold, 4 }, { "zone", do_zone, 3 }, { "member", do_member, 8 }, { "group", do_group, 3 },
	{ "serial", do_serial, 2 }, { "reopen", do_reopen, 1 },
};

static unsigned any_command(void)
{
	unsigned all = 0, i = 0, n;

	for (unsigned k = 0; k < sizeof commands / sizeof commands[0]; k++)
		all += commands[k].often;
	n = dice_below(&dice, all);
	while (n >= commands[i].often)
		n -= commands[i++].often;
	return i;
}

/* ---- what must hold --------------------------------------------------------------------- */

/* What a refusal may be called. */
static bool is_refusal(const char *code)
{
	static const char *const codes[] = { ERR_NO_SUCH_ZONE, ERR_NO_SUCH_SET, ERR_NO_SUCH_GROUP, ERR_EXISTS, ERR_NOT_READY, ERR_IN_USE,
		ERR_HELD, ERR_NO_PREVIOUS, ERR_SERIAL, ERR_BAD_REQUEST, ERR_OVERTAKEN, ERR_LIMIT };

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (!strcmp(code, codes[i]))
			return true;
	return false;
}

/* Loading sets that a refused import leaves behind are no change of what was
 * promised, and are not in the text. */
static void assert_same_text(const char *before, const char *command)
{
	char now[8192];

	scene_text(&scene, now, sizeof now);
	if (strcmp(before, now))
		fail_msg("%s was refused (%s), and changed\n%sinto\n%s", command, scene.err.message, before, now);
}

struct served { bool known; uint32_t serial; };

static void look_at_serials(struct served *before)
{
	for (unsigned i = 0; i < ZONES; i++) {
		uint8_t apex[NAME_MAX_SIZE];
		struct err err = ERR_INIT;
		struct catalog_txn *t;
		struct zone_row z;
		int rc;

		must(&scene, catalog_begin(scene.writer, &t, &scene.err));
		rc = catalog_zone(t, apex, apex_of(zones[i], apex), &z, &err);
		catalog_abort(t);
		if (rc || !z.live.set)
			continue;
		/* also over a removal: G7 */
		if (before[i].known && z.served_serial != before[i].serial && !serial_ahead(z.served_serial, before[i].serial))
			fail_msg("%s: serial %u after %u", zones[i], z.served_serial, before[i].serial);
		before[i] = (struct served){ .known = true, .serial = z.served_serial };
	}
}

static void test_random_commands(void **state)
{
	unsigned rounds = getenv("SCHWENK_SMALL") ? 1200 : 6000, refused = 0;
	unsigned done[sizeof commands / sizeof commands[0]] = { 0 };
	struct served served[ZONES] = { { false, 0 } };
	const char *seed = getenv("SCHWENK_SEED");

	dice.state = seed ? strtoull(seed, NULL, 10) : 20261124;
	for (unsigned i = 0; i < ZONES; i++)
		must(&scene, scene_zone_add(&scene, zones[i]));
	for (unsigned i = 0; i < rounds; i++) {
		unsigned c = any_command();
		char before[8192];

		scene_text(&scene, before, sizeof before);
		err_clear(&scene.err);
		if (commands[c].run()) {
			if (!scene.err.code || !is_refusal(scene.err.code))
				fail_msg("round %u: %s: %s: %s", i, commands[c].name, scene.err.code, scene.err.message);
			refused++;
			assert_same_text(before, commands[c].name);
		} else {
			done[c]++;
		}
		look_at_serials(served);
		if (i % 20 == 0 && scene_fsck(&scene))
			fail_msg("round %u, after %s: not sound", i, commands[c].name);
	}
	assert_sound(&scene);
	for (unsigned c = 0; c < sizeof commands / sizeof commands[0]; c++)
		if (done[c] < 3)
			fail_msg("%s was done %u times only", commands[c].name, done[c]);
	print_message("%u of %u were refused\n", refused, rounds);
	assert_true(refused < rounds * 3 / 4);
}

static int setup(void **state)
{
	record_sparse(true);
	scene.base = scene_fast_base();
	scene_begin(&scene);
	for (unsigned i = 0; i < ZONES; i++)
		for (unsigned k = 0; k < 6; k++) {
			if (k == 0)
				model_random(&versions[i][0], zones[i], i, 12, MODEL_CUTS);
			else
				model_change(&versions[i][k], &versions[i][k - 1], k, 3);
		}
	return 0;
}

static int teardown(void **state)
{
	for (unsigned i = 0; i < ZONES; i++)
		for (unsigned k = 0; k < 6; k++)
			model_free(&versions[i][k]);
	scene_end(&scene);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_commands) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
