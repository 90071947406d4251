#include "tool_run.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool/tool.h"

int split(char *text, char **argv, int max)
{
	int argc = 0;

	for (char *w = strtok(text, "\x1f"); w && argc < max; w = strtok(NULL, "\x1f"))
		argv[argc++] = w;
	argv[argc] = NULL;
	return argc;
}

void run_at(struct run *run, const char *socket, const char *command)
{
	char text[2048], *argv[64];
	size_t out_size, say_size;
	struct tool tool = { .socket = socket, .socket_given = true };
	struct args args;
	struct err err = ERR_INIT;

	snprintf(text, sizeof text, "schwenk %s", command);
	for (char *p = text; *p; p++)
		*p = *p == ' ' ? '\x1f' : *p == '~' ? ' ' : *p;
	tool.out = open_memstream(&run->out, &out_size);
	tool.say = open_memstream(&run->say, &say_size);
	if (args_parse(&args, split(text, argv, 63), argv, &err) < 0) {
		run->status = tool_error(&tool, STATUS_USAGE, &err);
	} else {
		tool.json = args_has(&args, "json");
		tool.quiet = args_has(&args, "quiet");
		run->status = tool_run(&tool, &args);
	}
	args_free(&args);
	fclose(tool.out);
	fclose(tool.say);
}

void run_steps(struct run *run, const char *command, const struct server_step *steps, size_t count)
{
	server_start(&run->server, steps, count);
	run_at(run, run->server.path, command);
	server_end(&run->server);
}

void run_reply(struct run *run, const char *command, const char *reply)
{
	const struct server_step step = { reply, NULL };

	run_steps(run, command, &step, 1);
}

void run_free(struct run *run)
{
	free(run->out);
	free(run->say);
}

void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text);
}

void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in: %s", part, text);
}

const char *last_line(const char *text)
{
	const char *at = text + strlen(text);

	if (at > text && at[-1] == '\n')
		at--;
	while (at > text && at[-1] != '\n')
		at--;
	return at;
}
