#include "zone/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/rrtype.h"
#include "zone/print.h"
#include "zone/records.h"

/* An RRset of one side, as records; signatures make RRsets of their own. */
struct side_record { const uint8_t *rdata; uint32_t ttl; uint16_t type, size; };
struct side {
	struct side_record *records;
	size_t count, space;
};

struct diff {
	const struct view *a, *b;
	struct view_walk walk_a, walk_b;
	struct found head_a, head_b;
	int (*each)(void *, const struct diff_rrset *);
	void *arg;
	struct diff_counts *counts;
	struct arena arena;     /* of one owner */
	struct side old, new;
	struct printer *printer;
	uint8_t *scratch;
	uint8_t owner[2 * NAME_MAX_SIZE];
	size_t owner_size;
	struct side *into;
	struct err *err;
};

static int take_record(void *arg, const struct record_at *r)
{
	struct diff *d = arg;
	struct side *s = d->into;

	if (s->count == s->space) {
		size_t space = s->space ? 2 * s->space : 64;
		struct side_record *records = realloc(s->records, space * sizeof(*records));

		if (!records)
			return err_set(d->err, ERR_NOMEM, "no memory to compare");
		s->records = records;
		s->space = space;
	}
	s->records[s->count] = (struct side_record){ .type = r->type, .ttl = r->ttl, .size = r->size,
		.rdata = arena_memdup(&d->arena, r->rdata, r->size ? r->size : 1) };
	if (!s->records[s->count++].rdata)
		return err_set(d->err, ERR_NOMEM, "no memory to compare");
	memcpy(d->owner, r->owner, r->owner_size);
	d->owner_size = r->owner_size;
	return 0;
}

static int compare_rdata(const struct side_record *a, const struct side_record *b)
{
	int c = memcmp(a->rdata, b->rdata, a->size < b->size ? a->size : b->size);

	return c ? c : (int)a->size - (int)b->size;
}

static int compare_side(const void *x, const void *y)
{
	const struct side_record *a = x, *b = y;

	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return compare_rdata(a, b);
}

static bool equal_records(const struct side_record *a, const struct side_record *b)
{
	if (a->ttl != b->ttl || a->size != b->size)
		return false;
	/* of the SOA the serial does not count */
	if (a->type == TYPE_SOA && a->size >= 22)
		return memcmp(a->rdata, b->rdata, a->size - 20u) == 0
			&& memcmp(a->rdata + a->size - 16, b->rdata + b->size - 16, 16) == 0;
	return memcmp(a->rdata, b->rdata, a->size) == 0;
}

static char **texts(struct diff *d, const struct side_record *r, size_t count)
{
	char **out = arena_alloc(&d->arena, (count + 1) * sizeof(*out));

	for (size_t i = 0; out && i < count; i++) {
		size_t size;
		const char *text = printer_text(d->printer, d->owner, d->owner_size, r[i].type, r[i].ttl, r[i].rdata, r[i].size, &size);

		out[i] = text ? arena_alloc(&d->arena, size + 1) : NULL;
		if (!out[i])
			return NULL;
		memcpy(out[i], text, size);
		out[i][size] = '\0';
	}
	return out;
}

static int tell(struct diff *d, char kind, const struct side_record *old, size_t old_count,
	const struct side_record *new, size_t new_count)
{
	struct diff_rrset r = { .kind = kind, .owner = d->owner, .owner_size = d->owner_size,
		.type = old_count ? old->type : new->type, .old_count = old_count, .new_count = new_count };

	*(kind == '+' ? &d->counts->added : kind == '-' ? &d->counts->removed : &d->counts->changed) += 1;
	if (!d->each)
		return 0;
	r.old_text = texts(d, old, old_count);
	r.new_text = texts(d, new, new_count);
	if (!r.old_text || !r.new_text)
		return err_set(d->err, ERR_NOMEM, "no memory to compare");
	return d->each(d->arg, &r);
}

static size_t run_of(const struct side *s, size_t at)
{
	size_t n = at;

	while (n < s->count && s->records[n].type == s->records[at].type)
		n++;
	return n - at;
}

