#include "tool/names.h"

#include <ctype.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"
#include "tool/session.h"

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/* U-labels become A-labels here, so that every command that we print is one
 * that works in any locale. */
static int to_ascii(const char *typed, char *buf, struct err *err)
{
	char *ascii = NULL;
	int r;

	if (is_ascii(typed)) {
		if (strlen(typed) > 1020)
			return err_set(err, ERR_BAD_REQUEST, "'%.60s…' is longer than any name", typed);
		strcpy(buf, typed);
		return 0;
	}
	r = idn2_to_ascii_8z(typed, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK)
		return err_set(err, ERR_BAD_REQUEST, "'%.200s' is no name: %s", typed, idn2_strerror(r));
	snprintf(buf, 1024, "%s", ascii);
	idn2_free(ascii);
	return 0;
}

int names_zone(const char *typed, char *buf, struct err *err)
{
	size_t n;

	if (!*typed)
		return err_set(err, ERR_BAD_REQUEST, "the name of a zone is empty");
	if (control_find_at(typed))
		return err_set(err, ERR_BAD_REQUEST, "'%.200s' names a set; a zone is wanted here, without @", typed);
	if (to_ascii(typed, buf, err) < 0)
		return -1;
	n = strlen(buf);
	if (n > 1 && buf[n - 1] == '.' && buf[n - 2] != '\\')
		buf[--n] = '\0';
	for (char *p = buf; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(err, ERR_BAD_REQUEST, "'%.200s' is no name: a blank or control character in it", typed);
		*p = (char)tolower((unsigned char)*p);
	}
	return 0;
}

static int check_set(const char *set, struct err *err)
{
	size_t n = strlen(set);

	if (n >= 1 && n <= 63 && strspn(set, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n)
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "'@%.100s' is no set's name: 1 to 63 of a-z, 0-9, '.', '_', '-'", set);
}

int names_set(const char *typed, const char *zone, bool need_set, char *buf, struct err *err)
{
	const char *at = control_find_at(typed);
	char part[NAME_TEXT_MAX];

	if (!at && need_set)
		return err_set(err, ERR_BAD_REQUEST, "'%.200s' names no set; wanted is ZONE@SET, see: schwenk sets %.200s",
			typed, typed);
	if (!at)
		return names_zone(typed, buf, err);
	if (check_set(at + 1, err) < 0)
		return -1;
	if (at == typed && !zone)
		return err_set(err, ERR_BAD_REQUEST, "'%.80s' names no zone; wanted is ZONE@SET", typed);
	snprintf(part, sizeof part, "%.*s", at == typed ? (int)strlen(zone) : (int)(at - typed), at == typed ? zone : typed);
	if (names_zone(part, buf, err) < 0)
		return -1;
	strcat(buf, at);
	return 0;
}

void names_split(const char *text, char *zone, char set[64])
{
	const char *at = control_find_at(text);
	size_t n = at ? (size_t)(at - text) : strlen(text);

	memcpy(zone, text, n);
	zone[n] = '\0';
	snprintf(set, 64, "%s", at ? at + 1 : "");
}

const char *names_show(const struct tool *tool, const char *zone, char *buf)
{
	char *shown = NULL;

	if (!tool->utf8 || !strstr(zone, "xn--") || strchr(zone, '\\')
		|| idn2_to_unicode_8z8z(zone, &shown, 0) != IDN2_OK)
		return zone;
	snprintf(buf, NAME_TEXT_MAX, "%s", shown);
	idn2_free(shown);
	return buf;
}

static json_t *names_list(struct tool *tool, const char *const *arg, size_t count, bool sets, int *status)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		char buf[NAME_TEXT_MAX];
		struct err err = ERR_INIT;

		if ((sets ? names_set(arg[i], NULL, true, buf, &err) : names_zone(arg[i], buf, &err)) < 0) {
			*status = tool_error(tool, STATUS_USAGE, &err);
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, json_string(buf));
	}
	return list;
}

json_t *names_zones(struct tool *tool, const char *const *arg, size_t count, int *status)
{
	return names_list(tool, arg, count, false, status);
}

json_t *names_sets(struct tool *tool, const char *const *arg, size_t count, int *status)
{
	return names_list(tool, arg, count, true, status);
}

json_t *names_zones_or_group(struct tool *tool, const struct args *args, int *status)
{
	const char *group = args_get(args, "group");

	return group ? session_members(tool, group, status) : names_zones(tool, args->arg, args->count, status);
}

const char *names_group_set(struct tool *tool, const struct args *args)
{
	struct err err = ERR_INIT;
	const char *text = args->arg[0];

	if (text[0] != '@')
		err_set(&err, ERR_BAD_REQUEST, "'%.100s' where @SET is wanted: --group G @SET", text);
	else if (check_set(text + 1, &err) == 0)
		return text + 1;
	tool_error(tool, STATUS_USAGE, &err);
	return NULL;
}

json_t *names_sets_or_group(struct tool *tool, const struct args *args, int *status)
{
	const char *group = args_get(args, "group"), *set;
	json_t *zones, *sets, *zone;
	size_t i;

	if (!group)
		return names_sets(tool, args->arg, args->count, status);
	*status = STATUS_USAGE;
	set = names_group_set(tool, args);
	zones = set ? session_members(tool, group, status) : NULL;
	if (!zones)
		return NULL;
	sets = json_array();
	json_array_foreach(zones, i, zone)
		json_array_append_new(sets, json_sprintf("%s@%s", json_string_value(zone), set));
	json_decref(zones);
	return sets;
}
