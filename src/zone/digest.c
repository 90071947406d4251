#include "zone/digest.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/rrtype.h"
#include "zone/canonical.h"

struct digest {
	uint8_t hash;
	const struct node_rrset *soa;   /* NULL: the zone's */
	ldns_sha512_CTX context;        /* SHA-384 has the same */
};

/* An RRSIG of the owner at hand: of whatever it covers, they are one RRset. */
struct owner_sig { const uint8_t *rdata; uint32_t ttl; uint16_t size; };

struct digests {
	const uint8_t *apex; size_t apex_size;
	struct digest *digest; int count;
	struct canonical text;          /* of the owner at hand */
	struct arena arena;
	struct owner_sig *sigs; size_t sig_count, sig_space;
};

size_t digest_size(uint8_t hash)
{
	return hash == ZONEMD_SHA384 ? LDNS_SHA384_DIGEST_LENGTH : hash == ZONEMD_SHA512 ? LDNS_SHA512_DIGEST_LENGTH : 0;
}

struct digests *digests_new(const uint8_t *apex, size_t apex_size)
{
	struct digests *d = calloc(1, sizeof(*d));

	if (d) {
		d->apex = apex;
		d->apex_size = apex_size;
	}
	return d;
}

void digests_free(struct digests *d)
{
	if (!d)
		return;
	canonical_free(&d->text);
	arena_free(&d->arena);
	free(d->digest);
	free(d->sigs);
	free(d);
}

int digests_add(struct digests *d, uint8_t hash, const struct node_rrset *soa)
{
	struct digest *digest = realloc(d->digest, ((size_t)d->count + 1) * sizeof(*digest));

	if (!digest)
		return -1;
	d->digest = digest;
	digest += d->count;
	*digest = (struct digest){ .hash = hash, .soa = soa };
	if (hash == ZONEMD_SHA384)
		ldns_sha384_init(&digest->context);
	else
		ldns_sha512_init(&digest->context);
	return d->count++;
}

static void update(struct digest *d, const struct canonical *text)
{
	if (d->hash == ZONEMD_SHA384)
		ldns_sha384_update(&d->context, text->bytes, text->size);
	else
		ldns_sha512_update(&d->context, text->bytes, text->size);
}

/* ---- an owner's records in their order (RFC 8976 3.3.3) --------------------- */

static int add_sigs(struct digests *d, const struct build_record *sig, uint32_t count, uint32_t ttl)
{
	if (d->sig_count + count > d->sig_space) {
		size_t space = 2 * (d->sig_count + count);
		struct owner_sig *sigs = realloc(d->sigs, space * sizeof(*sigs));

		if (!sigs)
			return -1;
		d->sigs = sigs;
		d->sig_space = space;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct owner_sig *s = &d->sigs[d->sig_count++];

		*s = (struct owner_sig){ .rdata = canonical_rdata(&d->arena, TYPE_RRSIG, sig[i].rdata, sig[i].size), .ttl = ttl,
			.size = sig[i].size };
		if (!s->rdata)
			return -1;
	}
	return 0;
}

static int compare_sigs(const void *x, const void *y)
{
	const struct owner_sig *a = x, *b = y;
	int c = memcmp(a->rdata, b->rdata, a->size < b->size ? a->size : b->size);

	return c ? c : (int)a->size - (int)b->size;
}

static int gather_sigs(struct digests *d, const struct zone_node *n, const struct node_rrset *soa)
{
	arena_reset(&d->arena);
	d->sig_count = 0;
	for (unsigned i = 0; i < n->count; i++) {
		const struct node_rrset *s = &n->rrsets[i];

		if (s->type == TYPE_RRSIG && add_sigs(d, s->records, s->count, s->ttl) < 0)
			return -1;
		if (n->owner_size == 0 && s->type == TYPE_ZONEMD)
			continue;
		if (n->owner_size == 0 && s->type == TYPE_SOA && soa)
			s = soa;
		if (add_sigs(d, s->sigs, s->sig_count, s->ttl) < 0)
			return -1;
	}
	if (d->sig_count > 1)
		qsort(d->sigs, d->sig_count, sizeof(*d->sigs), compare_sigs);
	return 0;
}

static int put_sigs(struct digests *d, const uint8_t *owner, size_t size)
{
	for (size_t i = 0; i < d->sig_count; i++) {
		const struct owner_sig *s = &d->sigs[i];

		/* the ZONEMD's own, should there be no ZONEMD to which they belong */
		if (size == d->apex_size && s->size >= 2 && load_be16(s->rdata) == TYPE_ZONEMD)
			continue;
		if (canonical_put_record(&d->text, owner, size, TYPE_RRSIG, s->ttl, s->rdata, s->size) < 0)
			return -1;
	}
	d->sig_count = 0;
	return 0;
}

static int put_rrset(struct digests *d, const uint8_t *owner, size_t size, const struct node_rrset *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (canonical_put_record(&d->text, owner, size, s->type, s->ttl, s->records[i].rdata, s->records[i].size) < 0)
			return -1;
	return 0;
}

static int put_node(struct digests *d, const struct zone_node *n, const struct node_rrset *soa)
{
	uint8_t owner[2 * NAME_MAX_SIZE];
	size_t size = n->owner_size + d->apex_size;

	name_lower(owner, n->owner, n->owner_size);
	memcpy(owner + n->owner_size, d->apex, d->apex_size);
	canonical_begin(&d->text);
	if (gather_sigs(d, n, soa) < 0)
		return -1;
	for (unsigned i = 0; i < n->count; i++) {
		const struct node_rrset *s = &n->rrsets[i];

		if (n->owner_size == 0 && s->type == TYPE_SOA && soa)
			s = soa;
		if (s->type >= TYPE_RRSIG && put_sigs(d, owner, size) < 0)
			return -1;
		if (s->type == TYPE_RRSIG || (n->owner_size == 0 && s->type == TYPE_ZONEMD))
			continue;
		if (put_rrset(d, owner, size, s) < 0)
			return -1;
	}
	return put_sigs(d, owner, size);
}

int digests_node(struct digests *d, const struct zone_node *n)
{
	/* only at the apex are they of different records */
	if (n->owner_size == 0) {
		for (int i = 0; i < d->count; i++) {
			if (put_node(d, n, d->digest[i].soa) < 0)
				return -1;
			update(&d->digest[i], &d->text);
		}
		return 0;
	}
	if (put_node(d, n, NULL) < 0)
		return -1;
	for (int i = 0; i < d->count; i++)
		update(&d->digest[i], &d->text);
	return 0;
}

void digests_final(struct digests *d, int index, uint8_t digest[DIGEST_SIZE_MAX])
{
	struct digest *one = &d->digest[index];

	if (one->hash == ZONEMD_SHA384)
		ldns_sha384_final(digest, &one->context);
	else
		ldns_sha512_final(digest, &one->context);
}
