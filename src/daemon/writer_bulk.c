/*
 * The writer's work in slices: images copied in by an import (editions are in
 * writer_edition.c, and so on), and which request is which job. Each job is a
 * small machine of named states; between two steps anything may be committed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/commands.h"
#include "daemon/rows_json.h"
#include "daemon/writer.h"
#include "daemon/writer_intake.h"

#define PROGRESS_US 100000

/* ---- an image on its way in ---------------------------------------------------- */

void intake_take(struct intake *in, struct pending *p)
{
	const json_t *image = json_object_get(p->json, "image");

	*in = (struct intake){ .fd = p->fd, .offset = json_number(image, "offset"), .size = json_number(image, "size") };
	p->fd = -1;
}

void intake_free(struct intake *in)
{
	copy_in_free(in->copy);
	in->copy = NULL;
	if (in->fd >= 0)
		close(in->fd);
	in->fd = -1;
}

uint8_t *intake_read(const struct intake *in, struct err *err)
{
	uint8_t *p = malloc(in->size);
	size_t got = 0;

	if (!p) {
		err_set(err, ERR_NOMEM, "no memory for an image");
		return NULL;
	}
	while (got < in->size) {
		ssize_t n = pread(in->fd, p + got, in->size - got, (off_t)(in->offset + got));

		if (n <= 0) {
			if (n < 0)
				err_system(err, "reading the loader's image");
			else
				err_set(err, ERR_CORRUPT, "the loader's file ends in mid-image");
			free(p);
			return NULL;
		}
		got += (size_t)n;
	}
	return p;
}

/* 1: more, 0: in and checked, -1: failed; what is in is garbage then. */
int intake_step(struct writer *w, struct intake *in, uint64_t request, struct err *err)
{
	int64_t now;
	int n;

	if (!in->copy && copy_in_begin(w->store, in->fd, in->offset, in->size, in->image, &in->copy, err) < 0)
		return -1;
	n = copy_in_step(in->copy, SLICE_US, err);
	now = clock_boot_us();
	if (n > 0 && now - in->told_us > PROGRESS_US) {
		in->told_us = now;
		writer_progress(w, request, json_pack("{s:s,s:f}", "phase", "copy", "share", copy_in_share(in->copy)));
	}
	return n;
}

/* The loader met strangers' bytes: its image must be of the zone it was asked for. */
int intake_check(const struct intake *in, const struct zone_row *zone, bool delta, struct err *err)
{
	const struct image_header *h = copy_in_header(in->copy);

	if (h->apex_size != zone->apex_size || memcmp(h->apex, zone->apex, zone->apex_size) != 0 || h->delta != delta)
		return err_set(err, ERR_CORRUPT, "the loader made an image of another zone or kind than it was asked for");
	return 0;
}

/* ---- import: a whole set ---------------------------------------------------------- */

enum import_state { IMPORT_BEGIN, IMPORT_COPY, IMPORT_FINISH, IMPORT_CLEAN };
struct import_job {
	struct bulk bulk;
	uint64_t id;
	json_t *json;
	enum import_state state;
	struct intake intake;
	struct import_claim claim;
	struct zone_row zone;           /* as at the begin */
	uint64_t set;
};

void claim_from_json(struct import_claim *c, const json_t *json)
{
	const json_t *live = json_object_get(json, "expect_live");

	memset(c, 0, sizeof *c);
	c->zone = json_text(json, "zone");
	c->set = json_text(json, "set");
	c->source = json_text(json, "source");
	c->note = json_text(json, "rule");
	c->soa_serial = (uint32_t)json_number(json, "soa_serial");
	c->serial_fixed = json_is_true(json_object_get(json, "serial_fixed"));
	c->failed = json_is_true(json_object_get(json, "failed"));
	c->create = json_is_true(json_object_get(json, "create"));
	content_from_json(&c->hash, json_object_get(json, "hash"));
	signing_from_json(&c->signing, json_object_get(json, "signing"));
	c->expect_live_given = live != NULL;
	c->expect_live.set = json_number(live, "set");
	c->expect_live.edition = (uint32_t)json_number(live, "edition");
}

