#include "answer_zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wire/rrtype.h"

struct zone_record {
	uint8_t owner[NAME_MAX_SIZE];
	size_t owner_size;              /* relative */
	uint16_t type;
	bool sig;                       /* an RRSIG that covers type */
	uint32_t ttl;
	uint8_t *wire;
	struct build_record rdata;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "test zone: %s: %s\n", what, why);
	abort();
}

static int compare_records(const void *a, const void *b)
{
	const struct zone_record *x = a, *y = b;
	int d = name_compare(x->owner, x->owner_size, y->owner, y->owner_size);

	if (!d)
		d = (int)x->type - (int)y->type;
	if (!d)
		d = (int)x->sig - (int)y->sig;
	return d;
}

static void take_record(struct zone_record *r, const ldns_rr *rr, size_t apex_size)
{
	size_t size, owner = ldns_rdf_size(ldns_rr_owner(rr));

	if (ldns_rr2wire(&r->wire, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK)
		die("ldns_rr2wire", "failed");
	r->owner_size = owner - apex_size;
	memcpy(r->owner, r->wire, r->owner_size);
	r->type = (uint16_t)ldns_rr_get_type(rr);
	r->ttl = ldns_rr_ttl(rr);
	r->rdata.rdata = r->wire + owner + 10;
	r->rdata.size = (uint16_t)(size - owner - 10);
	r->sig = r->type == TYPE_RRSIG;
	if (r->sig)
		r->type = load_be16(r->rdata.rdata);
}

static bool same_owner(const struct zone_record *a, const struct zone_record *b)
{
	return a->owner_size == b->owner_size && name_equal(a->owner, b->owner, a->owner_size);
}

/* All RRsets of one owner. Returns how many records they take. */
static size_t build_node(struct image_builder *b, const struct zone_record *r, size_t left)
{
	struct build_rrset sets[64] = { 0 };
	struct build_record *data = calloc(left, sizeof *data);
	unsigned n = 0;
	size_t i;
	struct err err = ERR_INIT;

	for (i = 0; i < left && same_owner(r, &r[i]); i++) {
		struct build_rrset *s = &sets[n ? n - 1 : 0];

		if (!n || s->type != r[i].type) {
			s = &sets[n++];
			*s = (struct build_rrset){ .type = r[i].type, .ttl = r[i].ttl };
		}
		data[i] = r[i].rdata;
		if (r[i].sig) {
			s->sigs = s->sig_count ? s->sigs : &data[i];
			s->sig_count++;
		} else {
			s->records = s->count ? s->records : &data[i];
			s->count++;
		}
	}
	/* signatures of what is not there are records of their own */
	if (n && !sets[n - 1].count)
		sets[n - 1] = (struct build_rrset){ .type = TYPE_RRSIG, .ttl = sets[n - 1].ttl, .records = sets[n - 1].sigs,
			.count = sets[n - 1].sig_count };
	if (image_builder_node(b, r->owner, r->owner_size, 0, sets, n, &err))
		die("image_builder_node", err.message);
	free(data);
	return i;
}

static void open_view(struct test_zone *z, uint64_t size)
{
	struct view *v = &z->view.view;
	struct err err = ERR_INIT;
	size_t apex_size;

	z->file = image_file_open(z->fd, 0, size, &err);
	if (!z->file)
		die("image_file_open", err.message);
	v->image[0] = image_open(image_file_source(z->file), 1, &err);
	if (!v->image[0])
		die("image_open", err.message);
	v->images = 1;
	v->hash_key = TEST_HASH_KEY;
	v->apex = image_apex(v->image[0], &apex_size);
	v->apex_size = (uint8_t)apex_size;
	v->apex_labels = name_count_labels(v->apex);
}

void test_zone_from_list(struct test_zone *z, const ldns_rdf *apex, const ldns_rr_list *rrs)
{
	size_t count = ldns_rr_list_rr_count(rrs), apex_size = ldns_rdf_size(apex), i = 0;
	struct zone_record *records = calloc(count, sizeof *records);
	uint8_t lower[NAME_MAX_SIZE];
	struct image_builder *b;
	struct image_header header;
	struct err err = ERR_INIT;
	uint64_t size;

	memset(z, 0, sizeof *z);
	z->fd = memfd_create("zone", MFD_CLOEXEC);
	name_lower(lower, ldns_rdf_data(apex), apex_size);
	for (size_t k = 0; k < count; k++)
		take_record(&records[k], ldns_rr_list_rr(rrs, k), apex_size);
	qsort(records, count, sizeof *records, compare_records);
	b = image_builder_new(z->fd, 0, lower, apex_size, TEST_HASH_KEY, false, &err);
	if (!b)
		die("image_builder_new", err.message);
	while (i < count)
		i += build_node(b, &records[i], count - i);
	if (image_builder_finish(b, &size, &header, &err))
		die("image_builder_finish", err.message);
	image_builder_free(b);
	open_view(z, size);
	for (size_t k = 0; k < count; k++)
		free(records[k].wire);
	free(records);
}

ldns_rr_list *test_zone_read(const char *origin, const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	ldns_rdf *o = ldns_dname_new_frm_str(origin), *previous = NULL;
	ldns_rr_list *list = ldns_rr_list_new();
	uint32_t ttl = 3600;
	int line = 0;

	while (!feof(f)) {
		ldns_rr *rr = NULL;
		ldns_status s = ldns_rr_new_frm_fp_l(&rr, f, &ttl, &o, &previous, &line);
		char where[64];

		snprintf(where, sizeof where, "%s line %d", origin, line);
		if (s == LDNS_STATUS_OK)
			ldns_rr_list_push_rr(list, rr);
		else if (s != LDNS_STATUS_SYNTAX_EMPTY && s != LDNS_STATUS_SYNTAX_TTL && s != LDNS_STATUS_SYNTAX_ORIGIN)
			die(where, ldns_get_errorstr_by_id(s));
	}
	fclose(f);
	ldns_rdf_deep_free(o);
	ldns_rdf_deep_free(previous);
	return list;
}

void test_zone_from_text(struct test_zone *z, const char *origin, const char *text)
{
	ldns_rdf *apex = ldns_dname_new_frm_str(origin);
	ldns_rr_list *list = test_zone_read(origin, text);

	test_zone_from_list(z, apex, list);
	ldns_rr_list_deep_free(list);
	ldns_rdf_deep_free(apex);
}

void test_zone_free(struct test_zone *z)
{
	image_close(z->view.view.image[0]);
	image_file_close(z->file);
	close(z->fd);
}

const struct zone_view *test_store_find(void *arg, const struct name *n, bool parent_side, bool *prepared)
{
	struct test_store *store = arg;
	const struct zone_view *best = NULL, *own = NULL;

	for (unsigned i = 0; i < store->count; i++) {
		const struct zone_view *z = &store->zone[i]->view;
		const struct view *v = &z->view;

		if (!name_is_at_or_below(n->lower, n->size, v->apex, v->apex_size))
			continue;
		if (parent_side && v->apex_size == n->size)
			own = z;
		else if (!best || v->apex_size > best->view.apex_size)
			best = z;
	}
	*prepared = !best && !own && store->prepared;
	return best ? best : own;
}
