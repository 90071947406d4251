#include "store/image_index.h"
#include "store/image_node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/turn.h"
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

struct image_builder {
	int fd;
	uint64_t offset;
	struct image_layout layout;
	bool failed, flushed;
	uint32_t next_chunk;
	struct stream stream[2];
	struct { uint32_t place; uint16_t flags; } above[NAME_MAX_LABELS + 1];  /* by depth: the last owner and what it is below */
	struct encoder encoder;
	struct image_index index;
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
	encoder_free(&b->encoder);
	image_index_free(&b->index);
	free(b);
}

/* ---- small helpers ------------------------------------------------------- */

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
static int far_write(struct image_builder *b, const struct rrset *s, uint32_t number, struct err *err)
{
	size_t used = DATA_HEADER_SIZE + round8(rrset_size(s));
	uint8_t *chunk = calloc(1, used);
	int r;

	if (!chunk)
		return err_set(err, ERR_NOMEM, "no memory for a chunk");
	chunk_head(chunk, (uint32_t)used, STREAM_FAR, NO_CHUNK, 0);
	memcpy(chunk + DATA_HEADER_SIZE, s->wire, rrset_size(s));
	r = chunk_write(b, chunk, number, (uint32_t)used, err);
	free(chunk);
	return r;
}

/* ---- nodes --------------------------------------------------------------- */

/* Makes room for the node; far RRsets go into the chunks right before the
 * node's, which the node then begins. */
static int node_room(struct image_builder *b, struct stream *s, const struct node_draft *d, uint32_t *far_chunk, struct err *err)
{
	uint32_t number = b->next_chunk;

	*far_chunk = number;
	if (!d->far && s->open && s->used + d->size <= CHUNK_SIZE)
		return 0;
	if (number + d->far >= DATA_CHUNKS_MAX)
		return err_set(err, ERR_LIMIT, "the zone is larger than the 32 GiB that an image can hold");
	b->next_chunk += d->far + 1;
	for (unsigned i = 0; i < d->count; i++)
		if (d->sets[i].far && far_write(b, &d->sets[i].rrset, number++, err))
			return -1;
	return stream_turn(b, s, number, err);
}

static int node_put(struct image_builder *b, enum stream_kind kind, struct node_draft *d, uint32_t *place, struct err *err)
{
	struct stream *s = &b->stream[kind];
	uint32_t far_chunk;

	d->labels = s->trail.labels;
	if (node_fit(d, err) || node_room(b, s, d, &far_chunk, err))
		return -1;
	node_encode(s->buf + s->used, d, far_chunk);
	*place = make_place(s->number, s->used);
	for (unsigned i = 0; i < d->count; i++)
		b->layout.header.records += (uint64_t)d->sets[i].rrset.count + d->sets[i].rrset.sig_count;
	b->layout.header.rrsets += d->count;
	s->used += (uint32_t)d->size;
	s->nodes++;
	return 0;
}

/* A name's node, with its line in the indexes. */
static int name_put(struct image_builder *b, struct node_draft *d, uint64_t hash, uint32_t *place, struct err *err)
{
	if (node_put(b, STREAM_NAMES, d, place, err))
		return -1;
	return image_index_name(&b->index, hash, d->owner, d->owner_size, *place, err);
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
		memcpy(s->buf + place_offset(place) + NODE_FLAGS_AT, flags, 2);
		return 0;
	}
	return write_at(b, frame_offset(&b->layout, PART_DATA, place_chunk(place)) + place_offset(place) + NODE_FLAGS_AT, flags, 2, err);
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
		struct node_draft d = { .owner = name, .owner_size = name_size, .sets = last ? sets : NULL, .count = last ? count : 0 };

		t->labels = (uint8_t)depth;
		d.flags = node_own_flags(name, name_size, occluded, d.sets, d.count) | (occluded ? NODE_OCCLUDED : 0);
		if (name_put(b, &d, t->hash[depth], &b->above[depth].place, err))
			return -1;
		b->above[depth].flags = d.flags;
		if (d.flags & NODE_WILDCARD && mark_wild_child(b, depth - 1, err))
			return -1;
	}
	t->labels = (uint8_t)labels;
	return 0;
}

static int name_delta(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t said,
	struct node_set *sets, unsigned count, struct err *err)
{
	struct node_draft d = { .owner = owner, .owner_size = size, .sets = sets, .count = count };
	struct trail *t = &b->stream[STREAM_NAMES].trail;
	enum trail_step step;
	unsigned common;
	uint32_t place;

	if (said & NODE_GONE && count)
		return err_set(err, ERR_INTERNAL, "a name that is gone has %u RRsets", count);
	step = trail_next(t, owner, size, b->layout.header.apex_size, &common);
	if (step != TRAIL_RISING)
		return trail_error(step, err);
	d.flags = node_own_flags(owner, size, said & NODE_OCCLUDED, sets, count);
	if (said & NODE_GONE)
		d.flags = (uint16_t)((d.flags & ~NODE_ENT) | NODE_GONE);
	d.flags |= said & (NODE_OCCLUDED | NODE_WILD_CHILD);
	return name_put(b, &d, trail_hash(t), &place, err);
}

static int nsec3_put(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t said,
	struct node_set *sets, unsigned count, struct err *err)
{
	bool gone = b->layout.header.delta && said & NODE_GONE;
	struct node_draft d = { .owner = owner, .owner_size = size, .flags = NODE_NSEC3 | (gone ? NODE_GONE : 0), .sets = sets, .count = count };
	enum trail_step step;
	unsigned common;
	uint32_t place;

