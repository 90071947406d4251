/*
 * Images: one version of a zone's records, position-independent, read-only.
 * Layout in FORMAT.md; nodes in node.h.
 *
 * An image is three parts, each a run of chunks of at most CHUNK_SIZE octets:
 * data (nodes), directory (hash slots), order (canonical index). A chunk is
 * one LMDB value; an image whose whole content fits in one chunk is *packed*:
 * one value. A place is an offset in the data space in 8-byte units, where
 * chunk n begins at n × 65536 octets.
 */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/node.h"
#include "wire/name.h"

#define CHUNK_SIZE   65520   /* with LMDB's page header: 16 pages */
#define CHUNK_STRIDE 65536
#define IMAGE_DELTA_MAX 32   /* images that one edition may be read from */

enum image_part { PART_HEADER, PART_DATA, PART_DIRECTORY, PART_ORDER, PART_COUNT };

struct image_header {           /* decoded */
	uint32_t format;
	bool delta;             /* holds only the changed nodes of an edition; may hold NODE_GONE */
	uint8_t apex_size;
	uint8_t apex[NAME_MAX_SIZE]; /* lower case */
	uint64_t hash_key;
	uint32_t chunks[PART_COUNT]; /* chunk count by part (all 0 if packed) */
	uint64_t data_end;      /* octets of data space */
	uint32_t nodes, nsec3_nodes, directory_lines; /* nodes: with empty non-terminals, without NSEC3 nodes */
	uint64_t rrsets, records; /* records: with the RRSIGs */
	uint64_t content[8];    /* additive content hash, see content_hash.h */
};

/* ---- reading ------------------------------------------------------------ */

/* Where chunks come from: LMDB in the daemon, a mapped file in a loader and
 * in tests. Returns the chunk (chunk 0 of PART_HEADER is the header, or the
 * whole packed image) or NULL. stable: the pointer holds as long as the image
 * exists, else only until the source's epoch changes. */
struct chunk_source {
	const uint8_t *(*chunk)(struct chunk_source *, uint64_t image, enum image_part, uint32_t number,
		size_t *size, bool *stable);
	uint64_t epoch;         /* raised whenever unstable pointers become invalid */
};

struct image;                   /* an open image; caches chunk pointers */

/* Returns NULL with err set (ERR_CORRUPT, ERR_NOMEM). */
struct image *image_open(struct chunk_source *, uint64_t id, struct err *);
void image_close(struct image *);
uint64_t image_id(const struct image *);
/* An open image keeps little of its header (a worker has a hundred thousand of
 * them open): the rest is read anew. ERR_CORRUPT when it cannot be had. */
int image_read_header(struct image *, struct image_header *, struct err *);
const uint8_t *image_apex(const struct image *, size_t *size);  /* valid as long as the image is open */
uint64_t image_hash_key(const struct image *);
bool image_is_delta(const struct image *);
uint32_t image_nsec3_nodes(const struct image *);
size_t image_memory(const struct image *);  /* private octets of the object */

/* Exact lookup of a relative name (lower case) by its full name's hash.
 * Returns the node or NULL. */
const uint8_t *image_find(struct image *, uint64_t hash, const uint8_t *relative, size_t size);
/* The same in steps, for a batch: bring in the directory line; then find the
 * tag in it and bring in the node. Both are hints. */
void image_prefetch_directory(struct image *, uint64_t hash);
void image_prefetch_node(struct image *, uint64_t hash);

/* An RRset of a node by type; false: absent. i-th RRset: image_rrset_at. */
bool image_rrset(struct image *, const uint8_t *node, uint16_t type, struct rrset *);
bool image_rrset_at(struct image *, const uint8_t *node, unsigned i, struct rrset *);

