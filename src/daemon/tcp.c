/*
 * Streams: queries behind one another, each with its length before it (RFC
 * 1035 4.2.2, RFC 7766).
 *
 * Connections and listeners are watched by an epoll set of their own, which is
 * one event of the loop. What is readable is read; then one snapshot is begun,
 * and the queries of all these connections are answered in batches; a
 * connection's replies of a batch go with one write. (An event of the loop's
 * for each would be taken and dropped by system calls of its own, and answered
 * alone.) The set tells of a connection once (EPOLLET), so that the kernel need
 * not look again at what was read to its end. A new connection is read at once,
 * and goes into the set when it has been answered. While a reply waits for the
 * client, nothing more is read from it: a client that does not read its replies
 * holds up itself alone, and not for long. There is no timer a connection:
 * those in one state are in one list, in the order in which they came into it,
 * and one sweep looks at the lists' heads.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/tcp_clients.h"
#include "daemon/worker.h"

#define EVENTS          64              /* a wake-up */
#define EVENTS_PER_ACCEPT 16            /* one more is accepted for so many others */
#define ACCEPTS_MAX     64              /* at once */
#define HEADER_SIZE     12              /* of a DNS message: what is shorter is none */
#define IN_FIRST        1024            /* the in buffer begins with this and doubles */
#define IN_MAX          (2 + 65535)
#define REPLY_SPACE     (65536 + 192)   /* no power of two: see STAGGER in udp.c */
#define SPARE_MAX       64              /* ended connections whose memory is kept for the next */
#define SWEEP_MS        250
#define WRITE_STEP      (16u << 10)     /* taking so much of a reply renews the time for it */
#define PENDING_TIGHT   (16u << 20)     /* replies waiting in the worker: one a batch above this */
#define PENDING_MAX     (64u << 20)     /* … and those who make them wait go above this */

#define FOR_READING     (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define FOR_WRITING     (EPOLLOUT | EPOLLET)

enum state {
	TCP_IDLE,       /* every query is answered: the next may begin */
	TCP_READING,    /* a part of a query is here; the rest has tcp-read-timeout from its first octet on */
	TCP_WRITING,    /* the client does not take its reply; as long for each WRITE_STEP of it */
	STATES,
};

struct connection {
	TAILQ_ENTRY(connection) link;   /* in the list of its state */
	TAILQ_ENTRY(connection) ready;  /* if answerable */
	struct client_link of_client;
	enum state state;
	int fd;
	int64_t since_us;               /* in the state; CLOCK_BOOTTIME */
	uint32_t watched;               /* what the epoll set waits for; 0: not in it yet */
	bool unread;                    /* there may be more than was read, of which the set has told already */
	bool answerable;                /* has whole queries, or comes to its end */
	bool finished;                  /* the client will send no more, or sent nonsense: close when all is written */
	uint32_t in_at, in_end, in_capacity;
	uint8_t *in;                    /* first, or malloc'd where that is too small */
	uint8_t *out;                   /* what the kernel did not take */
	size_t out_at, out_end;
	size_t taken;                   /* of it, since since_us */
	struct sockaddr_storage peer;
	uint8_t first[IN_FIRST];
};
TAILQ_HEAD(connection_list, connection);

struct tcp {
	struct worker *worker;
	int *listeners;                 /* in the epoll set, by their place here */
	unsigned listener_count;
	int epoll;
	struct event *eventful, *sweep;
	struct connection_list list[STATES], answerable;
	struct connection_list spare;   /* by link */
	unsigned spares, connections;
	struct clients clients;
	size_t pending;
	int64_t now_us;                 /* of the present wake-up */
	bool accepting;                 /* the epoll set waits for the listeners */
	unsigned since_accept;          /* events of connections */
	uint64_t accepted, queries, evicted, client_evicted, timed_out, malformed;
	struct answer_job jobs[ANSWER_BATCH];
	uint8_t reply[ANSWER_BATCH][REPLY_SPACE];
};

/* ---- states and ends --------------------------------------------------------------- */

static void forget_input(struct connection *c)
{
	/* one long query must not hold 64 KiB for as long as the client idles */
	if (c->in != c->first)
		free(c->in);
	c->in = c->first;
	c->in_capacity = IN_FIRST;
	c->in_at = c->in_end = 0;
}

