/* The hash of NSEC3 (RFC 5155 5): SHA-1, again and again, and its text. */
#ifndef WIRE_NSEC3_H
#define WIRE_NSEC3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NSEC3_HASH_SIZE 20
#define NSEC3_LABEL_SIZE 33     /* length octet and 32 digits of base32hex */
#define NSEC3_ITERATIONS_MAX 500 /* more is not computed: RFC 9276 asks for 0, validators give up at 150 */

struct nsec3_params {
	uint8_t algorithm, flags;
	uint16_t iterations;
	const uint8_t *salt; uint8_t salt_size;
};

/* From the rdata of NSEC3PARAM, or the first fields of NSEC3. False: malformed. */
bool nsec3_params_parse(struct nsec3_params *params, const uint8_t *rdata, size_t size);
/* name: full, lower case. */
void nsec3_hash(const struct nsec3_params *params, const uint8_t *name, size_t size, uint8_t hash[NSEC3_HASH_SIZE]);
/* The label that the hash makes: lower case. */
void nsec3_label(const uint8_t hash[NSEC3_HASH_SIZE], uint8_t label[NSEC3_LABEL_SIZE]);

/* Tests: do without the processor's own instructions for SHA-1, or with them
 * where it has them (as it is at first). */
void nsec3_use_native(bool use);

/* Hashes of names that come again and again: closest enclosers, and the
 * wildcards below them. Direct-mapped; all zero: empty. */
#define NSEC3_CACHE_SIZE     256
#define NSEC3_CACHE_NAME_MAX 63 /* octets; longer ones are computed */
#define NSEC3_CACHE_SALT_MAX 16
struct nsec3_cache {
	struct nsec3_cached {
		uint16_t iterations;
		uint8_t size, salt_size;        /* size 0: free */
		uint8_t hash[NSEC3_HASH_SIZE];
		uint8_t salt[NSEC3_CACHE_SALT_MAX];
		uint8_t name[NSEC3_CACHE_NAME_MAX];
	} entry[NSEC3_CACHE_SIZE];
};
/* As nsec3_hash. key: any hash of the name, for the place. */
void nsec3_hash_cached(struct nsec3_cache *, uint64_t key, const struct nsec3_params *params, const uint8_t *name, size_t size,
	uint8_t hash[NSEC3_HASH_SIZE]);

#endif
