/*
 * An image whose octets are a stranger's, or a broken disk's: the readers must
 * not leave it, whatever it says; the writer's check must come to a verdict;
 * and what passes the check must be readable to the last target.
 */
#include <stdlib.h>
#include <string.h>

#include "store/content_hash.h"
#include "store/image_format.h"

#define KEY 0x0123456789abcdefull
#define CHUNKS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every chunk in memory of its own, so that a sanitizer sees its ends. */
struct memory_source {
	struct chunk_source source;     /* first */
	struct image_layout layout;
	const uint8_t *data;
	size_t size;
	struct { enum image_part part; uint32_t number; uint8_t *p; size_t size; } kept[CHUNKS_MAX];
	unsigned count;
};

static const uint8_t *keep(struct memory_source *m, enum image_part part, uint32_t number, size_t at, size_t size)
{
	uint8_t *p;

	if (m->count == CHUNKS_MAX || at > m->size || size > m->size - at)
		return NULL;
	p = malloc(size ? size : 1);
	if (!p)
		abort();
	memcpy(p, m->data + at, size);
	m->kept[m->count].part = part;
	m->kept[m->count].number = number;
	m->kept[m->count].size = size;
	m->kept[m->count++].p = p;
	return p;
}

static const uint8_t *get_chunk(struct chunk_source *source, uint64_t id, enum image_part part, uint32_t number,
	size_t *size, bool *stable)
{
	struct memory_source *m = (struct memory_source *)source;
	size_t at;

	(void)id;
	*stable = true;
	for (unsigned i = 0; i < m->count; i++)
		if (m->kept[i].part == part && m->kept[i].number == number) {
			*size = m->kept[i].size;
			return m->kept[i].p;
		}
	if (part == PART_HEADER)
		return keep(m, part, number, 0, *size = m->layout.packed || m->size < m->layout.size ? m->size : m->layout.size);
	if (m->layout.packed || number >= m->layout.chunks[part])
		return NULL;
	at = frame_offset(&m->layout, part, number);
	if (at + DATA_HEADER_SIZE > m->size)
		return NULL;
	*size = part == PART_DATA ? data_used(m->data + at) : layout_chunk_size(&m->layout, part, number);
	return *size > CHUNK_SIZE ? NULL : keep(m, part, number, at, *size);
}

static unsigned octets;         /* so that reading is not optimized away */

static void read_rrset(const struct rrset *s, const struct view *v, bool trusted)
{
	static uint8_t scratch[RECORD_SCRATCH];
	struct record_walk w;
	struct record r;

	for (int sigs = 0; sigs < 2; sigs++) {
		record_walk_begin(&w, s, sigs, v->apex, v->apex_size);
		while (record_walk_next(&w, &r, scratch))
			octets += r.size ? r.rdata[0] + r.rdata[r.size - 1] : 0;
	}
	/* what a response does without a look: only after the check */
	for (unsigned i = 0; trusted && i < s->targets; i++) {
		const uint8_t *p = s->wire + rrset_target(s, i);

		while (*p && *p < 0xc0)
			p += 1 + *p;
		octets += *p;
	}
	for (unsigned i = 0; trusted && i < s->patches; i++)
		if (load_be16(s->wire + rrset_patch(s, i)) != 0xc000)
			abort();
}

static void read_node(const struct view *v, struct found f, bool trusted)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	size_t size = node_owner_size(f.node);
	struct content_hash hash;
	struct name name;
	struct rrset s;

	for (unsigned i = 0; i < node_rrsets(f.node); i++)
		if (image_rrset_at(f.image, f.node, i, &s))
			read_rrset(&s, v, trusted);
		else if (trusted)
			abort();
	content_hash_node(&hash, f, v->apex, v->apex_size);
	memcpy(full, node_owner(f.node), size);
	memcpy(full + size, v->apex, v->apex_size);
	if (size + v->apex_size <= NAME_MAX_SIZE && name_parse(&name, full, size + v->apex_size, KEY)) {
		struct found found = view_find(v, name.hash[0], name.lower, size);

		if (trusted && !(node_flags(f.node) & (NODE_NSEC3 | NODE_GONE)) && found.node != f.node)
			abort();
		view_prefetch_directory(v, name.hash[0]);
		view_prefetch_node(v, name.hash[0]);
		for (int nsec3 = 0; nsec3 < 2; nsec3++)
			octets += view_predecessor(v, nsec3, name.lower, size, NODE_ENT).node != NULL;
	}
}

static void read_all(struct memory_source *m, bool trusted)
{
	struct view v = { .apex = m->layout.header.apex, .apex_size = m->layout.header.apex_size, .hash_key = KEY, .images = 1 };
	struct err err = ERR_INIT;
	struct view_walk w;
	struct found f;

	v.apex_labels = name_count_labels(v.apex);
	v.image[0] = image_open(&m->source, 1, &err);
	if (!v.image[0])
		return;
	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		unsigned n = 0;

		view_walk_begin(&w, &v, nsec3);
		while ((f = view_walk_next(&w)).node && n++ < 2000)
			read_node(&v, f, trusted);
	}
	image_close(v.image[0]);
}

static bool check_chunks(struct memory_source *m, struct image_check *check, struct err *err)
{
	if (m->layout.packed)
		return true;
	for (enum image_part part = PART_DATA; part < PART_COUNT; part++)
		for (uint32_t i = 0; i < m->layout.chunks[part]; i++) {
			size_t size = 0;
			bool stable;
			const uint8_t *p = get_chunk(&m->source, 1, part, i, &size, &stable);

			if (!p || image_check_chunk(check, part, i, p, size, err))
				return false;
		}
	return true;
}

static bool check(struct memory_source *m)
{
	struct err err = ERR_INIT;
	size_t size = 0;
	bool stable, ok;
	const uint8_t *header = get_chunk(&m->source, 1, PART_HEADER, 0, &size, &stable);
	struct image_check *c = header ? image_check_new(header, size, KEY, &err) : NULL;

	ok = c && check_chunks(m, c, &err) && !image_check_finish(c, &err);
	image_check_free(c);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_source m = { .source = { .chunk = get_chunk }, .data = data, .size = size };
	struct err err = ERR_INIT;

	if (layout_decode(&m.layout, data, size, &err))
		return 0;
	read_all(&m, check(&m));
	for (unsigned i = 0; i < m.count; i++)
		free(m.kept[i].p);
	return 0;
}
