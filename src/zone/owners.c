#include "zone/owners.h"

#include <stdlib.h>

#include "zone/records.h"

int owners_begin(struct owners *o, const struct view *view, struct reporter *reporter, struct err *err)
{
	*o = (struct owners){ .view = view, .err = err };
	o->gather.reporter = reporter;
	o->gather.apex = view->apex;
	o->gather.apex_size = view->apex_size;
	o->scratch = malloc(RECORD_SCRATCH);
	if (!o->scratch)
		return err_set(err, ERR_NOMEM, "no memory to walk over a set");
	view_walk_begin(&o->names, view, false);
	view_walk_begin(&o->nsec3s, view, true);
	o->name = view_walk_next(&o->names);
	o->nsec3 = view_walk_next(&o->nsec3s);
	return 0;
}

void owners_end(struct owners *o)
{
	gather_free(&o->gather);
	free(o->scratch);
	o->scratch = NULL;
}

static int gather_one(void *arg, const struct record_at *r)
{
	static const struct place nowhere = { 0, 0, 0 };
	struct owners *o = arg;

	return gather_add(&o->gather, r->type, r->ttl, r->rdata, r->size, true, &nowhere, o->err);
}

static int compare_owners(struct found a, struct found b)
{
	if (!a.node || !b.node)
		return a.node ? -1 : 1;
	return name_compare(node_owner(a.node), node_owner_size(a.node), node_owner(b.node), node_owner_size(b.node));
}

int owners_next(struct owners *o, struct zone_node **node)
{
	int c = compare_owners(o->name, o->nsec3);
	struct found name = o->name, nsec3 = o->nsec3, first = c <= 0 ? name : nsec3;

	if (!first.node)
		return 0;
	gather_begin(&o->gather, node_owner(first.node), node_owner_size(first.node));
	if (c <= 0 && records_of_node(o->view, name, o->scratch, gather_one, o, o->err) < 0)
		return -1;
	if (c >= 0 && nsec3.node && records_of_node(o->view, nsec3, o->scratch, gather_one, o, o->err) < 0)
		return -1;
	if (gather_finish(&o->gather, o->err) < 0)
		return -1;
	o->flags = node_flags(first.node);
	if (c <= 0)
		o->name = view_walk_next(&o->names);
	if (c >= 0 && nsec3.node)
		o->nsec3 = view_walk_next(&o->nsec3s);
	*node = &o->gather.node;
	return 1;
}
