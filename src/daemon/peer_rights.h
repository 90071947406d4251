/* Who is at the other end of the control socket, and what may they do? */
#ifndef DAEMON_PEER_RIGHTS_H
#define DAEMON_PEER_RIGHTS_H

#include "conf/conf.h"
#include "control/commands.h"
#include "store/catalog.h"

/* Fills who from the socket's credentials (SO_PEERCRED), the audit login uid
 * where the kernel tells it, and the user database. -1: no credentials. */
int peer_identify(int fd, struct who *, struct err *);
/* root and the daemon's own user: RIGHT_ADMIN; members of conf's groups, by
 * primary or supplementary group: theirs; else -1. */
int peer_right(int fd, const struct who *, const struct conf *);
/* ERR_DENIED with the group to be in. */
int peer_denied(const struct who *, const struct conf *, enum control_right need, struct err *);

#endif
