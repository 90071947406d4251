#include "tool/tool.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "tool/session.h"
#include "tool/terminal.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define DEFAULT_CONFIGURATION SYSCONFDIR "/schwenk/schwenkd.yaml"
#define DEFAULT_SOCKET RUNSTATEDIR "/schwenk/control.sock"

/* ---- what is told ---------------------------------------------------------------------- */

bool tool_print_json(struct tool *tool, const json_t *reply)
{
	json_t *shown;

	if (!tool->json)
		return false;
	/* "v" first, then what the daemon sent */
	shown = json_pack("{s:i}", "v", 1);
	json_object_update(shown, (json_t *)(uintptr_t)reply);
	if (tool->problems && !json_object_get(shown, "problems"))
		json_object_set(shown, "problems", tool->problems);
	json_dumpf(shown, tool->out, JSON_COMPACT);
	putc('\n', tool->out);
	json_decref(shown);
	return true;
}

int tool_status(int status, const char *code)
{
	return status == STATUS_REFUSED && code && strcmp(code, ERR_BAD_REQUEST) == 0 ? STATUS_USAGE : status;
}

int tool_error(struct tool *tool, int status, const struct err *err)
{
	json_t *text = json_string(err->message);
	json_t *reply = json_pack("{s:b,s:{s:s,s:o}}", "ok", 0, "error", "code", err->code,
		"message", text ? text : json_string("(not UTF-8)"));

	tool_print_json(tool, reply);
	json_decref(reply);
	terminal_error(tool, err->message);
	return tool_status(status, err->code);
}

int tool_fail(struct tool *tool, int status, const char *code, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list ap;

	err.code = code;
	va_start(ap, fmt);
	vsnprintf(err.message, sizeof err.message, fmt, ap);
	va_end(ap);
	return tool_error(tool, status, &err);
}

void tool_note(struct tool *tool, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	if (tool->quiet || tool->json)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	terminal_progress_clear(tool);
	terminal_put(tool->say, text);
	putc('\n', tool->say);
}

/* ---- start ------------------------------------------------------------------------------ */

/* -s, else the environment, else what the default configuration says, where we
 * may read it. */
static void find_socket(struct tool *tool, const struct args *args)
{
	const char *socket = getenv("SCHWENK_SOCKET");
	struct conf *conf;
	struct err err = ERR_INIT;

	tool->socket_given = args_has(args, "socket");
	if (tool->socket_given || (socket && *socket)) {
		tool->socket = tool->socket_given ? args_get(args, "socket") : socket;
		return;
	}
	tool->socket = DEFAULT_SOCKET;
	if (conf_read(DEFAULT_CONFIGURATION, &conf, NULL, NULL, &err) == 0) {
		snprintf(tool->socket_text, sizeof tool->socket_text, "%s", conf->control);
		tool->socket = tool->socket_text;
		conf_free(conf);
	}
}

/* JSON has no other text than UTF-8: what could not be sent must not be left
 * out in silence, a note above all. Files' names stay here. */
static int check_options(struct tool *tool, const struct args *args)
{
	for (size_t i = 0; i < args->value_count; i++) {
		const struct arg_value *v = &args->values[i];
		json_t *text = v->value ? json_string(v->value) : NULL;

		if (v->value && !text && strcmp(v->option->name, "dir") != 0 && strcmp(v->option->name, "socket") != 0)
			return tool_fail(tool, STATUS_USAGE, ERR_BAD_REQUEST, "the value of --%s is not UTF-8", v->option->name);
		json_decref(text);
	}
	return STATUS_DONE;
}

int tool_run(struct tool *tool, const struct args *args)
{
	int status = check_options(tool, args);

	if (status == STATUS_DONE)
		status = args->command ? args->command->run(tool, args) : command_status(tool, args);
	session_close(tool);
	json_decref(tool->problems);
	tool->problems = NULL;
	/* a full disk, or a closed pipe, behind our output is no success */
	if (fflush(tool->out) != 0 || ferror(tool->out)) {
		fputs("schwenk: the output could not be written\n", tool->say);
		return status == STATUS_DONE ? STATUS_REFUSED : status;
	}
	return status;
}

static int help(struct tool *tool, const struct args *args)
{
	args_help(tool->out, args->command ? args->command->name : args->count ? args->arg[0] : NULL);
	return STATUS_DONE;
}

int tool_main(int argc, char **argv)
{
	struct tool tool = { .out = stdout, .say = stderr };
	struct args args;
	struct err err = ERR_INIT;
	int status;

	setlocale(LC_ALL, "");
	terminal_setup(&tool);
	if (args_parse(&args, argc, argv, &err) < 0) {
		for (int i = 1; i < argc; i++)
			tool.json = tool.json || strcmp(argv[i], "--json") == 0;
		status = tool_error(&tool, STATUS_USAGE, &err);
	} else if (args_has(&args, "version")) {
		printf("schwenk %s, jansson %s\n", PACKAGE_VERSION, JANSSON_VERSION);
		status = STATUS_DONE;
	} else if (args_has(&args, "help") || (!args.command && args.count)) {
		status = help(&tool, &args);
	} else {
		tool.json = args_has(&args, "json");
		tool.quiet = args_has(&args, "quiet");
		find_socket(&tool, &args);
		status = tool_run(&tool, &args);
	}
	args_free(&args);
	return status;
}
