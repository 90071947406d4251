#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const struct passwd *find_user(const struct conf *conf, struct err *err)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(conf->user);
	if (!pw)
		err_set(err, ERR_SYSTEM, "user: %s does not exist: make it (adduser --system --group %s), or name another",
			conf->user, conf->user);
	return pw;
}

int privileges_user(const struct conf *conf, uid_t *uid, gid_t *gid, struct err *err)
{
	const struct passwd *pw;

	*uid = geteuid();
	*gid = getegid();
	if (!conf->user || geteuid() != 0)
		return 0;
	pw = find_user(conf, err);
	if (!pw)
		return -1;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int become_user(const struct conf *conf, struct err *err)
{
	const struct passwd *pw = find_user(conf, err);

	if (!pw)
		return -1;
	if (initgroups(conf->user, pw->pw_gid) < 0 || setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return err_system(err, "cannot become user %s", conf->user);
	if (pw->pw_uid != 0 && setuid(0) == 0)
		return err_set(err, ERR_INTERNAL, "could become root again after becoming %s", conf->user);
	return 0;
}

int privileges_main(const struct conf *conf, struct err *err)
{
	if (conf->user && geteuid() == 0) {
		if (become_user(conf, err) < 0)
			return -1;
	} else if (conf->user) {
		const struct passwd *pw = find_user(conf, err);

		if (!pw)
			return -1;
		if (pw->pw_uid != geteuid())
			return err_set(err, ERR_SYSTEM, "user: only root can become %s; start as root, or leave user out", conf->user);
	}
	/* the sockets are open: nothing below needs a capability, unless we
	 * stay root and files are others' */
	if (geteuid() != 0) {
		capng_clear(CAPNG_SELECT_BOTH);
		if (capng_apply(CAPNG_SELECT_CAPS) != 0)
			log_warning("cannot drop capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warning("cannot set no_new_privs: %s", strerror(errno));
	return 0;
}

/* ---- the filter of system calls ---------------------------------------------------- */

/* What no child has any business with. */
static const int denied_to_all[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns),
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(keyctl),
	SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid), SCMP_SYS(setresuid), SCMP_SYS(setresgid),
	SCMP_SYS(setgroups), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid), SCMP_SYS(capset), SCMP_SYS(acct), SCMP_SYS(quotactl),
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime), SCMP_SYS(open_by_handle_at), SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(personality),
};

/* Workers and loaders: no way out to the network, no other process. AF_UNIX
 * is left for syslog. */
static const int denied_to_readers[] = {
	SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(kill), SCMP_SYS(tkill),
	SCMP_SYS(pidfd_send_signal), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_open),
};

/* Where no file is to be written: the worker, and most loaders, which get
 * what they write to as descriptors. */
static const int denied_to_non_writers[] = {
	SCMP_SYS(creat), SCMP_SYS(truncate), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink),
	SCMP_SYS(unlinkat), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink), SCMP_SYS(symlinkat), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(chmod), SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(lchown),
	SCMP_SYS(fchownat), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(removexattr), SCMP_SYS(utimensat),
	SCMP_SYS(openat2),
};

static int deny(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), calls[i], 0);

		/* a number this architecture does not have is denied anyway */
		if (r < 0 && r != -EDOM && r != -EINVAL)
			return r;
	}
	return 0;
}

static int deny_opening_for_writing(scmp_filter_ctx filter)
{
	static const unsigned modes[] = { O_WRONLY, O_RDWR };
	int r = 0;

	for (size_t i = 0; r == 0 && i < 2; i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(openat), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE, modes[i]));
		if (r == 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(open), 1,
				SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE, modes[i]));
	}
	return r;
}

static int deny_network(scmp_filter_ctx filter)
{
	static const int families[] = { AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof families / sizeof families[0]; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	/* threads may be made, processes may not */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	/* its flags lie in memory, where no filter can look: libc falls back to clone */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

static void filter_calls(enum role role, bool writes_files)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = -ENOMEM;

	if (filter)
		r = deny(filter, denied_to_all, sizeof denied_to_all / sizeof denied_to_all[0]);
	if (r == 0 && role != ROLE_WRITER) {
		r = deny(filter, denied_to_readers, sizeof denied_to_readers / sizeof denied_to_readers[0]);
		if (r == 0)
			r = deny_network(filter);
	}
	if (r == 0 && !writes_files) {
		r = deny(filter, denied_to_non_writers, sizeof denied_to_non_writers / sizeof denied_to_non_writers[0]);
		if (r == 0)
			r = deny_opening_for_writing(filter);
	}
	if (r == 0)
		r = seccomp_load(filter);
	if (r < 0)
		log_warning("no filter of system calls: %s", strerror(-r));
	if (filter)
		seccomp_release(filter);
}

/* ---- limits --------------------------------------------------------------------------- */

static void limit(int what, const char *name, rlim_t value)
{
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)what, &now) < 0)
		return;
	if (now.rlim_max != RLIM_INFINITY && value > now.rlim_max)
		value = now.rlim_max;
	now.rlim_cur = value;
	if (setrlimit((__rlimit_resource_t)what, &now) < 0)
		log_warning("cannot set the limit %s: %s", name, strerror(errno));
}

static void limit_loader(const struct conf *conf)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	/* an import that eats the machine's memory is the one to go, not the answers */
	if (fd >= 0) {
		if (write(fd, "500", 3) != 3)
			log_debug("cannot set oom_score_adj: %s", strerror(errno));
		close(fd);
	}
	if (!SANITIZED)
		limit(RLIMIT_DATA, "data", 4 * (rlim_t)conf->loader_memory + ((rlim_t)2 << 30));
}

int privileges_seal(enum role role, const struct conf *conf, bool writes_files, struct err *err)
{
	if (role == ROLE_LOADER)
		limit_loader(conf);
	/* root without capabilities still owns root's files: what is open stays so */
	if (role != ROLE_WRITER || geteuid() != 0) {
		capng_clear(CAPNG_SELECT_BOTH);
		if (capng_apply(writes_files ? CAPNG_SELECT_BOUNDS : CAPNG_SELECT_BOTH) != 0 &&
		    capng_apply(CAPNG_SELECT_CAPS) != 0)
			log_debug("cannot drop capabilities");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warning("cannot set no_new_privs: %s", strerror(errno));
	/* the sanitizers' own machinery needs calls that are denied here */
	if (!SANITIZED)
		filter_calls(role, writes_files || role == ROLE_WRITER);
	return 0;
}
