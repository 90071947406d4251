/* Is the zone what its ZONEMD says (RFC 8976 4)? */
#ifndef ZONE_ZONEMD_H
#define ZONE_ZONEMD_H

#include "zone/check.h"

struct zonemd;
/* file_name: of a place. apex is borrowed. NULL: no memory. */
struct zonemd *zonemd_new(struct reporter *, const uint8_t *apex, size_t apex_size,
	const char *(*file_name)(void *, unsigned file), void *arg);
void zonemd_free(struct zonemd *);
/* Every owner in canonical order, the apex first, NSEC3's in their place; of a
 * zone without ZONEMD that costs nothing. -1: no memory. */
int zonemd_node(struct zonemd *, const struct zone_node *);
/* Tells what was found. */
void zonemd_finish(struct zonemd *);

#endif
