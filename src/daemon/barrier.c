/*
 * The barrier: every worker, by name, has begun a snapshot at or after a
 * transaction.
 *
 * It is what "the command has succeeded" means: a worker that confirmed
 * answers from T or later whatever it reads from now on. A worker that does
 * not confirm is told of after a second, killed after the switch timeout,
 * and counts as passed only when the kernel has it reaped: a process that
 * still is may still send.
 */
#include <signal.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "daemon/children.h"

#define SILENT_SECONDS 1
#define REAP_SECONDS   2        /* after SIGKILL */

struct barrier {
	struct barrier *next;
	struct daemon *daemon;
	uint64_t number;        /* the messages' id */
	uint64_t transaction;
	void (*passed)(void *arg, bool ok);
	void (*silent)(void *arg, const char *worker_name);
	void *arg;
	struct event *timer;
	enum { WAIT_QUIETLY, WAIT_TOLD, WAIT_KILLED } stage;
	unsigned missing;
	unsigned count;
	struct child *worker[]; /* who has not confirmed; NULL: has */
};

bool barrier_pending(const struct daemon *d)
{
	return d->barriers != NULL;
}

static void barrier_end(struct barrier *b, bool ok)
{
	struct barrier **p = &b->daemon->barriers;

	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
	event_free(b->timer);
	b->passed(b->arg, ok);
	free(b);
}

static void arm(struct barrier *b, unsigned seconds)
{
	struct timeval t = { .tv_sec = (time_t)seconds };

	evtimer_add(b->timer, &t);
}

static void tell_silent(struct barrier *b)
{
	for (unsigned i = 0; i < b->count; i++)
		if (b->worker[i]) {
			log_at(b->transaction ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "%s (pid %d) has not answered main for %u s",
				child_name(b->worker[i]), (int)child_pid(b->worker[i]), SILENT_SECONDS);
			if (b->silent)
				b->silent(b->arg, child_name(b->worker[i]));
		}
}

static void kill_silent(struct barrier *b)
{
	for (unsigned i = 0; i < b->count; i++)
		if (b->worker[i]) {
			log_error("%s (pid %d) has been silent for %u s: killed, another takes its place",
				child_name(b->worker[i]), (int)child_pid(b->worker[i]), b->daemon->conf->switch_timeout);
			child_kill(b->worker[i], SIGKILL);
		}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct barrier *b = arg;
	unsigned limit = b->daemon->conf->switch_timeout;

	switch (b->stage) {
	case WAIT_QUIETLY:
		b->stage = WAIT_TOLD;
		arm(b, limit > SILENT_SECONDS ? limit - SILENT_SECONDS : 0);
		tell_silent(b);
		break;
	case WAIT_TOLD:
		b->stage = WAIT_KILLED;
		arm(b, REAP_SECONDS);
		kill_silent(b);
		break;
	case WAIT_KILLED:
		log_error("a killed worker does not end: whether it still answers is not known");
		barrier_end(b, false);
		break;
	}
}

/* Passed at once; but not from within barrier_begin: its caller is not done. */
static void pass_soon(struct barrier *b)
{
	struct timeval now = { 0, 0 };

	evtimer_add(b->timer, &now);
}

static void on_first_timer(evutil_socket_t fd, short what, void *arg)
{
	struct barrier *b = arg;

	if (!b->missing)
		barrier_end(b, true);
	else
		on_timer(fd, what, arg);
}

void barrier_begin(struct daemon *d, uint64_t id, void (*passed)(void *arg, bool ok),
	void (*silent)(void *arg, const char *worker_name), void *arg)
{
	static uint64_t last_number;
	struct barrier *b = calloc(1, sizeof *b + d->worker_count * sizeof(struct child *));
	uint8_t payload[8];

	if (!b || !(b->timer = evtimer_new(d->base, on_first_timer, b))) {
		log_error("out of memory: cannot ask the workers to confirm transaction %llu", (unsigned long long)id);
		free(b);
		passed(arg, false);
		return;
	}
	b->daemon = d;
	b->number = ++last_number;
	b->transaction = id;
	b->passed = passed;
	b->silent = silent;
	b->arg = arg;
	b->count = d->worker_count;
	store_le64(payload, id);
	for (unsigned i = 0; i < d->worker_count; i++) {
		struct child *c = d->worker[i];

		/* none, or not set up: whoever comes begins after now */
		if (!c || !worker_has_setup(d, i))
			continue;
		/* one that cannot be told is about to be reaped: awaited too */
		child_send(c, MSG_BARRIER, b->number, payload, sizeof payload, NULL, 0);
		b->worker[i] = c;
		b->missing++;
	}
	b->next = d->barriers;
	d->barriers = b;
	if (b->missing)
		arm(b, SILENT_SECONDS);
	else
		pass_soon(b);
}

static void confirmed(struct barrier *b, struct child *c)
{
	for (unsigned i = 0; i < b->count; i++)
		if (b->worker[i] == c) {
			b->worker[i] = NULL;
			b->missing--;
		}
}

void barrier_begun(struct daemon *d, struct child *c, uint64_t message_id, uint64_t snapshot)
{
	struct barrier *b = d->barriers;

	while (b && b->number != message_id)
		b = b->next;
	if (!b)
		return;
	if (snapshot < b->transaction) {
		log_error("%s confirms snapshot %llu where %llu was asked for: killed", child_name(c),
			(unsigned long long)snapshot, (unsigned long long)b->transaction);
		child_kill(c, SIGKILL);
		return;
	}
	confirmed(b, c);
	if (!b->missing)
		barrier_end(b, true);
}

void barrier_child_gone(struct daemon *d, struct child *c)
{
	struct barrier *b = d->barriers;

	while (b) {
		unsigned before = b->missing;

		confirmed(b, c);
		if (before && !b->missing) {
			barrier_end(b, true);
			b = d->barriers;        /* the callback may have changed the list */
			continue;
		}
		b = b->next;
	}
}
