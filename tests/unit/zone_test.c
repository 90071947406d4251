/* Zone text in and out: every example file's verdict, round trips, the sort. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/rrtype.h"
#include "zone_support.h"
#include "zone/check.h"
#include "zone/rdata.h"

/* Loaded, printed, loaded: the same content, the same print. */
static void assert_round_trip(struct loaded *l, const char *apex)
{
	char *text = view_text(&l->view), *again;
	struct loaded l2;
	uint64_t words[8];

	load_text(&l2, apex, text, strlen(text), NULL);
	if (l2.status < 0)
		fail_msg("what was printed cannot be read: %s\n%s", l2.err.message, text);
	again = view_text(&l2.view);
	assert_string_equal(again, text);
	assert_memory_equal(l->result.header.content, l2.result.header.content, sizeof(l2.result.header.content));
	loaded_hash(&l2, words);
	assert_memory_equal(l2.result.header.content, words, sizeof(words));
	free(text);
	free(again);
	loaded_free(&l2);
}

/* The first line of a file says what is to be expected: "; expect: " and one
 * of "error [FILE] [LINE:COL]", "rule NAME [at LINE:COL]", "warning NAME at
 * LINE:COL", "nothing". */
static void check_verdict(const char *path, const char *name)
{
	char line[200] = "", expected[200], *p;
	FILE *in = fopen(path, "r");
	struct loaded l;
	struct load_how how = { .include_dir = zones_dir() };

	assert_non_null(in);
	assert_non_null(fgets(line, sizeof(line), in));
	fclose(in);
	line[strcspn(line, "\r\n")] = '\0';
	if (strncmp(line, "; expect: ", 10) != 0)
		fail_msg("%s: its first line says no verdict", name);
	load_file(&l, "example.com", path, &how);
	p = line + 10;
	if (strncmp(name, "bad-", 4) == 0 && strncmp(p, "error", 5) == 0) {
		if (l.status == 0 || l.told.errors == 0)
			fail_msg("%s: no error was found", name);
		assert_true(err_is(&l.err, ERR_PARSE));
		p = strrchr(p, ' ') ? strrchr(p, ' ') : p - 1;
		snprintf(expected, sizeof(expected), " %s:", p + 1);
		if (strchr(p + 1, ':') && !strstr(l.told.text, expected))
			fail_msg("%s: expected the error at %s, but was told:\n%s", name, p + 1, l.told.text);
		/* the file that is named, too */
		if (strstr(line, "error include/") && !strstr(l.err.message, "include/"))
			fail_msg("%s: %s", name, l.err.message);
	} else if (strncmp(name, "bad-", 4) == 0) {
		char rule[64];
		unsigned at_line = 0, column = 0;

		assert_true(sscanf(p, "rule %63s at %u:%u", rule, &at_line, &column) >= 1);
		snprintf(expected, sizeof(expected), "%s %u:%u:", rule, at_line, column);
		if (l.status < 0)
			fail_msg("%s: %s", name, l.err.message);
		if (!strstr(l.told.text, expected) || !l.result.failed || l.told.rules != 1)
			fail_msg("%s: expected %s alone, but was told:\n%s", name, expected, l.told.text);
		assert_round_trip(&l, "example.com");
	} else {
		if (l.status < 0 || l.result.failed || l.told.rules)
			fail_msg("%s: %s\n%s", name, l.err.message, l.told.text);
		if (strncmp(p, "warning ", 8) == 0) {
			char rule[64];
			unsigned at_line = 0, column = 0;

			assert_true(sscanf(p, "warning %63s at %u:%u", rule, &at_line, &column) == 3);
			snprintf(expected, sizeof(expected), "%s %u:%u:", rule, at_line, column);
			if (!strstr(l.told.text, expected) || l.told.warnings != 1)
				fail_msg("%s: expected %s alone, but was told:\n%s", name, expected, l.told.text);
		} else {
			assert_string_equal(p, "nothing");
			assert_string_equal(l.told.text, "");
		}
		assert_round_trip(&l, "example.com");
	}
	loaded_free(&l);
}

static void test_verdicts(void **state)
{
	DIR *dir = opendir(zones_dir());
	struct dirent *entry;
	unsigned good = 0, bad = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[8192];
		size_t size = strlen(entry->d_name);

		if (size < 5 || strcmp(entry->d_name + size - 5, ".zone") != 0)
			continue;
		if (strncmp(entry->d_name, "bad-", 4) == 0)
			bad++;
		else if (strncmp(entry->d_name, "good-", 5) == 0)
			good++;
		else
			continue;
		snprintf(path, sizeof(path), "%s/%s", zones_dir(), entry->d_name);
		check_verdict(path, entry->d_name);
	}
	closedir(dir);
	assert_true(good >= 20 && bad >= 50);
}

