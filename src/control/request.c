/* One request line: JSON against the table of commands. */
#include "control/commands.h"

#include <stdio.h>
#include <string.h>

static const char *const type_name[] = {
	[KEY_STRING] = "a string", [KEY_INTEGER] = "an integer", [KEY_BOOLEAN] = "true or false",
	[KEY_STRINGS] = "an array of strings", [KEY_OBJECT] = "an object",
};

static bool type_fits(json_t *value, enum key_type type)
{
	size_t i;
	json_t *item;

	switch (type) {
	case KEY_STRING:
		return json_is_string(value);
	case KEY_INTEGER:
		return json_is_integer(value);
	case KEY_BOOLEAN:
		return json_is_boolean(value);
	case KEY_OBJECT:
		return json_is_object(value);
	case KEY_STRINGS:
		if (!json_is_array(value))
			return false;
		json_array_foreach(value, i, item)
			if (!json_is_string(item))
				return false;
		return true;
	}
	return false;
}

static int check_key(const struct control_command *command, const char *name, json_t *value, struct err *err)
{
	const struct control_key *key = command->keys;
	char known[512] = "";

	for (; key->name; key++) {
		size_t n = strlen(known);

		if (strcmp(key->name, name) == 0)
			break;
		snprintf(known + n, sizeof known - n, "%s\"%s\"", n ? ", " : "", key->name);
	}
	if (!key->name)
		return err_set(err, ERR_BAD_REQUEST, "%s: unknown key \"%.64s\"; %s%s", command->name, name,
			known[0] ? "known: " : "it takes none", known);
	if (!type_fits(value, key->type))
		return err_set(err, ERR_BAD_REQUEST, "%s: \"%s\" (%s) must be %s", command->name, key->name,
			key->help, type_name[key->type]);
	return 0;
}

static int check_keys(const struct control_command *command, json_t *request, struct err *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(request, name, value)
		if (strcmp(name, "command") != 0 && strcmp(name, "v") != 0 && check_key(command, name, value, err) < 0)
			return -1;
	for (const struct control_key *key = command->keys; key->name; key++)
		if (key->required && !json_object_get(request, key->name))
			return err_set(err, ERR_BAD_REQUEST, "%s: \"%s\" (%s) is missing", command->name, key->name, key->help);
	return 0;
}

static int check_head(json_t *request, const struct control_command **command, struct err *err)
{
	const json_t *version = json_object_get(request, "v");
	const json_t *name = json_object_get(request, "command");

	if (version && !(json_is_integer(version) && json_integer_value(version) == 1))
		return err_set(err, ERR_BAD_REQUEST, "\"v\" must be 1: this daemon speaks version 1 of the protocol only");
	if (!json_is_string(name))
		return err_set(err, ERR_BAD_REQUEST, "a request needs \"command\", a string: {\"command\":\"status\"}");
	*command = control_command_find(json_string_value(name));
	if (!*command)
		return err_set(err, ERR_UNKNOWN_COMMAND, "unknown command \"%.64s\"; PROTOCOL.md lists them", json_string_value(name));
	return 0;
}

int control_request_parse(const char *line, size_t size, json_t **request, const struct control_command **command, struct err *err)
{
	const struct control_command *found = NULL;
	json_error_t where;
	json_t *json;

	if (size > CONTROL_LINE_MAX)
		return err_set(err, ERR_LIMIT, "the line is longer than %u octets", CONTROL_LINE_MAX);
	json = json_loadb(line, size, JSON_REJECT_DUPLICATES, &where);
	if (!json)
		return err_set(err, ERR_BAD_REQUEST, "not JSON, at octet %d: %s", where.position, where.text);
	if (!json_is_object(json)) {
		json_decref(json);
		return err_set(err, ERR_BAD_REQUEST, "a request is a JSON object: {\"command\":\"status\"}");
	}
	if (check_head(json, &found, err) < 0 || check_keys(found, json, err) < 0) {
		json_decref(json);
		return -1;
	}
	*request = json;
	*command = found;
	return 0;
}
