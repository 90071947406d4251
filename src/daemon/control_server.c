/*
 * The control socket's listening end: many clients, none of which can hold
 * anything up. A client's life: lines come in (bounded), one request at a time
 * is handled, replies are queued (bounded by pausing their source) and written
 * as the client reads. Once a second all are looked over: half a line, or
 * nothing read, for 30 s, and the client is closed.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/lines.h"
#include "control/rows.h"
#include "daemon/handlers_jobs.h"
#include "daemon/peer_rights.h"
#include "daemon/request.h"

#define PEERS_MAX 256
#define PATIENCE_US (30 * 1000000LL)
#define LOOK_OVER_MS 500

struct peer {
	TAILQ_ENTRY(peer) link;
	struct control_server *server;
	struct lines lines;
	struct event *readable, *writable, *resume;
	struct who who;
	int right;
	struct request *current;
	bool asked;                     /* for files, by the request before: an answer may come late */
	char *waiting;                  /* a request that came while `current` takes files */
	size_t waiting_size;
	int64_t partial_since_us;       /* half a line is here since; 0: none */
	int64_t stuck_since_us;         /* nothing was read of what is queued since; 0: not so */
	int64_t idle_since_us;
	bool closing;                   /* as soon as all is written */
	bool dead;                      /* freed at the loop's next turn */
};
TAILQ_HEAD(peer_list, peer);

struct control_server {
	struct daemon *daemon;
	int fd;
	struct event *acceptable, *look_over, *bury;
	struct peer_list peers, dead;
	unsigned count;
};

static void peer_process(struct peer *);

/* ---- the end of a peer ----------------------------------------------------- */

/* Not freed at once: a handler up the stack may still look at it. */
static void peer_kill(struct peer *p)
{
	struct request *r = p->current;

	if (p->dead)
		return;
	p->dead = true;
	TAILQ_REMOVE(&p->server->peers, p, link);
	TAILQ_INSERT_TAIL(&p->server->dead, p, link);
	p->server->count--;
	event_del(p->readable);
	event_del(p->writable);
	event_del(p->resume);
	event_active(p->server->bury, EV_TIMEOUT, 0);
	if (r) {
		p->current = NULL;
		r->peer = NULL;
		if (r->gone)
			r->gone(r->arg);
	}
}

static void peer_free(struct peer *p)
{
	int fd = p->lines.fd;

	event_free(p->readable);
	event_free(p->writable);
	event_free(p->resume);
	lines_clear(&p->lines);
	close(fd);
	free(p->waiting);
	free(p);
}

static void bury_dead(evutil_socket_t fd, short what, void *arg)
{
	struct control_server *s = arg;
	struct peer *p;

	while ((p = TAILQ_FIRST(&s->dead))) {
		TAILQ_REMOVE(&s->dead, p, link);
		peer_free(p);
	}
}

/* ---- writing ------------------------------------------------------------------ */

