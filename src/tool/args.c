#include "tool/args.h"

#include <stdlib.h>
#include <string.h>

const struct arg_option args_global[] = {
	{ "socket", 's', "SOCKET", false, "the daemon's control socket" },
	{ "json", 0, NULL, false, "print the reply as one JSON object on one line" },
	{ "quiet", 'q', NULL, false, "print errors and what was asked for, nothing else" },
	{ "help", 'h', NULL, false, "how a command is used" },
	{ "version", 'V', NULL, false, "print the version" },
	{ .name = NULL },
};

const struct arg_option args_group_option[] = {
	{ "group", 0, "G", false, "the members of group G instead of named zones" },
	{ .name = NULL },
};

const struct tool_command *args_command(const char *name)
{
	const struct tool_command *c;

	for (c = tool_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* "zone" is the first word of a command of two. */
static bool is_family(const char *word)
{
	size_t n = strlen(word);

	for (const struct tool_command *c = tool_commands; c->name; c++)
		if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ')
			return true;
	return false;
}

static const struct arg_option *find_in(const struct arg_option *row, const char *name, size_t n, char letter)
{
	for (; row && row->name; row++)
		if (name ? strlen(row->name) == n && memcmp(row->name, name, n) == 0 : row->letter && row->letter == letter)
			return row;
	return NULL;
}

static const struct arg_option *find_option(const struct tool_command *c, const char *name, size_t n, char letter)
{
	const struct arg_option *o = find_in(args_global, name, n, letter);

	if (!o && c)
		o = find_in(c->options, name, n, letter);
	if (!o && c && c->flags & (ARGS_GROUP | ARGS_GROUP_SET))
		o = find_in(args_group_option, name, n, letter);
	return o;
}

static const char *where(const struct args *args)
{
	return args->command ? args->command->name : "";
}

static const char *space(const struct args *args)
{
	return args->command ? " " : "";
}

static int add_value(struct args *args, const struct arg_option *o, const char *value, struct err *err)
{
	struct arg_value *more;

	for (size_t i = 0; i < args->value_count && o->value && !o->many; i++)
		if (args->values[i].option == o)
			return err_set(err, ERR_BAD_REQUEST, "--%s stands there twice", o->name);
	more = realloc(args->values, (args->value_count + 1) * sizeof *more);
	if (!more)
		return err_set(err, ERR_NOMEM, "no memory");
	args->values = more;
	args->values[args->value_count++] = (struct arg_value){ o, value };
	return 0;
}

/* --name, --name=value, --name value. *i is moved past what was taken. */
static int take_long(struct args *args, int argc, char **argv, int *i, struct err *err)
{
	const char *name = argv[*i] + 2, *equals = strchr(name, '=');
	size_t n = equals ? (size_t)(equals - name) : strlen(name);
	const struct arg_option *o = find_option(args->command, name, n, 0);

	if (!o)
		return err_set(err, ERR_BAD_REQUEST, "unknown option --%.*s; see: schwenk %s%s--help", (int)n, name,
			where(args), space(args));
	if (!o->value && equals)
		return err_set(err, ERR_BAD_REQUEST, "--%s takes no value", o->name);
	if (o->value && !equals && *i + 1 >= argc)
		return err_set(err, ERR_BAD_REQUEST, "--%s wants a value: --%s %s", o->name, o->name, o->value);
	return add_value(args, o, !o->value ? NULL : equals ? equals + 1 : argv[++*i], err);
}

/* -q, -qs SOCKET, -sSOCKET */
static int take_short(struct args *args, int argc, char **argv, int *i, struct err *err)
{
	for (const char *p = argv[*i] + 1; *p; p++) {
		const struct arg_option *o = find_option(args->command, NULL, 0, *p);

		if (!o)
			return err_set(err, ERR_BAD_REQUEST, "unknown option -%c; see: schwenk %s%s--help", *p,
				where(args), space(args));
		if (!o->value) {
			if (add_value(args, o, NULL, err) < 0)
				return -1;
			continue;
		}
		if (!p[1] && *i + 1 >= argc)
			return err_set(err, ERR_BAD_REQUEST, "-%c wants a value: -%c %s", *p, *p, o->value);
		return add_value(args, o, p[1] ? p + 1 : argv[++*i], err);
	}
	return 0;
}

/* The command's name is one word, or two. *i stands on the first. */
static int take_command(struct args *args, int argc, char **argv, int *i, struct err *err)
{
	const char *word = argv[*i];

	if (is_family(word)) {
		char name[64];

		if (*i + 1 < argc && argv[*i + 1][0] != '-') {
			snprintf(name, sizeof name, "%s %s", word, argv[*i + 1]);
			args->command = args_command(name);
			if (!args->command)
				return err_set(err, ERR_BAD_REQUEST, "unknown command '%.80s %.80s'; see: schwenk %s --help", word,
					argv[*i + 1], word);
			++*i;
			return 0;
		}
		if (*i + 1 < argc && (strcmp(argv[*i + 1], "--help") == 0 || strcmp(argv[*i + 1], "-h") == 0)) {
			args->arg[args->count++] = word;        /* args_help's */
			return 0;
		}
		return err_set(err, ERR_BAD_REQUEST, "'%s' wants a second word; see: schwenk %s --help", word, word);
	}
	args->command = args_command(word);
	if (!args->command)
		return err_set(err, ERR_BAD_REQUEST, "unknown command '%.80s'; see: schwenk --help", word);
	return 0;
}

static int check_count(const struct args *args, struct err *err)
{
	const struct tool_command *c = args->command;
	unsigned min = c->min, max = c->max;

	if (args_has(args, "group") && c->flags & ARGS_GROUP)
		min = max = 0;
	if (args_has(args, "group") && c->flags & ARGS_GROUP_SET)
		min = max = 1;
	if (args->count >= min && args->count <= max)
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "%s: usage: schwenk %s%s%s",
		args->count < min ? "something is missing" : "too many arguments", c->name,
		*c->synopsis ? " " : "", c->synopsis);
}

int args_parse(struct args *args, int argc, char **argv, struct err *err)
{
	bool only_args = false, family_help = false;

	memset(args, 0, sizeof *args);
	args->arg = calloc((size_t)argc + 1, sizeof *args->arg);
	if (!args->arg)
		return err_set(err, ERR_NOMEM, "no memory");
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		int r = 0;

		if (!only_args && strcmp(a, "--") == 0 && args->command)
			only_args = true;
		else if (!only_args && a[0] == '-' && a[1] == '-' && a[2])
			r = take_long(args, argc, argv, &i, err);
		else if (!only_args && a[0] == '-' && a[1] && a[1] != '-')
			r = take_short(args, argc, argv, &i, err);
		else if (!args->command && !family_help) {
			r = take_command(args, argc, argv, &i, err);
			family_help = !args->command;
		} else {
			args->arg[args->count++] = a;
			only_args = only_args || (args->command && args->command->flags & ARGS_OPTIONS_FIRST);
		}
		if (r < 0)
			return -1;
	}
	if (!args->command || args_has(args, "help") || args_has(args, "version"))
		return 0;
	return check_count(args, err);
}

