/*
 * Transaction signatures (RFC 8945): so far only what a server without keys
 * has to say to one.
 */
#ifndef WIRE_TSIG_H
#define WIRE_TSIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TSIG_ERROR_BADKEY = 17 };

/* The TSIG record of a query; pointers into the message. */
struct tsig {
	bool present;
	const uint8_t *key; uint8_t key_size;           /* the key's name */
	const uint8_t *algorithm; uint8_t algorithm_size;
	const uint8_t *time_fudge;                      /* time signed and fudge, as they came */
	uint16_t original_id;
};

/* From a record's owner (uncompressed), class, TTL and rdata. False: malformed. */
bool tsig_parse(struct tsig *tsig, const uint8_t *owner, size_t owner_size, uint16_t rrclass, uint32_t ttl,
	const uint8_t *rdata, size_t size);
/* The unsigned record that says why a signature was not taken (RFC 8945 5.3.2). */
size_t tsig_error_size(const struct tsig *tsig);
/* Writes exactly tsig_error_size() octets at p. */
void tsig_error_write(uint8_t *p, const struct tsig *tsig, uint16_t error);

#endif
