/*
 * Datagrams: a batch is read, then answered out of one snapshot, then sent.
 *
 * Everything is allocated once. On a wildcard address the reply leaves from
 * the address that was asked (IP_PKTINFO).
 */
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "daemon/worker.h"

#define QUERY_MAX     4096      /* longer ones are cut, and so malformed */
#define REPLY_MAX     4096
#define STAGGER       192       /* between buffers: at a distance of 4 KiB their beginnings would share a set of the cache */
#define ROUNDS        8         /* batches a wake-up: the channel waits no longer */
#define SEND_WAIT_MS  2         /* for room in the send buffer, once a batch */

struct udp_socket {
	struct udp *udp;
	int fd;
	bool wildcard;
	struct event *readable;
};

struct udp {
	struct worker *worker;
	unsigned count;
	struct udp_socket *sockets;
	uint64_t received, batches, sent, unsent, send_errors;
	/* one batch */
	struct mmsghdr in[ANSWER_BATCH], out[ANSWER_BATCH];
	struct iovec in_iov[ANSWER_BATCH], out_iov[ANSWER_BATCH];
	struct sockaddr_storage peer[ANSWER_BATCH];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control[ANSWER_BATCH];
	struct answer_job jobs[ANSWER_BATCH];
	uint8_t query[ANSWER_BATCH][QUERY_MAX + STAGGER];
	uint8_t reply[ANSWER_BATCH][REPLY_MAX + STAGGER];
};

/* Makes ready for a batch what the last one used. */
static void reset(struct udp *u, const struct udp_socket *s, unsigned used)
{
	for (unsigned i = 0; i < used; i++) {
		struct msghdr *m = &u->in[i].msg_hdr;

		m->msg_namelen = sizeof u->peer[i];
		m->msg_control = s->wildcard ? u->control[i].bytes : NULL;
		m->msg_controllen = s->wildcard ? sizeof u->control[i].bytes : 0;
		m->msg_flags = 0;
	}
}

/* The control message that came with a query becomes the reply's: where it
 * was sent to is where the reply comes from; by which interface is left to
 * routing, but for link-local addresses. */
static void reply_from_there(struct msghdr *m)
{
	struct cmsghdr *h = CMSG_FIRSTHDR(m);

	if (h && h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo info;

		memcpy(&info, CMSG_DATA(h), sizeof info);
		info.ipi_spec_dst = info.ipi_addr;
		info.ipi_ifindex = 0;
		memcpy(CMSG_DATA(h), &info, sizeof info);
		m->msg_controllen = CMSG_SPACE(sizeof info);
	} else if (h && h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_PKTINFO) {
		struct in6_pktinfo info;

		memcpy(&info, CMSG_DATA(h), sizeof info);
		if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
			info.ipi6_ifindex = 0;
		memcpy(CMSG_DATA(h), &info, sizeof info);
		m->msg_controllen = CMSG_SPACE(sizeof info);
	} else {
		m->msg_control = NULL;
		m->msg_controllen = 0;
	}
}

/* The replies there are, side by side. */
static unsigned gather(struct udp *u, const struct udp_socket *s, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		struct msghdr *m = &u->out[n].msg_hdr;

		if (!u->jobs[i].reply_size)
			continue;
		*m = u->in[i].msg_hdr;
		u->out_iov[n] = (struct iovec){ u->jobs[i].reply, u->jobs[i].reply_size };
		m->msg_iov = &u->out_iov[n];
		m->msg_iovlen = 1;
		m->msg_flags = 0;
		if (s->wildcard)
			reply_from_there(m);
		n++;
	}
	return n;
}

/* A full send buffer is waited for, briefly and once: a link that is slower
 * than its queries loses replies here or in the kernel, all the same. */
static void send_batch(struct udp *u, const struct udp_socket *s, unsigned count)
{
	bool waited = false;

	for (unsigned at = 0; at < count;) {
		int n = sendmmsg(s->fd, u->out + at, count - at, 0);

		if (n > 0) {
			at += (unsigned)n;
			u->sent += (unsigned)n;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			struct pollfd p = { .fd = s->fd, .events = POLLOUT };

			if (waited || poll(&p, 1, SEND_WAIT_MS) <= 0) {
				u->unsent += count - at;
				return;
			}
			waited = true;
		} else if (errno != EINTR) {
			u->send_errors++;       /* unreachable, filtered: this peer's alone */
			at++;
		}
	}
}

