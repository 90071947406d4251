/*
 * One row per command of the control protocol (PROTOCOL.md): its name, who
 * may, where it runs, what keys it takes. Both ends read the table: the
 * daemon checks requests against it before a handler runs, the tool builds
 * its help from it.
 */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define CONTROL_LINE_MAX (1u << 20)     /* of a request, octets */

enum control_right { RIGHT_READ, RIGHT_STAGE, RIGHT_SWITCH, RIGHT_ADMIN };
enum control_place {
	RUN_MAIN,       /* small, from main's own snapshot */
	RUN_WRITER,     /* one transaction of the writer, then the barrier */
	RUN_TASK,       /* a child with a snapshot: long reading */
	RUN_LOADER,     /* a loader, then the writer */
};
enum key_type { KEY_STRING, KEY_INTEGER, KEY_BOOLEAN, KEY_STRINGS /* array of strings */, KEY_OBJECT };
struct control_key { const char *name; enum key_type type; bool required; const char *help; };
struct control_command {
	const char *name;               /* as in "command": "record", "zone-add", … */
	enum control_right right;
	enum control_place place;
	bool fd;                        /* takes a descriptor with the request line */
	const struct control_key *keys; /* ends with name NULL; "v" and "command" are allowed always */
	const char *help;
	bool fd_required;               /* and is refused without */
};
extern const struct control_command control_commands[];   /* ends with name NULL */
const struct control_command *control_command_find(const char *name);

/* Parses and checks one request line (without newline): JSON object, "v" 1 or
 * absent, a known command, known keys of the right types, the required ones.
 * On success *request is owned by the caller. */
int control_request_parse(const char *line, size_t size, json_t **request, const struct control_command **command, struct err *err);

/* The "@" between a zone and its set: the last that is not escaped; NULL: none. */
const char *control_find_at(const char *text);
/* "ZONE@SET" or "ZONE": zone into wire (lower case; U-labels by libidn2), set
 * into set ("" where there is none). */
int control_parse_set(const char *text, unsigned char *apex, size_t *apex_size, char set[64], struct err *err);

/* The same where only a zone may stand. */
int control_parse_zone(const char *text, unsigned char *apex, size_t *apex_size, struct err *err);

/* ---- reply objects: owned by the caller; NULL: no memory ------------------ */

json_t *control_error(const struct err *err);             /* {"ok":false,"error":{…}} */
/* Back again, at the asking end: fills err from a reply that is not ok. The
 * code becomes one of err.h's constants (an unknown one: ERR_INTERNAL). */
void control_error_read(const json_t *reply, struct err *err);

#endif
