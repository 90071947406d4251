/*
 * protocol_cases.txt: packets as strangers send them, and what becomes of
 * them. This file only reads it: the cases, and what they are written in, are
 * there.
 */
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

#define PAYLOAD_MAX 1232
#define NOW 1559731985          /* of RFC 9018 appendix A, as are secret and client */
#define MESSAGE_MAX 65535
#define LINE_SIZE 4096

static const char example_zone[] =
	"example. 3600 IN SOA ns1.example. host.example. 7 7200 3600 1209600 300\n" "example. 3600 IN NS ns1.example.\n"
	"ns1.example. 3600 IN A 192.0.2.1\n" "www.example. 3600 IN A 192.0.2.2\n" "alias.example. 60 IN CNAME www.example.\n"
	"sub.example. 60 IN NS ns.sub.example.\n" "ns.sub.example. 60 IN A 192.0.2.20\n";
static const char broken_zone[] = "broken. 60 IN SOA a. b. 1 1 1 1 1\n" "broken. 60 IN NS a.\n";

struct fixture {
	struct test_zone example, broken;
	struct test_store store;
	struct answerer *answerer;
};

static int setup(void **state)
{
	static const struct answer_options options = { .udp_payload_max = PAYLOAD_MAX, .tcp_idle_seconds = 30,
		.version = "Schwenk test", .nsid = (const uint8_t *)"a1", .nsid_size = 2 };
	static const struct cookie_secrets secrets = { .count = 1, .secret = { { 0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f,
		0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37, 0xbf, 0xcf } } };
	struct fixture *f = calloc(1, sizeof *f);
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "%s", example_zone);
	for (unsigned i = 0; i < 90; i++)
		fprintf(out, "big.example. 60 IN A 10.0.0.%u\n", i);
	fclose(out);
	test_zone_from_text(&f->example, "example.", text);
	free(text);
	test_zone_from_text(&f->broken, "broken.", broken_zone);
	f->example.view.served_serial = 4711;
	f->broken.view.unreadable = true;
	f->store = (struct test_store){ .count = 2, .zone = { &f->example, &f->broken } };
	f->answerer = answerer_new(&options, TEST_HASH_KEY);
	answerer_set_cookies(f->answerer, &secrets);
	answerer_set_time(f->answerer, NOW);
	*state = f;
	return !f->answerer;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	test_zone_free(&f->example);
	test_zone_free(&f->broken);
	answerer_free(f->answerer);
	free(f);
	return 0;
}

/* ---- writing packets ------------------------------------------------------------- */

struct packet { uint8_t octets[MESSAGE_MAX + 1]; size_t size; };

static void put(struct packet *p, const void *octets, size_t size)
{
	assert_true(p->size + size <= MESSAGE_MAX);
	memcpy(p->octets + p->size, octets, size);
	p->size += size;
}

