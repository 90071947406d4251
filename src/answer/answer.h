/*
 * A query and a snapshot give a response: a pure function. UDP and TCP are
 * thin callers. Nothing is allocated, nothing blocks, no ldns.
 */
#ifndef ANSWER_ANSWER_H
#define ANSWER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/snapshot.h"
#include "wire/cookie.h"

#define ANSWER_BATCH 64

struct answer_options {
	uint16_t udp_payload_max;       /* 1232 */
	uint16_t tcp_idle_seconds;
	/* CHAOS TXT; NULL: REFUSED */
	const char *version, *hostname, *identity;
	const uint8_t *nsid; uint16_t nsid_size;
};

/* Counted by the caller's process, shown by `stats`. */
struct answer_counters {
	uint64_t queries, responses, dropped, truncated, tcp;
	uint64_t rcode[24];
	uint64_t referrals, nodata;
	uint64_t cookies;               /* queries with a good server cookie */
};

/* What a response is, and of what name, for who limits rates. */
enum answer_kind { ANSWER_POSITIVE, ANSWER_NODATA, ANSWER_NXDOMAIN, ANSWER_REFERRAL, ANSWER_ERROR, ANSWER_KINDS };

struct answer_job {
	/* in */
	const uint8_t *query; uint16_t query_size;
	uint8_t *reply; uint32_t reply_capacity;   /* UDP: >= 4096 is never exceeded; TCP: 65535 */
	bool tcp;
	const uint8_t *client; uint8_t client_size; /* its address: 4 or 16 octets; 0: not known, no cookies */
	/* out */
	uint32_t reply_size;                       /* 0: no reply */
	enum answer_kind kind;
	uint64_t account;                          /* hash of the name that answers: of the wildcard's encloser, DNAME,
	                                            * cut, of the zone for NXDOMAIN; 0 for errors */
	bool cookie_good;                          /* the client got our cookie at this address */
	uint32_t records_at, records_end;          /* in the reply: between question and OPT */
	uint16_t behind;                           /* records behind them: OPT, TSIG */
	/* between the passes; the caller does not look */
	struct answer_state *state;
};

struct answerer;   /* one a worker: options (copied), scratch memory, counters */
/* NULL: no memory. hash_key: the store's. */
struct answerer *answerer_new(const struct answer_options *, uint64_t hash_key);
void answerer_free(struct answerer *);
struct answer_counters *answerer_counters(struct answerer *);
/* Cookies are made and understood from now on; with count 0 they are neither. */
void answerer_set_cookies(struct answerer *, const struct cookie_secrets *);
/* Seconds since 1970, for cookies: tell it before each batch. */
void answerer_set_time(struct answerer *, uint32_t now);

/* Within a snapshot: answers count <= ANSWER_BATCH queries in three passes
 * (parse, hash, find the zone, prefetch directory lines; prefetch nodes;
 * compose). */
void answer_batch(struct answerer *, struct store_reader *, struct answer_job *, unsigned count);

/* The same with zones from elsewhere (tests, fuzzers): as snapshot_find_zone. */
typedef const struct zone_view *zone_lookup(void *arg, const struct name *, bool parent_side, bool *prepared);
void answer_batch_from(struct answerer *, zone_lookup *, void *arg, struct answer_job *, unsigned count);

/* Takes the records out of the reply of a job and sets TC: no longer than the
 * query but for OPT. */
void answer_truncate(struct answer_job *);

#endif
