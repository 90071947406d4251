/* What a job asks of the writer: to take an image in; to delete nothing while
 * the store is copied. */
#include <string.h>

#include "base/log.h"
#include "control/commands.h"
#include "daemon/jobs.h"
#include "daemon/rows_json.h"

/* ---- one image ------------------------------------------------------------------- */

static const char *const count_keys[] = { "errors", "warnings", "dropped" };

/* What the loader found comes back in the reply. */
static void keep_counts(struct job *job, const json_t *meta)
{
	job->counts = json_object();
	for (size_t i = 0; i < sizeof count_keys / sizeof count_keys[0]; i++) {
		json_t *count = json_object_get(meta, count_keys[i]);

		if (json_is_integer(count))
			json_object_set(job->counts, count_keys[i], count);
	}
}

static void on_writer_progress(void *arg, json_t *progress)
{
	json_t *share = json_object_get(progress, "share"), *o;
	struct job *job = arg;

	if (job->request && request_queued(job->request) > REQUEST_QUEUE_HIGH)
		return;         /* the writer is not to be held up: left out */
	o = json_copy(progress);
	if (json_is_number(share)) {
		job->share = 0.75 + 0.25 * json_number_value(share);
		json_object_set_new(o, "share", json_real(job->share));
	}
	job_progress(job, o);
}

static void on_written(void *arg, json_t *result)
{
	json_t *reply = json_copy(result);
	struct job *job = arg;

	job->callbacks--;
	if (json_is_true(json_object_get(reply, "ok")))
		json_object_update_missing(reply, job->counts);
	json_object_del(reply, "committed");
	json_object_del(reply, "changed");
	job_end(job, reply);
	job_settle(job);
}

static void set_text_or_drop(json_t *o, const char *key, const char *text)
{
	if (text && text[0])
		json_object_set_new(o, key, json_string(text));
	else
		json_object_del(o, key);
}

/* The loader met strangers' bytes: what it is about and who may is not for it
 * to say. */
static int add_what_main_knows(const struct job *job, json_t *o, struct err *err)
{
	char zone[NAME_TEXT_MAX];

	json_object_set_new(o, "command", json_string(job->kind->writer));
	set_text_or_drop(o, "note", json_string_value(json_object_get(job->json, "note")));
	if (job->who)
		json_object_set(o, "who", job->who);
	else
		json_object_del(o, "who");
	if (strcmp(job->kind->writer, "copy-in") != 0) {
		if ((uint64_t)json_integer_value(json_object_get(o, "set_id")) != job->set_id)
			return err_set(err, ERR_OVERTAKEN, "another set became the one that is meant meanwhile: nothing was done; "
				"repeat the command");
		json_object_set_new(o, "may_live", json_boolean(job->may_live));
		return 0;
	}
	set_text_or_drop(o, "zone", name_to_text_short(zone, job->apex));
	set_text_or_drop(o, "set", job->set);
	json_object_set_new(o, "create", json_boolean(job->create));
	json_object_del(o, "expect_live");
	if (!job->set[0])
		json_object_set_new(o, "expect_live", json_pack("{s:I,s:I}", "set", (json_int_t)job->live.set,
			"edition", (json_int_t)job->live.edition));
	return 0;
}

void job_write_image(struct job *job, json_t *meta, int fd)
{
	struct err err = ERR_INIT;

	keep_counts(job, meta);
	if (add_what_main_knows(job, meta, &err) < 0) {
		job_fail(job, &err);
	} else {
		job->state = JOB_WRITING;
		job->callbacks++;
		writer_request(job_daemon(job), meta, &fd, 1, on_writer_progress, on_written, job);
	}
	json_decref(meta);
}

/* ---- no deletions meanwhile -------------------------------------------------------- */

static void ask_writer(struct job *job, const char *command, void (*reply)(void *, json_t *))
{
	json_t *request = json_pack("{s:s}", "command", command);

	writer_request(job_daemon(job), request, NULL, 0, NULL, reply, job);
	json_decref(request);
}

static void on_paused(void *arg, json_t *result)
{
	struct job *job = arg;
	struct err err = ERR_INIT;

	job->callbacks--;
	if (json_is_true(json_object_get(result, "ok")) && job_daemon(job)->writer)
		job->paused_writer = child_pid(job_daemon(job)->writer);
	if (job->state == JOB_ENDED) {
		job_resume_deletions(job);
		job_settle(job);
		return;
	}
	if (!job->paused_writer)
		control_error_read(result, &err);
	if (job->paused_writer || (job->kind->without_writer && !job_daemon(job)->stopping)) {
		job_paused(job);
	} else {
		job_fail(job, &err);
		job_settle(job);
	}
}

void job_pause_deletions(struct job *job)
{
	job->callbacks++;
	ask_writer(job, "pause-deletions", on_paused);
}

bool job_pause_held(const struct job *job)
{
	const struct child *writer = job_daemon(job)->writer;

	return job->paused_writer && writer && child_pid(writer) == job->paused_writer;
}

/* A writer that was started since has no pause of ours. */
void job_resume_deletions(struct job *job)
{
	if (job_pause_held(job))
		ask_writer(job, "resume-deletions", NULL);
	job->paused_writer = 0;
}
