/* Requests against the table of commands, names of zones and sets, errors
 * there and back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"
#include "wire/name.h"

/* ---- requests ---------------------------------------------------------------- */

static const struct { const char *line, *code, *part; } wrong[] = {
	{ "", ERR_BAD_REQUEST, "not JSON, at octet" },
	{ " ", ERR_BAD_REQUEST, "not JSON" },
	{ "status", ERR_BAD_REQUEST, "not JSON" },
	{ "{\"command\":\"status\"", ERR_BAD_REQUEST, "not JSON" },
	{ "{\"command\":\"status\"}}", ERR_BAD_REQUEST, "not JSON" },
	{ "{\"command\":\"status\"} {\"command\":\"stop\"}", ERR_BAD_REQUEST, "not JSON" },
	{ "{\"command\":\"sta\\u0000tus\"}", ERR_BAD_REQUEST, "not JSON" },
	{ "{\"command\":\"\xff\"}", ERR_BAD_REQUEST, "not JSON" },
	{ "{'command':'status'}", ERR_BAD_REQUEST, "not JSON" },
	{ "[]", ERR_BAD_REQUEST, "a request is a JSON object" },
	{ "[{\"command\":\"status\"}]", ERR_BAD_REQUEST, "a request is a JSON object" },
	{ "{}", ERR_BAD_REQUEST, "a request needs \"command\"" },
	{ "{\"v\":1}", ERR_BAD_REQUEST, "a request needs \"command\"" },
	{ "{\"command\":7}", ERR_BAD_REQUEST, "a request needs \"command\", a string" },
	{ "{\"command\":null}", ERR_BAD_REQUEST, "a request needs \"command\"" },
	{ "{\"v\":2,\"command\":\"status\"}", ERR_BAD_REQUEST, "\"v\" must be 1" },
	{ "{\"v\":\"1\",\"command\":\"status\"}", ERR_BAD_REQUEST, "\"v\" must be 1" },
	{ "{\"v\":null,\"command\":\"status\"}", ERR_BAD_REQUEST, "\"v\" must be 1" },
	{ "{\"command\":\"Status\"}", ERR_UNKNOWN_COMMAND, "unknown command \"Status\"" },
	{ "{\"command\":\"\"}", ERR_UNKNOWN_COMMAND, "PROTOCOL.md" },
	{ "{\"command\":\"status\",\"command\":\"stop\"}", ERR_BAD_REQUEST, "duplicate" },
	{ "{\"command\":\"sets\",\"zone\":\"a\",\"zone\":\"b\"}", ERR_BAD_REQUEST, "duplicate" },
	{ "{\"command\":\"zone-add\",\"zones\":[\"a\"],\"properties\":{\"x\":1,\"x\":2}}", ERR_BAD_REQUEST, "duplicate" },
	{ "{\"command\":\"status\",\"zone\":\"a\"}", ERR_BAD_REQUEST, "status: unknown key \"zone\"; it takes none" },
	{ "{\"command\":\"sets\",\"zone\":\"a\",\"Zone\":\"a\"}", ERR_BAD_REQUEST, "known: \"zone\"" },
	{ "{\"command\":\"sets\"}", ERR_BAD_REQUEST, "sets: \"zone\" (the zone) is missing" },
	{ "{\"command\":\"sets\",\"zone\":null}", ERR_BAD_REQUEST, "must be a string" },
	{ "{\"command\":\"sets\",\"zone\":[\"a\"]}", ERR_BAD_REQUEST, "must be a string" },
	{ "{\"command\":\"drop\",\"sets\":\"a@b\"}", ERR_BAD_REQUEST, "must be an array of strings" },
	{ "{\"command\":\"drop\",\"sets\":[\"a@b\",1]}", ERR_BAD_REQUEST, "must be an array of strings" },
	{ "{\"command\":\"drop\",\"sets\":{}}", ERR_BAD_REQUEST, "must be an array of strings" },
	{ "{\"command\":\"serial\",\"zone\":\"a\",\"serial\":1.5}", ERR_BAD_REQUEST, "must be an integer" },
	{ "{\"command\":\"serial\",\"zone\":\"a\",\"serial\":\"5\"}", ERR_BAD_REQUEST, "must be an integer" },
	{ "{\"command\":\"serial\",\"zone\":\"a\",\"serial\":99999999999999999999}", ERR_BAD_REQUEST, "not JSON" },
	{ "{\"command\":\"zones\",\"held\":1}", ERR_BAD_REQUEST, "must be true or false" },
	{ "{\"command\":\"zone-set\",\"zone\":\"a\",\"properties\":[]}", ERR_BAD_REQUEST, "must be an object" },
};

