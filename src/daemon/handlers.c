/* Which request goes where: by its command's place, and by name. */
#include "daemon/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/handlers_jobs.h"

static const struct {
	enum control_place place;
	const char *command;            /* NULL: all others of that place */
	void (*run)(struct request *);
} handlers[] = {
	{ RUN_MAIN, "status", handle_status },
	{ RUN_MAIN, "zones", handle_zones },
	{ RUN_MAIN, "zone-show", handle_zone_show },
	{ RUN_MAIN, "sets", handle_sets },
	{ RUN_MAIN, "history", handle_history },
	{ RUN_MAIN, "group-list", handle_group_list },
	{ RUN_MAIN, "stats", handle_stats },
	{ RUN_MAIN, "complete", handle_complete },
	{ RUN_MAIN, "reload", handle_reload },
	{ RUN_MAIN, "stop", handle_stop },
	{ RUN_WRITER, "rollback", handle_rollback },
	{ RUN_WRITER, NULL, handle_write },
	{ RUN_TASK, NULL, handle_job },
	{ RUN_LOADER, NULL, handle_job },
};

static void refuse(struct request *r, const char *code, const char *text)
{
	struct err err = ERR_INIT;

	err_set(&err, code, "%s", text);
	request_fail(r, &err);
}

/* ---- questions ------------------------------------------------------------------- */

static LIST_HEAD(question_list, question) questions = LIST_HEAD_INITIALIZER(questions);

struct question *question_begin(struct request *r)
{
	struct question *q = calloc(1, sizeof *q);

	if (!q) {
		if (r)
			refuse(r, ERR_NOMEM, "no memory: nothing was done");
		return NULL;
	}
	q->request = r;
	q->asked_us = clock_boot_us();
	LIST_INSERT_HEAD(&questions, q, link);
	return q;
}

void question_end(struct question *q)
{
	LIST_REMOVE(q, link);
	free(q);
}

void handlers_free(void)
{
	struct question *q;

	while ((q = LIST_FIRST(&questions))) {
		if (q->request)
			request_reply(q->request, NULL);
		question_end(q);
	}
}

/* ---- requests -------------------------------------------------------------------- */

static void dispatch(struct request *r)
{
	const struct control_command *c = r->command;

	r->gone = NULL;
	r->drained = NULL;
	r->arg = NULL;
	if (r->daemon->stopping) {
		refuse(r, ERR_UNAVAILABLE, "schwenkd is stopping: nothing was done");
		return;
	}
	for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
		if (handlers[i].place == c->place && (!handlers[i].command || strcmp(handlers[i].command, c->name) == 0)) {
			handlers[i].run(r);
			return;
		}
	refuse(r, ERR_INTERNAL, "the daemon has no handler for this command");
}

static void on_drained(void *arg)
{
	dispatch(arg);
}

static void on_gone(void *arg)
{
	request_reply(arg, NULL);
}

/* A client that sends requests and reads no replies waits: what is queued for
 * it stays bounded. */
void handle_request(struct request *r)
{
	if (request_queued(r) <= REQUEST_QUEUE_HIGH) {
		dispatch(r);
		return;
	}
	r->drained = on_drained;
	r->gone = on_gone;
	r->arg = r;
}
