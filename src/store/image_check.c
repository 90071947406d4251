/*
 * Does an image hold what it says? Told chunk by chunk, in the order in which
 * the writer copies them.
 *
 * Nodes are checked one by one as they come. An RRset is taken apart and
 * encoded anew: what is stored must be those very octets, so that no offset
 * in it needs a rule of its own. What the indexes must hold follows from the
 * nodes: of the directory a sum over all slots, of the order a running hash,
 * both keyed at random, so that nobody can make two that agree.
 */
#include "store/image_format.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/content_hash.h"
#include "wire/rrtype.h"

struct check_stream {
	struct trail trail;
	uint32_t next;                  /* chunk that must come next; NO_CHUNK: none */
	uint32_t nodes;
};

/* Of the names above the one at hand, by depth. */
struct check_above { uint16_t flags; bool child, wild_child; };

/* How far the directory has been read. */
struct check_runs {
	uint32_t home;                  /* whose run is at hand; homes: all are done */
	uint64_t slot, begin, end;      /* the next slot; the run */
};

struct image_check {
	struct image_layout layout;
	uint32_t homes;
	enum image_part part;           /* of the next chunk */
	uint32_t number;
	uint64_t data_end;
	struct check_stream stream[2];
	struct check_above above[NAME_MAX_LABELS + 1];
	struct encoder encoder;
	uint8_t *scratch, *rdata;       /* for records taken apart; rdata: of rdata_size */
	size_t rdata_size;
	struct build_record *records;   /* 2 × RRSET_MAX_RECORDS */
	uint8_t *far[FAR_MAX];          /* blobs that await their node */
	uint32_t far_size[FAR_MAX], far_chunk[FAR_MAX];
	unsigned far_count, far_used;
	uint64_t rrsets, record_count;
	struct content_hash content;
	uint64_t seed;
	uint16_t *home_count;           /* names by home */
	uint64_t wanted[2], seen[2];    /* sums over the directory's slots */
	struct check_runs runs;
	XXH3_state_t *order_wanted[2], *order_seen[2];  /* names, NSEC3 */
};

static int corrupt(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "image: %s", what);
}

/* ---- begin and end of a check -------------------------------------------- */

void image_check_free(struct image_check *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->far_count; i++)
		free(c->far[i]);
	for (unsigned i = 0; i < 2; i++) {
		XXH3_freeState(c->order_wanted[i]);
		XXH3_freeState(c->order_seen[i]);
	}
	free(c->encoder.buf);
	free(c->scratch);
	free(c->rdata);
	free(c->records);
	free(c->home_count);
	free(c);
}

static int check_memory(struct image_check *c, struct err *err)
{
	bool all = true;

	c->scratch = malloc(RECORD_SCRATCH);
	c->records = malloc(2 * RRSET_MAX_RECORDS * sizeof *c->records);
	c->home_count = calloc(c->homes ? c->homes : 1, sizeof *c->home_count);
	for (unsigned i = 0; i < 2; i++) {
		c->order_wanted[i] = XXH3_createState();
		c->order_seen[i] = XXH3_createState();
		all = all && c->order_wanted[i] && c->order_seen[i];
	}
	if (!all || !c->scratch || !c->records || !c->home_count)
		return err_set(err, ERR_NOMEM, "no memory to check an image");
	for (unsigned i = 0; i < 2; i++) {
		XXH3_128bits_reset_withSeed(c->order_wanted[i], c->seed);
		XXH3_128bits_reset_withSeed(c->order_seen[i], c->seed);
	}
	return 0;
}

/* ---- RRsets -------------------------------------------------------------- */

static uint8_t *rdata_room(struct image_check *c, size_t size)
{
	if (size > c->rdata_size) {
		uint8_t *p = realloc(c->rdata, size);

		if (!p)
			return NULL;
		c->rdata = p;
		c->rdata_size = size;
	}
	return c->rdata;
}

/* The records of one half of a blob, uncompressed, at p; as many as there are,
 * or -1. */
