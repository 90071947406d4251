#include "store/content_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most RRsets are short: there the call would cost as much as the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/image_node.h"
#include "wire/rrtype.h"

#define ONE_PIECE 2048  /* RRsets up to this are hashed as one run of octets */

static const uint64_t seeds[4] = { 0, 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9 };

void content_hash_add(struct content_hash *a, const struct content_hash *b)
{
	int i;

	for (i = 0; i < 8; i++)
		a->word[i] += b->word[i];
}

void content_hash_subtract(struct content_hash *a, const struct content_hash *b)
{
	int i;

	for (i = 0; i < 8; i++)
		a->word[i] -= b->word[i];
}

static int record_compare(const struct build_record *a, const struct build_record *b)
{
	int c = memcmp(a->rdata, b->rdata, a->size < b->size ? a->size : b->size);

	return c ? c : (int)a->size - (int)b->size;
}

static int index_compare(const void *a, const void *b, void *arg)
{
	const struct build_record *r = arg;

	return record_compare(r + *(const uint16_t *)a, r + *(const uint16_t *)b);
}

/* The order of the rdata, bytewise. Mostly they come sorted, or few. */
static void sort_records(uint16_t *order, const struct build_record *r, uint32_t count)
{
	uint32_t i, j;

	for (i = 0; i < count; i++)
		order[i] = (uint16_t)i;
	for (i = 1; i < count && record_compare(&r[i - 1], &r[i]) <= 0; i++)
		;
	if (i >= count)
		return;
	if (count > 16) {
		qsort_r(order, count, sizeof *order, index_compare, (void *)(uintptr_t)r);
		return;
	}
	for (i = 1; i < count; i++) {
		uint16_t x = order[i];

		for (j = i; j > 0 && record_compare(&r[order[j - 1]], &r[x]) > 0; j--)
			order[j] = order[j - 1];
		order[j] = x;
	}
}

/* What is hashed goes through here: all in one piece where it is small, else
 * through the streaming form, which gives the same. */
struct sink {
	bool stream;
	size_t used;
	uint8_t buf[ONE_PIECE];
	XXH3_state_t *state;
};

static void sink_put(struct sink *s, const void *p, size_t size)
{
	if (size == 0)
		return;
	if (s->stream) {
		XXH3_128bits_update(s->state, p, size);
	} else {
		memcpy(s->buf + s->used, p, size);
		s->used += size;
	}
}

static void sink_rrset(struct sink *s, const uint8_t *owner, size_t owner_size, uint16_t type, uint32_t ttl,
	const struct build_record *r, uint32_t count, const uint16_t *order)
{
	static const uint8_t zero[4];
	uint8_t fixed[8];
	uint32_t i;

	sink_put(s, owner, owner_size);
	store_be16(fixed, type);
	store_be16(fixed + 2, CLASS_IN);
	store_be32(fixed + 4, ttl);
	sink_put(s, fixed, 8);
	for (i = 0; i < count; i++) {
		const struct build_record *x = &r[order[i]];

		store_be16(fixed, x->size);
		sink_put(s, fixed, 2);
		if (type == TYPE_SOA && x->size >= 20) {
			/* A set's serial is what tells editions apart, not content. */
			sink_put(s, x->rdata, (size_t)x->size - 20);
			sink_put(s, zero, 4);
			sink_put(s, x->rdata + x->size - 16, 16);
		} else {
			sink_put(s, x->rdata, x->size);
		}
	}
}

