/*
 * The sockets that strangers' queries come in by. Main opens one UDP and one
 * TCP socket for each address and worker (SO_REUSEPORT) and keeps all of them
 * open: what waits in a dead worker's sockets is answered by its successor.
 */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "conf/conf.h"

struct listeners;
/* Opens all; before privileges are dropped. */
int listeners_open(const struct conf *, struct listeners **, struct err *);
void listeners_close(struct listeners *);
/* The sockets of worker number (from 0): UDP and TCP by turns. */
const int *listeners_of(const struct listeners *, unsigned worker, unsigned *count);

/* The control socket: its directory is made where it is missing, a stale
 * socket replaced, but only if nobody answers there. owner, group: whom it is
 * to belong to where no group is configured. */
int listen_control(const struct conf *, uid_t owner, gid_t group, int *fd, struct err *);
/* Who may connect, at the start and after a reload: mode 0660, for the one
 * group of operators, stagers and readers; 0666 with a warning where they are
 * several, or where we may not give the socket to that group. Nothing is lost
 * by it: each request is judged by the peer's credentials (peer_rights.h). */
int listen_control_access(const struct conf *, uid_t owner, gid_t group, struct err *);

#endif
