/* What is rare: sets that lack what a set must have, the ends of what fits,
 * options at their limits. Whatever it is, a reply is sound (reply_check.c). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply_check.h"
#include "wire/query.h"
#include "wire/rrtype.h"

#define SOA "odd. 60 IN SOA a. b. 7 1 1 1 1\n"
#define NS "odd. 60 IN NS ns.far.\n"
#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct answerer *answerer;
static uint8_t query[65535], reply[65535];

static size_t put_question(uint8_t *q, const char *name, uint16_t type, uint16_t rrclass)
{
	const char *reason;
	size_t n = DNS_HEADER_SIZE;

	memcpy(q, "\xab\xcd\1\0\0\1\0\0\0\0\0\0", DNS_HEADER_SIZE);
	n += name_from_text(q + n, name, strlen(name), NULL, false, &reason);
	store_be16(q + n, type);
	store_be16(q + n + 2, rrclass);
	return n + 4;
}

static size_t put_opt(uint8_t *q, size_t n, uint16_t payload, bool dnssec, const char *options, size_t size)
{
	q[11]++;
	memcpy(q + n, "\0\0\x29\0\0\0\0\0\0\0\0", 11);
	store_be16(q + n + 3, payload);
	q[n + 7] = dnssec ? 0x80 : 0;
	store_be16(q + n + 9, (uint16_t)size);
	memcpy(q + n + 11, options, size);
	return n + 11 + size;
}

/* The reply to what lies in query; it is the caller's. */
static ldns_pkt *answer(struct test_zone *z, size_t size, bool tcp, uint16_t payload_max, const uint8_t *client)
{
	struct test_store store = { .count = z ? 1 : 0, .zone = { z } };
	struct answer_job job = { .query = query, .query_size = (uint16_t)size, .reply = reply, .reply_capacity = sizeof reply,
		.tcp = tcp, .client = client, .client_size = client ? 4 : 0 };
	const char *bad;
	ldns_pkt *p;

	answer_batch_from(answerer, test_store_find, &store, &job, 1);
	bad = reply_check(&job, &store, payload_max, &p);
	if (bad)
		fail_msg("%s", bad);
	return p;
}

/* "RCODE answer/authority/additional", with TC or AA. */
static void expect(struct test_zone *z, const char *name, uint16_t type, const char *expected)
{
	ldns_pkt *p = answer(z, put_question(query, name, type, CLASS_IN), false, 1232, NULL);
	char text[64];

	snprintf(text, sizeof text, "%d %zu/%zu/%zu%s%s", ldns_pkt_get_rcode(p), ldns_rr_list_rr_count(ldns_pkt_answer(p)),
		ldns_rr_list_rr_count(ldns_pkt_authority(p)), ldns_rr_list_rr_count(ldns_pkt_additional(p)),
		ldns_pkt_aa(p) ? " aa" : "", ldns_pkt_tc(p) ? " tc" : "");
	if (strcmp(text, expected))
		fail_msg("%s: %s, not %s", name, text, expected);
	ldns_pkt_free(p);
}

/* ---- sets that no check let pass ------------------------------------------------ */

static void without_soa(void **state)
{
	struct test_zone z;

	test_zone_from_text(&z, "odd.", NS "x.odd. 60 IN A 192.0.2.1\nc.odd. 60 IN CNAME gone.odd.\n*.w.odd. 60 IN A 192.0.2.2\n");
	expect(&z, "x.odd.", TYPE_A, "0 1/0/0 aa");
	/* nothing negative can be said; what was begun is taken back */
	expect(&z, "x.odd.", TYPE_MX, "2 0/0/0");
	expect(&z, "gone.odd.", TYPE_A, "2 0/0/0");
	expect(&z, "c.odd.", TYPE_A, "2 0/0/0");
	expect(&z, "y.w.odd.", TYPE_A, "0 1/0/0 aa");
	z.view.serial_fixed = true;
	ldns_pkt_free(answer(&z, put_opt(query, put_question(query, "x.odd.", TYPE_A, CLASS_IN), 1232, false, "\0\x13\0\0", 4),
		false, 1232, NULL));
	test_zone_free(&z);
}

