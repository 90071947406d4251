#include "control/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_SIZE 65536
#define READ_FDS 32

void lines_init(struct lines *l, int fd, size_t line_max)
{
	memset(l, 0, sizeof *l);
	l->fd = fd;
	l->line_max = line_max;
}

void lines_clear(struct lines *l)
{
	for (unsigned i = 0; i < l->fd_count; i++)
		close(l->fds[i].fd);
	free(l->in);
	free(l->out);
	lines_init(l, -1, l->line_max);
}

static int make_room(struct lines *l, struct err *err)
{
	size_t want;
	char *bigger;

	if (l->in_at) {
		memmove(l->in, l->in + l->in_at, l->in_used - l->in_at);
		l->in_used -= l->in_at;
		l->in_at = 0;
	}
	if (l->in_size - l->in_used >= READ_SIZE / 4)
		return 0;
	want = l->in_size ? 2 * l->in_size : READ_SIZE;
	bigger = realloc(l->in, want);
	if (!bigger)
		return err_set(err, ERR_NOMEM, "no memory for a line");
	l->in = bigger;
	l->in_size = want;
	return 0;
}

static void keep_fds(struct lines *l, struct msghdr *msg, uint64_t at)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (l->fd_count < LINES_FDS_MAX)
				l->fds[l->fd_count++] = (struct lines_fd){ fd, at };
			else
				close(fd);
		}
	}
}

/* How much to read at once: of what brings descriptors one line, or what is
 * there of it. A look ahead without room for them tells that there are some. */
static size_t octets_to_read(struct lines *l, char *into, size_t room)
{
	struct iovec iov = { into, room };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(l->fd, &msg, MSG_PEEK);
	char *end;

	if (n <= 0)
		return room;            /* reading tells why */
	end = msg.msg_flags & MSG_CTRUNC ? memchr(into, '\n', (size_t)n) : NULL;
	return end ? (size_t)(end - into) + 1 : (size_t)n;
}

/* Whoever waits for a whole line drains all whole ones first: so the buffer
 * never holds much more than line_max. */
int lines_fill(struct lines *l, struct err *err)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(READ_FDS * sizeof(int))]; } control;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof control.buf };
	ssize_t n;

	if (l->at_end)
		return 0;
	if (make_room(l, err) < 0)
		return -1;
	iov.iov_base = l->in + l->in_used;
	iov.iov_len = octets_to_read(l, iov.iov_base, l->in_size - l->in_used);
	n = recvmsg(l->fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
			return 0;
		return err_system(err, "reading from the control socket");
	}
	keep_fds(l, &msg, l->offset + l->in_used - l->in_at);
	if (n == 0) {
		l->at_end = true;
		return 0;
	}
	l->in_used += (size_t)n;
	return 1;
}

/* Nobody took these, and their line has passed. */
static void close_passed(struct lines *l)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < l->fd_count; i++) {
		if (l->fds[i].at < l->taken_to)
			close(l->fds[i].fd);
		else
			l->fds[kept++] = l->fds[i];
	}
	l->fd_count = kept;
}

int lines_next(struct lines *l, char **line, size_t *size)
{
	char *begin = l->in ? l->in + l->in_at : NULL;
	size_t have = l->in_used - l->in_at;
	char *end = have > l->scanned ? memchr(begin + l->scanned, '\n', have - l->scanned) : NULL;

	close_passed(l);
	if (!end) {
		l->scanned = have;
		return have > l->line_max ? -1 : 0;
	}
	l->scanned = 0;
	*size = (size_t)(end - begin);
	if (*size > l->line_max)
		return -1;
	*end = '\0';
	*line = begin;
	l->in_at += *size + 1;
	l->offset += *size + 1;
	l->taken_to = l->offset;
	return 1;
}

size_t lines_partial(const struct lines *l)
{
	return l->in_used - l->in_at;
}

int lines_take_fd(struct lines *l)
{
	int fd;

	if (!l->fd_count || l->fds[0].at >= l->taken_to)
		return -1;
	fd = l->fds[0].fd;
	l->fd_count--;
	memmove(l->fds, l->fds + 1, l->fd_count * sizeof l->fds[0]);
	return fd;
}

int lines_put(struct lines *l, const char *text, size_t size)
{
	if (l->out_size - l->out_used < size + 1) {
		size_t left = l->out_used - l->out_at, want = l->out_size ? l->out_size : 4096;
		char *bigger;

		while (want - left < size + 1)
			want *= 2;
		bigger = malloc(want);
		if (!bigger)
			return -1;
		if (left)
			memcpy(bigger, l->out + l->out_at, left);
		free(l->out);
		l->out = bigger;
		l->out_size = want;
		l->out_at = 0;
		l->out_used = left;
	}
	memcpy(l->out + l->out_used, text, size);
	l->out[l->out_used + size] = '\n';
	l->out_used += size + 1;
	return 0;
}

size_t lines_queued(const struct lines *l)
{
	return l->out_used - l->out_at;
}

int lines_flush(struct lines *l)
{
	while (l->out_at < l->out_used) {
		ssize_t n = send(l->fd, l->out + l->out_at, l->out_used - l->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
		l->out_at += (size_t)n;
	}
	l->out_at = l->out_used = 0;
	if (l->out_size > 1u << 20) {   /* a long reply was an exception */
		free(l->out);
		l->out = NULL;
		l->out_size = 0;
	}
	return 0;
}
