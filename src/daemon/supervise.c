/*
 * The writer and the workers: started, awaited, started anew when they die.
 *
 * Workers are executed at once and get their setup when the writer has the
 * store open: it makes the store where there is none. A child that dies is
 * replaced at once; one that keeps dying, after growing pauses.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/children.h"
#include "daemon/cookie_secrets.h"
#include "daemon/listen.h"
#include "daemon/notify.h"

#define STARTS_FREE       3             /* deaths within CALM_US that cost no pause */
#define CALM_US           INT64_C(10000000)
#define PAUSE_FIRST_MS    100
#define PAUSE_MAX_MS      5000
#define STARTS_IN_VAIN    5             /* before the first was ready: give up */
#define HEARTBEAT_SECONDS 2
#define STALE_SECONDS     60
#define STOP_SECONDS      5
#define TRUST_US          INT64_C(60000000)     /* a writer that has gone well for so long read a sound store */

/* A place that a child holds, and its successors. */
struct place {
	struct daemon *daemon;
	enum role role;
	unsigned number;                /* from 1; the writer: 0 */
	struct child *child;
	bool has_setup, ready;
	unsigned deaths;                /* in a row, without CALM_US between them */
	int64_t last_death_us;
	struct event *restart;
};

struct supervisor {
	int control_fd;
	struct place writer, *workers;
	bool store_known, served;       /* the writer, all workers were ready once */
	bool suspected;                 /* the writer died as of a damaged store */
	char ended[CHILD_END_TEXT];     /* … how */
	int64_t writer_ready_us;
	struct event *heartbeat, *stale, *stop_limit, *stop_soon;
};

static void place_start(struct place *);

/* ---- main and the store ------------------------------------------------------------------ */

int daemon_snapshot(struct daemon *d, struct err *err)
{
	struct supervisor *s = d->supervisor;

	if (s->suspected && s->writer.ready && clock_boot_us() - s->writer_ready_us > TRUST_US)
		daemon_trust_store(d);
	if (s->suspected)
		return err_set(err, ERR_CORRUPT, "the store is not read for now, nothing was changed: the writer was ended %s. Where fsck "
			"finds nothing, the store is read again", s->ended);
	return snapshot_begin(d->reader, err);
}

void daemon_trust_store(struct daemon *d)
{
	if (d->supervisor->suspected)
		log_notice("the store is read again");
	d->supervisor->suspected = false;
}

/* LMDB would kill main as it has killed the writer, and with main everything. */
static void suspect_store(struct supervisor *s, int status, const char *ended)
{
	if (!child_died_of_store(status))
		return;
	s->suspected = true;
	snprintf(s->ended, sizeof s->ended, "%s", ended);
}

bool worker_has_setup(const struct daemon *d, unsigned place)
{
	return d->supervisor->workers[place].has_setup;
}

/* ---- stopping -------------------------------------------------------------------------- */

void supervise_end_if_empty(struct daemon *d)
{
	if (d->stopping && !d->children)
		event_base_loopbreak(d->base);
}

static void on_stop_limit(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	for (struct child *c = d->children; c; c = child_next(c))
		log_warning("%s (pid %d) did not end within %d s: killed", child_name(c), (int)child_pid(c), STOP_SECONDS);
	children_kill(d, SIGKILL);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval limit = { STOP_SECONDS, 0 };
	struct daemon *d = arg;
	struct supervisor *s = d->supervisor;

	if (d->control)
		control_server_stop(d);
	for (unsigned i = 0; i < d->worker_count; i++)
		event_del(s->workers[i].restart);
	event_del(s->writer.restart);
	for (struct child *c = d->children; c; c = child_next(c)) {
		/* a loader's work is lost with its request: nothing to wait for */
		if (child_role(c) == ROLE_LOADER || child_send(c, MSG_STOP, 0, NULL, 0, NULL, 0) < 0)
			child_kill(c, SIGKILL);
	}
	evtimer_add(s->stop_limit, &limit);
	supervise_end_if_empty(d);
}

void daemon_stop(struct daemon *d)
{
	static const struct timeval soon = { 0, 20000 };

	if (d->stopping)
		return;
	d->stopping = true;
	log_notice("stopping");
	notify_stopping();
	/* not at once: the caller may have a reply to send */
	evtimer_add(d->supervisor->stop_soon, &soon);
}

void daemon_end(struct daemon *d, int status)
{
	d->exit_status = status;
	daemon_stop(d);
}

/* ---- children come and go ----------------------------------------------------------------- */

