#include "zone_signer.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INCEPTION  1735689600u
#define EXPIRATION 2051222400u

struct signer {
	ldns_rdf *apex;
	ldns_key *ksk, *zsk;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "signing: %s failed\n", what);
	abort();
}

static ldns_key *make_key(const ldns_rdf *apex, int algorithm, uint16_t flags)
{
	ldns_key *key = ldns_key_new_frm_algorithm((ldns_signing_algorithm)algorithm, algorithm == 8 ? 1024 : 256);
	ldns_rr *rr;

	need(key != NULL, "making a key");
	ldns_key_set_pubkey_owner(key, ldns_rdf_clone(apex));
	ldns_key_set_flags(key, flags);
	rr = ldns_key2rr(key);
	ldns_key_set_keytag(key, ldns_calc_keytag(rr));
	ldns_rr_free(rr);
	return key;
}

struct signer *signer_new(const char *apex, int algorithm)
{
	struct signer *s = calloc(1, sizeof(*s));

	s->apex = ldns_dname_new_frm_str(apex);
	s->ksk = make_key(s->apex, algorithm, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY);
	s->zsk = make_key(s->apex, algorithm, LDNS_KEY_ZONE_KEY);
	return s;
}

void signer_free(struct signer *s)
{
	ldns_rdf_deep_free(s->apex);
	ldns_key_deep_free(s->ksk);
	ldns_key_deep_free(s->zsk);
	free(s);
}

static void add_text(ldns_dnssec_zone *zone, const char *text)
{
	ldns_rdf *origin = NULL, *previous = NULL;
	uint32_t ttl = 3600;
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int line = 0;

	while (!feof(f)) {
		ldns_rr *rr;
		ldns_status status = ldns_rr_new_frm_fp_l(&rr, f, &ttl, &origin, &previous, &line);

		if (status == LDNS_STATUS_OK)
			ldns_dnssec_zone_add_rr(zone, rr);
		else
			need(status == LDNS_STATUS_SYNTAX_EMPTY, "reading the text");
	}
	ldns_rdf_deep_free(previous);
	ldns_rdf_deep_free(origin);
	fclose(f);
}

static void add_key(ldns_dnssec_zone *zone, ldns_key *key, const struct sign_how *how, ldns_key_list *list)
{
	ldns_rr *rr = ldns_key2rr(key);

	ldns_rr_set_ttl(rr, 3600);
	ldns_dnssec_zone_add_rr(zone, rr);
	ldns_key_set_inception(key, how->inception ? how->inception : INCEPTION);
	ldns_key_set_expiration(key, how->expiration ? how->expiration : EXPIRATION);
	if (how->no_ksk && ldns_key_flags(key) & LDNS_KEY_SEP_KEY)
		return;
	ldns_key_list_push_key(list, key);
}

static void print_rrs(FILE *out, const ldns_dnssec_rrs *rrs)
{
	for (; rrs; rrs = rrs->next)
		ldns_rr_print(out, rrs->rr);
}

static void print_zone(FILE *out, ldns_dnssec_zone *zone)
{
	for (ldns_rbnode_t *n = ldns_rbtree_first(zone->names); n != LDNS_RBTREE_NULL; n = ldns_rbtree_next(n)) {
		const ldns_dnssec_name *name = n->data;

		for (const ldns_dnssec_rrsets *s = name->rrsets; s; s = s->next) {
			print_rrs(out, s->rrs);
			print_rrs(out, s->signatures);
		}
		if (name->nsec)
			ldns_rr_print(out, name->nsec);
		print_rrs(out, name->nsec_signatures);
	}
}

char *signer_sign(struct signer *s, const char *text, const struct sign_how *how)
{
	ldns_dnssec_zone *zone = ldns_dnssec_zone_new();
	ldns_rr_list *made = ldns_rr_list_new();
	ldns_key_list *keys = ldns_key_list_new();
	int flags = how->zonemd == 1 ? LDNS_SIGN_WITH_ZONEMD_SIMPLE_SHA384 : how->zonemd ? LDNS_SIGN_WITH_ZONEMD_SIMPLE_SHA512 : 0;
	char *signed_text = NULL;
	size_t size;
	ldns_status status;
	FILE *out;

	add_text(zone, text);
	add_key(zone, s->ksk, how, keys);
	add_key(zone, s->zsk, how, keys);
	if (how->kind == SIGN_NSEC)
		status = ldns_dnssec_zone_sign_flg(zone, made, keys, ldns_dnssec_default_replace_signatures, NULL, flags);
	else
		status = ldns_dnssec_zone_sign_nsec3_flg(zone, made, keys, ldns_dnssec_default_replace_signatures, NULL, 1,
			how->kind == SIGN_NSEC3_OPT_OUT, how->iterations, 2, (uint8_t *)(uintptr_t)"\xab\xcd", flags);
	need(status == LDNS_STATUS_OK, ldns_get_errorstr_by_id(status));
	out = open_memstream(&signed_text, &size);
	print_zone(out, zone);
	fclose(out);
	ldns_rr_list_free(made);
	ldns_dnssec_zone_deep_free(zone);
	ldns_key_list_set_key_count(keys, 0);   /* they are the signer's */
	ldns_key_list_free(keys);
	return signed_text;
}
