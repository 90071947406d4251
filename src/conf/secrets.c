/* The file of cookie secrets. It is read by main alone, and its content goes
 * into no message. */
#include "conf/conf.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DIGITS (2 * CONF_COOKIE_SECRET_SIZE)

static unsigned digit(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(tolower((unsigned char)c) - 'a' + 10);
}

static int take_line(const char *line, uint8_t secret[CONF_COOKIE_SECRET_SIZE])
{
	size_t n = 0;

	while (isxdigit((unsigned char)line[n]))
		n++;
	if (n != DIGITS || line[n + strspn(line + n, " \t\r\n")])
		return -1;
	for (size_t i = 0; i < CONF_COOKIE_SECRET_SIZE; i++)
		secret[i] = (uint8_t)(digit(line[2 * i]) << 4 | digit(line[2 * i + 1]));
	return 0;
}

static int read_lines(FILE *in, const char *path, uint8_t secrets[CONF_COOKIE_SECRETS][CONF_COOKIE_SECRET_SIZE],
	unsigned *count, struct err *err)
{
	uint8_t read[CONF_COOKIE_SECRETS + 1][CONF_COOKIE_SECRET_SIZE];
	char line[256];
	unsigned n = 0;

	for (unsigned number = 1; fgets(line, sizeof line, in); number++) {
		const char *text = line + strspn(line, " \t");

		if (!strchr("#\r\n", *text) && take_line(text, read[n++]) < 0)
			err_set(err, ERR_PARSE, "%s:%u: a secret has %d hexadecimal digits and a line of its own", path, number, DIGITS);
		else if (n > CONF_COOKIE_SECRETS)
			err_set(err, ERR_PARSE, "%s:%u: more than %d secrets", path, number, CONF_COOKIE_SECRETS);
		if (err->code)
			break;
	}
	if (!err->code && ferror(in))
		err_system(err, "%s", path);
	if (!err->code && !n)
		err_set(err, ERR_PARSE, "%s: there is no secret in it; make one: openssl rand -hex %d", path, CONF_COOKIE_SECRET_SIZE);
	if (!err->code) {
		memcpy(secrets, read, n * sizeof read[0]);
		*count = n;
	}
	explicit_bzero(read, sizeof read);
	explicit_bzero(line, sizeof line);
	return err->code ? -1 : 0;
}

int conf_read_cookie_secrets(const char *path, uint8_t secrets[CONF_COOKIE_SECRETS][CONF_COOKIE_SECRET_SIZE],
	unsigned *count, struct err *err)
{
	FILE *in = fopen(path, "re");
	char buffer[1024];
	int r;

	if (!in)
		return err_system(err, "cookie-secrets: %s", path);
	setvbuf(in, buffer, _IOFBF, sizeof buffer);     /* ours, to be wiped */
	r = read_lines(in, path, secrets, count, err);
	fclose(in);
	explicit_bzero(buffer, sizeof buffer);
	return r < 0 ? err_context(err, "cookie-secrets") : 0;
}
