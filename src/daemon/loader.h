/*
 * A loader: a process for one long piece of work, so that what meets
 * strangers' bytes, or takes its time, is never the process that answers or
 * writes. loader.c has the frame; each job is a function in a file of its
 * own. Known to src/daemon/loader*.c only; main's end is handlers_jobs.c.
 *
 * The setup (MSG_SETUP, role_process.setup) is
 *   {"job": NAME, "request": the client's request as it came, "fds": [places,
 *    enum loader_fd, of the descriptors that came with it], …what the job needs}
 * NAME is the command's. A fold, which no client asked for, has what the writer
 * said as its request, {"command": "fold", "set_id": N, "from": …, "to": …}.
 * Main → loader, loader → main go these messages:
 *   MSG_PROGRESS  an object, passed on to the client as {"progress": …}
 *   MSG_OPEN      {"open": NAME}: main asks the client, and answers with
 *                 MSG_FILE {"name": NAME} and one descriptor, or {"name", "error"}
 *                 {"need": N}: MSG_FILE as above for each; {"end": true} where
 *                 there are no more. Answers have the question's id.
 *   MSG_IMAGE     {"image": {"offset", "size"}, …} with the image file's
 *                 descriptor: main passes it to the writer, merged with what
 *                 main knows; the writer's reply ends the request.
 *                 {"zones": […]}: a slice of a portfolio; main's MSG_REPLY
 *                 tells the loader that the writer has taken it in
 *   MSG_REQUEST   {"command": "confirm-pause"}: has the writer, which was asked to
 *                 delete nothing, kept to it so far? main's MSG_REPLY has its id
 *   MSG_REPLY     the request's final reply ({"ok": …}); the process ends
 * With "stay": true in the setup it does not end after a job that went well: main
 * sends MSG_JOB, another setup for the same caller and zone, or MSG_STOP.
 * Keys of MSG_IMAGE that main takes from the loader, by what the writer does
 * with it (writer_bulk.c): all but who, note, zone, set, create, expect_live
 * and may_live, which are main's own. set_id (record, edit) must be that of
 * the set that the request names. "errors", "warnings" and "dropped" come back
 * in the client's reply.
 */
#ifndef DAEMON_LOADER_H
#define DAEMON_LOADER_H

#include <jansson.h>

#include "daemon/daemon.h"
#include "store/snapshot.h"
#include "zone/load.h"

/* Descriptors given with the setup, by place; -1 where the job has none. */
enum loader_fd { LOADER_CLIENT_FD, LOADER_IMAGE_FD, LOADER_SCRATCH_FD, LOADER_FD_COUNT };

struct loader_file;
struct loader {
	struct role_process role;
	struct store_reader *reader;    /* open, no snapshot has begun; NULL for jobs with own_store, who may open it */
	const json_t *request;          /* the client's */
	const json_t *setup;
	int fd[LOADER_FD_COUNT];        /* owned by the loader */
	int64_t told_us;                /* of the last progress */
	/* loader.c's own: */
	int64_t began_us;
	bool in_snapshot;
	uint64_t last_question;         /* id of */
	struct loader_file *first_file, **last_file;   /* came, and nobody took them yet */
	unsigned files_due;             /* of a directory: asked for and not come */
	bool files_end;
	json_t *answer;                 /* main's, to a MSG_REQUEST; NULL: none has come */
	unsigned slices;                /* that the writer has not taken in */
	bool replied;
};

/* ---- for jobs ------------------------------------------------------------------ */

/* A string of a text that may hold strangers' octets: what is not UTF-8
 * becomes "?". "" for NULL. */
json_t *loader_text(const char *);
/* Takes the reference over. A vanished main ends the process. */
void loader_progress(struct loader *, json_t *progress);
/* At most about ten a second: {"records", "rate", "share"}; share < 0: unknown. */
void loader_share(struct loader *, uint64_t records, double share);
/* {"problem": …} as PROTOCOL.md has it. arg is the loader. */
void loader_problem(void *arg, const struct problem *);
/* Asks the client for a file (an $INCLUDE): its descriptor, owned by the
 * caller, or -1 with err. arg is the loader. */
int loader_open(void *arg, const char *name, struct err *err);
/* Files of a directory, one after the other; at most ahead of them are asked
 * for beforehand. 1: *fd is owned by the caller (-1: err set, that file cannot
 * be had), name malloc'd; 0: there are no more. */
int loader_next_file(struct loader *, unsigned ahead, char **name, int *fd, struct err *err);
/* The set that the request's "ZONE@SET" or "ZONE" names, as of one snapshot
 * that is begun if need be and goes on: both rows. "@live" where none is named. */
int loader_set(struct loader *, const char *text, struct zone_row *, struct set_row *, struct err *err);

/* ---- the jobs: 0, or -1 with err set (the frame replies for them) ----------------- */

/* How the client's descriptor is used: the frame refuses one that is not fit
 * for it (a directory, a socket to read from, one opened the other way). */
enum loader_use { USE_NONE, USE_READ, USE_WRITE };
struct loader_job {
	const char *name;
	int (*run)(struct loader *, struct err *);
	enum loader_use use;
	/* backup, fsck: opens the store itself (a process may have an environment
	 * open once only): the frame opens no reader, and lets it open files for
	 * writing, as LMDB needs for its lock file. */
	bool own_store;
	bool background;                /* takes what answers and switches leave of the processors */
};
extern const struct loader_job loader_jobs[];   /* loader.c; ends with name NULL */

/* Each sends its MSG_IMAGE, or its MSG_REPLY, by: */
void loader_reply(struct loader *, json_t *reply);              /* takes it over */
void loader_image(struct loader *, json_t *meta, int fd);       /* takes meta over; fd stays */
/* Of a job that has deletions paused: -1 where a writer has been started anew
 * since it began, so that what it has read may lack what was deleted. */
int loader_confirm_pause(struct loader *, struct err *);
/* A slice of a portfolio, of which there are many: returns when at most ahead
 * slices are not in the store yet (0: all are). meta NULL: only waits. */
void loader_slice(struct loader *, json_t *meta, int fd, unsigned ahead);

int job_import(struct loader *, struct err *);          /* loader_import.c */
int job_import_dir(struct loader *, struct err *);      /* loader_portfolio.c */
int job_copy(struct loader *, struct err *);            /* loader_change.c: copy, record, edit, fold */
int job_change(struct loader *, struct err *);
int job_fold(struct loader *, struct err *);
int job_spares(struct loader *, struct err *);          /* loader_spares.c */
int job_export(struct loader *, struct err *);          /* loader_read.c: export, diff, check */
int job_diff(struct loader *, struct err *);
int job_check(struct loader *, struct err *);
int job_backup(struct loader *, struct err *);          /* loader_store.c: backup, fsck */
int job_fsck(struct loader *, struct err *);

#endif