/* One owner: the RRsets of both sides, type by type. */
static int compare_owner(struct diff *d)
{
	size_t i = 0, k = 0;

	if (d->old.count)
		qsort(d->old.records, d->old.count, sizeof(*d->old.records), compare_side);
	if (d->new.count)
		qsort(d->new.records, d->new.count, sizeof(*d->new.records), compare_side);
	while (i < d->old.count || k < d->new.count) {
		const struct side_record *old = d->old.records + i, *new = d->new.records + k;
		size_t old_count = run_of(&d->old, i), new_count = run_of(&d->new, k);
		int status = 0;

		if (k == d->new.count || (i < d->old.count && old->type < new->type)) {
			status = tell(d, '-', old, old_count, NULL, 0);
			i += old_count;
		} else if (i == d->old.count || new->type < old->type) {
			status = tell(d, '+', NULL, 0, new, new_count);
			k += new_count;
		} else {
			bool equal = old_count == new_count;

			for (size_t n = 0; equal && n < old_count; n++)
				equal = equal_records(&old[n], &new[n]);
			if (!equal)
				status = tell(d, '~', old, old_count, new, new_count);
			i += old_count;
			k += new_count;
		}
		if (status)
			return status;
	}
	return 0;
}

/* The same octets, without taking anything apart: the common case. */
static bool same_node(struct found a, struct found b)
{
	if (node_rrsets(a.node) != node_rrsets(b.node))
		return false;
	for (unsigned i = 0; i < node_rrsets(a.node); i++) {
		struct rrset x, y;

		if (!image_rrset_at(a.image, a.node, i, &x) || !image_rrset_at(b.image, b.node, i, &y))
			return false;
		if (x.type != y.type || x.count != y.count || x.wire_size != y.wire_size || x.sigs_size != y.sigs_size
		    || memcmp(x.wire, y.wire, x.wire_size) != 0 || memcmp(x.sigs, y.sigs, x.sigs_size) != 0)
			return false;
	}
	return true;
}

static int load_side(struct diff *d, const struct view *view, struct found f, struct side *s)
{
	s->count = 0;
	d->into = s;
	return f.node ? records_of_node(view, f, d->scratch, take_record, d, d->err) : 0;
}

static int compare_nodes(struct diff *d, struct found a, struct found b)
{
	int status;

	if (a.node && b.node && same_node(a, b))
		return 0;
	arena_reset(&d->arena);
	status = load_side(d, d->a, a, &d->old);
	if (!status)
		status = load_side(d, d->b, b, &d->new);
	return status ? status : compare_owner(d);
}

static int compare_walk(struct diff *d, bool nsec3)
{
	struct found a, b, none = { .node = NULL };
	int status = 0;

	view_walk_begin(&d->walk_a, d->a, nsec3);
	view_walk_begin(&d->walk_b, d->b, nsec3);
	a = view_walk_next(&d->walk_a);
	b = view_walk_next(&d->walk_b);
	while (!status && (a.node || b.node)) {
		int c = !a.node ? 1 : !b.node ? -1
			: name_compare(node_owner(a.node), node_owner_size(a.node), node_owner(b.node), node_owner_size(b.node));

		status = compare_nodes(d, c <= 0 ? a : none, c >= 0 ? b : none);
		if (c <= 0)
			a = view_walk_next(&d->walk_a);
		if (c >= 0)
			b = view_walk_next(&d->walk_b);
	}
	return status;
}

int zone_diff(const struct view *a, const struct view *b, int (*each)(void *, const struct diff_rrset *), void *arg,
	struct diff_counts *counts, struct err *err)
{
	struct diff_counts unused;
	struct err own = ERR_INIT;
	struct diff *d = calloc(1, sizeof(*d));
	int status = -1;

	if (d) {
		*d = (struct diff){ .a = a, .b = b, .each = each, .arg = arg, .counts = counts ? counts : &unused,
			.err = err ? err : &own };
		memset(d->counts, 0, sizeof(*d->counts));
		d->printer = printer_new();
		d->scratch = malloc(RECORD_SCRATCH);
	}
	if (!d || !d->printer || !d->scratch) {
		err_set(err, ERR_NOMEM, "no memory to compare");
	} else {
		status = compare_walk(d, false);
		if (!status)
			status = compare_walk(d, true);
		/* stopped by the caller is no failure */
		status = d->err->code ? -1 : 0;
	}
	if (d) {
		printer_free(d->printer);
		free(d->scratch);
		free(d->old.records);
		free(d->new.records);
		arena_free(&d->arena);
	}
	free(d);
	return status;
}
