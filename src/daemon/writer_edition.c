/*
 * An image for a set that is there: an edition (what an edit made), or a fold
 * (one image for many). In slices like an import; the image is committed
 * before the row that names it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "daemon/rows_json.h"
#include "daemon/writer_intake.h"

#define FOLD_AGAIN 8    /* edits until a fold that has not come is asked for again */

enum edition_state { EDITION_BEGIN, EDITION_COPY, EDITION_FINISH, EDITION_CLEAN };
struct edition_job {
	struct bulk bulk;
	uint64_t id;
	json_t *json;
	enum edition_state state;
	bool fold;
	struct intake intake;
	struct zone_row zone;
	uint64_t set;
	uint32_t from, to;              /* an edit: of the edition, made to; a fold: what it spans */
	uint32_t stands_on;             /* the image's own from */
};

static int edition_step(struct writer *, struct bulk *);

/* The edition that an edit is of: of a live set the one that is served. */
static uint32_t edition_now(const struct zone_row *zone, const struct set_row *set)
{
	return zone->live.set == set->id ? zone->live.edition : set->edition;
}

static int edition_check(struct catalog_txn *txn, struct edition_job *job, struct set_row *set, struct err *err)
{
	char text[SET_TEXT_MAX];

	if (catalog_set(txn, job->set, set, err) < 0 || catalog_zone_by_id(txn, set->zone, &job->zone, err) < 0)
		return -1;
	if (set->state == SET_DROPPING || set->state == SET_LOADING)
		return err_set(err, ERR_NO_SUCH_SET, "%s is being dropped", set_text(text, job->zone.apex, set->name));
	if (job->fold)
		return 0;
	if (edition_now(&job->zone, set) != job->from)
		return err_set(err, ERR_OVERTAKEN, "%s was changed meanwhile: nothing was done; repeat the change if it is still meant",
			set_text(text, job->zone.apex, set->name));
	/* main checked the right for a set that was not live; has it become so? */
	if (job->zone.live.set == job->set && !json_is_true(json_object_get(job->json, "may_live")))
		return err_set(err, ERR_OVERTAKEN, "%s became the live set meanwhile: nothing was done", set_text(text, job->zone.apex, set->name));
	return 0;
}

/* An edit of the set that waits or is copied in. */
static bool is_edited(struct writer *w, uint64_t set)
{
	struct bulk *bulk;

	TAILQ_FOREACH(bulk, &w->bulk, link) {
		const struct edition_job *job = (const struct edition_job *)bulk;

		if (bulk->step == edition_step && !job->fold && job->set == set && job->state != EDITION_CLEAN)
			return true;
	}
	return false;
}

/* Of a set with many deltas the loader makes two images, the change alone, and
 * the newest deltas with the change in one: the latter is taken where there has
 * been no fold since. */
static int choose_image(struct edition_job *job, const struct set_row *set, struct err *err)
{
	const json_t *merged = json_object_get(job->json, "merged");
	uint32_t stands_on = (uint32_t)json_number(merged, "from");
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct err gone = ERR_INIT;
	unsigned count;

	job->stands_on = job->from;
	if (!merged)
		return 0;
	if (catalog_set_path(set, job->from, path, &count, err) < 0)
		return -1;
	if (count < (unsigned)json_number(merged, "images") || catalog_set_path(set, stands_on, path, &count, &gone) < 0)
		return 0;
	job->intake.offset = json_number(merged, "offset");
	job->intake.size = json_number(merged, "size");
	job->stands_on = stands_on;
	return 0;
}

static int edition_step_begin(struct writer *w, struct edition_job *job, struct err *err)
{
	struct catalog_txn *txn;
	struct set_row set;

	/* a fold makes room */
	if ((job->fold ? catalog_begin : catalog_begin_bulk)(w->store, &txn, err) < 0)
		return -1;
	if (edition_check(txn, job, &set, err) < 0 || (!job->fold && choose_image(job, &set, err) < 0)) {
		catalog_abort(txn);
		return -1;
	}
	job->intake.image = catalog_next_image_id(txn);
	if (writer_commit(w, txn, NULL, err) < 0) {
		job->intake.image = 0;
		return -1;
	}
	job->state = EDITION_COPY;
	return 1;
}

/* What the set is after the edit; set: as it was at the edition before. */
static void edition_counts(const struct edition_job *job, const struct set_row *set, struct set_row *counts)
{
	const json_t *json = job->json;
	const char *rule = json_text(json, "rule");
	struct content_hash change;

	*counts = *set;
	counts->records += (uint64_t)json_integer_value(json_object_get(json, "records"));
	counts->rrsets += (uint64_t)json_integer_value(json_object_get(json, "rrsets"));
	counts->nodes += (uint64_t)json_integer_value(json_object_get(json, "nodes"));
	content_from_json(&change, json_object_get(json, "hash_add"));
	content_hash_add(&counts->hash, &change);
	content_from_json(&change, json_object_get(json, "hash_subtract"));
	content_hash_subtract(&counts->hash, &change);
	counts->soa_serial = (uint32_t)json_number(json, "soa_serial");
	counts->flags &= ~SET_SERIAL_FIXED;
	if (json_is_true(json_object_get(json, "serial_fixed")))
		counts->flags |= SET_SERIAL_FIXED;
	if (set->state != SET_FAILED)
		return;
	if (json_is_true(json_object_get(json, "repaired"))) {
		counts->state = SET_READY;
		counts->note[0] = '\0';
	} else if (rule) {
		snprintf(counts->note, sizeof counts->note, "%s", rule);
	}
}

