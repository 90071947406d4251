/* Sets that were signed elsewhere: their keys, and until when they validate. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	struct import in = { .zone = zone, .set = set, .serial = serial, .signing = signing };
	struct model m;

	model_begin(&m, zone);
	model_soa(&m, serial);
	model_sort(&m);
	in.model = &m;
	must(&scene, scene_import(&scene, &in, NULL));
	model_free(&m);
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
	import_signed(A, "plain", 2, NULL);
	import_signed(B, "old", 1, NULL);
	must(&scene, cutover(A "@old " B "@old", 0, NULL));
	must_fail(&scene, ERR_NO_GO, cutover(A "@plain", 0, NULL));
	assert_non_null(strstr(scene.err.message, "DS"));
	assert_non_null(strstr(scene.err.message, "--force unsigned"));
	must_fail(&scene, ERR_NO_GO, cutover(A "@plain", FORCE_DNSKEY, NULL));
	must(&scene, cutover(A "@plain", FORCE_UNSIGNED, NULL));
	/* and to signed again: whoever sets the DS sees to that */
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test_setup_teardown(test_a_key_that_is_missing_is_a_no_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_signed_to_unsigned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_no_go_stops_them_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signing_of_a_set, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