static int parse(const char *line, size_t size, json_t **request, const struct control_command **command, struct err *err)
{
	/* a copy that ends where it ends: reading on is seen by the sanitizer */
	char *exact = malloc(size ? size : 1);
	int r;

	memcpy(exact, line, size);
	r = control_request_parse(exact, size, request, command, err);
	free(exact);
	return r;
}

static void each_mistake_is_named(void **state)
{
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		const struct control_command *command = NULL;
		struct err err = ERR_INIT;
		json_t *request = NULL;

		if (parse(wrong[i].line, strlen(wrong[i].line), &request, &command, &err) == 0)
			fail_msg("accepted: %s", wrong[i].line);
		assert_null(request);
		assert_null(command);
		if (!err.code || strcmp(err.code, wrong[i].code) || !strstr(err.message, wrong[i].part))
			fail_msg("%s gave %s: %s", wrong[i].line, err.code, err.message);
	}
}

static void every_command_with_its_required_keys(void **state)
{
	static const char *const value[] = {
		[KEY_STRING] = "\"x\"", [KEY_INTEGER] = "-7", [KEY_BOOLEAN] = "false", [KEY_STRINGS] = "[]", [KEY_OBJECT] = "{}",
	};

	for (const struct control_command *c = control_commands; c->name; c++)
		for (unsigned with_all = 0; with_all < 2; with_all++) {
			const struct control_command *command;
			struct err err = ERR_INIT;
			json_t *request;
			char line[1024];
			int n = snprintf(line, sizeof line, "{\"v\":1,\"command\":\"%s\"", c->name);

			for (const struct control_key *k = c->keys; k->name; k++)
				if (k->required || with_all)
					n += snprintf(line + n, sizeof line - (size_t)n, ",\"%s\":%s", k->name, value[k->type]);
			n += snprintf(line + n, sizeof line - (size_t)n, "}");
			if (parse(line, (size_t)n, &request, &command, &err) < 0)
				fail_msg("%s gave: %s", line, err.message);
			assert_ptr_equal(command, c);
			json_decref(request);
		}
}

/* The table itself: both ends build on it. */
static void the_table_is_sound(void **state)
{
	for (const struct control_command *c = control_commands; c->name; c++) {
		bool optional = false;

		assert_ptr_equal(control_command_find(c->name), c);
		assert_true(c->help && *c->help);
		assert_true(c->fd || !c->fd_required);
		for (const struct control_key *k = c->keys; k->name; k++) {
			assert_false(k->required && optional);
			optional |= !k->required;
			assert_true(strcmp(k->name, "v") && strcmp(k->name, "command"));
			for (const struct control_key *l = c->keys; l != k; l++)
				assert_string_not_equal(l->name, k->name);
		}
	}
	assert_null(control_command_find("no such"));
}

static void deep_and_long(void **state)
{
	const struct control_command *command;
	struct err err = ERR_INIT;
	json_t *request;
	char *text = malloc(CONTROL_LINE_MAX + 1);
	size_t n;

	/* half a million brackets cost an error, not the stack */
	for (unsigned i = 0; i < 3; i++) {
		static const char *const open[] = { "[", "{\"a\":", "[{\"a\":" };

		n = (size_t)sprintf(text, "{\"command\":\"zone-set\",\"zone\":\"a\",\"properties\":");
		while (n < CONTROL_LINE_MAX - 10)
			n += (size_t)sprintf(text + n, "%s", open[i]);
		assert_int_equal(parse(text, n, &request, &command, &err), -1);
		assert_true(err_is(&err, ERR_BAD_REQUEST));
		err_clear(&err);
	}
	/* at the limit, and above it */
	n = (size_t)sprintf(text, "{\"command\":\"status\"}");
	memset(text + n, ' ', CONTROL_LINE_MAX + 1 - n);
	assert_int_equal(parse(text, CONTROL_LINE_MAX, &request, &command, &err), 0);
	json_decref(request);
	assert_int_equal(parse(text, CONTROL_LINE_MAX + 1, &request, &command, &err), -1);
	assert_true(err_is(&err, ERR_LIMIT));
	free(text);
}

