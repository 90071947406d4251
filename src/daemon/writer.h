/*
 * The writer's own parts: writer.c has the loop and the two queues,
 * writer_commands.c and writer_switch.c what is done now (one transaction
 * each), writer_bulk.c what is done in slices, writer_many.c what is either. Known to the writer's
 * files only.
 */
#ifndef DAEMON_WRITER_H
#define DAEMON_WRITER_H

#include <event2/event.h>
#include <jansson.h>
#include <sys/queue.h>

#include "daemon/daemon.h"
#include "store/catalog.h"
#include "store/writer.h"

#define SLICE_US 4000           /* of bulk: what a switch waits for at most */

struct writer;

/* A job of the bulk queue. step does one slice: 1 more to do, 0 done. */
struct bulk {
	TAILQ_ENTRY(bulk) link;
	int (*step)(struct writer *, struct bulk *);
	void (*free)(struct bulk *);
};
TAILQ_HEAD(bulk_queue, bulk);

/* A request of main's that awaits its transaction. */
struct pending {
	STAILQ_ENTRY(pending) link;
	uint64_t id;
	json_t *json;
	int fd;                 /* the first descriptor that came with it; -1: none */
};
STAILQ_HEAD(pending_queue, pending);

struct writer {
	struct role_process role;
	struct event_base *base;
	struct event *readable, *writable, *turn;
	struct store_writer *store;
	struct pending_queue now;
	struct bulk_queue bulk;
	struct bulk *cleaner;           /* deletes garbage, while there is some */
	bool cleaner_waits;             /* for its barrier: not in the queue */
	struct event *warm_timer;
	struct store_warm warm;
	unsigned deletions_paused;      /* by copies of the store under way */
	uint64_t last_id;               /* of the last commit */
	bool failed;                    /* a commit failed: the process ends */
};

/* ---- writer.c -------------------------------------------------------------- */
void writer_reply(struct writer *, uint64_t id, json_t *reply);   /* takes the reference over */
void writer_fail(struct writer *, uint64_t id, const struct err *);
void writer_progress(struct writer *, uint64_t id, json_t *progress);
/* Commits; a failure other than for space ends the process (main starts
 * another): what LMDB holds in memory is not to be trusted any more. */
int writer_commit(struct writer *, struct catalog_txn *, bool *changed, struct err *);
/* "committed" and "changed" for main's barrier. */
void writer_committed(struct writer *, json_t *reply, bool changed);
void writer_add_bulk(struct writer *, struct bulk *);

/* ---- writer_commands.c ------------------------------------------------------ */
/* Runs a request that is one transaction and replies. false: no such command. */
bool writer_run_now(struct writer *, struct pending *);

/* ---- writer_switch.c -------------------------------------------------------- */
json_t *run_cutover(struct catalog_txn *, const json_t *request, struct err *);
json_t *run_rollback(struct catalog_txn *, const json_t *request, struct err *);
json_t *run_confirm(struct catalog_txn *, const json_t *request, struct err *);
/* A reply with the result; its zones are rows (control/rows.h). NULL: no memory. */
json_t *switch_json(struct catalog_txn *, const struct switch_request *, const struct switch_result *);

/* ---- writer_many.c ---------------------------------------------------------- */
/* Does the request name more than one transaction of "now" should take? */
bool many_is_bulk(const json_t *request);
bool many_adds(const json_t *request);  /* rows in numbers: catalog_begin_bulk */
json_t *many_run(struct catalog_txn *, const json_t *request, struct err *);
struct bulk *many_begin(struct pending *);     /* NULL: no memory */

/* ---- writer_bulk.c ---------------------------------------------------------- */
/* Makes a job of the request; takes json and fd out of it. false: no such. */
bool writer_begin_bulk(struct writer *, struct pending *);

/* ---- writer_clean.c --------------------------------------------------------- */
/* There may be garbage: look, when the queue comes to it. */
void writer_want_cleaning(struct writer *);
void writer_barrier_passed(struct writer *, uint64_t id);
void writer_begin_orphans(struct writer *);

/* ---- writer_warm.c ---------------------------------------------------------- */
/* What is, or may become, live is kept in memory: looked through now, and
 * every minute from then on. */
int writer_warm_begin(struct writer *, struct err *);
void writer_warm_end(struct writer *);

/* ---- shared by both --------------------------------------------------------- */
/* The zone of a text; -1 with err. */
int writer_zone(struct catalog_txn *, const char *text, struct zone_row *, struct err *);

#endif
