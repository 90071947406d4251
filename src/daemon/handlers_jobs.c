/* Jobs, main's end: their queue, their end, and what goes to the client. */
#include "daemon/handlers_jobs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/children.h"
#include "daemon/jobs.h"
#include "daemon/rows_json.h"

/* Together, whatever the lanes say: each has a place in LMDB's table of
 * readers, of which there are 64 besides the workers'. */
#define LOADERS_MAX 32
/* Who has not been heard of for so long waits for its client (a pipe that
 * nobody writes to, a reader that stops): it keeps no place. */
#define STALLED_US  INT64_C(2000000)
#define LOOK_SECONDS 1
#define FOLD_AGAIN_US INT64_C(10000000)

static void want_fold(struct daemon *, const json_t *wish, int64_t not_before_us);

struct daemon *job_daemon(const struct job *job)
{
	return job->jobs->daemon;
}

void jobs_wake(struct jobs *jobs)
{
	if (!jobs->daemon->stopping)
		event_active(jobs->turn, EV_TIMEOUT, 0);
}

/* ---- the end of a job ---------------------------------------------------- */

static void job_free(struct job *job)
{
	portfolio_free(job);
	json_decref(job->json);
	json_decref(job->who);
	json_decref(job->counts);
	free(job->label);
	free(job);
}

static bool is_over(const struct job *job)
{
	return job->state == JOB_ENDED && !job->child && !job->callbacks;
}

void job_settle(struct job *job)
{
	if (is_over(job))
		jobs_wake(job->jobs);
}

void job_kill_loader(struct job *job)
{
	if (job->child)
		child_kill(job->child, SIGKILL);
}

static double job_seconds(const struct job *job)
{
	return (double)(clock_boot_us() - job->begun_us) / 1e6;
}

static const char *job_text(const struct job *job, char buf[SET_TEXT_MAX + 192])
{
	snprintf(buf, SET_TEXT_MAX + 192, "%s%s%s%s%s", job->kind->name, job->label ? " of " : "", job->label ? job->label : "",
		job->by[0] ? " by " : "", job->by);
	return buf;
}

static void log_done(const struct job *job, const json_t *reply)
{
	enum log_level level = job->kind->writer ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO;
	const char *outcome = json_string_value(json_object_get(reply, "outcome"));
	char text[SET_TEXT_MAX + 192];

	if (!job->by[0])
		level = LOG_LEVEL_DEBUG;        /* a fold changes nothing for anybody */
	if (job->portfolio)
		log_at(level, "%s: %" PRIu64 " zones: %" PRIu64 " live, %" PRIu64 " staged, %" PRIu64 " unchanged, %zu removed, "
			"%" PRIu64 " failed; %.2f s", job_text(job, text), json_number(reply, "zones"), json_number(reply, "live"),
			json_number(reply, "staged"), json_number(reply, "unchanged"),
			json_array_size(json_object_get(reply, "removed")), json_number(reply, "failures"), job_seconds(job));
	else if (outcome && job->kind->writer)
		log_at(level, "%s: %s%s, %" PRIu64 " records; %.2f s", job_text(job, text),
			json_is_true(json_object_get(reply, "dry_run")) ? "a dry run, would be " : "", outcome,
			json_number(json_object_get(reply, "set"), "records"), job_seconds(job));
	else
		log_at(level, "%s: done; %.2f s", job_text(job, text), job_seconds(job));
}

static void log_end(const struct job *job, const json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *code = json_string_value(json_object_get(error, "code"));
	char text[SET_TEXT_MAX + 192];

	if (json_is_true(json_object_get(reply, "ok")))
		log_done(job, reply);
	else if (!job->by[0] && (job_daemon(job)->stopping || (code && strcmp(code, ERR_OVERTAKEN) == 0)))
		log_debug("%s was not done: %s", job_text(job, text), message ? message : "");
	else
		log_warning("%s failed after %.2f s: %s", job_text(job, text), job_seconds(job),
			message ? message : "no reason was given");
}

/* The writer wishes for a fold once. Where there was no room for it, or its
 * process was killed, a later one may do better, also if nothing is edited any
 * more. */
static void fold_again(const struct job *job, const json_t *reply)
{
	const char *code = json_string_value(json_object_get(json_object_get(reply, "error"), "code"));

	if (code && (strcmp(code, ERR_FULL) == 0 || strcmp(code, ERR_UNAVAILABLE) == 0))
		want_fold(job_daemon(job), job->json, clock_boot_us() + FOLD_AGAIN_US);
}

