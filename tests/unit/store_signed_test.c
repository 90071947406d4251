/* Sets that were signed elsewhere: their keys, and until when they validate. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store/catalog_backup.h"
#include "store_scene.h"
#include "wire/rrtype.h"

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

/* ---- keys ------------------------------------------------------------------------- */

/* "1+ 2 3-": key 1 is published and signs, 2 is published, 3 signs only. */
static struct set_signing signing_of(const char *keys, int64_t until)
{
	struct set_signing s = { .is_signed = true, .until = until };

	for (const char *p = keys; *p; p++) {
		struct set_key *key;

		if (*p < '0' || *p > '9')
			continue;
		key = &s.key[s.keys++];
		*key = (struct set_key){ .tag = (uint16_t)(100 * (*p - '0')), .algorithm = 13 };
		if (p[1] != '-')
			key->hash = (uint64_t)*p;
		key->flags = (p[1] == '-' ? 0 : KEY_PUBLISHED) | (p[1] == '+' || p[1] == '-' ? KEY_SIGNS : 0);
	}
	return s;
}

static void assert_fit(const char *former, const char *latter, enum keys_fit wanted, unsigned tag)
{
	struct set_signing a = signing_of(former, 1), b = signing_of(latter, 1);
	struct set_key missing = { .tag = 0 };

	assert_int_equal(set_keys_fit(&a, &b, &missing), wanted);
	assert_int_equal(missing.tag, tag);
}

static void test_keys(void **state)
{
	struct set_signing none = { .is_signed = false }, one = signing_of("1+", 1), many = signing_of("1+", 1);
	struct set_key missing;

	assert_fit("1+", "1+", KEYS_FIT, 0);
	assert_fit("1+ 2+", "2+ 1+", KEYS_FIT, 0);
	assert_fit("1+", "2+", KEYS_LATTER_SIGNER, 200);
	assert_fit("1+ 2", "2+", KEYS_FORMER_SIGNER, 100);
	assert_fit("1+", "1 2+", KEYS_LATTER_SIGNER, 200);
	assert_fit("1+ 2", "1 2+", KEYS_FIT, 0);
	assert_fit("1+ 2", "1+", KEYS_FIT, 0);
	/* one that is not even published where it signs: by its tag */
	assert_fit("1+ 3-", "1+ 3", KEYS_FIT, 0);
	assert_fit("1+ 3-", "1+", KEYS_FORMER_SIGNER, 300);
	/* the same tag, another key */
	many.key[0].hash = 7;
	assert_int_equal(set_keys_fit(&one, &many, &missing), KEYS_LATTER_SIGNER);
	many.more_keys = true;
	assert_int_equal(set_keys_fit(&one, &many, &missing), KEYS_TOO_MANY);
	assert_int_equal(set_keys_fit(&one, &none, &missing), KEYS_UNSIGNED);
	assert_int_equal(set_keys_fit(&none, &one, &missing), KEYS_FIT);
	assert_int_equal(set_keys_fit(&none, &none, &missing), KEYS_FIT);
}

static void import_signed(const char *zone, const char *set, uint32_t serial, const struct set_signing *signing)
{
	must(&scene, scene_import_signed(&scene, zone, set, serial, signing));
}

static int cutover(const char *sets, unsigned force, struct switch_result *result)
{
	struct switch_item items[4];
	struct switch_request r = { .kind = SWITCH_CUTOVER, .items = items, .hold = true, .force = force };

	r.count = (size_t)scene_items(sets, items, 4);
	return scene_switch(&scene, &r, result);
}

static void test_a_key_that_is_missing_is_a_no_go(void **state)
{
	struct set_signing old = signing_of("1+", 1000), new = signing_of("2+", 2000);
	struct switch_result result;
	char buf[KEYS_TEXT_MAX];

	import_signed(A, "old", 1, &old);
	import_signed(A, "new", 2, &new);
	must(&scene, cutover(A "@old", 0, NULL));
	must_fail(&scene, ERR_NO_GO, cutover(A "@new", 0, NULL));
	assert_non_null(strstr(scene.err.message, "the key 200 (algorithm 13) signs in @new, and is not in the DNSKEY RRset of @old"));
	assert_non_null(strstr(scene.err.message, "--force dnskey"));
	must_fail(&scene, ERR_NO_GO, cutover(A "@new", FORCE_UNSIGNED, NULL));
	must(&scene, cutover(A "@new", FORCE_DNSKEY, &result));
	assert_int_equal(result.items[0].signed_until, 2000);
	assert_int_equal(result.items[0].back_signed_until, 1000);
	assert_int_equal(result.items[0].keys_fit, KEYS_LATTER_SIGNER);
	switch_result_free(&result);
	/* a rollback is never refused: it says so */
	must(&scene, scene_rollback(&scene, A, &result));
	assert_int_equal(result.items[0].keys_fit, KEYS_LATTER_SIGNER);
	assert_int_equal(result.items[0].signed_until, 1000);
	assert_non_null(strstr(switch_keys_text(&result.items[0], buf), "the key 100"));
	switch_result_free(&result);
}

