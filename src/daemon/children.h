/* children.c, what only main's own parts need; the rest is in daemon.h. */
#ifndef DAEMON_CHILDREN_H
#define DAEMON_CHILDREN_H

#include "daemon/daemon.h"

#define CHILD_LOCK_FD 4

/* child_start in two steps: a spawned child waits for its setup, so that the
 * time of exec passes while something else is awaited. */
struct child *child_spawn(struct daemon *, enum role, unsigned number, const struct child_hooks *, void *arg, struct err *);
int child_setup(struct child *, json_t *setup, const int *fds, unsigned fd_count, struct err *);
struct child *child_next(const struct child *);      /* in daemon's list */
/* From now on its messages, and its end, are somebody else's. */
void child_set_hooks(struct child *, const struct child_hooks *, void *arg);
enum role child_role(const struct child *);
const char *child_name(const struct child *);        /* "worker 2" */
int64_t child_started_us(const struct child *);      /* CLOCK_BOOTTIME */
bool child_closed(const struct child *);             /* finished, not reaped yet */
/* A message hook that takes nothing. */
void child_ignore(void *arg, struct child *, struct message *);
/* On SIGCHLD. */
void children_reap(struct daemon *);
void children_kill(struct daemon *, int signal);
/* How it ended: "by signal 9 (Killed)", "with status 1"; after a signal that a
 * damaged store gives (LMDB trusts its file) with what to do. Returns buf. */
#define CHILD_END_TEXT 800
bool child_died_of_store(int status);   /* that is such a signal */
char *child_end_text(const struct daemon *, enum role, int status, char buf[CHILD_END_TEXT]);
/* The configuration as YAML, malloc'd; NULL: no memory. */
char *conf_to_text(const struct conf *);

/* barrier.c: a worker's MSG_BEGUN; a child was reaped. */
void barrier_begun(struct daemon *, struct child *, uint64_t message_id, uint64_t snapshot);
void barrier_child_gone(struct daemon *, struct child *);
/* Is one under way? */
bool barrier_pending(const struct daemon *);

/* writer_link.c: the writer is ready (child), or none is; ended: how it did,
 * as child_end_text has it. */
void writer_link_up(struct daemon *, struct child *);
void writer_link_down(struct daemon *, const char *ended);
void writer_link_message(struct daemon *, struct child *, struct message *);
void writer_link_free(struct daemon *);

/* supervise.c: starts the writer and, once it is ready, the workers; starts
 * anew what dies. */
int supervise_start(struct daemon *, int control_fd, struct err *);
void supervise_free(struct daemon *);
/* A reader that died leaves its place in the store's table of readers taken, and
 * keeps the pages of its snapshot from being used again: the writer gives both
 * back. Once a minute in any case. */
void supervise_clear_readers(struct daemon *);
/* Is the worker in place (from 0) one that got its setup? */
bool worker_has_setup(const struct daemon *, unsigned place);
/* daemon_stop, with an exit status. */
void daemon_end(struct daemon *, int status);
/* After children were reaped: leaves the loop when all have ended. */
void supervise_end_if_empty(struct daemon *);

/* stats.c: a worker's counters came; it is gone. */
void stats_answer(struct daemon *, unsigned place, const struct message *);
void stats_free(struct daemon *);

#endif
