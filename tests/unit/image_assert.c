#include "image_assert.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void assert_walk(const struct view *v, bool nsec3, const struct model_node *nodes, size_t count)
{
	struct view_walk w;
	struct found f;

	view_walk_begin(&w, v, nsec3);
	for (size_t i = 0; i < count; i++) {
		f = view_walk_next(&w);
		assert_non_null(f.node);
		assert_node_holds(f.image, f.node, &nodes[i], v->apex, v->apex_size);
		assert_int_equal(node_flags(f.node), nodes[i].flags);
	}
	assert_null(view_walk_next(&w).node);
}

static void assert_lookups(const struct view *v, const struct model_node *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t lower[NAME_MAX_SIZE];
		uint64_t hash = model_hash(nodes[i].owner, nodes[i].size, v->apex, v->apex_size, lower);
		struct found f;

		view_prefetch_directory(v, hash);
		view_prefetch_node(v, hash);
		f = view_find(v, hash, lower, nodes[i].size);
		assert_non_null(f.node);
		assert_node_holds(f.image, f.node, &nodes[i], v->apex, v->apex_size);
	}
}

/* What is sought: a name of the list, or one a little beside it. */
static size_t probe(struct dice *d, const struct model_node *nodes, size_t count, size_t apex_size, uint8_t name[NAME_MAX_SIZE])
{
	const struct model_node *n = &nodes[dice_below(d, (uint32_t)count)];
	size_t size = n->size;

	name_lower(name, n->owner, size);
	switch (dice_below(d, 4)) {
	case 0:
		if (size && name[0] < 63 && size + apex_size < NAME_MAX_SIZE) {
			memmove(name + 2, name + 1, size - 1);
			name[0]++;
			name[1] = (uint8_t)dice_below(d, 256);
			name_lower(name + 1, name + 1, 1);
			size++;
		}
		break;
	case 1:
		if (size + apex_size + 3 < NAME_MAX_SIZE) {
			memmove(name + 3, name, size);
			name[0] = 2;
			name[1] = 'm';
			name[2] = (uint8_t)('a' + dice_below(d, 26));
			size += 3;
		}
		break;
	case 2:
		if (size) {
			uint8_t c = (uint8_t)dice_next(d);

			name_lower(&name[1], &c, 1);
		}
	}
	return size;
}

void assert_found_is(struct found f, const struct model_node *n)
{
	if (!n) {
		assert_null(f.node);
		return;
	}
	assert_non_null(f.node);
	assert_int_equal(node_owner_size(f.node), n->size);
	if (n->size)
		assert_true(name_equal(node_owner(f.node), n->owner, n->size));
}

static void assert_predecessor(const struct view *v, bool nsec3, const struct model_node *nodes, size_t count,
	const uint8_t *name, size_t size, uint16_t skip)
{
	const struct model_node *wanted = NULL;
	bool found;
	size_t i = nodes_seek(nodes, count, name, size, &found);

	i += found;
	while (i && !wanted)
		if (!(nodes[--i].flags & skip))
			wanted = &nodes[i];
	if (!wanted && nsec3 && count)
		wanted = &nodes[count - 1];
	assert_found_is(view_predecessor(v, nsec3, name, size, skip), wanted);
}

static void assert_seeks(const struct view *v, bool nsec3, const struct model_node *nodes, size_t count, unsigned rounds)
{
	struct dice d = { .state = count };

	for (unsigned i = 0; count && i < rounds; i++) {
		uint8_t name[NAME_MAX_SIZE + 4], lower[NAME_MAX_SIZE];
		size_t size = probe(&d, nodes, count, v->apex_size, name), at;
		struct view_walk w;
		bool found;

		at = nodes_seek(nodes, count, name, size, &found);
		view_walk_seek(&w, v, nsec3, name, size);
		for (size_t k = at; k < count && k < at + 3; k++)
			assert_found_is(view_walk_next(&w), &nodes[k]);
		if (at + 3 > count)
			assert_found_is(view_walk_next(&w), NULL);
		assert_predecessor(v, nsec3, nodes, count, name, size, 0);
		if (nsec3)
			continue;
		assert_predecessor(v, false, nodes, count, name, size, NODE_OCCLUDED | NODE_ENT);
		assert_found_is(view_find(v, model_hash(name, size, v->apex, v->apex_size, lower), name, size), found ? &nodes[at] : NULL);
	}
}

void assert_image_backwards(struct image *image, bool nsec3, const struct model_node *nodes, size_t count)
{
	struct image_walk w;

	image_walk_begin(&w, image, nsec3);
	while (image_walk_next(&w))
		;
	while (count--) {
		const uint8_t *n = image_walk_previous(&w);

		assert_non_null(n);
		assert_int_equal(node_owner_size(n), nodes[count].size);
		if (nodes[count].size)
			assert_true(name_equal(node_owner(n), nodes[count].owner, nodes[count].size));
	}
	assert_null(image_walk_previous(&w));
}

void assert_view(const struct view *v, const struct listing *l)
{
	assert_walk(v, false, l->name, l->names);
	assert_walk(v, true, l->nsec3, l->nsec3s);
	assert_lookups(v, l->name, l->names);
	assert_seeks(v, false, l->name, l->names, 400);
	assert_seeks(v, true, l->nsec3, l->nsec3s, 400);
}
