#include "daemon/reading.h"

#include <stdlib.h>

#include "base/clock.h"

#define TURN_US  1000           /* of main's time, in one turn of the loop, for all readings together … */
#define SHARE_US 100            /* … but each gets this much */

static unsigned working;        /* those that do not wait */

static void set_working(struct reading *g, bool works)
{
	if (g->working != works)
		working += works ? 1 : -1U;
	g->working = works;
}

/* The request's reply; NULL where its client has gone. */
static void reading_end(struct reading *g, json_t *reply)
{
	struct request *r = g->request;

	set_working(g, false);
	if (g->clear)
		g->clear(g);
	event_free(g->turn);
	if (reply != g->reply)
		json_decref(g->reply);
	free(g);
	r->gone = NULL;
	r->arg = NULL;
	request_reply(r, reply);
}

void reading_fail(struct reading *g, const struct err *err)
{
	reading_end(g, control_error(err));
}

static void schedule(struct reading *g, unsigned ms, bool works)
{
	/* a timer, not event_active: between two turns the loop looks at all
	 * that has come */
	struct timeval t = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	set_working(g, works);
	evtimer_add(g->turn, &t);
}

void reading_wake(struct reading *g)
{
	schedule(g, 0, true);
}

bool reading_is_over(const struct reading *g)
{
	return clock_boot_us() >= g->until_us;
}

static enum reading_result run_step(struct reading *g, struct err *err)
{
	struct daemon *d = g->request->daemon;
	unsigned share = working ? TURN_US / working : TURN_US;
	enum reading_result result;

	if (!d->reader || daemon_snapshot(d, err) < 0) {
		err_set(err, ERR_UNAVAILABLE, "the store is not open");
		err_context(err, "main cannot read the store");
		return READING_FAILED;
	}
	g->until_us = clock_boot_us() + (share > SHARE_US ? share : SHARE_US);
	g->stepping = true;
	result = g->step(g, snapshot_catalog(d->reader), err);
	g->stepping = false;
	snapshot_end(d->reader);
	return result;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct err err = ERR_INIT;
	struct reading *g = arg;
	enum reading_result result = run_step(g, &err);

	if (g->gone) {
		reading_end(g, NULL);
		return;
	}
	switch (result) {
	case READING_DONE:
		reading_end(g, g->reply);
		break;
	case READING_MORE:
		schedule(g, 0, true);
		break;
	case READING_WAIT:
		schedule(g, g->wait_ms, false);
		break;
	case READING_FAILED:
		reading_fail(g, &err);
		break;
	}
}

/* Also from within a step that sent a progress line. */
static void on_gone(void *arg)
{
	struct reading *g = arg;

	g->gone = true;
	if (!g->stepping)
		reading_end(g, NULL);
}

void *reading_begin(struct request *r, size_t size,
	enum reading_result (*step)(struct reading *, struct catalog_txn *, struct err *), void (*clear)(struct reading *))
{
	struct reading *g = calloc(1, size);
	struct err err = ERR_INIT;

	if (!g || !(g->turn = evtimer_new(r->daemon->base, on_turn, g))) {
		free(g);
		err_set(&err, ERR_NOMEM, "no memory for a request");
		request_fail(r, &err);
		return NULL;
	}
	g->request = r;
	g->step = step;
	g->clear = clear;
	r->gone = on_gone;
	r->arg = g;
	schedule(g, 0, true);
	return g;
}
