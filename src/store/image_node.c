#include "store/image_node.h"

#include <stdlib.h>
#include <string.h>

#include "wire/rrtype.h"

/* ---- RRsets -------------------------------------------------------------- */

void encoder_free(struct encoder *e)
{
	free(e->buf);
	free(e->sets);
}

void encoder_begin(struct encoder *e)
{
	e->used = 0;
	e->count = 0;
}

/* p, which has room for *size items, with room for want of them. */
static void *reserve(void *p, size_t *size, size_t want, size_t item, struct err *err)
{
	size_t more = *size ? *size : 64;

	if (want <= *size)
		return p;
	while (more < want)
		more *= 2;
	p = realloc(p, more * item);
	if (p)
		*size = more;
	else
		err_set(err, ERR_NOMEM, "no memory for an owner's RRsets (%zu octets)", more * item);
	return p;
}

static int encoder_reserve(struct encoder *e, size_t more, struct err *err)
{
	uint8_t *buf = reserve(e->buf, &e->size, e->used + more, 1, err);

	if (!buf)
		return -1;
	e->buf = buf;
	return 0;
}

static struct node_set *encoder_next(struct encoder *e, const struct rrset *s, size_t at, struct err *err)
{
	struct node_set *sets = reserve(e->sets, &e->space, e->count + 1, sizeof *sets, err);

	if (!sets)
		return NULL;
	e->sets = sets;
	sets[e->count] = (struct node_set){ .rrset = *s, .at = at };
	return &sets[e->count++];
}

static void put_rr_head(uint8_t *p, uint16_t type, uint32_t ttl, uint16_t size)
{
	p[0] = 0xc0;
	p[1] = 0x0c;
	store_be16(p + 2, type);
	store_be16(p + 4, CLASS_IN);
	store_be32(p + 6, ttl);
	store_be16(p + 10, size);
}

/* One rdata, its in-zone names cut off at the apex where that is allowed.
 * Returns what it takes, or -1. */
static int put_rdata(struct encoder *e, uint8_t *wire, size_t wire_at, uint16_t type,
	const struct build_record *r, struct rrset *set, struct err *err)
{
	uint16_t at[RRTYPE_FIXED_NAMES];
	bool compressible = false;
	int additional = -1, names, i;
	size_t from = 0, to = 0;
	char mnemonic[16];

	names = rrtype_rdata_names(type, r->rdata, r->size, at, RRTYPE_FIXED_NAMES, &compressible, &additional);
	if (names < 0)
		return err_set(err, ERR_PARSE, "%s: rdata of %u octets is malformed for the type", rrtype_to_text(type, mnemonic), r->size);
	/* HIP has more names: they are neither compressed nor looked up */
	for (i = 0; i < names && i < RRTYPE_FIXED_NAMES; i++) {
		const uint8_t *name = r->rdata + at[i];
		size_t size = name_length(name, (size_t)r->size - at[i]), end = at[i] + size;
		bool in_zone = size && name_is_at_or_below(name, size, e->apex, e->apex_size);

		if (!in_zone)
			continue;
		if (i == additional) {
			if (set->targets == sizeof e->target / 2)
				return err_set(err, ERR_LIMIT, "%s: too many records", rrtype_to_text(type, mnemonic));
			e->target[set->targets++] = (uint16_t)(wire_at + to + at[i] - from);
		}
		/* Another letter case than the apex's is kept, as it came. */
		if (!compressible || e->apex_size < 2 || memcmp(r->rdata + end - e->apex_size, e->apex, e->apex_size) != 0)
			continue;
		if (set->patches == sizeof e->patch / 2)
			return err_set(err, ERR_LIMIT, "%s: too many records", rrtype_to_text(type, mnemonic));
		memcpy(wire + to, r->rdata + from, end - e->apex_size - from);
		to += end - e->apex_size - from;
		e->patch[set->patches++] = (uint16_t)(wire_at + to);
		wire[to++] = 0xc0;
		wire[to++] = 0x00;
		from = end;
	}
	if (r->size > from)
		memcpy(wire + to, r->rdata + from, r->size - from);
	return (int)(to + r->size - from);
}

