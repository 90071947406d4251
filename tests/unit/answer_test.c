/* What is asked, and the whole reply, as ldns reads it: one row a case. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer_zone.h"
#include "wire/query.h"
#include "wire/rrtype.h"

static const char example_zone[] =
	"example. 3600 IN SOA ns1.example. host.example. 7 7200 3600 1209600 300\n"
	"example. 3600 IN NS ns1.example.\n"
	"example. 3600 IN NS ns.other.\n"
	"ns1.example. 3600 IN A 192.0.2.1\n"
	"www.example. 3600 IN A 192.0.2.2\n"
	"www.example. 3600 IN A 192.0.2.3\n"
	"www.example. 3600 IN AAAA 2001:db8::2\n"
	"MiXed.example. 3600 IN TXT \"Case\"\n"
	"alias.example. 3600 IN CNAME www.example.\n"
	"two.example. 60 IN CNAME alias.example.\n"
	"loop1.example. 60 IN CNAME loop2.example.\n"
	"loop2.example. 60 IN CNAME loop1.example.\n"
	"self.example. 60 IN CNAME self.example.\n"
	"out.example. 60 IN CNAME www.other.\n"
	"nowhere.example. 60 IN CNAME missing.example.\n"
	"nodata.example. 60 IN CNAME ns1.example.\n"
	"tosub.example. 60 IN CNAME host.sub.example.\n"
	"*.wild.example. 60 IN A 192.0.2.9\n"
	"*.wild.example. 60 IN MX 5 www.example.\n"
	"here.wild.example. 60 IN TXT \"here\"\n"
	"y.ent.wild.example. 60 IN TXT \"y\"\n"
	"a.*.deep.example. 60 IN A 192.0.2.10\n"
	"*.wc.example. 60 IN CNAME www.example.\n"
	"a.b.ent.example. 60 IN A 192.0.2.11\n"
	"sub.example. 60 IN NS ns.sub.example.\n"
	"sub.example. 60 IN NS ns1.example.\n"
	"sub.example. 60 IN NS ns.far.\n"
	"sub.example. 60 IN NS g.sib.example.\n"
	"ns.sub.example. 60 IN A 192.0.2.20\n"
	"ns.sub.example. 60 IN AAAA 2001:db8::20\n"
	"sib.example. 60 IN NS g.sib.example.\n"
	"g.sib.example. 60 IN A 192.0.2.21\n"
	"secure.example. 60 IN NS ns.far.\n"
	"secure.example. 60 IN DS 1 8 2 e2d3c916f6deeac73294e8268fb5885044a833fc5459588f4a9184cfc41a5766\n"
	"d.example. 60 IN DNAME t.example.\n"
	"d.example. 60 IN TXT \"at the DNAME\"\n"
	"x.t.example. 60 IN A 192.0.2.30\n"
	"back.t.example. 60 IN CNAME x.d.example.\n"
	"da.example. 60 IN DNAME db.example.\n"
	"db.example. 60 IN DNAME example.\n"
	"dout.example. 60 IN DNAME other.\n"
	"dlong.example. 60 IN DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
		"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.example.\n"
	"mx.example. 60 IN MX 10 www.example.\n"
	"mx.example. 60 IN MX 20 mail.other.\n"
	"mx.example. 60 IN MX 30 ns.sub.example.\n"
	"mx.example. 60 IN MX 40 www.example.\n"
	"many.example. 60 IN MX 10 many.example.\n" "many.example. 60 IN A 192.0.2.31\n"
	"_sip.example. 60 IN SRV 1 2 5060 www.example.\n"
	"svc.example. 60 IN HTTPS 1 www.example. alpn=h2\n"
	"c1.example. 1 IN CNAME c2.example.\n" "c2.example. 1 IN CNAME c3.example.\n"
	"c3.example. 1 IN CNAME c4.example.\n" "c4.example. 1 IN CNAME c5.example.\n"
	"c5.example. 1 IN CNAME c6.example.\n" "c6.example. 1 IN CNAME c7.example.\n"
	"c7.example. 1 IN CNAME c8.example.\n" "c8.example. 1 IN CNAME c9.example.\n"
	"c9.example. 1 IN CNAME c10.example.\n" "c10.example. 1 IN CNAME c11.example.\n"
	"c11.example. 1 IN CNAME ns1.example.\n";

static const char child_zone[] =
	"here.sub.example. 3600 IN SOA ns1.example. host.example. 1 1 1 1 5000\n"
	"here.sub.example. 3600 IN NS ns1.example.\n"
	"www.here.sub.example. 3600 IN A 192.0.2.99\n";

static const char root_zone[] =
	". 3600 IN SOA a. b. 1 1 1 1 30\n" ". 3600 IN NS ns.\n" ". 3600 IN NS ns.com.\n" "ns. 3600 IN A 192.0.2.50\n"
	"com. 3600 IN NS ns.com.\n" "ns.com. 3600 IN A 192.0.2.51\n" "al. 3600 IN CNAME ns.\n"
	"tld. 3600 IN DNAME com2.\n" "www.com2. 3600 IN MX 1 ns.\n";

/* The SOAs as they go out: with the served serial, the negative TTL. */
#define NEGATIVE "AU example. 300 IN SOA ns1.example. host.example. 4711 7200 3600 1209600 300\n"
#define REFERRAL "AU sub.example. 60 IN NS ns.sub.example.\n" "AU sub.example. 60 IN NS ns1.example.\n" \
	"AU sub.example. 60 IN NS ns.far.\n" "AU sub.example. 60 IN NS g.sib.example.\n" \
	"AR ns.sub.example. 60 IN A 192.0.2.20\n" "AR ns.sub.example. 60 IN AAAA 2001:db8::20\n" \
	"AR ns1.example. 3600 IN A 192.0.2.1\n" "AR g.sib.example. 60 IN A 192.0.2.21\n"
