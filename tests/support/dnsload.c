/*
 * Asks a name server without pause over UDP and TCP, notes when each query
 * was sent and each answer came, and which record set each record of each
 * section belongs to; at the end it judges what it saw by the switches that
 * the test made meanwhile.
 *
 * Every record of a test zone carries its set's marker M (1..9): an address
 * is 10.M.x.y, a name in rdata begins with the label "mM", a TXT is "mM".
 *
 * The events file has one line an event, times by CLOCK_MONOTONIC:
 *   B ns M   a switch to marker M was begun (the request is about to be sent)
 *   E ns M   it was acknowledged: from here on, M and only M
 *
 * Verdict, as one line of JSON on standard output:
 *   mixed     answers with more than one marker (G1)
 *   old       answers to queries sent after an E, not from its set, while no
 *             other switch was under way (G2)
 *   half      answers of the old set to queries sent after an answer of the
 *             new set had come, from whichever zone of the group (G3)
 *   unmarked  answers without a marker; other_rcode: neither NOERROR nor
 *             NXDOMAIN; unanswered: no answer within 5 s, or connection lost
 * Exit status 0 where these are all zero, else 1; 2 for usage and failures.
 */
#include "dnsload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SOCKETS 64
#define MAX_ASKED   4000000u
#define GIVE_UP_NS  5000000000ull
#define MESSAGE     65536

struct peer {                           /* one socket */
	int fd;
	bool tcp;
	unsigned open;                  /* queries without an answer */
	uint16_t next_id;
	uint32_t by_id[65536];          /* 1 + index into asked, 0: none */
	uint8_t in[2 + MESSAGE];
	size_t in_size;
	uint8_t out[2 * MESSAGE];       /* TCP: not yet written */
	size_t out_size;
};

struct question *questions;
uint32_t question_count;
struct asked *asked;
uint32_t asked_count;
static struct peer *peers[MAX_SOCKETS];
static unsigned peer_count;
static struct sockaddr_in server;
static unsigned window = 4;
static bool reconnect;
uint64_t lost_connections, connect_failures;
static int poll_fd;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("dnsload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void read_questions(const char *path)
{
	FILE *f = fopen(path, "r");
	char name[256];
	unsigned type;

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fscanf(f, "%255s %u", name, &type) == 2) {
		struct question *q;
		char *label, *rest = name;

		questions = realloc(questions, (question_count + 1) * sizeof(*questions));
		if (!questions)
			die("out of memory");
		q = &questions[question_count++];
		q->size = 0;
		while ((label = strsep(&rest, "."))) {
			size_t size = strlen(label);

			if (!size)
				continue;
			q->wire[q->size++] = (uint8_t)size;
			memcpy(q->wire + q->size, label, size);
			q->size = (uint16_t)(q->size + size);
		}
		q->wire[q->size++] = 0;
		q->wire[q->size++] = (uint8_t)(type >> 8);
		q->wire[q->size++] = (uint8_t)type;
		q->wire[q->size++] = 0;
		q->wire[q->size++] = 1;
	}
	fclose(f);
	if (!question_count)
		die("%s: no questions", path);
}

static void answer_came(struct peer *peer, const uint8_t *msg, size_t size, uint64_t now)
{
	struct asked *a;
	uint32_t index;
	int found;

	if (size < 12 || !(msg[2] & 0x80))
		return;
	index = peer->by_id[msg[0] << 8 | msg[1]];
	if (!index)
		return;                 /* given up long ago */
	peer->by_id[msg[0] << 8 | msg[1]] = 0;
	peer->open--;
	a = &asked[index - 1];
	a->received = now;
	a->rcode = msg[3] & 15;
	found = message_markers(msg, size);
	a->markers = found < 0 ? 0 : (uint16_t)found;
}

static void watch(struct peer *peer, int op)
{
	struct epoll_event e = { .events = EPOLLIN | (peer->out_size ? EPOLLOUT : 0), .data.ptr = peer };

	if (epoll_ctl(poll_fd, op, peer->fd, &e))
		die("epoll_ctl: %s", strerror(errno));
}

