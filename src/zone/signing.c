#include "zone/signing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "wire/nsec3.h"
#include "wire/rrtype.h"

#define DNSKEY_HEAD  4
/* More is treated as unsigned, or not answered at all, by validators (RFC 9276 3.2). */
#define ITERATIONS_TRUSTED 50

struct signing {
	struct reporter *reporter;
	const uint8_t *apex; size_t apex_size;
	int64_t now;
	const char *(*file_name)(void *, unsigned);
	void *arg;
	struct set_signing result;
	bool soa_signed, has_dnskey;
};

uint16_t dnskey_tag(const uint8_t *rdata, size_t size)
{
	uint32_t sum = 0;

	if (size < 4)
		return 0;
	if (rdata[3] == 1)
		return size < 7 ? 0 : load_be16(rdata + size - 3);
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? rdata[i] : (uint32_t)rdata[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}

/* RFC 4034 3.1.5: serial arithmetic. */
static int64_t time_near(uint32_t field, int64_t now)
{
	return now + (int32_t)(field - (uint32_t)now);
}

bool rrsig_parse(struct rrsig *sig, const struct build_record *r, int64_t now)
{
	if (r->size < RRSIG_HEAD + 1)
		return false;
	*sig = (struct rrsig){ .covers = load_be16(r->rdata), .algorithm = r->rdata[2], .labels = r->rdata[3],
		.original_ttl = load_be32(r->rdata + 4), .expiration = time_near(load_be32(r->rdata + 8), now),
		.inception = time_near(load_be32(r->rdata + 12), now), .tag = load_be16(r->rdata + 16) };
	return true;
}

struct signing *signing_new(struct reporter *reporter, const uint8_t *apex, size_t apex_size, int64_t now,
	const char *(*file_name)(void *, unsigned), void *arg)
{
	struct signing *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct signing){ .reporter = reporter, .apex = apex, .apex_size = apex_size, .now = now, .file_name = file_name,
		.arg = arg };
	return s;
}

void signing_free(struct signing *s)
{
	free(s);
}

static const char *place_file(const struct signing *s, const struct place *place)
{
	return place->line && s->file_name ? s->file_name(s->arg, place->file) : NULL;
}

/* ---- keys ----------------------------------------------------------------------- */

/* An entry for the key; NULL: there is no room for one more. */
static struct set_key *add_key(struct signing *s)
{
	if (s->result.keys == SET_KEYS_MAX) {
		s->result.more_keys = true;
		return NULL;
	}
	return &s->result.key[s->result.keys++];
}

static void learn_keys(struct signing *s, const struct node_rrset *keys)
{
	s->has_dnskey = true;
	for (uint32_t i = 0; i < keys->count; i++) {
		const struct build_record *r = &keys->records[i];
		struct set_key *key = r->size > DNSKEY_HEAD ? add_key(s) : NULL;
		uint64_t hash = key ? XXH3_64bits(r->rdata, r->size) : 0;

		if (key)
			*key = (struct set_key){ .hash = hash ? hash : 1, .tag = dnskey_tag(r->rdata, r->size),
				.algorithm = r->rdata[3], .flags = KEY_PUBLISHED };
	}
}

/* Of two keys with the same tag it is not known which: both may. */
static bool note_signer(struct signing *s, const struct rrsig *sig)
{
	bool published = false;
	struct set_key *key;

	for (unsigned i = 0; i < s->result.keys; i++) {
		key = &s->result.key[i];
		if (key->tag != sig->tag || key->algorithm != sig->algorithm)
			continue;
		key->flags |= KEY_SIGNS;
		if (key->flags & KEY_PUBLISHED)
			published = true;
		else
			return false;
	}
	if (!published && (key = add_key(s)))
		*key = (struct set_key){ .tag = sig->tag, .algorithm = sig->algorithm, .flags = KEY_SIGNS };
	return published;
}

/* ---- times ------------------------------------------------------------------------ */

