/*
 * The handlers of control requests. Each replies at some time, once; what it
 * needs until then it keeps itself. handlers.c has the table that says which
 * request goes where.
 */
#ifndef DAEMON_HANDLERS_H
#define DAEMON_HANDLERS_H

#include <sys/queue.h>

#include "daemon/reading.h"

/* handlers.c */
/* What somebody else is to answer, the writer or the workers: the argument of
 * their callback. */
struct question {
	LIST_ENTRY(question) link;
	struct request *request;        /* to be replied to; NULL: by somebody else */
	int64_t asked_us;               /* CLOCK_BOOTTIME */
	void *arg;
};
/* NULL: no memory, and the request, if there is one, has its reply. */
struct question *question_begin(struct request *);
void question_end(struct question *);
/* After the daemon's loop: what was not answered is freed. */
void handlers_free(void);

/* handlers_read.c */
void handle_zones(struct request *);
void handle_zone_show(struct request *);
void handle_sets(struct request *);
void handle_group_list(struct request *);
void handle_complete(struct request *);
/* The request's "limit": 1 to most, absent: usual. -1 with err where it is
 * not a positive number. */
int handler_limit(const struct request *, size_t usual, size_t most, size_t *limit, struct err *);

/* handlers_history.c */
void handle_history(struct request *);
/* `rollback` without zones: refused, with what could be rolled back. */
void handle_candidates(struct request *);

/* handlers_status.c */
void handle_status(struct request *);
void handle_stats(struct request *);

/* handlers_write.c */
void handle_write(struct request *);
void handle_rollback(struct request *);
void handle_reload(struct request *);
void handle_stop(struct request *);

#endif
