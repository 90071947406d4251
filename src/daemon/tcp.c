/*
 * Streams: queries behind one another, each with its length before it (RFC
 * 1035 4.2.2, RFC 7766).
 *
 * What was read is answered in batches, a batch with one write. While a
 * reply waits for the client, nothing more is read from it: a client that
 * does not read its replies holds up itself alone, and not for long. There
 * is no timer a connection: those in one state are in one list, in the order
 * in which they came into it, and one sweep looks at the lists' heads.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/worker.h"

#define BATCH           16
#define HEADER_SIZE     12              /* of a DNS message: what is shorter is none */
#define IN_FIRST        2048            /* the in buffer begins with this and doubles */
#define IN_MAX          (2 + 65535)
#define READS           4               /* a wake-up */
#define ACCEPTS         64              /* a wake-up */
#define SWEEP_MS        250
#define WRITE_STEP      (16u << 10)     /* taking so much of a reply renews the time for it */
#define CLIENT_BITS     56              /* of an IPv6 address that are one client; IPv4: all */
#define PENDING_TIGHT   (16u << 20)     /* replies waiting in the worker: one a batch above this */
#define PENDING_MAX     (64u << 20)     /* … and those who make them wait go above this */

enum state {
	TCP_IDLE,       /* every query is answered: the next may begin */
	TCP_READING,    /* a part of a query is here; the rest has tcp-read-timeout from its first octet on */
	TCP_WRITING,    /* the client does not take its reply; as long for each WRITE_STEP of it */
	STATES,
};

struct connection {
	TAILQ_ENTRY(connection) link;   /* in the list of its state */
	TAILQ_ENTRY(connection) of_client;
	struct tcp *tcp;
	struct client *client;
	enum state state;
	int64_t since_us;               /* in the state; CLOCK_BOOTTIME */
	struct event *event;            /* readable, or in TCP_WRITING writable */
	int fd;
	struct sockaddr_storage peer;
	bool finished;                  /* the client will send no more, or sent nonsense: close when all is written */
	uint8_t *in;
	uint32_t in_at, in_end, in_capacity;
	uint8_t *out;                   /* what the kernel did not take */
	size_t out_at, out_end;
	size_t taken;                   /* of it, since since_us */
};
TAILQ_HEAD(connection_list, connection);

/* Who has connections, by address. */
struct client {
	struct client *chain;           /* of the same bucket */
	struct address address;         /* or prefix */
	uint8_t size;                   /* octets of an address: 4, 16 */
	unsigned count;
	struct connection_list connections;
};

struct tcp_listener {
	struct tcp *tcp;
	struct event *acceptable;
};

struct tcp {
	struct worker *worker;
	struct tcp_listener *listeners;
	unsigned listener_count;
	struct event *sweep;
	struct connection_list list[STATES];
	unsigned connections;
	struct client **clients;        /* a hash table, keyed, as large as there may be connections */
	size_t clients_mask;
	uint64_t seed[2];
	size_t pending;
	bool accepting;
	uint64_t accepted, queries, evicted, client_evicted, timed_out, malformed;
	struct answer_job jobs[BATCH];
	uint8_t reply[BATCH][2 + 65535];
};

static void on_readable(evutil_socket_t, short, void *);
static void on_writable(evutil_socket_t, short, void *);

/* ---- clients ------------------------------------------------------------------------- */

static struct client **client_place(const struct tcp *t, const struct address *a, uint8_t size)
{
	unsigned __int128 product = (unsigned __int128)(a->word[0] ^ t->seed[1]) * t->seed[0];
	struct client **p = &t->clients[((uint64_t)product ^ (uint64_t)(product >> 64)) & t->clients_mask];

	while (*p && ((*p)->size != size || (*p)->address.word[0] != a->word[0]))
		p = &(*p)->chain;
	return p;
}

static struct address client_address(const struct sockaddr_storage *peer, uint8_t *size)
{
	struct answer_job job = { .client_size = 0 };
	struct address a = { { 0, 0 } };

