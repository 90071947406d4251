#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define TCP_BACKLOG 1024
#define TCP_DEFER 1        /* seconds for which a client without a query is the kernel's */

struct listeners {
	unsigned workers, per_worker;
	int *fds;
};

static bool is_wildcard(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static unsigned port_of(const struct sockaddr_storage *a)
{
	return ntohs(a->ss_family == AF_INET ? ((const struct sockaddr_in *)a)->sin_port :
		((const struct sockaddr_in6 *)a)->sin6_port);
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value);
}

/* ---- socket options ---------------------------------------------------------- */

/* The kernel reports twice what was asked for. */
static void set_receive_buffer(int fd, const struct conf *conf)
{
	static bool warned;
	int want = conf->receive_buffer > INT32_MAX / 2 ? INT32_MAX / 2 : (int)conf->receive_buffer, got = 0;
	socklen_t size = sizeof got;

	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, want) == 0)
		return;
	set(fd, SOL_SOCKET, SO_RCVBUF, want);
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &size) == 0 && got / 2 < want && !warned) {
		warned = true;
		log_warning("the kernel gives UDP sockets a receive buffer of %d octets, not of %d: queries in a burst, or "
			"while a worker is replaced, may be lost. Raise it: sysctl -w net.core.rmem_max=%d", got / 2, want, want);
	}
}

static void set_common(int fd, const struct conf_listen *l)
{
	if (l->address.ss_family == AF_INET6) {
		set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
	} else {
		set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	}
}

/* RFC 9715: no path-MTU discovery that strangers' ICMP could steer, and
 * nothing longer than every IPv6 path carries unfragmented by routers. */
static void set_udp(int fd, const struct conf *conf, const struct conf_listen *l)
{
	bool wildcard = is_wildcard(&l->address);
	int discover = conf->udp_payload_size > 1232 ? IP_PMTUDISC_OMIT : IP_PMTUDISC_PROBE;

	if (l->address.ss_family == AF_INET6) {
		if (set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT) < 0)
			set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
		set(fd, IPPROTO_IPV6, IPV6_MTU, 1280);
		if (wildcard)
			set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	} else {
		/* PROBE spares the look at the path MTU, but fails what is longer
		 * than the interface takes: only where replies are short */
		if (set(fd, IPPROTO_IP, IP_MTU_DISCOVER, discover) < 0)
			set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
		if (wildcard)
			set(fd, IPPROTO_IP, IP_PKTINFO, 1);
	}
}

/* ---- opening ------------------------------------------------------------------ */

static int bind_error(const struct conf_listen *l, const char *protocol, struct err *err)
{
	int code = errno;
	const char *hint = "";

	if (code == EADDRINUSE && port_of(&l->address) == 53)
		hint = ". On port 53 that usually is systemd-resolved's stub (DNSStubListener=no in resolved.conf, or listen on "
			"particular addresses), dnsmasq, or another name server: see `ss -lunp sport = :53`, `ss -ltnp sport = :53`";
	else if (code == EADDRINUSE)
		hint = ": another process has it; `ss -lunp` and `ss -ltnp` show which";
	else if (code == EACCES)
		hint = ": ports below 1024 need root or CAP_NET_BIND_SERVICE (AmbientCapabilities= in the service unit)";
	else if (code == EADDRNOTAVAIL)
		hint = ": no interface has this address";
	errno = code;
	err_set(err, ERR_SYSTEM, "cannot listen on %s over %s: %s%s", l->text, protocol, strerror(code), hint);
	return -1;
}

