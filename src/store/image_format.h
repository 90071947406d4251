/*
 * What the image's builder, readers and check share: the layout of FORMAT.md
 * as constants, and the few steps that all of them must do alike.
 */
#ifndef STORE_IMAGE_FORMAT_H
#define STORE_IMAGE_FORMAT_H

#include "store/image.h"

#define IMAGE_MAGIC        0x474d4953u  /* "SIMG" */
#define IMAGE_FORMAT       2
#define IMAGE_HEADER_FIXED 144          /* octets before the apex */
#define IMAGE_HEADER_MAX   400
#define FRAME_FIRST        4096         /* image file: where chunk 0 lies */

/* ---- header -------------------------------------------------------------- */

enum { HEADER_DELTA = 1, HEADER_PACKED = 2 };
#define NO_CHUNK UINT32_MAX
enum stream_kind { STREAM_NAMES, STREAM_NSEC3, STREAM_FAR };

struct image_layout {           /* what a reader needs beside the public header */
	struct image_header header;
	bool packed;
	uint32_t chunks[PART_COUNT];    /* also if packed; PART_HEADER: 1 */
	uint32_t first[2];              /* first data chunk of names, of NSEC3 nodes; NO_CHUNK: none */
	size_t size;                    /* of the header with the apex, multiple of 8 */
};
size_t layout_encode(const struct image_layout *, uint8_t buf[IMAGE_HEADER_MAX]);
/* Checks all that a header tells by itself. */
int layout_decode(struct image_layout *, const uint8_t *header, size_t size, struct err *);

/* ---- data chunks --------------------------------------------------------- */

/* used u32 | kind u32 | next chunk of this kind u32 | index of the first node u32 */
#define DATA_HEADER_SIZE 16
#define DATA_CHUNKS_MAX  (1u << 19)     /* a place is 32 bits of 8-octet units */
#define FAR_MAX          64             /* far blobs a node */
static inline uint32_t data_used(const uint8_t *chunk) { return load_le32(chunk); }
static inline uint32_t data_kind(const uint8_t *chunk) { return load_le32(chunk + 4); }
static inline uint32_t data_next(const uint8_t *chunk) { return load_le32(chunk + 8); }
static inline uint32_t data_first_index(const uint8_t *chunk) { return load_le32(chunk + 12); }
static inline uint32_t place_chunk(uint64_t place) { return (uint32_t)(place >> 13); }
static inline uint32_t place_offset(uint64_t place) { return (uint32_t)(place & 8191) * 8; }
static inline uint32_t make_place(uint32_t chunk, uint32_t offset) { return chunk << 13 | offset >> 3; }
static inline size_t round8(size_t n) { return (n + 7) & ~(size_t)7; }

/* ---- directory ----------------------------------------------------------- */

/* Home lines are what hashes are spread over, each name's its home; they are
 * seven tenths full. Runs of equal home lie in the order of their homes, each
 * from its home line on or, where that is taken, behind the run before it. So
 * the place of every run follows from how many names each home has, and the
 * check needs no more than these counts. Where its own run is each home line
 * says: a name that does not exist mostly shows in that one line.
 *
 * line: LINE_SLOTS × tag u16 | LINE_SLOTS × place u32 | how many slots behind
 *       its first one the run begins u16 | how many slots it has u16 */
#define LINE_SIZE        64
#define LINE_SLOTS       10
#define LINE_PLACES      20             /* octets before the places, */
#define LINE_SHIFT       60             /* the shift, */
#define LINE_COUNT       62             /* the count */
#define LINES_PADDING    48
#define LINES_PER_CHUNK  ((CHUNK_SIZE - LINES_PADDING) / LINE_SIZE)
#define HOME_NAMES       7              /* a home line, on the average */
static inline uint32_t home_lines(uint32_t nodes) { return nodes / HOME_NAMES + (nodes % HOME_NAMES != 0); }
static inline uint32_t hash_home(uint64_t hash, uint32_t homes) { return (uint32_t)((hash >> 32) * homes >> 32); }
static inline uint16_t hash_tag(uint64_t hash) { return (uint16_t)hash; }
static inline uint16_t line_tag(const uint8_t *line, unsigned slot) { return load_le16(line + 2 * slot); }
static inline uint32_t line_place(const uint8_t *line, unsigned slot) { return load_le32(line + LINE_PLACES + 4 * slot); }
/* Where the run of a home begins: at its own line's first slot, or right behind the run before it. */
static inline uint64_t run_begin(uint32_t home, uint64_t end_before)
{
	uint64_t own = (uint64_t)home * LINE_SLOTS;

	return own > end_before ? own : end_before;
}
static inline uint16_t line_shift(const uint8_t *line) { return load_le16(line + LINE_SHIFT); }
static inline uint16_t line_count(const uint8_t *line) { return load_le16(line + LINE_COUNT); }

