#include "image_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/rrtype.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "image model: %s: %s\n", what, why);
	abort();
}

static void *take(struct model *m, size_t size)
{
	void *p = arena_alloc(&m->arena, size ? size : 1);

	if (!p)
		die("arena", "no memory");
	return memset(p, 0, size);
}

uint64_t dice_next(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* ---- making zones ---------------------------------------------------------- */

void model_begin(struct model *m, const char *apex)
{
	const char *reason = NULL;

	memset(m, 0, sizeof *m);
	m->apex_size = (uint8_t)name_from_text(m->apex, apex, strlen(apex), NULL, false, &reason);
	if (!m->apex_size)
		die(apex, reason);
}

void model_free(struct model *m)
{
	arena_free(&m->arena);
	free(m->nodes);
	memset(m, 0, sizeof *m);
}

static struct model_node *new_node(struct model *m, const uint8_t *owner, size_t size)
{
	struct model_node *n;

	if (m->count == m->capacity) {
		m->capacity = m->capacity ? 2 * m->capacity : 64;
		m->nodes = realloc(m->nodes, m->capacity * sizeof *m->nodes);
		if (!m->nodes)
			die("nodes", "no memory");
	}
	n = &m->nodes[m->count++];
	memset(n, 0, sizeof *n);
	if (size)
		memcpy(n->owner, owner, size);
	n->size = (uint8_t)size;
	return n;
}

/* The RRset of a type, made where it is missing. */
static struct build_rrset *rrset_of(struct model *m, struct model_node *n, uint16_t type, uint32_t ttl)
{
	unsigned i = 0;

	if (!n->sets)
		n->sets = take(m, MODEL_SETS_MAX * sizeof *n->sets);
	while (i < n->count && n->sets[i].type < type)
		i++;
	if (i < n->count && n->sets[i].type == type)
		return &n->sets[i];
	if (n->count == MODEL_SETS_MAX)
		die("node", "too many types");
	memmove(&n->sets[i + 1], &n->sets[i], (n->count - i) * sizeof *n->sets);
	n->count++;
	n->sets[i] = (struct build_rrset){ .type = type, .ttl = ttl };
	return &n->sets[i];
}

/* A record more in a list that doubles in the arena. */
static void push(struct model *m, const struct build_record **list, uint32_t *count, const void *rdata, size_t size)
{
	struct build_record *records = (struct build_record *)(uintptr_t)*list;
	uint32_t n = *count;

	if ((n & (n - 1)) == 0) {
		records = take(m, (n ? 2 * n : 1) * sizeof *records);
		if (n)
			memcpy(records, *list, n * sizeof *records);
		*list = records;
	}
	records[n].rdata = arena_memdup(&m->arena, rdata, size);
	records[n].size = (uint16_t)size;
	*count = n + 1;
}

void model_add(struct model *m, const uint8_t *owner, size_t size, uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_size)
{
	struct model_node *n = m->count ? &m->nodes[m->count - 1] : NULL;
	struct build_rrset *s;

	if (!n || n->size != size || (size && memcmp(n->owner, owner, size)))
		n = new_node(m, owner, size);
	s = rrset_of(m, n, type, ttl);
	push(m, &s->records, &s->count, rdata, rdata_size);
}

void model_add_at(struct model *m, const char *owner, uint16_t type, uint32_t ttl, const void *rdata, size_t rdata_size)
{
	static const uint8_t root[1];
	uint8_t wire[NAME_MAX_SIZE];
	const char *reason = NULL;
	size_t size = *owner ? name_from_text(wire, owner, strlen(owner), root, false, &reason) : 1;

	if (!size)
		die(owner, reason);
	model_add(m, wire, size - 1, type, ttl, rdata, rdata_size);
}

void model_sign(struct model *m, uint16_t type, size_t signature_size)
{
	struct model_node *n = &m->nodes[m->count - 1];
	struct build_rrset *s = rrset_of(m, n, type, 300);
	uint8_t rdata[2048] = { 0 };

	store_be16(rdata, type);
	rdata[2] = 13;
	rdata[3] = 2;
	store_be32(rdata + 4, s->ttl);
	memcpy(rdata + 18, m->apex, m->apex_size);
	memset(rdata + 18 + m->apex_size, (int)(n->size + type), signature_size);
	push(m, &s->sigs, &s->sig_count, rdata, 18 + m->apex_size + signature_size);
}

void model_soa(struct model *m, uint32_t serial)
{
	uint8_t rdata[2 * NAME_MAX_SIZE + 20];
	size_t at = 0;

	memcpy(rdata, "\002ns", 3);
	memcpy(rdata + 3, m->apex, m->apex_size);
	at = 3 + (size_t)m->apex_size;
	memcpy(rdata + at, "\004host\007invalid", 14);
	at += 14;
	store_be32(rdata + at, serial);
	store_be32(rdata + at + 4, 3600);
	store_be32(rdata + at + 8, 600);
	store_be32(rdata + at + 12, 86400);
	store_be32(rdata + at + 16, 300);
	model_add(m, NULL, 0, TYPE_SOA, 3600, rdata, at + 20);
}

void model_a(struct model *m, const char *owner, uint32_t address)
{
	uint8_t rdata[4];

	store_be32(rdata, address);
	model_add_at(m, owner, TYPE_A, 300, rdata, sizeof rdata);
}

void model_name(struct model *m, const char *owner, uint16_t type, const char *target)
{
	uint8_t rdata[2 + NAME_MAX_SIZE] = { 0, 10 };
	const char *reason = NULL;
	size_t head = type == TYPE_MX ? 2 : 0, size;

	size = name_from_text(rdata + head, target, strlen(target), m->apex, true, &reason);
	if (!size)
		die(target, reason);
	model_add_at(m, owner, type, 300, rdata, head + size);
}

static int compare_nodes(const void *a, const void *b)
{
	const struct model_node *x = a, *y = b;

	return name_compare(x->owner, x->size, y->owner, y->size);
}

static bool same_owner(const struct model_node *a, const struct model_node *b)
{
	return a->size == b->size && name_equal(a->owner, b->owner, a->size);
}

static void merge(struct model *m, struct model_node *into, const struct model_node *from)
{
	for (unsigned i = 0; i < from->count; i++) {
		const struct build_rrset *s = &from->sets[i];
		struct build_rrset *d = rrset_of(m, into, s->type, s->ttl);

		if (d->count)
			continue;
		for (uint32_t k = 0; k < s->count; k++)
			push(m, &d->records, &d->count, s->records[k].rdata, s->records[k].size);
		for (uint32_t k = 0; k < s->sig_count; k++)
			push(m, &d->sigs, &d->sig_count, s->sigs[k].rdata, s->sigs[k].size);
	}
}

void model_sort(struct model *m)
{
	size_t kept = 0;

	if (!m->count)
		return;
	qsort(m->nodes, m->count, sizeof *m->nodes, compare_nodes);
	for (size_t i = 1; i < m->count; i++) {
		if (same_owner(&m->nodes[kept], &m->nodes[i]))
			merge(m, &m->nodes[kept], &m->nodes[i]);
		else
			m->nodes[++kept] = m->nodes[i];
	}
	m->count = kept + 1;
}

/* ---- random zones ------------------------------------------------------------- */

static void random_label(struct dice *d, uint8_t label[64], unsigned what)
{
	static const uint8_t strange[] = { 0, 1, 2, '.', '\\', '*', 'A', 'z', 127, 255 };
	unsigned size = 1 + dice_below(d, 8);

	if (what & MODEL_STRANGE && dice_below(d, 8) == 0)
		size = 1 + dice_below(d, 63);
	label[0] = (uint8_t)size;
	for (unsigned i = 1; i <= size; i++) {
		label[i] = (uint8_t)('a' + dice_below(d, 6));
		if (what & MODEL_STRANGE && dice_below(d, 4) == 0)
			label[i] = strange[dice_below(d, sizeof strange)];
		else if (dice_below(d, 10) == 0)
			label[i] = (uint8_t)(label[i] - 'a' + 'A');
	}
	if (dice_below(d, 20) == 0) {
		label[0] = 1;
		label[1] = '*';
	}
}

/* Mostly below a name that was there before. */
static size_t random_owner(struct dice *d, const struct model *m, unsigned what, uint8_t owner[NAME_MAX_SIZE])
{
	const struct model_node *above = m->count && dice_below(d, 3) ? &m->nodes[dice_below(d, (uint32_t)m->count)] : NULL;
	size_t room = NAME_MAX_SIZE - m->apex_size, size = above ? above->size : 0;
	unsigned labels = 1 + (dice_below(d, 4) == 0 ? dice_below(d, 4) : 0);

	if (what & MODEL_STRANGE && dice_below(d, 30) == 0)
		labels = 40;
	if (size)
		memcpy(owner, above->owner, size);
	while (labels--) {
		uint8_t label[64];

		random_label(d, label, what);
		if (size + 1 + label[0] > room)
			break;
		memmove(owner + 1 + label[0], owner, size);
		memcpy(owner, label, 1 + (size_t)label[0]);
		size += 1 + (size_t)label[0];
	}
	return size;
}

/* A name in the zone, sometimes in another letter case, or outside of it. */
static size_t random_target(struct dice *d, const struct model *m, uint8_t target[NAME_MAX_SIZE])
{
	const struct model_node *n = &m->nodes[dice_below(d, (uint32_t)m->count)];

	if (dice_below(d, 4) == 0) {
		memcpy(target, "\002mx\005other\004test", 15);
		return 15;
	}
	memcpy(target, n->owner, n->size);
	memcpy(target + n->size, m->apex, m->apex_size);
	if (m->apex_size > 1 && dice_below(d, 6) == 0)
		target[n->size + 1] ^= target[n->size + 1] >= 'a' ? 0x20 : 0;
	return (size_t)n->size + m->apex_size;
}

static void random_bytes(struct dice *d, uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)dice_next(d);
}

