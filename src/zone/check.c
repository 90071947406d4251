#include "zone/check.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/rrtype.h"
#include "zone/signing.h"

/* Names by hash, for what is asked about them: one slot a name. */
struct seen {
	uint64_t hash;          /* 0: free */
	const uint8_t *name;    /* full, lower case; NULL where nobody asks for it */
	struct place place;
	uint8_t flags;
};
enum { SEEN_APEX_NS = 1, SEEN_CUT_NS = 2, SEEN_ADDRESS = 4, SEEN_CNAME = 8, SEEN_WILDCARD = 16 };

struct checker {
	struct reporter *reporter;
	uint8_t apex[NAME_MAX_SIZE];
	size_t apex_size;
	uint64_t drops;
	const char *(*file_name)(void *, unsigned);
	void *arg;
	struct arena names;
	struct seen *table;
	size_t used, space;     /* space: power of two */
	uint64_t *filter;       /* space / 8 words; most names asked for are not in the table: a bit tells it without a miss */
	/* the topmost cut and the topmost DNAME that we are below */
	uint8_t cut[NAME_MAX_SIZE], dname[NAME_MAX_SIZE];
	size_t cut_size, dname_size;
	bool in_cut, in_dname;
	bool apex_seen;
	struct { uint16_t tag; uint8_t algorithm; } keys[64];
	unsigned key_count;
	uint16_t strange_tags[64];
	unsigned strange_count;
	bool dnskey, told_no_dnskey;
};

struct checker *checker_new(struct reporter *reporter, const uint8_t *apex, size_t apex_size, uint64_t drops,
	const char *(*file_name)(void *, unsigned), void *arg)
{
	struct checker *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->reporter = reporter;
	memcpy(c->apex, apex, apex_size);
	c->apex_size = apex_size;
	c->drops = drops;
	c->file_name = file_name;
	c->arg = arg;
	return c;
}

void checker_free(struct checker *c)
{
	if (!c)
		return;
	arena_free(&c->names);
	free(c->table);
	free(c->filter);
	free(c);
}

static const char *place_file(const struct checker *c, const struct place *place)
{
	return place->line && c->file_name ? c->file_name(c->arg, place->file) : NULL;
}

