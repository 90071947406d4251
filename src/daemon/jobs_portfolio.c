/*
 * A directory's import, main's end: the loader's slices go to the writer one
 * after the other, each into the history entry that the first one made; then
 * zones without a file are removed, by one command; then, when every worker
 * has begun a snapshot since, the client hears what became of all of them.
 *
 * What is in stays in, whatever happens afterwards: a directory is many
 * imports, no transaction.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/commands.h"
#include "daemon/jobs.h"

#define SLICES_MAX  4           /* from the loader, which waits after its second */
#define LISTED_MAX  1000        /* failures by name */
#define RAISED_MAX  100         /* zones whose serial was raised, by name */

struct slice { json_t *meta; int fd; };

struct portfolio_job {
	uint64_t zones_before;
	struct slice slices[SLICES_MAX];        /* in order; the first is with the writer, if any is */
	unsigned slice_count;
	bool writing;
	uint64_t switch_id;
	uint64_t done, live, unchanged, staged, failures, raises;
	json_t *failed, *removed, *raised;
	json_t *result;                 /* the loader's; NULL: it has not said it yet */
	bool pruned;
	bool broken;                    /* no more is taken in */
	struct err why;                 /* then */
	bool unconfirmed;               /* a barrier did not pass */
};

static void go_on(struct job *);

int portfolio_begin_job(struct job *job, struct err *err)
{
	struct daemon *d = job_daemon(job);
	struct portfolio_job *p = calloc(1, sizeof *p);

	job->portfolio = p;
	if (!p || !(p->failed = json_array()) || !(p->removed = json_array()) || !(p->raised = json_array()))
		return err_set(err, ERR_NOMEM, "no memory for a directory");
	if (daemon_snapshot(d, err) < 0)
		return -1;
	p->zones_before = catalog_zone_count(snapshot_catalog(d->reader));
	snapshot_end(d->reader);
	return 0;
}

uint64_t portfolio_zones_before(const struct job *job)
{
	return job->portfolio ? job->portfolio->zones_before : 0;
}

static void slice_free(struct slice *s)
{
	json_decref(s->meta);
	if (s->fd >= 0)
		close(s->fd);
}

void portfolio_free(struct job *job)
{
	struct portfolio_job *p = job->portfolio;

	if (!p)
		return;
	for (unsigned i = 0; i < p->slice_count; i++)
		slice_free(&p->slices[i]);
	json_decref(p->failed);
	json_decref(p->removed);
	json_decref(p->raised);
	json_decref(p->result);
	free(p);
	job->portfolio = NULL;
}

/* The first reason counts; the loader's work is of no more use. */
static void stop_taking(struct job *job, const struct err *why)
{
	struct portfolio_job *p = job->portfolio;

	if (p->broken)
		return;
	p->broken = true;
	p->why = *why;
	job_kill_loader(job);
}

/* ---- failures ----------------------------------------------------------------------- */

static void add_failure(struct portfolio_job *p, json_t *zone, json_t *file, json_t *error)
{
	if (p->failures++ < LISTED_MAX)
		json_array_append_new(p->failed, json_pack("{s:O,s:O,s:O}", "zone", zone ? zone : json_null(),
			"file", file ? file : json_null(), "error", error ? error : json_null()));
}

static void add_failure_text(struct portfolio_job *p, const char *file, const struct err *err)
{
	json_t *error = control_error(err), *name = json_string(file);

	add_failure(p, NULL, name, json_object_get(error, "error"));
	json_decref(name);
	json_decref(error);
}

/* ---- barriers ------------------------------------------------------------------------- */

static void on_passed(void *arg, bool ok)
{
	struct job *job = arg;

	job->callbacks--;
	if (!ok)
		job->portfolio->unconfirmed = true;
	go_on(job);
	job_settle(job);
}

/* Each slice's own, and nobody waits for it but the reply at the end: another
 * command that finds a zone changed already may not claim it sooner. */
static void want_barrier(struct job *job, const json_t *result)
{
	if (!json_is_true(json_object_get(result, "switched")))
		return;
	job->callbacks++;
	barrier_begin(job_daemon(job), (uint64_t)json_integer_value(json_object_get(result, "committed")), on_passed, NULL, job);
}

/* ---- raised serials --------------------------------------------------------------------- */

static void count_raised(struct portfolio_job *p, json_t *zone, const json_t *result)
{
	json_t *own = json_object_get(result, "own_serial");

	if (own && p->raises++ < RAISED_MAX)
		json_array_append_new(p->raised, json_pack("{s:O,s:O,s:O}", "zone", zone, "own_serial", own,
			"serial", json_object_get(result, "serial")));
}

/* ---- slices ----------------------------------------------------------------------------- */

