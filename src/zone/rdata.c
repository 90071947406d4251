#include "zone/rdata.h"

#include <arpa/inet.h>
#include <ldns/ldns.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/bytes.h"
#include "wire/name.h"
#include "wire/rrtype.h"

/*
 * Fields: n name, 1 2 4 numbers of so many octets, t a TTL, a A, 6 AAAA,
 * s one string, S strings to the end, v text to the end (no length octet),
 * g a CAA tag, A a DNSSEC algorithm, Y a type, D a time of an RRSIG, b base64
 * to the end, h hex to the end, l hex with a length octet ("-": none), B the
 * next hashed owner of NSEC3, T a bitmap of types to the end, G the gateway of
 * the type that stands two octets before in the rdata, k base64 or nothing.
 * (IPSECKEY is here because ldns 1.8 loses memory where it is malformed,
 * NSAP-PTR because it takes a string for the name of RFC 1348.)
 */
static const struct { uint16_t type; const char *fields; } layouts[] = {
	{ TYPE_A, "a" }, { TYPE_NS, "n" }, { TYPE_CNAME, "n" }, { TYPE_SOA, "nn4tttt" },
	{ TYPE_PTR, "n" }, { 13 /* HINFO */, "ss" }, { TYPE_MX, "2n" }, { TYPE_TXT, "S" },
	{ 17 /* RP */, "nn" }, { 18 /* AFSDB */, "2n" }, { TYPE_NSAP_PTR, "n" }, { TYPE_AAAA, "6" }, { TYPE_SRV, "222n" },
	{ TYPE_NAPTR, "22sssn" }, { 36 /* KX */, "2n" }, { TYPE_DNAME, "n" }, { TYPE_DS, "2A1h" },
	{ 44 /* SSHFP */, "11h" }, { 45 /* IPSECKEY */, "111Gk" }, { TYPE_RRSIG, "YA14DD2nb" }, { TYPE_NSEC, "nT" }, { TYPE_DNSKEY, "21Ab" },
	{ 49 /* DHCID */, "b" }, { TYPE_NSEC3, "112lBT" }, { TYPE_NSEC3PARAM, "112l" },
	{ 52 /* TLSA */, "111h" }, { 53 /* SMIMEA */, "111h" }, { TYPE_CDS, "2A1h" },
	{ TYPE_CDNSKEY, "21Ab" }, { 61 /* OPENPGPKEY */, "b" }, { 62 /* CSYNC */, "42T" },
	{ TYPE_ZONEMD, "411h" }, { 99 /* SPF */, "S" }, { 256 /* URI */, "22v" }, { 257 /* CAA */, "1gv" },
};

