/* A job's process: how it is started, what it asks for and says, and its end. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/children.h"
#include "daemon/jobs.h"
#include "daemon/loader.h"
#include "daemon/rows_json.h"

/* ---- files that the loader asks for -------------------------------------- */

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

void job_take_file(void *arg, json_t *line, int fd)
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

/* ---- what the loader says ------------------------------------------------ */

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
	const json_t *problems = json_object_get(reply, "problems");

	if (job->kind->checks_store && json_is_array(problems) && !json_array_size(problems))
		daemon_trust_store(job_daemon(job));
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
	job->second_hand = false;
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
	if (job->state == JOB_LOADING && job->second_hand && !job_daemon(job)->stopping) {
		/* it had ended before it was given the job: a new one knows nothing of that */
		job->second_hand = false;
		job_paused(job);
	} else if (job->state == JOB_LOADING) {
		if (job_daemon(job)->stopping)
			err_set(&err, ERR_UNAVAILABLE, "the daemon stops: nothing was done");
		else
			explain_end(job, &err, status);
		loader_failed(job, &err);
	}
	jobs_wake(job->jobs);
}

/* ---- its turn has come --------------------------------------------------- */

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
static int give_loader(struct job *job, bool with_file, json_t *setup, const int *fds, unsigned count, struct err *err)
{
	static const struct child_hooks hooks = { .message = on_message, .gone = on_gone };

	/* what came with a file is in that file: it cannot be given twice */
	job->child = with_file ? NULL : kept_take(job);
	if (job->child) {
		job->second_hand = true;
		child_set_hooks(job->child, &hooks, job);
		/* should it end now, on_gone knows what to do */
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
	status = give_loader(job, fds[LOADER_CLIENT_FD] >= 0, setup, given, count, err);
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
