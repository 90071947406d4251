#include "store/image.h"

#include <string.h>

#include "base/turn.h"

struct found view_find(const struct view *v, uint64_t hash, const uint8_t *relative, size_t size)
{
	unsigned i;

	for (i = 0; i < v->images; i++) {
		const uint8_t *n = image_find(v->image[i], hash, relative, size);

		if (n && node_flags(n) & NODE_GONE)
			break;
		if (n)
			return (struct found){ .node = n, .image = v->image[i] };
	}
	return (struct found){ .node = NULL, .image = NULL };
}

void view_prefetch_directory(const struct view *v, uint64_t hash)
{
	unsigned i;

	for (i = 0; i < v->images; i++)
		image_prefetch_directory(v->image[i], hash);
}

void view_prefetch_node(const struct view *v, uint64_t hash)
{
	unsigned i;

	for (i = 0; i < v->images; i++)
		image_prefetch_node(v->image[i], hash);
}

static int node_compare(const uint8_t *a, const uint8_t *b)
{
	return name_compare(node_owner(a), node_owner_size(a), node_owner(b), node_owner_size(b));
}

/* ---- backwards ----------------------------------------------------------- */

/* The last of all heads; of several images' versions of it the newest, and
 * each of these images one step further back. */
static struct found step_back(struct view_walk *w)
{
	struct found f = { .node = NULL, .image = NULL };
	unsigned i;

	for (i = 0; i < w->view->images; i++) {
		if (w->head[i] && (!f.node || node_compare(w->head[i], f.node) > 0)) {
			f.node = w->head[i];
			f.image = w->view->image[i];
		}
	}
	if (!f.node)
		return f;
	for (i = 0; i < w->view->images; i++)
		if (w->head[i] && (w->head[i] == f.node || node_compare(w->head[i], f.node) == 0))
			w->head[i] = image_walk_previous(&w->walk[i]);
	return f;
}

static struct found last_wanted(struct view_walk *w, uint16_t skip)
{
	struct found f;

	do
		f = step_back(w);
	while (f.node && node_flags(f.node) & (NODE_GONE | skip));
	return f;
}

struct found view_predecessor(const struct view *v, bool nsec3, const uint8_t *relative, size_t size, uint16_t skip)
{
	struct view_walk w;
	struct found f;
	unsigned i;

	w.view = v;
	for (i = 0; i < v->images; i++) {
		const uint8_t *n;

		image_walk_seek(&w.walk[i], v->image[i], nsec3, relative, size);
		n = image_walk_next(&w.walk[i]);
		if (n && name_compare(node_owner(n), node_owner_size(n), relative, size) == 0) {
			w.head[i] = n;
			w.walk[i].index--;
		} else {
			if (n)
				w.walk[i].index--;
			w.head[i] = image_walk_previous(&w.walk[i]);
		}
	}
	f = last_wanted(&w, skip);
	if (f.node || !nsec3)
		return f;
	/* Before the first hash comes the last one. */
	for (i = 0; i < v->images; i++) {
		w.walk[i] = (struct image_walk){ .image = v->image[i], .nsec3 = true,
			.index = image_nsec3_nodes(v->image[i]) };
		w.head[i] = image_walk_previous(&w.walk[i]);
	}
	return last_wanted(&w, skip);
}

/* ---- forwards ------------------------------------------------------------ */

void view_walk_begin(struct view_walk *w, const struct view *v, bool nsec3)
{
	unsigned i;

	w->view = v;
	for (i = 0; i < v->images; i++) {
		image_walk_begin(&w->walk[i], v->image[i], nsec3);
		w->head[i] = image_walk_next(&w->walk[i]);
	}
}

void view_walk_seek(struct view_walk *w, const struct view *v, bool nsec3, const uint8_t *relative, size_t size)
{
	unsigned i;

	w->view = v;
	for (i = 0; i < v->images; i++) {
		image_walk_seek(&w->walk[i], v->image[i], nsec3, relative, size);
		w->head[i] = image_walk_next(&w->walk[i]);
	}
}

struct found view_walk_next(struct view_walk *w)
{
	const struct view *v = w->view;
	bool tell_gone = v->images && image_is_delta(v->image[v->images - 1]);

	turn_over(20);
	for (;;) {
		struct found f = { .node = NULL, .image = NULL };
		unsigned i;

		if (v->images == 1) {
			f = (struct found){ .node = w->head[0], .image = v->image[0] };
			if (f.node)
				w->head[0] = image_walk_next(&w->walk[0]);
			return f;
		}
		for (i = 0; i < v->images; i++) {
			if (w->head[i] && (!f.node || node_compare(w->head[i], f.node) < 0)) {
				f.node = w->head[i];
				f.image = v->image[i];
			}
		}
		if (!f.node)
			return f;
		for (i = 0; i < v->images; i++)
			if (w->head[i] && (w->head[i] == f.node || node_compare(w->head[i], f.node) == 0))
				w->head[i] = image_walk_next(&w->walk[i]);
		if (tell_gone || !(node_flags(f.node) & NODE_GONE))
			return f;
	}
}
