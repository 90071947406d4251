/* Zone text in and out: every example file's verdict, round trips, the sort,
 * changes against a full load. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "store/content_hash.h"
#include "wire/rrtype.h"
#include "zone_support.h"
#include "zone/check.h"
#include "zone/rdata.h"

#define HEAD "$TTL 3600\n@ SOA ns1 hostmaster 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"

static const char *zones_dir(void)
{
	static char path[4096];
	const char *top = getenv("top_srcdir");

	snprintf(path, sizeof(path), "%s/zones", top ? top : ".");
	return path;
}

static void hash_of(struct loaded *l, uint64_t words[8])
{
	struct content_hash sum = { { 0 } };
	struct view_walk walk;
	struct found f;

	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		view_walk_begin(&walk, &l->view, nsec3);
		while ((f = view_walk_next(&walk)).node) {
			struct content_hash one;

			assert_int_equal(content_hash_node(&one, f, l->view.apex, l->view.apex_size), 0);
			content_hash_add(&sum, &one);
		}
	}
	memcpy(words, sum.word, sizeof(sum.word));
}

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
	hash_of(&l2, words);
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

/* ---- random zones ------------------------------------------------------------- */

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 11) % n;
}

static void random_name(char *buf)
{
	static const char *const labels[] = { "a", "b", "*", "Cc", "zz", "a-b" };
	unsigned depth = 1 + random_below(3);

	*buf = '\0';
	while (depth--) {
		strcat(buf, labels[random_below(6)]);
		if (depth)
			strcat(buf, ".");
	}
}

static void random_rdata(char *buf, bool cuts)
{
	switch (random_below(cuts ? 9 : 5)) {
	case 0: sprintf(buf, "A 192.0.2.%u", random_below(4)); break;
	case 1: sprintf(buf, "AAAA 2001:db8::%u", random_below(4)); break;
	case 2: sprintf(buf, "TXT \"%u\"", random_below(3)); break;
	case 3: sprintf(buf, "MX %u m%u", random_below(3), random_below(3)); break;
	case 4: sprintf(buf, "TYPE65300 \\# 1 0%u", random_below(3)); break;
	case 5: case 6: sprintf(buf, "NS ns%u", random_below(3)); break;
	case 7: sprintf(buf, "CNAME c%u", random_below(3)); break;
	case 8: sprintf(buf, "DNAME d%u.other.", random_below(2)); break;
	}
}

