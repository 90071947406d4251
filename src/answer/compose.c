#include "answer/compose.h"

#include <string.h>

#include "answer/denial.h"
#include "base/bytes.h"
#include "store/node.h"
#include "wire/rrtype.h"

#define RR_HEAD 12              /* of an RR in the store: owner pointer to rdlength */
#define SOA_TAIL 20             /* serial, refresh, retry, expire, minimum */

enum step { STEP_DONE, STEP_AGAIN };

/* ---- writing RRsets --------------------------------------------------------- */

void compose_full(struct composer *c)
{
	c->full = true;
	c->response.flags |= DNS_FLAG_TC;
}

/* The owner that is the suffix of the present name from a label on. */
static struct response_owner suffix_owner(const struct composer *c, unsigned label)
{
	const struct name *n = c->name;
	struct response_owner owner = { .at = 0 };

	if (label == c->above)
		owner.at = c->response.apex_at;
	else if (c->name_at && c->name_at + n->at[label] <= RESPONSE_POINTER_MAX)
		owner.at = (uint16_t)(c->name_at + n->at[label]);
	owner.labels = c->name_wire + n->at[label];
	owner.size = (uint8_t)(n->at[c->above] - n->at[label]);
	return owner;
}

struct response_owner compose_node_owner(const struct composer *c, const uint8_t *node)
{
	struct response_owner owner = { .at = 0, .labels = node_owner(node), .size = node_owner_size(node) };
	unsigned labels = node_owner_labels(node);

	/* Often it is the present name, or one above. */
	if (labels <= c->above) {
		struct response_owner suffix = suffix_owner(c, c->above - labels);

		if (suffix.size == owner.size && name_equal(suffix.labels, owner.labels, owner.size))
			return suffix;
	}
	return owner;
}

/* What is not as it lies in the store: between begin and end the RRset, behind
 * it its RRSIGs. */
static void adjust(struct composer *c, const struct rrset *s, uint32_t begin, uint32_t end)
{
	if (s->type == TYPE_SOA && end <= c->response.size && end - begin >= RR_HEAD + SOA_TAIL && !c->zone->serial_fixed)
		store_be32(c->response.base + end - SOA_TAIL, c->zone->served_serial);
	else if ((s->type == TYPE_NSEC || s->type == TYPE_NSEC3) && compose_apex(c))
		response_cap_ttl(&c->response, begin, c->response.size, c->negative_ttl);
}

/* The way of nearly all: the owner is a pointer, and the RRSIGs lie right
 * behind the RRset, so that both are one copy. */
static bool add_pointed(struct composer *c, enum response_section section, const struct rrset *s,
	const struct response_owner *owner, bool sigs)
{
	uint32_t begin = c->response.size;
	struct response_rrs rrs = { .wire = s->wire, .size = s->wire_size, .count = s->count,
		.patch = s->patch, .patches = s->patches };

	if (sigs && s->sig_count) {
		rrs.size += s->sigs_size;
		rrs.count += s->sig_count;
	}
	if (!response_add(&c->response, section, &rrs, owner, NULL))
		return false;
	adjust(c, s, begin, begin + s->wire_size);
	return true;
}

bool compose_rrset(struct composer *c, enum response_section section, const struct rrset *s,
	const struct response_owner *owner, bool sigs)
{
	struct response *r = &c->response;
	struct response_rrs rrs = { .wire = s->wire, .size = s->wire_size, .count = s->count,
		.patch = s->patch, .patches = s->patches };
	struct response_rrs sig = { .wire = s->sigs, .size = s->sigs_size, .count = sigs ? s->sig_count : 0 };
	struct response_owner again = *owner;
	uint32_t begin = r->size, end, need;

	if (owner->at)
		return add_pointed(c, section, s, owner, sigs);
	if (begin <= RESPONSE_POINTER_MAX)
		again.at = (uint16_t)begin;
	need = response_rrs_size(r, &rrs, owner) + (sig.count ? response_rrs_size(r, &sig, &again) : 0);
	if (r->size > r->limit || r->limit - r->size < need)
		return false;
	response_add(r, section, &rrs, owner, NULL);
	end = r->size;
	response_add(r, section, &sig, &again, NULL);
	adjust(c, s, begin, end);
	return true;
}

/* The SOA's TTL or its minimum: how long what is not there may be known (RFC
 * 2308 5). */
