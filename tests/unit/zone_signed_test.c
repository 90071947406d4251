/* Zones with ZONEMD and with signatures: what the loader and a check say of them. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "zone_signer.h"
#include "zone_support.h"

/* The same must come of the text and of the set that was made of it. */
static void assert_told(const char *apex, const char *text, const char *expected)
{
	struct told told = { .size = 0 };
	struct loaded l;
	struct check_request q = { .view = &l.view, .problem = told_problem, .arg = &told };
	struct check_result r;

	load_text(&l, apex, text, 0, NULL);
	if (l.status < 0)
		fail_msg("%s\n%s", l.err.message, text);
	assert_int_equal(zone_check(&q, &r, &l.err), 0);
	assert_int_equal(r.rules, l.result.rules);
	if (expected) {
		if (!strstr(l.told.text, expected) || l.told.rules != 1)
			fail_msg("not told: %s, but:\n%s", expected, l.told.text);
		assert_non_null(strstr(told.text, expected));
	} else {
		assert_string_equal(l.told.text, "");
		assert_string_equal(told.text, "");
	}
	loaded_free(&l);
}

/* RFC 8976 A.1 and A.2 (less its record outside the zone, and the second of two). */
#define SIMPLE_HEAD "@ 86400 SOA ns1 admin 2018031900 1800 900 604800 86400\n@ 86400 NS ns1\n@ 86400 NS ns2\n"
#define SIMPLE SIMPLE_HEAD "ns1 3600 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n"
#define SIMPLE_DIGEST "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c"
#define COMPLEX SIMPLE_HEAD "ns1 3600 A 203.0.113.63\nNS2 3600 AAAA 2001:db8::63\n" \
	"occluded.sub 7200 TXT \"I'm occluded but must be digested\"\nsub 7200 NS ns1\n" \
	"duplicate 300 TXT \"I must be digested just once\"\nUPPERCASE 3600 TXT \"canonicalize uppercase owner names\"\n" \
	"* 777 PTR dont-forget-about-wildcards\nmail 3600 MX 20 MAIL1\nmail 3600 MX 10 Mail2.Example.\n" \
	"sortme 3600 AAAA 2001:db8::5:61\nsortme 3600 AAAA 2001:db8::3:62\nsortme 3600 AAAA 2001:db8::4:63\n" \
	"sortme 3600 AAAA 2001:db8::1:65\nsortme 3600 AAAA 2001:db8::2:64\n" \
	"non-apex 900 ZONEMD 2018031900 1 1 616c6c6f776564206275742069676e6f7265642e20616c6c6f776564206275742069676e6f7265642e20616c6c6f7765\n"
#define COMPLEX_DIGEST "a3b69bad980a3504e1cffcb0fd6397f93848071c93151f552ae2f6b1711d4bd2d8b39808226d7b9db71e34b72077f8fe"
#define MD "@ 86400 ZONEMD "

static void test_zonemd_examples(void **state)
{
	assert_told("example", SIMPLE MD "2018031900 1 1 " SIMPLE_DIGEST "\n", NULL);
	/* the occluded text is worth a warning, and nothing else is wrong */
	{
		struct loaded l;

		load_text(&l, "example", COMPLEX MD "2018031900 1 1 " COMPLEX_DIGEST "\n", 0, NULL);
		assert_int_equal(l.status, 0);
		assert_int_equal(l.told.rules, 0);
		assert_true(l.result.serial_fixed);
		assert_null(strstr(l.told.text, "zonemd"));
		loaded_free(&l);
	}
}

static void test_zonemd_wrong(void **state)
{
	/* another record, another TTL, another serial, a short digest, twice the same hash */
	assert_told("example", SIMPLE "more A 192.0.2.1\n" MD "2018031900 1 1 " SIMPLE_DIGEST "\n", "the digest of the zone is another");
	assert_told("example", SIMPLE_HEAD "ns1 3601 A 203.0.113.63\nns2 3600 AAAA 2001:db8::63\n" MD "2018031900 1 1 " SIMPLE_DIGEST "\n",
		"the digest of the zone is another");
	assert_told("example", SIMPLE MD "2018031901 1 1 " SIMPLE_DIGEST "\n", "it is of serial 2018031901, the SOA has 2018031900");
	assert_told("example", SIMPLE MD "2018031900 1 2 " SIMPLE_DIGEST "\n", "its digest has 48 octets, not 64");
}

