#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static char role_name[32] = "schwenk";
static bool use_syslog, use_journal;
static enum log_level max_level = LOG_LEVEL_INFO;

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
	if (to_syslog)
		openlog("schwenkd", LOG_PID, LOG_DAEMON);
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

void log_at(enum log_level level, const char *fmt, ...)
{
	char line[2048];
	size_t n = 0;
	ssize_t written;
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	if (use_syslog) {
		vsnprintf(line, sizeof line, fmt, ap);
		va_end(ap);
		one_line(line, strlen(line));
		syslog(levels[level].priority, "[%s] %s", role_name, line);
		return;
	}
	if (use_journal)
		n = (size_t)snprintf(line, sizeof line, "<%d>", levels[level].priority);
	n += (size_t)snprintf(line + n, sizeof line - n, "schwenkd[%s]: %s: ",
		role_name, levels[level].name);
	vsnprintf(line + n, sizeof line - n - 1, fmt, ap);
	va_end(ap);
	n = strlen(line);
	one_line(line, n);
	line[n++] = '\n';
	/* one write, so that lines of several processes do not mix */
	written = write(STDERR_FILENO, line, n);
	(void)written;
}
