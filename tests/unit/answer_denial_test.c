/*
 * Proofs of what is not there: zones signed by ldns, asked for every name at,
 * below and beside every owner, and each reply judged twice: a naive model
 * says what it has to be, a validator (answer_proof.c) whether it proves it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer_proof.h"
#include "answer_texts.h"
#include "wire/nsec3.h"
#include "wire/query.h"
#include "wire/rrtype.h"

#define NAMES_MAX 256
#define NEGATIVE_TTL 200        /* of all zones here */

static const char bare_zone[] = "bare. 60 IN SOA a. b. 1 1 1 1 200\n" "bare. 60 IN NS ns.far.\n";

/* ---- the model ------------------------------------------------------------------- */

static bool at_or_below(const ldns_rdf *name, const ldns_rdf *above)
{
	return ldns_dname_compare(name, above) == 0 || ldns_dname_is_subdomain(name, above);
}

static const ldns_rr *model_rr(const struct signed_zone *z, const ldns_rdf *owner, uint16_t type)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(z->plain); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(z->plain, i);

		if ((!type || (uint16_t)ldns_rr_get_type(rr) == type) && ldns_dname_compare(ldns_rr_owner(rr), owner) == 0)
			return rr;
	}
	return NULL;
}

static bool model_exists(const struct signed_zone *z, const ldns_rdf *name)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(z->plain); i++)
		if (at_or_below(ldns_rr_owner(ldns_rr_list_rr(z->plain, i)), name))
			return true;
	return false;
}

/* DNSSEC's own types, which the model's records do not hold. */
static bool model_has(const struct signed_zone *z, const ldns_rdf *owner, uint16_t type)
{
	if (type == TYPE_NSEC)
		return z->kind == SIGN_NSEC && model_rr(z, owner, 0);
	if (type == TYPE_NSEC3PARAM)
		return z->kind != SIGN_NSEC && ldns_dname_compare(owner, z->apex) == 0;
	return model_rr(z, owner, type);
}

static ldns_rdf *model_wildcard(const struct signed_zone *z, const ldns_rdf *name)
{
	ldns_rdf *encloser = ldns_dname_left_chop(name), *asterisk = ldns_dname_new_frm_str("*"), *whole, *next;

	while (!model_exists(z, encloser)) {
		next = ldns_dname_left_chop(encloser);
		ldns_rdf_deep_free(encloser);
		encloser = next;
	}
	whole = ldns_dname_cat_clone(asterisk, encloser);
	ldns_rdf_deep_free(asterisk);
	ldns_rdf_deep_free(encloser);
	return whole;
}

/* The highest cut or DNAME at or above a name; NULL: none. */
static const ldns_rr *model_barrier(const struct signed_zone *z, const ldns_rdf *name, uint16_t type)
{
	const ldns_rr *best = NULL;

	for (size_t i = 0; i < ldns_rr_list_rr_count(z->plain); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(z->plain, i);
		bool self = ldns_dname_compare(ldns_rr_owner(rr), name) == 0;

		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_NS ?
		    ldns_dname_compare(ldns_rr_owner(rr), z->apex) == 0 || (self && type == TYPE_DS) :
		    ldns_rr_get_type(rr) != LDNS_RR_TYPE_DNAME || self)
			continue;
		if (at_or_below(name, ldns_rr_owner(rr)) &&
		    (!best || ldns_dname_is_subdomain(ldns_rr_owner(best), ldns_rr_owner(rr))))
			best = rr;
	}
	return best;
}

static ldns_rdf *model_substitute(const ldns_rdf *name, const ldns_rr *dname)
{
	size_t above = ldns_rdf_size(name) - ldns_rdf_size(ldns_rr_owner(dname));
	size_t tail = ldns_rdf_size(ldns_rr_rdf(dname, 0));
	uint8_t wire[2 * NAME_MAX_SIZE];

	if (above + tail > NAME_MAX_SIZE)
		return NULL;
	memcpy(wire, ldns_rdf_data(name), above);
	memcpy(wire + above, ldns_rdf_data(ldns_rr_rdf(dname, 0)), tail);
	return ldns_dname_new_frm_data((uint16_t)(above + tail), wire);
}

