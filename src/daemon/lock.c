#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS       5
#define RUNNING_US    INT64_C(10000000)  /* for a daemon that is perhaps stopping */
#define LEFTOVERS_US  INT64_C(60000000)  /* for children of a dead one */
#define SAY_EVERY_US  INT64_C(1000000)

/* The main that runs, or 0. */
static pid_t running_main(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
		return 0;
	return l.l_pid;
}

static int be_main(int fd, const char *path, struct err *err)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_SETLK, &l) < 0)
		return err_system(err, "cannot lock %s", path);
	return 0;
}

static int wait_for_lock(int fd, const char *path, struct err *err)
{
	int64_t began = clock_boot_us(), said = 0;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int64_t now = clock_boot_us();
		pid_t other;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_system(err, "cannot lock %s", path);
		other = running_main(fd);
		if (now - began > (other ? RUNNING_US : LEFTOVERS_US)) {
			if (other)
				return err_set(err, ERR_BUSY, "another daemon (pid %d) owns the database of %s: stop it first, or configure another database",
					(int)other, path);
			return err_set(err, ERR_BUSY, "processes of a daemon that is gone still hold %s: `fuser %s` shows them", path, path);
		}
		if (now - said > SAY_EVERY_US && now - began > SAY_EVERY_US / 10) {
			said = now;
			if (other)
				log_notice("waiting for the daemon with pid %d to end, which owns the database", (int)other);
			else
				log_notice("waiting for the last children of the daemon before this one to end");
		}
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

int lock_database(const char *dir, uid_t owner, gid_t group, int *out, struct err *err)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof path, "%s/schwenkd.lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_system(err, "cannot open %s", path);
	if (geteuid() == 0 && fchown(fd, owner, group) < 0) {
		err_system(err, "cannot give %s to the daemon's user", path);
		close(fd);
		return -1;
	}
	if (wait_for_lock(fd, path, err) < 0 || be_main(fd, path, err) < 0) {
		close(fd);
		return -1;
	}
	*out = fd;
	return 0;
}
