#include "answer_proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void die(const char *what)
{
	fprintf(stderr, "proof: %s failed\n", what);
	abort();
}

/* ---- a reply under examination ---------------------------------------------- */

#define PROOFS 64
#define KEPT 4096

struct examined {
	const struct signed_zone *zone;
	ldns_rr_list *answer, *authority;       /* of the packet */
	const ldns_rr *denial[PROOFS];          /* NSEC and NSEC3 in the authority section */
	bool needed[PROOFS];
	unsigned denials;
	struct proof *proof;
	const char *wrong;                      /* the first thing that is */
};

/* Names made on the way live until the examination ends. */
static ldns_rdf *kept[KEPT];
static unsigned kept_count;

static ldns_rdf *keep(ldns_rdf *name)
{
	if (!name || kept_count == KEPT)
		die("keeping a name");
	return kept[kept_count++] = name;
}

static void forget_kept(void)
{
	while (kept_count)
		ldns_rdf_deep_free(kept[--kept_count]);
}

static bool wrong(struct examined *x, const char *what)
{
	if (!x->wrong)
		x->wrong = what;
	return false;
}

static bool same(const ldns_rdf *a, const ldns_rdf *b)
{
	return ldns_dname_compare(a, b) == 0;
}

static unsigned labels(const ldns_rdf *name)
{
	return ldns_dname_label_count(name);
}

/* The rightmost labels of a name. */
static const ldns_rdf *ancestor(const ldns_rdf *name, unsigned count)
{
	unsigned more = labels(name) - count;

	return more ? keep(ldns_dname_clone_from(name, (uint16_t)more)) : name;
}

static const ldns_rdf *wildcard_of(const ldns_rdf *name)
{
	ldns_rdf *asterisk = ldns_dname_new_frm_str("*");
	const ldns_rdf *whole = keep(ldns_dname_cat_clone(asterisk, name));

	ldns_rdf_deep_free(asterisk);
	return whole;
}

static unsigned common_labels(const ldns_rdf *a, const ldns_rdf *b)
{
	unsigned n = labels(a) < labels(b) ? labels(a) : labels(b);

	while (n && !same(ancestor(a, n), ancestor(b, n)))
		n--;
	return n;
}

static bool has_bit(const ldns_rr *denial, uint16_t type)
{
	return ldns_nsec_bitmap_covers_type(ldns_nsec_get_bitmap(denial), type);
}

static bool is_type(const ldns_rr *rr, uint16_t type)
{
	return (uint16_t)ldns_rr_get_type(rr) == type;
}

/* ---- signatures --------------------------------------------------------------- */

static const ldns_rr *find_rr(const ldns_rr_list *list, const ldns_rdf *owner, uint16_t type)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (is_type(rr, type) && same(ldns_rr_owner(rr), owner))
			return rr;
	}
	return NULL;
}

static const ldns_rr *find_sig(const ldns_rr_list *list, const ldns_rr *of)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (is_type(rr, LDNS_RR_TYPE_RRSIG) && same(ldns_rr_owner(rr), ldns_rr_owner(of)) &&
		    ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) == ldns_rr_get_type(of))
			return rr;
	}
	return NULL;
}

static bool made_from_dname(const struct examined *x, const ldns_rr *rr)
{
	if (!is_type(rr, LDNS_RR_TYPE_CNAME))
		return false;
	for (size_t i = 0; i < ldns_rr_list_rr_count(x->answer); i++) {
		const ldns_rr *dname = ldns_rr_list_rr(x->answer, i);

		if (is_type(dname, LDNS_RR_TYPE_DNAME) && ldns_dname_is_subdomain(ldns_rr_owner(rr), ldns_rr_owner(dname)))
			return true;
	}
	return false;
}

/* ---- what was verified before (it takes its time) ---- */

#define VERIFIED 65536

static uint64_t verified[VERIFIED];

static uint64_t fingerprint(const ldns_rr *rr)
{
	uint64_t hash = 0xcbf29ce484222325;
	uint8_t *wire;
	size_t size;

	if (ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK)
		die("ldns_rr2wire");
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ wire[i]) * 0x100000001b3;
	free(wire);
	return hash ^ hash >> 29;
}

static bool is_verified(uint64_t hash)
{
	return verified[hash % VERIFIED] == hash;
}

/* The owner that was signed, where a wildcard made the name. */
static const ldns_rdf *signed_owner(const ldns_rr *sig)
{
	const ldns_rdf *owner = ldns_rr_owner(sig);
	unsigned count = ldns_rdf2native_int8(ldns_rr_rrsig_labels(sig));

	if (count >= labels(owner) - (unsigned)ldns_dname_is_wildcard(owner))
		return owner;
	return wildcard_of(ancestor(owner, count));
}