/* An ordinary reload's set is named by the serial it will be served with. A
 * name that is taken by something of somebody's gets a number behind it. */
static int auto_name(struct catalog_txn *txn, const struct zone_row *zone, uint32_t serial, char name[SET_NAME_MAX + 1], struct err *err)
{
	bool known = zone->flags & ZONE_SERIAL_KNOWN;
	uint32_t next = !known || serial_ahead(serial, zone->highest_serial) ? serial : zone->highest_serial + 1;

	for (unsigned i = 1; i < 1000; i++) {
		struct err ignored = ERR_INIT;
		struct set_row set;

		if (i == 1)
			snprintf(name, SET_NAME_MAX + 1, "%u", next);
		else
			snprintf(name, SET_NAME_MAX + 1, "%u-%u", next, i);
		if (catalog_set_by_name(txn, zone, name, &set, &ignored) < 0)
			return 0;
		if ((set.flags & SET_AUTO_NAMED) && !(set.flags & SET_SERVED) &&
		    set.id != zone->live.set && set.id != zone->previous.set)
			return 0;       /* a reload that failed before: replaced */
	}
	return err_set(err, ERR_EXISTS, "no free name for a set of serial %u: drop some", next);
}

/* Is the reload refused, or without need? 1: unchanged, 0: go on, -1: refused. */
static int reload_wanted(struct catalog_txn *txn, const struct zone_row *zone, const struct import_claim *c, struct err *err)
{
	char name[NAME_TEXT_MAX];
	struct set_row live;

	name_to_text_short(name, zone->apex);
	if (zone->flags & ZONE_HELD)
		return err_set(err, ERR_HELD, "%s is held since its cutover: `schwenk confirm %s` or `schwenk rollback %s` first, "
			"or import into a set (%s@NAME)", name, name, name, name);
	if (c->expect_live_given && (zone->live.set != c->expect_live.set || zone->live.edition != c->expect_live.edition))
		return err_set(err, ERR_OVERTAKEN, "the live set of %s changed since the import began: nothing was done; import again if that is meant", name);
	if (!zone->live.set || c->failed)
		return 0;
	if (catalog_set(txn, zone->live.set, &live, err) < 0)
		return -1;
	return memcmp(&live.hash, &c->hash, sizeof c->hash) == 0 && live.edition == zone->live.edition;
}

int import_begin(struct writer *w, struct catalog_txn *txn, const struct import_claim *c, struct zone_row *zone, struct set_row *set, struct err *err)
{
	char name[SET_NAME_MAX + 1];
	struct err missing = ERR_INIT;

	if (writer_zone(txn, c->zone, zone, &missing) < 0) {
		uint8_t apex[NAME_MAX_SIZE];
		size_t size;

		if (!err_is(&missing, ERR_NO_SUCH_ZONE) || !c->create) {
			*err = missing;
			return -1;
		}
		if (control_parse_zone(c->zone, apex, &size, err) < 0 || catalog_zone_add(txn, apex, size, zone, err) < 0)
			return -1;
	}
	if (c->set) {
		snprintf(name, sizeof name, "%s", c->set);
	} else {
		int wanted = reload_wanted(txn, zone, c, err);

		if (wanted != 0)
			return wanted;
		if (auto_name(txn, zone, c->soa_serial, name, err) < 0)
			return -1;
	}
	return catalog_set_begin(txn, zone, name, c->source ? c->source : "", set, err);
}

