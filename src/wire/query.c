#include "wire/query.h"

#include "base/bytes.h"
#include "wire/rrtype.h"

/* A name in the records behind the question is of no interest: it may be
 * compressed, it has to end. Returns false where it does not. */
static bool skip_name(struct cursor *c)
{
	for (;;) {
		uint8_t length = cursor_get_u8(c);

		if (c->failed || (length > 63 && length < 0xc0))
			return false;
		if (length >= 0xc0)
			return cursor_take(c, 1);
		if (!length)
			return true;
		cursor_take(c, length);
	}
}

static bool skip_records(struct cursor *c, unsigned count)
{
	/* Every record takes octets, so that a count that lies ends soon. */
	while (count--) {
		if (!skip_name(c))
			return false;
		cursor_take(c, 8);
		cursor_take(c, cursor_get_be16(c));
		if (c->failed)
			return false;
	}
	return true;
}

struct record { const uint8_t *owner, *rdata; size_t owner_size; uint16_t type, rrclass, size; uint32_t ttl; };

static bool read_record(struct cursor *c, struct record *r)
{
	r->owner = c->base + c->at;
	if (!skip_name(c))
		return false;
	r->owner_size = (size_t)(c->base + c->at - r->owner);
	r->type = cursor_get_be16(c);
	r->rrclass = cursor_get_be16(c);
	r->ttl = cursor_get_be32(c);
	r->size = cursor_get_be16(c);
	r->rdata = cursor_take(c, r->size);
	return r->rdata;
}

/* The additional section: OPT and TSIG are looked for, the rest is passed over. */
static bool read_additional(struct query *q, struct cursor *c, unsigned count)
{
	while (count--) {
		struct record r;

		if (!read_record(c, &r))
			return false;
		if (r.type == TYPE_OPT) {
			/* RFC 6891 6.1.1: one, and its owner is the root. */
			if (q->edns.present || r.owner_size != 1)
				return false;
			if (!edns_parse(&q->edns, r.rrclass, r.ttl, r.rdata, r.size))
				return false;
		} else if (r.type == TYPE_TSIG) {
			/* RFC 8945 5.2: one, and the last of all. */
			if (count || !tsig_parse(&q->tsig, r.owner, r.owner_size, r.rrclass, r.ttl, r.rdata, r.size))
				return false;
		}
	}
	return true;
}

static bool read_question(struct query *q, struct cursor *c, uint64_t hash_key)
{
	size_t size = name_parse(&q->name, c->base + c->at, c->size - c->at, hash_key);

	if (!size)
		return false;
	cursor_take(c, size);
	q->type = cursor_get_be16(c);
	q->rrclass = cursor_get_be16(c);
	if (c->failed)
		return false;
	q->question_size = (uint16_t)(size + 4);
	return true;
}

static bool read_body(struct query *q, struct cursor *c, uint64_t hash_key)
{
	const uint8_t *counts = c->base + 4;
	uint16_t questions = load_be16(counts);

	if (questions == 1) {
		if (!read_question(q, c, hash_key))
			return false;
	} else if (questions) {
		return false;
	}
	return skip_records(c, load_be16(counts + 2)) && skip_records(c, load_be16(counts + 4)) &&
		read_additional(q, c, load_be16(counts + 6)) && !cursor_left(c);
}

static enum query_verdict reply(struct query *q, uint16_t rcode)
{
	q->rcode = rcode;
	return QUERY_REPLY;
}

static enum query_verdict malformed(struct query *q)
{
	q->question_size = 0;
	q->tsig.present = false;
	return reply(q, RCODE_FORMERR);
}

static enum query_verdict judge_type(struct query *q, bool tcp)
{
	switch (q->type) {
	case TYPE_OPT:
	case TYPE_TSIG:
		return reply(q, RCODE_FORMERR);
	case TYPE_TKEY:
		return reply(q, RCODE_NOTIMP);
	case TYPE_AXFR:
		return tcp ? QUERY_FIND : reply(q, RCODE_NOTIMP);
	default:
		return QUERY_FIND;
	}
}

static enum query_verdict judge(struct query *q, bool tcp)
{
	if (!q->question_size && (q->opcode != OPCODE_QUERY || !q->edns.cookie_size))
		return malformed(q);
	if (q->edns.version)
		return reply(q, RCODE_BADVERS);
	if (q->tsig.present)
		return reply(q, RCODE_NOTAUTH); /* we have no keys */
	if (!q->question_size)
		return QUERY_COOKIE;
	if (q->opcode != OPCODE_QUERY)
		return reply(q, RCODE_REFUSED);
	return judge_type(q, tcp);
}

enum query_verdict query_parse(struct query *q, const uint8_t *message, size_t size, bool tcp, uint64_t hash_key)
{
	struct cursor c = cursor_over(message, size);
	bool whole;

	if (size < DNS_HEADER_SIZE || (message[2] & 0x80))
		return QUERY_DROP;
	q->id = load_be16(message);
	q->flags = load_be16(message + 2);
	q->opcode = message[2] >> 3 & 15;
	q->rcode = RCODE_NOERROR;
	q->question_size = 0;
	q->edns = (struct edns){ .present = false, .payload = EDNS_PAYLOAD_MIN };
	q->tsig = (struct tsig){ .present = false };
	cursor_take(&c, DNS_HEADER_SIZE);
	whole = read_body(q, &c, hash_key);
	if (q->opcode != OPCODE_QUERY && q->opcode != OPCODE_NOTIFY && q->opcode != OPCODE_UPDATE) {
		/* The form of an unknown opcode is unknown, too: not ours to judge. */
		if (!whole)
			q->question_size = 0;
		return reply(q, RCODE_NOTIMP);
	}
	return whole ? judge(q, tcp) : malformed(q);
}
