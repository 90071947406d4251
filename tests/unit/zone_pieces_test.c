/* A file read in pieces by threads gives the image, octet for octet, and the
 * problems that it gives when it is read in order. */
#include "config.h"

#include "zone_support.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zone/pieces.h"

#define APEX "pieces.example"

/* ---- texts ----------------------------------------------------------------------- */

struct text { char *p; size_t size, space; };

__attribute__((format(printf, 2, 3)))
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	if (t->space - t->size < 1024) {
		t->space = 2 * t->space + 65536;
		t->p = realloc(t->p, t->space);
		assert_non_null(t->p);
	}
	va_start(ap, fmt);
	t->size += (size_t)vsnprintf(t->p + t->size, 1024, fmt, ap);
	va_end(ap);
}

enum {
	BLANKS = 1,             /* further records of an owner begin with a blank */
	FOLDED = 2,             /* parentheses, with lines in them that look like records */
	COMMENTS = 4,           /* … and comments with signs that are none there */
	OWN_TTLS = 8,           /* no $TTL, but one in each record */
	NO_END = 16,            /* the last line is not ended */
	RETURNS = 32,           /* \r\n */
	CUTS = 64,
};

/* count names at random, some of them again and again. */
static struct text make_text(unsigned count, unsigned what)
{
	struct text t = { NULL, 0, 0 };
	const char *end = what & RETURNS ? "\r\n" : "\n";

	add(&t, "%s@ %sSOA ns1 hostmaster 1 14400 3600 1209600 300%s", what & OWN_TTLS ? "" : "$TTL 3600\n",
		what & OWN_TTLS ? "300 " : "", end);
	add(&t, "@ %sNS ns1%sns1 %sA 192.0.2.1%s", what & OWN_TTLS ? "300 " : "", end, what & OWN_TTLS ? "300 " : "", end);
	for (unsigned i = 0; i < count; i++) {
		const char *ttl = what & OWN_TTLS || random_below(5) == 0 ? "60 " : "";
		unsigned n = random_below(10) ? random_below(1000000) : random_below(20);

		if (what & COMMENTS && random_below(4) == 0)
			add(&t, "; ( \" %u%s%s", n, end, random_below(2) ? "\n" : "");
		if (what & CUTS && random_below(6) == 0) {
			add(&t, "cut%u %sNS ns.cut%u%sns.cut%u %sA 10.9.0.1%s", n, ttl, n, end, n, ttl, end);
			continue;
		}
		if (what & FOLDED && random_below(8) == 0)
			add(&t, "w%u %sTXT (%sone%u ; )%s \"two (\"%s)%s", n, ttl, end, n, end, end, end);
		else
			add(&t, "w%u %sIN A 10.%u.%u.%u%s", n, ttl, n % 7, n / 256 % 256, random_below(256), end);
		if (what & BLANKS && random_below(3) == 0)
			add(&t, "\t%sTXT \"of w%u\"%s", ttl, n, end);
	}
	if (what & NO_END)
		t.size -= strlen(end);
	return t;
}

/* ---- both ways --------------------------------------------------------------------- */

/* Is it read in pieces? */
static int in_pieces(const struct text *t, unsigned threads)
{
	struct sorter *sorter = sorter_new(64 << 20, -1);
	struct reporter reporter = { .problem = NULL };
	struct pieces_request q = { .name = "test", .threads = threads, .memory_limit = 64 << 20, .file_min = 1 };
	uint8_t wire[NAME_MAX_SIZE];
	struct checker *checker;
	struct err err = ERR_INIT;
	uint32_t soa_minimum = 0;
	const char *reason;
	int got;

	q.apex = wire;
	q.apex_size = name_from_text(wire, APEX, strlen(APEX), NULL, false, &reason);
	q.fd = empty_file();
	assert_int_equal(write(q.fd, t->p, t->size), t->size);
	lseek(q.fd, 0, SEEK_SET);
	checker = checker_new(&reporter, q.apex, q.apex_size, 0, NULL, NULL);
	got = pieces_read(&q, sorter, checker, &soa_minimum, &err);
	assert_int_equal(lseek(q.fd, 0, SEEK_CUR), 0);
	assert_int_equal(reporter.errors + reporter.warnings, 0);
	if (got > 0)
		assert_int_equal(soa_minimum, 300);
	else
		assert_int_equal(sorter_count(sorter), 0);
	checker_free(checker);
	sorter_free(sorter);
	close(q.fd);
	return got;
}

static void assert_same(const struct loaded *a, const struct loaded *b)
{
	assert_string_equal(a->told.text, b->told.text);
	assert_string_equal(a->err.message, b->err.message);
	assert_int_equal(a->status, b->status);
	assert_memory_equal(&a->result.header, &b->result.header, sizeof(a->result.header));
	assert_int_equal(a->result.image_size, b->result.image_size);
	assert_int_equal(a->result.warnings, b->result.warnings);
	assert_int_equal(a->result.errors, b->result.errors);
	assert_int_equal(a->result.dropped, b->result.dropped);
	if (a->status == 0) {
		void *x = mmap(NULL, a->result.image_size, PROT_READ, MAP_SHARED, a->fds[0], 0);
		void *y = mmap(NULL, b->result.image_size, PROT_READ, MAP_SHARED, b->fds[0], 0);

		assert_true(x != MAP_FAILED && y != MAP_FAILED);
		assert_int_equal(memcmp(x, y, a->result.image_size), 0);
		munmap(x, a->result.image_size);
		munmap(y, b->result.image_size);
	}
}

