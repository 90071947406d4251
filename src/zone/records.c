#include "zone/records.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/rrtype.h"

bool found_rrset(struct found f, uint16_t type, struct rrset *set)
{
	return f.node && image_rrset(f.image, f.node, type, set);
}

struct found view_find_relative(const struct view *view, const uint8_t *relative, size_t size)
{
	uint8_t full[2 * NAME_MAX_SIZE];
	struct name name;

	memcpy(full, relative, size);
	memcpy(full + size, view->apex, view->apex_size);
	if (!name_parse(&name, full, size + view->apex_size, view->hash_key))
		return (struct found){ .node = NULL };
	return view_find(view, name.hash[0], name.lower, size);
}

bool view_serial_fixed(const struct view *view)
{
	struct found apex = view_find_relative(view, view->apex, 0);
	struct rrset set;

	return (found_rrset(apex, TYPE_SOA, &set) && set.sig_count) || found_rrset(apex, TYPE_ZONEMD, &set);
}

bool view_soa_serial(const struct view *view, uint32_t *serial)
{
	struct found apex = view_find_relative(view, view->apex, 0);
	struct rrset set;

	/* the five numbers stand at the end, whatever was compressed before */
	if (!found_rrset(apex, TYPE_SOA, &set) || set.count == 0 || set.wire_size < 32)
		return false;
	*serial = load_be32(set.wire + set.wire_size - 20);
	return true;
}

static int records_of_set(const struct view *view, const struct rrset *set, bool sigs, uint8_t *scratch,
	struct record_at *at, int (*each)(void *, const struct record_at *), void *arg, struct err *err)
{
	struct record_walk walk;
	struct record r;
	uint32_t count = 0;

	record_walk_begin(&walk, set, sigs, view->apex, view->apex_size);
	while (record_walk_next(&walk, &r, scratch)) {
		int status;

		at->type = sigs ? TYPE_RRSIG : set->type;
		at->covers = at->type == TYPE_RRSIG && r.size >= 2 ? load_be16(r.rdata) : 0;
		at->ttl = r.ttl;
		at->rdata = r.rdata;
		at->size = r.size;
		count++;
		status = each(arg, at);
		if (status)
			return status;
	}
	if (count != (sigs ? set->sig_count : set->count))
		return err_set(err, ERR_CORRUPT, "an RRset of the image holds %u records instead of %u", count,
			sigs ? set->sig_count : set->count);
	return 0;
}

int records_of_node(const struct view *view, struct found f, uint8_t *scratch,
	int (*each)(void *arg, const struct record_at *), void *arg, struct err *err)
{
	uint8_t owner[2 * NAME_MAX_SIZE];
	size_t size = node_owner_size(f.node);
	struct record_at at = { .owner = owner, .owner_size = size + view->apex_size };

	memcpy(owner, node_owner(f.node), size);
	memcpy(owner + size, view->apex, view->apex_size);
	for (unsigned i = 0; i < node_rrsets(f.node); i++) {
		struct rrset set;
		int status;

		if (!image_rrset_at(f.image, f.node, i, &set))
			return err_set(err, ERR_CORRUPT, "an RRset of the image cannot be read");
		status = records_of_set(view, &set, false, scratch, &at, each, arg, err);
		if (!status && set.sig_count)
			status = records_of_set(view, &set, true, scratch, &at, each, arg, err);
		if (status)
			return status;
	}
	return 0;
}
