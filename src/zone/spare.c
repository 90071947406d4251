/* Spare signed SOAs out of text (load.h: zone_spares). */
#include "zone/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/catalog.h"
#include "wire/rrtype.h"
#include "zone/canonical.h"
#include "zone/digest.h"
#include "zone/owners.h"
#include "zone/parse.h"
#include "zone/signing.h"
#include "zone/verify.h"

#define SOA_TAIL       20       /* serial, refresh, retry, expire, minimum */
#define ZONEMD_HEAD    6
#define DIGESTS_MAX    8        /* of one SOA */
#define GROUP_MEMORY   2048

/* An SOA with what follows it in the text. */
struct group {
	struct gather gather;
	struct place place;
	uint32_t serial;
	bool idle;              /* it is told why */
	int64_t until;
	int digest[DIGESTS_MAX]; unsigned digests;      /* of its ZONEMDs; -1: not known */
};

struct spares {
	const struct spares_request *request;
	struct reporter reporter, silent;
	struct parser *parser;
	struct owners owners;           /* stands at the apex */
	const struct zone_node *apex;
	const struct node_rrset *soa, *zonemd;  /* of the set; zonemd NULL: none */
	uint32_t own_serial;
	struct verify_keys keys;
	struct group **group; size_t count, space;
	struct digests *all;            /* NULL: no digest is to be made */
	int64_t now;
	struct err *err;
};

static const struct node_rrset *find_rrset(const struct zone_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->rrsets[i].type == type)
			return &n->rrsets[i];
	return NULL;
}