/* Of the RRset that begins with the i-th record of the list. */
static bool verify_rrset(struct examined *x, ldns_rr_list *list, size_t i)
{
	ldns_rr *first = ldns_rr_list_rr(list, i), *sig = (ldns_rr *)(uintptr_t)find_sig(list, first);
	ldns_rr_list *set, *good;
	ldns_status s = LDNS_STATUS_OK;
	uint64_t hash;

	if (!sig)
		return wrong(x, "an RRset without signature");
	if (ldns_rr_ttl(sig) != ldns_rr_ttl(first))
		return wrong(x, "an RRset and its signature have two TTLs");
	set = ldns_rr_list_new();
	hash = fingerprint(sig);
	for (; i < ldns_rr_list_rr_count(list); i++) {
		ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (ldns_rr_get_type(rr) != ldns_rr_get_type(first) || !same(ldns_rr_owner(rr), ldns_rr_owner(first)))
			continue;
		hash += fingerprint(rr);
		rr = ldns_rr_clone(rr);
		ldns_rdf_deep_free(ldns_rr_owner(rr));
		ldns_rr_set_owner(rr, ldns_rdf_clone(signed_owner(sig)));
		ldns_rr_list_push_rr(set, rr);
	}
	if (!is_verified(hash)) {
		good = ldns_rr_list_new();
		s = ldns_verify_rrsig_keylist(set, sig, x->zone->keys, good);
		ldns_rr_list_free(good);
		if (s == LDNS_STATUS_OK)
			verified[hash % VERIFIED] = hash;
	}
	ldns_rr_list_deep_free(set);
	return s == LDNS_STATUS_OK || wrong(x, ldns_get_errorstr_by_id(s));
}

static bool verify_section(struct examined *x, ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		bool unsigned_here = is_type(rr, LDNS_RR_TYPE_RRSIG) || made_from_dname(x, rr) ||
			(list == x->authority && is_type(rr, LDNS_RR_TYPE_NS));

		if (!unsigned_here && find_rr(list, ldns_rr_owner(rr), (uint16_t)ldns_rr_get_type(rr)) == rr &&
		    !verify_rrset(x, list, i))
			return false;
	}
	return true;
}

static bool collect_denials(struct examined *x)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(x->authority); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(x->authority, i);
		bool nsec = is_type(rr, LDNS_RR_TYPE_NSEC), nsec3 = is_type(rr, LDNS_RR_TYPE_NSEC3);

		if (!nsec && !nsec3)
			continue;
		if (nsec != (x->zone->kind == SIGN_NSEC))
			return wrong(x, "a proof of the other kind");
		if (x->denials == PROOFS)
			return wrong(x, "too many proofs");
		for (unsigned k = 0; k < x->denials; k++)
			if (same(ldns_rr_owner(x->denial[k]), ldns_rr_owner(rr)))
				return wrong(x, "a proof twice");
		x->denial[x->denials++] = rr;
	}
	x->proof->records = x->denials;
	return true;
}

/* ---- NSEC (RFC 4035 5.4) -------------------------------------------------------- */

static bool nsec_spans(const ldns_rr *nsec, const ldns_rdf *name)
{
	const ldns_rdf *owner = ldns_rr_owner(nsec), *next = ldns_rr_rdf(nsec, 0);
	bool last = ldns_dname_compare(owner, next) >= 0;

	return ldns_dname_compare(owner, name) < 0 && (last || ldns_dname_compare(name, next) < 0);
}

/* RFC 6840 4.1: an NSEC from the parent's side says nothing about what is
 * below the cut, nor one at a DNAME. */
static bool speaks_of(const ldns_rr *nsec, const ldns_rdf *name)
{
	if (!ldns_dname_is_subdomain(name, ldns_rr_owner(nsec)))
		return true;
	return !has_bit(nsec, LDNS_RR_TYPE_DNAME) && (!has_bit(nsec, LDNS_RR_TYPE_NS) || has_bit(nsec, LDNS_RR_TYPE_SOA));
}

static const ldns_rr *nsec_at(struct examined *x, const ldns_rdf *name)
{
	for (unsigned i = 0; i < x->denials; i++)
		if (same(ldns_rr_owner(x->denial[i]), name)) {
			x->needed[i] = true;
			return x->denial[i];
		}
	return NULL;
}