/* Every rule has a file that breaks it. */
static void test_every_rule_has_a_file(void **state)
{
	/* what a check alone finds is in zone_signed_test.c */
	static const enum rule_id of_check[] = { RULE_RRSIG_MISSING, RULE_RRSIG_BOGUS, RULE_DENIAL, RULE_RRSIG_ALGORITHM, RULE_DNSKEY_SEP, RULE_SPARE_IDLE };

	for (unsigned i = RULE_NO_SOA; i < RULE_COUNT; i++) {
		const struct rule *rule = rule_of((enum rule_id)i);
		char path[8192];
		bool loaded = true;

		for (unsigned k = 0; k < sizeof(of_check) / sizeof(of_check[0]); k++)
			loaded &= i != of_check[k];
		if (!loaded)
			continue;
		snprintf(path, sizeof(path), "%s/%s-%s.zone", zones_dir(), rule->severity == PROBLEM_RULE ? "bad" : "good", rule->name);
		if (access(path, R_OK) != 0)
			fail_msg("%s is missing", path);
	}
}

static void test_examples(void **state)
{
	static const char *const files[] = { "shop.example.old.zone", "shop.example.new.zone" };

	for (unsigned i = 0; i < 2; i++) {
		struct loaded l;
		char path[8192];

		snprintf(path, sizeof(path), "%s/%s", zones_dir(), files[i]);
		load_file(&l, "shop.example", path, NULL);
		assert_int_equal(l.status, 0);
		assert_string_equal(l.told.text, "");
		assert_int_equal(l.result.soa_serial, i ? 2026112401 : 2026110101);
		assert_false(l.result.serial_fixed);
		assert_round_trip(&l, "shop.example");
		loaded_free(&l);
	}
}

/* Up to 20 errors, each with its place; then it stops. */
static void test_many_errors(void **state)
{
	char text[4096];
	size_t n = (size_t)sprintf(text, HEAD);
	struct loaded l;

	for (unsigned i = 0; i < 40; i++)
		n += (size_t)sprintf(text + n, "x%u A nonsense%u\n", i, i);
	load_text(&l, "example.com", text, n, NULL);
	assert_int_equal(l.status, -1);
	assert_int_equal(l.told.errors, LOAD_MAX_ERRORS);
	assert_int_equal(l.result.errors, LOAD_MAX_ERRORS);
	assert_non_null(strstr(l.told.text, "rdata 5:6: expected an IPv4 address, not \"nonsense0\""));
	assert_non_null(strstr(l.told.text, "rdata 24:7: "));
	assert_non_null(strstr(l.err.message, "text:5:6: expected an IPv4 address"));
	loaded_free(&l);
}

static void test_drop(void **state)
{
	static const char text[] = HEAD
		"www A 192.0.2.2\nwww CNAME ns1\nx.elsewhere. A 192.0.2.3\nd DNAME o.\na.d A 192.0.2.4\n*.w NS ns1\n";
	static const char *const rules[] = { "cname-and-other", "out-of-zone", "below-dname", "wildcard-ns" };
	static const char *const wrong[] = { "no-soa" }, *const unknown[] = { "nonsense" };
	struct load_how how = { .drop_rules = rules, .drop_count = 4 };
	struct loaded l;
	char *printed;

	load_text(&l, "example.com", text, sizeof(text) - 1, &how);
	assert_int_equal(l.status, 0);
	assert_false(l.result.failed);
	assert_int_equal(l.result.dropped, 4);
	assert_non_null(strstr(l.told.text, "out-of-zone 7:1: left out: x.elsewhere. is not in the zone"));
	printed = view_text(&l.view);
	assert_null(strstr(printed, "CNAME"));
	assert_null(strstr(printed, "192.0.2.4"));
	assert_null(strstr(printed, "*.w"));
	assert_non_null(strstr(printed, "192.0.2.2"));
	free(printed);
	loaded_free(&l);
	how = (struct load_how){ .drop_rules = wrong, .drop_count = 1 };
	load_text(&l, "example.com", text, sizeof(text) - 1, &how);
	assert_true(l.status < 0 && err_is(&l.err, ERR_BAD_REQUEST));
	how.drop_rules = unknown;
	load_text(&l, "example.com", text, sizeof(text) - 1, &how);
	assert_true(l.status < 0 && err_is(&l.err, ERR_BAD_REQUEST));
}

