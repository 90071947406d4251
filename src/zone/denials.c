#include "zone/denials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "store/node.h"
#include "wire/nsec3.h"
#include "wire/rrtype.h"
#include "zone/records.h"

#define TYPES_MAX  256          /* of one owner; more are not compared */
#define OPT_OUT    1

enum denials_kind { KIND_NONE, KIND_NSEC, KIND_NSEC3, KIND_UNKNOWN };

struct denials {
	struct reporter *reporter;
	const struct view *view;
	enum denials_kind kind;
	/* NSEC: the name that the last one says comes next; NSEC3: the label */
	uint8_t next[NAME_MAX_SIZE];
	size_t next_size;
	/* whose it was */
	uint8_t last[NAME_MAX_SIZE];
	size_t last_size;
	uint8_t first[NSEC3_LABEL_SIZE];        /* of the NSEC3 chain */
	struct nsec3_params params;
	uint8_t salt[255];
	uint64_t names, nsec3s;         /* NSEC3: names that have one; how many there are */
};

struct denials *denials_new(struct reporter *reporter, const struct view *view)
{
	struct denials *d = calloc(1, sizeof(*d));

	if (d) {
		d->reporter = reporter;
		d->view = view;
	}
	return d;
}

void denials_free(struct denials *d)
{
	free(d);
}

static const char *relative_text(const struct denials *d, const uint8_t *owner, size_t size, char buf[NAME_TEXT_MAX])
{
	uint8_t full[2 * NAME_MAX_SIZE];

	memcpy(full, owner, size);
	memcpy(full + size, d->view->apex, d->view->apex_size);
	return name_to_text(buf, full);
}

static const struct node_rrset *find_rrset(const struct zone_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].type == type)
			return &n->rrsets[i];
	return NULL;
}

/* ---- type bitmaps (RFC 4034 4.1.2) -------------------------------------------- */

/* The types in it, rising. -1: malformed. */
static int read_bitmap(const uint8_t *p, size_t size, uint16_t types[TYPES_MAX])
{
	int count = 0, window = -1;

	while (size) {
		if (size < 3 || p[0] <= window || p[1] < 1 || p[1] > 32 || size < 2u + p[1])
			return -1;
		window = p[0];
		for (unsigned bit = 0; bit < 8u * p[1]; bit++)
			if (p[2 + bit / 8] & 0x80 >> bit % 8 && count < TYPES_MAX)
				types[count++] = (uint16_t)(window << 8 | bit);
		size -= 2u + p[1];
		p += 2u + p[1];
	}
	return count;
}

/* What has to be in it: at a cut only what is the parent's, and NS. */
static int types_of(const struct zone_node *n, uint16_t flags, uint16_t types[TYPES_MAX])
{
	bool is_signed = false, put = false;
	int count = 0;

	for (unsigned i = 0; i < n->count; i++) {
		uint16_t type = n->rrsets[i].type;

		if (type == TYPE_NSEC3 || type == TYPE_RRSIG)
			continue;
		if (flags & NODE_CUT && type != TYPE_NS && type != TYPE_DS && type != TYPE_NSEC)
			continue;
		is_signed |= n->rrsets[i].sig_count && !(flags & NODE_CUT && type == TYPE_NS);
		if (count < TYPES_MAX)
			types[count++] = type;
	}
	if (!is_signed || count == TYPES_MAX)
		return count;
	/* RRSIG in its place */
	for (int i = count; i > 0 && !put; i--) {
		put = types[i - 1] < TYPE_RRSIG;
		types[i] = put ? TYPE_RRSIG : types[i - 1];
	}
	if (!put)
		types[0] = TYPE_RRSIG;
	return count + 1;
}

static void check_types(struct denials *d, const struct zone_node *n, uint16_t flags, const uint8_t *bitmap, size_t size)
{
	uint16_t said[TYPES_MAX], there[TYPES_MAX];
	int said_count = read_bitmap(bitmap, size, said), there_count = types_of(n, flags, there), i = 0;
	const char *kind = d->kind == KIND_NSEC ? "NSEC" : "NSEC3";
	char name[NAME_TEXT_MAX], type[16];

	if (said_count < 0) {
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "the types in the %s of %s are malformed", kind,
			relative_text(d, n->owner, n->owner_size, name));
		return;
	}
	while (i < said_count && i < there_count && said[i] == there[i])
		i++;
	if (i == said_count && i == there_count)
		return;
	if (i == there_count || (i < said_count && said[i] < there[i]))
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "the %s of %s says that there is a %s, but there is none", kind,
			relative_text(d, n->owner, n->owner_size, name), rrtype_to_text(said[i], type));
	else
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "the %s of %s says that there is no %s, but there is one", kind,
			relative_text(d, n->owner, n->owner_size, name), rrtype_to_text(there[i], type));
}