static int take_apart(struct image_check *c, const struct rrset *set, bool sigs, struct build_record *records, uint8_t **p)
{
	const struct image_header *h = &c->layout.header;
	unsigned want = sigs ? set->sig_count : set->count, n = 0;
	struct record_walk walk;
	struct record r;

	if (want > RRSET_MAX_RECORDS)
		return -1;
	record_walk_begin(&walk, set, sigs, h->apex, h->apex_size);
	while (n < want && record_walk_next(&walk, &r, c->scratch)) {
		records[n].rdata = r.rdata;
		records[n].size = r.size;
		if (r.rdata == c->scratch) {
			memcpy(*p, r.rdata, r.size);
			records[n].rdata = *p;
			*p += r.size;
		}
		n++;
	}
	return n == want ? (int)n : -1;
}

/* blob: of node_set_size octets. */
static int check_rrset(struct image_check *c, const struct node_set *stored, const uint8_t *owner, size_t owner_size, struct err *err)
{
	const struct rrset set = { .type = stored->type, .count = stored->count, .sig_count = stored->sig_count,
		.wire_size = stored->wire_size, .sigs_size = stored->sigs_size, .patches = stored->patches, .targets = stored->targets,
		.wire = stored->blob, .sigs = stored->blob + stored->wire_size,
		.patch = stored->blob + stored->wire_size + stored->sigs_size,
		.target = stored->blob + stored->wire_size + stored->sigs_size + 2 * (size_t)stored->patches };
	struct build_rrset build = { .type = set.type, .records = c->records, .sigs = c->records + RRSET_MAX_RECORDS };
	struct content_hash hash;
	struct err reason = ERR_INIT;
	struct node_set again;
	uint8_t *p = rdata_room(c, (size_t)set.wire_size + (size_t)set.patches * NAME_MAX_SIZE + 1);
	int n, sigs;
	size_t at;

	if (!p)
		return err_set(err, ERR_NOMEM, "no memory to check an image");
	if (set.wire_size < 12 || owner_size + 16 + set.wire_size > UINT16_MAX)
		return corrupt(err, "an RRset that fits into no message");
	n = take_apart(c, &set, false, c->records, &p);
	sigs = take_apart(c, &set, true, c->records + RRSET_MAX_RECORDS, &p);
	if (n < 0 || sigs < 0)
		return corrupt(err, "an RRset whose records do not fill it");
	build.ttl = rrset_ttl(&set);
	build.count = (uint32_t)n;
	build.sig_count = (uint32_t)sigs;
	c->encoder.used = 0;
	if (encode_rrset(&c->encoder, &build, &again, &at, &reason))
		return err_set(err, err_is(&reason, ERR_NOMEM) ? ERR_NOMEM : ERR_CORRUPT, "image: %s", reason.message);
	if (again.wire_size != stored->wire_size || again.sigs_size != stored->sigs_size || again.patches != stored->patches ||
	    again.targets != stored->targets || memcmp(c->encoder.buf + at, stored->blob, node_set_size(stored)) != 0)
		return corrupt(err, "an RRset that is not encoded as it must be");
	content_hash_rrset(&hash, owner, owner_size, &build);
	content_hash_add(&c->content, &hash);
	c->rrsets++;
	c->record_count += (uint64_t)n + (uint64_t)sigs;
	return 0;
}

static bool all_zero(const uint8_t *p, size_t size)
{
	while (size--)
		if (*p++)
			return false;
	return true;
}

/* The blob that an entry tells of: in the node, at *at, or far. */
static int entry_blob(struct image_check *c, const uint8_t *n, const uint8_t *e, struct node_set *set, size_t *at, bool first, struct err *err)
{
	uint16_t flags = load_le16(e + 6);
	uint32_t where = load_le32(e + 8);
	size_t size = node_set_size(set);

	if (flags & ~ENTRY_FAR)
		return corrupt(err, "an entry with unknown flags");
	if (flags & ENTRY_FAR) {
		unsigned i = c->far_used;

		if (!first || i >= c->far_count || where != make_place(c->far_chunk[i], DATA_HEADER_SIZE) ||
		    c->far_size[i] != round8(size) || !all_zero(c->far[i] + size, c->far_size[i] - size))
			return corrupt(err, "an RRset that is not in the chunk that it is said to be in");
		set->blob = c->far[i];
		c->far_used++;
		return 0;
	}
	if (where != *at || size > node_size(n) - *at)
		return corrupt(err, "an RRset outside its node");
	set->blob = n + *at;
	*at += size;
	return 0;
}

