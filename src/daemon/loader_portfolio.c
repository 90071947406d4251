/*
 * The job "import-dir": a directory's files, NAME.zone each, one after the
 * other into the image file, and to the writer a slice at a time. What is
 * wrong with a file is that zone's failure alone.
 *
 * One process does all of them. While the writer takes in a slice the next one
 * is made; there are never more than these two, so the image file has two
 * regions, used in turn, and does not grow with the portfolio.
 */
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/arena.h"
#include "base/clock.h"
#include "control/commands.h"
#include "daemon/loading.h"

#define FILES_AHEAD   64
#define SLICE_ZONES   256               /* at most: writer_portfolio.c */
#define SLICE_OCTETS  (16u << 20)       /* about: one zone may be larger */
#define REGION        (UINT64_C(1) << 36)   /* more than the largest image */
#define LISTED_MAX    1000              /* failures by name */
#define WARNINGS_TOLD 100
#define ERRORS_TOLD   1000
#define SUFFIX        ".zone"

/* ---- the zones seen ---------------------------------------------------------------- */

struct names {
	struct arena arena;
	const uint8_t **slots;          /* size octet and name; NULL: free */
	size_t used, space;             /* space: power of two */
};

static const uint8_t **names_slot(const struct names *n, const uint8_t *apex, size_t size)
{
	size_t i = (size_t)XXH3_64bits(apex, size) & (n->space - 1);

	while (n->slots[i] && (n->slots[i][0] != size || memcmp(n->slots[i] + 1, apex, size) != 0))
		i = (i + 1) & (n->space - 1);
	return &n->slots[i];
}

static int names_grow(struct names *n)
{
	struct names bigger = { .space = n->space ? 2 * n->space : 1024 };

	bigger.slots = calloc(bigger.space, sizeof *bigger.slots);
	if (!bigger.slots)
		return -1;
	for (size_t i = 0; i < n->space; i++)
		if (n->slots[i])
			*names_slot(&bigger, n->slots[i] + 1, n->slots[i][0]) = n->slots[i];
	free(n->slots);
	n->slots = bigger.slots;
	n->space = bigger.space;
	return 0;
}

/* 1: it is new, 0: it was there, -1: no memory. */
static int names_add(struct names *n, const uint8_t *apex, size_t size)
{
	const uint8_t **slot;
	uint8_t *name;

	if (2 * n->used >= n->space && names_grow(n) < 0)
		return -1;
	slot = names_slot(n, apex, size);
	if (*slot)
		return 0;
	name = arena_alloc(&n->arena, size + 1);
	if (!name)
		return -1;
	name[0] = (uint8_t)size;
	memcpy(name + 1, apex, size);
	*slot = name;
	n->used++;
	return 1;
}

static bool names_have(const struct names *n, const uint8_t *apex, size_t size)
{
	return n->space && *names_slot(n, apex, size);
}

/* ---- the portfolio ------------------------------------------------------------------ */

struct portfolio {
	struct loader *loader;
	struct names seen;
	json_t *zones;                  /* of the slice under way */
	uint64_t region, offset;        /* in the image file: of the slice, behind its last image */
	bool one_region;                /* there is a limit on the size of files */
	uint64_t files, files_expected; /* 0: not known */
	uint64_t records, warnings, dropped, failures;
	unsigned warnings_max, errors_max;      /* to be told yet */
	json_t *failed;                 /* the first of them */
};

static void add_failure(struct portfolio *p, const char *zone, const char *file, const struct err *err)
{
	json_t *error = control_error(err);

	if (p->failures++ < LISTED_MAX)
		json_array_append_new(p->failed, json_pack("{s:o,s:o,s:O}", "zone", zone ? loader_text(zone) : json_null(),
			"file", loader_text(file), "error", json_object_get(error, "error")));
	json_decref(error);
}