static const ldns_rr *nsec_over(struct examined *x, const ldns_rdf *name)
{
	for (unsigned i = 0; i < x->denials; i++)
		if (nsec_spans(x->denial[i], name) && speaks_of(x->denial[i], name)) {
			x->needed[i] = true;
			return x->denial[i];
		}
	return NULL;
}

/* The closest encloser that an NSEC over a name shows. */
static const ldns_rdf *nsec_encloser(const ldns_rr *nsec, const ldns_rdf *name)
{
	unsigned a = common_labels(ldns_rr_owner(nsec), name), b = common_labels(ldns_rr_rdf(nsec, 0), name);

	return ancestor(name, a > b ? a : b);
}

static bool nsec_no_name(struct examined *x, const ldns_rdf *name)
{
	const ldns_rr *over = nsec_over(x, name);

	if (!over)
		return wrong(x, "no NSEC over the name");
	if (ldns_dname_is_subdomain(ldns_rr_rdf(over, 0), name))
		return wrong(x, "NXDOMAIN for an empty non-terminal");
	return nsec_over(x, wildcard_of(nsec_encloser(over, name))) || wrong(x, "no NSEC over the wildcard");
}

static bool bits_deny(struct examined *x, const ldns_rr *denial, uint16_t type)
{
	if (has_bit(denial, type) || has_bit(denial, LDNS_RR_TYPE_CNAME))
		return wrong(x, "the type is in the bitmap");
	if (type == LDNS_RR_TYPE_DS && has_bit(denial, LDNS_RR_TYPE_SOA) && labels(x->zone->apex) &&
	    !same(ldns_rr_owner(denial), x->zone->apex) && x->zone->kind == SIGN_NSEC)
		return wrong(x, "the child's NSEC for DS");
	if (type != LDNS_RR_TYPE_DS && has_bit(denial, LDNS_RR_TYPE_NS) && !has_bit(denial, LDNS_RR_TYPE_SOA))
		return wrong(x, "a cut's NSEC for NODATA");
	return true;
}

static bool nsec_no_data(struct examined *x, const ldns_rdf *name, uint16_t type)
{
	const ldns_rr *at = nsec_at(x, name), *over;
	const ldns_rdf *wildcard;

	x->proof->kind = PROVED_NO_DATA;
	if (at)
		return bits_deny(x, at, type);
	over = nsec_over(x, name);
	if (!over)
		return wrong(x, "no NSEC at or over the name");
	if (ldns_dname_is_subdomain(ldns_rr_rdf(over, 0), name))
		return true;    /* an empty non-terminal */
	x->proof->kind = PROVED_WILDCARD_NO_DATA;
	wildcard = wildcard_of(nsec_encloser(over, name));
	at = nsec_at(x, wildcard);
	if (at)
		return bits_deny(x, at, type);
	over = nsec_over(x, wildcard);          /* or it is an empty non-terminal */
	return (over && ldns_dname_is_subdomain(ldns_rr_rdf(over, 0), wildcard)) || wrong(x, "no NSEC at the wildcard");
}

/* ---- NSEC3 (RFC 5155 8) ------------------------------------------------------------ */

static void first_label(const ldns_rdf *name, char text[64])
{
	size_t size = ldns_rdf_data(name)[0];

	memcpy(text, ldns_rdf_data(name) + 1, size);
	text[size] = '\0';
}

static void hash_of(const ldns_rr *nsec3, const ldns_rdf *name, char text[64])
{
	first_label(keep(ldns_nsec3_hash_name_frm_nsec3(nsec3, name)), text);
}

static const ldns_rr *nsec3_at(struct examined *x, const ldns_rdf *name)
{
	char owner[64], hash[64];

	for (unsigned i = 0; i < x->denials; i++) {
		first_label(ldns_rr_owner(x->denial[i]), owner);
		hash_of(x->denial[i], name, hash);
		if (!strcasecmp(owner, hash)) {
			x->needed[i] = true;
			return x->denial[i];
		}
	}
	return NULL;
}

static bool nsec3_spans(const ldns_rr *nsec3, const ldns_rdf *name)
{
	char owner[64], hash[64], *next = ldns_rdf2str(ldns_nsec3_next_owner(nsec3));
	bool last, after, before;

	first_label(ldns_rr_owner(nsec3), owner);
	hash_of(nsec3, name, hash);
	last = strcasecmp(owner, next) >= 0;
	after = strcasecmp(owner, hash) < 0;
	before = strcasecmp(hash, next) < 0;
	free(next);
	return last ? after || before : after && before;
}

static const ldns_rr *nsec3_over(struct examined *x, const ldns_rdf *name)
{
	for (unsigned i = 0; i < x->denials; i++)
		if (nsec3_spans(x->denial[i], name)) {
			x->needed[i] = true;
			x->proof->opt_out |= ldns_nsec3_optout(x->denial[i]);
			return x->denial[i];
		}
	return NULL;
}