static bool peer_connect(struct peer *peer)
{
	int one = 1;

	peer->fd = socket(AF_INET, peer->tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (peer->fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(peer->fd, (struct sockaddr *)&server, sizeof(server))) {
		connect_failures++;
		close(peer->fd);
		peer->fd = -1;
		return false;
	}
	if (peer->tcp)
		setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
	peer->in_size = peer->out_size = 0;
	watch(peer, EPOLL_CTL_ADD);
	return true;
}

/* A lost connection: its open queries stay unanswered. */
static void peer_lost(struct peer *peer)
{
	lost_connections++;
	close(peer->fd);
	peer->fd = -1;
	peer->open = 0;
	memset(peer->by_id, 0, sizeof(peer->by_id));
}

static void flush_out(struct peer *peer)
{
	ssize_t n = send(peer->fd, peer->out, peer->out_size, MSG_NOSIGNAL);
	bool waited = peer->out_size > 0;

	if (n < 0 && errno != EAGAIN) {
		peer_lost(peer);
		return;
	}
	if (n > 0) {
		memmove(peer->out, peer->out + n, peer->out_size - (size_t)n);
		peer->out_size -= (size_t)n;
	}
	if (waited)
		watch(peer, EPOLL_CTL_MOD);
}

static void ask(struct peer *peer)
{
	static uint32_t turn;
	uint8_t msg[2 + 12 + 300];
	uint32_t q = turn++ % question_count;
	size_t size = 12 + questions[q].size;
	struct asked *a;

	if (asked_count == MAX_ASKED)
		return;
	do {
		peer->next_id++;
	} while (peer->by_id[peer->next_id]);
	memset(msg, 0, 14);
	msg[0] = (uint8_t)(size >> 8);
	msg[1] = (uint8_t)size;
	msg[2] = (uint8_t)(peer->next_id >> 8);
	msg[3] = (uint8_t)peer->next_id;
	msg[7] = 1;
	memcpy(msg + 14, questions[q].wire, questions[q].size);
	a = &asked[asked_count++];
	*a = (struct asked){ .question = q, .tcp = peer->tcp, .sent = now_ns() };
	peer->by_id[peer->next_id] = asked_count;
	peer->open++;
	if (!peer->tcp) {
		/* ECONNREFUSED tells of an earlier query's fate: send again. */
		if (send(peer->fd, msg + 2, size, 0) < 0)
			send(peer->fd, msg + 2, size, 0);
		return;
	}
	if (peer->out_size + size + 2 > sizeof(peer->out)) {
		peer_lost(peer);
		return;
	}
	memcpy(peer->out + peer->out_size, msg, size + 2);
	peer->out_size += size + 2;
	flush_out(peer);
}

static void read_udp(struct peer *peer)
{
	ssize_t n;

	while ((n = recv(peer->fd, peer->in, sizeof(peer->in), 0)) >= 0 || errno == ECONNREFUSED)
		if (n > 0)
			answer_came(peer, peer->in, (size_t)n, now_ns());
}

static void read_tcp(struct peer *peer)
{
	for (;;) {
		ssize_t n = recv(peer->fd, peer->in + peer->in_size, sizeof(peer->in) - peer->in_size, 0);
		uint64_t now = now_ns();
		size_t at = 0;

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			peer_lost(peer);
			return;
		}
		peer->in_size += (size_t)n;
		while (peer->in_size - at >= 2) {
			size_t size = (size_t)(peer->in[at] << 8 | peer->in[at + 1]);

			if (peer->in_size - at < 2 + size)
				break;
			answer_came(peer, peer->in + at + 2, size, now);
			at += 2 + size;
		}
		memmove(peer->in, peer->in + at, peer->in_size - at);
		peer->in_size -= at;
	}
}

/* UDP queries that will never be answered give their place in the window back. */
static void give_up(uint64_t now)
{
	static uint32_t from;
	unsigned i;

	for (; from < asked_count && asked[from].sent + GIVE_UP_NS < now; from++) {
		if (asked[from].received)
			continue;
		for (i = 0; i < peer_count; i++) {
			unsigned id;

			for (id = 0; id < 65536 && peers[i]->open; id++)
				if (peers[i]->by_id[id] == from + 1) {
					peers[i]->by_id[id] = 0;
					peers[i]->open--;
				}
		}
	}
}