	worker_set_client(&job, peer);
	*size = job.client_size;
	if (job.client_size) {
		a = address_load(job.client, job.client_size);
		a.word[0] &= prefix_mask(job.client_size == 4 ? 32 : CLIENT_BITS).word[0];
		a.word[1] = 0;
	}
	return a;
}

/* NULL: no memory. */
static struct client *client_get(struct tcp *t, const struct address *a, uint8_t size)
{
	struct client **p = client_place(t, a, size);

	if (!*p && (*p = calloc(1, sizeof **p))) {
		(*p)->address = *a;
		(*p)->size = size;
		TAILQ_INIT(&(*p)->connections);
	}
	return *p;
}

static void client_leave(struct tcp *t, struct connection *c)
{
	struct client *client = c->client, **p;

	TAILQ_REMOVE(&client->connections, c, of_client);
	if (--client->count)
		return;
	p = client_place(t, &client->address, client->size);
	*p = client->chain;
	free(client);
}

/* ---- states and ends --------------------------------------------------------------- */

static void connection_close(struct connection *c)
{
	struct tcp *t = c->tcp;

	TAILQ_REMOVE(&t->list[c->state], c, link);
	client_leave(t, c);
	t->connections--;
	t->pending -= c->out_end - c->out_at;
	event_free(c->event);
	close(c->fd);
	free(c->in);
	free(c->out);
	free(c);
}

/* What is waited for. */
static void watch(struct connection *c, short what, event_callback_fn call)
{
	event_del(c->event);
	event_assign(c->event, c->tcp->worker->base, c->fd, what | EV_PERSIST, call, c);
	event_add(c->event, NULL);
}

/* The one place where a connection changes its state. */
static void enter(struct connection *c, enum state state)
{
	struct tcp *t = c->tcp;

	TAILQ_REMOVE(&t->list[c->state], c, link);
	TAILQ_INSERT_TAIL(&t->list[state], c, link);
	if (state == TCP_WRITING && c->state != TCP_WRITING)
		watch(c, EV_WRITE, on_writable);
	else if (state != TCP_WRITING && c->state == TCP_WRITING)
		watch(c, EV_READ, on_readable);
	c->state = state;
	c->since_us = clock_boot_us();
	c->taken = 0;
}

/* Room for one more: the longest idle goes, else who began to send longest
 * ago, else who has not read for longest. */
static bool evict(struct tcp *t)
{
	for (int state = TCP_IDLE; state < STATES; state++) {
		struct connection *c = TAILQ_FIRST(&t->list[state]);

		if (c) {
			t->evicted++;
			connection_close(c);
			return true;
		}
	}
	return false;
}

/* The same among a client's own. */
static void evict_of(struct tcp *t, struct client *client)
{
	struct connection *c, *worst = TAILQ_FIRST(&client->connections);

	TAILQ_FOREACH(c, &client->connections, of_client)
		if (c->state < worst->state || (c->state == worst->state && c->since_us < worst->since_us))
			worst = c;
	t->client_evicted++;
	connection_close(worst);
}

static void watch_listeners(struct tcp *t, bool on)
{
	if (t->accepting == on)
		return;
	t->accepting = on;
	for (unsigned i = 0; i < t->listener_count; i++) {
		if (on)
			event_add(t->listeners[i].acceptable, NULL);
		else
			event_del(t->listeners[i].acceptable);
	}
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
			connection_close(c);
		}
	}
	watch_listeners(t, true);       /* after a want of descriptors */
}

/* ---- answering ----------------------------------------------------------------------- */

/* The whole queries at the front of what was read become jobs. */
static unsigned take_queries(struct connection *c)
{
	struct tcp *t = c->tcp;
	unsigned n = 0, most = t->pending > PENDING_TIGHT ? 1 : BATCH;

	while (n < most && c->in_end - c->in_at >= 2) {
		uint16_t size = load_be16(c->in + c->in_at);

		if (size < HEADER_SIZE) {
			/* who counts like this cannot be followed any further */
			t->malformed++;
			c->finished = true;
			c->in_at = c->in_end;
			break;
		}
		if (c->in_end - c->in_at < 2u + size)
			break;
		t->jobs[n] = (struct answer_job){
			.query = c->in + c->in_at + 2, .query_size = size,
			.reply = t->reply[n] + 2, .reply_capacity = 65535, .tcp = true,
		};
		worker_set_client(&t->jobs[n], &c->peer);
		c->in_at += 2u + size;
		n++;
	}
	return n;
}

