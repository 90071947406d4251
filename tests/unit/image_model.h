/*
 * Made-up zones, kept as plain sorted lists, and the images built of them:
 * what the store gives back is compared with the lists.
 */
#ifndef TESTS_IMAGE_MODEL_H
#define TESTS_IMAGE_MODEL_H

#include "base/arena.h"
#include "store/content_hash.h"
#include "store/image.h"

#define MODEL_KEY 0x0123456789abcdefull
#define MODEL_SETS_MAX 24

struct model_node {
	uint8_t owner[NAME_MAX_SIZE];   /* relative, letter case as it came */
	uint8_t size;
	uint16_t flags;                 /* of a listed name: what the image must say; in a delta: what its maker says */
	unsigned count;
	struct build_rrset *sets;       /* types rise */
};

struct model {
	struct arena arena;
	uint8_t apex[NAME_MAX_SIZE];
	uint8_t apex_size;
	struct model_node *nodes;       /* in canonical order once sorted */
	size_t count, capacity;
};

/* ---- random numbers that are the same everywhere ---- */
struct dice { uint64_t state; };
uint64_t dice_next(struct dice *);
static inline uint32_t dice_below(struct dice *d, uint32_t n) { return n ? (uint32_t)(dice_next(d) >> 33) % n : 0; }

/* ---- making zones ---- */
void model_begin(struct model *, const char *apex);
void model_free(struct model *);
/* One record more. owner: relative wire; or text, "" for the apex. Records of
 * an RRset one behind the other; owners in any order. */
void model_add(struct model *, const uint8_t *owner, size_t size, uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_size);
void model_add_at(struct model *, const char *owner, uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_size);
/* An RRSIG over a type that was added to the owner just before. */
void model_sign(struct model *, uint16_t type, size_t signature_size);
void model_soa(struct model *, uint32_t serial);
/* A record with an address, or a name, as its rdata. */
void model_a(struct model *, const char *owner, uint32_t address);
void model_name(struct model *, const char *owner, uint16_t type, const char *target);
/* Owners in canonical order; of one that came twice, RRsets of the same type
 * are the first one's. */
void model_sort(struct model *);

enum { MODEL_NSEC3 = 1, MODEL_CUTS = 2, MODEL_LARGE = 4, MODEL_STRANGE = 8 /* octets and lengths seldom seen */ };
/* A zone of about so many names, the same for the same seed; sorted. */
void model_random(struct model *, const char *apex, uint64_t seed, size_t names, unsigned what);
/* A copy with some names changed, gone and new. */
void model_change(struct model *, const struct model *from, uint64_t seed, size_t changes);

/* ---- what an image of it must hold ---- */
/* Every name with its flags, empty non-terminals too; NSEC3 owners apart. The
 * lists borrow the model's RRsets. */
struct listing {
	struct model_node *name, *nsec3;
	size_t names, nsec3s;
};
void model_list(struct listing *, const struct model *);
void listing_free(struct listing *);
/* The delta that leads from one listing to the other; goes to an empty model. */
void model_delta(struct model *, const struct listing *from, const struct listing *to);
/* The index of the first node that is not before the name; found: it is the name. */
size_t nodes_seek(const struct model_node *, size_t count, const uint8_t *name, size_t size, bool *found);

/* ---- images ---- */
struct model_image {
	int fd;
	uint64_t size;
	struct image_header header;
	struct image_file *file;
	struct image *image;
};
/* Sorted; with key MODEL_KEY unless another is given. Aborts on failure. */
void model_build(struct model_image *, const struct model *, bool delta);
void model_build_key(struct model_image *, const struct model *, bool delta, uint64_t key);
/* The same, where failing is expected. */
int model_build_into(int fd, uint64_t offset, const struct model *, bool delta, uint64_t key, uint64_t *size,
	struct image_header *, struct err *);
/* Opens what lies in the file; -1 where it cannot be. */
int model_open(struct model_image *, struct err *);
void model_close(struct model_image *);
/* The whole file through image_check, as the writer does. */
int model_check(int fd, uint64_t offset, uint64_t size, uint64_t key, struct err *);
/* A view of some images, newest first. */
void model_view(struct view *, const struct model *, struct model_image *const *images, unsigned count);

/* Aborts the test unless the node holds just these RRsets. */
void assert_node_holds(struct image *, const uint8_t *node, const struct model_node *, const uint8_t *apex, size_t apex_size);
/* The hash of a relative name below an apex. */
uint64_t model_hash(const uint8_t *owner, size_t size, const uint8_t *apex, size_t apex_size, uint8_t lower[NAME_MAX_SIZE]);

#endif