#define WWW "AN www.example. 3600 IN A 192.0.2.2\n" "AN www.example. 3600 IN A 192.0.2.3\n"
#define WWW_ADDED "AR www.example. 3600 IN A 192.0.2.2\n" "AR www.example. 3600 IN A 192.0.2.3\n" \
	"AR www.example. 3600 IN AAAA 2001:db8::2\n"

static const struct row { const char *ask, *reply; } rows[] = {
	/* positive */
	{ "www.example. A", "NOERROR aa\n" WWW },
	{ "WwW.eXample. AAAA", "NOERROR aa\nAN WwW.eXample. 3600 IN AAAA 2001:db8::2\n" },
	{ "mixed.EXAMPLE. TXT", "NOERROR aa\nAN mixed.EXAMPLE. 3600 IN TXT \"Case\"\n" },
	{ "example. SOA", "NOERROR aa\nAN example. 3600 IN SOA ns1.example. host.example. 4711 7200 3600 1209600 300\n" },
	{ "example. NS", "NOERROR aa\nAN example. 3600 IN NS ns1.example.\nAN example. 3600 IN NS ns.other.\n"
		"AR ns1.example. 3600 IN A 192.0.2.1\n" },
	{ "mx.example. MX", "NOERROR aa\nAN mx.example. 60 IN MX 10 www.example.\nAN mx.example. 60 IN MX 20 mail.other.\n"
		"AN mx.example. 60 IN MX 30 ns.sub.example.\nAN mx.example. 60 IN MX 40 www.example.\n" WWW_ADDED },
	{ "_sip.example. SRV", "NOERROR aa\nAN _sip.example. 60 IN SRV 1 2 5060 www.example.\n" WWW_ADDED },
	{ "svc.example. HTTPS", "NOERROR aa\nAN svc.example. 60 IN HTTPS 1 www.example. alpn=h2\n" WWW_ADDED },
	/* chains */
	{ "alias.example. A", "NOERROR aa\nAN alias.example. 3600 IN CNAME www.example.\n" WWW },
	{ "alias.example. CNAME", "NOERROR aa\nAN alias.example. 3600 IN CNAME www.example.\n" },
	{ "two.example. A", "NOERROR aa\nAN two.example. 60 IN CNAME alias.example.\n"
		"AN alias.example. 3600 IN CNAME www.example.\n" WWW },
	{ "loop1.example. A", "NOERROR aa\nAN loop1.example. 60 IN CNAME loop2.example.\nAN loop2.example. 60 IN CNAME loop1.example.\n" },
	{ "self.example. A", "NOERROR aa\nAN self.example. 60 IN CNAME self.example.\n" },
	{ "out.example. A", "NOERROR aa\nAN out.example. 60 IN CNAME www.other.\n" },
	{ "nowhere.example. A", "NXDOMAIN aa\nAN nowhere.example. 60 IN CNAME missing.example.\n" NEGATIVE },
	{ "nodata.example. MX", "NOERROR aa\nAN nodata.example. 60 IN CNAME ns1.example.\n" NEGATIVE },
	{ "tosub.example. A", "NOERROR aa\nAN tosub.example. 60 IN CNAME host.sub.example.\n" REFERRAL },
	{ "c1.example. A", "NOERROR aa\nAN c1.example. 1 IN CNAME c2.example.\nAN c2.example. 1 IN CNAME c3.example.\n"
		"AN c3.example. 1 IN CNAME c4.example.\nAN c4.example. 1 IN CNAME c5.example.\nAN c5.example. 1 IN CNAME c6.example.\n"
		"AN c6.example. 1 IN CNAME c7.example.\nAN c7.example. 1 IN CNAME c8.example.\nAN c8.example. 1 IN CNAME c9.example.\n"
		"AN c9.example. 1 IN CNAME c10.example.\nAN c10.example. 1 IN CNAME c11.example.\nAN c11.example. 1 IN CNAME ns1.example.\n"
		"AN ns1.example. 3600 IN A 192.0.2.1\n" },
	{ "alias.example. NSEC", "NOERROR aa\nAN alias.example. 3600 IN CNAME www.example.\n" NEGATIVE },
	{ "alias.example. RRSIG", "NOERROR aa\nAN alias.example. 3600 IN CNAME www.example.\n" NEGATIVE },
	/* wildcards and empty non-terminals */
	{ "Foo.wild.example. A", "NOERROR aa\nAN Foo.wild.example. 60 IN A 192.0.2.9\n" },
	{ "a.b.c.d.wild.example. A", "NOERROR aa\nAN a.b.c.d.wild.example. 60 IN A 192.0.2.9\n" },
	{ "foo.wild.example. MX", "NOERROR aa\nAN foo.wild.example. 60 IN MX 5 www.example.\n" WWW_ADDED },
	{ "foo.wild.example. TXT", "NOERROR aa\n" NEGATIVE },
	{ "here.wild.example. A", "NOERROR aa\n" NEGATIVE },
	{ "x.here.wild.example. A", "NXDOMAIN aa\n" NEGATIVE },
	{ "ent.wild.example. A", "NOERROR aa\n" NEGATIVE },
	{ "x.ent.wild.example. A", "NXDOMAIN aa\n" NEGATIVE },
	{ "*.wild.example. A", "NOERROR aa\nAN *.wild.example. 60 IN A 192.0.2.9\n" },
	{ "x.*.wild.example. A", "NXDOMAIN aa\n" NEGATIVE },
	{ "wild.example. A", "NOERROR aa\n" NEGATIVE },
	{ "foo.deep.example. A", "NOERROR aa\n" NEGATIVE },
	{ "a.foo.deep.example. A", "NOERROR aa\n" NEGATIVE },
	{ "a.*.deep.example. A", "NOERROR aa\nAN a.*.deep.example. 60 IN A 192.0.2.10\n" },
	{ "X.wc.example. A", "NOERROR aa\nAN X.wc.example. 60 IN CNAME www.example.\n" WWW },
	{ "ent.example. A", "NOERROR aa\n" NEGATIVE },
	{ "b.ent.example. ANY", "NOERROR aa\n" NEGATIVE },
	{ "c.ent.example. A", "NXDOMAIN aa\n" NEGATIVE },
	/* negative */
	{ "missing.example. A", "NXDOMAIN aa\n" NEGATIVE },
	{ "a.b.c.d.e.f.g.h.missing.example. A", "NXDOMAIN aa\n" NEGATIVE },
	{ "www.example. TXT", "NOERROR aa\n" NEGATIVE },
	{ "www.example. SOA", "NOERROR aa\n" NEGATIVE },
	{ "www.example. TYPE0", "NOERROR aa\n" NEGATIVE },
	{ "www.example. MAILB", "NOERROR aa\n" NEGATIVE },
	/* cuts */
	{ "sub.example. NS", "NOERROR\n" REFERRAL },
	{ "host.sub.example. A", "NOERROR\n" REFERRAL },
	{ "NS.sub.example. A", "NOERROR\n" REFERRAL },
	{ "a.b.ns.sub.example. A", "NOERROR\n" REFERRAL },
	{ "sub.example. NSEC", "NOERROR\n" REFERRAL },
	{ "sub.example. DS", "NOERROR aa\n" NEGATIVE },
	{ "x.sub.example. DS", "NOERROR\n" REFERRAL },
	{ "secure.example. DS", "NOERROR aa\nAN secure.example. 60 IN DS 1 8 2 "
		"e2d3c916f6deeac73294e8268fb5885044a833fc5459588f4a9184cfc41a5766\n" },
	{ "x.secure.example. A", "NOERROR\nAU secure.example. 60 IN NS ns.far.\n" },
	/* a DS that nobody signed */
	{ "x.secure.example. A do", "NOERROR\nAU secure.example. 60 IN NS ns.far.\nedns 1232 do\n" },
	{ "example. DS", "NOERROR aa\n" NEGATIVE },
	/* a child zone that is here, too */
	{ "www.here.sub.example. A", "NOERROR aa\nAN www.here.sub.example. 3600 IN A 192.0.2.99\n" },
	{ "here.sub.example. DS", "NOERROR\n" REFERRAL },
	{ "x.here.sub.example. A", "NXDOMAIN aa\nAU here.sub.example. 3600 IN SOA ns1.example. host.example. 4711 1 1 1 5000\n" },
	/* DNAME */
	{ "X.d.example. A", "NOERROR aa\nAN d.example. 60 IN DNAME t.example.\nAN X.d.example. 60 IN CNAME X.t.example.\n"
		"AN X.t.example. 60 IN A 192.0.2.30\n" },
	{ "d.example. TXT", "NOERROR aa\nAN d.example. 60 IN TXT \"at the DNAME\"\n" },
	{ "d.example. DNAME", "NOERROR aa\nAN d.example. 60 IN DNAME t.example.\n" },
	{ "q.d.example. A", "NXDOMAIN aa\nAN d.example. 60 IN DNAME t.example.\nAN q.d.example. 60 IN CNAME q.t.example.\n" NEGATIVE },
	{ "x.d.example. CNAME", "NOERROR aa\nAN d.example. 60 IN DNAME t.example.\nAN x.d.example. 60 IN CNAME x.t.example.\n" },
	{ "back.d.example. A", "NOERROR aa\nAN d.example. 60 IN DNAME t.example.\nAN back.d.example. 60 IN CNAME back.t.example.\n"
		"AN back.t.example. 60 IN CNAME x.d.example.\nAN x.d.example. 60 IN CNAME x.t.example.\n"
		"AN x.t.example. 60 IN A 192.0.2.30\n" },
	{ "da.da.example. DNAME", "NOERROR aa\nAN da.example. 60 IN DNAME db.example.\nAN da.da.example. 60 IN CNAME da.db.example.\n"
		"AN db.example. 60 IN DNAME example.\nAN da.db.example. 60 IN CNAME da.example.\n" },
	{ "a.b.dout.example. A", "NOERROR aa\nAN dout.example. 60 IN DNAME other.\nAN a.b.dout.example. 60 IN CNAME a.b.other.\n" },
	{ "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.dlong.example. A",
		"YXDOMAIN aa\nAN dlong.example. 60 IN DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
		"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.example.\n" },
	/* ANY */
	{ "www.example. ANY", "NOERROR aa\n" WWW },
	{ "www.example. ANY tcp", "NOERROR aa\n" WWW "AN www.example. 3600 IN AAAA 2001:db8::2\n" },
	{ "many.example. ANY tcp", "NOERROR aa\nAN many.example. 60 IN A 192.0.2.31\nAN many.example. 60 IN MX 10 many.example.\n" },
	{ "alias.example. ANY", "NOERROR aa\nAN alias.example. 3600 IN CNAME www.example.\n" },
	/* not ours */
	{ "other. A", "REFUSED\n" },
	{ "other. A edns", "REFUSED\nedns 1232 ede 20\n" },
	{ "xexample. A", "REFUSED\n" },
	{ "www.example. A class=CH", "REFUSED\n" },
	{ "www.example. A class=ANY", "REFUSED\n" },
	{ "Version.BIND. TXT class=CH", "NOERROR aa\nAN Version.BIND. 0 CH TXT \"Schwenk test\"\n" },
	{ "version.server. TXT class=CH", "NOERROR aa\nAN version.server. 0 CH TXT \"Schwenk test\"\n" },
	{ "id.server. TXT class=CH", "NOERROR aa\nAN id.server. 0 CH TXT \"a1\"\n" },
	{ "hostname.bind. TXT class=CH", "REFUSED\n" },
	{ "version.bind. A class=CH", "REFUSED\n" },
	{ "example. AXFR", "NOTIMP\n" },
	{ "example. AXFR tcp", "REFUSED\n" },
	{ "example. AXFR tcp edns", "REFUSED\nedns 1232 ede 18\n" },
	{ "www.example. AXFR tcp", "NOTAUTH\n" },
	{ "example. IXFR", "REFUSED\n" },
	/* EDNS */
	{ "www.example. AAAA edns", "NOERROR aa\nAN www.example. 3600 IN AAAA 2001:db8::2\nedns 1232\n" },
	{ "www.example. AAAA do nsid", "NOERROR aa\nAN www.example. 3600 IN AAAA 2001:db8::2\nedns 1232 do nsid 6131\n" },
	{ "www.example. AAAA keepalive", "NOERROR aa\nAN www.example. 3600 IN AAAA 2001:db8::2\nedns 1232\n" },
	{ "www.example. AAAA keepalive tcp", "NOERROR aa\nAN www.example. 3600 IN AAAA 2001:db8::2\nedns 1232 keepalive 300\n" },
	{ "www.example. AAAA version=1", "BADVERS\nedns 1232\n" },
};

