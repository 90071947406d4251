/* Changes of a set against a full load of what they should lead to; differences. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/content_hash.h"
#include "wire/rrtype.h"
#include "zone_support.h"

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

/* ---- changes ------------------------------------------------------------- */

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

static void random_changes(uint64_t seed)
{
	struct loaded l;
	uint64_t content[8], now[8];
	int64_t nodes, rrsets, records;
	unsigned applied = 0;

	random_seed(seed * 2654435761u + 88172645463325252ull);
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
		loaded_hash(&l, now);
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

/* ---- differences --------------------------------------------------------- */

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes), cmocka_unit_test(test_whole),
		cmocka_unit_test(test_change_errors), cmocka_unit_test(test_diff),
	};

	/* signatures in the examples are valid, or are not, today */
	clock_set_wall_us(INT64_C(1767225600000000));   /* 2026-01-01 */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
