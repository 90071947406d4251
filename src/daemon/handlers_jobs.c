#include "daemon/handlers_jobs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/children.h"
#include "daemon/jobs.h"
#include "daemon/loader.h"
#include "daemon/rows_json.h"

/* Together, whatever the lanes say: each has a place in LMDB's table of
 * readers, of which there are 64 besides the workers'. */
#define LOADERS_MAX 32
/* Who has not been heard of for so long waits for its client (a pipe that
 * nobody writes to, a reader that stops): it keeps no place. */
#define STALLED_US  INT64_C(2000000)
#define LOOK_SECONDS 1

struct jobs {
	struct daemon *daemon;
	struct job_list list;           /* in the order in which they came */
	struct event *turn;
	unsigned last_number;
};

struct daemon *job_daemon(const struct job *job)
{
	return job->jobs->daemon;
}

static void wake(struct jobs *jobs)
{
	if (!jobs->daemon->stopping)
		event_active(jobs->turn, EV_TIMEOUT, 0);
}

/* ---- the end of a job ------------------------------------------------------------ */

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
		wake(job->jobs);
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
		log_at(level, "%s: %" PRIu64 " zones: %" PRIu64 " live, %" PRIu64 " staged, %" PRIu64 " unchanged, %zu removed, %" PRIu64 " failed; %.2f s",
			job_text(job, text), json_number(reply, "zones"), json_number(reply, "live"), json_number(reply, "staged"),
			json_number(reply, "unchanged"), json_array_size(json_object_get(reply, "removed")), json_number(reply, "failures"), job_seconds(job));
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
	if (r)
		request_reply(r, reply);
	else
		json_decref(reply);
	wake(job->jobs);
}

void job_fail(struct job *job, const struct err *err)
{
	job_end(job, control_error(err));
	job_kill_loader(job);
}

/* ---- the client ---------------------------------------------------------------------- */

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
	wake(job->jobs);
}

static void on_client_reads(void *arg)
{
	struct job *job = arg;

	if (job->child)
		child_pause(job->child, false);
}

/* A client that does not read stops its loader, and nobody else. */
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

/* ---- files that the loader asks for ---------------------------------------------------- */

static void question_answered(struct job *job)
{
	job->question_count--;
	memmove(job->questions, job->questions + 1, job->question_count * sizeof job->questions[0]);
}

static json_t *answer_json(const json_t *line, int *fd)
{
	const char *name = json_string_value(json_object_get(line, "file"));
	const char *error = json_string_value(json_object_get(line, "error"));
	json_t *o = json_pack("{s:s}", "name", name ? name : "");

	if (error || *fd < 0) {
		json_object_set_new(o, "error", json_string(error ? error : "the client sent no descriptor with it"));
		if (*fd >= 0)
			close(*fd);
		*fd = -1;
	}
	return o;
}

