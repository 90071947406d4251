#include "zone/gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/turn.h"
#include "wire/rrtype.h"
#include "zone/canonical.h"

struct gathered {
	const uint8_t *rdata, *canonical;  /* the same, names lower-cased (RFC 4034 6.2) */
	struct place place;
	uint32_t ttl, number;
	uint16_t size;
	uint16_t room;          /* that it takes in an image or a message */
	uint16_t type;          /* of an RRSIG: what it covers */
	bool is_sig;
};

/*
 * A message has 65535 octets; of these the header, the question and OPT take
 * up to 300. A record takes 12 octets beside its rdata, and in the image up to
 * 4 more for each name in it that is compressed or looked up.
 */
#define RRSET_ROOM 65200
#define RECORD_ROOM 12
#define NAME_ROOM 4

void gather_begin(struct gather *g, const uint8_t *owner, size_t owner_size)
{
	arena_reset(&g->arena);
	g->count = 0;
	memcpy(g->node.owner, owner, owner_size);
	g->node.owner_size = owner_size;
	g->node.count = 0;
}

void gather_free(struct gather *g)
{
	arena_free(&g->arena);
	free(g->records);
	g->records = NULL;
}

static uint16_t room_of_record(uint16_t type, const uint8_t *rdata, uint16_t size)
{
	bool compressible;
	int additional, names = rrtype_rdata_names(type, rdata, size, NULL, 0, &compressible, &additional);

	if (names > RRTYPE_FIXED_NAMES)
		names = 0;
	return (uint16_t)(RECORD_ROOM + (names > 0 ? names * NAME_ROOM : 0) + (size > RRSET_ROOM ? RRSET_ROOM : size));
}

int gather_add(struct gather *g, uint16_t type, uint32_t ttl, const uint8_t *rdata, uint16_t size, bool copy,
	const struct place *place, struct err *err)
{
	struct gathered *r;

	turn_over(90);
	if (g->count == g->space) {
		size_t space = g->space ? 2 * g->space : 64;
		struct gathered *records = realloc(g->records, space * sizeof(*records));

		if (!records)
			return err_set(err, ERR_NOMEM, "no memory for %zu records of one name", g->count);
		g->records = records;
		g->space = space;
	}
	r = &g->records[g->count];
	*r = (struct gathered){ .rdata = rdata, .size = size, .type = type, .ttl = ttl, .place = *place,
		.number = (uint32_t)g->count };
	if (copy)
		r->rdata = arena_memdup(&g->arena, rdata, size ? size : 1);
	/* names compare without regard to case, where the type has them so */
	r->canonical = r->rdata ? canonical_rdata(&g->arena, type, r->rdata, size) : NULL;
	if (!r->canonical)
		return err_set(err, ERR_NOMEM, "no memory for %zu records of one name", g->count);
	r->room = room_of_record(type, r->rdata, size);
	if (type == TYPE_RRSIG && size >= 18) {
		r->type = load_be16(r->rdata);
		r->is_sig = true;
	}
	g->count++;
	return 0;
}

static int compare_set(const struct gathered *a, const struct gathered *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return (int)a->is_sig - (int)b->is_sig;
}

static int compare_rdata(const struct gathered *a, const struct gathered *b)
{
	int c = memcmp(a->canonical, b->canonical, a->size < b->size ? a->size : b->size);

	return c ? c : (int)a->size - (int)b->size;
}

static int compare_gathered(const void *x, const void *y)
{
	const struct gathered *a = x, *b = y;
	int c = compare_set(a, b);

	if (!c)
		c = compare_rdata(a, b);
	return c ? c : a->number < b->number ? -1 : 1;
}

static void sort_records(struct gathered *r, size_t count)
{
	if (count > 12) {
		qsort(r, count, sizeof(*r), compare_gathered);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct gathered one = r[i];
		size_t k = i;

		for (; k > 0 && compare_gathered(&r[k - 1], &one) > 0; k--)
			r[k] = r[k - 1];
		r[k] = one;
	}
}

static const char *place_file(const struct gather *g, const struct place *place)
{
	return place->line && g->file_name ? g->file_name(g->arg, place->file) : NULL;
}

