/* Words of the command line → one line of zone text. */
#ifndef TOOL_RDATA_H
#define TOOL_RDATA_H

#include <stddef.h>

#include "base/err.h"

/* "add NAME [TTL] TYPE RDATA…" from the words behind ZONE[@SET]. The shell
 * took the quotes away: they are put back where zone text needs them. Names may
 * have U-labels. malloc'd; NULL with err. */
char *rdata_line(const char *kind, const char *const *word, size_t count, struct err *err);

#endif
