/* What the parts of dnsload share: what was asked and what came. */
#ifndef TESTS_DNSLOAD_H
#define TESTS_DNSLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct question {
	uint8_t wire[300];              /* name, type, class */
	uint16_t size;
};

struct asked {                          /* one query */
	uint64_t sent, received;        /* ns; received 0: no answer yet */
	uint32_t question;
	uint16_t markers;               /* bit M: seen in the answer */
	uint8_t rcode;
	uint8_t tcp;
};

extern struct question *questions;
extern uint32_t question_count;
extern struct asked *asked;
extern uint32_t asked_count;
extern uint64_t lost_connections, connect_failures;

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- dnsload_message.c --------------------------------------------------- */

/* The markers of all its sections, bit M; -1: it is malformed. */
int message_markers(const uint8_t *msg, size_t size);

/* ---- dnsload_verdict.c --------------------------------------------------- */

/* The switches that were noted: the events file. */
void read_events(const char *path);
/* Tells it, as JSON; dnsload's exit status. */
int verdict(void);

#endif