static void test_zonemd_several(void **state)
{
	struct loaded l;

	/* of one hash twice none counts, though one is right: both are told */
	load_text(&l, "example", SIMPLE MD "2018031900 1 1 " SIMPLE_DIGEST "\n" MD "2018031900 1 1 " COMPLEX_DIGEST "\n", 0, NULL);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.told.rules, 2);
	assert_true(l.result.failed);
	loaded_free(&l);
	/* one that is right is enough */
	load_text(&l, "example", SIMPLE MD "2018031900 1 1 " SIMPLE_DIGEST "\n" MD "2018031900 1 2 " SIMPLE_DIGEST
		"0123456789abcdef0123456789abcdef\n", 0, NULL);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.told.rules, 0);
	assert_int_equal(l.told.warnings, 1);
	assert_non_null(strstr(l.told.text, "zonemd-other"));
	loaded_free(&l);
	/* what is not known here says nothing */
	load_text(&l, "example", SIMPLE MD "2018031900 240 1 " SIMPLE_DIGEST "\n", 0, NULL);
	assert_int_equal(l.status, 0);
	assert_int_equal(l.told.rules, 0);
	assert_non_null(strstr(l.told.text, "scheme 240 with hash 1 is not known here"));
	loaded_free(&l);
}

/* ---- signatures ------------------------------------------------------------------ */

#define NOW INT64_C(1767225600)         /* 2026-01-01 */
#define OPTED_OUT "sub.example. 3600 IN NS ns.sub.example.\nns.sub.example. 3600 IN A 192.0.2.3\nx.sub.ent.example. 3600 IN NS ns.elsewhere.\n"
#define PLAIN BASE OPTED_OUT
#define BASE "example. 3600 IN SOA ns1.example. admin.example. 7 1800 900 604800 300\nexample. 3600 IN NS ns1.example.\n" \
	"example. 3600 IN NS NS.sub.example.\nns1.example. 3600 IN A 192.0.2.1\nns1.example. 3600 IN A 192.0.2.2\n" \
	"a.b.c.example. 60 IN TXT \"below empty non-terminals\"\n*.w.example. 60 IN MX 10 MAIL.example.\n" \
	"secure.example. 3600 IN NS ns.elsewhere.\nsecure.example. 3600 IN DS 4711 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n" \
	"d.example. 3600 IN DNAME target.elsewhere.\nUPPER.example. 3600 IN SRV 0 0 53 Server.Example.\n"

/* Checks the text; told: what was said. */
static void check_text(const char *text, struct told *told, struct check_result *r)
{
	struct loaded l;
	struct check_request q = { .view = &l.view, .signatures = true, .problem = told_problem, .arg = told };

	memset(told, 0, sizeof(*told));
	load_text(&l, "example", text, 0, NULL);
	if (l.status < 0)
		fail_msg("%s\n%s", l.err.message, text);
	assert_int_equal(zone_check(&q, r, &l.err), 0);
	assert_memory_equal(&r->signing, &l.result.signing, sizeof(r->signing));
	loaded_free(&l);
}

static void assert_sound(const char *text)
{
	struct check_result r;
	struct told told;

	check_text(text, &told, &r);
	if (told.size)
		fail_msg("%s\n%s", told.text, text);
	assert_true(r.signing.is_signed);
	assert_int_equal(r.signing.until, 2051222400);
	assert_int_equal(r.signing.keys, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(r.signing.key[i].flags, KEY_PUBLISHED | KEY_SIGNS);
}

static void assert_broken(const char *text, const char *expected)
{
	struct check_result r;
	struct told told;

	check_text(text, &told, &r);
	if (!strstr(told.text, expected) || !r.rules)
		fail_msg("not told: %s, but:\n%s\n%s", expected, told.text, text);
}

/* The text without the lines that hold both; malloc'd. */
static char *without(const char *text, const char *a, const char *b)
{
	char *out = malloc(strlen(text) + 1), *to = out;
	unsigned gone = 0;

	while (*text) {
		size_t n = strcspn(text, "\n") + 1;
		char *line = strndup(text, n);

		if (strstr(line, a) && strstr(line, b)) {
			gone++;
		} else {
			memcpy(to, text, n);
			to += n;
		}
		free(line);
		text += n;
	}
	*to = '\0';
	assert_true(gone);
	return out;
}

/* With the first a replaced by b; malloc'd. */
static char *replaced(const char *text, const char *a, const char *b)
{
	const char *at = strstr(text, a);
	char *out;

	assert_non_null(at);
	assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, b, at + strlen(a)) > 0);
	return out;
}