static uint32_t negative_ttl(const struct rrset *soa)
{
	uint32_t minimum = load_be32(soa->wire + soa->wire_size - 4);

	return rrset_ttl(soa) < minimum ? rrset_ttl(soa) : minimum;
}

bool compose_apex(struct composer *c)
{
	struct rrset *soa = &c->soa;

	if (soa->count)
		return true;
	if (!c->apex.node)
		c->apex = view_find(c->view, c->apex_hash, c->name->lower + c->name->at[c->above], 0);
	if (!c->apex.node || !image_rrset(c->apex.image, c->apex.node, TYPE_SOA, soa) || soa->wire_size < RR_HEAD + SOA_TAIL) {
		soa->count = 0;
		return false;
	}
	c->negative_ttl = negative_ttl(soa);
	return true;
}

static void remember_targets(struct composer *c, const struct rrset *s, uint32_t begin, bool pointed)
{
	if (s->targets && c->target_count < ADDITIONAL_MAX)
		c->targets[c->target_count++] = (struct compose_targets){ .rrset = *s, .begin = begin, .pointed = pointed };
}

/* An RRset of the answer section; what does not fit makes it a truncated one. */
static bool add_answer(struct composer *c, const struct rrset *s, const struct response_owner *owner, bool sigs)
{
	uint32_t begin = c->response.size;

	if (!compose_rrset(c, SECTION_ANSWER, s, owner, sigs)) {
		compose_full(c);
		return false;
	}
	remember_targets(c, s, begin, owner->at);
	return true;
}

/* ---- addresses of targets ---------------------------------------------------- */

#define NO_LABELS SIZE_MAX

/* The octets of labels in rdata at offset at of an RRset's wire, before the
 * pointer to the apex, or the root, that ends them; NO_LABELS where the octets
 * are not a name, as the store is not trusted. */
static size_t labels_at(const struct rrset *s, size_t at)
{
	const uint8_t *p = s->wire;
	size_t size = 0;

	while (at + size < s->wire_size && p[at + size] && p[at + size] < 0x40)
		size += (size_t)p[at + size] + 1;
	if (at + size >= s->wire_size || (p[at + size] && p[at + size] < 0xc0) || size >= NAME_MAX_SIZE)
		return NO_LABELS;
	return size;
}

/* The labels above the apex of a target in rdata: they end in a pointer to
 * the apex, or the name is spelled out. */
static size_t target_labels(const struct composer *c, const struct rrset *s, size_t at)
{
	size_t size = labels_at(s, at);

	if (size == NO_LABELS || s->wire[at + size])
		return size;
	return size + 1 > c->view->apex_size ? size + 1 - c->view->apex_size : 0;
}

static struct response_owner target_owner(const struct composer *c, const struct compose_targets *t, unsigned i, size_t size)
{
	uint16_t at = rrset_target(&t->rrset, i);
	struct response_owner owner = { .at = 0, .labels = t->rrset.wire + at, .size = (uint8_t)size };

	if (!size)
		owner.at = c->response.apex_at;
	else if (t->pointed && t->begin + at <= RESPONSE_POINTER_MAX)
		owner.at = (uint16_t)(t->begin + at);
	return owner;
}

/* Were the node's addresses added before, or is there no more room to know?
 * If not, they will be now. */
static bool is_added(struct composer *c, const uint8_t *node)
{
	for (unsigned i = 0; i < c->added_count; i++)
		if (c->added[i] == node)
			return true;
	if (c->added_count == ADDED_MAX)
		return true;
	c->added[c->added_count++] = node;
	return false;
}

/* The addresses of one node. needed: glue that must not be missing (RFC
 * 9471), else each is left out where it does not fit. */
static void add_addresses(struct composer *c, struct found f, const struct response_owner *owner, bool needed)
{
	static const uint16_t address_types[] = { TYPE_A, TYPE_AAAA };

	for (unsigned i = 0; i < 2; i++) {
		struct rrset s;

		if (!image_rrset(f.image, f.node, address_types[i], &s))
			continue;
		/* RFC 4035 3.1.1: the RRset may go without its RRSIGs here. */
		if (c->dnssec && s.sig_count && compose_rrset(c, SECTION_ADDITIONAL, &s, owner, true))
			continue;
		if (!compose_rrset(c, SECTION_ADDITIONAL, &s, owner, false) && needed) {
			compose_full(c);
			return;
		}
	}
}

/* cut: the relative name of the cut in a referral, whose targets are glue;
 * NULL: the targets of an answer. in_domain: only those at or below the cut,
 * else only the others. A zone's own servers may lie below one of its cuts, as
 * the root's do: they are found by their glue, too (RFC 9609 4.2). */
