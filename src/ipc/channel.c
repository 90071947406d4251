#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"

#define HEADER_SIZE 16
#define READ_SIZE   65536

/* A frame that did not go at once. Its descriptors travel with its first
 * octet, so that the receiver has them when it has the header. */
struct frame {
	struct frame *next;
	size_t size, at;
	unsigned fd_count;
	int fds[MESSAGE_FDS];
	uint8_t bytes[];
};

struct channel {
	int fd;
	int flags;                      /* MSG_DONTWAIT or 0 */
	/* for good; apart, for a peer that is gone may have left a last word */
	bool out_broken;                /* peer gone */
	bool in_broken;                 /* peer gone, or it sent nonsense */
	/* out */
	struct frame *first, *last;
	size_t queued;
	/* in: what was read and not yet taken apart */
	uint8_t *buf;
	size_t at, end;
	/* in: the message whose payload is on its way */
	bool in_payload;
	struct message message;
	uint32_t have;
	/* in: descriptors in the order they came; each header says how many are its own */
	int fds[2 * MESSAGE_FDS];
	unsigned fd_count;
};

struct channel *channel_new(int fd, bool nonblocking)
{
	struct channel *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->buf = malloc(READ_SIZE);
	if (!c->buf) {
		free(c);
		return NULL;
	}
	c->fd = fd;
	c->flags = nonblocking ? MSG_DONTWAIT : 0;
	return c;
}

static void close_fds(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void frame_free(struct frame *f)
{
	close_fds(f->fds, f->fd_count);
	free(f);
}

void channel_free(struct channel *c)
{
	struct frame *f;

	if (!c)
		return;
	while ((f = c->first)) {
		c->first = f->next;
		frame_free(f);
	}
	if (c->in_payload)
		message_clear(&c->message);
	close_fds(c->fds, c->fd_count);
	free(c->buf);
	close(c->fd);
	free(c);
}

int channel_set_nonblocking(struct channel *c)
{
	c->flags = MSG_DONTWAIT;
	return channel_flush(c);
}

int channel_fd(const struct channel *c) { return c->fd; }
bool channel_wants_write(const struct channel *c) { return c->first != NULL; }
size_t channel_queued(const struct channel *c) { return c->queued; }

/* ---- sending --------------------------------------------------------------- */

/* Octets that went, 0: none could without blocking, -1: peer gone. */
static ssize_t send_some(struct channel *c, struct iovec *iov, int iov_count, const int *fds, unsigned fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)iov_count };
	ssize_t n;

	if (fd_count) {
		struct cmsghdr *h;

		memset(&control, 0, sizeof control);
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(h), fds, fd_count * sizeof(int));
	}
	do {
		n = sendmsg(c->fd, &m, c->flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	/* ETOOMANYREFS: too many descriptors in flight; they drain as the peer reads */
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ETOOMANYREFS)
		return 0;
	c->out_broken = true;
	return -1;
}

int channel_flush(struct channel *c)
{
	struct frame *f;

	if (c->out_broken)
		return -1;
	while ((f = c->first)) {
		struct iovec iov = { f->bytes + f->at, f->size - f->at };
		bool begins = f->at == 0;
		ssize_t n = send_some(c, &iov, 1, f->fds, begins ? f->fd_count : 0);

		if (n < 0)
			return -1;
		if (n == 0) {
			if (c->flags)
				return 0;
			poll(NULL, 0, 1);       /* blocking, yet no room for descriptors */
			continue;
		}
		f->at += (size_t)n;
		c->queued -= (size_t)n;
		if (f->at < f->size)
			continue;
		c->first = f->next;
		if (!c->first)
			c->last = NULL;
		frame_free(f);
	}
	return 0;
}

static int enqueue(struct channel *c, const uint8_t *header, const void *payload, size_t size, size_t sent,
	const int *fds, unsigned fd_count)
{
	struct frame *f = malloc(sizeof *f + HEADER_SIZE + size);

	if (!f)
		return -1;
	f->next = NULL;
	f->size = HEADER_SIZE + size;
	f->at = sent;
	f->fd_count = 0;
	memcpy(f->bytes, header, HEADER_SIZE);
	if (size)
		memcpy(f->bytes + HEADER_SIZE, payload, size);
	for (unsigned i = 0; !sent && i < fd_count; i++) {
		f->fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (f->fds[i] < 0) {
			frame_free(f);
			return -1;
		}
		f->fd_count++;
	}
	if (c->last)
		c->last->next = f;
	else
		c->first = f;
	c->last = f;
	c->queued += f->size - f->at;
	return 0;
}

