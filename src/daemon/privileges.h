/*
 * Who may do what, in one order that every process keeps to:
 *
 *   main    opens sockets and directories → privileges_main: becomes conf's
 *           user, keeps no capability, no_new_privs
 *   child   role_start → opens the store → privileges_seal: no capability, no
 *           new privileges, limits, a filter of system calls
 *
 * All of it is best effort where the kernel or the caller's rights do not
 * allow it (a warning), but for the change of the user: that fails.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "daemon/daemon.h"

/* The ids of conf's user; our own where there is none. */
int privileges_user(const struct conf *, uid_t *uid, gid_t *gid, struct err *);
/* Main: become the configured user, if we are root. */
int privileges_main(const struct conf *, struct err *);
/* A child, once everything that needs a right is open. writes_files: it may
 * open files for writing (the writer; a backup). Afterwards: no capability, no
 * exec; workers and loaders make no sockets; workers open nothing for writing
 * and make no process. */
int privileges_seal(enum role, const struct conf *, bool writes_files, struct err *);

#endif