/* 8.3: the closest encloser that matches, and the next closer name spanned. */
static const ldns_rdf *nsec3_encloser(struct examined *x, const ldns_rdf *name, const ldns_rr **next_closer)
{
	for (unsigned n = labels(name); n-- > labels(x->zone->apex); ) {
		const ldns_rr *at = nsec3_at(x, ancestor(name, n));

		if (!at)
			continue;
		if (has_bit(at, LDNS_RR_TYPE_DNAME) || (has_bit(at, LDNS_RR_TYPE_NS) && !has_bit(at, LDNS_RR_TYPE_SOA))) {
			wrong(x, "the closest encloser is a cut or a DNAME");
			return NULL;
		}
		*next_closer = nsec3_over(x, ancestor(name, n + 1));
		if (!*next_closer)
			wrong(x, "no NSEC3 over the next closer name");
		return *next_closer ? ancestor(name, n) : NULL;
	}
	wrong(x, "no NSEC3 at any encloser");
	return NULL;
}

static bool nsec3_no_name(struct examined *x, const ldns_rdf *name)
{
	const ldns_rr *next_closer;
	const ldns_rdf *encloser = nsec3_encloser(x, name, &next_closer);

	return encloser && (nsec3_over(x, wildcard_of(encloser)) || wrong(x, "no NSEC3 over the wildcard"));
}

static bool nsec3_no_data(struct examined *x, const ldns_rdf *name, uint16_t type)
{
	const ldns_rr *at = nsec3_at(x, name), *next_closer;
	const ldns_rdf *encloser;

	x->proof->kind = PROVED_NO_DATA;
	if (at)
		return bits_deny(x, at, type);
	encloser = nsec3_encloser(x, name, &next_closer);
	if (!encloser)
		return false;
	at = nsec3_at(x, wildcard_of(encloser));
	if (at) {
		x->proof->kind = PROVED_WILDCARD_NO_DATA;
		return bits_deny(x, at, type);
	}
	/* 8.6, and empty non-terminals that opt-out left without an NSEC3 */
	return ldns_nsec3_optout(next_closer) || wrong(x, "no opt-out over the next closer name");
}

/* ---- referrals, answers, chains ------------------------------------------------------ */

static bool no_ds_bits(struct examined *x, const ldns_rr *at)
{
	return (has_bit(at, LDNS_RR_TYPE_NS) && !has_bit(at, LDNS_RR_TYPE_DS) && !has_bit(at, LDNS_RR_TYPE_SOA)) ||
		wrong(x, "the bitmap at the cut");
}

static bool prove_referral(struct examined *x, const ldns_rdf *cut)
{
	const ldns_rr *at, *next_closer;

	if (find_rr(x->authority, cut, LDNS_RR_TYPE_DS)) {
		x->proof->kind = PROVED_SECURE_REFERRAL;
		return true;
	}
	x->proof->kind = PROVED_INSECURE_REFERRAL;
	if (x->zone->kind == SIGN_NSEC) {
		at = nsec_at(x, cut);
		return at ? no_ds_bits(x, at) : wrong(x, "no NSEC at the cut");
	}
	at = nsec3_at(x, cut);
	if (at)
		return no_ds_bits(x, at);
	return nsec3_encloser(x, cut, &next_closer) &&
		(ldns_nsec3_optout(next_closer) || wrong(x, "no opt-out over the cut"));
}

/* RFC 4035 5.3.4: a wildcard made this RRset, so that nothing nearer is there. */
static bool prove_expansion(struct examined *x, const ldns_rr *rr)
{
	const ldns_rr *sig = find_sig(x->answer, rr);
	const ldns_rdf *name = ldns_rr_owner(rr);
	unsigned signed_labels = ldns_rdf2native_int8(ldns_rr_rrsig_labels(sig));
	bool asterisk = ldns_dname_is_wildcard(name);

	if (signed_labels + asterisk >= labels(name))
		return true;
	x->proof->wildcards++;
	if (x->zone->kind == SIGN_NSEC) {
		const ldns_rr *over = nsec_over(x, name);

		return (over && labels(nsec_encloser(over, name)) == signed_labels) ||
			wrong(x, "no NSEC over the name that a wildcard answered");
	}
	return nsec3_over(x, ancestor(name, signed_labels + 1)) || wrong(x, "no NSEC3 over the next closer name of a wildcard");
}

