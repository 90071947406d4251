/*
 * Zone text as logical records (RFC 1035 5.1): what stands between two ends
 * of line outside parentheses and quotes, as tokens that know their place.
 * Nothing is known in here of names, types or directives.
 *
 * Text is read in a streaming manner: the memory is that of one record per
 * nested file, and a record has a limit.
 */
#ifndef ZONE_SCAN_H
#define ZONE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SCAN_RECORD_MAX (1u << 20)  /* octets of a record's text: rdata of 65535 octets as \DDD fits */
#define SCAN_NESTING_MAX 10         /* files within files */

struct scan_token {
	const char *text;       /* as written, escapes and all, without the quotes; not terminated */
	uint32_t size;
	uint32_t line, column;  /* from 1; columns count octets */
	uint32_t at;            /* the scanner's own */
	bool quoted;
};

struct scan_record {
	struct scan_token *tokens;   /* valid until the next scan_next or scan_push */
	unsigned count;              /* >= 1 */
	bool blank_start;            /* begins with a blank: the owner is inherited */
	unsigned file;               /* for scan_file_name */
	unsigned end_line, end_column;
};

struct scan_error {
	unsigned file, line, column;
	bool fatal;                  /* there is no sense in going on */
	char message[256];
};

struct scanner;

/* fd stays the caller's; name is for messages, copied. NULL: no memory. */
struct scanner *scanner_new(int fd, const char *name);
/* The same over text in memory, which must outlive the scanner. */
struct scanner *scanner_new_text(const char *text, size_t size, const char *name);
/* The same over `size` octets of a regular file from its octet `at` on, where a
 * line begins, which has this number. The file's own position stays. */
struct scanner *scanner_new_piece(int fd, uint64_t at, uint64_t size, const char *name, unsigned line);
void scanner_free(struct scanner *);

/* 1: a record, 0: the end of this file (of the outermost one: of all; else
 * the file that included it goes on with the next call, and *ended_include
 * is set), -1: error; unless fatal the next call goes on behind it. */
int scan_next(struct scanner *, struct scan_record *, bool *ended_include, struct scan_error *);
/* Go on in this file, which is owned (closed) by the scanner from now on,
 * until its end. -1: too deep, a loop, or no memory: err is set, fd closed. */
int scan_push(struct scanner *, int fd, const char *name, struct err *);

const char *scan_file_name(const struct scanner *, unsigned file);
/* The share of the outermost file that was read, 0..1; < 0: unknown. */
double scan_share(const struct scanner *);
/* Octets read so far, of all files. */
uint64_t scan_octets(const struct scanner *);

#endif
