#include "tool/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int files_open(const char *path, int64_t *size, struct err *err)
{
	int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
		: open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	*size = -1;
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_system(err, "%s", path);
	} else if (S_ISDIR(st.st_mode)) {
		err_set(err, ERR_BAD_REQUEST, "%s is a directory; a directory of zone files is imported by: schwenk import --dir %s",
			path, path);
	} else {
		if (S_ISREG(st.st_mode))
			*size = st.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

int files_base_open(struct files_base *base, const char *path, bool anywhere, struct err *err)
{
	const char *slash = strrchr(path, '/');
	struct stat st;

	base->anywhere = anywhere;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		snprintf(base->text, sizeof base->text, "%s", path);
	else
		snprintf(base->text, sizeof base->text, "%.*s", slash == path ? 1 : slash ? (int)(slash - path) : 1,
			slash ? path : ".");
	base->dir = open(base->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return base->dir < 0 ? err_system(err, "%s", base->text) : 0;
}

void files_base_close(struct files_base *base)
{
	if (base->dir >= 0)
		close(base->dir);
	base->dir = -1;
}

/* Kernels before 5.6 have no openat2: then neither ".." nor links. */
static int open_beneath_by_hand(int dir, const char *name)
{
	char part[256];

	dir = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	while (dir >= 0) {
		size_t n = strcspn(name, "/");
		bool last = !name[n];
		int next;

		if (n == 0 || n >= sizeof part || (n == 2 && memcmp(name, "..", 2) == 0)) {
			errno = EXDEV;
			next = -1;
		} else {
			memcpy(part, name, n);
			part[n] = '\0';
			next = openat(dir, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (last ? 0 : O_DIRECTORY));
		}
		close(dir);
		if (last || next < 0)
			return next;
		dir = next;
		name += n + 1;
	}
	return -1;
}

static int open_beneath(int dir, const char *name)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_BENEATH };
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof how);

	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return (int)fd;
	return open_beneath_by_hand(dir, name);
}

int files_open_below(const struct files_base *base, const char *name, struct err *err)
{
	struct stat st;
	int fd;

	if (!*name)
		return err_set(err, ERR_BAD_REQUEST, "the name of a file is empty");
	fd = base->anywhere ? openat(base->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : open_beneath(base->dir, name);
	if (fd < 0 && errno == EXDEV)
		return err_set(err, ERR_DENIED, "%s lies outside of %s; --include-anywhere allows it", name, base->text);
	if (fd < 0)
		return err_system(err, "%s", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, ERR_BAD_REQUEST, "%s is not a regular file", name);
	}
	return fd;
}

static bool is_zone_file(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".zone") == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct files_list *list, size_t *room, const char *name)
{
	if (list->count == *room) {
		size_t more = *room ? *room * 2 : 1024;
		char **names = realloc(list->name, more * sizeof *names);

		if (!names)
			return -1;
		list->name = names;
		*room = more;
	}
	list->name[list->count] = strdup(name);
	return list->name[list->count] ? (list->count++, 0) : -1;
}

int files_list(const struct files_base *base, struct files_list *list, struct err *err)
{
	int fd = openat(base->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t room = 0;

	memset(list, 0, sizeof *list);
	if (!dir) {
		err_system(err, "%s", base->text);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(dir)))
		if (is_zone_file(entry->d_name) && add_name(list, &room, entry->d_name) < 0) {
			closedir(dir);
			files_list_free(list);
			return err_set(err, ERR_NOMEM, "%s: no memory", base->text);
		}
	closedir(dir);
	if (list->count)
		qsort(list->name, list->count, sizeof *list->name, compare_names);
	return 0;
}

void files_list_free(struct files_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->name[i]);
	free(list->name);
	memset(list, 0, sizeof *list);
}