static void connection_close(struct tcp *t, struct connection *c)
{
	TAILQ_REMOVE(&t->list[c->state], c, link);
	if (c->answerable)
		TAILQ_REMOVE(&t->answerable, c, ready);
	clients_leave(&t->clients, &c->of_client);
	t->connections--;
	t->pending -= c->out_end - c->out_at;
	close(c->fd);                   /* leaves the epoll set by that: there is no other descriptor of it */
	forget_input(c);
	free(c->out);
	if (t->spares < SPARE_MAX) {
		TAILQ_INSERT_HEAD(&t->spare, c, link);
		t->spares++;
	} else {
		free(c);
	}
}

/* The one place where a connection changes its state. false: it cannot go on. */
static bool enter(struct tcp *t, struct connection *c, enum state state)
{
	struct epoll_event wanted = { .events = state == TCP_WRITING ? FOR_WRITING : FOR_READING, .data.ptr = c };
	int how = c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	bool same = wanted.events == c->watched && !c->unread;

	TAILQ_REMOVE(&t->list[c->state], c, link);
	TAILQ_INSERT_TAIL(&t->list[state], c, link);
	c->state = state;
	c->since_us = t->now_us;
	c->taken = 0;
	if (same)
		return true;
	c->watched = wanted.events;
	c->unread = false;              /* either call looks at the socket anew */
	return epoll_ctl(t->epoll, how, c->fd, &wanted) == 0;
}

/* Room for one more: the longest idle goes, else who began to send longest
 * ago, else who has not read for longest. */
static bool evict(struct tcp *t)
{
	for (int state = TCP_IDLE; state < STATES; state++) {
		struct connection *c = TAILQ_FIRST(&t->list[state]);

		if (c) {
			t->evicted++;
			connection_close(t, c);
			return true;
		}
	}
	return false;
}

static struct connection *connection_of(struct client_link *link)
{
	return (struct connection *)((uint8_t *)link - offsetof(struct connection, of_client));
}

/* The same among a client's own. */
static void evict_of(struct tcp *t, const struct client_links *links)
{
	struct connection *worst = connection_of(TAILQ_FIRST(links));
	struct client_link *link;

	TAILQ_FOREACH(link, links, link) {
		struct connection *c = connection_of(link);

		if (c->state < worst->state || (c->state == worst->state && c->since_us < worst->since_us))
			worst = c;
	}
	t->client_evicted++;
	connection_close(t, worst);
}

/* how: EPOLL_CTL_ADD the first time, EPOLL_CTL_MOD from then on. */
static bool watch_listeners(struct tcp *t, int how, bool on)
{
	if (t->accepting == on)
		return true;
	for (unsigned i = 0; i < t->listener_count; i++) {
		struct epoll_event wanted = { .events = on ? EPOLLIN : 0, .data.ptr = (void *)&t->listeners[i] };

		if (epoll_ctl(t->epoll, how, t->listeners[i], &wanted) < 0)
			return false;
	}
	t->accepting = on;
	return true;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	const struct conf *conf = t->worker->role.conf;
	const int64_t limit[STATES] = {
		[TCP_IDLE] = conf->tcp_idle_timeout * INT64_C(1000000),
		[TCP_READING] = conf->tcp_read_timeout * INT64_C(1000000),
		[TCP_WRITING] = conf->tcp_read_timeout * INT64_C(1000000),
	};
	int64_t now = clock_boot_us();

	for (int state = 0; state < STATES; state++) {
		struct connection *c;

		while ((c = TAILQ_FIRST(&t->list[state])) && now - c->since_us >= limit[state]) {
			t->timed_out++;
			connection_close(t, c);
		}
	}
	watch_listeners(t, EPOLL_CTL_MOD, true);        /* after a want of descriptors */
}

/* ---- answering ----------------------------------------------------------------------- */

/* Is there a whole query, or a length that is none, at the front? */
static bool has_query(const struct connection *c)
{
	uint32_t here = c->in_end - c->in_at;

	return here >= 2 && (load_be16(c->in + c->in_at) < HEADER_SIZE || here >= 2u + load_be16(c->in + c->in_at));
}

