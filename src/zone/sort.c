#include "zone/sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/turn.h"

/*
 * The key of an owner sorts by memcmp as the name does in canonical order
 * (RFC 4034 6.1): labels from the right, lower-cased, each ended by 0; within
 * a label 0 is written as 1 1, and 1 as 1 2.
 */
#define KEY_MAX (2 * NAME_MAX_SIZE + NAME_MAX_LABELS)
#define MEMORY_MIN (64u << 10)
#define WRITE_SIZE (256u << 10)

struct owner {
	uint64_t prefix;        /* the key's first octets */
	uint16_t key_size;
	uint8_t name_size;
	uint8_t octets[];       /* key, name */
};

struct sorted {
	const struct owner *owner;
	struct place place;
	uint32_t ttl;
	uint16_t type, size;
	bool ttl_known;
	uint8_t rdata[];
};

struct item { uint64_t prefix; struct sorted *record; };

/* A run in the scratch file, and the piece of it that is in memory. */
struct run {
	uint64_t at, end;       /* what is still to be read */
	uint8_t *buffer;
	size_t size, used, got; /* of the buffer; consumed; valid */
	uint64_t prefix;
	const uint8_t *head;    /* the record that comes next; NULL: no more */
};

/* A record of a run: fixed part, key, name, rdata. */
#define RUN_FIXED 24
struct run_record {
	uint16_t key_size, type, size, file, column;
	uint8_t name_size, ttl_known;
	uint32_t ttl, line;
};

struct sorter {
	struct sorter *adopted; /* their arenas are in use; a list by this */
	size_t limit;
	int fd;
	struct arena arena;
	const struct owner *last_owner;
	struct item *items, *spare;
	size_t count, space;
	bool sorted;
	uint64_t total;
	/* giving out */
	size_t next;
	const struct owner *given_owner;
	/* runs */
	struct run *runs;
	size_t run_count, run_space;
	uint64_t file_end;
	size_t *heap, heap_count;
	bool began;
	size_t held;            /* 1 + the run whose head was given out last */
	uint8_t given_key[KEY_MAX];
	size_t given_key_size;
	bool given;
};

struct sorter *sorter_new(size_t memory_limit, int scratch_fd)
{
	struct sorter *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->limit = memory_limit < MEMORY_MIN ? MEMORY_MIN : memory_limit;
	s->fd = scratch_fd;
	s->sorted = true;
	s->arena.block_size = 16 << 10;
	/* of a large zone, several of the kernel's large pages in each; of an edit, not one */
	s->arena.block_max = s->limit < (1u << 20) ? 0 : s->limit < (64u << 20) ? 1 << 20 : 8 << 20;
	return s;
}

void sorter_free(struct sorter *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->run_count; i++)
		free(s->runs[i].buffer);
	free(s->runs);
	free(s->heap);
	free(s->items);
	free(s->spare);
	arena_free(&s->arena);
	sorter_free(s->adopted);
	free(s);
}

uint64_t sorter_count(const struct sorter *s)
{
	return s->total;
}

bool sorter_stable(const struct sorter *s)
{
	return s->run_count == 0;
}

static size_t make_key(uint8_t key[KEY_MAX], const uint8_t *name, size_t size)
{
	uint8_t at[NAME_MAX_LABELS + 1];
	unsigned labels = 0;
	size_t n = 0;

	for (size_t i = 0; i < size && labels < NAME_MAX_LABELS; i += name[i] + 1u)
		at[labels++] = (uint8_t)i;
	while (labels--) {
		const uint8_t *label = name + at[labels];

		for (unsigned i = 1; i <= label[0]; i++) {
			uint8_t c = label[i];

			if (c >= 'A' && c <= 'Z')
				c |= 0x20;
			if (c <= 1) {
				key[n++] = 1;
				c++;
			}
			key[n++] = c;
		}
		key[n++] = 0;
	}
	return n;
}

static uint64_t make_prefix(const uint8_t *key, size_t size)
{
	uint8_t first[8] = { 0 };

	memcpy(first, key, size < 8 ? size : 8);
	return load_be64(first);
}

static int compare_keys(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	int c = memcmp(a, b, a_size < b_size ? a_size : b_size);

	return c ? c : a_size < b_size ? -1 : a_size > b_size;
}

static inline int compare_items(const struct item *a, const struct item *b)
{
	const struct owner *x, *y;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	x = a->record->owner;
	y = b->record->owner;
	return x == y ? 0 : compare_keys(x->octets, x->key_size, y->octets, y->key_size);
}

static void copy_items(struct item *to, const struct item *from, size_t count)
{
	while (count) {
		size_t part = count < 1024 ? count : 1024;

		turn_over(1000);
		memcpy(to, from, part * sizeof(*to));
		to += part;
		from += part;
		count -= part;
	}
}