/* shared: with SO_REUSEPORT. -1 with errno. */
static int open_bound(const struct conf_listen *l, int type, bool shared)
{
	int fd = socket(l->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), code;

	if (fd < 0)
		return -1;
	set_common(fd, l);
	if (type == SOCK_STREAM)
		set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if ((shared && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
	    bind(fd, (const struct sockaddr *)&l->address, l->size) < 0) {
		code = errno;
		close(fd);
		errno = code;
		return -1;
	}
	return fd;
}

/* SO_REUSEPORT would let us share a port with a stranger of our own user, who
 * then got half of the queries: see first that nobody has it. */
static int probe(const struct conf_listen *l, int type, const char *protocol, struct err *err)
{
	int fd = open_bound(l, type, false);

	if (fd < 0 || (type == SOCK_STREAM && listen(fd, 1) < 0)) {
		bind_error(l, protocol, err);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int open_socket(const struct conf *conf, const struct conf_listen *l, int type, struct err *err)
{
	const char *protocol = type == SOCK_DGRAM ? "UDP" : "TCP";
	int fd = open_bound(l, type, true);

	if (fd < 0)
		return bind_error(l, protocol, err);
	if (type == SOCK_DGRAM) {
		set_udp(fd, conf, l);
		set_receive_buffer(fd, conf);
	} else {
		set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, TCP_DEFER);
		if (listen(fd, TCP_BACKLOG) < 0) {
			bind_error(l, protocol, err);
			close(fd);
			return -1;
		}
	}
	return fd;
}

int listeners_open(const struct conf *conf, struct listeners **out, struct err *err)
{
	struct listeners *ls = calloc(1, sizeof *ls);
	unsigned n = 0;

	if (!ls)
		return err_set(err, ERR_NOMEM, "out of memory");
	ls->workers = conf->workers;
	ls->per_worker = 2 * (unsigned)conf->listen_count;
	ls->fds = calloc((size_t)ls->workers * ls->per_worker, sizeof *ls->fds);
	if (!ls->fds) {
		free(ls);
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	memset(ls->fds, -1, (size_t)ls->workers * ls->per_worker * sizeof *ls->fds);
	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct conf_listen *l = &conf->listen[i];

		if (probe(l, SOCK_DGRAM, "UDP", err) < 0 || probe(l, SOCK_STREAM, "TCP", err) < 0)
			goto failed;
	}
	for (unsigned w = 0; w < conf->workers; w++)
		for (size_t i = 0; i < conf->listen_count; i++)
			for (int tcp = 0; tcp < 2; tcp++, n++) {
				ls->fds[n] = open_socket(conf, &conf->listen[i], tcp ? SOCK_STREAM : SOCK_DGRAM, err);
				if (ls->fds[n] < 0)
					goto failed;
			}
	*out = ls;
	return 0;
failed:
	listeners_close(ls);
	return -1;
}

void listeners_close(struct listeners *ls)
{
	if (!ls)
		return;
	for (unsigned i = 0; i < ls->workers * ls->per_worker; i++)
		if (ls->fds[i] >= 0)
			close(ls->fds[i]);
	free(ls->fds);
	free(ls);
}

const int *listeners_of(const struct listeners *ls, unsigned worker, unsigned *count)
{
	*count = ls->per_worker;
	return ls->fds + (size_t)worker * ls->per_worker;
}

/* ---- the control socket --------------------------------------------------------- */

static int make_directory(const char *path, uid_t owner, gid_t group, struct err *err)
{
	char copy[4096];
	const char *dir;

	snprintf(copy, sizeof copy, "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, 0755) == 0) {
		if (geteuid() == 0 && chown(dir, owner, group) < 0)
			return err_system(err, "cannot give %s to the daemon's user", dir);
		return 0;
	}
	if (errno != EEXIST)
		return err_system(err, "cannot make the control socket's directory %s", dir);
	return 0;
}

/* 0: the path is free (a socket that nobody answers was removed). */
static int clear_stale(const struct sockaddr_un *sun, struct err *err)
{
	struct stat st;
	int fd, r;

	if (lstat(sun->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_system(err, "cannot look at the control socket %s", sun->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_EXISTS, "%s is in the control socket's place and is no socket: move it, or configure another path",
			sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_system(err, "cannot make a socket");
	r = connect(fd, (const struct sockaddr *)sun, sizeof *sun) < 0 ? errno : 0;
	close(fd);
	/* EAGAIN: its backlog is full, so somebody has it */
	if (r == 0 || r == EAGAIN)
		return err_set(err, ERR_EXISTS, "another daemon answers at the control socket %s: stop it (schwenk -s %s stop), or configure another path",
			sun->sun_path, sun->sun_path);
	if (r == ECONNREFUSED && unlink(sun->sun_path) == 0)
		return 0;
	errno = r == ECONNREFUSED ? errno : r;
	return err_system(err, "cannot replace the stale control socket %s", sun->sun_path);
}

/* The one group that the options name; how many there are (0: none, 2: more than one). */
static unsigned one_group(const struct conf *conf, gid_t *gid)
{
	const char *const names[] = { conf->operators, conf->stagers, conf->readers };
	unsigned count = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		/* that they exist was checked with the configuration */
		const struct group *g = names[i] ? getgrnam(names[i]) : NULL;

		if (!g || (count && g->gr_gid == *gid))
			continue;
		if (count)
			return 2;
		*gid = g->gr_gid;
		count = 1;
	}
	return count;
}

static int give(const char *path, uid_t owner, gid_t group)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_uid == owner && st.st_gid == group)
		return 0;       /* by root, at the start: who is not root could not do it again */
	return lchown(path, owner, group);
}

int listen_control_access(const struct conf *conf, uid_t owner, gid_t group, struct err *err)
{
	gid_t gid = group;
	unsigned count = one_group(conf, &gid);
	mode_t mode = count > 1 ? 0666 : 0660;

	if (count > 1) {
		log_warning("control: several groups are configured, and a socket has one: everybody may connect to %s, and each "
			"request is judged by the groups of who sends it", conf->control);
		gid = group;
	}
	if (give(conf->control, owner, gid) < 0) {
		/* who is not root can give it to a group of its own only */
		log_warning("control: cannot give %s to the group of the configuration: %s; everybody may connect, and each request is "
			"judged by the groups of who sends it. To have the socket closed to others: put the daemon's user into the group "
			"(systemd: SupplementaryGroups=) and restart", conf->control, strerror(errno));
		mode = 0666;
	}
	if (chmod(conf->control, mode) < 0)
		return err_system(err, "cannot set the mode of the control socket %s", conf->control);
	return 0;
}

int listen_control(const struct conf *conf, uid_t owner, gid_t group, int *out, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, r;

	if (strlen(conf->control) >= sizeof sun.sun_path)
		return err_set(err, ERR_LIMIT, "control: %s is longer than the %zu octets that a socket's path may have",
			conf->control, sizeof sun.sun_path - 1);
	strcpy(sun.sun_path, conf->control);
	if (make_directory(conf->control, owner, group, err) < 0 || clear_stale(&sun, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_system(err, "cannot make the control socket");
	mask = umask(0177);     /* nobody may connect before the mode says who */
	r = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	umask(mask);
	if (r < 0)
		err_system(err, "cannot bind the control socket %s", conf->control);
	else if (listen_control_access(conf, owner, group, err) < 0)
		r = -1;
	else if ((r = listen(fd, 128)) < 0)
		err_system(err, "cannot listen on the control socket %s", conf->control);
	if (r < 0) {
		close(fd);
		return -1;
	}
	*out = fd;
	return 0;
}
