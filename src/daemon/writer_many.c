/*
 * Commands that name zones or sets, perhaps very many: added, removed, put
 * into a group, dropped. A few are one transaction of "now". What would hold
 * up a switch is a job of bulk, in two rounds of slices: in the first all is
 * tried in transactions that are given up, so that a command with a mistake
 * in it changes nothing; in the second it is done, into one history entry.
 * Between two slices anything may be committed: whom that made impossible is
 * left out and named. With "each" in a request of main's own every name is for
 * itself: there is no first round.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/commands.h"
#include "daemon/rows_json.h"
#include "daemon/writer.h"

#define NOW_MAX     64          /* names that are one transaction */
#define SLICE_NAMES 64
#define SHARE_US    2000        /* of a slice, the commit comes on top */
#define LISTED_MAX  1000        /* failures by name */
#define PROGRESS_US 100000

struct many {
	const char *name;
	const char *list;       /* its key in the request */
	const char *done;       /* … and in the reply */
	/* Before the first of them, in its transaction; NULL: nothing. */
	int (*begin)(struct catalog_txn *, const json_t *request, struct err *);
	/* One of them; where it cannot be done nothing is written. named: as the reply names it. */
	int (*one)(struct catalog_txn *, const json_t *request, const char *text, char named[SET_TEXT_MAX], struct err *);
	bool adds;              /* rows in numbers: not into what is kept for switches */
	bool again;             /* the same one twice is no mistake */
};

/* ---- one of them ------------------------------------------------------------------ */

static int parse_apex(const char *text, uint8_t apex[NAME_MAX_SIZE], size_t *size, char named[SET_TEXT_MAX], struct err *err)
{
	if (control_parse_zone(text, apex, size, err) < 0)
		return -1;
	name_to_text_short(named, apex);
	return 0;
}

static int add_zone(struct catalog_txn *txn, const json_t *request, const char *text, char named[SET_TEXT_MAX], struct err *err)
{
	const json_t *properties = json_object_get(request, "properties");
	char changed[sizeof ((struct zone_row *)0)->properties] = "";
	uint8_t apex[NAME_MAX_SIZE];
	struct zone_row zone;
	size_t size;

	if (parse_apex(text, apex, &size, named, err) < 0 ||
	    (properties && properties_change(changed, sizeof changed, properties, err) < 0) ||
	    catalog_zone_add(txn, apex, size, &zone, err) < 0)
		return -1;
	return properties ? catalog_zone_set_properties(txn, apex, size, changed, err) : 0;
}

static int remove_zone(struct catalog_txn *txn, const json_t *request, const char *text, char named[SET_TEXT_MAX], struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	struct who who;
	size_t size;

	who_from_json(&who, json_object_get(request, "who"));
	if (parse_apex(text, apex, &size, named, err) < 0)
		return -1;
	return catalog_zone_remove(txn, apex, size, &who, json_text(request, "note"), err);
}

static int drop_set(struct catalog_txn *txn, const json_t *request, const char *text, char named[SET_TEXT_MAX], struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	char name[SET_NAME_MAX + 1];
	struct zone_row zone;
	struct set_row set;
	size_t size;

	if (control_parse_set(text, apex, &size, name, err) < 0)
		return -1;
	if (!name[0])
		return err_set(err, ERR_BAD_REQUEST, "drop takes sets, ZONE@SET: \"%s\" names none", text);
	set_text(named, apex, name);
	if (catalog_zone(txn, apex, size, &zone, err) < 0 || catalog_set_by_name(txn, &zone, name, &set, err) < 0)
		return -1;
	set_text(named, apex, set.name);
	/* stagers make and drop what nobody was answered from; the rest may be
	 * somebody's way back */
	if ((set.flags & SET_SERVED) && json_number(request, "right") < RIGHT_SWITCH)
		return err_set(err, ERR_DENIED, "%s was served once", named);
	return catalog_set_drop(txn, set.id, err);
}

static int create_group(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	return catalog_group_create(txn, json_text(request, "group"), err);
}

static int join_group(struct catalog_txn *txn, const json_t *request, const char *text, char named[SET_TEXT_MAX], struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	size_t size;

	return parse_apex(text, apex, &size, named, err) < 0 ? -1 : catalog_group_add(txn, json_text(request, "group"), apex, size, err);
}

static int leave_group(struct catalog_txn *txn, const json_t *request, const char *text, char named[SET_TEXT_MAX], struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	size_t size;

	return parse_apex(text, apex, &size, named, err) < 0 ? -1 :
		catalog_group_remove(txn, json_text(request, "group"), apex, size, err);
}

