/* Rdata from tokens: by the table of layouts, in the form of RFC 3597, or by ldns. */
#include "zone/rdata_internal.h"

#include <string.h>

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

bool rdata_type_is_data(uint16_t type)
{
	return type != 0 && type != TYPE_OPT && (type < 128 || type > 255);
}

static int read_field(struct rdata_reader *r, char field)
{
	switch (field) {
	case 'n': return rdata_read_name(r);
	case '1': return rdata_read_number(r, 1);
	case '2': return rdata_read_number(r, 2);
	case '4': return rdata_read_number(r, 4);
	case 't': return rdata_read_period(r);
	case 'a': return rdata_read_a(r);
	case '6': return rdata_read_aaaa(r);
	case 's': return rdata_read_string(r);
	case 'g': return rdata_read_tag(r);
	case 'A': return rdata_read_algorithm(r);
	case 'Y': return rdata_read_type(r);
	case 'D': return rdata_read_time(r);
	case 'b': return rdata_read_base64(r);
	case 'h': return rdata_read_hex(r);
	case 'l': return rdata_read_salt(r);
	case 'B': return rdata_read_next_hashed(r);
	case 'T': return rdata_read_bitmap(r);
	case 'G': return rdata_read_gateway(r);
	case 'k': return r->token < r->end ? rdata_read_base64(r) : 0;
	case 'v': {
		const struct scan_token *t = rdata_take(r);

		return t ? rdata_read_text(r, t, RDATA_MAX) : -1;
	}
	case 'S':
		do {
			if (rdata_read_string(r) < 0)
				return -1;
		} while (r->token < r->end);
		return 0;
	}
	return rdata_fail(r->error, NULL, "the field %c is unknown", field);
}

/* RFC 3597 5: \# LENGTH HEX… */
static int read_generic(struct rdata_reader *r, uint16_t type)
{
	const struct scan_token *first = r->token++;
	const struct scan_token *t = rdata_take(r);
	uint64_t size;

	if (!t)
		return -1;
	if (!rdata_number_from_text(t->text, t->size, RDATA_MAX, &size))
		return rdata_expected(r->error, t, "the length of the rdata, up to 65535");
	if (rdata_put_hex(r, r->token, r->end) < 0)
		return -1;
	r->token = r->end;
	if (r->out.failed || r->out.at != size)
		return rdata_fail(r->error, t, "the length says %u octets, but %zu follow", (unsigned)size, r->out.at);
	if (!rdata_is_well_formed(type, r->out.base, (size_t)size)) {
		char mnemonic[16];

		return rdata_fail(r->error, first, "these octets are no rdata of type %s", rrtype_to_text(type, mnemonic));
	}
	return 0;
}

int rdata_finish(struct rdata_reader *r, int status)
{
	if (status < 0)
		return -1;
	if (r->out.failed)
		return rdata_fail(r->error, r->end - 1, "rdata longer than 65535 octets");
	if (r->token < r->end)
		return rdata_fail(r->error, r->token, "\"%.*s\" is too much: the rdata has ended",
			r->token->size > 80 ? 80 : (int)r->token->size, r->token->text);
	return (int)r->out.at;
}

static bool is_generic(const struct scan_token *tokens, unsigned count)
{
	return count > 0 && !tokens[0].quoted && tokens[0].size == 2 && memcmp(tokens[0].text, "\\#", 2) == 0;
}

int rdata_from_tokens(uint16_t type, const struct scan_token *tokens, unsigned count, const uint8_t *origin,
	uint8_t *rdata, struct rdata_error *error)
{
	struct rdata_reader r = { .token = tokens, .end = tokens + count, .origin = origin,
		.out = cursor_over(rdata, RDATA_MAX), .error = error };
	const char *fields;

	if (is_generic(tokens, count))
		return rdata_finish(&r, read_generic(&r, type));
	fields = layout_of(type);
	if (!fields)
		return rdata_finish(&r, rdata_read_by_ldns(&r, type));
	for (; *fields; fields++)
		if (read_field(&r, *fields) < 0)
			return -1;
	return rdata_finish(&r, 0);
}
