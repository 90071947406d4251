#include "answer/denial.h"

#include <string.h>

#include "base/bytes.h"
#include "store/node.h"
#include "wire/nsec3.h"
#include "wire/rrtype.h"

#define RR_HEAD 12

/* ---- NSEC and NSEC3 alike ---------------------------------------------------- */

static bool is_proved(struct composer *c, const uint8_t *node)
{
	for (unsigned i = 0; i < c->proof_count; i++)
		if (c->proofs[i] == node)
			return true;
	if (c->proof_count < PROOFS_MAX)
		c->proofs[c->proof_count++] = node;
	return false;
}

/* The NSEC or NSEC3 RRset of a node, once a response. */
static void put_proof(struct composer *c, struct found f, uint16_t type)
{
	struct response_owner owner;
	struct rrset s;

	if (c->full || !f.node || !image_rrset(f.image, f.node, type, &s) || is_proved(c, f.node))
		return;
	owner = compose_node_owner(c, f.node);
	if (!compose_rrset(c, SECTION_AUTHORITY, &s, &owner, true))
		compose_full(c);
}

static size_t relative_size(const struct composer *c, unsigned label)
{
	return (size_t)(c->name->at[c->above] - c->name->at[label]);
}

/* ---- NSEC ---------------------------------------------------------------------- */

/* The NSEC at a relative name, or the one that spans it: occluded names and
 * empty non-terminals have none. */
static struct found nsec_find(const struct composer *c, const uint8_t *relative, size_t size)
{
	return view_predecessor(c->view, false, relative, size, NODE_OCCLUDED | NODE_ENT);
}

static struct found nsec_find_name(const struct composer *c)
{
	return nsec_find(c, c->name->lower, relative_size(c, 0));
}

static void put_nsec_of_name(struct composer *c)
{
	put_proof(c, nsec_find_name(c), TYPE_NSEC);
}

static void put_nsec_of_wildcard(struct composer *c, unsigned label)
{
	uint8_t buf[NAME_MAX_SIZE + 2];
	size_t size = find_wildcard_name(c->view, c->name, label, buf);

	put_proof(c, nsec_find(c, buf, size), TYPE_NSEC);
}

/* ---- NSEC3 ---------------------------------------------------------------------- */

struct nsec3_place { struct found found; bool matches; };

/* The NSEC3 of a hash, or the one that spans it. */
static struct nsec3_place nsec3_at(const struct composer *c, const uint8_t hash[NSEC3_HASH_SIZE])
{
	uint8_t label[NSEC3_LABEL_SIZE];
	struct nsec3_place place;

	nsec3_label(hash, label);
	place.found = view_predecessor(c->view, true, label, sizeof label, 0);
	place.matches = place.found.node && node_owner_size(place.found.node) == sizeof label &&
		name_equal(node_owner(place.found.node), label, sizeof label);
	return place;
}

static struct nsec3_place nsec3_find_suffix(const struct composer *c, const struct nsec3_params *p, unsigned label)
{
	const struct name *n = c->name;
	uint8_t hash[NSEC3_HASH_SIZE];

	nsec3_hash(p, n->lower + n->at[label], (size_t)(n->size - n->at[label]), hash);
	return nsec3_at(c, hash);
}

/* The same of what may be a closest encloser: those come again. */
static struct nsec3_place nsec3_find_encloser(struct composer *c, const struct nsec3_params *p, unsigned label)
{
	const struct name *n = c->name;
	uint8_t hash[NSEC3_HASH_SIZE];

	nsec3_hash_cached(&c->nsec3, n->hash[label], p, n->lower + n->at[label], (size_t)(n->size - n->at[label]), hash);
	return nsec3_at(c, hash);
}

static void put_nsec3_suffix(struct composer *c, const struct nsec3_params *p, unsigned label)
{
	put_proof(c, nsec3_find_suffix(c, p, label).found, TYPE_NSEC3);
}

/* RFC 5155 7.2.1: the closest encloser that has an NSEC3 (with opt-out the
 * real one may have none), at or above a label, and the one that spans the
 * next closer name. Returns the encloser's label. */
static unsigned put_encloser(struct composer *c, const struct nsec3_params *p, unsigned label)
{
	for (; label <= c->above; label++) {
		struct nsec3_place place = nsec3_find_encloser(c, p, label);

		if (!place.matches)
			continue;
		put_proof(c, place.found, TYPE_NSEC3);
		put_nsec3_suffix(c, p, label - 1);
		return label;
	}
	return c->above;
}