/* want: 1: in pieces, 0: not, -1: either. */
static void both_ways(struct text *t, int want, const struct load_how *how)
{
	static const unsigned threads[] = { 2, 3, 7, PIECES_MAX };
	struct load_how ordinary = how ? *how : (struct load_how){ .threads = 0 };
	struct loaded in_order, parted;

	load_text(&in_order, APEX, t->p, t->size, &ordinary);
	for (unsigned i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		if (want >= 0)
			assert_int_equal(in_pieces(t, threads[i]), want);
		ordinary.threads = threads[i];
		load_text(&parted, APEX, t->p, t->size, &ordinary);
		assert_same(&in_order, &parted);
		loaded_free(&parted);
	}
	loaded_free(&in_order);
}

static void test_clean(void **state)
{
	static const unsigned whats[] = { 0, BLANKS, COMMENTS, OWN_TTLS, NO_END, RETURNS | NO_END, CUTS,
		BLANKS | COMMENTS | RETURNS | CUTS, BLANKS | OWN_TTLS | COMMENTS };

	(void)state;
	for (unsigned i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
		struct text t;

		random_seed(i);
		t = make_text(12000, whats[i]);
		both_ways(&t, 1, NULL);
		free(t.p);
	}
}

/* A piece may begin where a line of a record does, or not. */
static void test_folded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct text t;

		random_seed(i);
		t = make_text(9000, FOLDED | BLANKS | (i % 2 ? COMMENTS : 0) | (i % 3 ? CUTS : NO_END));
		both_ways(&t, -1, NULL);
		free(t.p);
	}
}

static void test_one_long_record(void **state)
{
	struct text t = make_text(100, 0);

	(void)state;
	add(&t, "long TXT (\n");
	for (unsigned i = 0; i < 12000; i++)
		add(&t, "w%u\n", i % 1000);
	add(&t, ")\nlast A 192.0.2.9\n");
	both_ways(&t, 0, NULL);
	free(t.p);
}

static void test_to_be_told(void **state)
{
	static const char *const lines[] = {
		"$ORIGIN sub." APEX ".\n", "$TTL 5\n", "$INCLUDE none\n", "$GENERATE 1-3 g$ A 192.0.2.$\n",
		"bad A 1.2.3\n", "w1 CH A 192.0.2.1\n", "elsewhere. A 192.0.2.1\n", ") w\n", "q TXT \"a\n", "\x01\n", "w A ( 192.0.2.1\n",
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		for (unsigned at = 0; at < 3; at++) {
			struct text t;
			unsigned part;

			random_seed(i);
			t = make_text(4000, BLANKS);
			/* behind the head, in the middle, at the end */
			part = at == 0 ? 2000 : at == 1 ? 4000 : 0;
			for (unsigned k = 0; k < part; k++)
				add(&t, "x%u A 10.0.0.%u\n", k, k % 256);
			add(&t, "%s", lines[i]);
			for (unsigned k = 0; k < 4000 - part; k++)
				add(&t, "y%u A 10.0.0.%u\n", k, k % 256);
			both_ways(&t, 0, NULL);
			free(t.p);
		}
}

static void test_what_is_before_counts(void **state)
{
	static const char *const drops[] = { "out-of-zone" };
	struct load_how how = { .drop_rules = drops, .drop_count = 1 };
	struct text t;

	(void)state;
	/* a TTL that comes from the record before, wherever that is */
	random_seed(1);
	t = make_text(10, OWN_TTLS);
	for (unsigned i = 0; i < 12000; i++)
		add(&t, "x%u %sA 10.0.0.%u\n", i, i % 3000 ? "" : "70 ", i % 256);
	both_ways(&t, 0, NULL);
	free(t.p);
	/* the SOA, and with it the TTL of all, at the end */
	t = (struct text){ NULL, 0, 0 };
	for (unsigned i = 0; i < 12000; i++)
		add(&t, "x%u A 10.0.0.%u\n", i, i % 256);
	add(&t, "@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n");
	both_ways(&t, 0, NULL);
	free(t.p);
	/* what is left out is told, too */
	t = make_text(8000, 0);
	add(&t, "elsewhere. A 192.0.2.1\nlast A 192.0.2.2\n");
	both_ways(&t, 0, &how);
	free(t.p);
}

static void test_small_and_large(void **state)
{
	struct load_how how = { .memory_limit = 1 << 20 };
	struct text t = make_text(100, 0);

	(void)state;
	both_ways(&t, 0, NULL);         /* nothing behind the head */
	free(t.p);
	t = make_text(12000, BLANKS);   /* sorted on disk */
	both_ways(&t, -1, &how);
	free(t.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_folded),
		cmocka_unit_test(test_one_long_record),
		cmocka_unit_test(test_to_be_told),
		cmocka_unit_test(test_what_is_before_counts),
		cmocka_unit_test(test_small_and_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
