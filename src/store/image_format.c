#include "store/image_format.h"

#include <stdlib.h>
#include <string.h>


/* ---- header -------------------------------------------------------------- */

size_t layout_encode(const struct image_layout *l, uint8_t buf[IMAGE_HEADER_MAX])
{
	const struct image_header *h = &l->header;
	struct cursor c = cursor_over(buf, IMAGE_HEADER_MAX);
	size_t size = round8(IMAGE_HEADER_FIXED + h->apex_size);
	int i;

	memset(buf, 0, IMAGE_HEADER_MAX);
	cursor_put_le32(&c, IMAGE_MAGIC);
	cursor_put_le32(&c, IMAGE_FORMAT);
	cursor_put_le32(&c, (h->delta ? HEADER_DELTA : 0) | (l->packed ? HEADER_PACKED : 0));
	cursor_put_le32(&c, h->apex_size);
	cursor_put_le32(&c, l->chunks[PART_DATA]);
	cursor_put_le32(&c, l->chunks[PART_DIRECTORY]);
	cursor_put_le32(&c, l->chunks[PART_ORDER]);
	cursor_put_le32(&c, l->first[STREAM_NAMES]);
	cursor_put_le32(&c, l->first[STREAM_NSEC3]);
	cursor_put_le32(&c, h->nodes);
	cursor_put_le32(&c, h->nsec3_nodes);
	cursor_put_le32(&c, h->directory_lines);
	cursor_put_le64(&c, h->data_end);
	cursor_put_le64(&c, h->hash_key);
	cursor_put_le64(&c, h->rrsets);
	cursor_put_le64(&c, h->records);
	for (i = 0; i < 8; i++)
		cursor_put_le64(&c, h->content[i]);
	cursor_put(&c, h->apex, h->apex_size);
	return size;
}

static int layout_parse(struct image_layout *l, const uint8_t *p, size_t size, struct err *err)
{
	struct image_header *h = &l->header;
	struct cursor c = cursor_over(p, size);
	uint32_t flags, apex_size;
	const uint8_t *apex;
	uint8_t lower[NAME_MAX_SIZE];
	size_t at;
	int i;

	memset(l, 0, sizeof *l);
	if (cursor_get_le32(&c) != IMAGE_MAGIC)
		return err_set(err, ERR_CORRUPT, "image header: not an image (magic number)");
	h->format = cursor_get_le32(&c);
	if (h->format != IMAGE_FORMAT)
		return err_set(err, ERR_VERSION, "image header: format %u, this version reads format %u: make a text backup with the "
			"version that wrote it, and restore that", h->format, IMAGE_FORMAT);
	flags = cursor_get_le32(&c);
	h->delta = flags & HEADER_DELTA;
	l->packed = flags & HEADER_PACKED;
	apex_size = cursor_get_le32(&c);
	l->chunks[PART_HEADER] = 1;
	l->chunks[PART_DATA] = cursor_get_le32(&c);
	l->chunks[PART_DIRECTORY] = cursor_get_le32(&c);
	l->chunks[PART_ORDER] = cursor_get_le32(&c);
	l->first[STREAM_NAMES] = cursor_get_le32(&c);
	l->first[STREAM_NSEC3] = cursor_get_le32(&c);
	h->nodes = cursor_get_le32(&c);
	h->nsec3_nodes = cursor_get_le32(&c);
	h->directory_lines = cursor_get_le32(&c);
	h->data_end = cursor_get_le64(&c);
	h->hash_key = cursor_get_le64(&c);
	h->rrsets = cursor_get_le64(&c);
	h->records = cursor_get_le64(&c);
	for (i = 0; i < 8; i++)
		h->content[i] = cursor_get_le64(&c);
	if (apex_size > NAME_MAX_SIZE)
		return err_set(err, ERR_CORRUPT, "image header: apex of %u octets", apex_size);
	apex = cursor_take(&c, apex_size);
	l->size = round8(IMAGE_HEADER_FIXED + apex_size);
	if (c.failed || size < l->size)
		return err_set(err, ERR_CORRUPT, "image header: cut short at %zu octets", size);
	if (flags & ~(uint32_t)(HEADER_DELTA | HEADER_PACKED))
		return err_set(err, ERR_CORRUPT, "image header: unknown flags %#x", flags);
	if (name_length(apex, apex_size) != apex_size || apex_size == 0)
		return err_set(err, ERR_CORRUPT, "image header: the apex is not a well-formed name");
	name_lower(lower, apex, apex_size);
	if (memcmp(lower, apex, apex_size) != 0)
		return err_set(err, ERR_CORRUPT, "image header: the apex is not in lower case");
	for (at = IMAGE_HEADER_FIXED + apex_size; at < l->size; at++)
		if (p[at])
			return err_set(err, ERR_CORRUPT, "image header: octet %zu is not 0", at);
	h->apex_size = (uint8_t)apex_size;
	memcpy(h->apex, apex, apex_size);
	return 0;
}

