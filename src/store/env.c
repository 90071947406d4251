#include "store/env.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/large_pages.h"
#include "store/lmdb_format.h"

static const char *const catalog_table_name[T_CATALOG_COUNT] = {
	"meta", "zone", "zone_id", "retired", "set", "zone_set", "edition", "loading", "image", "garbage",
	"group", "member", "zone_group", "history", "history_member", "history_zone", "held", "spare", "changed",
};
static const char *const images_table_name[T_IMAGES_COUNT] = { "meta", "chunk" };

#define LMDB_SERIES "0.9"

int env_error(struct err *err, int rc, const struct store_env *env, const char *what)
{
	switch (rc) {
	case MDB_MAP_FULL:
		return err_set(err, ERR_FULL, "%s: the map of %s (%llu MiB) is full: raise %s-map-size and restart",
			what, env->path, (unsigned long long)(env->map >> 20), env->name);
	case MDB_TXN_FULL:
		return err_set(err, ERR_LIMIT, "%s: too much for one transaction of %s", what, env->path);
	case MDB_READERS_FULL:
		return err_set(err, ERR_LIMIT, "%s: no free slot in the reader table of %s: too many processes read it",
			what, env->path);
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return err_set(err, ERR_VERSION, "%s: %s is no database of LMDB %s (this is %s). It may be of another LMDB "
			"series, whose format differs (0.9 and 1.0 do not read each other), or the file is damaged. Way out: "
			"make a text backup with the version that wrote it, and restore that here",
			what, env->path, LMDB_SERIES, mdb_version(NULL, NULL, NULL));
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
	case MDB_BAD_TXN:
	case MDB_INCOMPATIBLE:
		return err_set(err, ERR_CORRUPT, "%s: %s: %s", what, env->path, mdb_strerror(rc));
	}
	if (rc > 0) {
		errno = rc;
		return err_system(err, "%s: %s", what, env->path);
	}
	return err_set(err, ERR_SYSTEM, "%s: %s: %s", what, env->path, mdb_strerror(rc));
}

/* LMDB opens its data file (twice, in a writer) without CLOEXEC: a child would
 * inherit a way to write it. It got the lowest descriptors that were free, so
 * all of it lie below the one that is the lowest now. */
static void close_on_exec(const struct store_env *env)
{
	struct stat data, other;
	mdb_filehandle_t fd;
	int end;

	if (mdb_env_get_fd(env->env, &fd) || fstat(fd, &data))
		return;
	end = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (end >= 0)
		close(end);
	else
		end = 1024;
	for (int i = 3; i < end; i++)
		if (!fstat(i, &other) && other.st_ino == data.st_ino && other.st_dev == data.st_dev)
			fcntl(i, F_SETFD, FD_CLOEXEC);
}

static int open_tables(struct store_env *env, bool images, bool create, struct err *err)
{
	const char *const *name = images ? images_table_name : catalog_table_name;
	unsigned count = images ? (unsigned)T_IMAGES_COUNT : (unsigned)T_CATALOG_COUNT;
	MDB_txn *txn;
	int rc = mdb_txn_begin(env->env, NULL, create ? 0 : MDB_RDONLY, &txn);

	if (rc)
		return env_error(err, rc, env, "cannot begin a transaction");
	for (unsigned i = 0; i < count && !rc; i++)
		rc = mdb_dbi_open(txn, name[i], create ? MDB_CREATE : 0, &env->dbi[i]);
	if (!rc)
		rc = mdb_txn_commit(txn);
	else
		mdb_txn_abort(txn);
	if (rc == MDB_NOTFOUND)
		return err_set(err, ERR_VERSION, "%s lacks a table of schema %d: its writer has not made it yet, or it is "
			"no store of this version", env->path, STORE_SCHEMA);
	return rc ? env_error(err, rc, env, "cannot open the tables") : 0;
}

/* A creation that a power loss cut short leaves a few unsynced pages and no
 * side file, which is written last: then, and only then, start afresh. */
static bool is_unfinished_creation(const char *dir, const char *path)
{
	char side[4200];
	struct stat st;

	snprintf(side, sizeof side, "%s/%s", dir, STORE_SIDE_FILE);
	if (stat(side, &st) == 0 || errno != ENOENT || stat(path, &st))
		return false;
	return st.st_size <= 16 * 4096;
}