static struct nsec3_place nsec3_find_wildcard(struct composer *c, const struct nsec3_params *p, unsigned label)
{
	uint8_t buf[NAME_MAX_SIZE + 2 + NAME_MAX_SIZE], hash[NSEC3_HASH_SIZE];
	size_t size = find_wildcard_name(c->view, c->name, label, buf);

	/* not longer than the name: of that, a label at least is left out */
	memcpy(buf + size, c->view->apex, c->view->apex_size);
	nsec3_hash_cached(&c->nsec3, ~c->name->hash[label], p, buf, size + c->view->apex_size, hash);
	return nsec3_at(c, hash);
}

/* ---- what the composer asks for ------------------------------------------------- */

enum denial_kind { DENIAL_NONE, DENIAL_NSEC, DENIAL_NSEC3 };

/* How the zone denies: RFC 5155 7.3, NSEC3PARAM at the apex says so. */
static enum denial_kind denial_kind(struct composer *c, struct nsec3_params *p)
{
	struct rrset s;

	if (!compose_apex(c))
		return DENIAL_NONE;
	if (image_rrset(c->apex.image, c->apex.node, TYPE_NSEC, &s))
		return DENIAL_NSEC;
	if (!image_rrset(c->apex.image, c->apex.node, TYPE_NSEC3PARAM, &s) || s.wire_size < RR_HEAD)
		return DENIAL_NONE;
	if (!nsec3_params_parse(p, s.wire + RR_HEAD, load_be16(s.wire + RR_HEAD - 2)))
		return DENIAL_NONE;
	return p->algorithm == 1 && p->iterations <= NSEC3_ITERATIONS_MAX ? DENIAL_NSEC3 : DENIAL_NONE;
}

void denial_no_name(struct composer *c, const struct find *f)
{
	struct nsec3_place place;
	struct nsec3_params p;

	switch (denial_kind(c, &p)) {
	case DENIAL_NSEC:
		put_nsec_of_name(c);
		put_nsec_of_wildcard(c, f->label);
		break;
	case DENIAL_NSEC3:
		place = nsec3_find_wildcard(c, &p, put_encloser(c, &p, f->label));
		put_proof(c, place.found, TYPE_NSEC3);
		break;
	case DENIAL_NONE:
		break;
	}
}

void denial_no_data(struct composer *c, const struct find *f)
{
	struct nsec3_place place;
	struct nsec3_params p;

	switch (denial_kind(c, &p)) {
	case DENIAL_NSEC:
		put_nsec_of_name(c);
		if (f->wildcard)
			put_nsec_of_wildcard(c, f->label);
		break;
	case DENIAL_NSEC3:
		if (f->wildcard) {
			put_encloser(c, &p, f->label);
			place = nsec3_find_wildcard(c, &p, f->label);
			/* it may be an empty non-terminal that opt-out left out */
			if (place.matches)
				put_proof(c, place.found, TYPE_NSEC3);
			break;
		}
		place = nsec3_find_suffix(c, &p, 0);
		if (place.matches)
			put_proof(c, place.found, TYPE_NSEC3);
		else if (c->above)      /* opt-out: type DS, or an empty non-terminal */
			put_encloser(c, &p, 1);
		break;
	case DENIAL_NONE:
		break;
	}
}

void denial_expansion(struct composer *c, const struct find *f)
{
	struct found *e = &c->expansions[c->expansion_count];
	struct nsec3_params p;

	switch (denial_kind(c, &p)) {
	case DENIAL_NSEC:
		*e = nsec_find_name(c);
		break;
	case DENIAL_NSEC3:
		*e = nsec3_find_suffix(c, &p, f->label - 1).found;
		break;
	case DENIAL_NONE:
		return;
	}
	c->expansion_count++;
}

void denial_put_expansions(struct composer *c)
{
	for (unsigned i = 0; i < c->expansion_count; i++) {
		struct found e = c->expansions[i];

		if (e.node)
			put_proof(c, e, node_flags(e.node) & NODE_NSEC3 ? TYPE_NSEC3 : TYPE_NSEC);
	}
}

void denial_no_ds(struct composer *c, const struct find *f)
{
	struct nsec3_place place;
	struct nsec3_params p;

	switch (denial_kind(c, &p)) {
	case DENIAL_NSEC:
		put_proof(c, f->at, TYPE_NSEC);
		break;
	case DENIAL_NSEC3:
		place = nsec3_find_suffix(c, &p, f->label);
		if (place.matches)
			put_proof(c, place.found, TYPE_NSEC3);
		else
			put_encloser(c, &p, f->label + 1);
		break;
	case DENIAL_NONE:
		break;
	}
}
