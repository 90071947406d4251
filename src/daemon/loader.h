/*
 * A loader: a process for one long piece of work, so that what meets
 * strangers' bytes, or takes its time, is never the process that answers or
 * writes. loader.c has the frame; each job is a function in a file of its
 * own. Known to src/daemon/loader*.c only; main's end is handlers_jobs.c.
 *
 * The setup (MSG_SETUP, role_process.setup) is
 *   {"job": NAME, "request": the client's request as it came, …what the job needs}
 * and main → loader, loader → main go these messages, id 0:
 *   MSG_PROGRESS  an object, passed on to the client as {"progress": …}
 *   MSG_OPEN      {"open": NAME}: main asks the client, and answers with
 *                 MSG_FILE {"name": NAME} and one descriptor, or {"name", "error"}
 *                 {"need": N}: MSG_FILE as above for each, then {"end": true}
 *   MSG_IMAGE     {"image": {"offset", "size"}, …} with the image file's
 *                 descriptor: main passes it to the writer, merged with what
 *                 main knows; the writer's reply ends the request
 *   MSG_REPLY     the request's final reply ({"ok": …}); the process ends
 */
#ifndef DAEMON_LOADER_H
#define DAEMON_LOADER_H

#include <jansson.h>

#include "daemon/daemon.h"
#include "store/snapshot.h"
#include "zone/load.h"

/* Descriptors given with the setup, by place; -1 where the job has none. */
enum loader_fd { LOADER_CLIENT_FD, LOADER_IMAGE_FD, LOADER_SCRATCH_FD, LOADER_FD_COUNT };

struct loader {
	struct role_process role;
	struct store_reader *reader;    /* open; no snapshot has begun */
	const json_t *request;          /* the client's */
	const json_t *setup;
	int fd[LOADER_FD_COUNT];        /* owned by the loader */
	int64_t told_us;                /* of the last progress */
};

/* ---- for jobs ------------------------------------------------------------------ */

/* Takes the reference over. A vanished main ends the process. */
void loader_progress(struct loader *, json_t *progress);
/* At most about ten a second: {"records", "rate", "share"}; share < 0: unknown. */
void loader_share(struct loader *, uint64_t records, double share);
/* {"problem": …} as PROTOCOL.md has it. arg is the loader. */
void loader_problem(void *arg, const struct problem *);
/* Asks the client for a file (an $INCLUDE): its descriptor, owned by the
 * caller, or -1 with err. arg is the loader. */
int loader_open(void *arg, const char *name, struct err *err);
/* Asks the client for count files of a directory, then one after the other:
 * 1: *fd is owned by the caller (-1: err set, that file cannot be had), name
 * malloc'd; 0: none of these is left, or there are no more at all (*end). */
int loader_need(struct loader *, unsigned count);
int loader_next_file(struct loader *, char **name, int *fd, bool *end, struct err *err);
/* The set that the request's "ZONE@SET" or "ZONE" names, as of one snapshot
 * that is begun if need be and goes on: both rows. "@live" where none is named. */
int loader_set(struct loader *, const char *text, struct zone_row *, struct set_row *, struct err *err);

/* ---- the jobs: 0, or -1 with err set (the frame replies for them) ----------------- */

struct loader_job {
	const char *name;
	int (*run)(struct loader *, struct err *);
	bool writes_files;              /* privileges_seal: a backup */
};
extern const struct loader_job loader_jobs[];   /* loader.c; ends with name NULL */

/* Each sends its MSG_IMAGE, or its MSG_REPLY, by: */
void loader_reply(struct loader *, json_t *reply);              /* takes it over */
void loader_image(struct loader *, json_t *meta, int fd);       /* takes meta over; fd stays */

int job_import(struct loader *, struct err *);          /* loader_import.c */
int job_import_dir(struct loader *, struct err *);      /* loader_portfolio.c */
int job_copy(struct loader *, struct err *);            /* loader_change.c: copy, record, edit, fold */
int job_change(struct loader *, struct err *);
int job_fold(struct loader *, struct err *);
int job_export(struct loader *, struct err *);          /* loader_read.c: export, diff, check */
int job_diff(struct loader *, struct err *);
int job_check(struct loader *, struct err *);
int job_backup(struct loader *, struct err *);          /* loader_store.c: backup, fsck */
int job_fsck(struct loader *, struct err *);

#endif
