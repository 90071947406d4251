#include "tool_server.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/lines.h"

static void append(char *to, const char *text, size_t size)
{
	size_t n = strlen(to);

	assert(n + size + 1 < SERVER_TEXT);
	memcpy(to + n, text, size);
	to[n + size] = '\0';
}

static void read_file(struct server *s, int fd)
{
	char buf[4096];
	ssize_t n = 0;

	/* a descriptor for writing has nothing to read */
	while ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY && (n = read(fd, buf, sizeof buf)) > 0)
		append(s->files, buf, (size_t)n);
}

static int step(struct server *s, struct lines *lines, int socket, const char *line, size_t size, size_t at)
{
	int fd = lines_take_fd(lines);
	const struct server_step *now = at < s->steps ? &s->step[at] : NULL;
	size_t n;

	append(s->lines, line, size);
	append(s->lines, "\n", 1);
	if (fd >= 0) {
		s->fds++;
		if (now && now->write_fd)
			assert(write(fd, now->write_fd, strlen(now->write_fd)) == (ssize_t)strlen(now->write_fd));
		else
			read_file(s, fd);
		close(fd);
	}
	if (!now || !now->reply)
		return -1;
	n = strcspn(now->reply, SERVER_CLOSE);
	return send(socket, now->reply, n, MSG_NOSIGNAL) < 0 || now->reply[n] ? -1 : 0;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct pollfd p = { .fd = s->listener, .events = POLLIN };
	struct err err = ERR_INIT;
	struct lines lines;
	size_t at = 0, size;
	char *line;
	int socket = poll(&p, 1, 5000) > 0 ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC) : -1;

	if (socket < 0)
		return NULL;
	lines_init(&lines, socket, 1 << 20);
	for (;;) {
		int n = lines_next(&lines, &line, &size);

		if (n < 0 || (n > 0 && step(s, &lines, socket, line, size, at++) < 0))
			break;
		if (n == 0 && (lines.at_end || lines_fill(&lines, &err) < 0 || lines.at_end))
			break;
	}
	lines_clear(&lines);
	close(socket);
	return NULL;
}

void server_start(struct server *s, const struct server_step *steps, size_t count)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pthread_t thread;

	memset(s, 0, sizeof *s);
	assert(count <= SERVER_STEPS);
	for (size_t i = 0; i < count; i++)
		s->step[i] = steps[i];
	s->steps = count;
	strcpy(s->dir, "/tmp/tool-test.XXXXXX");
	if (!mkdtemp(s->dir))
		abort();
	snprintf(s->path, sizeof s->path, "%s/socket", s->dir);
	strcpy(address.sun_path, s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&address, sizeof address) < 0
		|| listen(s->listener, 4) < 0 || pthread_create(&thread, NULL, serve, s) != 0)
		abort();
	s->thread = (unsigned long)thread;
}

void server_end(struct server *s)
{
	pthread_join((pthread_t)s->thread, NULL);
	close(s->listener);
	unlink(s->path);
	rmdir(s->dir);
}
