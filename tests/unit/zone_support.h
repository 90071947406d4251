/* What the zone tests share: text to a view, and back. */
#ifndef ZONE_SUPPORT_H
#define ZONE_SUPPORT_H

#include "zone/load.h"

#define TEST_HASH_KEY 0x5eed5eed5eedull

/* Problems as text, "rule LINE:COL: message" a line. */
struct told { char text[16384]; size_t size; unsigned errors, rules, warnings; };
void told_problem(void *told, const struct problem *);

struct loaded {                 /* a view with one image, or with deltas in front */
	struct view view;
	struct image_file *files[IMAGE_DELTA_MAX + 1];
	int fds[IMAGE_DELTA_MAX + 1];
	struct load_result result;
	struct told told;
	struct err err;
	int status;
};

struct load_how {               /* what differs from the ordinary; all may be 0 */
	size_t memory_limit;
	const char *const *drop_rules; size_t drop_count;
	const char *include_dir;        /* $INCLUDE opens in here */
	unsigned threads;               /* also for small files */
};

/* apex: text. size 0: to the NUL. The view is only there with status 0. */
void load_text(struct loaded *, const char *apex, const char *text, size_t size, const struct load_how *);
void load_file(struct loaded *, const char *apex, const char *path, const struct load_how *);
/* The view with the change in front: a new image is put first. Returns
 * zone_change's status. */
int change_view(struct loaded *, const char *text, bool whole, struct change_result *);
void loaded_free(struct loaded *);
/* Put an image file (fd is taken over) first in the view. */
void add_image(struct loaded *, int fd, uint64_t size);
/* malloc'd. */
char *view_text(const struct view *);
/* Every node with its flags, ENTs included; malloc'd. */
char *view_nodes(const struct view *);
int empty_file(void);

/* Folder of the example zones. */
const char *zones_dir(void);
/* The content hash of the view, summed up anew over all its nodes. */
void loaded_hash(struct loaded *, uint64_t words[8]);
/* Folds the view's images into one. */
void fold_all(struct loaded *l, bool whole);
/* The same numbers at each run; random_seed begins anew. */
void random_seed(uint64_t seed);
unsigned random_below(unsigned n);
/* A zone's begin: SOA, NS, the address of ns1. */
#define HEAD "$TTL 3600\n@ SOA ns1 hostmaster 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"

#endif