static void count_zone(struct portfolio_job *p, json_t *meta, json_t *result)
{
	const char *outcome = json_string_value(json_object_get(result, "outcome"));
	json_t *zone = json_object_get(meta, "zone"), *file = json_object_get(meta, "file");
	struct err rule = ERR_INIT;
	json_t *error;

	p->done++;
	if (!outcome)
		outcome = "error";
	if (strcmp(outcome, "live") == 0) {
		p->live++;
		count_raised(p, zone, result);
	} else if (strcmp(outcome, "staged") == 0) {
		p->staged++;
	} else if (strcmp(outcome, "unchanged") == 0) {
		p->unchanged++;
	} else if (strcmp(outcome, "failed") == 0) {
		const char *text = json_string_value(json_object_get(meta, "rule"));

		err_set(&rule, ERR_RULE, "%s", text ? text : "a rule is broken");
		error = control_error(&rule);
		add_failure(p, zone, file, json_object_get(error, "error"));
		json_decref(error);
	} else {
		add_failure(p, zone, file, json_object_get(result, "error"));
	}
}

static void count_slice(struct portfolio_job *p, const json_t *meta, const json_t *result)
{
	const json_t *given = json_object_get(meta, "zones"), *done = json_object_get(result, "zones");
	json_int_t id = json_integer_value(json_object_get(result, "switch"));

	if (id)
		p->switch_id = (uint64_t)id;
	for (size_t i = 0; i < json_array_size(given); i++)
		count_zone(p, json_array_get(given, i), json_array_get(done, i));
}

/* One zone for which there was no room: there is none for what follows, and
 * each of a hundred thousand would be tried in vain. */
static bool is_full(const json_t *result, struct err *err)
{
	json_t *zones = json_object_get(result, "zones"), *zone;
	size_t i;

	json_array_foreach(zones, i, zone) {
		struct err why = ERR_INIT;

		if (!json_object_get(zone, "error"))
			continue;
		control_error_read(zone, &why);
		if (err_is(&why, ERR_FULL)) {
			*err = why;
			return true;
		}
	}
	return false;
}

static void take_slice_result(struct job *job, const json_t *result)
{
	struct portfolio_job *p = job->portfolio;
	struct err err = ERR_INIT;

	if (json_is_true(json_object_get(result, "ok"))) {
		count_slice(p, p->slices[0].meta, result);
		want_barrier(job, result);
		if (is_full(result, &err))
			stop_taking(job, &err);
		else if (job->child)
			child_send(job->child, MSG_REPLY, 0, "{}", 2, NULL, 0);
	} else {
		control_error_read(result, &err);
		stop_taking(job, &err);
	}
}

static void on_slice_written(void *arg, json_t *result)
{
	struct job *job = arg;
	struct portfolio_job *p = job->portfolio;

	job->callbacks--;
	p->writing = false;
	take_slice_result(job, result);
	slice_free(&p->slices[0]);
	p->slice_count--;
	memmove(p->slices, p->slices + 1, p->slice_count * sizeof p->slices[0]);
	go_on(job);
	job_settle(job);
}

static void write_slice(struct job *job)
{
	struct portfolio_job *p = job->portfolio;
	json_t *request = json_pack("{s:s,s:O,s:O,s:I}", "command", job->kind->writer,
		"zones", json_object_get(p->slices[0].meta, "zones"), "who", job->who, "append_to", (json_int_t)p->switch_id);
	const char *note = json_string_value(json_object_get(job->json, "note"));

	if (note)
		json_object_set_new(request, "note", json_string(note));
	if (job->set[0])
		json_object_set_new(request, "set", json_string(job->set));
	p->writing = true;
	job->callbacks++;
	writer_request(job_daemon(job), request, &p->slices[0].fd, 1, NULL, on_slice_written, job);
	json_decref(request);
}

void portfolio_slice(struct job *job, json_t *meta, int fd)
{
	struct portfolio_job *p = job->portfolio;
	struct err err = ERR_INIT;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0 || p->slice_count == SLICES_MAX || p->broken) {
		json_decref(meta);
		if (copy >= 0)
			close(copy);
		err_set(&err, ERR_INTERNAL, copy < 0 ? "no descriptors are left for a slice" : "the loader does not wait for the writer");
		stop_taking(job, &err);
	} else {
		p->slices[p->slice_count++] = (struct slice){ meta, copy };
	}
	go_on(job);
}

/* ---- zones whose file is gone -------------------------------------------------------------- */

static json_t *to_prune(const struct portfolio_job *p)
{
	return json_object_get(p->result, "prune");
}

/* Those that could not be removed, each with its reason; all, where the command failed. */
static void add_prune_failures(struct portfolio_job *p, const json_t *result)
{
	json_t *file = json_string("--prune"), *failed = json_object_get(result, "failed"), *one;
	bool ok = json_is_true(json_object_get(result, "ok"));
	size_t i;

	json_array_foreach(ok ? failed : to_prune(p), i, one)
		add_failure(p, ok ? json_object_get(one, "zone") : one, file, json_object_get(ok ? one : result, "error"));
	json_decref(file);
}