/* Each turn begins with the socket behind the last that asked: a server that
 * answers at once would leave those at the end with nothing to ask. */
static void turn(uint64_t allowed, int timeout_ms)
{
	static unsigned next;
	struct epoll_event ready[MAX_SOCKETS];
	bool any = true;
	unsigned i;
	int n;

	while (any && asked_count < allowed) {
		any = false;
		for (i = 0; i < peer_count && asked_count < allowed; i++) {
			struct peer *peer = peers[next++ % peer_count];

			if (peer->fd < 0 && (!reconnect || !peer_connect(peer)))
				continue;
			if (peer->open < window) {
				ask(peer);
				any = true;
			}
		}
	}
	n = epoll_wait(poll_fd, ready, MAX_SOCKETS, timeout_ms);
	for (i = 0; n > 0 && i < (unsigned)n; i++) {
		struct peer *peer = ready[i].data.ptr;

		if (ready[i].events & EPOLLOUT)
			flush_out(peer);
		if (peer->fd >= 0 && ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
			if (peer->tcp)
				read_tcp(peer);
			else
				read_udp(peer);
		}
	}
	give_up(now_ns());
}

static unsigned all_open(void)
{
	unsigned i, open = 0;

	for (i = 0; i < peer_count; i++)
		open += peers[i]->open;
	return open;
}

static void add_peers(unsigned count, bool tcp)
{
	for (; count && peer_count < MAX_SOCKETS; count--) {
		struct peer *peer = calloc(1, sizeof(*peer));

		if (!peer)
			die("out of memory");
		peer->tcp = tcp;
		if (!peer_connect(peer) && !reconnect)
			die("connect to port %u: %s", ntohs(server.sin_port), strerror(errno));
		peers[peer_count++] = peer;
	}
}

int main(int argc, char **argv)
{
	const char *question_path = NULL, *event_path = NULL;
	unsigned udp = 4, tcp = 4;
	uint64_t begun, rate = 4000, drained;
	bool stop = false;
	char byte;
	int c;

	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	while ((c = getopt(argc, argv, "p:q:e:u:t:w:r:R")) != -1) {
		switch (c) {
		case 'p': server.sin_port = htons((uint16_t)atoi(optarg)); break;
		case 'q': question_path = optarg; break;
		case 'e': event_path = optarg; break;
		case 'u': udp = (unsigned)atoi(optarg); break;
		case 't': tcp = (unsigned)atoi(optarg); break;
		case 'w': window = (unsigned)atoi(optarg); break;
		case 'r': rate = (uint64_t)atoll(optarg); break;
		case 'R': reconnect = true; break;
		default: die("usage: dnsload -p PORT -q QUESTIONS -e EVENTS [-u N] [-t N] [-w N] [-r RATE] [-R]");
		}
	}
	if (!server.sin_port || !question_path || !event_path || !(udp + tcp))
		die("-p, -q and -e are needed, and a socket");
	read_questions(question_path);
	asked = malloc(MAX_ASKED * sizeof(*asked));
	poll_fd = epoll_create1(0);
	if (!asked || poll_fd < 0)
		die("out of memory");
	add_peers(udp, false);
	add_peers(tcp, true);
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	puts("asking");
	fflush(stdout);

	/* until standard input ends, then until all are answered */
	begun = now_ns();
	while (!stop && asked_count < MAX_ASKED) {
		uint64_t allowed = rate ? 1 + (now_ns() - begun) * rate / 1000000000ull : MAX_ASKED;

		turn(allowed < MAX_ASKED ? allowed : MAX_ASKED, 1);
		stop = read(STDIN_FILENO, &byte, 1) == 0;
	}
	for (drained = now_ns() + GIVE_UP_NS; all_open() && now_ns() < drained; )
		turn(0, 10);
	read_events(event_path);
	return verdict();
}
