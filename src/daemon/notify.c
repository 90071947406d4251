#include "daemon/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/log.h"

void notify_ready(void) { sd_notify(0, "READY=1"); }
void notify_stopping(void) { sd_notify(0, "STOPPING=1\nSTATUS=Stopping"); }

void notify_reloading(void)
{
	struct timespec now;

	/* Type=notify-reload wants to know which reload this is */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_status(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sd_notifyf(0, "STATUS=%s", text);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	sd_notify(0, "WATCHDOG=1");
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