struct fixture {
	struct test_zone example, child, root;
	struct test_store store;
	struct answerer *answerer;
};

static const struct answer_options options = {
	.udp_payload_max = 1232, .tcp_idle_seconds = 30, .version = "Schwenk test", .identity = "a1",
	.nsid = (const uint8_t *)"a1", .nsid_size = 2,
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	test_zone_from_text(&f->example, "example.", example_zone);
	test_zone_from_text(&f->child, "here.sub.example.", child_zone);
	test_zone_from_text(&f->root, ".", root_zone);
	f->example.view.served_serial = f->child.view.served_serial = f->root.view.served_serial = 4711;
	f->store = (struct test_store){ .count = 2, .zone = { &f->example, &f->child } };
	f->answerer = answerer_new(&options, TEST_HASH_KEY);
	*state = f;
	return !f->answerer;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	test_zone_free(&f->example);
	test_zone_free(&f->child);
	test_zone_free(&f->root);
	answerer_free(f->answerer);
	free(f);
	return 0;
}

/* ---- asking and reading ------------------------------------------------------- */

static bool flag(const char *ask, const char *word)
{
	const char *p = strstr(ask, word);

	return p && p[-1] == ' ' && (!p[strlen(word)] || p[strlen(word)] == ' ');
}

/* "NAME TYPE [class=C] [edns] [do] [nsid] [keepalive] [payload=N] [version=N] [tcp]" */
static size_t make_query(uint8_t *q, const char *ask)
{
	char name[512], type_text[32];
	const char *reason, *p;
	uint16_t type, rrclass = CLASS_IN, payload = 1232, length = 0;
	size_t n = DNS_HEADER_SIZE;

	assert_int_equal(sscanf(ask, "%511s %31s", name, type_text), 2);
	assert_true(rrtype_from_text(type_text, strlen(type_text), &type));
	memcpy(q, "\xab\xcd\1\0\0\1\0\0\0\0\0\0", DNS_HEADER_SIZE);
	n += name_from_text(q + n, name, strlen(name), NULL, false, &reason);
	assert_true(n > DNS_HEADER_SIZE);
	if (strstr(ask, "class=CH"))
		rrclass = CLASS_CH;
	else if (strstr(ask, "class=ANY"))
		rrclass = CLASS_ANY;
	store_be16(q + n, type);
	store_be16(q + n + 2, rrclass);
	n += 4;
	if (!flag(ask, "edns") && !flag(ask, "do") && !flag(ask, "nsid") && !flag(ask, "keepalive") &&
	    !strstr(ask, "payload=") && !strstr(ask, "version="))
		return n;
	q[11] = 1;
	if ((p = strstr(ask, "payload=")))
		payload = (uint16_t)atoi(p + 8);
	length = 4 * ((uint16_t)flag(ask, "nsid") + (uint16_t)flag(ask, "keepalive"));
	memcpy(q + n, "\0\0\x29", 3);
	store_be16(q + n + 3, payload);
	store_be32(q + n + 5, (flag(ask, "do") ? 0x8000u : 0) | (strstr(ask, "version=1") ? 0x10000u : 0));
	store_be16(q + n + 9, length);
	n += 11;
	if (flag(ask, "nsid")) {
		store_be32(q + n, 3u << 16);
		n += 4;
	}
	if (flag(ask, "keepalive")) {
		store_be32(q + n, 11u << 16);
		n += 4;
	}
	return n;
}

