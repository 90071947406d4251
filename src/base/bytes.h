/*
 * Bytes as they stand in packets and files: unaligned loads and stores, and
 * a bounded cursor with a sticky error.
 *
 * be = network order (packets, LMDB keys that must sort), le = our files.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_be16(const void *p) { uint16_t v; memcpy(&v, p, 2); return be16toh(v); }
static inline uint32_t load_be32(const void *p) { uint32_t v; memcpy(&v, p, 4); return be32toh(v); }
static inline uint64_t load_be64(const void *p) { uint64_t v; memcpy(&v, p, 8); return be64toh(v); }
static inline void store_be16(void *p, uint16_t v) { v = htobe16(v); memcpy(p, &v, 2); }
static inline void store_be32(void *p, uint32_t v) { v = htobe32(v); memcpy(p, &v, 4); }
static inline void store_be64(void *p, uint64_t v) { v = htobe64(v); memcpy(p, &v, 8); }
static inline uint16_t load_le16(const void *p) { uint16_t v; memcpy(&v, p, 2); return le16toh(v); }
static inline uint32_t load_le32(const void *p) { uint32_t v; memcpy(&v, p, 4); return le32toh(v); }
static inline uint64_t load_le64(const void *p) { uint64_t v; memcpy(&v, p, 8); return le64toh(v); }
static inline void store_le16(void *p, uint16_t v) { v = htole16(v); memcpy(p, &v, 2); }
static inline void store_le32(void *p, uint32_t v) { v = htole32(v); memcpy(p, &v, 4); }
static inline void store_le64(void *p, uint64_t v) { v = htole64(v); memcpy(p, &v, 8); }

/* A cursor over bytes, for reading or for writing. Once something did not
 * fit, failed is set, every further read gives 0 and every further write
 * does nothing: ask once, at the end. */
struct cursor {
	uint8_t *base;
	size_t at, size;
	bool failed;
};

static inline struct cursor cursor_over(const void *p, size_t size)
{
	return (struct cursor){ .base = (uint8_t *)(uintptr_t)p, .at = 0, .size = size, .failed = false };
}
static inline size_t cursor_left(const struct cursor *c) { return c->failed ? 0 : c->size - c->at; }
static inline uint8_t *cursor_take(struct cursor *c, size_t n)
{
	uint8_t *p;

	if (c->failed || c->size - c->at < n) {
		c->failed = true;
		return NULL;
	}
	p = c->base + c->at;
	c->at += n;
	return p;
}
static inline uint8_t cursor_get_u8(struct cursor *c) { uint8_t *p = cursor_take(c, 1); return p ? *p : 0; }
static inline uint16_t cursor_get_be16(struct cursor *c) { uint8_t *p = cursor_take(c, 2); return p ? load_be16(p) : 0; }
static inline uint32_t cursor_get_be32(struct cursor *c) { uint8_t *p = cursor_take(c, 4); return p ? load_be32(p) : 0; }
static inline uint64_t cursor_get_be64(struct cursor *c) { uint8_t *p = cursor_take(c, 8); return p ? load_be64(p) : 0; }
static inline uint16_t cursor_get_le16(struct cursor *c) { uint8_t *p = cursor_take(c, 2); return p ? load_le16(p) : 0; }
static inline uint32_t cursor_get_le32(struct cursor *c) { uint8_t *p = cursor_take(c, 4); return p ? load_le32(p) : 0; }
static inline uint64_t cursor_get_le64(struct cursor *c) { uint8_t *p = cursor_take(c, 8); return p ? load_le64(p) : 0; }
static inline void cursor_put_u8(struct cursor *c, uint8_t v) { uint8_t *p = cursor_take(c, 1); if (p) *p = v; }
static inline void cursor_put_be16(struct cursor *c, uint16_t v) { uint8_t *p = cursor_take(c, 2); if (p) store_be16(p, v); }
static inline void cursor_put_be32(struct cursor *c, uint32_t v) { uint8_t *p = cursor_take(c, 4); if (p) store_be32(p, v); }
static inline void cursor_put_be64(struct cursor *c, uint64_t v) { uint8_t *p = cursor_take(c, 8); if (p) store_be64(p, v); }
static inline void cursor_put_le16(struct cursor *c, uint16_t v) { uint8_t *p = cursor_take(c, 2); if (p) store_le16(p, v); }
static inline void cursor_put_le32(struct cursor *c, uint32_t v) { uint8_t *p = cursor_take(c, 4); if (p) store_le32(p, v); }
static inline void cursor_put_le64(struct cursor *c, uint64_t v) { uint8_t *p = cursor_take(c, 8); if (p) store_le64(p, v); }
static inline void cursor_put(struct cursor *c, const void *src, size_t n) { uint8_t *p = cursor_take(c, n); if (p && n) memcpy(p, src, n); }

#endif
