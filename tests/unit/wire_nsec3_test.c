/* The hash of NSEC3: the RFC's own examples, and ldns as a second opinion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ldns/ldns.h>

#include "wire/name.h"
#include "wire/nsec3.h"

static const uint8_t salt[] = { 0xaa, 0xbb, 0xcc, 0xdd };

static void hash_label(const char *text, const struct nsec3_params *p, char out[NSEC3_LABEL_SIZE])
{
	uint8_t wire[NAME_MAX_SIZE], hash[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE];
	const char *reason;
	size_t size = name_from_text(wire, text, strlen(text), NULL, false, &reason);

	assert_true(size > 0);
	nsec3_hash(p, wire, size, hash);
	nsec3_label(hash, label);
	assert_int_equal(label[0], NSEC3_LABEL_SIZE - 1);
	memcpy(out, label + 1, NSEC3_LABEL_SIZE - 1);
	out[NSEC3_LABEL_SIZE - 1] = '\0';
}

/* RFC 5155, appendix A. */
static void the_examples_of_the_rfc(void **state)
{
	static const struct { const char *name, *hash; } rows[] = {
		{ "example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom" },
		{ "a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl" },
		{ "ai.example", "gjeqe526plbf1g8mklp59enfd789njgi" },
		{ "ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr" },
		{ "x.w.example", "b4um86eghhds6nea196smvmlo4ors995" },
		{ "*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en" },
		{ "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example", "kohar7mbb8dc2ce8a9qvl8hon4k53uhi" },
	};
	const struct nsec3_params p = { .algorithm = 1, .iterations = 12, .salt = salt, .salt_size = sizeof salt };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char label[NSEC3_LABEL_SIZE];

		hash_label(rows[i].name, &p, label);
		assert_string_equal(label, rows[i].hash);
	}
}

static size_t random_name(uint8_t *wire, unsigned labels)
{
	size_t at = 0;

	for (unsigned i = 0; i < labels; i++) {
		unsigned n = 1 + (unsigned)rand() % 40;

		if (at + n + 2 > NAME_MAX_SIZE)
			break;
		wire[at++] = (uint8_t)n;
		while (n--)
			wire[at++] = (uint8_t)"abcdefghijklmnopqrstuvwxyz0123456789-_"[rand() % 38];
	}
	wire[at++] = 0;
	return at;
}

/* All lengths of name and salt, so that every padding comes up. */
static void ldns_agrees(void **state)
{
	static struct nsec3_cache cache;
	uint8_t wire[NAME_MAX_SIZE], hash[NSEC3_HASH_SIZE], again[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE], long_salt[255];

	srand(1);
	for (size_t i = 0; i < sizeof long_salt; i++)
		long_salt[i] = (uint8_t)rand();
	for (unsigned round = 0; round < 3000; round++) {
		struct nsec3_params p = { .algorithm = 1, .iterations = (uint16_t)(rand() % 4), .salt = long_salt,
			.salt_size = (uint8_t)(round % 3 ? rand() % 20 : rand() % 256) };
		size_t size = random_name(wire, 1 + round % 9);
		ldns_rdf *name = ldns_dname_new_frm_data((uint16_t)size, wire), *hashed;

		hashed = ldns_nsec3_hash_name(name, 1, p.iterations, p.salt_size, long_salt);
		assert_non_null(hashed);
		nsec3_hash(&p, wire, size, hash);
		nsec3_label(hash, label);
		assert_memory_equal(ldns_rdf_data(hashed), label, sizeof label);
		/* few places, so that names drive each other out */
		for (int k = 0; k < 2; k++) {
			nsec3_hash_cached(&cache, (uint64_t)rand() % 4, &p, wire, size, again);
			assert_memory_equal(again, hash, sizeof hash);
		}
		ldns_rdf_deep_free(name);
		ldns_rdf_deep_free(hashed);
	}
}

static int native(void **state)
{
	nsec3_use_native(true);
	return 0;
}

static int plain(void **state)
{
	nsec3_use_native(false);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_examples_of_the_rfc, native),
		cmocka_unit_test_setup(ldns_agrees, native),
		cmocka_unit_test_setup(the_examples_of_the_rfc, plain),
		cmocka_unit_test_setup(ldns_agrees, plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