/* One step: what the name comes to, or the name to go on with. */
static enum proved model_step(const struct signed_zone *z, const ldns_rdf *name, uint16_t type, ldns_rdf **next)
{
	const ldns_rr *barrier = model_barrier(z, name, type), *cname;
	enum proved no_data = PROVED_NO_DATA, kind;
	ldns_rdf *at;

	*next = NULL;
	if (barrier && ldns_rr_get_type(barrier) == LDNS_RR_TYPE_NS)
		return model_rr(z, ldns_rr_owner(barrier), TYPE_DS) ? PROVED_SECURE_REFERRAL : PROVED_INSECURE_REFERRAL;
	if (barrier) {
		if (type == TYPE_CNAME)
			return PROVED_POSITIVE;
		*next = model_substitute(name, barrier);
		return PROVED_CHAIN_ENDS;
	}
	at = ldns_rdf_clone(name);
	if (!model_exists(z, name)) {
		ldns_rdf_deep_free(at);
		at = model_wildcard(z, name);
		no_data = PROVED_WILDCARD_NO_DATA;
	}
	cname = model_rr(z, at, TYPE_CNAME);
	if (!model_exists(z, at))
		kind = PROVED_NO_NAME;
	else if (model_has(z, at, type))
		kind = PROVED_POSITIVE;
	else if (cname)
		*next = ldns_rdf_clone(ldns_rr_rdf(cname, 0)), kind = PROVED_CHAIN_ENDS;
	else
		kind = no_data;
	ldns_rdf_deep_free(at);
	return kind;
}

static enum proved model(const struct signed_zone *z, const ldns_rdf *name, uint16_t type)
{
	ldns_rdf *now = ldns_rdf_clone(name), *next;
	enum proved kind = PROVED_CHAIN_ENDS;

	for (unsigned i = 0; i < 16 && at_or_below(now, z->apex); i++) {
		kind = model_step(z, now, type, &next);
		ldns_rdf_deep_free(now);
		now = next;
		if (!now)
			return kind;
	}
	ldns_rdf_deep_free(now);
	return PROVED_CHAIN_ENDS;
}

/* ---- asking ------------------------------------------------------------------------ */

static const uint16_t types[] = { TYPE_A, TYPE_NS, TYPE_CNAME, TYPE_MX, TYPE_DNAME, TYPE_DS, TYPE_NSEC, TYPE_NSEC3PARAM };
#define TYPES (sizeof types / sizeof types[0])

static struct answerer *answerer;
static uint8_t reply[65535];

enum how { OVER_TCP, OVER_UDP, WITHOUT_DO };

static ldns_pkt *ask_with(struct signed_zone *z, const ldns_rdf *name, uint16_t type, bool tcp, bool dnssec, uint16_t payload)
{
	static uint8_t q[512];
	struct test_store store = { .count = 1, .zone = { &z->zone } };
	size_t size = ldns_rdf_size(name), n = DNS_HEADER_SIZE + size;
	struct answer_job job;
	ldns_pkt *p;

	memcpy(q, "\xab\xcd\1\0\0\1\0\0\0\0\0\1", DNS_HEADER_SIZE);
	memcpy(q + DNS_HEADER_SIZE, ldns_rdf_data(name), size);
	store_be16(q + n, type);
	store_be16(q + n + 2, CLASS_IN);
	memcpy(q + n + 4, "\0\0\x29\0\0\0\0\0\0\0\0", 11);
	store_be16(q + n + 7, payload);
	q[n + 11] = dnssec ? 0x80 : 0;
	job = (struct answer_job){ .query = q, .query_size = (uint16_t)(n + 15), .reply = reply,
		.reply_capacity = sizeof reply, .tcp = tcp };
	answer_batch_from(answerer, test_store_find, &store, &job, 1);
	if (ldns_wire2pkt(&p, reply, job.reply_size) != LDNS_STATUS_OK)
		fail_msg("ldns cannot read the reply");
	assert_true(tcp || job.reply_size <= payload);
	return p;
}

