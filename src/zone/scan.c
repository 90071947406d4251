#include "zone/scan.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (256u << 10)
#define FILES_MAX 65535u

enum octet_class { WORD, BLANK, NEWLINE, COMMENT, OPEN, CLOSE, QUOTE, ESCAPE, CONTROL };

static const uint8_t octet_class[256] = {
	[0 ... 8] = CONTROL, ['\t'] = BLANK, ['\n'] = NEWLINE, [11 ... 12] = CONTROL, ['\r'] = BLANK,
	[14 ... 31] = CONTROL, [' '] = BLANK, [127] = CONTROL,
	[';'] = COMMENT, ['('] = OPEN, [')'] = CLOSE, ['"'] = QUOTE, ['\\'] = ESCAPE,
};

struct source {
	int fd;                 /* -1: text in memory */
	bool owns_fd, eof;
	uint64_t file_at, file_end;     /* a piece of a file, read by position; file_end 0: all of it */
	char *buffer;           /* or the text */
	size_t size;            /* of the buffer */
	size_t begin, at, end;  /* of the record under way; where we are; of what was read */
	int64_t line_at;        /* where the line began (before the buffer: negative) */
	unsigned line, file;
	dev_t dev;
	ino_t ino;
	bool has_identity;
};

struct scanner {
	struct source source[SCAN_NESTING_MAX];
	unsigned depth;
	char **files;
	unsigned file_count, file_space;
	struct scan_token *tokens;
	unsigned token_space;
	uint64_t octets, outer_octets, outer_size;
};

static int scan_file(struct scanner *s, const char *name, unsigned *file)
{
	/* the same file again (a loop of $INCLUDEs in $GENERATE style) needs no new entry */
	for (unsigned i = s->file_count > 8 ? s->file_count - 8 : 0; i < s->file_count; i++)
		if (strcmp(s->files[i], name) == 0) {
			*file = i;
			return 0;
		}
	if (s->file_count == FILES_MAX)
		return -1;
	if (s->file_count == s->file_space) {
		unsigned space = s->file_space ? 2 * s->file_space : 8;
		char **files = realloc(s->files, space * sizeof(*files));

		if (!files)
			return -1;
		s->files = files;
		s->file_space = space;
	}
	s->files[s->file_count] = strdup(name);
	if (!s->files[s->file_count])
		return -1;
	*file = s->file_count++;
	return 0;
}

static int source_open(struct scanner *s, struct source *source, int fd, const char *name)
{
	struct stat st;

	*source = (struct source){ .fd = fd, .line = 1, .size = BUFFER_SIZE };
	if (scan_file(s, name, &source->file) < 0)
		return -1;
	source->buffer = malloc(source->size);
	if (!source->buffer)
		return -1;
	if (fstat(fd, &st) == 0) {
		source->dev = st.st_dev;
		source->ino = st.st_ino;
		source->has_identity = S_ISREG(st.st_mode);
	}
	return 0;
}

static void source_close(struct source *source)
{
	if (source->fd >= 0)
		free(source->buffer);
	if (source->owns_fd)
		close(source->fd);
	source->buffer = NULL;
}

struct scanner *scanner_new(int fd, const char *name)
{
	struct scanner *s = calloc(1, sizeof(*s));
	struct stat st;

	if (!s)
		return NULL;
	if (source_open(s, &s->source[0], fd, name) < 0) {
		scanner_free(s);
		return NULL;
	}
	s->depth = 1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		s->outer_size = (uint64_t)st.st_size;
	return s;
}

struct scanner *scanner_new_piece(int fd, uint64_t at, uint64_t size, const char *name, unsigned line)
{
	struct scanner *s = scanner_new(fd, name);

	if (!s)
		return NULL;
	s->source[0].file_at = at;
	s->source[0].file_end = at + size;
	s->source[0].line = line;
	s->outer_size = size;
	return s;
}

struct scanner *scanner_new_text(const char *text, size_t size, const char *name)
{
	struct scanner *s = calloc(1, sizeof(*s));
	struct source *source;

	if (!s)
		return NULL;
	source = &s->source[0];
	*source = (struct source){ .fd = -1, .eof = true, .line = 1, .size = size, .end = size,
		.buffer = (char *)(uintptr_t)text };
	if (scan_file(s, name, &source->file) < 0) {
		scanner_free(s);
		return NULL;
	}
	s->depth = 1;
	s->outer_size = s->outer_octets = s->octets = size;
	return s;
}

