#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	size_t size, at;
	uint8_t bytes[] __attribute__((aligned(8)));
};

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *b = arena->blocks;
	void *p;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 7) & ~(size_t)7;
	if (!b || b->size - b->at < size) {
		size_t want = arena->block_size ? arena->block_size : 65536;

		if (want < size)
			want = size;
		b = malloc(sizeof *b + want);
		if (!b)
			return NULL;
		b->size = want;
		b->at = 0;
		b->next = arena->blocks;
		arena->blocks = b;
		if (arena->block_size < arena->block_max)
			arena->block_size *= 2;
	}
	p = b->bytes + b->at;
	b->at += size;
	arena->used += size;
	return p;
}

void *arena_memdup(struct arena *arena, const void *src, size_t size)
{
	void *p = arena_alloc(arena, size ? size : 1);

	if (p && size)
		memcpy(p, src, size);
	return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_memdup(arena, s, strlen(s) + 1);
}

void arena_reset(struct arena *arena)
{
	struct arena_block *b = arena->blocks;

	if (!b)
		return;
	while (b->next) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	b->at = 0;
	arena->blocks = b;
	arena->used = 0;
}

void arena_free(struct arena *arena)
{
	struct arena_block *b = arena->blocks;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	arena->blocks = NULL;
	arena->used = 0;
}
