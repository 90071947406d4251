/* Disks as a power loss leaves them, out of a log of record_writes.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record_writes.h"

#define FILES_MAX 16
#define SECTOR 512

struct content { uint8_t *bytes; uint64_t used, room, size; };      /* behind used: zeros */
struct disk_file {
	char name[32];          /* as the program sees it; "": none any more */
	char entry[32];         /* on disk; "": none yet */
	struct content durable;
	const struct record_op *pending[4096];
	unsigned count;
};
struct disk {
	struct disk_file file[FILES_MAX];
	unsigned files;
	/* changes of names that are not synced: file, its entry */
	struct { unsigned file; char entry[32]; } names[64];
	unsigned name_count;
};

static void die(const char *why)
{
	fprintf(stderr, "disk: %s\n", why);
	abort();
}

/* ---- contents -------------------------------------------------------------------- */

static void content_write(struct content *c, uint64_t at, const uint8_t *bytes, uint64_t size)
{
	if (at + size > c->room) {
		c->room = 2 * (at + size);
		c->bytes = realloc(c->bytes, c->room);
		if (!c->bytes)
			die("no memory");
	}
	if (at > c->used)
		memset(c->bytes + c->used, 0, at - c->used);
	memcpy(c->bytes + at, bytes, size);
	if (at + size > c->used)
		c->used = at + size;
	if (c->size < c->used)
		c->size = c->used;
}

static void content_apply(struct content *c, const struct record_op *op)
{
	if (op->kind == RECORD_WRITE)
		content_write(c, op->at, op->bytes, op->size);
	else if (op->kind == RECORD_EXTEND && c->size < op->size)
		c->size = op->size;
	else if (op->kind == RECORD_TRUNCATE) {
		c->size = op->size;
		if (c->used > c->size)
			c->used = c->size;
	}
}

/* Some of its sectors only. */
static void content_apply_torn(struct content *c, const struct record_op *op, uint64_t (*random)(void *), void *arg)
{
	uint64_t at = op->at, end = op->at + op->size;

	if (op->kind != RECORD_WRITE) {
		content_apply(c, op);
		return;
	}
	while (at < end) {
		uint64_t next = (at / SECTOR + 1) * SECTOR;

		if (next > end)
			next = end;
		if (random(arg) >> 40 & 1)
			content_write(c, at, op->bytes + (at - op->at), next - at);
		at = next;
	}
}

/* ---- operations ----------------------------------------------------------------------- */

struct disk *disk_new(void)
{
	struct disk *d = calloc(1, sizeof *d);

	if (!d)
		die("no memory");
	return d;
}

void disk_free(struct disk *d)
{
	for (unsigned i = 0; i < d->files; i++)
		free(d->file[i].durable.bytes);
	free(d);
}

static struct disk_file *find(struct disk *d, const char *name)
{
	for (unsigned i = 0; i < d->files; i++)
		if (!strcmp(d->file[i].name, name))
			return &d->file[i];
	die(name);
	return NULL;
}

static void note_name(struct disk *d, struct disk_file *f, const char *entry)
{
	if (d->name_count == sizeof d->names / sizeof d->names[0])
		die("too many names");
	d->names[d->name_count].file = (unsigned)(f - d->file);
	snprintf(d->names[d->name_count++].entry, 32, "%s", entry);
}

static void flush(struct disk_file *f)
{
	for (unsigned i = 0; i < f->count; i++)
		content_apply(&f->durable, f->pending[i]);
	f->count = 0;
}

static bool overlaps(const struct disk_file *f, const struct record_op *op)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->pending[i]->kind == RECORD_WRITE && f->pending[i]->at < op->at + op->size
		    && op->at < f->pending[i]->at + f->pending[i]->size)
			return true;
	return false;
}

static void set_entry(char entries[FILES_MAX][32], unsigned files, unsigned file, const char *entry)
{
	for (unsigned i = 0; i < files; i++)
		if (entry[0] && !strcmp(entries[i], entry))
			entries[i][0] = '\0';
	snprintf(entries[file], 32, "%s", entry);
}