static ldns_pkt *ask(struct signed_zone *z, const ldns_rdf *name, uint16_t type, enum how how)
{
	return ask_with(z, name, type, how != OVER_UDP, how != WITHOUT_DO, 800);
}

static void tell(const ldns_pkt *p, const char *what)
{
	char *text = ldns_pkt2str(p);

	fprintf(stderr, "%s\n", text);
	free(text);
	fail_msg("%s", what);
}

/* RFC 9077: no NSEC or NSEC3 outlives a negative answer. */
static void check_ttls(const ldns_pkt *p, uint32_t most)
{
	const ldns_rr_list *sections[] = { ldns_pkt_answer(p), ldns_pkt_authority(p) };

	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 0; i < ldns_rr_list_rr_count(sections[k]); i++) {
			const ldns_rr *rr = ldns_rr_list_rr(sections[k], i);
			ldns_rr_type type = ldns_rr_get_type(rr);

			if (type == LDNS_RR_TYPE_RRSIG)
				type = ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr));
			if ((type == LDNS_RR_TYPE_NSEC || type == LDNS_RR_TYPE_NSEC3 ||
			    (k && type == LDNS_RR_TYPE_SOA)) && ldns_rr_ttl(rr) > most)
				tell(p, "a TTL above that of a negative answer");
		}
}

/* ldns 1.8 forgets the hashed name in every NODATA: no leak of ours. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

/* What ldns thinks of it. Its check for NSEC knows the parent's wildcard only,
 * the one for NSEC3 no closest encloser that is the root, and no empty
 * non-terminal that opt-out left out. */
static void check_with_ldns(const struct signed_zone *z, const ldns_pkt *p, const ldns_rdf *name, uint16_t type,
	const struct proof *proof)
{
	enum proved kind = proof->kind;
	ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(p), 0);
	ldns_rr_list *denials, *sigs;
	ldns_status s = LDNS_STATUS_OK;
	ldns_rdf *parent;

	if ((kind != PROVED_NO_NAME && kind != PROVED_NO_DATA) || !ldns_dname_label_count(z->apex))
		return;
	if (kind == PROVED_NO_DATA && proof->opt_out && type != TYPE_DS)
		return;
	parent = ldns_dname_left_chop(name);
	if (__lsan_disable)
		__lsan_disable();
	denials = ldns_pkt_rr_list_by_type(p, z->kind == SIGN_NSEC ? LDNS_RR_TYPE_NSEC : LDNS_RR_TYPE_NSEC3, LDNS_SECTION_AUTHORITY);
	sigs = ldns_pkt_rr_list_by_type(p, LDNS_RR_TYPE_RRSIG, LDNS_SECTION_AUTHORITY);
	if (z->kind != SIGN_NSEC)
		s = ldns_dnssec_verify_denial_nsec3(question, denials, sigs, ldns_pkt_get_rcode(p), type, kind == PROVED_NO_DATA);
	else if (kind == PROVED_NO_NAME && model_exists(z, parent))
		s = ldns_dnssec_verify_denial(question, denials, sigs);
	if (__lsan_enable)
		__lsan_enable();
	if (s != LDNS_STATUS_OK)
		tell(p, ldns_get_errorstr_by_id(s));
	ldns_rr_list_deep_free(denials);
	ldns_rr_list_deep_free(sigs);
	ldns_rdf_deep_free(parent);
}