static void __attribute__((format(printf, 5, 6))) tell(const struct gather *g, enum rule_id id, const struct gathered *r,
	bool drop, const char *fmt, ...)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	char message[2 * NAME_TEXT_MAX], name[NAME_TEXT_MAX], mnemonic[16], detail[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	memcpy(full, g->node.owner, g->node.owner_size);
	memcpy(full + g->node.owner_size, g->apex, g->apex_size);
	snprintf(message, sizeof(message), "%s %s%s: %s", name_to_text(name, full), r->is_sig ? "RRSIG " : "",
		rrtype_to_text(r->type, mnemonic), detail);
	if (drop)
		report_dropped(g->reporter, id, place_file(g, &r->place), r->place.line, r->place.column, message);
	else
		report(g->reporter, id, place_file(g, &r->place), r->place.line, r->place.column, "%s", message);
}

/* Records that came twice go; returns how many stay of r[0..count). */
static size_t once_each(struct gather *g, struct gathered *r, size_t count)
{
	size_t n = 1;

	for (size_t i = 1; i < count; i++) {
		if (compare_rdata(&r[n - 1], &r[i]) != 0) {
			r[n++] = r[i];
			continue;
		}
		/* a transfer, and so what is made of one, ends in the SOA again */
		if (r[i].type != TYPE_SOA || r[i].is_sig)
			tell(g, RULE_DUPLICATE, &r[i], false, "the same record again (first in line %u)", r[n - 1].place.line);
		if (r[i].ttl < r[n - 1].ttl)
			r[n - 1].ttl = r[i].ttl;
	}
	return n;
}

static int part_from(struct gather *g, const struct gathered *r, size_t count, struct build_record **records,
	struct place **places, struct err *err)
{
	*records = arena_alloc(&g->arena, count * sizeof(**records));
	*places = arena_alloc(&g->arena, count * sizeof(**places));
	if (!*records || !*places)
		return err_set(err, ERR_NOMEM, "no memory for %zu records of one name", count);
	for (size_t i = 0; i < count; i++) {
		(*records)[i] = (struct build_record){ .rdata = r[i].rdata, .size = r[i].size };
		(*places)[i] = r[i].place;
	}
	return 0;
}

static uint32_t lowest_ttl(struct gather *g, const struct gathered *r, size_t count)
{
	uint32_t ttl = r[0].ttl;
	const struct gathered *other = NULL;

	for (size_t i = 1; i < count; i++) {
		if (r[i].ttl != r[0].ttl && (!other || r[i].place.line > other->place.line))
			other = &r[i];
		if (r[i].ttl < ttl)
			ttl = r[i].ttl;
	}
	if (other)
		tell(g, RULE_TTL_MISMATCH, other, false, "TTLs of %u and %u in one RRset: the lowest is taken", r[0].ttl, other->ttl);
	return ttl;
}

static uint64_t room_of(const struct gathered *r, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += r[i].room;
	return sum;
}

/* r[0..count): one type, its signatures last. */
static int make_rrset(struct gather *g, struct gathered *r, size_t count, struct node_rrset *s, struct err *err)
{
	size_t data = 0, sigs;
	const struct gathered *sig;

	while (data < count && !r[data].is_sig)
		data++;
	sig = r + data;
	sigs = count - data;
	*s = (struct node_rrset){ .type = r[0].type };
	if (sigs)
		sigs = once_each(g, r + data, sigs);
	if (data) {
		s->ttl = lowest_ttl(g, r, data);
		data = once_each(g, r, data);
	}
	if (room_of(r, data) + room_of(sig, sigs) > RRSET_ROOM) {
		tell(g, RULE_RRSET_TOO_LARGE, data ? &r[0] : &sig[0], g->drop_too_large,
			"%zu records of %llu octets fit into no message", data + sigs,
			(unsigned long long)(room_of(r, data) + room_of(sig, sigs)));
		return 0;
	}
	if (!data) {            /* they cover nothing: an RRset of their own */
		s->ttl = lowest_ttl(g, sig, sigs);
		return part_from(g, sig, s->count = (uint32_t)sigs, &s->records, &s->places, err);
	}
	for (size_t i = 0; i < sigs; i++)
		if (sig[i].ttl != s->ttl) {
			tell(g, RULE_RRSIG_TTL, &sig[i], false, "TTL %u, but the RRset has %u, which is taken", sig[i].ttl, s->ttl);
			break;
		}
	s->sig_count = (uint32_t)sigs;
	if (sigs && part_from(g, sig, sigs, &s->sigs, &s->sig_places, err) < 0)
		return -1;
	return part_from(g, r, s->count = (uint32_t)data, &s->records, &s->places, err);
}