static void on_file(void *arg, json_t *line, int fd)
{
	struct job *job = arg;
	struct job_question *q = &job->questions[0];
	json_t *o;

	if (!job->question_count || !job->child) {
		if (fd >= 0)
			close(fd);      /* nobody asked */
		return;
	}
	if (q->files && json_object_get(line, "end"))
		o = json_pack("{s:b}", "end", 1);
	else
		o = answer_json(line, &fd);
	child_send_json(job->child, MSG_FILE, q->id, o, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
	if (q->files <= 1 || json_object_get(o, "end"))
		question_answered(job);
	else
		q->files--;
	json_decref(o);
}

/* false: no question of ours. */
static bool take_question(struct job *job, uint64_t id, json_t *o)
{
	uint64_t need = json_number(o, "need");
	bool open = json_is_string(json_object_get(o, "open"));

	if (!job->kind->files || job->question_count == QUESTIONS_MAX || (!open && (need < 1 || need > FILES_MAX)))
		return false;
	job->questions[job->question_count++] = (struct job_question){ id, open ? 0 : (unsigned)need };
	job_progress(job, json_incref(o));
	return true;
}

/* ---- what the loader says ---------------------------------------------------------------- */

/* The writer's part of the way, the copying, is the last quarter. */
static void take_progress(struct job *job, json_t *o)
{
	json_t *share = json_object_get(o, "share");

	if (json_is_number(share)) {
		job->share = json_number_value(share);
		if (job->kind->writer && !job->portfolio) {
			job->share *= 0.75;
			json_object_set_new(o, "share", json_real(job->share));
		}
	}
	job_progress(job, json_incref(o));
}

static void take_reply(struct job *job, json_t *reply)
{
	if (job->portfolio)
		portfolio_result(job, json_incref(reply));
	else
		job_end(job, json_incref(reply));
	/* where it failed it ends */
	if (job->kind->stays && job->child && json_is_true(json_object_get(reply, "ok")))
		kept_put(job);
}

/* The loader asks before it makes its result one: a backup that is refused only
 * afterwards would lie there as a whole one. */
static bool take_confirmation(struct job *job, uint64_t id)
{
	struct err err = ERR_INIT;
	json_t *reply;

	if (!job->kind->pauses_deletions)
		return false;
	if (job_pause_held(job)) {
		reply = json_pack("{s:b}", "ok", 1);
	} else {
		err_set(&err, ERR_UNAVAILABLE, "the writer was started anew meanwhile, and may have deleted what was not read yet: "
			"repeat the %s", job->kind->name);
		reply = control_error(&err);
	}
	child_send_json(job->child, MSG_REPLY, id, reply, NULL, 0);
	json_decref(reply);
	return true;
}

static bool take_image(struct job *job, struct message *m, json_t *o)
{
	int fd = m->fd_count ? m->fds[0] : -1;

	if (!job->kind->writer || fd < 0 || (job->portfolio && !json_is_array(json_object_get(o, "zones"))))
		return false;
	if (job->portfolio)
		portfolio_slice(job, json_incref(o), fd);
	else
		job_write_image(job, json_incref(o), fd);
	if (job->kind->stays && job->child)
		kept_put(job);
	return true;
}

/* Of a directory some zones may be in already. */
static void loader_failed(struct job *job, const struct err *err)
{
	if (job->portfolio)
		portfolio_broken(job, err);
	else
		job_fail(job, err);
}

static void on_message(void *arg, struct child *c, struct message *m)
{
	struct job *job = arg;
	struct err err = ERR_INIT;
	bool sense;
	json_t *o;

	if (job->state != JOB_LOADING)
		return;
	job->heard_us = clock_boot_us();
	o = json_loadb((const char *)m->payload, m->size, 0, NULL);
	sense = json_is_object(o);
	if (sense && m->type == MSG_PROGRESS)
		take_progress(job, o);
	else if (sense && m->type == MSG_OPEN)
		sense = take_question(job, m->id, o);
	else if (sense && m->type == MSG_IMAGE)
		sense = take_image(job, m, o);
	else if (sense && m->type == MSG_REQUEST)
		sense = take_confirmation(job, m->id);
	else if (sense && m->type == MSG_REPLY)
		take_reply(job, o);
	else if (m->type != MSG_READY)
		sense = false;
	json_decref(o);
	if (!sense) {
		err_set(&err, ERR_INTERNAL, "the loader sent a message of type %d that makes no sense", (int)m->type);
		loader_failed(job, &err);
	}
}

static void explain_end(const struct job *job, struct err *err, int status)
{
	char text[CHILD_END_TEXT];

	err_set(err, ERR_UNAVAILABLE, "the loader ended before its work was done, %s%s",
		child_end_text(job_daemon(job), ROLE_LOADER, status, text),
		WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL ? "; is memory short?" : "" : "; the log tells why");
	if (job->kind->fills_directory && job->label)
		err_context(err, "what is in %s is not whole, and to be deleted", job->label);
}

static void on_gone(void *arg, struct child *c, int status)
{
	struct job *job = arg;
	struct err err = ERR_INIT;

	job->child = NULL;
	job_resume_deletions(job);
	if (job->state == JOB_LOADING) {
		if (job_daemon(job)->stopping)
			err_set(&err, ERR_UNAVAILABLE, "the daemon stops: nothing was done");
		else
			explain_end(job, &err, status);
		loader_failed(job, &err);
	}
	wake(job->jobs);
}

/* ---- its turn has come ---------------------------------------------------------------------- */

/* A file without a name, for the loader's image: gone with the last of those
 * who have it open. */
static int open_unlinked(const char *dir, struct err *err)
{
	int fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	char path[4096];

	if (fd >= 0)
		return fd;
	/* not every file system has them */
	snprintf(path, sizeof path, "%s/loader.XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_system(err, "cannot make a file for the loader in %s", dir);
	unlink(path);
	return fd;
}

static void close_all(int fds[LOADER_FD_COUNT])
{
	for (int i = 0; i < LOADER_FD_COUNT; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* By place; -1 where the job has none. */
static int open_files(struct job *job, int fds[LOADER_FD_COUNT], struct err *err)
{
	const char *dir = job_daemon(job)->conf->database;

	for (int i = 0; i < LOADER_FD_COUNT; i++)
		fds[i] = -1;
	if (job->kind->writer && (fds[LOADER_IMAGE_FD] = open_unlinked(dir, err)) < 0)
		return -1;
	if (job->kind->lane == LANE_IMPORT && (fds[LOADER_SCRATCH_FD] = open_unlinked(dir, err)) < 0) {
		close_all(fds);
		return -1;
	}
	if (job->request && job->request->fd >= 0) {
		fds[LOADER_CLIENT_FD] = job->request->fd;
		job->request->fd = -1;
	}
	return 0;
}

static json_t *setup_json(const struct job *job, const int fds[LOADER_FD_COUNT], int given[LOADER_FD_COUNT], unsigned *count)
{
	json_t *places = json_array();

	*count = 0;
	for (int i = 0; i < LOADER_FD_COUNT; i++)
		if (fds[i] >= 0) {
			given[(*count)++] = fds[i];
			json_array_append_new(places, json_integer(i));
		}
	return json_pack("{s:s,s:O,s:o,s:I,s:b}", "job", job->kind->name, "request", job->json, "fds", places,
		"zones", (json_int_t)portfolio_zones_before(job), "stay", job->kind->stays);
}

/* A process of its own, or one that was kept. */
static int give_loader(struct job *job, json_t *setup, const int *fds, unsigned count, struct err *err)
{
	static const struct child_hooks hooks = { .message = on_message, .gone = on_gone };

	job->child = kept_take(job);
	if (job->child) {
		child_set_hooks(job->child, &hooks, job);
		/* should it end now, on_gone tells */
		child_send_json(job->child, MSG_JOB, 0, setup, fds, count);
		return 0;
	}
	job->number = ++job->jobs->last_number;
	job->child = child_start(job_daemon(job), ROLE_LOADER, job->number, setup, fds, count, &hooks, job, err);
	return job->child ? 0 : -1;
}

static int launch(struct job *job, struct err *err)
{
	int fds[LOADER_FD_COUNT], given[LOADER_FD_COUNT];
	unsigned count;
	json_t *setup;
	int status;

	/* what is live may have changed while it waited */
	if (job->kind->target && job->kind->target(job, false, err) < 0)
		return -1;
	if (open_files(job, fds, err) < 0)
		return -1;
	setup = setup_json(job, fds, given, &count);
	job->heard_us = clock_boot_us();
	status = give_loader(job, setup, given, count, err);
	json_decref(setup);
	close_all(fds);
	return status;
}

void job_paused(struct job *job)
{
	struct err err = ERR_INIT;

	job->state = JOB_LOADING;
	if (launch(job, &err) < 0) {
		job_resume_deletions(job);
		job_fail(job, &err);
	}
}

static void start(struct job *job)
{
	if (!job->kind->pauses_deletions) {
		job_paused(job);
		return;
	}
	job->state = JOB_PAUSING;
	job_pause_deletions(job);
}

/* ---- the queue --------------------------------------------------------------------------------- */

static bool keeps_place(const struct job *job, int64_t now)
{
	return job->state == JOB_PAUSING || (job->state == JOB_LOADING && now - job->heard_us < STALLED_US);
}

static bool may_start(const struct jobs *jobs, const struct job *job)
{
	unsigned loaders = 0, lane = 0;
	int64_t now = clock_boot_us();
	bool earlier = true;

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
		job->uid = r->who.uid;
		request_by(r, job->by);
	}
	return job;
}

static void enqueue(struct job *job)
{
	TAILQ_INSERT_TAIL(&job->jobs->list, job, link);
	wake(job->jobs);
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
	r->file = kind->files ? on_file : NULL;
	enqueue(job);
}

void jobs_want_fold(struct daemon *d, const json_t *wish)
{
	uint64_t set = json_number(wish, "set_id");
	json_t *request;
	struct job *job;

	if (d->stopping || !set || !jobs_of(d))
		return;
	TAILQ_FOREACH(job, &d->jobs->list, link)
		if (!job->request && job->set_id == set && job->state != JOB_ENDED)
			return;         /* under way */
	request = json_copy((json_t *)(uintptr_t)wish);
	json_object_set_new(request, "command", json_string("fold"));
	job = job_new(d, job_kind_find("fold"), NULL, request);
	if (!job)
		return;
	job->set_id = set;
	enqueue(job);
}

/* ---- status, end ---------------------------------------------------------------------------------- */

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
	event_free(d->jobs->turn);
	free(d->jobs);
	d->jobs = NULL;
}
