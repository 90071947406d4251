#include "store/image_format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/content_hash.h"
#include "wire/rrtype.h"

/* One kind of nodes: names, or NSEC3. The chunk that is being filled is kept
 * here; when it is full it goes to the file, and is not read again. */
struct stream {
	enum stream_kind kind;
	bool open;
	uint32_t number, used;
	uint32_t nodes;
	struct trail trail;
	uint8_t buf[CHUNK_SIZE];
};

struct slot_source { uint32_t spread, tag, place; };   /* a name's hash, upper and lower half */
struct order_source { uint8_t key[ORDER_KEY]; uint32_t place; };
struct nsec3_source { uint64_t key; uint32_t place; };

/* A growing array: the only memory that grows with the zone, 13 octets a name
 * and 16 an NSEC3 node, and a quarter of that once more at the end. */
struct array {
	void *items;
	size_t count, size;
};

struct image_builder {
	int fd;
	uint64_t offset;
	struct image_layout layout;
	bool failed, flushed;
	uint32_t next_chunk;
	struct stream stream[2];
	struct { uint32_t place; uint16_t flags; } above[NAME_MAX_LABELS + 1];  /* by depth: the last owner and what it is below */
	struct encoder encoder;
	struct array sets;              /* struct node_set: of the owner at hand */
	struct array blob_at;           /* size_t: their blobs in the encoder */
	struct array slots, order, nsec3;
	struct content_hash content;
};

struct image_builder *image_builder_new(int fd, uint64_t offset, const uint8_t *apex, size_t apex_size,
	uint64_t hash_key, bool delta, struct err *err)
{
	struct image_builder *b;
	struct image_header *h;

	if (offset % 8 || name_length(apex, apex_size) != apex_size || apex_size == 0) {
		err_set(err, ERR_INTERNAL, "image: offset %llu or the apex is not well-formed", (unsigned long long)offset);
		return NULL;
	}
	b = calloc(1, sizeof *b);
	if (!b) {
		err_set(err, ERR_NOMEM, "no memory for an image's builder");
		return NULL;
	}
	b->fd = fd;
	b->offset = offset;
	h = &b->layout.header;
	h->delta = delta;
	h->hash_key = hash_key;
	h->apex_size = (uint8_t)apex_size;
	name_lower(h->apex, apex, apex_size);
	b->encoder.apex_size = (uint8_t)apex_size;
	memcpy(b->encoder.apex, h->apex, apex_size);
	b->stream[STREAM_NSEC3].kind = STREAM_NSEC3;
	b->stream[STREAM_NAMES].trail.hash[0] = apex_hash(h->apex, hash_key);
	b->layout.first[STREAM_NAMES] = b->layout.first[STREAM_NSEC3] = NO_CHUNK;
	return b;
}

void image_builder_free(struct image_builder *b)
{
	if (!b)
		return;
	free(b->encoder.buf);
	free(b->sets.items);
	free(b->blob_at.items);
	free(b->slots.items);
	free(b->order.items);
	free(b->nsec3.items);
	free(b);
}

/* ---- small helpers ------------------------------------------------------- */

static void *array_add(struct array *a, size_t item, struct err *err)
{
	if (a->count == a->size) {
		size_t size = a->size ? a->size * 2 : 64;
		void *items = realloc(a->items, size * item);

		if (!items) {
			err_set(err, ERR_NOMEM, "no memory for an image's index (%zu octets)", size * item);
			return NULL;
		}
		a->items = items;
		a->size = size;
	}
	return (uint8_t *)a->items + a->count++ * item;
}