static unsigned ready_workers(const struct daemon *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->worker_count; i++)
		n += d->supervisor->workers[i].ready;
	return n;
}

static void say_if_served(struct daemon *d)
{
	struct supervisor *s = d->supervisor;
	unsigned ready = ready_workers(d);

	if (ready < d->worker_count || !d->reader) {
		if (s->served)
			notify_status("%u of %u workers answer", ready, d->worker_count);
		return;
	}
	if (!s->served) {
		s->served = true;
		log_notice("ready: %u worker%s, %.0f ms after the start", d->worker_count, d->worker_count == 1 ? "" : "s",
			(double)(clock_boot_us() - d->started_us) / 1000);
		notify_ready();
	}
	notify_status("%u worker%s answer%s", d->worker_count, d->worker_count == 1 ? "" : "s", d->worker_count == 1 ? "s" : "");
}

static int setup_worker(struct place *p, struct err *err)
{
	const int *fds;
	unsigned count;

	if (!p->child || p->has_setup)
		return 0;
	fds = listeners_of(p->daemon->listeners, p->number - 1, &count);
	if (child_setup(p->child, NULL, fds, count, err) < 0)
		return -1;
	p->has_setup = true;
	cookie_secrets_send(p->daemon, p->child);
	return 0;
}

/* The store is there: main may read it, workers may start. */
static void writer_ready(struct place *p)
{
	struct daemon *d = p->daemon;
	struct supervisor *s = d->supervisor;
	struct err err = ERR_INIT;

	p->ready = true;
	s->writer_ready_us = clock_boot_us();
	writer_link_up(d, p->child);
	s->store_known = true;
	if (!d->reader && store_reader_open(&d->reader, d->conf->database, &err) < 0) {
		log_error("cannot read the store: %s", err.message);
		daemon_end(d, 1);
		return;
	}
	if (!d->control && control_server_start(d, s->control_fd, &err) < 0) {
		log_error("cannot serve the control socket: %s", err.message);
		daemon_end(d, 1);
		return;
	}
	for (unsigned i = 0; i < d->worker_count; i++)
		if (setup_worker(&s->workers[i], &err) < 0) {
			log_warning("%s", err.message);
			err_clear(&err);
		}
	say_if_served(d);
}

static void worker_ready(struct place *p)
{
	p->ready = true;
	say_if_served(p->daemon);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
	place_start(arg);
}

