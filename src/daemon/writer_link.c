/*
 * Main's end of the writer: requests go out in order, replies come back by
 * id, and a reply that says "done" is held until the barrier has passed.
 *
 * While no writer is there requests wait for one, for some seconds. What had
 * been sent to a writer that died is answered with `timeout`: it may be
 * committed or not, and only the history knows.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcntl.h>

#include "base/bytes.h"
#include "base/log.h"
#include "control/commands.h"
#include "control/rows.h"
#include "daemon/children.h"

#define PATIENCE_SECONDS 5      /* for a writer to send a request to */

enum stage {
	REQUEST_QUEUED,         /* there is no writer */
	REQUEST_SENT,           /* the writer has it */
	REQUEST_BARRIER,        /* committed; the workers are asked */
};

struct writer_request {
	struct writer_request *next;
	struct daemon *daemon;
	uint64_t id;
	enum stage stage;
	json_t *request;        /* until it is sent */
	int fds[MESSAGE_FDS];
	unsigned fd_count;
	struct event *patience;
	json_t *result;         /* the reply, while the barrier is awaited */
	void (*progress)(void *arg, json_t *);
	void (*reply)(void *arg, json_t *);
	void *arg;
};

struct writer_link {
	struct child *writer;   /* NULL: none is ready */
	struct writer_request *first;
	uint64_t last_id;
	/* A writer died with requests under way: what it committed has had no
	 * barrier, and a repeated command would hear "already". */
	bool barrier_owed;
	char ended[CHILD_END_TEXT];     /* how the last one did; "": none has yet */
};

struct wanted_barrier {
	struct daemon *daemon;
	uint64_t id;
	uint64_t transaction;
};

static struct writer_link *link_of(struct daemon *d)
{
	if (!d->writer_link && !(d->writer_link = calloc(1, sizeof *d->writer_link))) {
		log_error("out of memory");
		abort();
	}
	return d->writer_link;
}

/* ---- one request ------------------------------------------------------------------ */

static void close_fds(struct writer_request *r)
{
	for (unsigned i = 0; i < r->fd_count; i++)
		close(r->fds[i]);
	r->fd_count = 0;
}

static void request_end(struct writer_request *r, json_t *result)
{
	struct writer_request **p = &r->daemon->writer_link->first;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	if (r->reply)
		r->reply(r->arg, result);
	close_fds(r);
	if (r->patience)
		event_free(r->patience);
	json_decref(r->request);
	json_decref(r->result);
	free(r);
}

__attribute__((format(printf, 3, 4)))
static void request_fail(struct writer_request *r, const char *code, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	json_t *result;
	va_list ap;

	err.code = code;
	va_start(ap, fmt);
	vsnprintf(err.message, sizeof err.message, fmt, ap);
	va_end(ap);
	result = control_error(&err);
	request_end(r, result);
	json_decref(result);
}

static void on_impatient(evutil_socket_t fd, short what, void *arg)
{
	const struct writer_request *r = arg;
	const char *ended = r->daemon->writer_link->ended;

	request_fail(arg, ERR_UNAVAILABLE, "the writer is not running and could not be started: nothing was changed; %s%s",
		*ended ? "the last one ended " : "the log says why", ended);
}

static void request_send(struct writer_request *r)
{
	struct writer_link *l = r->daemon->writer_link;

	if (child_send_json(l->writer, MSG_REQUEST, r->id, r->request, r->fds, r->fd_count) < 0)
		return;         /* it is dying: the next one gets it */
	r->stage = REQUEST_SENT;
	if (r->patience)
		event_del(r->patience);
	close_fds(r);
	json_decref(r->request);
	r->request = NULL;
}

static bool request_keep_fds(struct writer_request *r, const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		r->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (r->fds[i] < 0)
			return false;
		r->fd_count++;
	}
	return true;
}

void writer_request(struct daemon *d, json_t *request, const int *fds, unsigned fd_count,
	void (*progress)(void *arg, json_t *), void (*reply)(void *arg, json_t *), void *arg)
{
	static const struct timeval patience = { PATIENCE_SECONDS, 0 };
	struct writer_link *l = link_of(d);
	struct writer_request *r = calloc(1, sizeof *r), **p = &l->first;

	if (!r) {
		log_error("out of memory");
		abort();
	}
	r->daemon = d;
	r->id = ++l->last_id;
	r->request = json_incref(request);
	r->progress = progress;
	r->reply = reply;
	r->arg = arg;
	while (*p)
		p = &(*p)->next;
	*p = r;
	if (fd_count > MESSAGE_FDS || !request_keep_fds(r, fds, fd_count) ||
	    !(r->patience = evtimer_new(d->base, on_impatient, r))) {
		request_fail(r, ERR_SYSTEM, "no descriptors or no memory left for the request: nothing was changed");
		return;
	}
	evtimer_add(r->patience, &patience);
	if (l->writer)
		request_send(r);
}

/* ---- the writer comes and goes ------------------------------------------------------- */