static unsigned read_batch(struct udp *u, const struct udp_socket *s)
{
	int n = recvmmsg(s->fd, u->in, ANSWER_BATCH, MSG_DONTWAIT, NULL);

	if (n <= 0)
		return 0;
	u->received += (unsigned)n;
	u->batches++;
	for (int i = 0; i < n; i++) {
		u->jobs[i] = (struct answer_job){
			.query = u->query[i], .query_size = (uint16_t)u->in[i].msg_len,
			.reply = u->reply[i], .reply_capacity = REPLY_MAX,
		};
		worker_set_client(&u->jobs[i], &u->peer[i]);
	}
	return (unsigned)n;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_socket *s = arg;
	struct udp *u = s->udp;
	unsigned count = ANSWER_BATCH;

	/* a batch that is not full has emptied the socket */
	for (unsigned round = 0; round < ROUNDS && count == ANSWER_BATCH; round++) {
		reset(u, s, ANSWER_BATCH);
		count = read_batch(u, s);
		if (!count)
			break;
		worker_answer(u->worker, u->jobs, count);
		worker_limit(u->worker, u->jobs, count);
		send_batch(u, s, gather(u, s, count));
	}
}

static bool is_wildcard(int fd)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof a;

	if (getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		return true;
	if (a.ss_family == AF_INET)
		return ((struct sockaddr_in *)&a)->sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&((struct sockaddr_in6 *)&a)->sin6_addr);
}

struct udp *udp_new(struct worker *w, const int *fds, unsigned count)
{
	struct udp *u = calloc(1, sizeof *u);

	if (!u || !(u->sockets = calloc(count, sizeof *u->sockets)))
		goto failed;
	u->worker = w;
	for (unsigned i = 0; i < ANSWER_BATCH; i++) {
		u->in_iov[i] = (struct iovec){ u->query[i], QUERY_MAX };
		u->in[i].msg_hdr.msg_iov = &u->in_iov[i];
		u->in[i].msg_hdr.msg_iovlen = 1;
		u->in[i].msg_hdr.msg_name = &u->peer[i];
	}
	for (; u->count < count; u->count++) {
		struct udp_socket *s = &u->sockets[u->count];

		s->udp = u;
		s->fd = fds[u->count];
		s->wildcard = is_wildcard(s->fd);
		s->readable = event_new(w->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
		if (!s->readable || event_add(s->readable, NULL) < 0)
			goto failed;
	}
	return u;
failed:
	log_error("out of memory for the UDP sockets");
	udp_free(u);
	return NULL;
}

void udp_free(struct udp *u)
{
	if (!u)
		return;
	for (unsigned i = 0; i < u->count; i++)
		event_free(u->sockets[i].readable);
	free(u->sockets);
	free(u);
}

/* What the kernel dropped for want of room in the receive buffer. */
static uint64_t queue_drops(const struct udp *u)
{
	uint64_t drops = 0;

	for (unsigned i = 0; i < u->count; i++) {
		uint32_t info[SK_MEMINFO_VARS] = { 0 };
		socklen_t size = sizeof info;

		if (getsockopt(u->sockets[i].fd, SOL_SOCKET, SO_MEMINFO, info, &size) == 0)
			drops += info[SK_MEMINFO_DROPS];
	}
	return drops;
}

void udp_stats(const struct udp *u, json_t *into)
{
	json_object_set_new(into, "udp_received", json_integer((json_int_t)u->received));
	json_object_set_new(into, "udp_batches", json_integer((json_int_t)u->batches));
	json_object_set_new(into, "udp_sent", json_integer((json_int_t)u->sent));
	json_object_set_new(into, "udp_unsent", json_integer((json_int_t)u->unsent));
	json_object_set_new(into, "udp_send_errors", json_integer((json_int_t)u->send_errors));
	json_object_set_new(into, "udp_queue_drops", json_integer((json_int_t)queue_drops(u)));
}
