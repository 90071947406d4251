/*
 * Any octets as a query to the whole answer path, out of a small fixed store:
 * a first octet that says over what it came, who is asked and by whom, then
 * the message; or, with its highest bit, choices of which a question is made,
 * so that names which the zones know come often enough. What holds for every
 * reply is in tests/unit/reply_check.c; a reply out of a signed zone has to
 * prove what it says (answer_proof.c). An edition over a base, with a spare SOA
 * on top, answers octet by octet as the same zone in one image; and who may not
 * ask gets nothing.
 */
#include "config.h"

#include "../unit/answer_layers.h"
#include "../unit/answer_proof.h"
#include "../unit/answer_texts.h"
#include "../unit/reply_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/access.h"
#include "wire/query.h"
#include "wire/rrtype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAYLOAD_MAX 1232
#define REPLY_MAX 65535

static const char plain_zone[] =
	"plain. 3600 IN SOA ns1.plain. host.plain. 7 7200 3600 1209600 300\n" "plain. 3600 IN NS ns1.plain.\n"
	"plain. 3600 IN NS ns.other.\n" "plain. 60 IN MX 5 plain.\n" "plain. 60 IN A 192.0.2.8\n" "ns1.plain. 3600 IN A 192.0.2.1\n"
	"mx.plain. 60 IN MX 10 ns1.plain.\n" "mx.plain. 60 IN MX 20 mx.plain.\n" "mx.plain. 60 IN MX 20 ns.sub.plain.\n"
	"mx.plain. 60 IN A 192.0.2.7\n" "_s.plain. 60 IN SRV 1 2 3 mx.plain.\n" "h.plain. 60 IN HTTPS 1 mx.plain. alpn=h2\n"
	"h.plain. 60 IN HTTPS 2 . port=8443\n" "self.plain. 60 IN CNAME self.plain.\n" "*.w.plain. 60 IN CNAME b.plain.\n"
	"*.m.plain. 60 IN MX 1 x.m.plain.\n" "*.m.plain. 60 IN A 192.0.2.5\n" "sub.plain. 60 IN NS ns.sub.plain.\n"
	"sub.plain. 60 IN NS sub.plain.\n" "sub.plain. 60 IN A 192.0.2.4\n" "ns.sub.plain. 60 IN AAAA 2001:db8::1\n"
	"sib.plain. 60 IN NS ns.sub.plain.\n" "d.plain. 60 IN DNAME d2.plain.\n" "d2.plain. 60 IN DNAME d.plain.\n"
	"dd.plain. 60 IN DNAME x.dd2.plain.\n" "x.dd2.plain. 60 IN DNAME plain.\n" "u.plain. 60 IN TYPE65280 \\# 3 c00c00\n"
	"n.plain. 60 IN NAPTR 1 1 \"s\" \"x\" \"\" mx.plain.\n" "rp.plain. 60 IN RP mx.plain. self.plain.\n";

/* The first octet. */
enum { BIT_TCP = 1, STORE_SHIFT = 1, STORE_MASK = 7, BIT_STRANGER = 0x10, BIT_COOKIE = 0x20, BIT_TRUNCATE = 0x40, BIT_MADE = 0x80 };

static struct signed_zone nsec, nsec3, opt_out, nsec_edition, nsec3_edition, opt_out_spare;
static struct signed_zone *const signed_zones[] = { &nsec, &nsec3, &opt_out, &nsec_edition, &nsec3_edition, &opt_out_spare };
static struct test_zone plain, big, child, edited, closed, unreadable;
/* Who may be asked. */
static struct test_store stores[STORE_MASK + 1] = {
	{ .count = 3, .zone = { &plain, &nsec.zone, &child } },
	{ .count = 3, .zone = { &plain, &nsec3.zone, &big } },
	{ .count = 2, .zone = { &opt_out.zone, &plain } },      /* the root, and a zone below */
	{ .count = 0, .prepared = true },
	{ .count = 3, .zone = { &edited, &nsec_edition.zone, &child } },
	{ .count = 2, .zone = { &nsec3_edition.zone, &closed } },
	{ .count = 2, .zone = { &opt_out_spare.zone, &edited } },
	{ .count = 2, .zone = { &unreadable, &nsec3_edition.zone } },
};
/* Of the stores with zones of several images: the same, each zone in one image. */
static struct test_zone folded[5];
static struct test_store twins[STORE_MASK + 1] = {
	[4] = { .count = 3, .zone = { &folded[0], &folded[1], &child } },
	[5] = { .count = 2, .zone = { &folded[2], &folded[3] } },
	[6] = { .count = 2, .zone = { &folded[4], &folded[0] } },
};
static struct answerer *answerer;
static const struct cookie_secrets secrets = { .count = 2, .secret = { "first of secrets", "second of secret" } };
#define NOW 1559731985
static const uint8_t friend[16] = { 0x20, 1, 0xd, 0xb8 }, stranger[4] = { 192, 0, 2, 1 };

