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
	{ "HIP with nine servers", 55, "00010000" "0000000000000000" "00", 9, { 4, 5, 6, 7, 8, 9, 10, 11 }, false, -1 },
	{ "HIP whose last server has no end", 55, "00010000" "0000000000000000" "01", -1, { 0 }, false, -1 },
	{ "TALINK", 58, "0000", 2, { 0, 1 }, false, -1 },
	{ "SVCB", 64, "000101610000010003026832", 1, { 2 }, false, 0 },
	{ "HTTPS", 65, "000100", 1, { 2 }, false, 0 },
	{ "LP", 107, "000a016100", 1, { 2 }, false, -1 },
	{ "AMTRELAY without relay", 260, "0a80", 0, { 0 }, false, -1 },
	{ "AMTRELAY, IPv4", 260, "0a81" "c0000201", 0, { 0 }, false, -1 },
	{ "AMTRELAY, name", 260, "0a03" "016100", 1, { 2 }, false, -1 },
	{ "AMTRELAY, octets behind it", 260, "0a83" "016100" "00", -1, { 0 }, false, -1 },
	{ "AMTRELAY of an unknown relay", 260, "0a84" "0102", -1, { 0 }, false, -1 },
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
		for (int k = 0; k < count && k < NAMES; k++)
			if (at[k] != row->at[k])
				fail_msg("%s: name %d at %u, not %u", row->what, k, at[k], row->at[k]);
		if (count >= 0 && (compressible != row->compressible || additional != row->additional))
			fail_msg("%s: compressible %d, additional %d", row->what, compressible, additional);
		free(rdata);
		free(exact);
	}
}

/* Rdata of a type as ldns lays it out, each field of it well-formed. */
struct made { uint8_t rdata[512]; size_t size; uint16_t at[NAMES]; int names; bool known; };

static void put_octets(struct made *m, const char *hex)
{
	m->size += from_hex(m->rdata + m->size, hex);
}

static void put_made_name(struct made *m)
{
	m->at[m->names++] = (uint16_t)m->size;
	put_octets(m, "0141046c646e7300");
}

static void put_field(struct made *m, ldns_rdf_type type)
{
	static const struct { ldns_rdf_type type; const char *hex; } fields[] = {
		{ LDNS_RDF_TYPE_INT8, "01" }, { LDNS_RDF_TYPE_INT16, "0002" }, { LDNS_RDF_TYPE_INT32, "00000003" },
		{ LDNS_RDF_TYPE_A, "c0000201" }, { LDNS_RDF_TYPE_AAAA, "20010db8000000000000000000000001" },
		{ LDNS_RDF_TYPE_STR, "026162" }, { LDNS_RDF_TYPE_APL, "00011503c00020" }, { LDNS_RDF_TYPE_B32_EXT, "01aa" },
		{ LDNS_RDF_TYPE_NSEC, "000140" }, { LDNS_RDF_TYPE_TYPE, "0001" }, { LDNS_RDF_TYPE_CLASS, "0001" },
		{ LDNS_RDF_TYPE_CERT_ALG, "0001" }, { LDNS_RDF_TYPE_ALG, "0d" }, { LDNS_RDF_TYPE_TIME, "5f000000" },
		{ LDNS_RDF_TYPE_PERIOD, "00000e10" }, { LDNS_RDF_TYPE_INT16_DATA, "0002aabb" },
		{ LDNS_RDF_TYPE_LOC, "00121613888ee3a887d1f2c800989680" }, { LDNS_RDF_TYPE_NSEC3_SALT, "01aa" },
		{ LDNS_RDF_TYPE_NSEC3_NEXT_OWNER, "02aabb" }, { LDNS_RDF_TYPE_ILNP64, "0001000200030004" },
		{ LDNS_RDF_TYPE_EUI48, "000102030405" }, { LDNS_RDF_TYPE_EUI64, "0001020304050607" }, { LDNS_RDF_TYPE_TAG, "0161" },
		{ LDNS_RDF_TYPE_CERTIFICATE_USAGE, "01" }, { LDNS_RDF_TYPE_SELECTOR, "01" }, { LDNS_RDF_TYPE_MATCHING_TYPE, "01" },
		{ LDNS_RDF_TYPE_NSAP, "47000580" }, { LDNS_RDF_TYPE_ATMA, "0047000580" }, { LDNS_RDF_TYPE_B64, "aabbcc" },
		{ LDNS_RDF_TYPE_HEX, "aabbcc" }, { LDNS_RDF_TYPE_LONG_STR, "6162" }, { LDNS_RDF_TYPE_SVCPARAMS, "00030002005a" },
		{ LDNS_RDF_TYPE_WKS, "c00002010601" }, { LDNS_RDF_TYPE_HIP, "02010003aabbccddee" }, { LDNS_RDF_TYPE_UNKNOWN, "aa" },
	};

	if (type == LDNS_RDF_TYPE_DNAME) {
		put_made_name(m);
	} else if (type == LDNS_RDF_TYPE_IPSECKEY) {
		put_octets(m, "0a0302");
		put_made_name(m);
		put_octets(m, "aabb");
	} else if (type == LDNS_RDF_TYPE_AMTRELAY) {
		put_octets(m, "0a83");
		put_made_name(m);
	} else {
		for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
			if (fields[i].type == type) {
				put_octets(m, fields[i].hex);
				return;
			}
		m->known = false;
	}
}