/* ---- NSEC ----------------------------------------------------------------------- */

/* The chain so far ends at this name; apex: at its end. */
static void check_next(struct denials *d, const uint8_t *owner, size_t size)
{
	char last[NAME_TEXT_MAX], next[NAME_TEXT_MAX], name[NAME_TEXT_MAX];

	if (size == d->next_size && name_equal(owner, d->next, size))
		return;
	report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "the NSEC of %s says that %s comes next, but it is %s",
		relative_text(d, d->last, d->last_size, last), relative_text(d, d->next, d->next_size, next),
		relative_text(d, owner, size, name));
}

static void check_nsec(struct denials *d, const struct zone_node *n, uint16_t flags)
{
	const struct node_rrset *s = find_rrset(n, TYPE_NSEC);
	char name[NAME_TEXT_MAX];
	size_t size;

	if (n->owner_size)
		check_next(d, n->owner, n->owner_size);
	if (!s) {
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "%s has no NSEC", relative_text(d, n->owner, n->owner_size, name));
		return;
	}
	size = name_length(s->records[0].rdata, s->records[0].size);
	memcpy(d->last, n->owner, n->owner_size);
	d->last_size = n->owner_size;
	if (size < d->view->apex_size || !name_is_at_or_below(s->records[0].rdata, size, d->view->apex, d->view->apex_size)) {
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "the NSEC of %s names none of the zone as the next",
			relative_text(d, n->owner, n->owner_size, name));
		d->next_size = 0;
		return;
	}
	d->next_size = size - d->view->apex_size;
	memcpy(d->next, s->records[0].rdata, d->next_size);
	check_types(d, n, flags, s->records[0].rdata + size, s->records[0].size - size);
}

/* ---- NSEC3 ---------------------------------------------------------------------- */

/* Flags, the next hash and the types. false: malformed, or of another chain. */
struct nsec3_fields { uint8_t flags; const uint8_t *next, *bitmap; size_t bitmap_size; };

static bool nsec3_parse(const struct denials *d, const uint8_t *rdata, size_t size, struct nsec3_fields *f)
{
	struct nsec3_params p;
	size_t at;

	if (!nsec3_params_parse(&p, rdata, size) || p.algorithm != d->params.algorithm || p.iterations != d->params.iterations ||
	    p.salt_size != d->params.salt_size || memcmp(p.salt, d->params.salt, p.salt_size) != 0)
		return false;
	at = 5u + p.salt_size;
	if (size < at + 1 + NSEC3_HASH_SIZE || rdata[at] != NSEC3_HASH_SIZE)
		return false;
	*f = (struct nsec3_fields){ .flags = p.flags, .next = rdata + at + 1, .bitmap = rdata + at + 1 + NSEC3_HASH_SIZE,
		.bitmap_size = size - at - 1 - NSEC3_HASH_SIZE };
	return true;
}

/* The NSEC3 of the hash, or the one that spans it. */
static bool nsec3_of(const struct denials *d, const uint8_t label[NSEC3_LABEL_SIZE], bool *matches, struct nsec3_fields *f)
{
	struct found found = view_predecessor(d->view, true, label, NSEC3_LABEL_SIZE, 0);
	struct rrset s;

	if (!found_rrset(found, TYPE_NSEC3, &s) || s.wire_size < 12)
		return false;
	*matches = node_owner_size(found.node) == NSEC3_LABEL_SIZE && name_equal(node_owner(found.node), label, NSEC3_LABEL_SIZE);
	return nsec3_parse(d, s.wire + 12, load_be16(s.wire + 10), f);
}

