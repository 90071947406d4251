/*
 * What the writer makes of an image file that is not as our builder made it:
 * refused, or else no reader may come to harm. Under a sanitizer a reader
 * that leaves the file is seen; without one, a file that passes the check must
 * at least hold the same records as before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image_assert.h"
#include "store/image_format.h"
#include "wire/rrtype.h"

struct sample {
	struct model model;
	struct listing listing;
	struct model_image image;
	uint8_t *bytes;
};

static void sample_take(struct sample *s, bool delta)
{
	model_build(&s->image, &s->model, delta);
	s->bytes = malloc(s->image.size);
	assert_int_equal(pread(s->image.fd, s->bytes, s->image.size, 0), s->image.size);
}

static void sample_make(struct sample *s, size_t names, unsigned what)
{
	model_random(&s->model, "check.example", names, names, what);
	model_list(&s->listing, &s->model);
	sample_take(s, false);
}

static void sample_free(struct sample *s)
{
	free(s->bytes);
	model_close(&s->image);
	listing_free(&s->listing);
	model_free(&s->model);
}

/* All that readers do; they must stay inside. What they see is as before. */
static void read_all(struct image *image, const struct sample *s)
{
	static uint8_t scratch[RECORD_SCRATCH];
	struct view v = { .apex = s->model.apex, .apex_size = s->model.apex_size, .hash_key = MODEL_KEY, .images = 1, .image = { image } };
	struct content_hash sum = { { 0 } }, hash;
	struct view_walk w;
	struct found f;
	unsigned octets = 0;

	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		view_walk_begin(&w, &v, nsec3);
		while ((f = view_walk_next(&w)).node) {
			struct rrset set;

			for (unsigned i = 0; i < node_rrsets(f.node); i++) {
				struct record_walk records;
				struct record r;

				assert_true(image_rrset_at(f.image, f.node, i, &set));
				record_walk_begin(&records, &set, false, v.apex, v.apex_size);
				while (record_walk_next(&records, &r, scratch))
					octets += r.size ? r.rdata[r.size - 1] : 0;
				for (unsigned t = 0; t < set.targets; t++)
					octets += set.wire[rrset_target(&set, t)];
			}
			assert_int_equal(content_hash_node(&hash, f, v.apex, v.apex_size), 0);
			content_hash_add(&sum, &hash);
		}
	}
	for (size_t i = 0; i < s->listing.names; i++) {
		const struct model_node *n = &s->listing.name[i];
		uint8_t lower[NAME_MAX_SIZE];

		f = view_find(&v, model_hash(n->owner, n->size, v.apex, v.apex_size, lower), lower, n->size);
		if (!s->image.header.delta)
			assert_found_is(f, n);
		f = view_predecessor(&v, i % 2, lower, n->size, NODE_ENT);
	}
	/* also octets of a SOA's serial or of an owner's letter case change nothing */
	assert_memory_equal(sum.word, s->image.header.content, sizeof sum.word);
	assert_true(octets + 1 != 0);
}

/* The changed file through check and readers; whether it passed the check. The
 * readers' file is a copy of just that size in memory of its own. */
static bool try(const struct sample *s, const uint8_t *bytes, uint64_t size)
{
	struct model_image image = { .fd = memfd_create("try", MFD_CLOEXEC), .size = size };
	struct err err = ERR_INIT;
	bool passed;

	assert_int_equal(pwrite(image.fd, bytes, size, 0), size);
	passed = !model_check(image.fd, 0, size, MODEL_KEY, &err);
	if (passed) {
		assert_int_equal(model_open(&image, &err), 0);
		read_all(image.image, s);
	} else {
		assert_non_null(err.code);
		assert_true(err_is(&err, ERR_CORRUPT) || err_is(&err, ERR_VERSION));
	}
	model_close(&image);
	return passed;
}

