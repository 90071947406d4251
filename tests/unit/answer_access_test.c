/* Who may ask: values of the property, whom they let in, and what the others
 * get. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "answer/access.h"
#include "answer_zone.h"
#include "base/bytes.h"
#include "wire/query.h"

static bool allows(const void *kept, const char *text)
{
	uint8_t octets[16];
	size_t size = strchr(text, ':') ? 16 : 4;

	assert_int_equal(inet_pton(size == 4 ? AF_INET : AF_INET6, text, octets), 1);
	return access_allows(kept, octets, size);
}

static void *keep(const char *properties)
{
	struct err err = ERR_INIT;
	size_t octets;
	void *kept;

	if (access_keep(properties, &kept, &octets, &err))
		fail_msg("%s: %s", properties, err.message);
	assert_int_equal(octets != 0, kept != NULL);
	return kept;
}

static void values(void **state)
{
	static const char *const good[] = { "any", "none", "192.0.2.0/24", "192.0.2.1,2001:db8::/32", " 192.0.2.1 , ::1 " };
	static const char *const bad[] = { "", "all", "any,192.0.2.1", "none none", "192.0.2.1/24", "shop.example", "10.0.0.0/8;", "," };
	char many[101 * 10 + 1] = "";
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (access_check(good[i], &err))
			fail_msg("%s: %s", good[i], err.message);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err_clear(&err);
		if (!access_check(bad[i], &err))
			fail_msg("'%s' was taken", bad[i]);
		assert_true(err_is(&err, ERR_BAD_REQUEST) && strstr(err.message, "any, none, or prefixes"));
	}
	for (int i = 0; i < 101; i++)
		strcat(many, "10.0.0.1, ");
	err_clear(&err);
	assert_int_equal(access_check(many, &err), -1);
	many[100 * 10] = '\0';
	err_clear(&err);
	assert_int_equal(access_check(many, &err), 0);
}

static void whom_they_let_in(void **state)
{
	struct err err = ERR_INIT;
	size_t octets;
	void *kept;

	assert_null(keep(""));
	assert_null(keep("template=shop\nquery=any\n"));
	assert_null(keep("queryx=none\nxquery=none\nx=query=none\n"));
	kept = keep("query=none\n");
	assert_false(allows(kept, "127.0.0.1") || allows(kept, "::1"));
	free(kept);
	kept = keep("a=b\nquery=192.0.2.0/24,2001:db8::/32\nz=query=any\n");
	assert_true(allows(kept, "192.0.2.77") && allows(kept, "2001:db8:1::1"));
	assert_false(allows(kept, "192.0.3.1") || allows(kept, "2001:db9::1") || allows(kept, "::192.0.2.1"));
	assert_false(access_allows(kept, NULL, 0));
	free(kept);
	/* as somebody else's program may have written it: nobody is let in by mistake */
	assert_int_equal(access_keep("query=192.0.2.0/24,nonsense\n", &kept, &octets, &err), -1);
	assert_non_null(strstr(err.message, "query"));
}

/* ---- what they get ------------------------------------------------------------- */

/* www.example A, or AXFR, with OPT that asks for the zone's version. */
static size_t make_query(uint8_t *p, uint16_t type)
{
	static const uint8_t message[] = "\x12\x34\0\0\0\1\0\0\0\0\0\1\3www\7example\0\0\1\0\1"
		"\0\0\x29\x04\xd0\0\0\0\0\0\4\0\x13\0\0";

	memcpy(p, message, sizeof message - 1);
	store_be16(p + 12 + 13, type);
	return sizeof message - 1;
}

static ldns_pkt *ask(struct test_store *store, const char *client, uint16_t type, bool tcp, struct answer_job *job)
{
	static const struct answer_options options = { .udp_payload_max = 1232 };
	static uint8_t query[64], reply[4096];
	struct answerer *a = answerer_new(&options, TEST_HASH_KEY);
	uint8_t octets[16];
	ldns_pkt *packet;

	assert_non_null(a);
	*job = (struct answer_job){ .query = query, .query_size = (uint16_t)make_query(query, type), .reply = reply,
		.reply_capacity = sizeof reply, .tcp = tcp };
	if (client) {
		assert_int_equal(inet_pton(AF_INET, client, octets), 1);
		job->client = octets;
		job->client_size = 4;
	}
	answer_batch_from(a, test_store_find, store, job, 1);
	answerer_free(a);
	assert_int_equal(ldns_wire2pkt(&packet, reply, job->reply_size), LDNS_STATUS_OK);
	return packet;
}

/* Extended Error 18 and nothing of the zone. */
static void assert_denied(struct test_store *store, const char *client, uint16_t type, bool tcp)
{
	struct answer_job job;
	ldns_pkt *p = ask(store, client, type, tcp, &job);
	static const uint8_t prohibited[] = { 0, 15, 0, 2, 0, 18 };

	assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_REFUSED);
	assert_false(ldns_pkt_aa(p));
	assert_int_equal(ldns_pkt_ancount(p) + ldns_pkt_nscount(p) + ldns_pkt_arcount(p), 0);
	assert_int_equal(ldns_rdf_size(ldns_pkt_edns_data(p)), sizeof prohibited);
	assert_memory_equal(ldns_rdf_data(ldns_pkt_edns_data(p)), prohibited, sizeof prohibited);
	assert_int_equal(job.kind, ANSWER_ERROR);
	ldns_pkt_free(p);
}

static void what_the_others_get(void **state)
{
	static const char text[] = "@ 300 IN SOA ns host 1 3600 600 86400 60\n@ 300 IN NS ns\nwww 300 IN A 192.0.2.2\n";
	struct test_zone zone;
	struct test_store store = { .count = 1, .zone = { &zone } };
	struct answer_job job;
	ldns_pkt *p;

	test_zone_from_text(&zone, "example.", text);
	zone.view.kept = keep("query=192.0.2.0/24\n");
	for (int tcp = 0; tcp < 2; tcp++) {
		p = ask(&store, "192.0.2.9", 1, tcp, &job);
		assert_int_equal(ldns_pkt_ancount(p), 1);
		ldns_pkt_free(p);
		assert_denied(&store, "192.0.3.9", 1, tcp);
		assert_denied(&store, NULL, 1, tcp);
		assert_denied(&store, "192.0.3.9", 6, tcp);
	}
	assert_denied(&store, "192.0.3.9", 252, true);
	/* whether it can be read is nobody's business, either */
	zone.view.unreadable = true;
	assert_denied(&store, "192.0.3.9", 1, false);
	p = ask(&store, "192.0.2.9", 1, false, &job);
	assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_SERVFAIL);
	ldns_pkt_free(p);
	zone.view.unreadable = false;
	free(zone.view.kept);
	zone.view.kept = NULL;
	p = ask(&store, NULL, 1, false, &job);
	assert_int_equal(ldns_pkt_ancount(p), 1);
	ldns_pkt_free(p);
	test_zone_free(&zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(whom_they_let_in),
		cmocka_unit_test(what_the_others_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
