#include "store/image_format.h"

#include <stdlib.h>
#include <string.h>

/* epoch: of the source when an unstable pointer was fetched. Of a million names
 * there are a thousand of these, and each answer takes two: they are kept
 * small. */
#define EPOCH_STABLE ((UINT64_C(1) << 48) - 1)
struct chunk {
	const uint8_t *p;
	uint64_t epoch : 48, size : 16;
};

/* Kept small: what a lookup needs. */
struct image {
	struct chunk_source *source;
	uint64_t id, hash_key;
	uint32_t homes, nodes, nsec3_nodes, directory_lines;
	uint32_t chunks[PART_COUNT];    /* PART_HEADER: 1 */
	uint32_t order_names;           /* order chunks before those of NSEC3 */
	bool packed, delta;
	uint8_t apex_size;
	uint64_t few;                   /* of a delta of few names: the bits of their hashes; 0: it holds no such list */
	union {
		struct {
			struct chunk whole;             /* the one value */
			uint16_t data[2], data_size[2], directory, order, nsec3, end;
		} one;                          /* if packed */
		struct chunk *chunk[PART_COUNT];/* else: by part and number, filled as asked */
	};
	uint8_t apex[];
};

/* ---- chunks -------------------------------------------------------------- */

/* What the source gave. No chunk of ours is longer than CHUNK_SIZE. */
static struct chunk chunk_taken(const struct chunk_source *source, const uint8_t *p, size_t size, bool stable)
{
	return (struct chunk){ .p = p, .size = size < CHUNK_SIZE ? size : CHUNK_SIZE,
		.epoch = stable ? EPOCH_STABLE : source->epoch & EPOCH_STABLE };
}

static __attribute__((noinline)) bool chunk_fetch(struct image *image, struct chunk *c, enum image_part part, uint32_t number)
{
	bool stable = false;
	size_t size = 0;
	const uint8_t *p = image->source->chunk(image->source, image->id, part, number, &size, &stable);

	*c = chunk_taken(image->source, p, size, stable);
	return p != NULL;
}

static inline bool chunk_holds(const struct image *image, const struct chunk *c)
{
	return c->p && (c->epoch == EPOCH_STABLE || c->epoch == (image->source->epoch & EPOCH_STABLE));
}

static inline const uint8_t *whole(struct image *image)
{
	struct chunk *c = &image->one.whole;

	if (__builtin_expect(!chunk_holds(image, c), 0) && (!chunk_fetch(image, c, PART_HEADER, 0) || c->size < image->one.end))
		c->p = NULL;
	return c->p;
}

/* The chunk's octets, *size of them; NULL when it cannot be had. */
static inline const uint8_t *chunk_get(struct image *image, enum image_part part, uint32_t number, size_t *size)
{
	struct chunk *c;

	if (number >= image->chunks[part])
		return NULL;
	c = &image->chunk[part][number];
	if (__builtin_expect(!chunk_holds(image, c), 0) && !chunk_fetch(image, c, part, number))
		return NULL;
	*size = c->size;
	return c->p;
}

static inline const uint8_t *data_chunk(struct image *image, uint32_t number, size_t *size)
{
	const uint8_t *p;

	if (!image->packed)
		return chunk_get(image, PART_DATA, number, size);
	p = number < image->chunks[PART_DATA] ? whole(image) : NULL;
	if (!p)
		return NULL;
	*size = image->one.data_size[number];
	return p + image->one.data[number];
}

static inline const uint8_t *line_at(struct image *image, uint32_t line)
{
	const uint8_t *p;
	size_t size, at;

	if (line >= image->directory_lines)
		return NULL;
	if (image->packed) {
		p = whole(image);
		return p ? p + image->one.directory + (size_t)line * LINE_SIZE : NULL;
	}
	p = chunk_get(image, PART_DIRECTORY, line / LINES_PER_CHUNK, &size);
	at = LINES_PADDING + (size_t)(line % LINES_PER_CHUNK) * LINE_SIZE;
	return p && at + LINE_SIZE <= size ? p + at : NULL;
}

