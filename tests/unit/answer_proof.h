/*
 * What a validator makes of a reply out of a signed zone: an independent
 * second opinion on every proof.
 */
#ifndef TESTS_UNIT_ANSWER_PROOF_H
#define TESTS_UNIT_ANSWER_PROOF_H

#include "answer_signed.h"

/* What a reply shows about the name at the end of its chain. */
enum proved {
	PROVED_POSITIVE, PROVED_NO_NAME, PROVED_NO_DATA, PROVED_WILDCARD_NO_DATA,
	PROVED_SECURE_REFERRAL, PROVED_INSECURE_REFERRAL, PROVED_CHAIN_ENDS,
};
struct proof {
	enum proved kind;
	unsigned steps;                 /* CNAMEs and DNAMEs on the way */
	unsigned wildcards;             /* RRsets of the answer that a wildcard made */
	unsigned records;               /* NSEC or NSEC3 in the reply, all of them needed */
	bool opt_out;                   /* a span with opt-out was used */
};

/* As RFC 4035 5 and RFC 5155 8 tell a validator: signatures, then proofs.
 * Returns NULL, or what is wrong with the reply (static). */
const char *prove(const struct signed_zone *, const ldns_pkt *, const ldns_rdf *name, uint16_t type, struct proof *);

/* Only that every RRset is whole and signed: of a truncated reply, too. */
const char *check_signatures(const struct signed_zone *, const ldns_pkt *);

#endif