/* As many of the last field as may be there, where it may be there often. */
static struct made make_rdata(const ldns_rr_descriptor *d)
{
	struct made m = { .known = true };
	size_t least = ldns_rr_descriptor_minimum(d), most = ldns_rr_descriptor_maximum(d);

	if (most > least + 5)
		most = least + 5;
	for (size_t i = 0; i < most; i++)
		put_field(&m, ldns_rr_descriptor_field_type(d, i));
	return m;
}

static void test_layouts_of_ldns(void **state)
{
	unsigned compared = 0;

	for (unsigned type = 1; type < 65536; type++) {
		const ldns_rr_descriptor *d = ldns_rr_descript((uint16_t)type);
		uint16_t at[NAMES];
		bool compressible;
		int additional, count;
		struct made m;

		/* for what it does not know ldns gives a row of its own, with type 0 */
		if (!d || (unsigned)d->_type != type || type == TYPE_OPT || (type >= 128 && type < 256))
			continue;
		/* a string, says ldns, where RFC 1348 3 has a name */
		if (type == TYPE_NSAP_PTR)
			continue;
		m = make_rdata(d);
		if (!m.known)
			fail_msg("%s has a field of a kind that this test does not make", d->_name);
		count = rrtype_rdata_names((uint16_t)type, m.rdata, m.size, at, NAMES, &compressible, &additional);
		if (count != m.names || memcmp(at, m.at, (size_t)count * sizeof at[0]) != 0)
			fail_msg("%s: %d names, ldns has %d, or they are elsewhere", d->_name, count, m.names);
		if (compressible && d->_compress != LDNS_RR_COMPRESS)
			fail_msg("%s: ldns does not compress its names", d->_name);
		compared++;
	}
	assert_true(compared > 60);
}

static void test_equal(void **state)
{
	static const struct { uint16_t type; const char *a, *b; bool equal; } pairs[] = {
		{ TYPE_MX, "000a016100", "000a014100", true }, { TYPE_MX, "000a016100", "000b014100", false },
		{ TYPE_MX, "000a016100", "000a016200", false }, { TYPE_TXT, "0161", "0141", false }, { 65280, "016100", "014100", false },
		{ 55, "02010003" "aabb" "616263" "016100016200016300016400016500", "02010003" "aabb" "616263" "016100016200016300016400014500",
			true },
		{ 55, "02010003" "aabb" "616263" "016100016200016300016400016500", "02010003" "aabb" "416263" "016100016200016300016400016500",
			false },
		{ 45, "0a0302" "016100" "61", "0a0302" "014100" "61", true }, { 45, "0a0302" "016100" "61", "0a0302" "016100" "41", false },
		/* malformed, the second then also where the first is not */
		{ TYPE_MX, "000a0161", "000a0141", false }, { TYPE_MX, "000a0161", "000a0161", true },
		{ TYPE_MX, "000a016100", "000a024100", false },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		uint8_t a[64], b[64];
		size_t size = from_hex(a, pairs[i].a);

		assert_int_equal(from_hex(b, pairs[i].b), size);
		if (rrtype_rdata_equal(pairs[i].type, a, b, size) != pairs[i].equal)
			fail_msg("%u: %s and %s", pairs[i].type, pairs[i].a, pairs[i].b);
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
		cmocka_unit_test(test_names), cmocka_unit_test(test_layouts_of_ldns), cmocka_unit_test(test_equal),
		cmocka_unit_test(test_mnemonics), cmocka_unit_test(test_no_mnemonics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