/* Whole queries at the front of what was read become jobs, `most` of them. */
static unsigned take_queries(struct tcp *t, struct connection *c, unsigned first, unsigned most)
{
	unsigned n = 0;

	while (n < most && has_query(c)) {
		uint16_t size = load_be16(c->in + c->in_at);
		struct answer_job *job = &t->jobs[first + n];

		if (size < HEADER_SIZE) {
			/* who counts like this cannot be followed any further */
			t->malformed++;
			c->finished = true;
			c->in_at = c->in_end;
			break;
		}
		*job = (struct answer_job){
			.query = c->in + c->in_at + 2, .query_size = size,
			.reply = t->reply[first + n] + 2, .reply_capacity = 65535, .tcp = true,
		};
		worker_set_client(job, &c->peer);
		c->in_at += 2u + size;
		n++;
	}
	return n;
}

static bool keep_rest(struct tcp *t, struct connection *c, struct iovec *iov, unsigned count, size_t sent, size_t total)
{
	uint8_t *p = malloc(total - sent);

	if (!p)
		return false;
	c->out = p;
	c->out_at = 0;
	c->out_end = total - sent;
	t->pending += total - sent;
	for (unsigned i = 0; i < count; i++) {
		size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		memcpy(p, (uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
		p += iov[i].iov_len - skip;
		sent -= skip;
	}
	return t->pending <= PENDING_MAX;
}

static ssize_t write_all(int fd, struct iovec *iov, unsigned count)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = count };
	ssize_t sent;

	do {
		sent = count == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT) :
			sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 && errno == EAGAIN ? 0 : sent;
}

/* The replies of some jobs. false: the connection cannot go on. */
static bool send_replies(struct tcp *t, struct connection *c, unsigned first, unsigned count)
{
	struct iovec iov[ANSWER_BATCH];
	size_t total = 0;
	unsigned n = 0;
	ssize_t sent;

	for (unsigned i = first; i < first + count; i++) {
		if (!t->jobs[i].reply_size)
			continue;
		store_be16(t->reply[i], (uint16_t)t->jobs[i].reply_size);
		iov[n++] = (struct iovec){ t->reply[i], 2 + t->jobs[i].reply_size };
		total += 2 + t->jobs[i].reply_size;
	}
	if (!n)
		return true;
	sent = write_all(c->fd, iov, n);
	return sent >= 0 && ((size_t)sent == total || keep_rest(t, c, iov, n, (size_t)sent, total));
}

static void make_answerable(struct tcp *t, struct connection *c)
{
	if (!c->answerable)
		TAILQ_INSERT_TAIL(&t->answerable, c, ready);
	c->answerable = true;
}

/* After a batch in which so many of its queries were answered: what is waited
 * for now. false: the connection is over. */
static bool settle(struct tcp *t, struct connection *c, unsigned first, unsigned count)
{
	if (count && !send_replies(t, c, first, count))
		return false;
	if (c->out)
		return enter(t, c, TCP_WRITING);
	if (has_query(c)) {
		make_answerable(t, c);  /* behind the others */
		return true;
	}
	if (c->finished)
		return false;
	if (c->in_at == c->in_end) {
		forget_input(c);
		return enter(t, c, TCP_IDLE);
	}
	return (!count && c->state == TCP_READING) || enter(t, c, TCP_READING);
}

/* Answers what was read: a snapshot a batch, begun after the reading. */
static void answer_all(struct tcp *t)
{
	struct { struct connection *c; unsigned first, count; } share[ANSWER_BATCH];

	while (!TAILQ_EMPTY(&t->answerable)) {
		unsigned most = t->pending > PENDING_TIGHT ? 1 : ANSWER_BATCH, jobs = 0, n = 0;
		struct connection *c;

		while (n < most && jobs < most && (c = TAILQ_FIRST(&t->answerable))) {
			TAILQ_REMOVE(&t->answerable, c, ready);
			c->answerable = false;
			share[n].c = c;
			share[n].first = jobs;
			share[n].count = take_queries(t, c, jobs, most - jobs);
			jobs += share[n++].count;
		}
		if (jobs)
			worker_answer(t->worker, t->jobs, jobs);
		t->queries += jobs;
		for (unsigned i = 0; i < n; i++)
			if (!settle(t, share[i].c, share[i].first, share[i].count))
				connection_close(t, share[i].c);
	}
}

/* ---- reading and writing -------------------------------------------------------------- */

static bool make_room(struct connection *c)
{
	uint32_t capacity = 2 * c->in_capacity;
	uint8_t *p;

	if (c->in_at) {
		memmove(c->in, c->in + c->in_at, c->in_end - c->in_at);
		c->in_end -= c->in_at;
		c->in_at = 0;
	}
	if (c->in_end < c->in_capacity)
		return true;
	/* grows by what came, not by what the length promises */
	if (capacity > IN_MAX)
		capacity = IN_MAX;
	p = realloc(c->in == c->first ? NULL : c->in, capacity);
	if (!p)
		return false;
	if (c->in == c->first)
		memcpy(p, c->first, c->in_end);
	c->in = p;
	c->in_capacity = capacity;
	return true;
}

