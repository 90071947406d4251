/*
 * Domain names in wire form (RFC 1035 3.1), and their order (RFC 4034 6.1).
 *
 * "name" is always uncompressed wire form with the root label, at most 255
 * octets. A *relative* name is the labels above an apex, without the apex
 * and without the root label: empty for the apex itself.
 */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_SIZE   255
#define NAME_MAX_LABELS 127
#define NAME_TEXT_MAX   1025  /* presentation form: 255 octets as \DDD, and NUL */

/* A name taken apart once: lower-cased, with the place of every label and
 * the hash of every suffix (see name_hash_label). */
struct name {
	uint8_t lower[NAME_MAX_SIZE + 1];
	uint8_t size;                           /* with the root label */
	uint8_t labels;                         /* without the root label */
	uint8_t at[NAME_MAX_LABELS + 1];        /* at[i]: label i from the left; at[labels]: the root */
	uint64_t hash[NAME_MAX_LABELS + 1];     /* hash[i]: of the suffix that begins at label i */
};

/* The hash of a name grows label by label from the right: of the root it is
 * the key; label points at the length octet, octets lower-cased. A store has
 * one random key, so that a query's suffixes are hashed once for the zone
 * table and for every image. */
uint64_t name_hash_label(uint64_t hash, const uint8_t *label);

/* Take apart an uncompressed wire name at p (size octets are readable).
 * Returns its length, or 0 when it is malformed or too long. */
size_t name_parse(struct name *name, const uint8_t *p, size_t size, uint64_t hash_key);
/* Length of the well-formed uncompressed name at p, or 0. */
size_t name_length(const uint8_t *p, size_t size);
uint8_t name_count_labels(const uint8_t *name);
void name_lower(uint8_t *dst, const uint8_t *src, size_t size);
/* Equal without regard to case; both size octets long. */
bool name_equal(const uint8_t *a, const uint8_t *b, size_t size);
/* Is name equal to, or below, apex? Both well-formed, any case. */
bool name_is_at_or_below(const uint8_t *name, size_t name_size, const uint8_t *apex, size_t apex_size);
/* Canonical order: <0, 0, >0. Works for full and for relative names (which
 * must both be full, or both relative to the same apex). */
int name_compare(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);

/* Presentation form to wire. A name without a final dot is completed by
 * origin (wire; NULL: the root). "\." "\DDD" escapes; "@" is the origin only
 * where at_is_origin. Returns the length, or 0 (reason: a static text). */
size_t name_from_text(uint8_t wire[NAME_MAX_SIZE], const char *text, size_t text_size,
	const uint8_t *origin, bool at_is_origin, const char **reason);
/* Wire to presentation form with a final dot ("." for the root), escaping as
 * RFC 4343 2.1. buf of NAME_TEXT_MAX; returns buf. The second form leaves
 * the final dot out, as people write zones (but the root is "."). */
char *name_to_text(char *buf, const uint8_t *name);
char *name_to_text_short(char *buf, const uint8_t *name);

#endif
