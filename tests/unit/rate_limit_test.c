/* Rate limits: how much passes in any time, whose is counted together, what
 * becomes of the rest; against a model without a bound on its memory. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/rate_limit.h"
#include "wire/query.h"

#define SECOND INT64_C(1000000000)

static const uint8_t seed[16] = "0123456789abcde";

static struct rate_limit *limit(unsigned rate, unsigned slip, size_t octets)
{
	const struct rate_limit_options o = { .rate = rate, .slip = slip, .octets = octets, .ipv4_prefix = 24, .ipv6_prefix = 56 };
	struct rate_limit *l = rate_limit_new(&o, seed);

	assert_non_null(l);
	return l;
}

enum fate { SENT, TRUNCATED, DROPPED };
struct client { uint8_t octets[16]; uint8_t size; };

static struct client client(const char *text)
{
	struct client c = { .size = strchr(text, ':') ? 16 : 4 };

	assert_int_equal(inet_pton(c.size == 4 ? AF_INET : AF_INET6, text, c.octets), 1);
	return c;
}

static enum fate send_one(struct rate_limit *l, const struct client *c, enum answer_kind kind, uint64_t name, int64_t now)
{
	/* www.example A, with one record and OPT */
	static const uint8_t whole[] = "\0\0\x84\0\0\1\0\1\0\0\0\1\3www\7example\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4\xc0\0\2\1"
		"\0\0\x29\4\xd0\0\0\0\0\0";
	uint8_t reply[64];
	struct answer_job job = { .client = c->octets, .client_size = c->size, .reply = reply, .reply_size = sizeof whole,
		.kind = kind, .account = name, .records_at = 29, .records_end = 45, .behind = 1 };
	uint64_t account;

	memcpy(reply, whole, sizeof whole);
	account = rate_limit_account(l, &job);
	if (!account)
		return SENT;
	rate_limit_apply(l, account, &job, now);
	if (!job.reply_size)
		return DROPPED;
	if (job.reply_size == sizeof whole)
		return SENT;
	assert_int_equal(job.reply_size, sizeof whole - 16);
	assert_true(reply[2] & 2);
	assert_int_equal(reply[7] + reply[9], 0);
	assert_int_equal(reply[11], 1);
	return TRUNCATED;
}

static unsigned sent(struct rate_limit *l, const struct client *c, uint64_t name, unsigned count, int64_t now)
{
	unsigned n = 0;

	while (count--)
		n += send_one(l, c, ANSWER_POSITIVE, name, now) == SENT;
	return n;
}

static void as_many_as_in_a_second(void **state)
{
	struct rate_limit *l = limit(200, 0, 1 << 16);
	struct client c = client("192.0.2.1");
	int64_t now = 1000 * SECOND;

	assert_int_equal(sent(l, &c, 1, 1000, now), 200);
	assert_int_equal(sent(l, &c, 1, 10, now + SECOND / 200 - 1), 0);
	assert_int_equal(sent(l, &c, 1, 10, now + SECOND / 200), 1);
	assert_int_equal(sent(l, &c, 1, 1000, now + SECOND / 2), 99);
	/* no more is saved up than for a second */
	assert_int_equal(sent(l, &c, 1, 1000, now + 100 * SECOND), 200);
	assert_int_equal(rate_limit_counters(l)->dropped, 800 + 10 + 9 + 901 + 800);
	rate_limit_free(l);
}

/* Whatever the pattern: in any time no more than the rate, and a second's. */
static void never_more(void **state)
{
	srandom(1);
	for (unsigned rate = 1; rate < 2000; rate = rate * 3 + 1) {
		struct rate_limit *l = limit(rate, 0, 1 << 16);
		struct client c = client("2001:db8::1");
		int64_t begin = SECOND * (random() % 100000), now = begin;
		unsigned n = 0, asked = 0;

		while (now - begin < 20 * SECOND) {
			now += random() % (2 * SECOND / rate);
			n += sent(l, &c, 7, 1 + (unsigned)random() % 4, now);
			asked++;
			assert_true(n <= rate + (now - begin) * rate / SECOND);
		}
		/* and no less than that, where it is always asked for */
		if (asked > 19 * rate)
			assert_true(n >= 19 * rate);
		rate_limit_free(l);
	}
}

