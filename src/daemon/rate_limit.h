/*
 * Response rate limiting: how much of one thing the clients of one prefix get.
 *
 * An attacker who forges a victim's address gets the same answers sent over
 * and over, or those of a zone's names that do not exist, to that address. A
 * real resolver asks for one name once in its TTL. So responses are counted by
 * prefix, kind and the name that answers (answer.h): as BIND and NSD do it,
 * and unlike a limit for a whole prefix, which would meet the resolvers of a
 * large provider first.
 *
 * Each account is a token bucket: as many responses at once as in a second,
 * then one for each that time gives back. The table is of fixed size; its
 * hash is keyed, so that nobody can aim at another's place. Time comes as a
 * parameter. Nothing is allocated after rate_limit_new.
 */
#ifndef DAEMON_RATE_LIMIT_H
#define DAEMON_RATE_LIMIT_H

#include "answer/answer.h"
#include "base/prefix.h"

#define RATE_LIMIT_WATCHED 32           /* prefixes that are told of in the log at once */
#define RATE_LIMIT_QUIET_NS INT64_C(10000000000)        /* without a response over the limit: it is over */

struct rate_limit_options {
	unsigned rate;                  /* > 0 */
	unsigned slip;
	size_t octets;                  /* of the table, about */
	unsigned ipv4_prefix, ipv6_prefix;
	struct prefix_list exempt;      /* stays the caller's */
};

struct rate_limit_counters { uint64_t dropped, truncated; };

struct rate_limit;
/* NULL: no memory. */
struct rate_limit *rate_limit_new(const struct rate_limit_options *, const uint8_t seed[16]);
void rate_limit_free(struct rate_limit *);
struct rate_limit_counters *rate_limit_counters(struct rate_limit *);
/* Prefixes that get less than they ask for. */
unsigned rate_limit_watched(const struct rate_limit *);

/* The account of a job's reply, whose place is fetched into the cache; 0: not
 * limited. */
uint64_t rate_limit_account(const struct rate_limit *, const struct answer_job *);
/* May the reply of an account be sent? Else it is truncated, or its size set
 * to 0. now: nanoseconds that never go back. */
void rate_limit_apply(struct rate_limit *, uint64_t account, struct answer_job *, int64_t now_ns);
/* Tells the log where limits have ended; from time to time. */
void rate_limit_sweep(struct rate_limit *, int64_t now_ns);

#endif
