/* Memory that is emptied as a whole: many small allocations, one end. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t block_size;     /* of the next block; 0: 64 KiB */
	size_t block_max;      /* blocks double up to this; 0: they stay as they are */
	size_t used;           /* octets handed out since the last reset */
};

/* 8-byte aligned, not zeroed; NULL when there is no memory. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_memdup(struct arena *arena, const void *src, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
/* Forget everything; the first block is kept for reuse. */
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

#endif