static void assert_broken_without(const char *text, const char *a, const char *b, const char *expected)
{
	char *changed = without(text, a, b);

	assert_broken(changed, expected);
	free(changed);
}

static void assert_broken_replaced(const char *text, const char *a, const char *b, const char *expected)
{
	char *changed = replaced(text, a, b);

	assert_broken(changed, expected);
	free(changed);
}

static void test_sound(void **state)
{
	static const int algorithms[] = { 8, 10, 13, 14, 15 };

	for (unsigned i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		struct signer *s = signer_new("example.", algorithms[i] == 10 ? 8 : algorithms[i]);

		for (int kind = SIGN_NSEC; kind <= SIGN_NSEC3_OPT_OUT; kind++)
			for (unsigned zonemd = 0; zonemd <= 2; zonemd++) {
				struct sign_how how = { .kind = (enum sign_kind)kind, .zonemd = zonemd };
				char *text = signer_sign(s, PLAIN, &how);

				assert_sound(text);
				free(text);
			}
		signer_free(s);
	}
}

static void test_broken_signatures(void **state)
{
	struct signer *s = signer_new("example.", 13), *other = signer_new("example.", 13);
	struct sign_how how = { .kind = SIGN_NSEC };
	char *text = signer_sign(s, PLAIN, &how), *strange = signer_sign(other, PLAIN, &how), *mixed;
	struct check_result r;
	struct told told;

	assert_broken_without(text, "ns1.example.", "RRSIG\tA ", "rrsig-missing 0:0: ns1.example. A has no signature");
	assert_broken_without(text, "example.\t3600\tIN\tRRSIG\tDNSKEY", "", "rrsig-missing 0:0: example. DNSKEY has no signature");
	assert_broken_without(text, "secure.example.", "RRSIG\tDS", "rrsig-missing 0:0: secure.example. DS has no signature");
	assert_broken_replaced(text, "192.0.2.2", "192.0.2.9", "rrsig-bogus 0:0: the signature of ns1.example. A is not one of these records");
	assert_broken_replaced(text, "10 MAIL.example.", "11 MAIL.example.", "rrsig-bogus 0:0: the signature of *.w.example. MX");
	/* of a key that is there no more */
	assert_broken_without(text, "DNSKEY\t256", "", "which is not in the DNSKEY RRset");
	assert_broken_without(text, "DNSKEY\t256", "", "rrsig-bogus 0:0: the signature of example. SOA is by a key that is not in the DNSKEY RRset");
	/* a wrong signature beside the right one does no harm */
	assert_true(asprintf(&mixed, "%s%s", text, strstr(strange, "ns1.example.\t3600\tIN\tRRSIG\tA ")) > 0);
	*strchr(mixed + strlen(text), '\n') = '\0';
	check_text(mixed, &told, &r);
	assert_int_equal(r.rules, 0);
	assert_non_null(strstr(told.text, "rrsig-key"));
	free(mixed);
	/* of an algorithm that nobody knows */
	mixed = replaced(text, "DNSKEY\t256 3 13", "DNSKEY\t256 3 200");
	check_text(mixed, &told, &r);
	assert_non_null(strstr(told.text, "rrsig-bogus"));
	free(mixed);
	free(text);
	/* signed by the ZSK alone: valid, but the DS hardly points to it */
	how.no_ksk = true;
	text = signer_sign(s, PLAIN, &how);
	check_text(text, &told, &r);
	assert_int_equal(r.rules, 0);
	assert_int_equal(told.warnings, 1);
	assert_non_null(strstr(told.text, "dnskey-sep"));
	free(text);
	free(strange);
	signer_free(other);
	signer_free(s);
}