void writer_link_up(struct daemon *d, struct child *writer)
{
	struct writer_link *l = link_of(d);

	l->writer = writer;
	for (struct writer_request *r = l->first; r; r = r->next)
		if (r->stage == REQUEST_QUEUED)
			request_send(r);
}

void writer_link_down(struct daemon *d, const char *ended)
{
	struct writer_link *l = link_of(d);
	struct writer_request *r = l->first;

	l->writer = NULL;
	snprintf(l->ended, sizeof l->ended, "%s", ended);
	while (r) {
		struct writer_request *next = r->next;

		if (r->stage == REQUEST_SENT) {
			l->barrier_owed = true;
			request_fail(r, ERR_TIMEOUT, "the writer ended before it answered: whether the change was made is not known; "
				"`schwenk history` and `schwenk status` tell, and the command can be repeated. It ended %s", ended);
			next = l->first;        /* the callback may have changed the list */
		}
		r = next;
	}
}

void writer_link_free(struct daemon *d)
{
	if (!d->writer_link)
		return;
	while (d->writer_link->first) {
		struct writer_request *r = d->writer_link->first;

		r->reply = NULL;
		request_end(r, NULL);
	}
	free(d->writer_link);
	d->writer_link = NULL;
}

/* ---- replies and the barrier ---------------------------------------------------------- */

static void on_passed(void *arg, bool ok)
{
	struct writer_request *r = arg;

	if (ok)
		request_end(r, r->result);
	else
		request_fail(r, ERR_TIMEOUT, "the change is committed, but a worker that does not confirm it could not be ended: "
			"some clients may still get what was before; the log names the worker");
}

static void on_silent(void *arg, const char *worker_name)
{
	struct writer_request *r = arg;
	json_t *o;

	if (!r->progress)
		return;
	o = json_pack("{s:s+}", "text", "waiting for ", worker_name);
	r->progress(r->arg, o);
	json_decref(o);
}

/* Is it certain without asking that every worker answers by this reply? */
static bool needs_barrier(struct daemon *d, const json_t *result)
{
	if (!json_is_true(json_object_get(result, "ok")))
		return false;
	/* "already" too must hold for every client: the commit that it speaks
	 * of may be another's whose barrier is still under way */
	return json_is_true(json_object_get(result, "changed")) || d->writer_link->barrier_owed || barrier_pending(d);
}

static void request_reply(struct daemon *d, struct writer_request *r, json_t *result)
{
	uint64_t committed;

	if (!needs_barrier(d, result)) {
		request_end(r, result);
		return;
	}
	committed = (uint64_t)json_integer_value(json_object_get(result, "committed"));
	d->writer_link->barrier_owed = false;
	r->result = json_incref(result);
	r->stage = REQUEST_BARRIER;
	barrier_begin(d, committed, on_passed, on_silent, r);
}

static void on_wanted_passed(void *arg, bool ok)
{
	struct wanted_barrier *w = arg;
	uint8_t payload[8];

	/* not passed: the writer keeps what old snapshots may still look at
	 * until its next start */
	store_le64(payload, w->transaction);
	if (ok && w->daemon->writer_link->writer)
		child_send(w->daemon->writer_link->writer, MSG_BARRIER_PASSED, w->id, payload, sizeof payload, NULL, 0);
	free(w);
}

static void want_barrier(struct daemon *d, const struct message *m)
{
	struct wanted_barrier *w = m->size == 8 ? calloc(1, sizeof *w) : NULL;

	if (!w)
		return;
	w->daemon = d;
	w->id = m->id;
	w->transaction = load_le64(m->payload);
	barrier_begin(d, w->transaction, on_wanted_passed, NULL, w);
}

static void want_fold(struct daemon *d, const struct message *m)
{
	json_t *o = json_loadb((char *)m->payload, m->size, 0, NULL);

	if (o && d->want_fold)
		d->want_fold(d, o);
	json_decref(o);
}

static void answer(struct daemon *d, struct message *m)
{
	struct writer_request *r = d->writer_link->first;
	json_t *o;

	while (r && (r->id != m->id || r->stage != REQUEST_SENT))
		r = r->next;
	if (!r)
		return;
	o = rows_from_message((char *)m->payload, m->size);
	if (m->type == MSG_PROGRESS && o && r->progress)
		r->progress(r->arg, o);
	else if (m->type == MSG_REPLY && o)
		request_reply(d, r, o);
	else if (m->type == MSG_REPLY)
		request_fail(r, ERR_INTERNAL, "the writer's reply could not be read: `schwenk history` tells what was done");
	json_decref(o);
}

void writer_link_message(struct daemon *d, struct child *writer, struct message *m)
{
	link_of(d);
	switch (m->type) {
	case MSG_PROGRESS:
	case MSG_REPLY:
		answer(d, m);
		break;
	case MSG_WANT_BARRIER:
		want_barrier(d, m);
		break;
	case MSG_WANT_FOLD:
		want_fold(d, m);
		break;
	default:
		log_warning("the writer sent a message of type %d, which is not for main", (int)m->type);
	}
}