/* One record of an RRset as it was before compression. */
struct record {
	const uint8_t *rdata;   /* uncompressed wire; size octets */
	uint16_t size;
	uint32_t ttl;
};
#define RECORD_SCRATCH 65536
struct record_walk {
	const struct rrset *set;
	const uint8_t *apex;
	uint8_t apex_size;
	bool sigs;
	uint32_t at;            /* offset of the next RR in wire or sigs */
	unsigned patch;
};
/* The records of an RRset one by one (sigs: the RRSIGs that cover it). apex:
 * the zone's, for names whose end is left out; it is borrowed. */
void record_walk_begin(struct record_walk *, const struct rrset *, bool sigs, const uint8_t *apex, size_t apex_size);
/* false: the end. rdata points into the image or into scratch, which has
 * RECORD_SCRATCH octets and is overwritten by the next call. */
bool record_walk_next(struct record_walk *, struct record *, uint8_t *scratch);

/* Walking in canonical order. nsec3: the NSEC3 nodes, in hash order, instead
 * of the names. */
struct image_walk {
	struct image *image;
	bool nsec3;
	uint64_t index;         /* of the next node in the walk */
	uint64_t place;         /* 8-byte units */
};
void image_walk_begin(struct image_walk *, struct image *, bool nsec3);
/* At the first node >= the relative name in canonical order. */
void image_walk_seek(struct image_walk *, struct image *, bool nsec3, const uint8_t *relative, size_t size);
const uint8_t *image_walk_next(struct image_walk *);
const uint8_t *image_walk_previous(struct image_walk *);

/* ---- a set at an edition: base and deltas -------------------------------- */

struct view {
	const uint8_t *apex;                   /* lower case; borrowed, mostly of an image */
	uint8_t apex_size, apex_labels;
	unsigned images;                       /* newest first; the last is the base */
	uint64_t hash_key;
	struct image *image[IMAGE_DELTA_MAX + 1];
};

/* A node of a view: with the image it lies in, needed to read its RRsets. */
struct found {
	const uint8_t *node;    /* NULL: no such name */
	struct image *image;
};

/* NODE_GONE is resolved: not found. relative is lower case. */
struct found view_find(const struct view *, uint64_t hash, const uint8_t *relative, size_t size);
void view_prefetch_directory(const struct view *, uint64_t hash);
void view_prefetch_node(const struct view *, uint64_t hash);
/* The last name (or NSEC3 node) in canonical order that sorts before or at
 * relative; of the NSEC3 nodes the last one of all where none does (the chain
 * is a ring). Occluded names and empty non-terminals are passed over where
 * skip holds NODE_ flags to skip. */
struct found view_predecessor(const struct view *, bool nsec3, const uint8_t *relative, size_t size, uint16_t skip);

struct view_walk {
	const struct view *view;
	struct image_walk walk[IMAGE_DELTA_MAX + 1];
	const uint8_t *head[IMAGE_DELTA_MAX + 1];
};
/* Every node of the view in canonical order; then, with nsec3, again. Names
 * that are gone are left out, except where the oldest image is a delta itself:
 * there they are told (NODE_GONE), for folding deltas into one. */
void view_walk_begin(struct view_walk *, const struct view *, bool nsec3);
void view_walk_seek(struct view_walk *, const struct view *, bool nsec3, const uint8_t *relative, size_t size);
struct found view_walk_next(struct view_walk *);   /* node NULL: the end */

/* ---- building ------------------------------------------------------------ */

/* A builder takes RRsets in canonical owner order (all RRsets of an owner
 * together, types ascending), computes flags, makes empty non-terminals,
 * compresses, hashes, and writes one self-contained *image file* at an offset
 * of a file: what the writer copies in. Pages are written before they are
 * mapped and filled, so that a full disk is ERR_FULL and no signal. */
struct image_builder;

struct build_record { const uint8_t *rdata; uint16_t size; };   /* uncompressed wire */
struct build_rrset {
	uint16_t type;          /* not RRSIG unless nothing is covered */
	uint32_t ttl;
	const struct build_record *records; uint32_t count;
	const struct build_record *sigs; uint32_t sig_count;  /* RRSIG rdata, covering type */
};