static void peer_flush(struct peer *p)
{
	size_t before = lines_queued(&p->lines), after;

	if (p->dead)
		return;
	if (lines_flush(&p->lines) < 0) {
		peer_kill(p);
		return;
	}
	after = lines_queued(&p->lines);
	if (after == 0) {
		p->stuck_since_us = 0;
		event_del(p->writable);
		if (p->closing && !p->current)
			peer_kill(p);
	} else {
		if (after < before || !p->stuck_since_us)
			p->stuck_since_us = clock_boot_us();
		event_add(p->writable, NULL);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	size_t before = lines_queued(&p->lines);

	peer_flush(p);
	if (!p->dead && p->current && p->current->drained && before >= REQUEST_QUEUE_LOW &&
	    lines_queued(&p->lines) < REQUEST_QUEUE_LOW)
		p->current->drained(p->current->arg);
}

static void peer_put(struct peer *p, json_t *line)
{
	char *text = line ? rows_to_line(line) : NULL;

	if (!text || lines_put(&p->lines, text, strlen(text)) < 0) {
		log_error("control: no memory for a reply: a client is closed");
		free(text);
		peer_kill(p);
		return;
	}
	free(text);
	peer_flush(p);
}

/* ---- requests -------------------------------------------------------------------- */

void request_progress(struct request *r, json_t *progress)
{
	json_t *line = json_pack("{s:o}", "progress", progress);

	if (r->peer)
		peer_put(r->peer, line);
	json_decref(line);
}

size_t request_queued(const struct request *r)
{
	return r->peer ? lines_queued(&r->peer->lines) : 0;
}

static void request_free(struct request *r)
{
	if (r->fd >= 0)
		close(r->fd);
	json_decref(r->json);
	free(r);
}

void request_reply(struct request *r, json_t *reply)
{
	struct peer *p = r->peer;

	if (reply && !json_object_get(reply, "ok"))
		json_object_set_new(reply, "ok", json_true());
	if (p) {
		p->current = NULL;
		p->asked = r->file != NULL;
		p->idle_since_us = clock_boot_us();
		peer_put(p, reply);
		if (!p->dead)
			event_active(p->resume, EV_TIMEOUT, 0);
	}
	json_decref(reply);
	request_free(r);
}

void request_fail(struct request *r, const struct err *err)
{
	char by[128];

	if (err_is(err, ERR_DENIED))
		log_warning("%s by %s: denied", r->command->name, request_by(r, by));
	request_reply(r, control_error(err));
}

int request_need_right(const struct request *r, enum control_right need, struct err *err)
{
	if (r->right >= (int)need)
		return 0;
	return peer_denied(&r->who, r->daemon->conf, need, err);
}

const char *request_by(const struct request *r, char buf[128])
{
	const struct who *w = &r->who;

	if (w->login_uid != (uint32_t)-1 && w->login_uid != w->uid)
		snprintf(buf, 128, "%s (pid %d, login uid %u)", w->name, w->pid, w->login_uid);
	else
		snprintf(buf, 128, "%s (pid %d)", w->name, w->pid);
	return buf;
}

static void peer_refuse(struct peer *p, const struct err *err)
{
	json_t *reply = control_error(err);

	peer_put(p, reply);
	json_decref(reply);
}

static void peer_begin_request(struct peer *p, json_t *json, const struct control_command *command, int fd)
{
	struct err err = ERR_INIT;
	struct request *r = calloc(1, sizeof *r);

	if (!r) {
		json_decref(json);
		if (fd >= 0)
			close(fd);
		peer_kill(p);
		return;
	}
	*r = (struct request){ .daemon = p->server->daemon, .peer = p, .json = json, .command = command, .fd = fd,
		.who = p->who, .right = p->right };
	p->current = r;
	if (request_need_right(r, command->right, &err) < 0)
		request_fail(r, &err);
	else if (command->fd_required && fd < 0) {
		err_set(&err, ERR_BAD_REQUEST, "%s needs a descriptor with the request (SCM_RIGHTS)", command->name);
		request_fail(r, &err);
	} else
		handle_request(r);
}

/* The answer to a question whose request has failed meanwhile: the client had
 * not heard of it, and waits for no reply. */
static bool peer_late_answer(struct peer *p, const char *line, size_t size)
{
	json_t *json = p->asked ? json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL) : NULL;
	bool late = !json_object_get(json, "command") && (json_object_get(json, "file") || json_object_get(json, "end"));
	int fd = late && !json_object_get(json, "error") && !json_object_get(json, "end") ? lines_take_fd(&p->lines) : -1;

	json_decref(json);
	if (fd >= 0)
		close(fd);
	return late;
}

static void peer_request_line(struct peer *p, const char *line, size_t size)
{
	const struct control_command *command;
	struct err err = ERR_INIT;
	json_t *json;

	if (control_request_parse(line, size, &json, &command, &err) < 0) {
		if (!peer_late_answer(p, line, size))
			peer_refuse(p, &err);
	} else
		peer_begin_request(p, json, command, command->fd ? lines_take_fd(&p->lines) : -1);
}