static void add_targets(struct composer *c, const struct compose_targets *t, const struct response_owner *cut, bool in_domain)
{
	bool glue = cut || t->rrset.type == TYPE_NS;

	for (unsigned i = 0; i < t->rrset.targets && !c->full; i++) {
		uint16_t at = rrset_target(&t->rrset, i);
		const uint8_t *labels = t->rrset.wire + at;
		size_t size = target_labels(c, &t->rrset, at);
		struct response_owner owner;
		struct found f;

		if (size == NO_LABELS)
			continue;
		if (cut && in_domain != (cut->size <= size && name_is_at_or_below(labels, size, cut->labels, cut->size)))
			continue;
		f = find_relative(c->view, c->apex_hash, labels, size);
		/* of a referral each is asked for once: an NS is its name */
		if (!f.node || (!glue && (node_flags(f.node) & NODE_OCCLUDED)) || (!cut && is_added(c, f.node)))
			continue;
		owner = target_owner(c, t, i, size);
		add_addresses(c, f, &owner, in_domain);
	}
}

/* The chain in front of a referral has no targets: the cut's are the first. */
static void add_additional(struct composer *c)
{
	if (c->referral) {
		add_targets(c, &c->targets[0], &c->cut, true);
		add_targets(c, &c->targets[0], &c->cut, false);
	}
	for (unsigned i = 0; i < c->target_count && !c->full; i++)
		add_targets(c, &c->targets[i], NULL, false);
}

/* ---- authority ---------------------------------------------------------------- */

/* The SOA of a negative answer (RFC 2308 3). False: the response is complete
 * without proofs, or there is no room for any. */
static bool add_negative_soa(struct composer *c)
{
	struct response_owner owner = { .at = c->response.apex_at };
	uint32_t begin = c->response.size;

	if (!compose_apex(c)) {
		c->response.rcode = RCODE_SERVFAIL;
		return false;
	}
	if (!compose_rrset(c, SECTION_AUTHORITY, &c->soa, &owner, c->dnssec)) {
		compose_full(c);
		return false;
	}
	response_cap_ttl(&c->response, begin, c->response.size, c->negative_ttl);
	return c->dnssec;
}

static enum step no_name(struct composer *c, const struct find *f)
{
	c->response.rcode = RCODE_NXDOMAIN;
	if (add_negative_soa(c))
		denial_no_name(c, f);
	return STEP_DONE;
}

static enum step no_data(struct composer *c, const struct find *f)
{
	c->nodata = true;
	if (add_negative_soa(c))
		denial_no_data(c, f);
	return STEP_DONE;
}

/* RFC 1034 4.3.2 step 3b. In the parent zone, the cut's NS are not ours. */
static enum step refer(struct composer *c, const struct find *f)
{
	struct compose_targets *t = &c->targets[0];
	struct rrset ds;

	c->cut = suffix_owner(c, f->label);
	if (!image_rrset(f->at.image, f->at.node, TYPE_NS, &t->rrset)) {
		c->response.rcode = RCODE_SERVFAIL;
		return STEP_DONE;
	}
	c->referral = true;
	if (!c->steps)
		c->response.flags &= (uint16_t)~DNS_FLAG_AA;
	t->begin = c->response.size;
	t->pointed = c->cut.at;
	if (!compose_rrset(c, SECTION_AUTHORITY, &t->rrset, &c->cut, false)) {
		compose_full(c);
		return STEP_DONE;
	}
	if (c->dnssec && image_rrset(f->at.image, f->at.node, TYPE_DS, &ds)) {
		/* Without its RRSIGs, as in a zone that is not signed, it is of no use. */
		if (ds.sig_count && !compose_rrset(c, SECTION_AUTHORITY, &ds, &c->cut, true))
			compose_full(c);
	} else if (c->dnssec) {
		denial_no_ds(c, f);
	}
	return STEP_DONE;
}

/* ---- chains -------------------------------------------------------------------- */

/* Goes on with another name, which stands at a place of the message (0:
 * nowhere). STEP_DONE: it is not ours to follow. */
static enum step go_on(struct composer *c, const uint8_t *wire, size_t size, uint32_t at)
{
	struct compose_name *next = &c->scratch[c->name == &c->scratch[0].name];

