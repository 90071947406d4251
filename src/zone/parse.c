#include "zone/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/turn.h"
#include "wire/rrtype.h"
#include "zone/rdata.h"

#define INCLUDES_MAX 10000

/* What an $INCLUDE saves, and its end brings back (RFC 1035 5.1). */
struct saved {
	uint8_t origin[NAME_MAX_SIZE], owner[NAME_MAX_SIZE];
	size_t owner_size;
};

struct generate {
	bool active;
	uint32_t at, stop, step;
	struct scan_token *tokens;      /* the template: owner, …; own copies of the text */
	unsigned count;
	char *text;
	struct scan_token *made;        /* filled in for one number */
	char *made_text;
	size_t made_size;
	struct scan_record record;
};

struct parser {
	struct scanner *scanner;
	struct parser_options options;
	uint8_t origin[NAME_MAX_SIZE];
	uint8_t owner[NAME_MAX_SIZE];
	size_t owner_size;              /* 0: none yet */
	char owner_token[128];          /* the text that owner came from */
	size_t owner_token_size;        /* 0: none that may be reused */
	bool owner_changed;             /* since the last record that was given */
	uint32_t default_ttl, last_ttl, soa_minimum;
	bool has_default_ttl, has_last_ttl, has_soa_minimum, told_no_ttl;
	struct saved saved[SCAN_NESTING_MAX];
	unsigned depth, includes;
	struct generate generate;
	bool ended, is_piece;
	uint8_t rdata[RDATA_MAX];
};

struct parser *parser_new(struct scanner *scanner, const struct parser_options *options)
{
	struct parser *p = malloc(sizeof(*p));

	if (!p) {
		scanner_free(scanner);
		return NULL;
	}
	memset(p, 0, offsetof(struct parser, rdata));
	p->scanner = scanner;
	p->options = *options;
	memcpy(p->origin, options->apex, options->apex_size);
	return p;
}

struct parser *parser_new_piece(struct scanner *scanner, const struct parser *head, struct reporter *reporter)
{
	struct parser_options options = head->options;
	struct parser *p;

	options.reporter = reporter;
	p = parser_new(scanner, &options);
	if (!p)
		return NULL;
	memcpy(p->origin, head->origin, sizeof(p->origin));
	p->has_default_ttl = head->has_default_ttl;
	p->default_ttl = head->default_ttl;
	p->has_soa_minimum = head->has_soa_minimum;
	p->soa_minimum = head->soa_minimum;
	p->is_piece = true;
	return p;
}

static void generate_end(struct generate *g)
{
	free(g->tokens);
	free(g->text);
	free(g->made);
	free(g->made_text);
	memset(g, 0, sizeof(*g));
}

void parser_free(struct parser *p)
{
	if (!p)
		return;
	generate_end(&p->generate);
	scanner_free(p->scanner);
	free(p);
}

const char *parser_file_name(void *parser, unsigned file)
{
	return scan_file_name(((struct parser *)parser)->scanner, file);
}

bool parser_has_soa(const struct parser *p)
{
	return p->has_soa_minimum;
}

uint32_t parser_soa_minimum(const struct parser *p)
{
	return p->soa_minimum;
}

double parser_share(const struct parser *p)
{
	return scan_share(p->scanner);
}