void job_end(struct job *job, json_t *reply)
{
	struct request *r = job->request;

	if (job->state == JOB_ENDED) {
		json_decref(reply);
		return;
	}
	if (reply && !json_object_get(reply, "ok"))
		json_object_set_new(reply, "ok", json_true());
	log_end(job, reply);
	job->state = JOB_ENDED;
	job->request = NULL;
	if (!job->by[0])
		fold_again(job, reply);
	if (r)
		request_reply(r, reply);
	else
		json_decref(reply);
	jobs_wake(job->jobs);
}

void job_fail(struct job *job, const struct err *err)
{
	job_end(job, control_error(err));
	job_kill_loader(job);
}

/* ---- the client ---------------------------------------------------------- */

/* Nobody waits for it any more. What the writer has goes on: it is as good as
 * done, and half of it could not be taken back sooner than it is finished. */
static void on_client_gone(void *arg)
{
	char text[SET_TEXT_MAX + 192];
	struct job *job = arg;
	struct request *r = job->request;

	if (job->state == JOB_WRITING || job->state == JOB_ENDED)
		return;
	log_notice("%s: the client went away after %.2f s: given up", job_text(job, text), job_seconds(job));
	job->state = JOB_ENDED;
	job->request = NULL;
	request_reply(r, NULL);
	job_kill_loader(job);
	jobs_wake(job->jobs);
}

static void on_client_reads(void *arg)
{
	struct job *job = arg;

	if (job->child)
		child_pause(job->child, false);
}

void job_progress(struct job *job, json_t *progress)
{
	if (!job->request) {
		json_decref(progress);
		return;
	}
	request_progress(job->request, progress);
	if (job->request && job->child && request_queued(job->request) > REQUEST_QUEUE_HIGH)
		child_pause(job->child, true);
}

/* ---- the queue ----------------------------------------------------------- */

static void start(struct job *job)
{
	if (!job->kind->pauses_deletions) {
		job_paused(job);
		return;
	}
	job->state = JOB_PAUSING;
	job_pause_deletions(job);
}

static bool keeps_place(const struct job *job, int64_t now)
{
	return job->state == JOB_PAUSING || (job->state == JOB_LOADING && now - job->heard_us < STALLED_US);
}

static bool may_start(const struct jobs *jobs, const struct job *job)
{
	unsigned loaders = 0, lane = 0;
	int64_t now = clock_boot_us();
	bool earlier = true;

	if (now < job->not_before_us)
		return false;
	for (const struct job *other = TAILQ_FIRST(&jobs->list); other; other = TAILQ_NEXT(other, link)) {
		earlier &= other != job;
		loaders += other->child != NULL;
		lane += other->kind->lane == job->kind->lane && keeps_place(other, now);
		/* the second would be overtaken by the first */
		if (earlier && job->kind->changes_set && other->kind->changes_set && other->state != JOB_ENDED &&
		    other->apex_size == job->apex_size && memcmp(other->apex, job->apex, job->apex_size) == 0)
			return false;
	}
	return loaders < LOADERS_MAX && lane < jobs->daemon->conf->loaders;
}

static struct job *next_to_start(const struct jobs *jobs, bool *waiting)
{
	struct job *job;

	*waiting = false;
	TAILQ_FOREACH(job, &jobs->list, link)
		if (job->state == JOB_WAITING) {
			if (may_start(jobs, job))
				return job;
			*waiting = true;
		}
	return NULL;
}

/* Only here: whoever is up the stack may still look at a job. */
static void free_what_is_over(struct jobs *jobs)
{
	struct job *job, *next;

	for (job = TAILQ_FIRST(&jobs->list); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!is_over(job))
			continue;
		TAILQ_REMOVE(&jobs->list, job, link);
		job_free(job);
	}
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval look = { LOOK_SECONDS, 0 };
	struct jobs *jobs = arg;
	bool waiting = false;
	struct job *job;

	free_what_is_over(jobs);
	while (!jobs->daemon->stopping && (job = next_to_start(jobs, &waiting)))
		start(job);
	if (waiting)
		evtimer_add(jobs->turn, &look);         /* somebody may stall */
}

static struct jobs *jobs_of(struct daemon *d)
{
	struct jobs *jobs = d->jobs;

	if (jobs)
		return jobs;
	jobs = calloc(1, sizeof *jobs);
	if (!jobs)
		return NULL;
	jobs->daemon = d;
	TAILQ_INIT(&jobs->list);
	TAILQ_INIT(&jobs->kept);
	jobs->turn = evtimer_new(d->base, on_turn, jobs);
	if (!jobs->turn) {
		free(jobs);
		return NULL;
	}
	d->jobs = jobs;
	return jobs;
}

