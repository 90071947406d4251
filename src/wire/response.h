/*
 * A response, written straight into the reply buffer.
 *
 * RRsets lie in the store as they go out (store/node.h), so that composing is
 * copying: owners become pointers to where the name already stands, and names
 * in rdata that end in the zone's apex get a pointer to it, the only
 * compression that a search is not needed for. The apex is a suffix of the
 * question's name. RRsets go in whole or not at all.
 */
#ifndef WIRE_RESPONSE_H
#define WIRE_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/edns.h"
#include "wire/query.h"

#define RESPONSE_POINTER_MAX 0x3fff

enum response_section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL, SECTION_COUNT };

struct response {
	uint8_t *base;
	uint32_t size;                  /* written so far */
	uint32_t limit;                 /* for records: the place of OPT is kept free */
	uint16_t apex_at;               /* where the apex stands in the question */
	uint16_t flags;                 /* but the rcode */
	uint16_t rcode;                 /* 12 bits */
	uint16_t count[SECTION_COUNT];
	uint16_t question_size;
	bool has_edns;
	struct edns_reply edns;
	const struct tsig *refused;     /* a signature that was not taken: said behind OPT; NULL: none */
};

/* Where an owner name stands. */
struct response_owner {
	uint16_t at;                    /* in the message; 0: nowhere a pointer could reach */
	const uint8_t *labels;          /* then: its labels above the apex … */
	uint8_t size;                   /* … of so many octets */
};

/* RRs as they lie in the store: count whole RRs, each with an owner of two
 * octets, and the places in them that point to the apex. */
struct response_rrs {
	const uint8_t *wire;
	uint32_t size;
	uint16_t count;
	const uint8_t *patch;           /* u16, little-endian */
	uint16_t patches;
};

/* Begins with header and question. capacity: of reply, at least 512 octets;
 * limit: the largest message that may be sent. edns: NULL for none; its
 * options must be decided by now, but extended_error may be set until the end
 * where the room allows. The caller sees to it that the header, the question
 * and OPT fit. */
void response_begin(struct response *, uint8_t *reply, uint32_t limit, const struct query *, const uint8_t *question,
	const struct edns_reply *edns);
/* Back to the header and the question. */
void response_rewind(struct response *);
/* Octets that the RRs would take, were they the next. */
uint32_t response_rrs_size(const struct response *, const struct response_rrs *, const struct response_owner *);
/* Appends the RRs; false, and nothing is written, where they do not fit.
 * Sets *first to the place of the first RR's rdata. */
bool response_add(struct response *, enum response_section, const struct response_rrs *, const struct response_owner *,
	uint32_t *first);
/* Appends one RR made of parts: its rdata is labels, then a pointer to the
 * apex where in_zone, else labels are the whole name. (For a CNAME made from
 * a DNAME, RFC 6672 3.1.) */
bool response_add_cname(struct response *, const struct response_owner *, uint32_t ttl, const uint8_t *labels,
	size_t size, bool in_zone, uint32_t *rdata_at);
/* Appends one RR with rdata as given, owner: the question's name. */
bool response_add_rdata(struct response *, enum response_section, uint16_t type, uint16_t rrclass, uint32_t ttl,
	const uint8_t *rdata, uint16_t size);
/* Lowers the TTL of every RR between two places of the message. */
void response_cap_ttl(struct response *, uint32_t from, uint32_t to, uint32_t ttl);
/* Header and OPT; returns the size of the message. */
uint32_t response_finish(struct response *);

#endif