int layout_decode(struct image_layout *l, const uint8_t *p, size_t size, struct err *err)
{
	struct image_header *h = &l->header;
	uint32_t data, homes;
	int k;

	if (layout_parse(l, p, size, err))
		return -1;
	data = l->chunks[PART_DATA];
	homes = home_lines(h->nodes);
	if (data > DATA_CHUNKS_MAX || (l->packed && data > 2))
		return err_set(err, ERR_CORRUPT, "image header: %u data chunks", data);
	if (data == 0 ? h->data_end != 0 :
	    h->data_end >> 16 != data - 1 || (h->data_end & 65535) < DATA_HEADER_SIZE ||
	    (h->data_end & 65535) > CHUNK_SIZE || h->data_end % 8)
		return err_set(err, ERR_CORRUPT, "image header: %u data chunks that end at %llu", data, (unsigned long long)h->data_end);
	if (((uint64_t)h->nodes + h->nsec3_nodes) * NODE_HEADER_SIZE > h->data_end)
		return err_set(err, ERR_CORRUPT, "image header: %u and %u nodes cannot be in %llu octets",
			h->nodes, h->nsec3_nodes, (unsigned long long)h->data_end);
	if (h->directory_lines < homes || h->directory_lines > homes + chunks_for(h->nodes, LINE_SLOTS) ||
	    (homes == 0 && h->directory_lines))
		return err_set(err, ERR_CORRUPT, "image header: %u directory lines for %u nodes", h->directory_lines, h->nodes);
	if (l->chunks[PART_DIRECTORY] != chunks_for(h->directory_lines, LINES_PER_CHUNK) ||
	    l->chunks[PART_ORDER] != layout_order_chunks(h))
		return err_set(err, ERR_CORRUPT, "image header: %u directory and %u order chunks do not fit %u and %u nodes",
			l->chunks[PART_DIRECTORY], l->chunks[PART_ORDER], h->nodes, h->nsec3_nodes);
	for (k = STREAM_NAMES; k <= STREAM_NSEC3; k++) {
		bool any = k == STREAM_NAMES ? h->nodes : h->nsec3_nodes;

		if (any ? l->first[k] >= data : l->first[k] != NO_CHUNK)
			return err_set(err, ERR_CORRUPT, "image header: first chunk %u of %u", l->first[k], data);
	}
	if (!l->packed)
		memcpy(h->chunks, l->chunks, sizeof h->chunks);
	return 0;
}

size_t layout_chunk_size(const struct image_layout *l, enum image_part part, uint32_t number)
{
	uint32_t order = chunks_for(order_entries(l->header.nodes), ORDER_PER_CHUNK);
	uint64_t left;

	switch (part) {
	case PART_HEADER:
		return l->size;
	case PART_DATA:
		return CHUNK_SIZE;
	case PART_DIRECTORY:
		left = l->header.directory_lines - (uint64_t)number * LINES_PER_CHUNK;
		return LINES_PADDING + (left < LINES_PER_CHUNK ? (size_t)left : LINES_PER_CHUNK) * LINE_SIZE;
	default:
		if (number < order) {
			left = order_entries(l->header.nodes) - (uint64_t)number * ORDER_PER_CHUNK;
			return (left < ORDER_PER_CHUNK ? (size_t)left : ORDER_PER_CHUNK) * ORDER_ENTRY;
		}
		left = l->header.nsec3_nodes - (uint64_t)(number - order) * NSEC3_PER_CHUNK;
		return round8((left < NSEC3_PER_CHUNK ? (size_t)left : NSEC3_PER_CHUNK) * NSEC3_ENTRY);
	}
}

int layout_packed(const struct image_layout *l, const uint8_t *image, size_t size, struct packed_at *at, struct err *err)
{
	uint64_t end = l->size;
	unsigned i;

	memset(at, 0, sizeof *at);
	for (i = 0; i < l->chunks[PART_DATA]; i++) {
		if (end + DATA_HEADER_SIZE > size)
			goto short_image;
		at->data[i] = (uint32_t)end;
		at->data_size[i] = data_used(image + end);
		end += at->data_size[i];
		if (end > size || at->data_size[i] < DATA_HEADER_SIZE || at->data_size[i] % 8)
			goto short_image;
	}
	at->directory = (uint32_t)end;
	end += (uint64_t)l->header.directory_lines * LINE_SIZE;
	at->order = (uint32_t)end;
	end += (uint64_t)order_entries(l->header.nodes) * ORDER_ENTRY;
	at->nsec3 = (uint32_t)end;
	end += (uint64_t)l->header.nsec3_nodes * NSEC3_ENTRY;
	end = round8(end);
	if (end > size || end > CHUNK_SIZE)
		goto short_image;
	at->end = (uint32_t)end;
	return 0;
short_image:
	return err_set(err, ERR_CORRUPT, "packed image: its parts do not fit into its %zu octets", size);
}