/* Octets that nobody reads: what lies between two chunks of the file. */
static bool in_a_gap(const struct sample *s, uint64_t at)
{
	const uint8_t *p = s->bytes;
	struct image_layout l;
	struct err err = ERR_INIT;
	uint64_t frame;

	assert_int_equal(layout_decode(&l, p, s->image.size, &err), 0);
	if (l.packed)
		return false;
	if (at < FRAME_FIRST)
		return at >= l.size;
	frame = (at - FRAME_FIRST) / CHUNK_STRIDE;
	at = (at - FRAME_FIRST) % CHUNK_STRIDE;
	if (frame < l.chunks[PART_DATA])
		return at >= data_used(p + frame_offset(&l, PART_DATA, (uint32_t)frame));
	frame -= l.chunks[PART_DATA];
	if (frame < l.chunks[PART_DIRECTORY])
		return at >= layout_chunk_size(&l, PART_DIRECTORY, (uint32_t)frame);
	return at >= layout_chunk_size(&l, PART_ORDER, (uint32_t)(frame - l.chunks[PART_DIRECTORY]));
}

/* May an octet be otherwise? The SOA's serial and letters of owners are no
 * content, and whether it is a delta its set says. */
static bool may_differ(const struct sample *s, uint64_t at, uint8_t flip)
{
	static const uint8_t soa_end[] = { 0x00, 0x00, 0x0e, 0x10, 0x00, 0x00, 0x02, 0x58 };     /* refresh, retry */

	if (at == 8 && flip == HEADER_DELTA)
		return true;
	for (unsigned i = 0; i < 4; i++)
		if (at + 4 - i + sizeof soa_end <= s->image.size && !memcmp(s->bytes + at + 4 - i, soa_end, sizeof soa_end))
			return true;
	return flip == 0x20 && ((s->bytes[at] | 0x20) >= 'a' && (s->bytes[at] | 0x20) <= 'z');
}

static void every_octet(struct sample *s, unsigned step)
{
	unsigned passed = 0, tried = 0;

	assert_true(try(s, s->bytes, s->image.size));
	for (uint64_t at = 0; at < s->image.size; at += step) {
		static const uint8_t flips[] = { 0x01, 0x20, 0x80, 0xff };

		if (in_a_gap(s, at))
			continue;
		for (unsigned i = 0; i < sizeof flips; i++) {
			bool may = may_differ(s, at, flips[i]);

			s->bytes[at] ^= flips[i];
			tried++;
			if (try(s, s->bytes, s->image.size)) {
				passed++;
				if (!may)
					fail_msg("octet %u changed by %#x passes", (unsigned)at, flips[i]);
			}
			s->bytes[at] ^= flips[i];
		}
	}
	assert_true(passed < 20 + tried / 16);
}

static void test_every_octet_of_small_ones(void **state)
{
	static const struct { size_t names; unsigned what; } rows[] = {
		{ 1, 0 }, { 4, MODEL_NSEC3 }, { 12, MODEL_NSEC3 | MODEL_CUTS }, { 9, MODEL_STRANGE },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sample s;

		sample_make(&s, rows[i].names, rows[i].what);
		every_octet(&s, getenv("SCHWENK_SMALL") ? 3 : 1);
		sample_free(&s);
	}
}

static void test_octets_of_one_in_chunks(void **state)
{
	struct sample s;

	sample_make(&s, 1500, MODEL_NSEC3 | MODEL_CUTS | MODEL_LARGE);
	assert_true(s.image.header.chunks[PART_DATA] > 1);
	every_octet(&s, getenv("SCHWENK_SMALL") ? 20011 : 2503);
	sample_free(&s);
}

static void test_octets_of_far_blobs(void **state)
{
	static uint8_t rdata[1024];
	struct sample s = { .bytes = NULL };

	model_begin(&s.model, "check.example");
	for (unsigned t = 0; t < 3; t++)
		for (unsigned k = 0; k < 40; k++) {
			rdata[0] = (uint8_t)k;
			model_add_at(&s.model, "big", (uint16_t)(65300 + t), 30, rdata, sizeof rdata);
		}
	model_sort(&s.model);
	model_list(&s.listing, &s.model);
	sample_take(&s, false);
	assert_true(s.image.header.chunks[PART_DATA] > 2);
	every_octet(&s, getenv("SCHWENK_SMALL") ? 997 : 101);
	sample_free(&s);
}