/* NSEC3PARAM that cannot be read, or of another algorithm: no proofs. */
static void strange_nsec3param(void **state)
{
	static const char *const rdata[] = { "2 0 0 -", "1 0 501 -" };

	for (unsigned i = 0; i < 2; i++) {
		struct test_zone z;
		ldns_pkt *p;
		char text[256];

		snprintf(text, sizeof text, SOA NS "odd. 60 IN NSEC3PARAM %s\n", rdata[i]);
		test_zone_from_text(&z, "odd.", text);
		p = answer(&z, put_opt(query, put_question(query, "x.odd.", TYPE_A, CLASS_IN), 1232, true, "", 0), false, 1232, NULL);
		assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NXDOMAIN);
		assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_authority(p)), 1);
		ldns_pkt_free(p);
		test_zone_free(&z);
	}
}

/* A chain without its records: NSEC3PARAM, and no NSEC3. */
static void no_nsec3(void **state)
{
	struct test_zone z;

	test_zone_from_text(&z, "odd.", SOA NS "odd. 60 IN NSEC3PARAM 1 0 0 -\nsub.odd. 60 IN NS ns.far.\n*.w.odd. 60 IN A 192.0.2.1\n");
	for (unsigned i = 0; i < 4; i++) {
		static const struct { const char *name; uint16_t type; } questions[] = {
			{ "x.odd.", TYPE_A }, { "odd.", TYPE_MX }, { "x.sub.odd.", TYPE_A }, { "x.w.odd.", TYPE_MX },
		};
		size_t n = put_question(query, questions[i].name, questions[i].type, CLASS_IN);
		ldns_pkt *p = answer(&z, put_opt(query, n, 1232, true, "", 0), false, 1232, NULL);

		assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_authority(p)), 1);
		ldns_pkt_free(p);
	}
	test_zone_free(&z);
}

/* A set may be signed in part: an RRSIG of what is not there. */
static void signature_alone(void **state)
{
	struct test_zone z;
	ldns_pkt *p;

	test_zone_from_text(&z, "odd.", SOA NS
		"x.odd. 60 IN RRSIG TXT 8 2 60 20370101000000 20200101000000 1 odd. AAAA\nx.odd. 60 IN A 192.0.2.1\n");
	p = answer(&z, put_question(query, "x.odd.", TYPE_RRSIG, CLASS_IN), true, 1232, NULL);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(p)), 1);
	ldns_pkt_free(p);
	expect(&z, "x.odd.", TYPE_TXT, "0 0/1/0 aa");
	test_zone_free(&z);
}

/* ---- chains ------------------------------------------------------------------------ */

/* A DNAME to itself, one that lengthens every time, long chains: bounded, and
 * each record once. */
static void endless(void **state)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct test_zone z;

	fprintf(out, SOA NS "d.odd. 60 IN DNAME d.odd.\nl.odd. 60 IN DNAME x.l2.odd.\nl2.odd. 60 IN DNAME l.odd.\n"
		"w.odd. 60 IN DNAME " L63 "." L63 "." L63 ".odd.\n");
	for (unsigned i = 0; i < 100; i++)
		fprintf(out, "c%u.odd. 60 IN CNAME c%u.odd.\n", i, i + 1);
	fclose(out);
	test_zone_from_text(&z, "odd.", text);
	free(text);
	expect(&z, "c0.odd.", TYPE_A, "0 16/0/0 aa");
	expect(&z, "c95.odd.", TYPE_A, "3 5/1/0 aa");
	expect(&z, "a.d.odd.", TYPE_A, "0 2/0/0 aa");
	expect(&z, "a.l.odd.", TYPE_A, "0 18/0/0 aa");
	expect(&z, L63 ".w.odd.", TYPE_A, "6 1/0/0 aa");
	expect(&z, "a.w.odd.", TYPE_A, "3 2/1/0 aa");
	test_zone_free(&z);
}

