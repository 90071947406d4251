#include "answer_signed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what)
{
	fprintf(stderr, "signed zone: %s failed\n", what);
	abort();
}

/* ---- signing -------------------------------------------------------------- */

static void collect_sigs(ldns_rr_list *into, const ldns_dnssec_rrs *rrs)
{
	for (; rrs; rrs = rrs->next)
		ldns_rr_list_push_rr(into, ldns_rr_clone(rrs->rr));
}

static void collect_name(ldns_rr_list *into, const ldns_dnssec_name *name)
{
	for (const ldns_dnssec_rrsets *s = name->rrsets; s; s = s->next) {
		collect_sigs(into, s->rrs);
		collect_sigs(into, s->signatures);
	}
	if (name->nsec)
		ldns_rr_list_push_rr(into, ldns_rr_clone(name->nsec));
	collect_sigs(into, name->nsec_signatures);
}

/* A key that guards nothing, and fixed times, so that a zone is signed the same every time. */
static const char private_key[] =
	"Private-key-format: v1.2\n"
	"Algorithm: 8 (RSASHA256)\n"
	"Modulus: tTjRd2qsVZVI5+Cho/ummgME/OMSeJPVIXo6KJzHeYJ1/RCzfIwuvVz6iWNcZucqabWapR0suCT0FX+L03cYVrgRenHxCg0oxWTJyBJ99SPu51KVDZ8bEprcgkye81vzjnS9eXl74C3ZM3Lk1slG7FIPDKrj3UveJQyaHT6hqs0=\n"
	"PublicExponent: AQAB\n"
	"PrivateExponent: K5zM7ExDxST0MrmgrPI3GgF4BdQv8czCEhh0PqncZ6W593k5eNPTu8bQlJfQ+QLQ9je6S9pFlNtv0myrneyfcneVVlHdGcRBzofpEiu8Gud6GvCG+nLXC86aOlTubGqTbssBTaFoM7yIWjirVe13ZL6tZ+u5TnBuXiWSlpKn4BE=\n"
	"Prime1: 2KXqLV0gduxv6jfRTRBn65Ok/jx4/8i+BmK8QR4bzhvTaxD81f+rkSKD5x/URi8u7mzk0i73ZVn/8BSJLZu7jw==\n"
	"Prime2: 1iOYdiAG6TeMkoi19nl0fYzjPHzCsJFDzXJsAeHRf/N/EoCFryRX2sfYoIU2DLZyLBZk/NmcT+BtPofZMQ514w==\n"
	"Exponent1: iVIA8OgKX9bVyRvAKpyvgf5/ojYqa9aNu/ZxZMT00tuIUmDeIbaAxOmfuavPHP1jPfT/xMnIPhGhzEb3/FStuQ==\n"
	"Exponent2: CughOdMDxxknNcd0zSr+fe6RHGGWYPvlIi+zxJzF2OiEDmMxa+xD9Ua8h+CBEkCwrAIv/pju1zqtFcRBkbgU1Q==\n"
	"Coefficient: ho2z/6jxUChncvMx7BaPTKPvUZzUlzt7B26vnErCMeQe20EnP3XhPJ8kvjRzVRAErhcp4Qaf+haAoplSdfgHmA==\n";
#define INCEPTION 1577836800u   /* 2020 */
#define EXPIRATION 2145916799u  /* 2037: later dates are negative to ldns */

static ldns_key_list *make_key(const ldns_rdf *apex)
{
	FILE *f = fmemopen((void *)(uintptr_t)private_key, sizeof private_key - 1, "r");
	ldns_key_list *keys = ldns_key_list_new();
	ldns_rr *dnskey;
	ldns_key *key;

	if (ldns_key_new_frm_fp(&key, f) != LDNS_STATUS_OK)
		die("reading the key");
	fclose(f);
	ldns_key_set_pubkey_owner(key, ldns_rdf_clone(apex));
	ldns_key_set_flags(key, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY);
	ldns_key_set_inception(key, INCEPTION);
	ldns_key_set_expiration(key, EXPIRATION);
	dnskey = ldns_key2rr(key);
	ldns_key_set_keytag(key, ldns_calc_keytag(dnskey));
	ldns_rr_free(dnskey);
	ldns_key_list_push_key(keys, key);
	return keys;
}