static const uint8_t *order_at(struct image *image, bool nsec3, uint32_t i)
{
	size_t entry = nsec3 ? NSEC3_ENTRY : ORDER_ENTRY, size, at;
	uint32_t per = nsec3 ? NSEC3_PER_CHUNK : ORDER_PER_CHUNK;
	const uint8_t *p;

	if (image->packed) {
		p = whole(image);
		return p ? p + (nsec3 ? image->one.nsec3 : image->one.order) + i * entry : NULL;
	}
	p = chunk_get(image, PART_ORDER, i / per + (nsec3 ? image->order_names : 0), &size);
	at = i % per * entry;
	return p && at + entry <= size ? p + at : NULL;
}

/* The node at a place, if it lies wholly in its chunk. */
static const uint8_t *node_at(struct image *image, uint64_t place)
{
	uint32_t at = place_offset(place);
	const uint8_t *chunk, *n;
	size_t size;

	chunk = data_chunk(image, place_chunk(place), &size);
	if (!chunk || at < DATA_HEADER_SIZE || at + NODE_HEADER_SIZE > size)
		return NULL;
	n = chunk + at;
	if (node_size(n) > size - at ||
	    NODE_HEADER_SIZE + (size_t)node_rrsets(n) * NODE_ENTRY_SIZE + node_owner_size(n) > node_size(n))
		return NULL;
	return n;
}

/* ---- opening ------------------------------------------------------------- */

static int fill_packed(struct image *image, const struct image_layout *l, const struct chunk *whole, struct err *err)
{
	struct packed_at at;

	if (layout_packed(l, whole->p, whole->size, &at, err))
		return -1;
	image->one.whole = *whole;
	for (unsigned i = 0; i < 2; i++) {
		image->one.data[i] = (uint16_t)at.data[i];
		image->one.data_size[i] = (uint16_t)at.data_size[i];
	}
	image->one.directory = (uint16_t)at.directory;
	image->one.order = (uint16_t)at.order;
	image->one.nsec3 = (uint16_t)at.nsec3;
	image->one.end = (uint16_t)at.end;
	return 0;
}

static int fill_chunks(struct image *image, struct err *err)
{
	for (int part = PART_DATA; part < PART_COUNT; part++) {
		uint32_t count = image->chunks[part];

		image->chunk[part] = calloc(count ? count : 1, sizeof *image->chunk[part]);
		if (!image->chunk[part])
			return err_set(err, ERR_NOMEM, "no memory for the places of %u chunks", count);
	}
	return 0;
}

static struct image *image_make(struct chunk_source *source, uint64_t id, const struct image_layout *l)
{
	const struct image_header *h = &l->header;
	struct image *image = calloc(1, sizeof *image + h->apex_size);

	if (!image)
		return NULL;
	image->source = source;
	image->id = id;
	image->hash_key = h->hash_key;
	image->nodes = h->nodes;
	image->nsec3_nodes = h->nsec3_nodes;
	image->directory_lines = h->directory_lines;
	memcpy(image->chunks, l->chunks, sizeof image->chunks);
	image->homes = home_lines(h->nodes);
	image->order_names = chunks_for(order_entries(h->nodes), ORDER_PER_CHUNK);
	image->packed = l->packed;
	image->delta = h->delta;
	image->apex_size = h->apex_size;
	memcpy(image->apex, h->apex, h->apex_size);
	return image;
}

static inline uint64_t few_bit(uint64_t hash)
{
	return UINT64_C(1) << (hash >> 58);
}

/* Between two folds a name is looked for in every delta, and is in none of
 * them: what holds a few names tells so by a look at one word. */
#define FEW 16

static void note_few(struct image *image)
{
	struct image_walk walk;
	const uint8_t *n;
	uint64_t bits = 0;
	uint32_t seen = 0;

	if (!image->delta || image->nodes > FEW)
		return;
	image_walk_begin(&walk, image, false);
	while ((n = image_walk_next(&walk))) {
		uint8_t lower[NAME_MAX_SIZE], at[NAME_MAX_LABELS + 1];
		int labels = relative_labels(node_owner(n), node_owner_size(n), image->apex_size, at);
		uint64_t hash = apex_hash(image->apex, image->hash_key);

		if (labels < 0)
			return;
		name_lower(lower, node_owner(n), node_owner_size(n));
		while (labels--)
			hash = name_hash_label(hash, lower + at[labels]);
		bits |= few_bit(hash);
		seen++;
	}
	if (seen == image->nodes)
		image->few = bits;
}

