/* Rdata of the types for which there is no layout, by ldns. */
#include "zone/rdata_internal.h"

#include <ldns/ldns.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/name.h"
#include "wire/rrtype.h"

/* NULL: ldns does not know the type, or has another than a name in NSAP-PTR. */
static const ldns_rr_descriptor *descriptor_of(uint16_t type)
{
	const ldns_rr_descriptor *d = ldns_rr_descript(type);

	/* for what it does not know ldns gives a row of its own, with type 0 */
	return d && d->_type == (ldns_rr_type)type && type != TYPE_NSAP_PTR ? d : NULL;
}

bool rdata_is_well_formed(uint16_t type, const uint8_t *rdata, size_t size)
{
	bool compressible;
	int additional;
	uint8_t *wire;
	ldns_rr *rr = NULL;
	size_t used = 0, sum = 0;
	bool good;

	if (rrtype_rdata_names(type, rdata, size, NULL, 0, &compressible, &additional) < 0)
		return false;
	if (!descriptor_of(type))
		return true;
	wire = malloc(11 + size);
	if (!wire)
		return false;
	memset(wire, 0, 11);
	store_be16(wire + 1, type);
	store_be16(wire + 3, CLASS_IN);
	store_be16(wire + 9, (uint16_t)size);
	memcpy(wire + 11, rdata, size);
	good = ldns_wire2rr(&rr, wire, 11 + size, &used, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK && used == 11 + size;
	if (good) {
		/* a compressed name would come back longer than it went in */
		for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
			sum += ldns_rr_rdf(rr, i) ? ldns_rdf_size(ldns_rr_rdf(rr, i)) : 0;
		good = sum == size;
	}
	ldns_rr_free(rr);
	free(wire);
	return good;
}

/* Which token does ldns not like? Only a guess where a field is made of
 * several tokens. */
static const struct scan_token *wrong_token(const ldns_rr_descriptor *d, const struct scan_token *tokens, unsigned count)
{
	for (unsigned i = 0; i < count && i < ldns_rr_descriptor_minimum(d); i++) {
		ldns_rdf *rdf;
		char *text = strndup(tokens[i].text, tokens[i].size);

		if (!text)
			return NULL;
		rdf = ldns_rdf_new_frm_str(ldns_rr_descriptor_field_type(d, i), text);
		free(text);
		if (!rdf)
			return &tokens[i];
		ldns_rdf_deep_free(rdf);
	}
	return count ? &tokens[count - 1] : NULL;
}

static char *line_for_ldns(uint16_t type, const struct scan_token *tokens, unsigned count)
{
	char mnemonic[16], *line, *p;
	size_t size = 64;

	for (unsigned i = 0; i < count; i++)
		size += tokens[i].size + 3;
	line = malloc(size);
	if (!line)
		return NULL;
	p = line + sprintf(line, ". 0 IN %s", rrtype_to_text(type, mnemonic));
	for (unsigned i = 0; i < count; i++) {
		*p++ = ' ';
		if (tokens[i].quoted)
			*p++ = '"';
		memcpy(p, tokens[i].text, tokens[i].size);
		p += tokens[i].size;
		if (tokens[i].quoted)
			*p++ = '"';
	}
	*p = '\0';
	return line;
}

static int read_by_ldns(struct rdata_reader *r, uint16_t type)
{
	const ldns_rr_descriptor *d = descriptor_of(type);
	unsigned count = (unsigned)(r->end - r->token);
	char mnemonic[16], *line;
	ldns_rdf *origin;
	ldns_rr *rr = NULL;
	ldns_status status;
	bool empty = true;

	rrtype_to_text(type, mnemonic);
	if (!d)
		return rdata_fail(r->error, r->token < r->end ? r->token : NULL,
			"rdata of type %s is written as \\# LENGTH HEX (RFC 3597)", mnemonic);
	/* LOC alone: ldns takes a token apart for which none is there */
	if (count < ldns_rr_descriptor_minimum(d))
		return rdata_fail(r->error, NULL, "the rdata of type %s ends too early", mnemonic);
	line = line_for_ldns(type, r->token, count);
	origin = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name_length(r->origin, NAME_MAX_SIZE), r->origin);
	if (!line || !origin) {
		free(line);
		ldns_rdf_deep_free(origin);
		return rdata_fail(r->error, NULL, "out of memory");
	}
	status = ldns_rr_new_frm_str(&rr, line, 0, origin, NULL);
	free(line);
	ldns_rdf_deep_free(origin);
	if (status != LDNS_STATUS_OK)
		return rdata_fail(r->error, wrong_token(d, r->token, count), "no rdata of type %s: %s", mnemonic,
			ldns_get_errorstr_by_id(status));
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

		if (!rdf)
			continue;
		empty = false;
		cursor_put(&r->out, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	}
	ldns_rr_free(rr);
	if (empty && ldns_rr_descriptor_minimum(d) > 0)
		return rdata_fail(r->error, NULL, "the rdata of type %s ends too early", mnemonic);
	if (!r->out.failed && !rdata_is_well_formed(type, r->out.base, r->out.at))
		return rdata_fail(r->error, r->token < r->end ? r->token : NULL, "no rdata of type %s", mnemonic);
	r->token = r->end;
	return 0;
}

/* One thread at a time: of a WKS ldns asks getservbyname(3). */
int rdata_read_by_ldns(struct rdata_reader *r, uint16_t type)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int status;

	pthread_mutex_lock(&lock);
	status = read_by_ldns(r, type);
	pthread_mutex_unlock(&lock);
	return status;
}

int rdata_from_tokens_by_ldns(uint16_t type, const struct scan_token *tokens, unsigned count,
	const uint8_t *origin, uint8_t *rdata, struct rdata_error *error)
{
	struct rdata_reader r = { .token = tokens, .end = tokens + count, .origin = origin,
		.out = cursor_over(rdata, RDATA_MAX), .error = error };

	return rdata_finish(&r, rdata_read_by_ldns(&r, type));
}
