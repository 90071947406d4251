/*
 * The load generator's parts: pool (queries, prepared before the clock
 * starts), results (what came back), udp and tcp (how it is asked).
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"

#define HEADER     12
#define GROUP_MAX  64           /* queries of one length, one behind the other */
#define PIDS_MAX   256

struct options {
	struct sockaddr_in server, source;
	unsigned sources, source_step;  /* sockets are bound to these in turn; 0: the kernel chooses */
	struct names names;
	enum mix mix;
	uint64_t seed;
	const char *queries;            /* a file, instead of names and mix */
	unsigned pool, edns;            /* edns: payload size; 0: none */
	bool dnssec_ok;
	double seconds, warmup, timeout;
	unsigned sockets, window, segments, rate;
	unsigned connections, per_connection;   /* TCP, where connections > 0 */
	unsigned version;               /* the new one, where a switch is watched */
	pid_t pids[PIDS_MAX];           /* whose CPU time is told */
	unsigned pid_count;
};

/* ---- pool ---------------------------------------------------------------------- */

/* Queries of equal length side by side: UDP_SEGMENT sends a group, or a part
 * of it, in one call, and TCP in one write. */
struct group {
	uint32_t at;
	uint16_t size, count;           /* of a query; queries */
};

struct pool {
	uint8_t *bytes;
	struct group *groups;
	uint32_t size, group_count, queries;
	unsigned prefix;                /* octets before each: 2 for TCP */
	uint32_t group, next;           /* cursor: group, query in it */
};

/* Exits with a message where it cannot. */
void pool_fill(struct pool *, const struct options *, unsigned prefix);
/* Up to most queries at the cursor, side by side; the cursor moves on. */
uint8_t *pool_take(struct pool *, unsigned most, unsigned *count, unsigned *size);
void pool_print(const struct pool *, unsigned count);

/* ---- results -------------------------------------------------------------------- */

#define STEPS   32              /* of latency, between a power of two and the next */
#define OCTAVES 40

struct results {
	uint64_t sent, answered, lost, late, octets, with_data, truncated, failed_connections;
	uint64_t rcode[16];
	uint64_t latency[OCTAVES * STEPS], latency_max;
	/* switches */
	uint64_t old_answers, new_answers, old_after_new;
	uint64_t first_new, last_old, last_old_sent;    /* when; 0: never */
	unsigned version;
};

extern struct results results;

/* A reply to a query of ours: at least a header long, bytes cut at size. */
void results_note(const uint8_t *message, size_t size, size_t whole_size, uint64_t sent, uint64_t now);
void results_print(const struct options *, double seconds, const uint64_t cpu[PIDS_MAX]);

/* ---- asking ----------------------------------------------------------------------- */

uint64_t now_ns(void);
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* A socket bound to the i-th source, connected; -1 with errno where connecting fails. */
int open_peer(const struct options *, int type, unsigned i);

/* Between warm-up and end: called by udp and tcp whenever they look at the
 * time. False: no more queries. */
bool clock_tick(uint64_t now);

void ask_udp(const struct options *, struct pool *);
void ask_tcp(const struct options *, struct pool *);

#endif
