/*
 * YAML → struct conf, by libyaml's document API, which gives every node its
 * line and column. As many errors as can be found are told in one run.
 */
#include "conf/conf.h"
#include "conf/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define CONF_FILE_MAX (1u << 20)
#define CONF_ERRORS_MAX 20

struct conf_parser {
	const char *name;
	void (*say)(void *, const char *text);
	void *arg;
	struct err *err;
	unsigned errors;
	yaml_document_t document;
	struct conf *conf;
};

/* marks count from 0, people from 1 */
static void complain(struct conf_parser *p, const yaml_mark_t *mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void complain(struct conf_parser *p, const yaml_mark_t *mark, const char *fmt, ...)
{
	char text[1000], line[1100];
	va_list ap;

	if (++p->errors > CONF_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(line, sizeof line, "%s:%zu:%zu: %s", p->name, mark->line + 1, mark->column + 1, text);
	if (p->say)
		p->say(p->arg, line);
	err_set(p->err, ERR_PARSE, "%s", line);
}

static const char *kind_of(const yaml_node_t *node)
{
	return node->type == YAML_SEQUENCE_NODE ? "a list" : node->type == YAML_MAPPING_NODE ? "a mapping" : "a value";
}

static void set_scalar(struct conf_parser *p, const struct option_row *row, const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	struct err why = ERR_INIT;

	if (strlen(text) != node->data.scalar.length)
		complain(p, &node->start_mark, "%s: a NUL octet in a value", row->name);
	else if (option_set(p->conf, row, text, node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, &why) < 0)
		complain(p, &node->start_mark, "%s", why.message);
}

static void set_option(struct conf_parser *p, const struct option_row *row, yaml_node_t *node)
{
	char allowed[256];

	option_allowed(row, allowed, sizeof allowed);
	if (option_is_list(row) && node->type == YAML_SEQUENCE_NODE) {
		yaml_node_item_t *item;

		if (row->type == OPTION_LISTEN && node->data.sequence.items.start == node->data.sequence.items.top)
			complain(p, &node->start_mark, "%s: the list is empty; wanted: %s", row->name, allowed);
		for (item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
			yaml_node_t *one = yaml_document_get_node(&p->document, *item);

			if (one->type != YAML_SCALAR_NODE)
				complain(p, &one->start_mark, "%s: %s within the list; wanted: %s", row->name, kind_of(one), allowed);
			else
				set_scalar(p, row, one);
		}
	} else if (node->type != YAML_SCALAR_NODE) {
		complain(p, &node->start_mark, "%s: %s where %s is wanted", row->name, kind_of(node), allowed);
	} else {
		set_scalar(p, row, node);
	}
}

static void unknown_key(struct conf_parser *p, const yaml_node_t *key)
{
	const char *name = (const char *)key->data.scalar.value, *near = option_nearest(name);
	char all[900] = "";
	const struct option_row *row;
	size_t n = 0;

	for (row = option_rows; row->name; row++)
		n += (size_t)snprintf(all + n, n < sizeof all ? sizeof all - n : 0, "%s%s", n ? ", " : "", row->name);
	if (near)
		complain(p, &key->start_mark, "unknown option '%.64s': did you mean %s?", name, near);
	else
		complain(p, &key->start_mark, "unknown option '%.64s'; there are: %s", name, all);
}

static void set_pair(struct conf_parser *p, const yaml_node_pair_t *pair)
{
	yaml_node_t *key = yaml_document_get_node(&p->document, pair->key);
	yaml_node_t *value = yaml_document_get_node(&p->document, pair->value);
	const struct option_row *row;
	size_t *line;

	if (key->type != YAML_SCALAR_NODE) {
		complain(p, &key->start_mark, "%s where the name of an option is wanted", kind_of(key));
		return;
	}
	row = option_find((const char *)key->data.scalar.value);
	if (!row) {
		unknown_key(p, key);
		return;
	}
	line = &p->conf->line[row - option_rows];
	if (*line) {
		complain(p, &key->start_mark, "%s stands there twice: first in line %zu", row->name, *line);
		return;
	}
	*line = key->start_mark.line + 1;
	set_option(p, row, value);
}

/* "[a, \"b\"]", as it stands in the table. */
static int set_default_list(struct conf *conf, const struct option_row *row, struct err *why)
{
	static const char between[] = "[], \"";
	const char *at = row->initial + strspn(row->initial, between);

	while (*at) {
		char text[80];
		size_t n = strcspn(at, between);

		snprintf(text, sizeof text, "%.*s", (int)n, at);
		if (option_set(conf, row, text, true, why) < 0)
			return -1;
		at += n;
		at += strspn(at, between);
	}
	return 0;
}

/* Options that the file does not name get their defaults, through the same
 * function, so that a default that is out of its own range cannot hide. */
static void set_defaults(struct conf_parser *p)
{
	static const yaml_mark_t nowhere = { 0, 0, 0 };
	const struct option_row *row;
	struct err why = ERR_INIT;

	for (row = option_rows; row->name; row++) {
		int r = 0;

		if (p->conf->line[row - option_rows])
			continue;
		if (row->initial)
			r = option_is_list(row) ? set_default_list(p->conf, row, &why) :
				option_set(p->conf, row, row->initial, true, &why);
		if (r < 0)
			complain(p, &nowhere, "the default of %s", why.message);
	}
}

static void read_document(struct conf_parser *p)
{
	yaml_node_t *root = yaml_document_get_root_node(&p->document);
	yaml_node_pair_t *pair;

	/* "listen:" alone, or an empty file: nothing set; all defaults */
	if (root && root->type == YAML_MAPPING_NODE)
		for (pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++)
			set_pair(p, pair);
	else if (root && !(root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		complain(p, &root->start_mark, "%s where lines of 'option: value' are wanted", kind_of(root));
	if (p->errors == 0)
		set_defaults(p);
}

static void complain_yaml(struct conf_parser *p, const yaml_parser_t *yaml)
{
	yaml_mark_t mark = yaml->problem_mark;

	/* what the reader (not the scanner) finds has an offset only */
	if (yaml->error == YAML_READER_ERROR)
		mark = yaml->mark;
	complain(p, &mark, "not YAML: %s%s%s", yaml->context ? yaml->context : "", yaml->context ? ": " : "",
		yaml->problem ? yaml->problem : "no memory");
}

static void read_yaml(struct conf_parser *p, const char *text, size_t size)
{
	yaml_parser_t yaml;
	bool first = true, done = false;

	if (!yaml_parser_initialize(&yaml)) {
		err_set(p->err, ERR_NOMEM, "%s: no memory", p->name);
		p->errors++;
		return;
	}
	yaml_parser_set_input_string(&yaml, (const unsigned char *)text, size);
	yaml_parser_set_encoding(&yaml, YAML_UTF8_ENCODING);
	while (!done) {
		yaml_node_t *root;

		if (!yaml_parser_load(&yaml, &p->document)) {
			complain_yaml(p, &yaml);
			break;
		}
		root = yaml_document_get_root_node(&p->document);
		if (first)
			read_document(p);
		else if (root)
			complain(p, &root->start_mark, "a second document: one file is one configuration");
		done = !root || !first;
		first = false;
		yaml_document_delete(&p->document);
	}
	yaml_parser_delete(&yaml);
}

int conf_parse(const char *text, size_t size, const char *name, struct conf **conf,
	void (*say)(void *, const char *text), void *arg, struct err *err)
{
	struct conf_parser p = { .name = name, .say = say, .arg = arg, .err = err };

	p.conf = calloc(1, sizeof *p.conf);
	if (!p.conf || !(p.conf->file = strdup(name))) {
		free(p.conf);
		return err_set(err, ERR_NOMEM, "%s: no memory", name);
	}
	read_yaml(&p, text, size);
	if (p.errors) {
		conf_free(p.conf);
		return -1;
	}
	*conf = p.conf;
	return 0;
}

/* The whole file in memory; a directory, a device or something huge is no
 * configuration. */
static char *read_file(const char *path, size_t *size, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	ssize_t n;

	if (fd < 0) {
		if (errno == ENOENT)
			err_set(err, ERR_PARSE, "%s: no such file; write one (see schwenkd.yaml(5)) or name another with -c", path);
		else
			err_system(err, "%s", path);
		return NULL;
	}
	*size = 0;
	if (fstat(fd, &st) < 0)
		err_system(err, "%s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(err, ERR_PARSE, "%s: not a regular file", path);
	else if (!(text = malloc(CONF_FILE_MAX + 1)))
		err_set(err, ERR_NOMEM, "%s: no memory", path);
	while (text && (n = read(fd, text + *size, CONF_FILE_MAX + 1 - *size)) != 0) {
		if (n > 0)
			*size += (size_t)n;
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 && *size <= CONF_FILE_MAX)
			continue;
		if (n < 0)
			err_system(err, "%s", path);
		else
			err_set(err, ERR_PARSE, "%s: larger than %u octets", path, CONF_FILE_MAX);
		free(text);
		text = NULL;
	}
	close(fd);
	return text;
}

int conf_read(const char *path, struct conf **conf, void (*say)(void *, const char *text), void *arg, struct err *err)
{
	size_t size;
	struct err why = ERR_INIT;
	char *text = read_file(path, &size, &why);
	int r;

	if (!text) {
		if (say)
			say(arg, why.message);
		return err_set(err, why.code, "%s", why.message);
	}
	r = conf_parse(text, size, path, conf, say, arg, err);
	free(text);
	return r;
}

int conf_print(const struct conf *conf, FILE *out)
{
	for (const struct option_row *row = option_rows; row->name; row++)
		option_print(conf, row, out);
	return ferror(out) ? -1 : 0;
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (const struct option_row *row = option_rows; row->name; row++)
		if (row->type == OPTION_PATH || row->type == OPTION_NAME || row->type == OPTION_TEXT || row->type == OPTION_WORD)
			free(*(char **)(void *)((char *)conf + row->offset));
	free(conf->listen);
	free(conf->file);
	prefix_list_clear(&conf->rate_limit_exempt);
	free(conf);
}