static void random_record(struct dice *d, struct model *m, const uint8_t *owner, size_t size, uint16_t type)
{
	uint8_t rdata[8 + 2 * NAME_MAX_SIZE + 256];
	size_t n;

	random_bytes(d, rdata, 8);
	switch (type) {
	case TYPE_A:
		n = 4;
		break;
	case TYPE_AAAA:
		random_bytes(d, rdata, n = 16);
		break;
	case TYPE_NS: case TYPE_CNAME: case TYPE_DNAME:
		n = random_target(d, m, rdata);
		break;
	case TYPE_MX:
		n = 2 + random_target(d, m, rdata + 2);
		break;
	case TYPE_SRV:
		n = 6 + random_target(d, m, rdata + 6);
		break;
	case TYPE_HTTPS:
		n = 2 + random_target(d, m, rdata + 2);
		random_bytes(d, rdata + n, 9);
		n += 9;
		break;
	default:
		rdata[0] = (uint8_t)dice_below(d, 200);
		random_bytes(d, rdata + 1, rdata[0]);
		n = 1 + (size_t)rdata[0];
	}
	model_add(m, owner, size, type, 60 * (1 + (uint32_t)type % 7), rdata, n);
}

static void random_rrset(struct dice *d, struct model *m, const uint8_t *owner, size_t size, uint16_t type, unsigned what)
{
	unsigned count = 1 + (dice_below(d, 3) == 0 ? dice_below(d, 4) : 0);

	if (type == TYPE_CNAME || type == TYPE_DNAME)
		count = 1;
	if (what & MODEL_LARGE && type == TYPE_TXT && dice_below(d, 40) == 0)
		count = 250;    /* more than half a chunk */
	while (count--)
		random_record(d, m, owner, size, type);
	if (dice_below(d, 3) == 0)
		model_sign(m, type, 64 + dice_below(d, 64));
}