/* For people: what the request is about. */
static char *label_of(const struct job_kind *kind, const json_t *request)
{
	const char *first = kind->label[0] ? json_string_value(json_object_get(request, kind->label[0])) : NULL;
	const char *second = kind->label[1] ? json_string_value(json_object_get(request, kind->label[1])) : NULL;
	char *text = NULL;

	if (!first || strlen(first) + (second ? strlen(second) : 0) > SET_TEXT_MAX ||
	    asprintf(&text, "%s%s%s", first, second ? "@" : "", second ? second : "") < 0)
		return NULL;
	return text;
}

/* r NULL: nobody asked. Takes json over. */
static struct job *job_new(struct daemon *d, const struct job_kind *kind, struct request *r, json_t *json)
{
	struct jobs *jobs = jobs_of(d);
	struct job *job = jobs ? calloc(1, sizeof *job) : NULL;

	if (!job) {
		json_decref(json);
		return NULL;
	}
	job->jobs = jobs;
	job->kind = kind;
	job->request = r;
	job->json = json;
	job->label = label_of(kind, json);
	job->begun_us = clock_boot_us();
	job->share = -1;
	if (r) {
		job->who = who_json(&r->who);
		request_by(r, job->by);
	}
	return job;
}

static void enqueue(struct job *job)
{
	TAILQ_INSERT_TAIL(&job->jobs->list, job, link);
	jobs_wake(job->jobs);
}

/* The history would refuse it at the very end. */
static int check_note(const json_t *request, struct err *err)
{
	size_t size = json_string_length(json_object_get(request, "note"));

	return size > NOTE_MAX ? err_set(err, ERR_LIMIT, "the note has %zu octets, at most %d are kept", size, NOTE_MAX) : 0;
}

void handle_job(struct request *r)
{
	const struct job_kind *kind = job_kind_find(r->command->name);
	struct err err = ERR_INIT;
	struct job *job = NULL;

	if (!kind)
		err_set(&err, ERR_INTERNAL, "no loader knows the command \"%s\"", r->command->name);
	else if (!(job = job_new(r->daemon, kind, r, json_incref(r->json))))
		err_set(&err, ERR_NOMEM, "no memory for a job");
	else if (check_note(r->json, &err) == 0 && kind->target)
		kind->target(job, true, &err);
	if (err.code) {
		if (job)
			job_free(job);
		request_fail(r, &err);
		return;
	}
	r->arg = job;
	r->gone = on_client_gone;
	r->drained = on_client_reads;
	r->file = kind->files ? job_take_file : NULL;
	enqueue(job);
}

static void want_fold(struct daemon *d, const json_t *wish, int64_t not_before_us)
{
	uint64_t set = json_number(wish, "set_id");
	json_t *request;
	struct job *job;

	if (d->stopping || !set || !jobs_of(d))
		return;
	TAILQ_FOREACH(job, &d->jobs->list, link)
		if (!job->request && job->set_id == set && job->state != JOB_ENDED) {
			if (job->not_before_us > not_before_us)
				job->not_before_us = not_before_us;
			return;         /* under way */
		}
	request = json_copy((json_t *)(uintptr_t)wish);
	json_object_set_new(request, "command", json_string("fold"));
	job = job_new(d, job_kind_find("fold"), NULL, request);
	if (!job)
		return;
	job->set_id = set;
	job->not_before_us = not_before_us;
	enqueue(job);
}

void jobs_want_fold(struct daemon *d, const json_t *wish)
{
	want_fold(d, wish, 0);
}

/* ---- status, end --------------------------------------------------------- */

json_t *jobs_json(struct daemon *d)
{
	json_t *list = json_array();
	struct job *job;

	if (!d->jobs)
		return list;
	TAILQ_FOREACH(job, &d->jobs->list, link)
		if (job->state != JOB_ENDED)
			json_array_append_new(list, json_pack("{s:s,s:s?,s:o,s:b}", "command", job->kind->name, "set", job->label,
				"share", job->share >= 0 ? json_real(job->share) : json_null(), "waiting", job->state == JOB_WAITING));
	return list;
}

void jobs_free(struct daemon *d)
{
	struct job *job;

	if (!d->jobs)
		return;
	while ((job = TAILQ_FIRST(&d->jobs->list))) {
		TAILQ_REMOVE(&d->jobs->list, job, link);
		if (job->request)
			request_reply(job->request, NULL);
		job_free(job);
	}
	kept_free(d->jobs);
	event_free(d->jobs->turn);
	free(d->jobs);
	d->jobs = NULL;
}
