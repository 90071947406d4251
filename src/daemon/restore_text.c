/* The way back from a backup in text form (BACKUP.md): its lines one after the
 * other, committed as they come, and counted. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/backup.h"
#include "daemon/restore_internal.h"

#define LINE_MAX_OCTETS (64u << 20)
#define COMMIT_LINES    500

/* ---- transactions -------------------------------------------------------- */

/* Images before the rows that name them. */
static int commit(struct text_restore *r)
{
	struct catalog_txn *txn = r->txn;

	if (!txn)
		return 0;
	if (restore_put_small(r) < 0)
		return -1;
	r->txn = NULL;
	r->lines_in_txn = 0;
	return catalog_commit(txn, NULL, NULL, r->err);
}

int restore_begin(struct text_restore *r)
{
	if (r->txn && ++r->lines_in_txn >= COMMIT_LINES && commit(r) < 0)
		return -1;
	return r->txn ? 0 : catalog_begin_bulk(r->store, &r->txn, r->err);
}

/* ---- the whole ----------------------------------------------------------- */

static int read_lines(struct text_restore *r, FILE *file)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n = 0;
	int status = 0;

	while (status == 0 && (n = getline(&text, &room, file)) > 0) {
		json_error_t e;
		json_t *line = n > LINE_MAX_OCTETS ? NULL : json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &e);

		r->line++;
		if (n > LINE_MAX_OCTETS)
			status = restore_bad_line(r, "a line is too long");
		else if (!line)
			status = err_set(r->err, ERR_CORRUPT, "%s", e.text);
		else
			status = restore_line(r, line);
		json_decref(line);
	}
	free(text);
	if (status == 0 && ferror(file))
		status = err_system(r->err, "cannot read");
	if (status == 0 && !r->ended)
		status = restore_bad_line(r, "the last line is not the end: the file was cut short");
	return status < 0 ? err_context(r->err, "%s/%s:%" PRIu64, r->dir, BACKUP_CATALOG, r->line) : 0;
}

/* What the manifest says was written must have come. */
static int check_counts(const struct text_restore *r, const json_t *manifest)
{
	const struct { const char *name; uint64_t count; } counts[] = {
		{ "zones", r->zones }, { "sets", r->sets }, { "editions", r->editions }, { "spares", r->spares }, { "groups", r->groups },
		{ "history", r->entries }, { "holds", r->holds }, { "retired", r->retired },
	};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		json_int_t wanted = json_integer_value(json_object_get(manifest, counts[i].name));

		if (wanted != (json_int_t)counts[i].count)
			return err_set(r->err, ERR_CORRUPT, "%s/%s: %" PRIu64 " %s, the backup was of %lld", r->dir, BACKUP_CATALOG,
				counts[i].count, counts[i].name, (long long)wanted);
	}
	return 0;
}

static int open_scratch(const char *dir, struct err *err)
{
	char path[BACKUP_PATH_MAX];
	int fd;

	if (backup_path(path, dir, "scratch.XXXXXX", err) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_system(err, "no temporary file in %s", dir);
	unlink(path);
	return fd;
}

static int read_all(struct text_restore *r, const json_t *manifest, const char *scratch)
{
	char path[BACKUP_PATH_MAX];
	FILE *file;
	int status;

	if (backup_path(path, r->dir, BACKUP_SETS, r->err) < 0)
		return -1;
	r->sets_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->sets_fd < 0)
		return err_system(r->err, "cannot read %s", path);
	r->image_fd = open_scratch(scratch, r->err);
	r->spares_fd = r->image_fd < 0 ? -1 : open_scratch(scratch, r->err);
	r->scratch_fd = r->spares_fd < 0 ? -1 : open_scratch(scratch, r->err);
	if (r->scratch_fd < 0 || backup_path(path, r->dir, BACKUP_CATALOG, r->err) < 0)
		return -1;
	file = fopen(path, "re");
	if (!file)
		return err_system(r->err, "cannot read %s", path);
	status = read_lines(r, file);
	fclose(file);
	if (status == 0)
		status = commit(r);
	return status < 0 ? -1 : check_counts(r, manifest);
}

int restore_read_text(struct store_writer *store, const char *dir, const json_t *manifest, const char *scratch, struct err *err)
{
	struct text_restore *r = calloc(1, sizeof *r);
	int status;

	if (!r)
		return err_set(err, ERR_NOMEM, "no memory for a restore");
	r->store = store;
	r->dir = dir;
	r->sets_fd = r->image_fd = r->spares_fd = r->scratch_fd = -1;
	r->err = err;
	status = read_all(r, manifest, scratch);
	catalog_abort(r->txn);
	for (unsigned i = 0; i < r->small_count; i++)
		free(r->small[i]);
	if (r->sets_fd >= 0)
		close(r->sets_fd);
	if (r->image_fd >= 0)
		close(r->image_fd);
	if (r->spares_fd >= 0)
		close(r->spares_fd);
	if (r->scratch_fd >= 0)
		close(r->scratch_fd);
	free(r);
	return status;
}
