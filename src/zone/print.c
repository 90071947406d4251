#include "zone/print.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/rrtype.h"
#include "zone/check.h"
#include "zone/records.h"
#include "zone/rdata.h"

/* What is certain to come in again: RFC 3597. */
static char *generic_text(const uint8_t *owner, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t size)
{
	char name[NAME_TEXT_MAX], mnemonic[16];
	size_t room = NAME_TEXT_MAX + 64 + 2 * size, n;
	char *text = malloc(room);

	if (!text)
		return NULL;
	n = (size_t)snprintf(text, room, "%s%s\t%u\tIN\t%s\t\\# %zu%s", owner[0] && owner[1] == '$' ? "\\" : "",
		name_to_text(name, owner), ttl, rrtype_to_text(type, mnemonic), size, size ? " " : "");
	for (size_t i = 0; i < size; i++)
		n += (size_t)sprintf(text + n, "%02x", rdata[i]);
	return text;
}

/* Does the text give these octets again? Asked of the types that are seldom
 * and whose text is intricate. */
static bool comes_in_again(const char *text, size_t text_size, uint16_t type, const uint8_t *rdata, size_t rdata_size)
{
	static const uint8_t root[1] = { 0 };
	struct scanner *s = scanner_new_text(text, text_size, "");
	struct scan_record r;
	struct scan_error scan_error;
	struct rdata_error e;
	uint8_t *again = malloc(RDATA_MAX);
	bool ended, good = false;

	/* owner TTL IN type rdata… */
	if (s && again && scan_next(s, &r, &ended, &scan_error) > 0 && r.count >= 4) {
		int size = rdata_from_tokens(type, r.tokens + 4, r.count - 4, root, again, &e);

		good = size >= 0 && (size_t)size == rdata_size && memcmp(again, rdata, rdata_size) == 0;
	}
	scanner_free(s);
	free(again);
	return good;
}

static bool text_is_plain(uint16_t type)
{
	switch (type) {
	case TYPE_A: case TYPE_AAAA: case TYPE_NS: case TYPE_CNAME: case TYPE_DNAME: case TYPE_PTR: case TYPE_MX:
	case TYPE_SOA: case TYPE_SRV: case TYPE_DS: case TYPE_DNSKEY: case TYPE_RRSIG: case TYPE_NSEC:
		return true;
	}
	return false;
}

struct printer {
	ldns_buffer *buffer;
	char *generic;          /* what ldns could not print */
	size_t skip;            /* octets of the owner in the buffer */
	uint8_t wire[NAME_MAX_SIZE + 10 + RDATA_MAX];
};

/* Into the buffer, as one line; false: ldns cannot. The owner is ours: ldns
 * would let "$INCLUDE" begin a line. */