#define SHORT_PAGES 16          /* at the end of a file that LMDB may not have written: they are free */

/* LMDB maps a file that was cut short as if it were whole: what touches the
 * rest is killed (SIGBUS). */
static int check_length(struct store_env *env, bool writable, struct err *err)
{
	mdb_filehandle_t fd;
	MDB_envinfo info;
	struct stat st;
	uint64_t need;

	mdb_env_info(env->env, &info);
	mdb_env_get_fd(env->env, &fd);
	need = ((uint64_t)info.me_last_pgno + 1) * env->page_size;
	if (fstat(fd, &st))
		return err_system(err, "cannot look at %s", env->path);
	if ((uint64_t)st.st_size >= need)
		return 0;
	if (need - (uint64_t)st.st_size > (uint64_t)SHORT_PAGES * env->page_size)
		return err_set(err, ERR_CORRUPT, "%s is cut short: it has %llu octets of %llu. Put back the whole file, or restore a "
			"backup", env->path, (unsigned long long)st.st_size, (unsigned long long)need);
	if (writable && ftruncate(fd, (off_t)need))
		return err_system(err, "cannot extend %s", env->path);
	return 0;
}

/* The file's meta pages. How many there are: fewer than two where it is not
 * there, or too short for them. */
static int read_metas(const struct store_env *env, struct lmdb_meta meta[LMDB_META_PAGES])
{
	int fd = open(env->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	off_t at = sizeof(struct lmdb_page);
	int n = 0;

	while (fd >= 0 && n < LMDB_META_PAGES && pread(fd, &meta[n], sizeof meta[n], at) == (ssize_t)sizeof meta[n]) {
		at += meta[0].table[0].pad;
		n++;
	}
	if (fd >= 0)
		close(fd);
	return n;
}

static bool is_lmdb(const struct lmdb_meta *meta)
{
	return meta->magic == LMDB_MAGIC && meta->version == LMDB_VERSION;
}

/* LMDB divides by the size of a page, whatever it reads there. */
static int check_metas(const struct store_env *env, struct err *err)
{
	struct lmdb_meta meta[LMDB_META_PAGES];
	int count = read_metas(env, meta);

	/* of what is none, or cut short, LMDB says so */
	for (int i = 0; i < count && is_lmdb(&meta[0]); i++) {
		uint32_t size = meta[i].table[0].pad;

		if (size < LMDB_PAGE_MIN || size > LMDB_PAGE_MAX || size & (size - 1) || size != meta[0].table[0].pad)
			return err_set(err, ERR_CORRUPT, "%s: page %d is damaged: it tells of pages of %u octets. Put back the whole file, or "
				"restore a backup", env->path, i, size);
	}
	return 0;
}

/* LMDB's errors do not tell which of its two files they are of. */
static bool is_lock_files(const struct store_env *env, int rc, char lock[4200])
{
	struct lmdb_meta meta[LMDB_META_PAGES];

	snprintf(lock, 4200, "%s-lock", env->path);
	if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
		return read_metas(env, meta) == LMDB_META_PAGES && is_lmdb(&meta[0]) && is_lmdb(&meta[1]);
	return (rc == EACCES || rc == EPERM || rc == EROFS || rc == EISDIR) && faccessat(AT_FDCWD, env->path, R_OK, AT_EACCESS) == 0;
}

static int open_error(const struct store_env *env, int rc, struct err *err)
{
	char lock[4200];

	if (!is_lock_files(env, rc, lock))
		return env_error(err, rc, env, "cannot open the store");
	if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
		return err_set(err, ERR_CORRUPT, "cannot open the store: its lock file %s is damaged, or of another version of LMDB; %s "
			"itself is not concerned. Stop the daemon and whatever else has the store open, and start it again: the lock file "
			"is made anew", lock, env->path);
	errno = rc;
	return err_system(err, "cannot open the store: its lock file %s must be readable and writable to user %u", lock,
		(unsigned)geteuid());
}

static int env_open(struct store_env *env, const char *dir, bool images, uint64_t map, unsigned max_readers,
	unsigned flags, struct err *err)
{
	MDB_stat stat_;
	int rc;

	memset(env, 0, sizeof *env);
	env->name = images ? "images" : "catalog";
	env->first_row = images ? IMAGES_META_KEY : CATALOG_META_KEY;
	env->map = map;
	if ((size_t)snprintf(env->path, sizeof env->path, "%s/%s.mdb", dir, env->name) >= sizeof env->path)
		return err_set(err, ERR_LIMIT, "the path of the database directory is too long: %.64s…", dir);
	if (check_metas(env, err))
		return -1;
	rc = mdb_env_create(&env->env);
	if (rc) {
		env->env = NULL;
		return env_error(err, rc, env, "cannot open the store");
	}
	rc = mdb_env_set_maxdbs(env->env, STORE_TABLES_MAX);
	if (!rc && map)
		rc = mdb_env_set_mapsize(env->env, map);
	if (!rc && max_readers)
		rc = mdb_env_set_maxreaders(env->env, max_readers);
	/* no NOSYNC, NOMETASYNC, WRITEMAP: durable before visible is LMDB's own order */
	if (!rc)
		rc = mdb_env_open(env->env, env->path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0640);
	if (rc) {
		mdb_env_close(env->env);
		env->env = NULL;
		if (rc == ENOENT)
			return err_set(err, ERR_SYSTEM, "there is no store in %s (%s is missing)", dir, env->path);
		if (rc == MDB_INVALID && !(flags & MDB_RDONLY) && is_unfinished_creation(dir, env->path)) {
			char lock[4200];

			log_warning("%s: its creation was cut short; making it anew", env->path);
			snprintf(lock, sizeof lock, "%s-lock", env->path);
			unlink(lock);
			if (unlink(env->path))
				return err_system(err, "cannot remove %s", env->path);
			return env_open(env, dir, images, map, max_readers, flags, err);
		}
		return open_error(env, rc, err);
	}
	close_on_exec(env);
	mdb_env_stat(env->env, &stat_);
	env->page_size = stat_.ms_psize;
	if (check_length(env, !(flags & MDB_RDONLY), err)) {
		env_close(env);
		return -1;
	}
	return 0;
}

int env_open_bare(struct store_env *env, const char *dir, bool images, struct err *err)
{
	return env_open(env, dir, images, 0, 0, MDB_RDONLY, err);
}

int env_open_read(struct store_env *env, const char *dir, bool images, struct err *err)
{
	if (env_open(env, dir, images, 0, 0, MDB_RDONLY, err))
		return -1;
	if (open_tables(env, images, false, err)) {
		env_close(env);
		return -1;
	}
	return 0;
}

int env_open_write(struct store_env *env, const char *dir, bool images, uint64_t map,
	unsigned max_readers, struct err *err)
{
	MDB_envinfo info;

	if (env_open(env, dir, images, map, max_readers, 0, err))
		return -1;
	if (open_tables(env, images, true, err)) {
		env_close(env);
		return -1;
	}
	mdb_env_info(env->env, &info);
	env->last_txn = info.me_last_txnid;
	env->map = info.me_mapsize;
	env->large_pages = images;
	return 0;
}

void env_close(struct store_env *env)
{
	if (env->look)
		mdb_txn_abort(env->look);
	env->look = NULL;
	if (env->env)
		mdb_env_close(env->env);
	env->env = NULL;
}

/* The writer has a larger map than we opened with: take it over. */
static int adopt_map(struct store_env *env, bool *remapped)
{
	*remapped = true;
	return mdb_env_set_mapsize(env->env, 0);
}

int env_begin_read(struct store_env *env, MDB_txn **txn, bool *remapped, struct err *err)
{
	int rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, txn);

	if (rc == MDB_MAP_RESIZED && !(rc = adopt_map(env, remapped)))
		rc = mdb_txn_begin(env->env, NULL, MDB_RDONLY, txn);
	if (rc) {
		*txn = NULL;
		return env_error(err, rc, env, "cannot begin a snapshot");
	}
	return 0;
}

