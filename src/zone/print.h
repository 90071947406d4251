/* Presentation form out of views; the rest of its contract is in load.h. */
#ifndef ZONE_PRINT_H
#define ZONE_PRINT_H

#include "zone/load.h"

/* For many records in a row: one printer. */
struct printer;
struct printer *printer_new(void);
void printer_free(struct printer *);
/* One RR in presentation form, without newline; *size octets, not terminated,
 * valid until the next call. NULL: no memory. */
const char *printer_text(struct printer *, const uint8_t *owner, size_t owner_size, uint16_t type, uint32_t ttl,
	const uint8_t *rdata, size_t rdata_size, size_t *size);

#endif