static inline bool surely_lacks(const struct image *image, uint64_t hash)
{
	return image->few && !(image->few & few_bit(hash));
}

/* The header as the source has it now; *c: the chunk that it is in. */
static int fetch_header(struct chunk_source *source, uint64_t id, struct chunk *c, struct image_layout *l, struct err *err)
{
	bool stable = false;
	size_t size = 0;
	const uint8_t *p = source->chunk(source, id, PART_HEADER, 0, &size, &stable);

	*c = chunk_taken(source, p, size, stable);
	if (!c->p)
		return err_set(err, ERR_CORRUPT, "image %llu is not in the store", (unsigned long long)id);
	if (layout_decode(l, c->p, c->size, err))
		return err_context(err, "image %llu", (unsigned long long)id);
	return 0;
}

struct image *image_open(struct chunk_source *source, uint64_t id, struct err *err)
{
	struct image_layout layout;
	struct image *image;
	struct chunk first;

	if (fetch_header(source, id, &first, &layout, err))
		return NULL;
	image = image_make(source, id, &layout);
	if (!image) {
		err_set(err, ERR_NOMEM, "image %llu: no memory to open it", (unsigned long long)id);
		return NULL;
	}
	if (layout.packed ? fill_packed(image, &layout, &first, err) : fill_chunks(image, err)) {
		err_context(err, "image %llu", (unsigned long long)id);
		image_close(image);
		return NULL;
	}
	note_few(image);
	return image;
}

void image_close(struct image *image)
{
	if (!image)
		return;
	for (int part = 0; !image->packed && part < PART_COUNT; part++)
		free(image->chunk[part]);
	free(image);
}

uint64_t image_id(const struct image *image)
{
	return image->id;
}

int image_read_header(struct image *image, struct image_header *header, struct err *err)
{
	struct image_layout layout;
	struct chunk c;

	if (fetch_header(image->source, image->id, &c, &layout, err))
		return -1;
	*header = layout.header;
	return 0;
}

const uint8_t *image_apex(const struct image *image, size_t *size)
{
	*size = image->apex_size;
	return image->apex;
}

uint64_t image_hash_key(const struct image *image)
{
	return image->hash_key;
}

bool image_is_delta(const struct image *image)
{
	return image->delta;
}

uint32_t image_nsec3_nodes(const struct image *image)
{
	return image->nsec3_nodes;
}

size_t image_memory(const struct image *image)
{
	size_t chunks = 0;

	for (int part = PART_DATA; !image->packed && part < PART_COUNT; part++)
		chunks += image->chunks[part];
	return sizeof *image + image->apex_size + chunks * sizeof(struct chunk);
}

/* ---- the directory ------------------------------------------------------- */

/* The slots of a home's run that have the tag. */
struct tag_search {
	struct image *image;
	const uint8_t *line;            /* NULL: the run is through */
	uint32_t number;                /* of the line */
	unsigned first, left;           /* slots of the run: the first in this line, how many from there on */
	uint16_t tag;
	uint64_t hits;                  /* slots of the line that have it; see tag_hits */
};

/* Those of four tags that are the wanted one, as the lowest bit of each 16;
 * perhaps with others behind one that is. */
static inline uint64_t four_tags(const uint8_t *p, uint64_t wanted)
{
	uint64_t differ = load_le64(p) ^ wanted;

	return ((differ - 0x0001000100010001) & ~differ & 0x8000800080008000) >> 15;
}

/* Slot 4k + j of the line is bit 16j + k. There may be more than that: places
 * behind the last tag, slots of other runs. */
