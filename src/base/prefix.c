#include "base/prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct address prefix_mask(unsigned bits)
{
	struct address m = { { bits ? ~UINT64_C(0) : 0, bits > 64 ? ~UINT64_C(0) : 0 } };

	if (bits > 0 && bits < 64)
		m.word[0] <<= 64 - bits;
	if (bits > 64 && bits < 128)
		m.word[1] <<= 128 - bits;
	return m;
}

char *prefix_to_text(char *buf, const struct address *first, size_t size, unsigned bits)
{
	uint8_t octets[16];
	size_t n;

	store_be64(octets, first->word[0]);
	store_be64(octets + 8, first->word[1]);
	if (!inet_ntop(size == 4 ? AF_INET : AF_INET6, octets, buf, PREFIX_TEXT))
		strcpy(buf, "?");
	n = strlen(buf);
	if (bits < 8 * size)
		snprintf(buf + n, PREFIX_TEXT - n, "/%u", bits);
	return buf;
}

/* A number of at most three digits, nothing behind it; -1: none. */
static int parse_bits(const char *text, size_t size)
{
	int bits = 0;

	if (size < 1 || size > 3)
		return -1;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		bits = 10 * bits + text[i] - '0';
	}
	return bits;
}

int prefix_parse(struct prefix *p, const char *text, size_t size, struct err *err)
{
	const char *slash = memchr(text, '/', size);
	size_t n = slash ? (size_t)(slash - text) : size;
	char address[INET6_ADDRSTRLEN], corrected[PREFIX_TEXT];
	struct address a, masked;
	uint8_t octets[16];
	int bits;

	if (n >= sizeof address)
		goto malformed;
	memcpy(address, text, n);
	address[n] = '\0';
	p->size = inet_pton(AF_INET, address, octets) == 1 ? 4 : inet_pton(AF_INET6, address, octets) == 1 ? 16 : 0;
	bits = slash ? parse_bits(slash + 1, size - n - 1) : 8 * p->size;
	if (!p->size || bits < 0 || bits > 8 * p->size)
		goto malformed;
	a = address_load(octets, p->size);
	p->bits = (uint8_t)bits;
	p->mask = prefix_mask(p->bits);
	masked = address_mask(&a, &p->mask);
	if (masked.word[0] != a.word[0] || masked.word[1] != a.word[1])
		return err_set(err, ERR_PARSE, "%.*s has bits set behind its first %d: is %s meant?", (int)size, text, bits,
			prefix_to_text(corrected, &masked, p->size, p->bits));
	p->first = a;
	return 0;
malformed:
	return err_set(err, ERR_PARSE, "'%.*s' is no address or prefix like 192.0.2.0/24 or 2001:db8::/32",
		size > 64 ? 64 : (int)size, text);
}

int prefix_list_add(struct prefix_list *list, const struct prefix *p, struct err *err)
{
	struct prefix *more = realloc(list->items, (list->count + 1) * sizeof *more);

	if (!more)
		return err_set(err, ERR_NOMEM, "no memory for a list of prefixes");
	list->items = more;
	list->items[list->count++] = *p;
	return 0;
}

static bool is_between(char c)
{
	return c == ',' || c == ' ' || c == '\t';
}

int prefix_list_parse(struct prefix_list *list, const char *text, size_t size, size_t max, struct err *err)
{
	size_t before = list->count, at = 0;

	for (;;) {
		struct prefix p;
		size_t end;

		while (at < size && is_between(text[at]))
			at++;
		if (at == size)
			return 0;
		for (end = at; end < size && !is_between(text[end]); end++)
			;
		if (list->count - before == max)
			err_set(err, ERR_LIMIT, "more than %zu prefixes in one list", max);
		else if (prefix_parse(&p, text + at, end - at, err) == 0)
			prefix_list_add(list, &p, err);
		if (err->code)
			break;
		at = end;
	}
	list->count = before;
	return -1;
}

bool prefix_list_equal(const struct prefix_list *a, const struct prefix_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].bits != b->items[i].bits || !prefix_matches(&a->items[i], &b->items[i].first, b->items[i].size))
			return false;
	return true;
}

void prefix_list_clear(struct prefix_list *list)
{
	free(list->items);
	*list = (struct prefix_list){ .items = NULL };
}
