/*
 * Requests that a loader works on (RUN_LOADER, RUN_TASK), main's end: a
 * process is started for each, some at a time, the rest wait in order; what it
 * says goes to the client, what it made to the writer.
 */
#ifndef DAEMON_HANDLERS_JOBS_H
#define DAEMON_HANDLERS_JOBS_H

#include "daemon/request.h"

/* A request of a command that runs in a loader. Replies at some time. */
void handle_job(struct request *);
/* For `status`: [{"command": "import", "set": "shop.example@new" or a zone or
 * null, "share": 0.4 or null, "waiting": bool}], in order; folds as well. */
json_t *jobs_json(struct daemon *);
/* d->want_fold: the writer says that a set wants folding. */
void jobs_want_fold(struct daemon *, const json_t *);
/* Loaders that are kept for a next job (jobs_kept.c) have an old configuration. */
void jobs_let_loaders_go(struct daemon *);
/* After the daemon's loop: what is left is freed. */
void jobs_free(struct daemon *);

#endif