static void test_from_signed_to_unsigned(void **state)
{
	struct set_signing old = signing_of("1+", 1000);

	import_signed(A, "old", 1, &old);
	must(&scene, scene_import_text(&scene, A, "plain", 2, "x"));
	must(&scene, scene_import_text(&scene, B, "old", 1, "x"));
	must(&scene, cutover(A "@old " B "@old", 0, NULL));
	must_fail(&scene, ERR_NO_GO, cutover(A "@plain", 0, NULL));
	assert_non_null(strstr(scene.err.message, "DS"));
	assert_non_null(strstr(scene.err.message, "--force unsigned"));
	must_fail(&scene, ERR_NO_GO, cutover(A "@plain", FORCE_DNSKEY, NULL));
	must(&scene, cutover(A "@plain", FORCE_UNSIGNED, NULL));
	/* and to signed again: whoever sets the DS sees to that */
	must(&scene, scene_spare(&scene, A, "old", 7));
	must(&scene, cutover(A "@old", 0, NULL));
}

static void test_one_no_go_stops_them_all(void **state)
{
	struct set_signing old = signing_of("1+", 1000), new = signing_of("2+", 2000);
	char buf[128];

	import_signed(A, "old", 1, &old);
	import_signed(A, "new", 2, &old);
	import_signed(B, "old", 1, &old);
	import_signed(B, "new", 2, &new);
	must(&scene, scene_group(&scene, "g", A " " B));
	must(&scene, scene_group_cutover(&scene, "g", "old", false, NULL));
	must_fail(&scene, ERR_NO_GO, scene_group_cutover(&scene, "g", "new", false, NULL));
	assert_non_null(strstr(scene.err.message, B));
	assert_string_equal(scene_live(&scene, A, buf), "old/1");
	assert_string_equal(scene_live(&scene, B, buf), "old/1");
}

/* An edition knows its own. */
static void test_signing_of_a_set(void **state)
{
	struct set_signing signing = signing_of("1+ 2 3-", 77);
	struct set_row set;

	import_signed(A, "s", 1, &signing);
	scene_set(&scene, A, "s", &set);
	assert_true(set_signing_equal(&set.signing, &signing));
	signing.key[1].flags = 0;
	assert_false(set_signing_equal(&set.signing, &signing));
}

/* ---- spare SOAs ---------------------------------------------------------------------- */

static uint32_t served(const char *zone)
{
	struct zone_row row;

	scene_zone(&scene, zone, &row);
	return row.served_serial;
}

static void import_pair(uint32_t old, uint32_t new)
{
	struct set_signing signing = signing_of("1+", 9000);

	import_signed(A, "old", old, &signing);
	import_signed(A, "new", new, &signing);
}

static void spares(const char *set, const uint32_t *serials, size_t count)
{
	for (size_t i = 0; i < count; i++)
		must(&scene, scene_spare(&scene, A, set, serials[i]));
}

/* What a reader beside the writer finds in the zone: www's address, and the
 * serial of the SOA; 0: as expected. */
struct expected { uint32_t serial, address; };