/* A stranger's key is cut short in the message, and may hold anything. */
static void keys_in_messages(void **state)
{
	const struct control_command *command;
	struct err err = ERR_INIT;
	json_t *request, *reply;
	char line[4096], key[2001];

	memset(key, 'k', 2000);
	key[2000] = '\0';
	snprintf(line, sizeof line, "{\"command\":\"status\",\"%s\":1}", key);
	assert_int_equal(parse(line, strlen(line), &request, &command, &err), -1);
	assert_true(strlen(err.message) < 200);
	err_clear(&err);
	/* cut within a character, it still makes a reply */
	snprintf(line, sizeof line, "{\"command\":\"status\",\"%.63s\xc3\xbc\":1}", key);
	assert_int_equal(parse(line, strlen(line), &request, &command, &err), -1);
	reply = control_error(&err);
	assert_non_null(reply);
	json_decref(reply);
}

/* ---- names ---------------------------------------------------------------------- */

static const struct { const char *text, *zone, *set; } names[] = {
	{ "shop.example@new", "shop.example.", "new" },
	{ "shop.example", "shop.example.", "" },
	{ "Shop.EXAMPLE.@n", "shop.example.", "n" },
	{ ".@root-2026", ".", "root-2026" },
	{ ".", ".", "" },
	{ "shop.example@live", "shop.example.", "live" },
	{ "shop.example@0._-z", "shop.example.", "0._-z" },
	{ "2/25.2.0.192.in-addr.arpa@x", "2/25.2.0.192.in-addr.arpa.", "x" },
	{ "_tcp.example@x", "_tcp.example.", "x" },
	{ "a\\.b.example@x", "a\\.b.example.", "x" },
	{ "a\\@b.example@x", "a\\@b.example.", "x" },
	{ "a\\@b.example", "a\\@b.example.", "" },
	{ "a\\000b.example", "a\\000b.example.", "" },
	{ "a@b@c", "a\\@b.", "c" },
	{ "müller.example@new", "xn--mller-kva.example.", "new" },
	{ "MÜLLER.example@new", "xn--mller-kva.example.", "new" },
	{ "mu\xcc\x88ller.example", "xn--mller-kva.example.", "" },
	{ "straße.example", "xn--strae-oqa.example.", "" },
	{ "bücher.müller.example.", "xn--bcher-kva.xn--mller-kva.example.", "" },
	{ "παράδειγμα.δοκιμή@x", "xn--hxajbheg2az3al.xn--jxalpdlp.", "x" },
	{ "xn--mller-kva.example", "xn--mller-kva.example.", "" },
};

static void names_that_are_taken(void **state)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		unsigned char apex[NAME_MAX_SIZE];
		char set[64], text[NAME_TEXT_MAX];
		struct err err = ERR_INIT;
		size_t size;

		if (control_parse_set(names[i].text, apex, &size, set, &err) < 0)
			fail_msg("%s gave: %s", names[i].text, err.message);
		assert_int_equal(size, name_length(apex, sizeof apex));
		assert_string_equal(name_to_text(text, apex), names[i].zone);
		assert_string_equal(set, names[i].set);
		if (*names[i].set)
			assert_int_equal(control_parse_zone(names[i].text, apex, &size, &err), -1);
		else
			assert_int_equal(control_parse_zone(names[i].text, apex, &size, &err), 0);
	}
}

