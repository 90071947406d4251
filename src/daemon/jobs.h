/*
 * A request that a loader works on, main's end. handlers_jobs.c has the queue
 * and the client; jobs_loader.c the process, and jobs_kept.c those that are kept
 * for the next change; jobs_target.c who may do it to what; jobs_writer.c what
 * goes to the writer; jobs_portfolio.c that of a directory. Known to these six
 * files only.
 *
 * A job is freed when it has ended (JOB_ENDED) and nothing can call back any
 * more: its process is reaped, the writer has replied, barriers have passed.
 */
#ifndef DAEMON_JOBS_H
#define DAEMON_JOBS_H

#include <sys/queue.h>

#include "daemon/request.h"

/* Each lane has its own places (`loaders` in the configuration), so that an
 * hour of importing keeps no edit and no export waiting. */
enum job_lane { LANE_IMPORT, LANE_CHANGE, LANE_READ, LANE_COUNT };

enum job_state {
	JOB_WAITING,            /* for a place */
	JOB_PAUSING,            /* the writer is asked to delete nothing meanwhile */
	JOB_LOADING,            /* the process works */
	JOB_WRITING,            /* the writer has the image: now it goes on without the client */
	JOB_ENDED,              /* replied */
};

struct job;
struct job_kind {
	const char *name;               /* the command */
	enum job_lane lane;
	/* Rights and target, from main's snapshot: at the request, and once more
	 * when its turn has come (right: no). NULL: anybody with the command's right. */
	int (*target)(struct job *, bool right, struct err *);
	const char *label[2];           /* keys of the request that say what it is about */
	const char *writer;             /* the writer's command for what is made; NULL: nothing is */
	bool files;                     /* the client is asked for files */
	bool changes_set;               /* one after the other for each zone */
	bool stays;                     /* its loader may be kept for the next: see jobs_kept.c */
	bool pauses_deletions;
	bool checks_store;              /* from end to end: "problems" is empty where it is sound */
	bool without_writer;            /* … but where there is none it begins all the same */
	bool fills_directory;           /* the label's: of which a part is left where its loader dies */
};

/* A question of the loader's that the client has not answered; they are
 * answered in order. */
struct job_question { uint64_t id; unsigned files /* due; 0: an $INCLUDE */; };
#define QUESTIONS_MAX 8
#define FILES_MAX     128               /* of one question */

struct portfolio_job;
struct job {
	TAILQ_ENTRY(job) link;
	struct jobs *jobs;
	const struct job_kind *kind;
	struct request *request;        /* NULL: replied, or nobody asked (a fold) */
	json_t *json, *who;             /* the request; by whom: both outlive it */
	char *label, by[128];           /* "shop.example@new"; for the log */
	enum job_state state;
	struct child *child;
	bool second_hand;               /* it was kept, and has said nothing of this job yet */
	unsigned number;
	unsigned callbacks;             /* the writer's replies and barriers that are awaited */
	int64_t begun_us, heard_us;     /* the request; the loader's last word */
	double share;                   /* < 0: unknown */
	struct job_question questions[QUESTIONS_MAX];
	unsigned question_count;
	json_t *counts;                 /* errors, warnings, dropped: what the loader found */
	pid_t paused_writer;            /* that deletes nothing for us; 0: none */
	/* target: */
	uint8_t apex[NAME_MAX_SIZE]; size_t apex_size;
	char set[SET_NAME_MAX + 1];     /* "": none was named */
	uint64_t set_id;                /* a change's, a fold's */
	int64_t not_before_us;          /* it waits until then */
	struct set_at live;             /* as it was at the request */
	bool create, may_live;
	struct portfolio_job *portfolio;
};
TAILQ_HEAD(job_list, job);

struct jobs {
	struct daemon *daemon;
	struct job_list list;           /* in the order in which they came */
	TAILQ_HEAD(kept_list, kept) kept;
	struct event *turn;
	unsigned last_number;
};

/* ---- handlers_jobs.c ---------------------------------------------------------- */

struct daemon *job_daemon(const struct job *);
/* Ends it with a reply, which is taken over; what still runs for it is killed. */
void job_end(struct job *, json_t *reply);
void job_fail(struct job *, const struct err *);
/* Something has changed: perhaps another's turn has come. */
void jobs_wake(struct jobs *);
/* A callback has come; the job is freed in a later turn of the loop. */
void job_settle(struct job *);
void job_progress(struct job *, json_t *progress);      /* takes it over */
/* The process is no longer needed: killed if it has not ended by itself. */
void job_kill_loader(struct job *);

/* ---- jobs_loader.c ------------------------------------------------------------- */

/* Starts its process: the writer deletes nothing meanwhile, or need not care. */
void job_paused(struct job *);
/* For the request: a file that the client sends. arg is the job. */
void job_take_file(void *arg, json_t *line, int fd);

/* ---- jobs_target.c ------------------------------------------------------------- */

extern const struct job_kind job_kinds[];      /* ends with name NULL */
const struct job_kind *job_kind_find(const char *name);

/* ---- jobs_writer.c -------------------------------------------------------------- */

/* The loader's image; meta is taken over, fd is borrowed. */
void job_write_image(struct job *, json_t *meta, int fd);
/* Asks the writer to delete nothing; job_paused follows. */
void job_pause_deletions(struct job *);
void job_resume_deletions(struct job *);
/* Has the writer been the same process all the time? */
bool job_pause_held(const struct job *);

/* ---- jobs_kept.c ---------------------------------------------------------------- */

/* The loader has done its work, and is nobody's for the next two seconds. */
void kept_put(struct job *);
/* One that was kept for the job's zone and caller; NULL: none. Its hooks are to be set. */
struct child *kept_take(const struct job *);
/* After the daemon's loop. */
void kept_free(struct jobs *);

/* ---- jobs_portfolio.c ------------------------------------------------------------- */

int portfolio_begin_job(struct job *, struct err *);
void portfolio_free(struct job *);
void portfolio_slice(struct job *, json_t *meta, int fd);       /* as job_write_image */
void portfolio_result(struct job *, json_t *reply);             /* the loader's last word; taken over */
/* The loader has ended without one: what is in is in. */
void portfolio_broken(struct job *, const struct err *);
uint64_t portfolio_zones_before(const struct job *);

#endif
