/*
 * A copy of the store while it is in use, by LMDB's own copying: each
 * environment as of one of its transactions. The catalog goes first: as long
 * as nobody deletes images, those that its copy names are in the copy of the
 * images, which is of a later moment. The side file comes last, so that a copy
 * that was cut short is none.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/env.h"
#include "store/writer.h"

static const char *const file_name[] = { "catalog.mdb", "images.mdb", STORE_SIDE_FILE, STORE_SIDE_FILE ".new" };

static int sync_path(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_system(err, "cannot open the directory %s", path);
	rc = fsync(fd) ? err_system(err, "cannot sync the directory %s", path) : 0;
	close(fd);
	return rc;
}

/* So that the new directory itself outlives a power loss. */
static int sync_parent(const char *path, struct err *err)
{
	char parent[4200];

	if ((size_t)snprintf(parent, sizeof parent, "%s/..", path) >= sizeof parent)
		return err_set(err, ERR_LIMIT, "the path of the copy is too long: %.64s…", path);
	return sync_path(parent, err);
}

int store_copy_directory(const char *to, bool *made, struct err *err)
{
	struct dirent *entry;
	DIR *dir;
	bool empty = true;

	*made = mkdir(to, 0750) == 0;
	if (*made)
		return sync_parent(to, err);
	if (errno != EEXIST)
		return err_system(err, "cannot make the directory %s as user %u", to, (unsigned)geteuid());
	dir = opendir(to);
	if (!dir)
		return err_system(err, "cannot read the directory %s", to);
	while (empty && (entry = readdir(dir)))
		empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	if (!empty)
		return err_set(err, ERR_EXISTS, "the directory %s is not empty: a copy goes into a new or empty one", to);
	return 0;
}

static int copy_env(const char *dir, bool images, const char *path, bool compact, struct err *err)
{
	struct store_env env;
	int fd, rc;

	if (env_open_read(&env, dir, images, err))
		return -1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0) {
		env_close(&env);
		return err_system(err, "cannot create %s", path);
	}
	rc = mdb_env_copyfd2(env.env, fd, compact ? MDB_CP_COMPACT : 0);
	if (rc)
		rc = env_error(err, rc, &env, "cannot copy");
	else if (fsync(fd))
		rc = err_system(err, "cannot sync %s", path);
	if (close(fd) && !rc)
		rc = err_system(err, "cannot close %s", path);
	env_close(&env);
	return rc ? err_context(err, "%s", path) : 0;
}

static int copy_both(const char *dir, const char *to, bool compact, struct err *err)
{
	char path[4200];
	bool found;

	if (env_side_file_check(dir, &found, err))
		return -1;
	if (!found)
		return err_set(err, ERR_SYSTEM, "there is no store in %s (the file %s is missing)", dir, STORE_SIDE_FILE);
	for (int i = 0; i < 2; i++) {
		if ((size_t)snprintf(path, sizeof path, "%s/%s", to, file_name[i]) >= sizeof path)
			return err_set(err, ERR_LIMIT, "the path of the copy is too long: %.64s…", to);
		if (copy_env(dir, i, path, compact, err))
			return -1;
	}
	if (sync_path(to, err))
		return -1;
	return env_side_file_write(to, err);
}

void store_copy_remove(const char *to)
{
	char path[4200];

	for (int i = 0; i < 4; i++)
		if ((size_t)snprintf(path, sizeof path, "%s/%s", to, file_name[i]) < sizeof path)
			unlink(path);
}

int store_copy(const char *dir, const char *to, bool compact, struct err *err)
{
	struct err own = ERR_INIT;

	if (copy_both(dir, to, compact, err ? err : &own) == 0)
		return 0;
	store_copy_remove(to);
	return -1;
}
