#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static char role_name[32] = "schwenk";
static bool use_syslog, use_journal;
static enum log_level max_level = LOG_LEVEL_INFO;
static int syslog_fd = -1;
static unsigned long lost;      /* lines, since the last that could be said */

static const struct { const char *name; int priority; } levels[] = {
	[LOG_LEVEL_ERROR]   = { "error", LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
	[LOG_LEVEL_NOTICE]  = { "notice", LOG_NOTICE },
	[LOG_LEVEL_INFO]    = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG]   = { "debug", LOG_DEBUG },
};

void log_open(const char *role, bool to_syslog, enum log_level level)
{
	snprintf(role_name, sizeof role_name, "%s", role);
	use_syslog = to_syslog;
	use_journal = !to_syslog && getenv("JOURNAL_STREAM") != NULL;
	max_level = level;
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

bool log_level_from_text(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (strcmp(levels[i].name, text) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	return false;
}

/* Names and messages may hold strangers' bytes: one event, one line. */
static void one_line(char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
}

/* ---- syslog ------------------------------------------------------------------------ */

/* libc's syslog(3) waits for as long as nobody reads: a syslog daemon that
 * stands still would hold up every process that has something to say. */
static int connect_syslog(void)
{
	static const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			return -1;
		if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
			return fd;
		close(fd);
		if (errno != EPROTOTYPE)
			return -1;
	}
	return -1;
}

/* As syslog(3) has it; the NUL ends it for who listens on a stream. */
static bool syslog_line(enum log_level level, const char *text)
{
	char line[2304], when[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
	n = snprintf(line, sizeof line, "<%d>%s schwenkd[%d]: [%s] %s", LOG_DAEMON | levels[level].priority, when, (int)getpid(),
		role_name, text);
	if (n >= (int)sizeof line)
		n = sizeof line - 1;
	/* twice: the receiver may have been started anew */
	for (int i = 0; i < 2; i++) {
		if (syslog_fd < 0)
			syslog_fd = connect_syslog();
		if (syslog_fd < 0)
			return false;
		if (send(syslog_fd, line, (size_t)n + 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return true;
		if (errno == EAGAIN || errno == ENOBUFS)
			return false;
		close(syslog_fd);
		syslog_fd = -1;
	}
	return false;
}

/* ---- stderr ------------------------------------------------------------------------ */

static bool stderr_line(enum log_level level, const char *text)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[2304], priority[8] = "";
	int n;

	/* a pipe that nobody empties: a line is short enough not to wait where there is room */
	if (poll(&p, 1, 0) == 0)
		return false;
	if (use_journal)
		snprintf(priority, sizeof priority, "<%d>", levels[level].priority);
	n = snprintf(line, sizeof line - 1, "%sschwenkd[%s]: %s: %s", priority, role_name, levels[level].name, text);
	if (n >= (int)sizeof line - 1)
		n = sizeof line - 2;
	line[n++] = '\n';
	/* one write, so that lines of several processes do not mix */
	return write(STDERR_FILENO, line, (size_t)n) == n;
}

/* ---- both -------------------------------------------------------------------------- */

static bool emit(enum log_level level, const char *text)
{
	return (use_syslog ? syslog_line : stderr_line)(level, text);
}

/* What could not be said is not forgotten altogether. */
static bool tell_lost(void)
{
	char text[96];

	if (!lost)
		return true;
	snprintf(text, sizeof text, "%lu line%s of the log %s lost: who reads it did not", lost, lost == 1 ? "" : "s",
		lost == 1 ? "was" : "were");
	if (!emit(LOG_LEVEL_WARNING, text))
		return false;
	lost = 0;
	return true;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char text[2048];
	int saved = errno;
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	one_line(text, strlen(text));
	if (!tell_lost() || !emit(level, text))
		lost++;
	errno = saved;
}
