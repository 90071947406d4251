#include "config.h"

#include "zone_support.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/content_hash.h"

int empty_file(void)
{
	int fd = memfd_create("zone-test", MFD_CLOEXEC);

	assert(fd >= 0);
	return fd;
}

void told_problem(void *arg, const struct problem *p)
{
	struct told *t = arg;
	size_t room = sizeof(t->text) - t->size;
	int n = snprintf(t->text + t->size, room, "%s %u:%u: %s\n", p->rule, p->line, p->column, p->message);

	if (n > 0)
		t->size += (size_t)n < room ? (size_t)n : room - 1;
	*(p->severity == PROBLEM_ERROR ? &t->errors : p->severity == PROBLEM_RULE ? &t->rules : &t->warnings) += 1;
}

static int include_dir = -1;

static int open_include(void *arg, const char *name, struct err *err)
{
	int fd = include_dir >= 0 ? openat(include_dir, name, O_RDONLY | O_CLOEXEC) : -1;

	return fd < 0 ? err_system(err, "cannot open") : fd;
}

void add_image(struct loaded *l, int fd, uint64_t size)
{
	struct err err = ERR_INIT;
	struct view *v = &l->view;
	size_t apex_size;

	assert(v->images < IMAGE_DELTA_MAX + 1);
	memmove(&v->image[1], &v->image[0], v->images * sizeof(v->image[0]));
	memmove(&l->files[1], &l->files[0], v->images * sizeof(l->files[0]));
	memmove(&l->fds[1], &l->fds[0], v->images * sizeof(l->fds[0]));
	l->fds[0] = fd;
	l->files[0] = image_file_open(fd, 0, size, &err);
	assert(l->files[0]);
	v->image[0] = image_open(image_file_source(l->files[0]), 1, &err);
	assert(v->image[0]);
	v->apex = image_apex(v->image[0], &apex_size);
	v->images++;
}

static void load_fd(struct loaded *l, const char *apex, int fd, const char *name, const struct load_how *how)
{
	static const struct load_how ordinary;
	struct load_request q = { .hash_key = TEST_HASH_KEY, .text_fd = fd, .text_name = name, .problem = told_problem,
		.open_include = open_include };
	uint8_t wire[NAME_MAX_SIZE], apex_wire[NAME_MAX_SIZE];
	const char *reason;
	int image = empty_file();

	memset(l, 0, sizeof(*l));
	if (!how)
		how = &ordinary;
	l->view.apex_size = (uint8_t)name_from_text(wire, apex, strlen(apex), NULL, false, &reason);
	assert(l->view.apex_size);
	name_lower(apex_wire, wire, l->view.apex_size);
		l->view.apex_labels = name_count_labels(wire);
	l->view.hash_key = TEST_HASH_KEY;
	q.apex = apex_wire;
	q.apex_size = l->view.apex_size;
	q.image_fd = image;
	q.memory_limit = how->memory_limit;
	q.scratch_fd = how->memory_limit ? empty_file() : -1;
	q.threads = how->threads;
	q.pieces_min = how->threads ? 1 : 0;
	q.drop_rules = how->drop_rules;
	q.drop_count = how->drop_count;
	include_dir = how->include_dir ? open(how->include_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	q.arg = &l->told;
	l->status = zone_load(&q, &l->result, &l->err);
	if (include_dir >= 0)
		close(include_dir);
	if (q.scratch_fd >= 0)
		close(q.scratch_fd);
	if (l->status == 0)
		add_image(l, image, l->result.image_size);
	else
		close(image);
}

void load_text(struct loaded *l, const char *apex, const char *text, size_t size, const struct load_how *how)
{
	int fd = empty_file();
	ssize_t n;

	if (!size)
		size = strlen(text);
	n = write(fd, text, size);
	assert(n == (ssize_t)size);
	lseek(fd, 0, SEEK_SET);
	load_fd(l, apex, fd, "text", how);
	close(fd);
}

void load_file(struct loaded *l, const char *apex, const char *path, const struct load_how *how)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert(fd >= 0);
	load_fd(l, apex, fd, path, how);
	close(fd);
}

