/* Queries as strangers send them: one row a packet, and what becomes of it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/query.h"
#include "wire/response.h"
#include "wire/rrtype.h"

/* Hex with blanks; Q: the question "a.example. A" in class IN. */
#define HEAD "1234 0100 0001 0000 0000 0000 "
#define HEAD_AR "1234 0100 0001 0000 0000 0001 "
#define Q "0161 07 6578616d706c65 00 0001 0001 "
#define OPT "00 0029 04d0 00 00 0000 0000 "

enum { DROP = -1, FIND = -2, COOKIE = -3 };

static const struct row {
	const char *what, *hex;
	int outcome;            /* an rcode, or DROP, FIND, COOKIE */
	bool tcp, question, edns;
} rows[] = {
	{ "nothing", "", DROP, 0, 0, 0 },
	{ "half a header", "1234 0100 0001", DROP, 0, 0, 0 },
	{ "a response", "1234 8100 0001 0000 0000 0000 " Q, DROP, 0, 0, 0 },
	{ "a plain question", HEAD Q, FIND, 0, 1, 0 },
	{ "AA TC RA Z AD CD and an rcode are ignored", "1234 07ff 0001 0000 0000 0000 " Q, FIND, 0, 1, 0 },
	{ "with OPT", HEAD_AR Q OPT, FIND, 0, 1, 1 },
	{ "no question", "1234 0100 0000 0000 0000 0000", RCODE_FORMERR, 0, 0, 0 },
	{ "no question but OPT", "1234 0100 0000 0000 0000 0001" OPT, RCODE_FORMERR, 0, 0, 1 },
	{ "two questions", "1234 0100 0002 0000 0000 0000" Q Q, RCODE_FORMERR, 0, 0, 0 },
	{ "question cut off", HEAD "0161 07 6578616d", RCODE_FORMERR, 0, 0, 0 },
	{ "type cut off", HEAD "0161 00 0001 00", RCODE_FORMERR, 0, 0, 0 },
	{ "compressed question", HEAD "c00c 0001 0001", RCODE_FORMERR, 0, 0, 0 },
	{ "label type 01", HEAD "4161 00 0001 0001", RCODE_FORMERR, 0, 0, 0 },
	{ "trailing octets", HEAD Q "00", RCODE_FORMERR, 0, 0, 0 },
	{ "trailing octets behind OPT", HEAD_AR Q OPT "ff", RCODE_FORMERR, 0, 0, 1 },
	{ "a count that lies", HEAD_AR Q, RCODE_FORMERR, 0, 0, 0 },
	{ "65535 records that are not there", "1234 0100 0001 ffff ffff ffff" Q, RCODE_FORMERR, 0, 0, 0 },
	{ "a record in the answer section", "1234 0100 0001 0001 0000 0000" Q "c00c 0001 0001 00000000 0004 c0000201", FIND, 0, 1, 0 },
	{ "its rdata cut off", "1234 0100 0001 0001 0000 0000" Q "c00c 0001 0001 00000000 0004 c00002", RCODE_FORMERR, 0, 0, 0 },
	{ "OPT in the authority section is no OPT", "1234 0100 0001 0000 0001 0000" Q OPT, FIND, 0, 1, 0 },
	{ "two OPTs", "1234 0100 0001 0000 0000 0002" Q OPT OPT, RCODE_FORMERR, 0, 0, 1 },
	{ "OPT not at the root", HEAD_AR Q "0161 00 0029 04d0 00 00 0000 0000", RCODE_FORMERR, 0, 0, 0 },
	{ "option longer than OPT", HEAD_AR Q "00 0029 04d0 00 00 0000 0004 0003 0001", RCODE_FORMERR, 0, 0, 1 },
	{ "half an option", HEAD_AR Q "00 0029 04d0 00 00 0000 0003 0003 00", RCODE_FORMERR, 0, 0, 1 },
	{ "cookie of a wrong length", HEAD_AR Q "00 0029 04d0 00 00 0000 0005 000a 0001 00", RCODE_FORMERR, 0, 0, 1 },
	{ "of two cookies the first counts", HEAD_AR Q "00 0029 04d0 00 00 0000 0011 000a 0008 0102030405060708 000a 0001 00", FIND, 0, 1, 1 },
	{ "no question but a cookie", "1234 0100 0000 0000 0000 0001 00 0029 04d0 00 00 0000 000c 000a 0008 0102030405060708", COOKIE, 0, 0, 1 },
	{ "client subnet, any bytes", HEAD_AR Q "00 0029 04d0 00 00 0000 0006 0008 0002 ffff", FIND, 0, 1, 1 },
	{ "EDNS version 1", HEAD_AR Q "00 0029 04d0 00 01 0000 0000", RCODE_BADVERS, 0, 1, 1 },
	{ "type OPT", HEAD "00 0029 0001", RCODE_FORMERR, 0, 1, 0 },
	{ "type TSIG", HEAD "00 00fa 0001", RCODE_FORMERR, 0, 1, 0 },
	{ "type TKEY", HEAD "00 00f9 0001", RCODE_NOTIMP, 0, 1, 0 },
	{ "AXFR over UDP", HEAD "00 00fc 0001", RCODE_NOTIMP, 0, 1, 0 },
	{ "AXFR over TCP", HEAD "00 00fc 0001", FIND, 1, 1, 0 },
	{ "type 0", HEAD "00 0000 0001", FIND, 0, 1, 0 },
	{ "MAILB", HEAD "00 00fd 0001", FIND, 0, 1, 0 },
	{ "IQUERY", "1234 0900 0001 0000 0000 0000" Q, RCODE_NOTIMP, 0, 1, 0 },
	{ "opcode 6 of an unknown form", "1234 3100 0001 0000 0000 0000 ff", RCODE_NOTIMP, 0, 0, 0 },
	{ "opcode 15 with OPT", "1234 7900 0001 0000 0000 0001" Q OPT, RCODE_NOTIMP, 0, 1, 1 },
	{ "NOTIFY", "1234 2100 0001 0000 0000 0000 00 0006 0001", RCODE_REFUSED, 0, 1, 0 },
	{ "UPDATE", "1234 2900 0001 0000 0000 0000 00 0006 0001", RCODE_REFUSED, 0, 1, 0 },
	{ "UPDATE, malformed", "1234 2900 0001 0001 0000 0000 00 0006 0001", RCODE_FORMERR, 0, 0, 0 },
};

