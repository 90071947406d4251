/*
 * A request that main answers from its own snapshot, one turn of the loop
 * after the other: a list of 100,000 zones, or a client that sends requests
 * without end, holds up neither a switch nor another client. Each turn has a
 * snapshot of its own; none outlives it.
 */
#ifndef DAEMON_READING_H
#define DAEMON_READING_H

#include "daemon/request.h"

enum reading_result {
	READING_DONE,           /* the reply is there */
	READING_MORE,           /* go on in the next turn */
	READING_WAIT,           /* go on after wait_ms, or reading_wake */
	READING_FAILED,         /* err is set */
};

/* A command's own struct has this as its first member. */
struct reading {
	struct request *request;
	enum reading_result (*step)(struct reading *, struct catalog_txn *, struct err *);
	void (*clear)(struct reading *);        /* frees what step made; NULL: nothing */
	json_t *reply;
	unsigned wait_ms;
	/* reading.c's own: */
	struct event *turn;
	int64_t until_us;
	bool stepping, working, gone;
};

/* Makes one of size octets, zeroed; its first turn is the next. NULL: no
 * memory, and the request has its reply. */
void *reading_begin(struct request *, size_t size,
	enum reading_result (*step)(struct reading *, struct catalog_txn *, struct err *), void (*clear)(struct reading *));
/* Ends it, outside of step. */
void reading_fail(struct reading *, const struct err *);
/* READING_WAIT is over. */
void reading_wake(struct reading *);
/* Has this turn taken as long as it may? Asked between rows. */
bool reading_is_over(const struct reading *);

#endif