static void ask_for(struct fixture *f, const char *ask, struct answer_job *job, uint8_t *query, uint8_t *reply)
{
	size_t size = make_query(query, ask);

	*job = (struct answer_job){ .query = query, .query_size = (uint16_t)size, .reply = reply,
		.reply_capacity = 65535, .tcp = flag(ask, "tcp") };
}

static void print_section(FILE *out, const char *name, const ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i)), *end = text + strlen(text);

		while (end > text && (end[-1] == '\n' || end[-1] == ' '))
			*--end = '\0';
		for (char *p = text; *p; p++)
			if (*p == '\t')
				*p = ' ';
		fprintf(out, "%s %s\n", name, text);
		free(text);
	}
}

static void print_edns(FILE *out, const ldns_pkt *p)
{
	ldns_rdf *data = ldns_pkt_edns_data(p);
	size_t size = data ? ldns_rdf_size(data) : 0;
	const uint8_t *o = data ? ldns_rdf_data(data) : NULL;

	if (!ldns_pkt_edns(p))
		return;
	fprintf(out, "edns %u%s", ldns_pkt_edns_udp_size(p), ldns_pkt_edns_do(p) ? " do" : "");
	for (size_t i = 0; i + 4 <= size; i += 4u + load_be16(o + i + 2))
		switch (load_be16(o + i)) {
		case 3:
			fprintf(out, " nsid ");
			for (unsigned j = 0; j < load_be16(o + i + 2); j++)
				fprintf(out, "%02x", o[i + 4 + j]);
			break;
		case 11:
			fprintf(out, " keepalive %u", load_be16(o + i + 4));
			break;
		case 15:
			fprintf(out, " ede %u", load_be16(o + i + 4));
			break;
		default:
			fprintf(out, " option %u", load_be16(o + i));
		}
	fprintf(out, "\n");
}

