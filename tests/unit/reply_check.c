#include "reply_check.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/rrtype.h"

#define HEADER 12

/* ---- octets --------------------------------------------------------------------- */

/* A name at *at: labels and pointers backwards only, at most 255 octets when
 * spelled out. Moves *at behind it. */
static const char *walk_name(const uint8_t *m, size_t size, size_t *at)
{
	size_t place = *at, limit = *at, spelled = 1;
	bool jumped = false;

	for (;;) {
		if (place >= size)
			return "a name runs out of the message";
		if (m[place] >= 0xc0) {
			size_t target;

			if (place + 2 > size)
				return "half a pointer";
			target = load_be16(m + place) & 0x3fff;
			if (target >= limit || target < HEADER)
				return "a pointer that does not point backwards";
			if (!jumped)
				*at = place + 2;
			jumped = true;
			limit = place = target;
			continue;
		}
		if (m[place] > 63)
			return "an unknown kind of label";
		if (!m[place])
			break;
		spelled += m[place] + 1u;
		if (spelled > 255)
			return "a name of more than 255 octets";
		place += m[place] + 1u;
	}
	if (!jumped)
		*at = place + 1;
	return NULL;
}

static const char *walk_message(const uint8_t *m, size_t size)
{
	size_t at = HEADER;
	unsigned records = (unsigned)load_be16(m + 6) + load_be16(m + 8) + load_be16(m + 10);
	const char *bad;

	for (unsigned i = 0; i < load_be16(m + 4); i++) {
		if ((bad = walk_name(m, size, &at)))
			return bad;
		at += 4;
	}
	for (unsigned i = 0; i < records; i++) {
		if ((bad = walk_name(m, size, &at)))
			return bad;
		if (at + 10 > size)
			return "the counts are too high";
		at += 10u + load_be16(m + at + 8);
	}
	return at == size ? NULL : at < size ? "octets behind the last record" : "a record runs out of the message";
}

/* The payload that the query's OPT allows; 0: it has none that can be read. */
static unsigned query_payload(const uint8_t *q, size_t size)
{
	size_t at = HEADER;
	unsigned records = (unsigned)load_be16(q + 6) + load_be16(q + 8) + load_be16(q + 10);

	for (unsigned i = 0; i < load_be16(q + 4); i++) {
		while (at < size && q[at] && q[at] < 64)
			at += q[at] + 1u;
		at += 5;
	}
	for (unsigned i = 0; i < records; i++) {
		bool root = at < size && !q[at];

		while (at < size && q[at] && q[at] < 64)
			at += q[at] + 1u;
		at += at < size && q[at] >= 0xc0 ? 2 : 1;
		if (at + 10 > size)
			return 0;
		if (root && load_be16(q + at) == TYPE_OPT && i >= records - load_be16(q + 10))
			return load_be16(q + at + 2);
		at += 10u + load_be16(q + at + 8);
	}
	return 0;
}

static const char *check_header(const struct answer_job *job, uint16_t payload_max)
{
	const uint8_t *q = job->query, *r = job->reply;
	unsigned payload = query_payload(q, job->query_size), most = 512;

	if (job->query_size < HEADER || q[2] & 0x80)
		return "a reply to no query";
	if (job->reply_size < HEADER)
		return "less than a header";
	if (payload > most)
		most = payload < payload_max ? payload : payload_max;
	if (job->reply_size > (job->tcp ? 65535 : most))
		return "larger than the client allows";
	if (memcmp(q, r, 2) != 0)
		return "another id";
	if ((r[2] & 0xf9) != (0x80 | (q[2] & 0x79)))
		return "QR, opcode or RD";
	if (r[3] & 0xf0)
		return "RA, Z, AD or CD";
	if (load_be16(r + 4) > 1)
		return "more than one question";
	return NULL;
}

/* ---- records, as ldns reads them ---------------------------------------------------- */

static bool at_or_below(const ldns_rdf *name, const struct view *v)
{
	return name_is_at_or_below(ldns_rdf_data(name), ldns_rdf_size(name), v->apex, v->apex_size);
}

static const char *check_owners(const ldns_rr_list *list, const struct view *v)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
		if (!at_or_below(ldns_rr_owner(ldns_rr_list_rr(list, i)), v))
			return "a name outside its zone";
	return NULL;
}

static const char *check_twice(const ldns_pkt *p)
{
	ldns_rr_list *all = ldns_pkt_all_noquestion(p);
	const char *bad = NULL;

	/* long answers: every record against some of those behind it */
	for (size_t i = 0; i < ldns_rr_list_rr_count(all) && !bad; i++)
		for (size_t k = i + 1; k < ldns_rr_list_rr_count(all) && k < i + 200 && !bad; k++)
			if (ldns_rr_compare(ldns_rr_list_rr(all, i), ldns_rr_list_rr(all, k)) == 0)
				bad = "a record twice";
	ldns_rr_list_deep_free(all);
	return bad;
}

static const char *check_records(const struct answer_job *job, struct test_store *store, const ldns_pkt *p)
{
	const ldns_rr_list *sections[] = { ldns_pkt_answer(p), ldns_pkt_authority(p), ldns_pkt_additional(p) };
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(p), 0);
	const struct zone_view *zone;
	struct name name;
	bool prepared;
	const char *bad;

	if (!question || ldns_rr_get_class(question) != LDNS_RR_CLASS_IN) {
		if (ldns_rr_list_rr_count(sections[0]) > 1 || ldns_rr_list_rr_count(sections[1]) || ldns_rr_list_rr_count(sections[2]))
			return "records without a question, or of another class";
		return NULL;
	}
	if (!name_parse(&name, job->query + HEADER, job->query_size - HEADER, TEST_HASH_KEY))
		return "a question that was not asked";
	zone = test_store_find(store, &name, ldns_rr_get_type(question) == LDNS_RR_TYPE_DS, &prepared);
	for (unsigned i = 0; i < 3; i++) {
		if (ldns_rr_list_rr_count(sections[i]) && !zone)
			return "records from nowhere";
		if (zone && (bad = check_owners(sections[i], &zone->view)))
			return bad;
	}
	return check_twice(p);
}

const char *reply_check(const struct answer_job *job, struct test_store *store, uint16_t payload_max, ldns_pkt **packet)
{
	const char *bad;

	*packet = NULL;
	if (!job->reply_size)
		return job->query_size >= HEADER && !(job->query[2] & 0x80) ? "no reply to a query" : NULL;
	bad = check_header(job, payload_max);
	if (!bad)
		bad = walk_message(job->reply, job->reply_size);
	if (bad)
		return bad;
	if (ldns_wire2pkt(packet, job->reply, job->reply_size) != LDNS_STATUS_OK)
		return "ldns cannot read it";
	return check_records(job, store, *packet);
}
