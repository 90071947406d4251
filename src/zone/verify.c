#include "zone/verify.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store/node.h"
#include "wire/rrtype.h"
#include "zone/canonical.h"
#include "zone/denials.h"
#include "zone/signing.h"

#define DNSKEY_HEAD     4
#define DNSKEY_ZONE     0x0100
#define DNSKEY_SEP      0x0001
#define DNSKEY_PROTOCOL 3
#define ALGORITHMS      256

/* ---- one signature ------------------------------------------------------------ */

/* What is signed: the RRSIG's own fields, then the records (RFC 4034 3.1.8.1). */
static int put_signed(struct canonical *c, const struct verify_keys *k, const uint8_t *owner, size_t owner_size,
	const struct node_rrset *s, const struct rrsig *sig, const uint8_t *rdata)
{
	uint8_t full[2 * NAME_MAX_SIZE];

	name_lower(full, owner, owner_size);
	memcpy(full + owner_size, k->apex, k->apex_size);
	/* the signer is the apex: compared before */
	if (canonical_put(c, rdata, RRSIG_HEAD) < 0 || canonical_put(c, k->apex, k->apex_size) < 0)
		return -1;
	for (uint32_t i = 0; i < s->count; i++)
		if (canonical_put_record(c, full, owner_size + k->apex_size, s->type, sig->original_ttl, s->records[i].rdata,
		    s->records[i].size) < 0)
			return -1;
	return 0;
}

/* ldns wants those of ECDSA as OpenSSL does. */
static ldns_status verify_ecdsa(const uint8_t *signature, size_t size, ldns_buffer *data, const uint8_t *key, size_t key_size,
	uint8_t algorithm)
{
	ldns_rdf rdf = { ._size = size, ._type = LDNS_RDF_TYPE_B64, ._data = (void *)(uintptr_t)signature };
	ldns_buffer *asn1 = ldns_buffer_new(size + 16);
	ldns_status status;

	if (!asn1)
		return LDNS_STATUS_MEM_ERR;
	status = ldns_convert_ecdsa_rrsig_rdf2asn1(asn1, &rdf);
	if (status == LDNS_STATUS_OK)
		status = ldns_verify_rrsig_buffers_raw(ldns_buffer_begin(asn1), ldns_buffer_position(asn1), data,
			(unsigned char *)(uintptr_t)key, key_size, algorithm);
	ldns_buffer_free(asn1);
	return status;
}

static ldns_status verify_with(const struct build_record *key, const uint8_t *signature, size_t size, const struct canonical *c,
	uint8_t algorithm)
{
	ldns_buffer data = { ._position = c->size, ._limit = c->size, ._capacity = c->size, ._data = c->bytes, ._fixed = 1,
		._status = LDNS_STATUS_OK };
	const uint8_t *public_key = key->rdata + DNSKEY_HEAD;
	size_t key_size = (size_t)key->size - DNSKEY_HEAD;

	if (algorithm == LDNS_ECDSAP256SHA256 || algorithm == LDNS_ECDSAP384SHA384)
		return verify_ecdsa(signature, size, &data, public_key, key_size, algorithm);
	return ldns_verify_rrsig_buffers_raw((unsigned char *)(uintptr_t)signature, size, &data,
		(unsigned char *)(uintptr_t)public_key, key_size, algorithm);
}

static bool may_sign(const struct build_record *key, const struct rrsig *sig)
{
	return key->size > DNSKEY_HEAD && load_be16(key->rdata) & DNSKEY_ZONE && key->rdata[2] == DNSKEY_PROTOCOL &&
		key->rdata[3] == sig->algorithm && dnskey_tag(key->rdata, key->size) == sig->tag;
}

/* The labels that an RRSIG counts: without the root, and without a wildcard. */
static unsigned signed_labels(const struct verify_keys *k, const uint8_t *owner, size_t size)
{
	uint8_t full[2 * NAME_MAX_SIZE];

	memcpy(full, owner, size);
	memcpy(full + size, k->apex, k->apex_size);
	return name_count_labels(full) - (full[0] == 1 && full[1] == '*');
}