static inline uint64_t tag_hits(const uint8_t *line, uint16_t tag)
{
	uint64_t wanted = tag * UINT64_C(0x0001000100010001);

	return four_tags(line, wanted) | four_tags(line + 8, wanted) << 1 | four_tags(line + 16, wanted) << 2;
}

static inline struct tag_search tag_begin(struct image *image, uint64_t hash)
{
	uint32_t home = hash_home(hash, image->homes);
	struct tag_search t = { .image = image, .tag = hash_tag(hash), .number = home, .line = line_at(image, home) };

	if (!t.line)
		return t;
	t.first = line_shift(t.line);
	t.left = line_count(t.line);
	if (__builtin_expect(t.first >= LINE_SLOTS, 0)) {
		t.number += t.first / LINE_SLOTS;
		t.first %= LINE_SLOTS;
		t.line = line_at(image, t.number);
	}
	if (t.line)
		t.hits = tag_hits(t.line, t.tag);
	return t;
}

/* Does the run go on in the next line? */
static inline bool tag_next_line(struct tag_search *t)
{
	if (t->left <= LINE_SLOTS - t->first)
		return false;
	t->left -= LINE_SLOTS - t->first;
	t->first = 0;
	t->line = line_at(t->image, ++t->number);
	if (t->line)
		t->hits = tag_hits(t->line, t->tag);
	return t->line;
}

/* The place of the next one; 0: none. */
static inline uint32_t tag_next(struct tag_search *t)
{
	if (!t->line)
		return 0;
	do {
		while (t->hits) {
			unsigned bit = (unsigned)__builtin_ctzll(t->hits), slot = bit % 16 * 4 + bit / 16;

			t->hits &= t->hits - 1;
			if (slot < LINE_SLOTS && slot - t->first < t->left)
				return line_place(t->line, slot);
		}
	} while (__builtin_expect(tag_next_line(t), 0));
	return 0;
}

const uint8_t *image_find(struct image *image, uint64_t hash, const uint8_t *relative, size_t size)
{
	struct tag_search t;
	uint32_t place;

	if (surely_lacks(image, hash))
		return NULL;
	t = tag_begin(image, hash);
	while ((place = tag_next(&t))) {
		const uint8_t *n = node_at(image, place);

		if (n && node_owner_size(n) == size && name_equal(node_owner(n), relative, size))
			return n;
	}
	return NULL;
}

void image_prefetch_directory(struct image *image, uint64_t hash)
{
	const uint8_t *line = surely_lacks(image, hash) ? NULL : line_at(image, hash_home(hash, image->homes));

	if (line)
		__builtin_prefetch(line);
}

/* Most nodes have 40 octets or less: the line of its first octet, and the one
 * of its last. */
#define NODE_OFTEN 40

void image_prefetch_node(struct image *image, uint64_t hash)
{
	struct tag_search t;
	const uint8_t *chunk;
	uint32_t place;
	size_t size;

	if (surely_lacks(image, hash))
		return;
	t = tag_begin(image, hash);
	place = tag_next(&t);
	chunk = place ? data_chunk(image, place_chunk(place), &size) : NULL;
	if (chunk && place_offset(place) < size) {
		__builtin_prefetch(chunk + place_offset(place));
		__builtin_prefetch(chunk + place_offset(place) + NODE_OFTEN - 1);
	}
}

/* ---- RRsets -------------------------------------------------------------- */

/* The rest of an RRset that lies far. */
static bool far_rrset(struct image *image, uint32_t place, struct rrset *s)
{
	size_t size;
	const uint8_t *chunk = data_chunk(image, place_chunk(place), &size);

	if (!chunk || place_offset(place) + rrset_size(s) > size)
		return false;
	rrset_lies_at(s, chunk + place_offset(place));
	return true;
}

static inline bool entry_read(struct image *image, const uint8_t *node, uint16_t entry, struct rrset *s)
{
	uint32_t far;

	return node_rrset(node, entry, s, &far) && (!far || far_rrset(image, far, s)) && s->count && s->wire_size >= RR_FIXED_SIZE;
}