/* Over TCP targets may stand where no pointer reaches. */
static void far_targets(void **state)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct test_zone z;
	ldns_pkt *p;

	fprintf(out, SOA NS);
	for (unsigned i = 0; i < 120; i++)
		fprintf(out, "big.odd. 60 IN TXT \"%03u%0200u\"\nbig.odd. 60 IN HTTPS %u h%u.far.odd. alpn=\"%0120u\"\n"
			"h%u.far.odd. 60 IN A 10.0.0.%u\n", i, 0, i + 1, i, 0, i, i);
	fclose(out);
	test_zone_from_text(&z, "odd.", text);
	free(text);
	p = answer(&z, put_question(query, "big.odd.", TYPE_ANY, CLASS_IN), true, 1232, NULL);
	assert_false(ldns_pkt_tc(p));
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(p)), 240);
	/* of as many as are looked up, the addresses */
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_additional(p)), 63);
	ldns_pkt_free(p);
	test_zone_free(&z);
}

/* So may what a chain leads to: 70 signatures of its first step take 19 KiB. */
static void far_chain(void **state)
{
	static const struct { const char *owner; ldns_rr_type type; } rest[] = {
		{ "b.c.d.odd.", LDNS_RR_TYPE_CNAME }, { "y.w.odd.", LDNS_RR_TYPE_A }, { "y.w.odd.", LDNS_RR_TYPE_A },
	};
	char *text, zeros[341] = "";    /* 255 octets in base64 */
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct test_zone z;
	ldns_rr_list *found;
	ldns_pkt *p;

	fprintf(out, SOA NS "a.odd. 60 IN CNAME b.c.d.odd.\nb.c.d.odd. 60 IN CNAME y.w.odd.\n*.w.odd. 60 IN A 192.0.2.1\n"
		"*.w.odd. 60 IN A 192.0.2.2\n");
	memset(zeros, 'A', sizeof zeros - 1);
	for (unsigned i = 0; i < 70; i++)
		fprintf(out, "a.odd. 60 IN RRSIG CNAME 8 2 60 20370101000000 20200101000000 %u odd. %s\n", i + 1, zeros);
	fclose(out);
	test_zone_from_text(&z, "odd.", text);
	free(text);
	p = answer(&z, put_opt(query, put_question(query, "a.odd.", TYPE_A, CLASS_IN), 65535, true, "", 0), true, 1232, NULL);
	assert_true(ldns_pkt_size(p) > 0x4000);
	found = ldns_pkt_answer(p);
	assert_int_equal(ldns_rr_list_rr_count(found), 71 + 3);
	for (unsigned i = 0; i < 3; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(found, 71 + i);
		char *owner = ldns_rdf2str(ldns_rr_owner(rr));

		assert_string_equal(owner, rest[i].owner);
		assert_int_equal(ldns_rr_get_type(rr), rest[i].type);
		free(owner);
	}
	ldns_pkt_free(p);
	test_zone_free(&z);
}

/* What is needed and does not fit: TC, and nothing of it. */
static void too_long_for_512(void **state)
{
	static const char text[] =
		"odd. 60 IN SOA " L63 "." L63 "." L63 ".m. " L63 "." L63 "." L63 ".r. 7 1 1 1 1\n" NS
		"v.odd. 60 IN DNAME bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.far.\n"
		"w.odd. 60 IN DNAME " L63 "." L63 ".t.odd.\nodd. 60 IN MX 1 odd.\nodd. 60 IN A 192.0.2.1\n"
		"many.odd. 60 IN DS 1 8 2 e2d3c916f6deeac73294e8268fb5885044a833fc5459588f4a9184cfc41a5766\nmany.odd. 60 IN NS a.\n"
		"many.odd. 60 IN RRSIG DS 8 2 60 20370101000000 20200101000000 1 odd. AAAA\n";
	struct test_zone z;
	char *whole;
	size_t size;
	FILE *out = open_memstream(&whole, &size);
	ldns_pkt *p;

	fprintf(out, "%s", text);
	for (unsigned i = 2; i < 20; i++)
		fprintf(out, "many.odd. 60 IN DS %u 8 2 e2d3c916f6deeac73294e8268fb5885044a833fc5459588f4a9184cfc41a5766\n", i);
	fprintf(out, "x.odd. 60 IN RRSIG TXT 8 2 60 20370101000000 20200101000000 1 odd. ");
	for (unsigned i = 0; i < 200; i++)
		fprintf(out, "AAAA");
	fprintf(out, "\n");
	fclose(out);
	test_zone_from_text(&z, "odd.", whole);
	free(whole);
	expect(&z, L63 "." L63 ".gone.odd.", TYPE_A, "3 0/0/0 aa tc");
	expect(&z, L63 ".w.odd.", TYPE_DS, "3 2/0/0 aa tc");
	expect(&z, L63 "." L63 "." L63 ".v.odd.", TYPE_A, "0 1/0/0 aa tc");
	expect(&z, L63 "." L63 ".w.odd.", TYPE_A, "6 1/0/0 aa");
	expect(&z, "x.odd.", TYPE_RRSIG, "0 0/0/0 aa tc");
	expect(&z, "odd.", TYPE_MX, "0 1/0/1 aa");
	p = answer(&z, put_opt(query, put_question(query, "x.many.odd.", TYPE_A, CLASS_IN), 512, true, "", 0), false, 1232, NULL);
	assert_true(ldns_pkt_tc(p));
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_authority(p)), 1);
	ldns_pkt_free(p);
	test_zone_free(&z);
}