static void test_broken_nsec(void **state)
{
	struct signer *s = signer_new("example.", 13);
	struct sign_how how = { .kind = SIGN_NSEC };
	char *text = signer_sign(s, PLAIN, &how), *mixed;

	assert_broken_without(text, "d.example.\t", "NSEC", "denial 0:0: d.example. has no NSEC");
	assert_broken_without(text, "d.example.\t", "IN", "denial 0:0: the NSEC of a.b.c.example. says that d.example. comes next, but it is x.sub.ent.example.");
	mixed = without(text, "UPPER.example.\t", "IN");
	assert_broken_without(mixed, "upper.example.\t", "IN", "comes next, but it is *.w.example.");
	free(mixed);
	assert_broken_without(text, "*.w.example.\t", "IN", "says that *.w.example. comes next, but it is example.");
	assert_broken_replaced(text, "TXT RRSIG NSEC", "A TXT RRSIG NSEC", "denial 0:0: the NSEC of a.b.c.example. says that there is a A, but there is none");
	assert_broken_replaced(text, "NS DS RRSIG NSEC", "NS RRSIG NSEC", "denial 0:0: the NSEC of secure.example. says that there is no DS, but there is one");
	free(text);
	signer_free(s);
}

static void test_broken_nsec3(void **state)
{
	struct signer *s = signer_new("example.", 13);
	struct sign_how how = { .kind = SIGN_NSEC3 };
	char *text = signer_sign(s, PLAIN, &how), *first, *end, *owner, *line;

	assert_broken_without(text, "d.example.\t", "IN", "NSEC3 of example. are of no name that is there");
	assert_broken_replaced(text, "NSEC3PARAM\t1 0 0 abcd", "NSEC3PARAM\t1 0 1 abcd", "is not of the chain that NSEC3PARAM names");
	assert_broken_replaced(text, "TXT RRSIG", "A TXT RRSIG", "denial 0:0: the NSEC3 of a.b.c.example. says that there is a A, but there is none");
	/* one of the chain less: the one before leads past it, and a name has none */
	first = strstr(text, "\tNSEC3\t");
	while (*first != '\n')
		first--;
	end = strchr(++first, '\t');
	owner = strndup(first, (size_t)(end - first));
	line = without(text, owner, "IN");
	assert_broken(line, "has no NSEC3");
	assert_broken(line, "leads to another hash");
	free(line);
	free(owner);
	free(text);
	/* with opt-out insecure delegations need none, nor what is only above them */
	for (int kind = SIGN_NSEC3; kind <= SIGN_NSEC3_OPT_OUT; kind++) {
		how.kind = (enum sign_kind)kind;
		text = signer_sign(s, BASE, &how);
		assert_true(asprintf(&line, "%s%s", text, OPTED_OUT) > 0);
		if (kind == SIGN_NSEC3_OPT_OUT) {
			assert_sound(line);
		} else {
			assert_broken(line, "sub.example. has no NSEC3");
			assert_broken(line, "denial 0:0: ent.example. has no NSEC3");
			assert_broken(line, "x.sub.ent.example. has no NSEC3");
		}
		free(line);
		free(text);
	}
	signer_free(s);
}