int env_renew(struct store_env *env, MDB_txn *txn, bool *remapped, struct err *err)
{
	int rc = mdb_txn_renew(txn);

	if (rc == MDB_MAP_RESIZED && !(rc = adopt_map(env, remapped)))
		rc = mdb_txn_renew(txn);
	return rc ? env_error(err, rc, env, "cannot begin a snapshot") : 0;
}

int env_begin_look(struct store_env *env, MDB_txn **txn, struct err *err)
{
	bool remapped = false;
	int rc;

	if (env->looking || !env->look)
		rc = env_begin_read(env, txn, &remapped, err);
	else
		rc = env_renew(env, *txn = env->look, &remapped, err);
	if (rc) {
		*txn = NULL;
		return -1;
	}
	if (!env->look)
		env->look = *txn;
	env->looking = true;
	return 0;
}

void env_end_look(struct store_env *env, MDB_txn *txn)
{
	if (txn != env->look) {
		mdb_txn_abort(txn);
		return;
	}
	mdb_txn_reset(txn);
	env->looking = false;
}

struct reader_search { long pid; bool found; };

static int look_for_pid(const char *line, void *arg)
{
	struct reader_search *search = arg;

	if (strtol(line, NULL, 10) == search->pid)
		search->found = true;
	return 0;
}