static void content_hash_records(struct content_hash *out, const uint8_t *owner, size_t owner_size,
	uint16_t type, uint32_t ttl, const struct build_record *r, uint32_t count)
{
	uint16_t order[RRSET_MAX_RECORDS];
	size_t size = owner_size + 8;
	struct sink sink;
	XXH3_state_t state;
	uint32_t i;
	int k;

	if (count > RRSET_MAX_RECORDS)
		count = RRSET_MAX_RECORDS;
	sort_records(order, r, count);
	for (i = 0; i < count; i++)
		size += 2 + (size_t)r[i].size;
	sink.stream = size > sizeof sink.buf;
	sink.used = 0;
	sink.state = &state;
	if (!sink.stream)
		sink_rrset(&sink, owner, owner_size, type, ttl, r, count, order);
	for (k = 0; k < 4; k++) {
		XXH128_hash_t h;

		if (sink.stream) {
			XXH3_INITSTATE(&state);
			XXH3_128bits_reset_withSeed(&state, seeds[k]);
			sink_rrset(&sink, owner, owner_size, type, ttl, r, count, order);
			h = XXH3_128bits_digest(&state);
		} else {
			h = XXH3_128bits_withSeed(sink.buf, sink.used, seeds[k]);
		}
		out->word[2 * k] = h.low64;
		out->word[2 * k + 1] = h.high64;
	}
}

void content_hash_rrset(struct content_hash *out, const uint8_t *owner, size_t owner_size, const struct build_rrset *s)
{
	struct content_hash sigs;

	content_hash_records(out, owner, owner_size, s->type, s->ttl, s->records, s->count);
	if (s->sig_count == 0)
		return;
	content_hash_records(&sigs, owner, owner_size, TYPE_RRSIG, s->ttl, s->sigs, s->sig_count);
	content_hash_add(out, &sigs);
}

/* The records of a stored RRset, uncompressed, in memory of their own. */
static int collect(struct build_record *records, uint8_t **heap, const struct rrset *s, bool sigs,
	const uint8_t *apex, size_t apex_size)
{
	uint8_t scratch[RECORD_SCRATCH], *p;
	struct record_walk walk;
	struct record r;
	uint32_t n = 0;

	*heap = malloc((size_t)s->wire_size + (size_t)s->patches * apex_size + 1);
	if (!*heap)
		return -1;
	p = *heap;
	record_walk_begin(&walk, s, sigs, apex, apex_size);
	while (n < RRSET_MAX_RECORDS && record_walk_next(&walk, &r, scratch)) {
		/* Only what lies in scratch must be kept from the next round. */
		if (r.rdata == scratch) {
			memcpy(p, r.rdata, r.size);
			records[n].rdata = p;
			p += r.size;
		} else {
			records[n].rdata = r.rdata;
		}
		records[n++].size = r.size;
	}
	return (int)n;
}

static int hash_stored(struct content_hash *sum, const uint8_t *owner, size_t owner_size, const struct rrset *s, bool sigs,
	const uint8_t *apex, size_t apex_size)
{
	struct build_record records[RRSET_MAX_RECORDS];
	struct content_hash one;
	uint8_t *heap;
	int n = collect(records, &heap, s, sigs, apex, apex_size);

	if (n < 0)
		return -1;
	content_hash_records(&one, owner, owner_size, sigs ? TYPE_RRSIG : s->type, rrset_ttl(s), records, (uint32_t)n);
	content_hash_add(sum, &one);
	free(heap);
	return 0;
}

int content_hash_node(struct content_hash *out, struct found found, const uint8_t *apex, size_t apex_size)
{
	uint8_t owner[NAME_MAX_SIZE];
	size_t size = node_owner_size(found.node);
	struct rrset set;
	unsigned i;

	memset(out, 0, sizeof *out);
	if (size + apex_size > sizeof owner)
		return -1;
	name_lower(owner, node_owner(found.node), size);
	memcpy(owner + size, apex, apex_size);
	size += apex_size;
	for (i = 0; i < node_rrsets(found.node); i++) {
		if (!image_rrset_at(found.image, found.node, i, &set))
			return -1;
		if (hash_stored(out, owner, size, &set, false, apex, apex_size))
			return -1;
		if (set.sig_count && hash_stored(out, owner, size, &set, true, apex, apex_size))
			return -1;
	}
	return 0;
}

char *content_hash_text(const struct content_hash *h, char buf[CONTENT_HASH_TEXT])
{
	snprintf(buf, CONTENT_HASH_TEXT, "%016llx%016llx", (unsigned long long)h->word[0], (unsigned long long)h->word[1]);
	return buf;
}
