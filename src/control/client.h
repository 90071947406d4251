/*
 * The asking end: used by the tool and by tests. Blocking, with a time limit.
 */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <jansson.h>

#include "base/err.h"

struct control_client;
int control_client_open(struct control_client **, const char *socket_path, struct err *err);   /* ERR_UNAVAILABLE: daemon not running */
/* The daemon's process id; 0: not known (it is in another PID namespace). */
int control_client_peer(const struct control_client *);
void control_client_close(struct control_client *);
/* Sends a request with an optional descriptor (-1: none). */
int control_client_send(struct control_client *, const json_t *request, int fd, struct err *err);
/* The next line: a progress object or the final reply (*final). timeout_ms < 0:
 * for ever. ERR_TIMEOUT, ERR_UNAVAILABLE when the daemon closed. */
int control_client_receive(struct control_client *, int timeout_ms, json_t **line, bool *final, struct err *err);

#endif