int change_view(struct loaded *l, const char *text, bool whole, struct change_result *result)
{
	int fd = empty_file();
	struct change_request q = { .base = &l->view, .text = text, .text_size = strlen(text), .text_name = "change",
		.whole = whole, .image_fd = fd, .problem = told_problem, .arg = &l->told };
	int status;

	memset(&l->told, 0, sizeof(l->told));
	err_clear(&l->err);
	status = zone_change(&q, result, &l->err);
	if (status == 0 && result->image_size)
		add_image(l, fd, result->image_size);
	else
		close(fd);
	return status;
}

void loaded_free(struct loaded *l)
{
	for (unsigned i = 0; i < l->view.images; i++) {
		image_close(l->view.image[i]);
		image_file_close(l->files[i]);
		close(l->fds[i]);
	}
	l->view.images = 0;
}

char *view_text(const struct view *view)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct err err = ERR_INIT;

	assert(out);
	if (zone_print(view, out, NULL, NULL, NULL, &err) < 0)
		fprintf(out, "PRINT FAILED: %s\n", err.message);
	fclose(out);
	return text;
}

static void print_nodes(const struct view *view, bool nsec3, FILE *out)
{
	struct view_walk walk;
	struct found f;

	view_walk_begin(&walk, view, nsec3);
	while ((f = view_walk_next(&walk)).node) {
		uint8_t full[2 * NAME_MAX_SIZE];
		char name[NAME_TEXT_MAX];

		name_lower(full, node_owner(f.node), node_owner_size(f.node));
		memcpy(full + node_owner_size(f.node), view->apex, view->apex_size);
		fprintf(out, "%s %x", name_to_text(name, full), node_flags(f.node));
		for (unsigned i = 0; i < node_rrsets(f.node); i++) {
			struct rrset s;

			assert(image_rrset_at(f.image, f.node, i, &s));
			fprintf(out, " %u:%u+%u", s.type, s.count, s.sig_count);
		}
		fputc('\n', out);
	}
}

char *view_nodes(const struct view *view)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	print_nodes(view, false, out);
	print_nodes(view, true, out);
	fclose(out);
	return text;
}

const char *zones_dir(void)
{
	static char path[4096];
	const char *top = getenv("top_srcdir");

	snprintf(path, sizeof(path), "%s/zones", top ? top : ".");
	return path;
}

void loaded_hash(struct loaded *l, uint64_t words[8])
{
	struct content_hash sum = { { 0 } };
	struct view_walk walk;
	struct found f;

	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		view_walk_begin(&walk, &l->view, nsec3);
		while ((f = view_walk_next(&walk)).node) {
			struct content_hash one;

			assert_int_equal(content_hash_node(&one, f, l->view.apex, l->view.apex_size), 0);
			content_hash_add(&sum, &one);
		}
	}
	memcpy(words, sum.word, sizeof(sum.word));
}

void fold_all(struct loaded *l, bool whole)
{
	struct view deltas = l->view;
	struct image_header header;
	struct err err = ERR_INIT;
	uint64_t size;
	int fd = empty_file();
	unsigned keep = whole ? 0 : 1;
	struct image *base = l->view.image[l->view.images - 1];
	struct image_file *base_file = l->files[l->view.images - 1];
	int base_fd = l->fds[l->view.images - 1];

	deltas.images -= keep;
	if (!deltas.images)
		return (void)close(fd);
	if (zone_fold(&deltas, whole, fd, 0, &size, &header, &err) < 0)
		fail_msg("fold: %s", err.message);
	l->view.images -= keep;
	loaded_free(l);
	if (keep) {
		l->view.image[0] = base;
		l->files[0] = base_file;
		l->fds[0] = base_fd;
		l->view.images = 1;
	}
	add_image(l, fd, size);
}

static uint64_t random_state;

void random_seed(uint64_t seed)
{
	random_state = seed;
}

unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 11) % n;
}