/* The table of fields gives the octets that ldns gives. */
static void test_rdata_as_ldns(void **state)
{
	static const struct { uint16_t type; const char *rdata; } rows[] = {
		{ TYPE_A, "192.0.2.1" }, { TYPE_AAAA, "2001:db8::1" }, { TYPE_AAAA, "::ffff:192.0.2.1" },
		{ TYPE_NS, "ns1.Example.NET." }, { TYPE_NS, "relative" }, { TYPE_CNAME, "a\\.b.c\\032d" },
		{ TYPE_MX, "10 mail" }, { TYPE_SOA, "ns1 hostmaster 2026110101 14400 3600 1209600 300" },
		{ TYPE_TXT, "\"a b\" c \"\\\"q\\\"\" \"\"" }, { TYPE_SRV, "1 2 65535 t." }, { 13, "PC Linux" }, { 17, "a b" },
		{ TYPE_NAPTR, "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:i@example.com!\" ." },
		{ TYPE_DS, "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118" }, { TYPE_DS, "1 RSASHA256 2 00" },
		{ TYPE_DNSKEY, "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==" },
		{ 44, "4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789" },
		{ 45, "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==" }, { 45, "10 2 2 2001:db8::1 AAEC" },
		{ 45, "10 3 2 gw.example.net. AAEC" }, { 45, "10 0 2 . AAEC" },
		{ TYPE_RRSIG, "A 13 2 3600 20301231000000 20260101000000 1234 example.com. AAEC" },
		{ TYPE_NSEC, "next A NS TYPE1234 RRSIG NSEC" },
		{ TYPE_NSEC3, "1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG" },
		{ TYPE_NSEC3, "1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s A" },
		{ TYPE_NSEC3PARAM, "1 0 12 aabbccdd" }, { 49, "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=" },
		{ 52, "3 1 1 d2abde240d7cd3ee6b4b28c54df034b9" }, { 62, "66 3 A NS AAAA" }, { TYPE_ZONEMD, "1 1 1 aabbccdd" },
		{ 256, "10 1 \"https://www.example/path\"" }, { 257, "128 issue \"ca.example.net; policy=ev\"" },
	};
	uint8_t origin[NAME_MAX_SIZE], *a = malloc(RDATA_MAX), *b = malloc(RDATA_MAX);
	const char *reason;

	assert_true(name_from_text(origin, "example.com", 11, NULL, false, &reason));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scanner *s = scanner_new_text(rows[i].rdata, strlen(rows[i].rdata), "");
		struct scan_record r;
		struct scan_error se;
		struct rdata_error e = { 0 };
		bool ended;
		int n, m;

		assert_int_equal(scan_next(s, &r, &ended, &se), 1);
		n = rdata_from_tokens(rows[i].type, r.tokens, r.count, origin, a, &e);
		if (n < 0)
			fail_msg("%s: %s", rows[i].rdata, e.message);
		m = rdata_from_tokens_by_ldns(rows[i].type, r.tokens, r.count, origin, b, &e);
		if (m < 0)
			fail_msg("ldns: %s: %s", rows[i].rdata, e.message);
		if (n != m || memcmp(a, b, (size_t)n) != 0)
			fail_msg("type %u, %s: %d octets, but ldns gives others (%d)", rows[i].type, rows[i].rdata, n, m);
		scanner_free(s);
	}
	free(a);
	free(b);
}

static void test_external_sort(void **state)
{
	size_t n = 0;
	char *text = malloc(1 << 20);
	struct loaded in_memory, external;
	char *a, *b;

	assert_non_null(text);
	random_seed(1);
	n = (size_t)sprintf(text, HEAD);
	for (unsigned i = 0; i < 6000; i++)
		n += (size_t)sprintf(text + n, "h%u.N%u %u TXT \"%u %0*u\"\n", random_below(900), random_below(20), 60 + random_below(2),
			i, random_below(90), 0);
	load_text(&in_memory, "example.com", text, n, NULL);
	load_text(&external, "example.com", text, n, &(struct load_how){ .memory_limit = 1 });
	assert_int_equal(in_memory.status, 0);
	assert_int_equal(external.status, 0);
	assert_string_equal(in_memory.told.text, external.told.text);
	assert_memory_equal(in_memory.result.header.content, external.result.header.content, 64);
	a = view_text(&in_memory.view);
	b = view_text(&external.view);
	assert_string_equal(a, b);
	free(a);
	free(b);
	free(text);
	loaded_free(&in_memory);
	loaded_free(&external);
}