/* A problem at a token; token NULL: behind the record's end. Returns -1. */
static int __attribute__((format(printf, 5, 6))) wrong(struct parser *p, const struct scan_record *r,
	enum rule_id id, const struct scan_token *token, const char *fmt, ...)
{
	char message[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	report(p->options.reporter, id, scan_file_name(p->scanner, r->file), token ? token->line : r->end_line,
		token ? token->column : r->end_column, "%s", message);
	return -1;
}

/* For "%.*s": what can be shown of a token. */
static int shown(const struct scan_token *t)
{
	return t->size > 80 ? 80 : (int)t->size;
}

static bool token_is(const struct scan_token *t, const char *word)
{
	return !t->quoted && t->size == strlen(word) && strncasecmp(t->text, word, t->size) == 0;
}

/* ---- directives --------------------------------------------------------------- */

static int directive_origin(struct parser *p, const struct scan_record *r)
{
	uint8_t origin[NAME_MAX_SIZE];
	const char *reason = "";

	if (r->count != 2)
		return wrong(p, r, RULE_DIRECTIVE, r->count > 2 ? &r->tokens[2] : NULL, "$ORIGIN takes one name");
	if (!name_from_text(origin, r->tokens[1].text, r->tokens[1].size, p->origin, true, &reason))
		return wrong(p, r, RULE_NAME, &r->tokens[1], "\"%.*s\" is no domain name: %s", shown(&r->tokens[1]),
			r->tokens[1].text, reason);
	memcpy(p->origin, origin, sizeof(origin));
	p->owner_token_size = 0;
	return 0;
}

static int directive_ttl(struct parser *p, const struct scan_record *r)
{
	if (r->count != 2)
		return wrong(p, r, RULE_DIRECTIVE, r->count > 2 ? &r->tokens[2] : NULL, "$TTL takes one TTL");
	if (!rdata_ttl_from_text(r->tokens[1].text, r->tokens[1].size, &p->default_ttl))
		return wrong(p, r, RULE_TTL, &r->tokens[1], "\"%.*s\" is no TTL: seconds up to 2147483647, or with units (1h30m)",
			shown(&r->tokens[1]), r->tokens[1].text);
	p->has_default_ttl = true;
	return 0;
}

/* Only below the directory of the file itself: a zone file that a customer
 * wrote must not read what else lies on the machine. */
static const char *include_forbidden(const char *name)
{
	if (!*name)
		return "it is empty";
	if (*name == '/')
		return "it is absolute; only files below the zone file's own directory may be included";
	for (const char *at = name; at; at = strchr(at, '/')) {
		if (*at == '/')
			at++;
		if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == '\0'))
			return "it has \"..\"; only files below the zone file's own directory may be included";
	}
	return NULL;
}

static int directive_include(struct parser *p, const struct scan_record *r)
{
	const struct scan_token *t = &r->tokens[1];
	char name[1024];
	uint8_t origin[NAME_MAX_SIZE];
	const char *reason = "";
	struct err err = ERR_INIT;
	struct saved *saved;
	int fd;

	if (r->count != 2 && r->count != 3)
		return wrong(p, r, RULE_DIRECTIVE, r->count > 3 ? &r->tokens[3] : NULL, "$INCLUDE takes a file and perhaps an origin");
	if (t->size >= sizeof(name))
		return wrong(p, r, RULE_INCLUDE, t, "the file's name is too long");
	memcpy(name, t->text, t->size);
	name[t->size] = '\0';
	if (!p->options.open_include)
		return wrong(p, r, RULE_INCLUDE, t, "$INCLUDE is not possible here: put the text of \"%s\" in its place", name);
	reason = p->options.include_anywhere ? NULL : include_forbidden(name);
	if (reason)
		return wrong(p, r, RULE_INCLUDE, t, "\"%s\" cannot be included: %s", name, reason);
	memcpy(origin, p->origin, sizeof(origin));
	if (r->count == 3 && !name_from_text(origin, r->tokens[2].text, r->tokens[2].size, p->origin, true, &reason))
		return wrong(p, r, RULE_NAME, &r->tokens[2], "\"%.*s\" is no domain name: %s", shown(&r->tokens[2]),
			r->tokens[2].text, reason);
	if (p->depth == SCAN_NESTING_MAX - 1)
		return wrong(p, r, RULE_INCLUDE, t, "\"%s\" cannot be included: files are nested more than %d deep", name, SCAN_NESTING_MAX);
	if (++p->includes > INCLUDES_MAX)
		return wrong(p, r, RULE_INCLUDE, t, "more than %d $INCLUDEs", INCLUDES_MAX);
	fd = p->options.open_include(p->options.arg, name, &err);
	if (fd < 0)
		return wrong(p, r, RULE_INCLUDE, t, "\"%s\" cannot be included: %s", name, err.message);
	if (scan_push(p->scanner, fd, name, &err) < 0) {
		/* the tokens may be gone, their text is not */
		return wrong(p, r, RULE_INCLUDE, t, "%s", err.message);
	}
	saved = &p->saved[p->depth++];
	memcpy(saved->origin, p->origin, sizeof(p->origin));
	memcpy(saved->owner, p->owner, sizeof(p->owner));
	saved->owner_size = p->owner_size;
	memcpy(p->origin, origin, sizeof(origin));
	p->owner_token_size = 0;
	return 0;
}