static enum verdict try_keys(const struct verify_keys *k, const struct rrsig *sig, const uint8_t *signature, size_t size,
	const struct canonical *c, const char **reason)
{
	enum verdict verdict = VERDICT_WRONG;

	*reason = "is by a key that is not in the DNSKEY RRset";
	for (uint32_t i = 0; i < k->count; i++) {
		if (!may_sign(&k->keys[i], sig))
			continue;
		switch (verify_with(&k->keys[i], signature, size, c, sig->algorithm)) {
		case LDNS_STATUS_OK:
			return VERDICT_RIGHT;
		case LDNS_STATUS_CRYPTO_UNKNOWN_ALGO:
			verdict = VERDICT_UNKNOWN_ALGORITHM;
			break;
		case LDNS_STATUS_MEM_ERR:
			return VERDICT_NO_MEMORY;
		default:
			*reason = "is not one of these records by the key that it names";
			break;
		}
	}
	return verdict;
}

enum verdict verify_signature(const struct verify_keys *k, const uint8_t *owner, size_t owner_size, const struct node_rrset *s,
	const struct build_record *r, const char **reason)
{
	struct canonical c = { .bytes = NULL };
	enum verdict verdict;
	struct rrsig sig;
	size_t signer;

	*reason = "is malformed";
	if (!rrsig_parse(&sig, r, 0))
		return VERDICT_WRONG;
	signer = name_length(r->rdata + RRSIG_HEAD, r->size - RRSIG_HEAD);
	if (!signer)
		return VERDICT_WRONG;
	*reason = "names another signer than the apex";
	if (signer != k->apex_size || !name_equal(r->rdata + RRSIG_HEAD, k->apex, signer))
		return VERDICT_WRONG;
	*reason = "is of a name with another number of labels";
	if (sig.labels != signed_labels(k, owner, owner_size))
		return VERDICT_WRONG;
	if (put_signed(&c, k, owner, owner_size, s, &sig, r->rdata) < 0)
		verdict = VERDICT_NO_MEMORY;
	else
		verdict = try_keys(k, &sig, r->rdata + RRSIG_HEAD + signer, r->size - RRSIG_HEAD - signer, &c, reason);
	canonical_free(&c);
	return verdict;
}

/* ---- a set ----------------------------------------------------------------------- */

struct verifier {
	struct reporter *reporter;
	int64_t now;
	struct verify_keys keys;
	struct arena arena;             /* the keys */
	struct denials *denials;
	bool is_signed;
	bool algorithm_told[ALGORITHMS];
};

struct verifier *verifier_new(struct reporter *reporter, const struct view *view, int64_t now)
{
	struct verifier *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->reporter = reporter;
	v->now = now;
	v->keys = (struct verify_keys){ .apex = view->apex, .apex_size = view->apex_size };
	v->denials = denials_new(reporter, view);
	if (v->denials)
		return v;
	free(v);
	return NULL;
}

void verifier_free(struct verifier *v)
{
	if (!v)
		return;
	denials_free(v->denials);
	arena_free(&v->arena);
	free(v);
}

static const struct node_rrset *find_rrset(const struct zone_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].type == type)
			return &n->rrsets[i];
	return NULL;
}

static int keep_keys(struct verifier *v, const struct node_rrset *s)
{
	struct build_record *keys = arena_alloc(&v->arena, s->count * sizeof(*keys));

	for (uint32_t i = 0; keys && i < s->count; i++) {
		keys[i] = (struct build_record){ .rdata = arena_memdup(&v->arena, s->records[i].rdata, s->records[i].size),
			.size = s->records[i].size };
		if (!keys[i].rdata)
			return -1;
	}
	v->keys.keys = keys;
	v->keys.count = s->count;
	return keys ? 0 : -1;
}

static const char *owner_text(const struct verifier *v, const struct zone_node *n, char buf[NAME_TEXT_MAX])
{
	uint8_t full[2 * NAME_MAX_SIZE];

	memcpy(full, n->owner, n->owner_size);
	memcpy(full + n->owner_size, v->keys.apex, v->keys.apex_size);
	return name_to_text(buf, full);
}

static bool in_time(const struct verifier *v, const struct build_record *r)
{
	struct rrsig sig;

	return rrsig_parse(&sig, r, v->now) && sig.inception <= v->now && v->now < sig.expiration;
}