/* ---- options --------------------------------------------------------------------------- */

static struct answerer *answerer_with(const struct answer_options *o)
{
	struct answerer *a = answerer_new(o, TEST_HASH_KEY);

	assert_non_null(a);
	return a;
}

static void options_at_their_limits(void **state)
{
	static uint8_t nsid[200];
	static char version[301];
	struct answer_options o = { .udp_payload_max = 100, .tcp_idle_seconds = 7000, .nsid = nsid, .nsid_size = sizeof nsid, .version = version };
	struct answerer *kept = answerer;
	const ldns_rdf *data;
	ldns_pkt *p;

	memset(version, 'v', sizeof version - 1);
	answerer = answerer_with(&o);
	/* what is too small or too long is made to fit */
	p = answer(NULL, put_opt(query, put_question(query, L63 "." L63 "." L63 ".odd.", TYPE_A, CLASS_IN), 512, false,
		"\0\3\0\0\0\x0b\0\0", 8), true, 512, NULL);
	assert_int_equal(ldns_pkt_edns_udp_size(p), 512);
	data = ldns_pkt_edns_data(p);
	assert_int_equal(load_be16(ldns_rdf_data(data) + 2), 128);
	assert_int_equal(load_be16(ldns_rdf_data(data) + 4 + 128 + 4), 65535);  /* keepalive in 100 ms */
	ldns_pkt_free(p);
	p = answer(NULL, put_question(query, "version.bind.", TYPE_TXT, CLASS_CH), false, 512, NULL);
	assert_int_equal(ldns_rdf_size(ldns_rr_rdf(ldns_rr_list_rr(ldns_pkt_answer(p), 0), 0)), 256);
	ldns_pkt_free(p);
	answerer_free(answerer);
	/* and without one there is none */
	o.nsid = NULL;
	answerer = answerer_with(&o);
	p = answer(NULL, put_opt(query, put_question(query, "odd.", TYPE_A, CLASS_IN), 512, false, "\0\3\0\0", 4), false, 512, NULL);
	assert_int_equal(ldns_rdf_size(ldns_pkt_edns_data(p)), 6);      /* an Extended Error */
	assert_int_equal(load_be16(ldns_rdf_data(ldns_pkt_edns_data(p))), 15);
	ldns_pkt_free(p);
	answerer_free(answerer);
	answerer_free(NULL);
	answerer = kept;
}

