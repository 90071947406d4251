/*
 * Queries over UDP from many sockets.
 *
 * Closed loop: each socket keeps a window of queries open; an answer makes
 * room for the next. Open loop: a query every 1/rate seconds, whatever comes
 * back; latency counts from the moment it was due, so that a stall is seen
 * in all queries that it held up.
 *
 * UDP_SEGMENT passes a group of queries through the sender's side of the
 * kernel at once; the server gets datagrams like any others. Without it the
 * generator would need as much CPU as the barest server.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define BATCH          64
#define READ           320      /* of a reply: header, question, a first record */
#define SOCKETS_MAX    1024
#define SLOTS_OPEN     4096     /* a socket, open loop */
#define LOOK_NS        10000000 /* for lost queries */
#define SLEEP_MIN_NS   50000

struct slot {
	uint64_t sent;          /* 0: free */
	uint16_t id;
};

struct asker {
	int fd;
	unsigned mask, open;    /* slots - 1; without an answer */
	struct slot *slots;
	uint16_t *free, free_count;     /* closed loop */
	uint16_t generation;
};

static const struct options *options;
static struct pool *pool;
static struct asker askers[SOCKETS_MAX];
static unsigned count;

static struct mmsghdr in[BATCH];
static struct iovec in_iov[BATCH];
static uint8_t in_bytes[BATCH][READ];

/* ---- sending ------------------------------------------------------------------------ */

/* count queries side by side, with their ids. Errors (nobody listens) are
 * found as lost queries. */
