/*
 * Proofs of what is not there (RFC 4035 3.1.3, RFC 5155 7.2), into the
 * authority section. They do nothing in a zone that is not signed.
 */
#ifndef ANSWER_DENIAL_H
#define ANSWER_DENIAL_H

#include "answer/compose.h"

/* All take the name that the composer looks for now, and what was found. */
void denial_no_name(struct composer *, const struct find *);
void denial_no_data(struct composer *, const struct find *);
/* A wildcard stood in for the name: that there is none nearer. More of the
 * answer section may follow, so that the proof is only found here … */
void denial_expansion(struct composer *, const struct find *);
/* … and written when the answer section is complete. */
void denial_put_expansions(struct composer *);
/* At a cut without DS. */
void denial_no_ds(struct composer *, const struct find *);

#endif
