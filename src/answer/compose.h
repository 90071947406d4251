/*
 * Composing a response to one question out of one zone (RFC 1034 4.3.2).
 */
#ifndef ANSWER_COMPOSE_H
#define ANSWER_COMPOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "answer/find.h"
#include "store/snapshot.h"
#include "wire/nsec3.h"
#include "wire/query.h"
#include "wire/response.h"

#define CHAIN_MAX 16            /* CNAME and DNAME steps in one response */
#define ADDITIONAL_MAX 8        /* RRsets of an answer whose targets are looked up */
#define ADDED_MAX 64            /* nodes whose addresses an answer gets: remembered, so that none is added twice */
#define PROOFS_MAX (CHAIN_MAX + 4)

/* An RRset in the answer or authority section whose targets have addresses
 * in the zone, perhaps. */
struct compose_targets {
	struct rrset rrset;
	uint32_t begin;         /* of its first RR in the message */
	bool pointed;           /* lies there as in the store but for two-octet pointers */
};

struct compose_name {
	uint8_t wire[NAME_MAX_SIZE];            /* letter case as it came */
	struct name name;
};

struct composer {
	struct response response;
	const struct query *query;
	const struct zone_view *zone;
	const struct view *view;
	bool tcp, dnssec;
	bool full;                              /* something needed did not fit: TC */
	bool referral, nodata;                  /* what it came to, for the counters */
	uint64_t account;                       /* hash of what answers for the question's name: see answer.h */

	/* the name now looked for: the question's, then the chain's */
	const struct name *name;
	const uint8_t *name_wire;
	uint16_t name_at;                       /* in the message, 0: nowhere a pointer reaches */
	unsigned above;                         /* its labels above the apex */
	uint64_t apex_hash;
	struct found apex;                      /* once met, or asked for */
	struct rrset soa;                       /* once asked for; count 0: not yet */
	uint32_t negative_ttl;                  /* once it has been */

	unsigned steps;
	uint64_t seen[CHAIN_MAX + 1];           /* hashes of the chain's names */
	const uint8_t *dnames[CHAIN_MAX];       /* DNAME RRsets that are in the answer */
	unsigned dname_count;
	struct compose_targets targets[ADDITIONAL_MAX];
	unsigned target_count;
	const uint8_t *added[ADDED_MAX];        /* nodes whose addresses are in */
	unsigned added_count;
	const uint8_t *proofs[PROOFS_MAX];      /* nodes whose NSEC or NSEC3 is in */
	unsigned proof_count;
	struct found expansions[CHAIN_MAX];     /* nodes that prove wildcards of the answer section right */
	unsigned expansion_count;
	struct response_owner cut;              /* of a referral */
	struct compose_name scratch[2];
	struct nsec3_cache nsec3;               /* from one response to the next */
};

/* composer->response has begun with the question, whose name is at or below
 * the zone's apex; question: its name as it came. Leaves the response to be
 * finished. */
void compose_answer(struct composer *, const struct query *, const struct zone_view *, const uint8_t *question, bool tcp);

/* ---- for denial.c ---------------------------------------------------------- */

/* Appends an RRset, with its RRSIGs where sigs; the served serial goes into
 * an SOA, and NSEC and NSEC3 live no longer than a negative answer (RFC 9077).
 * False: does not fit, nothing is written. */
bool compose_rrset(struct composer *, enum response_section, const struct rrset *, const struct response_owner *, bool sigs);
/* The owner of a node of the zone, wherever it is. */
struct response_owner compose_node_owner(const struct composer *, const uint8_t *node);
/* Fills composer->apex, soa and negative_ttl; false: the set cannot be read. */
bool compose_apex(struct composer *);
/* Something needed did not fit. */
void compose_full(struct composer *);

#endif