static int too_large(const struct build_rrset *s, struct err *err)
{
	char mnemonic[16];

	return err_set(err, ERR_LIMIT, "%s: an RRset of %u records (and %u signatures) does not fit into a DNS message of 65535 octets",
		rrtype_to_text(s->type, mnemonic), s->count, s->sig_count);
}

/* The records of the RRset, whole, behind what is in the buffer. */
static int put_records(struct encoder *e, const struct build_rrset *s, struct rrset *set, struct err *err)
{
	size_t wire = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		uint8_t *p;
		int size;

		if (encoder_reserve(e, wire + RR_FIXED_SIZE + s->records[i].size, err))
			return -1;
		p = e->buf + e->used + wire;
		size = put_rdata(e, p + RR_FIXED_SIZE, wire + RR_FIXED_SIZE, s->type, &s->records[i], set, err);
		if (size < 0)
			return -1;
		put_rr_head(p, s->type, s->ttl, (uint16_t)size);
		wire += RR_FIXED_SIZE + (size_t)size;
		if (wire > UINT16_MAX)
			return too_large(s, err);
	}
	set->count = (uint16_t)s->count;
	set->wire_size = (uint16_t)wire;
	e->used += wire;
	return 0;
}

static int put_sigs(struct encoder *e, const struct build_rrset *s, struct rrset *set, struct err *err)
{
	size_t sigs = 0;
	char mnemonic[16];

	for (uint32_t i = 0; i < s->sig_count; i++) {
		const struct build_record *r = &s->sigs[i];
		uint8_t *p;

		if (r->size < 20 || load_be16(r->rdata) != s->type || s->type == TYPE_RRSIG)
			return err_set(err, ERR_PARSE, "RRSIG: rdata of %u octets does not cover %s", r->size, rrtype_to_text(s->type, mnemonic));
		if (sigs + RR_FIXED_SIZE + r->size > UINT16_MAX)
			return too_large(s, err);
		if (encoder_reserve(e, sigs + RR_FIXED_SIZE + r->size, err))
			return -1;
		p = e->buf + e->used + sigs;
		put_rr_head(p, TYPE_RRSIG, s->ttl, r->size);
		memcpy(p + RR_FIXED_SIZE, r->rdata, r->size);
		sigs += RR_FIXED_SIZE + (size_t)r->size;
	}
	set->sig_count = (uint16_t)s->sig_count;
	set->sigs_size = (uint16_t)sigs;
	e->used += sigs;
	return 0;
}

static int put_places(struct encoder *e, const struct rrset *set, struct err *err)
{
	size_t size = 2 * ((size_t)set->patches + set->targets);
	uint8_t *p;

	if (encoder_reserve(e, size, err))
		return -1;
	p = e->buf + e->used;
	for (unsigned i = 0; i < set->patches; i++, p += 2)
		store_le16(p, e->patch[i]);
	for (unsigned i = 0; i < set->targets; i++, p += 2)
		store_le16(p, e->target[i]);
	e->used += size;
	return 0;
}

struct node_set *encoder_add(struct encoder *e, const struct build_rrset *s, struct err *err)
{
	struct rrset set = { .type = s->type };
	size_t at = e->used;
	char mnemonic[16];

	if (s->count == 0) {
		err_set(err, ERR_INTERNAL, "%s: an RRset without records", rrtype_to_text(s->type, mnemonic));
		return NULL;
	}
	if (s->count > RRSET_MAX_RECORDS || s->sig_count > RRSET_MAX_RECORDS) {
		too_large(s, err);
		return NULL;
	}
	if (put_records(e, s, &set, err) || put_sigs(e, s, &set, err) || put_places(e, &set, err))
		return NULL;
	if (rrset_size(&set) > BLOB_MAX) {
		too_large(s, err);
		return NULL;
	}
	return encoder_next(e, &set, at, err);
}

struct node_set *encoder_add_stored(struct encoder *e, const struct rrset *s, struct err *err)
{
	return encoder_next(e, s, ENCODER_ELSEWHERE, err);
}

struct node_set *encoder_sets(struct encoder *e)
{
	for (unsigned i = 0; i < e->count; i++)
		if (e->sets[i].at != ENCODER_ELSEWHERE)
			rrset_lies_at(&e->sets[i].rrset, e->buf + e->sets[i].at);
	return e->sets;
}