static bool print_by_ldns(struct printer *p, const uint8_t *owner, uint16_t type, uint32_t ttl, const uint8_t *rdata,
	size_t rdata_size, size_t *size)
{
	struct cursor c = cursor_over(p->wire, sizeof(p->wire));
	char name[NAME_TEXT_MAX + 1] = "\\";
	size_t used = 0;
	ldns_rr *rr = NULL;
	bool good;

	cursor_put_u8(&c, 0);
	cursor_put_be16(&c, type);
	cursor_put_be16(&c, CLASS_IN);
	cursor_put_be32(&c, ttl);
	cursor_put_be16(&c, (uint16_t)rdata_size);
	cursor_put(&c, rdata, rdata_size);
	if (c.failed || ldns_wire2rr(&rr, p->wire, c.at, &used, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
		return false;
	name_to_text(name + 1, owner);
	ldns_buffer_clear(p->buffer);
	ldns_buffer_printf(p->buffer, "%s", name[1] == '$' ? name : name + 1);
	p->skip = ldns_buffer_position(p->buffer);
	good = used == c.at && ldns_rr2buffer_str(p->buffer, rr) == LDNS_STATUS_OK && ldns_buffer_status_ok(p->buffer);
	ldns_rr_free(rr);
	if (!good)
		return false;
	/* the root that ldns printed goes: what stands behind it moves up */
	*size = ldns_buffer_position(p->buffer) - 1;
	memmove(ldns_buffer_at(p->buffer, p->skip), ldns_buffer_at(p->buffer, p->skip + 1), *size - p->skip);
	return true;
}

struct printer *printer_new(void)
{
	struct printer *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	p->generic = NULL;
	p->buffer = ldns_buffer_new(4096);
	if (!p->buffer) {
		free(p);
		return NULL;
	}
	return p;
}

void printer_free(struct printer *p)
{
	if (!p)
		return;
	ldns_buffer_free(p->buffer);
	free(p->generic);
	free(p);
}

/* Rdata of types whose text cannot go wrong, unless it holds what has a
 * meaning of its own in a zone file. */
static bool certainly_right(uint16_t type, const char *text, size_t size)
{
	if (!text_is_plain(type))
		return false;
	for (size_t i = 0; i < size; i++)
		if (strchr("\\\"$@;()", text[i]))
			return false;
	return true;
}

const char *printer_text(struct printer *p, const uint8_t *owner, size_t owner_size, uint16_t type, uint32_t ttl,
	const uint8_t *rdata, size_t rdata_size, size_t *size)
{
	if (print_by_ldns(p, owner, type, ttl, rdata, rdata_size, size)) {
		const char *text = (const char *)ldns_buffer_begin(p->buffer);
		const char *comment;

		while (*size && text[*size - 1] == '\n')
			(*size)--;
		/* ldns puts comments behind some types */
		comment = type == TYPE_DNSKEY || type == TYPE_DS ? memmem(text, *size, " ;", 2) : NULL;
		if (comment)
			*size = (size_t)(comment - text);
		if (certainly_right(type, text + p->skip, *size - p->skip) || comes_in_again(text, *size, type, rdata, rdata_size))
			return text;
	}
	free(p->generic);
	p->generic = generic_text(owner, type, ttl, rdata, rdata_size);
	if (p->generic)
		*size = strlen(p->generic);
	return p->generic;
}

char *zone_rr_to_text(const uint8_t *owner, size_t owner_size, uint16_t type, uint32_t ttl, const uint8_t *rdata, size_t rdata_size)
{
	struct printer *p = printer_new();
	size_t size = 0;
	const char *text = p ? printer_text(p, owner, owner_size, type, ttl, rdata, rdata_size, &size) : NULL;
	char *own = text ? strndup(text, size) : NULL;

	printer_free(p);
	return own;
}

/* ---- a whole zone -------------------------------------------------------------- */

const char *zone_library_version(void)
{
	static char version[32];

	snprintf(version, sizeof(version), "ldns %s", ldns_version());
	return version;
}

struct printing {
	const struct view *view;
	FILE *out;
	const struct print_options *options;
	struct printer *printer;
	uint8_t *scratch;
	bool serial_fixed;
	struct err *err;
};

static int print_one(void *arg, const struct record_at *r)
{
	struct printing *p = arg;
	size_t size;
	const char *text;
	uint8_t soa[2 * NAME_MAX_SIZE + 20];
	const uint8_t *rdata = r->rdata;

	if (r->type == TYPE_SOA && p->options && p->options->replace_serial && !p->serial_fixed && r->size >= 22
	    && r->size <= sizeof(soa)) {
		memcpy(soa, rdata, r->size);
		store_be32(soa + r->size - 20, p->options->serial);
		rdata = soa;
	}
	text = printer_text(p->printer, r->owner, r->owner_size, r->type, r->ttl, rdata, r->size, &size);
	if (!text)
		return err_set(p->err, ERR_NOMEM, "no memory to print a record");
	if (fwrite(text, 1, size, p->out) != size || putc('\n', p->out) == EOF)
		return err_system(p->err, "cannot write the zone's text");
	return 0;
}

/* The SOA goes first, and what signs it with it. */
static bool goes_first(const struct record_at *r)
{
	return r->type == TYPE_SOA || (r->type == TYPE_RRSIG && r->covers == TYPE_SOA);
}

static int print_soa(void *arg, const struct record_at *r)
{
	return goes_first(r) ? print_one(arg, r) : 0;
}

static int print_not_soa(void *arg, const struct record_at *r)
{
	const struct printing *p = arg;

	return goes_first(r) && r->owner_size == p->view->apex_size ? 0 : print_one(arg, r);
}

static int print_walk(struct printing *p, bool nsec3, uint64_t total, void (*progress)(void *, double), void *arg)
{
	struct view_walk walk;
	struct found f;
	uint64_t done = 0;

	view_walk_begin(&walk, p->view, nsec3);
	while ((f = view_walk_next(&walk)).node) {
		bool apex = !nsec3 && node_owner_size(f.node) == 0;

		if (apex && records_of_node(p->view, f, p->scratch, print_soa, p, p->err) < 0)
			return -1;
		if (records_of_node(p->view, f, p->scratch, apex ? print_not_soa : print_one, p, p->err) < 0)
			return -1;
		if (progress && ++done % 8192 == 0)
			progress(arg, total ? (double)done / (double)total : -1);
	}
	return 0;
}

static int print_spare(void *arg, const struct record_at *r)
{
	return r->type == TYPE_ZONEMD || (r->type == TYPE_RRSIG && r->covers == TYPE_ZONEMD) ? print_one(arg, r) : 0;
}

static int prepare(struct printing *p)
{
	p->printer = printer_new();
	p->scratch = malloc(RECORD_SCRATCH);
	p->serial_fixed = view_serial_fixed(p->view);
	return p->printer && p->scratch ? 0 : err_set(p->err, ERR_NOMEM, "no memory to print a zone");
}

static void end(struct printing *p)
{
	printer_free(p->printer);
	free(p->scratch);
}

int zone_print_soa(const struct view *view, FILE *out, struct err *err)
{
	struct err own = ERR_INIT;
	struct printing p = { .view = view, .out = out, .err = err ? err : &own };
	struct found apex = view_find_relative(view, view->apex, 0);
	int status = prepare(&p);

	if (status == 0 && !apex.node)
		status = err_set(p.err, ERR_CORRUPT, "a set without apex");
	if (status == 0)
		status = records_of_node(view, apex, p.scratch, print_soa, &p, p.err);
	if (status == 0)
		status = records_of_node(view, apex, p.scratch, print_spare, &p, p.err);
	end(&p);
	return status;
}

int zone_print(const struct view *view, FILE *out, const struct print_options *options, void (*progress)(void *, double), void *arg,
	struct err *err)
{
	struct err own = ERR_INIT;
	struct printing p = { .view = view, .out = out, .options = options, .err = err ? err : &own };
	struct image_header base;
	int status;

	if (image_read_header(view->image[view->images - 1], &base, err))
		return -1;
	status = prepare(&p);
	if (status == 0)
		status = print_walk(&p, false, base.nodes, progress, arg);
	if (status == 0)
		status = print_walk(&p, true, base.nsec3_nodes, NULL, NULL);
	if (status == 0 && fflush(out) != 0)
		status = err_system(p.err, "cannot write the zone's text");
	if (status == 0 && progress)
		progress(arg, 1);
	end(&p);
	return status;
}
