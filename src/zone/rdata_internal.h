/*
 * Reading rdata: what the table of layouts, the readers of fields, and ldns share.
 * Known to src/zone/rdata*.c only.
 */
#ifndef ZONE_RDATA_INTERNAL_H
#define ZONE_RDATA_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "zone/rdata.h"

struct rdata_reader {
	const struct scan_token *token, *end;
	const uint8_t *origin;
	struct cursor out;
	struct rdata_error *error;
};

/* ---- rdata.c --------------------------------------------------------- */

/* The size, once all is read and fits; or -1. */
int rdata_finish(struct rdata_reader *r, int status);

/* ---- rdata_fields.c -------------------------------------------------- */

/* -1, with the error at the token; NULL: something is missing at the end. */
int __attribute__((format(printf, 3, 4))) rdata_fail(struct rdata_error *e, const struct scan_token *token,
	const char *fmt, ...);
/* "what: expected …, not "text"", the text cut where it is long. */
int rdata_expected(struct rdata_error *e, const struct scan_token *token, const char *what);
/* The next token; NULL: there is none, and the error is set. */
const struct scan_token *rdata_take(struct rdata_reader *r);
/* Decimal digits alone, up to max. */
bool rdata_number_from_text(const char *text, size_t size, uint64_t max, uint64_t *value);
/* Each takes what the field is made of, and puts its octets: 0, or -1 with the error. */
int rdata_read_number(struct rdata_reader *r, unsigned octets);
int rdata_read_period(struct rdata_reader *r);
int rdata_read_name(struct rdata_reader *r);
int rdata_read_a(struct rdata_reader *r);
int rdata_read_aaaa(struct rdata_reader *r);
/* The octets of a token, escapes resolved; limit: of octets. */
int rdata_read_text(struct rdata_reader *r, const struct scan_token *t, size_t limit);
int rdata_read_string(struct rdata_reader *r);
int rdata_read_tag(struct rdata_reader *r);

/* ---- rdata_codes.c --------------------------------------------------- */

int rdata_read_algorithm(struct rdata_reader *r);
int rdata_read_type(struct rdata_reader *r);
/* RFC 4034 3.2: YYYYMMDDHHmmSS, or seconds since 1970. */
int rdata_read_time(struct rdata_reader *r);
/* RFC 4648 4, split by blanks anywhere. */
int rdata_read_base64(struct rdata_reader *r);
/* The hexadecimal digits of these tokens, split anywhere. */
int rdata_put_hex(struct rdata_reader *r, const struct scan_token *t, const struct scan_token *end);
int rdata_read_hex(struct rdata_reader *r);
int rdata_read_salt(struct rdata_reader *r);
/* RFC 5155 3.3: base32 with the extended hex alphabet, no padding. */
int rdata_read_next_hashed(struct rdata_reader *r);
/* RFC 4034 4.1.2 */
int rdata_read_bitmap(struct rdata_reader *r);
/* RFC 4025 2.5: none, IPv4, IPv6 or a name, which stays as it is. */
int rdata_read_gateway(struct rdata_reader *r);

/* ---- rdata_ldns.c ---------------------------------------------------- */

/* Rdata that came as octets: is it what the type wants? */
bool rdata_is_well_formed(uint16_t type, const uint8_t *rdata, size_t size);
/* All of it. */
int rdata_read_by_ldns(struct rdata_reader *r, uint16_t type);

#endif
