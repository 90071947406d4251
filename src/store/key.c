#include "store/key.h"

#include <string.h>

#include "wire/name.h"

static inline uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* One label, escaped, and its end; returns the new length, 0 if too long. */
static size_t put_label(uint8_t *key, size_t at, const uint8_t *label)
{
	for (unsigned i = 1; i <= label[0]; i++) {
		uint8_t c = lower(label[i]);

		if (at + 2 > KEY_MAX)
			return 0;
		if (c <= 1) {
			key[at++] = 1;
			c++;
		}
		key[at++] = c;
	}
	if (at + 1 > KEY_MAX)
		return 0;
	key[at++] = 0;
	return at;
}

int key_from_name(uint8_t key[KEY_MAX], const uint8_t *name, size_t size, struct err *err)
{
	uint8_t label_at[NAME_MAX_LABELS + 1];
	unsigned labels = 0;
	size_t at = 0;

	if (size == 0 || size > NAME_MAX_SIZE)
		return err_set(err, ERR_INTERNAL, "a name of %zu octets has no key", size);
	for (size_t i = 0; i < size && name[i] != 0; i += 1 + name[i]) {
		if (labels == NAME_MAX_LABELS)
			return err_set(err, ERR_INTERNAL, "a name of too many labels has no key");
		label_at[labels++] = i;
	}
	if (labels == 0) {
		key[0] = 0;
		return 1;
	}
	while (labels--) {
		at = put_label(key, at, name + label_at[labels]);
		if (!at)
			return err_set(err, ERR_LIMIT, "the name is too long for the store: its key "
				"would exceed the %d octets that LMDB takes", KEY_MAX);
	}
	return at;
}

/* One label, behind its length octet; *at goes behind its end. Its octets, or
 * 0 where it is not ended, or no label. */
static size_t get_label(uint8_t label[64], const uint8_t *key, size_t size, size_t *at)
{
	size_t n = 0;

	for (; *at < size && key[*at] != 0; ++*at) {
		uint8_t c = key[*at];

		if (c == 1) {
			if (++*at == size || key[*at] < 1 || key[*at] > 2)
				return 0;
			c = key[*at] - 1;
		}
		if (++n > 63)
			return 0;
		label[n] = c;
	}
	if (*at == size)
		return 0;
	++*at;
	label[0] = (uint8_t)n;
	return n;
}

size_t key_to_name(uint8_t name[255], const uint8_t *key, size_t size)
{
	size_t start = NAME_MAX_SIZE - 1, at = 0, n;
	uint8_t label[64];

	name[start] = 0;
	if (size == 1 && key[0] == 0)
		at = 1;
	while (at < size) {
		n = get_label(label, key, size, &at);
		if (!n || n + 1 > start)
			return 0;
		start -= n + 1;
		memcpy(name + start, label, n + 1);
	}
	memmove(name, name + start, NAME_MAX_SIZE - start);
	return size ? NAME_MAX_SIZE - start : 0;
}

size_t key_label_boundary(const uint8_t *key, size_t common)
{
	/* 00 ends a label and occurs nowhere else */
	while (common && key[common - 1] != 0)
		common--;
	return common;
}