/* While a request takes files, "file" and "end" lines are its own; another
 * request waits its turn. */
static void peer_file_line(struct peer *p, const char *line, size_t size)
{
	json_t *json = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);
	struct request *r = p->current;

	if (json_is_object(json) && (json_object_get(json, "file") || json_object_get(json, "end"))) {
		/* without a descriptor, it must not take that of the next line */
		bool has_fd = json_object_get(json, "file") && !json_object_get(json, "error");

		r->file(r->arg, json, has_fd ? lines_take_fd(&p->lines) : -1);
	} else {
		p->waiting = malloc(size + 1);
		if (p->waiting) {
			memcpy(p->waiting, line, size);
			p->waiting_size = size;
		}
	}
	json_decref(json);
}

static void peer_too_long(struct peer *p)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_LIMIT, "the line is longer than %u octets: send a file as a descriptor", CONTROL_LINE_MAX);
	p->closing = true;
	event_del(p->readable);
	peer_refuse(p, &err);
}

static bool peer_takes_line(const struct peer *p)
{
	return !p->dead && !p->closing && (!p->current || (p->current->file && !p->waiting));
}

static void peer_at_end(struct peer *p)
{
	struct err err = ERR_INIT;

	if (p->current || p->dead || p->waiting)
		return;
	p->closing = true;
	if (lines_partial(&p->lines)) {
		err_set(&err, ERR_BAD_REQUEST, "the request ends in mid-line: a newline is missing");
		peer_refuse(p, &err);
	} else
		peer_flush(p);
}

/* All that can be done now with what has come. */
static void peer_process(struct peer *p)
{
	while (peer_takes_line(p)) {
		char *line;
		size_t size;
		int n;

		if (!p->current && p->waiting) {
			char *waiting = p->waiting;

			p->waiting = NULL;
			peer_request_line(p, waiting, p->waiting_size);
			free(waiting);
			continue;
		}
		n = lines_next(&p->lines, &line, &size);
		if (n < 0) {
			peer_too_long(p);
			return;
		}
		if (n == 0)
			break;
		if (p->current)
			peer_file_line(p, line, size);
		else
			peer_request_line(p, line, size);
	}
	if (p->dead || p->closing)
		return;
	if (lines_partial(&p->lines) == 0 || p->current)
		p->partial_since_us = 0;
	else if (!p->partial_since_us)
		p->partial_since_us = clock_boot_us();
	if (p->lines.at_end) {
		event_del(p->readable);
		peer_at_end(p);
	} else if (lines_partial(&p->lines) > CONTROL_LINE_MAX)
		event_del(p->readable);         /* until the current request is done */
	else
		event_add(p->readable, NULL);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	peer_process(arg);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct err err = ERR_INIT;
	struct peer *p = arg;

	if (lines_fill(&p->lines, &err) < 0) {
		log_info("control: %s (pid %d): %s", p->who.name, p->who.pid, err.message);
		peer_kill(p);
		return;
	}
	peer_process(p);
}

/* ---- peers come -------------------------------------------------------------------- */

/* At the limit the one that has been idle longest goes. */
static void make_room(struct control_server *s)
{
	struct peer *p, *oldest = NULL;

	if (s->count < PEERS_MAX)
		return;
	TAILQ_FOREACH(p, &s->peers, link)
		if (!p->current && (!oldest || p->idle_since_us < oldest->idle_since_us))
			oldest = p;
	if (oldest)
		peer_kill(oldest);
}

static struct peer *peer_new(struct control_server *s, int fd)
{
	struct event_base *base = s->daemon->base;
	struct peer *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->server = s;
	lines_init(&p->lines, fd, CONTROL_LINE_MAX);
	p->idle_since_us = clock_boot_us();
	p->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, p);
	p->resume = event_new(base, -1, 0, on_resume, p);
	if (p->readable && p->writable && p->resume)
		return p;
	if (p->readable)
		event_free(p->readable);
	if (p->writable)
		event_free(p->writable);
	if (p->resume)
		event_free(p->resume);
	free(p);
	return NULL;
}