static void test_times(void **state)
{
	struct signer *s = signer_new("example.", 13);
	struct sign_how how = { .expiration = NOW - 86400 };
	char *text = signer_sign(s, PLAIN, &how), *fresh, *mixed;
	struct check_result r;
	struct told told;

	assert_broken(text, "rrsig-expired 0:0: the signature of ns1.example. A expired on 2025-12-31T00:00:00Z");
	check_text(text, &told, &r);
	assert_int_equal(r.signing.until, NOW - 86400);
	/* a fresh signature beside an old one is what counts */
	how.expiration = NOW + 86400;
	fresh = signer_sign(s, PLAIN, &how);
	assert_true(asprintf(&mixed, "%s%s", text, fresh) > 0);
	check_text(mixed, &told, &r);
	assert_int_equal(r.rules, 0);
	assert_int_equal(r.signing.until, NOW + 86400);
	assert_non_null(strstr(told.text, "rrsig-expiring 0:0: the signature of ns1.example. A expires on 2026-01-02T00:00:00Z"));
	free(mixed);
	free(fresh);
	free(text);
	how = (struct sign_how){ .inception = NOW + 86400 };
	text = signer_sign(s, PLAIN, &how);
	assert_broken(text, "rrsig-early 0:0: the signature of ns1.example. A is not valid before 2026-01-02T00:00:00Z");
	free(text);
	signer_free(s);
}

/* Of a million names not a million lines. */
static void test_many(void **state)
{
	struct signer *s = signer_new("example.", 13);
	struct sign_how how = { .expiration = NOW - 1 };
	char *plain = NULL, *text;
	struct check_result r;
	struct told told;
	size_t size;
	FILE *f = open_memstream(&plain, &size);

	fputs(PLAIN, f);
	for (unsigned i = 0; i < 100; i++)
		fprintf(f, "n%u.example. 60 IN A 192.0.2.1\n", i);
	fclose(f);
	text = signer_sign(s, plain, &how);
	check_text(text, &told, &r);
	assert_true(r.rules > 200);
	assert_int_equal(told.rules, 21);
	assert_non_null(strstr(told.text, "more like these"));
	free(text);
	free(plain);
	signer_free(s);
}

static void test_iterations(void **state)
{
	struct signer *s = signer_new("example.", 13);
	struct sign_how how = { .kind = SIGN_NSEC3, .iterations = 100 };
	char *text = signer_sign(s, PLAIN, &how);
	struct check_result r;
	struct told told;

	check_text(text, &told, &r);
	assert_int_equal(r.rules, 0);
	assert_int_equal(told.warnings, 1);
	assert_non_null(strstr(told.text, "NSEC3 of example. with 100 iterations"));
	free(text);
	signer_free(s);
}

/* ---- spare SOAs ---------------------------------------------------------------------- */

/* The lines of the SOA and of ZONEMD, with their signatures; malloc'd. */
static char *soa_lines(const char *text)
{
	char *out = malloc(strlen(text) + 1), *to = out;

	for (; *text; text += strcspn(text, "\n") + 1) {
		size_t n = strcspn(text, "\n") + 1;
		char *line = strndup(text, n);

		if (strstr(line, "\tSOA\t") || strstr(line, "\tRRSIG\tSOA ") || strstr(line, "\tZONEMD\t") ||
		    strstr(line, "\tRRSIG\tZONEMD ")) {
			memcpy(to, text, n);
			to += n;
		}
		free(line);
	}
	*to = '\0';
	return out;
}

/* BASE with this serial, signed; malloc'd. RSA, as its signatures are the same
 * each time: a ZONEMD is of all of them. */
static char *signed_with(struct signer *s, unsigned serial, const struct sign_how *how)
{
	char soa[32], *plain, *text;

	snprintf(soa, sizeof(soa), "admin.example. %u ", serial);
	plain = replaced(PLAIN, "admin.example. 7 ", soa);
	text = signer_sign(s, plain, how);
	free(plain);
	return text;
}

struct spare_run { struct loaded set; struct spares_result result; struct told told; struct err err; int fd, status; };

static void run_spares(struct spare_run *r, const char *set, const char *text, bool known, uint32_t served)
{
	struct spares_request q = { .view = &r->set.view, .text_name = "spares", .served_known = known, .served = served,
		.problem = told_problem, .arg = &r->told };

	memset(r, 0, sizeof(*r));
	load_text(&r->set, "example", set, 0, NULL);
	assert_int_equal(r->set.status, 0);
	q.text_fd = empty_file();
	assert_int_equal(write(q.text_fd, text, strlen(text)), strlen(text));
	lseek(q.text_fd, 0, SEEK_SET);
	q.image_fd = r->fd = empty_file();
	r->status = zone_spares(&q, &r->result, &r->err);
	close(q.text_fd);
}