void args_free(struct args *args)
{
	free(args->arg);
	free(args->values);
	memset(args, 0, sizeof *args);
}

const char *args_get(const struct args *args, const char *option)
{
	for (size_t i = args->value_count; i-- > 0; )
		if (strcmp(args->values[i].option->name, option) == 0)
			return args->values[i].value;
	return NULL;
}

bool args_has(const struct args *args, const char *option)
{
	for (size_t i = 0; i < args->value_count; i++)
		if (strcmp(args->values[i].option->name, option) == 0)
			return true;
	return false;
}

/* ---- help ------------------------------------------------------------------- */

/* Octets of the next word: what stands in brackets is one. */
static size_t word_size(const char *text)
{
	size_t n = 0;
	int depth = 0;

	for (; text[n] && (depth || text[n] != ' '); n++)
		depth += (text[n] == '[') - (text[n] == ']');
	return n;
}

/* For a terminal of 80 columns, from the column indent on. */
static void wrap(FILE *out, const char *text, size_t indent)
{
	size_t column = indent;

	while (*text) {
		size_t n = word_size(text);

		if (column > indent && column + 1 + n > 78) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		}
		column += (size_t)fprintf(out, "%s%.*s", column > indent ? " " : "", (int)n, text);
		text += n;
		text += *text == ' ';
	}
	putc('\n', out);
}

static void usage_options(FILE *out, const struct arg_option *o)
{
	for (; o && o->name; o++) {
		if (o->letter)
			fprintf(out, " [-%c%s%s]", o->letter, o->value ? " " : "", o->value ? o->value : "");
		else
			fprintf(out, " [--%s%s%s]", o->name, o->value ? " " : "", o->value ? o->value : "");
	}
}

void args_usage(FILE *out, const struct tool_command *c)
{
	fprintf(out, "schwenk %s", c->name);
	usage_options(out, c->options);
	fprintf(out, "%s%s", *c->synopsis ? " " : "", c->synopsis);
	if (c->flags & ARGS_GROUP)
		fputs(" | --group G", out);
	if (c->flags & ARGS_GROUP_SET)
		fputs(" | --group G @SET", out);
}

static void list_options(FILE *out, const struct arg_option *o)
{
	for (; o && o->name; o++) {
		char left[48];

		snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			o->letter ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
		fprintf(out, "  %-24s ", left);
		wrap(out, o->help, 27);
	}
}


static void help_command(FILE *out, const struct tool_command *c)
{
	char *usage = NULL;
	size_t size;
	FILE *text = open_memstream(&usage, &size);

	if (text) {
		args_usage(text, c);
		fclose(text);
	}
	fputs("usage: ", out);
	wrap(out, usage ? usage : c->name, 7);
	free(usage);
	fprintf(out, "\n%s\n", c->help);
	if (*c->more) {
		putc('\n', out);
		wrap(out, c->more, 0);
	}
	if (c->options || c->flags & (ARGS_GROUP | ARGS_GROUP_SET)) {
		fputs("\noptions:\n", out);
		list_options(out, c->options);
		if (c->flags & (ARGS_GROUP | ARGS_GROUP_SET))
			list_options(out, args_group_option);
	}
}

static void list_commands(FILE *out, const char *family)
{
	size_t n = family ? strlen(family) : 0;

	for (const struct tool_command *c = tool_commands; c->name; c++)
		if (!(c->flags & ARGS_HIDDEN) && (!family || (strncmp(c->name, family, n) == 0 && c->name[n] == ' ')))
			fprintf(out, "  %-15s %s\n", c->name, c->help);
}

void args_help(FILE *out, const char *name)
{
	const struct tool_command *c = name ? args_command(name) : NULL;

	if (c) {
		help_command(out, c);
		return;
	}
	fprintf(out, "usage: schwenk [-s SOCKET] [--json] [-q] %s …\n\n", name ? name : "COMMAND");
	list_commands(out, name);
	if (!name) {
		fputs("\nZONE@SET is a set of a zone; @live and @previous stand for what they say.\n"
			"Without a command: status. schwenk COMMAND --help tells more, schwenk(1) all.\n\noptions:\n", out);
		list_options(out, args_global);
	}
}