static int edition_put(struct catalog_txn *txn, struct edition_job *job, struct err *err)
{
	struct set_image image = { job->intake.image, job->fold ? job->from : job->stands_on, job->to, job->intake.size };
	struct set_row *rows;           /* before, after */
	struct who who;
	int status;

	if (job->fold)
		return catalog_set_folded(txn, job->set, &image, err);
	rows = calloc(2, sizeof *rows);
	if (!rows)
		return err_set(err, ERR_NOMEM, "no memory");
	status = catalog_set_at(txn, (struct set_at){ job->set, job->from }, &rows[0], err);
	if (status == 0) {
		edition_counts(job, &rows[0], &rows[1]);
		who_from_json(&who, json_object_get(job->json, "who"));
		status = catalog_set_edit(txn, job->set, job->from, &image, &rows[1], &who, json_text(job->json, "note"), err);
	}
	free(rows);
	return status;
}

/* Asked when there is something to fold, and again after so many edits more. */
static bool wants_folding(const struct edition_job *job, const struct set_row *set)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct err err = ERR_INIT;
	unsigned count, run;

	if (catalog_set_path(set, set->edition, path, &count, &err) < 0)
		return false;
	run = catalog_fold_run(path, count);
	if (job->fold || !run || run % FOLD_AGAIN == 0)
		return run;
	return !catalog_fold_run(path + 1, count - 1);
}

static void want_fold(struct writer *w, const struct edition_job *job, const struct set_row *set)
{
	char name[SET_TEXT_MAX], *text;
	json_t *json;

	json = json_pack("{s:I,s:s}", "set_id", (json_int_t)set->id, "set", set_text(name, job->zone.apex, set->name));
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (text) {
		channel_send(w->role.channel, MSG_WANT_FOLD, 0, text, strlen(text), NULL, 0);
		if (channel_wants_write(w->role.channel))
			event_add(w->writable, NULL);
	}
	free(text);
	json_decref(json);
}

static const char *outcome_of(const struct edition_job *job, const struct set_row *set)
{
	if (job->fold)
		return "folded";
	if (set->state == SET_FAILED)
		return "failed";
	return job->zone.live.set == job->set ? "live" : "staged";
}

static int edition_step_finish(struct writer *w, struct edition_job *job, struct err *err)
{
	uint32_t stands_on = job->fold ? job->from : job->stands_on;
	struct catalog_txn *txn;
	struct set_row set;
	json_t *reply, *rrsets;
	bool changed = false;

	/* an edit under way stands on images that a fold would give up */
	if (job->fold && is_edited(w, job->set))
		return 1;
	if (catalog_begin(w->store, &txn, err) < 0)
		return -1;
	if (edition_check(txn, job, &set, err) < 0 || intake_check(&job->intake, &job->zone, stands_on != 0, err) < 0 ||
	    edition_put(txn, job, err) < 0 || catalog_set(txn, job->set, &set, err) < 0) {
		catalog_abort(txn);
		return -1;
	}
	reply = import_reply(txn, &job->zone, job->set, outcome_of(job, &set));
	rrsets = json_object_get(job->json, "changed_rrsets");
	if (rrsets)
		json_object_set(reply, "changed_rrsets", rrsets);
	if (writer_commit(w, txn, &changed, err) < 0) {
		json_decref(reply);
		return -1;
	}
	writer_committed(w, reply, changed);
	writer_reply(w, job->id, reply);
	if (wants_folding(job, &set))
		want_fold(w, job, &set);
	writer_want_cleaning(w);
	return 0;
}

static int edition_fail(struct writer *w, struct edition_job *job, const struct err *err)
{
	struct err ignored = ERR_INIT;
	struct catalog_txn *txn;
	struct set_row set;

	writer_fail(w, job->id, err);
	job->state = EDITION_CLEAN;
	/* a fold that edits have passed by: the next one is of what they made */
	if (job->fold && err_is(err, ERR_OVERTAKEN) && !w->failed && catalog_begin(w->store, &txn, &ignored) == 0) {
		if (catalog_set(txn, job->set, &set, &ignored) == 0)
			want_fold(w, job, &set);
		catalog_abort(txn);
	}
	return job->intake.image ? 1 : 0;
}

static int edition_step(struct writer *w, struct bulk *bulk)
{
	struct edition_job *job = (struct edition_job *)bulk;
	struct err err = ERR_INIT;
	int n = 1;

	switch (job->state) {
	case EDITION_BEGIN:
		n = edition_step_begin(w, job, &err);
		break;
	case EDITION_COPY:
		n = intake_step(w, &job->intake, job->id, &err);
		if (n == 0) {
			job->state = EDITION_FINISH;
			n = 1;
		}
		break;
	case EDITION_FINISH:
		n = edition_step_finish(w, job, &err);
		break;
	case EDITION_CLEAN:
		return intake_delete(w, &job->intake);
	}
	return n < 0 ? edition_fail(w, job, &err) : n;
}

static void edition_free(struct bulk *bulk)
{
	struct edition_job *job = (struct edition_job *)bulk;

	intake_free(&job->intake);
	json_decref(job->json);
	free(job);
}

struct bulk *edition_begin(struct pending *p, bool fold)
{
	struct edition_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->bulk = (struct bulk){ .step = edition_step, .free = edition_free };
	job->id = p->id;
	job->json = json_incref(p->json);
	job->fold = fold;
	job->set = json_number(job->json, "set_id");
	job->from = (uint32_t)json_number(job->json, "from");
	job->to = fold ? (uint32_t)json_number(job->json, "to") : job->from + 1;
	intake_take(&job->intake, p);
	return &job->bulk;
}
