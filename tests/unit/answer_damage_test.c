/*
 * An image that is damaged after it was checked, on the disk or in memory: a
 * reply may be wrong, but a worker stays within its buffers. A sanitizer sees
 * what leaves them; without one, what lies behind the reply must be as it was.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer_signed.h"
#include "answer_texts.h"
#include "base/bytes.h"
#include "wire/query.h"
#include "wire/rrtype.h"

#define ROUNDS    4000
#define CAPACITY  1232
#define BEHIND    70000         /* a damaged u16 reaches no farther */
#define UNTOUCHED 0xa5

static const char text[] =
	"dmg. 3600 IN SOA ns1.dmg. host.dmg. 7 7200 3600 1209600 300\n" "dmg. 3600 IN NS ns1.dmg.\ndmg. 3600 IN NS ns.sub.dmg.\n"
	"dmg. 60 IN MX 5 mx.dmg.\n" "dmg. 60 IN A 192.0.2.8\n" "ns1.dmg. 3600 IN A 192.0.2.1\n"
	"mx.dmg. 60 IN MX 10 ns1.dmg.\nmx.dmg. 60 IN MX 20 mx.dmg.\nmx.dmg. 60 IN MX 20 ns.sub.dmg.\nmx.dmg. 60 IN A 192.0.2.7\n"
	"_s.dmg. 60 IN SRV 1 2 3 mx.dmg.\n_s.dmg. 60 IN SRV 1 2 3 ns1.dmg.\n" "h.dmg. 60 IN HTTPS 1 mx.dmg. alpn=h2\n"
	"c.dmg. 60 IN CNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.c2.dmg.\n"
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.c2.dmg. 60 IN CNAME mx.dmg.\n" "d.dmg. 60 IN DNAME d2.dmg.\n"
	"x.d2.dmg. 60 IN A 192.0.2.9\n" "*.w.dmg. 60 IN MX 1 mx.dmg.\n" "sub.dmg. 60 IN NS ns.sub.dmg.\nsub.dmg. 60 IN NS ns1.dmg.\n"
	"ns.sub.dmg. 60 IN A 192.0.2.4\nns.sub.dmg. 60 IN AAAA 2001:db8::1\n"
	"t.dmg. 60 IN TXT \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\n";

struct question { const char *name; uint16_t type; };
static const struct question questions[] = {
	{ "dmg.", TYPE_NS }, { "dmg.", TYPE_MX }, { "dmg.", TYPE_SOA }, { "mx.dmg.", TYPE_MX }, { "_s.dmg.", TYPE_SRV },
	{ "h.dmg.", TYPE_HTTPS }, { "c.dmg.", TYPE_A }, { "x.d.dmg.", TYPE_A }, { "y.w.dmg.", TYPE_MX }, { "sub.dmg.", TYPE_A },
	{ "x.sub.dmg.", TYPE_A }, { "gone.dmg.", TYPE_A }, { "mx.dmg.", TYPE_TXT }, { "t.dmg.", TYPE_TXT }, { "dmg.", TYPE_ANY },
};

/* Of the zone of answer_texts.h, signed: what is there, and what is proven not to be. */
static const struct question signed_questions[] = {
	{ "example.", TYPE_SOA }, { "example.", TYPE_NS }, { "example.", TYPE_TXT }, { "gone.example.", TYPE_A },
	{ "x.gone.example.", TYPE_MX }, { "ns1.example.", TYPE_A }, { "ns1.example.", TYPE_TXT }, { "a.example.", TYPE_A },
	{ "x.a.example.", TYPE_DS }, { "y.w.example.", TYPE_MX }, { "y.w.example.", TYPE_A }, { "b.example.", TYPE_DS },
	{ "sub.example.", TYPE_A }, { "x.d.example.", TYPE_A }, { "zz.example.", TYPE_NS },
};

static struct answerer *answerer;
static uint8_t query[512], *reply;

static size_t ask(const char *name, uint16_t type)
{
	const char *reason;
	size_t n = DNS_HEADER_SIZE;

	memcpy(query, "\xab\xcd\1\0\0\1\0\0\0\0\0\0", DNS_HEADER_SIZE);
	n += name_from_text(query + n, name, strlen(name), NULL, false, &reason);
	store_be16(query + n, type);
	store_be16(query + n + 2, CLASS_IN);
	/* DO */
	memcpy(query + n + 4, "\0\0\x29\x04\xd0\0\0\x80\0\0\0", 11);
	query[11] = 1;
	return n + 15;
}

static void ask_all(struct test_zone *z, const struct question *asked, size_t count, bool tcp)
{
	struct test_store store = { .count = 1, .zone = { z } };

	for (size_t i = 0; i < count; i++) {
		struct answer_job job = { .query = query, .query_size = (uint16_t)ask(asked[i].name, asked[i].type),
			.reply = reply, .reply_capacity = CAPACITY, .tcp = tcp };

		answer_batch_from(answerer, test_store_find, &store, &job, 1);
		assert_true(job.reply_size <= CAPACITY);
	}
}

/* As it lies in the map; the header was read at the opening. */
static void change(const struct test_zone *z, off_t at, const uint8_t *octets, size_t size)
{
	assert_int_equal(pwrite(z->fd, octets, size, at), size);
}

static void damage(struct test_zone *z, const struct question *asked, size_t count)
{
	static uint8_t whole[1 << 17], untouched[BEHIND];
	struct stat st;

	assert_int_equal(fstat(z->fd, &st), 0);
	assert_true(st.st_size > 1000 && st.st_size < (off_t)sizeof whole);
	assert_int_equal(pread(z->fd, whole, sizeof whole, 0), st.st_size);
	memset(untouched, UNTOUCHED, sizeof untouched);
	memset(reply + CAPACITY, UNTOUCHED, BEHIND);
	srandom(1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t octets[8];
		size_t size = 1 + (size_t)random() % 4;
		off_t at = 300 + random() % (st.st_size - 300 - (off_t)size);

		memcpy(octets, whole + at, size);
		for (size_t k = 0; k < size; k++)
			octets[k] = random() % 2 ? (uint8_t)random() : random() % 2 ? 0xff : (uint8_t)(octets[k] ^ 1u << random() % 8);
		change(z, at, octets, size);
		ask_all(z, asked, count, i % 2);
		change(z, at, whole + at, size);
		assert_memory_equal(reply + CAPACITY, untouched, BEHIND);
	}
}

static void plain(void **state)
{
	struct test_zone z;

	test_zone_from_text(&z, "dmg.", text);
	damage(&z, questions, sizeof questions / sizeof questions[0]);
	test_zone_free(&z);
}

static void with_proofs(void **state)
{
	static const enum sign_kind kinds[] = { SIGN_NSEC, SIGN_NSEC3, SIGN_NSEC3_OPT_OUT };

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		static struct signed_zone z;

		signed_zone_make(&z, "example.", example_zone, kinds[i], 0, "aa");
		damage(&z.zone, signed_questions, sizeof signed_questions / sizeof signed_questions[0]);
		signed_zone_free(&z);
	}
}

static int setup(void **state)
{
	struct answer_options options = { .udp_payload_max = CAPACITY, .tcp_idle_seconds = 30 };

	answerer = answerer_new(&options, TEST_HASH_KEY);
	reply = malloc(CAPACITY + BEHIND);
	return answerer && reply ? 0 : -1;
}

static int teardown(void **state)
{
	answerer_free(answerer);
	free(reply);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(plain), cmocka_unit_test(with_proofs) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
