/* Everything that a view's readers can be asked, against a listing. */
#ifndef TESTS_IMAGE_ASSERT_H
#define TESTS_IMAGE_ASSERT_H

#include "image_model.h"

void assert_view(const struct view *, const struct listing *);
void assert_found_is(struct found, const struct model_node *);
/* The walk back from the end. */
void assert_image_backwards(struct image *, bool nsec3, const struct model_node *nodes, size_t count);

#endif