	if (!name_is_at_or_below(wire, size, c->view->apex, c->view->apex_size) || c->steps == CHAIN_MAX - 1)
		return STEP_DONE;
	memcpy(next->wire, wire, size);
	if (!name_parse(&next->name, next->wire, size, c->query->name.hash[c->query->name.labels]))
		return STEP_DONE;
	c->seen[c->steps++] = c->name->hash[0];
	for (unsigned i = 0; i < c->steps; i++)
		if (c->seen[i] == next->name.hash[0])
			return STEP_DONE;       /* a loop: each record once */
	c->name = &next->name;
	c->name_wire = next->wire;
	c->name_at = at <= RESPONSE_POINTER_MAX ? (uint16_t)at : 0;
	c->above = find_above(c->view, c->name);
	return STEP_AGAIN;
}

/* The name in rdata at offset at of an RRset's wire, spelled out. */
static size_t spell_target(const struct composer *c, const struct rrset *s, size_t at, uint8_t out[NAME_MAX_SIZE])
{
	size_t size = labels_at(s, at);
	const uint8_t *p = s->wire;

	if (size == NO_LABELS)
		return 0;
	if (!p[at + size]) {
		memcpy(out, p + at, size + 1);
		return size + 1;
	}
	if (size + c->view->apex_size > NAME_MAX_SIZE)
		return 0;
	memcpy(out, p + at, size);
	memcpy(out + size, c->view->apex, c->view->apex_size);
	return size + c->view->apex_size;
}

static enum step follow_cname(struct composer *c, const struct find *f, const struct rrset *cname)
{
	struct response_owner owner = suffix_owner(c, 0);
	uint32_t begin = c->response.size;
	uint8_t target[NAME_MAX_SIZE];
	size_t size;

	if (!add_answer(c, cname, &owner, c->dnssec))
		return STEP_DONE;
	if (f->wildcard && c->dnssec)
		denial_expansion(c, f);
	size = spell_target(c, cname, RR_HEAD, target);
	return size ? go_on(c, target, size, begin + RR_HEAD + (owner.at ? 0 : owner.size)) : STEP_DONE;
}

static bool dname_is_in(struct composer *c, const struct rrset *s)
{
	for (unsigned i = 0; i < c->dname_count; i++)
		if (c->dnames[i] == s->wire)
			return true;
	c->dnames[c->dname_count++] = s->wire;
	return false;
}

/* RFC 6672 3.2: the DNAME, a CNAME made from it, and on. */
static enum step follow_dname(struct composer *c, const struct find *f)
{
	struct response_owner owner = suffix_owner(c, f->label), self = suffix_owner(c, 0);
	uint8_t target[NAME_MAX_SIZE], name[2 * NAME_MAX_SIZE];
	size_t prefix = c->name->at[f->label], size, labels;
	struct rrset dname;
	uint32_t rdata_at;
	bool in_zone;

	if (!image_rrset(f->at.image, f->at.node, TYPE_DNAME, &dname) ||
	    !(size = spell_target(c, &dname, RR_HEAD, target))) {
		c->response.rcode = RCODE_SERVFAIL;
		return STEP_DONE;
	}
	if (!dname_is_in(c, &dname) && !add_answer(c, &dname, &owner, c->dnssec))
		return STEP_DONE;
	if (prefix + size > NAME_MAX_SIZE) {
		c->response.rcode = RCODE_YXDOMAIN;
		return STEP_DONE;
	}
	memcpy(name, c->name_wire, prefix);
	memcpy(name + prefix, target, size);
	size += prefix;
	in_zone = c->view->apex_size > 1 && name_is_at_or_below(name, size, c->view->apex, c->view->apex_size);
	labels = in_zone ? size - c->view->apex_size : size;
	if (!response_add_cname(&c->response, &self, rrset_ttl(&dname), name, labels, in_zone, &rdata_at)) {
		compose_full(c);
		return STEP_DONE;
	}
	if (c->query->type == TYPE_CNAME || c->query->type == TYPE_ANY)
		return STEP_DONE;
	return go_on(c, name, size, rdata_at);
}

/* ---- answers --------------------------------------------------------------------- */

static enum step answered(struct composer *c, const struct find *f)
{
	if (f->wildcard && c->dnssec)
		denial_expansion(c, f);
	return STEP_DONE;
}

/* RFC 8482 over UDP: one RRset; over TCP all, signatures too. */
static enum step answer_any(struct composer *c, const struct find *f)
{
	struct response_owner owner = suffix_owner(c, 0);
	struct rrset s;