static unsigned asked[3], proofs[PROVED_CHAIN_ENDS + 1], opted_out[PROVED_CHAIN_ENDS + 1], truncated;

static void check_proof(const struct signed_zone *z, const ldns_pkt *p, const ldns_rdf *name, uint16_t type)
{
	enum proved expected = model(z, name, type);
	struct proof proof;
	const char *bad = prove(z, p, name, type, &proof);
	/* a wildcard that is an empty non-terminal, and that opt-out left out */
	bool left_out = proof.opt_out && expected == PROVED_WILDCARD_NO_DATA && proof.kind == PROVED_NO_DATA;

	if (bad)
		tell(p, bad);
	if ((expected != proof.kind && !left_out) || (ldns_pkt_get_rcode(p) == LDNS_RCODE_NXDOMAIN) != (expected == PROVED_NO_NAME))
		tell(p, "the reply proves something else than the zone says");
	check_ttls(p, NEGATIVE_TTL);
	if (!proof.steps)
		check_with_ldns(z, p, name, type, &proof);
	proofs[proof.kind]++;
	opted_out[proof.kind] += proof.opt_out;
}

/* RFC 3225 3: who does not ask for them gets none. */
static void check_plain(const ldns_pkt *p, uint16_t type)
{
	const ldns_rr_list *sections[] = { ldns_pkt_answer(p), ldns_pkt_authority(p), ldns_pkt_additional(p) };

	for (unsigned k = 0; k < 3; k++)
		for (size_t i = 0; i < ldns_rr_list_rr_count(sections[k]); i++) {
			uint16_t it = (uint16_t)ldns_rr_get_type(ldns_rr_list_rr(sections[k], i));

			if (it == TYPE_RRSIG || it == TYPE_NSEC3 || ((it == TYPE_NSEC || it == TYPE_DS) && (it != type || k)))
				tell(p, "DNSSEC's records without DO");
		}
}

static void check_question(struct signed_zone *z, const ldns_rdf *name, uint16_t type)
{
	for (enum how how = OVER_TCP; how <= WITHOUT_DO; how++) {
		ldns_pkt *p = ask(z, name, type, how);

		if (how == WITHOUT_DO)
			check_plain(p, type);
		else if (!ldns_pkt_tc(p))
			check_proof(z, p, name, type);
		else if (how == OVER_TCP)
			tell(p, "truncated over TCP");
		else
			truncated++;
		asked[how]++;
		ldns_pkt_free(p);
	}
}

static void check_name(struct signed_zone *z, const uint8_t *prefix, size_t prefix_size, const ldns_rdf *owner)
{
	uint8_t wire[NAME_MAX_SIZE + 64];
	size_t size = prefix_size + ldns_rdf_size(owner);
	ldns_rdf *name;

	if (size > NAME_MAX_SIZE)
		return;
	memcpy(wire, prefix, prefix_size);
	memcpy(wire + prefix_size, ldns_rdf_data(owner), ldns_rdf_size(owner));
	name = ldns_dname_new_frm_data((uint16_t)size, wire);
	for (unsigned i = 0; i < TYPES; i++)
		check_question(z, name, types[i]);
	ldns_rdf_deep_free(name);
}

/* Just before and just behind it in canonical order. */
static void check_beside(struct signed_zone *z, const ldns_rdf *owner)
{
	ldns_rdf *parent = ldns_dname_left_chop(owner);
	uint8_t label[64], size = ldns_rdf_data(owner)[0];

	memcpy(label, ldns_rdf_data(owner), size + 1u);
	if (size < 63) {
		label[0] = (uint8_t)(size + 1);
		label[size + 1] = '0';
		check_name(z, label, size + 2u, parent);
		label[0] = size;
	}
	label[size]--;
	check_name(z, label, size + 1u, parent);
	ldns_rdf_deep_free(parent);
}

