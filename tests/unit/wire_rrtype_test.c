/* Types: mnemonics with ldns as a second opinion, and the names in rdata. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>    /* first: else ldns makes _Bool a signed char */
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "wire/rrtype.h"

#define NAMES 8

/* Rdata in hex, and where its names are. */
static const struct row {
	const char *what;
	uint16_t type;
	const char *hex;
	int count;              /* -1: malformed */
	uint16_t at[NAMES];
	bool compressible;
	int additional;
} rows[] = {
	{ "A", 1, "c0000201", 0, { 0 }, false, -1 },
	{ "A of three octets", 1, "c00002", -1, { 0 }, false, -1 },
	{ "A of five octets", 1, "c000020100", -1, { 0 }, false, -1 },
	{ "AAAA", 28, "20010db8000000000000000000000001", 0, { 0 }, false, -1 },
	{ "NS", 2, "016100", 1, { 0 }, true, 0 },
	{ "NS with octets behind it", 2, "01610000", -1, { 0 }, true, 0 },
	{ "NS, compressed", 2, "c00c", -1, { 0 }, true, 0 },
	{ "NS without end", 2, "0161", -1, { 0 }, true, 0 },
	{ "NS of no octets", 2, "", -1, { 0 }, true, 0 },
	{ "CNAME", 5, "00", 1, { 0 }, true, -1 },
	{ "SOA", 6, "01610001620000000001000000020000000300000004" "00000005", 2, { 0, 3 }, true, -1 },
	{ "SOA cut off", 6, "016100016200000000010000000200000003000000", -1, { 0 }, true, -1 },
	{ "MINFO", 14, "0161000000", -1, { 0 }, true, -1 },
	{ "MX", 15, "000a016100", 1, { 2 }, true, 0 },
	{ "MX without a name", 15, "000a", -1, { 0 }, true, 0 },
	{ "RP", 17, "016100016200", 2, { 0, 3 }, false, -1 },
	{ "AFSDB", 18, "0001016100", 1, { 2 }, false, 0 },
	{ "PX", 26, "0001016100016200", 2, { 2, 5 }, false, -1 },
	{ "SRV", 33, "000100020003016100", 1, { 6 }, false, 0 },
	{ "NAPTR", 35, "000100020173017500016100", 1, { 9 }, false, -1 },
	{ "NAPTR whose string is too long", 35, "00010002ff73", -1, { 0 }, false, -1 },
	{ "KX", 36, "0001016100", 1, { 2 }, false, 0 },
	{ "DNAME", 39, "016100", 1, { 0 }, false, -1 },
	{ "IPSECKEY without gateway", 45, "0a0002" "0102", 0, { 0 }, false, -1 },
	{ "IPSECKEY, IPv4", 45, "0a0102" "c0000201" "0102", 0, { 0 }, false, -1 },
	{ "IPSECKEY, IPv6", 45, "0a0202" "20010db8000000000000000000000001" "01", 0, { 0 }, false, -1 },
	{ "IPSECKEY, half an IPv6", 45, "0a0202" "20010db8", -1, { 0 }, false, -1 },
	{ "IPSECKEY, name", 45, "0a0302" "016100" "0102", 1, { 3 }, false, -1 },
	{ "IPSECKEY of an unknown gateway", 45, "0a0402" "0102", -1, { 0 }, false, -1 },
	{ "RRSIG", 46, "00010802000000010000000200000003" "0001" "016100" "aabb", 1, { 18 }, false, -1 },
	{ "RRSIG cut off", 46, "000108020000000100000002000000030001", -1, { 0 }, false, -1 },
	{ "NSEC", 47, "0161000001", 1, { 0 }, false, -1 },
	{ "HIP", 55, "02010003" "aabb" "ccddee" "016100" "016200", 2, { 9, 12 }, false, -1 },
	{ "HIP without servers", 55, "02010003" "aabb" "ccddee", 0, { 0 }, false, -1 },
	{ "HIP whose key is too long", 55, "0201ffff" "aabb", -1, { 0 }, false, -1 },
	{ "HIP with nine servers", 55, "00010000" "0000000000000000" "00", -1, { 0 }, false, -1 },
	{ "TALINK", 58, "0000", 2, { 0, 1 }, false, -1 },
	{ "SVCB", 64, "000101610000010003026832", 1, { 2 }, false, 0 },
	{ "HTTPS", 65, "000100", 1, { 2 }, false, 0 },
	{ "LP", 107, "000a016100", 1, { 2 }, false, -1 },
	{ "TXT: whatever", 16, "ff", 0, { 0 }, false, -1 },
	{ "an unknown type: whatever", 65280, "c00c", 0, { 0 }, false, -1 },
};

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

static void test_names(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		uint8_t *rdata = malloc(256), *exact;
		size_t size = from_hex(rdata, row->hex);
		uint16_t at[NAMES];
		bool compressible;
		int additional, count;

		exact = malloc(size ? size : 1);
		memcpy(exact, rdata, size);
		count = rrtype_rdata_names(row->type, exact, size, at, NAMES, &compressible, &additional);
		if (count != row->count)
			fail_msg("%s: %d names, not %d", row->what, count, row->count);
		for (int k = 0; k < count; k++)
			if (at[k] != row->at[k])
				fail_msg("%s: name %d at %u, not %u", row->what, k, at[k], row->at[k]);
		if (count >= 0 && (compressible != row->compressible || additional != row->additional))
			fail_msg("%s: compressible %d, additional %d", row->what, compressible, additional);
		free(rdata);
		free(exact);
	}
}

static void test_mnemonics(void **state)
{
	for (unsigned type = 0; type < 65536; type++) {
		char text[16], *theirs = ldns_rr_type2str((ldns_rr_type)type);
		uint16_t back = 0;

		rrtype_to_text((uint16_t)type, text);
		assert_true(rrtype_from_text(text, strlen(text), &back));
		assert_int_equal(back, type);
		/* what ldns knows by name, it calls the same */
		if (strncmp(theirs, "TYPE", 4) && strcmp(theirs, text))
			fail_msg("%u is %s, says ldns, not %s", type, theirs, text);
		free(theirs);
	}
}

static void test_no_mnemonics(void **state)
{
	static const char *const texts[] = { "", "TYPE", "TYPE65536", "TYPE99999", "TYPE123456", "TYPE-1", "TYPE1x", "AX", "A ", "TYPE 1" };
	uint16_t type = 4711;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_false(rrtype_from_text(texts[i], strlen(texts[i]), &type));
	assert_int_equal(type, 4711);
	assert_true(rrtype_from_text("nSeC3pArAm...", 10, &type));
	assert_int_equal(type, TYPE_NSEC3PARAM);
	assert_true(rrtype_from_text("type0", 5, &type));
	assert_int_equal(type, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_mnemonics), cmocka_unit_test(test_no_mnemonics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
