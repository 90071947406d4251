/*
 * A request of a client, from its line to its reply; and the peer it came
 * from. control_server.c makes and ends requests, handlers work on them.
 */
#ifndef DAEMON_REQUEST_H
#define DAEMON_REQUEST_H

#include <jansson.h>

#include "control/commands.h"
#include "daemon/daemon.h"
#include "store/catalog.h"

#define RIGHT_NONE (-1)

struct peer;
struct request {
	struct daemon *daemon;
	struct peer *peer;              /* NULL: the client has gone; the work may go on */
	json_t *json;
	const struct control_command *command;
	int fd;                         /* came with the request; -1: none, or taken */
	struct who who;
	int right;                      /* the most that the peer may: enum control_right, or RIGHT_NONE */
	/* A handler that goes on later sets what it needs: */
	void (*gone)(void *arg);        /* the client has gone; request_reply is still due */
	void (*file)(void *arg, json_t *line, int fd);  /* a "file" or "end" line (borrowed); fd is the callee's */
	void (*drained)(void *arg);     /* request_queued fell below REQUEST_QUEUE_LOW */
	void *arg;
};
#define REQUEST_QUEUE_LOW  (64u << 10)
#define REQUEST_QUEUE_HIGH (512u << 10)

/* Sends {"progress":…}; takes the reference over. */
void request_progress(struct request *, json_t *progress);
/* The one final reply; takes the reference over and frees the request. */
void request_reply(struct request *, json_t *reply);
/* The same with {"ok":false,…}. */
void request_fail(struct request *, const struct err *);
/* Octets that the client has not read yet: above REQUEST_QUEUE_HIGH, pause. */
size_t request_queued(const struct request *);
/* -1 with ERR_DENIED naming the group to be in, where the peer lacks the right. */
int request_need_right(const struct request *, enum control_right, struct err *);
/* "root", "alice (uid 1000, login uid 1000)" for the log. */
const char *request_by(const struct request *, char buf[128]);

/* handlers.c: called once per request that is well-formed and allowed by the
 * command's own right. */
void handle_request(struct request *);

#endif