static const struct many many[] = {
	{ "zone-add", "zones", "zones", NULL, add_zone, true, false },
	{ "zone-remove", "zones", "zones", NULL, remove_zone, false, false },
	{ "group-create", "zones", "zones", create_group, join_group, true, true },
	{ "group-add", "zones", "zones", NULL, join_group, true, true },
	{ "group-remove", "zones", "zones", NULL, leave_group, false, true },
	{ "drop", "sets", "dropped", NULL, drop_set, false, false },
};

static const struct many *many_of(const json_t *request)
{
	const char *command = json_text(request, "command");

	for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
		if (command && strcmp(many[i].name, command) == 0)
			return &many[i];
	return NULL;
}

bool many_adds(const json_t *request)
{
	const struct many *m = many_of(request);

	return m && m->adds;
}

/* seen: what the command has named so far. Twice is a mistake in use, whatever
 * the second one fails for. */
static int one_once(const struct many *m, struct catalog_txn *txn, const json_t *request, const char *text, json_t *seen,
	char named[SET_TEXT_MAX], struct err *err)
{
	struct err why = ERR_INIT;
	int status;

	named[0] = '\0';
	status = m->one(txn, request, text, named, &why);
	if (!m->again && json_object_get(seen, named))
		return err_set(err, ERR_BAD_REQUEST, "%s is named twice in one command", named);
	if (status < 0)
		return err_set(err, why.code, "%s", why.message);
	json_object_set_new(seen, named, json_true());
	return 0;
}

static json_t *many_reply(const struct many *m, const json_t *request, json_t *done)
{
	json_t *reply = json_pack("{s:O}", m->done, done), *group = json_object_get(request, "group");

	if (group)
		json_object_set(reply, "group", group);
	return reply;
}

/* ---- a few: one transaction --------------------------------------------------------- */

json_t *many_run(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	const struct many *m = many_of(request);
	json_t *done = json_array(), *seen = json_object(), *reply = NULL, *text;
	size_t i;

	if (m->begin && m->begin(txn, request, err) < 0)
		goto out;
	json_array_foreach(json_object_get(request, m->list), i, text) {
		char named[SET_TEXT_MAX];

		if (one_once(m, txn, request, json_string_value(text), seen, named, err) < 0)
			goto out;
		json_array_append_new(done, json_string(named));
	}
	reply = many_reply(m, request, done);
out:
	json_decref(done);
	json_decref(seen);
	return reply;
}

/* ---- very many: slices ---------------------------------------------------------------- */

struct many_job {
	struct bulk bulk;
	const struct many *many;
	uint64_t id;
	json_t *json;
	bool tried;             /* the first round is over */
	size_t at;
	json_t *seen;           /* named in the first round: twice is a mistake */
	json_t *done, *failed;
	size_t failures;
	uint64_t history;       /* the entry that the first slice made */
	bool changed;           /* what is served */
	int64_t told_us;
};

static const json_t *job_names(const struct many_job *job)
{
	return json_object_get(job->json, job->many->list);
}

static void add_failure(struct many_job *job, const char *text, const struct err *err)
{
	json_t *error;

	if (job->failures++ >= LISTED_MAX)
		return;
	error = control_error(err);
	json_array_append_new(job->failed, json_pack("{s:s,s:O}", job->many->one == drop_set ? "set" : "zone", text,
		"error", json_object_get(error, "error")));
	json_decref(error);
}

/* Made impossible by what was committed since the first round, which hinders
 * nobody else. */
static bool is_overtaken(const struct err *err)
{
	return err_is(err, ERR_EXISTS) || err_is(err, ERR_NO_SUCH_ZONE) || err_is(err, ERR_NO_SUCH_SET) || err_is(err, ERR_IN_USE) ||
		err_is(err, ERR_DENIED);
}

static int try_one(struct many_job *job, struct catalog_txn *txn, const char *text, struct err *err)
{
	char named[SET_TEXT_MAX];

	return one_once(job->many, txn, job->json, text, job->seen, named, err);
}

static int do_one(struct many_job *job, struct catalog_txn *txn, const char *text, struct err *err)
{
	char named[SET_TEXT_MAX];
	struct err why = ERR_INIT;

	if (job->many->one(txn, job->json, text, named, &why) == 0) {
		json_array_append_new(job->done, json_string(named));
	} else if (is_overtaken(&why)) {
		add_failure(job, text, &why);
	} else {
		*err = why;
		return -1;
	}
	return 0;
}

