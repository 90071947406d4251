#include "record_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
	char dir[256];          /* "": no interest in anything */
	struct record_log *log; /* NULL: not logged */
	bool sparse, full;
	unsigned kinds, countdown;
	int error;
	bool failed;
} rec;

/* ---- what a call is about ------------------------------------------------------- */

/* The name in the directory; false: elsewhere, or a lock file. */
static bool name_of_path(const char *path, char name[32])
{
	size_t n = strlen(rec.dir);
	const char *base;

	if (!n || strncmp(path, rec.dir, n) || path[n] != '/')
		return false;
	base = path + n + 1;
	if (strchr(base, '/') || strlen(base) > 31 || strstr(base, "-lock"))
		return false;
	strcpy(name, base);
	return true;
}

static bool path_of_fd(int fd, char path[4096])
{
	char link[64];
	ssize_t n;

	if (!rec.dir[0])
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, 4095);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

static bool name_of_fd(int fd, char name[32])
{
	char path[4096];

	return path_of_fd(fd, path) && name_of_path(path, name);
}

static bool must_fail(unsigned kind)
{
	if (!(rec.kinds & kind) || !rec.countdown || --rec.countdown)
		return false;
	rec.failed = true;
	return true;
}

static int failure(void)
{
	errno = rec.error;
	return -1;
}

static struct record_op *new_op(enum record_kind kind, const char *file)
{
	struct record_log *log = rec.log;
	struct record_op *op;

	if (!log)
		return NULL;
	if (log->count == log->capacity) {
		log->capacity = log->capacity ? 2 * log->capacity : 256;
		log->op = realloc(log->op, log->capacity * sizeof *log->op);
		if (!log->op)
			abort();
	}
	op = &log->op[log->count++];
	memset(op, 0, sizeof *op);
	op->kind = kind;
	snprintf(op->file, sizeof op->file, "%s", file);
	return op;
}

void record_begin(const char *dir, struct record_log *log)
{
	memset(log, 0, sizeof *log);
	snprintf(rec.dir, sizeof rec.dir, "%s", dir);
	rec.log = log;
}

void record_end(void)
{
	rec.log = NULL;
	rec.dir[0] = '\0';
}

void record_log_free(struct record_log *log)
{
	for (size_t i = 0; i < log->count; i++)
		free(log->op[i].bytes);
	free(log->op);
	memset(log, 0, sizeof *log);
}

void record_mark(uint64_t mark)
{
	struct record_op *op = new_op(RECORD_MARK, "");

	if (op)
		op->at = mark;
}

void record_sparse(bool sparse)
{
	rec.sparse = sparse;
}

void fail_nth(const char *dir, unsigned kinds, unsigned n, int error)
{
	snprintf(rec.dir, sizeof rec.dir, "%s", dir);
	rec.kinds = kinds;
	rec.countdown = n;
	rec.error = error;
	rec.failed = false;
}

bool fail_end(void)
{
	rec.kinds = rec.countdown = 0;
	rec.dir[0] = '\0';
	return rec.failed;
}

void disk_full(const char *dir, bool full)
{
	snprintf(rec.dir, sizeof rec.dir, "%s", full ? dir : "");
	rec.full = full;
}

/* Would the file get larger where it must not? */
static bool no_room(int fd, off_t end)
{
	struct stat st;

	if (!rec.full || fstat(fd, &st) || end <= st.st_size)
		return false;
	errno = ENOSPC;
	return true;
}

static size_t iov_size(const struct iovec *iov, int count)
{
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += iov[i].iov_len;
	return size;
}

/* ---- writes ------------------------------------------------------------------------ */

static void log_write(const char *name, int fd, uint64_t at, const struct iovec *iov, int count, size_t size)
{
	struct record_op *op = new_op(RECORD_WRITE, name);
	size_t left = size;
	uint8_t *p;

	if (!op)
		return;
	op->durable = fcntl(fd, F_GETFL) & O_DSYNC;
	op->at = at;
	op->size = size;
	op->bytes = p = malloc(size ? size : 1);
	if (!p)
		abort();
	for (int i = 0; i < count && left; i++) {
		size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

		memcpy(p, iov[i].iov_base, n);
		p += n;
		left -= n;
	}
}

