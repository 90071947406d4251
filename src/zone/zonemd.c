#include "zone/zonemd.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/rrtype.h"
#include "zone/digest.h"

#define ZONEMD_HEAD 6           /* serial, scheme, hash */
#define ZONEMD_MAX  8           /* records that are looked at */

struct wanted {
	uint32_t serial;
	uint8_t scheme, hash;
	size_t size;
	uint8_t digest[DIGEST_SIZE_MAX];
	struct place place;
	bool known, twice;      /* scheme and hash; there is another of the same */
	int index;              /* of the digest; -1: none is made */
};

struct zonemd {
	struct reporter *reporter;
	const uint8_t *apex; size_t apex_size;
	const char *(*file_name)(void *, unsigned);
	void *arg;
	struct digests *digests;        /* NULL: nothing to verify */
	struct wanted wanted[ZONEMD_MAX];
	unsigned count;
	uint32_t serial;                /* of the SOA */
};

struct zonemd *zonemd_new(struct reporter *reporter, const uint8_t *apex, size_t apex_size,
	const char *(*file_name)(void *, unsigned), void *arg)
{
	struct zonemd *z = calloc(1, sizeof(*z));

	if (z)
		*z = (struct zonemd){ .reporter = reporter, .apex = apex, .apex_size = apex_size, .file_name = file_name, .arg = arg };
	return z;
}

void zonemd_free(struct zonemd *z)
{
	if (z)
		digests_free(z->digests);
	free(z);
}

static const struct node_rrset *find_rrset(const struct zone_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].type == type)
			return &n->rrsets[i];
	return NULL;
}

static void want(struct zonemd *z, const struct build_record *r, const struct place *place)
{
	struct wanted *w = &z->wanted[z->count];

	if (z->count == ZONEMD_MAX || r->size < ZONEMD_HEAD)
		return;
	*w = (struct wanted){ .serial = load_be32(r->rdata), .scheme = r->rdata[4], .hash = r->rdata[5],
		.size = r->size - ZONEMD_HEAD, .place = *place, .index = -1 };
	w->known = w->scheme == ZONEMD_SIMPLE && digest_size(w->hash);
	if (w->size <= DIGEST_SIZE_MAX)
		memcpy(w->digest, r->rdata + ZONEMD_HEAD, w->size);
	for (unsigned i = 0; i < z->count; i++)
		if (z->wanted[i].scheme == w->scheme && z->wanted[i].hash == w->hash)
			z->wanted[i].twice = w->twice = true;
	z->count++;
}

/* What the apex asks to be verified. */
static int begin(struct zonemd *z, const struct zone_node *n)
{
	const struct node_rrset *soa = find_rrset(n, TYPE_SOA), *rrset = find_rrset(n, TYPE_ZONEMD);

	if (!rrset || !soa || soa->count != 1 || soa->records[0].size < 22)
		return 0;       /* without an SOA there are worse problems */
	z->serial = load_be32(soa->records[0].rdata + soa->records[0].size - 20);
	for (uint32_t i = 0; i < rrset->count; i++)
		want(z, &rrset->records[i], &rrset->places[i]);
	for (unsigned i = 0; i < z->count; i++) {
		struct wanted *w = &z->wanted[i];

		if (!w->known || w->twice || w->serial != z->serial || w->size != digest_size(w->hash))
			continue;
		if (!z->digests && !(z->digests = digests_new(z->apex, z->apex_size)))
			return -1;
		w->index = digests_add(z->digests, w->hash, NULL);
		if (w->index < 0)
			return -1;
	}
	return 0;
}

int zonemd_node(struct zonemd *z, const struct zone_node *n)
{
	if (n->owner_size == 0 && begin(z, n) < 0)
		return -1;
	return z->digests ? digests_node(z->digests, n) : 0;
}

/* NULL: it is right. */
static const char *why_wrong(struct zonemd *z, const struct wanted *w, char *buf, size_t size)
{
	uint8_t digest[DIGEST_SIZE_MAX];

	if (!w->known)
		snprintf(buf, size, "scheme %u with hash %u is not known here", w->scheme, w->hash);
	else if (w->serial != z->serial)
		snprintf(buf, size, "it is of serial %u, the SOA has %u", w->serial, z->serial);
	else if (w->twice)
		snprintf(buf, size, "there are several of scheme %u with hash %u (RFC 8976 2)", w->scheme, w->hash);
	else if (w->index < 0)
		snprintf(buf, size, "its digest has %zu octets, not %zu", w->size, digest_size(w->hash));
	else {
		digests_final(z->digests, w->index, digest);
		if (memcmp(digest, w->digest, w->size) == 0)
			return NULL;
		snprintf(buf, size, "the digest of the zone is another: records were changed, lost or added since it was made");
	}
	return buf;
}

/* One that is right is enough (RFC 8976 4); one that is not known says nothing. */
void zonemd_finish(struct zonemd *z)
{
	char reason[ZONEMD_MAX][128], apex[NAME_TEXT_MAX];
	bool wrong[ZONEMD_MAX], right = false;

	for (unsigned i = 0; i < z->count; i++) {
		wrong[i] = why_wrong(z, &z->wanted[i], reason[i], sizeof(reason[i])) != NULL;
		right |= !wrong[i];
	}
	name_to_text(apex, z->apex);
	for (unsigned i = 0; i < z->count; i++) {
		const struct wanted *w = &z->wanted[i];
		const char *file = w->place.line && z->file_name ? z->file_name(z->arg, w->place.file) : NULL;

		if (wrong[i])
			report(z->reporter, right || !w->known ? RULE_ZONEMD_OTHER : RULE_ZONEMD, file, w->place.line, w->place.column,
				"the ZONEMD of %s cannot be verified: %s", apex, reason[i]);
	}
}