/* The checks of a set in the store are those of the loader. */
static void test_check_as_loader(void **state)
{
	static const char text[] = "$TTL 3600\n@ SOA ns1 hostmaster 1 14400 3600 1209600 300\n@ NS ns2\n"
		"www A 192.0.2.2\nwww CNAME x\nsub NS ns.sub\nx.sub TXT lost\nd DNAME o.\na.d A 192.0.2.2\n*.w NS x.\n";
	struct loaded l;
	struct told told = { "", 0, 0, 0, 0 };
	struct check_request q = { .view = &l.view, .problem = told_problem, .arg = &told };
	struct check_result r;
	struct err err = ERR_INIT;

	load_text(&l, "example.com", text, sizeof(text) - 1, NULL);
	assert_int_equal(l.status, 0);
	assert_int_equal(zone_check(&q, &r, &err), 0);
	assert_int_equal(r.rules, l.result.rules);
	assert_int_equal(r.rules, 3);
	assert_int_equal(r.warnings, l.result.warnings);
	assert_int_equal(r.warnings, 3);
	loaded_free(&l);
}

/* Text in pieces: a writer that gives a few octets at a time. */
static void test_pieces(void **state)
{
	static const char text[] = HEAD "a TXT ( \"x y\" ; c\n b\\032c )\n\\097b A 192.0.2.2 ; end";
	struct scanner *whole = scanner_new_text(text, sizeof(text) - 1, "t");
	struct scanner *pieces;
	int fds[2];
	size_t at = 0;
	struct scan_record a, b;
	struct scan_error e;
	bool ended;

	assert_int_equal(pipe(fds), 0);
	/* all of it fits into the pipe, but a pipe gives no more than one write */
	while (at < sizeof(text) - 1) {
		size_t n = sizeof(text) - 1 - at < 3 ? sizeof(text) - 1 - at : 3;

		assert_int_equal(write(fds[1], text + at, n), n);
		at += n;
	}
	close(fds[1]);
	pieces = scanner_new(fds[0], "t");
	for (;;) {
		int x = scan_next(whole, &a, &ended, &e), y = scan_next(pieces, &b, &ended, &e);

		assert_int_equal(x, y);
		if (x <= 0)
			break;
		assert_int_equal(a.count, b.count);
		for (unsigned i = 0; i < a.count; i++) {
			assert_int_equal(a.tokens[i].line, b.tokens[i].line);
			assert_int_equal(a.tokens[i].column, b.tokens[i].column);
			assert_int_equal(a.tokens[i].size, b.tokens[i].size);
			assert_memory_equal(a.tokens[i].text, b.tokens[i].text, a.tokens[i].size);
		}
	}
	scanner_free(whole);
	scanner_free(pieces);
	close(fds[0]);
}

static void assert_load_fails(const char *text, size_t size, const char *told)
{
	struct loaded l;

	load_text(&l, "example.com", text, size, NULL);
	assert_int_equal(l.status, -1);
	if (!strstr(l.err.message, told))
		fail_msg("expected \"%s\", but the error is: %s", told, l.err.message);
	loaded_free(&l);
}

/* What is no zone file costs an error, and no more memory than a record may. */
static void test_garbage(void **state)
{
	size_t size = 3u << 20;
	char *text = malloc(size);

	assert_non_null(text);
	memset(text, 'x', size);
	assert_load_fails(text, size, "a record longer than 1 MiB");
	memset(text, '(', size);
	assert_load_fails(text, size, "a record longer than 1 MiB");
	memset(text, ' ', size);
	assert_load_fails(text, size, "a record longer than 1 MiB");
	memset(text, 0, size);
	assert_load_fails(text, size, "text:1:1: the octet 0x00 is no text; this is no zone file");
	assert_load_fails("\x1f\x8b\x08\x00zzz", 7, "is compressed (gzip)");
	assert_load_fails("; nothing", 0, "no record of the zone");
	/* one long comment is no record */
	memset(text, 'c', size);
	text[0] = ';';
	memcpy(text + size - sizeof(HEAD), "\n" HEAD, sizeof(HEAD));
	{
		struct loaded l;

		load_text(&l, "example.com", text, size, NULL);
		assert_int_equal(l.status, 0);
		loaded_free(&l);
	}
	free(text);
}

static void test_directory_for_a_file(void **state)
{
	struct loaded l;

	load_file(&l, "example.com", "/", NULL);
	assert_int_equal(l.status, -1);
	assert_non_null(strstr(l.err.message, "Is a directory"));
	loaded_free(&l);
}

