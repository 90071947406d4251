/* Gathering the workers' counters: one question to all, one answer from each. */
#include <stdlib.h>

#include "base/log.h"
#include "daemon/children.h"

#define PATIENCE_MS 1000

struct stats_question {
	struct stats_question *next;
	struct daemon *daemon;
	uint64_t id;
	struct event *patience;
	void (*done)(void *arg, json_t *workers);
	void *arg;
	unsigned missing, count;
	json_t *answer[];       /* by worker's place; NULL: none came */
};

static json_t *worker_object(struct daemon *d, unsigned place, json_t *answer)
{
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer((json_int_t)place + 1));
	json_object_set_new(o, "pid", d->worker[place] ? json_integer(child_pid(d->worker[place])) : json_null());
	json_object_set_new(o, "restarts", json_integer(d->worker_restarts[place]));
	if (answer)
		json_object_update_missing(o, answer);
	else
		json_object_set_new(o, "silent", json_true());
	return o;
}

static void question_free(struct stats_question *q)
{
	struct stats_question **p = &q->daemon->stats_questions;

	while (*p != q)
		p = &(*p)->next;
	*p = q->next;
	for (unsigned i = 0; i < q->count; i++)
		json_decref(q->answer[i]);
	event_free(q->patience);
	free(q);
}

static void question_end(struct stats_question *q)
{
	json_t *workers = json_array();

	for (unsigned i = 0; i < q->count; i++)
		json_array_append_new(workers, worker_object(q->daemon, i, q->answer[i]));
	q->done(q->arg, workers);
	json_decref(workers);
	question_free(q);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	question_end(arg);
}

void daemon_collect_stats(struct daemon *d, void (*done)(void *arg, json_t *workers), void *arg)
{
	static uint64_t last_id;
	struct timeval patience = { PATIENCE_MS / 1000, PATIENCE_MS % 1000 * 1000 };
	struct stats_question *q = calloc(1, sizeof *q + d->worker_count * sizeof(json_t *));

	if (!q || !(q->patience = evtimer_new(d->base, on_patience, q))) {
		json_t *none = json_array();

		log_error("out of memory: no counters");
		free(q);
		done(arg, none);
		json_decref(none);
		return;
	}
	q->daemon = d;
	q->id = ++last_id;
	q->done = done;
	q->arg = arg;
	q->count = d->worker_count;
	q->next = d->stats_questions;
	d->stats_questions = q;
	for (unsigned i = 0; i < d->worker_count; i++)
		if (d->worker[i] && worker_has_setup(d, i) &&
		    child_send(d->worker[i], MSG_STATS, q->id, NULL, 0, NULL, 0) == 0)
			q->missing++;
	if (!q->missing)
		patience = (struct timeval){ 0, 0 };
	evtimer_add(q->patience, &patience);
}

void stats_answer(struct daemon *d, unsigned place, const struct message *m)
{
	struct stats_question *q = d->stats_questions;

	while (q && q->id != m->id)
		q = q->next;
	if (!q || q->answer[place])
		return;
	q->answer[place] = json_loadb((char *)m->payload, m->size, 0, NULL);
	if (--q->missing == 0)
		question_end(q);
}

void stats_free(struct daemon *d)
{
	while (d->stats_questions)
		question_free(d->stats_questions);
}