/* events: what the epoll set told. false: the connection is over. */
static bool read_some(struct tcp *t, struct connection *c, uint32_t events)
{
	size_t room;
	ssize_t n;

	do {
		if (!make_room(c))
			return false;
		room = c->in_capacity - c->in_end;
		do {
			n = recv(c->fd, c->in + c->in_end, room, MSG_DONTWAIT);
		} while (n < 0 && errno == EINTR);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		c->in_end += (uint32_t)n;
		c->finished = n == 0;
		/* the set tells once, also of the end */
		c->unread = n > 0 && ((size_t)n == room || events & EPOLLRDHUP);
	} while (c->unread && !has_query(c));
	if (has_query(c))
		make_answerable(t, c);
	else if (c->finished)
		return false;
	else if (c->in_at < c->in_end && c->state != TCP_READING)
		return enter(t, c, TCP_READING);
	return true;
}

/* false: the connection is over. */
static bool write_some(struct tcp *t, struct connection *c)
{
	struct iovec iov = { c->out + c->out_at, c->out_end - c->out_at };
	ssize_t n = write_all(c->fd, &iov, 1);

	if (n < 0)
		return false;
	c->out_at += (size_t)n;
	c->taken += (size_t)n;
	t->pending -= (size_t)n;
	if (c->out_at < c->out_end)
		/* who takes an octet now and then would hold its place for ever */
		return c->taken < WRITE_STEP || enter(t, c, TCP_WRITING);
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_end = 0;
	make_answerable(t, c);          /* there may be more, or it was the last */
	return true;
}

/* ---- accepting --------------------------------------------------------------------------- */

/* At a limit others go, so that whoever comes is served: of the client that
 * has most, or of all. */
static void make_place(struct tcp *t, const struct sockaddr_storage *peer)
{
	const struct conf *conf = t->worker->role.conf;
	const struct client_links *links;
	unsigned count;

	while ((links = clients_find(&t->clients, peer, &count)) && count >= conf->tcp_connections_per_client)
		evict_of(t, links);
	while (t->connections >= conf->tcp_connections && evict(t))
		;
}

static struct connection *connection_new(struct tcp *t)
{
	struct connection *c = TAILQ_FIRST(&t->spare);

	if (c) {
		TAILQ_REMOVE(&t->spare, c, link);
		t->spares--;
	} else {
		c = malloc(sizeof *c);
	}
	if (c)
		memset(c, 0, offsetof(struct connection, first));
	return c;
}

static void connection_open(struct tcp *t, int fd, const struct sockaddr_storage *peer)
{
	struct connection *c;

	make_place(t, peer);
	c = connection_new(t);
	if (!c || !clients_join(&t->clients, peer, &c->of_client)) {
		free(c);
		close(fd);
		return;
	}
	c->fd = fd;
	c->peer = *peer;
	c->in = c->first;
	c->in_capacity = IN_FIRST;
	c->state = TCP_IDLE;
	c->since_us = t->now_us;
	TAILQ_INSERT_TAIL(&t->list[TCP_IDLE], c, link);
	t->connections++;
	t->accepted++;
	/* Its query is here, as a rule (TCP_DEFER_ACCEPT): it is watched when
	 * that is answered. */
	if (!read_some(t, c, 0) || (!c->answerable && !enter(t, c, c->state)))
		connection_close(t, c);
}

/* As many as `most`, and each is answered before the next is accepted: what the
 * kernel keeps of it is in the nearest cache then, and nobody is evicted with
 * his query read. */
static void accept_some(struct tcp *t, int listener, unsigned most)
{
	for (unsigned i = 0; i < most; i++) {
		struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
		socklen_t size = sizeof peer;
		int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			connection_open(t, fd, &peer);
			answer_all(t);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* with nothing to close, the sweep tries again: no spinning */
			if (!evict(t))
				watch_listeners(t, EPOLL_CTL_MOD, false);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
		/* anything else was that one connection's */
	}
}

static bool is_listener(const struct tcp *t, const void *of_event)
{
	return (uintptr_t)of_event - (uintptr_t)t->listeners < t->listener_count * sizeof *t->listeners;
}

