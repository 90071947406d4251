#include "wire/response.h"

#include "base/bytes.h"
#include "wire/rrtype.h"

#define RR_FIXED 10             /* type, class, TTL, rdlength */
#define POINTER 0xc000

void response_begin(struct response *r, uint8_t *reply, uint32_t limit, const struct query *q, const uint8_t *question,
	const struct edns_reply *edns)
{
	r->base = reply;
	r->question_size = q->question_size;
	r->flags = (uint16_t)(DNS_FLAG_QR | (q->flags & 0x7800) | (q->flags & DNS_FLAG_RD));
	r->rcode = RCODE_NOERROR;
	r->apex_at = 0;
	r->has_edns = edns;
	r->refused = NULL;
	r->limit = limit;
	if (edns) {
		r->edns = *edns;
		r->limit -= (uint32_t)edns_size(edns);
	}
	store_be16(reply, q->id);
	memcpy(reply + DNS_HEADER_SIZE, question, q->question_size);
	response_rewind(r);
}

void response_rewind(struct response *r)
{
	r->size = DNS_HEADER_SIZE + r->question_size;
	memset(r->count, 0, sizeof r->count);
}

uint32_t response_rrs_size(const struct response *r, const struct response_rrs *rrs, const struct response_owner *owner)
{
	/* The first owner in full, the others point to it; past the reach of
	 * pointers all in full. */
	uint32_t full = owner->at || !rrs->count ? 0 : r->size <= RESPONSE_POINTER_MAX ? 1 : rrs->count;

	return rrs->size + full * owner->size;
}

/* The RRs come from a store that may be damaged: they and their patches are
 * taken as far as they lie within the octets that there was room for. */
static void patch_apex(const struct response *r, const struct response_rrs *rrs, uint8_t *out)
{
	for (unsigned i = 0; i < rrs->patches; i++) {
		uint16_t at = load_le16(rrs->patch + 2 * i);

		if (at + 2u <= rrs->size)
			store_be16(out + at, POINTER | r->apex_at);
	}
}

/* 0: no whole RR is left. */
static size_t rr_size(const uint8_t *rr, const uint8_t *end)
{
	size_t size;

	if (end - rr < 2 + RR_FIXED)
		return 0;
	size = 2 + RR_FIXED + (size_t)load_be16(rr + 2 + 8);
	return size <= (size_t)(end - rr) ? size : 0;
}

/* The way of nearly all answers: one copy, then two octets here and there. */
static void add_pointed(struct response *r, const struct response_rrs *rrs, uint16_t owner_at)
{
	uint8_t *out = r->base + r->size, *end = out + rrs->size;

	memcpy(out, rrs->wire, rrs->size);
	patch_apex(r, rrs, out);
	if (owner_at != DNS_HEADER_SIZE)
		for (size_t size; (size = rr_size(out, end)); out += size)
			store_be16(out, POINTER | owner_at);
	r->size += rrs->size;
}

static uint8_t *put_owner(const struct response *r, uint8_t *out, const struct response_owner *owner)
{
	if (owner->at) {
		store_be16(out, POINTER | owner->at);
		return out + 2;
	}
	memcpy(out, owner->labels, owner->size);
	store_be16(out + owner->size, POINTER | r->apex_at);
	return out + owner->size + 2;
}

static void add_spelled(struct response *r, const struct response_rrs *rrs, struct response_owner owner)
{
	const uint8_t *in = rrs->wire, *end = in + rrs->size;
	unsigned patch = 0;
	size_t size;

	for (unsigned i = 0; i < rrs->count && (size = rr_size(in, end)); i++) {
		uint32_t begin = r->size;
		size_t from = (size_t)(in - rrs->wire);
		uint8_t *out = put_owner(r, r->base + begin, &owner);

		memcpy(out, in + 2, size - 2);
		/* Patches are sorted; each belongs to the RR that it lies in. */
		for (; patch < rrs->patches; patch++) {
			uint16_t at = load_le16(rrs->patch + 2 * patch);

			if (at >= from + size)
				break;
			if (at >= from + 2 && at + 2u <= from + size)
				store_be16(out - 2 + (at - from), POINTER | r->apex_at);
		}
		r->size = (uint32_t)(out + size - 2 - r->base);
		if (!owner.at && begin <= RESPONSE_POINTER_MAX)
			owner.at = (uint16_t)begin;
		in += size;
	}
}

