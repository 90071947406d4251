/*
 * A node of an image: one owner name with all that it owns. FORMAT.md is the
 * contract; this file is its reading side. Numbers of ours are little-endian
 * and may be unaligned (a small image lies in a leaf page); RRs are in network
 * order.
 *
 * node:   size u16 (in units of 8 octets) | flags u16 | owner_size u8
 *         | owner_labels u8 | rrsets u16
 *         | rrsets × entry | owner (relative name, case as it came)
 *         | RRsets, each at an even offset
 * entry:  u16, types rising: the offset of the RRset's wire from the node's
 *         start, which is even, and in the lowest bit whether it is plain
 * plain:  one record, without RRSIGs, patches and targets: wire is all there
 *         is, and tells its own size. Most RRsets are.
 * others: head | wire | sigs | patches × u16 | targets × u16
 *         head = count | sig_count | wire_size | sigs_size | patches | targets,
 *         u16 each
 * far:    head | 0 u16 | type u16 (network order) | place u32: what would
 *         follow the head lies by itself in a chunk of its own, at that place
 *         (8-octet units of the data space): nodes never exceed a chunk. So
 *         the type is always two octets behind where the entry points to.
 *
 * wire = count whole RRs, as they go into a response: owner C0 0C (the
 * question's name) | type | class | ttl | rdlength | rdata; in rdata of the
 * types that may be compressed (RFC 3597 4) a name inside the zone ends in a
 * pointer to the apex, C0 00, which the composer sets: patches lists where
 * (offsets in wire, of the two octets). rdlength is of the compressed form.
 * Where the apex is the root there are no such pointers. sigs = the RRSIG RRs
 * that cover the RRset, same form. targets: offsets in wire of rdata names
 * whose addresses belong into the additional section (NS, MX, SRV, SVCB,
 * HTTPS, ...) and lie in the zone (relative labels, then the pointer or the
 * rest). An RRSIG whose covered RRset is absent is stored under type RRSIG,
 * count records in wire.
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
enum { ENTRY_PLAIN = 1 };

#define NODE_HEADER_SIZE 8
#define NODE_FLAGS_AT    2
#define NODE_ENTRY_SIZE  2
#define RRSET_HEAD_SIZE  12     /* of an RRset that is not plain */
#define FAR_STUB_SIZE    8      /* what stands for its wire where that lies far */
#define RR_FIXED_SIZE    12     /* owner C0 0C to rdlength */

struct rrset {                 /* a view; valid as long as the snapshot */
	uint16_t type, count, sig_count;
	uint16_t wire_size, sigs_size, patches, targets;
	const uint8_t *wire;   /* wire_size octets */
	const uint8_t *sigs;
	const uint8_t *patch;  /* patches × u16 le, see rrset_patch() */
	const uint8_t *target;
};

static inline size_t node_size(const uint8_t *n) { return (size_t)load_le16(n) * 8; }
static inline uint16_t node_flags(const uint8_t *n) { return load_le16(n + NODE_FLAGS_AT); }
static inline uint8_t node_owner_size(const uint8_t *n) { return n[4]; }
static inline uint8_t node_owner_labels(const uint8_t *n) { return n[5]; }
static inline uint16_t node_rrsets(const uint8_t *n) { return load_le16(n + 6); }
static inline uint16_t node_entry(const uint8_t *n, unsigned i) { return load_le16(n + NODE_HEADER_SIZE + i * NODE_ENTRY_SIZE); }
static inline const uint8_t *node_owner(const uint8_t *n) { return n + NODE_HEADER_SIZE + (size_t)node_rrsets(n) * NODE_ENTRY_SIZE; }
static inline uint16_t rrset_patch(const struct rrset *s, unsigned i) { return load_le16(s->patch + 2 * i); }
static inline uint16_t rrset_target(const struct rrset *s, unsigned i) { return load_le16(s->target + 2 * i); }
static inline uint32_t rrset_ttl(const struct rrset *s) { return s->count ? load_be32(s->wire + 6) : 0; }

/* Octets of wire, sigs, patches and targets together. */
static inline size_t rrset_size(const struct rrset *s)
{
	return (size_t)s->wire_size + s->sigs_size + 2 * ((size_t)s->patches + s->targets);
}

/* Their places, where the first octet is known. */
static inline void rrset_lies_at(struct rrset *s, const uint8_t *wire)
{
	s->wire = wire;
	s->sigs = wire + s->wire_size;
	s->patch = s->sigs + s->sigs_size;
	s->target = s->patch + 2 * (size_t)s->patches;
}

/* The RRset of an entry of the node, which is in memory up to its size; false:
 * it does not lie in it. *far: 0, or the place of what lies far, and then the
 * pointers of *s are not set. Nothing that the node says is trusted. */
static inline bool node_rrset(const uint8_t *n, uint16_t entry, struct rrset *s, uint32_t *far)
{
	size_t at = entry & ~(unsigned)ENTRY_PLAIN, size = node_size(n);
	const uint8_t *wire = n + at, *head;

	*far = 0;
	if (entry & ENTRY_PLAIN) {
		size_t wire_size;

		if (at + RR_FIXED_SIZE > size || (wire_size = RR_FIXED_SIZE + (size_t)load_be16(wire + 10)) > size - at)
			return false;
		*s = (struct rrset){ .type = load_be16(wire + 2), .count = 1, .wire_size = (uint16_t)wire_size };
		rrset_lies_at(s, wire);
		return true;
	}
	if (at < NODE_HEADER_SIZE + RRSET_HEAD_SIZE || at + FAR_STUB_SIZE > size)
		return false;
	head = wire - RRSET_HEAD_SIZE;
	*s = (struct rrset){ .type = load_be16(wire + 2), .count = load_le16(head), .sig_count = load_le16(head + 2),
		.wire_size = load_le16(head + 4), .sigs_size = load_le16(head + 6), .patches = load_le16(head + 8),
		.targets = load_le16(head + 10) };
	if (load_le16(wire) == 0) {
		*far = load_le32(wire + 4);
		return *far != 0;
	}
	rrset_lies_at(s, wire);
	return rrset_size(s) <= size - at;
}

#endif
