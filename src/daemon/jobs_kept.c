/*
 * Loaders that are kept for a while after a change: whoever changes records of
 * a zone one by one (an API, a certificate robot) would else pay for a new
 * process each time, ten times the work itself. One is kept for its zone and
 * its caller only: what one caller's text may have done to it reaches nobody
 * else's change.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/children.h"
#include "daemon/handlers_jobs.h"
#include "daemon/jobs.h"

#define KEPT_MAX     8
#define KEPT_SECONDS 2

struct kept {
	TAILQ_ENTRY(kept) link;
	struct daemon *daemon;
	struct child *child;
	struct event *idle;
	uint32_t uid;
	uint8_t apex[NAME_MAX_SIZE];
	size_t apex_size;
};
TAILQ_HEAD(kept_loaders, kept);

static void forget(struct kept *k)
{
	TAILQ_REMOVE(k->daemon->kept, k, link);
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

static unsigned count(const struct kept_loaders *list)
{
	const struct kept *k;
	unsigned n = 0;

	TAILQ_FOREACH(k, list, link)
		n++;
	return n;
}

static struct kept_loaders *list_of(struct daemon *d)
{
	if (!d->kept && (d->kept = malloc(sizeof *d->kept)))
		TAILQ_INIT(d->kept);
	return d->kept;
}

void kept_put(struct job *job)
{
	static const struct child_hooks hooks = { .message = child_ignore, .gone = on_gone };
	static const struct timeval idle = { KEPT_SECONDS, 0 };
	struct daemon *d = job_daemon(job);
	struct kept_loaders *list = list_of(d);
	struct kept *k = list ? calloc(1, sizeof *k) : NULL;

	if (k)
		k->idle = evtimer_new(d->base, on_idle, k);
	if (!k || !k->idle || d->stopping) {
		if (k && k->idle)
			event_free(k->idle);
		free(k);
		job_kill_loader(job);   /* it has done its work */
		return;
	}
	if (count(list) == KEPT_MAX)
		let_go(TAILQ_FIRST(list));
	k->daemon = d;
	k->child = job->child;
	k->uid = job->uid;
	k->apex_size = job->apex_size;
	memcpy(k->apex, job->apex, job->apex_size);
	TAILQ_INSERT_TAIL(list, k, link);
	evtimer_add(k->idle, &idle);
	child_set_hooks(job->child, &hooks, k);
	job->child = NULL;
}

struct child *kept_take(const struct job *job)
{
	struct kept_loaders *list = job_daemon(job)->kept;
	struct kept *k;

	if (!list || !job->kind->stays)
		return NULL;
	TAILQ_FOREACH(k, list, link)
		if (!child_closed(k->child) && k->uid == job->uid && k->apex_size == job->apex_size &&
		    memcmp(k->apex, job->apex, job->apex_size) == 0) {
			struct child *c = k->child;

			forget(k);
			return c;
		}
	return NULL;
}

void jobs_let_loaders_go(struct daemon *d)
{
	while (d->kept && !TAILQ_EMPTY(d->kept))
		let_go(TAILQ_FIRST(d->kept));
}

void kept_free(struct daemon *d)
{
	while (d->kept && !TAILQ_EMPTY(d->kept))
		forget(TAILQ_FIRST(d->kept));
	free(d->kept);
	d->kept = NULL;
}
