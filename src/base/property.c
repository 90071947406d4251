#include "base/property.h"

#include <string.h>

const char *property_find(const char *text, const char *key, size_t *size)
{
	size_t n = strlen(key);

	while (*text) {
		size_t line = strcspn(text, "\n");

		if (line > n && text[n] == '=' && memcmp(text, key, n) == 0) {
			*size = line - n - 1;
			return text + n + 1;
		}
		text += line + (text[line] == '\n');
	}
	return NULL;
}