/* How long to wait before the next one; 0: not at all. */
static int64_t pause_before_restart(struct place *p)
{
	int64_t now = clock_boot_us(), ms = PAUSE_FIRST_MS;

	p->deaths = now - p->last_death_us > CALM_US ? 1 : p->deaths + 1;
	p->last_death_us = now;
	if (p->deaths <= STARTS_FREE)
		return 0;
	for (unsigned i = STARTS_FREE + 1; i < p->deaths && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	return ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

static void replace(struct place *p)
{
	struct daemon *d = p->daemon;
	int64_t ms = pause_before_restart(p);
	struct timeval t = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (!d->supervisor->served && p->deaths >= STARTS_IN_VAIN) {
		log_error("%s cannot be started: giving up", role_name[p->role]);
		daemon_end(d, 1);
		return;
	}
	if (p->role == ROLE_WORKER)
		d->worker_restarts[p->number - 1]++;
	else
		d->writer_restarts++;
	if (!ms) {
		place_start(p);
		return;
	}
	log_warning("%s %u died %u times in a row: the next one starts in %.1f s", role_name[p->role], p->number, p->deaths,
		(double)ms / 1000);
	evtimer_add(p->restart, &t);
}

void supervise_clear_readers(struct daemon *d)
{
	static const char request[] = "{\"command\":\"clear-stale-readers\"}";

	if (d->writer && d->supervisor->writer.ready)
		child_send(d->writer, MSG_REQUEST, 0, request, sizeof request - 1, NULL, 0);
}

static void on_gone(void *arg, struct child *c, int status)
{
	struct place *p = arg;
	struct daemon *d = p->daemon;
	bool was_ready = p->ready;
	char text[CHILD_END_TEXT];

	p->child = NULL;
	p->has_setup = p->ready = false;
	if (p->role == ROLE_WRITER) {
		d->writer = NULL;
		child_end_text(d, p->role, status, text);
		suspect_store(d->supervisor, status, text);
		writer_link_down(d, text);
	} else {
		d->worker[p->number - 1] = NULL;
	}
	if (d->stopping)
		return;
	/* before there is a store nothing was promised to anybody: the writer
	 * has said what is wrong with it, and so it will the next time */
	if (p->role == ROLE_WRITER && !was_ready && !d->supervisor->store_known) {
		daemon_end(d, 1);
		return;
	}
	replace(p);
	say_if_served(d);
}

static void on_message(void *arg, struct child *c, struct message *m)
{
	struct place *p = arg;

	if (m->type == MSG_READY && p->role == ROLE_WRITER)
		writer_ready(p);
	else if (m->type == MSG_READY)
		worker_ready(p);
	else if (p->role == ROLE_WRITER)
		writer_link_message(p->daemon, c, m);
	else if (m->type == MSG_BEGUN && m->size == 8)
		barrier_begun(p->daemon, c, m->id, load_le64(m->payload));
	else if (m->type == MSG_STATS)
		stats_answer(p->daemon, p->number - 1, m);
	else
		log_warning("%s sent a message of type %d, which is not for main", child_name(c), (int)m->type);
}

static void place_start(struct place *p)
{
	static const struct child_hooks hooks = { .message = on_message, .gone = on_gone };
	struct daemon *d = p->daemon;
	struct err err = ERR_INIT;

	if (d->stopping)
		return;
	p->child = child_spawn(d, p->role, p->number, &hooks, p, &err);
	if (!p->child) {
		struct timeval again = { 1, 0 };

		log_error("%s", err.message);
		evtimer_add(p->restart, &again);
		return;
	}
	if (p->role == ROLE_WRITER) {
		d->writer = p->child;
		p->has_setup = child_setup(p->child, NULL, NULL, 0, &err) == 0;
	} else {
		d->worker[p->number - 1] = p->child;
		if (d->supervisor->store_known)
			setup_worker(p, &err);
	}
	if (err.code)
		log_warning("%s", err.message);
}

/* ---- the daemon's own rhythm ------------------------------------------------------------------ */

static void heartbeat_passed(void *arg, bool ok)
{
}

/* A worker that hangs is found without a switch: its share of the queries
 * would wait in its sockets till somebody looks. */
static void on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	notify_again();
	if (!d->stopping && !barrier_pending(d))
		barrier_begin(d, 0, heartbeat_passed, NULL, d);
}

static void on_stale(evutil_socket_t fd, short what, void *arg)
{
	supervise_clear_readers(arg);
}

static bool place_init(struct daemon *d, struct place *p, enum role role, unsigned number)
{
	p->daemon = d;
	p->role = role;
	p->number = number;
	p->restart = evtimer_new(d->base, on_restart, p);
	return p->restart != NULL;
}

int supervise_start(struct daemon *d, int control_fd, struct err *err)
{
	static const struct timeval heartbeat = { HEARTBEAT_SECONDS, 0 }, stale = { STALE_SECONDS, 0 };
	struct supervisor *s = d->supervisor = calloc(1, sizeof *s);
	bool ok;

	if (!s || !(s->workers = calloc(d->worker_count, sizeof *s->workers)))
		return err_set(err, ERR_NOMEM, "out of memory");
	s->control_fd = control_fd;
	ok = (s->heartbeat = event_new(d->base, -1, EV_PERSIST, on_heartbeat, d)) &&
		(s->stale = event_new(d->base, -1, EV_PERSIST, on_stale, d)) &&
		(s->stop_limit = evtimer_new(d->base, on_stop_limit, d)) &&
		(s->stop_soon = evtimer_new(d->base, on_stop, d)) && place_init(d, &s->writer, ROLE_WRITER, 0);
	for (unsigned i = 0; ok && i < d->worker_count; i++)
		ok = place_init(d, &s->workers[i], ROLE_WORKER, i + 1);
	if (!ok)
		return err_set(err, ERR_NOMEM, "out of memory");
	event_add(s->heartbeat, &heartbeat);
	event_add(s->stale, &stale);
	place_start(&s->writer);
	for (unsigned i = 0; i < d->worker_count; i++)
		place_start(&s->workers[i]);
	return 0;
}

void supervise_free(struct daemon *d)
{
	struct supervisor *s = d->supervisor;
	struct event **events[] = { &s->heartbeat, &s->stale, &s->stop_limit, &s->stop_soon, &s->writer.restart };

	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		if (*events[i])
			event_free(*events[i]);
	for (unsigned i = 0; s->workers && i < d->worker_count; i++)
		if (s->workers[i].restart)
			event_free(s->workers[i].restart);
	free(s->workers);
	free(s);
	d->supervisor = NULL;
}