static void include_end(struct parser *p)
{
	const struct saved *saved = &p->saved[--p->depth];

	memcpy(p->origin, saved->origin, sizeof(p->origin));
	memcpy(p->owner, saved->owner, sizeof(p->owner));
	p->owner_size = saved->owner_size;
	p->owner_token_size = 0;
	p->owner_changed = true;
}

/* ---- $GENERATE ------------------------------------------------------------------ */

static bool take_number(const char **at, const char *end, uint32_t *value)
{
	uint64_t v = 0;
	const char *begin = *at;

	while (*at < end && **at >= '0' && **at <= '9') {
		v = 10 * v + (uint64_t)(**at - '0');
		if (v > INT32_MAX)
			return false;
		(*at)++;
	}
	*value = (uint32_t)v;
	return *at > begin;
}

/* start-stop[/step] */
static bool generate_range(struct generate *g, const struct scan_token *t)
{
	const char *at = t->text, *end = t->text + t->size;

	g->step = 1;
	if (!take_number(&at, end, &g->at) || at == end || *at++ != '-' || !take_number(&at, end, &g->stop))
		return false;
	if (at < end && (*at++ != '/' || !take_number(&at, end, &g->step)))
		return false;
	return at == end && g->step > 0 && g->at <= g->stop;
}

static int put_out(struct generate *g, size_t *used, const char *text, size_t size)
{
	if (*used + size > g->made_size) {
		size_t space = 2 * (*used + size) + 256;
		char *made = realloc(g->made_text, space);

		if (!made)
			return -1;
		g->made_text = made;
		g->made_size = space;
	}
	memcpy(g->made_text + *used, text, size);
	*used += size;
	return 0;
}

/* Nibbles, the lowest first, with dots between (for ip6.arpa). */
static size_t put_nibbles(char *out, uint32_t value, unsigned width, bool upper)
{
	size_t n = 0;

	do {
		out[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value & 15];
		value >>= 4;
		if (width)
			width--;
		if (width)
			width--;
		if (value || width)
			out[n++] = '.';
	} while (value || width);
	return n;
}

/* ${offset[,width[,base]]}; at stands behind "${". */
static bool generate_modifier(struct generate *g, const char **at, const char *end, size_t *used)
{
	bool minus = *at < end && **at == '-';
	uint32_t offset, width = 0;
	int64_t value;
	char base = 'd', out[600];
	size_t n;

	if (minus)
		(*at)++;
	if (!take_number(at, end, &offset))
		return false;
	if (*at < end && **at == ',') {
		(*at)++;
		if (!take_number(at, end, &width) || width > 255)
			return false;
	}
	if (*at < end && **at == ',') {
		(*at)++;
		if (*at == end || !strchr("doxXnN", **at))
			return false;
		base = *(*at)++;
	}
	if (*at == end || *(*at)++ != '}')
		return false;
	value = (int64_t)g->at + (minus ? -(int64_t)offset : (int64_t)offset);
	if (value < 0 || value > UINT32_MAX)
		return false;
	switch (base) {
	case 'o': n = (size_t)sprintf(out, "%0*o", (int)width, (uint32_t)value); break;
	case 'x': n = (size_t)sprintf(out, "%0*x", (int)width, (uint32_t)value); break;
	case 'X': n = (size_t)sprintf(out, "%0*X", (int)width, (uint32_t)value); break;
	case 'n':
	case 'N': n = put_nibbles(out, (uint32_t)value, width, base == 'N'); break;
	default:  n = (size_t)sprintf(out, "%0*u", (int)width, (uint32_t)value); break;
	}
	return put_out(g, used, out, n) == 0;
}

/* One token of the template with the number in its place; *used goes on. */
static bool generate_token(struct generate *g, const struct scan_token *t, size_t *used)
{
	const char *at = t->text, *end = t->text + t->size;

	while (at < end) {
		if (*at == '\\' && end - at > 1) {
			/* "\$" is a dollar; other escapes stay what they are */
			if (at[1] == '$' ? put_out(g, used, "$", 1) : put_out(g, used, at, 2))
				return false;
			at += 2;
		} else if (*at != '$') {
			if (put_out(g, used, at++, 1))
				return false;
		} else if (end - at > 1 && at[1] == '$') {
			if (put_out(g, used, "$", 1))
				return false;
			at += 2;
		} else if (end - at > 1 && at[1] == '{') {
			at += 2;
			if (!generate_modifier(g, &at, end, used))
				return false;
		} else {
			char out[16];

			at++;
			if (put_out(g, used, out, (size_t)sprintf(out, "%u", g->at)))
				return false;
		}
	}
	return true;
}

