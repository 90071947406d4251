#include "tool/rdata.h"

#include <ctype.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Types whose rdata are, or end in, character-strings: only there a word with
 * a blank in it is one string. Elsewhere "10 mail.example." as one word is
 * two fields. */
static const char *const string_types[] = {
	"TXT", "SPF", "HINFO", "NAPTR", "CAA", "URI", "X25", "ISDN", "AVC", "NINFO", "RESINFO", "WALLET", NULL,
};

static int is_string_type(const char *type)
{
	for (const char *const *t = string_types; *t; t++)
		if (strcasecmp(type, *t) == 0)
			return 1;
	return 0;
}

static int is_ttl(const char *word)
{
	/* 3600, 1h30m; a type never begins with a digit */
	return isdigit((unsigned char)*word);
}

/* The word with TYPE: the first behind NAME that is neither a TTL nor a class. */
static size_t type_at(const char *const *word, size_t count)
{
	size_t i = 1;

	while (i < count && (is_ttl(word[i]) || strcasecmp(word[i], "IN") == 0))
		i++;
	return i;
}

static int put_name(FILE *out, const char *name, struct err *err)
{
	char *ascii = NULL;
	const char *p = name;
	int r;

	while (*p && (unsigned char)*p < 0x80)
		p++;
	if (!*p) {
		fputs(name, out);
		return 0;
	}
	r = idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK)
		return err_set(err, ERR_BAD_REQUEST, "'%.200s' is no name: %s", name, idn2_strerror(r));
	fputs(ascii, out);
	idn2_free(ascii);
	return 0;
}

static void put_string(FILE *out, const char *s)
{
	putc('"', out);
	for (; *s; s++) {
		if (*s == '\\' && isdigit((unsigned char)s[1]))
			putc('\\', out);        /* \DDD stays what it is */
		else if (*s == '\\')
			fputs("\\\\", out);
		else
			putc(*s, out);
	}
	putc('"', out);
}

static int put_rdata(FILE *out, const char *type, const char *word, struct err *err)
{
	/* with quotes of its own it is zone text already */
	if (strchr(word, '"'))
		fputs(word, out);
	else if (!is_string_type(type) && !strpbrk(word, " \t"))
		return put_name(out, word, err);
	else if (is_string_type(type) && (!*word || strpbrk(word, " \t;()")))
		put_string(out, word);
	else
		fputs(word, out);
	return 0;
}

char *rdata_line(const char *kind, const char *const *word, size_t count, struct err *err)
{
	size_t at = type_at(word, count), size;
	char *line = NULL;
	FILE *out;
	int r;

	for (size_t i = 0; i < count; i++)
		if (strpbrk(word[i], "\r\n")) {
			err_set(err, ERR_BAD_REQUEST, "a line break in '%.100s': one record a command; several go by 'schwenk record apply'",
				word[i]);
			return NULL;
		}
	out = open_memstream(&line, &size);
	if (!out) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	fprintf(out, "%s ", kind);
	r = put_name(out, word[0], err);
	for (size_t i = 1; i < count && r == 0; i++) {
		putc(' ', out);
		if (i > at)
			r = put_rdata(out, word[at], word[i], err);
		else
			fputs(word[i], out);
	}
	putc('\n', out);
	if (fclose(out) != 0)
		r = err_set(err, ERR_NOMEM, "no memory");
	if (r == 0)
		return line;
	free(line);
	return NULL;
}
