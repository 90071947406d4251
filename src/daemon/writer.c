/*
 * The writer: the only process that writes the store. Two queues: "now"
 * (switches, edits, properties: one transaction each) is emptied before each
 * slice of "bulk" (copying images in, deleting), so that nothing keeps a
 * switch waiting for longer than a slice.
 */
#include "daemon/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/turn.h"
#include "control/commands.h"
#include "control/rows.h"
#include "daemon/privileges.h"
#include "daemon/rows_json.h"

/* ---- replies ------------------------------------------------------------------ */

static void send_json(struct writer *w, enum message_type type, uint64_t id, json_t *json)
{
	size_t size;
	char *text = json ? rows_to_message(json, &size) : NULL;

	if (!text) {
		log_error("no memory for a reply");
		w->failed = true;       /* main tells the client that the outcome is unknown */
		event_base_loopbreak(w->base);
	} else if (channel_send(w->role.channel, type, id, text, size, NULL, 0) < 0) {
		event_base_loopbreak(w->base);
	} else if (channel_wants_write(w->role.channel)) {
		event_add(w->writable, NULL);
	}
	free(text);
	json_decref(json);
}

void writer_reply(struct writer *w, uint64_t id, json_t *reply)
{
	if (reply && !json_object_get(reply, "ok"))
		json_object_set_new(reply, "ok", json_true());
	send_json(w, MSG_REPLY, id, reply);
}

void writer_fail(struct writer *w, uint64_t id, const struct err *err)
{
	send_json(w, MSG_REPLY, id, control_error(err));
}

void writer_progress(struct writer *w, uint64_t id, json_t *progress)
{
	send_json(w, MSG_PROGRESS, id, progress);
}

void writer_committed(struct writer *w, json_t *reply, bool changed)
{
	json_object_set_new(reply, "committed", json_integer((json_int_t)w->last_id));
	json_object_set_new(reply, "changed", json_boolean(changed));
}

int writer_commit(struct writer *w, struct catalog_txn *txn, bool *changed, struct err *err)
{
	uint64_t id = 0;
	bool any = false;

	if (catalog_commit(txn, &id, &any, err) < 0) {
		if (!err_is(err, ERR_FULL)) {
			log_error("a commit failed, the writer starts anew: %s", err->message);
			w->failed = true;
		}
		return -1;
	}
	w->last_id = id;
	if (changed)
		*changed = any;
	return 0;
}

/* ---- the turn of the loop ------------------------------------------------------- */

static void pending_free(struct pending *p)
{
	if (p->fd >= 0)
		close(p->fd);
	json_decref(p->json);
	free(p);
}

static void run_now(struct writer *w)
{
	struct pending *p;

	while (!w->failed && (p = STAILQ_FIRST(&w->now))) {
		STAILQ_REMOVE_HEAD(&w->now, link);
		if (!writer_run_now(w, p)) {
			struct err err = ERR_INIT;
			const char *command = json_text(p->json, "command");

			err_set(&err, ERR_UNKNOWN_COMMAND, "the writer knows no command \"%.64s\"", command ? command : "");
			writer_fail(w, p->id, &err);
		}
		pending_free(p);
	}
}

/* One slice, then the next job has its turn: two imports share. */
static void run_bulk(struct writer *w)
{
	struct bulk *job = TAILQ_FIRST(&w->bulk);
	bool more;

	if (!job || w->failed)
		return;
	TAILQ_REMOVE(&w->bulk, job, link);
	turn_bulk();
	more = job->step(w, job) > 0;
	turn_short();
	if (more)
		TAILQ_INSERT_TAIL(&w->bulk, job, link);
	else
		job->free(job);
}

/* A turn of the loop later: what has come meanwhile is read before. (An event
 * that is made active within its callback would have its turn at once.) */
static void next_turn(struct writer *w)
{
	static const struct timeval now = { 0, 0 };

	event_add(w->turn, &now);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct writer *w = arg;

	run_now(w);
	run_bulk(w);
	if (w->failed) {
		channel_flush(w->role.channel);
		event_base_loopbreak(w->base);
	} else if (TAILQ_FIRST(&w->bulk)) {
		next_turn(w);
	}
}

void writer_add_bulk(struct writer *w, struct bulk *job)
{
	TAILQ_INSERT_TAIL(&w->bulk, job, link);
	next_turn(w);
}

/* ---- messages --------------------------------------------------------------------- */

static void take_request(struct writer *w, struct message *m)
{
	json_t *json = json_loadb((const char *)m->payload, m->size, 0, NULL);
	const char *command = json_text(json, "command");
	struct pending *p;

	if (command && strcmp(command, "clear-stale-readers") == 0) {
		store_writer_clear_stale_readers(w->store);
		json_decref(json);
		return;
	}
	p = calloc(1, sizeof *p);
	if (!p || !json) {
		struct err err = ERR_INIT;

		err_set(&err, json ? ERR_NOMEM : ERR_BAD_REQUEST, json ? "no memory" : "main sent what is not JSON");
		writer_fail(w, m->id, &err);
		json_decref(json);
		free(p);
		return;
	}
	p->id = m->id;
	p->json = json;
	p->fd = -1;
	if (m->fd_count) {
		p->fd = m->fds[0];
		m->fds[0] = -1;
	}
	if (writer_begin_bulk(w, p))
		pending_free(p);
	else
		STAILQ_INSERT_TAIL(&w->now, p, link);
	next_turn(w);
}