static void test_octets_of_a_delta(void **state)
{
	struct model a, b;
	struct listing from;
	struct sample s;

	model_random(&a, "check.example", 1, 20, MODEL_NSEC3 | MODEL_CUTS);
	model_change(&b, &a, 2, 8);
	model_list(&from, &a);
	model_list(&s.listing, &b);
	model_begin(&s.model, "check.example");
	model_delta(&s.model, &from, &s.listing);
	sample_take(&s, true);
	assert_true(try(&s, s.bytes, s.image.size));
	for (uint64_t at = 0; at < s.image.size; at++) {
		s.bytes[at] ^= 0x01;
		/* flags of a delta are its maker's word: they may pass */
		try(&s, s.bytes, s.image.size);
		s.bytes[at] ^= 0x01;
	}
	sample_free(&s);
	listing_free(&from);
	model_free(&a);
	model_free(&b);
}

/* ---- one content, one image ---------------------------------------------------- */

static void test_slots_out_of_order(void **state)
{
	struct err err = ERR_INIT;
	struct image_layout l;
	struct packed_at at;
	uint8_t *line, spare[4];
	struct sample s;

	sample_make(&s, 5, 0);
	assert_int_equal(layout_decode(&l, s.bytes, s.image.size, &err), 0);
	assert_int_equal(layout_packed(&l, s.bytes, s.image.size, &at, &err), 0);
	line = s.bytes + at.directory;
	assert_true(line_count(line) > 1);
	/* the slots of two names of one run change places */
	memcpy(spare, line, 4);
	memcpy(line, spare + 2, 2);
	memcpy(line + 2, spare, 2);
	memcpy(spare, line + LINE_PLACES, 4);
	memcpy(line + LINE_PLACES, line + LINE_PLACES + 4, 4);
	memcpy(line + LINE_PLACES + 4, spare, 4);
	assert_false(try(&s, s.bytes, s.image.size));
	sample_free(&s);
}

/* A record that could be plain, with a head before it, and all else as it has
 * to be then. */
static void test_a_head_without_need(void **state)
{
	enum { DATA = IMAGE_HEADER_FIXED + 16, NODE = DATA + DATA_HEADER_SIZE, WIRE = NODE + NODE_HEADER_SIZE + NODE_ENTRY_SIZE };
	struct sample s = { .bytes = NULL };
	uint8_t bytes[1024];
	size_t old, more, wire;

	model_begin(&s.model, "check.example");
	model_a(&s.model, "", 0x0a000001);
	model_sort(&s.model);
	model_list(&s.listing, &s.model);
	sample_take(&s, false);
	old = node_size(s.bytes + NODE);
	wire = RR_FIXED_SIZE + 4;
	assert_int_equal(node_entry(s.bytes + NODE, 0), (WIRE - NODE) | ENTRY_PLAIN);
	more = round8(WIRE - NODE + RRSET_HEAD_SIZE + wire) - old;
	memcpy(bytes, s.bytes, NODE + old);
	memcpy(bytes + NODE + old + more, s.bytes + NODE + old, s.image.size - NODE - old);
	memset(bytes + WIRE, 0, old + more - (WIRE - NODE));
	store_le16(bytes + WIRE, 1);
	store_le16(bytes + WIRE + 4, (uint16_t)wire);
	memcpy(bytes + WIRE + RRSET_HEAD_SIZE, s.bytes + WIRE, wire);
	store_le16(bytes + NODE, (uint16_t)((old + more) / 8));
	store_le16(bytes + NODE + NODE_HEADER_SIZE, WIRE - NODE + RRSET_HEAD_SIZE);
	store_le32(bytes + DATA, (uint32_t)(data_used(bytes + DATA) + more));
	store_le64(bytes + 48, load_le64(bytes + 48) + more);
	assert_false(try(&s, bytes, s.image.size + more));
	sample_free(&s);
}

/* ---- many octets at once --------------------------------------------------------- */

