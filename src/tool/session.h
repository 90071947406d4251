/*
 * One request and all that comes back: progress, questions for files,
 * problems, the reply. Turns what happened into an exit status.
 */
#ifndef TOOL_SESSION_H
#define TOOL_SESSION_H

#include "tool/tool.h"

struct session_hooks {
	/* The daemon asks for a file: a descriptor (closed by the session) or -1
	 * with err. NULL: none is given. */
	int (*open)(void *arg, const char *name, struct err *err);
	/* The daemon asks for up to n more files: sends them by session_send. */
	int (*need)(void *arg, struct tool *, unsigned n, struct err *err);
	/* A progress object that is none of ours (history --follow). */
	void (*progress)(void *arg, struct tool *, const json_t *progress);
	bool for_ever;          /* no time limit */
	void *arg;
};

/* Sends the request (whose reference is taken) and waits for the reply, which
 * is the caller's: ok or not. Otherwise an exit status; the error is told. */
int session_exchange(struct tool *, json_t *request, int fd, const struct session_hooks *, json_t **reply);
/* The same, but a reply that is not ok is told too, and gives its status. */
int session_ask(struct tool *, json_t *request, int fd, const struct session_hooks *, json_t **reply);
/* Tells the error of a reply that is not ok; gives the status. */
int session_refused(struct tool *, json_t *reply);
/* One more line to the daemon while a request runs; takes the reference. */
int session_send(struct tool *, json_t *line, int fd, struct err *err);
/* {"command":…} with what the options --note, --drop, … say. */
json_t *session_request(const char *command);
void session_close(struct tool *);
/* What Ctrl-C leaves: unlinked is removed, said is written (NULL: nothing).
 * Both stay the caller's, until it sets NULL. */
void session_if_interrupted(const char *unlinked, const char *said);
/* Members of a group, as an array of strings; NULL: told, status set. */
json_t *session_group(struct tool *, const char *group, int *status);
/* The same; here an empty group is an error. */
json_t *session_members(struct tool *, const char *group, int *status);

/* Shorthands for replies: "" and 0 for what is not there. */
const char *reply_text(const json_t *object, const char *key);
int64_t reply_number(const json_t *object, const char *key);
bool reply_true(const json_t *object, const char *key);

#endif