int channel_send(struct channel *c, enum message_type type, uint64_t id, const void *payload, size_t size,
	const int *fds, unsigned fd_count)
{
	uint8_t header[HEADER_SIZE];
	ssize_t n = 0;

	if (c->out_broken || size > MESSAGE_MAX || fd_count > MESSAGE_FDS)
		return -1;
	store_le32(header, (uint32_t)size);
	store_le16(header + 4, (uint16_t)type);
	store_le16(header + 6, (uint16_t)fd_count);
	store_le64(header + 8, id);
	if (!c->first) {
		struct iovec iov[2] = { { header, HEADER_SIZE }, { (void *)(uintptr_t)payload, size } };

		n = send_some(c, iov, size ? 2 : 1, fds, fd_count);
		if (n < 0)
			return -1;
		if ((size_t)n == HEADER_SIZE + size)
			return 0;
	}
	if (enqueue(c, header, payload, size, (size_t)n, fds, fd_count) < 0) {
		/* half a frame may be out: nothing sensible can follow it */
		c->out_broken = true;
		return -1;
	}
	return channel_flush(c);
}

/* ---- receiving ------------------------------------------------------------- */

static void keep_fds(struct channel *c, struct msghdr *m)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t count;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
			if (c->fd_count < sizeof c->fds / sizeof c->fds[0]) {
				c->fds[c->fd_count++] = fd;
			} else {
				close(fd);
				c->in_broken = true;
			}
		}
	}
	if (m->msg_flags & MSG_CTRUNC)
		c->in_broken = true;
}

/* 1: octets came, 0: none now, -1: peer gone. */
static int read_some(struct channel *c, void *p, size_t size, size_t *got)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
	} control;
	struct iovec iov = { p, size };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof control.bytes,
	};
	ssize_t n;

	do {
		n = recvmsg(c->fd, &m, c->flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n >= 0)
		keep_fds(c, &m);
	if (n <= 0 || c->in_broken) {
		c->in_broken = true;
		return -1;
	}
	*got = (size_t)n;
	return 1;
}

/* Takes the header at c->at apart; the peer is one of our own processes, but
 * it has met strangers' bytes: nothing it says is believed unchecked. */
static int begin_message(struct channel *c)
{
	const uint8_t *h = c->buf + c->at;
	struct message *m = &c->message;
	unsigned fd_count = load_le16(h + 6);

	memset(m, 0, sizeof *m);
	m->size = load_le32(h);
	m->type = (enum message_type)load_le16(h + 4);
	m->id = load_le64(h + 8);
	if (m->size > MESSAGE_MAX || fd_count > c->fd_count || fd_count > MESSAGE_FDS ||
	    m->type < MSG_SETUP || m->type > MESSAGE_TYPE_LAST)
		return -1;
	m->payload = malloc((size_t)m->size + 1);
	if (!m->payload)
		return -1;
	m->payload[m->size] = 0;
	m->fd_count = fd_count;
	memcpy(m->fds, c->fds, fd_count * sizeof(int));
	c->fd_count -= fd_count;
	memmove(c->fds, c->fds + fd_count, c->fd_count * sizeof(int));
	c->at += HEADER_SIZE;
	c->have = 0;
	c->in_payload = true;
	return 0;
}

/* From the buffer into the payload; true when it is whole. */
static bool fill_payload(struct channel *c)
{
	size_t n = c->message.size - c->have;

	if (n > c->end - c->at)
		n = c->end - c->at;
	memcpy(c->message.payload + c->have, c->buf + c->at, n);
	c->have += (uint32_t)n;
	c->at += n;
	return c->have == c->message.size;
}

int channel_receive(struct channel *c, struct message *out)
{
	for (;;) {
		size_t got;
		int r;

		if (!c->in_payload && c->end - c->at >= HEADER_SIZE && begin_message(c) < 0) {
			c->in_broken = true;
			return -1;
		}
		if (c->in_payload && fill_payload(c)) {
			*out = c->message;
			c->in_payload = false;
			return 1;
		}
		if (c->in_broken)
			return -1;
		if (c->in_payload) {
			/* the buffer is empty: the rest of a long payload goes straight in */
			size_t left = c->message.size - c->have;

			if (left >= READ_SIZE) {
				r = read_some(c, c->message.payload + c->have, left, &got);
				if (r <= 0)
					return r;
				c->have += (uint32_t)got;
				continue;
			}
		}
		memmove(c->buf, c->buf + c->at, c->end - c->at);
		c->end -= c->at;
		c->at = 0;
		r = read_some(c, c->buf + c->end, READ_SIZE - c->end, &got);
		if (r <= 0)
			return r;
		c->end += got;
	}
}

void message_clear(struct message *m)
{
	close_fds(m->fds, m->fd_count);
	m->fd_count = 0;
	free(m->payload);
	m->payload = NULL;
	m->size = 0;
}

int message_take_fd(struct message *m, unsigned i)
{
	int fd = -1;

	if (i < m->fd_count) {
		fd = m->fds[i];
		m->fds[i] = -1;
	}
	return fd;
}
