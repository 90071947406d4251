/*
 * Sets that are, or may become, live are kept in memory (see store/warm.c): a
 * look at all of them every minute, a slice at a time, and only when there is
 * nothing else to do.
 */
#include "base/log.h"
#include "daemon/writer.h"

static const struct timeval at_once = { 0, 0 }, next_slice = { 0, 50000 }, next_round = { 60, 0 }, after_failure = { 600, 0 };

static void round_over(struct writer *w)
{
	if (w->warm.asked)
		log_info("%.1f MiB of the sets were not in memory: read ahead", (double)w->warm.asked / 1048576);
	w->warm = (struct store_warm){ .set = 0 };
	evtimer_add(w->warm_timer, &next_round);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct writer *w = arg;
	struct err err = ERR_INIT;
	int more;

	if (w->failed)
		return;
	if (STAILQ_FIRST(&w->now) || TAILQ_FIRST(&w->bulk)) {
		evtimer_add(w->warm_timer, &next_slice);
		return;
	}
	more = store_warm_step(w->store, &w->warm, SLICE_US, &err);
	if (more < 0) {
		log_warning("looking for sets that are not in memory: %s", err.message);
		w->warm = (struct store_warm){ .set = 0 };
		evtimer_add(w->warm_timer, &after_failure);
	} else if (more) {
		evtimer_add(w->warm_timer, &next_slice);
	} else {
		round_over(w);
	}
}

int writer_warm_begin(struct writer *w, struct err *err)
{
	w->warm_timer = evtimer_new(w->base, on_time, w);
	if (!w->warm_timer || evtimer_add(w->warm_timer, &at_once) < 0)
		return err_set(err, ERR_NOMEM, "no memory for a timer");
	return 0;
}

void writer_warm_end(struct writer *w)
{
	if (w->warm_timer)
		event_free(w->warm_timer);
	w->warm_timer = NULL;
}