static char *print_reply(const struct answer_job *job)
{
	static const char *const rcodes[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
		"YXDOMAIN", "7", "8", "NOTAUTH" };
	ldns_pkt *p;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!job->reply_size) {
		fprintf(out, "nothing\n");
		fclose(out);
		return text;
	}
	if (ldns_wire2pkt(&p, job->reply, job->reply_size) != LDNS_STATUS_OK)
		fail_msg("ldns cannot read the reply");
	fprintf(out, "%s", ldns_pkt_edns_extended_rcode(p) == 1 && ldns_pkt_get_rcode(p) == 0 ? "BADVERS" :
		rcodes[ldns_pkt_get_rcode(p)]);
	fprintf(out, "%s%s%s%s\n", ldns_pkt_aa(p) ? " aa" : "", ldns_pkt_tc(p) ? " tc" : "", ldns_pkt_ra(p) ? " ra" : "",
		ldns_pkt_ad(p) || ldns_pkt_cd(p) ? " ad/cd" : "");
	assert_true(ldns_pkt_qr(p) && ldns_pkt_rd(p) && ldns_pkt_id(p) == 0xabcd);
	print_section(out, "AN", ldns_pkt_answer(p));
	print_section(out, "AU", ldns_pkt_authority(p));
	print_section(out, "AR", ldns_pkt_additional(p));
	print_edns(out, p);
	fclose(out);
	ldns_pkt_free(p);
	return text;
}