static int look(void *arg)
{
	const struct expected *e = arg;
	struct store_reader *r;
	struct err err = ERR_INIT;
	uint8_t wire[NAME_MAX_SIZE];
	size_t size = apex_of(A, wire);
	const struct zone_view *z;
	struct found apex, www;
	struct rrset soa, a;
	struct name name;
	bool prepared;

	if (store_reader_open(&r, scene.dir, &err) || snapshot_begin(r, &err))
		return 1;
	if (!name_parse(&name, wire, size, store_hash_key(r)))
		return 2;
	z = snapshot_find_zone(r, &name, false, &prepared);
	if (!z || z->unreadable || !z->serial_fixed || z->served_serial != e->serial)
		return 3;
	apex = view_find(&z->view, name.hash[0], name.lower, 0);
	if (!apex.node || !image_rrset(apex.image, apex.node, TYPE_SOA, &soa) || load_be32(soa.wire + soa.wire_size - 20) != e->serial)
		return 4;
	www = view_find(&z->view, name_hash_label(name.hash[0], (const uint8_t *)"\3www"), (const uint8_t *)"\3www", 4);
	if (!www.node || !image_rrset(www.image, www.node, TYPE_A, &a) || load_be32(a.wire + a.wire_size - 4) != e->address)
		return 5;
	snapshot_end(r);
	store_reader_close(r);
	return 0;
}

static void assert_served(uint32_t serial, uint32_t address)
{
	struct expected e = { serial, address };

	assert_int_equal(served(A), serial);
	assert_int_equal(in_child(look, &e), 0);
}

static void test_there_and_back_on_spares(void **state)
{
	struct switch_result result;
	struct zone_row zone;

	import_pair(10, 20);
	spares("old", (uint32_t[]){ 50, 30 }, 2);
	spares("new", (uint32_t[]){ 40, 60, 15 }, 3);
	must(&scene, cutover(A "@old", 0, NULL));
	assert_served(10, 10);
	must(&scene, cutover(A "@new", 0, &result));
	assert_served(20, 20);
	assert_int_equal(result.items[0].outlook.spares, 2);
	assert_int_equal(result.items[0].back.spares, 2);
	assert_int_equal(result.items[0].back.serial, 30);
	assert_false(result.items[0].back.stuck);
	/* the spare one is signed for less long than the set */
	assert_int_equal(result.items[0].back_signed_until, 5000);
	assert_int_equal(result.items[0].signed_until, 9000);
	switch_result_free(&result);
	must(&scene, scene_rollback(&scene, A, &result));
	assert_served(30, 10);
	assert_int_equal(result.items[0].signed_until, 5000);
	assert_int_equal(result.items[0].outlook.spares, 1);
	switch_result_free(&result);
	assert_sound(&scene);
	must(&scene, cutover(A "@new", 0, NULL));
	assert_served(40, 20);
	must(&scene, scene_rollback(&scene, A, NULL));
	assert_served(50, 10);
	must(&scene, cutover(A "@new", 0, &result));
	assert_served(60, 20);
	assert_true(result.items[0].back.stuck);
	assert_true(result.items[0].outlook.stuck);
	assert_int_equal(result.items[0].back.spares, 0);
	switch_result_free(&result);
	assert_sound(&scene);
	/* G7's one exception: the way back stays open */
	must(&scene, scene_rollback(&scene, A, &result));
	assert_true(result.items[0].serial_stuck);
	switch_result_free(&result);
	assert_served(10, 10);
	scene_zone(&scene, A, &zone);
	assert_int_equal(zone.highest_serial, 60);
	must_fail(&scene, ERR_SERIAL, cutover(A "@new", 0, NULL));
	assert_non_null(strstr(scene.err.message, "--soa"));
	/* one more, and it goes on */
	must(&scene, scene_spare(&scene, A, "new", 61));
	must(&scene, cutover(A "@new", 0, NULL));
	assert_served(61, 20);
}

static void test_own_soa_first(void **state)
{
	import_pair(10, 100);
	spares("new", (uint32_t[]){ 50, 150 }, 2);
	must(&scene, cutover(A "@old", 0, NULL));
	must(&scene, cutover(A "@new", 0, NULL));
	assert_served(100, 100);
}

static void test_around_the_end_of_numbers(void **state)
{
	import_pair(0xfffffff0, 0xfffffff8);
	spares("old", (uint32_t[]){ 5, 0xfffffffe, 0x7ffffff0 }, 3);
	spares("new", (uint32_t[]){ 3, 4 }, 2);
	must(&scene, cutover(A "@old", 0, NULL));
	must(&scene, cutover(A "@new", 0, NULL));
	must(&scene, scene_rollback(&scene, A, NULL));
	assert_served(0xfffffffe, 0xfffffff0);
	must(&scene, cutover(A "@new", 0, NULL));
	assert_served(3, 0xfffffff8);
	must(&scene, scene_rollback(&scene, A, NULL));
	assert_served(5, 0xfffffff0);
	must_fail(&scene, ERR_SERIAL, cutover(A "@new", 0, NULL));
}

