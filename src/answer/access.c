#include "answer/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/prefix.h"
#include "base/property.h"

struct access { size_t count; struct prefix prefix[]; };

static bool is_word(const char *value, size_t size, const char *word)
{
	return size == strlen(word) && memcmp(value, word, size) == 0;
}

/* The list is empty for "none"; *any: there is no list. */
static int parse(const char *value, size_t size, struct prefix_list *list, bool *any, struct err *err)
{
	*any = is_word(value, size, "any");
	if (*any || is_word(value, size, "none"))
		return 0;
	if (prefix_list_parse(list, value, size, ACCESS_PREFIXES_MAX, err) < 0)
		return -1;
	return list->count ? 0 : err_set(err, ERR_PARSE, "an empty list: say none if nobody may ask");
}

int access_check(const char *value, struct err *err)
{
	struct prefix_list list = { .items = NULL };
	struct err why = ERR_INIT;
	bool any;
	int status = parse(value, strlen(value), &list, &any, &why);

	prefix_list_clear(&list);
	return status == 0 ? 0 : err_set(err, ERR_BAD_REQUEST, "the property \"" ACCESS_PROPERTY "\": %s; it takes any, none, or "
		"prefixes with commas between them", why.message);
}

int access_keep(const char *properties, void **kept, size_t *octets, struct err *err)
{
	struct prefix_list list = { .items = NULL };
	struct access *access;
	const char *value;
	size_t size;
	bool any;

	*kept = NULL;
	*octets = 0;
	value = property_find(properties, ACCESS_PROPERTY, &size);
	if (!value)
		return 0;
	if (parse(value, size, &list, &any, err) < 0 || any) {
		prefix_list_clear(&list);
		return any ? 0 : err_context(err, "its property \"" ACCESS_PROPERTY "\"");
	}
	*octets = sizeof *access + list.count * sizeof list.items[0];
	access = malloc(*octets);
	if (access) {
		access->count = list.count;
		if (list.count)
			memcpy(access->prefix, list.items, list.count * sizeof list.items[0]);
	}
	prefix_list_clear(&list);
	*kept = access;
	return access ? 0 : err_set(err, ERR_NOMEM, "no memory for its property \"" ACCESS_PROPERTY "\"");
}

bool access_allows(const void *kept, const uint8_t *client, size_t size)
{
	const struct access *access = kept;
	struct address a;

	if (size != 4 && size != 16)
		return false;
	a = address_load(client, size);
	for (size_t i = 0; i < access->count; i++)
		if (prefix_matches(&access->prefix[i], &a, size))
			return true;
	return false;
}