/* A file cannot be named by a "/": it stands as %2F, and so "%" as %25. */
static char *zone_text(const char *file, struct err *err)
{
	size_t n = strlen(file), out = 0;
	char *text;

	if (n <= sizeof SUFFIX - 1 || strcmp(file + n - (sizeof SUFFIX - 1), SUFFIX) != 0) {
		err_set(err, ERR_BAD_REQUEST, "the file's name is not that of a zone with \"%s\" behind it", SUFFIX);
		return NULL;
	}
	n -= sizeof SUFFIX - 1;
	text = malloc(n + 1);
	if (!text) {
		err_set(err, ERR_NOMEM, "no memory for a zone's name");
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		bool slash = strncasecmp(file + i, "%2F", 3) == 0;

		if (i + 3 <= n && (slash || strncmp(file + i, "%25", 3) == 0)) {
			text[out++] = slash ? '/' : '%';
			i += 2;
		} else {
			text[out++] = file[i];
		}
	}
	text[out] = '\0';
	return text;
}

/* Only what ends by itself: one pipe would keep all the other zones waiting. */
static int check_file(int fd, struct err *err)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) < 0)
		return err_system(err, "cannot look at the file");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_BAD_REQUEST, "not a regular file");
	if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
		return err_set(err, ERR_BAD_REQUEST, "the file is not open for reading");
	return 0;
}

static void send_slice(struct portfolio *p)
{
	int fd = p->loader->fd[LOADER_IMAGE_FD];

	if (!json_array_size(p->zones))
		return;
	loader_slice(p->loader, json_pack("{s:o}", "zones", p->zones), fd, p->one_region ? 0 : 1);
	/* the slice before is in the store: its region may be written over */
	p->zones = json_array();
	p->region = p->region || p->one_region ? 0 : REGION;
	p->offset = p->region;
}

static int load_file(struct portfolio *p, const uint8_t *apex, size_t apex_size, const char *zone, const char *file,
	int fd, struct err *err)
{
	struct loading l = { .loader = p->loader, .apex = apex, .apex_size = apex_size, .fd = fd, .name = file, .offset = p->offset,
		.many = true, .warnings_max = p->warnings_max, .errors_max = p->errors_max };
	int status = loading_run(&l, err);
	json_t *meta;

	p->warnings_max = l.warnings_max;
	p->errors_max = l.errors_max;
	p->warnings += l.result.warnings;
	p->dropped += l.result.dropped;
	if (status < 0)
		return -1;
	p->records += l.result.header.records;
	meta = loading_meta(&l);
	if (!meta)
		return err_set(err, ERR_NOMEM, "no memory");
	json_object_set_new(meta, "zone", loader_text(zone));
	json_object_set_new(meta, "file", loader_text(file));
	json_array_append_new(p->zones, meta);
	p->offset = (p->offset + l.result.image_size + 7) & ~UINT64_C(7);
	return 0;
}

static int take_file(struct portfolio *p, const char *zone, const char *file, int fd, struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	size_t size;
	int n;

	if (control_parse_zone(zone, apex, &size, err) < 0)
		return -1;
	/* also what cannot be read is there: it is not to be pruned */
	n = names_add(&p->seen, apex, size);
	if (n < 0)
		return err_set(err, ERR_NOMEM, "no memory for the zones' names");
	if (n == 0)
		return err_set(err, ERR_EXISTS, "another file of the directory is of the same zone: that one is taken");
	if (fd < 0 || check_file(fd, err) < 0)
		return -1;
	return load_file(p, apex, size, zone, file, fd, err);
}

/* err is set where there is no descriptor. */
static void one_file(struct portfolio *p, const char *file, int fd, struct err *err)
{
	char *zone = zone_text(file, err);

	p->files++;
	if (!zone || take_file(p, zone, file, fd, err) < 0)
		add_failure(p, zone, file, err);
	free(zone);
	if (json_array_size(p->zones) == SLICE_ZONES || p->offset - p->region > SLICE_OCTETS)
		send_slice(p);
}

static void tell_share(struct portfolio *p)
{
	loader_share(p->loader, p->records, p->files_expected ? (double)p->files / (double)p->files_expected : -1);
}

/* ---- pruning ---------------------------------------------------------------------------- */

struct pruning {
	struct portfolio *portfolio;
	json_t *zones;
	uint64_t count, max;
};

/* What is prepared has no file yet; what is held was switched by somebody's
 * hand, and its way back stays open. */