static void random_node(struct dice *d, struct model *m, const uint8_t *owner, size_t size, unsigned what)
{
	static const uint16_t types[] = { TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_MX, TYPE_SRV, TYPE_HTTPS, 65280 };
	unsigned count = 1 + dice_below(d, 3);

	if (what & MODEL_CUTS && dice_below(d, 12) == 0) {
		random_rrset(d, m, owner, size, dice_below(d, 3) ? TYPE_NS : TYPE_DNAME, what);
		return;
	}
	if (dice_below(d, 12) == 0) {
		random_rrset(d, m, owner, size, TYPE_CNAME, what);
		return;
	}
	while (count--)
		random_rrset(d, m, owner, size, types[dice_below(d, sizeof types / sizeof types[0])], what);
}

static void random_nsec3(struct dice *d, struct model *m)
{
	uint8_t owner[33] = { 32 }, rdata[64] = { 1, 0, 0, 0, 0, 20 };

	for (unsigned i = 1; i <= 32; i++)
		owner[i] = "0123456789abcdefghijklmnopqrstuv"[dice_below(d, 32)];
	random_bytes(d, rdata + 6, 20);
	model_add(m, owner, sizeof owner, TYPE_NSEC3, 300, rdata, 26);
	model_sign(m, TYPE_NSEC3, 64);
}