static void no_cookies(void **state)
{
	static const struct cookie_secrets secrets = { .count = 1 };
	static const uint8_t client[4] = { 127, 0, 0, 1 };
	size_t n;
	ldns_pkt *p;

	/* neither without secrets nor without knowing who asks */
	for (unsigned i = 0; i < 2; i++) {
		n = put_opt(query, put_question(query, "odd.", TYPE_A, CLASS_IN), 1232, false, "\0\x0a\0\x08" "clientck", 12);
		p = answer(NULL, n, false, 1232, i ? NULL : client);
		assert_null(ldns_pkt_edns_data(p) && load_be16(ldns_rdf_data(ldns_pkt_edns_data(p))) == OPTION_COOKIE ? p : NULL);
		ldns_pkt_free(p);
		memcpy(query, "\xab\xcd\1\0\0\0\0\0\0\0\0\0", DNS_HEADER_SIZE);
		p = answer(NULL, put_opt(query, DNS_HEADER_SIZE, 1232, false, "\0\x0a\0\x08" "clientck", 12), false, 1232, i ? NULL : client);
		assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_FORMERR);
		ldns_pkt_free(p);
		answerer_set_cookies(answerer, &secrets);
	}
	answerer_set_cookies(answerer, &(struct cookie_secrets){ .count = 0 });
}

/* The SOA's own serial, where it is signed elsewhere. */
static void zone_version_of_a_fixed_serial(void **state)
{
	struct test_zone z;

	test_zone_from_text(&z, "odd.", SOA NS "x.odd. 60 IN A 192.0.2.1\n");
	z.view.served_serial = 4711;
	for (unsigned fixed = 0; fixed < 2; fixed++) {
		size_t n = put_opt(query, put_question(query, "x.odd.", TYPE_A, CLASS_IN), 1232, false, "\0\x13\0\0", 4);
		ldns_pkt *p;

		z.view.serial_fixed = fixed;
		p = answer(&z, n, false, 1232, NULL);
		assert_int_equal(load_be32(ldns_rdf_data(ldns_pkt_edns_data(p)) + 6), fixed ? 7 : 4711);
		ldns_pkt_free(p);
	}
	test_zone_free(&z);
}

/* A signature by an unknown key with names so long that the error has no room
 * beside the question: then it is left out, and all fits. */
static void tsig_without_room(void **state)
{
	for (unsigned longest = 0; longest < 2; longest++) {
		const char *name = longest ? L63 "." L63 "." L63 ".odd." : "odd.", *reason;
		size_t n = put_question(query, name, TYPE_A, CLASS_IN), length_at;
		ldns_pkt *p;

		query[11] = 1;
		n += name_from_text(query + n, name, strlen(name), NULL, false, &reason);
		memcpy(query + n, "\0\xfa\0\xff\0\0\0\0\0\0", 10);
		length_at = n + 8;
		n += 10;
		n += name_from_text(query + n, name, strlen(name), NULL, false, &reason);
		memset(query + n, 0, 16);
		n += 16;
		store_be16(query + length_at, (uint16_t)(n - length_at - 2));
		p = answer(NULL, n, false, 1232, NULL);
		assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NOTAUTH);
		assert_int_equal(ldns_pkt_tsig(p) != NULL, !longest);
		ldns_pkt_free(p);
	}
}

/* A caller with less room than any reply may need gets none. */
static void too_little_room(void **state)
{
	struct answer_job job = { .query = query, .reply = reply, .reply_capacity = 511 };
	struct test_store store = { .count = 0 };

	job.query_size = (uint16_t)put_question(query, "odd.", TYPE_A, CLASS_IN);
	answer_batch_from(answerer, test_store_find, &store, &job, 1);
	assert_int_equal(job.reply_size, 0);
	assert_int_equal(answerer_counters(answerer)->dropped, 1);
}

static int setup(void **state)
{
	static const struct answer_options options = { .udp_payload_max = 1232, .tcp_idle_seconds = 30 };

	answerer = answerer_new(&options, TEST_HASH_KEY);
	return !answerer;
}

static int teardown(void **state)
{
	answerer_free(answerer);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_soa), cmocka_unit_test(strange_nsec3param), cmocka_unit_test(no_nsec3),
		cmocka_unit_test(signature_alone), cmocka_unit_test(endless), cmocka_unit_test(far_targets), cmocka_unit_test(far_chain),
		cmocka_unit_test(too_long_for_512),
		cmocka_unit_test(options_at_their_limits), cmocka_unit_test(no_cookies),
		cmocka_unit_test(zone_version_of_a_fixed_serial), cmocka_unit_test(tsig_without_room), cmocka_unit_test(too_little_room),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
