/*
 * Loaders that are kept for a while after a change: whoever changes records of
 * a zone one by one (an API, a certificate robot) would else pay for a new
 * process each time, ten times the work itself. One is kept for its zone and
 * its caller only: what one caller's text may have done to it reaches nobody
 * else's change. So is one that folds what they changed; it meets no text, and
 * folds for all zones, and does nothing else.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/children.h"
#include "daemon/handlers_jobs.h"
#include "daemon/jobs.h"
#include "daemon/rows_json.h"

#define KEPT_MAX     8
#define KEPT_SECONDS 2
#define NOBODY       UINT64_MAX /* the writer wished for it */

struct kept {
	TAILQ_ENTRY(kept) link;
	struct jobs *jobs;
	struct child *child;
	struct event *idle;
	uint64_t uid;
	uint8_t apex[NAME_MAX_SIZE];
	size_t apex_size;
};

static void forget(struct kept *k)
{
	TAILQ_REMOVE(&k->jobs->kept, k, link);
	event_free(k->idle);
	free(k);
}

/* Its channel closes in an orderly way, and it ends by itself. */
static void let_go(struct kept *k)
{
	child_set_hooks(k->child, &(struct child_hooks){ .message = child_ignore }, NULL);
	child_send(k->child, MSG_STOP, 0, NULL, 0, NULL, 0);
	forget(k);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
	let_go(arg);
}

static void on_gone(void *arg, struct child *c, int status)
{
	forget(arg);
}

static unsigned count(const struct jobs *jobs)
{
	const struct kept *k;
	unsigned n = 0;

	TAILQ_FOREACH(k, &jobs->kept, link)
		n++;
	return n;
}

static uint64_t caller(const struct job *job)
{
	return job->who ? json_number(job->who, "uid") : NOBODY;
}

void kept_put(struct job *job)
{
	static const struct child_hooks hooks = { .message = child_ignore, .gone = on_gone };
	static const struct timeval idle = { KEPT_SECONDS, 0 };
	struct jobs *jobs = job->jobs;
	struct kept *k = jobs->daemon->stopping ? NULL : calloc(1, sizeof *k);

	if (!k || !(k->idle = evtimer_new(jobs->daemon->base, on_idle, k))) {
		free(k);
		job_kill_loader(job);   /* it has done its work */
		return;
	}
	if (count(jobs) == KEPT_MAX)
		let_go(TAILQ_FIRST(&jobs->kept));
	k->jobs = jobs;
	k->child = job->child;
	k->uid = caller(job);
	k->apex_size = job->apex_size;
	memcpy(k->apex, job->apex, job->apex_size);
	TAILQ_INSERT_TAIL(&jobs->kept, k, link);
	evtimer_add(k->idle, &idle);
	child_set_hooks(job->child, &hooks, k);
	job->child = NULL;
}

struct child *kept_take(const struct job *job)
{
	struct kept *k;

	if (!job->kind->stays)
		return NULL;
	TAILQ_FOREACH(k, &job->jobs->kept, link)
		if (!child_closed(k->child) && k->uid == caller(job) && k->apex_size == job->apex_size &&
		    memcmp(k->apex, job->apex, job->apex_size) == 0) {
			struct child *c = k->child;

			forget(k);
			return c;
		}
	return NULL;
}

void jobs_let_loaders_go(struct daemon *d)
{
	while (d->jobs && !TAILQ_EMPTY(&d->jobs->kept))
		let_go(TAILQ_FIRST(&d->jobs->kept));
}

void kept_free(struct jobs *jobs)
{
	while (!TAILQ_EMPTY(&jobs->kept))
		forget(TAILQ_FIRST(&jobs->kept));
}
