/* Images of made-up zones, and what lies in them against the lists. */
#include "image_model.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void die(const char *what, const char *why)
{
	fprintf(stderr, "image model: %s: %s\n", what, why);
	abort();
}

/* ---- images ---------------------------------------------------------------------------- */

int model_build_into(int fd, uint64_t offset, const struct model *m, bool delta, uint64_t key, uint64_t *size,
	struct image_header *header, struct err *err)
{
	struct image_builder *b = image_builder_new(fd, offset, m->apex, m->apex_size, key, delta, err);
	int rc = b ? 0 : -1;

	for (size_t i = 0; i < m->count && !rc; i++) {
		const struct model_node *n = &m->nodes[i];

		rc = image_builder_node(b, n->owner, n->size, delta ? n->flags : 0, n->sets, n->count, err);
	}
	if (!rc)
		rc = image_builder_finish(b, size, header, err);
	image_builder_free(b);
	return rc;
}

void model_build_key(struct model_image *image, const struct model *m, bool delta, uint64_t key)
{
	struct err err = ERR_INIT;

	memset(image, 0, sizeof *image);
	image->fd = memfd_create("image", MFD_CLOEXEC);
	if (image->fd < 0)
		die("memfd_create", "failed");
	if (model_build_into(image->fd, 0, m, delta, key, &image->size, &image->header, &err) || model_open(image, &err))
		die("build", err.message);
}

void model_build(struct model_image *image, const struct model *m, bool delta)
{
	model_build_key(image, m, delta, MODEL_KEY);
}

int model_open(struct model_image *image, struct err *err)
{
	image->file = image_file_open(image->fd, 0, image->size, err);
	if (!image->file)
		return -1;
	image->image = image_open(image_file_source(image->file), 1, err);
	return image->image ? 0 : -1;
}

void model_close(struct model_image *image)
{
	image_close(image->image);
	image_file_close(image->file);
	close(image->fd);
	memset(image, 0, sizeof *image);
}

int model_check(int fd, uint64_t offset, uint64_t size, uint64_t key, struct err *err)
{
	struct image_check *check = NULL;
	struct image_frames frames;
	enum image_part part;
	const uint8_t *chunk;
	uint32_t number;
	size_t chunk_size;
	int rc = image_frames_begin(&frames, fd, offset, size, err);

	if (rc)
		return -1;
	while ((rc = image_frames_next(&frames, &part, &number, &chunk, &chunk_size, err)) == 1) {
		/* a copy of just that size, so that a sanitizer sees its end */
		uint8_t *copy = malloc(chunk_size ? chunk_size : 1);
		int failed = 0;

		memcpy(copy, chunk, chunk_size);
		if (part == PART_HEADER)
			failed = !(check = image_check_new(copy, chunk_size, key, err));
		else
			failed = image_check_chunk(check, part, number, copy, chunk_size, err);
		free(copy);
		if (failed) {
			rc = -1;
			break;
		}
	}
	if (!rc)
		rc = image_check_finish(check, err);
	image_check_free(check);
	image_frames_end(&frames);
	return rc;
}

void model_view(struct view *v, const struct model *m, struct model_image *const *images, unsigned count)
{
	memset(v, 0, sizeof *v);
	v->apex = m->apex;
	v->apex_size = m->apex_size;
	v->apex_labels = name_count_labels(m->apex);
	v->hash_key = MODEL_KEY;
	v->images = count;
	for (unsigned i = 0; i < count; i++)
		v->image[i] = images[i]->image;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void assert_records(const struct rrset *s, bool sigs, const struct build_record *records, uint32_t count, uint32_t ttl,
	const uint8_t *apex, size_t apex_size)
{
	static uint8_t scratch[RECORD_SCRATCH];
	struct record_walk w;
	struct record r;
	uint32_t n = 0;

	record_walk_begin(&w, s, sigs, apex, apex_size);
	for (; record_walk_next(&w, &r, scratch); n++) {
		assert_true(n < count);
		assert_int_equal(r.size, records[n].size);
		if (r.size)
			assert_memory_equal(r.rdata, records[n].rdata, r.size);
		assert_int_equal(r.ttl, ttl);
	}
	assert_int_equal(n, count);
}

void assert_node_holds(struct image *image, const uint8_t *node, const struct model_node *n, const uint8_t *apex, size_t apex_size)
{
	assert_int_equal(node_owner_size(node), n->size);
	if (n->size)
		assert_true(name_equal(node_owner(node), n->owner, n->size));
	assert_int_equal(node_rrsets(node), n->count);
	for (unsigned i = 0; i < n->count; i++) {
		const struct build_rrset *b = &n->sets[i];
		struct rrset s, by_type;

		assert_true(image_rrset_at(image, node, i, &s));
		assert_true(image_rrset(image, node, b->type, &by_type));
		assert_ptr_equal(by_type.wire, s.wire);
		assert_int_equal(s.type, b->type);
		assert_int_equal(s.count, b->count);
		assert_int_equal(s.sig_count, b->sig_count);
		assert_records(&s, false, b->records, b->count, b->ttl, apex, apex_size);
		assert_records(&s, true, b->sigs, b->sig_count, b->ttl, apex, apex_size);
	}
}

uint64_t model_hash(const uint8_t *owner, size_t size, const uint8_t *apex, size_t apex_size, uint8_t lower[NAME_MAX_SIZE])
{
	uint8_t full[2 * NAME_MAX_SIZE];
	struct name name;

	if (size)
		memcpy(full, owner, size);
	memcpy(full + size, apex, apex_size);
	if (!name_parse(&name, full, size + apex_size, MODEL_KEY))
		die("name", "malformed");
	memcpy(lower, name.lower, size);
	return name.hash[0];
}