static void put16(struct packet *p, unsigned v)
{
	uint8_t octets[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(p, octets, 2);
}

/* Hex, with "*N" repeated so often. */
static void put_hex(struct packet *p, const char *word)
{
	const char *star = strchr(word, '*');
	size_t digits = star ? (size_t)(star - word) : strlen(word);
	unsigned times = star ? (unsigned)atoi(star + 1) : 1, v;

	if (digits % 2)
		fail_msg("an odd number of digits: %s", word);
	while (times--)
		for (size_t i = 0; i < digits; i += 2) {
			uint8_t octet;

			if (sscanf(word + i, "%2x", &v) != 1)
				fail_msg("no hex: %s", word);
			octet = (uint8_t)v;
			put(p, &octet, 1);
		}
}

static void put_name(struct packet *p, const char *text)
{
	uint8_t wire[NAME_MAX_SIZE];
	const char *reason = "";
	size_t size = name_from_text(wire, text, strlen(text), NULL, false, &reason);

	if (!size)
		fail_msg("%s: %s", text, reason);
	put(p, wire, size);
}

static unsigned class_from_text(const char *text)
{
	return !strcmp(text, "IN") ? CLASS_IN : !strcmp(text, "CH") ? CLASS_CH : !strcmp(text, "ANY") ? CLASS_ANY :
		!strcmp(text, "NONE") ? CLASS_NONE : (unsigned)atoi(text);
}

static void put_owner_type_class(struct packet *p, char **rest)
{
	char *name = strtok_r(NULL, " ", rest), *type_text = strtok_r(NULL, " ", rest), *class_text = strtok_r(NULL, " ", rest);
	uint16_t type;

	assert_non_null(class_text);
	if (!strcmp(name, "^"))
		put(p, "\xc0\x0c", 2);
	else
		put_name(p, name);
	if (!rrtype_from_text(type_text, strlen(type_text), &type))
		fail_msg("no type: %s", type_text);
	put16(p, type);
	put16(p, class_from_text(class_text));
}

/* {NAME TYPE CLASS TTL HEX...} */
static void put_record(struct packet *p, char **rest)
{
	size_t length_at;
	char *word;

	put_owner_type_class(p, rest);
	word = strtok_r(NULL, " ", rest);
	put16(p, (unsigned)atoi(word) >> 16);
	put16(p, (unsigned)atoi(word) & 0xffff);
	length_at = p->size;
	put16(p, 0);
	while ((word = strtok_r(NULL, " ", rest)))
		if (*word == '\'')
			put_name(p, word + 1);
		else
			put_hex(p, word);
	store_be16(p->octets + length_at, (uint16_t)(p->size - length_at - 2));
}

/* (opt PAYLOAD [do] [z=HEX] [version=N] [rcode=N] [CODE:HEX]...) */
static void put_opt(struct packet *p, char **rest)
{
	size_t begin = p->size, length_at;
	char *word = strtok_r(NULL, " ", rest);

	put(p, "\0\0\x29", 3);
	put16(p, (unsigned)atoi(word));
	put(p, "\0\0\0\0", 4);
	length_at = p->size;
	put16(p, 0);
	while ((word = strtok_r(NULL, " ", rest))) {
		char *colon = strchr(word, ':');

		if (!strcmp(word, "do")) {
			p->octets[begin + 7] |= 0x80;
		} else if (!strncmp(word, "z=", 2)) {
			store_be16(p->octets + begin + 7, (uint16_t)strtoul(word + 2, NULL, 16));
		} else if (!strncmp(word, "version=", 8)) {
			p->octets[begin + 6] = (uint8_t)atoi(word + 8);
		} else if (!strncmp(word, "rcode=", 6)) {
			p->octets[begin + 5] = (uint8_t)atoi(word + 6);
		} else if (colon) {
			size_t at;

			put16(p, (unsigned)atoi(word));
			at = p->size;
			put16(p, 0);
			put_hex(p, colon + 1);
			store_be16(p->octets + at, (uint16_t)(p->size - at - 2));
		} else {
			fail_msg("an OPT cannot have %s", word);
		}
	}
	store_be16(p->octets + length_at, (uint16_t)(p->size - length_at - 2));
}

static void put_group(struct packet *p, char kind, char *text)
{
	char *rest = NULL, *word;
	char first[LINE_SIZE];

	if (kind == '(') {
		word = strtok_r(text, " ", &rest);
		assert_string_equal(word, "opt");
		put_opt(p, &rest);
		return;
	}
	/* the readers take words from the second on */
	snprintf(first, sizeof first, "- %s", text);
	strtok_r(first, " ", &rest);
	if (kind == '[')
		put_owner_type_class(p, &rest);
	else
		put_record(p, &rest);
}

static void put_line(struct packet *p, char *line)
{
	while (*line) {
		char kind = *line, *end;

		if (kind == ' ' || kind == '\n') {
			line++;
		} else if (strchr("[{(", kind)) {
			end = strchr(line, kind == '[' ? ']' : kind == '{' ? '}' : ')');
			if (!end)
				fail_msg("no end: %s", line);
			*end = '\0';
			put_group(p, kind, line + 1);
			line = end + 1;
		} else {
			size_t n = strcspn(line, " \n");
			char end_kept = line[n];

			line[n] = '\0';
			put_hex(p, line);
			line[n] = end_kept;
			line += n;
		}
	}
}

/* ---- reading replies ------------------------------------------------------------------ */

static const char *rcode_text(unsigned rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "7", "8",
		"NOTAUTH" };

	return rcode < 10 ? names[rcode] : rcode == RCODE_BADVERS ? "BADVERS" : rcode == RCODE_BADCOOKIE ? "BADCOOKIE" : "?";
}

