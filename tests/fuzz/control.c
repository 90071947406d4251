/*
 * Any octets on the control socket: in pieces whose sizes the first octet
 * decides, then each line as a request and as a name.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/commands.h"
#include "control/lines.h"
#include "wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_HERE 4096
#define INPUT_MAX 65536

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void check_error(const struct err *err)
{
	json_t *reply = control_error(err);
	struct err back = ERR_INIT;

	must(err->code && err->message[0], "it failed without an error");
	must(reply != NULL, "an error that cannot be told");
	control_error_read(reply, &back);
	must(strcmp(back.code, err->code) == 0, "another code came back");
	json_decref(reply);
}

/* What was taken can be said again, and is taken again. */
static void check_request(const char *line, size_t size)
{
	const struct control_command *command, *again;
	struct err err = ERR_INIT;
	json_t *request, *copy;
	char *text;

	if (control_request_parse(line, size, &request, &command, &err) < 0) {
		check_error(&err);
		return;
	}
	text = json_dumps(request, JSON_COMPACT);
	must(text && control_request_parse(text, strlen(text), &copy, &again, &err) == 0 && again == command,
		"a request that is refused the second time");
	must(json_equal(request, copy), "a request that differs the second time");
	for (const struct control_key *k = command->keys; k->name; k++)
		must(!k->required || json_object_get(request, k->name), "a required key is missing");
	json_decref(request);
	json_decref(copy);
	free(text);
}

static void check_name(const char *line)
{
	uint8_t apex[NAME_MAX_SIZE], again[NAME_MAX_SIZE];
	char set[64], other_set[64], name[NAME_TEXT_MAX], text[NAME_TEXT_MAX + 65];
	size_t apex_size, again_size;
	struct err err = ERR_INIT;

	if (control_parse_set(line, apex, &apex_size, set, &err) < 0) {
		check_error(&err);
		return;
	}
	must(apex_size == name_length(apex, sizeof apex), "a name that is none");
	snprintf(text, sizeof text, "%s%s%s", name_to_text(name, apex), *set ? "@" : "", set);
	must(control_parse_set(text, again, &again_size, other_set, &err) == 0, "a name that is refused the second time");
	must(again_size == apex_size && memcmp(again, apex, apex_size) == 0 && strcmp(set, other_set) == 0,
		"a name that differs the second time");
}

/* The next line as it must come: naively, from the whole input. */
static bool expect_line(struct lines *lines, const uint8_t **at, const uint8_t *sent, const uint8_t *end)
{
	const uint8_t *newline = memchr(*at, '\n', (size_t)(sent - *at));
	size_t have = (size_t)((newline ? newline : sent) - *at), size;
	char *line;
	int r = lines_next(lines, &line, &size);

	if (have > LINE_MAX_HERE) {
		must(r == -1, "a line beyond the limit");
		*at = end;
		return false;
	}
	must(r == (newline != NULL), newline ? "a line was missed" : "a line too early");
	if (!newline)
		return false;
	must(size == have && memcmp(line, *at, have) == 0 && line[size] == '\0', "another line");
	*at = newline + 1;
	check_request(line, size);
	check_name(line);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data + 1, *sent = data + 1, *end = data + size;
	struct err err = ERR_INIT;
	struct lines lines;
	int fd[2];

	if (size < 2 || size > INPUT_MAX)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0, "socketpair");
	lines_init(&lines, fd[1], LINE_MAX_HERE);
	for (size_t piece = data[0] + 1u; sent < end && at < end; piece = piece * 5 % 1021 + 1) {
		size_t n = piece < (size_t)(end - sent) ? piece : (size_t)(end - sent);

		must(send(fd[0], sent, n, 0) == (ssize_t)n, "send");
		sent += n;
		must(lines_fill(&lines, &err) == 1, "nothing came");
		while (expect_line(&lines, &at, sent, end))
			;
	}
	lines_clear(&lines);
	close(fd[0]);
	close(fd[1]);
	return 0;
}