static size_t from_hex(uint8_t *out, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned v;

		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		hex++;
	}
	return n;
}

/* Parses a copy that ends where the allocation ends, so that reading past it
 * is seen by the sanitizer. */
static enum query_verdict parse(struct query *q, const uint8_t *message, size_t size, bool tcp)
{
	uint8_t *exact = malloc(size ? size : 1);
	enum query_verdict v;

	memcpy(exact, message, size);
	v = query_parse(q, exact, size, tcp, 42);
	free(exact);
	return v;
}

static void test_table(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		uint8_t message[512];
		struct query q;
		enum query_verdict v = parse(&q, message, from_hex(message, row->hex), row->tcp);
		int outcome = v == QUERY_DROP ? DROP : v == QUERY_FIND ? FIND : v == QUERY_COOKIE ? COOKIE : q.rcode;

		if (outcome != row->outcome)
			fail_msg("%s: %d, not %d", row->what, outcome, row->outcome);
		if (v == QUERY_DROP)
			continue;
		if (!!q.question_size != row->question || q.edns.present != row->edns)
			fail_msg("%s: question %d, edns %d", row->what, q.question_size, q.edns.present);
		assert_int_equal(q.id, 0x1234);
	}
}

static void test_edns_fields(void **state)
{
	uint8_t message[512];
	struct query q;

	parse(&q, message, from_hex(message, HEAD_AR Q "00 0029 0064 00 00 8000 0008 0003 0000 000b 0000"), false);
	assert_int_equal(q.edns.payload, 512);
	assert_true(q.edns.dnssec_ok && q.edns.nsid && q.edns.keepalive);
	parse(&q, message, from_hex(message, HEAD_AR Q "00 0029 1000 00 00 0000 0000"), false);
	assert_int_equal(q.edns.payload, 4096);
	assert_false(q.edns.dnssec_ok || q.edns.nsid || q.edns.keepalive);
}

/* Every row cut off at every place, and with every octet set to some others. */
static void test_damage(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t message[512];
		size_t size = from_hex(message, rows[i].hex);
		struct query q;

		for (size_t n = 0; n < size; n++)
			if (parse(&q, message, n, false) == QUERY_FIND && rows[i].outcome == FIND)
				fail_msg("%s: whole at %zu of %zu octets", rows[i].what, n, size);
		for (size_t at = 0; at < size; at++) {
			static const uint8_t values[] = { 0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff };
			uint8_t kept = message[at];

			for (size_t v = 0; v < sizeof values; v++) {
				message[at] = values[v];
				parse(&q, message, size, true);
			}
			message[at] = kept;
		}
	}
}

/* An RRset goes in with its pointers set, whole or not at all. */
static void test_response(void **state)
{
	/* MX at the question's name: 10 mail.<apex>; a patch at 2 + 10 + 2 + 5. */
	uint8_t wire[128], message[512], reply[512];
	static const uint8_t patch[2] = { 19, 0 };
	struct response_rrs rrs = { .wire = wire, .count = 1, .patch = patch, .patches = 1 };
	struct response_owner here = { .at = 12 }, far = { .at = 0, .labels = (const uint8_t *)"\1x\1y", .size = 4 };
	struct edns_reply edns = { .payload = 1232, .extended_error = EXTENDED_ERROR_NONE };
	struct response r;
	struct query q;
	uint32_t first;

	rrs.size = (uint16_t)from_hex(wire, "c00c 000f 0001 00000e10 0009 000a 046d61696c c000");
	assert_int_equal(parse(&q, message, from_hex(message, HEAD_AR Q OPT), false), QUERY_FIND);
	response_begin(&r, reply, 512, &q, message + 12, &edns);
	r.apex_at = 14;
	assert_true(response_add(&r, SECTION_ANSWER, &rrs, &here, &first));
	assert_memory_equal(reply + first + 2, "\4mail\xc0\x0e", 7);
	assert_true(response_add(&r, SECTION_ANSWER, &rrs, &far, &first));
	assert_memory_equal(reply + first - 16, "\1x\1y\xc0\x0e\0\x0f", 8);
	assert_memory_equal(reply + first + 2, "\4mail\xc0\x0e", 7);
	while (response_add(&r, SECTION_ANSWER, &rrs, &here, NULL))
		;
	assert_true(r.size + EDNS_RECORD_SIZE <= 512 && r.size + EDNS_RECORD_SIZE + rrs.size > 512);
	response_cap_ttl(&r, 12 + q.question_size, r.size, 60);
	assert_memory_equal(reply + 12 + q.question_size + 6, "\0\0\0\x3c", 4);
	r.rcode = RCODE_BADVERS;
	assert_true(response_finish(&r) <= 512);
	assert_memory_equal(reply, "\x12\x34\x81\0\0\1", 6);
	assert_int_equal(reply[11], 1);
	/* the upper bits of the rcode are OPT's */
	assert_memory_equal(reply + r.size - EDNS_RECORD_SIZE, "\0\0\x29\x04\xd0\1\0\0\0\0\0", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_edns_fields),
		cmocka_unit_test(test_damage), cmocka_unit_test(test_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