int env_check_reader(struct store_env *env, struct err *err)
{
	struct reader_search search = { .pid = getpid() };

	mdb_reader_list(env->env, look_for_pid, &search);
	if (!search.found)
		return err_set(err, ERR_SYSTEM, "the snapshot is not in the reader table %s-lock: the file must be writable "
			"to this process (user %u), else pages are reused under it", env->path, (unsigned)geteuid());
	return 0;
}

int env_begin_write(struct store_env *env, MDB_txn **txn, struct err *err)
{
	int rc = mdb_txn_begin(env->env, NULL, 0, txn);
	uint64_t id;

	if (rc) {
		*txn = NULL;
		return env_error(err, rc, env, "cannot begin a write transaction");
	}
	id = mdb_txn_id(*txn);
	if (id != env->last_txn + 1) {
		mdb_txn_abort(*txn);
		*txn = NULL;
		return err_set(err, ERR_CORRUPT, "%s: the next transaction would be %llu, but our last was %llu: someone else "
			"wrote to the store or its lock file. Nothing was written; restart the daemon, and run fsck",
			env->path, (unsigned long long)id, (unsigned long long)env->last_txn);
	}
	return 0;
}

/* For lack of room nothing is lost, and the next transaction may go. But where
 * it was the meta page that found none (on a copy-on-write file system), LMDB
 * has given the environment up: that is no ERR_FULL, it must be opened anew. */
static int commit_error(struct err *err, int rc, const struct store_env *env)
{
	MDB_txn *txn;

	if (mdb_txn_begin(env->env, NULL, 0, &txn))
		return err_set(err, ERR_SYSTEM, "cannot commit: %s: %s, and the store must be opened anew", env->path, mdb_strerror(rc));
	mdb_txn_abort(txn);
	return env_error(err, rc, env, "cannot commit");
}

int env_commit(struct store_env *env, MDB_txn *txn, struct err *err)
{
	uint64_t id = mdb_txn_id(txn);
	int rc = mdb_txn_commit(txn);
	MDB_envinfo info;

	if (rc)
		return commit_error(err, rc, env);
	/* one that changed nothing leaves no trace, and its id to the next */
	mdb_env_info(env->env, &info);
	if (info.me_last_txnid >= id)
		env->last_txn = id;
	/* not having a reserve is no failure of what is already durable */
	env_reserve(env, 0, NULL);
	return 0;
}

/* What is soon written comes into large pages. Nothing is read for them: the
 * file is allocated there, and was never written to. Images, not the catalog:
 * ext4 looks through all 512 blocks of such a page to write one of them, which
 * would be a sixth of the time of a large group's switch. */
static void prepare_pages(struct store_env *env, int fd, uint64_t used, uint64_t end)
{
	end = large_page_up(end + LARGE_PAGE);
	if (end > env->allocated)
		end = env->allocated;
	if (env->prepared < used)
		env->prepared = used;
	if (env->prepared < end)
		large_pages_read(fd, env->prepared, end);
	env->prepared = large_page_down(end) > env->prepared ? large_page_down(end) : env->prepared;
}