/* Several octets at once: moved, copied, zeroed, made into large numbers. */
static void scribble(struct dice *d, uint8_t *p, uint64_t size)
{
	unsigned times = 1 + dice_below(d, 3);

	while (times--) {
		uint64_t at = dice_next(d) % size, n = 1 + dice_below(d, 40), from = dice_next(d) % size;

		if (n > size - at)
			n = size - at;
		if (n > size - from)
			n = size - from;
		switch (dice_below(d, 5)) {
		case 0:
			memmove(p + at, p + from, n);
			break;
		case 1:
			memset(p + at, 0, n);
			break;
		case 2:
			memset(p + at, 0xff, n);
			break;
		case 3:
			if (size >= 8)
				store_le32(p + (at & ~3u) % (size - 4), (uint32_t)dice_next(d) >> dice_below(d, 32));
			break;
		default:
			p[at] = (uint8_t)dice_next(d);
		}
	}
}

static void test_scribbled(void **state)
{
	static const struct { size_t names; unsigned what, rounds; } rows[] = {
		{ 30, MODEL_NSEC3 | MODEL_CUTS | MODEL_STRANGE, 6000 }, { 1200, MODEL_NSEC3 | MODEL_CUTS | MODEL_LARGE, 300 },
	};
	unsigned passed = 0, all = 0;

	for (size_t i = 0; i < 2; i++) {
		struct dice d = { .state = i };
		struct sample s;
		uint8_t *copy;

		sample_make(&s, rows[i].names, rows[i].what);
		copy = malloc(s.image.size);
		for (unsigned n = 0; n < rows[i].rounds / (getenv("SCHWENK_SMALL") ? 4 : 1); n++) {
			memcpy(copy, s.bytes, s.image.size);
			scribble(&d, copy, s.image.size);
			passed += try(&s, copy, s.image.size);
			all++;
		}
		free(copy);
		sample_free(&s);
	}
	/* the rest hit gaps, or what was there already */
	assert_true(passed < all / 4);
}

static void test_cut_short(void **state)
{
	struct sample s;

	for (size_t i = 0; i < 2; i++) {
		sample_make(&s, i ? 1500 : 20, MODEL_NSEC3);
		for (uint64_t size = 1; size < s.image.size; size += i ? 997 : 7)
			assert_false(try(&s, s.bytes, size));
		sample_free(&s);
	}
}

static void test_chunks_out_of_order(void **state)
{
	struct image_frames frames;
	struct image_check *check;
	struct err err = ERR_INIT;
	enum image_part part;
	const uint8_t *chunk;
	struct sample s;
	uint32_t number;
	size_t size;

	sample_make(&s, 3000, 0);
	assert_int_equal(image_frames_begin(&frames, s.image.fd, 0, s.image.size, &err), 0);
	assert_int_equal(image_frames_next(&frames, &part, &number, &chunk, &size, &err), 1);
	check = image_check_new(chunk, size, MODEL_KEY, &err);
	assert_non_null(check);
	assert_int_equal(image_frames_next(&frames, &part, &number, &chunk, &size, &err), 1);
	assert_int_equal(image_check_chunk(check, part, number + 1, chunk, size, &err), -1);
	err_clear(&err);
	assert_int_equal(image_check_chunk(check, PART_ORDER, 0, chunk, size, &err), -1);
	err_clear(&err);
	assert_int_equal(image_check_chunk(check, part, number, chunk, size, &err), 0);
	assert_int_equal(image_check_finish(check, &err), -1);
	assert_string_equal(err.code, ERR_CORRUPT);
	image_check_free(check);
	image_frames_end(&frames);
	sample_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_octet_of_small_ones),
		cmocka_unit_test(test_octets_of_one_in_chunks),
		cmocka_unit_test(test_octets_of_far_blobs),
		cmocka_unit_test(test_octets_of_a_delta),
		cmocka_unit_test(test_slots_out_of_order),
		cmocka_unit_test(test_a_head_without_need),
		cmocka_unit_test(test_scribbled),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_chunks_out_of_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