void model_random(struct model *m, const char *apex, uint64_t seed, size_t names, unsigned what)
{
	struct dice d = { .state = seed };
	uint8_t owner[NAME_MAX_SIZE];

	model_begin(m, apex);
	model_soa(m, 1);
	model_name(m, "", TYPE_NS, "ns");
	for (size_t i = 1; i < names; i++)
		random_node(&d, m, owner, random_owner(&d, m, what, owner), what);
	for (size_t i = 0; what & MODEL_NSEC3 && i < names; i++)
		random_nsec3(&d, m);
	model_sort(m);
}

void model_change(struct model *m, const struct model *from, uint64_t seed, size_t changes)
{
	struct dice d = { .state = seed };
	bool *gone = calloc(from->count + 1, sizeof *gone);
	uint8_t owner[NAME_MAX_SIZE];
	char apex[NAME_TEXT_MAX];

	model_begin(m, name_to_text(apex, from->apex));
	model_soa(m, (uint32_t)seed + 2);
	model_name(m, "", TYPE_NS, "ns");
	for (size_t i = 0; i < changes; i++)
		gone[dice_below(&d, (uint32_t)from->count)] = true;
	for (size_t i = 0; i < from->count; i++)
		if (from->nodes[i].size && (!gone[i] || dice_below(&d, 2))) {
			struct model_node *n = new_node(m, from->nodes[i].owner, from->nodes[i].size);

			merge(m, n, &from->nodes[i]);
			/* of an NSEC3 owner only NSEC3 may be had twice: leave it */
			if (gone[i] && n->sets[0].type != TYPE_NSEC3)
				random_rrset(&d, m, n->owner, n->size, TYPE_TXT, 0);
		}
	for (size_t i = 0; i < changes / 2 + 1; i++)
		random_node(&d, m, owner, random_owner(&d, m, MODEL_STRANGE, owner), MODEL_CUTS);
	free(gone);
	model_sort(m);
}

/* ---- what an image of it must hold ------------------------------------------------ */

size_t nodes_seek(const struct model_node *nodes, size_t count, const uint8_t *name, size_t size, bool *found)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (name_compare(nodes[mid].owner, nodes[mid].size, name, size) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < count && name_compare(nodes[low].owner, nodes[low].size, name, size) == 0;
	return low;
}

static const struct build_rrset *find_type(const struct model_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->sets[i].type == type)
			return &n->sets[i];
	return NULL;
}

/* Every suffix of every name: the name itself with its RRsets. */
static void list_suffixes(struct model *out, const struct model_node *n)
{
	unsigned first = n->count && find_type(n, TYPE_NSEC3) ? 1 : 0;

	if (first && n->count == 1)
		return;
	for (size_t at = 0;; at += 1 + (size_t)n->owner[at]) {
		struct model_node *x = new_node(out, n->owner + at, n->size - at);

		if (at == 0) {
			x->sets = take(out, (n->count + 1) * sizeof *x->sets);
			for (unsigned i = 0; i < n->count; i++)
				if (n->sets[i].type != TYPE_NSEC3)
					x->sets[x->count++] = n->sets[i];
		}
		if (at >= n->size)
			break;
	}
}

static uint16_t own_flags(const struct model_node *n, bool occluded)
{
	uint16_t flags = n->count ? 0 : NODE_ENT;

	if (!n->size)
		flags |= NODE_APEX;
	if (n->size && n->owner[0] == 1 && n->owner[1] == '*')
		flags |= NODE_WILDCARD;
	if (find_type(n, TYPE_CNAME))
		flags |= NODE_CNAME;
	if (occluded)
		return flags | NODE_OCCLUDED;
	if (find_type(n, TYPE_DNAME))
		flags |= NODE_DNAME;
	if (n->size && find_type(n, TYPE_NS))
		flags |= NODE_CUT;
	return flags;
}

/* A name is below a cut or a DNAME if one of its suffixes is one: looked up,
 * not followed along the order as the builder does. */
