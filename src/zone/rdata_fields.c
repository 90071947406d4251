/* The readers of single fields of rdata: numbers, times, names, addresses, strings. */
#include "zone/rdata_internal.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/name.h"

int __attribute__((format(printf, 3, 4))) rdata_fail(struct rdata_error *e, const struct scan_token *token,
	const char *fmt, ...)
{
	va_list ap;

	e->token = token;
	va_start(ap, fmt);
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	return -1;
}

int rdata_expected(struct rdata_error *e, const struct scan_token *token, const char *what)
{
	int size = token->size > 80 ? 80 : (int)token->size;

	return rdata_fail(e, token, "expected %s, not \"%.*s%s\"", what, size, token->text, token->size > 80 ? "…" : "");
}

const struct scan_token *rdata_take(struct rdata_reader *r)
{
	if (r->token == r->end) {
		rdata_fail(r->error, NULL, "the rdata ends too early");
		return NULL;
	}
	return r->token++;
}

/* ---- numbers and times --------------------------------------------------- */

bool rdata_number_from_text(const char *text, size_t size, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;

	if (size == 0 || size > 20)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = 10 * v + (uint64_t)(text[i] - '0');
		if (v > max)
			return false;
	}
	*value = v;
	return true;
}

/* Units as BIND has them; each part is a number and a unit, and where there
 * are units the last part has one too. */
static bool period_from_text(const char *text, size_t size, uint64_t max, uint32_t *period)
{
	uint64_t sum = 0, part = 0;
	bool digits = false, units = false;

	for (size_t i = 0; i < size; i++) {
		uint64_t unit;

		if (text[i] >= '0' && text[i] <= '9') {
			part = 10 * part + (uint64_t)(text[i] - '0');
			if (part > max)
				return false;
			digits = true;
			continue;
		}
		switch (text[i] | 0x20) {
		case 's': unit = 1; break;
		case 'm': unit = 60; break;
		case 'h': unit = 3600; break;
		case 'd': unit = 86400; break;
		case 'w': unit = 604800; break;
		default: return false;
		}
		if (!digits)
			return false;
		sum += part * unit;
		if (sum > max)
			return false;
		part = 0;
		digits = false;
		units = true;
	}
	if (!digits && !units)
		return false;
	if (digits && units)
		return false;
	sum += part;
	if (sum > max)
		return false;
	*period = (uint32_t)sum;
	return true;
}

bool rdata_ttl_from_text(const char *text, size_t size, uint32_t *ttl)
{
	return period_from_text(text, size, INT32_MAX, ttl);
}

int rdata_read_number(struct rdata_reader *r, unsigned octets)
{
	static const char *const what[] = { "", "a number from 0 to 255", "a number from 0 to 65535", "",
		"a number from 0 to 4294967295" };
	const struct scan_token *t = rdata_take(r);
	uint64_t value;

	if (!t)
		return -1;
	if (!rdata_number_from_text(t->text, t->size, (1ull << 8 * octets) - 1, &value))
		return rdata_expected(r->error, t, what[octets]);
	if (octets == 1)
		cursor_put_u8(&r->out, (uint8_t)value);
	else if (octets == 2)
		cursor_put_be16(&r->out, (uint16_t)value);
	else
		cursor_put_be32(&r->out, (uint32_t)value);
	return 0;
}

int rdata_read_period(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	uint32_t period;

	if (!t)
		return -1;
	if (!period_from_text(t->text, t->size, UINT32_MAX, &period))
		return rdata_expected(r->error, t, "a time in seconds or with units (1h30m)");
	cursor_put_be32(&r->out, period);
	return 0;
}

/* ---- names and addresses ------------------------------------------------- */

int rdata_read_name(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	uint8_t name[NAME_MAX_SIZE];
	const char *reason = "";
	size_t size;

	if (!t)
		return -1;
	size = name_from_text(name, t->text, t->size, r->origin, true, &reason);
	if (!size)
		return rdata_fail(r->error, t, "\"%.*s%s\" is no domain name: %s", t->size > 80 ? 80 : (int)t->size, t->text,
			t->size > 80 ? "…" : "", reason);
	cursor_put(&r->out, name, size);
	return 0;
}

int rdata_read_a(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	uint32_t address = 0;
	unsigned parts = 0, i = 0;

	if (!t)
		return -1;
	while (parts < 4) {
		unsigned part = 0, digits = 0;

		while (i < t->size && t->text[i] >= '0' && t->text[i] <= '9' && digits < 3) {
			part = 10 * part + (unsigned)(t->text[i++] - '0');
			digits++;
		}
		/* "010" is 10 to some and 8 to others: neither */
		if (!digits || part > 255 || (digits > 1 && t->text[i - digits] == '0'))
			break;
		address = address << 8 | part;
		if (++parts < 4 && (i == t->size || t->text[i++] != '.'))
			break;
	}
	if (parts != 4 || i != t->size)
		return rdata_expected(r->error, t, "an IPv4 address");
	cursor_put_be32(&r->out, address);
	return 0;
}

int rdata_read_aaaa(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	char text[64];
	uint8_t address[16];

	if (!t)
		return -1;
	if (t->size >= sizeof(text))
		return rdata_expected(r->error, t, "an IPv6 address");
	memcpy(text, t->text, t->size);
	text[t->size] = '\0';
	if (inet_pton(AF_INET6, text, address) != 1)
		return rdata_expected(r->error, t, "an IPv6 address");
	cursor_put(&r->out, address, 16);
	return 0;
}

/* ---- strings ------------------------------------------------------------- */

int rdata_read_text(struct rdata_reader *r, const struct scan_token *t, size_t limit)
{
	size_t octets = 0;

	for (uint32_t i = 0; i < t->size; octets++) {
		uint8_t c = (uint8_t)t->text[i++];

		if (octets == limit)
			return rdata_fail(r->error, t, "a string longer than %zu octets: split it into several", limit);
		if (c == '\\') {
			if (i == t->size)
				return rdata_expected(r->error, t, "something behind the last backslash");
			c = (uint8_t)t->text[i++];
			if (c >= '0' && c <= '9') {
				unsigned v;

				if (t->size - i < 2 || t->text[i] < '0' || t->text[i] > '9' || t->text[i + 1] < '0' || t->text[i + 1] > '9')
					return rdata_expected(r->error, t, "three digits behind a backslash (\\DDD)");
				v = (unsigned)(c - '0') * 100 + (unsigned)(t->text[i] - '0') * 10 + (unsigned)(t->text[i + 1] - '0');
				if (v > 255)
					return rdata_expected(r->error, t, "\\DDD up to \\255");
				c = (uint8_t)v;
				i += 2;
			}
		}
		cursor_put_u8(&r->out, c);
	}
	return 0;
}

int rdata_read_string(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	uint8_t *length;
	size_t begin;

	if (!t)
		return -1;
	length = cursor_take(&r->out, 1);
	begin = r->out.at;
	if (!length)
		return 0;   /* the cursor has failed: told at the end */
	if (rdata_read_text(r, t, 255) < 0)
		return -1;
	*length = (uint8_t)(r->out.at - begin);
	return 0;
}

int rdata_read_tag(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);

	if (!t)
		return -1;
	if (t->size == 0 || t->size > 255)
		return rdata_expected(r->error, t, "a CAA tag");
	for (uint32_t i = 0; i < t->size; i++) {
		char c = t->text[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')))
			return rdata_expected(r->error, t, "a CAA tag of letters and digits");
	}
	cursor_put_u8(&r->out, (uint8_t)t->size);
	cursor_put(&r->out, t->text, t->size);
	return 0;
}
