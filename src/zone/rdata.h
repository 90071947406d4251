/*
 * Rdata between presentation form and wire form.
 *
 * The common types are read by a table of fields, without a heap allocation;
 * the others, and all printing, by ldns. Octets come out the same either way
 * (a test compares), and as they were written: letter case is kept.
 */
#ifndef ZONE_RDATA_H
#define ZONE_RDATA_H

#include <stddef.h>
#include <stdint.h>

#include "zone/scan.h"

#define RDATA_MAX 65535

struct rdata_error {
	const struct scan_token *token;  /* the wrong one; NULL: something is missing at the end */
	char message[400];
};

/* Tokens behind the type to rdata of RDATA_MAX octets. origin completes
 * relative names (wire). Also reads the RFC 3597 form, for every type.
 * Returns the size, or -1. */
int rdata_from_tokens(uint16_t type, const struct scan_token *tokens, unsigned count, const uint8_t *origin,
	uint8_t *rdata, struct rdata_error *);
/* As above, but by ldns alone (for the test that compares). */
int rdata_from_tokens_by_ldns(uint16_t type, const struct scan_token *tokens, unsigned count,
	const uint8_t *origin, uint8_t *rdata, struct rdata_error *);
/* Can records of this type stand in a zone? Not 0, OPT, and what is for
 * questions only (RFC 6895 3.1: 128 to 255). */
bool rdata_type_is_data(uint16_t type);
/* A TTL with or without units ("1h30m"), up to 2^31-1 (RFC 2181 8). */
bool rdata_ttl_from_text(const char *text, size_t size, uint32_t *ttl);

#endif