static int write_at(struct image_builder *b, uint64_t at, const uint8_t *p, size_t size, struct err *err)
{
	while (size) {
		ssize_t n = pwrite(b->fd, p, size, (off_t)(b->offset + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = ENOSPC;
			return err_system(err, "writing the image file");
		}
		p += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

/* "owner: " before the message. */
static int owner_context(struct image_builder *b, const uint8_t *owner, size_t size, struct err *err)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	char text[NAME_TEXT_MAX];

	b->failed = true;
	if (size + b->layout.header.apex_size > NAME_MAX_SIZE)
		return -1;
	if (size)
		memcpy(full, owner, size);
	memcpy(full + size, b->layout.header.apex, b->layout.header.apex_size);
	if (!name_length(full, size + b->layout.header.apex_size))
		return -1;
	return err_context(err, "%s", name_to_text(text, full));
}

/* ---- chunks -------------------------------------------------------------- */

static int chunk_write(struct image_builder *b, const uint8_t *chunk, uint32_t number, uint32_t used, struct err *err)
{
	b->flushed = true;
	return write_at(b, frame_offset(&b->layout, PART_DATA, number), chunk, used, err);
}

static void chunk_head(uint8_t *chunk, uint32_t used, enum stream_kind kind, uint32_t next, uint32_t first_index)
{
	store_le32(chunk, used);
	store_le32(chunk + 4, kind);
	store_le32(chunk + 8, next);
	store_le32(chunk + 12, first_index);
}

/* Ends the chunk at hand; the stream goes on in chunk `number`. */
static int stream_turn(struct image_builder *b, struct stream *s, uint32_t number, struct err *err)
{
	if (s->open) {
		store_le32(s->buf, s->used);
		store_le32(s->buf + 8, number);
		if (chunk_write(b, s->buf, s->number, s->used, err))
			return -1;
	} else {
		b->layout.first[s->kind] = number;
	}
	s->open = true;
	s->number = number;
	s->used = DATA_HEADER_SIZE;
	chunk_head(s->buf, 0, s->kind, NO_CHUNK, s->nodes);
	return 0;
}

/* A blob in a chunk of its own. */
static int far_write(struct image_builder *b, const struct node_set *set, uint32_t number, struct err *err)
{
	size_t used = DATA_HEADER_SIZE + round8(node_set_size(set));
	uint8_t *chunk = calloc(1, used);
	int r;

	if (!chunk)
		return err_set(err, ERR_NOMEM, "no memory for a chunk");
	chunk_head(chunk, (uint32_t)used, STREAM_FAR, NO_CHUNK, 0);
	memcpy(chunk + DATA_HEADER_SIZE, set->blob, node_set_size(set));
	r = chunk_write(b, chunk, number, (uint32_t)used, err);
	free(chunk);
	return r;
}

/* ---- nodes --------------------------------------------------------------- */

/* Sends the largest blobs far until the rest fits into a chunk. */
static int node_fit(struct node_set *sets, unsigned count, size_t owner_size, size_t *size, unsigned *far, struct err *err)
{
	size_t total = NODE_HEADER_SIZE + (size_t)count * NODE_ENTRY_SIZE + owner_size;
	unsigned i;

	*far = 0;
	for (i = 0; i < count; i++) {
		sets[i].far = false;
		total += node_set_size(&sets[i]);
	}
	while (round8(total) > BLOB_MAX) {
		struct node_set *largest = NULL;

		for (i = 0; i < count; i++)
			if (!sets[i].far && (!largest || node_set_size(&sets[i]) > node_set_size(largest)))
				largest = &sets[i];
		if (!largest || *far == FAR_MAX)
			return err_set(err, ERR_LIMIT, "%u RRsets of %zu octets are too much for one name", count, total);
		largest->far = true;
		total -= node_set_size(largest);
		++*far;
	}
	*size = round8(total);
	return 0;
}

/* Makes room for a node of that size; far blobs go into the chunks right
 * before the node's, which the node then begins. */
static int node_room(struct image_builder *b, struct stream *s, struct node_set *sets, unsigned count,
	size_t size, unsigned far, uint32_t *far_chunk, struct err *err)
{
	uint32_t number = b->next_chunk;
	unsigned i;

	*far_chunk = number;
	if (!far && s->open && s->used + size <= CHUNK_SIZE)
		return 0;
	if (number + far >= DATA_CHUNKS_MAX)
		return err_set(err, ERR_LIMIT, "the zone is larger than the 32 GiB that an image can hold");
	b->next_chunk += far + 1;
	for (i = 0; i < count; i++)
		if (sets[i].far && far_write(b, &sets[i], number++, err))
			return -1;
	return stream_turn(b, s, number, err);
}

static int node_put(struct image_builder *b, enum stream_kind kind, const uint8_t *owner, size_t owner_size, uint16_t flags,
	struct node_set *sets, unsigned count, uint32_t *place, struct err *err)
{
	struct stream *s = &b->stream[kind];
	size_t size = 0, at;
	unsigned far = 0, i;
	uint32_t far_chunk;
	uint8_t *n;

	if (node_fit(sets, count, owner_size, &size, &far, err) || node_room(b, s, sets, count, size, far, &far_chunk, err))
		return -1;
	n = s->buf + s->used;
	*place = make_place(s->number, s->used);
	memset(n, 0, NODE_HEADER_SIZE);
	store_le32(n, (uint32_t)size);
	store_le16(n + 4, flags);
	n[6] = (uint8_t)owner_size;
	n[7] = s->trail.labels;
	store_le16(n + 8, (uint16_t)count);
	at = NODE_HEADER_SIZE + (size_t)count * NODE_ENTRY_SIZE;
	if (owner_size)
		memcpy(n + at, owner, owner_size);
	at += owner_size;
	for (i = 0; i < count; i++) {
		uint8_t *e = n + NODE_HEADER_SIZE + (size_t)i * NODE_ENTRY_SIZE;
		const struct node_set *set = &sets[i];

		store_le16(e, set->type);
		store_le16(e + 2, set->count);
		store_le16(e + 4, set->sig_count);
		store_le16(e + 6, set->far ? ENTRY_FAR : 0);
		store_le32(e + 8, set->far ? make_place(far_chunk++, DATA_HEADER_SIZE) : (uint32_t)at);
		store_le16(e + 12, set->wire_size);
		store_le16(e + 14, set->sigs_size);
		store_le16(e + 16, set->patches);
		store_le16(e + 18, set->targets);
		b->layout.header.records += (uint64_t)set->count + set->sig_count;
		if (!set->far) {
			memcpy(n + at, set->blob, node_set_size(set));
			at += node_set_size(set);
		}
	}
	memset(n + at, 0, size - at);
	b->layout.header.rrsets += count;
	s->used += (uint32_t)size;
	s->nodes++;
	return 0;
}

/* A name's node, with its line in the indexes. */
static int name_put(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t flags,
	struct node_set *sets, unsigned count, uint64_t hash, uint32_t *place, struct err *err)
{
	uint32_t index = b->stream[STREAM_NAMES].nodes;
	struct slot_source *slot;
	struct order_source *order;

	if (node_put(b, STREAM_NAMES, owner, size, flags, sets, count, place, err))
		return -1;
	slot = array_add(&b->slots, sizeof *slot, err);
	if (!slot)
		return -1;
	*slot = (struct slot_source){ .spread = (uint32_t)(hash >> 32), .tag = hash_tag(hash), .place = *place };
	if (index % ORDER_STEP)
		return 0;
	order = array_add(&b->order, sizeof *order, err);
	if (!order)
		return -1;
	order_key(order->key, owner, size);
	order->place = *place;
	return 0;
}

static int trail_error(enum trail_step step, struct err *err)
{
	if (step == TRAIL_MALFORMED)
		return err_set(err, ERR_INTERNAL, "the owner is not a well-formed name of at most 255 octets");
	return err_set(err, ERR_INTERNAL, "the owner %s", step == TRAIL_SAME ? "comes twice" : "is not in canonical order");
}

/* The wildcard's parent learns of it; it may be in the file already. */
static int mark_wild_child(struct image_builder *b, unsigned depth, struct err *err)
{
	struct stream *s = &b->stream[STREAM_NAMES];
	uint32_t place = b->above[depth].place;
	uint8_t flags[2];

	b->above[depth].flags |= NODE_WILD_CHILD;
	store_le16(flags, b->above[depth].flags);
	if (place_chunk(place) == s->number) {
		memcpy(s->buf + place_offset(place) + 4, flags, 2);
		return 0;
	}
	return write_at(b, frame_offset(&b->layout, PART_DATA, place_chunk(place)) + place_offset(place) + 4, flags, 2, err);
}

#define BELOW (NODE_CUT | NODE_DNAME | NODE_OCCLUDED)

static int name_full(struct image_builder *b, const uint8_t *owner, size_t size, struct node_set *sets, unsigned count, struct err *err)
{
	struct trail *t = &b->stream[STREAM_NAMES].trail;
	enum trail_step step;
	unsigned common, depth, labels;

	/* The apex is there, even where the zone text has forgotten it. */
	if (!t->begun && size && name_full(b, owner, 0, NULL, 0, err))
		return -1;
	step = trail_next(t, owner, size, b->layout.header.apex_size, &common);
	if (step != TRAIL_RISING)
		return trail_error(step, err);
	labels = t->labels;
	trail_hash(t);
	for (depth = labels ? common + 1 : 0; depth <= labels; depth++) {
		const uint8_t *name = owner + t->at[labels - depth];
		size_t name_size = size - t->at[labels - depth];
		bool occluded = depth && b->above[depth - 1].flags & BELOW;
		bool last = depth == labels;
		uint16_t flags = node_own_flags(name, name_size, occluded, last ? sets : NULL, last ? count : 0);

		t->labels = (uint8_t)depth;
		if (occluded)
			flags |= NODE_OCCLUDED;
		if (name_put(b, name, name_size, flags, last ? sets : NULL, last ? count : 0, t->hash[depth], &b->above[depth].place, err))
			return -1;
		b->above[depth].flags = flags;
		if (flags & NODE_WILDCARD && mark_wild_child(b, depth - 1, err))
			return -1;
	}
	t->labels = (uint8_t)labels;
	return 0;
}

static int name_delta(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t said,
	struct node_set *sets, unsigned count, struct err *err)
{
	struct trail *t = &b->stream[STREAM_NAMES].trail;
	enum trail_step step;
	uint16_t flags;
	unsigned common;
	uint32_t place;

	if (said & NODE_GONE && count)
		return err_set(err, ERR_INTERNAL, "a name that is gone has %u RRsets", count);
	step = trail_next(t, owner, size, b->layout.header.apex_size, &common);
	if (step != TRAIL_RISING)
		return trail_error(step, err);
	flags = node_own_flags(owner, size, said & NODE_OCCLUDED, sets, count);
	if (said & NODE_GONE)
		flags = (flags & ~NODE_ENT) | NODE_GONE;
	flags |= said & (NODE_OCCLUDED | NODE_WILD_CHILD);
	return name_put(b, owner, size, flags, sets, count, trail_hash(t), &place, err);
}

static int nsec3_put(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t said,
	struct node_set *sets, unsigned count, struct err *err)
{
	bool gone = b->layout.header.delta && said & NODE_GONE;
	struct nsec3_source *entry;
	enum trail_step step;
	unsigned common;
	uint32_t place;

	if (gone ? count != 0 : count != 1 || sets[0].type != TYPE_NSEC3)
		return err_set(err, ERR_INTERNAL, "an NSEC3 node holds one NSEC3 RRset, or none when it is gone");
	step = trail_next(&b->stream[STREAM_NSEC3].trail, owner, size, b->layout.header.apex_size, &common);
	if (step != TRAIL_RISING)
		return trail_error(step, err);
	if (node_put(b, STREAM_NSEC3, owner, size, NODE_NSEC3 | (gone ? NODE_GONE : 0), sets, count, &place, err))
		return -1;
	entry = array_add(&b->nsec3, sizeof *entry, err);
	if (!entry)
		return -1;
	entry->key = order_nsec3_key(owner, size);
	entry->place = place;
	return 0;
}

/* The sets of one owner, encoded, go where they belong. */
static int owner_put(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t flags,
	struct node_set *sets, unsigned count, struct err *err)
{
	unsigned i, nsec3 = count;

	if (flags & NODE_NSEC3)
		return nsec3_put(b, owner, size, flags, sets, count, err);
	for (i = 0; i < count; i++)
		if (sets[i].type == TYPE_NSEC3)
			nsec3 = i;
	/* RFC 5155 7.2.8: the hashed owner is no name of the zone. */
	if (nsec3 < count) {
		if (nsec3_put(b, owner, size, 0, &sets[nsec3], 1, err))
			return -1;
		memmove(&sets[nsec3], &sets[nsec3 + 1], (count - nsec3 - 1) * sizeof *sets);
		if (--count == 0)
			return 0;
	}
	return b->layout.header.delta ? name_delta(b, owner, size, flags, sets, count, err)
		: name_full(b, owner, size, sets, count, err);
}

static int owner_encode(struct image_builder *b, const uint8_t *owner, size_t size,
	const struct build_rrset *rrsets, unsigned count, struct err *err)
{
	const struct image_header *h = &b->layout.header;
	uint8_t full[NAME_MAX_SIZE];
	struct content_hash hash;
	unsigned i;

	if (size + h->apex_size > sizeof full)
		return trail_error(TRAIL_MALFORMED, err);
	name_lower(full, owner, size);
	memcpy(full + size, h->apex, h->apex_size);
	b->encoder.used = b->sets.count = b->blob_at.count = 0;
	for (i = 0; i < count; i++) {
		struct node_set *set = array_add(&b->sets, sizeof *set, err);
		size_t *at = array_add(&b->blob_at, sizeof *at, err);
		char mnemonic[16];

		if (!set || !at || encode_rrset(&b->encoder, &rrsets[i], set, at, err))
			return -1;
		if (i && set->type <= set[-1].type)
			return err_set(err, ERR_INTERNAL, "%s: the types do not rise", rrtype_to_text(set->type, mnemonic));
		/* Message header and question go with it. */
		if (12 + size + h->apex_size + 4 + set->wire_size > UINT16_MAX)
			return err_set(err, ERR_LIMIT, "%s: an RRset of %u octets does not fit into a DNS message of 65535 octets",
				rrtype_to_text(set->type, mnemonic), set->wire_size);
		content_hash_rrset(&hash, full, size + h->apex_size, &rrsets[i]);
		content_hash_add(&b->content, &hash);
	}
	for (i = 0; i < count; i++)
		((struct node_set *)b->sets.items)[i].blob = b->encoder.buf + ((size_t *)b->blob_at.items)[i];
	return 0;
}

int image_builder_node(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t flags,
	const struct build_rrset *rrsets, unsigned count, struct err *err)
{
	if (b->failed)
		return err_set(err, ERR_INTERNAL, "the image's builder has failed before");
	if (count == 0 && !b->layout.header.delta && size)
		return 0;       /* an empty non-terminal shows by what is below it */
	if (owner_encode(b, owner, size, rrsets, count, err) ||
	    owner_put(b, owner, size, b->layout.header.delta ? flags : 0, b->sets.items, count, err))
		return owner_context(b, owner, size, err);
	return 0;
}

int image_builder_copy(struct image_builder *b, struct found found, struct err *err)
{
	const uint8_t *owner = node_owner(found.node);
	size_t size = node_owner_size(found.node);
	uint16_t flags = node_flags(found.node);
	struct content_hash hash;
	unsigned i;

	if (b->failed)
		return err_set(err, ERR_INTERNAL, "the image's builder has failed before");
	if (!b->layout.header.delta) {
		if (flags & NODE_GONE || (flags & NODE_ENT && size))
			return 0;
		flags &= NODE_NSEC3;
	}
	b->sets.count = 0;
	for (i = 0; i < node_rrsets(found.node); i++) {
		struct node_set *set = array_add(&b->sets, sizeof *set, err);
		struct rrset s;

		if (!set)
			return owner_context(b, owner, size, err);
		if (!image_rrset_at(found.image, found.node, i, &s)) {
			err_set(err, ERR_CORRUPT, "image %llu: an RRset lies outside of it", (unsigned long long)image_id(found.image));
			return owner_context(b, owner, size, err);
		}
		*set = (struct node_set){ .type = s.type, .count = s.count, .sig_count = s.sig_count, .wire_size = s.wire_size,
			.sigs_size = s.sigs_size, .patches = s.patches, .targets = s.targets, .blob = s.wire };
	}
	if (content_hash_node(&hash, found, b->layout.header.apex, b->layout.header.apex_size))
		err_set(err, ERR_NOMEM, "no memory to hash an owner's RRsets");
	else if (owner_put(b, owner, size, flags, b->sets.items, (unsigned)b->sets.count, err) == 0) {
		content_hash_add(&b->content, &hash);
		return 0;
	}
	return owner_context(b, owner, size, err);
}

/* ---- the indexes, and the end -------------------------------------------- */

/* Where each home's run begins, and how many lines that takes; see
 * image_format.h. */
static int directory_runs(struct image_builder *b, uint32_t homes, uint32_t **runs, struct err *err)
{
	const struct slot_source *slot = b->slots.items;
	uint64_t end = 0;
	uint32_t *run, i;
	size_t k;

	*runs = run = calloc(homes ? homes : 1, sizeof *run);
	if (!run)
		return err_set(err, ERR_NOMEM, "no memory for an image's directory");
	for (k = 0; k < b->slots.count; k++)
		run[hash_home((uint64_t)slot[k].spread << 32, homes)]++;
	for (i = 0; i < homes; i++) {
		uint64_t begin = (uint64_t)i * LINE_SLOTS > end ? (uint64_t)i * LINE_SLOTS : end;

		end = begin + run[i];
		run[i] = (uint32_t)begin;
	}
	if (end < (uint64_t)homes * LINE_SLOTS)
		end = (uint64_t)homes * LINE_SLOTS;
	b->layout.header.directory_lines = chunks_for(end, LINE_SLOTS);
	return 0;
}

/* directory: line 0; chunked: lines lie in chunks, with their padding. */
static void directory_fill(struct image_builder *b, uint32_t homes, uint32_t *run, uint8_t *directory, bool chunked)
{
	const struct slot_source *slot = b->slots.items;
	size_t k;

	for (k = 0; k < b->slots.count; k++) {
		uint32_t at = run[hash_home((uint64_t)slot[k].spread << 32, homes)]++;
		size_t line = at / LINE_SLOTS;
		uint8_t *p = directory + line * LINE_SIZE + at % LINE_SLOTS * 8;

		if (chunked)
			p += line / LINES_PER_CHUNK * (CHUNK_STRIDE - (size_t)LINES_PER_CHUNK * LINE_SIZE) + LINES_PADDING;
		store_le32(p, slot[k].tag);
		store_le32(p + 4, slot[k].place);
	}
}

static void order_fill(struct image_builder *b, uint8_t *p, bool chunked)
{
	const struct order_source *order = b->order.items;
	const struct nsec3_source *nsec3 = b->nsec3.items;
	uint32_t before = chunked ? chunks_for(b->order.count, ORDER_PER_CHUNK) : 0;
	uint8_t *begin = p;
	size_t i;

	for (i = 0; i < b->order.count; i++) {
		if (chunked)
			p = begin + i / ORDER_PER_CHUNK * CHUNK_STRIDE + i % ORDER_PER_CHUNK * ORDER_ENTRY;
		memcpy(p, order[i].key, ORDER_KEY);
		store_le32(p + ORDER_KEY, order[i].place);
		p += ORDER_ENTRY;
	}
	for (i = 0; i < b->nsec3.count; i++) {
		if (chunked)
			p = begin + (before + i / NSEC3_PER_CHUNK) * CHUNK_STRIDE + i % NSEC3_PER_CHUNK * NSEC3_ENTRY;
		store_le64(p, nsec3[i].key);
		store_le32(p + 8, nsec3[i].place);
		p += NSEC3_ENTRY;
	}
}

/* Streams in the order of their chunks' numbers, for a packed image. */
static unsigned open_streams(struct image_builder *b, struct stream *s[2])
{
	unsigned n = 0;

	if (b->stream[0].open)
		s[n++] = &b->stream[0];
	if (b->stream[1].open)
		s[n++] = &b->stream[1];
	if (n == 2 && s[0]->number > s[1]->number) {
		struct stream *x = s[0];

		s[0] = s[1];
		s[1] = x;
	}
	return n;
}

static size_t packed_size(struct image_builder *b)
{
	return round8(IMAGE_HEADER_FIXED + b->layout.header.apex_size) +
		(b->stream[0].open ? b->stream[0].used : 0) + (b->stream[1].open ? b->stream[1].used : 0) +
		(size_t)b->layout.header.directory_lines * LINE_SIZE +
		round8(b->order.count * ORDER_ENTRY + b->nsec3.count * NSEC3_ENTRY);
}

static int finish_packed(struct image_builder *b, uint32_t homes, uint32_t *run, uint64_t *size, struct err *err)
{
	uint8_t *image = calloc(1, CHUNK_SIZE);
	struct stream *s[2];
	uint8_t head[IMAGE_HEADER_MAX];
	unsigned n = open_streams(b, s), i;
	size_t at;
	int r;

	if (!image)
		return err_set(err, ERR_NOMEM, "no memory for a chunk");
	b->layout.packed = true;
	at = layout_encode(&b->layout, head);
	memcpy(image, head, at);
	for (i = 0; i < n; i++) {
		store_le32(s[i]->buf, s[i]->used);
		memcpy(image + at, s[i]->buf, s[i]->used);
		at += s[i]->used;
	}
	directory_fill(b, homes, run, image + at, false);
	at += (size_t)b->layout.header.directory_lines * LINE_SIZE;
	order_fill(b, image + at, false);
	*size = packed_size(b);
	r = write_at(b, 0, image, *size, err);
	free(image);
	return r;
}

/* Directory and order are filled in place, in the file: room first, since a
 * page that the disk has no room for would be a signal. */
static int indexes_write(struct image_builder *b, uint32_t homes, uint32_t *run, uint64_t end, struct err *err)
{
	uint64_t from = frame_offset(&b->layout, PART_DIRECTORY, 0);
	uint64_t at = b->offset + from, page = at & ~(uint64_t)(sysconf(_SC_PAGESIZE) - 1);
	size_t size = (size_t)(b->offset + end - page);
	uint8_t *map;
	int r = posix_fallocate(b->fd, (off_t)at, (off_t)(end - from));

	if (r) {
		errno = r;
		return err_system(err, "making room for %llu octets of the image file", (unsigned long long)(end - from));
	}
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, (off_t)page);
	if (map == MAP_FAILED)
		return err_system(err, "mapping the image file");
	memset(map + (at - page), 0, (size_t)(end - from));
	directory_fill(b, homes, run, map + (at - page), true);
	order_fill(b, map + (at - page) + (size_t)b->layout.chunks[PART_DIRECTORY] * CHUNK_STRIDE, true);
	munmap(map, size);
	return 0;
}

static int finish_chunks(struct image_builder *b, uint32_t homes, uint32_t *run, uint64_t *size, struct err *err)
{
	uint8_t head[IMAGE_HEADER_MAX];
	struct stream *s[2];
	unsigned n = open_streams(b, s), i;
	uint32_t last = b->layout.chunks[PART_ORDER] - 1;
	uint64_t end = frame_offset(&b->layout, PART_ORDER, last) + layout_chunk_size(&b->layout, PART_ORDER, last);

	for (i = 0; i < n; i++) {
		store_le32(s[i]->buf, s[i]->used);
		if (chunk_write(b, s[i]->buf, s[i]->number, s[i]->used, err))
			return -1;
	}
	if (indexes_write(b, homes, run, end, err))
		return -1;
	*size = end;
	return write_at(b, 0, head, layout_encode(&b->layout, head), err);
}

int image_builder_finish(struct image_builder *b, uint64_t *size, struct image_header *header, struct err *err)
{
	struct image_header *h = &b->layout.header;
	uint8_t head[IMAGE_HEADER_MAX];
	struct image_layout read_back;
	struct stream *s[2];
	uint32_t homes, *run = NULL;
	unsigned n;
	int r;

	if (b->failed)
		return err_set(err, ERR_INTERNAL, "the image's builder has failed before");
	b->failed = true;       /* good for nothing more, whatever comes */
	if (!h->delta && !b->stream[STREAM_NAMES].trail.begun && name_full(b, h->apex, 0, NULL, 0, err))
		return -1;
	n = open_streams(b, s);
	h->nodes = b->stream[STREAM_NAMES].nodes;
	h->nsec3_nodes = b->stream[STREAM_NSEC3].nodes;
	h->data_end = n ? ((uint64_t)s[n - 1]->number << 16) + s[n - 1]->used : 0;
	memcpy(h->content, b->content.word, sizeof h->content);
	homes = h->nodes ? home_lines(h->nodes) : 0;
	if (directory_runs(b, homes, &run, err)) {
		free(run);
		return -1;
	}
	b->layout.chunks[PART_HEADER] = 1;
	b->layout.chunks[PART_DATA] = b->next_chunk;
	b->layout.chunks[PART_DIRECTORY] = chunks_for(h->directory_lines, LINES_PER_CHUNK);
	b->layout.chunks[PART_ORDER] = layout_order_chunks(h);
	r = !b->flushed && packed_size(b) <= CHUNK_SIZE ? finish_packed(b, homes, run, size, err)
		: finish_chunks(b, homes, run, size, err);
	free(run);
	if (r == 0)
		r = layout_decode(&read_back, head, layout_encode(&b->layout, head), err);
	if (r == 0)
		*header = read_back.header;
	return r;
}
