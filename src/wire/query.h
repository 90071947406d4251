/*
 * A query as it came from a stranger, taken apart (RFC 1035 4.1).
 */
#ifndef WIRE_QUERY_H
#define WIRE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/edns.h"
#include "wire/name.h"
#include "wire/tsig.h"

#define DNS_HEADER_SIZE 12
#define DNS_FLAG_QR 0x8000
#define DNS_FLAG_AA 0x0400
#define DNS_FLAG_TC 0x0200
#define DNS_FLAG_RD 0x0100

enum query_verdict {
	QUERY_DROP,             /* no reply: too short for a header, or a response */
	QUERY_REPLY,            /* reply with rcode and nothing else */
	QUERY_COOKIE,           /* no question, but for a cookie (RFC 7873 5.4) */
	QUERY_FIND,             /* an ordinary question: look it up */
};

struct query {
	uint16_t id, flags;             /* flags: as they came */
	uint8_t opcode;
	uint16_t rcode;                 /* with QUERY_REPLY */
	uint16_t type, rrclass;
	uint16_t question_size;         /* octets behind the header that a reply repeats; 0: none */
	struct edns edns;
	struct tsig tsig;
	struct name name;
};

/* Decides by answer/BEHAVIOUR.md. tcp: AXFR is a question there. Nothing but
 * query is written; its name only where question_size is not 0. It points
 * into the message. */
enum query_verdict query_parse(struct query *query, const uint8_t *message, size_t size, bool tcp, uint64_t hash_key);

#endif
