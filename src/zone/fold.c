#include "zone/load.h"

/* A name or NSEC3 node that a delta must say is gone, else it would shine
 * through from an older image. */
struct fold {
	const struct view *view;
	struct image_builder *builder;
	bool base;
	struct err *err;
};

/* Into a full image: what the view shows. */
static int fold_full(struct fold *f, bool nsec3)
{
	struct view_walk walk;
	struct found found;

	view_walk_begin(&walk, f->view, nsec3);
	while ((found = view_walk_next(&walk)).node)
		if (image_builder_copy(f->builder, found, f->err) < 0)
			return -1;
	return 0;
}

/* Into a delta: of every owner the newest node, gone ones too, which
 * view_walk_next would pass over. */
static int fold_delta(struct fold *f, bool nsec3)
{
	struct image_walk walk[IMAGE_DELTA_MAX + 1];
	const uint8_t *head[IMAGE_DELTA_MAX + 1];
	unsigned images = f->view->images;

	for (unsigned i = 0; i < images; i++) {
		image_walk_begin(&walk[i], f->view->image[i], nsec3);
		head[i] = image_walk_next(&walk[i]);
	}
	for (;;) {
		unsigned first = images;
		bool same[IMAGE_DELTA_MAX + 1] = { false };

		/* the lowest owner; among equal ones the newest image's */
		for (unsigned i = 0; i < images; i++) {
			int c;

			if (!head[i])
				continue;
			c = first == images ? -1 : name_compare(node_owner(head[i]), node_owner_size(head[i]),
				node_owner(head[first]), node_owner_size(head[first]));
			if (c < 0) {
				for (unsigned k = 0; k < i; k++)
					same[k] = false;
				first = i;
			}
			same[i] = c <= 0;
		}
		if (first == images)
			return 0;
		if (image_builder_copy(f->builder, (struct found){ .node = head[first], .image = f->view->image[first] }, f->err) < 0)
			return -1;
		for (unsigned i = 0; i < images; i++)
			if (same[i])
				head[i] = image_walk_next(&walk[i]);
	}
}

int zone_fold(const struct view *view, bool base, int image_fd, uint64_t offset, uint64_t *size, struct image_header *header,
	struct err *err)
{
	struct fold f = { .view = view, .base = base, .err = err };
	int status;

	f.builder = image_builder_new(image_fd, offset, view->apex, view->apex_size, view->hash_key, !base, err);
	if (!f.builder)
		return -1;
	status = base ? fold_full(&f, false) : fold_delta(&f, false);
	if (status == 0)
		status = base ? fold_full(&f, true) : fold_delta(&f, true);
	if (status == 0)
		status = image_builder_finish(f.builder, size, header, err);
	image_builder_free(f.builder);
	return status;
}
