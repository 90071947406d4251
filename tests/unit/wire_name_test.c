/* Names, types and NSEC3 hashes, with ldns as a second opinion. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "wire/name.h"
#include "wire/nsec3.h"
#include "wire/rrtype.h"

#define KEY 0x0123456789abcdefull

static size_t wire_of(uint8_t wire[NAME_MAX_SIZE], const char *text)
{
	const char *reason = NULL;
	size_t n = name_from_text(wire, text, strlen(text), NULL, false, &reason);

	if (!n)
		fail_msg("%s: %s", text, reason);
	return n;
}

static void test_text_round_trip(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ ".", "." }, { "example", "example." }, { "WWW.Example.", "WWW.Example." },
		{ "a\\.b.example.", "a\\.b.example." }, { "a\\046b.example.", "a\\.b.example." },
		{ "*.example.", "*.example." }, { "\\000\\255.example.", "\\000\\255.example." },
		{ "a\\ b.", "a\\032b." }, { "_dns.x.", "_dns.x." }, { "\\@.x.", "\\@.x." }, { "a\\\\b.", "a\\\\b." },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t wire[NAME_MAX_SIZE];
		char text[NAME_TEXT_MAX];
		size_t n = wire_of(wire, rows[i].in);

		assert_int_equal(name_length(wire, n), n);
		assert_string_equal(name_to_text(text, wire), rows[i].out);
	}
}

static void test_text_is_refused(void **state)
{
	static const char *const rows[] = {
		"", "..", ".a", "a..b", "a..", "\\", "a\\25", "a\\256.", "\\1x2.",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.",
	};
	uint8_t wire[NAME_MAX_SIZE];
	const char *reason;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		reason = NULL;
		assert_int_equal(name_from_text(wire, rows[i], strlen(rows[i]), NULL, false, &reason), 0);
		assert_non_null(reason);
	}
}

static void test_text_limits(void **state)
{
	uint8_t wire[NAME_MAX_SIZE], origin[NAME_MAX_SIZE];
	char text[600] = "", label[64];
	const char *reason;

	memset(label, 'x', 63);
	label[63] = '\0';
	snprintf(text, sizeof text, "%s.%s.%s.%.61s.", label, label, label, label);
	assert_int_equal(wire_of(wire, text), 255);
	snprintf(text, sizeof text, "%s.%s.%s.%.62s.", label, label, label, label);
	assert_int_equal(name_from_text(wire, text, strlen(text), NULL, false, &reason), 0);
	snprintf(text, sizeof text, "%s.%s.%s.%.61s.x", label, label, label, label);
	assert_int_equal(name_from_text(wire, text, strlen(text), NULL, false, &reason), 0);
	wire_of(origin, "example.");
	snprintf(text, sizeof text, "%s.%s.%s.%.53s", label, label, label, label);
	assert_int_equal(name_from_text(wire, text, strlen(text), origin, false, &reason), 255);
	snprintf(text, sizeof text, "%s.%s.%s.%.54s", label, label, label, label);
	assert_int_equal(name_from_text(wire, text, strlen(text), origin, false, &reason), 0);
	assert_int_equal(name_from_text(wire, "@", 1, origin, true, &reason), 9);
	assert_memory_equal(wire, origin, 9);
	assert_int_equal(name_from_text(wire, "@", 1, origin, false, &reason), 11);
}

/* RFC 4034 6.1's own example, and some more. */
static void test_canonical_order(void **state)
{
	static const char *const rows[] = {
		".", "example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.",
		"z.example.", "\\001.z.example.", "*.z.example.", "\\200.z.example.", "zz.example.", "f.",
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
			uint8_t a[NAME_MAX_SIZE], b[NAME_MAX_SIZE];
			size_t n = wire_of(a, rows[i]), m = wire_of(b, rows[j]);
			int d = name_compare(a, n, b, m), relative = name_compare(a, n - 1, b, m - 1);

			assert_int_equal((d > 0) - (d < 0), (i > j) - (i < j));
			assert_int_equal((relative > 0) - (relative < 0), (i > j) - (i < j));
		}
}