/* Signatures that cover nothing, of several types, are one RRset of type
 * RRSIG, in the place that its number has. */
static int add_lone_sigs(struct gather *g, struct node_rrset *lone, unsigned count, struct err *err)
{
	struct zone_node *n = &g->node;
	struct node_rrset all = { .type = TYPE_RRSIG, .ttl = lone[0].ttl };
	uint64_t octets = 0;
	unsigned i;

	for (i = 0; i < count; i++) {
		all.count += lone[i].count;
		if (lone[i].ttl < all.ttl)
			all.ttl = lone[i].ttl;
	}
	all.records = arena_alloc(&g->arena, all.count * sizeof(*all.records));
	all.places = arena_alloc(&g->arena, all.count * sizeof(*all.places));
	if (!all.records || !all.places)
		return err_set(err, ERR_NOMEM, "no memory for the signatures of one name");
	all.count = 0;
	for (i = 0; i < count; i++)
		for (uint32_t k = 0; k < lone[i].count; k++) {
			octets += RECORD_ROOM + NAME_ROOM + lone[i].records[k].size;
			if (octets > RRSET_ROOM) {
				report(g->reporter, RULE_RRSET_TOO_LARGE, place_file(g, &lone[i].places[k]), lone[i].places[k].line,
					lone[i].places[k].column, "too many signatures at one name that cover nothing: they fit into no message");
				i = count - 1;
				break;
			}
			all.records[all.count] = lone[i].records[k];
			all.places[all.count++] = lone[i].places[k];
		}
	for (i = 0; i < n->count && n->rrsets[i].type < TYPE_RRSIG; i++)
		;
	memmove(&n->rrsets[i + 1], &n->rrsets[i], (n->count - i) * sizeof(all));
	n->rrsets[i] = all;
	n->count++;
	return 0;
}

int gather_finish(struct gather *g, struct err *err)
{
	struct zone_node *n = &g->node;
	struct node_rrset *lone = NULL;
	unsigned types = 0, lone_count = 0;

	n->count = 0;
	if (!g->count)
		return 0;
	sort_records(g->records, g->count);
	for (size_t i = 0; i < g->count; i++)
		types += i == 0 || g->records[i].type != g->records[i - 1].type;
	n->rrsets = arena_alloc(&g->arena, (types + 1) * sizeof(*n->rrsets));
	if (!n->rrsets)
		return err_set(err, ERR_NOMEM, "no memory for the RRsets of one name");
	for (size_t i = 0, end; i < g->count; i = end) {
		struct node_rrset s;
		bool alone = g->records[i].is_sig;

		for (end = i + 1; end < g->count && g->records[end].type == g->records[i].type; end++)
			;
		if (make_rrset(g, g->records + i, end - i, &s, err) < 0)
			return -1;
		if (!s.count)
			continue;       /* too large: left out */
		if (!alone) {
			n->rrsets[n->count++] = s;
			continue;
		}
		if (!lone)
			lone = arena_alloc(&g->arena, types * sizeof(*lone));
		if (!lone)
			return err_set(err, ERR_NOMEM, "no memory for the signatures of one name");
		lone[lone_count++] = s;
	}
	return lone_count ? add_lone_sigs(g, lone, lone_count, err) : 0;
}

const struct build_rrset *gather_build(struct gather *g, struct err *err)
{
	const struct zone_node *n = &g->node;
	struct build_rrset *build = arena_alloc(&g->arena, (n->count + 1) * sizeof(*build));

	if (!build) {
		err_set(err, ERR_NOMEM, "no memory for the RRsets of one name");
		return NULL;
	}
	for (unsigned i = 0; i < n->count; i++) {
		const struct node_rrset *s = &n->rrsets[i];

		build[i] = (struct build_rrset){ .type = s->type, .ttl = s->ttl, .records = s->records, .count = s->count,
			.sigs = s->sigs, .sig_count = s->sig_count };
	}
	return build;
}
