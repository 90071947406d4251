#include "wire/name.h"

#include "base/bytes.h"

#define EACH_OCTET(x) (0x0101010101010101ull * (x))
#define MIX_A 0x9e3779b97f4a7c15ull
#define MIX_B 0xd1342543de82ef95ull

/* Eight octets at a time: the bit 0x20 is set where an octet is 'A' to 'Z'.
 * Length octets are below 'A', so that whole names may go through. */
static inline uint64_t lower_word(uint64_t x)
{
	uint64_t low = x & EACH_OCTET(0x7f);
	uint64_t from_a = low + EACH_OCTET(0x80 - 'A');
	uint64_t past_z = low + EACH_OCTET(0x7f - 'Z');
	uint64_t upper = (from_a ^ past_z) & ~x & EACH_OCTET(0x80);

	return x | upper >> 2;
}

static inline uint8_t lower_octet(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

void name_lower(uint8_t *dst, const uint8_t *src, size_t size)
{
	size_t i = 0;

	for (; i + 8 <= size; i += 8)
		store_le64(dst + i, lower_word(load_le64(src + i)));
	for (; i < size; i++)
		dst[i] = lower_octet(src[i]);
}

/* Multiply and fold: every bit of the product reaches the result. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t name_hash_label(uint64_t hash, const uint8_t *label)
{
	size_t n = (size_t)label[0] + 1, i;

	/* The length octet is hashed with its label, so that words which
	 * overlap at the end cannot make two labels look alike. */
	if (n >= 8) {
		for (i = 0; i + 8 < n; i += 8)
			hash = fold(hash ^ load_le64(label + i), MIX_A);
		return fold(hash ^ load_le64(label + n - 8), MIX_B);
	}
	if (n >= 4)
		return fold(hash ^ (load_le32(label) | (uint64_t)load_le32(label + n - 4) << 32), MIX_B);
	if (n >= 2)
		return fold(hash ^ (load_le16(label) | (uint64_t)label[n - 1] << 16), MIX_B);
	return hash;
}

size_t name_length(const uint8_t *p, size_t size)
{
	size_t at = 0, limit = size < NAME_MAX_SIZE ? size : NAME_MAX_SIZE;

	while (at < limit) {
		if (p[at] == 0)
			return at + 1;
		if (p[at] > 63)
			return 0;
		at += (size_t)p[at] + 1;
	}
	return 0;
}

size_t name_parse(struct name *name, const uint8_t *p, size_t size, uint64_t hash_key)
{
	size_t at = 0, limit = size < NAME_MAX_SIZE ? size : NAME_MAX_SIZE;
	unsigned labels = 0;

	for (;;) {
		if (at >= limit || p[at] > 63)
			return 0;
		name->at[labels] = (uint8_t)at;
		if (p[at] == 0)
			break;
		labels++;
		at += (size_t)p[at] + 1;
	}
	name->size = (uint8_t)(at + 1);
	name->labels = (uint8_t)labels;
	name_lower(name->lower, p, name->size);
	name->hash[labels] = hash_key;
	while (labels--)
		name->hash[labels] = name_hash_label(name->hash[labels + 1], name->lower + name->at[labels]);
	return name->size;
}

uint8_t name_count_labels(const uint8_t *name)
{
	uint8_t labels = 0;

	for (; *name; name += *name + 1)
		labels++;
	return labels;
}

bool name_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
	size_t i = 0;

	for (; i + 8 <= size; i += 8) {
		uint64_t x = load_le64(a + i), y = load_le64(b + i);

		if (x != y && lower_word(x) != lower_word(y))
			return false;
	}
	for (; i < size; i++)
		if (lower_octet(a[i]) != lower_octet(b[i]))
			return false;
	return true;
}

bool name_is_at_or_below(const uint8_t *name, size_t name_size, const uint8_t *apex, size_t apex_size)
{
	size_t at = 0;

	/* The tails may only be compared where a label begins. */
	while (at + apex_size < name_size)
		at += (size_t)name[at] + 1;
	return at + apex_size == name_size && name_equal(name + at, apex, apex_size);
}

/* Where the labels begin, from the left, the root label left out. */
static unsigned label_places(const uint8_t *name, size_t size, uint8_t at[NAME_MAX_LABELS + 1])
{
	unsigned n = 0;
	size_t i = 0;

	while (i < size && name[i] && n <= NAME_MAX_LABELS) {
		at[n++] = (uint8_t)i;
		i += (size_t)name[i] + 1;
	}
	return n;
}

