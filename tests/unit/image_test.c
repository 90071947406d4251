/* The image's builder and its readers, against a sorted list. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image_assert.h"
#include "wire/rrtype.h"

static void count_all(const struct listing *l, uint64_t *rrsets, uint64_t *records)
{
	*rrsets = *records = 0;
	for (size_t i = 0; i < l->names + l->nsec3s; i++) {
		const struct model_node *n = i < l->names ? &l->name[i] : &l->nsec3[i - l->names];

		*rrsets += n->count;
		for (unsigned k = 0; k < n->count; k++)
			*records += (uint64_t)n->sets[k].count + n->sets[k].sig_count;
	}
}

static void round_trip(const struct model *m)
{
	struct model_image image, *images[1] = { &image };
	struct err err = ERR_INIT;
	struct listing l;
	struct view v;
	uint64_t rrsets, records;

	model_list(&l, m);
	model_build(&image, m, false);
	if (model_check(image.fd, 0, image.size, MODEL_KEY, &err))
		fail_msg("%s", err.message);
	count_all(&l, &rrsets, &records);
	assert_int_equal(image.header.nodes, l.names);
	assert_int_equal(image.header.nsec3_nodes, l.nsec3s);
	assert_int_equal(image.header.rrsets, rrsets);
	assert_int_equal(image.header.records, records);
	model_view(&v, m, images, 1);
	assert_view(&v, &l);
	assert_image_backwards(image.image, false, l.name, l.names);
	assert_image_backwards(image.image, true, l.nsec3, l.nsec3s);
	model_close(&image);
	listing_free(&l);
}

/* ---- round trips ---------------------------------------------------------------- */

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 15, 16, 17, 33, 100, 1000, 5000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		for (unsigned what = 0; what < 16; what += sizes[i] > 1000 ? 15 : 1) {
			struct model m;

			model_random(&m, i % 3 ? "shop.example" : "Deep.Zone.test", i * 16 + what, sizes[i], what);
			round_trip(&m);
			model_free(&m);
		}
}

static void test_large(void **state)
{
	struct model m;

	model_random(&m, "large.example", 7, getenv("SCHWENK_SMALL") ? 20000 : 100000, MODEL_CUTS | MODEL_NSEC3);
	round_trip(&m);
	model_free(&m);
}

static void test_root_apex(void **state)
{
	struct model m;

	model_random(&m, ".", 3, 500, MODEL_CUTS | MODEL_STRANGE | MODEL_NSEC3);
	round_trip(&m);
	model_free(&m);
}

static void test_apex_of_255_octets(void **state)
{
	char apex[NAME_TEXT_MAX] = "";
	struct model m;

	for (int i = 0; i < 127; i++)
		strcat(apex, "a.");
	model_begin(&m, apex);
	assert_int_equal(m.apex_size, 255);
	model_add(&m, NULL, 0, TYPE_TXT, 1, "\1x", 2);
	model_sort(&m);
	round_trip(&m);
	model_free(&m);
}

/* Longest names, octets that need escaping, and an order that is not that of
 * their octets. */
static void test_strange_names(void **state)
{
	static const char *const owners[] = { "\\000", "\\001", "a\\.b", "a", "A.b", "z", "*.z", "!.z", "*.*.z", "\\255", "a.a\\000",
		"a.a", "aa", "a-b", "\\*", "x.y.z.w", "b\\000c", "b", "b.b\\000c" };
	uint8_t longest[NAME_MAX_SIZE];
	struct model m;
	size_t at = 0;

	model_begin(&m, "x.example");
	model_soa(&m, 9);
	for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++)
		model_a(&m, owners[i], (uint32_t)i);
	while (at + 2 + m.apex_size <= NAME_MAX_SIZE) {
		size_t n = NAME_MAX_SIZE - m.apex_size - at - 1;

		longest[at] = (uint8_t)(n > 63 ? 63 : n);
		memset(longest + at + 1, 'q', longest[at]);
		at += 1 + (size_t)longest[at];
	}
	assert_int_equal(at + m.apex_size, NAME_MAX_SIZE);
	model_add(&m, longest, at, TYPE_TXT, 5, "\0", 1);
	model_sort(&m);
	round_trip(&m);
	model_free(&m);
}

/* RRsets that do not fit into a chunk beside their node's others go into
 * chunks of their own. */
