/*
 * Lines with descriptors over a Unix stream socket: both ends of the control
 * protocol. No JSON and no event loop in here.
 *
 * A descriptor belongs to the line in whose octets it arrived. The kernel
 * joins data sent without descriptors with data that has some, and does not
 * tell where the latter began: so no read that brings descriptors goes beyond
 * the end of a line. What nobody took is closed with the next line.
 */
#ifndef CONTROL_LINES_H
#define CONTROL_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LINES_FDS_MAX 128       /* descriptors waiting; more are closed */

struct lines_fd { int fd; uint64_t at; };  /* where in the stream the read began that brought it */
struct lines {
	int fd;                         /* the socket, owned by the user */
	size_t line_max;
	char *in; size_t in_at, in_used, in_size;
	size_t scanned;                 /* octets behind in_at known to hold no newline */
	uint64_t offset;                /* of in[in_at] in the stream */
	uint64_t taken_to;              /* where the line given last ends */
	struct lines_fd fds[LINES_FDS_MAX]; unsigned fd_count;
	char *out; size_t out_at, out_used, out_size;
	bool at_end;                    /* the peer sends no more */
};

void lines_init(struct lines *, int fd, size_t line_max);
/* Frees the buffers and closes the descriptors that nobody took; not the socket. */
void lines_clear(struct lines *);
/* Reads once. 1: something came, 0: nothing now, or the end (at_end), -1:
 * failed (err). */
int lines_fill(struct lines *, struct err *);
/* The next whole line, without newline; valid until the next call on lines.
 * 1: a line, 0: none yet, -1: longer than line_max. */
int lines_next(struct lines *, char **line, size_t *size);
/* Octets of a line that is not whole yet. */
size_t lines_partial(const struct lines *);
/* A descriptor of the line given last, owned by the caller; -1: none. */
int lines_take_fd(struct lines *);
/* Queues text and a newline. -1: no memory. */
int lines_put(struct lines *, const char *text, size_t size);
size_t lines_queued(const struct lines *);
/* Writes what goes. 0, or -1: the peer is gone. Never raises SIGPIPE. */
int lines_flush(struct lines *);

#endif