static void make_big(void)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "big. 60 IN SOA a. b. 1 1 1 1 1\nbig. 60 IN NS ns.big.\nns.big. 60 IN A 192.0.2.1\nc.big. 1 IN CNAME t.big.\n");
	for (unsigned i = 0; i < 60; i++)
		fprintf(out, "t.big. 60 IN A 10.0.0.%u\nmx.big. 60 IN MX 1 h%02u.big.\nh%02u.big. 60 IN AAAA 2001:db8::%u\n"
			"sub.big. 60 IN NS g%u.sub.big.\ng%u.sub.big. 60 IN A 10.0.1.%u\n", i, i, i, i, i, i, i);
	for (unsigned i = 0; i < 240; i++)
		fprintf(out, "x.big. 60 IN TXT \"%03u%0200u\"\n", i, 0);
	fclose(out);
	test_zone_from_text(&big, "big.", text);
	free(text);
}

/* A zone as it was: some of its names came later, some are gone by now. */
static char *older(const char *text)
{
	char *out;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	for (unsigned line = 0; *text; line++) {
		int length = (int)strcspn(text, "\n") + 1;

		/* the SOA and NS stay */
		if (line < 3 || line % 3)
			fprintf(f, "%.*s", length, text);
		text += length;
	}
	fprintf(f, "gone.example. 60 IN A 192.0.2.99\n*.goes.example. 60 IN TXT \"wild\"\na.b.goes.example. 60 IN A 192.0.2.98\n"
		"zz.example. 60 IN NS ns.zz.example.\nns.zz.example. 60 IN A 192.0.2.97\n");
	fclose(f);
	return out;
}

/* What example_zone is, read from an older base and the edition over it. */
static void make_edition(struct signed_zone *z, enum sign_kind kind, const char *salt)
{
	static struct signed_zone olds[2];
	struct signed_zone *old = &olds[kind == SIGN_NSEC];
	struct test_zone whole;
	char *text = older(example_zone);

	signed_zone_make(old, "example.", text, kind, 0, salt);
	signed_zone_make(z, "example.", example_zone, kind, 0, salt);
	whole = z->zone;
	test_zone_difference(&z->zone, &old->zone, &whole);
	z->zone.view.serial_fixed = true;
	test_zone_free(&whole);
	free(text);
}

static const char edition[] =
	"add plain. 60 TXT new\nreplace mx.plain. 60 MX 5 w.plain.\ndel self.plain.\ndel sub.plain.\ndel ns.sub.plain.\n"
	"add x.sub.plain. 60 A 192.0.2.6\nadd new.sib.plain. 60 AAAA 2001:db8::7\ndel d2.plain.\nadd a.b.d2.plain. 60 A 192.0.2.9\n"
	"del *.w.plain.\nadd y.w.plain. 60 TXT y\nadd *.x.plain. 60 CNAME b.x.plain.\nadd deep.t.plain. 60 NS ns.deep.t.plain.\n"
	"add ns.deep.t.plain. 60 A 192.0.2.10\n";

