#include "wire/rrtype.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "wire/name.h"

/* The registry, in the order of numbers. */
static const struct mnemonic { uint16_t type; const char *text; } mnemonics[] = {
	{ 1, "A" }, { 2, "NS" }, { 3, "MD" }, { 4, "MF" }, { 5, "CNAME" }, { 6, "SOA" }, { 7, "MB" },
	{ 8, "MG" }, { 9, "MR" }, { 10, "NULL" }, { 11, "WKS" }, { 12, "PTR" }, { 13, "HINFO" },
	{ 14, "MINFO" }, { 15, "MX" }, { 16, "TXT" }, { 17, "RP" }, { 18, "AFSDB" }, { 19, "X25" },
	{ 20, "ISDN" }, { 21, "RT" }, { 22, "NSAP" }, { 23, "NSAP-PTR" }, { 24, "SIG" }, { 25, "KEY" },
	{ 26, "PX" }, { 27, "GPOS" }, { 28, "AAAA" }, { 29, "LOC" }, { 30, "NXT" }, { 31, "EID" },
	{ 32, "NIMLOC" }, { 33, "SRV" }, { 34, "ATMA" }, { 35, "NAPTR" }, { 36, "KX" }, { 37, "CERT" },
	{ 38, "A6" }, { 39, "DNAME" }, { 40, "SINK" }, { 41, "OPT" }, { 42, "APL" }, { 43, "DS" },
	{ 44, "SSHFP" }, { 45, "IPSECKEY" }, { 46, "RRSIG" }, { 47, "NSEC" }, { 48, "DNSKEY" },
	{ 49, "DHCID" }, { 50, "NSEC3" }, { 51, "NSEC3PARAM" }, { 52, "TLSA" }, { 53, "SMIMEA" },
	{ 55, "HIP" }, { 56, "NINFO" }, { 57, "RKEY" }, { 58, "TALINK" }, { 59, "CDS" }, { 60, "CDNSKEY" },
	{ 61, "OPENPGPKEY" }, { 62, "CSYNC" }, { 63, "ZONEMD" }, { 64, "SVCB" }, { 65, "HTTPS" },
	{ 66, "DSYNC" }, { 99, "SPF" }, { 100, "UINFO" }, { 101, "UID" }, { 102, "GID" }, { 103, "UNSPEC" },
	{ 104, "NID" }, { 105, "L32" }, { 106, "L64" }, { 107, "LP" }, { 108, "EUI48" }, { 109, "EUI64" },
	{ 128, "NXNAME" }, { 249, "TKEY" }, { 250, "TSIG" }, { 251, "IXFR" }, { 252, "AXFR" },
	{ 253, "MAILB" }, { 254, "MAILA" }, { 255, "ANY" }, { 256, "URI" }, { 257, "CAA" }, { 258, "AVC" },
	{ 259, "DOA" }, { 260, "AMTRELAY" }, { 261, "RESINFO" }, { 262, "WALLET" }, { 263, "CLA" },
	{ 264, "IPN" }, { 32768, "TA" }, { 32769, "DLV" },
};
#define MNEMONICS (sizeof mnemonics / sizeof mnemonics[0])

static int compare_type(const void *key, const void *row)
{
	return (int)*(const uint16_t *)key - (int)((const struct mnemonic *)row)->type;
}

const char *rrtype_to_text(uint16_t type, char *buf)
{
	const struct mnemonic *m = bsearch(&type, mnemonics, MNEMONICS, sizeof mnemonics[0], compare_type);

	if (m)
		snprintf(buf, 16, "%s", m->text);
	else
		snprintf(buf, 16, "TYPE%u", type);
	return buf;
}

static bool number_from_text(const char *text, size_t size, uint16_t *type)
{
	unsigned v = 0;

	if (!size || size > 5)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > 65535)
		return false;
	*type = (uint16_t)v;
	return true;
}

bool rrtype_from_text(const char *text, size_t size, uint16_t *type)
{
	for (size_t i = 0; i < MNEMONICS; i++)
		if (strlen(mnemonics[i].text) == size && !strncasecmp(mnemonics[i].text, text, size)) {
			*type = mnemonics[i].type;
			return true;
		}
	return size > 4 && !strncasecmp(text, "TYPE", 4) && number_from_text(text + 4, size - 4, type);
}

/* Rdata as a row of fields, for the types whose rdata holds names; also for
 * those of a fixed length. Digits are fields of so many octets, 'n' a name,
 * 's' a character-string, 'r' the rest (may be empty), 'N' names up to the
 * end, 'g' IPSECKEY (RFC 4025 2), 'm' AMTRELAY (RFC 8777 4.2), 'h' HIP up to
 * its servers (RFC 8005 5). */
