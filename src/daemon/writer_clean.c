/*
 * What the writer deletes in slices: garbage, behind a barrier, and at the
 * start what the process before left without a row.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "daemon/writer.h"

/* ---- garbage: what no row names any more -------------------------------------------- */

#define CLEAN_BATCH 64

enum clean_state { CLEAN_LOOK, CLEAN_WAIT /* for the barrier */, CLEAN_DELETE, CLEAN_FORGET };
struct cleaner {
	struct bulk bulk;
	enum clean_state state;
	uint64_t image[CLEAN_BATCH];
	unsigned count, at;
	uint64_t barrier;
	bool again;                     /* more may have come since */
};

/* A slice of what deleted groups had as members; nobody reads that any more. */
static int clean_groups(struct writer *w, struct err *err)
{
	struct catalog_txn *txn;
	int n;

	if (catalog_begin(w->store, &txn, err) < 0)
		return -1;
	n = catalog_group_clear(txn, err);
	if (n <= 0) {
		catalog_abort(txn);
		return n;
	}
	return writer_commit(w, txn, NULL, err) < 0 ? -1 : 1;
}

static int clean_look(struct writer *w, struct cleaner *c)
{
	struct err err = ERR_INIT;
	struct catalog_txn *txn;
	int n = clean_groups(w, &err);

	if (n > 0)
		return 1;
	if (n < 0) {
		log_warning("clearing groups that were deleted: %s", err.message);
		err_clear(&err);
	}
	c->again = false;
	if (w->failed)
		return 0;
	if (w->deletions_paused)
		return 0;               /* taken up when they are resumed */
	if (catalog_begin(w->store, &txn, &err) < 0) {
		log_warning("clearing: %s", err.message);
		return 0;
	}
	c->count = catalog_garbage(txn, c->image, CLEAN_BATCH);
	c->at = 0;
	catalog_abort(txn);
	if (!c->count)
		return 0;
	/* Readers that began before the last commit may still use them. */
	c->barrier = w->last_id;
	c->state = CLEAN_WAIT;
	return 1;
}

static void clean_ask_barrier(struct writer *w, struct cleaner *c)
{
	uint8_t payload[8];

	store_le64(payload, c->barrier);
	channel_send(w->role.channel, MSG_WANT_BARRIER, c->barrier, payload, sizeof payload, NULL, 0);
	if (channel_wants_write(w->role.channel))
		event_add(w->writable, NULL);
}

static int clean_delete(struct writer *w, struct cleaner *c)
{
	struct err err = ERR_INIT;
	int n;

	if (w->deletions_paused)
		return 0;
	n = store_image_delete_step(w->store, c->image[c->at], SLICE_US, &err);
	if (n < 0) {
		log_warning("clearing an image: %s", err.message);
		return 0;
	}
	if (n == 0 && ++c->at == c->count)
		c->state = CLEAN_FORGET;
	return 1;
}

static int clean_forget(struct writer *w, struct cleaner *c)
{
	struct err err = ERR_INIT;
	struct catalog_txn *txn;

	if (catalog_begin(w->store, &txn, &err) < 0) {
		log_warning("clearing: %s", err.message);
		return 0;
	}
	for (unsigned i = 0; i < c->count; i++)
		if (catalog_image_gone(txn, c->image[i], &err) < 0)
			break;
	if (err.code)
		catalog_abort(txn);
	else
		writer_commit(w, txn, NULL, &err);
	if (err.code) {
		log_warning("clearing: %s", err.message);
		return 0;
	}
	log_debug("%u images cleared", c->count);
	c->state = CLEAN_LOOK;
	return 1;
}

static int clean_step(struct writer *w, struct bulk *bulk)
{
	struct cleaner *c = (struct cleaner *)bulk;
	int more = 0;

	switch (c->state) {
	case CLEAN_LOOK:
		more = clean_look(w, c);
		break;
	case CLEAN_WAIT:
		break;
	case CLEAN_DELETE:
		more = clean_delete(w, c);
		break;
	case CLEAN_FORGET:
		more = clean_forget(w, c);
		break;
	}
	if (c->state == CLEAN_WAIT && more) {
		/* out of the queue until the barrier has passed */
		w->cleaner_waits = true;
		clean_ask_barrier(w, c);
		return 0;
	}
	if (!more && c->again && !w->deletions_paused) {
		c->state = CLEAN_LOOK;
		more = 1;
	}
	return more;
}

static void clean_free(struct bulk *bulk)
{
	/* it belongs to the writer, and is used again */
}

void writer_want_cleaning(struct writer *w)
{
	struct cleaner *c = (struct cleaner *)w->cleaner;
	struct bulk *queued;

	if (w->failed)
		return;
	if (!c) {
		c = calloc(1, sizeof *c);
		if (!c)
			return;
		c->bulk = (struct bulk){ .step = clean_step, .free = clean_free };
		w->cleaner = &c->bulk;
	}
	c->again = true;
	if (w->cleaner_waits)
		return;
	TAILQ_FOREACH(queued, &w->bulk, link)
		if (queued == w->cleaner)
			return;
	c->state = CLEAN_LOOK;
	writer_add_bulk(w, w->cleaner);
}

void writer_barrier_passed(struct writer *w, uint64_t id)
{
	struct cleaner *c = (struct cleaner *)w->cleaner;

	if (!w->cleaner_waits || !c || id < c->barrier)
		return;
	w->cleaner_waits = false;
	c->state = CLEAN_DELETE;
	writer_add_bulk(w, w->cleaner);
}

/* ---- orphans: images that were under way when the process before ended ---------------- */

struct orphans { struct bulk bulk; uint64_t cursor; unsigned deleted; };

static int orphans_step(struct writer *w, struct bulk *bulk)
{
	struct orphans *o = (struct orphans *)bulk;
	struct err err = ERR_INIT;
	int n;

	if (w->deletions_paused)
		return 0;               /* at the next start */
	n = store_orphans_step(w->store, &o->cursor, &o->deleted, &err);
	if (n < 0)
		log_warning("images without a row: %s", err.message);
	if (n <= 0 && o->deleted)
		log_notice("%u images of interrupted imports are cleared", o->deleted);
	return n > 0;
}

static void orphans_free(struct bulk *bulk)
{
	free(bulk);
}

void writer_begin_orphans(struct writer *w)
{
	struct orphans *o = calloc(1, sizeof *o);

	if (!o)
		return;
	o->bulk = (struct bulk){ .step = orphans_step, .free = orphans_free };
	writer_add_bulk(w, &o->bulk);
}
