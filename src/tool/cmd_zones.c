/* schwenk zones, zone …, serial. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool/names.h"
#include "tool/session.h"
#include "tool/show.h"
#include "tool/terminal.h"

#define ZONES_AT_ONCE 2000

static void set_text(json_t *request, const char *key, const char *value)
{
	if (value)
		json_object_set_new(request, key, json_string(value));
}

/* All zones that match, asked for in slices so that the daemon never has to
 * walk 100,000 of them at once. */
static int collect_zones(struct tool *tool, const struct args *args, json_t *all)
{
	char after[NAME_TEXT_MAX] = "";
	bool more = true;

	while (more) {
		json_t *request = session_request("zones"), *reply, *zones;
		int status;

		set_text(request, "pattern", args->count ? args->arg[0] : NULL);
		set_text(request, "group", args_get(args, "group"));
		if (args_has(args, "held"))
			json_object_set_new(request, "held", json_true());
		if (*after)
			set_text(request, "after", after);
		json_object_set_new(request, "limit", json_integer(ZONES_AT_ONCE));
		status = session_ask(tool, request, -1, NULL, &reply);
		if (status != STATUS_DONE)
			return status;
		zones = json_object_get(reply, "zones");
		/* a slice may be empty where nothing in it matched: then the daemon says where it is */
		snprintf(after, sizeof after, "%s", *reply_text(reply, "after") ? reply_text(reply, "after")
			: reply_text(json_array_get(zones, json_array_size(zones) - 1), "zone"));
		more = reply_true(reply, "more") && *after;
		json_array_extend(all, zones);
		json_decref(reply);
	}
	return STATUS_DONE;
}

int command_zones(struct tool *tool, const struct args *args)
{
	json_t *all = json_pack("{s:b,s:[]}", "ok", 1, "zones");
	int status = collect_zones(tool, args, json_object_get(all, "zones"));

	if (status == STATUS_DONE && !tool_print_json(tool, all))
		show_zones(tool, json_object_get(all, "zones"));
	json_decref(all);
	return status;
}

int command_zone_show(struct tool *tool, const struct args *args)
{
	int status = STATUS_DONE;
	json_t *zones = names_zones_or_group(tool, args, &status), *zone, *reply;
	size_t i;

	json_array_foreach(zones, i, zone) {
		json_t *request = session_request("zone-show");

		json_object_set(request, "zone", zone);
		status = session_ask(tool, request, -1, NULL, &reply);
		if (status != STATUS_DONE)
			break;
		if (!tool_print_json(tool, reply)) {
			if (i)
				putc('\n', tool->out);
			show_zone(tool, json_object_get(reply, "zone"));
		}
		json_decref(reply);
	}
	json_decref(zones);
	return status;
}

/* KEY=VALUE… from args[first] on; KEY= takes away. NULL: told. */
static json_t *properties(struct tool *tool, const struct args *args, size_t first)
{
	json_t *object = json_object();

	for (size_t i = first; i < args->count; i++) {
		const char *equals = strchr(args->arg[i], '=');
		char key[64];

		if (!equals || equals == args->arg[i] || equals - args->arg[i] > 63) {
			tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "'%.100s' is not KEY=VALUE", args->arg[i]);
			json_decref(object);
			return NULL;
		}
		snprintf(key, sizeof key, "%.*s", (int)(equals - args->arg[i]), args->arg[i]);
		json_object_set_new(object, key, equals[1] ? json_string(equals + 1) : json_null());
	}
	return object;
}

int command_zone_add(struct tool *tool, const struct args *args)
{
	json_t *request, *zones, *values;
	size_t n = 0;
	char done[NAME_TEXT_MAX + 64];
	int status;

	while (n < args->count && !strchr(args->arg[n], '='))
		n++;
	if (n == 0)
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "the zone comes first: schwenk zone add ZONE… [KEY=VALUE…]");
	zones = names_zones(tool, args->arg, n, &status);
	if (!zones)
		return status;
	values = properties(tool, args, n);
	if (!values) {
		json_decref(zones);
		return STATUS_USAGE;
	}
	if (n == 1)
		snprintf(done, sizeof done, "%s is added; it is answered for after: schwenk import %s FILE",
			json_string_value(json_array_get(zones, 0)), json_string_value(json_array_get(zones, 0)));
	else
		snprintf(done, sizeof done, "%zu zones are added", n);
	request = session_request("zone-add");
	json_object_set_new(request, "zones", zones);
	if (json_object_size(values))
		json_object_set(request, "properties", values);
	json_decref(values);
	return show_done(tool, request, done);
}

int command_zone_set(struct tool *tool, const struct args *args)
{
	char zone[NAME_TEXT_MAX], done[NAME_TEXT_MAX + 32];
	struct err err = ERR_INIT;
	json_t *request, *values;

	if (names_zone(args->arg[0], zone, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	values = properties(tool, args, 1);
	if (!values)
		return STATUS_USAGE;
	request = session_request("zone-set");
	set_text(request, "zone", zone);
	json_object_set_new(request, "properties", values);
	snprintf(done, sizeof done, "%s: set", zone);
	return show_done(tool, request, done);
}

int command_zone_remove(struct tool *tool, const struct args *args)
{
	int status = STATUS_DONE;
	json_t *zones = names_zones_or_group(tool, args, &status), *request;
	char text[NAME_TEXT_MAX + 96], count[COUNT_TEXT];
	size_t n = json_array_size(zones);

	if (!zones)
		return status;
	if (!args_has(args, "yes")) {
		char answer;

		if (n == 1)
			snprintf(text, sizeof text, "Remove %s with all its sets? There is no way back. [y/n]",
				json_string_value(json_array_get(zones, 0)));
		else
			snprintf(text, sizeof text, "Remove %s with all their sets? There is no way back. [y/n]",
				terminal_count((int64_t)n, "zone", count));
		answer = terminal_ask(tool, text, "yYnN");
		if (answer != 'y' && answer != 'Y') {
			json_decref(zones);
			return answer ? tool_fail(tool, STATUS_REFUSED, ERR_DENIED, "nothing was removed")
				: tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "nothing was removed: without an answer, --yes is wanted");
		}
	}
	snprintf(text, sizeof text, "%s removed", terminal_count((int64_t)n, "zone", count));
	request = session_request("zone-remove");
	json_object_set_new(request, "zones", zones);
	set_text(request, "note", args_get(args, "note"));
	return show_done(tool, request, text);
}

int command_serial(struct tool *tool, const struct args *args)
{
	char zone[NAME_TEXT_MAX], done[NAME_TEXT_MAX + 48], *end;
	struct err err = ERR_INIT;
	unsigned long long n;
	json_t *request;

	if (names_zone(args->arg[0], zone, &err) < 0)
		return tool_error(tool, STATUS_USAGE, &err);
	errno = 0;
	n = strtoull(args->arg[1], &end, 10);
	if (args->arg[1][0] < '0' || args->arg[1][0] > '9' || *end || errno || n > 0xffffffffULL)
		return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "'%.40s' is no serial: 0 to 4294967295", args->arg[1]);
	request = session_request("serial");
	set_text(request, "zone", zone);
	json_object_set_new(request, "serial", json_integer((json_int_t)n));
	set_text(request, "note", args_get(args, "note"));
	snprintf(done, sizeof done, "%s: serial %llu", zone, n);
	return show_done(tool, request, done);
}
