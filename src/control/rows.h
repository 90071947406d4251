/*
 * The long list of a reply, "zones", as text from the writer to the client.
 *
 * A switch of a group has a row for each of its zones. Whoever makes them
 * writes them as text, a line each; main passes them on without reading more
 * than the first, which it needs for the log. In between, a reply has them as
 * one string, "zones_text".
 */
#ifndef CONTROL_ROWS_H
#define CONTROL_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define ROWS_READ 100   /* by main: these are "zones" there */

struct rows {
	char *text;
	size_t size, capacity;
	bool failed;            /* no memory: rows_into tells */
};

/* A row is an object of keys and values; keys are plain, as they stand. */
void row_begin(struct rows *);
void row_text(struct rows *, const char *key, const char *value);      /* UTF-8; null where it is "" */
void row_number(struct rows *, const char *key, int64_t value);
void row_flag(struct rows *, const char *key, bool value);
void row_json(struct rows *, const char *key, json_t *value);          /* takes the reference over */
void row_end(struct rows *);

/* Becomes "zones_text" of the reply, and is empty then. -1: no memory. */
int rows_into(struct rows *, json_t *reply);

/* A reply as the writer sends it: one line, and one more for each row. The
 * text of *size octets, which is no string, is the caller's; NULL: no memory. */
char *rows_to_message(const json_t *reply, size_t *size);
/* The other way: "zones" has the first rows, "zones_text" the rest, if
 * there are more. Owned by the caller; NULL: it is none, or no memory. */
json_t *rows_from_message(const char *, size_t);
/* What the client gets: one line without its end, "zones" has all. A string,
 * owned by the caller; NULL: no memory. */
char *rows_to_line(const json_t *reply);

#endif
