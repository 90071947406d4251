#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ipc/channel.h"

static struct channel *a, *b;
static int raw;         /* the other end of b where a is not used */

static int setup_pair(void **state)
{
	int fd[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), errno);
	a = channel_new(fd[0], true);
	b = channel_new(fd[1], true);
	return a && b ? 0 : -1;
}

static int teardown_pair(void **state)
{
	channel_free(a);
	channel_free(b);
	a = b = NULL;
	return 0;
}

static int setup_raw(void **state)
{
	int fd[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), errno);
	raw = fd[0];
	b = channel_new(fd[1], true);
	return b ? 0 : -1;
}

static int teardown_raw(void **state)
{
	if (raw >= 0)
		close(raw);
	channel_free(b);
	b = NULL;
	return 0;
}

static size_t frame(uint8_t *p, uint32_t size, uint16_t type, uint16_t fds, uint64_t id, const char *payload)
{
	store_le32(p, size);
	store_le16(p + 4, type);
	store_le16(p + 6, fds);
	store_le64(p + 8, id);
	if (payload)
		memcpy(p + 16, payload, size);
	return 16 + (payload ? size : 0);
}

static void sends_and_receives(void **state)
{
	struct message m;

	assert_int_equal(channel_receive(b, &m), 0);
	assert_int_equal(channel_send(a, MSG_REQUEST, 7, "hello", 5, NULL, 0), 0);
	assert_int_equal(channel_send(a, MSG_STOP, 8, NULL, 0, NULL, 0), 0);
	assert_int_equal(channel_receive(b, &m), 1);
	assert_int_equal(m.type, MSG_REQUEST);
	assert_int_equal(m.id, 7);
	assert_int_equal(m.size, 5);
	assert_string_equal((char *)m.payload, "hello");
	message_clear(&m);
	assert_int_equal(channel_receive(b, &m), 1);
	assert_int_equal(m.type, MSG_STOP);
	assert_int_equal(m.size, 0);
	message_clear(&m);
	assert_int_equal(channel_receive(b, &m), 0);
}

/* Every split of two frames into two writes gives the same two messages. */
static void takes_frames_in_any_pieces(void **state)
{
	uint8_t bytes[64];
	size_t size = frame(bytes, 3, MSG_REQUEST, 0, 1, "abc");

	size += frame(bytes + size, 2, MSG_REPLY, 0, 2, "de");
	for (size_t cut = 1; cut < size; cut++) {
		struct message m[2];
		unsigned got = 0;

		assert_int_equal(write(raw, bytes, cut), cut);
		while (channel_receive(b, &m[got]) == 1)
			got++;
		assert_int_equal(write(raw, bytes + cut, size - cut), size - cut);
		while (got < 2 && channel_receive(b, &m[got]) == 1)
			got++;
		assert_int_equal(got, 2);
		assert_string_equal((char *)m[0].payload, "abc");
		assert_string_equal((char *)m[1].payload, "de");
		assert_int_equal(m[1].id, 2);
		message_clear(&m[0]);
		message_clear(&m[1]);
	}
}

static void takes_frames_octet_by_octet(void **state)
{
	uint8_t bytes[32];
	struct message m;
	size_t size = frame(bytes, 4, MSG_PROGRESS, 0, 9, "wxyz");

	for (size_t i = 0; i < size; i++) {
		assert_int_equal(channel_receive(b, &m), 0);
		assert_int_equal(write(raw, bytes + i, 1), 1);
	}
	assert_int_equal(channel_receive(b, &m), 1);
	assert_string_equal((char *)m.payload, "wxyz");
	message_clear(&m);
}

/* More than the socket takes: the rest is queued, in order, and goes later. */
static void queues_what_does_not_fit(void **state)
{
	enum { BIG = 3 << 20, COUNT = 4 };
	uint8_t *big = malloc(BIG);
	unsigned got = 0;

	assert_non_null(big);
	for (unsigned i = 0; i < COUNT; i++) {
		memset(big, 'a' + (int)i, BIG);
		assert_int_equal(channel_send(a, MSG_PROGRESS, i, big, BIG, NULL, 0), 0);
	}
	assert_true(channel_wants_write(a));
	assert_true(channel_queued(a) > BIG);
	while (got < COUNT) {
		struct message m;
		int r;

		assert_int_equal(channel_flush(a), 0);
		r = channel_receive(b, &m);
		assert_int_not_equal(r, -1);
		if (r == 0)
			continue;
		assert_int_equal(m.id, got);
		assert_int_equal(m.size, BIG);
		assert_int_equal(m.payload[0], 'a' + (int)got);
		assert_int_equal(m.payload[BIG - 1], 'a' + (int)got);
		message_clear(&m);
		got++;
	}
	assert_false(channel_wants_write(a));
	assert_int_equal(channel_queued(a), 0);
	free(big);
}

static void expect_text(int fd, const char *text)
{
	char got[32] = "";

	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof got - 1), strlen(text));
	assert_string_equal(got, text);
	close(fd);
}

static int pipe_with(const char *text)
{
	int p[2];

	assert_return_code(pipe2(p, O_CLOEXEC), errno);
	assert_int_equal(write(p[1], text, strlen(text)), strlen(text));
	close(p[1]);
	return p[0];
}

/* Descriptors stay with their own message, also behind one without and when
 * the frames had to be queued. */