	if (gone ? count != 0 : count != 1 || sets[0].rrset.type != TYPE_NSEC3)
		return err_set(err, ERR_INTERNAL, "an NSEC3 node holds one NSEC3 RRset, or none when it is gone");
	step = trail_next(&b->stream[STREAM_NSEC3].trail, owner, size, b->layout.header.apex_size, &common);
	if (step != TRAIL_RISING)
		return trail_error(step, err);
	if (node_put(b, STREAM_NSEC3, &d, &place, err))
		return -1;
	return image_index_nsec3(&b->index, owner, size, place, err);
}

/* The sets of one owner, encoded, go where they belong. */
static int owner_put(struct image_builder *b, const uint8_t *owner, size_t size, uint16_t flags,
	struct node_set *sets, unsigned count, struct err *err)
{
	unsigned i, nsec3 = count;

	if (flags & NODE_NSEC3)
		return nsec3_put(b, owner, size, flags, sets, count, err);
	for (i = 0; i < count; i++)
		if (sets[i].rrset.type == TYPE_NSEC3)
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
	encoder_begin(&b->encoder);
	for (i = 0; i < count; i++) {
		const struct node_set *set = encoder_add(&b->encoder, &rrsets[i], err);
		char mnemonic[16];

		if (!set)
			return -1;
		if (i && rrsets[i].type <= rrsets[i - 1].type)
			return err_set(err, ERR_INTERNAL, "%s: the types do not rise", rrtype_to_text(rrsets[i].type, mnemonic));
		/* Message header and question go with it. */
		if (12 + size + h->apex_size + 4 + set->rrset.wire_size > UINT16_MAX)
			return err_set(err, ERR_LIMIT, "%s: an RRset of %u octets does not fit into a DNS message of 65535 octets",
				rrtype_to_text(rrsets[i].type, mnemonic), set->rrset.wire_size);
		content_hash_rrset(&hash, full, size + h->apex_size, &rrsets[i]);
		content_hash_add(&b->content, &hash);
	}
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
	    owner_put(b, owner, size, b->layout.header.delta ? flags : 0, encoder_sets(&b->encoder), count, err))
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
	encoder_begin(&b->encoder);
	for (i = 0; i < node_rrsets(found.node); i++) {
		struct rrset s;

		if (!image_rrset_at(found.image, found.node, i, &s)) {
			err_set(err, ERR_CORRUPT, "image %llu: an RRset lies outside of it", (unsigned long long)image_id(found.image));
			return owner_context(b, owner, size, err);
		}
		if (!encoder_add_stored(&b->encoder, &s, err))
			return owner_context(b, owner, size, err);
	}
	if (content_hash_node(&hash, found, b->layout.header.apex, b->layout.header.apex_size))
		err_set(err, ERR_NOMEM, "no memory to hash an owner's RRsets");
	else if (owner_put(b, owner, size, flags, encoder_sets(&b->encoder), b->encoder.count, err) == 0) {
		content_hash_add(&b->content, &hash);
		return 0;
	}
	return owner_context(b, owner, size, err);
}

/* ---- the end ------------------------------------------------------------- */

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
		round8(image_index_order_size(&b->index));
}

static int finish_packed(struct image_builder *b, uint64_t *size, struct err *err)
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
	image_index_put_directory(&b->index, image + at, false);
	at += (size_t)b->layout.header.directory_lines * LINE_SIZE;
	image_index_put_order(&b->index, image + at, false);
	*size = packed_size(b);
	r = write_at(b, 0, image, *size, err);
	free(image);
	return r;
}

static int write_zeros(struct image_builder *b, uint64_t from, uint64_t end, struct err *err)
{
	static const uint8_t zeros[CHUNK_SIZE];

	for (size_t part; from < end; from += part) {
		part = end - from < sizeof zeros ? (size_t)(end - from) : sizeof zeros;
		if (write_at(b, from, zeros, part, err))
			return -1;
		turn_over(2000);
	}
	return 0;
}

/* Directory and order are filled in place, in the file; a page that the disk
 * had no room for would be a signal, so zeros first. */
static int indexes_write(struct image_builder *b, uint64_t end, struct err *err)
{
	uint64_t from = frame_offset(&b->layout, PART_DIRECTORY, 0);
	uint64_t at = b->offset + from, page = at & ~(uint64_t)(sysconf(_SC_PAGESIZE) - 1);
	size_t size = (size_t)(b->offset + end - page);
	uint8_t *map;

	if (write_zeros(b, from, end, err))
		return -1;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, (off_t)page);
	if (map == MAP_FAILED)
		return err_system(err, "mapping the image file");
	image_index_put_directory(&b->index, map + (at - page), true);
	image_index_put_order(&b->index, map + (at - page) + (size_t)b->layout.chunks[PART_DIRECTORY] * CHUNK_STRIDE, true);
	munmap(map, size);
	return 0;
}

static int finish_chunks(struct image_builder *b, uint64_t *size, struct err *err)
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
	if (indexes_write(b, end, err))
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
	if (image_index_close(&b->index, &h->directory_lines, err))
		return -1;
	b->layout.chunks[PART_HEADER] = 1;
	b->layout.chunks[PART_DATA] = b->next_chunk;
	b->layout.chunks[PART_DIRECTORY] = chunks_for(h->directory_lines, LINES_PER_CHUNK);
	b->layout.chunks[PART_ORDER] = layout_order_chunks(h);
	r = !b->flushed && packed_size(b) <= CHUNK_SIZE ? finish_packed(b, size, err) : finish_chunks(b, size, err);
	if (r == 0)
		r = layout_decode(&read_back, head, layout_encode(&b->layout, head), err);
	if (r == 0)
		*header = read_back.header;
	return r;
}
