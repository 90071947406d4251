#include "daemon/peer_rights.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define NO_LOGIN_UID ((uint32_t)-1)

/* The kernel's audit login uid survives sudo and su. */
static uint32_t read_login_uid(int proc_dir)
{
	char text[32] = "";
	unsigned long uid;
	char *end;
	ssize_t n;
	int fd = openat(proc_dir, "loginuid", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NO_LOGIN_UID;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return NO_LOGIN_UID;
	uid = strtoul(text, &end, 10);
	return end == text ? NO_LOGIN_UID : (uint32_t)uid;
}

/* Is the process that connected still the one of this number? Without the
 * kernel's word (a pidfd of the peer) a process of the same user counts. */
static bool still_the_peer(int fd, int proc_dir, uint32_t uid)
{
	int pidfd = -1;
	socklen_t size = sizeof pidfd;
	struct stat st;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0 && pidfd >= 0) {
		struct pollfd p = { .fd = pidfd, .events = POLLIN };
		bool alive = poll(&p, 1, 0) == 0;

		close(pidfd);
		return alive;
	}
	return fstat(proc_dir, &st) == 0 && st.st_uid == uid;
}

static uint32_t login_uid(int fd, pid_t pid, uint32_t uid)
{
	char path[32];
	uint32_t login;
	int proc_dir;

	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	proc_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_dir < 0)
		return NO_LOGIN_UID;
	login = read_login_uid(proc_dir);
	if (!still_the_peer(fd, proc_dir, uid))
		login = NO_LOGIN_UID;   /* the number was given to somebody else */
	close(proc_dir);
	return login;
}

/* The user database may be slow: the last few are remembered. */
static void user_name(uint32_t uid, char *name, size_t size)
{
	static struct { uint32_t uid; char name[64]; } cache[8];
	static unsigned next;
	char buf[4096];
	struct passwd pw, *found = NULL;

	if (uid == 0) {
		snprintf(name, size, "root");
		return;
	}
	for (unsigned i = 0; i < 8; i++)
		if (cache[i].name[0] && cache[i].uid == uid) {
			snprintf(name, size, "%s", cache[i].name);
			return;
		}
	if (getpwuid_r(uid, &pw, buf, sizeof buf, &found) == 0 && found)
		snprintf(name, size, "%s", pw.pw_name);
	else
		snprintf(name, size, "uid %u", uid);
	cache[next].uid = uid;
	snprintf(cache[next].name, sizeof cache[next].name, "%s", name);
	next = (next + 1) % 8;
}

int peer_identify(int fd, struct who *who, struct err *err)
{
	struct ucred cred;
	socklen_t size = sizeof cred;

	memset(who, 0, sizeof *who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return err_system(err, "the client's credentials");
	who->uid = cred.uid;
	who->gid = cred.gid;
	who->pid = cred.pid;
	who->login_uid = login_uid(fd, cred.pid, cred.uid);
	user_name(who->uid, who->name, sizeof who->name);
	return 0;
}

static bool group_id(const char *name, gid_t *gid)
{
	char buf[65536];
	struct group gr, *found = NULL;

	if (!name || getgrnam_r(name, &gr, buf, sizeof buf, &found) != 0 || !found)
		return false;
	*gid = gr.gr_gid;
	return true;
}

static bool in_group(const char *name, gid_t primary, const gid_t *groups, size_t count)
{
	gid_t gid;

	if (!group_id(name, &gid))
		return false;
	if (gid == primary)
		return true;
	for (size_t i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

int peer_right(int fd, const struct who *who, const struct conf *conf)
{
	gid_t groups[1024];
	socklen_t size = sizeof groups;
	size_t count;

	if (who->uid == 0 || who->uid == geteuid())
		return RIGHT_ADMIN;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		size = 0;
	count = size / sizeof groups[0];
	if (in_group(conf->operators, who->gid, groups, count))
		return RIGHT_SWITCH;
	if (in_group(conf->stagers, who->gid, groups, count))
		return RIGHT_STAGE;
	if (in_group(conf->readers, who->gid, groups, count))
		return RIGHT_READ;
	return -1;
}

int peer_denied(const struct who *who, const struct conf *conf, enum control_right need, struct err *err)
{
	static const char *const what[] = {
		[RIGHT_READ] = "look", [RIGHT_STAGE] = "stage sets", [RIGHT_SWITCH] = "switch", [RIGHT_ADMIN] = "administer",
	};
	const char *const group[] = {
		[RIGHT_READ] = conf->readers, [RIGHT_STAGE] = conf->stagers, [RIGHT_SWITCH] = conf->operators,
	};
	static const char *const option[] = {
		[RIGHT_READ] = "readers", [RIGHT_STAGE] = "stagers", [RIGHT_SWITCH] = "operators",
	};

	if (need == RIGHT_ADMIN)
		return err_set(err, ERR_DENIED, "%s may not %s: that needs root or the daemon's own user", who->name, what[need]);
	for (int r = (int)need; r <= RIGHT_SWITCH; r++)
		if (group[r])
			return err_set(err, ERR_DENIED, "%s may not %s: be in the group \"%s\" (%s in the configuration), or root",
				who->name, what[need], group[r], option[r]);
	return err_set(err, ERR_DENIED, "%s may not %s: be root, or set %s: GROUP in the configuration and be in it",
		who->name, what[need], option[need]);
}