static void check_around(struct signed_zone *z, const ldns_rdf *owner)
{
	static const struct { const char *wire; size_t size; } prefixes[] = {
		{ "", 0 }, { "\1a", 2 }, { "\2zz", 3 }, { "\1*", 2 }, { "\1\0", 2 }, { "\1a\1q", 4 }, { "\1w\1w\1w\1w", 8 },
		{ "\1x\1*", 4 },
	};

	for (unsigned i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		check_name(z, (const uint8_t *)prefixes[i].wire, prefixes[i].size, owner);
	if (ldns_dname_compare(owner, z->apex) != 0)
		check_beside(z, owner);
}

/* Every owner once, and what lies between it and the apex. */
static unsigned all_names(const struct signed_zone *z, ldns_rdf **names)
{
	unsigned n = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(z->plain); i++) {
		ldns_rdf *name = ldns_rdf_clone(ldns_rr_owner(ldns_rr_list_rr(z->plain, i))), *above;
		unsigned k = 0;

		for (; name && at_or_below(name, z->apex); name = above) {
			for (k = 0; k < n && ldns_dname_compare(names[k], name) != 0; k++)
				;
			if (k < n)
				break;
			assert_true(n < NAMES_MAX);
			names[n++] = name;
			above = ldns_dname_left_chop(name);
		}
		ldns_rdf_deep_free(name);
	}
	return n;
}

static void check_zone(const char *origin, const char *text, enum sign_kind kind, uint16_t iterations, const char *salt)
{
	ldns_rdf *names[NAMES_MAX];
	struct signed_zone z;
	unsigned count;

	signed_zone_make(&z, origin, text, kind, iterations, salt);
	count = all_names(&z, names);
	for (unsigned i = 0; i < count; i++) {
		check_around(&z, names[i]);
		ldns_rdf_deep_free(names[i]);
	}
	signed_zone_free(&z);
}

static void check_all(enum sign_kind kind, uint16_t iterations, const char *salt)
{
	memset(asked, 0, sizeof asked);
	memset(proofs, 0, sizeof proofs);
	memset(opted_out, 0, sizeof opted_out);
	truncated = 0;
	check_zone("example.", example_zone, kind, iterations, salt);
	check_zone(".", root_zone, kind, iterations, salt);
	check_zone("bare.", bare_zone, kind, iterations, salt);
	for (unsigned i = 0; i <= PROVED_CHAIN_ENDS; i++)
		assert_true(proofs[i] > 0);
	assert_true(truncated > 0 && truncated < asked[OVER_UDP] / 4 * 3);
}

static void test_nsec(void **state)
{
	check_all(SIGN_NSEC, 0, "");
}

static void test_nsec3(void **state)
{
	check_all(SIGN_NSEC3, 0, "");
}

static void test_nsec3_salted(void **state)
{
	check_zone(".", root_zone, SIGN_NSEC3, 7, "00ff5a");
}

static void test_nsec3_opt_out(void **state)
{
	check_all(SIGN_NSEC3_OPT_OUT, 0, "");
	/* it was met where it matters: no DS at a cut, names and data that
	 * may be there unsigned */
	assert_true(opted_out[PROVED_INSECURE_REFERRAL] && opted_out[PROVED_NO_DATA] && opted_out[PROVED_NO_NAME]);
}

