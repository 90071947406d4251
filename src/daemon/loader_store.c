/* The jobs of the whole store: backup, fsck. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/backup.h"
#include "daemon/loader.h"

#define PROBLEMS_MAX 1000       /* in a reply; all are counted */

/* ---- backup -------------------------------------------------------------------- */

/* The binary form says how large its files are: one that was cut short on its
 * way elsewhere is noticed. */
static int add_sizes(json_t *manifest, const char *dir, struct err *err)
{
	json_t *files = json_object();

	json_object_set_new(manifest, "files", files);
	for (unsigned i = 0; backup_store_file[i]; i++) {
		char path[BACKUP_PATH_MAX];
		struct stat st;

		if (backup_path(path, dir, backup_store_file[i], err) < 0)
			return -1;
		if (stat(path, &st) < 0)
			return err_system(err, "%s", path);
		json_object_set_new(files, backup_store_file[i], json_integer((json_int_t)st.st_size));
	}
	return 0;
}

static int write_binary(struct loader *l, const char *dir, json_t *manifest, struct err *err)
{
	bool compact = json_is_true(json_object_get(l->request, "compact"));

	loader_progress(l, json_pack("{s:s}", "text", "copying the store"));
	if (store_copy(l->role.conf->database, dir, compact, err) < 0)
		return -1;
	return add_sizes(manifest, dir, err);
}

static void tell_records(void *arg, uint64_t records, double share)
{
	loader_share(arg, records, share);
}

static int write_text(struct loader *l, const char *dir, json_t *manifest, struct err *err)
{
	if (store_reader_open(&l->reader, l->role.conf->database, err) < 0 || snapshot_begin(l->reader, err) < 0)
		return -1;
	return backup_write_text(l->reader, dir, manifest, tell_records, l, err);
}

/* What a failed backup has made, for the next one finds only an empty
 * directory good enough. */
static void remove_backup(const char *dir, bool text)
{
	if (text)
		backup_remove_text(dir);
	else
		store_copy_remove(dir);
}

/* The manifest, which makes it a backup, comes when all the rest is known to
 * be sound and is on the disk. */
static int write_backup(struct loader *l, const char *dir, bool text, json_t *manifest, struct err *err)
{
	bool made;

	if (store_copy_directory(dir, &made, err) == 0) {
		if ((text ? write_text : write_binary)(l, dir, manifest, err) == 0 && loader_confirm_pause(l, err) == 0 &&
		    backup_manifest_write(dir, manifest, err) == 0)
			return 0;
		remove_backup(dir, text);
	}
	if (made)
		rmdir(dir);
	return -1;
}

int job_backup(struct loader *l, struct err *err)
{
	const char *dir = json_string_value(json_object_get(l->request, "directory"));
	bool text = json_is_true(json_object_get(l->request, "text"));
	json_t *manifest;
	int status;

	if (dir[0] != '/')
		return err_set(err, ERR_BAD_REQUEST, "the directory of a backup is an absolute path: \"%.200s\" is none", dir);
	if (text && json_is_true(json_object_get(l->request, "compact")))
		return err_set(err, ERR_BAD_REQUEST, "\"compact\" is of the binary form: there is nothing to leave out of the text form");
	manifest = backup_manifest_new(text ? "text" : "binary");
	if (!manifest)
		return err_set(err, ERR_NOMEM, "no memory");
	status = write_backup(l, dir, text, manifest, err);
	if (status == 0) {
		json_object_set_new(manifest, "directory", json_string(dir));
		json_object_del(manifest, "backup");
		json_object_del(manifest, "version");
		loader_reply(l, json_incref(manifest));
	}
	json_decref(manifest);
	return status;
}

/* ---- fsck ------------------------------------------------------------------------ */

struct fsck_job { struct loader *l; json_t *problems; };

static void add_problem(void *arg, const char *problem)
{
	struct fsck_job *job = arg;

	if (json_array_size(job->problems) < PROBLEMS_MAX)
		json_array_append_new(job->problems, loader_text(problem));
}

static void tell_fsck(void *arg, double share)
{
	loader_share(((struct fsck_job *)arg)->l, 0, share);
}

int job_fsck(struct loader *l, struct err *err)
{
	struct fsck_job job = { l, json_array() };
	struct fsck_report r;

	/* where LMDB's pages are damaged no image was looked for that might have gone */
	if (store_fsck(l->role.conf->database, &r, add_problem, tell_fsck, &job, err) < 0 ||
	    (!r.pages_damaged && loader_confirm_pause(l, err) < 0)) {
		json_decref(job.problems);
		return -1;
	}
	loader_reply(l, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "zones", (json_int_t)r.zones, "sets", (json_int_t)r.sets,
		"images", (json_int_t)r.images, "nodes", (json_int_t)r.nodes, "records", (json_int_t)r.records,
		"problem_count", (json_int_t)r.problems, "problems", job.problems));
	return 0;
}