static void on_pruned(void *arg, json_t *result)
{
	struct job *job = arg;
	struct portfolio_job *p = job->portfolio;
	json_t *removed = json_object_get(result, "zones");

	job->callbacks--;
	p->writing = false;
	if (json_is_true(json_object_get(result, "ok")) && removed)
		json_array_extend(p->removed, removed);
	add_prune_failures(p, result);
	go_on(job);
	job_settle(job);
}

static void prune(struct job *job)
{
	struct portfolio_job *p = job->portfolio;
	const char *note = json_string_value(json_object_get(job->json, "note"));
	json_t *request = json_pack("{s:s,s:O,s:O,s:s,s:b}", "command", "zone-remove", "zones", to_prune(p), "who", job->who,
		"note", note ? note : "pruned: its file is gone", "each", true);

	p->pruned = true;
	p->writing = true;
	job->callbacks++;
	writer_request(job_daemon(job), request, NULL, 0, NULL, on_pruned, job);
	json_decref(request);
}

/* ---- the end ------------------------------------------------------------------------------- */

/* What the loader could not read comes before what the writer refused. */
static void add_loaders_failures(struct portfolio_job *p)
{
	json_t *failed = json_copy(json_object_get(p->result, "failed"));
	json_int_t more = json_integer_value(json_object_get(p->result, "failures"));

	if (!json_is_array(failed)) {
		json_decref(failed);
		return;
	}
	json_array_extend(failed, p->failed);
	while (json_array_size(failed) > LISTED_MAX)
		json_array_remove(failed, json_array_size(failed) - 1);
	json_decref(p->failed);
	p->failed = failed;
	p->failures += more > 0 ? (uint64_t)more : 0;
}

static json_t *number_or_null(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static json_t *result_json(struct portfolio_job *p)
{
	static const char *const loaders[] = { "records", "warnings", "dropped" };
	json_t *zones = json_object_get(p->result, "zones");
	json_t *reply = json_pack("{s:o,s:I,s:I,s:I,s:O,s:O,s:I,s:o,s:O,s:I}",
		"zones", zones ? json_incref(zones) : json_integer((json_int_t)p->done), "live", (json_int_t)p->live,
		"unchanged", (json_int_t)p->unchanged, "staged", (json_int_t)p->staged, "removed", p->removed,
		"failed", p->failed, "failures", (json_int_t)p->failures, "switch", number_or_null(p->switch_id),
		"raised", p->raised, "raises", (json_int_t)p->raises);

	for (size_t i = 0; i < sizeof loaders / sizeof loaders[0]; i++) {
		json_t *n = json_object_get(p->result, loaders[i]);

		if (n)
			json_object_set(reply, loaders[i], n);
	}
	return reply;
}

static void finish(struct job *job)
{
	struct portfolio_job *p = job->portfolio;
	struct err err = ERR_INIT;

	if (p->unconfirmed) {
		err_set(&err, ERR_TIMEOUT, "the zones are committed, but a worker that does not confirm it could not be ended: "
			"some clients may still get what was before; the log names the worker");
		job_fail(job, &err);
	} else if (p->broken && (!p->done || err_is(&p->why, ERR_TIMEOUT))) {
		job_fail(job, &p->why);
	} else {
		add_loaders_failures(p);
		if (p->broken) {
			err_context(&p->why, "given up behind %llu zones; what follows them was not imported",
				(unsigned long long)p->done);
			add_failure_text(p, "the rest", &p->why);
		}
		job_end(job, result_json(p));
	}
}

/* The next thing to do, if nothing is awaited. */
static void go_on(struct job *job)
{
	struct portfolio_job *p = job->portfolio;

	if (job->state == JOB_ENDED || p->writing)
		return;
	if (p->slice_count && !p->broken)
		write_slice(job);
	else if (!p->result && !p->broken)
		return;
	else if (!p->broken && !p->pruned && json_array_size(to_prune(p)))
		prune(job);
	else if (!job->callbacks)
		finish(job);
}

/* More than main itself finds right is never removed, whoever proposes it. */
static void check_prune(struct portfolio_job *p, const json_t *request)
{
	json_t *prune = json_object_get(p->result, "prune");

	if (!json_is_true(json_object_get(request, "prune")) || 20 * json_array_size(prune) > p->zones_before)
		json_object_del(p->result, "prune");
}

void portfolio_result(struct job *job, json_t *reply)
{
	struct portfolio_job *p = job->portfolio;
	struct err err = ERR_INIT;

	if (p->result) {
		json_decref(reply);
	} else if (json_is_true(json_object_get(reply, "ok"))) {
		p->result = reply;
		check_prune(p, job->json);
	} else {
		control_error_read(reply, &err);
		json_decref(reply);
		stop_taking(job, &err);
	}
	go_on(job);
}

void portfolio_broken(struct job *job, const struct err *err)
{
	if (!job->portfolio->result)
		stop_taking(job, err);
	go_on(job);
}