static void check_reply(struct fixture *f, struct test_store *store, const char *ask, const char *expected)
{
	static uint8_t reply[65535];
	uint8_t query[512];
	struct answer_job job;
	char *text;

	ask_for(f, ask, &job, query, reply);
	answer_batch_from(f->answerer, test_store_find, store, &job, 1);
	text = print_reply(&job);
	if (strcmp(text, expected))
		fail_msg("%s:\n%s--- expected:\n%s", ask, text, expected);
	/* the question comes back octet by octet */
	assert_memory_equal(reply + 12, query + 12, strlen(ask) ? (size_t)(name_length(query + 12, 255) + 4) : 0);
	free(text);
}

static void test_table(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_reply(f, &f->store, rows[i].ask, rows[i].reply);
}

/* All at once are answered as one by one. */
static void test_batch(void **state)
{
	struct fixture *f = *state;
	enum { COUNT = ANSWER_BATCH };
	struct answer_job jobs[COUNT];
	uint8_t (*queries)[512] = calloc(COUNT, sizeof *queries), (*replies)[4096] = calloc(COUNT, sizeof *replies);

	for (unsigned i = 0; i < COUNT; i++) {
		ask_for(f, rows[i].ask, &jobs[i], queries[i], replies[i]);
		jobs[i].reply_capacity = sizeof replies[i];
	}
	jobs[5].query_size = 11;
	jobs[6].query_size = 14;
	answer_batch_from(f->answerer, test_store_find, &f->store, jobs, COUNT);
	for (unsigned i = 0; i < COUNT; i++) {
		if (i == 5) {
			assert_int_equal(jobs[i].reply_size, 0);
		} else if (i == 6) {
			assert_int_equal(jobs[i].reply_size, DNS_HEADER_SIZE);
			assert_memory_equal(replies[i], "\xab\xcd\x81\1\0\0\0\0\0\0\0", 12);
		} else {
			char *text = print_reply(&jobs[i]);

			assert_string_equal(text, rows[i].reply);
			free(text);
		}
	}
	free(queries);
	free(replies);
}

static void test_root_zone(void **state)
{
	static const struct row root_rows[] = {
		{ "ns. A", "NOERROR aa\nAN ns. 3600 IN A 192.0.2.50\n" },
		{ ". NS", "NOERROR aa\nAN . 3600 IN NS ns.\nAN . 3600 IN NS ns.com.\nAR ns. 3600 IN A 192.0.2.50\n"
			"AR ns.com. 3600 IN A 192.0.2.51\n" },
		{ "x.com. A", "NOERROR\nAU com. 3600 IN NS ns.com.\nAR ns.com. 3600 IN A 192.0.2.51\n" },
		{ "al. A", "NOERROR aa\nAN al. 3600 IN CNAME ns.\nAN ns. 3600 IN A 192.0.2.50\n" },
		{ "www.tld. MX", "NOERROR aa\nAN tld. 3600 IN DNAME com2.\nAN www.tld. 3600 IN CNAME www.com2.\n"
			"AN www.com2. 3600 IN MX 1 ns.\nAR ns. 3600 IN A 192.0.2.50\n" },
		{ "nope. A", "NXDOMAIN aa\nAU . 30 IN SOA a. b. 4711 1 1 1 30\n" },
		{ ". DS", "NOERROR aa\nAU . 30 IN SOA a. b. 4711 1 1 1 30\n" },
	};
	struct fixture *f = *state;
	struct test_store store = { .count = 1, .zone = { &f->root } };

	for (size_t i = 0; i < sizeof root_rows / sizeof root_rows[0]; i++)
		check_reply(f, &store, root_rows[i].ask, root_rows[i].reply);
}

static void test_zone_states(void **state)
{
	struct fixture *f = *state;
	struct test_store store = { .prepared = true };

	check_reply(f, &store, "www.example. A edns", "REFUSED\nedns 1232 ede 14\n");
	f->example.view.unreadable = true;
	check_reply(f, &f->store, "www.example. A", "SERVFAIL\n");
	f->example.view.unreadable = false;
	f->example.view.serial_fixed = true;
	check_reply(f, &f->store, "www.example. MX",
		"NOERROR aa\nAU example. 300 IN SOA ns1.example. host.example. 7 7200 3600 1209600 300\n");
	f->example.view.serial_fixed = false;
}

/* ---- room --------------------------------------------------------------------- */