static void test_ttl(void **state)
{
	static const struct { const char *text; int64_t ttl; } rows[] = {
		{ "0", 0 }, { "3600", 3600 }, { "1h30m", 5400 }, { "1W2D3h4M5s", 788645 }, { "2147483647", 2147483647 },
		{ "2147483648", -1 }, { "", -1 }, { "h", -1 }, { "1h30", -1 }, { "1x", -1 }, { "-1", -1 },
		{ "99999999999999999999", -1 }, { "4000w", -1 },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t ttl = 0;
		bool good = rdata_ttl_from_text(rows[i].text, strlen(rows[i].text), &ttl);

		if (good != (rows[i].ttl >= 0) || (good && ttl != (uint32_t)rows[i].ttl))
			fail_msg("\"%s\": %d, %u", rows[i].text, good, ttl);
	}
}

/* The apex may be the root. */
static void test_root(void **state)
{
	static const char text[] = "$TTL 60\n. SOA a.root. h.root. 1 2 3 4 5\n. NS a.root.\nroot. NS a.root.\na.root. A 192.0.2.1\n"
		"com. NS x.com.\nx.com. A 192.0.2.2\n";
	struct loaded l;

	load_text(&l, ".", text, sizeof(text) - 1, NULL);
	assert_int_equal(l.status, 0);
	assert_string_equal(l.told.text, "");
	assert_round_trip(&l, ".");
	loaded_free(&l);
}

/* NSEC3 nodes are kept apart, and come out again. */
static void test_nsec3(void **state)
{
	static const char text[] = HEAD
		"@ NSEC3PARAM 1 0 0 -\n"
		"2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 0 0 - 9vptu5timamqttgl4luu9kg21e0aor3s A\n"
		"9vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s SOA NS\n"
		"2vptu5timamqttgl4luu9kg21e0aor3s RRSIG NSEC3 13 3 300 20301231000000 20260101000000 1 example.com. AAAA\n";
	struct image_header header;
	struct loaded l;

	load_text(&l, "example.com", text, sizeof(text) - 1, NULL);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.result.header.nsec3_nodes, 2);
	assert_round_trip(&l, "example.com");
	fold_all(&l, true);
	assert_int_equal(image_nsec3_nodes(l.view.image[0]), 2);
	assert_int_equal(image_read_header(l.view.image[0], &header, NULL), 0);
	assert_memory_equal(header.content, l.result.header.content, 64);
	loaded_free(&l);
}

/* The served serial goes into the print, unless the SOA is signed. */
static void test_print_serial(void **state)
{
	static const char *const extra[] = { "", "@ RRSIG SOA 13 2 3600 20301231000000 20260101000000 1 example.com. AAAA\n" };

	for (unsigned i = 0; i < 2; i++) {
		struct loaded l;
		char text[1024], *out = NULL;
		size_t size;
		FILE *f = open_memstream(&out, &size);
		struct print_options options = { .replace_serial = true, .serial = 4294967295u };
		struct err err = ERR_INIT;

		snprintf(text, sizeof(text), "%s%s", HEAD, extra[i]);
		load_text(&l, "example.com", text, 0, NULL);
		assert_int_equal(zone_print(&l.view, f, &options, NULL, NULL, &err), 0);
		fclose(f);
		assert_int_equal(strncmp(out, "example.com.\t3600\tIN\tSOA\tns1.example.com. hostmaster.example.com. ", 66), 0);
		assert_int_equal(strtoul(out + 66, NULL, 10), i ? 1 : 4294967295u);
		free(out);
		loaded_free(&l);
	}
	{
		/* a full disk */
		struct loaded l;
		FILE *f = fopen("/dev/full", "w");
		struct err err = ERR_INIT;

		assert_non_null(f);
		load_text(&l, "example.com", HEAD, 0, NULL);
		assert_int_equal(zone_print(&l.view, f, NULL, NULL, NULL, &err), -1);
		assert_true(err_is(&err, ERR_FULL));
		fclose(f);
		loaded_free(&l);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_every_rule_has_a_file),
		cmocka_unit_test(test_examples), cmocka_unit_test(test_many_errors), cmocka_unit_test(test_drop),
		cmocka_unit_test(test_rdata_as_ldns), cmocka_unit_test(test_external_sort),
		cmocka_unit_test(test_check_as_loader), cmocka_unit_test(test_pieces), cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_directory_for_a_file), cmocka_unit_test(test_ttl), cmocka_unit_test(test_root),
		cmocka_unit_test(test_nsec3), cmocka_unit_test(test_print_serial),
	};

	/* signatures in the examples are valid, or are not, today */
	clock_set_wall_us(INT64_C(1767225600000000));   /* 2026-01-01 */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