static void test_external_sort(void **state)
{
	size_t n = 0;
	char *text = malloc(1 << 20);
	struct loaded in_memory, external;
	char *a, *b;

	assert_non_null(text);
	random_state = 1;
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

/* Does the view, with its deltas, look in every respect as if its text had
 * been loaded afresh? */
static void assert_as_reloaded(struct loaded *l)
{
	char *text = view_text(&l->view), *nodes = view_nodes(&l->view), *again, *fresh;
	struct loaded full;

	load_text(&full, "example.com", text, strlen(text), NULL);
	if (full.status < 0 || full.result.failed)
		fail_msg("%s\n%s\n%s", full.err.message, full.told.text, text);
	again = view_text(&full.view);
	fresh = view_nodes(&full.view);
	assert_string_equal(text, again);
	assert_string_equal(nodes, fresh);
	free(text);
	free(nodes);
	free(again);
	free(fresh);
	loaded_free(&full);
}

static void add_words(uint64_t to[8], const uint64_t plus[8], const uint64_t minus[8])
{
	struct content_hash sum, one;

	memcpy(sum.word, to, sizeof(sum.word));
	memcpy(one.word, plus, sizeof(one.word));
	content_hash_add(&sum, &one);
	memcpy(one.word, minus, sizeof(one.word));
	content_hash_subtract(&sum, &one);
	memcpy(to, sum.word, sizeof(sum.word));
}

static void fold_all(struct loaded *l, bool whole)
{
	struct view deltas = l->view;
	struct image_header header;
	struct err err = ERR_INIT;
	uint64_t size;
	int fd = empty_file();
	unsigned keep = whole ? 0 : 1;
	struct image *base = l->view.image[l->view.images - 1];
	struct image_file *base_file = l->files[l->view.images - 1];
	int base_fd = l->fds[l->view.images - 1];

	deltas.images -= keep;
	if (!deltas.images)
		return (void)close(fd);
	if (zone_fold(&deltas, whole, fd, 0, &size, &header, &err) < 0)
		fail_msg("fold: %s", err.message);
	l->view.images -= keep;
	loaded_free(l);
	if (keep) {
		l->view.image[0] = base;
		l->files[0] = base_file;
		l->fds[0] = base_fd;
		l->view.images = 1;
	}
	add_image(l, fd, size);
}

static void random_changes(uint64_t seed)
{
	struct loaded l;
	uint64_t content[8], now[8];
	int64_t nodes, rrsets, records;
	unsigned applied = 0;

	random_state = seed * 2654435761u + 88172645463325252ull;
	load_text(&l, "example.com", HEAD "a.b.a A 192.0.2.9\n*.zz TXT w\n", 0, NULL);
	assert_int_equal(l.status, 0);
	memcpy(content, l.result.header.content, sizeof(content));
	nodes = l.result.header.nodes;
	rrsets = (int64_t)l.result.header.rrsets;
	records = (int64_t)l.result.header.records;
	for (unsigned round = 0; round < 24; round++) {
		char text[2048];
		size_t n = 0;
		struct change_result result;

		for (unsigned lines = 1 + random_below(5); lines; lines--) {
			char name[64], rdata[64];
			unsigned what = random_below(8);

			random_name(name);
			random_rdata(rdata, true);
			if (what < 4)
				n += (size_t)sprintf(text + n, "add %s %u %s\n", name, 60 * (1 + random_below(2)), rdata);
			else if (what < 5)
				n += (size_t)sprintf(text + n, "replace %s %s\n", name, rdata);
			else if (what < 6)
				n += (size_t)sprintf(text + n, "del %s\n", name);
			else if (what < 7)
				n += (size_t)sprintf(text + n, "del %s %s\n", name, rdata);
			else
				n += (size_t)sprintf(text + n, "del %s %.*s\n", name, (int)strcspn(rdata, " "), rdata);
		}
		if (change_view(&l, text, false, &result) < 0) {
			if (!err_is(&l.err, ERR_RULE))
				fail_msg("%s\n%s", l.err.message, text);
			continue;
		}
		applied += result.changed_rrsets > 0;
		add_words(content, result.hash_add, result.hash_subtract);
		nodes += result.nodes;
		rrsets += result.rrsets;
		records += result.records;
		hash_of(&l, now);
		assert_memory_equal(content, now, sizeof(now));
		assert_as_reloaded(&l);
		if (l.view.images == 6 || random_below(6) == 0) {
			bool whole = random_below(2);

			fold_all(&l, whole);
			assert_as_reloaded(&l);
			if (whole) {
				struct image_header h;

				assert_int_equal(image_read_header(l.view.image[0], &h, NULL), 0);
				assert_int_equal(h.nodes, nodes);
				assert_int_equal(h.rrsets, rrsets);
				assert_int_equal(h.records, records);
				assert_memory_equal(h.content, content, sizeof(content));
			}
		}
	}
	assert_true(applied > 3);
	loaded_free(&l);
}

static void test_random_changes(void **state)
{
	for (uint64_t seed = 1; seed <= 60; seed++)
		random_changes(seed);
}

/* edit: the text of one zone over another gives exactly that. */
static void test_whole(void **state)
{
	char *texts[2];
	struct loaded l;
	struct change_result result;
	struct diff_counts counts;
	struct err err = ERR_INIT;
	char path[8192];

	for (unsigned i = 0; i < 2; i++) {
		struct loaded one;

		snprintf(path, sizeof(path), "%s/shop.example.%s.zone", zones_dir(), i ? "new" : "old");
		load_file(&one, "shop.example", path, NULL);
		texts[i] = view_text(&one.view);
		if (i)
			loaded_free(&one);
		else
			l = one;
	}
	/* as it is: nothing changes */
	assert_int_equal(change_view(&l, texts[0], true, &result), 0);
	assert_int_equal(result.header.nodes, 0);
	assert_int_equal(result.changed_rrsets, 0);
	assert_int_equal(result.soa_serial, 2026110101);
	if (change_view(&l, texts[1], true, &result) < 0)
		fail_msg("%s", l.err.message);
	assert_true(result.changed_rrsets > 10);
	{
		char *now = view_text(&l.view), *nodes = view_nodes(&l.view), *fresh;
		struct loaded full;
		const char *tail = strchr(now, '\n');

		/* the SOA's serial alone is no change: it stays the old one */
		assert_string_equal(tail, strchr(texts[1], '\n'));
		load_text(&full, "shop.example", texts[1], strlen(texts[1]), NULL);
		fresh = view_nodes(&full.view);
		assert_string_equal(nodes, fresh);
		assert_int_equal(zone_diff(&l.view, &full.view, NULL, NULL, &counts, &err), 0);
		assert_int_equal(counts.added + counts.removed + counts.changed, 0);
		free(now);
		free(nodes);
		free(fresh);
		loaded_free(&full);
	}
	assert_int_equal(change_view(&l, "\n; nothing\n", true, &result), -1);
	assert_true(err_is(&l.err, ERR_PARSE));
	assert_int_equal(change_view(&l, "@ TXT nothing else\n", true, &result), -1);
	assert_true(err_is(&l.err, ERR_RULE));
	loaded_free(&l);
	free(texts[0]);
	free(texts[1]);
}

static void test_change_errors(void **state)
{
	static const struct { const char *text, *code, *told; } rows[] = {
		{ "add www A 192.0.2.300\n", ERR_PARSE, "rdata 1:11: " },
		{ "ad www A 192.0.2.3\n", ERR_PARSE, "syntax 1:1: " },
		{ "add www\n", ERR_PARSE, "syntax 1:8: " },
		{ "add www A\n", ERR_PARSE, "syntax 1:10: " },
		{ "add\n", ERR_PARSE, "syntax 1:4: " },
		{ "add www.elsewhere. A 192.0.2.3\n", ERR_RULE, "out-of-zone 1:5: " },
		{ "add @ CNAME x\n", ERR_RULE, "cname-and-other 1:5: " },
		{ "del @ NS\n", ERR_RULE, "no-ns 0:0: " },
		{ "del @ SOA\n", ERR_RULE, "no-soa 0:0: " },
		{ "add d DNAME x.\nadd a.d A 192.0.2.3\n", ERR_RULE, "below-dname 2:5: " },
		{ "add *.x NS ns1\n", ERR_RULE, "wildcard-ns 1:5: " },
		{ "add x RRSIG A 13 2 3600 20301231000000 20260101000000 1 example.com. AAAA\n", ERR_SIGNED, "" },
		{ "$INCLUDE /etc/passwd\n", ERR_PARSE, "syntax 1:1: " },
	};
	struct loaded l;
	struct change_result result;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		load_text(&l, "example.com", HEAD, 0, NULL);
		assert_int_equal(change_view(&l, rows[i].text, false, &result), -1);
		if (!err_is(&l.err, rows[i].code) || !strstr(l.told.text, rows[i].told))
			fail_msg("%s -> %s %s\n%s", rows[i].text, l.err.code, l.err.message, l.told.text);
		loaded_free(&l);
	}
	/* what is there is no change, what is not cannot go */
	load_text(&l, "example.com", HEAD, 0, NULL);
	assert_int_equal(change_view(&l, "add NS1 A 192.0.2.1\ndel nothing A\ndel nobody\n"
		"replace @ SOA ns1 hostmaster 77 14400 3600 1209600 300\n", false, &result), 0);
	assert_int_equal(result.header.nodes, 0);
	assert_int_equal(result.image_size, 0);
	/* names are the same in any letter case, wherever they stand */
	assert_int_equal(change_view(&l, "add h HIP 2 2001 AwEA a b c d e f\nadd h HIP 2 2001 AwEa a b c d e f\n"
		"add i IPSECKEY 10 3 2 gw AAEC\n", false, &result), 0);
	assert_int_equal(result.records, 3);
	assert_int_equal(change_view(&l, "add h HIP 2 2001 AwEA a b C d e F\ndel i IPSECKEY 10 3 2 GW AAEC\n"
		"del h HIP 2 2001 AwEA A b c d e F\n", false, &result), 0);
	assert_int_equal(result.records, -2);
	/* glue that goes is told */
	assert_int_equal(change_view(&l, "del ns1 A\n", false, &result), 0);
	assert_non_null(strstr(l.told.text, "apex-ns-address"));
	loaded_free(&l);
	/* a signed set is refused */
	load_text(&l, "example.com", HEAD "@ RRSIG SOA 13 2 3600 20301231000000 20260101000000 1 example.com. AAAA\n", 0, NULL);
	assert_int_equal(l.status, 0);
	assert_true(l.result.serial_fixed);
	assert_int_equal(change_view(&l, "add www A 192.0.2.1\n", false, &result), -1);
	assert_true(err_is(&l.err, ERR_SIGNED));
	loaded_free(&l);
}