/* At every size: truncated, and then every RRset is whole, or all is there. */
static void check_sizes(enum sign_kind kind)
{
	static const struct { const char *name; uint16_t type; } questions[] = {
		{ "www.example.", TYPE_A }, { "example.", TYPE_DNSKEY }, { "x.wild.example.", TYPE_MX }, { "x.wild.example.", TYPE_TXT },
		{ "x.wcgone.example.", TYPE_A }, { "x.wcwild.example.", TYPE_A }, { "x.d.example.", TYPE_A }, { "y.d.example.", TYPE_A },
		{ "host.sub.example.", TYPE_A }, { "host.secure.example.", TYPE_A }, { "tosecure.example.", TYPE_A },
		{ "b.ent.example.", TYPE_A }, { "www.example.", TYPE_RRSIG }, { "www.example.", TYPE_ANY }, { "dsub.example.", TYPE_DS },
	};
	struct signed_zone z;
	unsigned cut = 0, whole = 0;

	signed_zone_make(&z, "example.", example_zone, kind, 0, "");
	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		ldns_rdf *name = ldns_dname_new_frm_str(questions[i].name);
		uint16_t type = questions[i].type;

		for (uint16_t payload = 512; payload <= 1400; payload++) {
			ldns_pkt *p = ask_with(&z, name, type, false, true, payload);
			const char *bad = check_signatures(&z, p);

			if (type == TYPE_RRSIG)
				assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(p)), !ldns_pkt_tc(p));
			else if (bad)
				tell(p, bad);
			else if (!ldns_pkt_tc(p) && type != TYPE_ANY)
				check_proof(&z, p, name, type);
			cut += ldns_pkt_tc(p);
			whole += !ldns_pkt_tc(p);
			ldns_pkt_free(p);
		}
		ldns_rdf_deep_free(name);
	}
	assert_true(cut > 1000 && whole > 1000);
	signed_zone_free(&z);
}

static void test_sizes(void **state)
{
	check_sizes(SIGN_NSEC);
	check_sizes(SIGN_NSEC3);
}

/* RRSIGs are asked for by themselves: what there is, TTLs like the RRsets'. */
static void test_signatures_asked_for(void **state)
{
	ldns_rdf *name = ldns_dname_new_frm_str("www.example.");
	struct signed_zone z;
	ldns_pkt *p;

	signed_zone_make(&z, "example.", example_zone, SIGN_NSEC, 0, "");
	p = ask(&z, name, TYPE_RRSIG, OVER_TCP);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(p)), 3);         /* A, AAAA, NSEC */
	check_ttls(p, NEGATIVE_TTL);
	ldns_pkt_free(p);
	p = ask(&z, name, TYPE_RRSIG, OVER_UDP);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(p)), 1);
	ldns_pkt_free(p);
	p = ask(&z, name, TYPE_ANY, WITHOUT_DO);
	assert_int_equal(ldns_rr_list_rr_count(ldns_pkt_answer(p)), 6);
	check_ttls(p, NEGATIVE_TTL);
	ldns_pkt_free(p);
	signed_zone_free(&z);
	ldns_rdf_deep_free(name);
}

/* More iterations than anybody validates are not computed. */
static void test_too_many_iterations(void **state)
{
	ldns_rdf *name = ldns_dname_new_frm_str("missing.bare.");
	struct signed_zone z;
	struct proof proof;
	ldns_pkt *p;

	for (unsigned over = 0; over < 2; over++) {
		signed_zone_make(&z, "bare.", bare_zone, SIGN_NSEC3, (uint16_t)(NSEC3_ITERATIONS_MAX + over), "");
		p = ask(&z, name, TYPE_A, OVER_TCP);
		assert_int_equal(ldns_pkt_get_rcode(p), LDNS_RCODE_NXDOMAIN);
		assert_int_equal(prove(&z, p, name, TYPE_A, &proof) != NULL, over);
		assert_int_equal(proof.records, over ? 0 : 1);
		ldns_pkt_free(p);
		signed_zone_free(&z);
	}
	ldns_rdf_deep_free(name);
}

static int setup(void **state)
{
	static const struct answer_options options = { .udp_payload_max = 1400, .tcp_idle_seconds = 30 };

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
		cmocka_unit_test(test_nsec), cmocka_unit_test(test_nsec3), cmocka_unit_test(test_nsec3_salted),
		cmocka_unit_test(test_nsec3_opt_out), cmocka_unit_test(test_sizes), cmocka_unit_test(test_signatures_asked_for),
		cmocka_unit_test(test_too_many_iterations),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
