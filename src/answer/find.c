#include "answer/find.h"

#include <string.h>

#include "store/node.h"
#include "wire/rrtype.h"

static const uint8_t asterisk[2] = { 1, '*' };

/* The node of the suffix that begins at label i. NSEC3 owners are no names of
 * the zone (RFC 5155 7.2.8). */
static struct found find_suffix(const struct view *view, const struct name *name, unsigned i, unsigned above)
{
	struct found f = view_find(view, name->hash[i], name->lower + name->at[i], (size_t)(name->at[above] - name->at[i]));

	if (f.node && (node_flags(f.node) & NODE_NSEC3))
		f.node = NULL;
	return f;
}

/* The longest suffix behind label `absent` that exists. All that is above an
 * existing name exists, empty non-terminals too, so that of a long name only
 * some suffixes need be tried. */
static struct found find_encloser(const struct view *view, const struct name *name, unsigned absent, unsigned above,
	unsigned *label)
{
	unsigned present = above;
	struct found best = find_suffix(view, name, above, above);

	for (unsigned tried = 0; absent + 1 < present; tried++) {
		/* Most names that do not exist lack just one label. */
		unsigned i = tried < 2 ? absent + 1 : absent + (present - absent) / 2;
		struct found f = find_suffix(view, name, i, above);

		if (f.node) {
			best = f;
			present = i;
		} else {
			absent = i;
		}
	}
	*label = present;
	return best;
}

size_t find_wildcard_name(const struct view *view, const struct name *name, unsigned label, uint8_t buf[NAME_MAX_SIZE + 2])
{
	size_t size = (size_t)(name->at[find_above(view, name)] - name->at[label]);

	memcpy(buf, asterisk, sizeof asterisk);
	memcpy(buf + sizeof asterisk, name->lower + name->at[label], size);
	return size + sizeof asterisk;
}

static void find_wildcard(const struct view *view, const struct name *name, struct find *find)
{
	uint8_t buf[NAME_MAX_SIZE + 2];
	struct found f;
	size_t size;

	find->kind = FIND_NO_NAME;
	if (!(node_flags(find->at.node) & NODE_WILD_CHILD))
		return;
	size = find_wildcard_name(view, name, find->label, buf);
	f = view_find(view, name_hash_label(name->hash[find->label], asterisk), buf, size);
	if (!f.node)
		return;
	find->kind = FIND_NODE;
	find->wildcard = true;
	find->at = f;
}

/* From an existing node upwards to the first that is not occluded: the cut
 * or DNAME that hides the others. */
static bool find_unhidden(const struct view *view, const struct name *name, unsigned above, struct find *find)
{
	while (find->at.node && (node_flags(find->at.node) & NODE_OCCLUDED)) {
		if (find->label == above)
			return false;
		find->label++;
		find->at = find_suffix(view, name, find->label, above);
	}
	return find->at.node;
}

void find_name(const struct view *view, const struct name *name, uint16_t type, struct find *find)
{
	unsigned above = find_above(view, name);
	uint16_t flags;

	find->label = 0;
	find->wildcard = false;
	find->at = find_suffix(view, name, 0, above);
	if (!find->at.node && above)
		find->at = find_encloser(view, name, 0, above, &find->label);
	if (!find_unhidden(view, name, above, find)) {
		find->kind = FIND_BROKEN;
		return;
	}
	flags = node_flags(find->at.node);
	if ((flags & NODE_CUT) && !(flags & NODE_APEX))
		find->kind = find->label == 0 && type == TYPE_DS ? FIND_NODE : FIND_CUT;
	else if (find->label == 0)
		find->kind = FIND_NODE;
	else if (flags & NODE_DNAME)
		find->kind = FIND_DNAME;
	else
		find_wildcard(view, name, find);
}

struct found find_relative(const struct view *view, uint64_t apex_hash, const uint8_t *labels, size_t size)
{
	uint8_t lower[NAME_MAX_SIZE], at[NAME_MAX_LABELS + 1];
	uint64_t hash = apex_hash;
	unsigned n = 0;

	name_lower(lower, labels, size);
	for (size_t i = 0, next; i < size; i = next) {
		next = i + lower[i] + 1;
		if (next > size)
			return (struct found){ .node = NULL };
		at[n++] = (uint8_t)i;
	}
	while (n)
		hash = name_hash_label(hash, lower + at[--n]);
	return view_find(view, hash, lower, size);
}