static void print_hex(FILE *out, const char *name, const uint8_t *p, size_t size)
{
	fprintf(out, " %s=", name);
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%02x", p[i]);
}

static void print_options(FILE *out, const uint8_t *o, size_t size)
{
	for (size_t i = 0; i + 4 <= size; i += 4u + load_be16(o + i + 2)) {
		unsigned code = load_be16(o + i), length = load_be16(o + i + 2);
		const uint8_t *data = o + i + 4;

		if (code == OPTION_NSID)
			print_hex(out, "nsid", data, length);
		else if (code == OPTION_COOKIE)
			print_hex(out, "cookie", data, length);
		else if (code == OPTION_TCP_KEEPALIVE && length == 2)
			fprintf(out, " keepalive=%u", load_be16(data));
		else if (code == OPTION_EXTENDED_ERROR && length == 2)
			fprintf(out, " ede=%u", load_be16(data));
		else if (code == OPTION_ZONEVERSION && length == 6)
			fprintf(out, " zoneversion=%u/%u/%u", data[0], data[1], load_be32(data + 2));
		else
			fprintf(out, " option=%u", code);
	}
}

static size_t skip_name(const uint8_t *m, size_t at)
{
	while (m[at] && m[at] < 0xc0)
		at += m[at] + 1u;
	return at + (m[at] ? 2 : 1);
}

/* The records that are about the message, and how many others there are. */
static unsigned print_additional(FILE *out, const uint8_t *m, unsigned before, unsigned count, unsigned *upper)
{
	size_t at = DNS_HEADER_SIZE;
	unsigned others = 0;

	if (load_be16(m + 4))
		at = skip_name(m, at) + 4;
	*upper = 0;
	for (unsigned i = 0; i < before + count; i++) {
		size_t fixed = skip_name(m, at), size = load_be16(m + fixed + 8);
		unsigned type = load_be16(m + fixed);

		if (type == TYPE_OPT) {
			*upper = m[fixed + 4];
			fprintf(out, " opt=%u%s", load_be16(m + fixed + 2), load_be16(m + fixed + 6) == 0x8000 ? " do" : "");
			if (m[fixed + 5] || (load_be16(m + fixed + 6) & 0x7fff))
				fprintf(out, " version-or-z");
			print_options(out, m + fixed + 10, size);
		} else if (type == TYPE_TSIG) {
			fprintf(out, " tsig=%u", load_be16(m + fixed + 10 + size - 4));
		} else if (i >= before) {
			others++;
		}
		at = fixed + 10 + size;
	}
	return others;
}

static char *print_reply(const struct answer_job *job)
{
	const uint8_t *m = job->reply, *q = job->query;
	unsigned answer, authority, others, upper;
	char *text, *additional;
	size_t size, ignored;
	FILE *out = open_memstream(&text, &size), *more;

	if (!job->reply_size) {
		fprintf(out, "nothing");
		fclose(out);
		return text;
	}
	answer = load_be16(m + 6);
	authority = load_be16(m + 8);
	more = open_memstream(&additional, &ignored);
	others = print_additional(more, m, answer + authority, load_be16(m + 10), &upper);
	fclose(more);
	fprintf(out, "%s", rcode_text(upper << 4 | (m[3] & 15)));
	if (m[2] & 0x78)
		fprintf(out, " opcode=%u", m[2] >> 3 & 15);
	fprintf(out, "%s%s%s", m[2] & 4 ? " aa" : "", m[2] & 2 ? " tc" : "", m[2] & 1 ? " rd" : "");
	if (load_be16(m + 4)) {
		size_t end = skip_name(m, DNS_HEADER_SIZE) + 4;

		fprintf(out, " %s", end <= job->query_size && !memcmp(m + DNS_HEADER_SIZE, q + DNS_HEADER_SIZE, end - DNS_HEADER_SIZE) ?
			"question" : "another-question");
	}
	if (answer)
		fprintf(out, " an=%u", answer);
	if (authority)
		fprintf(out, " au=%u", authority);
	if (others)
		fprintf(out, " ar=%u", others);
	fprintf(out, "%s", additional);
	free(additional);
	fclose(out);
	return text;
}