static void __attribute__((format(printf, 4, 5))) complain(struct checker *c, enum rule_id id, const struct place *place,
	const char *fmt, ...)
{
	char message[NAME_TEXT_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (rule_of(id)->droppable && (c->drops & 1ull << id))
		report_dropped(c->reporter, id, place_file(c, place), place->line, place->column, message);
	else
		report(c->reporter, id, place_file(c, place), place->line, place->column, "%s", message);
}

static bool dropped(const struct checker *c, enum rule_id id)
{
	return c->drops & 1ull << id;
}

/* The full name of a relative one as text. */
static char *owner_text(const struct checker *c, const uint8_t *owner, size_t size, char *buf)
{
	uint8_t full[2 * NAME_MAX_SIZE];

	memcpy(full, owner, size);
	memcpy(full + size, c->apex, c->apex_size);
	return name_to_text(buf, full);
}

static uint64_t hash_of(const uint8_t *lower, size_t size)
{
	uint64_t hash = XXH3_64bits(lower, size);

	return hash ? hash : 1;
}

static struct seen *seen_slot(struct checker *c, uint64_t hash)
{
	size_t i = hash & (c->space - 1);

	while (c->table[i].hash && c->table[i].hash != hash)
		i = (i + 1) & (c->space - 1);
	return &c->table[i];
}

static bool filter_has(const struct checker *c, uint64_t hash)
{
	uint64_t bit = (hash >> 32) & (8 * c->space - 1);

	return c->filter[bit / 64] >> bit % 64 & 1;
}

static void filter_set(struct checker *c, uint64_t hash)
{
	uint64_t bit = (hash >> 32) & (8 * c->space - 1);

	c->filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

static int seen_grow(struct checker *c)
{
	size_t old_space = c->space, space = old_space ? 2 * old_space : 64;
	struct seen *old = c->table, *table = calloc(space, sizeof(*table));
	uint64_t *filter = calloc(space / 8, sizeof(*filter));

	if (!table || !filter) {
		free(table);
		free(filter);
		return -1;
	}
	free(c->filter);
	c->table = table;
	c->filter = filter;
	c->space = space;
	for (size_t i = 0; i < old_space; i++)
		if (old[i].hash) {
			*seen_slot(c, old[i].hash) = old[i];
			filter_set(c, old[i].hash);
		}
	free(old);
	return 0;
}

/* The slot of a name, a new one where it has none. name: full, lower case. */
static struct seen *seen_add(struct checker *c, const uint8_t *name, size_t size, bool keep_name)
{
	uint64_t hash = hash_of(name, size);
	struct seen *s;

	if (4 * (c->used + 1) > 3 * c->space && seen_grow(c) < 0)
		return NULL;
	s = seen_slot(c, hash);
	if (!s->hash) {
		if (keep_name) {
			s->name = arena_memdup(&c->names, name, size);
			if (!s->name)
				return NULL;
		}
		s->hash = hash;
		filter_set(c, hash);
		c->used++;
	}
	return s;
}

static struct seen *seen_find(struct checker *c, const uint8_t *name, size_t size)
{
	struct seen *s;
	uint64_t hash;

	if (!c->space)
		return NULL;
	hash = hash_of(name, size);
	if (!filter_has(c, hash))
		return NULL;
	s = seen_slot(c, hash);
	return s->hash ? s : NULL;
}

int checker_ns(struct checker *c, bool at_apex, const uint8_t *target, const struct place *place)
{
	uint8_t lower[NAME_MAX_SIZE];
	size_t size = name_length(target, NAME_MAX_SIZE);
	struct seen *s;

	if (!size || !name_is_at_or_below(target, size, c->apex, c->apex_size))
		return 0;
	name_lower(lower, target, size);
	s = seen_add(c, lower, size, true);
	if (!s)
		return -1;
	if (!s->place.line)
		s->place = *place;
	s->flags |= at_apex ? SEEN_APEX_NS : SEEN_CUT_NS;
	return 0;
}

static struct node_rrset *find_rrset(struct zone_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].type == type)
			return &n->rrsets[i];
	return NULL;
}

static void remove_rrset(struct zone_node *n, struct node_rrset *s)
{
	unsigned i = (unsigned)(s - n->rrsets);

	memmove(s, s + 1, (n->count - i - 1) * sizeof(*s));
	n->count--;
}

/* Only the record that came first stays (of a file's; else the first). */
static void keep_first(struct node_rrset *s)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < s->count; i++)
		if (s->places[i].file == s->places[best].file && s->places[i].line < s->places[best].line)
			best = i;
	s->records[0] = s->records[best];
	s->places[0] = s->places[best];
	s->count = 1;
}

/* The place of the record that was one too many: the second in the file. */
static const struct place *second_place(const struct node_rrset *s)
{
	uint32_t first = 0, second;

	for (uint32_t i = 1; i < s->count; i++)
		if (s->places[i].line < s->places[first].line)
			first = i;
	second = first ? 0 : 1;
	for (uint32_t i = 0; i < s->count; i++)
		if (i != first && s->places[i].line < s->places[second].line)
			second = i;
	return &s->places[second];
}

static void check_single(struct checker *c, struct zone_node *n, uint16_t type, enum rule_id id, const char *what)
{
	struct node_rrset *s = find_rrset(n, type);
	char name[NAME_TEXT_MAX];

	if (!s || s->count < 2)
		return;
	complain(c, id, second_place(s), "%s has %u different %s records", owner_text(c, n->owner, n->owner_size, name),
		s->count, what);
	if (dropped(c, id))
		keep_first(s);
}