static int generate_begin(struct parser *p, const struct scan_record *r)
{
	struct generate *g = &p->generate;
	size_t size = 0, used = 0;

	/* $GENERATE range owner [ttl] [class] type rdata… */
	if (r->count < 5)
		return wrong(p, r, RULE_GENERATE, NULL, "$GENERATE takes a range, an owner, a type and rdata");
	if (!generate_range(g, &r->tokens[1]))
		return wrong(p, r, RULE_GENERATE, &r->tokens[1], "\"%.*s\" is no range: START-STOP or START-STOP/STEP",
			shown(&r->tokens[1]), r->tokens[1].text);
	if ((g->stop - g->at) / g->step >= GENERATE_MAX)
		return wrong(p, r, RULE_GENERATE, &r->tokens[1], "a $GENERATE of more than %d records", GENERATE_MAX);
	for (unsigned i = 2; i < r->count; i++)
		size += r->tokens[i].size;
	g->count = r->count - 2;
	g->tokens = malloc(g->count * sizeof(*g->tokens));
	g->made = malloc(g->count * sizeof(*g->made));
	g->text = malloc(size + 1);
	if (!g->tokens || !g->made || !g->text) {
		generate_end(g);
		p->ended = true;
		return wrong(p, r, RULE_READ, NULL, "out of memory");
	}
	for (unsigned i = 0; i < g->count; i++) {
		g->tokens[i] = r->tokens[i + 2];
		memcpy(g->text + used, g->tokens[i].text, g->tokens[i].size);
		g->tokens[i].text = g->text + used;
		used += g->tokens[i].size;
	}
	g->record = *r;
	g->record.tokens = g->made;
	g->record.count = g->count;
	g->record.blank_start = false;
	g->active = true;
	return 0;
}

/* The record for the next number; false: there is none, or it is wrong. */
static bool generate_next(struct parser *p, struct scan_record *r)
{
	struct generate *g = &p->generate;
	size_t used = 0;

	*r = g->record;
	for (unsigned i = 0; i < g->count; i++) {
		g->made[i] = g->tokens[i];
		g->made[i].at = (uint32_t)used;
		if (!generate_token(g, &g->tokens[i], &used) || used > SCAN_RECORD_MAX) {
			wrong(p, r, RULE_GENERATE, &g->tokens[i],
				"\"%.*s\" is no template for %u: $ or ${OFFSET[,WIDTH[,BASE]]} with base d, o, x, X, n or N, and "
				"no number below 0", shown(&g->tokens[i]), g->tokens[i].text, g->at);
			generate_end(g);
			return false;
		}
		g->made[i].size = (uint32_t)used - g->made[i].at;
	}
	for (unsigned i = 0; i < g->count; i++)
		g->made[i].text = g->made_text ? g->made_text + g->made[i].at : "";
	if (g->stop - g->at < g->step)
		g->active = false;      /* this was the last */
	else
		g->at += g->step;
	p->owner_token_size = 0;
	return true;
}

static int directive(struct parser *p, const struct scan_record *r)
{
	static const struct { const char *name; int (*run)(struct parser *, const struct scan_record *); } table[] = {
		{ "$ORIGIN", directive_origin }, { "$TTL", directive_ttl },
		{ "$INCLUDE", directive_include }, { "$GENERATE", generate_begin },
	};

	if (p->is_piece)
		return wrong(p, r, RULE_DIRECTIVE, &r->tokens[0], "a directive in the middle of a file that is read in pieces");
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (token_is(&r->tokens[0], table[i].name)) {
			if (r->count < 2)
				return wrong(p, r, RULE_DIRECTIVE, NULL, "%s needs more than that", table[i].name);
			return table[i].run(p, r);
		}
	return wrong(p, r, RULE_DIRECTIVE, &r->tokens[0],
		"\"%.*s\" is no directive that is known: $ORIGIN, $TTL, $INCLUDE, $GENERATE", shown(&r->tokens[0]), r->tokens[0].text);
}

/* ---- records ---------------------------------------------------------------------- */