static void peer_accept(struct control_server *s, int fd)
{
	struct err err = ERR_INIT;
	struct peer *p;
	struct who who;

	if (peer_identify(fd, &who, &err) < 0) {
		log_warning("control: a client is refused: %s", err.message);
		close(fd);
		return;
	}
	make_room(s);
	p = s->count < PEERS_MAX ? peer_new(s, fd) : NULL;
	if (!p) {
		log_warning("control: %s (pid %d) is refused: %u clients are at work", who.name, who.pid, s->count);
		close(fd);
		return;
	}
	p->who = who;
	p->right = peer_right(fd, &who, s->daemon->conf);
	TAILQ_INSERT_TAIL(&s->peers, p, link);
	s->count++;
	event_add(p->readable, NULL);
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
	struct control_server *s = arg;

	for (int i = 0; i < 32; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE) {
				make_room(s);
				log_warning("control: out of descriptors, a client waits");
			}
			return;
		}
		peer_accept(s, fd);
	}
}

/* A client whose request runs is not read from to the end: a full close shows
 * only here (a half-closed one still waits for its reply). */
static bool peer_hung_up(const struct peer *p)
{
	struct pollfd poll_fd = { .fd = p->lines.fd, .events = 0 };

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR));
}

static void look_over(evutil_socket_t fd, short what, void *arg)
{
	struct control_server *s = arg;
	int64_t now = clock_boot_us();
	struct peer *p, *next;

	for (p = TAILQ_FIRST(&s->peers); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (peer_hung_up(p)) {
			peer_kill(p);
		} else if (p->stuck_since_us && now - p->stuck_since_us > PATIENCE_US) {
			log_notice("control: %s (pid %d) reads nothing for 30 s: closed", p->who.name, p->who.pid);
			peer_kill(p);
		} else if (p->partial_since_us && now - p->partial_since_us > PATIENCE_US && !p->closing) {
			struct err err = ERR_INIT;

			err_set(&err, ERR_TIMEOUT, "half a line for 30 s: the newline is missing");
			log_notice("control: %s (pid %d) sent half a line: closed", p->who.name, p->who.pid);
			p->closing = true;
			event_del(p->readable);
			peer_refuse(p, &err);
		}
	}
}

int control_server_start(struct daemon *d, int listen_fd, struct err *err)
{
	static const struct timeval often = { .tv_usec = LOOK_OVER_MS * 1000 };
	struct control_server *s = calloc(1, sizeof *s);

	if (!s)
		return err_set(err, ERR_NOMEM, "no memory");
	s->daemon = d;
	s->fd = listen_fd;
	TAILQ_INIT(&s->peers);
	TAILQ_INIT(&s->dead);
	s->acceptable = event_new(d->base, listen_fd, EV_READ | EV_PERSIST, on_acceptable, s);
	s->look_over = event_new(d->base, -1, EV_PERSIST, look_over, s);
	s->bury = event_new(d->base, -1, 0, bury_dead, s);
	d->control = s;
	d->want_fold = jobs_want_fold;
	if (!s->acceptable || !s->look_over || !s->bury || event_add(s->acceptable, NULL) < 0 || event_add(s->look_over, &often) < 0) {
		control_server_stop(d);
		return err_set(err, ERR_NOMEM, "no memory");
	}
	return 0;
}

void control_server_stop(struct daemon *d)
{
	struct control_server *s = d->control;
	struct peer *p;

	if (!s)
		return;
	d->control = NULL;
	while ((p = TAILQ_FIRST(&s->peers))) {
		peer_flush(p);
		peer_kill(p);
	}
	bury_dead(-1, 0, s);
	if (s->acceptable)
		event_free(s->acceptable);
	if (s->look_over)
		event_free(s->look_over);
	if (s->bury)
		event_free(s->bury);
	free(s);
}
