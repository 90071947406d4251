#include "zone/load.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/rrtype.h"
#include "zone/check.h"
#include "zone/gather.h"
#include "zone/parse.h"
#include "zone/pieces.h"
#include "zone/signing.h"
#include "zone/sort.h"
#include "zone/zonemd.h"

#define DEFAULT_MEMORY ((size_t)256 << 20)
#define PROGRESS_US 100000
#define READING 0.7             /* of the way; sorting and building are the rest */
#define OWNER_MEMORY ((size_t)64 << 20)

struct loader {
	const struct load_request *request;
	struct load_result *result;
	struct reporter reporter;
	struct parser *parser;
	struct sorter *sorter;
	struct checker *checker;
	struct zonemd *zonemd;
	struct signing *signing;
	struct gather gather;
	struct image_builder *builder;
	uint64_t drops, records;
	int64_t told;           /* when progress was told last */
	uint32_t soa_minimum;
	struct err *err;
};

static int drops_from_names(const char *const *rules, size_t count, uint64_t *drops, struct err *err)
{
	*drops = 0;
	for (size_t i = 0; i < count; i++) {
		enum rule_id id;

		if (!rule_from_name(rules[i], &id))
			return err_set(err, ERR_BAD_REQUEST, "there is no rule named \"%s\"", rules[i]);
		if (!rule_of(id)->droppable)
			return err_set(err, ERR_BAD_REQUEST, "the rule \"%s\" cannot be dropped: it is not broken by single records", rules[i]);
		*drops |= 1ull << id;
	}
	return 0;
}

int load_check_drops(const char *const *rules, size_t count, struct err *err)
{
	uint64_t drops;

	return drops_from_names(rules, count, &drops, err);
}

static void tell_progress(struct loader *l, bool building)
{
	int64_t now = clock_boot_us();
	double share;

	if (!l->request->progress || now - l->told < PROGRESS_US)
		return;
	l->told = now;
	if (building)
		share = READING + (1 - READING) * (double)l->records / (double)(sorter_count(l->sorter) + 1);
	else
		share = parser_share(l->parser);
	l->request->progress(l->request->arg, building ? sorter_count(l->sorter) : l->records,
		building || share < 0 ? share : READING * share);
}

static void tell_out_of_zone(struct loader *l, const struct parsed *p)
{
	char message[2 * NAME_TEXT_MAX + 64], owner[NAME_TEXT_MAX], apex[NAME_TEXT_MAX];
	const char *file = parser_file_name(l->parser, p->place.file);

	snprintf(message, sizeof(message), "%s is not in the zone %s", name_to_text(owner, p->owner),
		name_to_text(apex, l->request->apex));
	if (l->drops & 1ull << RULE_OUT_OF_ZONE)
		report_dropped(&l->reporter, RULE_OUT_OF_ZONE, file, p->place.line, p->place.column, message);
	else
		report(&l->reporter, RULE_OUT_OF_ZONE, file, p->place.line, p->place.column, "%s", message);
}

static int add_record(struct loader *l, const struct parsed *p, bool same_owner)
{
	const struct load_request *q = l->request;

	if (p->type == TYPE_NS && checker_ns(l->checker, p->owner_size == q->apex_size, p->rdata, &p->place) < 0)
		return err_set(l->err, ERR_NOMEM, "no memory for the names of the name servers");
	return sorter_add(l->sorter, p, q->apex_size, same_owner, l->err);
}

/* Text to records in the sorter, by one thread. */
static int read_in_order(struct loader *l)
{
	const struct load_request *q = l->request;
	struct parsed p;
	bool broken_chain = false;

	while (parser_next(l->parser, &p) > 0) {
		if (!name_is_at_or_below(p.owner, p.owner_size, q->apex, q->apex_size)) {
			tell_out_of_zone(l, &p);
			broken_chain = true;
			continue;
		}
		/* once there are errors nothing will be built: only look for more */
		if (!l->reporter.errors && add_record(l, &p, p.same_owner && !broken_chain) < 0)
			return -1;
		broken_chain = false;
		if (++l->records % 1024 == 0)
			tell_progress(l, false);
	}
	l->soa_minimum = parser_soa_minimum(l->parser);
	if (l->reporter.errors)
		return -1;
	if (!sorter_count(l->sorter)) {
		char apex[NAME_TEXT_MAX];

		report(&l->reporter, RULE_EMPTY, q->text_name, 0, 0, "no record of the zone %s in the text",
			name_to_text(apex, q->apex));
		return -1;
	}
	return 0;
}

static void tell_reading(void *arg, uint64_t records, double share)
{
	const struct load_request *q = arg;

	q->progress(q->arg, records, READING * share);
}

static int read_text(struct loader *l)
{
	const struct load_request *q = l->request;
	struct pieces_request pieces = { .fd = q->text_fd, .name = q->text_name, .apex = q->apex, .apex_size = q->apex_size,
		.threads = q->threads, .memory_limit = q->memory_limit ? q->memory_limit : DEFAULT_MEMORY, .file_min = q->pieces_min,
		.progress = q->progress ? tell_reading : NULL, .arg = (void *)q };
	int got = pieces_read(&pieces, l->sorter, l->checker, &l->soa_minimum, l->err);

	return got < 0 ? -1 : got > 0 ? 0 : read_in_order(l);
}

