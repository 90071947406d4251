/* The rules of a set that is in the store already (load.h: zone_check). */
#include "zone/load.h"

#include <stdlib.h>

#include "base/clock.h"
#include "wire/rrtype.h"
#include "zone/check.h"
#include "zone/owners.h"
#include "zone/records.h"
#include "zone/signing.h"
#include "zone/verify.h"
#include "zone/zonemd.h"

#define PROGRESS_US 100000

struct view_check {
	const struct view *view;
	struct checker *checker;
	struct zonemd *zonemd;
	struct signing *signing;
	struct verifier *verifier;      /* NULL: not wanted */
	struct owners owners;
	uint64_t records;
	int64_t told;                   /* when progress was told last */
	struct err *err;
};

static int note_ns(void *arg, const struct record_at *r)
{
	static const struct place nowhere = { 0, 0, 0 };
	struct view_check *c = arg;

	if (r->type != TYPE_NS)
		return 0;
	if (checker_ns(c->checker, r->owner_size == c->view->apex_size, r->rdata, &nowhere) < 0)
		return err_set(c->err, ERR_NOMEM, "no memory for the names of the name servers");
	return 0;
}

static int find_name_servers(struct view_check *c)
{
	struct view_walk walk;
	struct found f;
	struct rrset set;

	view_walk_begin(&walk, c->view, false);
	while ((f = view_walk_next(&walk)).node)
		if (found_rrset(f, TYPE_NS, &set) && records_of_node(c->view, f, c->owners.scratch, note_ns, c, c->err) < 0)
			return -1;
	return 0;
}

static void tell_progress(const struct check_request *q, struct view_check *c, const struct zone_node *n)
{
	int64_t now;

	for (unsigned i = 0; i < n->count; i++)
		c->records += (uint64_t)n->rrsets[i].count + n->rrsets[i].sig_count;
	if (!q->progress || (now = clock_boot_us()) - c->told < PROGRESS_US)
		return;
	c->told = now;
	q->progress(q->arg, c->records);
}

static int check_owners(const struct check_request *q, struct view_check *c)
{
	struct zone_node *node;
	int n;

	while ((n = owners_next(&c->owners, &node)) > 0) {
		if (checker_node(c->checker, node) < 0 || zonemd_node(c->zonemd, node) < 0 ||
		    (c->verifier && verifier_node(c->verifier, node, c->owners.flags) < 0))
			return err_set(c->err, ERR_NOMEM, "no memory for the checks");
		signing_node(c->signing, node);
		tell_progress(q, c, node);
	}
	if (n < 0)
		return -1;
	checker_finish(c->checker);
	zonemd_finish(c->zonemd);
	signing_finish(c->signing);
	if (c->verifier)
		verifier_finish(c->verifier);
	report_rest(c->owners.gather.reporter);
	return 0;
}

int zone_check(const struct check_request *q, struct check_result *result, struct err *err)
{
	struct err own = ERR_INIT;
	struct reporter reporter = { .problem = q->problem, .arg = q->arg, .check = q->signatures };
	struct view_check c = { .view = q->view, .err = err ? err : &own };
	int64_t now = clock_wall_us() / 1000000;
	int status = owners_begin(&c.owners, q->view, &reporter, c.err);

	c.checker = checker_new(&reporter, q->view->apex, q->view->apex_size, 0, NULL, NULL);
	c.zonemd = zonemd_new(&reporter, q->view->apex, q->view->apex_size, NULL, NULL);
	c.signing = signing_new(&reporter, q->view->apex, q->view->apex_size, now, NULL, NULL);
	c.verifier = q->signatures ? verifier_new(&reporter, q->view, now) : NULL;
	if (!c.checker || !c.zonemd || !c.signing || (q->signatures && !c.verifier))
		status = err_set(c.err, ERR_NOMEM, "no memory for the checks");
	if (status == 0)
		status = find_name_servers(&c);
	if (status == 0)
		status = check_owners(q, &c);
	*result = (struct check_result){ .rules = reporter.rules, .warnings = reporter.warnings };
	if (status == 0)
		result->signing = *signing_result(c.signing);
	verifier_free(c.verifier);
	signing_free(c.signing);
	zonemd_free(c.zonemd);
	checker_free(c.checker);
	owners_end(&c.owners);
	return status;
}

int zone_check_zonemd(const struct view *view, struct err *err)
{
	struct reporter silent = { .err = NULL }, reporter = { .err = err, .err_takes_rules = true };
	struct zonemd *zonemd = zonemd_new(&reporter, view->apex, view->apex_size, NULL, NULL);
	struct zone_node *node;
	struct owners owners;
	int n = owners_begin(&owners, view, &silent, err);

	if (!zonemd)
		n = err_set(err, ERR_NOMEM, "no memory for the zone's digest");
	while (n == 0 && (n = owners_next(&owners, &node)) > 0)
		n = zonemd_node(zonemd, node) < 0 ? err_set(err, ERR_NOMEM, "no memory for the zone's digest") : 0;
	if (n == 0)
		zonemd_finish(zonemd);
	zonemd_free(zonemd);
	owners_end(&owners);
	return n < 0 || reporter.rules ? -1 : 0;
}
