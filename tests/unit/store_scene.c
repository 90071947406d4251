#include "store_scene.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/rrtype.h"

const struct who scene_who = { .uid = 1000, .gid = 1000, .login_uid = UINT32_MAX, .pid = 4711, .name = "tester" };

/* ---- begin and end ------------------------------------------------------------ */

void must_(struct scene *s, int rc, const char *step, const char *file, int line)
{
	if (!rc)
		return;
	fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, step, s->err.code, s->err.message);
	fail();
}

void must_fail_(struct scene *s, const char *code, int rc, const char *step, const char *file, int line)
{
	if (rc && err_is(&s->err, code))
		return;
	fprintf(stderr, "%s:%d: %s: %s, not \"%s\" (%s)\n", file, line, step, rc ? s->err.code : "it succeeded", code,
		rc ? s->err.message : "");
	fail();
}

const char *scene_fast_base(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp ? tmp : access("/dev/shm", W_OK | X_OK) ? "/tmp" : "/dev/shm";
}

void scene_begin(struct scene *s)
{
	const char *tmp = s->base ? s->base : getenv("TMPDIR");

	snprintf(s->dir, sizeof s->dir, "%s/schwenk-store-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(s->dir)) {
		perror(s->dir);
		abort();
	}
	must(s, scene_open(s));
}

int scene_open(struct scene *s)
{
	struct store_options o = { .dir = s->dir, .catalog_map = s->map ? s->map : 64 << 20,
		.images_map = s->map ? s->map : 64 << 20, .head_room = 1 << 20, .max_readers = 16 };

	err_clear(&s->err);
	return store_writer_open(&s->writer, &o, &s->err);
}

void scene_close(struct scene *s)
{
	store_writer_close(s->writer);
	s->writer = NULL;
}

