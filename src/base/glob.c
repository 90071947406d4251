#include "base/glob.h"

#include <stddef.h>

static int lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

/* "[…]": behind it, and whether c is meant. NULL: it does not end, and so
 * "[" is just a character. */
static const char *match_list(const char *p, char c, bool *meant)
{
	bool not = *++p == '!' || *p == '^', first = true;

	*meant = false;
	for (p += not; *p && (first || *p != ']'); first = false) {
		char low, high;

		if (*p == '\\' && p[1])
			p++;
		low = high = *p++;
		if (p[0] == '-' && p[1] && p[1] != ']') {
			p += p[1] == '\\' && p[2] ? 2 : 1;
			high = *p++;
		}
		if (lower(c) >= lower(low) && lower(c) <= lower(high))
			*meant = true;
	}
	*meant ^= not;
	return *p ? p + 1 : NULL;
}

/* One character against the pattern's next part: behind that, or NULL. */
static const char *match_one(const char *p, char c)
{
	const char *end;
	bool meant;

	if (!*p)
		return NULL;
	if (*p == '?')
		return p + 1;
	if (*p == '[' && (end = match_list(p, c, &meant)))
		return meant ? end : NULL;
	if (*p == '\\' && p[1])
		p++;
	return lower(*p) == lower(c) ? p + 1 : NULL;
}

/* Only the last star needs to be tried anew: what the ones before it took
 * first leaves the most to those behind. */
bool glob_match(const char *p, const char *text)
{
	const char *behind_star = NULL, *from = NULL;

	while (*text) {
		const char *next = *p == '*' ? NULL : match_one(p, *text);

		if (*p == '*') {
			behind_star = ++p;
			from = text;
		} else if (next) {
			p = next;
			text++;
		} else if (behind_star) {
			p = behind_star;
			text = ++from;
		} else
			return false;
	}
	while (*p == '*')
		p++;
	return !*p;
}
