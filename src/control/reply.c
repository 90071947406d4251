/* Replies, and errors as JSON. */
#include "control/commands.h"

#include <string.h>

/* Text of ours may hold a stranger's octets: jansson refuses what is not
 * UTF-8, and an error must never get lost for that. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	char clean[sizeof((struct err *)0)->message];
	size_t i;

	if (json)
		return json;
	for (i = 0; text[i] && i < sizeof clean - 1; i++)
		clean[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	clean[i] = '\0';
	return json_string(clean);
}

json_t *control_error(const struct err *err)
{
	return json_pack("{s:b,s:{s:s,s:o}}", "ok", 0, "error",
		"code", err->code ? err->code : ERR_INTERNAL,
		"message", text_json(err->message[0] ? err->message : "no reason was given"));
}

static const char *const codes[] = {
	ERR_BAD_REQUEST, ERR_UNKNOWN_COMMAND, ERR_DENIED, ERR_NO_SUCH_ZONE, ERR_NO_SUCH_SET, ERR_NO_SUCH_GROUP,
	ERR_EXISTS, ERR_NOT_READY, ERR_IN_USE, ERR_HELD, ERR_OVERTAKEN, ERR_NO_PREVIOUS, ERR_SERIAL, ERR_CHANGED,
	ERR_NO_GO, ERR_PARSE, ERR_RULE, ERR_SIGNED, ERR_LIMIT, ERR_FULL, ERR_CORRUPT, ERR_VERSION, ERR_BUSY,
	ERR_TIMEOUT, ERR_UNAVAILABLE, ERR_SYSTEM, ERR_NOMEM, ERR_INTERNAL,
};

void control_error_read(const json_t *reply, struct err *err)
{
	const json_t *error = json_object_get(reply, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *known = ERR_INTERNAL;

	for (size_t i = 0; code && i < sizeof codes / sizeof codes[0]; i++)
		if (strcmp(code, codes[i]) == 0)
			known = codes[i];
	err_set(err, known, "%s", message ? message : "no reason was given");
}