static void note_apex(struct loader *l, const struct zone_node *n)
{
	for (unsigned i = 0; i < n->count; i++) {
		const struct node_rrset *s = &n->rrsets[i];

		if (s->type == TYPE_SOA && s->records[0].size >= 22) {
			l->result->soa_serial = load_be32(s->records[0].rdata + s->records[0].size - 20);
			l->result->serial_fixed |= s->sig_count > 0;
		}
		if (s->type == TYPE_ZONEMD)
			l->result->serial_fixed = true;
	}
}

/* The gathered owner through the rules and into the image. */
static int put_owner(struct loader *l)
{
	struct zone_node *n = &l->gather.node;
	const struct build_rrset *build;

	if (gather_finish(&l->gather, l->err) < 0)
		return -1;
	if (checker_node(l->checker, n) < 0)
		return err_set(l->err, ERR_NOMEM, "no memory for the checks");
	if (zonemd_node(l->zonemd, n) < 0)
		return err_set(l->err, ERR_NOMEM, "no memory for the zone's digest");
	signing_node(l->signing, n);
	if (!n->count)
		return 0;
	if (n->owner_size == 0)
		note_apex(l, n);
	build = gather_build(&l->gather, l->err);
	if (!build)
		return -1;
	return image_builder_node(l->builder, n->owner, n->owner_size, 0, build, n->count, l->err);
}

static int build_image(struct loader *l)
{
	struct sort_record r;
	bool any = false, copy;
	int got;

	if (sorter_finish(l->sorter, l->err) < 0)
		return -1;
	copy = !sorter_stable(l->sorter);
	l->records = 0;
	while ((got = sorter_next(l->sorter, &r, l->err)) > 0) {
		if (r.next_owner) {
			if (any && put_owner(l) < 0)
				return -1;
			gather_begin(&l->gather, r.owner, r.owner_size);
			any = true;
		}
		if (copy && l->gather.arena.used > OWNER_MEMORY)
			return err_set(l->err, ERR_LIMIT, "%s:%u:%u: more than %zu MiB of records at one name",
				parser_file_name(l->parser, r.place.file), r.place.line, r.place.column, OWNER_MEMORY >> 20);
		if (gather_add(&l->gather, r.type, r.ttl_known ? r.ttl : l->soa_minimum, r.rdata, r.size,
		    copy, &r.place, l->err) < 0)
			return -1;
		if (++l->records % 4096 == 0)
			tell_progress(l, true);
	}
	if (got < 0 || (any && put_owner(l) < 0))
		return -1;
	checker_finish(l->checker);
	zonemd_finish(l->zonemd);
	signing_finish(l->signing);
	report_rest(&l->reporter);
	l->result->signing = *signing_result(l->signing);
	return image_builder_finish(l->builder, &l->result->image_size, &l->result->header, l->err);
}

static int prepare(struct loader *l)
{
	const struct load_request *q = l->request;
	struct parser_options options = { .apex = q->apex, .apex_size = q->apex_size, .reporter = &l->reporter,
		.include_anywhere = q->include_anywhere, .open_include = q->open_include, .arg = q->arg };
	struct scanner *scanner = scanner_new(q->text_fd, q->text_name);

	if (scanner)
		l->parser = parser_new(scanner, &options);
	l->sorter = sorter_new(q->memory_limit ? q->memory_limit : DEFAULT_MEMORY, q->scratch_fd);
	if (l->parser) {
		l->checker = checker_new(&l->reporter, q->apex, q->apex_size, l->drops, parser_file_name, l->parser);
		l->zonemd = zonemd_new(&l->reporter, q->apex, q->apex_size, parser_file_name, l->parser);
		l->signing = signing_new(&l->reporter, q->apex, q->apex_size, clock_wall_us() / 1000000, parser_file_name, l->parser);
	}
	if (!l->parser || !l->sorter || !l->checker || !l->zonemd || !l->signing)
		return err_set(l->err, ERR_NOMEM, "no memory to load \"%s\"", q->text_name);
	l->gather.reporter = &l->reporter;
	l->gather.apex = q->apex;
	l->gather.apex_size = q->apex_size;
	l->gather.file_name = parser_file_name;
	l->gather.arg = l->parser;
	l->gather.drop_too_large = l->drops & 1ull << RULE_RRSET_TOO_LARGE;
	l->builder = image_builder_new(q->image_fd, q->image_offset, q->apex, q->apex_size, q->hash_key, false, l->err);
	return l->builder ? 0 : -1;
}

int zone_load(const struct load_request *request, struct load_result *result, struct err *err)
{
	struct err own = ERR_INIT;
	struct loader l = { .request = request, .result = result, .err = err ? err : &own };
	int status;

	memset(result, 0, sizeof(*result));
	if (drops_from_names(request->drop_rules, request->drop_count, &l.drops, l.err) < 0)
		return -1;
	/* What ldns and the sort take and give back would otherwise go back to the
	 * kernel, and come again, with every record. */
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	mallopt(M_TOP_PAD, 16 << 20);
	l.reporter = (struct reporter){ .problem = request->problem, .arg = request->arg, .err = l.err };
	status = prepare(&l);
	if (status == 0)
		status = read_text(&l);
	if (status == 0)
		status = build_image(&l);
	result->errors = l.reporter.errors;
	result->rules = l.reporter.rules;
	result->warnings = l.reporter.warnings;
	result->dropped = l.reporter.dropped;
	result->failed = l.reporter.rules > 0;
	if (status == 0 && request->progress)
		request->progress(request->arg, sorter_count(l.sorter), 1);
	image_builder_free(l.builder);
	gather_free(&l.gather);
	signing_free(l.signing);
	zonemd_free(l.zonemd);
	checker_free(l.checker);
	sorter_free(l.sorter);
	parser_free(l.parser);
	return status;
}