static struct answer_job ask_once(struct fixture *f, struct test_zone *z, const char *ask, uint8_t *reply)
{
	struct test_store store = { .count = 1, .zone = { z } };
	uint8_t query[512];
	struct answer_job job;

	ask_for(f, ask, &job, query, reply);
	answer_batch_from(f->answerer, test_store_find, &store, &job, 1);
	job.query = NULL;
	return job;
}

/* At every size that a client may allow: within it, whole RRsets, OPT there,
 * and TC exactly where something needed is missing. */
static void test_truncation(void **state)
{
	static const char zone[] =
		"example. 60 IN SOA a. b. 1 1 1 1 1\n" "example. 60 IN NS ns.example.\n" "ns.example. 60 IN A 192.0.2.1\n"
		"big.example. 60 IN CNAME t.example.\n"
		"sub.example. 60 IN NS sib.other.example.\n" "sub.example. 60 IN NS a.sub.example.\n"
		"sub.example. 60 IN NS b.sub.example.\n"
		"other.example. 60 IN NS ns.\n" "sib.other.example. 60 IN AAAA 2001:db8::1\n"
		"a.sub.example. 60 IN AAAA 2001:db8::2\n" "b.sub.example. 60 IN A 192.0.2.2\n";
	struct fixture *f = *state;
	uint8_t *reply = malloc(65535);
	char text[8192];
	struct test_zone z;
	size_t n = (size_t)snprintf(text, sizeof text, "%s", zone);

	for (unsigned i = 0; i < 40; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "t.example. 60 IN A 10.0.0.%u\n", i);
	for (unsigned i = 0; i < 30; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "sub.example. 60 IN NS g%02u.sub.example.\n"
			"g%02u.sub.example. 60 IN A 10.0.1.%u\n", i, i, i);
	test_zone_from_text(&z, "example.", text);
	for (unsigned payload = 512; payload < 1300; payload++) {
		char ask[64];
		struct answer_job job;
		ldns_pkt *p;
		size_t answers, glue, sibling = 0;

		snprintf(ask, sizeof ask, "big.example. A payload=%u", payload);
		job = ask_once(f, &z, ask, reply);
		assert_true(job.reply_size <= payload && job.reply_size <= 1232);
		assert_int_equal(ldns_wire2pkt(&p, reply, job.reply_size), LDNS_STATUS_OK);
		answers = ldns_rr_list_rr_count(ldns_pkt_answer(p));
		assert_true(ldns_pkt_edns(p) && (answers == 1 || answers == 41));
		assert_int_equal(ldns_pkt_tc(p), answers == 1);
		ldns_pkt_free(p);

		snprintf(ask, sizeof ask, "x.sub.example. A payload=%u", payload);
		job = ask_once(f, &z, ask, reply);
		assert_true(job.reply_size <= payload && job.reply_size <= 1232);
		assert_int_equal(ldns_wire2pkt(&p, reply, job.reply_size), LDNS_STATUS_OK);
		answers = ldns_rr_list_rr_count(ldns_pkt_authority(p));
		glue = ldns_rr_list_rr_count(ldns_pkt_additional(p));
		for (size_t i = 0; i < glue; i++) {
			char *owner = ldns_rdf2str(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_additional(p), i)));

			sibling += !strncmp(owner, "sib.", 4);
			free(owner);
		}
		assert_true(ldns_pkt_edns(p) && (answers == 33 || (answers == 0 && glue == 0)));
		assert_int_equal(ldns_pkt_tc(p), answers == 0 || glue - sibling < 32);
		ldns_pkt_free(p);
	}
	test_zone_free(&z);
	free(reply);
}

/* What is counted for an RRset is what it takes, where its owner has to be
 * spelled out, too: a message that fits by the octet is not truncated. The
 * NSEC at "!far" denies the name and the wildcard, and comes last. */
static void test_exact_fit(void **state)
{
	struct fixture *f = *state;
	uint8_t *reply = malloc(65535);
	char signature[129], text[4096], ask[64];
	struct answer_job job;
	struct test_zone z;
	uint32_t size;

	memset(signature, 'A', sizeof signature - 1);
	signature[sizeof signature - 1] = 0;
#define SIG(owner, type) owner " 60 IN RRSIG " type " 13 2 60 20300101000000 20200101000000 1 example. %s\n"
	snprintf(text, sizeof text, "example. 60 IN SOA a. b. 1 1 1 1 1\n" SIG("example.", "SOA") "example. 60 IN NS ns.\n"
		"example. 60 IN NSEC !far.example. NS SOA RRSIG NSEC\n" SIG("example.", "NSEC")
		"!far.example. 60 IN TXT x\n" "!far.example. 60 IN NSEC example. TXT RRSIG NSEC\n"
		SIG("!far.example.", "NSEC") SIG("!far.example.", "NSEC"), signature, signature, signature, signature);
#undef SIG
	test_zone_from_text(&z, "example.", text);
	job = ask_once(f, &z, "this.is.not.there.example. A do tcp", reply);
	size = job.reply_size;
	assert_in_range(size, EDNS_PAYLOAD_MIN + 1, 1232);
	snprintf(ask, sizeof ask, "this.is.not.there.example. A do payload=%u", size);
	job = ask_once(f, &z, ask, reply);
	assert_int_equal(job.reply_size, size);
	assert_int_equal(load_be16(reply + 2) & DNS_FLAG_TC, 0);
	snprintf(ask, sizeof ask, "this.is.not.there.example. A do payload=%u", size - 1);
	job = ask_once(f, &z, ask, reply);
	assert_true(job.reply_size < size && load_be16(reply + 2) & DNS_FLAG_TC);
	test_zone_free(&z);
	free(reply);
}