static int look_at_zone(void *arg, const struct zone_row *zone)
{
	struct pruning *p = arg;
	char text[NAME_TEXT_MAX];
	struct err err = ERR_INIT;

	if (!zone->live.set || names_have(&p->portfolio->seen, zone->apex, zone->apex_size))
		return 0;
	name_to_text_short(text, zone->apex);
	if (zone->flags & ZONE_HELD) {
		err_set(&err, ERR_HELD, "the file is gone, but the zone is held since its cutover: not removed; "
			"`schwenk confirm %s` or `schwenk rollback %s` first", text, text);
		add_failure(p->portfolio, text, "--prune", &err);
	} else if (p->count++ < p->max) {
		json_array_append_new(p->zones, json_string(text));
	}
	return 0;
}

/* The zones to remove; at most a twentieth of those that were here at the
 * beginning, else none: a directory that is not mounted removes nothing. */
static int prune(struct portfolio *p, json_t *reply, struct err *err)
{
	uint64_t before = (uint64_t)json_integer_value(json_object_get(p->loader->setup, "zones"));
	struct pruning pruning = { .portfolio = p, .zones = json_array(), .max = before / 20 };
	struct err refused = ERR_INIT;
	int status = 0;

	if (!p->loader->in_snapshot && snapshot_begin(p->loader->reader, err) < 0) {
		json_decref(pruning.zones);
		return -1;
	}
	p->loader->in_snapshot = true;
	status = catalog_zones(snapshot_catalog(p->loader->reader), NULL, 0, look_at_zone, &pruning, err);
	if (status == 0 && pruning.count > pruning.max) {
		err_set(&refused, ERR_LIMIT, "%llu of %llu zones have no file: more than 5 %% are not pruned at once, "
			"and none was removed; if it is meant: `schwenk zone remove`", (unsigned long long)pruning.count, (unsigned long long)before);
		add_failure(p, NULL, "--prune", &refused);
		json_array_clear(pruning.zones);
	}
	json_object_set_new(reply, "prune", pruning.zones);
	return status;
}

/* ---- the job ------------------------------------------------------------------------------ */

static int finish(struct portfolio *p, struct err *err)
{
	json_t *reply = json_object();

	send_slice(p);
	loader_slice(p->loader, NULL, -1, 0);
	if (json_is_true(json_object_get(p->loader->request, "prune")) && prune(p, reply, err) < 0) {
		json_decref(reply);
		return -1;
	}
	json_object_set_new(reply, "zones", json_integer((json_int_t)p->files));
	json_object_set_new(reply, "records", json_integer((json_int_t)p->records));
	json_object_set_new(reply, "warnings", json_integer((json_int_t)p->warnings));
	json_object_set_new(reply, "dropped", json_integer((json_int_t)p->dropped));
	json_object_set_new(reply, "failures", json_integer((json_int_t)p->failures));
	json_object_set(reply, "failed", p->failed);
	loader_reply(p->loader, reply);
	return 0;
}

/* A full disk will be so for the next file as well. What is loaded goes in. */
static int give_up(struct portfolio *p, const struct err *why, struct err *err)
{
	send_slice(p);
	loader_slice(p->loader, NULL, -1, 0);
	return err_set(err, why->code, "%s", why->message);
}

/* Where files may not be as large, one slice waits for the other: the second
 * region would lie beyond the limit. */
static bool files_are_limited(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur < 2 * REGION;
}

int job_import_dir(struct loader *l, struct err *err)
{
	struct portfolio p = { .loader = l, .zones = json_array(), .failed = json_array(), .warnings_max = WARNINGS_TOLD,
		.errors_max = ERRORS_TOLD, .one_region = files_are_limited() };
	struct err why = ERR_INIT;
	bool full = false;
	int fd, status;
	char *file;

	if (loading_check(l->request, err) < 0) {
		json_decref(p.zones);
		json_decref(p.failed);
		return -1;
	}
	/* a zone's buffers are taken and given back 100,000 times: not by mmap */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	p.files_expected = (uint64_t)json_integer_value(json_object_get(l->request, "files"));
	while (!full && loader_next_file(l, FILES_AHEAD, &file, &fd, &why) > 0) {
		one_file(&p, file, fd, &why);
		free(file);
		if (fd >= 0)
			close(fd);
		tell_share(&p);
		full = err_is(&why, ERR_FULL);
		if (!full)
			err_clear(&why);
	}
	status = full ? give_up(&p, &why, err) : finish(&p, err);
	json_decref(p.zones);
	json_decref(p.failed);
	arena_free(&p.seen.arena);
	free(p.seen.slots);
	return status;
}
