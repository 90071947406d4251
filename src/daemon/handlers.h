/*
 * The handlers of control requests. Each replies at some time, once; what it
 * needs until then it keeps itself. handlers.c has the table that says which
 * request goes where.
 */
#ifndef DAEMON_HANDLERS_H
#define DAEMON_HANDLERS_H

#include "daemon/reading.h"

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
/* The command that takes a switch back, null where there is none (any more). */
json_t *history_back_json(struct catalog_txn *, const struct history_row *);

/* handlers_status.c */
void handle_status(struct request *);
void handle_stats(struct request *);

/* handlers_write.c */
void handle_write(struct request *);
void handle_rollback(struct request *);
void handle_reload(struct request *);
void handle_stop(struct request *);

#endif