static int label_compare(const uint8_t *a, const uint8_t *b)
{
	unsigned n = a[0] < b[0] ? a[0] : b[0];

	for (unsigned i = 1; i <= n; i++) {
		int d = lower_octet(a[i]) - lower_octet(b[i]);

		if (d)
			return d;
	}
	return a[0] - b[0];
}

int name_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
	uint8_t a_at[NAME_MAX_LABELS + 1], b_at[NAME_MAX_LABELS + 1];
	unsigned i = label_places(a, a_size, a_at), j = label_places(b, b_size, b_at);

	while (i && j) {
		int d = label_compare(a + a_at[--i], b + b_at[--j]);

		if (d)
			return d;
	}
	return (int)i - (int)j;
}

static size_t text_fails(const char **reason, const char *text)
{
	if (reason)
		*reason = text;
	return 0;
}

/* One octet of a label: a character, "\X" or "\DDD". Returns the characters
 * used, or 0. */
static size_t octet_from_text(const char *s, size_t left, uint8_t *octet)
{
	unsigned v;

	if (*s != '\\') {
		*octet = (uint8_t)*s;
		return 1;
	}
	if (left < 2)
		return 0;
	if (s[1] < '0' || s[1] > '9') {
		*octet = (uint8_t)s[1];
		return 2;
	}
	if (left < 4 || s[2] < '0' || s[2] > '9' || s[3] < '0' || s[3] > '9')
		return 0;
	v = (unsigned)(s[1] - '0') * 100 + (unsigned)(s[2] - '0') * 10 + (unsigned)(s[3] - '0');
	if (v > 255)
		return 0;
	*octet = (uint8_t)v;
	return 4;
}

static size_t name_complete(uint8_t *wire, size_t at, const uint8_t *origin, const char **reason)
{
	static const uint8_t root[1];
	size_t size;

	if (!origin)
		origin = root;
	size = name_length(origin, NAME_MAX_SIZE);
	if (at + size > NAME_MAX_SIZE)
		return text_fails(reason, "the name is longer than 255 octets");
	memcpy(wire + at, origin, size);
	return at + size;
}

size_t name_from_text(uint8_t wire[NAME_MAX_SIZE], const char *text, size_t text_size,
	const uint8_t *origin, bool at_is_origin, const char **reason)
{
	size_t label = 0, at = 1, i = 0;

	if (!text_size)
		return text_fails(reason, "the name is empty");
	if (text_size == 1 && text[0] == '.')
		return wire[0] = 0, 1;
	if (text_size == 1 && text[0] == '@' && at_is_origin)
		return name_complete(wire, 0, origin, reason);
	while (i < text_size) {
		uint8_t octet;
		size_t used;

		if (text[i] == '.') {
			if (at == label + 1)
				return text_fails(reason, "the name has an empty label");
			wire[label] = (uint8_t)(at - label - 1);
			label = at++;
			i++;
			continue;
		}
		used = octet_from_text(text + i, text_size - i, &octet);
		if (!used)
			return text_fails(reason, "the name has a bad escape: \\X or \\DDD up to 255");
		if (at - label > 63)
			return text_fails(reason, "the name has a label longer than 63 octets");
		if (at >= NAME_MAX_SIZE - 1)
			return text_fails(reason, "the name is longer than 255 octets");
		wire[at++] = octet;
		i += used;
	}
	if (at == label + 1) {  /* it ended in a dot: complete as it stands */
		wire[label] = 0;
		return at;
	}
	wire[label] = (uint8_t)(at - label - 1);
	return name_complete(wire, at, origin, reason);
}

static char *octet_to_text(char *out, uint8_t c)
{
	if (c <= ' ' || c >= 127) {
		*out++ = '\\';
		*out++ = (char)('0' + c / 100);
		*out++ = (char)('0' + c / 10 % 10);
		*out++ = (char)('0' + c % 10);
		return out;
	}
	if (strchr(".\\\"();@$", c))
		*out++ = '\\';
	*out++ = (char)c;
	return out;
}

char *name_to_text(char *buf, const uint8_t *name)
{
	char *out = buf;

	if (!*name)
		*out++ = '.';
	for (; *name; name += *name + 1) {
		for (unsigned i = 1; i <= *name; i++)
			out = octet_to_text(out, name[i]);
		*out++ = '.';
	}
	*out = '\0';
	return buf;
}

char *name_to_text_short(char *buf, const uint8_t *name)
{
	name_to_text(buf, name);
	if (*name)
		buf[strlen(buf) - 1] = '\0';
	return buf;
}