static void tell_algorithm(struct verifier *v, const struct build_record *sig)
{
	uint8_t algorithm = sig->rdata[2];
	char apex[NAME_TEXT_MAX];

	if (!v->algorithm_told[algorithm])
		report(v->reporter, RULE_RRSIG_ALGORITHM, NULL, 0, 0, "signatures of %s of algorithm %u cannot be verified here",
			name_to_text(apex, v->keys.apex), algorithm);
	v->algorithm_told[algorithm] = true;
}

/* One that is right and in time is enough; where none is in time, which
 * signing.c tells, one that is right. */
static int verify_rrset(struct verifier *v, const struct zone_node *n, const struct node_rrset *s)
{
	const struct build_record *wrong = NULL, *unknown = NULL;
	const char *reason = "", *why = "";
	char name[NAME_TEXT_MAX], type[16];
	bool any_in_time = false;

	for (uint32_t i = 0; i < s->sig_count; i++)
		any_in_time |= in_time(v, &s->sigs[i]);
	for (uint32_t i = 0; i < s->sig_count; i++) {
		if (any_in_time && !in_time(v, &s->sigs[i]))
			continue;
		switch (verify_signature(&v->keys, n->owner, n->owner_size, s, &s->sigs[i], &reason)) {
		case VERDICT_RIGHT:
			return 0;
		case VERDICT_NO_MEMORY:
			return -1;
		case VERDICT_UNKNOWN_ALGORITHM:
			unknown = &s->sigs[i];
			break;
		case VERDICT_WRONG:
			wrong = &s->sigs[i];
			why = reason;
			break;
		}
	}
	if (unknown)
		tell_algorithm(v, unknown);
	else if (wrong)
		report_some(v->reporter, RULE_RRSIG_BOGUS, NULL, 0, 0, "the signature of %s %s %s", owner_text(v, n, name),
			rrtype_to_text(s->type, type), why);
	else
		report_some(v->reporter, RULE_RRSIG_MISSING, NULL, 0, 0, "%s %s has no signature", owner_text(v, n, name),
			rrtype_to_text(s->type, type));
	return 0;
}

/* A DS at the parent mostly means a SEP key: it has to sign the keys. */
static void check_sep(struct verifier *v, const struct node_rrset *keys)
{
	char apex[NAME_TEXT_MAX];
	bool any = false;

	for (uint32_t i = 0; i < keys->count; i++) {
		const struct build_record *key = &keys->records[i];
		struct rrsig sig;

		if (key->size <= DNSKEY_HEAD || !(load_be16(key->rdata) & DNSKEY_SEP))
			continue;
		any = true;
		for (uint32_t k = 0; k < keys->sig_count; k++)
			if (rrsig_parse(&sig, &keys->sigs[k], v->now) && may_sign(key, &sig))
				return;
	}
	if (any)
		report(v->reporter, RULE_DNSKEY_SEP, NULL, 0, 0, "the DNSKEY RRset of %s is signed by none of its SEP keys, to which "
			"the DS at the parent mostly points", name_to_text(apex, v->keys.apex));
}

static int look_at_apex(struct verifier *v, const struct zone_node *n)
{
	const struct node_rrset *keys = find_rrset(n, TYPE_DNSKEY), *soa = find_rrset(n, TYPE_SOA);

	v->is_signed = keys && soa && soa->sig_count;
	if (!v->is_signed)
		return 0;
	check_sep(v, keys);
	return keep_keys(v, keys);
}

/* Below a cut nothing is ours; at it DS and NSEC are (RFC 4035 2.2). */
static bool is_ours(uint16_t type, uint16_t flags)
{
	if (type == TYPE_RRSIG)
		return false;
	if (type == TYPE_NSEC3)
		return true;
	if (flags & (NODE_OCCLUDED | NODE_NSEC3))
		return false;
	return !(flags & NODE_CUT) || type == TYPE_DS || type == TYPE_NSEC;
}

int verifier_node(struct verifier *v, const struct zone_node *n, uint16_t flags)
{
	if (n->owner_size == 0 && look_at_apex(v, n) < 0)
		return -1;
	if (!v->is_signed)
		return 0;
	for (unsigned i = 0; i < n->count; i++)
		if (is_ours(n->rrsets[i].type, flags) && verify_rrset(v, n, &n->rrsets[i]) < 0)
			return -1;
	denials_node(v->denials, n, flags);
	return 0;
}

void verifier_finish(struct verifier *v)
{
	if (v->is_signed)
		denials_finish(v->denials);
}