static bool keep_rest(struct connection *c, struct iovec *iov, unsigned count, size_t sent, size_t total)
{
	uint8_t *p = malloc(total - sent);

	if (!p)
		return false;
	c->out = p;
	c->out_at = 0;
	c->out_end = total - sent;
	c->tcp->pending += total - sent;
	for (unsigned i = 0; i < count; i++) {
		size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;

		memcpy(p, (uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
		p += iov[i].iov_len - skip;
		sent -= skip;
	}
	return c->tcp->pending <= PENDING_MAX;
}

/* false: the connection cannot go on. */
static bool send_replies(struct connection *c, unsigned count)
{
	struct tcp *t = c->tcp;
	struct iovec iov[BATCH];
	struct msghdr m = { .msg_iov = iov };
	size_t total = 0;
	unsigned n = 0;
	ssize_t sent;

	for (unsigned i = 0; i < count; i++) {
		if (!t->jobs[i].reply_size)
			continue;
		store_be16(t->reply[i], (uint16_t)t->jobs[i].reply_size);
		iov[n++] = (struct iovec){ t->reply[i], 2 + t->jobs[i].reply_size };
		total += 2 + t->jobs[i].reply_size;
	}
	if (!n)
		return true;
	m.msg_iovlen = n;
	do {
		sent = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN)
		return false;
	if (sent < 0)
		sent = 0;
	return (size_t)sent == total || keep_rest(c, iov, n, (size_t)sent, total);
}

static void become_idle(struct connection *c)
{
	c->in_at = c->in_end = 0;
	if (c->in_capacity > IN_FIRST) {
		/* one long query must not hold 64 KiB for as long as the client idles */
		free(c->in);
		c->in = NULL;
		c->in_capacity = 0;
	}
	enter(c, TCP_IDLE);
}

/* Answers what is here, until the client's reading is what is waited for.
 * false: the connection is over. */
static bool answer(struct connection *c)
{
	bool any = false;
	unsigned count;

	while (!c->out && (count = take_queries(c))) {
		any = true;
		c->tcp->queries += count;
		worker_answer(c->tcp->worker, c->tcp->jobs, count);
		if (!send_replies(c, count))
			return false;
	}
	if (c->out)
		enter(c, TCP_WRITING);
	else if (c->finished)
		return false;
	else if (c->in_at == c->in_end)
		become_idle(c);
	else if (any || c->state != TCP_READING)
		enter(c, TCP_READING);
	return true;
}

/* ---- reading and writing -------------------------------------------------------------- */

static bool make_room(struct connection *c)
{
	uint32_t capacity;
	uint8_t *p;

	if (c->in_at) {
		memmove(c->in, c->in + c->in_at, c->in_end - c->in_at);
		c->in_end -= c->in_at;
		c->in_at = 0;
	}
	if (c->in_end < c->in_capacity)
		return true;
	/* grows by what came, not by what the length promises */
	capacity = c->in_capacity ? 2 * c->in_capacity : IN_FIRST;
	if (capacity > IN_MAX)
		capacity = IN_MAX;
	p = realloc(c->in, capacity);
	if (!p)
		return false;
	c->in = p;
	c->in_capacity = capacity;
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	for (unsigned i = 0; i < READS && c->state != TCP_WRITING; i++) {
		size_t room;
		ssize_t n;

		if (!make_room(c)) {
			connection_close(c);
			return;
		}
		room = c->in_capacity - c->in_end;
		n = recv(fd, c->in + c->in_end, room, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			connection_close(c);
			return;
		}
		if (n == 0)
			c->finished = true;
		c->in_end += (uint32_t)n;
		if (!answer(c)) {
			connection_close(c);
			return;
		}
		if ((size_t)n < room)
			return;
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t n = send(fd, c->out + c->out_at, c->out_end - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		connection_close(c);
		return;
	}
	c->out_at += (size_t)n;
	c->taken += (size_t)n;
	c->tcp->pending -= (size_t)n;
	if (c->out_at < c->out_end) {
		/* who takes an octet now and then would hold its place for ever */
		if (c->taken >= WRITE_STEP)
			enter(c, TCP_WRITING);
		return;
	}
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_end = 0;
	if (!answer(c))
		connection_close(c);
}

/* ---- accepting --------------------------------------------------------------------------- */

/* At a limit others go, so that whoever comes is served: of the client that
 * has most, or of all. */
static void make_place(struct tcp *t, const struct address *a, uint8_t size)
{
	const struct conf *conf = t->worker->role.conf;
	struct client *client;

	while ((client = *client_place(t, a, size)) && client->count >= conf->tcp_connections_per_client)
		evict_of(t, client);
	while (t->connections >= conf->tcp_connections && evict(t))
		;
}

static void connection_open(struct tcp *t, int fd, const struct sockaddr_storage *peer)
{
	uint8_t size;
	struct address address = client_address(peer, &size);
	struct connection *c;

	make_place(t, &address, size);
	c = calloc(1, sizeof *c);
	if (c)
		c->event = event_new(t->worker->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	if (c && c->event)
		c->client = client_get(t, &address, size);
	if (!c || !c->client) {
		if (c && c->event)
			event_free(c->event);
		free(c);
		close(fd);
		return;
	}
	c->tcp = t;
	c->fd = fd;
	c->peer = *peer;
	c->state = TCP_IDLE;
	c->since_us = clock_boot_us();
	TAILQ_INSERT_TAIL(&t->list[TCP_IDLE], c, link);
	TAILQ_INSERT_TAIL(&c->client->connections, c, of_client);
	c->client->count++;
	t->connections++;
	t->accepted++;
	event_add(c->event, NULL);
}

static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
	struct tcp_listener *l = arg;

	for (unsigned i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
		socklen_t size = sizeof peer;
		int fd = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			connection_open(l->tcp, fd, &peer);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* with nothing to close, the sweep tries again: no spinning */
			if (!evict(l->tcp))
				watch_listeners(l->tcp, false);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
		/* anything else was that one connection's */
	}
}

/* More connections may come to be allowed: then the chains grow. */
static size_t clients_size(unsigned connections)
{
	size_t n = 16;

	while (n < connections)
		n *= 2;
	return n;
}

struct tcp *tcp_new(struct worker *w, const int *fds, unsigned count)
{
	static const struct timeval interval = { 0, SWEEP_MS * 1000 };
	struct tcp *t = calloc(1, sizeof *t);

	if (!t)
		goto failed;
	t->clients_mask = clients_size(w->role.conf->tcp_connections) - 1;
	t->clients = calloc(t->clients_mask + 1, sizeof *t->clients);
	t->seed[0] = load_le64(w->rate_seed) | 1;
	t->seed[1] = load_le64(w->rate_seed + 8);
	for (int i = 0; i < STATES; i++)
		TAILQ_INIT(&t->list[i]);
	t->worker = w;
	t->sweep = event_new(w->base, -1, EV_PERSIST, on_sweep, t);
	t->listeners = calloc(count, sizeof *t->listeners);
	if (!t->clients || !t->sweep || !t->listeners || event_add(t->sweep, &interval) < 0)
		goto failed;
	for (; t->listener_count < count; t->listener_count++) {
		struct tcp_listener *l = &t->listeners[t->listener_count];

		l->tcp = t;
		l->acceptable = event_new(w->base, fds[t->listener_count], EV_READ | EV_PERSIST, on_acceptable, l);
		if (!l->acceptable)
			goto failed;
	}
	watch_listeners(t, true);
	return t;
failed:
	log_error("out of memory for the TCP sockets");
	tcp_free(t);
	return NULL;
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	for (int i = 0; i < STATES; i++)
		while (t->worker && !TAILQ_EMPTY(&t->list[i]))
			connection_close(TAILQ_FIRST(&t->list[i]));
	for (unsigned i = 0; i < t->listener_count; i++)
		event_free(t->listeners[i].acceptable);
	free(t->listeners);
	free(t->clients);
	if (t->sweep)
		event_free(t->sweep);
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
