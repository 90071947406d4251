/*
 * Queries over TCP: so many connections, so many queries open on each, so
 * many queries before a connection is closed and the next one made. Answers
 * may come in any order; queries that became possible by one read go out in
 * as few writes as they fill groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define EVENTS       64
#define IN_SIZE      65536
#define IN_FLIGHT    256
#define WAIT_MS      10
#define LOOK_NS      50000000

struct connection {
	int fd;
	unsigned number;                /* for its source address */
	bool connecting;
	unsigned open, asked;           /* without an answer; since it was made */
	uint64_t sent[IN_FLIGHT];       /* by slot; 0: free */
	uint16_t generation, id[IN_FLIGHT];
	size_t in_size;
	uint8_t in[IN_SIZE];
};

static const struct options *options;
static struct pool *pool;
static int poll_fd;
static bool ending;

static void fill(struct connection *, uint64_t now);

static void begin_connection(struct connection *c, uint64_t now)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	int one = 1;

	c->fd = open_peer(options, SOCK_STREAM | SOCK_NONBLOCK, c->number);
	if (c->fd < 0) {
		results.failed_connections++;
		return;
	}
	c->number += options->connections;
	c->connecting = true;
	c->asked = c->open = 0;
	c->in_size = 0;
	memset(c->sent, 0, sizeof c->sent);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e))
		die("epoll_ctl: %s", strerror(errno));
	fill(c, now);
}

static void end_connection(struct connection *c, uint64_t now)
{
	results.lost += c->open;
	close(c->fd);
	c->fd = -1;
	if (!ending)
		begin_connection(c, now);
}

/* False where the connection was lost. */
static bool write_queries(struct connection *c, const uint8_t *bytes, size_t size)
{
	ssize_t n = write(c->fd, bytes, size);

	if (n == (ssize_t)size)
		return true;
	if (n < 0 && errno != EAGAIN)
		return false;
	/* what a window of queries needs fits into any send buffer, unless
	 * the server has stopped reading */
	results.failed_connections++;
	return false;
}

static void fill(struct connection *c, uint64_t now)
{
	unsigned slot = 0;

	while (c->fd >= 0 && !ending && c->open < options->window &&
	       (!options->per_connection || c->asked < options->per_connection)) {
		unsigned room = options->window - c->open, n, size;
		uint8_t *bytes;

		if (c->connecting) {
			struct tcp_info info;
			socklen_t length = sizeof info;

			if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &length) || info.tcpi_state != TCP_ESTABLISHED)
				return;         /* EPOLLOUT will tell */
			c->connecting = false;
		}
		if (options->per_connection && room > options->per_connection - c->asked)
			room = options->per_connection - c->asked;
		bytes = pool_take(pool, room, &n, &size);
		for (unsigned i = 0; i < n; i++, slot++) {
			while (c->sent[slot])
				slot++;
			c->generation++;
			c->id[slot] = (uint16_t)(slot | c->generation * IN_FLIGHT);
			c->sent[slot] = now;
			bytes[i * size + 2] = (uint8_t)(c->id[slot] >> 8);
			bytes[i * size + 3] = (uint8_t)c->id[slot];
		}
		c->open += n;
		c->asked += n;
		results.sent += n;
		if (!write_queries(c, bytes, (size_t)size * n)) {
			end_connection(c, now);
			return;
		}
	}
}

static void take_reply(struct connection *c, const uint8_t *message, size_t size, uint64_t now)
{
	uint16_t id;
	unsigned slot;

	if (size < HEADER || !(message[2] & 0x80))
		return;
	id = (uint16_t)(message[0] << 8 | message[1]);
	slot = id % IN_FLIGHT;
	if (!c->sent[slot] || c->id[slot] != id) {
		results.late++;
		return;
	}
	results_note(message, size, size, c->sent[slot], now);
	c->sent[slot] = 0;
	c->open--;
}

static void take_replies(struct connection *c, uint64_t now)
{
	size_t at = 0;

	while (c->in_size - at >= 2) {
		size_t size = (size_t)(c->in[at] << 8 | c->in[at + 1]);

		if (c->in_size - at - 2 < size)
			break;
		take_reply(c, c->in + at + 2, size, now);
		at += 2 + size;
	}
	c->in_size -= at;
	memmove(c->in, c->in + at, c->in_size);
}

static void on_event(struct connection *c, uint64_t now)
{
	ssize_t n;

	do {
		n = read(c->fd, c->in + c->in_size, IN_SIZE - c->in_size);
		if (n > 0) {
			c->in_size += (size_t)n;
			take_replies(c, now);
		}
	} while (n == (ssize_t)IN_SIZE);
	if (n == 0 || (n < 0 && errno != EAGAIN) ||
	    (options->per_connection && c->asked == options->per_connection && !c->open))
		end_connection(c, now);
	else
		fill(c, now);
}

static void look_for_stuck(struct connection *all, uint64_t now)
{
	static uint64_t last;

	if (now - last < LOOK_NS)
		return;
	last = now;
	for (unsigned i = 0; i < options->connections; i++) {
		struct connection *c = &all[i];
		bool stuck = false;

		if (c->fd < 0) {
			begin_connection(c, now);
			continue;
		}
		for (unsigned k = 0; k < options->window; k++)
			stuck |= c->sent[k] && (double)(now - c->sent[k]) > 1e9 * options->timeout;
		if (stuck)
			end_connection(c, now);
	}
}

static void wait_for_events(int ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(poll_fd, events, EVENTS, ms);
	uint64_t now = now_ns();

	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		if (c->fd >= 0)
			on_event(c, now);
	}
}

void ask_tcp(const struct options *o, struct pool *p)
{
	struct connection *all = calloc(o->connections, sizeof *all);
	uint64_t now, end;

	options = o;
	pool = p;
	poll_fd = epoll_create1(0);
	if (!all || poll_fd < 0)
		die("cannot begin: %s", strerror(errno));
	if (o->window > IN_FLIGHT)
		die("at most %d queries in flight on a connection", IN_FLIGHT);
	now = now_ns();
	for (unsigned i = 0; i < o->connections; i++) {
		all[i].number = i;
		begin_connection(&all[i], now);
	}
	while (clock_tick(now = now_ns())) {
		wait_for_events(WAIT_MS);
		look_for_stuck(all, now_ns());
	}
	ending = true;
	end = now + (uint64_t)(1e9 * o->timeout);
	for (unsigned i = 0; i < o->connections; i++) {
		while (all[i].fd >= 0 && all[i].open && now_ns() < end)
			wait_for_events(WAIT_MS);
		if (all[i].fd >= 0)
			end_connection(&all[i], now);
	}
	close(poll_fd);
	free(all);
}
