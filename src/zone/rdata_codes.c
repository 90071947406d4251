/* The readers of single fields of rdata: base64, hexadecimal digits, and what else
 * DNSSEC's and some other types write their own way. */
#include "zone/rdata_internal.h"

#include <ldns/ldns.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "wire/rrtype.h"

/* ---- words --------------------------------------------------------------- */

int rdata_read_algorithm(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	const ldns_lookup_table *row;
	uint64_t value;

	if (!t)
		return -1;
	if (rdata_number_from_text(t->text, t->size, 255, &value)) {
		cursor_put_u8(&r->out, (uint8_t)value);
		return 0;
	}
	for (row = ldns_algorithms; row->name; row++)
		if (strlen(row->name) == t->size && strncasecmp(row->name, t->text, t->size) == 0) {
			cursor_put_u8(&r->out, (uint8_t)row->id);
			return 0;
		}
	return rdata_expected(r->error, t, "a DNSSEC algorithm");
}

int rdata_read_type(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	uint16_t type;

	if (!t)
		return -1;
	if (!rrtype_from_text(t->text, t->size, &type))
		return rdata_expected(r->error, t, "an RR type");
	cursor_put_be16(&r->out, type);
	return 0;
}

int rdata_read_time(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	uint64_t value;

	if (!t)
		return -1;
	if (t->size == 14 && rdata_number_from_text(t->text, 14, UINT64_MAX / 10, &value)) {
		struct tm tm = { 0 };
		struct tm back;
		time_t seconds;

		tm.tm_sec = (int)(value % 100);
		tm.tm_min = (int)(value / 100 % 100);
		tm.tm_hour = (int)(value / 10000 % 100);
		tm.tm_mday = (int)(value / 1000000 % 100);
		tm.tm_mon = (int)(value / 100000000 % 100) - 1;
		tm.tm_year = (int)(value / 10000000000ull) - 1900;
		back = tm;
		seconds = timegm(&back);
		if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday || back.tm_hour != tm.tm_hour
		    || back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
			return rdata_expected(r->error, t, "a time as YYYYMMDDHHmmSS");
		cursor_put_be32(&r->out, (uint32_t)seconds);
		return 0;
	}
	if (!rdata_number_from_text(t->text, t->size, UINT32_MAX, &value))
		return rdata_expected(r->error, t, "a time as YYYYMMDDHHmmSS");
	cursor_put_be32(&r->out, (uint32_t)value);
	return 0;
}

/* ---- octets -------------------------------------------------------------- */

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int rdata_read_base64(struct rdata_reader *r)
{
	uint32_t bits = 0;
	unsigned have = 0, padding = 0;
	const struct scan_token *t = rdata_take(r);

	if (!t)
		return -1;
	for (; t < r->end; t++)
		for (uint32_t i = 0; i < t->size; i++) {
			int v = base64_value((uint8_t)t->text[i]);

			if (t->text[i] == '=' && have >= 2 && have + padding < 4) {
				padding++;
				continue;
			}
			if (v < 0 || padding)
				return rdata_expected(r->error, t, "base64");
			bits = bits << 6 | (uint32_t)v;
			if (++have == 4) {
				uint8_t *p = cursor_take(&r->out, 3);

				if (p) {
					p[0] = (uint8_t)(bits >> 16);
					p[1] = (uint8_t)(bits >> 8);
					p[2] = (uint8_t)bits;
				}
				have = 0;
				bits = 0;
			}
		}
	r->token = r->end;
	if (have) {
		/* what the padding stands for must be zero, else it would not come out again */
		if (have + padding != 4 || (have == 2 ? bits & 15 : bits & 3))
			return rdata_fail(r->error, r->end - 1, "the base64 ends in the middle");
		cursor_put_u8(&r->out, (uint8_t)(have == 2 ? bits >> 4 : bits >> 10));
		if (have == 3)
			cursor_put_u8(&r->out, (uint8_t)(bits >> 2));
	}
	return 0;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int rdata_put_hex(struct rdata_reader *r, const struct scan_token *t, const struct scan_token *end)
{
	int high = -1;

	for (; t < end; t++)
		for (uint32_t i = 0; i < t->size; i++) {
			int v = hex_value((uint8_t)t->text[i]);

			if (v < 0)
				return rdata_expected(r->error, t, "hexadecimal digits");
			if (high < 0) {
				high = v;
				continue;
			}
			cursor_put_u8(&r->out, (uint8_t)(high << 4 | v));
			high = -1;
		}
	if (high >= 0)
		return rdata_fail(r->error, end - 1, "an odd number of hexadecimal digits");
	return 0;
}

int rdata_read_hex(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);

	if (!t)
		return -1;
	r->token = r->end;
	return rdata_put_hex(r, t, r->end);
}