static void make_layers(void)
{
	static struct test_zone plain_below;
	struct err err = ERR_INIT;
	size_t octets;

	test_zone_from_text(&plain_below, "plain.", plain_zone);
	test_zone_edit(&edited, &plain_below, edition);
	edited.view.served_serial = 4712;
	make_edition(&nsec_edition, SIGN_NSEC, "");
	signed_zone_add_spare(&nsec_edition, 4713);
	make_edition(&nsec3_edition, SIGN_NSEC3, "5a");
	signed_zone_make(&opt_out_spare, ".", root_zone, SIGN_NSEC3_OPT_OUT, 0, "");
	signed_zone_add_spare(&opt_out_spare, 4714);
	closed = plain_below;
	unreadable = edited;
	unreadable.view.unreadable = true;
	if (access_keep("query=2001:db8::/32\n", &closed.view.kept, &octets, &err))
		abort();
	unreadable.view.kept = closed.view.kept;
	test_zone_fold(&folded[0], &edited);
	test_zone_fold(&folded[1], &nsec_edition.zone);
	test_zone_fold(&folded[2], &nsec3_edition.zone);
	folded[3] = closed;
	test_zone_fold(&folded[4], &opt_out_spare.zone);
}

static void setup(void)
{
	static const struct answer_options options = {
		.udp_payload_max = PAYLOAD_MAX, .tcp_idle_seconds = 30, .version = "Schwenk test", .identity = "a1",
		.nsid = (const uint8_t *)"a1", .nsid_size = 2,
	};

	signed_zone_make(&nsec, "example.", example_zone, SIGN_NSEC, 0, "");
	signed_zone_make(&nsec3, "example.", example_zone, SIGN_NSEC3, 1, "5a");
	signed_zone_make(&opt_out, ".", root_zone, SIGN_NSEC3_OPT_OUT, 0, "");
	test_zone_from_text(&plain, "plain.", plain_zone);
	test_zone_from_text(&child, "here.sub.plain.", "here.sub.plain. 60 IN SOA a. b. 1 1 1 1 1\nhere.sub.plain. 60 IN NS a.\n");
	plain.view.served_serial = child.view.served_serial = 4711;
	make_big();
	make_layers();
	answerer = answerer_new(&options, TEST_HASH_KEY);
	if (!answerer)
		abort();
	answerer_set_cookies(answerer, &secrets);
	answerer_set_time(answerer, NOW);
}

static void say(const struct answer_job *job, const char *what)
{
	fprintf(stderr, "%s\nquery:", what);
	for (unsigned i = 0; i < job->query_size; i++)
		fprintf(stderr, " %02x", job->query[i]);
	fprintf(stderr, "\nreply:");
	for (unsigned i = 0; i < job->reply_size; i++)
		fprintf(stderr, " %02x", job->reply[i]);
	fprintf(stderr, "\n");
	abort();
}

static const struct signed_zone *signed_by(const struct zone_view *v)
{
	for (size_t i = 0; i < sizeof signed_zones / sizeof signed_zones[0]; i++)
		if (v == &signed_zones[i]->zone.view)
			return signed_zones[i];
	return NULL;
}

/* The zone that a reply's question falls into; NULL: none, or no question of class IN. */
static const struct zone_view *zone_of(const struct answer_job *job, struct test_store *store, const ldns_pkt *p)
{
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(p), 0);
	struct name name;
	bool prepared;

	if (!question || ldns_rr_get_class(question) != LDNS_RR_CLASS_IN ||
	    !name_parse(&name, job->query + DNS_HEADER_SIZE, job->query_size - DNS_HEADER_SIZE, TEST_HASH_KEY))
		return NULL;
	return test_store_find(store, &name, ldns_rr_get_type(question) == LDNS_RR_TYPE_DS, &prepared);
}

/* Who may not ask learns nothing, and nobody anything of a zone that cannot be read. */
static void check_refusals(const struct answer_job *job, struct test_store *store, const ldns_pkt *p)
{
	const struct zone_view *v = zone_of(job, store, p);
	bool good = ldns_pkt_get_rcode(p) == LDNS_RCODE_NOERROR || ldns_pkt_get_rcode(p) == LDNS_RCODE_NXDOMAIN ||
		ldns_pkt_get_rcode(p) == LDNS_RCODE_YXDOMAIN;

	/* in the upper bits of the rcode is BADVERS */
	if (!v || ldns_pkt_edns_extended_rcode(p) || ldns_pkt_get_opcode(p) != LDNS_PACKET_QUERY)
		return;
	if (v->unreadable && (good || ldns_pkt_aa(p)))
		say(job, "an answer out of a zone that cannot be read");
	if (v->kept && !access_allows(v->kept, job->client, job->client_size) &&
	    (good || ldns_pkt_aa(p) || ldns_pkt_get_rcode(p) == LDNS_RCODE_SERVFAIL))
		say(job, "an answer to somebody who may not ask");
}