static void test_far_blobs(void **state)
{
	static const uint8_t rdata[256] = { 255 };
	static const char *const owners[] = { "a", "big", "bigger", "c" };
	struct model m;

	model_begin(&m, "far.example");
	model_soa(&m, 1);
	for (size_t i = 0; i < 4; i++) {
		unsigned types = i == 1 ? 3 : i == 2 ? 12 : 1;

		for (unsigned t = 0; t < types; t++)
			for (unsigned k = 0; k < (types > 1 ? 235 : 3); k++) {
				uint8_t one[256];

				memcpy(one, rdata, 256);
				one[1] = (uint8_t)k;
				model_add_at(&m, owners[i], (uint16_t)(65300 + t), 30, one, 256);
			}
	}
	model_name(&m, "bigger", TYPE_MX, "a.far.example.");
	model_sign(&m, TYPE_MX, 900);
	model_sort(&m);
	round_trip(&m);
	model_free(&m);
}

/* An owner of an NSEC3 may be a name as well, or be above one. */
static void test_nsec3_beside_names(void **state)
{
	static const uint8_t rdata[26] = { 1, 0, 0, 0, 0, 20 };
	static const char *const owners[] = { "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", "35mthgpgcu1qg68fab165klnsnk3dpvl" };
	struct model m;

	model_begin(&m, "n.example");
	model_soa(&m, 1);
	for (int i = 0; i < 2; i++) {
		model_add_at(&m, owners[i], TYPE_NSEC3, 30, rdata, sizeof rdata);
		model_sign(&m, TYPE_NSEC3, 64);
		if (i)
			model_add_at(&m, owners[i], TYPE_TXT, 30, "\1x", 2);
	}
	model_a(&m, "www.0p9mhaveqvm6t7vbl5lop2u3t2rp3tom", 1);
	model_sort(&m);
	round_trip(&m);
	model_free(&m);
}

static void test_offset_in_file(void **state)
{
	struct model_image image = { 0 };
	struct image_header again;
	struct err err = ERR_INIT;
	struct model m;

	model_random(&m, "off.example", 5, 2000, 0);
	image.fd = memfd_create("image", MFD_CLOEXEC);
	assert_int_equal(model_build_into(image.fd, 40, &m, false, MODEL_KEY, &image.size, &image.header, &err), 0);
	assert_int_equal(model_check(image.fd, 40, image.size, MODEL_KEY, &err), 0);
	assert_int_equal(model_check(image.fd, 40, image.size, MODEL_KEY + 1, &err), -1);
	assert_string_equal(err.code, ERR_CORRUPT);
	image.file = image_file_open(image.fd, 40, image.size, &err);
	assert_non_null(image.file);
	image.image = image_open(image_file_source(image.file), 7, &err);
	assert_non_null(image.image);
	assert_int_equal(image_id(image.image), 7);
	assert_int_equal(image_read_header(image.image, &again, &err), 0);
	assert_memory_equal(&again, &image.header, sizeof again);
	model_close(&image);
	model_free(&m);
}

/* ---- what the builder refuses ------------------------------------------------------ */

static void test_refusals(void **state)
{
	static const uint8_t a[] = "\1a", b[] = "\1b", too_long[] = "\100a", address[4];
	struct build_record one = { .rdata = address, .size = 4 }, short_one = { .rdata = address, .size = 3 };
	struct build_rrset good = { .type = TYPE_A, .records = &one, .count = 1 };
	struct build_rrset bad = { .type = TYPE_A, .records = &short_one, .count = 1 };
	struct build_rrset none = { .type = TYPE_A, .records = &one, .count = 0 };
	struct build_rrset twice[2] = { good, good };
	const struct { const uint8_t *owner; size_t size; struct build_rrset *sets; unsigned count; const char *code; } rows[] = {
		{ b, 2, &good, 1, ERR_INTERNAL }, { a, 2, &good, 1, ERR_INTERNAL }, { too_long, 2, &good, 1, ERR_INTERNAL },
		{ (const uint8_t *)"\1z", 2, &bad, 1, ERR_PARSE }, { (const uint8_t *)"\1z", 2, &none, 1, ERR_INTERNAL },
		{ (const uint8_t *)"\1z", 2, twice, 2, ERR_INTERNAL },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int fd = memfd_create("image", MFD_CLOEXEC);
		struct err err = ERR_INIT;
		struct image_builder *builder = image_builder_new(fd, 0, (const uint8_t *)"\1z", 3, MODEL_KEY, false, &err);
		struct image_header header;
		uint64_t size;

		assert_int_equal(image_builder_node(builder, b, 2, 0, &good, 1, &err), 0);
		assert_int_equal(image_builder_node(builder, rows[i].owner, rows[i].size, 0, rows[i].sets, rows[i].count, &err), -1);
		assert_string_equal(err.code, rows[i].code);
		err_clear(&err);
		assert_int_equal(image_builder_node(builder, (const uint8_t *)"\1y", 2, 0, &good, 1, &err), -1);
		err_clear(&err);
		assert_int_equal(image_builder_finish(builder, &size, &header, &err), -1);
		image_builder_free(builder);
		close(fd);
	}
}