/* What may stand beside a CNAME (RFC 4035 2.5; KEY: RFC 3007 3.1.1). */
static bool beside_cname(uint16_t type)
{
	return type == TYPE_CNAME || type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3 || type == 25;
}

static void check_cname(struct checker *c, struct zone_node *n)
{
	struct node_rrset *cname = find_rrset(n, TYPE_CNAME);
	char name[NAME_TEXT_MAX], mnemonic[16];

	if (!cname)
		return;
	for (unsigned i = 0; i < n->count; i++) {
		if (beside_cname(n->rrsets[i].type))
			continue;
		complain(c, RULE_CNAME_AND_OTHER, &cname->places[0], "%s has a CNAME and other data (%s)",
			owner_text(c, n->owner, n->owner_size, name), rrtype_to_text(n->rrsets[i].type, mnemonic));
		if (dropped(c, RULE_CNAME_AND_OTHER))
			remove_rrset(n, cname);
		return;
	}
}

/* A rule that one type at an owner breaks by being there. */
static void check_absent(struct checker *c, struct zone_node *n, uint16_t type, enum rule_id id, const char *what)
{
	struct node_rrset *s = find_rrset(n, type);
	char name[NAME_TEXT_MAX];

	if (!s)
		return;
	complain(c, id, &s->places[0], "%s %s", owner_text(c, n->owner, n->owner_size, name), what);
	if (dropped(c, id))
		remove_rrset(n, s);
}

void check_owner(struct checker *c, struct zone_node *n)
{
	check_single(c, n, TYPE_CNAME, RULE_SEVERAL_CNAMES, "CNAME");
	check_single(c, n, TYPE_DNAME, RULE_SEVERAL_DNAMES, "DNAME");
	check_cname(c, n);
	if (n->owner_size == 0) {
		check_single(c, n, TYPE_SOA, RULE_SEVERAL_SOAS, "SOA");
		return;
	}
	check_absent(c, n, TYPE_SOA, RULE_SOA_BELOW_APEX, "has an SOA, but is not the apex");
	if (n->owner[0] == 1 && n->owner[1] == '*')
		check_absent(c, n, TYPE_NS, RULE_WILDCARD_NS, "delegates a wildcard");
	if (find_rrset(n, TYPE_DNAME) && find_rrset(n, TYPE_NS))
		check_absent(c, n, TYPE_DNAME, RULE_NS_BESIDE_DNAME, "has a DNAME beside its NS");
}

static void learn_keys(struct checker *c, struct zone_node *n)
{
	const struct node_rrset *s = find_rrset(n, TYPE_DNSKEY);

	if (!s)
		return;
	c->dnskey = true;
	for (uint32_t i = 0; i < s->count && c->key_count < 64; i++) {
		if (s->records[i].size < 4)
			continue;
		c->keys[c->key_count].tag = dnskey_tag(s->records[i].rdata, s->records[i].size);
		c->keys[c->key_count++].algorithm = s->records[i].rdata[3];
	}
}

/* A signature by a key that nobody can find is told once a key. */
static void check_signature(struct checker *c, const struct zone_node *n, const struct build_record *sig, const struct place *place)
{
	char name[NAME_TEXT_MAX];
	uint16_t tag;

	if (sig->size < 19)
		return;
	if (!c->dnskey) {
		if (!c->told_no_dnskey)
			complain(c, RULE_RRSIG_NO_DNSKEY, place, "%s is signed, but the apex has no DNSKEY",
				owner_text(c, n->owner, n->owner_size, name));
		c->told_no_dnskey = true;
		return;
	}
	tag = load_be16(sig->rdata + 16);
	for (unsigned i = 0; i < c->key_count; i++)
		if (c->keys[i].tag == tag && c->keys[i].algorithm == sig->rdata[2])
			return;
	for (unsigned i = 0; i < c->strange_count; i++)
		if (c->strange_tags[i] == tag)
			return;
	if (c->strange_count == 64 || c->key_count == 64)
		return;
	c->strange_tags[c->strange_count++] = tag;
	complain(c, RULE_RRSIG_KEY, place, "%s is signed by the key %u (algorithm %u), which is not in the DNSKEY RRset",
		owner_text(c, n->owner, n->owner_size, name), tag, sig->rdata[2]);
}

