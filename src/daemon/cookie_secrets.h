/* The secrets of DNS cookies, in main. */
#ifndef DAEMON_COOKIE_SECRETS_H
#define DAEMON_COOKIE_SECRETS_H

#include "daemon/daemon.h"

/* From the file that the configuration names, or made up. On an error those
 * that are there stay. */
int cookie_secrets_load(struct daemon *, const struct conf *, struct err *);
/* To a worker that has its setup. */
void cookie_secrets_send(const struct daemon *, struct child *worker);
/* From now on those made up are renewed every day. NULL: no memory. */
struct event *cookie_secrets_watch(struct daemon *);

#endif
