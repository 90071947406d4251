/*
 * Messages between our own processes over a stream socket pair: framed,
 * buffered, with descriptors (SCM_RIGHTS). No libevent in here.
 *
 * Frame: size u32 | type u16 | fds u16 | id u64, then size octets of payload.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CHANNEL_FD 3                    /* a child's end of its channel */
#define MESSAGE_MAX (64u << 20)         /* payload, octets */
#define MESSAGE_FDS 128                 /* with one message */

enum message_type {
	/* main → any child, first of all: JSON config for the role; fds as the role says */
	MSG_SETUP = 1,
	/* child → main: ready to work */
	MSG_READY,
	/* main → worker: begin a snapshot >= u64 transaction id (payload); worker → main: the id begun */
	MSG_BARRIER, MSG_BEGUN,
	/* request/reply pairs, matched by id; JSON payload */
	MSG_REQUEST, MSG_PROGRESS, MSG_REPLY,
	/* loader → main: JSON {"open": NAME}; main → loader: {"name":…} with one fd, or {"error":…} */
	MSG_OPEN, MSG_FILE,
	/* loader → main → writer: a finished image: JSON meta (zone, set, offset, size, …) */
	MSG_IMAGE,
	/* worker → main: counters as JSON, in reply to MSG_STATS */
	MSG_STATS,
	MSG_STOP,
	/* main → writer: the barrier for transaction id (u64 payload) has passed */
	MSG_BARRIER_PASSED,
	/* writer → main: please make a barrier for (u64) and tell when it passed */
	MSG_WANT_BARRIER,
	/* writer → main: set needs folding: JSON */
	MSG_WANT_FOLD,
	/* configuration read anew: JSON, to all children */
	MSG_RELOAD,
	/* main → worker: the secrets of DNS cookies, one behind the other; after the setup, and whenever they change */
	MSG_COOKIE_SECRETS,
	/* main → loader that was kept: another job, as in the setup; fds as there */
	MSG_JOB,
	MESSAGE_TYPE_LAST = MSG_JOB,
};

struct message {
	enum message_type type;
	uint64_t id;
	uint32_t size;
	uint8_t *payload;               /* NUL-terminated behind size; malloc'd */
	int fds[MESSAGE_FDS];           /* owned by the receiver until taken (set to -1) */
	unsigned fd_count;
};

struct channel;
/* Takes fd over; nonblocking says how it is used. */
struct channel *channel_new(int fd, bool nonblocking);
void channel_free(struct channel *);    /* closes */
int channel_set_nonblocking(struct channel *);
int channel_fd(const struct channel *);
/* Queues, then writes what goes without blocking (a blocking channel: all).
 * fds are duplicated by the kernel; the caller keeps its own. Returns -1 when
 * the peer is gone. */
int channel_send(struct channel *, enum message_type, uint64_t id, const void *payload, size_t size, const int *fds, unsigned fd_count);
bool channel_wants_write(const struct channel *);
size_t channel_queued(const struct channel *);   /* octets not yet written */
int channel_flush(struct channel *);    /* -1: peer gone */
/* 1: a message (message_clear it), 0: none yet (nonblocking), -1: peer gone or nonsense. */
int channel_receive(struct channel *, struct message *);
/* Frees the payload and closes the descriptors that were not taken. */
void message_clear(struct message *);
/* Takes the i-th descriptor out of a message; -1 when there is none. */
int message_take_fd(struct message *, unsigned i);

#endif
