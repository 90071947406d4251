/*
 * The builder's side of an image's indexes, directory and order: what is
 * remembered of each node, the only memory that grows with the zone (13 octets
 * a name and 16 an NSEC3 node, and 4 octets a home line at the end), and how
 * it is laid out.
 */
#ifndef STORE_IMAGE_INDEX_H
#define STORE_IMAGE_INDEX_H

#include "store/image_format.h"

struct index_array {
	void *items;
	size_t count, size;
};
struct image_index {                    /* begin with zeroes */
	struct index_array names, order, nsec3;
	uint32_t homes, *run_end;       /* by home: the slot behind its run */
};

/* Nodes come in canonical order. ERR_NOMEM. */
int image_index_name(struct image_index *, uint64_t hash, const uint8_t *owner, size_t size, uint32_t place, struct err *);
int image_index_nsec3(struct image_index *, const uint8_t *owner, size_t size, uint32_t place, struct err *);
/* All are told: lays the directory out, *lines long. ERR_NOMEM, ERR_LIMIT. */
int image_index_close(struct image_index *, uint32_t *lines, struct err *);
/* Octets of the order in a packed image. */
size_t image_index_order_size(const struct image_index *);
/* Written once, where zeroes are. p: of the first line, or entry, in a packed
 * image; chunked: of the first chunk of the part, as in an image file. */
void image_index_put_directory(struct image_index *, uint8_t *p, bool chunked);
void image_index_put_order(const struct image_index *, uint8_t *p, bool chunked);
void image_index_free(struct image_index *);

#endif
