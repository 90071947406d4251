/*
 * Prefixes of addresses, and lists of them: who is exempted, who may ask.
 */
#ifndef BASE_PREFIX_H
#define BASE_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define PREFIX_TEXT 64

/* An address as two words, the first octet on top; of IPv4 the upper half of
 * the first one. */
struct address { uint64_t word[2]; };
struct prefix { struct address first, mask; uint8_t size /* octets of an address: 4, 16 */, bits; };
struct prefix_list { struct prefix *items; size_t count; };

/* size: 4 or 16 octets. */
static inline struct address address_load(const uint8_t *octets, size_t size)
{
	struct address a = { { size == 4 ? (uint64_t)load_be32(octets) << 32 : load_be64(octets), 0 } };

	if (size == 16)
		a.word[1] = load_be64(octets + 8);
	return a;
}

static inline struct address address_mask(const struct address *a, const struct address *mask)
{
	return (struct address){ { a->word[0] & mask->word[0], a->word[1] & mask->word[1] } };
}

static inline bool prefix_matches(const struct prefix *p, const struct address *a, size_t size)
{
	return p->size == size && !((a->word[0] ^ p->first.word[0]) & p->mask.word[0]) &&
		!((a->word[1] ^ p->first.word[1]) & p->mask.word[1]);
}

static inline bool prefix_list_matches(const struct prefix_list *list, const struct address *a, size_t size)
{
	for (size_t i = 0; i < list->count; i++)
		if (prefix_matches(&list->items[i], a, size))
			return true;
	return false;
}

/* The mask of so many bits, at most those of an address of that size. */
struct address prefix_mask(unsigned bits);
/* "192.0.2.0/24", "2001:db8::/32", or an address alone. Bits behind the prefix
 * that are set are an error: one of the two numbers is wrong. ERR_PARSE. */
int prefix_parse(struct prefix *, const char *text, size_t size, struct err *);
/* As text; buf of PREFIX_TEXT; returns buf. */
char *prefix_to_text(char *buf, const struct address *first, size_t size, unsigned bits);

/* Appends one. A list that is all zeros is empty. */
int prefix_list_add(struct prefix_list *, const struct prefix *, struct err *);
/* Appends those of a text, between commas or blanks, at most max. On failure
 * the list is as it was. */
int prefix_list_parse(struct prefix_list *, const char *text, size_t size, size_t max, struct err *);
bool prefix_list_equal(const struct prefix_list *, const struct prefix_list *);
void prefix_list_clear(struct prefix_list *);

#endif