/* ---- order --------------------------------------------------------------- */

/* Names: for every ORDER_STEP-th node its key of 12 octets, which sorts as
 * the name does, and its place. NSEC3: for every node a key of 8 octets (the
 * hash's first, little-endian) and its place. */
#define ORDER_STEP        16
#define ORDER_KEY         12
#define ORDER_ENTRY       16
#define ORDER_PER_CHUNK   (CHUNK_SIZE / ORDER_ENTRY)
#define NSEC3_ENTRY       12
#define NSEC3_PER_CHUNK   (CHUNK_SIZE / NSEC3_ENTRY)
static inline uint32_t order_entries(uint32_t nodes) { return nodes / ORDER_STEP + (nodes % ORDER_STEP != 0); }
/* Both keys rise with canonical order, not strictly. */
void order_key(uint8_t key[ORDER_KEY], const uint8_t *relative, size_t size);
uint64_t order_nsec3_key(const uint8_t *relative, size_t size);

/* Chunk counts and sizes that follow from the counts in the header. */
static inline uint32_t chunks_for(uint64_t entries, uint32_t per_chunk) { return (uint32_t)((entries + per_chunk - 1) / per_chunk); }
static inline uint32_t layout_order_chunks(const struct image_header *h)
{
	return chunks_for(order_entries(h->nodes), ORDER_PER_CHUNK) + chunks_for(h->nsec3_nodes, NSEC3_PER_CHUNK);
}
/* Size of a directory or order chunk; of a data chunk: CHUNK_SIZE. */
size_t layout_chunk_size(const struct image_layout *, enum image_part, uint32_t number);
/* Where a chunk lies in an image file that is not packed. */
static inline uint64_t frame_offset(const struct image_layout *l, enum image_part part, uint32_t number)
{
	uint64_t k = number;

	if (part == PART_HEADER)
		return 0;
	if (part > PART_DATA)
		k += l->chunks[PART_DATA];
	if (part > PART_DIRECTORY)
		k += l->chunks[PART_DIRECTORY];
	return FRAME_FIRST + k * CHUNK_STRIDE;
}
/* Offsets within a packed image. */
struct packed_at { uint32_t data[2], data_size[2], directory, order, nsec3, end; };
int layout_packed(const struct image_layout *, const uint8_t *image, size_t size, struct packed_at *, struct err *);

/* ---- names in canonical order -------------------------------------------- */

/* Follows owners in canonical order: the last one, lower case, and by depth
 * (number of labels) the hash of its suffixes. */
struct trail {
	bool begun;
	uint8_t size, labels;
	uint8_t lower[NAME_MAX_SIZE];
	uint8_t at[NAME_MAX_LABELS + 1];        /* of label i from the left */
	unsigned hashed;                        /* hash[0..hashed] hold */
	uint64_t hash[NAME_MAX_LABELS + 1];     /* hash[0]: of the apex */
};
enum trail_step { TRAIL_RISING, TRAIL_SAME, TRAIL_FALLING, TRAIL_MALFORMED };
/* One owner further. common: labels from the right that it shares with the
 * one before. Unchanged unless TRAIL_RISING. */
enum trail_step trail_next(struct trail *, const uint8_t *owner, size_t size, size_t apex_size, unsigned *common);
uint64_t trail_hash(struct trail *);
uint64_t apex_hash(const uint8_t *apex, uint64_t key);
/* Offsets of labels of a relative name; labels, or -1 when malformed. */
int relative_labels(const uint8_t *name, size_t size, size_t apex_size, uint8_t at[NAME_MAX_LABELS + 1]);

#endif