/* ---- cases ---------------------------------------------------------------------------- */

struct test_case { char title[256], over[8], expected[LINE_SIZE]; unsigned line; struct packet packet; };

static void answer(struct fixture *f, struct answer_job *job, const uint8_t *query, size_t size, uint8_t *reply, bool tcp)
{
	static const uint8_t client[] = { 198, 51, 100, 100 };

	*job = (struct answer_job){ .query = query, .query_size = (uint16_t)size, .reply = reply, .reply_capacity = MESSAGE_MAX,
		.tcp = tcp, .client = client, .client_size = 4 };
	answer_batch_from(f->answerer, test_store_find, &f->store, job, 1);
}

/* What holds for every reply; and nothing answers it. */
static void check_any(struct fixture *f, const struct test_case *c, const struct answer_job *job)
{
	static uint8_t echo[MESSAGE_MAX];
	const char *bad;
	struct answer_job back;
	ldns_pkt *p;

	bad = reply_check(job, &f->store, PAYLOAD_MAX, &p);
	if (bad)
		fail_msg("protocol_cases.txt line %u, %s, %u octets: %s", c->line, c->title, job->query_size, bad);
	ldns_pkt_free(p);
	answer(f, &back, job->reply, job->reply_size, echo, job->tcp);
	assert_int_equal(back.reply_size, 0);
}

static void run_over(struct fixture *f, const struct test_case *c, bool tcp)
{
	static uint8_t reply[MESSAGE_MAX];
	struct answer_job job;
	char *text;

	answer(f, &job, c->packet.octets, c->packet.size, reply, tcp);
	text = print_reply(&job);
	if (strcmp(text, c->expected))
		fail_msg("protocol_cases.txt line %u, %s, over %s:\n%s\n--- expected:\n%s", c->line, c->title, tcp ? "TCP" : "UDP",
			text, c->expected);
	free(text);
	check_any(f, c, &job);
	/* cut off anywhere: in a block of that size, for the sanitizer */
	for (size_t n = 0; n < c->packet.size; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, c->packet.octets, n);
		answer(f, &job, exact, n, reply, tcp);
		check_any(f, c, &job);
		free(exact);
	}
}

static void run_case(struct fixture *f, struct test_case *c)
{
	if (!c->expected[0] || !c->over[0])
		fail_msg("protocol_cases.txt line %u: a case without packet or expectation: %s", c->line, c->title);
	if (strcmp(c->over, "tcp") != 0)
		run_over(f, c, false);
	if (strcmp(c->over, "udp") != 0)
		run_over(f, c, true);
	c->over[0] = c->expected[0] = c->title[0] = '\0';
	c->packet.size = 0;
}

static void take_packet_line(struct test_case *c, char *line)
{
	int skip = 0;

	if (!c->over[0] && (sscanf(line, " %7s%n", c->over, &skip) != 1 ||
	    (strcmp(c->over, "udp") && strcmp(c->over, "tcp") && strcmp(c->over, "both"))))
		fail_msg("protocol_cases.txt line %u: udp, tcp or both: %s", c->line, line);
	put_line(&c->packet, line + skip);
}

static void test_cases(void **state)
{
	static struct test_case c;
	const char *top = getenv("top_srcdir");
	char path[1024], line[LINE_SIZE];
	unsigned cases = 0, number = 0;
	FILE *in;

	snprintf(path, sizeof path, "%s/tests/unit/protocol_cases.txt", top ? top : ".");
	in = fopen(path, "r");
	if (!in)
		fail_msg("cannot read %s", path);
	while (fgets(line, sizeof line, in)) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "== ", 3)) {
			if (c.title[0])
				run_case(*state, &c);
			snprintf(c.title, sizeof c.title, "%.200s", line + 3);
			c.line = number;
			cases++;
		} else if (line[0] == '>') {
			take_packet_line(&c, line + 1);
		} else if (line[0] == '<') {
			snprintf(c.expected, sizeof c.expected, "%.4000s", line + 2);
		} else if (line[0] && line[0] != '#') {
			fail_msg("protocol_cases.txt line %u: what is this? %s", number, line);
		}
	}
	fclose(in);
	run_case(*state, &c);
	printf("%u cases\n", cases);
	assert_true(cases >= 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