static void sync_names(struct disk *d)
{
	char entries[FILES_MAX][32];

	for (unsigned i = 0; i < d->files; i++)
		memcpy(entries[i], d->file[i].entry, 32);
	for (unsigned i = 0; i < d->name_count; i++)
		set_entry(entries, d->files, d->names[i].file, d->names[i].entry);
	for (unsigned i = 0; i < d->files; i++)
		memcpy(d->file[i].entry, entries[i], 32);
	d->name_count = 0;
}

void disk_apply(struct disk *d, const struct record_op *op)
{
	struct disk_file *f;

	switch (op->kind) {
	case RECORD_MARK:
		return;
	case RECORD_SYNC_DIRECTORY:
		sync_names(d);
		return;
	case RECORD_CREATE:
		if (d->files == FILES_MAX)
			die("too many files");
		f = &d->file[d->files++];
		memcpy(f->name, op->file, sizeof f->name);
		note_name(d, f, op->file);
		return;
	case RECORD_RENAME:
		f = find(d, op->file);
		for (unsigned i = 0; i < d->files; i++)
			if (!strcmp(d->file[i].name, op->to))
				d->file[i].name[0] = '\0';
		memcpy(f->name, op->to, sizeof f->name);
		note_name(d, f, op->to);
		return;
	case RECORD_REMOVE:
		f = find(d, op->file);
		note_name(d, f, "");
		f->name[0] = '\0';
		return;
	case RECORD_SYNC:
		flush(find(d, op->file));
		return;
	case RECORD_WRITE:
	case RECORD_EXTEND:
	case RECORD_TRUNCATE:
		f = find(d, op->file);
		if (op->durable) {
			/* in order with what it writes over */
			if (overlaps(f, op))
				flush(f);
			content_apply(&f->durable, op);
			return;
		}
		if (f->count == sizeof f->pending / sizeof f->pending[0])
			die("too much is not synced");
		f->pending[f->count++] = op;
	}
}

/* ---- the power goes ----------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, const struct content *c)
{
	char path[4096];
	uint64_t at = 0;
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)c->size))
		die(path);
	while (at < c->used) {
		ssize_t n = pwrite(fd, c->bytes + at, c->used - at, (off_t)at);

		if (n <= 0)
			die(path);
		at += (uint64_t)n;
	}
	close(fd);
}

static void keep(struct content *c, const struct record_op *op, unsigned what, uint64_t (*random)(void *), void *arg)
{
	uint64_t dice = what > 1 ? random(arg) : 0;

	if (what == 1 || (what > 1 && dice % 4 == 0))
		content_apply(c, op);
	else if (what > 1 && dice % 4 == 1)
		content_apply_torn(c, op, random, arg);
	else if (what == 2 && dice % 4 == 2)
		content_apply(c, op);
}

void disk_write(const struct disk *d, unsigned what, uint64_t (*random)(void *), void *arg, const struct record_op *next,
	const char *dir)
{
	unsigned names = what == 0 ? 0 : what == 1 ? d->name_count : (unsigned)(random(arg) >> 20) % (d->name_count + 1);
	char entries[FILES_MAX][32];

	for (unsigned i = 0; i < d->files; i++)
		memcpy(entries[i], d->file[i].entry, 32);
	/* changes of names come to the disk in their order */
	for (unsigned i = 0; i < names; i++)
		set_entry(entries, d->files, d->names[i].file, d->names[i].entry);
	for (unsigned i = 0; i < d->files; i++) {
		const struct disk_file *f = &d->file[i];
		struct content c = f->durable;

		if (!entries[i][0])
			continue;
		c.bytes = malloc(c.room ? c.room : 1);
		if (!c.bytes)
			die("no memory");
		if (c.used)
			memcpy(c.bytes, f->durable.bytes, c.used);
		for (unsigned k = 0; k < f->count; k++)
			keep(&c, f->pending[k], what, random, arg);
		/* a durable write may be there before it has returned */
		if (next && next->kind == RECORD_WRITE && next->durable && !strcmp(next->file, f->name))
			keep(&c, next, what, random, arg);
		write_file(dir, entries[i], &c);
		free(c.bytes);
	}
}
