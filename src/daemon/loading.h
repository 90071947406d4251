/* A text into the loader's image file: shared by loader_import.c (one set)
 * and loader_portfolio.c (many). */
#ifndef DAEMON_LOADING_H
#define DAEMON_LOADING_H

#include "daemon/loader.h"

struct loading {
	struct loader *loader;
	const uint8_t *apex; size_t apex_size;
	int fd; const char *name;       /* the text; its name for messages */
	uint64_t offset;                /* in the image file: multiple of 8 */
	bool many;                      /* one of many: no progress of its own */
	unsigned warnings_max, errors_max;      /* so many are told yet */
	/* What came of it: */
	char rule[256];                 /* the first rule broken; "" */
	struct load_result result;
};
/* Is what the request says of all its texts right? ERR_BAD_REQUEST. */
int loading_check(const json_t *request, struct err *);
/* 0: an image is there (see result.failed), -1: nothing is; the problems
 * were told. */
int loading_run(struct loading *, struct err *);
/* What the writer is told of the image; NULL: no memory. */
json_t *loading_meta(const struct loading *);

#endif