int env_reserve(struct store_env *env, uint64_t more, struct err *err)
{
	MDB_envinfo info;
	mdb_filehandle_t fd;
	uint64_t used, want;

	if (env->no_fallocate)
		return 0;
	mdb_env_info(env->env, &info);
	mdb_env_get_fd(env->env, &fd);
	used = ((uint64_t)info.me_last_pgno + 1) * env->page_size;
	want = large_page_up(used + more + STORE_RESERVE);
	if (want > info.me_mapsize)
		want = info.me_mapsize;
	/* in steps, so that most commits find it made */
	if (env->allocated < used + more + STORE_RESERVE / 2 && env->allocated < want) {
		/* not posix_fallocate, whose substitute writes to every block */
		while (fallocate(fd, 0, used, want - used)) {
			if (errno == EINTR)
				continue;
			if (errno == EOPNOTSUPP || errno == ENOSYS) {
				log_warning("%s: the file system cannot allocate ahead: a full disk would stop switches", env->path);
				env->no_fallocate = true;
				return 0;
			}
			return err_system(err, "cannot allocate %llu MiB more for %s",
				(unsigned long long)((want - used) >> 20), env->path);
		}
		env->allocated = want;
	}
	if (env->large_pages)
		prepare_pages(env, fd, used, used + more);
	return 0;
}

/* Pages in LMDB's freelist: every value there is a list whose first word is
 * its length. */
static int free_pages(struct store_env *env, MDB_txn *txn, uint64_t *pages, struct err *err)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, 0, &cursor);

	*pages = 0;
	if (rc)
		return env_error(err, rc, env, "cannot read the freelist");
	while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		size_t n;

		memcpy(&n, value.mv_data, sizeof n);
		*pages += n;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : env_error(err, rc, env, "cannot read the freelist");
}

int env_space(struct store_env *env, MDB_txn *txn, uint64_t *used, uint64_t *left, struct err *err)
{
	MDB_envinfo info;
	uint64_t pages;

	if (free_pages(env, txn, &pages, err))
		return -1;
	mdb_env_info(env->env, &info);
	*used = ((uint64_t)info.me_last_pgno + 1 - pages) * env->page_size;
	*left = info.me_mapsize > *used ? info.me_mapsize - *used : 0;
	return 0;
}

static int sync_directory(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_system(err, "cannot open the directory %s", dir);
	rc = fsync(fd) ? err_system(err, "cannot sync the directory %s", dir) : 0;
	close(fd);
	return rc;
}

int env_side_file_write(const char *dir, struct err *err)
{
	char path[4200], temporary[4200], text[128];
	int fd, n;

	snprintf(path, sizeof path, "%s/%s", dir, STORE_SIDE_FILE);
	snprintf(temporary, sizeof temporary, "%s/%s.new", dir, STORE_SIDE_FILE);
	n = snprintf(text, sizeof text, "Schwenk store\nschema %d\nlmdb %s\n", STORE_SCHEMA, LMDB_SERIES);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_system(err, "cannot create %s", temporary);
	if (write(fd, text, n) != n || fsync(fd)) {
		err_system(err, "cannot write %s", temporary);
		close(fd);
		unlink(temporary);
		return -1;
	}
	close(fd);
	if (rename(temporary, path))
		return err_system(err, "cannot rename %s", temporary);
	return sync_directory(dir, err);
}

int env_side_file_check(const char *dir, bool *found, struct err *err)
{
	char path[4200], text[256], lmdb[32];
	int fd, schema;
	ssize_t n;

	*found = false;
	snprintf(path, sizeof path, "%s/%s", dir, STORE_SIDE_FILE);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		return err_system(err, "cannot read %s", path);
	}
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	if (sscanf(text, "Schwenk store schema %d lmdb %31s", &schema, lmdb) != 2)
		return err_set(err, ERR_VERSION, "%s is not understood: is %s really a store of ours?", path, dir);
	*found = true;
	if (schema != STORE_SCHEMA)
		return err_set(err, ERR_VERSION, "the store in %s has schema %d, this version reads schema %d: use the version "
			"that wrote it to make a text backup, and restore that", dir, schema, STORE_SCHEMA);
	if (strcmp(lmdb, LMDB_SERIES))
		return err_set(err, ERR_VERSION, "the store in %s was written with LMDB %s, this version is built with %s, whose "
			"files differ: make a text backup with the version that wrote it, and restore that here",
			dir, lmdb, LMDB_SERIES);
	return 0;
}