static const struct layout {
	uint16_t type;
	bool compressible;
	int8_t additional;      /* which name's addresses are worth adding */
	const char *fields;
} layouts[] = {
	{ 1, false, -1, "4" }, { 28, false, -1, "88" },
	{ 2, true, 0, "n" }, { 3, true, -1, "n" }, { 4, true, -1, "n" }, { 5, true, -1, "n" },
	{ 6, true, -1, "nn488" }, { 7, true, -1, "n" }, { 8, true, -1, "n" }, { 9, true, -1, "n" },
	{ 12, true, -1, "n" }, { 14, true, -1, "nn" }, { 15, true, 0, "2n" },
	{ 17, false, -1, "nn" }, { 18, false, 0, "2n" }, { 21, false, 0, "2n" }, { 23, false, -1, "n" },
	{ 24, false, -1, "882nr" }, { 26, false, -1, "2nn" }, { 30, false, -1, "nr" },
	{ 33, false, 0, "6n" }, { 35, false, -1, "4sssn" }, { 36, false, 0, "2n" }, { 39, false, -1, "n" },
	{ 45, false, -1, "g" }, { 46, false, -1, "882nr" }, { 47, false, -1, "nr" }, { 55, false, -1, "hN" },
	{ 58, false, -1, "nn" }, { 64, false, 0, "2nr" }, { 65, false, 0, "2nr" }, { 107, false, -1, "2n" },
	{ 260, false, -1, "m" },
};

/* other: rdata of the same size to compare with, or NULL; same: as far as
 * the end of the last name, at compared. */
struct name_list {
	uint16_t *at;
	unsigned max;
	int count;
	const uint8_t *other;
	size_t compared;
	bool same;
};

/* The octets up to a name, and the name. */
static void compare_name(const struct cursor *c, size_t size, struct name_list *list)
{
	list->same = list->same && memcmp(c->base + list->compared, list->other + list->compared, c->at - list->compared) == 0 &&
		name_equal(c->base + c->at, list->other + c->at, size);
	list->compared = c->at + size;
}

static void take_name(struct cursor *c, struct name_list *list)
{
	size_t size = c->failed ? 0 : name_length(c->base + c->at, c->size - c->at);

	if (!size) {
		c->failed = true;
		return;
	}
	if (list->other)
		compare_name(c, size, list);
	if ((unsigned)list->count < list->max)
		list->at[list->count] = (uint16_t)c->at;
	list->count++;
	c->at += size;
}

/* An address, a name or nothing, as kind says. */
static void take_gateway(struct cursor *c, unsigned kind, struct name_list *list)
{
	if (kind == 1)
		cursor_take(c, 4);
	else if (kind == 2)
		cursor_take(c, 16);
	else if (kind == 3)
		take_name(c, list);
	else if (kind != 0)
		c->failed = true;
}

static void take_ipseckey(struct cursor *c, struct name_list *list)
{
	uint8_t kind;

	cursor_get_u8(c);       /* precedence */
	kind = cursor_get_u8(c);
	cursor_get_u8(c);       /* algorithm */
	take_gateway(c, kind, list);
	if (!c->failed)
		c->at = c->size;        /* the key */
}

static void take_amtrelay(struct cursor *c, struct name_list *list)
{
	cursor_get_u8(c);       /* precedence */
	take_gateway(c, cursor_get_u8(c) & 0x7f, list);         /* beside the discovery bit */
}

static void take_hip(struct cursor *c)
{
	uint8_t hit = cursor_get_u8(c);
	uint16_t key;

	cursor_get_u8(c);
	key = cursor_get_be16(c);
	cursor_take(c, (size_t)hit + key);
}

static void take_field(struct cursor *c, char field, struct name_list *list)
{
	switch (field) {
	case 'n':
		take_name(c, list);
		break;
	case 's':
		cursor_take(c, cursor_get_u8(c));
		break;
	case 'r':
		if (!c->failed)
			c->at = c->size;
		break;
	case 'N':
		while (cursor_left(c))
			take_name(c, list);
		break;
	case 'g':
		take_ipseckey(c, list);
		break;
	case 'm':
		take_amtrelay(c, list);
		break;
	case 'h':
		take_hip(c);
		break;
	default:
		cursor_take(c, (size_t)(field - '0'));
	}
}

static const struct layout *layout_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

/* false: malformed. */
static bool walk(const struct layout *layout, const uint8_t *rdata, size_t size, struct name_list *list)
{
	struct cursor c = cursor_over(rdata, size);

	for (const char *f = layout->fields; *f; f++)
		take_field(&c, *f, list);
	return !c.failed && !cursor_left(&c);
}

int rrtype_rdata_names(uint16_t type, const uint8_t *rdata, size_t size, uint16_t *at, unsigned max,
	bool *compressible, int *additional)
{
	struct name_list list = { .at = at, .max = max };
	const struct layout *layout = layout_of(type);

	*compressible = false;
	*additional = -1;
	if (!layout)
		return 0;
	if (!walk(layout, rdata, size, &list))
		return -1;
	*compressible = layout->compressible;
	*additional = layout->additional;
	return list.count;
}

bool rrtype_rdata_equal(uint16_t type, const uint8_t *a, const uint8_t *b, size_t size)
{
	struct name_list list = { .other = b, .same = true };
	const struct layout *layout = layout_of(type);

	if (memcmp(a, b, size) == 0)
		return true;
	return layout && walk(layout, a, size, &list) && list.same &&
		memcmp(a + list.compared, b + list.compared, size - list.compared) == 0;
}
