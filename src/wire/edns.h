/*
 * EDNS(0) (RFC 6891): the OPT record of a query, and that of a reply.
 */
#ifndef WIRE_EDNS_H
#define WIRE_EDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTION_NSID = 3, OPTION_COOKIE = 10, OPTION_TCP_KEEPALIVE = 11, OPTION_EXTENDED_ERROR = 15,
       OPTION_ZONEVERSION = 19 };
enum { EXTENDED_ERROR_NONE = 0xffff, EXTENDED_ERROR_NOT_READY = 14, EXTENDED_ERROR_PROHIBITED = 18,
       EXTENDED_ERROR_NOT_AUTHORITATIVE = 20, EXTENDED_ERROR_NOT_SUPPORTED = 21,
       EXTENDED_ERROR_INVALID_DATA = 24 };      /* RFC 8914 */

#define EDNS_RECORD_SIZE 11     /* OPT without options */
#define EDNS_PAYLOAD_MIN 512

/* What a query's OPT says. */
struct edns {
	bool present;
	bool dnssec_ok;
	bool nsid;              /* asked for (RFC 5001) */
	bool keepalive;         /* asked for (RFC 7828) */
	bool zone_version;      /* asked for (RFC 9660) */
	uint8_t version;
	uint16_t payload;       /* of UDP, octets; at least 512 */
	const uint8_t *cookie;  /* in the message: the client's, then perhaps the server's (RFC 7873) */
	uint8_t cookie_size;    /* 0: none */
};

/* From the fixed fields of an OPT record (class, TTL) and its options.
 * Returns false where an option is malformed; what was read before that is
 * filled in, so that the FORMERR can carry an OPT. */
bool edns_parse(struct edns *edns, uint16_t rrclass, uint32_t ttl, const uint8_t *options, size_t size);

/* What a reply's OPT says. */
struct edns_reply {
	uint16_t payload;               /* ours */
	uint16_t rcode;                 /* its upper eight bits go in here */
	bool dnssec_ok;
	const uint8_t *nsid; uint16_t nsid_size;   /* NULL: none */
	bool keepalive; uint16_t keepalive_100ms;
	const uint8_t *cookie;          /* COOKIE_SIZE octets (cookie.h); NULL: none */
	bool zone_version; uint8_t zone_labels; uint32_t zone_serial;
	uint16_t extended_error;        /* EXTENDED_ERROR_NONE: none */
};

/* Octets that edns_write will take. */
size_t edns_size(const struct edns_reply *reply);
/* Writes exactly edns_size() octets at p. */
void edns_write(uint8_t *p, const struct edns_reply *reply);

#endif
