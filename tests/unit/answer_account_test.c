/* What a response is counted as, for who limits rates: which questions share
 * an account; and what is left of a reply that is truncated. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "answer_zone.h"
#include "base/bytes.h"
#include "reply_check.h"
#include "wire/query.h"
#include "wire/rrtype.h"

#define PAYLOAD 1232

static const char zone_text[] =
	"@ 300 IN SOA ns host 1 3600 600 86400 60\n"
	"@ 300 IN NS ns\n"
	"ns 300 IN A 192.0.2.1\n"
	"www 300 IN A 192.0.2.2\n"
	"mail 300 IN A 192.0.2.3\n"
	"*.wild 300 IN A 192.0.2.4\n"
	"alias 300 IN CNAME www\n"
	"*.alias 300 IN CNAME www\n"
	"dead 300 IN CNAME none\n"
	"a.b.ent 300 IN A 192.0.2.5\n"
	"down 300 IN NS ns.down\n"
	"ns.down 300 IN A 192.0.2.6\n"
	"other 300 IN NS ns.down\n"
	"old 300 IN DNAME target\n"
	"x.target 300 IN A 192.0.2.7\n"
	"y.target 300 IN A 192.0.2.8\n"
	"big 300 IN TXT \"0123456789012345678901234567890123456789\"\n";

struct fixture { struct answerer *answerer; struct test_zone zone, deeper; struct test_store store; };

static int setup(void **state)
{
	static const struct answer_options options = { .udp_payload_max = PAYLOAD, .version = "1", .nsid = (const uint8_t *)"n",
		.nsid_size = 1 };
	static struct fixture f;

	f.answerer = answerer_new(&options, TEST_HASH_KEY);
	test_zone_from_text(&f.zone, "example.", zone_text);
	test_zone_from_text(&f.deeper, "deeper.example.", "@ 300 IN SOA ns.example. host 1 3600 600 86400 60\n@ 300 IN NS ns.example.\n");
	f.store = (struct test_store){ .count = 2, .zone = { &f.zone, &f.deeper } };
	*state = &f;
	return !f.answerer;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	answerer_free(f->answerer);
	test_zone_free(&f->zone);
	test_zone_free(&f->deeper);
	return 0;
}

struct asked { struct answer_job job; uint8_t query[512], reply[4096]; };

/* ask: "NAME TYPE", of class IN, or with "CH" behind it. */
static void ask(struct fixture *f, const char *text, bool edns, struct asked *a)
{
	char name[256], type[16], rrclass[4] = "IN";
	uint8_t *p = a->query;
	const char *reason;
	size_t size;

	assert_true(sscanf(text, "%255s %15s %3s", name, type, rrclass) >= 2);
	memset(p, 0, DNS_HEADER_SIZE);
	p[5] = 1;
	p[11] = edns;
	size = name_from_text(p + DNS_HEADER_SIZE, name, strlen(name), NULL, false, &reason);
	assert_true(size);
	size += DNS_HEADER_SIZE;
	store_be16(p + size, ldns_get_rr_type_by_name(type));
	store_be16(p + size + 2, strcmp(rrclass, "CH") ? 1 : 3);
	size += 4;
	if (edns) {     /* and asks for the server's identifier */
		memcpy(p + size, "\0\0\x29\x04\xd0\0\0\0\0\0\4\0\3\0", 14);
		size += 15;
		p[size - 1] = 0;
	}
	a->job = (struct answer_job){ .query = p, .query_size = (uint16_t)size, .reply = a->reply, .reply_capacity = sizeof a->reply };
	answer_batch_from(f->answerer, test_store_find, &f->store, &a->job, 1);
	assert_true(a->job.reply_size);
}