static void test_a_serial_that_is_asked_for(void **state)
{
	struct switch_item items[1];
	struct switch_request r = { .kind = SWITCH_CUTOVER, .items = items, .count = 1, .hold = true, .serial_given = true, .serial = 44 };
	struct catalog_txn *t;
	struct zone_row zone;
	uint8_t apex[NAME_MAX_SIZE];
	size_t size = apex_of(A, apex);

	import_pair(10, 20);
	spares("new", (uint32_t[]){ 30, 45, 60 }, 3);
	must(&scene, cutover(A "@old", 0, NULL));
	scene_items(A "@new", items, 1);
	must_fail(&scene, ERR_SERIAL, scene_switch(&scene, &r, NULL));
	r.serial = 45;
	must(&scene, scene_switch(&scene, &r, NULL));
	assert_served(45, 20);
	/* and `serial`, by itself */
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must_fail(&scene, ERR_SERIAL, catalog_serial(t, apex, size, 59, &scene_who, NULL, &scene.err));
	must_fail(&scene, ERR_SERIAL, catalog_serial(t, apex, size, 30, &scene_who, NULL, &scene.err));
	must(&scene, catalog_serial(t, apex, size, 60, &scene_who, NULL, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	assert_served(60, 20);
	scene_zone(&scene, A, &zone);
	assert_true(zone.spare != 0);
}

static int count_spare(void *arg, const struct spare *spare)
{
	++*(unsigned *)arg;
	return 0;
}

static unsigned spares_of(const char *set)
{
	struct catalog_txn *t;
	struct set_row row;
	unsigned count = 0;

	scene_set(&scene, A, set, &row);
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_spares(t, (struct set_at){ row.id, row.edition }, count_spare, &count, &scene.err));
	catalog_abort(t);
	return count;
}

static void test_what_may_have_spares(void **state)
{
	struct zone_row before, after;

	must(&scene, scene_import_text(&scene, A, "plain", 1, "x"));
	must_fail(&scene, ERR_SERIAL, scene_spare(&scene, A, "plain", 2));
	import_pair(10, 20);
	must(&scene, cutover(A "@old", 0, NULL));
	must(&scene, cutover(A "@new", 0, NULL));
	spares("old", (uint32_t[]){ 30, 31, 31, 30 }, 4);
	assert_int_equal(spares_of("old"), 2);
	must(&scene, scene_rollback(&scene, A, NULL));
	assert_served(30, 10);
	/* what is served is not replaced */
	scene_zone(&scene, A, &before);
	spares("old", (uint32_t[]){ 30, 31 }, 2);
	scene_zone(&scene, A, &after);
	assert_int_equal(before.spare, after.spare);
	assert_served(30, 10);
	must(&scene, scene_clean(&scene));
	assert_served(30, 10);
}

static void test_dropped_with_their_set(void **state)
{
	import_pair(10, 20);
	must(&scene, cutover(A "@old", 0, NULL));
	spares("new", (uint32_t[]){ 30, 31, 32 }, 3);
	spares("old", (uint32_t[]){ 40 }, 1);
	must(&scene, scene_drop(&scene, A, "new"));
	assert_sound(&scene);
	must(&scene, scene_clean(&scene));
	assert_int_equal(spares_of("old"), 1);
	assert_sound(&scene);
	must(&scene, scene_zone_remove(&scene, A));
	must(&scene, scene_clean(&scene));
}

static void test_raised_to_a_spare(void **state)
{
	struct serial_raise raise = { .step = 100, .who = scene_who, .note = "restored" };
	struct catalog_txn *t;

	import_pair(10, 20);
	spares("old", (uint32_t[]){ 50, 110, 120 }, 3);
	must(&scene, cutover(A "@old", 0, NULL));
	must(&scene, catalog_begin(scene.writer, &t, &scene.err));
	must(&scene, catalog_raise_serials(t, &raise, &scene.err));
	must(&scene, catalog_commit(t, NULL, NULL, &scene.err));
	assert_int_equal(raise.raised, 1);
	assert_served(110, 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test_setup_teardown(test_a_key_that_is_missing_is_a_no_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_signed_to_unsigned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_no_go_stops_them_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signing_of_a_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_there_and_back_on_spares, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_soa_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_around_the_end_of_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_serial_that_is_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_may_have_spares, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped_with_their_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_raised_to_a_spare, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