static void list_flags(struct listing *l)
{
	for (size_t i = 0; i < l->names; i++) {
		struct model_node *n = &l->name[i];
		uint8_t wild[NAME_MAX_SIZE + 2] = { 1, '*' };
		bool occluded = false, found;
		size_t at = n->size ? 1 + (size_t)n->owner[0] : 0;

		for (; n->size && at <= n->size; at += at < n->size ? 1 + (size_t)n->owner[at] : 1) {
			size_t k = nodes_seek(l->name, l->names, n->owner + at, n->size - at, &found);

			if (found && l->name[k].flags & (NODE_CUT | NODE_DNAME))
				occluded = true;
		}
		n->flags = own_flags(n, occluded);
		memcpy(wild + 2, n->owner, n->size);
		nodes_seek(l->name, l->names, wild, n->size + 2, &found);
		if (found)
			n->flags |= NODE_WILD_CHILD;
	}
}

void model_list(struct listing *l, const struct model *m)
{
	struct model all = { 0 }, nsec3 = { 0 };
	size_t kept = 0;

	new_node(&all, NULL, 0);
	for (size_t i = 0; i < m->count; i++) {
		const struct model_node *n = &m->nodes[i];
		const struct build_rrset *s = find_type(n, TYPE_NSEC3);

		list_suffixes(&all, n);
		if (s) {
			struct model_node *x = new_node(&nsec3, n->owner, n->size);

			x->flags = NODE_NSEC3;
			x->count = 1;
			x->sets = (struct build_rrset *)(uintptr_t)s;
		}
	}
	qsort(all.nodes, all.count, sizeof *all.nodes, compare_nodes);
	for (size_t i = 1; i < all.count; i++) {
		if (!same_owner(&all.nodes[kept], &all.nodes[i]))
			all.nodes[++kept] = all.nodes[i];
		else if (all.nodes[i].count)
			all.nodes[kept] = all.nodes[i];
	}
	/* a copy of the RRsets' list for each name, to free with the listing */
	for (size_t i = 0; i <= kept; i++) {
		struct build_rrset *sets = malloc((all.nodes[i].count + 1) * sizeof *sets);

		if (all.nodes[i].count)
			memcpy(sets, all.nodes[i].sets, all.nodes[i].count * sizeof *sets);
		all.nodes[i].sets = sets;
	}
	arena_free(&all.arena);
	*l = (struct listing){ .name = all.nodes, .names = kept + 1, .nsec3 = nsec3.nodes, .nsec3s = nsec3.count };
	list_flags(l);
}

void listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->names; i++)
		free(l->name[i].sets);
	free(l->name);
	free(l->nsec3);
	memset(l, 0, sizeof *l);
}

static bool same_records(const struct build_record *a, uint32_t a_count, const struct build_record *b, uint32_t b_count)
{
	if (a_count != b_count)
		return false;
	for (uint32_t i = 0; i < a_count; i++)
		if (a[i].size != b[i].size || memcmp(a[i].rdata, b[i].rdata, a[i].size))
			return false;
	return true;
}

static bool same_node(const struct model_node *a, const struct model_node *b)
{
	if (a->flags != b->flags || a->count != b->count || memcmp(a->owner, b->owner, a->size))
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		const struct build_rrset *x = &a->sets[i], *y = &b->sets[i];

		if (x->type != y->type || x->ttl != y->ttl || !same_records(x->records, x->count, y->records, y->count)
		    || !same_records(x->sigs, x->sig_count, y->sigs, y->sig_count))
			return false;
	}
	return true;
}

static void put_delta(struct model *m, const struct model_node *n, uint16_t flags)
{
	struct model_node *x = new_node(m, n->owner, n->size);

	x->flags = flags;
	if (!(flags & NODE_GONE)) {
		x->sets = n->sets;
		x->count = n->count;
	}
}

static void delta_of(struct model *m, const struct model_node *a, size_t a_count, const struct model_node *b, size_t b_count)
{
	size_t i = 0, k = 0;

	while (i < a_count || k < b_count) {
		int d = i == a_count ? 1 : k == b_count ? -1 : name_compare(a[i].owner, a[i].size, b[k].owner, b[k].size);

		if (d < 0)
			put_delta(m, &a[i], NODE_GONE | (a[i].flags & NODE_NSEC3));
		else if (d > 0 || !same_node(&a[i], &b[k]))
			put_delta(m, &b[k], b[k].flags);
		i += d <= 0;
		k += d >= 0;
	}
}

void model_delta(struct model *m, const struct listing *from, const struct listing *to)
{
	delta_of(m, from->name, from->names, to->name, to->names);
	delta_of(m, from->nsec3, from->nsec3s, to->nsec3, to->nsec3s);
}
