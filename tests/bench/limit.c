/*
 * What the kernel's sockets cost, and nothing else: the unit of the ratios.
 *
 *   limit PORT        on 127.0.0.1: datagrams are read in batches
 *                     (recvmmsg), get the QR bit, and are sent back
 *                     (sendmmsg); the same over TCP, message by message
 *
 * No server that answers over these calls can be faster by more than what
 * its answers are shorter. Datagrams and streams have a process each, as
 * each is measured alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH          64
#define MESSAGE        4160     /* not a power of two: else all compete for the same lines of the cache */
#define RECEIVE_BUFFER (4 << 20)
#define STREAMS        4096     /* highest descriptor of a connection */
#define EVENTS         64

static void die(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(int type, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type, 0), one = 1, size = RECEIVE_BUFFER;

	if (fd < 0)
		die("socket");
	if (type & SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&a, sizeof a))
		die("bind");
	return fd;
}

/* ---- datagrams -------------------------------------------------------------------- */

static void serve_datagrams(int fd)
{
	static struct mmsghdr m[BATCH];
	static struct iovec iov[BATCH];
	static struct sockaddr_in peer[BATCH];
	static uint8_t bytes[BATCH][MESSAGE];

	for (unsigned i = 0; i < BATCH; i++) {
		iov[i].iov_base = bytes[i];
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &peer[i];
	}
	for (;;) {
		int n, sent;

		for (unsigned i = 0; i < BATCH; i++) {
			iov[i].iov_len = MESSAGE;
			m[i].msg_hdr.msg_namelen = sizeof peer[i];
		}
		n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0)
			die("recvmmsg");
		for (int i = 0; i < n; i++) {
			bytes[i][2] |= 0x80;
			iov[i].iov_len = m[i].msg_len;
		}
		for (int at = 0; at < n; at += sent) {
			sent = sendmmsg(fd, m + at, (unsigned)(n - at), 0);
			if (sent < 0)
				sent = 1;       /* this peer is gone */
		}
	}
}

/* ---- streams ------------------------------------------------------------------------- */

struct stream {
	size_t size;
	uint8_t bytes[16384];
};

static struct stream *streams[STREAMS];

static void end_stream(int fd)
{
	free(streams[fd]);
	streams[fd] = NULL;
	close(fd);
}

static void accept_all(int listener, int poll_fd)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

		if (fd >= STREAMS || !(streams[fd] = malloc(sizeof *streams[fd]))) {
			close(fd);
			continue;
		}
		streams[fd]->size = 0;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e);
	}
}

/* All whole messages of a read go back in one write. */
static void on_stream(int fd)
{
	struct stream *s = streams[fd];
	ssize_t got = read(fd, s->bytes + s->size, sizeof s->bytes - s->size);
	size_t whole = 0;

	if (got <= 0) {
		if (got == 0 || errno != EAGAIN)
			end_stream(fd);
		return;
	}
	s->size += (size_t)got;
	while (s->size - whole >= 5) {
		size_t message = 2 + (size_t)(s->bytes[whole] << 8 | s->bytes[whole + 1]);

		if (s->size - whole < message)
			break;
		s->bytes[whole + 4] |= 0x80;
		whole += message;
	}
	if (whole && write(fd, s->bytes, whole) != (ssize_t)whole) {
		end_stream(fd);
		return;
	}
	s->size -= whole;
	memmove(s->bytes, s->bytes + whole, s->size);
}

static void serve_streams(int listener)
{
	int poll_fd = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, events[EVENTS];

	if (poll_fd < 0 || listen(listener, 1024) || epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &e))
		die("listen");
	for (;;) {
		int n = epoll_wait(poll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(listener, poll_fd);
			else
				on_stream(events[i].data.fd);
		}
	}
}

int main(int argc, char **argv)
{
	uint16_t port = argc == 2 ? (uint16_t)atoi(argv[1]) : 0;
	int datagrams, listener;
	pid_t child;

	if (!port) {
		fputs("usage: limit PORT\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	datagrams = open_socket(SOCK_DGRAM, port);
	listener = open_socket(SOCK_STREAM | SOCK_NONBLOCK, port);
	child = fork();
	if (child < 0)
		die("fork");
	if (child) {
		close(listener);
		serve_datagrams(datagrams);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(datagrams);
	serve_streams(listener);
	return 0;
}