void remove_tree(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char path[4096];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (unlink(path))
			remove_tree(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

void scene_end(struct scene *s)
{
	scene_close(s);
	remove_tree(s->dir);
}

/* ---- steps ----------------------------------------------------------------------- */

size_t apex_of(const char *zone, uint8_t apex[NAME_MAX_SIZE])
{
	const char *reason = NULL;
	size_t n = name_from_text(apex, zone, strlen(zone), NULL, false, &reason);

	if (!n)
		abort();
	return n;
}

static struct catalog_txn *begin(struct scene *s)
{
	struct catalog_txn *t;

	err_clear(&s->err);
	return catalog_begin(s->writer, &t, &s->err) ? NULL : t;
}

static int finish(struct scene *s, struct catalog_txn *t, int rc)
{
	if (!rc)
		return catalog_commit(t, NULL, NULL, &s->err);
	catalog_abort(t);
	return -1;
}

int scene_zone_add(struct scene *s, const char *zone)
{
	struct catalog_txn *t = begin(s);
	uint8_t apex[NAME_MAX_SIZE];
	struct zone_row row;

	return t ? finish(s, t, catalog_zone_add(t, apex, apex_of(zone, apex), &row, &s->err)) : -1;
}

int scene_zone_remove(struct scene *s, const char *zone)
{
	struct catalog_txn *t = begin(s);
	uint8_t apex[NAME_MAX_SIZE];

	return t ? finish(s, t, catalog_zone_remove(t, apex, apex_of(zone, apex), &scene_who, "gone", &s->err)) : -1;
}

static int copy_in_all(struct scene *s, int fd, uint64_t size, uint64_t image)
{
	struct copy_in *c;
	int rc;

	if (copy_in_begin(s->writer, fd, 0, size, image, &c, &s->err))
		return -1;
	while ((rc = copy_in_step(c, 1000000, &s->err)) == 1)
		;
	copy_in_free(c);
	return rc;
}

static int find_set(struct scene *s, struct catalog_txn *t, const char *zone, const char *set, struct zone_row *z, struct set_row *row)
{
	uint8_t apex[NAME_MAX_SIZE];

	if (catalog_zone(t, apex, apex_of(zone, apex), z, &s->err))
		return -1;
	return set ? catalog_set_by_name(t, z, set, row, &s->err) : 0;
}

/* A set that is loading, and the id of its image. */
static int stage_begin(struct scene *s, const struct import *in, struct set_row *row, uint64_t *image)
{
	struct catalog_txn *t = begin(s);
	struct zone_row zone;

	if (!t)
		return -1;
	if (find_set(s, t, in->zone, NULL, &zone, NULL) || catalog_set_begin(t, &zone, in->set, "a test", row, &s->err))
		return finish(s, t, -1);
	*image = catalog_next_image_id(t);
	return finish(s, t, 0);
}

static void take_counts(struct set_row *row, const struct image_header *h, uint64_t size, uint32_t serial)
{
	row->records = h->records;
	row->rrsets = h->rrsets;
	row->nodes = h->nodes;
	row->octets = size;
	row->soa_serial = serial;
	memcpy(row->hash.word, h->content, sizeof h->content);
}

int scene_import(struct scene *s, const struct import *in, uint64_t *id)
{
	struct model_image built;
	struct catalog_txn *t;
	struct set_row row;
	uint64_t image;
	int rc = stage_begin(s, in, &row, &image);

	if (rc)
		return rc;
	model_build_key(&built, in->model, false, store_writer_hash_key(s->writer));
	rc = copy_in_all(s, built.fd, built.size, image);
	if (!rc && (t = begin(s))) {
		row.state = in->failed ? SET_FAILED : SET_READY;
		row.flags = (in->fixed ? SET_SERIAL_FIXED : 0) | (in->automatic ? SET_AUTO_NAMED : 0);
		row.images = 1;
		row.image[0] = (struct set_image){ .image = image, .octets = built.size };
		take_counts(&row, &built.header, built.size, in->serial);
		if (in->signing)
			row.signing = *in->signing;
		rc = finish(s, t, catalog_set_finish(t, &row, &s->err));
	} else {
		rc = -1;
	}
	model_close(&built);
	if (id)
		*id = row.id;
	return rc;
}

int scene_import_text(struct scene *s, const char *zone, const char *set, uint32_t serial, const char *text)
{
	struct import in = { .zone = zone, .set = set, .serial = serial };
	uint8_t rdata[256];
	struct model m;
	int rc;

	model_begin(&m, zone);
	model_soa(&m, serial);
	rdata[0] = (uint8_t)strlen(text);
	memcpy(rdata + 1, text, rdata[0]);
	model_add_at(&m, "www", TYPE_TXT, 300, rdata, 1 + (size_t)rdata[0]);
	model_sort(&m);
	in.model = &m;
	rc = scene_import(s, &in, NULL);
	model_free(&m);
	return rc;
}

static int put_edition(struct scene *s, const char *zone, const char *set, const struct model_image *built,
	const struct image_header *whole, uint32_t serial, uint64_t image)
{
	struct set_image delta = { .image = image, .octets = built->size };
	struct catalog_txn *t = begin(s);
	struct zone_row z;
	struct set_row row, counts = { .state = SET_READY };

	if (!t)
		return -1;
	if (find_set(s, t, zone, set, &z, &row))
		return finish(s, t, -1);
	take_counts(&counts, whole, row.octets + built->size, serial);
	delta.from = z.live.set == row.id ? z.live.edition : row.edition;
	return finish(s, t, catalog_set_edit(t, row.id, delta.from, &delta, &counts, &scene_who, "an edit", &s->err));
}

static int next_image(struct scene *s, uint64_t *image)
{
	struct catalog_txn *t = begin(s);

	if (!t)
		return -1;
	*image = catalog_next_image_id(t);
	return finish(s, t, 0);
}

int scene_import_signed(struct scene *s, const char *zone, const char *set, uint32_t serial, const struct set_signing *signing)
{
	struct import in = { .zone = zone, .set = set, .serial = serial, .signing = signing, .fixed = true };
	struct model m;
	int rc;

	model_begin(&m, zone);
	model_soa(&m, serial);
	model_sign(&m, TYPE_SOA, 64);
	model_a(&m, "www", serial);
	model_sort(&m);
	in.model = &m;
	rc = scene_import(s, &in, NULL);
	model_free(&m);
	return rc;
}

int scene_spare(struct scene *s, const char *zone, const char *set, uint32_t serial)
{
	struct spare spare = { .serial = serial, .until = 5000 };
	struct model_image built;
	struct catalog_txn *t;
	struct zone_row z;
	struct set_row row;
	struct model m;
	int rc = next_image(s, &spare.image);

	if (rc)
		return rc;
	model_begin(&m, zone);
	model_soa(&m, serial);
	model_sign(&m, TYPE_SOA, 64);
	model_sort(&m);
	model_build_key(&built, &m, true, store_writer_hash_key(s->writer));
	spare.octets = built.size;
	rc = copy_in_all(s, built.fd, built.size, spare.image);
	model_close(&built);
	model_free(&m);
	t = rc ? NULL : begin(s);
	if (!t)
		return -1;
	if (find_set(s, t, zone, set, &z, &row))
		return finish(s, t, -1);
	return finish(s, t, catalog_spares_put(t, (struct set_at){ row.id, row.edition }, &spare, 1, &s->err));
}

int scene_edit(struct scene *s, const char *zone, const char *set, const struct model *from, const struct model *to, uint32_t serial)
{
	uint64_t key = store_writer_hash_key(s->writer), image;
	struct model_image delta, whole;
	struct listing a, b;
	struct model m;
	int rc = next_image(s, &image);

	if (rc)
		return rc;
	model_list(&a, from);
	model_list(&b, to);
	model_begin(&m, zone);
	model_delta(&m, &a, &b);
	model_build_key(&delta, &m, true, key);
	model_build_key(&whole, to, false, key);
	rc = copy_in_all(s, delta.fd, delta.size, image);
	if (!rc)
		rc = put_edition(s, zone, set, &delta, &whole.header, serial, image);
	model_close(&delta);
	model_close(&whole);
	model_free(&m);
	listing_free(&a);
	listing_free(&b);
	return rc;
}

/* ---- folding: read in a child, as a loader does ---- */

struct fold { const char *dir; uint64_t set; uint32_t edition; int fd; uint64_t *size; };

static int fold_image(struct fold *f, struct view *v, struct err *err)
{
	struct image_builder *b = image_builder_new(f->fd, 0, v->apex, v->apex_size, v->hash_key, false, err);
	struct image_header header;
	struct view_walk walk;
	struct found found;
	int rc = b ? 0 : -1;

	for (int nsec3 = 0; nsec3 < 2 && !rc; nsec3++) {
		view_walk_begin(&walk, v, nsec3);
		while (!rc && (found = view_walk_next(&walk)).node)
			rc = image_builder_copy(b, found, err);
	}
	if (!rc)
		rc = image_builder_finish(b, f->size, &header, err);
	image_builder_free(b);
	return rc;
}

static int fold_in_child(void *arg)
{
	struct fold *f = arg;
	struct store_reader *r;
	struct err err = ERR_INIT;
	struct view v;
	int rc = store_reader_open(&r, f->dir, &err);

	if (!rc) {
		rc = snapshot_begin(r, &err) || snapshot_open_set(r, f->set, f->edition, &v, &err);
		if (!rc) {
			rc = fold_image(f, &v, &err);
			view_close(&v);
		}
		snapshot_end(r);
		store_reader_close(r);
	}
	if (rc)
		fprintf(stderr, "fold: %s\n", err.message);
	return rc ? 1 : 0;
}

int scene_fold(struct scene *s, const char *zone, const char *set)
{
	struct set_image image = { .from = 0 };
	struct fold f = { .dir = s->dir, .fd = memfd_create("fold", MFD_CLOEXEC) };
	struct catalog_txn *t;
	struct set_row row;
	int rc = next_image(s, &image.image);

	if (rc)
		return rc;
	scene_set(s, zone, set, &row);
	f.set = row.id;
	f.edition = image.to = row.edition;
	f.size = mmap(NULL, sizeof *f.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rc = in_child(fold_in_child, &f) ? err_set(&s->err, ERR_INTERNAL, "the fold failed") : 0;
	image.octets = *f.size;
	if (!rc)
		rc = copy_in_all(s, f.fd, *f.size, image.image);
	if (!rc && (t = begin(s)))
		rc = finish(s, t, catalog_set_folded(t, row.id, &image, &s->err));
	else
		rc = -1;
	munmap(f.size, sizeof *f.size);
	close(f.fd);
	return rc;
}

int scene_drop(struct scene *s, const char *zone, const char *set)
{
	struct catalog_txn *t = begin(s);
	struct zone_row z;
	struct set_row row;

	if (!t)
		return -1;
	return finish(s, t, find_set(s, t, zone, set, &z, &row) ? -1 : catalog_set_drop(t, row.id, &s->err));
}

int scene_clean(struct scene *s)
{
	for (;;) {
		struct catalog_txn *t = begin(s);
		uint64_t image[8];
		unsigned n = t ? catalog_garbage(t, image, 8) : 0;
		int rc = 0;

		if (!t)
			return -1;
		catalog_abort(t);
		if (!n)
			return 0;
		for (unsigned i = 0; i < n && !rc; i++) {
			while ((rc = store_image_delete_step(s->writer, image[i], 1000000, &s->err)) == 1)
				;
			if (rc || !(t = begin(s)))
				return -1;
			rc = finish(s, t, catalog_image_gone(t, image[i], &s->err));
		}
		if (rc)
			return -1;
	}
}

/* ---- switches ------------------------------------------------------------------------ */

int scene_items(const char *sets, struct switch_item *items, unsigned max)
{
	char copy[1024], *save = NULL;
	unsigned n = 0;

	snprintf(copy, sizeof copy, "%s", sets);
	for (char *word = strtok_r(copy, " ", &save); word && n < max; word = strtok_r(NULL, " ", &save)) {
		char *at = strchr(word, '@');

		memset(&items[n], 0, sizeof items[n]);
		if (at) {
			*at = '\0';
			snprintf(items[n].set, sizeof items[n].set, "%.*s", SET_NAME_MAX, at + 1);
		}
		items[n].apex_size = (uint8_t)apex_of(word, items[n].apex);
		n++;
	}
	return (int)n;
}

static int run_switch(struct scene *s, struct switch_request *req, struct switch_result *result,
	int (*run)(struct catalog_txn *, const struct switch_request *, struct switch_result *, struct err *))
{
	struct catalog_txn *t = begin(s);
	struct switch_result own;
	int rc;

	if (result)
		memset(result, 0, sizeof *result);
	if (!t)
		return -1;
	req->who = scene_who;
	if (!req->now_us)
		req->now_us = clock_wall_us();
	rc = run(t, req, &own, &s->err);
	if (rc)
		return finish(s, t, -1);
	rc = finish(s, t, 0);
	if (result && !rc)
		*result = own;
	else
		switch_result_free(&own);
	return rc;
}

int scene_switch(struct scene *s, struct switch_request *req, struct switch_result *result)
{
	return run_switch(s, req, result, catalog_switch);
}

int scene_cutover(struct scene *s, const char *sets, bool hold, struct switch_result *result)
{
	struct switch_item items[16];
	struct switch_request req = { .kind = SWITCH_CUTOVER, .items = items, .hold = hold };

	req.count = (size_t)scene_items(sets, items, 16);
	return scene_switch(s, &req, result);
}

int scene_rollback(struct scene *s, const char *zones, struct switch_result *result)
{
	struct switch_item items[16];
	struct switch_request req = { .kind = SWITCH_ROLLBACK, .items = items };

	req.count = (size_t)scene_items(zones, items, 16);
	return scene_switch(s, &req, result);
}

int scene_confirm(struct scene *s, const char *zones, struct switch_result *result)
{
	struct switch_item items[16];
	struct switch_request req = { .items = items };

	req.count = (size_t)scene_items(zones, items, 16);
	return run_switch(s, &req, result, catalog_confirm);
}

int scene_group_cutover(struct scene *s, const char *group, const char *set, bool hold, struct switch_result *result)
{
	struct switch_item item = { .apex_size = 0 };
	struct switch_request req = { .kind = SWITCH_CUTOVER, .items = &item, .count = 1, .group = group, .hold = hold };

	snprintf(item.set, sizeof item.set, "%s", set);
	return scene_switch(s, &req, result);
}

int scene_group_rollback(struct scene *s, const char *group, struct switch_result *result)
{
	struct switch_request req = { .kind = SWITCH_ROLLBACK, .group = group };

	return scene_switch(s, &req, result);
}

int scene_group_confirm(struct scene *s, const char *group, struct switch_result *result)
{
	struct switch_request req = { .group = group };

	return run_switch(s, &req, result, catalog_confirm);
}

int scene_group(struct scene *s, const char *group, const char *zones)
{
	struct catalog_txn *t = begin(s);
	struct switch_item items[16];
	int n = scene_items(zones, items, 16), rc;

	if (!t)
		return -1;
	rc = catalog_group_create(t, group, &s->err);
	for (int i = 0; i < n && !rc; i++)
		rc = catalog_group_add(t, group, items[i].apex, items[i].apex_size, &s->err);
	return finish(s, t, rc);
}

/* ---- looking --------------------------------------------------------------------------- */

void scene_zone(struct scene *s, const char *zone, struct zone_row *row)
{
	struct catalog_txn *t = begin(s);
	int rc = t ? find_set(s, t, zone, NULL, row, NULL) : -1;

	if (t)
		catalog_abort(t);
	must(s, rc);
}

void scene_set(struct scene *s, const char *zone, const char *set, struct set_row *row)
{
	struct catalog_txn *t = begin(s);
	struct zone_row z;
	int rc = t ? find_set(s, t, zone, set, &z, row) : -1;

	if (t)
		catalog_abort(t);
	must(s, rc);
}

const char *scene_live(struct scene *s, const char *zone, char buf[128])
{
	struct zone_row z;
	struct set_row row;

	scene_zone(s, zone, &z);
	snprintf(buf, 128, "-");
	if (z.live.set) {
		scene_set(s, zone, "live", &row);
		snprintf(buf, 128, "%s/%u", row.name, z.served_serial);
	}
	return buf;
}

struct text { struct catalog_txn *t; char *buf; size_t size; };

static void put(struct text *x, const char *fmt, ...)
{
	size_t n = strlen(x->buf);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->buf + n, x->size - n, fmt, ap);
	va_end(ap);
	assert_true(strlen(x->buf) < x->size - 1);
}

static int put_spare(void *arg, const struct spare *spare)
{
	put(arg, "+%u", spare->serial);
	return 0;
}

static int put_set(void *arg, const struct set_row *set)
{
	struct err ignored = ERR_INIT;
	char hash[CONTENT_HASH_TEXT];

	if (set->state == SET_READY || set->state == SET_FAILED)
		put(arg, " %s:%u:%.8s", set->name, set->edition, content_hash_text(&set->hash, hash));
	if (set->flags & SET_SERIAL_FIXED)
		catalog_spares(((struct text *)arg)->t, (struct set_at){ set->id, set->edition }, put_spare, arg, &ignored);
	return 0;
}

static const char *name_of_set(struct text *x, struct set_at at, char buf[80])
{
	struct err ignored = ERR_INIT;
	struct set_row set;

	if (!at.set)
		snprintf(buf, 80, "-");
	else if (catalog_set(x->t, at.set, &set, &ignored))
		snprintf(buf, 80, "?");
	else
		snprintf(buf, 80, "%s:%u", set.name, at.edition);
	return buf;
}

static int put_zone(void *arg, const struct zone_row *zone)
{
	struct text *x = arg;
	char text[NAME_TEXT_MAX], live[80], previous[80];
	struct err err = ERR_INIT;

	put(x, "%s %s<%s %u%s |", name_to_text_short(text, zone->apex), name_of_set(x, zone->live, live),
		name_of_set(x, zone->previous, previous), zone->served_serial, zone->flags & ZONE_HELD ? " held" : "");
	if (catalog_sets(x->t, zone->id, put_set, x, &err))
		put(x, " %s", err.message);
	put(x, "\n");
	return 0;
}

char *scene_text(struct scene *s, char *buf, size_t size)
{
	struct text x = { .t = begin(s), .buf = buf, .size = size };

	buf[0] = '\0';
	if (!x.t || catalog_zones(x.t, NULL, 0, put_zone, &x, &s->err))
		snprintf(buf, size, "%s", s->err.message);
	if (x.t)
		catalog_abort(x.t);
	return buf;
}

/* ---- beside the writer ------------------------------------------------------------------- */

int in_child(int (*run)(void *), void *arg)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		_exit(run(arg));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 127;
	return WEXITSTATUS(status);
}

static void say(void *arg, const char *problem)
{
	fprintf(stderr, "fsck: %s\n", problem);
}

int fsck_here(const char *dir)
{
	struct fsck_report report;
	struct err err = ERR_INIT;

	if (store_fsck(dir, &report, say, NULL, NULL, &err)) {
		fprintf(stderr, "fsck: %s: %s\n", err.code, err.message);
		return -1;
	}
	return (int)report.problems;
}

static int fsck_in_child(void *arg)
{
	int problems = fsck_here(arg);

	return problems < 0 ? 99 : problems > 98 ? 98 : problems;
}

int scene_fsck(struct scene *s)
{
	return in_child(fsck_in_child, s->dir);
}
