#include "answer_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zone/load.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "test zone: %s: %s\n", what, why);
	abort();
}

static int new_file(const char *text, size_t size)
{
	int fd = memfd_create("layer", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		die("memfd", "cannot be written");
	return fd;
}

/* The image that fd has at its beginning comes on top of what lies below. */
static void lay(struct test_zone *z, const struct test_zone *below, int fd, uint64_t size)
{
	struct test_zone made = { .fd = fd, .view = below->view };
	struct view *v = &made.view.view;
	struct err err = ERR_INIT;
	size_t apex_size;

	made.file = image_file_open(fd, 0, size, &err);
	if (!made.file)
		die("image_file_open", err.message);
	memmove(&v->image[1], &v->image[0], v->images * sizeof v->image[0]);
	v->image[0] = image_open(image_file_source(made.file), 1 + v->images, &err);
	if (!v->image[0])
		die("image_open", err.message);
	v->images++;
	v->apex = image_apex(v->image[0], &apex_size);
	*z = made;
}

static void tell(void *arg, const struct problem *p)
{
	fprintf(stderr, "%s: %s\n", p->rule, p->message);
}

void test_zone_edit(struct test_zone *z, const struct test_zone *below, const char *text)
{
	struct change_request q = { .base = &below->view.view, .text = text, .text_size = strlen(text), .text_name = "edition",
		.image_fd = new_file("", 0), .problem = tell };
	struct change_result result;
	struct err err = ERR_INIT;

	if (zone_change(&q, &result, &err) || !result.image_size)
		die("zone_change", err.message);
	lay(z, below, q.image_fd, result.image_size);
}

/* ---- differences ------------------------------------------------------------------ */

static bool same_octets(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	return a_size == b_size && memcmp(a, b, a_size) == 0;
}

/* Owner, flags and records. */
static bool same_node(struct found a, struct found b)
{
	if (node_flags(a.node) != node_flags(b.node) || node_rrsets(a.node) != node_rrsets(b.node) ||
	    !same_octets(node_owner(a.node), node_owner_size(a.node), node_owner(b.node), node_owner_size(b.node)))
		return false;
	for (unsigned i = 0; i < node_rrsets(a.node); i++) {
		struct rrset x, y;

		if (!image_rrset_at(a.image, a.node, i, &x) || !image_rrset_at(b.image, b.node, i, &y))
			die("image_rrset_at", "no such RRset");
		if (x.type != y.type || !same_octets(x.wire, x.wire_size, y.wire, y.wire_size) ||
		    !same_octets(x.sigs, x.sigs_size, y.sigs, y.sigs_size))
			return false;
	}
	return true;
}

static int order(struct found a, struct found b)
{
	if (!a.node || !b.node)
		return a.node ? -1 : 1;
	return name_compare(node_owner(a.node), node_owner_size(a.node), node_owner(b.node), node_owner_size(b.node));
}

static void put(struct image_builder *b, struct found from, struct found to, int d)
{
	struct err err = ERR_INIT;
	int status = 0;

	if (d < 0)
		status = image_builder_node(b, node_owner(from.node), node_owner_size(from.node),
			(node_flags(from.node) & NODE_NSEC3) | NODE_GONE, NULL, 0, &err);
	else if (d > 0 || !same_node(from, to))
		status = image_builder_copy(b, to, &err);
	if (status)
		die("a difference", err.message);
}

static void put_differences(struct image_builder *b, const struct view *from, const struct view *to, bool nsec3)
{
	struct view_walk *walks = calloc(2, sizeof *walks);
	struct found old, new;

	view_walk_begin(&walks[0], from, nsec3);
	view_walk_begin(&walks[1], to, nsec3);
	old = view_walk_next(&walks[0]);
	new = view_walk_next(&walks[1]);
	while (old.node || new.node) {
		int d = order(old, new);

		put(b, old, new, d);
		if (d <= 0)
			old = view_walk_next(&walks[0]);
		if (d >= 0)
			new = view_walk_next(&walks[1]);
	}
	free(walks);
}

void test_zone_difference(struct test_zone *z, const struct test_zone *below, const struct test_zone *after)
{
	const struct view *v = &below->view.view;
	struct image_header header;
	struct image_builder *b;
	struct err err = ERR_INIT;
	int fd = new_file("", 0);
	uint64_t size;

	b = image_builder_new(fd, 0, v->apex, v->apex_size, v->hash_key, true, &err);
	if (!b)
		die("image_builder_new", err.message);
	put_differences(b, v, &after->view.view, false);
	put_differences(b, v, &after->view.view, true);
	if (image_builder_finish(b, &size, &header, &err) || !header.nodes)
		die("image_builder_finish", err.message);
	image_builder_free(b);
	lay(z, below, fd, size);
}

void test_zone_fold(struct test_zone *z, const struct test_zone *layered)
{
	struct test_zone none = *layered;
	struct image_header header;
	struct err err = ERR_INIT;
	int fd = new_file("", 0);
	uint64_t size;

	if (zone_fold(&layered->view.view, true, fd, 0, &size, &header, &err))
		die("zone_fold", err.message);
	none.view.view.images = 0;
	lay(z, &none, fd, size);
}

/* ---- spare SOAs -------------------------------------------------------------------- */

void signed_zone_add_spare(struct signed_zone *z, uint32_t serial)
{
	ldns_rr_list *soa = signed_zone_soa(z, serial);
	char *text = ldns_rr_list2str(soa);
	struct spares_request q = { .view = &z->zone.view.view, .text_fd = new_file(text, strlen(text)), .text_name = "spare",
		.image_fd = new_file("", 0), .problem = tell };
	const struct test_zone below = z->zone;
	struct spares_result result;
	struct err err = ERR_INIT;

	if (zone_spares(&q, &result, &err) || result.count != 1)
		die("zone_spares", err.message);
	lay(&z->zone, &below, q.image_fd, result.spares[0].size);
	free(result.spares);
	free(text);
	close(q.text_fd);
	ldns_rr_list_deep_free(soa);
}
