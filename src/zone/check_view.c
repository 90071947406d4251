/* The rules of a set that is in the store already (load.h: zone_check). */
#include "zone/load.h"

#include <stdlib.h>
#include <string.h>

#include "wire/rrtype.h"
#include "zone/check.h"
#include "zone/gather.h"
#include "zone/records.h"

static const struct place nowhere = { 0, 0, 0 };

struct view_check {
	struct gather *gather;
	struct checker *checker;
	struct err *err;
	size_t apex_size;
};

static int note_ns(void *arg, const struct record_at *r)
{
	struct view_check *c = arg;

	if (r->type != TYPE_NS)
		return 0;
	if (checker_ns(c->checker, r->owner_size == c->apex_size, r->rdata, &nowhere) < 0)
		return err_set(c->err, ERR_NOMEM, "no memory for the names of the name servers");
	return 0;
}

static int gather_one(void *arg, const struct record_at *r)
{
	struct view_check *c = arg;

	return gather_add(c->gather, r->type, r->ttl, r->rdata, r->size, true, &nowhere, c->err);
}

static int check_walk(const struct view *view, bool nsec3, struct view_check *c, uint8_t *scratch)
{
	struct view_walk walk;
	struct found f;

	view_walk_begin(&walk, view, nsec3);
	while ((f = view_walk_next(&walk)).node) {
		gather_begin(c->gather, node_owner(f.node), node_owner_size(f.node));
		if (records_of_node(view, f, scratch, gather_one, c, c->err) < 0 || gather_finish(c->gather, c->err) < 0)
			return -1;
		if (checker_node(c->checker, &c->gather->node) < 0)
			return err_set(c->err, ERR_NOMEM, "no memory for the checks");
	}
	return 0;
}

static int find_name_servers(const struct view *view, struct view_check *c, uint8_t *scratch)
{
	struct view_walk walk;
	struct found f;
	struct rrset set;

	view_walk_begin(&walk, view, false);
	while ((f = view_walk_next(&walk)).node)
		if (found_rrset(f, TYPE_NS, &set) && records_of_node(view, f, scratch, note_ns, c, c->err) < 0)
			return -1;
	return 0;
}

int zone_check(const struct view *view, void (*problem)(void *, const struct problem *), void *arg, unsigned *rules,
	unsigned *warnings, struct err *err)
{
	struct err own = ERR_INIT;
	struct reporter reporter = { .problem = problem, .arg = arg };
	struct gather gather = { .reporter = &reporter, .apex = view->apex, .apex_size = view->apex_size };
	struct view_check c = { .gather = &gather, .err = err ? err : &own, .apex_size = view->apex_size };
	uint8_t *scratch = malloc(RECORD_SCRATCH);
	int status = -1;

	c.checker = checker_new(&reporter, view->apex, view->apex_size, 0, NULL, NULL);
	if (!c.checker || !scratch) {
		err_set(err, ERR_NOMEM, "no memory for the checks");
	} else if (find_name_servers(view, &c, scratch) == 0 && check_walk(view, false, &c, scratch) == 0
	    && check_walk(view, true, &c, scratch) == 0) {
		checker_finish(c.checker);
		status = 0;
	}
	*rules = reporter.rules;
	*warnings = reporter.warnings;
	checker_free(c.checker);
	gather_free(&gather);
	free(scratch);
	return status;
}