static const char *layout_of(uint16_t type)
{
	size_t low = 0, high = sizeof(layouts) / sizeof(layouts[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (layouts[middle].type == type)
			return layouts[middle].fields;
		if (layouts[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct reader {
	const struct scan_token *token, *end;
	const uint8_t *origin;
	struct cursor out;
	struct rdata_error *error;
};

static int __attribute__((format(printf, 3, 4))) fail(struct rdata_error *e, const struct scan_token *token,
	const char *fmt, ...)
{
	va_list ap;

	e->token = token;
	va_start(ap, fmt);
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	return -1;
}

/* "what: expected …, not "text"", the text cut where it is long. */
static int expected(struct rdata_error *e, const struct scan_token *token, const char *what)
{
	int size = token->size > 80 ? 80 : (int)token->size;

	return fail(e, token, "expected %s, not \"%.*s%s\"", what, size, token->text, token->size > 80 ? "…" : "");
}

bool rdata_type_is_data(uint16_t type)
{
	return type != 0 && type != TYPE_OPT && (type < 128 || type > 255);
}

static bool number_from_text(const char *text, size_t size, uint64_t max, uint64_t *value)
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

static const struct scan_token *take(struct reader *r)
{
	if (r->token == r->end) {
		fail(r->error, NULL, "the rdata ends too early");
		return NULL;
	}
	return r->token++;
}

static int read_number(struct reader *r, unsigned octets)
{
	static const char *const what[] = { "", "a number from 0 to 255", "a number from 0 to 65535", "",
		"a number from 0 to 4294967295" };
	const struct scan_token *t = take(r);
	uint64_t value;

	if (!t)
		return -1;
	if (!number_from_text(t->text, t->size, (1ull << 8 * octets) - 1, &value))
		return expected(r->error, t, what[octets]);
	if (octets == 1)
		cursor_put_u8(&r->out, (uint8_t)value);
	else if (octets == 2)
		cursor_put_be16(&r->out, (uint16_t)value);
	else
		cursor_put_be32(&r->out, (uint32_t)value);
	return 0;
}

static int read_period(struct reader *r)
{
	const struct scan_token *t = take(r);
	uint32_t period;

	if (!t)
		return -1;
	if (!period_from_text(t->text, t->size, UINT32_MAX, &period))
		return expected(r->error, t, "a time in seconds or with units (1h30m)");
	cursor_put_be32(&r->out, period);
	return 0;
}

static int read_name(struct reader *r)
{
	const struct scan_token *t = take(r);
	uint8_t name[NAME_MAX_SIZE];
	const char *reason = "";
	size_t size;

	if (!t)
		return -1;
	size = name_from_text(name, t->text, t->size, r->origin, true, &reason);
	if (!size)
		return fail(r->error, t, "\"%.*s%s\" is no domain name: %s", t->size > 80 ? 80 : (int)t->size, t->text,
			t->size > 80 ? "…" : "", reason);
	cursor_put(&r->out, name, size);
	return 0;
}

static int read_a(struct reader *r)
{
	const struct scan_token *t = take(r);
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
		return expected(r->error, t, "an IPv4 address");
	cursor_put_be32(&r->out, address);
	return 0;
}

static int read_aaaa(struct reader *r)
{
	const struct scan_token *t = take(r);
	char text[64];
	uint8_t address[16];

	if (!t)
		return -1;
	if (t->size >= sizeof(text))
		return expected(r->error, t, "an IPv6 address");
	memcpy(text, t->text, t->size);
	text[t->size] = '\0';
	if (inet_pton(AF_INET6, text, address) != 1)
		return expected(r->error, t, "an IPv6 address");
	cursor_put(&r->out, address, 16);
	return 0;
}

/* The octets of a token, escapes resolved; limit: of octets. */
static int read_text(struct reader *r, const struct scan_token *t, size_t limit)
{
	size_t octets = 0;

	for (uint32_t i = 0; i < t->size; octets++) {
		uint8_t c = (uint8_t)t->text[i++];

		if (octets == limit)
			return fail(r->error, t, "a string longer than %zu octets: split it into several", limit);
		if (c == '\\') {
			if (i == t->size)
				return expected(r->error, t, "something behind the last backslash");
			c = (uint8_t)t->text[i++];
			if (c >= '0' && c <= '9') {
				unsigned v;

				if (t->size - i < 2 || t->text[i] < '0' || t->text[i] > '9' || t->text[i + 1] < '0' || t->text[i + 1] > '9')
					return expected(r->error, t, "three digits behind a backslash (\\DDD)");
				v = (unsigned)(c - '0') * 100 + (unsigned)(t->text[i] - '0') * 10 + (unsigned)(t->text[i + 1] - '0');
				if (v > 255)
					return expected(r->error, t, "\\DDD up to \\255");
				c = (uint8_t)v;
				i += 2;
			}
		}
		cursor_put_u8(&r->out, c);
	}
	return 0;
}

static int read_string(struct reader *r)
{
	const struct scan_token *t = take(r);
	uint8_t *length;
	size_t begin;

	if (!t)
		return -1;
	length = cursor_take(&r->out, 1);
	begin = r->out.at;
	if (!length)
		return 0;   /* the cursor has failed: told at the end */
	if (read_text(r, t, 255) < 0)
		return -1;
	*length = (uint8_t)(r->out.at - begin);
	return 0;
}

static int read_tag(struct reader *r)
{
	const struct scan_token *t = take(r);

	if (!t)
		return -1;
	if (t->size == 0 || t->size > 255)
		return expected(r->error, t, "a CAA tag");
	for (uint32_t i = 0; i < t->size; i++) {
		char c = t->text[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')))
			return expected(r->error, t, "a CAA tag of letters and digits");
	}
	cursor_put_u8(&r->out, (uint8_t)t->size);
	cursor_put(&r->out, t->text, t->size);
	return 0;
}

static int read_algorithm(struct reader *r)
{
	const struct scan_token *t = take(r);
	const ldns_lookup_table *row;
	uint64_t value;

	if (!t)
		return -1;
	if (number_from_text(t->text, t->size, 255, &value)) {
		cursor_put_u8(&r->out, (uint8_t)value);
		return 0;
	}
	for (row = ldns_algorithms; row->name; row++)
		if (strlen(row->name) == t->size && strncasecmp(row->name, t->text, t->size) == 0) {
			cursor_put_u8(&r->out, (uint8_t)row->id);
			return 0;
		}
	return expected(r->error, t, "a DNSSEC algorithm");
}

static int read_type(struct reader *r)
{
	const struct scan_token *t = take(r);
	uint16_t type;

	if (!t)
		return -1;
	if (!rrtype_from_text(t->text, t->size, &type))
		return expected(r->error, t, "an RR type");
	cursor_put_be16(&r->out, type);
	return 0;
}

/* RFC 4034 3.2: YYYYMMDDHHmmSS, or seconds since 1970. */
static int read_time(struct reader *r)
{
	const struct scan_token *t = take(r);
	uint64_t value;

	if (!t)
		return -1;
	if (t->size == 14 && number_from_text(t->text, 14, UINT64_MAX / 10, &value)) {
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
			return expected(r->error, t, "a time as YYYYMMDDHHmmSS");
		cursor_put_be32(&r->out, (uint32_t)seconds);
		return 0;
	}
	if (!number_from_text(t->text, t->size, UINT32_MAX, &value))
		return expected(r->error, t, "a time as YYYYMMDDHHmmSS");
	cursor_put_be32(&r->out, (uint32_t)value);
	return 0;
}

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

/* RFC 4648 4, split by blanks anywhere. */
static int read_base64(struct reader *r)
{
	uint32_t bits = 0;
	unsigned have = 0, padding = 0;
	const struct scan_token *t = take(r);

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
				return expected(r->error, t, "base64");
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
			return fail(r->error, r->end - 1, "the base64 ends in the middle");
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

static int put_hex(struct reader *r, const struct scan_token *t, const struct scan_token *end)
{
	int high = -1;

	for (; t < end; t++)
		for (uint32_t i = 0; i < t->size; i++) {
			int v = hex_value((uint8_t)t->text[i]);

			if (v < 0)
				return expected(r->error, t, "hexadecimal digits");
			if (high < 0) {
				high = v;
				continue;
			}
			cursor_put_u8(&r->out, (uint8_t)(high << 4 | v));
			high = -1;
		}
	if (high >= 0)
		return fail(r->error, end - 1, "an odd number of hexadecimal digits");
	return 0;
}

static int read_hex(struct reader *r)
{
	const struct scan_token *t = take(r);

	if (!t)
		return -1;
	r->token = r->end;
	return put_hex(r, t, r->end);
}

static int read_salt(struct reader *r)
{
	const struct scan_token *t = take(r);

	if (!t)
		return -1;
	if (t->size == 1 && t->text[0] == '-') {
		cursor_put_u8(&r->out, 0);
		return 0;
	}
	if (t->size == 0 || t->size > 510)
		return expected(r->error, t, "a salt in hexadecimal digits, or -");
	cursor_put_u8(&r->out, (uint8_t)(t->size / 2));
	return put_hex(r, t, t + 1);
}

/* RFC 5155 3.3: base32 with the extended hex alphabet, no padding. */
static int read_next_hashed(struct reader *r)
{
	const struct scan_token *t = take(r);
	uint32_t bits = 0;
	unsigned have = 0;

	if (!t)
		return -1;
	/* 1, 3 or 6 digits more than whole groups of 8 stand for no whole octets */
	if (t->size == 0 || t->size > 408 || (1u << t->size % 8 & (1u << 1 | 1u << 3 | 1u << 6)))
		return expected(r->error, t, "a hashed owner name in base32");
	cursor_put_u8(&r->out, (uint8_t)(t->size * 5 / 8));
	for (uint32_t i = 0; i < t->size; i++) {
		uint8_t c = (uint8_t)t->text[i];
		uint32_t v;

		if (c >= '0' && c <= '9')
			v = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'v')
			v = (c | 0x20u) - 'a' + 10;
		else
			return expected(r->error, t, "a hashed owner name in base32");
		bits = (bits << 5 | v) & 0xfff;
		have += 5;
		if (have >= 8) {
			have -= 8;
			cursor_put_u8(&r->out, (uint8_t)(bits >> have));
		}
	}
	return 0;
}

/* RFC 4034 4.1.2 */
static int read_bitmap(struct reader *r)
{
	uint8_t bits[8192];
	bool window[256] = { false };

	/* only the windows in use are cleared: most have one */
	for (; r->token < r->end; r->token++) {
		uint16_t type;

		if (!rrtype_from_text(r->token->text, r->token->size, &type))
			return expected(r->error, r->token, "an RR type");
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

/* RFC 4025 2.5: none, IPv4, IPv6 or a name, which stays as it is. */
static int read_gateway(struct reader *r)
{
	const struct scan_token *t = r->token;

	if (r->out.failed || t == r->end)
		return fail(r->error, NULL, "the rdata ends too early");
	switch (r->out.base[r->out.at - 2]) {
	case 1: return read_a(r);
	case 2: return read_aaaa(r);
	case 3: return read_name(r);
	case 0:
		if (t->size != 1 || t->text[0] != '.')
			return expected(r->error, t, "a dot, for the gateway's type says there is none");
		r->token++;
		return 0;
	}
	return fail(r->error, t - 2, "the gateway's type is none, IPv4, IPv6 or a name: 0 to 3");
}

static int read_field(struct reader *r, char field)
{
	switch (field) {
	case 'n': return read_name(r);
	case '1': return read_number(r, 1);
	case '2': return read_number(r, 2);
	case '4': return read_number(r, 4);
	case 't': return read_period(r);
	case 'a': return read_a(r);
	case '6': return read_aaaa(r);
	case 's': return read_string(r);
	case 'g': return read_tag(r);
	case 'A': return read_algorithm(r);
	case 'Y': return read_type(r);
	case 'D': return read_time(r);
	case 'b': return read_base64(r);
	case 'h': return read_hex(r);
	case 'l': return read_salt(r);
	case 'B': return read_next_hashed(r);
	case 'T': return read_bitmap(r);
	case 'G': return read_gateway(r);
	case 'k': return r->token < r->end ? read_base64(r) : 0;
	case 'v': {
		const struct scan_token *t = take(r);

		return t ? read_text(r, t, RDATA_MAX) : -1;
	}
	case 'S':
		do {
			if (read_string(r) < 0)
				return -1;
		} while (r->token < r->end);
		return 0;
	}
	return fail(r->error, NULL, "the field %c is unknown", field);
}

/* ---- by ldns -------------------------------------------------------------- */

/* NULL: ldns does not know the type, or has another than a name in NSAP-PTR. */
static const ldns_rr_descriptor *descriptor_of(uint16_t type)
{
	const ldns_rr_descriptor *d = ldns_rr_descript(type);

	/* for what it does not know ldns gives a row of its own, with type 0 */
	return d && d->_type == (ldns_rr_type)type && type != TYPE_NSAP_PTR ? d : NULL;
}

/* Rdata that came as octets: is it what the type wants? */
static bool rdata_is_well_formed(uint16_t type, const uint8_t *rdata, size_t size)
{
	bool compressible;
	int additional;
	uint8_t *wire;
	ldns_rr *rr = NULL;
	size_t used = 0, sum = 0;
	bool good;

	if (rrtype_rdata_names(type, rdata, size, NULL, 0, &compressible, &additional) < 0)
		return false;
	if (!descriptor_of(type))
		return true;
	wire = malloc(11 + size);
	if (!wire)
		return false;
	memset(wire, 0, 11);
	store_be16(wire + 1, type);
	store_be16(wire + 3, CLASS_IN);
	store_be16(wire + 9, (uint16_t)size);
	memcpy(wire + 11, rdata, size);
	good = ldns_wire2rr(&rr, wire, 11 + size, &used, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK && used == 11 + size;
	if (good) {
		/* a compressed name would come back longer than it went in */
		for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
			sum += ldns_rr_rdf(rr, i) ? ldns_rdf_size(ldns_rr_rdf(rr, i)) : 0;
		good = sum == size;
	}
	ldns_rr_free(rr);
	free(wire);
	return good;
}

/* RFC 3597 5: \# LENGTH HEX… */
static int read_generic(struct reader *r, uint16_t type)
{
	const struct scan_token *first = r->token++;
	const struct scan_token *t = take(r);
	uint64_t size;

	if (!t)
		return -1;
	if (!number_from_text(t->text, t->size, RDATA_MAX, &size))
		return expected(r->error, t, "the length of the rdata, up to 65535");
	if (put_hex(r, r->token, r->end) < 0)
		return -1;
	r->token = r->end;
	if (r->out.failed || r->out.at != size)
		return fail(r->error, t, "the length says %u octets, but %zu follow", (unsigned)size, r->out.at);
	if (!rdata_is_well_formed(type, r->out.base, (size_t)size)) {
		char mnemonic[16];

		return fail(r->error, first, "these octets are no rdata of type %s", rrtype_to_text(type, mnemonic));
	}
	return 0;
}

/* Which token does ldns not like? Only a guess where a field is made of
 * several tokens. */
static const struct scan_token *wrong_token(const ldns_rr_descriptor *d, const struct scan_token *tokens, unsigned count)
{
	for (unsigned i = 0; i < count && i < ldns_rr_descriptor_minimum(d); i++) {
		ldns_rdf *rdf;
		char *text = strndup(tokens[i].text, tokens[i].size);

		if (!text)
			return NULL;
		rdf = ldns_rdf_new_frm_str(ldns_rr_descriptor_field_type(d, i), text);
		free(text);
		if (!rdf)
			return &tokens[i];
		ldns_rdf_deep_free(rdf);
	}
	return count ? &tokens[count - 1] : NULL;
}

static char *line_for_ldns(uint16_t type, const struct scan_token *tokens, unsigned count)
{
	char mnemonic[16], *line, *p;
	size_t size = 64;

	for (unsigned i = 0; i < count; i++)
		size += tokens[i].size + 3;
	line = malloc(size);
	if (!line)
		return NULL;
	p = line + sprintf(line, ". 0 IN %s", rrtype_to_text(type, mnemonic));
	for (unsigned i = 0; i < count; i++) {
		*p++ = ' ';
		if (tokens[i].quoted)
			*p++ = '"';
		memcpy(p, tokens[i].text, tokens[i].size);
		p += tokens[i].size;
		if (tokens[i].quoted)
			*p++ = '"';
	}
	*p = '\0';
	return line;
}

static int read_by_ldns(struct reader *r, uint16_t type)
{
	const ldns_rr_descriptor *d = descriptor_of(type);
	unsigned count = (unsigned)(r->end - r->token);
	char mnemonic[16], *line;
	ldns_rdf *origin;
	ldns_rr *rr = NULL;
	ldns_status status;
	bool empty = true;

	rrtype_to_text(type, mnemonic);
	if (!d)
		return fail(r->error, r->token < r->end ? r->token : NULL,
			"rdata of type %s is written as \\# LENGTH HEX (RFC 3597)", mnemonic);
	/* LOC alone: ldns takes a token apart for which none is there */
	if (count < ldns_rr_descriptor_minimum(d))
		return fail(r->error, NULL, "the rdata of type %s ends too early", mnemonic);
	line = line_for_ldns(type, r->token, count);
	origin = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name_length(r->origin, NAME_MAX_SIZE), r->origin);
	if (!line || !origin) {
		free(line);
		ldns_rdf_deep_free(origin);
		return fail(r->error, NULL, "out of memory");
	}
	status = ldns_rr_new_frm_str(&rr, line, 0, origin, NULL);
	free(line);
	ldns_rdf_deep_free(origin);
	if (status != LDNS_STATUS_OK)
		return fail(r->error, wrong_token(d, r->token, count), "no rdata of type %s: %s", mnemonic,
			ldns_get_errorstr_by_id(status));
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

		if (!rdf)
			continue;
		empty = false;
		cursor_put(&r->out, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	}
	ldns_rr_free(rr);
	if (empty && ldns_rr_descriptor_minimum(d) > 0)
		return fail(r->error, NULL, "the rdata of type %s ends too early", mnemonic);
	if (!r->out.failed && !rdata_is_well_formed(type, r->out.base, r->out.at))
		return fail(r->error, r->token < r->end ? r->token : NULL, "no rdata of type %s", mnemonic);
	r->token = r->end;
	return 0;
}

static int finish(struct reader *r, int status)
{
	if (status < 0)
		return -1;
	if (r->out.failed)
		return fail(r->error, r->end - 1, "rdata longer than 65535 octets");
	if (r->token < r->end)
		return fail(r->error, r->token, "\"%.*s\" is too much: the rdata has ended",
			r->token->size > 80 ? 80 : (int)r->token->size, r->token->text);
	return (int)r->out.at;
}

static bool is_generic(const struct scan_token *tokens, unsigned count)
{
	return count > 0 && !tokens[0].quoted && tokens[0].size == 2 && memcmp(tokens[0].text, "\\#", 2) == 0;
}

int rdata_from_tokens_by_ldns(uint16_t type, const struct scan_token *tokens, unsigned count,
	const uint8_t *origin, uint8_t *rdata, struct rdata_error *error)
{
	struct reader r = { .token = tokens, .end = tokens + count, .origin = origin,
		.out = cursor_over(rdata, RDATA_MAX), .error = error };

	return finish(&r, read_by_ldns(&r, type));
}

int rdata_from_tokens(uint16_t type, const struct scan_token *tokens, unsigned count, const uint8_t *origin,
	uint8_t *rdata, struct rdata_error *error)
{
	struct reader r = { .token = tokens, .end = tokens + count, .origin = origin,
		.out = cursor_over(rdata, RDATA_MAX), .error = error };
	const char *fields;

	if (is_generic(tokens, count))
		return finish(&r, read_generic(&r, type));
	fields = layout_of(type);
	if (!fields)
		return finish(&r, read_by_ldns(&r, type));
	for (; *fields; fields++)
		if (read_field(&r, *fields) < 0)
			return -1;
	return finish(&r, 0);
}