/* ---- order keys ---------------------------------------------------------- */

void order_key(uint8_t key[ORDER_KEY], const uint8_t *relative, size_t size)
{
	uint8_t at[NAME_MAX_LABELS + 1];
	int labels = relative_labels(relative, size, 0, at);
	unsigned n = 0, i;

	memset(key, 0, ORDER_KEY);
	/* Labels from the right, each ended by 0; 0 and 1 within are escaped. */
	while (labels-- > 0 && n < ORDER_KEY) {
		const uint8_t *label = relative + at[labels];

		for (i = 1; i <= label[0] && n < ORDER_KEY; i++) {
			uint8_t c = label[i];

			if (c >= 'A' && c <= 'Z')
				c |= 0x20;
			if (c <= 1) {
				key[n++] = 1;
				if (n == ORDER_KEY)
					break;
				c++;
			}
			key[n++] = c;
		}
		n++;
	}
}

uint64_t order_nsec3_key(const uint8_t *relative, size_t size)
{
	uint8_t at[NAME_MAX_LABELS + 1];
	int labels = relative_labels(relative, size, 0, at);
	const uint8_t *label;
	uint64_t key = 0;
	uint8_t rest = 0;
	bool digits = true;
	unsigned i;

	if (labels <= 0)
		return 0;
	/* The first 64 bits of the hash: 13 characters of base32hex, the last
	 * of which holds one bit too many. What is no base32hex takes the
	 * nearest digit below, and the largest ones behind it (or, below all
	 * digits, the smallest), so that the key never falls. */
	label = relative + at[labels - 1];
	for (i = 1; i <= 13; i++) {
		uint8_t c = i <= label[0] ? label[i] : 0, v = rest;

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (digits) {
			v = c < '0' ? 0 : c <= '9' ? c - '0' : c < 'a' ? 9 : c <= 'v' ? c - 'a' + 10 : 31;
			digits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'v');
			rest = c < '0' ? 0 : 31;
		}
		key = i < 13 ? key << 5 | v : key << 4 | v >> 1;
	}
	return key;
}

/* ---- names in canonical order -------------------------------------------- */

int relative_labels(const uint8_t *name, size_t size, size_t apex_size, uint8_t at[NAME_MAX_LABELS + 1])
{
	size_t i = 0;
	int labels = 0;

	if (size + (apex_size ? apex_size : 1) > NAME_MAX_SIZE)
		return -1;
	while (i < size) {
		if (name[i] == 0 || name[i] > 63 || i + 1 + name[i] > size)
			return -1;
		at[labels++] = (uint8_t)i;
		i += 1 + (size_t)name[i];
	}
	at[labels] = (uint8_t)size;
	return labels;
}

uint64_t apex_hash(const uint8_t *apex, uint64_t key)
{
	struct name name;

	return name_parse(&name, apex, NAME_MAX_SIZE, key) ? name.hash[0] : key;
}

static int label_compare(const uint8_t *a, const uint8_t *b)
{
	unsigned n = a[0] < b[0] ? a[0] : b[0];
	int c = memcmp(a + 1, b + 1, n);

	return c ? c : (int)a[0] - (int)b[0];
}

enum trail_step trail_next(struct trail *t, const uint8_t *owner, size_t size, size_t apex_size, unsigned *common)
{
	uint8_t lower[NAME_MAX_SIZE], at[NAME_MAX_LABELS + 1];
	int labels = relative_labels(owner, size, apex_size, at);
	unsigned d = 0;
	int c = 1;

	if (labels < 0)
		return TRAIL_MALFORMED;
	name_lower(lower, owner, size);
	if (t->begun) {
		while (d < (unsigned)labels && d < t->labels) {
			c = label_compare(lower + at[labels - 1 - (int)d], t->lower + t->at[t->labels - 1 - d]);
			if (c)
				break;
			d++;
		}
		if (d == (unsigned)labels)
			return d == t->labels ? TRAIL_SAME : TRAIL_FALLING;
		if (d < t->labels && c < 0)
			return TRAIL_FALLING;
	}
	t->begun = true;
	t->size = (uint8_t)size;
	t->labels = (uint8_t)labels;
	memcpy(t->lower, lower, size);
	memcpy(t->at, at, (size_t)labels + 1);
	if (t->hashed > d)
		t->hashed = d;
	*common = d;
	return TRAIL_RISING;
}

uint64_t trail_hash(struct trail *t)
{
	for (; t->hashed < t->labels; t->hashed++)
		t->hash[t->hashed + 1] = name_hash_label(t->hash[t->hashed], t->lower + t->at[t->labels - 1 - t->hashed]);
	return t->hash[t->labels];
}
