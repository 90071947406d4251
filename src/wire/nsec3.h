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

#endif