/* ANY and RRSIG are answered with what there is, whatever that proves. */
static void check_proof(const struct answer_job *job, struct test_store *store, const ldns_pkt *p)
{
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(p), 0);
	const struct zone_view *v = zone_of(job, store, p);
	const struct signed_zone *z = v ? signed_by(v) : NULL;
	struct proof proof;
	const char *bad;
	uint16_t type;

	if (!z || ldns_pkt_tc(p) || !ldns_pkt_edns_do(p))
		return;
	type = (uint16_t)ldns_rr_get_type(question);
	if ((ldns_pkt_get_rcode(p) != LDNS_RCODE_NOERROR && ldns_pkt_get_rcode(p) != LDNS_RCODE_NXDOMAIN) ||
	    ldns_pkt_edns_extended_rcode(p) || type == TYPE_ANY || type == TYPE_RRSIG)
		return;
	bad = prove(z, p, ldns_rr_owner(question), type, &proof);
	if (bad)
		say(job, bad);
}

/* As rate limiting has it: only the question and OPT are left, and TC is set. */
static void check_truncated(struct answer_job *job, struct test_store *store)
{
	uint32_t size = job->reply_size;
	const char *bad;
	ldns_pkt *p;

	answer_truncate(job);
	bad = reply_check(job, store, PAYLOAD_MAX, &p);
	if (!bad && (!p || !ldns_pkt_tc(p) || ldns_pkt_ancount(p) || ldns_pkt_nscount(p) || ldns_pkt_arcount(p)))
		bad = "truncated, but not to nothing";
	if (!bad && job->reply_size > size)
		bad = "longer than before";
	if (bad)
		say(job, bad);
	ldns_pkt_free(p);
}

/* In a batch with others a query is answered as it is alone. */
static void check_batch(const struct answer_job *job, struct test_store *store)
{
	static const uint8_t other[] = "\1\2\1\0\0\1\0\0\0\0\0\0\1x\1w\5plain\0\0\1\0\1";
	static uint8_t replies[3][REPLY_MAX];
	struct answer_job jobs[3];

	for (unsigned i = 0; i < 3; i++)
		jobs[i] = (struct answer_job){ .query = other, .query_size = sizeof other - 1, .reply = replies[i],
			.reply_capacity = REPLY_MAX };
	jobs[1].query = job->query;
	jobs[1].query_size = job->query_size;
	jobs[1].tcp = job->tcp;
	jobs[1].client = job->client;
	jobs[1].client_size = job->client_size;
	answer_batch_from(answerer, test_store_find, store, jobs, 3);
	if (jobs[1].reply_size != job->reply_size || memcmp(jobs[1].reply, job->reply, job->reply_size) != 0)
		say(&jobs[1], "answered otherwise in a batch");
	if (jobs[0].reply_size != jobs[2].reply_size || memcmp(jobs[0].reply, jobs[2].reply, jobs[0].reply_size) != 0)
		say(&jobs[2], "a query in between changed an answer");
}

/* A COOKIE option that is good at this address, behind an OPT without options. */
static uint16_t add_cookie(uint8_t *q, uint16_t n, const uint8_t *address, size_t address_size)
{
	static const uint8_t own[COOKIE_CLIENT_SIZE] = "client's";

	store_be16(q + n - 2, 4 + COOKIE_SIZE);
	store_be16(q + n, 10);
	store_be16(q + n + 2, COOKIE_SIZE);
	cookie_judge(&secrets, own, sizeof own, address, address_size, NOW, q + n + 4);
	return (uint16_t)(n + 4 + COOKIE_SIZE);
}

/* How many images a zone is read from is nobody's business. */
static void check_twin(const struct answer_job *job, struct test_store *twin)
{
	static uint8_t reply[REPLY_MAX];
	struct answer_job again = *job;

	again.reply = reply;
	answer_batch_from(answerer, test_store_find, twin, &again, 1);
	if (again.reply_size != job->reply_size || memcmp(reply, job->reply, job->reply_size) != 0 || again.kind != job->kind ||
	    again.account != job->account)
		say(&again, "answered otherwise out of one image");
}

