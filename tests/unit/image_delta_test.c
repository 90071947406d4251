/* Deltas over a base: views of several images, and folding them into one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image_assert.h"
#include "wire/rrtype.h"

/* A zone that was edited again and again: image 0 is the base, then deltas. */
struct series {
	unsigned count;
	struct model model[IMAGE_DELTA_MAX + 1];
	struct listing listing[IMAGE_DELTA_MAX + 1];
	struct model delta[IMAGE_DELTA_MAX + 1];
	struct model_image image[IMAGE_DELTA_MAX + 1];
};

static void series_make(struct series *s, const char *apex, uint64_t seed, size_t names, unsigned count, size_t changes)
{
	memset(s, 0, sizeof *s);
	s->count = count;
	for (unsigned i = 0; i < count; i++) {
		if (i == 0)
			model_random(&s->model[0], apex, seed, names, MODEL_CUTS | MODEL_NSEC3 | MODEL_STRANGE);
		else
			model_change(&s->model[i], &s->model[i - 1], seed + i, changes);
		model_list(&s->listing[i], &s->model[i]);
		if (i == 0) {
			model_build(&s->image[0], &s->model[0], false);
			continue;
		}
		model_begin(&s->delta[i], apex);
		model_delta(&s->delta[i], &s->listing[i - 1], &s->listing[i]);
		model_build(&s->image[i], &s->delta[i], true);
	}
}

static void series_free(struct series *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		model_close(&s->image[i]);
		listing_free(&s->listing[i]);
		model_free(&s->delta[i]);
		model_free(&s->model[i]);
	}
}

/* Images from..to, newest first. */
static void series_view(const struct series *s, unsigned from, unsigned to, struct view *v)
{
	struct model_image *images[IMAGE_DELTA_MAX + 1];
	unsigned n = 0;

	for (unsigned i = to + 1; i-- > from;)
		images[n++] = (struct model_image *)(uintptr_t)&s->image[i];
	model_view(v, &s->model[0], images, n);
}

static void fold(const struct view *v, bool delta, struct model_image *image)
{
	struct err err = ERR_INIT;
	struct image_builder *b;
	struct view_walk w;
	struct found f;

	memset(image, 0, sizeof *image);
	image->fd = memfd_create("fold", MFD_CLOEXEC);
	b = image_builder_new(image->fd, 0, v->apex, v->apex_size, MODEL_KEY, delta, &err);
	assert_non_null(b);
	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		view_walk_begin(&w, v, nsec3);
		while ((f = view_walk_next(&w)).node)
			if (image_builder_copy(b, f, &err))
				fail_msg("%s", err.message);
	}
	if (image_builder_finish(b, &image->size, &image->header, &err))
		fail_msg("%s", err.message);
	image_builder_free(b);
	assert_int_equal(model_open(image, &err), 0);
}

