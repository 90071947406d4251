/* What the service manager is told (sd_notify); nothing without one. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <event2/event.h>

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What the manager's full queue kept us from saying: now and then. */
void notify_again(void);
/* Feeds the watchdog, where one is asked for, from this loop. The event is
 * the caller's to free; NULL: no watchdog. */
struct event *notify_watchdog(struct event_base *);

#endif
