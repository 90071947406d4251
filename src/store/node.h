/*
 * A node of an image: one owner name with all that it owns. FORMAT.md is the
 * contract; this file is its reading side. All numbers are little-endian and
 * may be unaligned (a small image lies in a leaf page).
 *
 * node:   size u32 (multiple of 8) | flags u16 | owner_size u8 | owner_labels u8
 *         | rrsets u16 | 0 u16 | 0 u32
 *         | rrsets × entry | owner (relative name, case as it came) | blobs
 * entry:  type u16 | count u16 | sig_count u16 | entry_flags u16 | at u32
 *         | wire_size u16 | sigs_size u16 | patches u16 | targets u16
 *         sorted by type; at = offset of the blob from the node's start, or,
 *         with ENTRY_FAR, the place (8-byte units of the data space) where the
 *         blob lies by itself in a chunk of its own: nodes never exceed a chunk.
 * blob:   wire | sigs | patches × u16 | targets × u16
 *         wire = count whole RRs, as they go into a response: owner C0 0C
 *         (the question's name) | type | class | ttl | rdlength | rdata; in
 *         rdata of the types that may be compressed (RFC 3597 4) a name inside
 *         the zone ends in a pointer to the apex, C0 00, which the composer
 *         sets: patches lists where (offsets in wire, of the two octets).
 *         rdlength is of the compressed form. Where the apex is the root there
 *         are no such pointers. sigs = the RRSIG RRs that cover the RRset,
 *         same form. targets: offsets in wire of rdata names whose addresses
 *         belong into the additional section (NS, MX, SRV, SVCB, HTTPS, ...)
 *         and lie in the zone (relative labels, then the pointer or the rest).
 * An RRSIG whose covered RRset is absent is stored under type RRSIG, count
 * records in wire.
 */
#ifndef STORE_NODE_H
#define STORE_NODE_H

#include "base/bytes.h"

enum {
	NODE_APEX       = 1 << 0,
	NODE_CUT        = 1 << 1,  /* NS below the apex */
	NODE_DNAME      = 1 << 2,
	NODE_OCCLUDED   = 1 << 3,  /* below a cut or a DNAME: glue, or never answered */
	NODE_ENT        = 1 << 4,  /* empty non-terminal: rrsets == 0 */
	NODE_WILD_CHILD = 1 << 5,  /* "*.<this>" exists */
	NODE_CNAME      = 1 << 6,
	NODE_GONE       = 1 << 7,  /* in an edition's image: the name exists no more */
	NODE_NSEC3      = 1 << 8,  /* an NSEC3 RRset and its signatures: not a name of the zone (RFC 5155 7.2.8) */
	NODE_WILDCARD   = 1 << 9,  /* its own leftmost label is "*" */
};
enum { ENTRY_FAR = 1 };

#define NODE_HEADER_SIZE 16
#define NODE_ENTRY_SIZE  20

struct rrset {                 /* a view; valid as long as the snapshot */
	uint16_t type, count, sig_count;
	uint16_t wire_size, sigs_size, patches, targets;
	const uint8_t *wire;   /* wire_size octets */
	const uint8_t *sigs;
	const uint8_t *patch;  /* patches × u16 le, see node_patch() */
	const uint8_t *target;
};

static inline uint32_t node_size(const uint8_t *n) { return load_le32(n); }
static inline uint16_t node_flags(const uint8_t *n) { return load_le16(n + 4); }
static inline uint8_t node_owner_size(const uint8_t *n) { return n[6]; }
static inline uint8_t node_owner_labels(const uint8_t *n) { return n[7]; }
static inline uint16_t node_rrsets(const uint8_t *n) { return load_le16(n + 8); }
static inline const uint8_t *node_entry(const uint8_t *n, unsigned i) { return n + NODE_HEADER_SIZE + i * NODE_ENTRY_SIZE; }
static inline const uint8_t *node_owner(const uint8_t *n) { return node_entry(n, node_rrsets(n)); }
static inline uint16_t rrset_patch(const struct rrset *s, unsigned i) { return load_le16(s->patch + 2 * i); }
static inline uint16_t rrset_target(const struct rrset *s, unsigned i) { return load_le16(s->target + 2 * i); }
static inline uint32_t rrset_ttl(const struct rrset *s) { return s->count ? load_be32(s->wire + 6) : 0; }

#endif