static void test_parse_and_hash(void **state)
{
	static const char *const labels[] = { "A", "Bc", "DeF", "ghij", "kLmnO", "pqrstu", "VWXYZaz", "bcdefghi",
		"jklmnopqr", "0123456789abcdef", "0123456789ABCDEFg@[`{" };
	uint8_t wire[NAME_MAX_SIZE];
	struct name n, upper, suffix;
	char text[256] = "";

	for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
		strcat(text, labels[i][0] == '0' && strchr(labels[i], '@') ? "0123456789ABCDEFg\\@[`{" : labels[i]);
		strcat(text, ".");
	}
	size_t size = wire_of(wire, text);

	assert_int_equal(name_parse(&n, wire, size, KEY), size);
	assert_int_equal(n.labels, 11);
	assert_int_equal(n.hash[11], KEY);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(n.lower[i], wire[i] >= 'A' && wire[i] <= 'Z' ? wire[i] + 32 : wire[i]);
	assert_int_equal(name_parse(&upper, n.lower, size, KEY), size);
	for (unsigned i = 0; i < n.labels; i++) {
		assert_int_equal(upper.hash[i], n.hash[i]);
		/* every suffix by itself has the hash that falls out of the pass */
		assert_int_equal(name_parse(&suffix, wire + n.at[i], size - n.at[i], KEY), size - n.at[i]);
		assert_int_equal(suffix.hash[0], n.hash[i]);
		for (unsigned j = 0; j < i; j++)
			assert_true(n.hash[i] != n.hash[j]);
	}
	assert_true(name_parse(&suffix, wire, size, KEY + 1) && suffix.hash[0] != n.hash[0]);
	/* cut off anywhere: refused, and nothing behind it is read */
	for (size_t i = 0; i < size; i++) {
		uint8_t *exact = malloc(i ? i : 1);

		memcpy(exact, wire, i);
		assert_int_equal(name_parse(&suffix, exact, i, KEY), 0);
		assert_int_equal(name_length(exact, i), 0);
		free(exact);
	}
}

/* Names that differ in one octet or in where labels end must not collide. */
static void test_hashes_differ(void **state)
{
	enum { COUNT = 20000 };
	uint64_t *seen = calloc(1 << 16, sizeof *seen);
	unsigned buckets = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		uint8_t wire[NAME_MAX_SIZE];
		char text[64];
		struct name n;

		snprintf(text, sizeof text, i % 2 ? "h%u.example." : "%u.h.example.", i / 2);
		name_parse(&n, wire, wire_of(wire, text), KEY);
		for (unsigned at = n.hash[0] >> 48;; at = (at + 1) & 0xffff) {
			if (!seen[at]) {
				seen[at] = n.hash[0];
				break;
			}
			assert_true(seen[at] != n.hash[0]);
			buckets++;
		}
	}
	/* linear probing at a load of 0.3: about 0.2 steps each if well spread */
	assert_true(buckets < COUNT / 2);
	free(seen);
}

