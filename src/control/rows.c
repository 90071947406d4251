#include "control/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST "zones"
#define ROWS "zones_text"

/* ---- writing ------------------------------------------------------------------- */

/* Room for so many more; NULL: no memory. */
static char *room(struct rows *r, size_t more)
{
	if (r->capacity - r->size < more) {
		size_t capacity = 2 * r->capacity > r->size + more ? 2 * r->capacity : r->size + more + 4096;
		char *p = realloc(r->text, capacity);

		if (!p) {
			r->failed = true;
			return NULL;
		}
		r->text = p;
		r->capacity = capacity;
	}
	return r->text + r->size;
}

static void add(struct rows *r, const char *p, size_t size)
{
	char *to = room(r, size);

	if (!to)
		return;
	memcpy(to, p, size);
	r->size += size;
}

static void add_key(struct rows *r, const char *key)
{
	if (r->size && r->text[r->size - 1] != '{')
		add(r, ",", 1);
	add(r, "\"", 1);
	add(r, key, strlen(key));
	add(r, "\":", 2);
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	return true;
}

void row_begin(struct rows *r)
{
	add(r, "{", 1);
}

void row_text(struct rows *r, const char *key, const char *value)
{
	if (!value[0] || !is_plain(value)) {
		row_json(r, key, value[0] ? json_string(value) : json_null());
		return;
	}
	add_key(r, key);
	add(r, "\"", 1);
	add(r, value, strlen(value));
	add(r, "\"", 1);
}

void row_number(struct rows *r, const char *key, int64_t value)
{
	char text[24];

	add_key(r, key);
	add(r, text, (size_t)snprintf(text, sizeof text, "%" PRId64, value));
}

void row_flag(struct rows *r, const char *key, bool value)
{
	add_key(r, key);
	add(r, value ? "true" : "false", value ? 4 : 5);
}

void row_json(struct rows *r, const char *key, json_t *value)
{
	/* most are null: no need to go through the library for it */
	char *text = json_is_null(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	add_key(r, key);
	if (text)
		add(r, text, strlen(text));
	else if (json_is_null(value))
		add(r, "null", 4);
	else
		r->failed = true;
	free(text);
	json_decref(value);
}

void row_end(struct rows *r)
{
	add(r, "}\n", 2);
}

int rows_into(struct rows *r, json_t *reply)
{
	bool done = !r->failed && json_object_set_new(reply, ROWS, json_stringn_nocheck(r->text ? r->text : "", r->size)) == 0;

	free(r->text);
	*r = (struct rows){ .text = NULL };
	return done ? 0 : -1;
}

/* ---- on the way ---------------------------------------------------------------- */

/* The reply without both lists, as a string; more: room behind it. */
static char *dump_rest(const json_t *reply, size_t more, size_t *size)
{
	json_t *rest = json_copy((json_t *)reply);
	char *text, *p;

	json_object_del(rest, LIST);
	json_object_del(rest, ROWS);
	text = rest ? json_dumps(rest, JSON_COMPACT) : NULL;
	json_decref(rest);
	*size = text ? strlen(text) : 0;
	p = text ? realloc(text, *size + more + 1) : NULL;
	if (!p)
		free(text);
	return p;
}

char *rows_to_message(const json_t *reply, size_t *size)
{
	const json_t *rows = json_object_get(reply, ROWS);
	size_t more = json_string_length(rows);
	char *text;

	if (!rows) {
		text = json_dumps(reply, JSON_COMPACT);
		*size = text ? strlen(text) : 0;
		return text;
	}
	text = dump_rest(reply, 1 + more, size);
	if (!text)
		return NULL;
	text[(*size)++] = '\n';
	memcpy(text + *size, json_string_value(rows), more);
	*size += more;
	return text;
}

/* The rows at p up to end: the first into the list; where the rest begins, or
 * NULL. */
static const char *read_first(json_t *list, const char *p, const char *end)
{
	while (p < end && json_array_size(list) < ROWS_READ) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));

		if (!line_end || json_array_append_new(list, json_loadb(p, (size_t)(line_end - p), 0, NULL)) < 0)
			return NULL;
		p = line_end + 1;
	}
	return p;
}

json_t *rows_from_message(const char *message, size_t size)
{
	const char *end = message + size, *head_end = memchr(message, '\n', size), *rest;
	json_t *reply = json_loadb(message, head_end ? (size_t)(head_end - message) : size, 0, NULL), *list;

	if (!head_end || !reply)
		return reply;
	list = json_array();
	rest = read_first(list, head_end + 1, end);
	if (json_object_set_new(reply, LIST, list) < 0 || !rest ||
	    (rest < end && json_object_set_new(reply, ROWS, json_stringn_nocheck(rest, (size_t)(end - rest))) < 0)) {
		json_decref(reply);
		return NULL;
	}
	return reply;
}

static char *put(char *to, const char *p, size_t size)
{
	memcpy(to, p, size);
	return to + size;
}

/* Lines become elements: each with a comma before it. */
static char *put_rows(char *to, const char *p, size_t size)
{
	const char *end = p + size;

	while (p < end) {
		const char *line_end = memchr(p, '\n', (size_t)(end - p));
		size_t line = line_end ? (size_t)(line_end - p) : (size_t)(end - p);

		*to++ = ',';
		to = put(to, p, line);
		p += line + 1;
	}
	return to;
}

char *rows_to_line(const json_t *reply)
{
	static const char before[] = ",\"" LIST "\":";
	const json_t *rows = json_object_get(reply, ROWS);
	size_t size, more = json_string_length(rows), list_size;
	char *list, *text, *to;

	if (!rows)
		return json_dumps(reply, JSON_COMPACT);
	/* there is more than main has read, so the list is there and has some;
	 * a line's end becomes a comma */
	list = json_dumps(json_object_get(reply, LIST), JSON_COMPACT);
	list_size = list ? strlen(list) : 0;
	text = list ? dump_rest(reply, sizeof before + list_size + more + 2, &size) : NULL;
	if (text) {
		bool alone = size == 2; /* "{}" */

		to = text + size - 1;
		to = put(to, before + alone, sizeof before - 1 - alone);
		to = put(to, list, list_size - 1);
		to = put_rows(to, json_string_value(rows), more);
		memcpy(to, "]}", 3);
	}
	free(list);
	return text;
}
