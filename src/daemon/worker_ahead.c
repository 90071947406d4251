/* The worker maps the store ahead of the answers, a few microseconds at a time:
 * a set before it goes live, and what a switch changes before it is asked for. */
#include "base/log.h"
#include "daemon/worker.h"

static const struct timeval next_piece = { 0, 2000 }, next_look = { 1, 0 };

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct err err = ERR_INIT;
	int more = store_reader_map_ahead(w->reader, &err);

	if (more < 0) {
		log_warning("cannot map the store ahead of the answers: %s", err.message);
		return;         /* the next query ends this worker, for the same reason */
	}
	evtimer_add(w->ahead, more > 0 ? &next_piece : &next_look);
}

int worker_ahead_begin(struct worker *w, struct err *err)
{
	w->ahead = evtimer_new(w->base, on_time, w);
	if (!w->ahead || evtimer_add(w->ahead, &next_piece) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	return 0;
}

void worker_ahead_end(struct worker *w)
{
	if (w->ahead)
		event_free(w->ahead);
}