/* All RRsets of a node whose header and owner are known to be sound. sets
 * (types only) is for the flags. first: it begins its chunk. */
static int check_entries(struct image_check *c, const uint8_t *n, struct node_set *sets, bool first, struct err *err)
{
	const struct image_header *h = &c->layout.header;
	unsigned count = node_rrsets(n);
	size_t owner_size = node_owner_size(n), at = NODE_HEADER_SIZE + (size_t)count * NODE_ENTRY_SIZE + owner_size;
	uint8_t owner[NAME_MAX_SIZE];

	name_lower(owner, node_owner(n), owner_size);
	memcpy(owner + owner_size, h->apex, h->apex_size);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *e = node_entry(n, i);

		sets[i] = (struct node_set){ .type = load_le16(e), .count = load_le16(e + 2), .sig_count = load_le16(e + 4),
			.wire_size = load_le16(e + 12), .sigs_size = load_le16(e + 14), .patches = load_le16(e + 16),
			.targets = load_le16(e + 18) };
		if (i && sets[i].type <= sets[i - 1].type)
			return corrupt(err, "a node whose types do not rise");
		if (entry_blob(c, n, e, &sets[i], &at, first, err) ||
		    check_rrset(c, &sets[i], owner, owner_size + h->apex_size, err))
			return -1;
	}
	if (round8(at) != node_size(n) || !all_zero(n + at, node_size(n) - at))
		return corrupt(err, "a node longer than what it holds");
	return 0;
}

/* ---- nodes --------------------------------------------------------------- */

/* A depth is left: was it told rightly what is below it? */
static int leave(struct image_check *c, unsigned from, unsigned to, struct err *err)
{
	for (unsigned d = from; d <= to; d++) {
		const struct check_above *a = &c->above[d];

		if (!!(a->flags & NODE_WILD_CHILD) != a->wild_child)
			return corrupt(err, "a name that is wrong about a wildcard below it");
		if (d && (a->flags & NODE_ENT) && !a->child)
			return corrupt(err, "an empty non-terminal with nothing below it");
	}
	return 0;
}

/* In a full image every flag follows from the names. */
static int check_full_flags(struct image_check *c, const uint8_t *n, unsigned before, unsigned common,
	const struct node_set *sets, bool begun, struct err *err)
{
	unsigned depth = c->stream[STREAM_NAMES].trail.labels;
	bool occluded = depth && c->above[depth - 1].flags & (NODE_CUT | NODE_DNAME | NODE_OCCLUDED);
	uint16_t want = node_own_flags(node_owner(n), node_owner_size(n), occluded, sets, node_rrsets(n));

	if (depth != (begun ? common + 1 : 0))
		return corrupt(err, "a name whose parent is not there");
	if (begun && leave(c, common + 1, before, err))
		return -1;
	if (occluded)
		want |= NODE_OCCLUDED;
	if ((node_flags(n) & ~NODE_WILD_CHILD) != want)
		return corrupt(err, "a node with wrong flags");
	c->above[depth] = (struct check_above){ .flags = node_flags(n) };
	if (depth)
		c->above[depth - 1].child = true;
	if (want & NODE_WILDCARD)
		c->above[depth - 1].wild_child = true;
	return 0;
}

static int check_delta_flags(const uint8_t *n, const struct node_set *sets, struct err *err)
{
	uint16_t flags = node_flags(n), said = flags & (NODE_OCCLUDED | NODE_WILD_CHILD | NODE_GONE);
	uint16_t want = node_own_flags(node_owner(n), node_owner_size(n), said & NODE_OCCLUDED, sets, node_rrsets(n));

	if (said & NODE_GONE)
		want &= ~NODE_ENT;
	if (flags != (want | said) || (said & NODE_GONE && node_rrsets(n)))
		return corrupt(err, "a node with wrong flags");
	return 0;
}

static void slot_sum(uint64_t sum[2], uint64_t seed, uint32_t home, uint32_t tag, uint32_t place)
{
	uint8_t buf[12];
	XXH128_hash_t h;

	store_le32(buf, home);
	store_le32(buf + 4, tag);
	store_le32(buf + 8, place);
	h = XXH3_128bits_withSeed(buf, sizeof buf, seed);
	sum[0] += h.low64;
	sum[1] += h.high64;
}

