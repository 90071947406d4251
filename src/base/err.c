#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, const char *code, const char *fmt, ...)
{
	if (err && !err->code) {
		va_list ap;

		err->code = code;
		va_start(ap, fmt);
		vsnprintf(err->message, sizeof err->message, fmt, ap);
		va_end(ap);
	}
	return -1;
}

int err_system(struct err *err, const char *fmt, ...)
{
	int saved = errno;

	if (err && !err->code) {
		size_t n;
		va_list ap;

		err->code = saved == ENOSPC || saved == EDQUOT || saved == EFBIG ? ERR_FULL
			: saved == ENOMEM ? ERR_NOMEM : ERR_SYSTEM;
		va_start(ap, fmt);
		vsnprintf(err->message, sizeof err->message, fmt, ap);
		va_end(ap);
		n = strlen(err->message);
		snprintf(err->message + n, sizeof err->message - n, ": %s",
			strerror(saved));
	}
	errno = saved;
	return -1;
}

int err_context(struct err *err, const char *fmt, ...)
{
	if (err && err->code) {
		char old[sizeof err->message];
		size_t n;
		va_list ap;

		memcpy(old, err->message, sizeof old);
		va_start(ap, fmt);
		vsnprintf(err->message, sizeof err->message, fmt, ap);
		va_end(ap);
		n = strlen(err->message);
		snprintf(err->message + n, sizeof err->message - n, ": %s", old);
	}
	return -1;
}

void err_clear(struct err *err)
{
	err->code = NULL;
	err->message[0] = '\0';
}
