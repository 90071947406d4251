/*
 * One daemon owns a database. The lock (flock on schwenkd.lock in its
 * directory) is inherited by every child: it is free only when the last
 * process of the old daemon has ended, so no old worker answers when a new
 * daemon does. Main alone also has a POSIX lock, which tells a running daemon
 * from leftover children.
 */
#ifndef DAEMON_LOCK_H
#define DAEMON_LOCK_H

#include <sys/types.h>

#include "base/err.h"

/* Waits for children of a dead daemon (they end by themselves; the log says
 * whom it waits for), and for some seconds for a daemon that is stopping. The
 * lock is held as long as *fd is open in any process. ERR_BUSY: another daemon
 * runs. */
int lock_database(const char *dir, uid_t owner, gid_t group, int *fd, struct err *);

#endif
