/*
 * Errors are values.
 *
 * A function that can fail returns 0, or -1 with the error filled in. The
 * code is one of the constants below: it is what the control protocol
 * sends, so that a program can act on it. The message is for a person and
 * says what, where, and what to do. The first error sticks: setting an
 * error that is already set changes nothing.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define ERR_BAD_REQUEST     "bad-request"     /* malformed, unknown key, wrong type */
#define ERR_UNKNOWN_COMMAND "unknown-command"
#define ERR_DENIED          "denied"          /* the peer lacks the right */
#define ERR_NO_SUCH_ZONE    "no-such-zone"
#define ERR_NO_SUCH_SET     "no-such-set"
#define ERR_NO_SUCH_GROUP   "no-such-group"
#define ERR_EXISTS          "exists"
#define ERR_NOT_READY       "not-ready"       /* the set is loading, failed or dropping */
#define ERR_IN_USE          "in-use"          /* live, previous, scheduled, ... */
#define ERR_HELD            "held"            /* the zone awaits confirm or rollback */
#define ERR_OVERTAKEN       "overtaken"       /* the live set changed meanwhile */
#define ERR_NO_PREVIOUS     "no-previous"     /* nothing to roll back to */
#define ERR_SERIAL          "serial"          /* the serial cannot or must not be that */
#define ERR_CHANGED         "changed"         /* --expect does not match */
#define ERR_NO_GO           "no-go"           /* a local rule forbids it; --force RULE */
#define ERR_PARSE           "parse"           /* zone text, configuration, JSON */
#define ERR_RULE            "rule"            /* a whole-zone rule is broken */
#define ERR_SIGNED          "signed"          /* needs keys that we do not have */
#define ERR_LIMIT           "limit"           /* larger or longer than allowed */
#define ERR_FULL            "full"            /* map or disk full */
#define ERR_CORRUPT         "corrupt"         /* the store's bytes are not as they must be */
#define ERR_VERSION         "version"         /* another schema or LMDB format */
#define ERR_BUSY            "busy"
#define ERR_TIMEOUT         "timeout"
#define ERR_UNAVAILABLE     "unavailable"     /* writer or loader is gone */
#define ERR_SYSTEM          "system"          /* a system call failed */
#define ERR_NOMEM           "nomem"
#define ERR_INTERNAL        "internal"        /* our mistake */

struct err {
	const char *code;      /* NULL: no error */
	char message[1024];
};

#define ERR_INIT { .code = NULL, .message = "" }

/* Set the error unless one is set already; always returns -1. */
int err_set(struct err *err, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with ": " and strerror(errno) appended, code ERR_SYSTEM (ERR_FULL
 * for ENOSPC, EDQUOT and EFBIG, ERR_NOMEM for ENOMEM). */
int err_system(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Put "context: " before the message of an error that is set. Returns -1. */
int err_context(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void err_clear(struct err *err);
static inline bool err_is(const struct err *err, const char *code)
{
	return err->code && __builtin_strcmp(err->code, code) == 0;
}

#endif