static void __attribute__((format(printf, 4, 5))) tell(struct spares *s, enum rule_id rule, const struct place *place, const char *fmt, ...)
{
	char message[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	report(&s->reporter, rule, parser_file_name(s->parser, place->file), place->line, place->column, "%s", message);
}

static int no_memory(struct spares *s)
{
	return err_set(s->err, ERR_NOMEM, "no memory for %zu spare SOAs", s->count);
}

/* ---- the set ---------------------------------------------------------------------- */

static int look_at_set(struct spares *s)
{
	const struct node_rrset *keys;
	struct zone_node *apex;
	char name[NAME_TEXT_MAX];
	int n = owners_next(&s->owners, &apex);

	if (n < 0)
		return -1;
	s->soa = n ? find_rrset(apex, TYPE_SOA) : NULL;
	s->zonemd = n ? find_rrset(apex, TYPE_ZONEMD) : NULL;
	name_to_text_short(name, s->request->view->apex);
	if (!s->soa || s->soa->count != 1 || s->soa->records[0].size < SOA_TAIL + 2)
		return err_set(s->err, ERR_NOT_READY, "the set of %s has no proper SOA itself", name);
	if (!s->soa->sig_count && !s->zonemd)
		return err_set(s->err, ERR_SERIAL, "the SOA of this set of %s is neither signed nor covered by a ZONEMD: the served "
			"serial is put in here, and it needs no spare ones", name);
	s->apex = apex;
	s->own_serial = load_be32(s->soa->records[0].rdata + s->soa->records[0].size - SOA_TAIL);
	keys = find_rrset(apex, TYPE_DNSKEY);
	s->keys = (struct verify_keys){ .keys = keys ? keys->records : NULL, .count = keys ? keys->count : 0,
		.apex = s->request->view->apex, .apex_size = s->request->view->apex_size };
	return 0;
}

/* ---- the text ----------------------------------------------------------------------- */

static struct group *new_group(struct spares *s, const struct place *place)
{
	struct group *g;

	if (s->count == SPARES_MAX) {
		tell(s, RULE_SPARE, place, "more than %d SOAs", SPARES_MAX);
		return NULL;
	}
	if (s->count == s->space) {
		size_t space = s->space ? 2 * s->space : 16;
		struct group **group = realloc(s->group, space * sizeof(struct group *));

		if (!group) {
			no_memory(s);
			return NULL;
		}
		s->group = group;
		s->space = space;
	}
	g = calloc(1, sizeof(*g));
	if (!g) {
		no_memory(s);
		return NULL;
	}
	s->group[s->count++] = g;
	g->place = *place;
	g->gather = (struct gather){ .arena.block_size = GROUP_MEMORY, .reporter = &s->reporter, .apex = s->request->view->apex,
		.apex_size = s->request->view->apex_size, .file_name = parser_file_name, .arg = s->parser };
	gather_begin(&g->gather, s->request->view->apex, 0);
	return g;
}

/* The TTLs of the set: a signature has the original one in it. */
static uint32_t ttl_of(const struct spares *s, uint16_t type)
{
	return type == TYPE_ZONEMD && s->zonemd ? s->zonemd->ttl : s->soa->ttl;
}

static int add_record(struct spares *s, const struct parsed *p)
{
	uint16_t covers = p->type == TYPE_RRSIG && p->size >= 2 ? load_be16(p->rdata) : p->type;
	struct group *g = s->count ? s->group[s->count - 1] : NULL;
	char mnemonic[16];

	if (p->owner_size != s->request->view->apex_size || !name_equal(p->owner, s->request->view->apex, p->owner_size) ||
	    (covers != TYPE_SOA && covers != TYPE_ZONEMD)) {
		tell(s, RULE_SPARE, &p->place, "%s%s: only SOAs of the apex belong here, each followed by its RRSIGs, and its ZONEMD",
			covers != p->type ? "RRSIG of type " : "", rrtype_to_text(covers, mnemonic));
		return 0;
	}
	if (p->type == TYPE_SOA && !(g = new_group(s, &p->place)))
		return -1;
	if (!g) {
		tell(s, RULE_SPARE, &p->place, "this comes before the SOA that it belongs to");
		return 0;
	}
	return gather_add(&g->gather, p->type, ttl_of(s, covers), p->rdata, (uint16_t)p->size, true, &p->place, s->err);
}

static int read_text(struct spares *s)
{
	struct parsed p;

	while (parser_next(s->parser, &p) > 0)
		if (add_record(s, &p) < 0)
			return -1;
	for (size_t i = 0; i < s->count; i++)
		if (gather_finish(&s->group[i]->gather, s->err) < 0)
			return -1;
	if (!s->count && !s->reporter.errors)
		report(&s->reporter, RULE_EMPTY, s->request->text_name, 0, 0, "no SOA in the text");
	return s->reporter.errors ? -1 : 0;
}

/* ---- is it one for the set? ----------------------------------------------------------- */

/* But for their serials. */
static bool same_soa(struct arena *arena, const struct build_record *a, const struct build_record *b)
{
	const uint8_t *x = canonical_rdata(arena, TYPE_SOA, a->rdata, a->size), *y = canonical_rdata(arena, TYPE_SOA, b->rdata, b->size);
	size_t names = a->size - SOA_TAIL;

	return x && y && a->size == b->size && memcmp(x, y, names) == 0 && memcmp(x + names + 4, y + names + 4, SOA_TAIL - 4) == 0;
}

/* One signature that is right is enough. */
static int verify_rrset(struct spares *s, struct group *g, const struct node_rrset *rrset, bool wanted)
{
	bool unknown = false, any = false;
	const char *reason = "", *why = "";
	char mnemonic[16];
	int64_t until = 0;

	rrtype_to_text(rrset->type, mnemonic);
	if (!wanted && rrset->sig_count)
		tell(s, RULE_SPARE, &g->place, "its %s has a signature, that of the set has none", mnemonic);
	if (wanted && !rrset->sig_count)
		tell(s, RULE_SPARE, &g->place, "its %s has no signature, that of the set has one", mnemonic);
	for (uint32_t i = 0; i < rrset->sig_count && wanted; i++) {
		struct rrsig sig;

		switch (verify_signature(&s->keys, s->apex->owner, 0, rrset, &rrset->sigs[i], &reason)) {
		case VERDICT_NO_MEMORY:
			return no_memory(s);
		case VERDICT_WRONG:
			why = reason;
			continue;
		case VERDICT_UNKNOWN_ALGORITHM:
			unknown = true;
			break;
		case VERDICT_RIGHT:
			break;
		}
		any = true;
		if (rrsig_parse(&sig, &rrset->sigs[i], s->now) && sig.expiration > until)
			until = sig.expiration;
	}
	if (wanted && rrset->sig_count && !any)
		tell(s, RULE_SPARE, &g->place, "the signature of its %s %s", mnemonic, why);
	if (unknown)
		tell(s, RULE_RRSIG_ALGORITHM, &g->place, "the signature of its %s cannot be verified here", mnemonic);
	if (any && (!g->until || until < g->until))
		g->until = until;
	return 0;
}

static int want_digest(struct spares *s, struct group *g, const struct node_rrset *soa, const struct build_record *r)
{
	uint8_t scheme = r->size > ZONEMD_HEAD ? r->rdata[4] : 0, hash = r->size > ZONEMD_HEAD ? r->rdata[5] : 0;
	bool known = scheme == ZONEMD_SIMPLE && digest_size(hash);
	int index = -1;

	if (r->size <= ZONEMD_HEAD || load_be32(r->rdata) != g->serial || (known && r->size - ZONEMD_HEAD != (int)digest_size(hash))) {
		tell(s, RULE_SPARE, &g->place, "its ZONEMD is malformed, or of another serial");
		return 0;
	}
	if (known) {
		if (!s->all && !(s->all = digests_new(s->request->view->apex, s->request->view->apex_size)))
			return no_memory(s);
		index = digests_add(s->all, hash, soa);
		if (index < 0)
			return no_memory(s);
	} else {
		tell(s, RULE_ZONEMD_OTHER, &g->place, "its ZONEMD cannot be verified: scheme %u with hash %u is not known here", scheme, hash);
	}
	g->digest[g->digests++] = index;
	return 0;
}

static int check_zonemd(struct spares *s, struct group *g, const struct node_rrset *soa, const struct node_rrset *zonemd)
{
	if (!zonemd != !s->zonemd) {
		tell(s, RULE_SPARE, &g->place, "it comes %s ZONEMD, the set has %s", zonemd ? "with a" : "without", s->zonemd ? "one" : "none");
		return 0;
	}
	if (!zonemd)
		return 0;
	if (zonemd->count > DIGESTS_MAX) {
		tell(s, RULE_SPARE, &g->place, "it comes with more than %d ZONEMDs", DIGESTS_MAX);
		return 0;
	}
	for (uint32_t i = 0; i < zonemd->count; i++)
		if (want_digest(s, g, soa, &zonemd->records[i]) < 0)
			return -1;
	return verify_rrset(s, g, zonemd, s->zonemd->sig_count > 0);
}

static bool is_idle(struct spares *s, struct group *g)
{
	if (g->serial == s->own_serial)
		tell(s, RULE_SPARE_IDLE, &g->place, "serial %u is that of the set's own SOA: left out", g->serial);
	else if (s->request->served_known && !serial_ahead(g->serial, s->request->served))
		tell(s, RULE_SPARE_IDLE, &g->place, "serial %u is not ahead of %u, which was served: left out", g->serial, s->request->served);
	else
		return false;
	return true;
}

static int check_group(struct spares *s, struct group *g)
{
	const struct node_rrset *soa = find_rrset(&g->gather.node, TYPE_SOA);
	struct place *place = &g->place;

	for (unsigned i = 0; i < g->gather.node.count; i++)
		if (g->gather.node.rrsets[i].type == TYPE_RRSIG)
			tell(s, RULE_SPARE, place, "a signature of a ZONEMD comes with it, but no ZONEMD");
	if (!soa)
		return 0;       /* it begins with one: too large, and told */
	g->serial = load_be32(soa->records[0].rdata + soa->records[0].size - SOA_TAIL);
	g->idle = is_idle(s, g);
	if (g->idle)
		return 0;
	for (size_t i = 0; s->group[i] != g; i++)
		if (!s->group[i]->idle && s->group[i]->serial == g->serial)
			tell(s, RULE_SPARE, place, "serial %u stands in line %u, too", g->serial, s->group[i]->place.line);
	if (!same_soa(&g->gather.arena, &soa->records[0], &s->soa->records[0]))
		tell(s, RULE_SPARE, place, "it differs from the SOA of the set in more than its serial");
	if (verify_rrset(s, g, soa, s->soa->sig_count > 0) < 0)
		return -1;
	if (check_zonemd(s, g, soa, find_rrset(&g->gather.node, TYPE_ZONEMD)) < 0)
		return -1;
	if (g->until && g->until <= s->now) {
		char date[32];

		tell(s, RULE_RRSIG_EXPIRED, place, "its signature expired on %s", clock_format(g->until * 1000000, date));
	}
	return 0;
}

/* One walk over the set for all of them. */
static int verify_digests(struct spares *s)
{
	uint8_t digest[DIGEST_SIZE_MAX];
	struct zone_node *node;
	struct owners owners;
	int n;

	if (!s->all || s->reporter.errors || s->reporter.rules)
		return 0;
	n = owners_begin(&owners, s->request->view, &s->silent, s->err);
	while (n >= 0 && (n = owners_next(&owners, &node)) > 0)
		if (digests_node(s->all, node) < 0)
			n = no_memory(s);
	owners_end(&owners);
	for (size_t i = 0; i < s->count && n == 0; i++) {
		const struct node_rrset *zonemd = find_rrset(&s->group[i]->gather.node, TYPE_ZONEMD);

		for (unsigned k = 0; k < s->group[i]->digests; k++) {
			if (s->group[i]->digest[k] < 0)
				continue;
			digests_final(s->all, s->group[i]->digest[k], digest);
			if (memcmp(digest, zonemd->records[k].rdata + ZONEMD_HEAD, zonemd->records[k].size - ZONEMD_HEAD) != 0)
				tell(s, RULE_SPARE, &s->group[i]->place, "its ZONEMD is not the digest of the set with it");
		}
	}
	return n;
}

static int check(struct spares *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (check_group(s, s->group[i]) < 0)
			return -1;
	if (verify_digests(s) < 0)
		return -1;
	return s->reporter.errors || s->reporter.rules ? -1 : 0;
}

/* ---- images ------------------------------------------------------------------------------ */

static int build(struct spares *s, const struct group *g, struct made_spare *made)
{
	const struct spares_request *q = s->request;
	struct build_rrset *rrsets = calloc(s->apex->count, sizeof(*rrsets));
	struct image_builder *b = image_builder_new(q->image_fd, made->offset, q->view->apex, q->view->apex_size, q->view->hash_key,
		true, s->err);
	struct image_header header;
	int status = b && rrsets ? 0 : no_memory(s);

	for (unsigned i = 0; status == 0 && i < s->apex->count; i++) {
		const struct node_rrset *r = &s->apex->rrsets[i];

		if (r->type == TYPE_SOA || r->type == TYPE_ZONEMD)
			r = find_rrset(&g->gather.node, r->type);
		rrsets[i] = (struct build_rrset){ .type = r->type, .ttl = r->ttl, .records = r->records, .count = r->count,
			.sigs = r->sigs, .sig_count = r->sig_count };
	}
	if (status == 0)
		status = image_builder_node(b, s->apex->owner, 0, s->owners.flags & NODE_WILD_CHILD, rrsets, s->apex->count, s->err);
	if (status == 0)
		status = image_builder_finish(b, &made->size, &header, s->err);
	image_builder_free(b);
	free(rrsets);
	made->serial = g->serial;
	made->until = g->until;
	return status;
}

static int build_all(struct spares *s, struct spares_result *result)
{
	uint64_t offset = s->request->image_offset;

	result->spares = calloc(s->count, sizeof(*result->spares));
	if (!result->spares)
		return no_memory(s);
	for (size_t i = 0; i < s->count; i++) {
		struct made_spare *made = &result->spares[result->count];

		if (s->group[i]->idle)
			continue;
		made->offset = offset;
		if (build(s, s->group[i], made) < 0)
			return -1;
		offset = (offset + made->size + 7) / 8 * 8;
		result->count++;
	}
	return 0;
}

static int prepare(struct spares *s)
{
	const struct spares_request *q = s->request;
	struct parser_options options = { .apex = q->view->apex, .apex_size = q->view->apex_size, .reporter = &s->reporter };
	struct scanner *scanner = scanner_new(q->text_fd, q->text_name);

	if (scanner)
		s->parser = parser_new(scanner, &options);
	if (!s->parser)
		return no_memory(s);
	return owners_begin(&s->owners, q->view, &s->silent, s->err);
}

int zone_spares(const struct spares_request *request, struct spares_result *result, struct err *err)
{
	struct err own = ERR_INIT;
	struct spares s = { .request = request, .now = clock_wall_us() / 1000000, .err = err ? err : &own };
	int status;

	memset(result, 0, sizeof(*result));
	s.reporter = (struct reporter){ .problem = request->problem, .arg = request->arg, .err = s.err,
		.err_takes_rules = true };
	status = prepare(&s);
	if (status == 0)
		status = look_at_set(&s);
	if (status == 0)
		status = read_text(&s);
	if (status == 0)
		status = check(&s);
	if (status == 0)
		status = build_all(&s, result);
	if (status < 0) {
		free(result->spares);
		result->spares = NULL;
		result->count = 0;
	}
	result->errors = s.reporter.errors + s.reporter.rules;
	result->warnings = s.reporter.warnings;
	for (size_t i = 0; i < s.count; i++) {
		gather_free(&s.group[i]->gather);
		free(s.group[i]);
	}
	free(s.group);
	digests_free(s.all);
	owners_end(&s.owners);
	parser_free(s.parser);
	return status;
}