static const struct { const char *text, *part; } no_names[] = {
	{ "", "missing" },
	{ "@new", "missing" },
	{ "shop.example@", "1 to 63 of" },
	{ "shop.example@New", "1 to 63 of" },
	{ "shop.example@a b", "1 to 63 of" },
	{ "shop.example@\xc3\xbc", "1 to 63 of" },
	{ "shop.example@0123456789012345678901234567890123456789012345678901234567890123", "1 to 63 of" },
	{ "a..example@x", "empty label" },
	{ ".a@x", "empty label" },
	{ "a\\256.example", "bad escape" },
	{ "a\\", "bad escape" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", "63 octets" },
	{ "m\xfcller.example", "no internationalized domain name" },
	{ "ü..example", "empty label" },
	{ "\xe2\x80\xae.example", "no internationalized domain name" },
};

static void names_that_are_not(void **state)
{
	char text[8192];

	for (size_t i = 0; i <= sizeof no_names / sizeof no_names[0]; i++) {
		bool last = i == sizeof no_names / sizeof no_names[0];
		unsigned char apex[NAME_MAX_SIZE];
		char set[64] = "kept";
		struct err err = ERR_INIT;
		size_t size = 4711;

		memset(text, 'a', sizeof text - 1);
		text[sizeof text - 1] = '\0';
		if (!last)
			strcpy(text, no_names[i].text);
		if (control_parse_set(text, apex, &size, set, &err) == 0)
			fail_msg("taken: %s", text);
		assert_true(err_is(&err, ERR_BAD_REQUEST));
		if (!strstr(err.message, last ? "too long" : no_names[i].part))
			fail_msg("%.100s gave: %s", text, err.message);
		assert_string_equal(set, "kept");
		assert_int_equal(size, 4711);
	}
}

/* ---- errors ------------------------------------------------------------------------ */

static const char *const codes[] = {
	ERR_BAD_REQUEST, ERR_UNKNOWN_COMMAND, ERR_DENIED, ERR_NO_SUCH_ZONE, ERR_NO_SUCH_SET, ERR_NO_SUCH_GROUP,
	ERR_EXISTS, ERR_NOT_READY, ERR_IN_USE, ERR_HELD, ERR_OVERTAKEN, ERR_NO_PREVIOUS, ERR_SERIAL, ERR_CHANGED,
	ERR_NO_GO, ERR_PARSE, ERR_RULE, ERR_SIGNED, ERR_LIMIT, ERR_FULL, ERR_CORRUPT, ERR_VERSION, ERR_BUSY,
	ERR_TIMEOUT, ERR_UNAVAILABLE, ERR_SYSTEM, ERR_NOMEM, ERR_INTERNAL,
};

static void there_and_back(void **state)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		struct err err = ERR_INIT, back = ERR_INIT;
		json_t *reply, *read;
		char *text;

		err_set(&err, codes[i], "zone %zu: \"quoted\" müller \\ \t%%", i);
		reply = control_error(&err);
		assert_true(json_is_false(json_object_get(reply, "ok")));
		text = json_dumps(reply, JSON_COMPACT);
		assert_null(strchr(text, '\n'));
		read = json_loads(text, 0, NULL);
		control_error_read(read, &back);
		/* the constant itself: callers compare by pointer or text */
		assert_string_equal(back.code, codes[i]);
		assert_string_equal(back.message, err.message);
		free(text);
		json_decref(reply);
		json_decref(read);
	}
}

static void errors_that_are_odd(void **state)
{
	static const char *const replies[] = { "{}", "{\"ok\":false}", "{\"error\":7}", "{\"error\":{\"code\":7,\"message\":[]}}",
		"{\"error\":{\"code\":\"from-the-future\"}}" };
	struct err err = ERR_INIT, back = ERR_INIT;
	json_t *reply;

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		json_t *odd = json_loads(replies[i], 0, NULL);

		control_error_read(odd, &back);
		assert_true(err_is(&back, ERR_INTERNAL));
		assert_string_equal(back.message, "no reason was given");
		err_clear(&back);
		json_decref(odd);
	}
	/* no error at all, and one that is no UTF-8 */
	reply = control_error(&err);
	assert_string_equal(json_string_value(json_object_get(json_object_get(reply, "error"), "code")), ERR_INTERNAL);
	json_decref(reply);
	err_set(&err, ERR_PARSE, "caf\xe9 au lait");
	reply = control_error(&err);
	control_error_read(reply, &back);
	assert_string_equal(back.message, "caf? au lait");
	json_decref(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_named), cmocka_unit_test(every_command_with_its_required_keys),
		cmocka_unit_test(the_table_is_sound), cmocka_unit_test(deep_and_long), cmocka_unit_test(keys_in_messages),
		cmocka_unit_test(names_that_are_taken), cmocka_unit_test(names_that_are_not),
		cmocka_unit_test(there_and_back), cmocka_unit_test(errors_that_are_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