static int parse_owner(struct parser *p, const struct scan_record *r, const struct scan_token *t)
{
	uint8_t name[NAME_MAX_SIZE];
	const char *reason = "";
	size_t size;

	if (t->size == p->owner_token_size && memcmp(t->text, p->owner_token, t->size) == 0)
		return 0;
	size = name_from_text(name, t->text, t->size, p->origin, true, &reason);
	if (!size)
		return wrong(p, r, RULE_NAME, t, "\"%.*s%s\" is no domain name: %s", shown(t), t->text, t->size > 80 ? "…" : "", reason);
	memcpy(p->owner, name, size);
	p->owner_size = size;
	p->owner_changed = true;
	p->owner_token_size = 0;
	if (t->size <= sizeof(p->owner_token)) {
		memcpy(p->owner_token, t->text, t->size);
		p->owner_token_size = t->size;
	}
	return 0;
}

struct head { uint32_t ttl; bool has_ttl, has_class; uint16_t type; const struct scan_token *ttl_token; };

/* [TTL] [class] or [class] [TTL], then the type. *i goes on behind it. */
static int parse_head(struct parser *p, const struct scan_record *r, unsigned *i, struct head *head, bool type_optional)
{
	*head = (struct head){ 0 };
	for (; *i < r->count; (*i)++) {
		const struct scan_token *t = &r->tokens[*i];

		if (!t->quoted && t->size && t->text[0] >= '0' && t->text[0] <= '9' && !head->has_ttl) {
			if (!rdata_ttl_from_text(t->text, t->size, &head->ttl))
				return wrong(p, r, RULE_TTL, t, "\"%.*s\" is no TTL: seconds up to 2147483647, or with units (1h30m)",
					shown(t), t->text);
			head->has_ttl = true;
			continue;
		}
		if (!head->has_class && (token_is(t, "IN") || token_is(t, "CLASS1"))) {
			head->has_class = true;
			continue;
		}
		if (token_is(t, "CH") || token_is(t, "HS") || token_is(t, "CS")
		    || (t->size > 5 && strncasecmp(t->text, "CLASS", 5) == 0))
			return wrong(p, r, RULE_CLASS, t, "the class %.*s: only IN is served", shown(t), t->text);
		if (t->quoted || !rrtype_from_text(t->text, t->size, &head->type))
			return wrong(p, r, RULE_TYPE, t, "\"%.*s\" is no type that is known; others are written as TYPE65280",
				shown(t), t->text);
		if (!rdata_type_is_data(head->type))
			return wrong(p, r, RULE_TYPE, t, "records of type %.*s are not part of a zone", shown(t), t->text);
		(*i)++;
		return 0;
	}
	if (type_optional)
		return 0;
	return wrong(p, r, RULE_SYNTAX, NULL, "the record ends before its type");
}

static int parse_rdata(struct parser *p, const struct scan_record *r, unsigned i, uint16_t type, struct parsed *out)
{
	struct rdata_error e;
	int size = rdata_from_tokens(type, r->tokens + i, r->count - i, p->origin, p->rdata, &e);

	if (size < 0)
		return wrong(p, r, RULE_RDATA, e.token, "%s", e.message);
	out->type = type;
	out->rdata = p->rdata;
	out->size = (unsigned)size;
	return 0;
}

static void resolve_ttl(struct parser *p, const struct scan_record *r, const struct head *head, struct parsed *out)
{
	bool is_soa = out->type == TYPE_SOA && out->size >= 22;

	if (is_soa && !p->has_soa_minimum) {
		p->soa_minimum = load_be32(out->rdata + out->size - 4) & INT32_MAX;
		p->has_soa_minimum = true;
	}
	out->ttl_known = true;
	if (head->has_ttl) {
		out->ttl = p->last_ttl = head->ttl;
		p->has_last_ttl = true;
	} else if (p->has_default_ttl) {
		out->ttl = p->default_ttl;
	} else if (p->has_last_ttl) {
		out->ttl = p->last_ttl;
	} else {
		out->ttl = p->soa_minimum;
		out->ttl_known = p->has_soa_minimum;
		if (!p->told_no_ttl && !p->options.lines_are_changes)
			report(p->options.reporter, RULE_NO_TTL, scan_file_name(p->scanner, r->file), r->tokens[0].line,
				r->tokens[0].column, "no TTL here and none before: the SOA's minimum is taken; a $TTL would say it");
		p->told_no_ttl = true;
	}
}

