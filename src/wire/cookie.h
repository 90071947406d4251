/*
 * Server cookies (RFC 7873) that every server of an anycast set makes and
 * understands alike (RFC 9018).
 */
#ifndef WIRE_COOKIE_H
#define WIRE_COOKIE_H

#include <stddef.h>
#include <stdint.h>

#define COOKIE_CLIENT_SIZE 8
#define COOKIE_SIZE 24          /* the client's, then ours */
#define COOKIE_SECRET_SIZE 16
#define COOKIE_SECRETS_MAX 2    /* the one that cookies are made with; another that is understood, too */

struct cookie_secrets {
	uint8_t secret[COOKIE_SECRETS_MAX][COOKIE_SECRET_SIZE];
	unsigned count;
};

enum cookie_verdict {
	COOKIE_NEW,             /* the client has none of ours yet */
	COOKIE_GOOD,
	COOKIE_BAD,             /* forged, outdated, or made for another address */
};

/* A COOKIE option of a query, of 8 or 16 to 40 octets, from an address of 4
 * or 16. now: seconds since 1970. reply: what to send back; a good cookie that
 * is still young comes back as it is. secrets->count > 0. */
enum cookie_verdict cookie_judge(const struct cookie_secrets *secrets, const uint8_t *cookie, size_t size,
	const uint8_t *address, size_t address_size, uint32_t now, uint8_t reply[COOKIE_SIZE]);

#endif
