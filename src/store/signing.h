/*
 * What is known of a set's signatures without looking at its records: until
 * when they are valid, and by which keys. Made by the loader, kept with each
 * edition.
 */
#ifndef STORE_SIGNING_H
#define STORE_SIGNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SET_KEYS_MAX 24         /* of a set; one has two, five while keys are rolled */

enum { KEY_PUBLISHED = 1 << 0 /* in the DNSKEY RRset */, KEY_SIGNS = 1 << 1 /* there are signatures by it */ };
struct set_key {
	uint64_t hash;          /* of the DNSKEY's rdata; 0: it is not in the RRset */
	uint16_t tag;
	uint8_t algorithm, flags;
};
/* All zero: not signed. */
struct set_signing {
	bool is_signed;         /* the SOA has an RRSIG, and the apex a DNSKEY */
	bool more_keys;         /* than there is room for */
	uint8_t keys;
	int64_t until;          /* the first RRset that has no valid signature any more; seconds since 1970 */
	struct set_key key[SET_KEYS_MAX];
};
bool set_signing_equal(const struct set_signing *, const struct set_signing *);

/* May resolvers hold data of the one and keys of the other (RFC 6781 4.1): is
 * each key that signs in one published in both? */
enum keys_fit {
	KEYS_FIT,               /* also where the former set is not signed */
	KEYS_UNSIGNED,          /* only the former is: a DS at the parent makes the latter bogus */
	KEYS_LATTER_SIGNER,     /* one that signs in the latter is missing in the former */
	KEYS_FORMER_SIGNER,     /* the other way round */
	KEYS_TOO_MANY,          /* to be compared */
};
/* missing: the key that is, where one is. */
enum keys_fit set_keys_fit(const struct set_signing *former, const struct set_signing *latter, struct set_key *missing);

#endif