static void sign(ldns_dnssec_zone *zone, ldns_key_list *keys, enum sign_kind kind, uint16_t iterations, const char *salt)
{
	ldns_rr_list *made = ldns_rr_list_new();
	uint8_t octets[255], size = (uint8_t)(strlen(salt) / 2);
	ldns_status s;

	for (unsigned i = 0; i < size; i++) {
		unsigned v;

		sscanf(salt + 2 * i, "%2x", &v);
		octets[i] = (uint8_t)v;
	}
	if (kind == SIGN_NSEC)
		s = ldns_dnssec_zone_sign(zone, made, keys, ldns_dnssec_default_replace_signatures, NULL);
	else
		s = ldns_dnssec_zone_sign_nsec3(zone, made, keys, ldns_dnssec_default_replace_signatures, NULL, 1,
			kind == SIGN_NSEC3_OPT_OUT, iterations, size, octets);
	if (s != LDNS_STATUS_OK)
		die(ldns_get_errorstr_by_id(s));
	ldns_rr_list_free(made);
}

static bool has_type(const ldns_rr_list *list, const ldns_rdf *owner, ldns_rr_type type)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
		if (ldns_rr_get_type(ldns_rr_list_rr(list, i)) == type && ldns_dname_compare(ldns_rr_owner(ldns_rr_list_rr(list, i)), owner) == 0)
			return true;
	return false;
}

/* At or below a cut without DS: what opt-out leaves out of the chain (ldns
 * only sets the flag), with the empty non-terminals above it. */
static bool is_opted_out(const struct signed_zone *z, const ldns_rr *rr)
{
	ldns_rdf *name = ldns_rdf_clone(ldns_rr_owner(rr)), *above;
	bool out = false;

	while (!out && ldns_dname_compare(name, z->apex) != 0) {
		out = has_type(z->plain, name, LDNS_RR_TYPE_NS) && !has_type(z->plain, name, LDNS_RR_TYPE_DS);
		above = ldns_dname_left_chop(name);
		ldns_rdf_deep_free(name);
		name = above;
	}
	ldns_rdf_deep_free(name);
	return out && z->kind == SIGN_NSEC3_OPT_OUT;
}

void signed_zone_make(struct signed_zone *z, const char *origin, const char *text, enum sign_kind kind,
	uint16_t iterations, const char *salt)
{
	ldns_dnssec_zone *zone = ldns_dnssec_zone_new();
	ldns_rr_list *all = ldns_rr_list_new();
	ldns_key_list *keys;
	ldns_rr *dnskey;

	*z = (struct signed_zone){ .apex = ldns_dname_new_frm_str(origin), .plain = test_zone_read(origin, text),
		.keys = ldns_rr_list_new(), .kind = kind };
	keys = make_key(z->apex);
	dnskey = ldns_key2rr(ldns_key_list_key(keys, 0));
	ldns_rr_set_ttl(dnskey, 3600);
	ldns_rr_list_push_rr(z->keys, dnskey);
	for (size_t i = 0; i < ldns_rr_list_rr_count(z->plain); i++) {
		ldns_rr *rr = ldns_rr_clone(ldns_rr_list_rr(z->plain, i));

		if (is_opted_out(z, rr))
			ldns_rr_list_push_rr(all, rr);
		else
			ldns_dnssec_zone_add_rr(zone, rr);
	}
	ldns_dnssec_zone_add_rr(zone, ldns_rr_clone(dnskey));
	sign(zone, keys, kind, iterations, salt);
	for (ldns_rbnode_t *n = ldns_rbtree_first(zone->names); n != LDNS_RBTREE_NULL; n = ldns_rbtree_next(n))
		collect_name(all, n->data);
	test_zone_from_list(&z->zone, z->apex, all);
	z->zone.view.serial_fixed = true;
	ldns_rr_list_push_rr(z->plain, ldns_rr_clone(dnskey));
	ldns_rr_list_deep_free(all);
	ldns_dnssec_zone_deep_free(zone);
	ldns_key_list_free(keys);
}

ldns_rr_list *signed_zone_soa(struct signed_zone *z, uint32_t serial)
{
	ldns_rr_list *soa = ldns_rr_list_new(), *sigs;
	ldns_key_list *keys = make_key(z->apex);

	for (size_t i = 0; i < ldns_rr_list_rr_count(z->plain); i++) {
		ldns_rr *rr = ldns_rr_list_rr(z->plain, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA)
			continue;
		ldns_rdf_deep_free(ldns_rr_set_rdf(rr, ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, serial), 2));
		ldns_rr_list_push_rr(soa, ldns_rr_clone(rr));
	}
	sigs = ldns_sign_public(soa, keys);
	if (!sigs || !ldns_rr_list_cat(soa, sigs))
		die("signing a SOA");
	ldns_rr_list_free(sigs);
	ldns_key_list_free(keys);
	return soa;
}

void signed_zone_free(struct signed_zone *z)
{
	test_zone_free(&z->zone);
	ldns_rdf_deep_free(z->apex);
	ldns_rr_list_deep_free(z->plain);
	ldns_rr_list_deep_free(z->keys);
}
