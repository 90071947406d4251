/*
 * A change of a set: what is touched is taken out of the view, changed,
 * checked, and written as a delta image that hides the old nodes.
 *
 * One name's change reaches further than the name: names above it that hold
 * nothing begin or cease to exist, "*.x" is noted at x, and a delegation or a
 * DNAME that comes or goes occludes, or uncovers, all that lies below.
 */
#include "zone/change_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/rrtype.h"

static bool is_signed(const struct view *view)
{
	struct found apex = view_find_relative(view, view->apex, 0);
	struct rrset set;

	return (found_rrset(apex, TYPE_SOA, &set) && set.sig_count) || found_rrset(apex, TYPE_NSEC, &set)
		|| found_rrset(apex, TYPE_NSEC3PARAM, &set);
}

/* The SOA's minimum, as in a zone file without TTLs. */
static uint32_t default_ttl(const struct view *view)
{
	struct rrset set;

	if (!found_rrset(view_find_relative(view, view->apex, 0), TYPE_SOA, &set) || set.wire_size < 32)
		return 3600;
	return load_be32(set.wire + set.wire_size - 4) & INT32_MAX;
}

static int prepare(struct change *c)
{
	const struct change_request *q = c->request;
	struct parser_options options = { .apex = c->base->apex, .apex_size = c->base->apex_size, .reporter = &c->reporter,
		.lines_are_changes = !q->whole };
	struct scanner *scanner = scanner_new_text(q->text, q->text_size, q->text_name);

	if (scanner)
		c->parser = parser_new(scanner, &options);
	if (c->parser)
		c->checker = checker_new(&c->reporter, c->base->apex, c->base->apex_size, 0, parser_file_name, c->parser);
	c->scratch = malloc(RECORD_SCRATCH);
	if (!c->parser || !c->checker || !c->scratch)
		return change_no_memory(c);
	c->gather.reporter = &c->reporter;
	c->gather.apex = c->base->apex;
	c->gather.apex_size = c->base->apex_size;
	c->gather.file_name = parser_file_name;
	c->gather.arg = c->parser;
	c->default_ttl = default_ttl(c->base);
	return 0;
}

static int run(struct change *c)
{
	if (c->base->images > IMAGE_DELTA_MAX)
		return err_set(c->err, ERR_BUSY, "the set has %u changes that are not folded yet: try again in a moment",
			c->base->images - 1);
	if (is_signed(c->base))
		return change_refuse_signed(c, "the set is signed");
	if (prepare(c) < 0 || (c->request->whole ? change_read_whole(c) : change_read_lines(c)) < 0)
		return -1;
	if (c->count)
		qsort(c->touched, c->count, sizeof(*c->touched), touched_compare);
	if (change_check_and_prune(c) < 0)
		return -1;
	for (size_t i = 0; i < c->count && !c->request->whole; i++)
		change_check_around(c, &c->touched[i]);
	if (c->reporter.rules)
		return -1;      /* the error is set: reporter.err_takes_rules */
	/* the same records are gathered again: what is wrong has been told */
	c->gather.reporter = &c->silent;
	if (change_find_affected(c) < 0)
		return -1;
	return change_write_delta(c);
}

static void note_apex(struct change *c)
{
	const struct touched *t = touched_find(c, c->base->apex, 0);

	view_soa_serial(c->base, &c->result->soa_serial);
	c->result->serial_fixed = t ? touched_has(t, TYPE_ZONEMD) : view_serial_fixed(c->base);
	for (size_t i = 0; t && i < t->count; i++)
		if (t->records[i].type == TYPE_SOA && t->records[i].size >= 22)
			c->result->soa_serial = load_be32(t->records[i].rdata + t->records[i].size - 20);
}

int zone_change(const struct change_request *request, struct change_result *result, struct err *err)
{
	struct err own = ERR_INIT;
	struct change c = { .request = request, .result = result, .base = request->base, .err = err ? err : &own };
	int status;

	memset(result, 0, sizeof(*result));
	c.reporter = (struct reporter){ .problem = request->problem, .arg = request->arg, .err = c.err, .err_takes_rules = true };
	status = run(&c);
	if (status == 0)
		note_apex(&c);
	image_builder_free(c.builder);
	gather_free(&c.gather);
	checker_free(c.checker);
	parser_free(c.parser);
	sorter_free(c.sorter);
	for (size_t i = 0; i < c.count; i++) {
		free(c.touched[i].records);
		free(c.touched[i].replaced);
	}
	free(c.touched);
	free(c.slots);
	free(c.affected);
	free(c.scratch);
	arena_free(&c.arena);
	return status;
}