int import_finish(struct catalog_txn *txn, uint64_t id, const struct import_claim *c, const struct image_header *h,
	uint64_t image, uint64_t octets, struct set_row *set, struct err *err)
{
	if (catalog_set(txn, id, set, err) < 0)
		return -1;
	set->state = c->failed ? SET_FAILED : SET_READY;
	set->flags |= (c->set ? 0 : SET_AUTO_NAMED) | (c->serial_fixed ? SET_SERIAL_FIXED : 0);
	if (!set->edition)
		set->edition = 1;
	set->soa_serial = c->soa_serial;
	set->records = h->records;
	set->rrsets = h->rrsets;
	set->nodes = h->nodes;
	set->octets = octets;
	memcpy(set->hash.word, h->content, sizeof set->hash.word);
	set->signing = c->signing;
	snprintf(set->note, sizeof set->note, "%s", c->note ? c->note : "");
	set->images = 1;
	set->image[0] = (struct set_image){ image, 0, set->edition, octets };
	return catalog_set_finish(txn, set, err);
}

json_t *import_reply(struct catalog_txn *txn, const struct zone_row *zone, uint64_t set_id, const char *outcome)
{
	struct err err = ERR_INIT;
	struct zone_row now;
	struct set_row set;

	if (catalog_zone(txn, zone->apex, zone->apex_size, &now, &err) < 0 || catalog_set(txn, set_id, &set, &err) < 0)
		return json_pack("{s:s,s:n}", "outcome", outcome, "set");
	return json_pack("{s:s,s:o,s:I}", "outcome", outcome, "set", set_json(txn, &now, &set), "serial", (json_int_t)now.served_serial);
}

/* The reload's switch, in the transaction that makes the set ready. */
static json_t *import_switch(struct catalog_txn *txn, struct import_job *job, const struct set_row *set, struct err *err)
{
	struct switch_item item = { .apex_size = job->zone.apex_size };
	struct switch_request s = { .kind = SWITCH_RELOAD, .items = &item, .count = 1, .expect_live = job->claim.expect_live,
		.expect_live_given = job->claim.expect_live_given, .note = json_text(job->json, "note"), .now_us = clock_wall_us() };
	struct switch_result result = { .items = NULL };
	json_t *reply, *switched;

	memcpy(item.apex, job->zone.apex, job->zone.apex_size);
	snprintf(item.set, sizeof item.set, "%s", set->name);
	who_from_json(&s.who, json_object_get(job->json, "who"));
	if (catalog_switch(txn, &s, &result, err) < 0)
		return NULL;
	reply = import_reply(txn, &job->zone, set->id, "live");
	switched = switch_json(txn, &s, &result);
	json_object_update_missing(reply, switched);
	json_decref(switched);
	switch_result_free(&result);
	return reply;
}

static int import_step_begin(struct writer *w, struct import_job *job, struct err *err)
{
	struct catalog_txn *txn;
	struct set_row set;
	int n;

	if (catalog_begin_bulk(w->store, &txn, err) < 0)
		return -1;
	n = import_begin(w, txn, &job->claim, &job->zone, &set, err);
	if (n != 0) {
		if (n > 0)
			writer_reply(w, job->id, import_reply(txn, &job->zone, job->zone.live.set, "unchanged"));
		catalog_abort(txn);
		return n > 0 ? 0 : -1;
	}
	job->set = set.id;
	job->intake.image = catalog_next_image_id(txn);
	if (writer_commit(w, txn, NULL, err) < 0) {
		job->set = 0;
		job->intake.image = 0;
		return -1;
	}
	job->state = IMPORT_COPY;
	return 1;
}

static int import_step_finish(struct writer *w, struct import_job *job, struct err *err)
{
	struct catalog_txn *txn;
	struct set_row set;
	json_t *reply = NULL;
	bool changed = false;

	if (catalog_begin(w->store, &txn, err) < 0)
		return -1;
	if (intake_check(&job->intake, &job->zone, false, err) == 0 &&
	    import_finish(txn, job->set, &job->claim, copy_in_header(job->intake.copy), job->intake.image, job->intake.size, &set, err) == 0)
		reply = job->claim.set || job->claim.failed ?
			import_reply(txn, &job->zone, job->set, job->claim.failed ? "failed" : "staged") :
			import_switch(txn, job, &set, err);
	if (!reply) {
		catalog_abort(txn);
		return -1;
	}
	if (writer_commit(w, txn, &changed, err) < 0) {
		json_decref(reply);
		return -1;
	}
	writer_committed(w, reply, changed);
	writer_reply(w, job->id, reply);
	writer_want_cleaning(w);
	return 0;
}

