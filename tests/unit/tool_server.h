/* A daemon that says what a test wants, over the real protocol. */
#ifndef TOOL_SERVER_H
#define TOOL_SERVER_H

#include <stddef.h>

#define SERVER_STEPS 32
#define SERVER_TEXT 65536
#define SERVER_CLOSE "\004"     /* at a reply's end: then the connection is closed, too */

/* For each line that the tool sends: what goes back. */
struct server_step {
	const char *reply;      /* lines, each with newline; NULL: close the connection */
	const char *write_fd;   /* is written to the descriptor that came, before the reply */
};

struct server {
	char dir[64], path[96];
	int listener;
	struct server_step step[SERVER_STEPS];
	size_t steps;
	char lines[SERVER_TEXT];        /* what came, a line each */
	char files[SERVER_TEXT];        /* what the descriptors held, one after the other */
	size_t fds;
	unsigned long thread;
};

/* Listens; the tool may run from now on. */
void server_start(struct server *, const struct server_step *, size_t steps);
/* Waits for the connection's end, and removes the socket. */
void server_end(struct server *);

#endif