static void take_message(struct writer *w, struct message *m)
{
	switch (m->type) {
	case MSG_REQUEST:
		take_request(w, m);
		break;
	case MSG_BARRIER_PASSED:
		if (m->size == 8)
			writer_barrier_passed(w, load_le64(m->payload));
		break;
	case MSG_STOP:
		run_now(w);             /* what was asked before is done */
		channel_flush(w->role.channel);
		event_base_loopbreak(w->base);
		break;
	case MSG_RELOAD:
		break;                  /* sizes of maps hold until the next start */
	default:
		log_warning("a message of type %d is none of the writer's", (int)m->type);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct writer *w = arg;
	struct message m;
	int n;

	while ((n = channel_receive(w->role.channel, &m)) > 0) {
		take_message(w, &m);
		message_clear(&m);
	}
	if (n < 0)
		event_base_loopbreak(w->base);  /* main is gone */
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct writer *w = arg;

	if (channel_flush(w->role.channel) < 0)
		event_base_loopbreak(w->base);
	else if (!channel_wants_write(w->role.channel))
		event_del(w->writable);
}

/* ---- begin and end ------------------------------------------------------------------ */

/* What the process before left half done can never be switched to. */
static int abandon_loading(struct writer *w, struct err *err)
{
	struct catalog_txn *txn;
	unsigned count = 0;

	if (catalog_begin(w->store, &txn, err) < 0)
		return -1;
	if (catalog_abandon_loading(txn, &count, err) < 0) {
		catalog_abort(txn);
		return -1;
	}
	if (writer_commit(w, txn, NULL, err) < 0)
		return -1;
	if (count)
		log_notice("%u interrupted import%s cleaned up", count, count == 1 ? " is" : "s are");
	return 0;
}

static int open_store(struct writer *w, struct err *err)
{
	const struct conf *conf = w->role.conf;
	struct store_options options = {
		.dir = conf->database,
		.catalog_map = conf->catalog_map_size,
		.images_map = conf->images_map_size,
		.max_readers = 2 * conf->workers + 64,
	};

	if (store_writer_open(&w->store, &options, err) < 0)
		return -1;
	if (privileges_seal(ROLE_WRITER, conf, true, err) < 0)
		return -1;
	return abandon_loading(w, err);
}

static int make_events(struct writer *w, struct err *err)
{
	int fd;

	if (role_nonblocking(&w->role, err) < 0)
		return -1;
	fd = channel_fd(w->role.channel);
	w->base = event_base_new();
	if (w->base) {
		w->readable = event_new(w->base, fd, EV_READ | EV_PERSIST, on_readable, w);
		w->writable = event_new(w->base, fd, EV_WRITE | EV_PERSIST, on_writable, w);
		w->turn = event_new(w->base, -1, 0, on_turn, w);
	}
	if (!w->readable || !w->writable || !w->turn || event_add(w->readable, NULL) < 0)
		return err_set(err, ERR_NOMEM, "no memory for the event loop");
	return 0;
}

static void writer_end(struct writer *w)
{
	struct pending *p;
	struct bulk *job;

	while ((p = STAILQ_FIRST(&w->now))) {
		STAILQ_REMOVE_HEAD(&w->now, link);
		pending_free(p);
	}
	while ((job = TAILQ_FIRST(&w->bulk))) {
		TAILQ_REMOVE(&w->bulk, job, link);
		job->free(job);
	}
	free(w->cleaner);       /* its own free does nothing: it is queued again and again */
	writer_warm_end(w);
	if (w->readable)
		event_free(w->readable);
	if (w->writable)
		event_free(w->writable);
	if (w->turn)
		event_free(w->turn);
	if (w->base)
		event_base_free(w->base);
	if (w->store)
		store_writer_close(w->store);
	role_end(&w->role);
}

int writer_main(void)
{
	struct err err = ERR_INIT;
	struct writer w = { .store = NULL };

	STAILQ_INIT(&w.now);
	TAILQ_INIT(&w.bulk);
	if (role_start(ROLE_WRITER, &w.role, &err) < 0 || open_store(&w, &err) < 0 || make_events(&w, &err) < 0 ||
	    writer_warm_begin(&w, &err) < 0) {
		log_error("%s", err.message);
		writer_end(&w);
		return 1;
	}
	channel_send(w.role.channel, MSG_READY, 0, "{}", 2, NULL, 0);
	writer_begin_orphans(&w);
	writer_want_cleaning(&w);
	on_readable(-1, 0, &w);         /* may have come with the setup */
	event_base_dispatch(w.base);
	writer_end(&w);
	return w.failed ? 1 : 0;
}