void scanner_free(struct scanner *s)
{
	if (!s)
		return;
	while (s->depth > 0)
		source_close(&s->source[--s->depth]);
	for (unsigned i = 0; i < s->file_count; i++)
		free(s->files[i]);
	free(s->files);
	free(s->tokens);
	free(s);
}

const char *scan_file_name(const struct scanner *s, unsigned file)
{
	return file < s->file_count ? s->files[file] : "?";
}

double scan_share(const struct scanner *s)
{
	if (!s->outer_size)
		return -1;
	return s->outer_octets >= s->outer_size ? 1 : (double)s->outer_octets / (double)s->outer_size;
}

uint64_t scan_octets(const struct scanner *s)
{
	return s->octets;
}

int scan_push(struct scanner *s, int fd, const char *name, struct err *err)
{
	struct source *source;

	if (s->depth == SCAN_NESTING_MAX) {
		close(fd);
		return err_set(err, ERR_LIMIT, "files are nested more than %d deep", SCAN_NESTING_MAX);
	}
	source = &s->source[s->depth];
	if (source_open(s, source, fd, name) < 0) {
		close(fd);
		return err_set(err, ERR_NOMEM, "no memory to include \"%s\"", name);
	}
	source->owns_fd = true;
	for (unsigned i = 0; i < s->depth; i++) {
		const struct source *outer = &s->source[i];

		if (source->has_identity && outer->has_identity && source->dev == outer->dev && source->ino == outer->ino) {
			source_close(source);
			return err_set(err, ERR_PARSE, "\"%s\" includes itself", name);
		}
	}
	s->depth++;
	return 0;
}

static int fail(struct scan_error *e, const struct source *source, unsigned line, int64_t column, bool fatal,
	const char *message)
{
	e->file = source->file;
	e->line = line;
	e->column = column > 0 ? (unsigned)column : 0;
	e->fatal = fatal;
	snprintf(e->message, sizeof(e->message), "%s", message);
	return -1;
}

static unsigned column_of(const struct source *source, size_t at)
{
	return (unsigned)((int64_t)at - source->line_at + 1);
}

static ssize_t read_some(struct source *source, char *p, size_t size)
{
	uint64_t left = source->file_end - source->file_at;
	bool is_piece = source->file_end > 0;
	int fd = source->fd;

	for (;;) {
		ssize_t n = is_piece ? pread(fd, p, size < left ? size : (size_t)left, (off_t)source->file_at) : read(fd, p, size);

		if (n >= 0) {
			source->file_at += is_piece ? (uint64_t)n : 0;
			return n;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			/* a pipe that somebody made non-blocking: wait as if it were not */
			struct pollfd wait = { .fd = fd, .events = POLLIN };

			if (poll(&wait, 1, -1) >= 0 || errno == EINTR)
				continue;
		}
		if (errno != EINTR)
			return -1;
	}
}

/* Bring in more text. 1: there is more, 0: the file is at its end, -1: error.
 * What lies between begin and end is kept; begin, at, end and line_at move. */
static int more(struct scanner *s, struct source *source, struct scan_error *e)
{
	ssize_t n;

	if (source->eof)
		return 0;
	if (source->end == source->size && source->begin > 0) {
		size_t move = source->begin;

		memmove(source->buffer, source->buffer + move, source->end - move);
		source->begin = 0;
		source->at -= move;
		source->end -= move;
		source->line_at -= (int64_t)move;
	}
	if (source->end == source->size) {
		char *buffer;

		if (source->size >= SCAN_RECORD_MAX)
			return fail(e, source, source->line, column_of(source, source->at), true,
				"a record longer than 1 MiB: is a closing parenthesis missing, or is this no zone file?");
		buffer = realloc(source->buffer, 2 * source->size);
		if (!buffer)
			return fail(e, source, source->line, 0, true, "out of memory");
		source->buffer = buffer;
		source->size *= 2;
	}
	n = read_some(source, source->buffer + source->end, source->size - source->end);
	if (n < 0) {
		char message[128];

		snprintf(message, sizeof(message), "cannot read: %s", strerror(errno));
		source->eof = true;
		return fail(e, source, source->line, 0, true, message);
	}
	if (n == 0 && source->file_at < source->file_end)
		return fail(e, source, source->line, 0, true, "the file became shorter while it was read");
	if (n == 0) {
		source->eof = true;
		return 0;
	}
	source->end += (size_t)n;
	s->octets += (uint64_t)n;
	if (source == &s->source[0])
		s->outer_octets += (uint64_t)n;
	return 1;
}