bool image_rrset(struct image *image, const uint8_t *node, uint16_t type, struct rrset *set)
{
	unsigned i, n = node_rrsets(node);
	size_t size = node_size(node);

	for (i = 0; i < n; i++) {
		uint16_t entry = node_entry(node, i), t;
		size_t at = entry & ~(unsigned)ENTRY_PLAIN;

		if (at + 4 > size)
			return false;
		t = load_be16(node + at + 2);
		if (t >= type)
			return t == type && entry_read(image, node, entry, set);
	}
	return false;
}

bool image_rrset_at(struct image *image, const uint8_t *node, unsigned i, struct rrset *set)
{
	return i < node_rrsets(node) && entry_read(image, node, node_entry(node, i), set);
}

void record_walk_begin(struct record_walk *w, const struct rrset *set, bool sigs, const uint8_t *apex, size_t apex_size)
{
	*w = (struct record_walk){ .set = set, .apex = apex, .apex_size = (uint8_t)apex_size, .sigs = sigs };
}

bool record_walk_next(struct record_walk *w, struct record *r, uint8_t *scratch)
{
	const struct rrset *s = w->set;
	const uint8_t *base = w->sigs ? s->sigs : s->wire;
	size_t size = w->sigs ? s->sigs_size : s->wire_size, rd, from, to = 0, end;

	if (w->at + 12 > size)
		return false;
	r->ttl = load_be32(base + w->at + 6);
	rd = load_be16(base + w->at + 10);
	from = w->at + 12;
	end = from + rd;
	if (end > size)
		return false;
	w->at = (uint32_t)end;
	r->rdata = base + from;
	r->size = (uint16_t)rd;
	if (w->sigs)
		return true;
	while (w->patch < s->patches) {
		size_t at = rrset_patch(s, w->patch);

		if (at < from || at + 2 > end)
			break;
		if (to + (at - from) + w->apex_size + (end - at - 2) > UINT16_MAX)
			return false;
		memcpy(scratch + to, base + from, at - from);
		to += at - from;
		memcpy(scratch + to, w->apex, w->apex_size);
		to += w->apex_size;
		from = at + 2;
		r->rdata = scratch;
		w->patch++;
	}
	if (r->rdata == scratch) {
		memcpy(scratch + to, base + from, end - from);
		r->size = (uint16_t)(to + end - from);
	}
	return true;
}

/* ---- walking ------------------------------------------------------------- */

static uint64_t walk_count(const struct image_walk *w)
{
	return w->nsec3 ? w->image->nsec3_nodes : w->image->nodes;
}

/* The place of the node behind the one at place; 0: none, or not to be had. */
static uint64_t place_behind(struct image *image, uint64_t place, const uint8_t *node)
{
	uint32_t number = place_chunk(place), next;
	const uint8_t *chunk;
	size_t size;

	chunk = data_chunk(image, number, &size);
	if (!chunk)
		return 0;
	if (place_offset(place) + (size_t)node_size(node) < size)
		return place + node_size(node) / 8;
	next = data_next(chunk);
	/* Chunks of a kind are linked upwards only: no way into a circle. */
	return next == NO_CHUNK || next <= number ? 0 : make_place(next, DATA_HEADER_SIZE);
}

/* Stand before node `index`. */
static void walk_to(struct image_walk *w, uint64_t index)
{
	const uint8_t *e, *n;
	uint64_t i;

	w->index = index;
	w->place = 0;
	if (index >= walk_count(w)) {
		w->index = walk_count(w);
		return;
	}
	if (w->nsec3) {
		e = order_at(w->image, true, (uint32_t)index);
		w->place = e ? load_le32(e + 8) : 0;
		return;
	}
	e = order_at(w->image, false, (uint32_t)(index / ORDER_STEP));
	w->place = e ? load_le32(e + ORDER_KEY) : 0;
	for (i = index - index % ORDER_STEP; i < index && w->place; i++) {
		n = node_at(w->image, w->place);
		w->place = n ? place_behind(w->image, w->place, n) : 0;
	}
}

void image_walk_begin(struct image_walk *w, struct image *image, bool nsec3)
{
	*w = (struct image_walk){ .image = image, .nsec3 = nsec3 };
	walk_to(w, 0);
}