bool response_add(struct response *r, enum response_section section, const struct response_rrs *rrs,
	const struct response_owner *owner, uint32_t *first)
{
	uint32_t size = response_rrs_size(r, rrs, owner);

	if (!rrs->count)
		return true;
	if (r->size > r->limit || r->limit - r->size < size)
		return false;
	if (first)
		*first = r->size + 2 + RR_FIXED + (owner->at ? 0 : owner->size);
	if (owner->at)
		add_pointed(r, rrs, owner->at);
	else
		add_spelled(r, rrs, *owner);
	r->count[section] += rrs->count;
	return true;
}

bool response_add_cname(struct response *r, const struct response_owner *owner, uint32_t ttl, const uint8_t *labels,
	size_t size, bool in_zone, uint32_t *rdata_at)
{
	size_t rdlength = size + (in_zone ? 2 : 0);
	size_t need = (owner->at ? 2u : owner->size + 2u) + RR_FIXED + rdlength;
	uint8_t *out;

	if (r->size > r->limit || r->limit - r->size < need)
		return false;
	out = put_owner(r, r->base + r->size, owner);
	store_be16(out, TYPE_CNAME);
	store_be16(out + 2, CLASS_IN);
	store_be32(out + 4, ttl);
	store_be16(out + 8, (uint16_t)rdlength);
	memcpy(out + RR_FIXED, labels, size);
	if (in_zone)
		store_be16(out + RR_FIXED + size, POINTER | r->apex_at);
	*rdata_at = (uint32_t)(out + RR_FIXED - r->base);
	r->size += (uint32_t)need;
	r->count[SECTION_ANSWER]++;
	return true;
}

bool response_add_rdata(struct response *r, enum response_section section, uint16_t type, uint16_t rrclass, uint32_t ttl,
	const uint8_t *rdata, uint16_t size)
{
	uint8_t *out = r->base + r->size;

	if (r->size > r->limit || r->limit - r->size < 2u + RR_FIXED + size)
		return false;
	store_be16(out, POINTER | DNS_HEADER_SIZE);
	store_be16(out + 2, type);
	store_be16(out + 4, rrclass);
	store_be32(out + 6, ttl);
	store_be16(out + 10, size);
	memcpy(out + 2 + RR_FIXED, rdata, size);
	r->size += 2u + RR_FIXED + size;
	r->count[section]++;
	return true;
}

/* Where the owner at `at` ends; end: not before that. */
static uint32_t skip_owner(const struct response *r, uint32_t at, uint32_t end)
{
	while (at < end && r->base[at] && r->base[at] < 0xc0)
		at += r->base[at] + 1u;
	return at < end ? at + (r->base[at] ? 2 : 1) : end;
}

void response_cap_ttl(struct response *r, uint32_t from, uint32_t to, uint32_t ttl)
{
	for (;;) {
		uint32_t at = skip_owner(r, from, to);
		uint8_t *fixed = r->base + at;

		if (at >= to || to - at < RR_FIXED)
			return;
		if (load_be32(fixed + 4) > ttl)
			store_be32(fixed + 4, ttl);
		from = at + RR_FIXED + load_be16(fixed + 8);
	}
}

uint32_t response_finish(struct response *r)
{
	uint8_t *header = r->base;
	uint16_t additional = r->count[SECTION_ADDITIONAL];
	/* with names as long as they may be, there may be no room */
	bool refusal = r->refused && r->limit - r->size >= tsig_error_size(r->refused);

	if (r->has_edns) {
		r->edns.rcode = r->rcode;
		edns_write(r->base + r->size, &r->edns);
		r->size += (uint32_t)edns_size(&r->edns);
		additional++;
	}
	if (refusal) {
		tsig_error_write(r->base + r->size, r->refused, TSIG_ERROR_BADKEY);
		r->size += (uint32_t)tsig_error_size(r->refused);
		additional++;
	}
	store_be16(header + 2, r->flags | (r->rcode & 15));
	store_be16(header + 4, r->question_size ? 1 : 0);
	store_be16(header + 6, r->count[SECTION_ANSWER]);
	store_be16(header + 8, r->count[SECTION_AUTHORITY]);
	store_be16(header + 10, additional);
	return r->size;
}
