#include "wire/cookie.h"

#include <sodium.h>
#include <stdbool.h>

#include "base/bytes.h"

/* RFC 9018 4: version, reserved octets, time, SipHash-2-4 of it all. */
#define HEAD_SIZE 16            /* the client's cookie, and ours without its hash */
#define HASH_SIZE 8
#define VERSION 1
#define ADDRESS_MAX 16
#define OLDEST 3600             /* seconds a cookie is good for … */
#define AHEAD 300               /* … and how far the clocks of an anycast set may be apart */
#define RENEW 1800

_Static_assert(HASH_SIZE == crypto_shorthash_BYTES && COOKIE_SECRET_SIZE == crypto_shorthash_KEYBYTES,
	"SipHash-2-4 of 64 bits");

static void hash(uint8_t out[HASH_SIZE], const uint8_t secret[COOKIE_SECRET_SIZE], const uint8_t head[HEAD_SIZE],
	const uint8_t *address, size_t address_size)
{
	uint8_t message[HEAD_SIZE + ADDRESS_MAX];

	memcpy(message, head, HEAD_SIZE);
	memcpy(message + HEAD_SIZE, address, address_size);
	crypto_shorthash(out, message, HEAD_SIZE + address_size, secret);
}

static void make(uint8_t out[COOKIE_SIZE], const struct cookie_secrets *secrets, const uint8_t *cookie,
	const uint8_t *address, size_t address_size, uint32_t now)
{
	memcpy(out, cookie, COOKIE_CLIENT_SIZE);
	out[8] = VERSION;
	memset(out + 9, 0, 3);
	store_be32(out + 12, now);
	hash(out + HEAD_SIZE, secrets->secret[0], out, address, address_size);
}

/* Whose hash is it? The number of the secret; count: nobody's. */
static unsigned find_secret(const struct cookie_secrets *secrets, const uint8_t *cookie, const uint8_t *address,
	size_t address_size)
{
	uint8_t expected[HASH_SIZE];
	unsigned i;

	for (i = 0; i < secrets->count; i++) {
		hash(expected, secrets->secret[i], cookie, address, address_size);
		if (sodium_memcmp(expected, cookie + HEAD_SIZE, HASH_SIZE) == 0)
			break;
	}
	return i;
}

enum cookie_verdict cookie_judge(const struct cookie_secrets *secrets, const uint8_t *cookie, size_t size,
	const uint8_t *address, size_t address_size, uint32_t now, uint8_t reply[COOKIE_SIZE])
{
	enum cookie_verdict verdict = size == COOKIE_CLIENT_SIZE ? COOKIE_NEW : COOKIE_BAD;

	if (address_size > ADDRESS_MAX)
		address_size = ADDRESS_MAX;
	if (size == COOKIE_SIZE && cookie[8] == VERSION) {
		/* serial arithmetic (RFC 1982), as the 32 bits will wrap */
		int32_t age = (int32_t)(now - load_be32(cookie + 12));
		unsigned secret = age > OLDEST || age < -AHEAD ? secrets->count :
			find_secret(secrets, cookie, address, address_size);

		if (secret < secrets->count)
			verdict = COOKIE_GOOD;
		if (secret == 0 && age <= RENEW) {
			memcpy(reply, cookie, COOKIE_SIZE);
			return verdict;
		}
	}
	make(reply, secrets, cookie, address, address_size, now);
	return verdict;
}