static void end_spares(struct spare_run *r)
{
	free(r->result.spares);
	loaded_free(&r->set);
	close(r->fd);
}

static void assert_refused(const char *set, const char *text, const char *expected)
{
	struct spare_run r;

	run_spares(&r, set, text, false, 0);
	if (r.status == 0 || !strstr(r.told.text, expected) || !r.err.code)
		fail_msg("not told: %s, but:\n%s%s\n%s", expected, r.told.text, r.err.message, text);
	assert_int_equal(r.result.count, 0);
	end_spares(&r);
}

/* Laid on top of the set each is a sound zone, with its own SOA. */
static void assert_spare_is_sound(struct spare_run *r, const struct made_spare *made)
{
	struct told told = { .size = 0 };
	struct check_request q = { .view = &r->set.view, .signatures = true, .problem = told_problem, .arg = &told };
	struct check_result result;
	uint8_t *bytes = malloc(made->size);
	char serial[32], *text;
	int fd = empty_file();

	assert_int_equal(pread(r->fd, bytes, made->size, (off_t)made->offset), made->size);
	assert_int_equal(write(fd, bytes, made->size), made->size);
	add_image(&r->set, fd, made->size);
	assert_int_equal(zone_check(&q, &result, &r->err), 0);
	assert_string_equal(told.text, "");
	assert_true(result.signing.is_signed);
	text = view_text(&r->set.view);
	snprintf(serial, sizeof(serial), "admin.example. %u ", made->serial);
	assert_non_null(strstr(text, serial));
	free(text);
	free(bytes);
}

static void test_spares(void **state)
{
	for (int kind = SIGN_NSEC; kind <= SIGN_NSEC3; kind++)
		for (unsigned zonemd = 0; zonemd <= 2; zonemd++) {
			struct signer *s = signer_new("example.", 8);
			struct sign_how how = { .kind = (enum sign_kind)kind, .zonemd = zonemd };
			char *set = signed_with(s, 7, &how), *eight = signed_with(s, 8, &how), *nine = signed_with(s, 9, &how), *text;
			char *a = soa_lines(nine), *b = soa_lines(eight), *c = soa_lines(set);
			struct spare_run r;

			/* in any order; the set's own is no spare one */
			assert_true(asprintf(&text, "%s%s%s", a, c, b) > 0);
			run_spares(&r, set, text, false, 0);
			if (r.status)
				fail_msg("%s\n%s", r.told.text, text);
			assert_int_equal(r.result.count, 2);
			assert_int_equal(r.result.warnings, 1);
			assert_non_null(strstr(r.told.text, "spare-idle"));
			assert_int_equal(r.result.spares[0].serial, 9);
			assert_int_equal(r.result.spares[1].serial, 8);
			assert_int_equal(r.result.spares[0].until, 2051222400);
			for (unsigned i = 0; i < 2; i++)
				assert_spare_is_sound(&r, &r.result.spares[i]);
			end_spares(&r);
			/* what was passed already is of no use */
			run_spares(&r, set, text, true, 8);
			assert_int_equal(r.status, 0);
			assert_int_equal(r.result.count, 1);
			assert_int_equal(r.result.warnings, 2);
			end_spares(&r);
			free(text);
			free(a), free(b), free(c);
			free(set), free(eight), free(nine);
			signer_free(s);
		}
}

static void assert_refused_without(const char *set, const char *text, const char *a, const char *expected)
{
	char *changed = without(text, a, "");

	assert_refused(set, changed, expected);
	free(changed);
}

static void assert_refused_replaced(const char *set, const char *text, const char *a, const char *b, const char *expected)
{
	char *changed = replaced(text, a, b);

	assert_refused(set, changed, expected);
	free(changed);
}