static void kinds(void **state)
{
	static const struct { const char *ask; enum answer_kind kind; } rows[] = {
		{ "www.example A", ANSWER_POSITIVE }, { "any.wild.example A", ANSWER_POSITIVE }, { "www.example MX", ANSWER_NODATA },
		{ "ent.example A", ANSWER_NODATA }, { "any.wild.example MX", ANSWER_NODATA }, { "none.example A", ANSWER_NXDOMAIN },
		{ "down.example A", ANSWER_REFERRAL }, { "x.down.example A", ANSWER_REFERRAL }, { "down.example DS", ANSWER_NODATA },
		{ "alias.example A", ANSWER_POSITIVE }, { "dead.example A", ANSWER_NXDOMAIN }, { "x.old.example A", ANSWER_POSITIVE },
		{ "none.old.example A", ANSWER_NXDOMAIN }, { "elsewhere A", ANSWER_ERROR }, { "www.example AXFR", ANSWER_ERROR },
		{ "www.example OPT", ANSWER_ERROR }, { "version.bind TXT CH", ANSWER_ERROR }, { "www.example TXT CH", ANSWER_ERROR },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct asked a;

		ask(*state, rows[i].ask, false, &a);
		if (a.job.kind != rows[i].kind)
			fail_msg("%s: kind %d, not %d", rows[i].ask, a.job.kind, rows[i].kind);
		assert_int_equal(a.job.account != 0, a.job.kind != ANSWER_ERROR);
		assert_false(a.job.cookie_good);
	}
}

/* Whoever asks on and on for names that are made up gets one account. */
static void accounts(void **state)
{
	static const struct { const char *a, *b; bool same; } rows[] = {
		{ "www.example A", "WWW.Example AAAA", true }, { "www.example A", "mail.example A", false },
		{ "a.wild.example A", "b.c.wild.example A", true }, { "a.wild.example A", "www.example A", false },
		{ "a.wild.example MX", "b.wild.example MX", true },
		{ "none.example A", "never.www.example A", true }, { "none.example A", "none.deeper.example A", false },
		{ "a.down.example A", "b.c.down.example A", true }, { "a.down.example A", "a.other.example A", false },
		{ "x.old.example A", "y.old.example A", true }, { "x.old.example A", "x.target.example A", false },
		{ "a.alias.example A", "b.alias.example A", true }, { "alias.example A", "www.example A", false },
		{ "dead.example A", "none.example A", true }, { "none.old.example A", "none.example A", true },
		{ "ent.example A", "b.ent.example A", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct asked a, b;

		ask(*state, rows[i].a, false, &a);
		ask(*state, rows[i].b, false, &b);
		if ((a.job.account == b.job.account) != rows[i].same)
			fail_msg("%s and %s have %s account", rows[i].a, rows[i].b, rows[i].same ? "not one" : "one");
	}
}

static void truncated(void **state)
{
	static const char *const asks[] = { "big.example TXT", "none.example A", "x.down.example A", "elsewhere A", "www.example OPT" };
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof asks / sizeof asks[0]; i++) {
		bool edns = i % 2;
		ldns_pkt *packet;
		const char *wrong;
		struct asked a;
		ldns_pkt_rcode rcode;

		ask(f, asks[i / 2], edns, &a);
		rcode = a.reply[3] & 15;
		answer_truncate(&a.job);
		/* the query and, in OPT, the identifier of one octet */
		assert_true(a.job.reply_size <= a.job.query_size + (edns ? 1u + 6u : 0u));
		wrong = reply_check(&a.job, &f->store, PAYLOAD, &packet);
		if (wrong)
			fail_msg("%s: %s", asks[i / 2], wrong);
		assert_true(ldns_pkt_tc(packet));
		assert_int_equal(ldns_pkt_get_rcode(packet), rcode);
		assert_int_equal(ldns_pkt_edns(packet), edns);
		assert_int_equal(ldns_pkt_qdcount(packet), 1);
		assert_int_equal(ldns_pkt_ancount(packet) + ldns_pkt_nscount(packet) + ldns_pkt_arcount(packet), 0);
		ldns_pkt_free(packet);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(accounts),
		cmocka_unit_test(truncated),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