static int do_slice(struct many_job *job, struct catalog_txn *txn, struct err *err)
{
	int64_t until = clock_boot_us() + SHARE_US;
	const json_t *names = job_names(job);
	size_t end = job->at + SLICE_NAMES;

	/* in the first round each slice needs it; there all are given up */
	if (job->many->begin && (!job->tried || job->at == 0) && job->many->begin(txn, job->json, err) < 0)
		return -1;
	if (job->history && catalog_history_continue(txn, job->history, err) < 0)
		return -1;
	while (job->at < json_array_size(names) && job->at < end && clock_boot_us() < until) {
		const char *text = json_string_value(json_array_get(names, job->at));

		if ((job->tried ? do_one : try_one)(job, txn, text, err) < 0)
			return -1;
		job->at++;
	}
	return 0;
}

static int try_slice(struct writer *w, struct many_job *job, struct err *err)
{
	struct catalog_txn *txn;
	int status;

	if (catalog_begin(w->store, &txn, err) < 0)
		return -1;
	status = do_slice(job, txn, err);
	catalog_abort(txn);
	return status;
}

static int commit_slice(struct writer *w, struct many_job *job, struct err *err)
{
	size_t at = job->at, done = json_array_size(job->done), failed = json_array_size(job->failed), failures = job->failures;
	struct catalog_txn *txn;
	uint64_t history;
	bool changed = false;

	if ((job->many->adds ? catalog_begin_bulk : catalog_begin)(w->store, &txn, err) < 0)
		return -1;
	if (do_slice(job, txn, err) < 0) {
		catalog_abort(txn);
	} else {
		history = catalog_history_open(txn);
		if (writer_commit(w, txn, &changed, err) == 0) {
			job->history = history ? history : job->history;
			job->changed |= changed;
			return 0;
		}
	}
	/* as it was before the slice */
	job->at = at;
	job->failures = failures;
	while (json_array_size(job->done) > done)
		json_array_remove(job->done, json_array_size(job->done) - 1);
	while (json_array_size(job->failed) > failed)
		json_array_remove(job->failed, json_array_size(job->failed) - 1);
	return -1;
}

static int job_end(struct writer *w, struct many_job *job, struct err *why)
{
	json_t *reply;

	if (why->code && !json_array_size(job->done)) {
		writer_fail(w, job->id, why);
		return 0;
	}
	for (; job->at < json_array_size(job_names(job)); job->at++)
		add_failure(job, json_string_value(json_array_get(job_names(job), job->at)), why);
	reply = many_reply(job->many, job->json, job->done);
	if (job->failures) {
		json_object_set(reply, "failed", job->failed);
		json_object_set_new(reply, "failures", json_integer((json_int_t)job->failures));
	}
	writer_committed(w, reply, job->changed);
	writer_reply(w, job->id, reply);
	writer_want_cleaning(w);
	return 0;
}

static void tell_progress(struct writer *w, struct many_job *job)
{
	double names = (double)json_array_size(job_names(job));
	int64_t now = clock_boot_us();

	if (now - job->told_us < PROGRESS_US && job->at)
		return;
	job->told_us = now;
	writer_progress(w, job->id, json_pack("{s:f}", "share", ((job->tried ? names : 0) + (double)job->at) / (2 * names)));
}

static int many_step(struct writer *w, struct bulk *bulk)
{
	struct many_job *job = (struct many_job *)bulk;
	struct err err = ERR_INIT;

	if ((job->tried ? commit_slice : try_slice)(w, job, &err) < 0)
		return job_end(w, job, &err);
	if (job->at == json_array_size(job_names(job))) {
		if (job->tried)
			return job_end(w, job, &err);
		job->tried = true;
		job->at = 0;
	}
	tell_progress(w, job);
	return 1;
}

static void many_free(struct bulk *bulk)
{
	struct many_job *job = (struct many_job *)bulk;

	json_decref(job->json);
	json_decref(job->seen);
	json_decref(job->done);
	json_decref(job->failed);
	free(job);
}

bool many_is_bulk(const json_t *request)
{
	const struct many *m = many_of(request);

	return m && (json_array_size(json_object_get(request, m->list)) > NOW_MAX || json_is_true(json_object_get(request, "each")));
}

struct bulk *many_begin(struct pending *p)
{
	struct many_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->bulk = (struct bulk){ .step = many_step, .free = many_free };
	job->many = many_of(p->json);
	job->id = p->id;
	job->json = json_incref(p->json);
	job->tried = json_is_true(json_object_get(p->json, "each"));
	job->seen = json_object();
	job->done = json_array();
	job->failed = json_array();
	job->told_us = clock_boot_us();
	return &job->bulk;
}