static void test_what_is_no_spare(void **state)
{
	struct signer *s = signer_new("example.", 8), *other = signer_new("example.", 8);
	struct sign_how how = { .zonemd = 1 }, no_zonemd = { .zonemd = 0 };
	char *set = signed_with(s, 7, &how), *eight = signed_with(s, 8, &how), *strange = signed_with(other, 8, &how);
	char *without_zonemd = signed_with(s, 7, &no_zonemd), *good = soa_lines(eight), *bad = soa_lines(strange), *twice;

	assert_refused(set, bad, "spare 1:1: the signature of its SOA is by a key that is not in the DNSKEY RRset");
	assert_refused_without(set, good, "RRSIG\tSOA", "its SOA has no signature, that of the set has one");
	assert_refused_without(set, good, "RRSIG\tZONEMD", "its ZONEMD has no signature");
	assert_refused_without(set, good, "ZONEMD\t", "a signature of a ZONEMD comes with it, but no ZONEMD");
	assert_refused_without(set, good, "ZONEMD", "it comes without ZONEMD, the set has one");
	assert_refused_without(set, good, "\tSOA\t", "this comes before the SOA that it belongs to");
	assert_refused_replaced(set, good, "admin.example. 8 ", "admin.example. 9 ", "is not one of these records by the key that it names");
	assert_refused_replaced(set, good, " 1800 900 ", " 1801 900 ", "it differs from the SOA of the set in more than its serial");
	assert_refused_replaced(set, good, "ns1.example. admin", "ns2.example. admin", "it differs from the SOA of the set");
	assert_refused_replaced(set, good, "ZONEMD\t8 ", "ZONEMD\t9 ", "its ZONEMD is malformed, or of another serial");
	assert_refused(without_zonemd, good, "it comes with a ZONEMD, the set has none");
	assert_true(asprintf(&twice, "%s%s", good, good) > 0);
	assert_refused(set, twice, "serial 8 stands in line 1, too");
	free(twice);
	assert_true(asprintf(&twice, "%sexample. 60 IN TXT x\n", good) > 0);
	assert_refused(set, twice, "TXT: only SOAs of the apex belong here");
	free(twice);
	assert_refused(set, "", "empty");
	assert_refused(set, "example. SOA this is none\n", "");
	/* the digest of another zone: signed by the same keys */
	{
		char *plain = replaced(PLAIN, "192.0.2.1", "192.0.2.77"), *eight_plain = replaced(plain, "admin.example. 7 ", "admin.example. 8 ");
		char *changed = signer_sign(s, eight_plain, &how), *lines = soa_lines(changed);

		assert_refused(set, lines, "its ZONEMD is not the digest of the set with it");
		free(lines), free(changed), free(eight_plain), free(plain);
	}
	free(bad), free(good), free(without_zonemd), free(strange), free(eight), free(set);
	signer_free(other);
	signer_free(s);
}

/* A ZONEMD without signatures has them, too; what needs none is told so. */
static void test_spares_of_what_is_not_signed(void **state)
{
	struct spare_run r;

	run_spares(&r, SIMPLE MD "2018031900 1 1 " SIMPLE_DIGEST "\n", "@ 86400 SOA ns1 admin 2018031901 1800 900 604800 86400\n"
		MD "2018031901 1 1 " SIMPLE_DIGEST "\n", false, 0);
	assert_int_equal(r.status, -1);
	assert_non_null(strstr(r.told.text, "its ZONEMD is not the digest of the set with it"));
	end_spares(&r);
	run_spares(&r, SIMPLE, "@ 86400 SOA ns1 admin 2018031901 1800 900 604800 86400\n", false, 0);
	assert_int_equal(r.status, -1);
	assert_true(err_is(&r.err, ERR_SERIAL));
	end_spares(&r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zonemd_examples), cmocka_unit_test(test_zonemd_wrong), cmocka_unit_test(test_zonemd_several),
		cmocka_unit_test(test_sound), cmocka_unit_test(test_broken_signatures), cmocka_unit_test(test_broken_nsec),
		cmocka_unit_test(test_broken_nsec3), cmocka_unit_test(test_times), cmocka_unit_test(test_many),
		cmocka_unit_test(test_iterations), cmocka_unit_test(test_spares), cmocka_unit_test(test_what_is_no_spare),
		cmocka_unit_test(test_spares_of_what_is_not_signed),
	};

	clock_set_wall_us(NOW * 1000000);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