	if (!node_rrsets(f->at.node))
		return no_data(c, f);
	if (c->tcp && !f->wildcard)
		is_added(c, f->at.node);        /* its addresses are in the answer section */
	for (unsigned i = 0; i < node_rrsets(f->at.node); i++) {
		if (!image_rrset_at(f->at.image, f->at.node, i, &s))
			continue;
		if (!add_answer(c, &s, &owner, c->tcp || c->dnssec) || !c->tcp)
			break;
	}
	return answered(c, f);
}

/* RRSIGs have no place of their own: they lie with what they cover. Returns
 * how many RRsets of them went in. */
static unsigned add_signatures(struct composer *c, const struct find *f)
{
	struct response_owner owner = suffix_owner(c, 0);
	unsigned n = 0;
	struct rrset s;

	for (unsigned i = 0; i < node_rrsets(f->at.node) && (c->tcp || !n); i++) {
		uint32_t begin = c->response.size;
		struct response_rrs rrs;

		if (!image_rrset_at(f->at.image, f->at.node, i, &s))
			continue;
		if (s.type == TYPE_RRSIG)
			rrs = (struct response_rrs){ .wire = s.wire, .size = s.wire_size, .count = s.count,
				.patch = s.patch, .patches = s.patches };
		else
			rrs = (struct response_rrs){ .wire = s.sigs, .size = s.sigs_size, .count = s.sig_count };
		if (!rrs.count)
			continue;
		n++;
		if (!response_add(&c->response, SECTION_ANSWER, &rrs, &owner, NULL)) {
			compose_full(c);
			break;
		}
		adjust(c, &s, begin, begin);
	}
	return n;
}

static enum step answer_node(struct composer *c, const struct find *f)
{
	struct response_owner owner = suffix_owner(c, 0);
	uint16_t type = c->query->type;
	struct rrset s;

	if (type == TYPE_ANY)
		return answer_any(c, f);
	if (type == TYPE_RRSIG) {
		if (add_signatures(c, f))
			return answered(c, f);
	} else if (image_rrset(f->at.image, f->at.node, type, &s)) {
		/* a DNAME on the way here may be the one that was asked for */
		if (type != TYPE_DNAME || !dname_is_in(c, &s))
			add_answer(c, &s, &owner, c->dnssec);
		return answered(c, f);
	}
	if ((node_flags(f->at.node) & NODE_CNAME) && image_rrset(f->at.image, f->at.node, TYPE_CNAME, &s))
		return follow_cname(c, f, &s);
	return no_data(c, f);
}

static enum step take_step(struct composer *c)
{
	struct find f;

	find_name(c->view, c->name, c->query->type, &f);
	if (!c->steps)
		c->account = c->name->hash[f.label];
	if (f.label == c->above && !f.wildcard)
		c->apex = f.at;
	switch (f.kind) {
	case FIND_NODE:
		return answer_node(c, &f);
	case FIND_CUT:
		return refer(c, &f);
	case FIND_DNAME:
		return follow_dname(c, &f);
	case FIND_NO_NAME:
		return no_name(c, &f);
	default:
		c->response.rcode = RCODE_SERVFAIL;
		return STEP_DONE;
	}
}

void compose_answer(struct composer *c, const struct query *q, const struct zone_view *zone, const uint8_t *question, bool tcp)
{
	c->query = q;
	c->zone = zone;
	c->view = &zone->view;
	c->tcp = tcp;
	c->dnssec = q->edns.dnssec_ok;
	c->full = c->referral = c->nodata = false;
	c->name = &q->name;
	c->name_wire = question;
	c->name_at = DNS_HEADER_SIZE;
	c->above = find_above(c->view, c->name);
	c->apex_hash = q->name.hash[c->above];
	c->apex = (struct found){ .node = NULL };
	c->soa.count = 0;
	c->steps = c->dname_count = c->target_count = c->added_count = c->proof_count = c->expansion_count = 0;
	c->response.apex_at = (uint16_t)(DNS_HEADER_SIZE + q->name.at[c->above]);
	c->response.flags |= DNS_FLAG_AA;

	while (take_step(c) == STEP_AGAIN)
		;
	if (c->response.rcode == RCODE_SERVFAIL) {
		response_rewind(&c->response);
		c->response.flags &= (uint16_t)~(DNS_FLAG_AA | DNS_FLAG_TC);
		return;
	}
	denial_put_expansions(c);
	add_additional(c);
}
