#include "wire/nsec3.h"

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "base/bytes.h"

#define SHA1_BLOCK 64

static signed char native;      /* instructions for SHA-1: 1 there are, -1 not; 0: not asked yet */

void nsec3_use_native(bool use)
{
	native = use ? 0 : -1;
}

static inline uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* FIPS 180-4 6.1.2. SHA-1 is NSEC3's only algorithm; nothing secret hangs on it. */
static void sha1_block_plain(uint32_t state[5], const uint8_t *block)
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

#ifdef __x86_64__
/* Does the processor have the instructions? (gcc 12 has no name for them.) */
static bool has_sha(void)
{
	if (!native) {
		unsigned a, b = 0, c, d;

		native = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __builtin_cpu_supports("sse4.1") ? 1 : -1;
	}
	return native > 0;
}

/* The same by the processor's own instructions, where it has them. */
__attribute__((target("sha,sse4.1,ssse3")))
static void sha1_block_native(uint32_t state[5], const uint8_t *block)
{
	const __m128i swap = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
	__m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1b);
	__m128i first = abcd, e = _mm_set_epi32((int)state[4], 0, 0, 0), first_e = e, before, w[4];

	for (unsigned i = 0; i < 4; i++)
		w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), swap);
	for (unsigned i = 0; i < 20; i++) {
		unsigned at = i % 4;

		if (i >= 4)
			w[at] = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w[at], w[(at + 1) % 4]), w[(at + 2) % 4]), w[(at + 3) % 4]);
		e = i ? _mm_sha1nexte_epu32(e, w[at]) : _mm_add_epi32(e, w[at]);
		before = abcd;
		switch (i / 5) {
		case 0: abcd = _mm_sha1rnds4_epu32(abcd, e, 0); break;
		case 1: abcd = _mm_sha1rnds4_epu32(abcd, e, 1); break;
		case 2: abcd = _mm_sha1rnds4_epu32(abcd, e, 2); break;
		default: abcd = _mm_sha1rnds4_epu32(abcd, e, 3);
		}
		e = before;
	}
	e = _mm_sha1nexte_epu32(e, first_e);
	abcd = _mm_shuffle_epi32(_mm_add_epi32(abcd, first), 0x1b);
	_mm_storeu_si128((__m128i *)state, abcd);
	state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}
#endif

static void sha1_block(uint32_t state[5], const uint8_t *block)
{
#ifdef __x86_64__
	if (__builtin_expect(has_sha(), 1)) {
		sha1_block_native(state, block);
		return;
	}
#endif
	sha1_block_plain(state, block);
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
	/* five octets are eight digits */
	for (unsigned i = 0; i < NSEC3_HASH_SIZE / 5; i++) {
		uint64_t bits = (uint64_t)load_be32(hash + 5 * i) << 8 | hash[5 * i + 4];

		for (unsigned k = 0; k < 8; k++)
			label[1 + 8 * i + k] = (uint8_t)digits[bits >> (35 - 5 * k) & 31];
	}
}

void nsec3_hash_cached(struct nsec3_cache *cache, uint64_t key, const struct nsec3_params *params, const uint8_t *name, size_t size,
	uint8_t hash[NSEC3_HASH_SIZE])
{
	struct nsec3_cached *e = &cache->entry[key % NSEC3_CACHE_SIZE];

	if (size > sizeof e->name || params->salt_size > sizeof e->salt) {
		nsec3_hash(params, name, size, hash);
		return;
	}
	if (e->size != size || e->iterations != params->iterations || e->salt_size != params->salt_size ||
	    memcmp(e->name, name, size) != 0 || (e->salt_size && memcmp(e->salt, params->salt, e->salt_size) != 0)) {
		nsec3_hash(params, name, size, e->hash);
		e->size = (uint8_t)size;
		e->iterations = params->iterations;
		e->salt_size = params->salt_size;
		memcpy(e->name, name, size);
		if (e->salt_size)
			memcpy(e->salt, params->salt, e->salt_size);
	}
	memcpy(hash, e->hash, NSEC3_HASH_SIZE);
}
