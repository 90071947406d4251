/*
 * Any octets as a query: a first octet that says over what it came, then the
 * message. ldns is asked, too.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <ldns/ldns.h>

#include "wire/query.h"
#include "wire/rrtype.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY 0x5ca1ab1eu

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* The name against one made anew, label by label. */
static void check_name(const struct query *q, const uint8_t *wire)
{
	const struct name *n = &q->name;
	uint64_t hash = KEY;

	must(n->size == name_length(wire, NAME_MAX_SIZE) && q->question_size == n->size + 4, "the name's size");
	must(n->labels == name_count_labels(wire), "the name's labels");
	must(name_equal(n->lower, wire, n->size), "the name in lower case");
	for (unsigned i = n->labels; i--; ) {
		must(n->at[i] + n->lower[n->at[i]] + 1u == n->at[i + 1], "where a label begins");
		hash = name_hash_label(hash, n->lower + n->at[i]);
		must(n->hash[i] == hash, "the hash of a suffix");
	}
}

static void check_with_ldns(const struct query *q, const uint8_t *message, size_t size)
{
	const ldns_rr *question;
	ldns_pkt *p;

	/* ldns reads the rdata of all records, we pass over them */
	if (ldns_wire2pkt(&p, message, size) != LDNS_STATUS_OK) {
		must(message[7] || message[9] || message[11] || message[6] || message[8] || message[10],
			"ldns cannot read a plain question that we can");
		return;
	}
	question = ldns_rr_list_rr(ldns_pkt_question(p), 0);
	must(question && ldns_rr_get_type(question) == q->type && ldns_rr_get_class(question) == q->rrclass, "type and class");
	must(ldns_rdf_size(ldns_rr_owner(question)) == q->name.size &&
		name_equal(ldns_rdf_data(ldns_rr_owner(question)), q->name.lower, q->name.size), "the name, says ldns");
	if (q->edns.present && ldns_pkt_edns(p)) {
		must(ldns_pkt_edns_do(p) == q->edns.dnssec_ok, "DO");
		must(ldns_pkt_edns_version(p) == q->edns.version, "EDNS version");
	}
	ldns_pkt_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct query q, again;
	enum query_verdict verdict;
	const uint8_t *message;
	bool tcp;

	if (!size)
		return 0;
	tcp = data[0] & 1;
	message = data + 1;
	size--;
	verdict = query_parse(&q, message, size, tcp, KEY);
	must((verdict == QUERY_DROP) == (size < DNS_HEADER_SIZE || (message[2] & 0x80)), "what is dropped");
	if (verdict == QUERY_DROP)
		return 0;
	must(q.rcode < 24 && (q.rcode != RCODE_NOERROR) == (verdict == QUERY_REPLY), "the rcode");
	must(q.question_size <= size - DNS_HEADER_SIZE, "the question's size");
	must(q.edns.payload >= EDNS_PAYLOAD_MIN, "the payload");
	if (q.question_size)
		check_name(&q, message + DNS_HEADER_SIZE);
	if (verdict == QUERY_FIND)
		check_with_ldns(&q, message, size);
	must(query_parse(&again, message, size, tcp, KEY) == verdict && again.rcode == q.rcode &&
		again.question_size == q.question_size, "the same again");
	return 0;
}