/* Over TCP a message may be longer than pointers reach. */
static void test_far_names(void **state)
{
	enum { NAMES = 600 };
	struct fixture *f = *state;
	struct test_zone z;
	uint8_t *reply = malloc(65535);
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct answer_job job;
	ldns_pkt *p;

	fprintf(out, "example. 60 IN SOA a. b. 1 1 1 1 1\nexample. 60 IN NS ns.example.\n");
	for (unsigned i = 0; i < NAMES; i++)
		fprintf(out, "sub.example. 60 IN NS host-with-a-long-name-%04u.sub.example.\n"
			"host-with-a-long-name-%04u.sub.example. 60 IN A 10.0.%u.%u\n"
			"host-with-a-long-name-%04u.sub.example. 60 IN A 10.1.%u.%u\n", i, i, i / 256, i % 256, i, i / 256, i % 256);
	fclose(out);
	test_zone_from_text(&z, "example.", text);
	job = ask_once(f, &z, "x.sub.example. A tcp", reply);
	assert_int_equal(ldns_wire2pkt(&p, reply, job.reply_size), LDNS_STATUS_OK);
	assert_false(ldns_pkt_tc(p));
	assert_true(job.reply_size > 40000);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_authority(p)), NAMES);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_additional(p)), 2 * NAMES);
	for (unsigned i = 0; i < 2 * NAMES; i++) {
		char *owner = ldns_rdf2str(ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_additional(p), i))), expected[64];

		snprintf(expected, sizeof expected, "host-with-a-long-name-%04u.sub.example.", i / 2);
		assert_string_equal(owner, expected);
		free(owner);
	}
	ldns_pkt_free(p);
	test_zone_free(&z);
	free(text);
	free(reply);
}

/* No record twice, however often its name is a target; and no end of them. */
static void test_many_targets(void **state)
{
	struct fixture *f = *state;
	struct test_zone z;
	uint8_t *reply = malloc(65535);
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct answer_job job;
	ldns_pkt *p;

	fprintf(out, "example. 60 IN SOA a. b. 1 1 1 1 1\nexample. 60 IN NS ns.example.\n");
	for (unsigned i = 0; i < 400; i++)
		fprintf(out, "mx.example. 60 IN MX %u h%u.example.\n", i, i % 100);
	for (unsigned i = 0; i < 100; i++)
		fprintf(out, "h%u.example. 60 IN A 10.0.0.%u\n", i, i);
	fclose(out);
	test_zone_from_text(&z, "example.", text);
	job = ask_once(f, &z, "mx.example. MX tcp", reply);
	assert_int_equal(ldns_wire2pkt(&p, reply, job.reply_size), LDNS_STATUS_OK);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(p)), 400);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_additional(p)), 64);
	for (size_t i = 0; i < 64; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(ldns_rr_compare(ldns_rr_list_rr(ldns_pkt_additional(p), i),
				ldns_rr_list_rr(ldns_pkt_additional(p), k)), 0);
	ldns_pkt_free(p);
	test_zone_free(&z);
	free(text);
	free(reply);
}

static void test_counters(void **state)
{
	struct fixture *f = *state;
	struct answerer *a = answerer_new(&options, TEST_HASH_KEY), *kept = f->answerer;
	struct answer_counters *c = answerer_counters(a);

	f->answerer = a;
	check_reply(f, &f->store, "missing.example. A", "NXDOMAIN aa\n" NEGATIVE);
	check_reply(f, &f->store, "www.example. MX", "NOERROR aa\n" NEGATIVE);
	check_reply(f, &f->store, "x.sub.example. A tcp", "NOERROR\n" REFERRAL);
	f->answerer = kept;
	assert_int_equal(c->queries, 3);
	assert_int_equal(c->responses, 3);
	assert_int_equal(c->tcp, 1);
	assert_int_equal(c->nodata, 1);
	assert_int_equal(c->referrals, 1);
	assert_int_equal(c->rcode[RCODE_NXDOMAIN], 1);
	assert_int_equal(c->rcode[RCODE_NOERROR], 2);
	answerer_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_batch), cmocka_unit_test(test_root_zone),
		cmocka_unit_test(test_zone_states), cmocka_unit_test(test_truncation), cmocka_unit_test(test_exact_fit),
		cmocka_unit_test(test_far_names), cmocka_unit_test(test_many_targets), cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