static void test_too_large_an_rrset(void **state)
{
	struct err err = ERR_INIT;
	struct image_header header;
	uint8_t rdata[1024] = { 0 };
	struct model m;
	uint64_t size;
	int fd = memfd_create("image", MFD_CLOEXEC);

	model_begin(&m, "big.example");
	for (unsigned i = 0; i < 64; i++) {
		rdata[0] = (uint8_t)i;
		model_add_at(&m, "big", 65300, 1, rdata, sizeof rdata);
	}
	model_sort(&m);
	assert_int_equal(model_build_into(fd, 0, &m, false, MODEL_KEY, &size, &header, &err), -1);
	assert_string_equal(err.code, ERR_LIMIT);
	assert_non_null(strstr(err.message, "big.big.example."));
	close(fd);
	model_free(&m);
}

/* ---- content hash -------------------------------------------------------------------- */

static void test_content_hash_adds_up(void **state)
{
	struct content_hash sum = { { 0 } }, one;
	struct model_image image, *images[1] = { &image };
	struct view_walk w;
	struct view v;
	struct found f;
	struct model m;
	char text[CONTENT_HASH_TEXT], again[CONTENT_HASH_TEXT];

	model_random(&m, "hash.example", 11, 3000, MODEL_CUTS | MODEL_NSEC3 | MODEL_STRANGE | MODEL_LARGE);
	model_build(&image, &m, false);
	model_view(&v, &m, images, 1);
	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		view_walk_begin(&w, &v, nsec3);
		while ((f = view_walk_next(&w)).node) {
			assert_int_equal(content_hash_node(&one, f, v.apex, v.apex_size), 0);
			content_hash_add(&sum, &one);
		}
	}
	assert_memory_equal(sum.word, image.header.content, sizeof sum.word);
	content_hash_text(&sum, text);
	content_hash_subtract(&sum, &one);
	content_hash_text(&sum, again);
	assert_string_not_equal(text, again);
	content_hash_add(&sum, &one);
	assert_string_equal(text, content_hash_text(&sum, again));
	model_close(&image);
	model_free(&m);
}

static struct content_hash hash_of(const struct model *m)
{
	struct model_image image;
	struct content_hash h;

	model_build(&image, m, false);
	memcpy(h.word, image.header.content, sizeof h.word);
	model_close(&image);
	return h;
}

static void swap_records(struct build_record *r)
{
	struct build_record first = r[0];

	r[0] = r[1];
	r[1] = first;
}

static void test_content_hash_sees_records_only(void **state)
{
	struct content_hash h[6];

	for (int i = 0; i < 6; i++) {
		struct model m;

		model_begin(&m, "same.example");
		model_soa(&m, i == 1 ? 77 : 5);                         /* another serial: no change */
		model_a(&m, i == 2 ? "WWW" : "www", 1);                 /* nor another letter case of an owner */
		model_a(&m, i == 2 ? "WWW" : "www", i == 4 ? 3 : 2);    /* another record is one */
		if (i == 3)                                             /* the order of records is none */
			swap_records((struct build_record *)(uintptr_t)m.nodes[1].sets[0].records);
		model_name(&m, "mx", TYPE_MX, i == 5 ? "Same.example." : "same.example.");      /* rdata keeps its case */
		model_sort(&m);
		h[i] = hash_of(&m);
		model_free(&m);
	}
	assert_memory_equal(&h[0], &h[1], sizeof h[0]);
	assert_memory_equal(&h[0], &h[2], sizeof h[0]);
	assert_memory_equal(&h[0], &h[3], sizeof h[0]);
	assert_memory_not_equal(&h[0], &h[4], sizeof h[0]);
	assert_memory_not_equal(&h[0], &h[5], sizeof h[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_root_apex),
		cmocka_unit_test(test_apex_of_255_octets),
		cmocka_unit_test(test_strange_names),
		cmocka_unit_test(test_far_blobs),
		cmocka_unit_test(test_nsec3_beside_names),
		cmocka_unit_test(test_offset_in_file),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_large_an_rrset),
		cmocka_unit_test(test_content_hash_adds_up),
		cmocka_unit_test(test_content_hash_sees_records_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