static void check_signatures(struct checker *c, const struct zone_node *n)
{
	for (unsigned i = 0; i < n->count; i++) {
		const struct node_rrset *s = &n->rrsets[i];

		for (uint32_t k = 0; k < s->sig_count; k++)
			check_signature(c, n, &s->sigs[k], &s->sig_places[k]);
		if (s->type == TYPE_RRSIG && s->count) {
			char name[NAME_TEXT_MAX], mnemonic[16];

			complain(c, RULE_RRSIG_ALONE, &s->places[0], "%s has an RRSIG of type %s, but no such RRset",
				owner_text(c, n->owner, n->owner_size, name),
				rrtype_to_text(s->records[0].size >= 2 ? load_be16(s->records[0].rdata) : 0, mnemonic));
		}
	}
}

/* Addresses, CNAMEs and wildcards: what name servers' names want to know. */
static int note_addresses(struct checker *c, struct zone_node *n)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	size_t size = n->owner_size + c->apex_size;
	bool address = find_rrset(n, TYPE_A) || find_rrset(n, TYPE_AAAA);
	bool cname = find_rrset(n, TYPE_CNAME);
	struct seen *s;

	if (!address && !cname)
		return 0;
	name_lower(full, n->owner, n->owner_size);
	memcpy(full + n->owner_size, c->apex, c->apex_size);
	s = seen_find(c, full, size);
	if (s)
		s->flags |= (address ? SEEN_ADDRESS : 0) | (cname ? SEEN_CNAME : 0);
	if (n->owner_size && full[0] == 1 && full[1] == '*' && address) {
		s = seen_add(c, full + 2, size - 2, false);
		if (!s)
			return -1;
		s->flags |= SEEN_WILDCARD;
	}
	return 0;
}

bool relative_is_below(const uint8_t *name, size_t size, const uint8_t *top, size_t top_size)
{
	size_t at = 0;

	if (size <= top_size)
		return false;
	/* top must begin at one of the name's labels */
	while (size - at > top_size)
		at += name[at] + 1u;
	return size - at == top_size && name_equal(name + at, top, top_size);
}

static bool is_glue(struct checker *c, const struct zone_node *n)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	const struct seen *s;

	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].type != TYPE_A && n->rrsets[i].type != TYPE_AAAA)
			return false;
	name_lower(full, n->owner, n->owner_size);
	memcpy(full + n->owner_size, c->apex, c->apex_size);
	s = seen_find(c, full, n->owner_size + c->apex_size);
	return s && (s->flags & (SEEN_APEX_NS | SEEN_CUT_NS));
}

static bool nsec3_only(const struct zone_node *n)
{
	return n->count == 1 && n->rrsets[0].type == TYPE_NSEC3;
}

