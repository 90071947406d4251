/*
 * A worker: one event loop, its own sockets, a read-only store. Nothing here
 * knows of another worker. udp.c and tcp.c read queries and send replies;
 * between the two they come to worker_answer.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <event2/event.h>

#include "answer/answer.h"
#include "conf/conf.h"
#include "daemon/daemon.h"
#include "store/snapshot.h"

struct rate_limit;
struct udp;
struct tcp;

struct worker {
	struct role_process role;
	struct event_base *base;
	struct store_reader *reader;
	struct answerer *answerer;
	struct cookie_secrets cookies;
	struct event *channel_readable, *channel_writable;
	struct udp *udp;
	struct tcp *tcp;
	struct rate_limit *rate_limit;  /* NULL: no limit */
	struct event *rate_sweep, *ahead;
	uint8_t rate_seed[16];
	uint64_t snapshots, barriers;
};

/* Answers count <= ANSWER_BATCH queries out of one snapshot that is begun
 * now: what was received before now and is answered with it keeps G2. Without
 * a snapshot the worker ends: its successor may have better luck, and no
 * reply is better than one that we cannot stand for. */
void worker_answer(struct worker *, struct answer_job *, unsigned count);

/* Tells the job who asks; the address has to outlive it. */
void worker_set_client(struct answer_job *, const struct sockaddr_storage *);

/* worker_limits.c: the rate limiter's begin and end; the configuration that is
 * about to take the present one's place. */
int worker_limits_begin(struct worker *, struct err *);
void worker_limits_change(struct worker *, const struct conf *new);
void worker_limits_stats(const struct worker *, json_t *into);
void worker_limits_end(struct worker *);
/* Takes records, or the whole, from the replies of a batch that are over the
 * limit. Not over TCP, where nobody's address is forged. */
void worker_limit(struct worker *, struct answer_job *, unsigned count);

/* worker_ahead.c */
int worker_ahead_begin(struct worker *, struct err *);
void worker_ahead_end(struct worker *);

/* udp.c: serves the sockets from now on. NULL: no memory (logged). */
struct udp *udp_new(struct worker *, const int *fds, unsigned count);
void udp_free(struct udp *);
void udp_stats(const struct udp *, json_t *into);

/* tcp.c */
struct tcp *tcp_new(struct worker *, const int *fds, unsigned count);
void tcp_free(struct tcp *);
void tcp_stats(const struct tcp *, json_t *into);

#endif
