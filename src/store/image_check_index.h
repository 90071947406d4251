/*
 * The check's side of an image's indexes. What they must hold follows from the
 * nodes: of the directory a sum over all slots, of the order a running hash,
 * both keyed at random, so that nobody can make two that agree.
 */
#ifndef STORE_IMAGE_CHECK_INDEX_H
#define STORE_IMAGE_CHECK_INDEX_H

#include "store/image_format.h"

struct index_check;
/* header: borrowed. NULL: ERR_NOMEM, ERR_SYSTEM. Memory: two octets a home line. */
struct index_check *index_check_new(const struct image_header *, struct err *);
void index_check_free(struct index_check *);

/* All nodes, in canonical order. */
int index_check_name(struct index_check *, uint64_t hash, const uint8_t *owner, size_t size, uint32_t place, struct err *);
void index_check_nsec3(struct index_check *, const uint8_t *owner, size_t size, uint32_t place);
/* Then the directory's lines, as many as there are; then the order, of names
 * and of NSEC3 nodes. */
int index_check_lines(struct index_check *, const uint8_t *p, size_t size, struct err *);
void index_check_order(struct index_check *, enum stream_kind, const uint8_t *p, size_t entries);
/* The same of a chunk of the order, which has the size that it must have. */
int index_check_order_chunk(struct index_check *, uint32_t number, const uint8_t *p, size_t size, struct err *);
/* ERR_CORRUPT: they do not lead to the nodes. */
int index_check_done(struct index_check *, struct err *);

/* For all of the check. Always -1. */
int image_corrupt(struct err *, const char *what);
static inline bool all_zero(const uint8_t *p, size_t size)
{
	while (size--)
		if (*p++)
			return false;
	return true;
}

#endif