/* ---- nodes --------------------------------------------------------------- */

uint16_t node_own_flags(const uint8_t *owner, size_t size, bool occluded, const struct node_set *sets, unsigned count)
{
	uint16_t flags = count ? 0 : NODE_ENT;
	unsigned i;

	if (size == 0)
		flags |= NODE_APEX;
	else if (owner[0] == 1 && owner[1] == '*')
		flags |= NODE_WILDCARD;
	for (i = 0; i < count; i++) {
		if (sets[i].rrset.type == TYPE_CNAME)
			flags |= NODE_CNAME;
		/* What lies below a cut is no cut and no DNAME of this zone. */
		if (sets[i].rrset.type == TYPE_DNAME && !occluded)
			flags |= NODE_DNAME;
		if (sets[i].rrset.type == TYPE_NS && size && !occluded)
			flags |= NODE_CUT;
	}
	return flags;
}

static size_t even(size_t n)
{
	return (n + 1) & ~(size_t)1;
}

static bool is_plain(const struct rrset *s)
{
	return s->count == 1 && !s->sig_count && !s->patches && !s->targets;
}

/* What the RRset takes in its node, near or far. */
static size_t near_size(const struct node_set *set)
{
	return even((is_plain(&set->rrset) ? 0 : RRSET_HEAD_SIZE) + rrset_size(&set->rrset));
}

int node_fit(struct node_draft *d, struct err *err)
{
	size_t total = even(NODE_HEADER_SIZE + (size_t)d->count * NODE_ENTRY_SIZE + d->owner_size);

	d->far = 0;
	for (unsigned i = 0; i < d->count; i++) {
		d->sets[i].far = false;
		total += near_size(&d->sets[i]);
	}
	while (round8(total) > BLOB_MAX) {
		struct node_set *largest = NULL;

		for (unsigned i = 0; i < d->count; i++)
			if (!d->sets[i].far && (!largest || near_size(&d->sets[i]) > near_size(largest)))
				largest = &d->sets[i];
		if (!largest || d->far == FAR_MAX)
			return err_set(err, ERR_LIMIT, "%u RRsets of %zu octets are too much for one name", d->count, total);
		largest->far = true;
		total = total - near_size(largest) + RRSET_HEAD_SIZE + FAR_STUB_SIZE;
		d->far++;
	}
	d->size = round8(total);
	return 0;
}

static size_t put_head(uint8_t *p, const struct rrset *s)
{
	store_le16(p, s->count);
	store_le16(p + 2, s->sig_count);
	store_le16(p + 4, s->wire_size);
	store_le16(p + 6, s->sigs_size);
	store_le16(p + 8, s->patches);
	store_le16(p + 10, s->targets);
	return RRSET_HEAD_SIZE;
}

void node_encode(uint8_t *n, const struct node_draft *d, uint32_t far_chunk)
{
	size_t at = NODE_HEADER_SIZE + (size_t)d->count * NODE_ENTRY_SIZE;

	store_le16(n, (uint16_t)(d->size / 8));
	store_le16(n + NODE_FLAGS_AT, d->flags);
	n[4] = (uint8_t)d->owner_size;
	n[5] = (uint8_t)d->labels;
	store_le16(n + 6, (uint16_t)d->count);
	if (d->owner_size)
		memcpy(n + at, d->owner, d->owner_size);
	at += d->owner_size;
	for (unsigned i = 0; i < d->count; i++) {
		const struct rrset *s = &d->sets[i].rrset;
		bool far = d->sets[i].far, plain = !far && is_plain(s);

		if (at % 2)
			n[at++] = 0;
		if (!plain)
			at += put_head(n + at, s);
		store_le16(n + NODE_HEADER_SIZE + i * NODE_ENTRY_SIZE, (uint16_t)(at | (plain ? ENTRY_PLAIN : 0)));
		if (far) {
			store_le16(n + at, 0);
			store_be16(n + at + 2, s->type);
			store_le32(n + at + 4, make_place(far_chunk++, DATA_HEADER_SIZE));
			at += FAR_STUB_SIZE;
		} else {
			memcpy(n + at, s->wire, rrset_size(s));
			at += rrset_size(s);
		}
	}
	memset(n + at, 0, d->size - at);
}
