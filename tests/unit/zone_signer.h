/* Zone text signed by ldns, for tests of what looks at signatures. */
#ifndef TESTS_UNIT_ZONE_SIGNER_H
#define TESTS_UNIT_ZONE_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

enum sign_kind { SIGN_NSEC, SIGN_NSEC3, SIGN_NSEC3_OPT_OUT };

struct signer;
/* Two keys, a KSK and a ZSK, of an algorithm (8, 13, 15 …), made anew. */
struct signer *signer_new(const char *apex, int algorithm);
void signer_free(struct signer *);

struct sign_how {
	enum sign_kind kind;
	uint16_t iterations;
	bool no_ksk;                    /* the DNSKEYs are signed by the ZSK alone */
	unsigned zonemd;                /* hash; 0: none */
	uint32_t inception, expiration; /* 0: 2025-01-01, 2035-01-01 */
};
/* A line a record, absolute names; malloc'd. text: as for ldns, absolute names. */
char *signer_sign(struct signer *, const char *text, const struct sign_how *);

#endif