static const ldns_rr *dname_above(const struct examined *x, const ldns_rdf *name)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(x->answer); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(x->answer, i);

		if (is_type(rr, LDNS_RR_TYPE_DNAME) && ldns_dname_is_subdomain(name, ldns_rr_owner(rr)))
			return rr;
	}
	return NULL;
}

static const ldns_rdf *substitute(const ldns_rdf *name, const ldns_rr *dname)
{
	unsigned above = labels(name) - labels(ldns_rr_owner(dname));
	ldns_rdf *made = ldns_dname_new_frm_str(".");

	for (unsigned i = 0; i < above; i++) {
		ldns_rdf *label = ldns_dname_label(name, (uint8_t)i);

		ldns_dname_cat(made, label);
		ldns_rdf_deep_free(label);
	}
	ldns_dname_cat(made, ldns_rr_rdf(dname, 0));
	return keep(made);
}

/* That a record of the answer section belongs to its name. */
static void prove_record(struct examined *x, const ldns_rr *rr)
{
	const ldns_rr *dname = made_from_dname(x, rr) ? dname_above(x, ldns_rr_owner(rr)) : NULL;

	if (!dname)
		prove_expansion(x, rr);
	else if (!same(substitute(ldns_rr_owner(rr), dname), ldns_rr_rdf(rr, 0)))
		wrong(x, "a CNAME that is not what its DNAME makes");
}

/* One name further, as the answer section says; NULL: it says no more. */
static const ldns_rdf *next_name(struct examined *x, const ldns_rdf *name)
{
	const ldns_rr *cname = find_rr(x->answer, name, LDNS_RR_TYPE_CNAME);

	if (!cname)
		return NULL;
	prove_record(x, cname);
	x->proof->steps++;
	return ldns_rr_rdf(cname, 0);
}

static bool prove_negative(struct examined *x, const ldns_pkt *p, const ldns_rdf *name, uint16_t type)
{
	bool nsec = x->zone->kind == SIGN_NSEC;

	if (ldns_pkt_get_rcode(p) == LDNS_RCODE_NXDOMAIN) {
		x->proof->kind = PROVED_NO_NAME;
		return nsec ? nsec_no_name(x, name) : nsec3_no_name(x, name);
	}
	return nsec ? nsec_no_data(x, name, type) : nsec3_no_data(x, name, type);
}

static void prove_end(struct examined *x, const ldns_pkt *p, const ldns_rdf *name, uint16_t type)
{
	const ldns_rr *rr = find_rr(x->answer, name, type);

	for (size_t i = 0; i < ldns_rr_list_rr_count(x->authority) && !rr; i++) {
		const ldns_rr *ns = ldns_rr_list_rr(x->authority, i);

		if (!is_type(ns, LDNS_RR_TYPE_NS))
			continue;
		if (!same(name, ldns_rr_owner(ns)) && !ldns_dname_is_subdomain(name, ldns_rr_owner(ns)))
			wrong(x, "a referral elsewhere");
		prove_referral(x, ldns_rr_owner(ns));
		return;
	}
	if (rr) {
		x->proof->kind = PROVED_POSITIVE;
		prove_record(x, rr);
	} else if (find_rr(x->authority, x->zone->apex, LDNS_RR_TYPE_SOA)) {
		prove_negative(x, p, name, type);
	} else {
		x->proof->kind = PROVED_CHAIN_ENDS;
	}
}

const char *check_signatures(const struct signed_zone *z, const ldns_pkt *p)
{
	struct proof ignored;
	struct examined x = { .zone = z, .answer = ldns_pkt_answer(p), .authority = ldns_pkt_authority(p), .proof = &ignored };

	if (verify_section(&x, x.answer))
		verify_section(&x, x.authority);
	forget_kept();
	return x.wrong;
}

const char *prove(const struct signed_zone *z, const ldns_pkt *p, const ldns_rdf *name, uint16_t type, struct proof *proof)
{
	struct examined x = { .zone = z, .answer = ldns_pkt_answer(p), .authority = ldns_pkt_authority(p), .proof = proof };

	*proof = (struct proof){ .kind = PROVED_CHAIN_ENDS };
	if (verify_section(&x, x.answer) && verify_section(&x, x.authority) && collect_denials(&x)) {
		const ldns_rdf *next = name;

		while (!find_rr(x.answer, name, type) && (next = next_name(&x, name)) && proof->steps < 32)
			name = next;
		prove_end(&x, p, name, type);
	}
	for (unsigned i = 0; i < x.denials; i++)
		if (!x.needed[i])
			wrong(&x, "a proof that proves nothing");
	forget_kept();
	return x.wrong;
}