static void test_below(void **state)
{
	static const struct { const char *name, *apex; bool below; } rows[] = {
		{ "a.example.", "example.", true }, { "EXAMPLE.", "example.", true }, { "aexample.", "example.", false },
		{ "example.", "a.example.", false }, { "x.", ".", true }, { ".", ".", true }, { ".", "x.", false },
		{ "\\007example.", "example.", false }, { "a\\007example.", "example.", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t a[NAME_MAX_SIZE], b[NAME_MAX_SIZE];
		size_t n = wire_of(a, rows[i].name), m = wire_of(b, rows[i].apex);

		assert_int_equal(name_is_at_or_below(a, n, b, m), rows[i].below);
	}
}

static void test_types(void **state)
{
	char buf[16];
	uint16_t type;

	for (unsigned t = 0; t < 65536; t++) {
		rrtype_to_text((uint16_t)t, buf);
		assert_true(rrtype_from_text(buf, strlen(buf), &type));
		assert_int_equal(type, t);
	}
	assert_true(rrtype_from_text("https", 5, &type) && type == TYPE_HTTPS);
	assert_true(rrtype_from_text("type1", 5, &type) && type == TYPE_A);
	assert_false(rrtype_from_text("TYPE65536", 9, &type));
	assert_false(rrtype_from_text("TYPE", 4, &type));
	assert_false(rrtype_from_text("TYPE1x", 6, &type));
	assert_false(rrtype_from_text("NOSUCH", 6, &type));
}

/* Rdata in presentation form, through ldns, has names where we say. */
static void test_rdata_names(void **state)
{
	static const struct { const char *rr; int names; bool compressible; int additional; unsigned first; } rows[] = {
		{ "x. A 192.0.2.1", 0, false, -1, 0 }, { "x. NS ns.x.", 1, true, 0, 0 }, { "x. CNAME y.", 1, true, -1, 0 },
		{ "x. SOA a. b. 1 2 3 4 5", 2, true, -1, 0 }, { "x. MX 10 m.x.", 1, true, 0, 2 },
		{ "x. SRV 1 2 3 t.x.", 1, false, 0, 6 }, { "x. DNAME y.", 1, false, -1, 0 }, { "x. TXT \"hi\"", 0, false, -1, 0 },
		{ "x. NAPTR 1 2 \"u\" \"s\" \"!a!b!\" r.x.", 1, false, -1, 14 }, { "x. RP a.x. b.x.", 2, false, -1, 0 },
		{ "x. SVCB 1 t.x. alpn=h2", 1, false, 0, 2 }, { "x. HTTPS 0 t.x.", 1, false, 0, 2 },
		{ "x. NSEC a.x. A NS", 1, false, -1, 0 }, { "x. KX 1 k.x.", 1, false, 0, 2 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		ldns_rr *rr;
		uint8_t *wire, rdata[512];
		size_t size, owner;
		uint16_t at[8];
		bool compressible;
		int additional;

		assert_int_equal(ldns_rr_new_frm_str(&rr, rows[i].rr, 60, NULL, NULL), LDNS_STATUS_OK);
		assert_int_equal(ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size), LDNS_STATUS_OK);
		owner = ldns_rdf_size(ldns_rr_owner(rr)) + 10;
		memcpy(rdata, wire + owner, size - owner);
		assert_int_equal(rrtype_rdata_names((uint16_t)ldns_rr_get_type(rr), rdata, size - owner, at, 8, &compressible,
			&additional), rows[i].names);
		if (rows[i].names) {
			assert_int_equal(compressible, rows[i].compressible);
			assert_int_equal(additional, rows[i].additional);
			assert_int_equal(at[0], rows[i].first);
			assert_int_equal(rrtype_rdata_names((uint16_t)ldns_rr_get_type(rr), rdata, 1, at, 8, &compressible,
				&additional), -1);
		}
		free(wire);
		ldns_rr_free(rr);
	}
}

static void test_nsec3_hash(void **state)
{
	static const struct { const char *name; unsigned iterations; const char *salt; } rows[] = {
		{ "example.", 12, "aabbccdd" }, { "a.example.", 12, "aabbccdd" }, { "x.y.w.example.", 0, "" },
		{ "*.w.example.", 1, "0102030405060708090a0b0c0d0e0f" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbb.example.", 5, "ff" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t wire[NAME_MAX_SIZE], salt[16], hash[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE];
		size_t size = wire_of(wire, rows[i].name), salt_size = strlen(rows[i].salt) / 2;
		struct nsec3_params p = { .algorithm = 1, .iterations = (uint16_t)rows[i].iterations, .salt = salt,
			.salt_size = (uint8_t)salt_size };
		ldns_rdf *name, *theirs;

		for (size_t j = 0; j < salt_size; j++) {
			unsigned v;

			assert_int_equal(sscanf(rows[i].salt + 2 * j, "%2x", &v), 1);
			salt[j] = (uint8_t)v;
		}
		nsec3_hash(&p, wire, size, hash);
		nsec3_label(hash, label);
		name = ldns_dname_new_frm_str(rows[i].name);
		theirs = ldns_nsec3_hash_name(name, 1, p.iterations, p.salt_size, salt);
		assert_non_null(theirs);
		assert_memory_equal(ldns_rdf_data(theirs), label, NSEC3_LABEL_SIZE);
		ldns_rdf_deep_free(theirs);
		ldns_rdf_deep_free(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_round_trip), cmocka_unit_test(test_text_is_refused),
		cmocka_unit_test(test_text_limits), cmocka_unit_test(test_canonical_order),
		cmocka_unit_test(test_parse_and_hash), cmocka_unit_test(test_hashes_differ),
		cmocka_unit_test(test_below), cmocka_unit_test(test_types), cmocka_unit_test(test_rdata_names),
		cmocka_unit_test(test_nsec3_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