static void who_is_counted_together(void **state)
{
	/* with one who has used up what there is of NODATA for name 5 */
	static const struct { const char *one, *other; enum answer_kind kind; uint64_t name; bool together; } rows[] = {
		{ "192.0.2.1", "192.0.2.255", ANSWER_NODATA, 5, true }, { "192.0.2.1", "192.0.3.1", ANSWER_NODATA, 5, false },
		{ "192.0.2.1", "192.0.2.1", ANSWER_NXDOMAIN, 5, false }, { "192.0.2.1", "192.0.2.1", ANSWER_NODATA, 6, false },
		{ "192.0.2.1", "::192.0.2.1", ANSWER_NODATA, 5, false }, { "192.0.2.1", "c000:0200::", ANSWER_NODATA, 5, false },
		{ "2001:db8::1", "2001:db8:0:ff:ffff::", ANSWER_NODATA, 5, true },
		{ "2001:db8::1", "2001:db8:0:100::", ANSWER_NODATA, 5, false }, { "2001:db8::1", "2001:db8::1", ANSWER_ERROR, 5, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct client one = client(rows[i].one), other = client(rows[i].other);
		struct rate_limit *l = limit(10, 0, 1 << 16);

		for (unsigned n = 0; n < 20; n++)
			send_one(l, &one, ANSWER_NODATA, 5, SECOND);
		if ((send_one(l, &other, rows[i].kind, rows[i].name, SECOND) != SENT) != rows[i].together)
			fail_msg("row %zu", i);
		rate_limit_free(l);
	}
}

static void slip(void **state)
{
	static const char *const wanted[] = { "DDDDDD", "TTTTTT", "TDTDTD", "TDDTDD" };

	for (unsigned i = 0; i < 4; i++) {
		struct rate_limit *l = limit(1, i, 1 << 16);
		struct client c = client("192.0.2.1");

		assert_int_equal(send_one(l, &c, ANSWER_REFERRAL, 1, SECOND), SENT);
		for (const char *p = wanted[i]; *p; p++)
			assert_int_equal(send_one(l, &c, ANSWER_REFERRAL, 1, SECOND), *p == 'T' ? TRUNCATED : DROPPED);
		assert_int_equal(rate_limit_counters(l)->truncated + rate_limit_counters(l)->dropped, 6);
		rate_limit_free(l);
	}
}

static void who_is_not_limited(void **state)
{
	struct rate_limit_options o = { .rate = 1, .slip = 0, .octets = 1 << 16, .ipv4_prefix = 24, .ipv6_prefix = 56 };
	struct client in = client("192.0.2.130"), out = client("192.0.2.127");
	struct err err = ERR_INIT;
	struct answer_job job = { .reply_size = 100, .client = out.octets, .client_size = 4, .cookie_good = true };
	struct rate_limit *l;

	assert_int_equal(prefix_list_parse(&o.exempt, "192.0.2.128/25", 14, 1, &err), 0);
	l = rate_limit_new(&o, seed);
	prefix_list_clear(&o.exempt);
	assert_int_equal(sent(l, &in, 1, 100, SECOND), 100);
	assert_int_equal(sent(l, &out, 1, 100, SECOND), 1);
	assert_int_equal(rate_limit_account(l, &job), 0);
	job.cookie_good = false;
	assert_true(rate_limit_account(l, &job));
	job.reply_size = 0;
	assert_int_equal(rate_limit_account(l, &job), 0);
	rate_limit_free(l);
}

/* A flood of accounts that got one response each makes room of one another,
 * not of those that are over their limit. */
static void a_flood_frees_nobody(void **state)
{
	struct rate_limit *l = limit(100, 0, 1 << 16);
	struct client c = client("192.0.2.1"), other = client("198.51.100.1");
	int64_t now = SECOND;
	unsigned n = 0;

	assert_int_equal(sent(l, &c, 1, 200, now), 100);
	for (uint64_t name = 2; name < 200000; name++) {
		other.octets[2] = (uint8_t)name;
		n += send_one(l, &other, ANSWER_POSITIVE, name, now) == SENT;
		if (name % 1000 == 0)
			assert_int_equal(sent(l, &c, 1, 1, now), 0);
	}
	assert_true(n == 200000 - 2);
	rate_limit_free(l);
}

/* The same decisions as with a bucket for every account, and plain numbers. */
static void like_the_model(void **state)
{
	enum { CLIENTS = 30, NAMES = 10, RATE = 20 };
	static double tokens[CLIENTS][NAMES];
	static int64_t last[CLIENTS][NAMES];
	struct rate_limit *l = limit(RATE, 0, 1 << 20);
	int64_t now = 10 * SECOND;
	unsigned close = 0;

	for (unsigned i = 0; i < CLIENTS * NAMES; i++) {
		tokens[i / NAMES][i % NAMES] = RATE;
		last[i / NAMES][i % NAMES] = now;
	}
	srandom(2);
	for (unsigned round = 0; round < 300000; round++) {
		unsigned i = (unsigned)random() % CLIENTS, k = (unsigned)random() % NAMES;
		struct client c = { .octets = { 10, 1, (uint8_t)i, (uint8_t)random() }, .size = 4 };
		double *t = &tokens[i][k];

		now += random() % 300000;
		*t += (double)(now - last[i][k]) / SECOND * RATE;
		*t = *t > RATE ? RATE : *t;
		last[i][k] = now;
		if (*t > 0.99999 && *t < 1.00001) {     /* rounding may decide */
			close++;
			*t -= send_one(l, &c, ANSWER_POSITIVE, k + 1, now) == SENT;
			continue;
		}
		assert_int_equal(send_one(l, &c, ANSWER_POSITIVE, k + 1, now), *t >= 1 ? SENT : DROPPED);
		*t -= *t >= 1;
	}
	assert_true(close < 100);
	rate_limit_free(l);
}

/* Runs with what goes to the log in a file; returns how often text is in it. */
static unsigned count_in_log(FILE *log, const char *text)
{
	char line[1024];
	unsigned n = 0;

	rewind(log);
	while (fgets(line, sizeof line, log))
		n += strstr(line, text) != NULL;
	return n;
}

static void what_the_log_is_told(void **state)
{
	struct rate_limit *l = limit(10, 2, 1 << 20);
	FILE *log = tmpfile();
	int saved = dup(2);
	int64_t now = SECOND;

	assert_non_null(log);
	dup2(fileno(log), 2);
	log_open("test", false, LOG_LEVEL_NOTICE);
	for (unsigned i = 0; i < 100; i++) {
		struct client c = { .octets = { 10, 0, (uint8_t)i, 1 }, .size = 4 };

		sent(l, &c, 1, 30, now);
		sent(l, &c, 2, 30, now);
	}
	assert_int_equal(rate_limit_watched(l), RATE_LIMIT_WATCHED);
	rate_limit_sweep(l, now + RATE_LIMIT_QUIET_NS - 1);
	assert_int_equal(rate_limit_watched(l), RATE_LIMIT_WATCHED);
	rate_limit_sweep(l, now + RATE_LIMIT_QUIET_NS);
	assert_int_equal(rate_limit_watched(l), 0);
	rate_limit_sweep(l, now + 2 * RATE_LIMIT_QUIET_NS);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	assert_int_equal(count_in_log(log, "responses to 10.0.0.0/24 are limited to 10 a second (positive, asked for www.example)"), 1);
	assert_int_equal(count_in_log(log, "responses to 10.0.0.0/24 are limited no more: 20 were dropped and 20 truncated in 1 s"), 1);
	assert_int_equal(count_in_log(log, "are limited to"), RATE_LIMIT_WATCHED);
	assert_int_equal(count_in_log(log, "are limited no more"), RATE_LIMIT_WATCHED);
	assert_int_equal(count_in_log(log, "2720 responses to further prefixes were over the limit"), 1);
	assert_int_equal(count_in_log(log, ""), 2 * RATE_LIMIT_WATCHED + 1);
	log_set_level(LOG_LEVEL_ERROR);
	fclose(log);
	rate_limit_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_in_a_second),
		cmocka_unit_test(never_more),
		cmocka_unit_test(who_is_counted_together),
		cmocka_unit_test(slip),
		cmocka_unit_test(who_is_not_limited),
		cmocka_unit_test(a_flood_frees_nobody),
		cmocka_unit_test(like_the_model),
		cmocka_unit_test(what_the_log_is_told),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
