#include "zone/canonical.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "wire/name.h"
#include "wire/rrtype.h"

/* NS to PTR, MINFO, MX, RP, AFSDB, RT, SIG, PX, NXT, SRV, NAPTR, KX, DNAME and
 * RRSIG. Names in the rdata of all other types are octets like any (RFC 3597 7). */
static bool names_are_lowered(uint16_t type)
{
	static const uint8_t types[] = { 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 21, 24, 26, 30, 33, 35, 36, 39, 46 };

	for (size_t i = 0; i < sizeof(types); i++)
		if (types[i] == type)
			return true;
	return false;
}

static bool has_upper(const uint8_t *name, size_t size)
{
	/* length octets are below 'A' */
	for (size_t i = 0; i < size; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			return true;
	return false;
}

const uint8_t *canonical_rdata(struct arena *arena, uint16_t type, const uint8_t *rdata, uint16_t size)
{
	uint16_t at[RRTYPE_FIXED_NAMES];
	bool compressible;
	uint8_t *copy = NULL;
	int additional, names = 0;

	if (names_are_lowered(type))
		names = rrtype_rdata_names(type, rdata, size, at, RRTYPE_FIXED_NAMES, &compressible, &additional);
	for (int i = 0; i < names; i++) {
		size_t n = name_length(rdata + at[i], (size_t)size - at[i]);

		if (!has_upper(rdata + at[i], n))
			continue;
		if (!copy && !(copy = arena_memdup(arena, rdata, size)))
			return NULL;
		name_lower(copy + at[i], rdata + at[i], n);
	}
	return copy ? copy : rdata;
}

static uint8_t *take(struct canonical *c, size_t size)
{
	uint8_t *p;

	if (c->room - c->size < size) {
		size_t room = 2 * c->room + size + 1024;
		uint8_t *bytes = realloc(c->bytes, room);

		if (!bytes)
			return NULL;
		c->bytes = bytes;
		c->room = room;
	}
	p = c->bytes + c->size;
	c->size += size;
	return p;
}

int canonical_put(struct canonical *c, const void *bytes, size_t size)
{
	uint8_t *p = take(c, size);

	if (!p)
		return -1;
	if (size)
		memcpy(p, bytes, size);
	return 0;
}

int canonical_put_record(struct canonical *c, const uint8_t *owner, size_t owner_size, uint16_t type, uint32_t ttl,
	const uint8_t *rdata, uint16_t size)
{
	const uint8_t *canonical;
	uint8_t *p;

	arena_reset(&c->names);
	canonical = canonical_rdata(&c->names, type, rdata, size);
	p = canonical ? take(c, owner_size + 10 + size) : NULL;
	if (!p)
		return -1;
	memcpy(p, owner, owner_size);
	p += owner_size;
	store_be16(p, type);
	store_be16(p + 2, CLASS_IN);
	store_be32(p + 4, ttl);
	store_be16(p + 8, size);
	if (size)
		memcpy(p + 10, canonical, size);
	return 0;
}

void canonical_free(struct canonical *c)
{
	free(c->bytes);
	arena_free(&c->names);
	*c = (struct canonical){ .bytes = NULL };
}