/* What the indexes must say of a name. */
static int want_name(struct image_check *c, const uint8_t *n, uint32_t place, struct err *err)
{
	struct check_stream *s = &c->stream[STREAM_NAMES];
	uint64_t hash = trail_hash(&s->trail);
	uint32_t home = hash_home(hash, c->homes);
	uint8_t entry[ORDER_ENTRY];

	if (c->home_count[home] == UINT16_MAX)
		return corrupt(err, "too many names of one hash");
	c->home_count[home]++;
	slot_sum(c->wanted, c->seed, home, hash_tag(hash), place);
	if (s->nodes % ORDER_STEP)
		return 0;
	order_key(entry, node_owner(n), node_owner_size(n));
	store_le32(entry + ORDER_KEY, place);
	XXH3_128bits_update(c->order_wanted[STREAM_NAMES], entry, sizeof entry);
	return 0;
}

static int check_name(struct image_check *c, const uint8_t *n, uint32_t place, bool first, struct err *err)
{
	struct check_stream *s = &c->stream[STREAM_NAMES];
	struct node_set sets[BLOB_MAX / NODE_ENTRY_SIZE];
	unsigned common = 0, before = s->trail.labels;
	bool begun = s->trail.begun;

	if (s->nodes == c->layout.header.nodes)
		return corrupt(err, "more names than the header says");
	if (trail_next(&s->trail, node_owner(n), node_owner_size(n), c->layout.header.apex_size, &common) != TRAIL_RISING)
		return corrupt(err, "names that are not in canonical order");
	if (node_owner_labels(n) != s->trail.labels)
		return corrupt(err, "a node that miscounts its labels");
	if (check_entries(c, n, sets, first, err))
		return -1;
	for (unsigned i = 0; i < node_rrsets(n); i++)
		if (sets[i].type == TYPE_NSEC3)
			return corrupt(err, "an NSEC3 among the names");
	if (c->layout.header.delta ? check_delta_flags(n, sets, err) : check_full_flags(c, n, before, common, sets, begun, err))
		return -1;
	if (want_name(c, n, place, err))
		return -1;
	s->nodes++;
	return 0;
}

static int check_nsec3(struct image_check *c, const uint8_t *n, uint32_t place, bool first, struct err *err)
{
	struct check_stream *s = &c->stream[STREAM_NSEC3];
	struct node_set sets[BLOB_MAX / NODE_ENTRY_SIZE];
	bool gone = c->layout.header.delta && node_flags(n) & NODE_GONE;
	uint8_t entry[NSEC3_ENTRY];
	unsigned common;

	if (s->nodes == c->layout.header.nsec3_nodes)
		return corrupt(err, "more NSEC3 nodes than the header says");
	if (trail_next(&s->trail, node_owner(n), node_owner_size(n), c->layout.header.apex_size, &common) != TRAIL_RISING)
		return corrupt(err, "NSEC3 nodes that are not in order");
	if (node_owner_labels(n) != s->trail.labels || node_flags(n) != (NODE_NSEC3 | (gone ? NODE_GONE : 0)) ||
	    node_rrsets(n) != (gone ? 0 : 1))
		return corrupt(err, "an NSEC3 node that holds something else");
	if (check_entries(c, n, sets, first, err))
		return -1;
	if (!gone && sets[0].type != TYPE_NSEC3)
		return corrupt(err, "an NSEC3 node without NSEC3");
	store_le64(entry, order_nsec3_key(node_owner(n), node_owner_size(n)));
	store_le32(entry + 8, place);
	XXH3_128bits_update(c->order_wanted[STREAM_NSEC3], entry, sizeof entry);
	s->nodes++;
	return 0;
}

/* "owner: " before the message, if there is an owner to speak of. */
static int owner_context(struct image_check *c, const uint8_t *n, struct err *err)
{
	const struct image_header *h = &c->layout.header;
	uint8_t full[NAME_MAX_SIZE];
	size_t size = node_owner_size(n);
	char text[NAME_TEXT_MAX];

	memcpy(full, node_owner(n), size);
	memcpy(full + size, h->apex, h->apex_size);
	if (name_length(full, size + h->apex_size) == size + h->apex_size)
		err_context(err, "%s", name_to_text(text, full));
	return -1;
}