/* What the epoll set tells at once, `most` events of it; how many these were. */
static unsigned go_round(struct tcp *t, unsigned most)
{
	struct epoll_event events[EVENTS];
	const int *acceptable[EVENTS];
	unsigned listeners = 0;
	int n = epoll_wait(t->epoll, events, (int)most, 0);

	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		if (is_listener(t, c))
			acceptable[listeners++] = events[i].data.ptr;
		else if (!(c->state == TCP_WRITING ? write_some(t, c) : read_some(t, c, events[i].events)))
			connection_close(t, c);
	}
	answer_all(t);
	if (n <= 0)
		return 0;
	/* With many connections ready it is not every round that tells of the
	 * listeners. Last: whoever is evicted has no event above any more. */
	t->since_accept += (unsigned)n - listeners;
	if (listeners) {
		unsigned count = 1 + t->since_accept / EVENTS_PER_ACCEPT;

		for (unsigned i = 0; i < listeners; i++)
			accept_some(t, *acceptable[i], count < ACCEPTS_MAX ? count : ACCEPTS_MAX);
		t->since_accept = 0;
	}
	return (unsigned)n;
}

/* In rounds while there is more, for the way through the loop costs as much as
 * a system call; all together have no more events than one may: datagrams wait. */
static void on_eventful(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	unsigned n, left = EVENTS;

	t->now_us = clock_boot_us();
	do {
		n = go_round(t, left);
		left -= n;
	} while (n && left);
}

static bool make_events(struct tcp *t)
{
	static const struct timeval interval = { 0, SWEEP_MS * 1000 };

	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (t->epoll < 0)
		return false;
	t->eventful = event_new(t->worker->base, t->epoll, EV_READ | EV_PERSIST, on_eventful, t);
	t->sweep = event_new(t->worker->base, -1, EV_PERSIST, on_sweep, t);
	return t->eventful && t->sweep && event_add(t->eventful, NULL) == 0 && event_add(t->sweep, &interval) == 0;
}

struct tcp *tcp_new(struct worker *w, const int *fds, unsigned count)
{
	struct tcp *t = calloc(1, sizeof *t);

	if (!t)
		goto failed;
	t->worker = w;
	t->epoll = -1;
	for (int i = 0; i < STATES; i++)
		TAILQ_INIT(&t->list[i]);
	TAILQ_INIT(&t->answerable);
	TAILQ_INIT(&t->spare);
	t->listeners = malloc(count * sizeof *fds);
	if (!t->listeners || clients_init(&t->clients, w->role.conf->tcp_connections, w->rate_seed) < 0 || !make_events(t))
		goto failed;
	memcpy(t->listeners, fds, count * sizeof *fds);
	t->listener_count = count;
	if (!watch_listeners(t, EPOLL_CTL_ADD, true))
		goto failed;
	return t;
failed:
	log_error("out of memory, or of descriptors, for the TCP sockets");
	tcp_free(t);
	return NULL;
}

void tcp_free(struct tcp *t)
{
	struct connection *c;

	if (!t)
		return;
	for (int i = 0; i < STATES; i++)
		while ((c = TAILQ_FIRST(&t->list[i])))
			connection_close(t, c);
	while ((c = TAILQ_FIRST(&t->spare))) {
		TAILQ_REMOVE(&t->spare, c, link);
		free(c);
	}
	free(t->listeners);
	clients_free(&t->clients);
	if (t->eventful)
		event_free(t->eventful);
	if (t->sweep)
		event_free(t->sweep);
	if (t->epoll >= 0)
		close(t->epoll);
	free(t);
}

void tcp_stats(const struct tcp *t, json_t *into)
{
	json_object_set_new(into, "tcp_connections", json_integer(t->connections));
	json_object_set_new(into, "tcp_accepted", json_integer((json_int_t)t->accepted));
	json_object_set_new(into, "tcp_queries", json_integer((json_int_t)t->queries));
	json_object_set_new(into, "tcp_evicted", json_integer((json_int_t)t->evicted));
	json_object_set_new(into, "tcp_client_evicted", json_integer((json_int_t)t->client_evicted));
	json_object_set_new(into, "tcp_timed_out", json_integer((json_int_t)t->timed_out));
	json_object_set_new(into, "tcp_malformed", json_integer((json_int_t)t->malformed));
}