int rdata_read_salt(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);

	if (!t)
		return -1;
	if (t->size == 1 && t->text[0] == '-') {
		cursor_put_u8(&r->out, 0);
		return 0;
	}
	if (t->size == 0 || t->size > 510)
		return rdata_expected(r->error, t, "a salt in hexadecimal digits, or -");
	cursor_put_u8(&r->out, (uint8_t)(t->size / 2));
	return rdata_put_hex(r, t, t + 1);
}

/* ---- NSEC, NSEC3, IPSECKEY ----------------------------------------------- */

int rdata_read_next_hashed(struct rdata_reader *r)
{
	const struct scan_token *t = rdata_take(r);
	uint32_t bits = 0;
	unsigned have = 0;

	if (!t)
		return -1;
	/* 1, 3 or 6 digits more than whole groups of 8 stand for no whole octets */
	if (t->size == 0 || t->size > 408 || (1u << t->size % 8 & (1u << 1 | 1u << 3 | 1u << 6)))
		return rdata_expected(r->error, t, "a hashed owner name in base32");
	cursor_put_u8(&r->out, (uint8_t)(t->size * 5 / 8));
	for (uint32_t i = 0; i < t->size; i++) {
		uint8_t c = (uint8_t)t->text[i];
		uint32_t v;

		if (c >= '0' && c <= '9')
			v = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'v')
			v = (c | 0x20u) - 'a' + 10;
		else
			return rdata_expected(r->error, t, "a hashed owner name in base32");
		bits = (bits << 5 | v) & 0xfff;
		have += 5;
		if (have >= 8) {
			have -= 8;
			cursor_put_u8(&r->out, (uint8_t)(bits >> have));
		}
	}
	return 0;
}

int rdata_read_bitmap(struct rdata_reader *r)
{
	uint8_t bits[8192];
	bool window[256] = { false };

	/* only the windows in use are cleared: most have one */
	for (; r->token < r->end; r->token++) {
		uint16_t type;

		if (!rrtype_from_text(r->token->text, r->token->size, &type))
			return rdata_expected(r->error, r->token, "an RR type");
		if (!window[type >> 8]) {
			window[type >> 8] = true;
			memset(bits + (type >> 8) * 32, 0, 32);
		}
		bits[type >> 3] |= (uint8_t)(0x80 >> (type & 7));
	}
	for (unsigned w = 0; w < 256; w++) {
		unsigned size = 32;

		if (!window[w])
			continue;
		while (size > 1 && bits[w * 32 + size - 1] == 0)
			size--;
		cursor_put_u8(&r->out, (uint8_t)w);
		cursor_put_u8(&r->out, (uint8_t)size);
		cursor_put(&r->out, bits + w * 32, size);
	}
	return 0;
}

int rdata_read_gateway(struct rdata_reader *r)
{
	const struct scan_token *t = r->token;

	if (r->out.failed || t == r->end)
		return rdata_fail(r->error, NULL, "the rdata ends too early");
	switch (r->out.base[r->out.at - 2]) {
	case 1: return rdata_read_a(r);
	case 2: return rdata_read_aaaa(r);
	case 3: return rdata_read_name(r);
	case 0:
		if (t->size != 1 || t->text[0] != '.')
			return rdata_expected(r->error, t, "a dot, for the gateway's type says there is none");
		r->token++;
		return 0;
	}
	return rdata_fail(r->error, t - 2, "the gateway's type is none, IPv4, IPv6 or a name: 0 to 3");
}
