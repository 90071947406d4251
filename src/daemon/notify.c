/*
 * The service manager's datagrams (sd_notify(3)). Sent by ourselves, since the
 * library's call waits for as long as the manager does not read: main waits
 * for nobody. What must not be lost is kept, and sent with the next one.
 */
#include "daemon/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static char owed[512];          /* lines that found the manager's queue full */

/* False: its queue is full. Without a manager everything is sent. */
static bool send_now(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	bool sent;
	int fd;

	if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return true;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')             /* an abstract name */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true;
	sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) >= 0 ||
		(errno != EAGAIN && errno != ENOBUFS);
	close(fd);
	return sent;
}

void notify_again(void)
{
	if (owed[0] && send_now(owed))
		owed[0] = '\0';
}

/* keep: it is owed until it could be sent. */
static void send_line(const char *text, bool keep)
{
	size_t n;

	notify_again();
	if ((!owed[0] && send_now(text)) || !keep)
		return;
	n = strlen(owed);
	snprintf(owed + n, sizeof owed - n, "%s%s", n ? "\n" : "", text);
}

void notify_ready(void) { send_line("READY=1", true); }
void notify_stopping(void) { send_line("STOPPING=1\nSTATUS=Stopping", true); }

void notify_reloading(void)
{
	struct timespec now;
	char text[64];

	/* Type=notify-reload wants to know which reload this is */
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	send_line(text, true);
}

void notify_status(const char *fmt, ...)
{
	char text[256] = "STATUS=";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + 7, sizeof text - 7, fmt, ap);
	va_end(ap);
	send_line(text, false);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	send_line("WATCHDOG=1", false);
}

struct event *notify_watchdog(struct event_base *base)
{
	uint64_t us = 0;
	struct timeval half;
	struct event *timer;

	if (sd_watchdog_enabled(0, &us) <= 0 || !us)
		return NULL;
	half = (struct timeval){ .tv_sec = (time_t)(us / 2000000), .tv_usec = (suseconds_t)(us / 2 % 1000000) };
	timer = event_new(base, -1, EV_PERSIST, on_timer, NULL);
	if (timer)
		event_add(timer, &half);
	else
		log_warning("out of memory: the service manager's watchdog is not fed");
	return timer;
}