/* Stable; what is in order already costs one comparison a level at most. */
static void merge_sort(struct item *items, struct item *spare, size_t count)
{
	size_t half = count / 2, i = 0, k = half, n = 0;

	if (count < 8) {
		for (size_t a = 1; a < count; a++) {
			struct item item = items[a];
			size_t b = a;

			for (; b > 0 && compare_items(&items[b - 1], &item) > 0; b--)
				items[b] = items[b - 1];
			items[b] = item;
		}
		return;
	}
	merge_sort(items, spare, half);
	merge_sort(items + half, spare, count - half);
	if (compare_items(&items[half - 1], &items[half]) <= 0)
		return;
	copy_items(spare, items, half);
	while (i < half && k < count) {
		turn_over(4);
		items[n++] = compare_items(&items[k], &spare[i]) < 0 ? items[k++] : spare[i++];
	}
	memcpy(items + n, spare + i, (half - i) * sizeof(*items));
}

static int sort_items(struct sorter *s, struct err *err)
{
	if (s->sorted)
		return 0;
	free(s->spare);
	s->spare = malloc((s->count / 2 + 1) * sizeof(*s->spare));
	if (!s->spare)
		return err_set(err, ERR_NOMEM, "no memory to sort %zu records", s->count);
	merge_sort(s->items, s->spare, s->count);
	s->sorted = true;
	return 0;
}

/* ---- runs ------------------------------------------------------------------------ */