static void tell_time(struct signing *s, enum rule_id rule, const struct zone_node *n, uint16_t type, const struct place *place,
	const char *what, int64_t when)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	char name[NAME_TEXT_MAX], mnemonic[16], date[32];

	memcpy(full, n->owner, n->owner_size);
	memcpy(full + n->owner_size, s->apex, s->apex_size);
	report_some(s->reporter, rule, place_file(s, place), place->line, place->column, "the signature of %s %s %s %s",
		name_to_text(name, full), rrtype_to_text(type, mnemonic), what, clock_format(when * 1000000, date));
}

/* One signature that is valid is enough, so the one that lasts longest counts. */
static void look_at_times(struct signing *s, const struct zone_node *n, const struct node_rrset *set)
{
	bool any = false, any_published = false;
	struct rrsig best = { .expiration = 0 }, sig;
	const struct place *place = NULL;

	for (uint32_t i = 0; i < set->sig_count; i++) {
		bool published;

		if (!rrsig_parse(&sig, &set->sigs[i], s->now))
			continue;
		published = note_signer(s, &sig);
		if (any && (any_published > published || (any_published == published && sig.expiration <= best.expiration)))
			continue;
		best = sig;
		place = &set->sig_places[i];
		any = true;
		any_published = published;
	}
	if (!any)
		return;
	if (!s->result.until || best.expiration < s->result.until)
		s->result.until = best.expiration;
	if (best.expiration <= s->now)
		tell_time(s, RULE_RRSIG_EXPIRED, n, set->type, place, "expired on", best.expiration);
	else if (best.inception > s->now)
		tell_time(s, RULE_RRSIG_EARLY, n, set->type, place, "is not valid before", best.inception);
	else if (best.expiration - s->now < EXPIRES_SOON)
		tell_time(s, RULE_RRSIG_EXPIRING, n, set->type, place, "expires on", best.expiration);
}

/* ---- NSEC3 -------------------------------------------------------------------------- */

static void look_at_iterations(struct signing *s, const struct node_rrset *params)
{
	for (uint32_t i = 0; i < params->count; i++) {
		const struct place *place = &params->places[i];
		struct nsec3_params p;
		char name[NAME_TEXT_MAX];

		if (!nsec3_params_parse(&p, params->records[i].rdata, params->records[i].size) || p.iterations == 0)
			continue;
		report(s->reporter, RULE_NSEC3_ITERATIONS, place_file(s, place), place->line, place->column,
			"NSEC3 of %s with %u iterations: 0 is the number to take (RFC 9276 3.1)%s", name_to_text(name, s->apex),
			p.iterations, p.iterations > NSEC3_ITERATIONS_MAX ? "; so many are not computed here: denials go without proof" :
			p.iterations > ITERATIONS_TRUSTED ? "; resolvers treat more than 50 as unsigned, or as failed" : "");
		return;
	}
}

/* ---- owners --------------------------------------------------------------------------- */

static void look_at_apex(struct signing *s, const struct zone_node *n)
{
	for (unsigned i = 0; i < n->count; i++) {
		const struct node_rrset *set = &n->rrsets[i];

		if (set->type == TYPE_DNSKEY)
			learn_keys(s, set);
		else if (set->type == TYPE_SOA)
			s->soa_signed = set->sig_count > 0;
		else if (set->type == TYPE_NSEC3PARAM)
			look_at_iterations(s, set);
	}
}

void signing_node(struct signing *s, const struct zone_node *n)
{
	if (n->owner_size == 0)
		look_at_apex(s, n);
	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].sig_count)
			look_at_times(s, n, &n->rrsets[i]);
}

void signing_finish(struct signing *s)
{
	s->result.is_signed = s->soa_signed && s->has_dnskey;
	if (!s->result.is_signed)
		s->result = (struct set_signing){ .is_signed = false };
}

const struct set_signing *signing_result(const struct signing *s)
{
	return &s->result;
}
