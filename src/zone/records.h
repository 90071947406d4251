/* The records of a view, one by one, uncompressed. */
#ifndef ZONE_RECORDS_H
#define ZONE_RECORDS_H

#include "store/image.h"

struct record_at {
	const uint8_t *owner; size_t owner_size;  /* full name */
	uint16_t type, covers;                    /* covers: of an RRSIG */
	uint32_t ttl;
	const uint8_t *rdata; uint16_t size;      /* valid until the next record */
};

/* Every RRset of the node, each followed by its signatures. scratch: of
 * RECORD_SCRATCH octets. each returns nonzero to stop. ERR_CORRUPT where the
 * node cannot be read. Returns 0, -1 (err set), or what each returned. */
int records_of_node(const struct view *, struct found, uint8_t *scratch,
	int (*each)(void *arg, const struct record_at *), void *arg, struct err *);
/* The node's RRset of a type. */
bool found_rrset(struct found, uint16_t type, struct rrset *);
/* A name of the view by its relative name, in any case. */
struct found view_find_relative(const struct view *, const uint8_t *relative, size_t size);
/* Is the SOA signed, or the zone digested (ZONEMD)? Then the served serial
 * cannot be put in. */
bool view_serial_fixed(const struct view *);
bool view_soa_serial(const struct view *, uint32_t *serial);

#endif