static void test_views_of_deltas(void **state)
{
	static const struct { size_t names; unsigned count; size_t changes; } rows[] = {
		{ 1, 3, 1 }, { 20, 5, 4 }, { 400, 4, 60 }, { 3000, 3, 5 }, { 60, IMAGE_DELTA_MAX + 1, 3 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct series *s = malloc(sizeof *s);

		series_make(s, i % 2 ? "edited.example" : ".", 100 + i, rows[i].names, rows[i].count, rows[i].changes);
		for (unsigned k = 0; k < s->count; k++) {
			struct err err = ERR_INIT;
			struct view v;

			if (model_check(s->image[k].fd, 0, s->image[k].size, MODEL_KEY, &err))
				fail_msg("%s", err.message);
			series_view(s, 0, k, &v);
			assert_view(&v, &s->listing[k]);
		}
		series_free(s);
		free(s);
	}
}

static void assert_same_image(const struct model_image *a, const struct model *m)
{
	struct model_image direct;

	model_build(&direct, m, false);
	assert_int_equal(a->size, direct.size);
	assert_int_equal(a->header.nodes, direct.header.nodes);
	assert_int_equal(a->header.records, direct.header.records);
	assert_memory_equal(a->header.content, direct.header.content, sizeof direct.header.content);
	model_close(&direct);
}

static void test_fold_into_a_base(void **state)
{
	static const size_t sizes[] = { 3, 200, 4000 };

	for (size_t i = 0; i < 3; i++) {
		struct series *s = malloc(sizeof *s);
		struct model_image folded, *images[1] = { &folded };
		struct err err = ERR_INIT;
		struct view v;

		series_make(s, "folded.example", 31 * i, sizes[i], 5, sizes[i] / 10 + 1);
		series_view(s, 0, s->count - 1, &v);
		fold(&v, false, &folded);
		if (model_check(folded.fd, 0, folded.size, MODEL_KEY, &err))
			fail_msg("%s", err.message);
		assert_same_image(&folded, &s->model[s->count - 1]);
		model_view(&v, &s->model[0], images, 1);
		assert_view(&v, &s->listing[s->count - 1]);
		model_close(&folded);
		series_free(s);
		free(s);
	}
}

/* Deltas folded into one hide what they hid. */
static void test_fold_into_a_delta(void **state)
{
	struct series *s = malloc(sizeof *s);
	struct model_image folded, *images[2] = { &folded, &s->image[0] };
	struct err err = ERR_INIT;
	struct view v;

	series_make(s, "part.example", 77, 500, 6, 80);
	series_view(s, 1, s->count - 1, &v);
	fold(&v, true, &folded);
	if (model_check(folded.fd, 0, folded.size, MODEL_KEY, &err))
		fail_msg("%s", err.message);
	assert_true(folded.header.delta);
	model_view(&v, &s->model[0], images, 2);
	assert_view(&v, &s->listing[s->count - 1]);
	model_close(&folded);
	series_free(s);
	free(s);
}

/* A set may lose nearly all, and have it again. */
static void test_all_gone_and_back(void **state)
{
	struct model big, small, down, up;
	struct model_image image[3], *images[3] = { &image[2], &image[1], &image[0] };
	struct listing all, few;
	struct view v;

	model_random(&big, "gone.example", 5, 800, MODEL_CUTS | MODEL_NSEC3);
	model_begin(&small, "gone.example");
	model_soa(&small, 4);
	model_sort(&small);
	model_list(&all, &big);
	model_list(&few, &small);
	model_begin(&down, "gone.example");
	model_begin(&up, "gone.example");
	model_delta(&down, &all, &few);
	model_delta(&up, &few, &all);
	model_build(&image[0], &big, false);
	model_build(&image[1], &down, true);
	model_build(&image[2], &up, true);
	model_view(&v, &big, images + 1, 2);
	assert_view(&v, &few);
	model_view(&v, &big, images, 3);
	assert_view(&v, &all);
	for (int i = 0; i < 3; i++)
		model_close(&image[i]);
	listing_free(&all);
	listing_free(&few);
	model_free(&down);
	model_free(&up);
	model_free(&big);
	model_free(&small);
}

static void test_empty_delta(void **state)
{
	struct model base, none;
	struct model_image image[2], *images[2] = { &image[1], &image[0] };
	struct err err = ERR_INIT;
	struct listing l;
	struct view v;

	model_random(&base, "same.example", 9, 50, MODEL_NSEC3);
	model_list(&l, &base);
	model_begin(&none, "same.example");
	model_build(&image[0], &base, false);
	model_build(&image[1], &none, true);
	assert_int_equal(image[1].header.nodes, 0);
	assert_int_equal(model_check(image[1].fd, 0, image[1].size, MODEL_KEY, &err), 0);
	model_view(&v, &base, images, 2);
	assert_view(&v, &l);
	model_close(&image[0]);
	model_close(&image[1]);
	listing_free(&l);
	model_free(&none);
	model_free(&base);
}

static void test_refused_deltas(void **state)
{
	static const uint8_t address[4];
	struct build_record r = { .rdata = address, .size = 4 };
	struct build_rrset set = { .type = TYPE_A, .records = &r, .count = 1 };
	struct err err = ERR_INIT;
	int fd = memfd_create("delta", MFD_CLOEXEC);
	struct image_builder *b = image_builder_new(fd, 0, (const uint8_t *)"\1z", 3, MODEL_KEY, true, &err);

	assert_int_equal(image_builder_node(b, (const uint8_t *)"\1a", 2, NODE_GONE, &set, 1, &err), -1);
	assert_string_equal(err.code, ERR_INTERNAL);
	image_builder_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views_of_deltas),
		cmocka_unit_test(test_fold_into_a_base),
		cmocka_unit_test(test_fold_into_a_delta),
		cmocka_unit_test(test_all_gone_and_back),
		cmocka_unit_test(test_empty_delta),
		cmocka_unit_test(test_refused_deltas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