static void send_group(const struct asker *a, uint8_t *bytes, unsigned size, unsigned n)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
	} control = { 0 };
	struct iovec iov = { bytes, (size_t)size * n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	uint16_t segment = (uint16_t)size;

	if (n > 1) {
		struct cmsghdr *h;

		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = IPPROTO_UDP;
		h->cmsg_type = UDP_SEGMENT;
		h->cmsg_len = CMSG_LEN(sizeof segment);
		memcpy(CMSG_DATA(h), &segment, sizeof segment);
	}
	if (sendmsg(a->fd, &m, 0) < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
		die("cannot send: %s%s", strerror(errno), n > 1 && (errno == EINVAL || errno == EIO) ?
			": try --segments 1" : "");
	results.sent += n;
}

/* No UDP_SEGMENT: a datagram each, in one call. */
static void send_each(const struct asker *a, uint8_t *bytes, unsigned size, unsigned n)
{
	struct mmsghdr m[GROUP_MAX] = { 0 };
	struct iovec iov[GROUP_MAX];
	int sent;

	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){ bytes + i * size, size };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	for (unsigned at = 0; at < n; at += (unsigned)sent) {
		sent = sendmmsg(a->fd, m + at, n - at, 0);
		if (sent < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
			die("cannot send: %s", strerror(errno));
		if (sent < 0)
			sent = 1;
	}
	results.sent += n;
}

static void send_queries(const struct asker *a, uint8_t *bytes, unsigned size, unsigned n)
{
	if (options->segments > 1)
		send_group(a, bytes, size, n);
	else
		send_each(a, bytes, size, n);
}

static void open_slot(struct asker *a, unsigned slot, uint16_t id, uint8_t *query, uint64_t due)
{
	a->slots[slot] = (struct slot){ due, id };
	a->open++;
	query[0] = (uint8_t)(id >> 8);
	query[1] = (uint8_t)id;
}

static void fill_window(struct asker *a, uint64_t now)
{
	while (a->free_count) {
		unsigned most = options->segments > 1 ? options->segments : GROUP_MAX, n, size;
		uint8_t *bytes = pool_take(pool, a->free_count < most ? a->free_count : most, &n, &size);

		for (unsigned i = 0; i < n; i++) {
			uint16_t slot = a->free[--a->free_count];

			a->generation++;
			open_slot(a, slot, (uint16_t)(slot | a->generation * (a->mask + 1)), bytes + i * size, now);
		}
		send_queries(a, bytes, size, n);
	}
}

/* Open loop: slots are taken in turn; one still open is lost. */
static void send_due(struct asker *a, unsigned wanted, uint64_t due)
{
	while (wanted) {
		unsigned n, size;
		uint8_t *bytes = pool_take(pool, wanted < GROUP_MAX ? wanted : GROUP_MAX, &n, &size);

		for (unsigned i = 0; i < n; i++) {
			uint16_t id = a->generation++;
			struct slot *s = &a->slots[id & a->mask];

			if (s->sent) {
				results.lost++;
				a->open--;
			}
			open_slot(a, id & a->mask, id, bytes + i * size, due);
		}
		send_queries(a, bytes, size, n);
		wanted -= n;
	}
}

/* ---- receiving ------------------------------------------------------------------------ */

static void take_reply(struct asker *a, const uint8_t *message, size_t size, size_t whole, uint64_t now)
{
	uint16_t id;
	struct slot *s;

	if (whole < HEADER || !(message[2] & 0x80))
		return;
	id = (uint16_t)(message[0] << 8 | message[1]);
	s = &a->slots[id & a->mask];
	if (!s->sent || s->id != id) {
		results.late++;
		return;
	}
	results_note(message, size, whole, s->sent, now);
	s->sent = 0;
	a->open--;
	if (a->free)
		a->free[a->free_count++] = (uint16_t)(id & a->mask);
}

static unsigned receive(struct asker *a)
{
	int n = recvmmsg(a->fd, in, BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
	uint64_t now;

	if (n <= 0)
		return 0;
	now = now_ns();
	for (int i = 0; i < n; i++)
		take_reply(a, in_bytes[i], in[i].msg_len < READ ? in[i].msg_len : READ, in[i].msg_len, now);
	return (unsigned)n;
}

static void give_up(struct asker *a, uint64_t now)
{
	for (unsigned i = 0; a->open && i <= a->mask; i++) {
		if (!a->slots[i].sent || (double)(now - a->slots[i].sent) < 1e9 * options->timeout)
			continue;
		a->slots[i].sent = 0;
		a->open--;
		results.lost++;
		if (a->free)
			a->free[a->free_count++] = (uint16_t)i;
	}
}

static void look_for_lost(uint64_t now)
{
	static uint64_t last;

	if (now - last < LOOK_NS)
		return;
	last = now;
	for (unsigned i = 0; i < count; i++)
		give_up(&askers[i], now);
}

static void sleep_until_readable(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };
	struct pollfd p[SOCKETS_MAX];

	for (unsigned i = 0; i < count; i++)
		p[i] = (struct pollfd){ .fd = askers[i].fd, .events = POLLIN };
	ppoll(p, count, &t, NULL);
}

static bool all_answered(void)
{
	for (unsigned i = 0; i < count; i++)
		if (askers[i].open)
			return false;
	return true;
}

/* ---- the two loops --------------------------------------------------------------------- */

static void closed_loop(void)
{
	uint64_t now;

	while (clock_tick(now = now_ns())) {
		unsigned got = 0;

		for (unsigned i = 0; i < count; i++) {
			got += receive(&askers[i]);
			fill_window(&askers[i], now);
		}
		look_for_lost(now);
		if (!got)
			sleep_until_readable(LOOK_NS);
	}
}

static void open_loop(void)
{
	double period = 1e9 / options->rate;
	uint64_t begun = now_ns(), now, asked = 0;
	unsigned turn = 0;

	while (clock_tick(now = now_ns())) {
		uint64_t next;

		while ((next = begun + (uint64_t)(period * (double)asked)) <= now) {
			send_due(&askers[turn++ % count], 1, next);
			asked++;
		}
		for (unsigned i = 0; i < count; i++)
			while (receive(&askers[i]) == BATCH)
				;
		look_for_lost(now);
		now = now_ns();
		if (next > now + SLEEP_MIN_NS / 10)
			sleep_until_readable(next - now);
	}
}

static void wait_for_the_rest(void)
{
	uint64_t begun = now_ns();

	while (!all_answered() && (double)(now_ns() - begun) < 1e9 * options->timeout) {
		for (unsigned i = 0; i < count; i++)
			receive(&askers[i]);
		sleep_until_readable(LOOK_NS);
	}
	for (unsigned i = 0; i < count; i++)
		results.lost += askers[i].open;
}

static void open_asker(struct asker *a, unsigned i)
{
	unsigned slots = SLOTS_OPEN;
	int size = 4 << 20;

	a->fd = open_peer(options, SOCK_DGRAM, i);
	if (a->fd < 0)
		die("cannot connect: %s", strerror(errno));
	if (setsockopt(a->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
		setsockopt(a->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (!options->rate)
		for (slots = 1; slots < options->window;)
			slots *= 2;
	a->mask = slots - 1;
	a->slots = calloc(slots, sizeof *a->slots);
	if (!a->slots)
		die("out of memory");
	if (options->rate)
		return;
	a->free = calloc(slots, sizeof *a->free);
	if (!a->free)
		die("out of memory");
	while (a->free_count < options->window) {
		a->free[a->free_count] = a->free_count;
		a->free_count++;
	}
}

void ask_udp(const struct options *o, struct pool *p)
{
	options = o;
	pool = p;
	if (o->sockets > SOCKETS_MAX)
		die("at most %d sockets", SOCKETS_MAX);
	for (; count < o->sockets; count++)
		open_asker(&askers[count], count);
	for (unsigned i = 0; i < BATCH; i++) {
		in_iov[i] = (struct iovec){ in_bytes[i], READ };
		in[i].msg_hdr.msg_iov = &in_iov[i];
		in[i].msg_hdr.msg_iovlen = 1;
	}
	if (o->rate)
		open_loop();
	else
		closed_loop();
	wait_for_the_rest();
	for (unsigned i = 0; i < count; i++) {
		close(askers[i].fd);
		free(askers[i].slots);
		free(askers[i].free);
	}
}
