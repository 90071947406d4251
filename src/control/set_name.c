/* "ZONE@SET" as people write it: U-labels, escapes, upper case. */
#include "control/commands.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "wire/name.h"

static bool is_ascii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

/* U-labels to A-labels (RFC 5891); a name without any is left as it is:
 * underscores and escapes are no business of IDNA. */
static char *zone_to_ascii(const char *text, size_t size, struct err *err)
{
	char *copy = strndup(text, size), *ascii = NULL;
	int status;

	if (!copy) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	if (is_ascii(text, size))
		return copy;
	status = idn2_to_ascii_8z(copy, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (status != IDN2_OK) {
		err_set(err, ERR_BAD_REQUEST, "\"%s\" is no internationalized domain name: %s", copy, idn2_strerror(status));
		free(copy);
		return NULL;
	}
	free(copy);
	copy = strdup(ascii);
	idn2_free(ascii);
	if (!copy)
		err_set(err, ERR_NOMEM, "no memory");
	return copy;
}

const char *control_find_at(const char *text)
{
	const char *at = NULL;

	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '@')
			at = p;
	}
	return at;
}

static bool set_text_fits(const char *text, size_t size)
{
	if (size < 1 || size > 63)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') ||
		    text[i] == '.' || text[i] == '_' || text[i] == '-'))
			return false;
	return true;
}

static int parse_zone(const char *text, size_t size, unsigned char *apex, size_t *apex_size, struct err *err)
{
	uint8_t wire[NAME_MAX_SIZE];
	const char *reason = "not a domain name";
	char *ascii;
	size_t n;

	if (size == 0 || size > 4 * NAME_TEXT_MAX)
		return err_set(err, ERR_BAD_REQUEST, size ? "a zone's name of %zu octets is too long" :
			"a zone's name is missing (the root zone is written \".\")", size);
	ascii = zone_to_ascii(text, size, err);
	if (!ascii)
		return -1;
	n = name_from_text(wire, ascii, strlen(ascii), NULL, false, &reason);
	if (!n) {
		err_set(err, ERR_BAD_REQUEST, "\"%.200s\" is no domain name: %s", ascii, reason);
		free(ascii);
		return -1;
	}
	free(ascii);
	name_lower(apex, wire, n);
	*apex_size = n;
	return 0;
}

int control_parse_set(const char *text, unsigned char *apex, size_t *apex_size, char set[64], struct err *err)
{
	const char *at = control_find_at(text);
	size_t zone_size = at ? (size_t)(at - text) : strlen(text);
	size_t set_size = at ? strlen(at + 1) : 0;

	if (at && !set_text_fits(at + 1, set_size))
		return err_set(err, ERR_BAD_REQUEST, "\"%.200s\": behind \"@\" stands a set's name: 1 to 63 of a-z, 0-9, \".\", \"_\", \"-\"", text);
	if (parse_zone(text, zone_size, apex, apex_size, err) < 0)
		return -1;
	if (set_size)
		memcpy(set, at + 1, set_size);
	set[set_size] = '\0';
	return 0;
}

int control_parse_zone(const char *text, unsigned char *apex, size_t *apex_size, struct err *err)
{
	if (control_find_at(text))
		return err_set(err, ERR_BAD_REQUEST, "\"%.200s\": only a zone may stand here, without \"@\"", text);
	return parse_zone(text, strlen(text), apex, apex_size, err);
}