/* fd: opened read-write, owned by the caller; offset: multiple of 8, where
 * the image file begins. delta: no empty non-terminals are made, and OCCLUDED,
 * WILD_CHILD, GONE and NSEC3 are as the caller says; what one node tells by
 * itself (APEX, CUT, DNAME, CNAME, WILDCARD, ENT) is derived here, too. */
struct image_builder *image_builder_new(int fd, uint64_t offset, const uint8_t *apex, size_t apex_size,
	uint64_t hash_key, bool delta, struct err *);
/* Relative owner (case as it came). NSEC3 owners may come in between: the
 * builder keeps them apart (an NSEC3 RRset beside other types becomes a node
 * of its own). flags: only for deltas, else 0. Fails with ERR_LIMIT where an
 * RRset does not fit into a message, ERR_PARSE where rdata is malformed for
 * its type, ERR_INTERNAL where the order is wrong. A failed builder is good
 * for nothing but image_builder_free. */
int image_builder_node(struct image_builder *, const uint8_t *owner, size_t owner_size, uint16_t flags,
	const struct build_rrset *rrsets, unsigned count, struct err *);
/* Copies a node of another image of the same apex and key (fold), in the same
 * order as above. In a full image flags and empty non-terminals are derived
 * anew, so those of the source do no harm. */
int image_builder_copy(struct image_builder *, struct found, struct err *);
/* Completes the file; size: octets from offset. The builder stays to be freed. */
int image_builder_finish(struct image_builder *, uint64_t *size, struct image_header *header, struct err *);
void image_builder_free(struct image_builder *);

/* An image file (a builder's output) as a chunk source: for loaders and
 * tests. The mapping is read-only. */
struct image_file;
struct image_file *image_file_open(int fd, uint64_t offset, uint64_t size, struct err *);
struct chunk_source *image_file_source(struct image_file *);
void image_file_close(struct image_file *);

/* The same file chunk by chunk into private memory, by pread: for the writer,
 * to whom the file is a stranger's (a mapping of it could be cut short under
 * our feet). Begin, then next until it returns 0: first the header (part
 * PART_HEADER; if packed it is all there is), then every chunk in the order
 * that image_check wants and LMDB gets. */
struct image_frames {
	int fd;
	uint64_t offset, size;
	uint32_t chunks[PART_COUNT];
	enum image_part part;   /* of the next chunk; PART_COUNT: none left */
	uint32_t number;
	uint64_t done, total;   /* chunks, for a progress bar */
	uint8_t *buffer;        /* CHUNK_SIZE octets, owned */
	struct image_header header; /* valid after the first next */
};
int image_frames_begin(struct image_frames *, int fd, uint64_t offset, uint64_t size, struct err *);
/* 1: a chunk, valid until the next call; 0: no more; -1: ERR_CORRUPT, ERR_SYSTEM. */
int image_frames_next(struct image_frames *, enum image_part *part, uint32_t *number,
	const uint8_t **chunk, size_t *size, struct err *);
void image_frames_end(struct image_frames *);

/* ---- checking what a stranger's loader made ------------------------------ */

/* Checks an image file chunk by chunk as the writer copies it: every bound,
 * offset, count, the order of names, the directory against the data, the
 * content hash. Feed the header first (if packed that is the whole value, and
 * no chunk follows), then all chunks in the order of parts and numbers, each
 * from a private copy; finish tells whether it is whole. Memory: a third of
 * an octet a name. Errors: ERR_CORRUPT, ERR_VERSION; ERR_NOMEM, or of the system,
 * where it could not be looked at. */
struct image_check;
struct image_check *image_check_new(const uint8_t *header, size_t size, uint64_t hash_key, struct err *);
int image_check_chunk(struct image_check *, enum image_part, uint32_t number, const uint8_t *chunk, size_t size, struct err *);
int image_check_finish(struct image_check *, struct err *);
void image_check_free(struct image_check *);

#endif