/* The set's row becomes dropping; its image, which no row ever named, goes
 * without a barrier. */
void drop_loading(struct writer *w, uint64_t set)
{
	struct err err = ERR_INIT;
	struct catalog_txn *txn;

	if (!set || w->failed || catalog_begin(w->store, &txn, &err) < 0)
		return;
	if (catalog_set_drop(txn, set, &err) < 0)
		catalog_abort(txn);
	else
		writer_commit(w, txn, NULL, &err);
	if (err.code)
		log_warning("what a failed import left is cleared at the next start only: %s", err.message);
	writer_want_cleaning(w);
}

/* 1: more, 0: gone. */
int intake_delete(struct writer *w, struct intake *in)
{
	struct err err = ERR_INIT;
	int n = in->image && !w->failed ? store_image_delete_step(w->store, in->image, SLICE_US, &err) : 0;

	if (n < 0)
		log_warning("an image that failed stays until the next start: %s", err.message);
	return n > 0;
}

static int import_fail(struct writer *w, struct import_job *job, struct err *err)
{
	writer_fail(w, job->id, err);
	copy_in_free(job->intake.copy);
	job->intake.copy = NULL;
	drop_loading(w, job->set);
	job->state = IMPORT_CLEAN;
	return job->intake.image ? 1 : 0;
}

static int import_step(struct writer *w, struct bulk *bulk)
{
	struct import_job *job = (struct import_job *)bulk;
	struct err err = ERR_INIT;
	int n = 1;

	switch (job->state) {
	case IMPORT_BEGIN:
		n = import_step_begin(w, job, &err);
		break;
	case IMPORT_COPY:
		n = intake_step(w, &job->intake, job->id, &err);
		if (n == 0) {
			job->state = IMPORT_FINISH;
			n = 1;
		}
		break;
	case IMPORT_FINISH:
		n = import_step_finish(w, job, &err);
		break;
	case IMPORT_CLEAN:
		return intake_delete(w, &job->intake);
	}
	return n < 0 ? import_fail(w, job, &err) : n;
}

static void import_free(struct bulk *bulk)
{
	struct import_job *job = (struct import_job *)bulk;

	intake_free(&job->intake);
	json_decref(job->json);
	free(job);
}

/* ---- requests that are jobs ------------------------------------------------------------ */

static struct bulk *begin_import(struct pending *p)
{
	struct import_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->bulk = (struct bulk){ .step = import_step, .free = import_free };
	job->id = p->id;
	job->json = json_incref(p->json);
	claim_from_json(&job->claim, job->json);
	intake_take(&job->intake, p);
	return &job->bulk;
}

bool writer_begin_bulk(struct writer *w, struct pending *p)
{
	const char *command = json_text(p->json, "command");
	struct err err = ERR_INIT;
	struct bulk *job;

	if (!command)
		return false;
	if (strcmp(command, "copy-in") == 0)
		job = begin_import(p);
	else if (strcmp(command, "edit-in") == 0 || strcmp(command, "fold-in") == 0)
		job = edition_begin(p, command[0] == 'f');
	else if (strcmp(command, "spares-in") == 0)
		job = spares_begin(p);
	else if (strcmp(command, "put-zones") == 0)
		job = portfolio_begin(p);
	else if (many_is_bulk(p->json))
		job = many_begin(p);
	else
		return false;
	if (job) {
		writer_add_bulk(w, job);
	} else {
		err_set(&err, ERR_NOMEM, "no memory");
		writer_fail(w, p->id, &err);
	}
	return true;
}
