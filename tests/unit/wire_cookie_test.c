/* Server cookies: the examples of RFC 9018 appendix A, and what is not one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/cookie.h"

static size_t from_hex(uint8_t *out, const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

static const uint8_t v4[4] = { 198, 51, 100, 100 }, other_v4[4] = { 203, 0, 113, 203 };
static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0x02, 0x20, 0, 1, 0x59, 0xde, 0xd0, 0xf4, 0x87, 0x69, 0x82, 0xb8 };

#define SECRET "e5e973e5a6b2a43f48e7dc849e37bfcf"
#define OLD "dd3bdf9344b678b185a6f5cb60fca715"
#define NEW "445536bcd2513298075a5d379663c962"

static const struct row {
	const char *what, *secret, *second, *cookie;
	const uint8_t *address; size_t address_size;
	uint32_t now;
	enum cookie_verdict verdict;
	const char *reply;
} rows[] = {
	{ "A.1: learning", SECRET, NULL, "2464c4abcf10c957", v4, 4, 1559731985, COOKIE_NEW,
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480" },
	{ "the same, still young", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", v4, 4, 1559731985 + 1800, COOKIE_GOOD,
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480" },
	{ "A.2: renewed when 40 minutes old", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", v4, 4, 1559734385, COOKIE_GOOD,
		"2464c4abcf10c957010000005cf7a871d4a564a1442aca77" },
	{ "A.3: reserved octets are another server's affair", SECRET, NULL, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", other_v4, 4,
		1559727985 + 600, COOKIE_GOOD, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5" },
	{ "A.4: rolled over, the old one is understood", NEW, OLD, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", v6, 16,
		1559741961, COOKIE_GOOD, "22681ab97d52c298010000005cf7c609a6bb79d16625507a" },
	{ "rolled over, and the old one forgotten", NEW, NULL, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", v6, 16,
		1559741961, COOKIE_BAD, "22681ab97d52c298010000005cf7c609a6bb79d16625507a" },
	{ "an hour old", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", v4, 4, 1559731985 + 3600, COOKIE_GOOD, NULL },
	{ "older", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", v4, 4, 1559731985 + 3601, COOKIE_BAD, NULL },
	{ "five minutes ahead of our clock", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", v4, 4, 1559731985 - 300,
		COOKIE_GOOD, "2464c4abcf10c957010000005cf79f111f8130c3eee29480" },
	{ "further ahead", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", v4, 4, 1559731985 - 301, COOKIE_BAD, NULL },
	{ "of another address", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", other_v4, 4, 1559731985, COOKIE_BAD, NULL },
	{ "of another client cookie", SECRET, NULL, "2464c4abcf10c958010000005cf79f111f8130c3eee29480", v4, 4, 1559731985, COOKIE_BAD, NULL },
	{ "with another hash", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29481", v4, 4, 1559731985, COOKIE_BAD,
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480" },
	{ "of another version", SECRET, NULL, "2464c4abcf10c957020000005cf79f111f8130c3eee29480", v4, 4, 1559731985, COOKIE_BAD,
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480" },
	{ "of 8 octets", SECRET, NULL, "2464c4abcf10c957010000005cf79f11", v4, 4, 1559731985, COOKIE_BAD,
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480" },
	{ "of 32 octets", SECRET, NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480000102030405060708090a0b0c0d0e0f", v4, 4, 1559731985,
		COOKIE_BAD, "2464c4abcf10c957010000005cf79f111f8130c3eee29480" },
};

static void secrets_of(const struct row *row, struct cookie_secrets *s)
{
	s->count = 1;
	from_hex(s->secret[0], row->secret);
	if (row->second) {
		from_hex(s->secret[1], row->second);
		s->count = 2;
	}
}

static void test_table(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		uint8_t cookie[40], reply[COOKIE_SIZE], expected[COOKIE_SIZE];
		struct cookie_secrets secrets;
		size_t size = from_hex(cookie, row->cookie);
		enum cookie_verdict v;

		secrets_of(row, &secrets);
		v = cookie_judge(&secrets, cookie, size, row->address, row->address_size, row->now, reply);
		if (v != row->verdict)
			fail_msg("%s: %d, not %d", row->what, v, row->verdict);
		if (row->reply) {
			from_hex(expected, row->reply);
			if (memcmp(reply, expected, COOKIE_SIZE) != 0)
				fail_msg("%s: another cookie", row->what);
		}
		/* what is sent back is good, here and now */
		assert_int_equal(cookie_judge(&secrets, reply, COOKIE_SIZE, row->address, row->address_size, row->now, expected), COOKIE_GOOD);
	}
}

/* The 32 bits of time wrap in 2106. */
static void test_wrap(void **state)
{
	struct cookie_secrets secrets;
	uint8_t client[8] = "clientck", cookie[COOKIE_SIZE], again[COOKIE_SIZE];

	secrets_of(&rows[0], &secrets);
	assert_int_equal(cookie_judge(&secrets, client, 8, v4, 4, UINT32_MAX - 60, cookie), COOKIE_NEW);
	assert_int_equal(cookie_judge(&secrets, cookie, COOKIE_SIZE, v4, 4, 60, again), COOKIE_GOOD);
	assert_memory_equal(cookie, again, COOKIE_SIZE);
	assert_int_equal(cookie_judge(&secrets, cookie, COOKIE_SIZE, v4, 4, 4000, again), COOKIE_BAD);
}

/* No octet of the server's part may change, but the reserved ones' meaning. */
static void test_forged(void **state)
{
	struct cookie_secrets secrets;
	uint8_t cookie[COOKIE_SIZE], reply[COOKIE_SIZE];

	secrets_of(&rows[0], &secrets);
	from_hex(cookie, rows[1].cookie);
	for (unsigned at = 0; at < COOKIE_SIZE; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			cookie[at] ^= (uint8_t)(1u << bit);
			assert_int_equal(cookie_judge(&secrets, cookie, COOKIE_SIZE, v4, 4, 1559731985, reply), COOKIE_BAD);
			cookie[at] ^= (uint8_t)(1u << bit);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_wrap), cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