static int check_node(struct image_check *c, enum stream_kind kind, const uint8_t *n, size_t left, uint32_t place, bool first, struct err *err)
{
	size_t fixed;

	if (left < NODE_HEADER_SIZE || node_size(n) > left || node_size(n) < NODE_HEADER_SIZE || node_size(n) % 8)
		return corrupt(err, "a node longer than its chunk");
	fixed = NODE_HEADER_SIZE + (size_t)node_rrsets(n) * NODE_ENTRY_SIZE + node_owner_size(n);
	if (fixed > node_size(n) || !all_zero(n + 10, 6) || (size_t)node_owner_size(n) + c->layout.header.apex_size > NAME_MAX_SIZE)
		return corrupt(err, "a node whose entries do not fit into it");
	if (kind == STREAM_NSEC3 ? check_nsec3(c, n, place, first, err) : check_name(c, n, place, first, err))
		return owner_context(c, n, err);
	return 0;
}

/* ---- data chunks --------------------------------------------------------- */

static int take_far(struct image_check *c, uint32_t number, const uint8_t *chunk, size_t size, struct err *err)
{
	size_t blob = size - DATA_HEADER_SIZE;

	if (data_next(chunk) != NO_CHUNK || data_first_index(chunk) != 0 || blob == 0 || c->far_count == FAR_MAX)
		return corrupt(err, "a chunk of a large RRset that is none");
	c->far[c->far_count] = malloc(blob);
	if (!c->far[c->far_count])
		return err_set(err, ERR_NOMEM, "no memory to check an image");
	memcpy(c->far[c->far_count], chunk + DATA_HEADER_SIZE, blob);
	c->far_size[c->far_count] = (uint32_t)blob;
	c->far_chunk[c->far_count++] = number;
	return 0;
}

/* The node that begins the chunk behind them has used them all. */
static int far_done(struct image_check *c, struct err *err)
{
	if (c->far_used != c->far_count)
		return corrupt(err, "a large RRset that belongs to no node");
	for (unsigned i = 0; i < c->far_count; i++)
		free(c->far[i]);
	c->far_count = c->far_used = 0;
	return 0;
}

static int check_data(struct image_check *c, uint32_t number, const uint8_t *chunk, size_t size, struct err *err)
{
	struct check_stream *s;
	uint32_t kind;

	if (size < DATA_HEADER_SIZE || size % 8 || size > CHUNK_SIZE || data_used(chunk) != size)
		return corrupt(err, "a data chunk of a wrong size");
	c->data_end = ((uint64_t)number << 16) + size;
	kind = data_kind(chunk);
	if (kind == STREAM_FAR)
		return take_far(c, number, chunk, size, err);
	if (kind >= STREAM_FAR)
		return corrupt(err, "a data chunk of an unknown kind");
	s = &c->stream[kind];
	if (s->next != number || data_first_index(chunk) != s->nodes || size == DATA_HEADER_SIZE)
		return corrupt(err, "a data chunk that its stream does not lead to");
	s->next = data_next(chunk);
	if (s->next != NO_CHUNK && (s->next <= number || s->next >= c->layout.chunks[PART_DATA]))
		return corrupt(err, "a data chunk that leads backwards");
	for (size_t at = DATA_HEADER_SIZE; at < size; at += node_size(chunk + at)) {
		bool first = at == DATA_HEADER_SIZE;

		if (check_node(c, kind, chunk + at, size - at, make_place(number, (uint32_t)at), first, err) ||
		    (first && far_done(c, err)))
			return -1;
	}
	return 0;
}

static int data_done(struct image_check *c, struct err *err)
{
	const struct image_header *h = &c->layout.header;

	if (c->stream[STREAM_NAMES].next != NO_CHUNK || c->stream[STREAM_NSEC3].next != NO_CHUNK || c->far_count)
		return corrupt(err, "a stream of nodes that does not end");
	if (c->stream[STREAM_NAMES].nodes != h->nodes || c->stream[STREAM_NSEC3].nodes != h->nsec3_nodes ||
	    c->rrsets != h->rrsets || c->record_count != h->records || c->data_end != h->data_end)
		return corrupt(err, "another count of nodes or records than the header says");
	if (memcmp(c->content.word, h->content, sizeof h->content) != 0)
		return corrupt(err, "another content hash than the header says");
	if (!h->delta && (h->nodes == 0 || leave(c, 0, c->stream[STREAM_NAMES].trail.labels, err)))
		return corrupt(err, "no apex");
	return 0;
}