static int parse_record(struct parser *p, const struct scan_record *r, struct parsed *out)
{
	struct head head;
	unsigned i = 0;

	if (r->blank_start) {
		if (!p->owner_size)
			return wrong(p, r, RULE_SYNTAX, &r->tokens[0],
				"the line begins with a blank, but there is no owner before whose record it could be");
	} else if (parse_owner(p, r, &r->tokens[i++]) < 0) {
		return -1;
	}
	if (parse_head(p, r, &i, &head, false) < 0 || parse_rdata(p, r, i, head.type, out) < 0)
		return -1;
	resolve_ttl(p, r, &head, out);
	out->owner = p->owner;
	out->owner_size = p->owner_size;
	out->same_owner = !p->owner_changed;
	p->owner_changed = false;
	out->place.file = (uint16_t)r->file;
	out->place.line = r->tokens[0].line;
	out->place.column = r->tokens[0].column > UINT16_MAX ? UINT16_MAX : (uint16_t)r->tokens[0].column;
	return 1;
}

/* The next logical record, also out of a $GENERATE; 0: the end. */
static int next_record(struct parser *p, struct scan_record *r)
{
	while (!p->ended && p->options.reporter->errors < LOAD_MAX_ERRORS) {
		struct scan_error e;
		bool ended_include;
		int got;

		turn_over(40);
		if (p->generate.active) {
			if (generate_next(p, r))
				return 1;
			continue;
		}
		if (p->generate.made)
			generate_end(&p->generate);
		got = scan_next(p->scanner, r, &ended_include, &e);
		if (got > 0)
			return 1;
		if (got == 0) {
			if (!ended_include)
				break;
			include_end(p);
			continue;
		}
		report(p->options.reporter, e.fatal ? RULE_READ : RULE_SYNTAX, scan_file_name(p->scanner, e.file), e.line, e.column,
			"%s", e.message);
		p->ended = e.fatal;
	}
	p->ended = true;
	return 0;
}

int parser_next(struct parser *p, struct parsed *out)
{
	struct scan_record r;

	while (next_record(p, &r)) {
		const struct scan_token *first = &r.tokens[0];

		if (!r.blank_start && !first->quoted && first->size > 1 && first->text[0] == '$' && !p->generate.made) {
			directive(p, &r);
			continue;
		}
		if (parse_record(p, &r, out) > 0)
			return 1;
	}
	return 0;
}

/* ---- lines of changes ---------------------------------------------------------------- */

static int parse_change(struct parser *p, const struct scan_record *r, struct parsed_change *out)
{
	struct head head;
	unsigned i = 1;

	if (token_is(&r->tokens[0], "add"))
		out->kind = CHANGE_ADD;
	else if (token_is(&r->tokens[0], "del"))
		out->kind = CHANGE_DELETE;
	else if (token_is(&r->tokens[0], "replace"))
		out->kind = CHANGE_REPLACE;
	else
		return wrong(p, r, RULE_SYNTAX, &r->tokens[0], "\"%.*s\": a change is add, del or replace", shown(&r->tokens[0]),
			r->tokens[0].text);
	if (r->count < 2)
		return wrong(p, r, RULE_SYNTAX, NULL, "the change ends before its name");
	if (parse_owner(p, r, &r->tokens[i++]) < 0
	    || parse_head(p, r, &i, &head, out->kind == CHANGE_DELETE) < 0)
		return -1;
	out->has_type = head.type != 0;
	out->has_ttl = head.has_ttl;
	out->has_rdata = i < r->count;
	out->record.type = head.type;
	out->record.ttl = head.ttl;
	out->record.ttl_known = head.has_ttl;
	out->record.rdata = p->rdata;
	out->record.size = 0;
	if (!out->has_rdata && out->kind != CHANGE_DELETE)
		return wrong(p, r, RULE_SYNTAX, NULL, "the change ends before its rdata");
	if (out->has_rdata && parse_rdata(p, r, i, head.type, &out->record) < 0)
		return -1;
	out->record.owner = p->owner;
	out->record.owner_size = p->owner_size;
	out->record.place.file = (uint16_t)r->file;
	out->record.place.line = r->tokens[0].line;
	out->record.place.column = r->tokens[1].column > UINT16_MAX ? UINT16_MAX : (uint16_t)r->tokens[1].column;
	return 1;
}

int parser_next_change(struct parser *p, struct parsed_change *out)
{
	struct scan_record r;

	while (next_record(p, &r))
		if (parse_change(p, &r, out) > 0)
			return 1;
	return 0;
}
