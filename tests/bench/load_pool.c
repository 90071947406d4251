#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

/* Queries wait here for more of their length. */
struct waiting {
	uint8_t *bytes;
	unsigned count;
};

static struct waiting waiting[QUERY_MAX + 64];
static uint32_t capacity, group_capacity;

static void *grown(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		die("out of memory for the queries");
	return p;
}

static void put_out(struct pool *pool, unsigned size)
{
	struct waiting *w = &waiting[size];
	uint32_t octets = size * w->count;

	if (!w->count)
		return;
	if (pool->size + octets > capacity)
		pool->bytes = grown(pool->bytes, capacity = 2 * (capacity + octets));
	if (pool->group_count == group_capacity)
		pool->groups = grown(pool->groups, (group_capacity = 2 * group_capacity + 64) * sizeof *pool->groups);
	pool->groups[pool->group_count++] = (struct group){ pool->size, (uint16_t)size, (uint16_t)w->count };
	memcpy(pool->bytes + pool->size, w->bytes, octets);
	pool->size += octets;
	pool->queries += w->count;
	w->count = 0;
}

static void put_in(struct pool *pool, const uint8_t *query, unsigned size)
{
	unsigned whole = size + pool->prefix;
	struct waiting *w = &waiting[whole];
	uint8_t *p;

	if (!w->bytes)
		w->bytes = grown(NULL, (size_t)GROUP_MAX * whole);
	p = w->bytes + (size_t)w->count * whole;
	if (pool->prefix) {
		p[0] = (uint8_t)(size >> 8);
		p[1] = (uint8_t)size;
	}
	memcpy(p + pool->prefix, query, size);
	if (++w->count == GROUP_MAX)
		put_out(pool, whole);
}

static void read_queries(struct pool *pool, const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t head[2], query[QUERY_MAX];

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fread(head, 1, 2, f) == 2) {
		size_t size = (size_t)(head[0] << 8 | head[1]);

		if (size < HEADER || size > sizeof query)
			die("%s: a query of %zu octets; from %d to %zu go", path, size, HEADER, sizeof query);
		if (fread(query, 1, size, f) != size)
			die("%s: its last query is cut off", path);
		put_in(pool, query, (unsigned)size);
	}
	fclose(f);
}

static size_t put_opt(uint8_t *p, const struct options *o)
{
	const uint8_t opt[] = { 0, 0, 41, (uint8_t)(o->edns >> 8), (uint8_t)o->edns, 0, 0, o->dnssec_ok ? 0x80 : 0, 0, 0, 0 };

	if (!o->edns)
		return 0;
	memcpy(p, opt, sizeof opt);
	return sizeof opt;
}

static void make_queries(struct pool *pool, const struct options *o)
{
	uint8_t query[HEADER + QUERY_MAX + 16] = { 0 };
	struct questions q;

	questions_begin(&q, &o->names, o->mix, o->seed);
	if (o->mix == MIX_HOT && !q.zipf)
		die("out of memory");
	query[5] = 1;
	query[11] = o->edns != 0;
	for (unsigned i = 0; i < o->pool; i++) {
		size_t size = HEADER + question_next(&q, query + HEADER);

		size += put_opt(query + size, o);
		put_in(pool, query, (unsigned)size);
	}
	questions_end(&q);
}

void pool_fill(struct pool *pool, const struct options *o, unsigned prefix)
{
	*pool = (struct pool){ .prefix = prefix };
	if (o->queries)
		read_queries(pool, o->queries);
	else
		make_queries(pool, o);
	for (unsigned size = 0; size < sizeof waiting / sizeof waiting[0]; size++) {
		put_out(pool, size);
		free(waiting[size].bytes);
		waiting[size].bytes = NULL;
	}
	if (!pool->group_count)
		die("no queries");
}

uint8_t *pool_take(struct pool *pool, unsigned most, unsigned *count, unsigned *size)
{
	const struct group *g = &pool->groups[pool->group];
	uint8_t *p = pool->bytes + g->at + pool->next * g->size;
	unsigned left = g->count - pool->next;

	*size = g->size;
	*count = most < left ? most : left;
	pool->next += *count;
	if (pool->next == g->count) {
		pool->next = 0;
		if (++pool->group == pool->group_count)
			pool->group = 0;
	}
	return p;
}

void pool_print(const struct pool *pool, unsigned count)
{
	for (uint32_t g = 0; g < pool->group_count; g++)
		for (unsigned i = 0; i < pool->groups[g].count && count; i++, count--) {
			const uint8_t *p = pool->bytes + pool->groups[g].at + i * pool->groups[g].size;

			for (unsigned k = 0; k < pool->groups[g].size; k++)
				printf("%02x", p[k]);
			putchar('\n');
		}
}