static int write_all(int fd, const uint8_t *p, size_t size, uint64_t at, struct err *err)
{
	while (size) {
		ssize_t n = pwrite(fd, p, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_system(err, "cannot write the scratch file of the sort");
		p += n;
		size -= (size_t)n;
		at += (uint64_t)n;
	}
	return 0;
}

static void put_record(struct cursor *c, const struct sorted *r)
{
	cursor_put_le16(c, r->owner->key_size);
	cursor_put_le16(c, r->type);
	cursor_put_le16(c, r->size);
	cursor_put_le16(c, r->place.file);
	cursor_put_le16(c, r->place.column);
	cursor_put_u8(c, r->owner->name_size);
	cursor_put_u8(c, r->ttl_known);
	cursor_put_le32(c, r->ttl);
	cursor_put_le32(c, r->place.line);
	cursor_put_le32(c, 0);
	cursor_put(c, r->owner->octets, (size_t)r->owner->key_size + r->owner->name_size);
	cursor_put(c, r->rdata, r->size);
}

static struct run_record run_head(const uint8_t *p)
{
	return (struct run_record){ .key_size = load_le16(p), .type = load_le16(p + 2), .size = load_le16(p + 4),
		.file = load_le16(p + 6), .column = load_le16(p + 8), .name_size = p[10], .ttl_known = p[11],
		.ttl = load_le32(p + 12), .line = load_le32(p + 16) };
}

/* What is in memory becomes a run of the scratch file. */
static int spill(struct sorter *s, struct err *err)
{
	struct cursor c;
	struct run *run;
	uint8_t *buffer;
	int status = -1;

	if (s->fd < 0)
		return err_set(err, ERR_LIMIT, "the records need more than %zu octets of memory, and there is no scratch file",
			s->limit);
	if (sort_items(s, err) < 0)
		return -1;
	if (s->run_count == s->run_space) {
		size_t space = s->run_space ? 2 * s->run_space : 16;
		struct run *runs = realloc(s->runs, space * sizeof(*runs));

		if (!runs)
			return err_set(err, ERR_NOMEM, "no memory for the runs of the sort");
		s->runs = runs;
		s->run_space = space;
	}
	buffer = malloc(WRITE_SIZE);
	if (!buffer)
		return err_set(err, ERR_NOMEM, "no memory to write the scratch file of the sort");
	run = &s->runs[s->run_count];
	*run = (struct run){ .at = s->file_end };
	c = cursor_over(buffer, WRITE_SIZE);
	for (size_t i = 0; i < s->count; i++) {
		const struct sorted *r = s->items[i].record;

		if (WRITE_SIZE - c.at < RUN_FIXED + KEY_MAX + NAME_MAX_SIZE + (size_t)r->size) {
			if (write_all(s->fd, buffer, c.at, s->file_end, err) < 0)
				goto out;
			s->file_end += c.at;
			c.at = 0;
		}
		put_record(&c, r);
	}
	if (write_all(s->fd, buffer, c.at, s->file_end, err) < 0)
		goto out;
	s->file_end += c.at;
	run->end = s->file_end;
	s->run_count++;
	s->count = 0;
	s->sorted = true;
	s->last_owner = NULL;
	arena_reset(&s->arena);
	status = 0;
out:
	free(buffer);
	return status;
}

/* Have `want` octets behind what is used; false: error. */
static int run_fill(struct sorter *s, struct run *run, size_t want, struct err *err)
{
	if (run->got - run->used >= want)
		return 0;
	memmove(run->buffer, run->buffer + run->used, run->got - run->used);
	run->got -= run->used;
	run->used = 0;
	if (want > run->size) {
		uint8_t *buffer = realloc(run->buffer, want);

		if (!buffer)
			return err_set(err, ERR_NOMEM, "no memory to merge the runs of the sort");
		run->buffer = buffer;
		run->size = want;
	}
	while (run->got < run->size && run->at < run->end) {
		size_t room = run->size - run->got;
		uint64_t left = run->end - run->at;
		ssize_t n = pread(s->fd, run->buffer + run->got, room < left ? room : (size_t)left, (off_t)run->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_system(err, "cannot read the scratch file of the sort");
		if (n == 0)
			break;
		run->got += (size_t)n;
		run->at += (uint64_t)n;
	}
	if (run->got < want)
		return err_set(err, ERR_SYSTEM, "the scratch file of the sort is shorter than what was written");
	return 0;
}

static int run_next(struct sorter *s, struct run *run, struct err *err)
{
	struct run_record r;
	size_t size;

	if (run->used == run->got && run->at == run->end) {
		run->head = NULL;
		return 0;
	}
	if (run_fill(s, run, RUN_FIXED, err) < 0)
		return -1;
	r = run_head(run->buffer + run->used);
	size = (size_t)RUN_FIXED + r.key_size + r.name_size + r.size;
	if (run_fill(s, run, size, err) < 0)
		return -1;
	run->head = run->buffer + run->used;
	run->prefix = make_prefix(run->head + RUN_FIXED, r.key_size);
	run->used += size;
	return 0;
}

static bool run_before(const struct sorter *s, size_t a, size_t b)
{
	const struct run *x = &s->runs[a], *y = &s->runs[b];
	int c;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix;
	c = compare_keys(x->head + RUN_FIXED, load_le16(x->head), y->head + RUN_FIXED, load_le16(y->head));
	return c ? c < 0 : a < b;
}

static void heap_down(struct sorter *s, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1, run;

		if (child >= s->heap_count)
			return;
		if (child + 1 < s->heap_count && run_before(s, s->heap[child + 1], s->heap[child]))
			child++;
		if (!run_before(s, s->heap[child], s->heap[i]))
			return;
		run = s->heap[i];
		s->heap[i] = s->heap[child];
		s->heap[child] = run;
		i = child;
	}
}

static int merge_begin(struct sorter *s, struct err *err)
{
	size_t share = s->limit / (s->run_count + 1);

	share = share > (1u << 20) ? 1u << 20 : share < (4u << 10) ? 4u << 10 : share;
	/* what the records took is given back to the buffers of the merge */
	free(s->items);
	s->items = NULL;
	s->space = 0;
	arena_free(&s->arena);
	s->heap = malloc(s->run_count * sizeof(*s->heap));
	if (!s->heap)
		return err_set(err, ERR_NOMEM, "no memory to merge the runs of the sort");
	for (size_t i = 0; i < s->run_count; i++) {
		struct run *run = &s->runs[i];

		run->buffer = malloc(share);
		run->size = share;
		if (!run->buffer)
			return err_set(err, ERR_NOMEM, "no memory to merge the runs of the sort");
		if (run_next(s, run, err) < 0)
			return -1;
		if (run->head)
			s->heap[s->heap_count++] = i;
	}
	for (size_t i = s->heap_count; i-- > 0;)
		heap_down(s, i);
	return 0;
}

static int merge_next(struct sorter *s, struct sort_record *out, struct err *err)
{
	struct run_record r;
	const uint8_t *key;

	if (s->held) {
		struct run *run = &s->runs[s->held - 1];

		if (run_next(s, run, err) < 0)
			return -1;
		if (!run->head)
			s->heap[0] = s->heap[--s->heap_count];
		heap_down(s, 0);
	}
	if (!s->heap_count) {
		s->held = 0;
		return 0;
	}
	s->held = s->heap[0] + 1;
	key = s->runs[s->heap[0]].head;
	r = run_head(key);
	key += RUN_FIXED;
	*out = (struct sort_record){ .owner = key + r.key_size, .owner_size = r.name_size,
		.rdata = key + r.key_size + r.name_size, .size = r.size, .type = r.type, .ttl = r.ttl,
		.ttl_known = r.ttl_known, .place = { .line = r.line, .file = r.file, .column = r.column } };
	out->next_owner = !s->given || compare_keys(key, r.key_size, s->given_key, s->given_key_size) != 0;
	if (out->next_owner) {
		memcpy(s->given_key, key, r.key_size);
		s->given_key_size = r.key_size;
		s->given = true;
	}
	return 1;
}

/* ---- in and out --------------------------------------------------------------------- */

static struct owner *new_owner(struct sorter *s, const uint8_t *name, size_t size)
{
	uint8_t key[KEY_MAX];
	size_t key_size = make_key(key, name, size);
	struct owner *o = arena_alloc(&s->arena, sizeof(*o) + key_size + size);

	if (!o)
		return NULL;
	o->prefix = make_prefix(key, key_size);
	o->key_size = (uint16_t)key_size;
	o->name_size = (uint8_t)size;
	memcpy(o->octets, key, key_size);
	memcpy(o->octets + key_size, name, size);
	return o;
}

size_t sorter_memory(const struct sorter *s)
{
	return s->arena.used + s->count * (sizeof(*s->items) * 3 / 2);
}

int sorter_add(struct sorter *s, const struct parsed *in, size_t apex_size, bool same_owner, struct err *err)
{
	struct sorted *r;

	if (sorter_memory(s) > s->limit && s->count > 0 && spill(s, err) < 0)
		return -1;
	if (s->count == s->space) {
		size_t space = s->space ? 2 * s->space : 1024;
		struct item *items = realloc(s->items, space * sizeof(*items));

		if (!items)
			return err_set(err, ERR_NOMEM, "no memory for more than %zu records", s->count);
		s->items = items;
		s->space = space;
	}
	if (!same_owner || !s->last_owner)
		s->last_owner = new_owner(s, in->owner, in->owner_size - apex_size);
	r = s->last_owner ? arena_alloc(&s->arena, sizeof(*r) + in->size) : NULL;
	if (!r)
		return err_set(err, ERR_NOMEM, "no memory for more than %zu records", s->count);
	r->owner = s->last_owner;
	r->place = in->place;
	r->ttl = in->ttl;
	r->type = in->type;
	r->size = (uint16_t)in->size;
	r->ttl_known = in->ttl_known;
	memcpy(r->rdata, in->rdata, in->size);
	s->items[s->count] = (struct item){ .prefix = r->owner->prefix, .record = r };
	if (s->sorted && s->count && compare_items(&s->items[s->count - 1], &s->items[s->count]) > 0)
		s->sorted = false;
	s->count++;
	s->total++;
	return 0;
}

const uint8_t *sorter_last_rdata(const struct sorter *s)
{
	return s->items[s->count - 1].record->rdata;
}

int sorter_adopt(struct sorter *s, struct sorter *other, struct err *err)
{
	struct sorter **end = &other->adopted;

	if (s->space - s->count < other->count) {
		struct item *items = realloc(s->items, (s->count + other->count) * sizeof(*items));

		if (!items)
			return err_set(err, ERR_NOMEM, "no memory for %zu records", s->count + other->count);
		s->items = items;
		s->space = s->count + other->count;
	}
	if (other->count) {
		memcpy(s->items + s->count, other->items, other->count * sizeof(*s->items));
		if (s->count && compare_items(&s->items[s->count - 1], &s->items[s->count]) > 0)
			s->sorted = false;
	}
	s->count += other->count;
	s->total += other->total;
	s->last_owner = NULL;
	free(other->items);
	free(other->spare);
	other->items = other->spare = NULL;
	other->count = other->space = 0;
	while (*end)
		end = &(*end)->adopted;
	*end = s->adopted;
	s->adopted = other;
	return 0;
}

int sorter_finish(struct sorter *s, struct err *err)
{
	if (!s->run_count)
		return sort_items(s, err);
	if (s->count && spill(s, err) < 0)
		return -1;
	return merge_begin(s, err);
}

int sorter_next(struct sorter *s, struct sort_record *out, struct err *err)
{
	const struct sorted *r;
	const struct owner *o;

	if (s->run_count)
		return merge_next(s, out, err);
	if (s->next == s->count)
		return 0;
	/* the records lie where they were parsed: bring the next ones in */
	if (s->next + 24 < s->count)
		__builtin_prefetch(s->items[s->next + 24].record);
	if (s->next + 12 < s->count) {
		const struct owner *owner = s->items[s->next + 12].record->owner;

		__builtin_prefetch(owner);
		__builtin_prefetch((const uint8_t *)owner + 63);
	}
	r = s->items[s->next++].record;
	o = r->owner;
	*out = (struct sort_record){ .owner = o->octets + o->key_size, .owner_size = o->name_size, .rdata = r->rdata,
		.size = r->size, .type = r->type, .ttl = r->ttl, .ttl_known = r->ttl_known, .place = r->place };
	out->next_owner = o != s->given_owner && (!s->given_owner
		|| compare_keys(o->octets, o->key_size, s->given_owner->octets, s->given_owner->key_size) != 0);
	s->given_owner = o;
	return 1;
}