static void check_nsec3(struct denials *d, const struct zone_node *n, uint16_t flags)
{
	bool optional = flags & NODE_ENT || (flags & NODE_CUT && !find_rrset(n, TYPE_DS)), found, matches = false;
	uint8_t full[2 * NAME_MAX_SIZE], hash[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE];
	struct nsec3_fields f;
	char name[NAME_TEXT_MAX];

	name_lower(full, n->owner, n->owner_size);
	memcpy(full + n->owner_size, d->view->apex, d->view->apex_size);
	nsec3_hash(&d->params, full, n->owner_size + d->view->apex_size, hash);
	nsec3_label(hash, label);
	found = nsec3_of(d, label, &matches, &f);
	if (found && matches) {
		d->names++;
		check_types(d, n, flags, f.bitmap, f.bitmap_size);
	} else if (!found || !optional || !(f.flags & OPT_OUT)) {
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "%s has no NSEC3", relative_text(d, n->owner, n->owner_size, name));
	}
}

static void check_chain(struct denials *d, const struct zone_node *n)
{
	const struct node_rrset *s = find_rrset(n, TYPE_NSEC3);
	char name[NAME_TEXT_MAX];
	struct nsec3_fields f;

	relative_text(d, n->owner, n->owner_size, name);
	if (s->count != 1 || n->owner_size != NSEC3_LABEL_SIZE || !nsec3_parse(d, s->records[0].rdata, s->records[0].size, &f)) {
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "the NSEC3 at %s is not of the chain that NSEC3PARAM names", name);
		return;
	}
	if (!d->nsec3s++)
		name_lower(d->first, n->owner, n->owner_size);
	else if (!name_equal(n->owner, d->next, NSEC3_LABEL_SIZE))
		report_some(d->reporter, RULE_DENIAL, NULL, 0, 0, "the NSEC3 before %s leads to another hash", name);
	nsec3_label(f.next, d->next);
}

/* ---- owners ----------------------------------------------------------------------- */

static void look_at_apex(struct denials *d, const struct zone_node *n)
{
	const struct node_rrset *params = find_rrset(n, TYPE_NSEC3PARAM);
	char apex[NAME_TEXT_MAX];

	name_to_text(apex, d->view->apex);
	if (find_rrset(n, TYPE_NSEC)) {
		d->kind = KIND_NSEC;
	} else if (!params || !nsec3_params_parse(&d->params, params->records[0].rdata, params->records[0].size)) {
		report(d->reporter, RULE_DENIAL, NULL, 0, 0, "%s is signed, but has neither NSEC nor NSEC3PARAM: what is not there "
			"cannot be proved", apex);
	} else if (d->params.algorithm != 1 || d->params.iterations > NSEC3_ITERATIONS_MAX) {
		d->kind = KIND_UNKNOWN;
		report(d->reporter, RULE_DENIAL, NULL, 0, 0, "the NSEC3 of %s (algorithm %u, %u iterations) are not computed here", apex,
			d->params.algorithm, d->params.iterations);
	} else {
		d->kind = KIND_NSEC3;
		memcpy(d->salt, d->params.salt, d->params.salt_size);
		d->params.salt = d->salt;
	}
}

static bool has_data(const struct zone_node *n)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].type != TYPE_RRSIG && n->rrsets[i].type != TYPE_NSEC3)
			return true;
	return false;
}

void denials_node(struct denials *d, const struct zone_node *n, uint16_t flags)
{
	bool is_name = !(flags & (NODE_OCCLUDED | NODE_NSEC3));

	if (n->owner_size == 0)
		look_at_apex(d, n);
	if (d->kind == KIND_NSEC && is_name && has_data(n))
		check_nsec(d, n, flags);
	if (d->kind == KIND_NSEC3 && find_rrset(n, TYPE_NSEC3))
		check_chain(d, n);
	if (d->kind == KIND_NSEC3 && is_name && (has_data(n) || flags & NODE_ENT))
		check_nsec3(d, n, flags);
}

void denials_finish(struct denials *d)
{
	static const uint8_t apex[1];
	char name[NAME_TEXT_MAX];

	if (d->kind == KIND_NSEC)
		check_next(d, apex, 0);
	if (d->kind != KIND_NSEC3)
		return;
	name_to_text(name, d->view->apex);
	if (d->nsec3s && !name_equal(d->first, d->next, NSEC3_LABEL_SIZE))
		report(d->reporter, RULE_DENIAL, NULL, 0, 0, "the last NSEC3 of %s does not lead to the first", name);
	if (d->names < d->nsec3s)
		report(d->reporter, RULE_DENIAL, NULL, 0, 0, "%llu NSEC3 of %s are of no name that is there",
			(unsigned long long)(d->nsec3s - d->names), name);
}
