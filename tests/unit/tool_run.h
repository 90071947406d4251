/* A run of the tool against a daemon that says what a test wants, with what it
 * printed. */
#ifndef TOOL_RUN_H
#define TOOL_RUN_H

#include "tool_server.h"

struct run {
	struct server server;
	int status;
	char *out, *say;
};

/* Words of the command are separated by blanks; '~' within a word stands for
 * one. The socket is given by -s, as it were. */
void run_at(struct run *, const char *socket, const char *command);
/* The daemon takes these steps, or sends this one reply (NULL: none). */
void run_steps(struct run *, const char *command, const struct server_step *steps, size_t count);
void run_reply(struct run *, const char *command, const char *reply);
void run_free(struct run *);

/* text, cut at the octets \x1f, into argv; gives argc. */
int split(char *text, char **argv, int max);
/* The test fails unless part is, or is not, in text. */
void has(const char *text, const char *part);
void has_not(const char *text, const char *part);
const char *last_line(const char *text);

#endif