const uint8_t *image_walk_next(struct image_walk *w)
{
	const uint8_t *n;

	if (w->index >= walk_count(w) || !w->place)
		return NULL;
	n = node_at(w->image, w->place);
	if (!n)
		return NULL;
	w->index++;
	w->place = w->index < walk_count(w) ? place_behind(w->image, w->place, n) : 0;
	return n;
}

const uint8_t *image_walk_previous(struct image_walk *w)
{
	if (w->index == 0)
		return NULL;
	walk_to(w, w->index - 1);
	return w->place ? node_at(w->image, w->place) : NULL;
}

/* How the i-th entry's node sorts against the name: by the keys, and by the
 * names where these tell nothing. */
static int order_compare(struct image *image, bool nsec3, uint32_t i, const uint8_t *key, uint64_t nsec3_key,
	const uint8_t *relative, size_t size)
{
	const uint8_t *e = order_at(image, nsec3, i), *n;
	int c;

	if (!e)
		return 1;
	if (nsec3) {
		uint64_t k = load_le64(e);

		c = k < nsec3_key ? -1 : k > nsec3_key;
	} else {
		c = memcmp(e, key, ORDER_KEY);
	}
	if (c)
		return c;
	n = node_at(image, load_le32(e + (nsec3 ? 8 : ORDER_KEY)));
	return n ? name_compare(node_owner(n), node_owner_size(n), relative, size) : 1;
}

/* Hashes are spread evenly: from where a key is seen, how far on the wanted
 * one must be. Two such steps land within a few entries. */
static uint32_t nsec3_guess(struct image *image, uint32_t count, uint64_t key)
{
	uint32_t at = (uint32_t)((unsigned __int128)key * count >> 64);
	int i;

	for (i = 0; i < 2; i++) {
		const uint8_t *e = order_at(image, true, at);
		uint64_t seen = e ? load_le64(e) : key, step;

		if (seen < key) {
			step = (unsigned __int128)(key - seen) * count >> 64;
			at = step < count - at ? at + (uint32_t)step : count - 1;
		} else {
			step = (unsigned __int128)(seen - key) * count >> 64;
			at = step <= at ? at - (uint32_t)step : 0;
		}
	}
	return at;
}

/* How many entries lie before the name: for hashes around a guess, in steps
 * that grow; the rest by halving. */
static uint32_t order_before(struct image *image, bool nsec3, uint32_t count, const uint8_t *relative, size_t size)
{
	uint8_t key[ORDER_KEY] = { 0 };
	uint64_t nsec3_key = 0;
	uint32_t low = 0, high = count;

	if (nsec3 && count) {
		uint64_t step = 4;
		uint32_t guess;

		nsec3_key = order_nsec3_key(relative, size);
		for (guess = nsec3_guess(image, count, nsec3_key); guess >= low && guess < high; step *= 4) {
			if (order_compare(image, true, guess, key, nsec3_key, relative, size) < 0) {
				low = guess + 1;
				guess = high - low > step ? low + (uint32_t)step : high;
			} else {
				high = guess;
				guess = high - low > step ? high - (uint32_t)step : high;
			}
		}
	} else {
		order_key(key, relative, size);
	}
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (order_compare(image, nsec3, mid, key, nsec3_key, relative, size) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void image_walk_seek(struct image_walk *w, struct image *image, bool nsec3, const uint8_t *relative, size_t size)
{
	const uint8_t *n;
	uint32_t entry;

	*w = (struct image_walk){ .image = image, .nsec3 = nsec3 };
	if (nsec3) {
		walk_to(w, order_before(image, true, image->nsec3_nodes, relative, size));
		return;
	}
	entry = order_before(image, false, order_entries(image->nodes), relative, size);
	walk_to(w, entry ? (uint64_t)(entry - 1) * ORDER_STEP : 0);
	for (;;) {
		struct image_walk here = *w;

		n = image_walk_next(w);
		if (!n)
			return;
		if (name_compare(node_owner(n), node_owner_size(n), relative, size) >= 0) {
			*w = here;
			return;
		}
	}
}
