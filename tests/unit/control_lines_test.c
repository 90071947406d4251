/* Lines over a socket, whole and in pieces, with descriptors; and the asking
 * end on top of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/client.h"
#include "control/commands.h"
#include "control/lines.h"

#define LINE_MAX_HERE 64

struct pair {
	int far;                /* what a client does */
	int near;
	struct lines lines;
};

static void pair_open(struct pair *p)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	p->far = fd[0];
	p->near = fd[1];
	lines_init(&p->lines, p->near, LINE_MAX_HERE);
}

static void pair_close(struct pair *p)
{
	lines_clear(&p->lines);
	close(p->near);
	if (p->far >= 0)
		close(p->far);
}

static void say(struct pair *p, const char *text, size_t size)
{
	assert_int_equal(send(p->far, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Text in one write, with so many descriptors of a file. */
static void say_with(struct pair *p, const char *text, const int *fds, size_t count)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(64 * sizeof(int))]; } control = { .buf = "" };
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	assert_int_equal(sendmsg(p->far, &msg, MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static int fill(struct pair *p)
{
	struct err err = ERR_INIT;
	int r = lines_fill(&p->lines, &err);

	assert_null(err.code);
	return r;
}

/* Reads all there is. */
static void fill_all(struct pair *p)
{
	while (fill(p) == 1)
		;
}

static void expect_line(struct pair *p, const char *text)
{
	char *line;
	size_t size;

	assert_int_equal(lines_next(&p->lines, &line, &size), 1);
	assert_string_equal(line, text);
	assert_int_equal(size, strlen(text));
}

static void expect_none(struct pair *p)
{
	char *line;
	size_t size;

	assert_int_equal(lines_next(&p->lines, &line, &size), 0);
}

/* A file that tells which it is by its size. */
static int numbered_file(int number)
{
	int fd = memfd_create("numbered", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, number), 0);
	return fd;
}

/* The number of a descriptor that was taken; it is closed. */
static int number_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	return (int)st.st_size;
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* ---- lines ----------------------------------------------------------------- */

static void whole_lines(void **state)
{
	struct pair p;

	pair_open(&p);
	assert_int_equal(fill(&p), 0);
	expect_none(&p);
	say(&p, "one\n\ntwo\nthr", 12);
	assert_int_equal(fill(&p), 1);
	expect_line(&p, "one");
	expect_line(&p, "");
	expect_line(&p, "two");
	expect_none(&p);
	assert_int_equal(lines_partial(&p.lines), 3);
	say(&p, "ee\n", 3);
	fill_all(&p);
	expect_line(&p, "three");
	assert_int_equal(lines_partial(&p.lines), 0);
	assert_false(p.lines.at_end);
	pair_close(&p);
}

/* Cut at every place, it makes no difference. */
static void octet_by_octet(void **state)
{
	static const char text[] = "{\"command\":\"status\"}\nsecond\n";
	struct pair p;

	for (size_t cut = 0; cut < sizeof text; cut++) {
		pair_open(&p);
		say(&p, text, cut);
		fill_all(&p);
		if (cut <= 20)
			expect_none(&p);
		say(&p, text + cut, sizeof text - 1 - cut);
		fill_all(&p);
		expect_line(&p, "{\"command\":\"status\"}");
		expect_line(&p, "second");
		expect_none(&p);
		pair_close(&p);
	}
	pair_open(&p);
	for (size_t i = 0; i + 1 < sizeof text; i++) {
		say(&p, text + i, 1);
		assert_int_equal(fill(&p), 1);
		if (i == 20)
			expect_line(&p, "{\"command\":\"status\"}");
		else if (i + 2 < sizeof text)
			expect_none(&p);
	}
	expect_line(&p, "second");
	pair_close(&p);
}

static void octets_that_are_no_text(void **state)
{
	struct pair p;
	char *line;
	size_t size;

	pair_open(&p);
	say(&p, "a\0b\xff\r\n", 6);
	fill_all(&p);
	assert_int_equal(lines_next(&p.lines, &line, &size), 1);
	assert_int_equal(size, 5);
	assert_memory_equal(line, "a\0b\xff\r", 6);
	pair_close(&p);
}

/* At the limit it is a line, one octet above it is none, with or without its
 * end in sight. */
static void too_long(void **state)
{
	char text[4 * LINE_MAX_HERE], *line;
	struct pair p;
	size_t size;

	memset(text, 'x', sizeof text);
	text[LINE_MAX_HERE] = '\n';
	pair_open(&p);
	say(&p, text, LINE_MAX_HERE + 1);
	fill_all(&p);
	assert_int_equal(lines_next(&p.lines, &line, &size), 1);
	assert_int_equal(size, LINE_MAX_HERE);
	pair_close(&p);

	pair_open(&p);
	text[LINE_MAX_HERE] = 'x';
	text[LINE_MAX_HERE + 1] = '\n';
	say(&p, text, LINE_MAX_HERE + 2);
	fill_all(&p);
	assert_int_equal(lines_next(&p.lines, &line, &size), -1);
	pair_close(&p);

	pair_open(&p);
	text[LINE_MAX_HERE + 1] = 'x';
	say(&p, text, LINE_MAX_HERE);
	fill_all(&p);
	expect_none(&p);
	say(&p, text, 1);
	fill_all(&p);
	assert_int_equal(lines_next(&p.lines, &line, &size), -1);
	pair_close(&p);
}

static void at_the_end(void **state)
{
	struct pair p;

	pair_open(&p);
	say(&p, "last\nhalf", 9);
	close(p.far);
	p.far = -1;
	fill_all(&p);
	assert_true(p.lines.at_end);
	expect_line(&p, "last");
	expect_none(&p);
	assert_int_equal(lines_partial(&p.lines), 4);
	assert_int_equal(fill(&p), 0);
	pair_close(&p);
}

static void reading_fails(void **state)
{
	struct err err = ERR_INIT;
	struct lines l;
	int fd = memfd_create("no socket", MFD_CLOEXEC);

	lines_init(&l, fd, 10);
	assert_int_equal(lines_fill(&l, &err), -1);
	assert_true(err_is(&err, ERR_SYSTEM));
	lines_clear(&l);
	close(fd);
}

/* ---- writing ------------------------------------------------------------------ */

static void what_goes_out(void **state)
{
	char *big = malloc(2 << 20), *back = malloc(4 << 20);
	size_t got = 0;
	struct pair p;

	pair_open(&p);
	memset(big, 'y', 2 << 20);
	assert_int_equal(lines_put(&p.lines, "first", 5), 0);
	assert_int_equal(lines_put(&p.lines, "", 0), 0);
	assert_int_equal(lines_queued(&p.lines), 7);
	assert_int_equal(lines_put(&p.lines, big, 2 << 20), 0);
	/* the peer does not read: nothing blocks */
	assert_int_equal(lines_flush(&p.lines), 0);
	assert_true(lines_queued(&p.lines) > 0);
	assert_int_equal(lines_put(&p.lines, "last", 4), 0);
	while (lines_queued(&p.lines) || got < (2 << 20) + 13) {
		ssize_t n = recv(p.far, back + got, (4 << 20) - got, 0);

		assert_true(n > 0);
		got += (size_t)n;
		assert_int_equal(lines_flush(&p.lines), 0);
	}
	assert_int_equal(got, (2 << 20) + 13);
	assert_memory_equal(back, "first\n\nyyyy", 11);
	assert_memory_equal(back + got - 7, "y\nlast\n", 7);
	/* and it is gone: an error, no signal */
	close(p.far);
	p.far = -1;
	lines_put(&p.lines, "more", 4);
	assert_int_equal(lines_flush(&p.lines), -1);
	pair_close(&p);
	free(big);
	free(back);
}

/* ---- descriptors ---------------------------------------------------------------- */

static void one_descriptor_a_line(void **state)
{
	unsigned before = open_descriptors();
	struct pair p;
	int a = numbered_file(1), b = numbered_file(2);

	pair_open(&p);
	say_with(&p, "with one\n", &a, 1);
	say(&p, "without\n", 8);
	say_with(&p, "with another\n", &b, 1);
	fill_all(&p);
	expect_line(&p, "with one");
	assert_int_equal(number_of(lines_take_fd(&p.lines)), 1);
	assert_int_equal(lines_take_fd(&p.lines), -1);
	expect_line(&p, "without");
	assert_int_equal(lines_take_fd(&p.lines), -1);
	expect_line(&p, "with another");
	assert_int_equal(number_of(lines_take_fd(&p.lines)), 2);
	assert_int_equal(lines_take_fd(&p.lines), -1);
	pair_close(&p);
	close(a);
	close(b);
	assert_int_equal(open_descriptors(), before);
}

/* In whatever pieces they are sent and read: each line's own, and nobody else's. */
static void descriptors_in_the_middle(void **state)
{
	unsigned before = open_descriptors();
	struct pair p;
	int a = numbered_file(1), b = numbered_file(2);

	pair_open(&p);
	say(&p, "first\nsecond\nth", 15);
	say(&p, "ird\n", 4);
	say_with(&p, "f", &a, 1);
	say(&p, "ourth\nfifth\n", 12);
	say_with(&p, "sixth\nseventh\n", &b, 1);
	say(&p, "eighth\n", 7);
	fill_all(&p);
	for (const char *const *line = (const char *const []){ "first", "second", "third", NULL }; *line; line++) {
		expect_line(&p, *line);
		assert_int_equal(lines_take_fd(&p.lines), -1);
	}
	expect_line(&p, "fourth");
	assert_int_equal(number_of(lines_take_fd(&p.lines)), 1);
	expect_line(&p, "fifth");
	assert_int_equal(lines_take_fd(&p.lines), -1);
	expect_line(&p, "sixth");
	assert_int_equal(number_of(lines_take_fd(&p.lines)), 2);
	for (const char *const *line = (const char *const []){ "seventh", "eighth", NULL }; *line; line++) {
		expect_line(&p, *line);
		assert_int_equal(lines_take_fd(&p.lines), -1);
	}
	pair_close(&p);
	close(a);
	close(b);
	assert_int_equal(open_descriptors(), before);
}

/* The descriptor of a line that is not whole yet waits for it. */
static void descriptor_before_its_line(void **state)
{
	struct pair p;
	int a = numbered_file(3);

	pair_open(&p);
	say_with(&p, "beg", &a, 1);
	fill_all(&p);
	expect_none(&p);
	assert_int_equal(lines_take_fd(&p.lines), -1);
	say(&p, "in\nnext\n", 8);
	fill_all(&p);
	expect_line(&p, "begin");
	assert_int_equal(number_of(lines_take_fd(&p.lines)), 3);
	expect_line(&p, "next");
	assert_int_equal(lines_take_fd(&p.lines), -1);
	pair_close(&p);
	close(a);
}

/* Nobody takes it: it is closed when its lines have passed, and by clearing. */
static void descriptors_that_nobody_took(void **state)
{
	unsigned before = open_descriptors();
	struct pair p;
	int three[3] = { numbered_file(1), numbered_file(2), numbered_file(3) };

	pair_open(&p);
	say_with(&p, "three\n", three, 3);
	fill_all(&p);
	assert_int_equal(open_descriptors(), before + 2 + 3 + 3);
	expect_line(&p, "three");
	assert_int_equal(number_of(lines_take_fd(&p.lines)), 1);
	say(&p, "next\n", 5);
	fill_all(&p);
	expect_line(&p, "next");
	assert_int_equal(lines_take_fd(&p.lines), -1);
	assert_int_equal(open_descriptors(), before + 2 + 3);
	say_with(&p, "half", three, 3);
	fill_all(&p);
	assert_int_equal(open_descriptors(), before + 2 + 3 + 3);
	pair_close(&p);
	for (unsigned i = 0; i < 3; i++)
		close(three[i]);
	assert_int_equal(open_descriptors(), before);
}

/* A client that sends no end of them gets no more than the limit held open. */
static void too_many_descriptors(void **state)
{
	unsigned before = open_descriptors();
	struct pair p;
	int thirty[30];

	for (int i = 0; i < 30; i++)
		thirty[i] = numbered_file(i);
	pair_open(&p);
	for (unsigned i = 0; i < 10; i++) {
		say_with(&p, "x", thirty, 30);
		fill_all(&p);
	}
	assert_int_equal(open_descriptors(), before + 2 + 30 + LINES_FDS_MAX);
	say(&p, "\n", 1);
	fill_all(&p);
	expect_line(&p, "xxxxxxxxxx");
	for (unsigned i = 0; i < LINES_FDS_MAX; i++)
		assert_int_equal(number_of(lines_take_fd(&p.lines)), (int)(i % 30));
	assert_int_equal(lines_take_fd(&p.lines), -1);
	pair_close(&p);
	for (int i = 0; i < 30; i++)
		close(thirty[i]);
	assert_int_equal(open_descriptors(), before);
}

/* ---- the asking end ---------------------------------------------------------------- */

struct server { char dir[32], path[64]; int listener; };

static void server_open(struct server *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(s->dir, "/tmp/control-test.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof s->path, "%s/socket", s->dir);
	strcpy(a.sun_path, s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->listener, 4), 0);
}

static void server_close(struct server *s)
{
	close(s->listener);
	unlink(s->path);
	rmdir(s->dir);
}

static void reply_with(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void client_and_server(void **state)
{
	struct control_client *client;
	struct err err = ERR_INIT;
	struct server s;
	char got[128] = "";
	json_t *line, *request = json_pack("{s:s}", "command", "status");
	bool final;
	int fd;

	server_open(&s);
	assert_int_equal(control_client_open(&client, s.path, &err), 0);
	fd = accept(s.listener, NULL, NULL);
	assert_int_equal(control_client_send(client, request, -1, &err), 0);
	assert_true(recv(fd, got, sizeof got - 1, 0) > 0);
	assert_string_equal(got, "{\"command\":\"status\"}\n");
	reply_with(fd, "{\"progress\":{\"share\":0.5}}\n{\"ok\":true,");
	assert_int_equal(control_client_receive(client, 1000, &line, &final, &err), 0);
	assert_false(final);
	json_decref(line);
	assert_int_equal(control_client_receive(client, 20, &line, &final, &err), -1);
	assert_true(err_is(&err, ERR_TIMEOUT));
	err_clear(&err);
	reply_with(fd, "\"zones\":3}\nno JSON\n");
	assert_int_equal(control_client_receive(client, 1000, &line, &final, &err), 0);
	assert_true(final);
	assert_int_equal(json_integer_value(json_object_get(line, "zones")), 3);
	json_decref(line);
	assert_int_equal(control_client_receive(client, 1000, &line, &final, &err), -1);
	assert_true(err_is(&err, ERR_INTERNAL));
	err_clear(&err);
	close(fd);
	assert_int_equal(control_client_receive(client, 1000, &line, &final, &err), -1);
	assert_true(err_is(&err, ERR_UNAVAILABLE));
	err_clear(&err);
	assert_int_equal(control_client_send(client, request, -1, &err), -1);
	assert_true(err_is(&err, ERR_UNAVAILABLE));
	control_client_close(client);
	server_close(&s);
	json_decref(request);
}

static void where_nobody_listens(void **state)
{
	struct control_client *client;
	char path[256];
	struct err err = ERR_INIT;
	struct server s;

	server_open(&s);
	server_close(&s);
	assert_int_equal(control_client_open(&client, s.path, &err), -1);
	assert_true(err_is(&err, ERR_UNAVAILABLE));
	assert_non_null(strstr(err.message, s.path));
	err_clear(&err);
	memset(path, 'p', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_int_equal(control_client_open(&client, path, &err), -1);
	assert_true(err_is(&err, ERR_LIMIT));
}

static void a_request_beyond_the_limit(void **state)
{
	struct control_client *client;
	struct err err = ERR_INIT;
	struct server s;
	char *text = calloc(1, CONTROL_LINE_MAX + 1);
	json_t *request;

	server_open(&s);
	assert_int_equal(control_client_open(&client, s.path, &err), 0);
	memset(text, 'z', CONTROL_LINE_MAX);
	request = json_pack("{s:s}", "text", text);
	assert_int_equal(control_client_send(client, request, -1, &err), -1);
	assert_true(err_is(&err, ERR_LIMIT));
	json_decref(request);
	free(text);
	control_client_close(client);
	server_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_lines), cmocka_unit_test(octet_by_octet), cmocka_unit_test(octets_that_are_no_text),
		cmocka_unit_test(too_long), cmocka_unit_test(at_the_end), cmocka_unit_test(reading_fails),
		cmocka_unit_test(what_goes_out),
		cmocka_unit_test(one_descriptor_a_line), cmocka_unit_test(descriptors_in_the_middle),
		cmocka_unit_test(descriptor_before_its_line),
		cmocka_unit_test(descriptors_that_nobody_took), cmocka_unit_test(too_many_descriptors),
		cmocka_unit_test(client_and_server), cmocka_unit_test(where_nobody_listens),
		cmocka_unit_test(a_request_beyond_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