/* All writes come here; at < 0: where the file stands. */
static ssize_t do_write(int fd, const struct iovec *iov, int count, off_t at)
{
	char name[32];
	bool ours = name_of_fd(fd, name);
	struct iovec half = iov[0];
	off_t where = at >= 0 ? at : ours ? lseek(fd, 0, SEEK_CUR) : 0;
	ssize_t n;

	if (ours && must_fail(FAIL_WRITE)) {
		if (rec.error != FAIL_SHORT)
			return failure();
		half.iov_len /= 2;
		iov = &half;
		count = 1;
	}
	if (ours && no_room(fd, where + (off_t)iov_size(iov, count)))
		return -1;
	if (at < 0)
		n = count == 1 ? syscall(SYS_write, fd, iov->iov_base, iov->iov_len) : syscall(SYS_writev, fd, iov, count);
	else
		n = count == 1 ? syscall(SYS_pwrite64, fd, iov->iov_base, iov->iov_len, at) : syscall(SYS_pwritev, fd, iov, count, at, 0);
	if (ours && n > 0)
		log_write(name, fd, (uint64_t)where, iov, count, (size_t)n);
	return n;
}

ssize_t write(int fd, const void *p, size_t size)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = size };

	return do_write(fd, &iov, 1, -1);
}

ssize_t pwrite(int fd, const void *p, size_t size, off_t at)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = size };

	return do_write(fd, &iov, 1, at);
}

ssize_t pwrite64(int fd, const void *p, size_t size, off64_t at)
{
	return pwrite(fd, p, size, at);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	return do_write(fd, iov, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	return do_write(fd, iov, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t at)
{
	return do_write(fd, iov, count, at);
}

/* ---- room ------------------------------------------------------------------------------ */

int ftruncate(int fd, off_t size)
{
	char name[32];
	bool ours = name_of_fd(fd, name);
	struct record_op *op;

	if (ours && must_fail(FAIL_ROOM))
		return failure();
	if (syscall(SYS_ftruncate, fd, size))
		return -1;
	if (ours && (op = new_op(RECORD_TRUNCATE, name)))
		op->size = (uint64_t)size;
	return 0;
}

int ftruncate64(int fd, off64_t size)
{
	return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
	char name[32];
	bool ours = name_of_fd(fd, name);
	struct record_op *op;
	struct stat st;
	long rc = 0;

	if (ours && must_fail(FAIL_ROOM))
		return failure();
	if (ours && no_room(fd, at + size))
		return -1;
	if (!rec.sparse)
		rc = syscall(SYS_fallocate, fd, mode, at, size);
	else if (!fstat(fd, &st) && st.st_size < at + size)
		rc = syscall(SYS_ftruncate, fd, at + size);
	if (rc)
		return -1;
	if (ours && (op = new_op(RECORD_EXTEND, name)))
		op->size = (uint64_t)(at + size);
	return 0;
}

int fallocate64(int fd, int mode, off64_t at, off64_t size)
{
	return fallocate(fd, mode, at, size);
}

/* ---- syncs ------------------------------------------------------------------------------- */

static int do_sync(int fd, long call)
{
	char path[4096], name[32];
	bool file = name_of_fd(fd, name);
	bool directory = !file && path_of_fd(fd, path) && !strcmp(path, rec.dir);

	if ((file || directory) && must_fail(FAIL_SYNC))
		return failure();
	if (syscall(call, fd))
		return -1;
	if (file)
		new_op(RECORD_SYNC, name);
	else if (directory)
		new_op(RECORD_SYNC_DIRECTORY, "");
	return 0;
}

int fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}

int fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}

/* ---- names ---------------------------------------------------------------------------------- */

static int do_open(const char *path, int flags, mode_t mode)
{
	char name[32];
	bool ours = name_of_path(path, name), new = ours && access(path, F_OK);
	int fd;

	if (ours && flags & O_CREAT && must_fail(FAIL_NAME))
		return failure();
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd < 0 || !ours)
		return fd;
	if (new)
		new_op(RECORD_CREATE, name);
	else if (flags & O_TRUNC)
		new_op(RECORD_TRUNCATE, name);
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return do_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return do_open(path, flags | O_LARGEFILE, mode);
}

int rename(const char *from, const char *to)
{
	char a[32], b[32];
	bool ours = name_of_path(from, a) && name_of_path(to, b);
	struct record_op *op;

	if (ours && must_fail(FAIL_NAME))
		return failure();
	if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0))
		return -1;
	if (ours && (op = new_op(RECORD_RENAME, a)))
		memcpy(op->to, b, sizeof op->to);
	return 0;
}

int unlink(const char *path)
{
	char name[32];
	bool ours = name_of_path(path, name);

	if (syscall(SYS_unlinkat, AT_FDCWD, path, 0))
		return -1;
	if (ours)
		new_op(RECORD_REMOVE, name);
	return 0;
}
