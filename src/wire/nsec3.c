#include "wire/nsec3.h"

#include "base/bytes.h"

#define SHA1_BLOCK 64

static inline uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* FIPS 180-4 6.1.2. SHA-1 is NSEC3's only algorithm; nothing secret hangs on it. */
static void sha1_block(uint32_t state[5], const uint8_t *block)
{
	uint32_t w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

	for (unsigned i = 0; i < 16; i++)
		w[i] = load_be32(block + 4 * i);
	for (unsigned i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t f, k, t;

		if (i < 20)
			f = (b & c) | (~b & d), k = 0x5a827999;
		else if (i < 40)
			f = b ^ c ^ d, k = 0x6ed9eba1;
		else if (i < 60)
			f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
		else
			f = b ^ c ^ d, k = 0xca62c1d6;
		t = rotate(a, 5) + f + e + k + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = t;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

/* Of a message and a salt behind it: together at most 510 octets. */
static void sha1_salted(const uint8_t *message, size_t size, const uint8_t *salt, size_t salt_size, uint8_t hash[NSEC3_HASH_SIZE])
{
	uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	uint8_t padded[9 * SHA1_BLOCK];
	size_t total = size + salt_size, end = (total + 9 + SHA1_BLOCK - 1) / SHA1_BLOCK * SHA1_BLOCK;

	memset(padded, 0, end);
	memcpy(padded, message, size);
	if (salt_size)
		memcpy(padded + size, salt, salt_size);
	padded[total] = 0x80;
	store_be64(padded + end - 8, (uint64_t)total * 8);
	for (size_t at = 0; at < end; at += SHA1_BLOCK)
		sha1_block(state, padded + at);
	for (unsigned i = 0; i < 5; i++)
		store_be32(hash + 4 * i, state[i]);
}

bool nsec3_params_parse(struct nsec3_params *params, const uint8_t *rdata, size_t size)
{
	struct cursor c = cursor_over(rdata, size);

	params->algorithm = cursor_get_u8(&c);
	params->flags = cursor_get_u8(&c);
	params->iterations = cursor_get_be16(&c);
	params->salt_size = cursor_get_u8(&c);
	params->salt = cursor_take(&c, params->salt_size);
	return !c.failed;
}

void nsec3_hash(const struct nsec3_params *params, const uint8_t *name, size_t size, uint8_t hash[NSEC3_HASH_SIZE])
{
	sha1_salted(name, size, params->salt, params->salt_size, hash);
	for (unsigned i = 0; i < params->iterations; i++) {
		uint8_t last[NSEC3_HASH_SIZE];

		memcpy(last, hash, sizeof last);
		sha1_salted(last, sizeof last, params->salt, params->salt_size, hash);
	}
}

void nsec3_label(const uint8_t hash[NSEC3_HASH_SIZE], uint8_t label[NSEC3_LABEL_SIZE])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

	label[0] = NSEC3_LABEL_SIZE - 1;
	for (unsigned i = 0; i < NSEC3_LABEL_SIZE - 1; i++) {
		unsigned bit = i * 5, octet = bit / 8;
		unsigned two = (unsigned)hash[octet] << 8 | (octet + 1 < NSEC3_HASH_SIZE ? hash[octet + 1] : 0);

		label[1 + i] = (uint8_t)digits[two >> (11 - bit % 8) & 31];
	}
}