static void check_place(struct checker *c, struct zone_node *n)
{
	char name[NAME_TEXT_MAX], top[NAME_TEXT_MAX];

	if (c->in_dname && !relative_is_below(n->owner, n->owner_size, c->dname, c->dname_size))
		c->in_dname = false;
	if (c->in_cut && !relative_is_below(n->owner, n->owner_size, c->cut, c->cut_size))
		c->in_cut = false;
	if (!n->count || nsec3_only(n))
		return;
	if (c->in_dname) {
		for (unsigned i = 0; i < n->count; i++)
			complain(c, RULE_BELOW_DNAME, &n->rrsets[i].places[0], "%s lies below the DNAME at %s",
				owner_text(c, n->owner, n->owner_size, name),
				owner_text(c, c->dname, c->dname_size, top));
		if (dropped(c, RULE_BELOW_DNAME))
			n->count = 0;
		return;
	}
	if (c->in_cut) {
		if (!is_glue(c, n))
			complain(c, RULE_BELOW_CUT, &n->rrsets[0].places[0],
				"%s lies below the delegation of %s and is no glue: it will never be answered",
				owner_text(c, n->owner, n->owner_size, name), owner_text(c, c->cut, c->cut_size, top));
		return;
	}
	if (n->owner_size && find_rrset(n, TYPE_NS)) {
		memcpy(c->cut, n->owner, n->owner_size);
		c->cut_size = n->owner_size;
		c->in_cut = true;
	}
	/* a DNAME beside NS below the apex has been told already, and rules below the cut */
	if (find_rrset(n, TYPE_DNAME) && !c->in_cut) {
		memcpy(c->dname, n->owner, n->owner_size);
		c->dname_size = n->owner_size;
		c->in_dname = true;
	}
}

static void check_apex(struct checker *c, struct zone_node *n)
{
	static const struct place nowhere = { 0, 0, 0 };
	char name[NAME_TEXT_MAX];

	c->apex_seen = true;
	if (!n || !find_rrset(n, TYPE_SOA))
		complain(c, RULE_NO_SOA, &nowhere, "%s has no SOA", name_to_text(name, c->apex));
	if (!n || !find_rrset(n, TYPE_NS))
		complain(c, RULE_NO_NS, &nowhere, "%s has no NS", name_to_text(name, c->apex));
}

int checker_node(struct checker *c, struct zone_node *n)
{
	check_owner(c, n);
	if (!c->apex_seen)
		check_apex(c, n->owner_size == 0 ? n : NULL);
	if (n->owner_size == 0)
		learn_keys(c, n);
	check_place(c, n);
	check_signatures(c, n);
	return note_addresses(c, n);
}

static bool below_wildcard(struct checker *c, const uint8_t *name)
{
	size_t size = name_length(name, NAME_MAX_SIZE);

	while (size > c->apex_size) {
		const struct seen *s;

		size -= name[0] + 1u;
		name += name[0] + 1u;
		s = seen_find(c, name, size);
		if (s && (s->flags & SEEN_WILDCARD))
			return true;
	}
	return false;
}

static int compare_seen(const void *a, const void *b)
{
	const struct seen *x = *(const struct seen *const *)a, *y = *(const struct seen *const *)b;

	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

void checker_finish(struct checker *c)
{
	const struct seen **wrong;
	size_t count = 0;
	char name[NAME_TEXT_MAX];

	if (!c->apex_seen)
		check_apex(c, NULL);
	/* in the order of the file, not of the hashes */
	wrong = malloc((c->used + 1) * sizeof(*wrong));
	if (!wrong)
		return;
	for (size_t i = 0; i < c->space; i++) {
		const struct seen *s = &c->table[i];

		if (s->hash && s->name && (s->flags & (SEEN_APEX_NS | SEEN_CUT_NS)) && !(s->flags & SEEN_ADDRESS))
			wrong[count++] = s;
	}
	qsort(wrong, count, sizeof(*wrong), compare_seen);
	for (size_t i = 0; i < count; i++) {
		const struct seen *s = wrong[i];

		if (s->flags & SEEN_CNAME)
			complain(c, RULE_NS_IS_CNAME, &s->place, "the name server %s is a CNAME", name_to_text(name, s->name));
		else if (below_wildcard(c, s->name))
			continue;
		else if (s->flags & SEEN_APEX_NS)
			complain(c, RULE_APEX_NS_ADDRESS, &s->place, "the zone's name server %s has no address",
				name_to_text(name, s->name));
		else
			complain(c, RULE_GLUE_MISSING, &s->place, "the name server %s lies in the zone, but has no address",
				name_to_text(name, s->name));
	}
	free(wrong);
}