/* Any of these labels in any order, with a type, an OPT or none. */
static uint16_t make_query(uint8_t *q, const uint8_t *choice, size_t count)
{
	static const char *const labels[] = { "example", "plain", "big", "here", "sub", "www", "*", "wild", "ent", "wc", "wcwild", "d",
		"t", "x", "a", "b", "secure", "optent", "mixent", "deep", "alias", "tosub", "ns", "mx", "w", "m", "dd", "dd2", "dsub",
		"com", "org", "tld", "com2", "al", "zz", "y", "self", "missing", "\377", "A",
		"gone", "goes", "sib", "new", "optwild", "wcgone" };
	static const uint16_t types[] = { TYPE_A, TYPE_AAAA, TYPE_NS, TYPE_CNAME, TYPE_SOA, TYPE_MX, TYPE_TXT, TYPE_DNAME, TYPE_DS,
		TYPE_NSEC, TYPE_NSEC3, TYPE_RRSIG, TYPE_DNSKEY, TYPE_ANY, TYPE_AXFR, TYPE_SRV };
	static const uint16_t payloads[] = { 0, 512, 700, 1000, 1232, 4096, 65535 };
	uint16_t payload = count > 1 ? payloads[choice[1] % 7] : 0;
	size_t n = DNS_HEADER_SIZE;

	memcpy(q, "\xab\xcd\1\0\0\1\0\0\0\0\0\0", DNS_HEADER_SIZE);
	for (size_t i = 2; i < count && n < 240; i++) {
		const char *label = labels[choice[i] % (sizeof labels / sizeof labels[0])];

		q[n] = (uint8_t)strlen(label);
		memcpy(q + n + 1, label, q[n]);
		n += q[n] + 1u;
	}
	q[n++] = 0;
	store_be16(q + n, count ? types[choice[0] % 16] : TYPE_A);
	store_be16(q + n + 2, CLASS_IN);
	n += 4;
	if (!payload)
		return (uint16_t)n;
	q[11] = 1;
	memcpy(q + n, "\0\0\x29\0\0\0\0\0\0\0\0", 11);
	store_be16(q + n + 3, payload);
	q[n + 7] = choice[1] & 0x80;
	return (uint16_t)(n + 11);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t reply[REPLY_MAX], echo[REPLY_MAX], made[512];
	struct answer_job job, back;
	struct test_store *store;
	const char *bad;
	ldns_pkt *p;

	if (!answerer)
		setup();
	if (!size || size > UINT16_MAX)
		return 0;
	store = &stores[data[0] >> STORE_SHIFT & STORE_MASK];
	job = (struct answer_job){ .query = data + 1, .query_size = (uint16_t)(size - 1), .reply = reply,
		.reply_capacity = REPLY_MAX, .tcp = data[0] & BIT_TCP, .client = data[0] & BIT_STRANGER ? stranger : friend,
		.client_size = data[0] & BIT_STRANGER ? sizeof stranger : sizeof friend };
	if (data[0] & BIT_MADE) {
		job.query_size = make_query(made, data + 1, size - 1);
		job.query = made;
		if (data[0] & BIT_COOKIE && made[11])
			job.query_size = add_cookie(made, job.query_size, job.client, job.client_size);
	}
	answer_batch_from(answerer, test_store_find, store, &job, 1);
	bad = reply_check(&job, store, PAYLOAD_MAX, &p);
	if (bad)
		say(&job, bad);
	if (!p)
		return 0;
	if (data[0] & BIT_MADE && data[0] & BIT_COOKIE && made[11] && !job.cookie_good)
		say(&job, "a good cookie is not known again");
	check_refusals(&job, store, p);
	check_proof(&job, store, p);
	ldns_pkt_free(p);
	check_batch(&job, store);
	if (twins[store - stores].count)
		check_twin(&job, &twins[store - stores]);
	if (data[0] & BIT_TRUNCATE)
		check_truncated(&job, store);
	back = (struct answer_job){ .query = reply, .query_size = (uint16_t)job.reply_size, .reply = echo,
		.reply_capacity = REPLY_MAX, .tcp = job.tcp };
	answer_batch_from(answerer, test_store_find, store, &back, 1);
	if (back.reply_size)
		say(&back, "a reply to a reply");
	return 0;
}