/* ---- directory ----------------------------------------------------------- */

/* The run of the next home begins where that home's lines do, or behind the
 * run before it. */
static void run_set(struct image_check *c, uint64_t end_before)
{
	struct check_runs *r = &c->runs;
	uint64_t begin = (uint64_t)r->home * LINE_SLOTS;

	r->begin = begin > end_before ? begin : end_before;
	r->end = r->begin + (r->home < c->homes ? c->home_count[r->home] : 0);
}

static int check_slot(struct image_check *c, const uint8_t *p, struct err *err)
{
	struct check_runs *r = &c->runs;
	uint32_t tag = load_le32(p), place = load_le32(p + 4);

	while (r->home < c->homes && r->slot >= r->end) {
		uint64_t end = r->end;

		r->home++;
		run_set(c, end);
	}
	if (r->home < c->homes && r->slot >= r->begin) {
		if (!place)
			return corrupt(err, "a name that is missing in the directory");
		slot_sum(c->seen, c->seed, r->home, tag, place);
	} else if (tag || place) {
		return corrupt(err, "a directory slot that belongs to no name");
	}
	r->slot++;
	return 0;
}

static int check_lines(struct image_check *c, const uint8_t *p, size_t size, struct err *err)
{
	if (c->runs.slot == 0)
		run_set(c, 0);
	for (size_t at = 0; at < size; at += 8)
		if (check_slot(c, p + at, err))
			return -1;
	return 0;
}

static int directory_done(struct image_check *c, struct err *err)
{
	struct check_runs *r = &c->runs;
	uint64_t end;

	/* runs behind the last slot read must be empty */
	if (c->layout.header.directory_lines == 0)
		run_set(c, 0);
	for (end = r->end; r->home < c->homes; end = r->end) {
		if (r->end > r->slot && r->end > r->begin)
			return corrupt(err, "a directory that is cut short");
		r->home++;
		run_set(c, end);
	}
	if (end < (uint64_t)c->homes * LINE_SLOTS)
		end = (uint64_t)c->homes * LINE_SLOTS;
	if (c->layout.header.directory_lines != chunks_for(end, LINE_SLOTS))
		return corrupt(err, "a directory of a wrong length");
	if (c->wanted[0] != c->seen[0] || c->wanted[1] != c->seen[1])
		return corrupt(err, "a directory that does not lead to the names");
	return 0;
}

/* ---- order --------------------------------------------------------------- */

static int check_order(struct image_check *c, unsigned kind, const uint8_t *p, size_t entries, struct err *err)
{
	XXH3_128bits_update(c->order_seen[kind], p, entries * (kind == STREAM_NSEC3 ? NSEC3_ENTRY : ORDER_ENTRY));
	return 0;
}

static int check_order_chunk(struct image_check *c, uint32_t number, const uint8_t *p, size_t size, struct err *err)
{
	const struct image_header *h = &c->layout.header;
	uint32_t names = chunks_for(order_entries(h->nodes), ORDER_PER_CHUNK);
	uint64_t left;
	size_t n;

	if (number < names)
		return check_order(c, STREAM_NAMES, p, size / ORDER_ENTRY, err);
	left = h->nsec3_nodes - (uint64_t)(number - names) * NSEC3_PER_CHUNK;
	n = left < NSEC3_PER_CHUNK ? (size_t)left : NSEC3_PER_CHUNK;
	if (!all_zero(p + n * NSEC3_ENTRY, size - n * NSEC3_ENTRY))
		return corrupt(err, "octets behind the order of the NSEC3 nodes");
	return check_order(c, STREAM_NSEC3, p, n, err);
}

static int order_done(struct image_check *c, struct err *err)
{
	for (unsigned i = 0; i < 2; i++)
		if (!XXH128_isEqual(XXH3_128bits_digest(c->order_wanted[i]), XXH3_128bits_digest(c->order_seen[i])))
			return corrupt(err, "an order that does not lead to the nodes");
	return 0;
}