struct seen_diff { char text[4096]; size_t size; };

static int see_diff(void *arg, const struct diff_rrset *r)
{
	struct seen_diff *s = arg;
	char name[NAME_TEXT_MAX], type[16];

	s->size += (size_t)snprintf(s->text + s->size, sizeof(s->text) - s->size, "%c %s %s %zu %zu\n", r->kind,
		name_to_text_short(name, r->owner), rrtype_to_text(r->type, type), r->old_count, r->new_count);
	for (size_t i = 0; i < r->new_count; i++)
		assert_non_null(strstr(r->new_text[i], type));
	return 0;
}

static void test_diff(void **state)
{
	struct loaded a, b;
	struct seen_diff seen = { "", 0 };
	struct diff_counts counts;
	struct err err = ERR_INIT;
	static const char new_text[] = "$TTL 3600\n@ SOA ns1 hostmaster 2 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.2\nx 60 TXT one\n";

	load_text(&a, "example.com", HEAD "y A 192.0.2.1\n", 0, NULL);
	load_text(&b, "example.com", new_text, sizeof(new_text) - 1, NULL);
	assert_int_equal(zone_diff(&a.view, &b.view, see_diff, &seen, &counts, &err), 0);
	assert_string_equal(seen.text, "~ ns1.example.com A 1 1\n+ x.example.com TXT 0 1\n- y.example.com A 1 0\n");
	assert_int_equal(counts.added, 1);
	assert_int_equal(counts.removed, 1);
	assert_int_equal(counts.changed, 1);
	loaded_free(&a);
	loaded_free(&b);
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
		cmocka_unit_test(test_verdicts), cmocka_unit_test(test_every_rule_has_a_file), cmocka_unit_test(test_examples),
		cmocka_unit_test(test_many_errors), cmocka_unit_test(test_drop), cmocka_unit_test(test_rdata_as_ldns),
		cmocka_unit_test(test_external_sort), cmocka_unit_test(test_whole), cmocka_unit_test(test_change_errors),
		cmocka_unit_test(test_random_changes), cmocka_unit_test(test_diff), cmocka_unit_test(test_check_as_loader),
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_garbage), cmocka_unit_test(test_directory_for_a_file),
		cmocka_unit_test(test_ttl), cmocka_unit_test(test_root), cmocka_unit_test(test_nsec3),
		cmocka_unit_test(test_print_serial),
	};

	/* signatures in the examples are valid, or are not, today */
	clock_set_wall_us(INT64_C(1767225600000000));   /* 2026-01-01 */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
