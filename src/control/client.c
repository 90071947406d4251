#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/commands.h"
#include "control/lines.h"

/* Replies come from our own daemon and may list 100,000 zones. */
#define REPLY_MAX (256u << 20)

struct control_client {
	int fd;
	struct lines lines;
};

static int explain_connect(const char *path, struct err *err)
{
	switch (errno) {
	case ENOENT:
	case ECONNREFUSED:
		return err_set(err, ERR_UNAVAILABLE, "schwenkd is not running: nobody listens at %s (another socket: -s SOCKET)", path);
	case EACCES:
	case EPERM:
		return err_set(err, ERR_DENIED, "no permission to use %s: join one of the groups that the daemon's "
			"configuration names (operators, stagers, readers), or use sudo", path);
	default:
		return err_system(err, "connecting to %s", path);
	}
}

int control_client_open(struct control_client **out, const char *path, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control_client *client;
	int fd;

	if (strlen(path) >= sizeof address.sun_path)
		return err_set(err, ERR_LIMIT, "the socket's path is longer than %zu octets: %s", sizeof address.sun_path - 1, path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_system(err, "socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		explain_connect(path, err);
		close(fd);
		return -1;
	}
	client = calloc(1, sizeof *client);
	if (!client) {
		close(fd);
		return err_set(err, ERR_NOMEM, "no memory");
	}
	client->fd = fd;
	lines_init(&client->lines, fd, REPLY_MAX);
	*out = client;
	return 0;
}

void control_client_close(struct control_client *client)
{
	if (!client)
		return;
	lines_clear(&client->lines);
	close(client->fd);
	free(client);
}

int control_client_peer(const struct control_client *client)
{
	struct ucred cred;
	socklen_t size = sizeof cred;

	return getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) == 0 ? cred.pid : 0;
}

/* The descriptor goes with the first octets; the rest may need more writes. */
static int send_all(int socket_fd, const char *text, size_t size, int fd)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(int))]; } control;

	memset(&control, 0, sizeof control);
	while (size) {
		struct iovec iov = { (void *)(uintptr_t)text, size };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (fd >= 0) {
			struct cmsghdr *c;

			msg.msg_control = control.buf;
			msg.msg_controllen = sizeof control.buf;
			c = CMSG_FIRSTHDR(&msg);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof fd);
			memcpy(CMSG_DATA(c), &fd, sizeof fd);
		}
		n = sendmsg(socket_fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		fd = -1;
		text += n;
		size -= (size_t)n;
	}
	return 0;
}

int control_client_send(struct control_client *client, const json_t *request, int fd, struct err *err)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t size;
	int status;

	if (!text)
		return err_set(err, ERR_NOMEM, "no memory");
	size = strlen(text);
	if (size > CONTROL_LINE_MAX) {
		free(text);
		return err_set(err, ERR_LIMIT, "the request has %zu octets, a line may have %u", size, CONTROL_LINE_MAX);
	}
	text[size] = '\n';      /* takes the NUL's place: one write, one line */
	status = send_all(client->fd, text, size + 1, fd);
	free(text);
	if (status < 0)
		return errno == EPIPE || errno == ECONNRESET ?
			err_set(err, ERR_UNAVAILABLE, "schwenkd closed the connection") :
			err_system(err, "sending to schwenkd");
	return 0;
}

static int wait_readable(int fd, int64_t until_us, struct err *err)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = until_us < 0 ? -1 : (until_us - clock_boot_us() + 999) / 1000;
		int n = poll(&p, 1, until_us < 0 ? -1 : left < 0 ? 0 : (int)left);

		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, ERR_TIMEOUT, "no answer from schwenkd in time");
		if (errno != EINTR)
			return err_system(err, "poll");
	}
}

static int parse_line(const char *text, size_t size, json_t **line, bool *final, struct err *err)
{
	json_error_t where;
	json_t *json = json_loadb(text, size, 0, &where);

	if (!json_is_object(json)) {
		json_decref(json);
		return err_set(err, ERR_INTERNAL, "schwenkd sent what is no JSON object: %.100s", text);
	}
	*line = json;
	*final = json_object_get(json, "progress") == NULL;
	return 0;
}

int control_client_receive(struct control_client *client, int timeout_ms, json_t **line, bool *final, struct err *err)
{
	int64_t until = timeout_ms < 0 ? -1 : clock_boot_us() + (int64_t)timeout_ms * 1000;

	for (;;) {
		char *text;
		size_t size;
		int n = lines_next(&client->lines, &text, &size);

		if (n > 0)
			return parse_line(text, size, line, final, err);
		if (n < 0)
			return err_set(err, ERR_LIMIT, "schwenkd's reply is longer than %u octets", REPLY_MAX);
		if (client->lines.at_end)
			return err_set(err, ERR_UNAVAILABLE, "schwenkd closed the connection before its reply");
		if (wait_readable(client->fd, until, err) < 0)
			return -1;
		if (lines_fill(&client->lines, err) < 0)
			return -1;
	}
}
