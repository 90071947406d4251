/*
 * Where a name leads in a zone (RFC 1034 4.3.2, RFC 4592): to a node, to a
 * cut or a DNAME above it, to a wildcard, or nowhere.
 */
#ifndef ANSWER_FIND_H
#define ANSWER_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "store/image.h"
#include "wire/name.h"

enum find_kind {
	FIND_NODE,              /* the name's own node, or the wildcard's that stands for it */
	FIND_CUT,               /* at or below a zone cut */
	FIND_DNAME,             /* below a DNAME */
	FIND_NO_NAME,           /* NXDOMAIN */
	FIND_BROKEN,            /* the apex is not there: the set cannot be read */
};

struct find {
	enum find_kind kind;
	struct found at;        /* node, wildcard's node, cut or DNAME; else the closest encloser */
	unsigned label;         /* the label of the name at which the owner of at begins
	                         * (with wildcard and FIND_NO_NAME: the closest encloser) */
	bool wildcard;          /* at is "*.<closest encloser>" */
};

/* name must be at or below the view's apex, hashed with the store's key. type:
 * DS at a cut is answered here, at the parent's side. */
void find_name(const struct view *view, const struct name *name, uint16_t type, struct find *find);

/* Labels of the name above the apex. */
static inline unsigned find_above(const struct view *view, const struct name *name)
{
	return (unsigned)name->labels - view->apex_labels;
}

/* A relative name in wire form in any case, as it stands in rdata. apex_hash:
 * of the apex. */
struct found find_relative(const struct view *view, uint64_t apex_hash, const uint8_t *labels, size_t size);
/* "*.<suffix of name that begins at label>": relative, lower case, into buf.
 * Returns its size. */
size_t find_wildcard_name(const struct view *view, const struct name *name, unsigned label, uint8_t buf[NAME_MAX_SIZE + 2]);

#endif
