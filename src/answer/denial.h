/*
 * Proofs of what is not there (RFC 4035 3.1.3, RFC 5155 7.2), into the
 * authority section. They do nothing in a zone that is not signed.
 */
#ifndef ANSWER_DENIAL_H
#define ANSWER_DENIAL_H

#include "answer/compose.h"

/* All take the name that the composer looks for now, and what was found. */
void denial_no_name(struct composer *, const struct find *, uint32_t ttl_cap);
void denial_no_data(struct composer *, const struct find *, uint32_t ttl_cap);
/* A wildcard stood in for the name: that there is none nearer. */
void denial_wildcard(struct composer *, const struct find *);
/* At a cut without DS. */
void denial_no_ds(struct composer *, const struct find *);

#endif
