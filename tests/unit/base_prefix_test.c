/* Prefixes: what is one and what is not, and whom they match: against a
 * comparison bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/prefix.h"

static struct address address_of(const char *text, size_t *size)
{
	uint8_t octets[16];

	*size = strchr(text, ':') ? 16 : 4;
	assert_int_equal(inet_pton(*size == 4 ? AF_INET : AF_INET6, text, octets), 1);
	return address_load(octets, *size);
}

static void what_is_one(void **state)
{
	static const struct { const char *text, *again; } good[] = {
		{ "192.0.2.0/24", "192.0.2.0/24" }, { "192.0.2.1", "192.0.2.1" }, { "192.0.2.1/32", "192.0.2.1" },
		{ "0.0.0.0/0", "0.0.0.0/0" }, { "128.0.0.0/1", "128.0.0.0/1" }, { "::/0", "::/0" },
		{ "2001:db8::/32", "2001:db8::/32" }, { "2001:DB8:0::1", "2001:db8::1" }, { "::1/128", "::1" },
		{ "2001:db8:0:0:8000::/65", "2001:db8:0:0:8000::/65" }, { "2001:db8:0:1::/64", "2001:db8:0:1::/64" },
		{ "fe80::/10", "fe80::/10" }, { "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
	};
	static const struct { const char *text, *part; } bad[] = {
		{ "", "no address" }, { "any", "no address" }, { "192.0.2.0/33", "no address" }, { "192.0.2.0/", "no address" },
		{ "192.0.2.0/24x", "no address" }, { "192.0.2.0/-1", "no address" }, { "192.0.2.0/024 ", "no address" },
		{ "192.0.2.0/0024", "no address" }, { "192.0.2", "no address" }, { "192.0.2.0/24/24", "no address" },
		{ "2001:db8::/129", "no address" }, { "2001:db8:::/32", "no address" }, { "/24", "no address" },
		{ "fe80::1%eth0", "no address" }, { "1111:2222:3333:4444:5555:6666:7777:8888:9999/128", "no address" },
		{ "192.0.2.1/24", "is 192.0.2.0/24 meant?" }, { "2001:db8::1/64", "is 2001:db8::/64 meant?" },
		{ "2001:db8:0:0:8000::/64", "is 2001:db8::/64 meant?" },
	};
	char text[PREFIX_TEXT];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct err err = ERR_INIT;
		struct prefix p;

		if (prefix_parse(&p, good[i].text, strlen(good[i].text), &err))
			fail_msg("%s: %s", good[i].text, err.message);
		assert_string_equal(prefix_to_text(text, &p.first, p.size, p.bits), good[i].again);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err err = ERR_INIT;
		struct prefix p;

		if (!prefix_parse(&p, bad[i].text, strlen(bad[i].text), &err))
			fail_msg("'%s' was taken", bad[i].text);
		assert_true(err_is(&err, ERR_PARSE));
		if (!strstr(err.message, bad[i].part))
			fail_msg("'%s' gave: %s", bad[i].text, err.message);
	}
}

static void random_octets(uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)random();
}

static bool first_bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	for (unsigned i = 0; i < bits; i++)
		if ((a[i / 8] ^ b[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

static void whom_they_match(void **state)
{
	srandom(1);
	for (unsigned round = 0; round < 100000; round++) {
		size_t size = round % 2 ? 16 : 4;
		unsigned bits = (unsigned)random() % (8 * (unsigned)size + 1), flip = (unsigned)random() % (8 * (unsigned)size);
		uint8_t a[16], b[16];
		struct address at;
		struct prefix p = { .size = (uint8_t)size, .bits = (uint8_t)bits, .mask = prefix_mask(bits) };

		random_octets(a, sizeof a);
		memcpy(b, a, sizeof b);
		if (round % 3)
			b[flip / 8] ^= (uint8_t)(0x80 >> flip % 8);
		at = address_load(a, size);
		p.first = address_mask(&at, &p.mask);
		at = address_load(b, size);
		assert_int_equal(prefix_matches(&p, &at, size), first_bits_equal(a, b, bits));
		assert_false(prefix_matches(&p, &at, 20 - size));
	}
}

static bool is_in(const struct prefix_list *list, const char *text)
{
	size_t size;
	struct address a = address_of(text, &size);

	return prefix_list_matches(list, &a, size);
}

static void lists(void **state)
{
	static const char text[] = " 192.0.2.0/25,2001:db8::/32 ,\t10.0.0.1,";
	struct prefix_list list = { .items = NULL };
	struct err err = ERR_INIT;

	assert_false(is_in(&list, "127.0.0.1"));
	assert_int_equal(prefix_list_parse(&list, "", 0, 9, &err), 0);
	assert_int_equal(list.count, 0);
	assert_int_equal(prefix_list_parse(&list, text, strlen(text), 3, &err), 0);
	assert_int_equal(list.count, 3);
	assert_true(is_in(&list, "192.0.2.127") && is_in(&list, "2001:db8:ffff::1") && is_in(&list, "10.0.0.1"));
	assert_false(is_in(&list, "192.0.2.128") || is_in(&list, "2001:db9::") || is_in(&list, "10.0.0.2") || is_in(&list, "::"));
	assert_int_equal(prefix_list_parse(&list, "10.0.0.3 nonsense", 17, 3, &err), -1);
	assert_true(err_is(&err, ERR_PARSE) && list.count == 3);
	err_clear(&err);
	assert_int_equal(prefix_list_parse(&list, "10.0.0.3 10.0.0.4", 17, 1, &err), -1);
	assert_true(err_is(&err, ERR_LIMIT) && list.count == 3 && !is_in(&list, "10.0.0.3"));
	prefix_list_clear(&list);
	assert_int_equal(list.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_one),
		cmocka_unit_test(whom_they_match),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
