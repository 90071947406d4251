/*
 * What main's parts share. main.c owns struct daemon; control_server.c and
 * the handlers use it; nothing here is known outside src/daemon.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "ipc/channel.h"
#include "store/snapshot.h"
#include "wire/cookie.h"

enum role { ROLE_WORKER, ROLE_WRITER, ROLE_LOADER /* one for each import, edit, export, diff, … */ };
extern const char *const role_name[];     /* "worker", "writer", "loader" */

/* ---- children.c: fork and exec ourselves, channel on fd 3 ------------------ */
struct daemon;
struct child;
struct child_hooks {
	void (*message)(void *arg, struct child *, struct message *);  /* may take fds */
	void (*drained)(void *arg, struct child *);                    /* queue to the child fell below 1 MiB; may be NULL */
	void (*gone)(void *arg, struct child *, int status);           /* reaped; the child is freed after this */
};
/* Starts a child; setup goes as MSG_SETUP with fds. NULL with err set. */
/* setup is borrowed; the child gets the configuration beside it (role_start). */
struct child *child_start(struct daemon *, enum role, unsigned number, json_t *setup, const int *fds, unsigned fd_count,
	const struct child_hooks *, void *arg, struct err *);
int child_send(struct child *, enum message_type, uint64_t id, const void *payload, size_t size, const int *fds, unsigned fd_count);
int child_send_json(struct child *, enum message_type, uint64_t id, const json_t *, const int *fds, unsigned fd_count);
void child_pause(struct child *, bool paused);   /* read no messages from it for now (backpressure) */
void child_kill(struct child *, int signal);
pid_t child_pid(const struct child *);
unsigned child_number(const struct child *);

/* ---- barrier.c: every worker has begun a snapshot >= id -------------------- */
/* ok false: a worker could not be had back within the switch timeout. silent()
 * is told once per worker that has not answered within 1 s. Several barriers may
 * be under way. A worker that dies counts as passed once it is reaped (its
 * successor begins anew). */
void barrier_begin(struct daemon *, uint64_t id, void (*passed)(void *arg, bool ok),
	void (*silent)(void *arg, const char *worker_name), void *arg);

/* ---- writer_link.c: main's end of the writer -------------------------------- */
/* Sends a request to the writer (queued while the writer is being restarted,
 * up to 5 s, then ERR_UNAVAILABLE). reply gets the JSON (borrowed); when it holds
 * "committed": T with "changed": true the link has made the barrier before
 * calling. progress may be NULL. */
void writer_request(struct daemon *, json_t *request, const int *fds, unsigned fd_count,
	void (*progress)(void *arg, json_t *), void (*reply)(void *arg, json_t *), void *arg);

/* ---- control_server.c, stats, main ------------------------------------------ */
struct control_server;
int control_server_start(struct daemon *, int listen_fd, struct err *);
void control_server_stop(struct daemon *);

struct daemon {
	struct event_base *base;
	struct conf *conf;
	const char *conf_path;
	struct store_reader *reader;     /* main's own, opened when the writer is ready */
	struct child **worker; unsigned worker_count;
	unsigned *worker_restarts;       /* by place */
	struct child *writer;            /* NULL: being restarted */
	unsigned writer_restarts;
	struct control_server *control;
	int64_t started_us;              /* CLOCK_BOOTTIME */
	bool stopping;
	int exit_status;                 /* of main, once it has stopped */
	/* Set by control_server_start: the writer says that a set wants folding. */
	void (*want_fold)(struct daemon *, const json_t *);
	/* The configuration may be replaced by a reload: use it through d->conf
	 * each time, keep no pointer into it over a turn of the loop. */

	int lock_fd;                     /* of the database; children inherit it */
	char *conf_text;                 /* conf as children get it; NULL: not made yet */

	struct cookie_secrets cookies;   /* what workers have, or will have */
	bool cookies_made_up;            /* by us: cookie_secrets.c renews them */

	/* The parts below belong to the files named. */
	struct child *children;          /* children.c */
	struct barrier *barriers;        /* barrier.c */
	struct writer_link *writer_link; /* writer_link.c */
	struct supervisor *supervisor;   /* supervise.c */
	struct listeners *listeners;     /* listen.c */
	struct stats_question *stats_questions;  /* stats.c */
	struct jobs *jobs;               /* handlers_jobs.c */
};
/* Asks all workers for their counters; done gets an array (borrowed), one object
 * a worker: "number", "pid", "restarts" and its counters, or "silent": true for
 * one that did not answer within a second. */
void daemon_collect_stats(struct daemon *, void (*done)(void *arg, json_t *workers), void *arg);
/* Ends children and loop, a moment from now: a reply may still be sent. */
void daemon_stop(struct daemon *);
/* supervise.c: main's own snapshot, to be ended by snapshot_end(d->reader).
 * ERR_CORRUPT while a damaged store is suspected: main must not die of it, too. */
int daemon_snapshot(struct daemon *, struct err *);
/* The store was looked at from end to end, and is sound. */
void daemon_trust_store(struct daemon *);
/* Reads the configuration anew; on an error nothing changes. reply gets
 * "changed": [options in force now], "restart": [options that need a restart]. */
int daemon_reload(struct daemon *, json_t *reply, struct err *);

/* ---- the roles' entries (role's own process, channel on CHANNEL_FD) --------- */
/* What every role does first: signals that are main's alone are ignored, the
 * process dies with main, the channel's MSG_SETUP is awaited, the log opened
 * by it. Then the role opens its store; then privileges_seal (privileges.h);
 * then it sends MSG_READY and meets strangers' bytes. */
struct role_process {
	struct channel *channel;         /* blocking; role_nonblocking() for an event loop */
	struct conf *conf;
	json_t *setup;                   /* as given to child_start */
	unsigned number;
	int fds[MESSAGE_FDS]; unsigned fd_count;   /* as given to child_start */
};
int role_start(enum role, struct role_process *, struct err *);
/* Another setup takes the place of the one there is, with the descriptors that
 * came with the message; takes the reference over. */
void role_take_setup(struct role_process *, json_t *setup, struct message *);
/* Makes the channel anew, non-blocking. */
int role_nonblocking(struct role_process *, struct err *);
void role_end(struct role_process *);
int worker_main(void);
int writer_main(void);
int loader_main(void);
/* restore.c; `schwenkd --restore DIR [--serial-step N]`: exit status. */
int restore_main(const struct conf *, const char *dir, uint32_t serial_step);

#endif
