/* RR types: numbers, mnemonics, and what their rdata holds. */
#ifndef WIRE_RRTYPE_H
#define WIRE_RRTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TYPE_A = 1, TYPE_NS = 2, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_PTR = 12, TYPE_MX = 15, TYPE_TXT = 16,
	TYPE_NSAP_PTR = 23, TYPE_AAAA = 28, TYPE_SRV = 33, TYPE_NAPTR = 35, TYPE_DNAME = 39, TYPE_OPT = 41, TYPE_DS = 43,
	TYPE_RRSIG = 46, TYPE_NSEC = 47, TYPE_DNSKEY = 48, TYPE_NSEC3 = 50, TYPE_NSEC3PARAM = 51,
	TYPE_CDS = 59, TYPE_CDNSKEY = 60, TYPE_ZONEMD = 63, TYPE_SVCB = 64, TYPE_HTTPS = 65,
	TYPE_TKEY = 249, TYPE_TSIG = 250, TYPE_IXFR = 251, TYPE_AXFR = 252, TYPE_MAILB = 253,
	TYPE_MAILA = 254, TYPE_ANY = 255,
};
enum { CLASS_IN = 1, CLASS_CH = 3, CLASS_NONE = 254, CLASS_ANY = 255 };
enum { RCODE_NOERROR = 0, RCODE_FORMERR = 1, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_NOTIMP = 4,
       RCODE_REFUSED = 5, RCODE_YXDOMAIN = 6, RCODE_NOTAUTH = 9, RCODE_BADVERS = 16, RCODE_BADCOOKIE = 23 };
enum { OPCODE_QUERY = 0, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5 };

/* Mnemonic ("A", "TYPE65280") into buf of 16 octets. */
const char *rrtype_to_text(uint16_t type, char *buf);
/* Any case; "TYPEnnn" too. false: unknown. */
bool rrtype_from_text(const char *text, size_t size, uint16_t *type);

/* The names in an rdata: fills at[] with the offsets of uncompressed wire
 * names, the first max of them. compressible: may these be compressed in a
 * response (RFC 3597 4)? additional: index into at[] of the name whose addresses
 * belong into the additional section, or -1. Returns the count, which may be
 * more than max: HIP has any number of servers (RFC 8005 5), all other types at
 * most RRTYPE_FIXED_NAMES; or -1 when the rdata is malformed for a type whose
 * layout we know. Types without names: 0. */
enum { RRTYPE_FIXED_NAMES = 2 };
int rrtype_rdata_names(uint16_t type, const uint8_t *rdata, size_t size, uint16_t *at, unsigned max,
	bool *compressible, int *additional);
/* Whether two rdata of size octets each are one record's: names compare without
 * regard to letter case, the octets around them with it. Malformed rdata, and
 * that of types whose layout we do not know: octet by octet. */
bool rrtype_rdata_equal(uint16_t type, const uint8_t *a, const uint8_t *b, size_t size);

#endif