static struct scan_token *new_token(struct scanner *s, unsigned count)
{
	if (count == s->token_space) {
		unsigned space = s->token_space ? 2 * s->token_space : 64;
		struct scan_token *tokens = realloc(s->tokens, space * sizeof(*tokens));

		if (!tokens)
			return NULL;
		s->tokens = tokens;
		s->token_space = space;
	}
	return &s->tokens[count];
}

/* Behind an error: go on with the next line. */
static int skip_line(struct scanner *s, struct source *source, struct scan_error *e)
{
	for (;;) {
		char *newline = memchr(source->buffer + source->at, '\n', source->end - source->at);
		int r;

		if (newline) {
			source->at = (size_t)(newline - source->buffer) + 1;
			source->line++;
			source->line_at = (int64_t)source->at;
			return 0;
		}
		source->begin = source->at = source->end;
		r = more(s, source, e);
		if (r <= 0)
			return r;
	}
}

static int control_octet(struct scan_error *e, const struct source *source, bool at_start)
{
	const uint8_t *p = (const uint8_t *)source->buffer + source->at;
	char message[128];
	const char *guess = "";

	if (at_start && source->end - source->at >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		guess = "; the file is compressed (gzip)";
	else if (*p == 0)
		guess = "; this is no zone file in text form";
	snprintf(message, sizeof(message), "the octet 0x%02x is no text%s", *p, guess);
	return fail(e, source, source->line, column_of(source, source->at), *p == 0 || *guess, message);
}

/* A quoted string; at stands on its opening quote. Returns 1, or -1. */
static int scan_quoted(struct scanner *s, struct source *source, struct scan_token *t, struct scan_error *e)
{
	unsigned column = column_of(source, source->at);

	t->line = source->line;
	t->column = column;
	t->quoted = true;
	source->at++;
	t->at = (uint32_t)(source->at - source->begin);
	for (;;) {
		uint8_t c;

		if (source->at >= source->end) {
			int r = more(s, source, e);

			if (r < 0)
				return -1;
			if (r == 0)
				return fail(e, source, t->line, column, false, "a quote that is not closed");
		}
		c = (uint8_t)source->buffer[source->at];
		if (c == '"')
			break;
		if (c == '\n')
			return fail(e, source, t->line, column, false, "a quote that is not closed on its line");
		if (octet_class[c] == CONTROL)
			return control_octet(e, source, false);
		if (c == '\\' && source->at + 1 == source->end && !source->eof) {
			int r = more(s, source, e);

			if (r < 0)
				return -1;
		}
		source->at += c == '\\' && source->at + 1 < source->end && source->buffer[source->at + 1] != '\n' ? 2 : 1;
	}
	t->size = (uint32_t)(source->at - source->begin) - t->at;
	source->at++;
	return 1;
}

static int scan_word(struct scanner *s, struct source *source, struct scan_token *t, struct scan_error *e)
{
	t->line = source->line;
	t->column = column_of(source, source->at);
	t->quoted = false;
	t->at = (uint32_t)(source->at - source->begin);
	for (;;) {
		const uint8_t *p = (const uint8_t *)source->buffer + source->at;
		const uint8_t *end = (const uint8_t *)source->buffer + source->end;

		while (p < end && octet_class[*p] == WORD)
			p++;
		source->at = (size_t)(p - (const uint8_t *)source->buffer);
		if (p < end && *p == '"' && source->at > source->begin && p[-1] == '=') {
			/* key="value with blanks" (RFC 9460 2.1) is one word */
			struct scan_token inner;

			if (scan_quoted(s, source, &inner, e) < 0)
				return -1;
			continue;
		}
		if (p < end && *p != '\\')
			break;
		if (p == end || p + 1 == end) {
			int r = more(s, source, e);

			if (r < 0)
				return -1;
			if (r > 0)
				continue;
			if (p == end)
				break;
		}
		/* an escape: whatever follows belongs to the word, but for the end of the line */
		p = (const uint8_t *)source->buffer + source->at;
		if (source->at + 1 >= source->end || p[1] == '\n' || p[1] == '\r')
			return fail(e, source, source->line, column_of(source, source->at), false,
				"a backslash at the end of the line");
		if (octet_class[p[1]] == CONTROL) {
			source->at++;
			return control_octet(e, source, false);
		}
		source->at += 2;
	}
	t->size = (uint32_t)(source->at - source->begin) - t->at;
	return 1;
}

struct open_paren { unsigned depth, line, column; };

static int scan_record(struct scanner *s, struct source *source, struct scan_record *r, struct scan_error *e)
{
	struct open_paren paren = { 0, 0, 0 };
	unsigned count = 0;
	bool line_start = true;

	source->begin = source->at;
	r->blank_start = false;
	for (;;) {
		struct scan_token *t;
		uint8_t c;

		if (source->at == source->end) {
			int got = more(s, source, e);

			if (got < 0)
				return -1;
			if (got == 0)
				break;
		}
		c = (uint8_t)source->buffer[source->at];
		if (line_start) {
			r->blank_start = c == ' ' || c == '\t';
			line_start = false;
		}
		switch (octet_class[c]) {
		case BLANK:
			source->at++;
			break;
		case NEWLINE:
			source->at++;
			if (paren.depth == 0 && count > 0) {
				r->end_line = source->line;
				r->end_column = column_of(source, source->at - 1);
			}
			source->line++;
			source->line_at = (int64_t)source->at;
			if (paren.depth > 0)
				break;
			if (count > 0)
				goto done;
			source->begin = source->at;
			line_start = true;
			break;
		case COMMENT: {
			char *newline = memchr(source->buffer + source->at, '\n', source->end - source->at);

			source->at = newline ? (size_t)(newline - source->buffer) : source->end;
			/* keep the ';' for when the comment goes on in the next piece */
			if (!newline && !source->eof) {
				if (count == 0)
					source->begin = source->at;
				do {
					int got = more(s, source, e);

					if (got < 0)
						return -1;
					if (got == 0)
						break;
					newline = memchr(source->buffer + source->at, '\n', source->end - source->at);
					source->at = newline ? (size_t)(newline - source->buffer) : source->end;
					if (count == 0)
						source->begin = source->at;
				} while (!newline);
			}
			break;
		}
		case OPEN:
			if (paren.depth++ == 0) {
				paren.line = source->line;
				paren.column = column_of(source, source->at);
			}
			source->at++;
			break;
		case CLOSE:
			if (paren.depth == 0)
				return fail(e, source, source->line, column_of(source, source->at), false,
					"a closing parenthesis without an opening one");
			paren.depth--;
			source->at++;
			break;
		case CONTROL:
			return control_octet(e, source, source->line == 1 && source->line_at + 1 >= (int64_t)source->at);
		default:
			t = new_token(s, count);
			if (!t)
				return fail(e, source, source->line, 0, true, "out of memory");
			if ((c == '"' ? scan_quoted(s, source, t, e) : scan_word(s, source, t, e)) < 0)
				return -1;
			count++;
			break;
		}
	}
	r->end_line = source->line;
	r->end_column = column_of(source, source->at);
	if (paren.depth > 0)
		return fail(e, source, paren.line, paren.column, false, "an opening parenthesis that is not closed");
	if (count == 0)
		return 0;
done:
	for (unsigned i = 0; i < count; i++)
		s->tokens[i].text = source->buffer + source->begin + s->tokens[i].at;
	r->tokens = s->tokens;
	r->count = count;
	r->file = source->file;
	return 1;
}

int scan_next(struct scanner *s, struct scan_record *r, bool *ended_include, struct scan_error *e)
{
	struct source *source = &s->source[s->depth - 1];
	int got;

	*ended_include = false;
	if (source->at == 0 && source->line == 1 && source->end == 0) {
		/* a byte order mark, as some editors leave it, is no part of the text */
		while (source->end < 3)
			if ((got = more(s, source, e)) <= 0) {
				if (got < 0)
					return -1;
				break;
			}
	}
	if (source->at == 0 && source->line == 1 && source->end >= 3 && memcmp(source->buffer, "\xef\xbb\xbf", 3) == 0) {
		source->at = 3;
		source->line_at = 3;
	}
	got = scan_record(s, source, r, e);
	if (got < 0 && !e->fatal) {
		struct scan_error ignored;

		source->begin = source->at;
		if (skip_line(s, source, &ignored) < 0)
			e->fatal = true;
	}
	if (got == 0 && s->depth > 1) {
		source_close(source);
		s->depth--;
		*ended_include = true;
	}
	return got;
}
