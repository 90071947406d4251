/*
 * Who may ask a zone: its property "query", a list of prefixes, "any" (as
 * without it) or "none". Read once where a zone comes into the reader's table
 * (struct snapshot_keep), and kept there.
 */
#ifndef ANSWER_ACCESS_H
#define ANSWER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ACCESS_PROPERTY "query"
#define ACCESS_PREFIXES_MAX 100

/* Is this a value that the property may have? ERR_BAD_REQUEST. */
int access_check(const char *value, struct err *);
/* Of a zone's properties: *kept is malloc'd, of *octets; NULL: anybody may. A
 * snapshot_keep. -1: the property is there and cannot be read. */
int access_keep(const char *properties, void **kept, size_t *octets, struct err *);
/* kept: as access_keep made it. client: an address of 4 or 16 octets. */
bool access_allows(const void *kept, const uint8_t *client, size_t size);

#endif
