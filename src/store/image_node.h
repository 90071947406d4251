/*
 * Making nodes: RRsets as they go into responses, and what holds them
 * together. The builder makes nodes with it, and the check makes each node
 * anew to see that what is stored is just that.
 */
#ifndef STORE_IMAGE_NODE_H
#define STORE_IMAGE_NODE_H

#include "store/image_format.h"

#define BLOB_MAX (CHUNK_SIZE - DATA_HEADER_SIZE)
#define RRSET_MAX_RECORDS 5462          /* of 12 octets at least in 65535 */
/* The least that an RRset takes is an entry and a plain record. */
#define NODE_SETS_MAX ((BLOB_MAX - NODE_HEADER_SIZE) / (NODE_ENTRY_SIZE + RR_FIXED_SIZE))

struct node_set {               /* an RRset that goes into a node */
	struct rrset rrset;
	size_t at;              /* in the encoder's buffer, until encoder_sets; ENCODER_ELSEWHERE: not there */
	bool far;
};
#define ENCODER_ELSEWHERE SIZE_MAX

/* The RRsets of one owner, encoded, in memory that grows. Begin with zeroes
 * but for the apex (lower case). */
struct encoder {
	uint8_t apex[NAME_MAX_SIZE];
	uint8_t apex_size;
	uint8_t *buf;
	size_t used, size;
	struct node_set *sets;
	size_t space;
	unsigned count;
	uint16_t patch[65536 / 4], target[65536 / 4];
};
void encoder_free(struct encoder *);
/* For the next owner. */
void encoder_begin(struct encoder *);
/* One RRset more; returns it, valid until the next call, its pointers not yet
 * set. NULL: ERR_PARSE where rdata is malformed for its type, ERR_LIMIT where
 * it fits into no message, ERR_NOMEM, ERR_INTERNAL. */
struct node_set *encoder_add(struct encoder *, const struct build_rrset *, struct err *);
/* One that is encoded already; its octets are borrowed. NULL: ERR_NOMEM. */
struct node_set *encoder_add_stored(struct encoder *, const struct rrset *, struct err *);
/* All of them, whole, valid until the next owner. */
struct node_set *encoder_sets(struct encoder *);

/* What a node tells by itself, of the RRset types it has. */
uint16_t node_own_flags(const uint8_t *owner, size_t size, bool occluded, const struct node_set *, unsigned count);

struct node_draft {
	const uint8_t *owner;
	size_t owner_size;
	unsigned labels;
	uint16_t flags;
	struct node_set *sets;          /* types rising */
	unsigned count;
	/* node_fit's: */
	size_t size;                    /* octets of the node */
	unsigned far;                   /* RRsets that lie far */
};
/* Sends the largest RRsets far until the rest fits into a chunk. ERR_LIMIT:
 * more than FAR_MAX would have to go. */
int node_fit(struct node_draft *, struct err *);
/* Writes the node, draft->size octets; far_chunk: the first of the chunks that
 * hold what lies far. */
void node_encode(uint8_t *n, const struct node_draft *, uint32_t far_chunk);

#endif