/* ---- the whole ------------------------------------------------------------ */

static int check_packed(struct image_check *c, const uint8_t *image, size_t size, struct err *err)
{
	const struct image_layout *l = &c->layout;
	struct packed_at at;
	size_t order = (size_t)order_entries(l->header.nodes) * ORDER_ENTRY, nsec3 = (size_t)l->header.nsec3_nodes * NSEC3_ENTRY;

	if (layout_packed(l, image, size, &at, err))
		return -1;
	if (at.end != size || !all_zero(image + at.nsec3 + nsec3, size - at.nsec3 - nsec3))
		return corrupt(err, "octets behind its end");
	for (uint32_t i = 0; i < l->chunks[PART_DATA]; i++)
		if (check_data(c, i, image + at.data[i], at.data_size[i], err))
			return -1;
	if (data_done(c, err) || check_lines(c, image + at.directory, (size_t)l->header.directory_lines * LINE_SIZE, err) ||
	    check_order(c, STREAM_NAMES, image + at.order, order / ORDER_ENTRY, err))
		return -1;
	return check_order(c, STREAM_NSEC3, image + at.nsec3, l->header.nsec3_nodes, err);
}

/* To the next part that has chunks. A part's end is judged when it is reached. */
static int part_turn(struct image_check *c, struct err *err)
{
	while (c->part < PART_COUNT && c->number >= c->layout.chunks[c->part]) {
		if (c->part == PART_DATA && data_done(c, err))
			return -1;
		c->part++;
		c->number = 0;
	}
	return 0;
}

struct image_check *image_check_new(const uint8_t *header, size_t size, uint64_t hash_key, struct err *err)
{
	struct image_check *c = calloc(1, sizeof *c);
	const struct image_header *h;

	if (!c) {
		err_set(err, ERR_NOMEM, "no memory to check an image");
		return NULL;
	}
	h = &c->layout.header;
	if (layout_decode(&c->layout, header, size, err))
		goto fail;
	c->homes = h->nodes ? home_lines(h->nodes) : 0;
	if (getrandom(&c->seed, sizeof c->seed, 0) != sizeof c->seed) {
		err_system(err, "no random numbers");
		goto fail;
	}
	if (h->hash_key != hash_key) {
		corrupt(err, "its names are hashed with another store's key");
		goto fail;
	}
	if (check_memory(c, err))
		goto fail;
	memcpy(c->encoder.apex, h->apex, h->apex_size);
	c->encoder.apex_size = h->apex_size;
	c->stream[STREAM_NAMES].trail.hash[0] = apex_hash(h->apex, hash_key);
	for (unsigned i = 0; i < 2; i++)
		c->stream[i].next = c->layout.first[i];
	c->part = PART_COUNT;
	if (c->layout.packed) {
		if (check_packed(c, header, size, err))
			goto fail;
	} else {
		c->part = PART_DATA;
		if (size != c->layout.size) {
			corrupt(err, "octets behind its header");
			goto fail;
		}
		if (part_turn(c, err))
			goto fail;
	}
	return c;
fail:
	image_check_free(c);
	return NULL;
}

int image_check_chunk(struct image_check *c, enum image_part part, uint32_t number, const uint8_t *chunk, size_t size, struct err *err)
{
	int r;

	if (part != c->part || number != c->number || part == PART_COUNT)
		return corrupt(err, "a chunk that is not the next one");
	if (part != PART_DATA && size != layout_chunk_size(&c->layout, part, number))
		return corrupt(err, "an index chunk of a wrong size");
	if (part == PART_DATA)
		r = check_data(c, number, chunk, size, err);
	else if (part == PART_DIRECTORY)
		r = all_zero(chunk, LINES_PADDING) ? check_lines(c, chunk + LINES_PADDING, size - LINES_PADDING, err) :
			corrupt(err, "octets before the lines of the directory");
	else
		r = check_order_chunk(c, number, chunk, size, err);
	c->number++;
	return r ? -1 : part_turn(c, err);
}

int image_check_finish(struct image_check *c, struct err *err)
{
	if (c->part != PART_COUNT)
		return corrupt(err, "chunks are missing at its end");
	if (directory_done(c, err))
		return -1;
	return order_done(c, err);
}