static void descriptors_go_with_their_message(void **state)
{
	int fds[3] = { pipe_with("one"), pipe_with("two"), pipe_with("three") };
	uint8_t *big = calloc(1, 2 << 20);
	struct message m;
	unsigned got = 0;

	assert_non_null(big);
	assert_int_equal(channel_send(a, MSG_REQUEST, 0, "x", 1, NULL, 0), 0);
	assert_int_equal(channel_send(a, MSG_REQUEST, 1, "y", 1, fds, 1), 0);
	assert_int_equal(channel_send(a, MSG_REQUEST, 2, big, 2 << 20, NULL, 0), 0);
	assert_int_equal(channel_send(a, MSG_REQUEST, 3, "z", 1, fds + 1, 2), 0);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);      /* the channel has its own by now */
	while (got < 4) {
		assert_int_equal(channel_flush(a), 0);
		if (channel_receive(b, &m) != 1)
			continue;
		assert_int_equal(m.id, got);
		assert_int_equal(m.fd_count, got == 1 ? 1 : got == 3 ? 2 : 0);
		if (got == 1)
			expect_text(message_take_fd(&m, 0), "one");
		if (got == 3) {
			expect_text(message_take_fd(&m, 0), "two");
			expect_text(message_take_fd(&m, 1), "three");
			assert_int_equal(message_take_fd(&m, 1), -1);
			assert_int_equal(message_take_fd(&m, 2), -1);
		}
		message_clear(&m);
		got++;
	}
	free(big);
}

static void untaken_descriptors_are_closed(void **state)
{
	int p[2];
	char c;
	struct message m;

	assert_return_code(pipe2(p, O_CLOEXEC), errno);
	assert_int_equal(channel_send(a, MSG_FILE, 1, "{}", 2, &p[1], 1), 0);
	close(p[1]);
	assert_int_equal(channel_receive(b, &m), 1);
	message_clear(&m);
	assert_int_equal(read(p[0], &c, 1), 0);     /* end of file: nobody has the other end */
	close(p[0]);
}

static void carries_the_most_descriptors(void **state)
{
	int fds[MESSAGE_FDS];
	struct message m;

	for (unsigned i = 0; i < MESSAGE_FDS; i++)
		fds[i] = STDERR_FILENO;
	assert_int_equal(channel_send(a, MSG_SETUP, 1, "{}", 2, fds, MESSAGE_FDS), 0);
	assert_int_equal(channel_send(a, MSG_SETUP, 1, "{}", 2, fds, MESSAGE_FDS + 1), -1);
	assert_int_equal(channel_receive(b, &m), 1);
	assert_int_equal(m.fd_count, MESSAGE_FDS);
	message_clear(&m);
	assert_int_equal(channel_receive(b, &m), 0);
}

/* What the peer said before it went is still heard. */
static void last_words_are_heard(void **state)
{
	struct message m;

	assert_int_equal(channel_send(a, MSG_REPLY, 5, "bye", 3, NULL, 0), 0);
	channel_free(a);
	a = NULL;
	channel_send(b, MSG_STOP, 1, NULL, 0, NULL, 0);
	channel_send(b, MSG_STOP, 1, NULL, 0, NULL, 0);
	assert_int_equal(channel_receive(b, &m), 1);
	assert_string_equal((char *)m.payload, "bye");
	message_clear(&m);
	assert_int_equal(channel_receive(b, &m), -1);
	assert_int_equal(channel_send(b, MSG_STOP, 1, NULL, 0, NULL, 0), -1);
	assert_int_equal(channel_flush(b), -1);
}

static void peer_gone_in_mid_frame(void **state)
{
	uint8_t bytes[32];
	struct message m;
	size_t size = frame(bytes, 4, MSG_PROGRESS, 0, 9, "wxyz");

	assert_int_equal(write(raw, bytes, size - 1), size - 1);
	assert_int_equal(channel_receive(b, &m), 0);
	close(raw);
	raw = -1;
	assert_int_equal(channel_receive(b, &m), -1);
	assert_int_equal(channel_receive(b, &m), -1);
}

static void refuse(uint32_t size, uint16_t type, uint16_t fds)
{
	uint8_t bytes[16];
	struct message m;

	setup_raw(NULL);
	frame(bytes, size, type, fds, 1, NULL);
	assert_int_equal(write(raw, bytes, 16), 16);
	assert_int_equal(channel_receive(b, &m), -1);
	assert_int_equal(channel_receive(b, &m), -1);
	teardown_raw(NULL);
}

static void nonsense_is_refused(void **state)
{
	refuse(MESSAGE_MAX + 1, MSG_REQUEST, 0);
	refuse(0xffffffff, MSG_REQUEST, 0);
	refuse(0, 0, 0);
	refuse(0, MESSAGE_TYPE_LAST + 1, 0);
	refuse(0, 0xffff, 0);
	refuse(0, MSG_FILE, 1);         /* says it brings a descriptor, and does not */
	refuse(0, MSG_FILE, 0xffff);
}

static void too_long_a_payload_is_not_sent(void **state)
{
	struct message m;

	assert_int_equal(channel_send(a, MSG_REQUEST, 1, "", (size_t)MESSAGE_MAX + 1, NULL, 0), -1);
	assert_int_equal(channel_send(a, MSG_REQUEST, 2, "x", 1, NULL, 0), 0);
	assert_int_equal(channel_receive(b, &m), 1);
	assert_int_equal(m.id, 2);
	message_clear(&m);
}

#define PAIR(f) cmocka_unit_test_setup_teardown(f, setup_pair, teardown_pair)
#define RAW(f)  cmocka_unit_test_setup_teardown(f, setup_raw, teardown_raw)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR(sends_and_receives),
		RAW(takes_frames_in_any_pieces),
		RAW(takes_frames_octet_by_octet),
		PAIR(queues_what_does_not_fit),
		PAIR(descriptors_go_with_their_message),
		PAIR(untaken_descriptors_are_closed),
		PAIR(carries_the_most_descriptors),
		PAIR(last_words_are_heard),
		RAW(peer_gone_in_mid_frame),
		cmocka_unit_test(nonsense_is_refused),
		PAIR(too_long_a_payload_is_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
