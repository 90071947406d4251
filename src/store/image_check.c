/*
 * Does an image hold what it says? Told chunk by chunk, in the order in which
 * the writer copies them.
 *
 * Nodes are checked one by one as they come. A node's RRsets are taken apart
 * and encoded anew, and it is made anew of them: what is stored must be those
 * very octets, so that no offset in it needs a rule of its own.
 */
#include "store/image_check_index.h"
#include "store/image_node.h"

#include <stdlib.h>
#include <string.h>

#include "base/turn.h"
#include "store/content_hash.h"
#include "wire/rrtype.h"

struct check_stream {
	struct trail trail;
	uint32_t next;                  /* chunk that must come next; NO_CHUNK: none */
	uint32_t nodes;
};

/* Of the names above the one at hand, by depth. */
struct check_above { uint16_t flags; bool child, wild_child; };

struct image_check {
	struct image_layout layout;
	enum image_part part;           /* of the next chunk */
	uint32_t number;
	uint64_t data_end;
	struct check_stream stream[2];
	struct check_above above[NAME_MAX_LABELS + 1];
	struct encoder encoder;
	uint8_t *node;                  /* the node made anew: CHUNK_SIZE octets */
	uint8_t *scratch, *rdata;       /* for records taken apart; rdata: of rdata_size */
	size_t rdata_size;
	struct build_record *records;   /* 2 × RRSET_MAX_RECORDS */
	uint8_t *far[FAR_MAX];          /* blobs that await their node */
	uint32_t far_size[FAR_MAX];
	unsigned far_count, far_used;
	uint64_t rrsets, record_count;
	struct content_hash content;
	struct index_check *index;
};

/* ---- begin and end of a check -------------------------------------------- */

void image_check_free(struct image_check *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->far_count; i++)
		free(c->far[i]);
	index_check_free(c->index);
	encoder_free(&c->encoder);
	free(c->node);
	free(c->scratch);
	free(c->rdata);
	free(c->records);
	free(c);
}

static int check_memory(struct image_check *c, struct err *err)
{
	c->node = malloc(CHUNK_SIZE);
	c->scratch = malloc(RECORD_SCRATCH);
	c->records = malloc(2 * RRSET_MAX_RECORDS * sizeof *c->records);
	if (!c->node || !c->scratch || !c->records)
		return err_set(err, ERR_NOMEM, "no memory to check an image");
	c->index = index_check_new(&c->layout.header, err);
	return c->index ? 0 : -1;
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

/* Takes an RRset apart and encodes it anew. */
static int check_rrset(struct image_check *c, const struct rrset *set, const uint8_t *owner, size_t owner_size, struct err *err)
{
	struct build_rrset build = { .type = set->type, .records = c->records, .sigs = c->records + RRSET_MAX_RECORDS };
	struct content_hash hash;
	struct err reason = ERR_INIT;
	uint8_t *p = rdata_room(c, (size_t)set->wire_size + (size_t)set->patches * NAME_MAX_SIZE + 1);
	int n, sigs;

	if (!p)
		return err_set(err, ERR_NOMEM, "no memory to check an image");
	if (set->wire_size < RR_FIXED_SIZE || owner_size + 16 + set->wire_size > UINT16_MAX)
		return image_corrupt(err, "an RRset that fits into no message");
	n = take_apart(c, set, false, c->records, &p);
	sigs = take_apart(c, set, true, c->records + RRSET_MAX_RECORDS, &p);
	if (n < 0 || sigs < 0)
		return image_corrupt(err, "an RRset whose records do not fill it");
	build.ttl = rrset_ttl(set);
	build.count = (uint32_t)n;
	build.sig_count = (uint32_t)sigs;
	if (!encoder_add(&c->encoder, &build, &reason))
		return err_set(err, err_is(&reason, ERR_NOMEM) ? ERR_NOMEM : ERR_CORRUPT, "image: %s", reason.message);
	content_hash_rrset(&hash, owner, owner_size, &build);
	content_hash_add(&c->content, &hash);
	c->rrsets++;
	c->record_count += (uint64_t)n + (uint64_t)sigs;
	return 0;
}

/* The RRset of an entry, in the node or in the next of the chunks that await
 * it. *used: octets of the node's RRsets in it, which can be no more than it
 * has: so those that overlap cannot make it large when it is made anew. */
static int entry_rrset(struct image_check *c, const uint8_t *n, unsigned i, struct rrset *s, size_t *used, struct err *err)
{
	uint32_t far;

	if (!node_rrset(n, node_entry(n, i), s, &far))
		return image_corrupt(err, "an RRset outside its node");
	if (!far) {
		*used += rrset_size(s);
		return *used <= node_size(n) ? 0 : image_corrupt(err, "RRsets that overlap");
	}
	if (c->far_used == c->far_count || rrset_size(s) > c->far_size[c->far_used])
		return image_corrupt(err, "an RRset that is not in the chunk that it is said to be in");
	rrset_lies_at(s, c->far[c->far_used++]);
	return 0;
}

/* All RRsets of a node whose header and owner are known to be sound: encoded
 * anew in the encoder. */
static int check_rrsets(struct image_check *c, const uint8_t *n, struct err *err)
{
	const struct image_header *h = &c->layout.header;
	size_t owner_size = node_owner_size(n);
	uint8_t owner[NAME_MAX_SIZE];
	uint16_t before = 0;
	size_t used = 0;
	struct rrset s;

	name_lower(owner, node_owner(n), owner_size);
	memcpy(owner + owner_size, h->apex, h->apex_size);
	encoder_begin(&c->encoder);
	for (unsigned i = 0; i < node_rrsets(n); i++, before = s.type) {
		if (entry_rrset(c, n, i, &s, &used, err))
			return -1;
		if (i && s.type <= before)
			return image_corrupt(err, "a node whose types do not rise");
		if (check_rrset(c, &s, owner, owner_size + h->apex_size, err))
			return -1;
	}
	return 0;
}

/* Is what lies far just what goes far in the node that is made anew? */
static int check_far(struct image_check *c, const struct node_draft *d, struct err *err)
{
	unsigned k = 0;

	for (unsigned i = 0; i < d->count; i++) {
		const struct rrset *s = &d->sets[i].rrset;
		size_t size = rrset_size(s);

		if (!d->sets[i].far)
			continue;
		if (k == c->far_used || c->far_size[k] != round8(size) || memcmp(c->far[k], s->wire, size) != 0 ||
		    !all_zero(c->far[k] + size, c->far_size[k] - size))
			return image_corrupt(err, "a large RRset that is not encoded as it must be");
		k++;
	}
	return k == c->far_used ? 0 : image_corrupt(err, "an RRset in a chunk of its own without need");
}

/* The node's RRsets are left in the encoder. */
static int check_content(struct image_check *c, const uint8_t *n, uint32_t place, struct err *err)
{
	struct node_draft d = { .owner = node_owner(n), .owner_size = node_owner_size(n), .labels = node_owner_labels(n),
		.flags = node_flags(n), .count = node_rrsets(n) };
	struct err reason = ERR_INIT;

	if (check_rrsets(c, n, err))
		return -1;
	d.sets = encoder_sets(&c->encoder);
	if (node_fit(&d, &reason))
		return err_set(err, ERR_CORRUPT, "image: %s", reason.message);
	if (check_far(c, &d, err))
		return -1;
	node_encode(c->node, &d, place_chunk(place) - d.far);
	if (d.size != node_size(n) || memcmp(c->node, n, d.size) != 0)
		return image_corrupt(err, "a node that is not encoded as it must be");
	return 0;
}

/* ---- nodes --------------------------------------------------------------- */

/* A depth is left: was it told rightly what is below it? */
static int leave(struct image_check *c, unsigned from, unsigned to, struct err *err)
{
	for (unsigned d = from; d <= to; d++) {
		const struct check_above *a = &c->above[d];

		if (!!(a->flags & NODE_WILD_CHILD) != a->wild_child)
			return image_corrupt(err, "a name that is wrong about a wildcard below it");
		if (d && (a->flags & NODE_ENT) && !a->child)
			return image_corrupt(err, "an empty non-terminal with nothing below it");
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
		return image_corrupt(err, "a name whose parent is not there");
	if (begun && leave(c, common + 1, before, err))
		return -1;
	if (occluded)
		want |= NODE_OCCLUDED;
	if ((node_flags(n) & ~NODE_WILD_CHILD) != want)
		return image_corrupt(err, "a node with wrong flags");
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
		return image_corrupt(err, "a node with wrong flags");
	return 0;
}

static int check_name(struct image_check *c, const uint8_t *n, uint32_t place, struct err *err)
{
	struct check_stream *s = &c->stream[STREAM_NAMES];
	const struct node_set *sets;
	unsigned common = 0, before = s->trail.labels;
	bool begun = s->trail.begun;

	if (s->nodes == c->layout.header.nodes)
		return image_corrupt(err, "more names than the header says");
	if (trail_next(&s->trail, node_owner(n), node_owner_size(n), c->layout.header.apex_size, &common) != TRAIL_RISING)
		return image_corrupt(err, "names that are not in canonical order");
	if (node_owner_labels(n) != s->trail.labels)
		return image_corrupt(err, "a node that miscounts its labels");
	if (check_content(c, n, place, err))
		return -1;
	sets = c->encoder.sets;
	for (unsigned i = 0; i < node_rrsets(n); i++)
		if (sets[i].rrset.type == TYPE_NSEC3)
			return image_corrupt(err, "an NSEC3 among the names");
	if (c->layout.header.delta ? check_delta_flags(n, sets, err) : check_full_flags(c, n, before, common, sets, begun, err))
		return -1;
	if (index_check_name(c->index, trail_hash(&s->trail), node_owner(n), node_owner_size(n), place, err))
		return -1;
	s->nodes++;
	return 0;
}

static int check_nsec3(struct image_check *c, const uint8_t *n, uint32_t place, struct err *err)
{
	struct check_stream *s = &c->stream[STREAM_NSEC3];
	bool gone = c->layout.header.delta && node_flags(n) & NODE_GONE;
	unsigned common;

	if (s->nodes == c->layout.header.nsec3_nodes)
		return image_corrupt(err, "more NSEC3 nodes than the header says");
	if (trail_next(&s->trail, node_owner(n), node_owner_size(n), c->layout.header.apex_size, &common) != TRAIL_RISING)
		return image_corrupt(err, "NSEC3 nodes that are not in order");
	if (node_owner_labels(n) != s->trail.labels || node_flags(n) != (NODE_NSEC3 | (gone ? NODE_GONE : 0)) ||
	    node_rrsets(n) != (gone ? 0 : 1))
		return image_corrupt(err, "an NSEC3 node that holds something else");
	if (check_content(c, n, place, err))
		return -1;
	if (!gone && c->encoder.sets[0].rrset.type != TYPE_NSEC3)
		return image_corrupt(err, "an NSEC3 node without NSEC3");
	index_check_nsec3(c->index, node_owner(n), node_owner_size(n), place);
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

static int check_node(struct image_check *c, enum stream_kind kind, const uint8_t *n, size_t left, uint32_t place, struct err *err)
{
	size_t fixed;

	if (left < NODE_HEADER_SIZE || node_size(n) > left || node_size(n) < NODE_HEADER_SIZE)
		return image_corrupt(err, "a node longer than its chunk");
	fixed = NODE_HEADER_SIZE + (size_t)node_rrsets(n) * NODE_ENTRY_SIZE + node_owner_size(n);
	if (fixed > node_size(n) || (size_t)node_owner_size(n) + c->layout.header.apex_size > NAME_MAX_SIZE)
		return image_corrupt(err, "a node whose entries do not fit into it");
	if (kind == STREAM_NSEC3 ? check_nsec3(c, n, place, err) : check_name(c, n, place, err))
		return owner_context(c, n, err);
	return 0;
}

/* ---- data chunks --------------------------------------------------------- */

static int take_far(struct image_check *c, const uint8_t *chunk, size_t size, struct err *err)
{
	size_t blob = size - DATA_HEADER_SIZE;

	if (data_next(chunk) != NO_CHUNK || data_first_index(chunk) != 0 || blob == 0 || c->far_count == FAR_MAX)
		return image_corrupt(err, "a chunk of a large RRset that is none");
	c->far[c->far_count] = malloc(blob);
	if (!c->far[c->far_count])
		return err_set(err, ERR_NOMEM, "no memory to check an image");
	memcpy(c->far[c->far_count], chunk + DATA_HEADER_SIZE, blob);
	c->far_size[c->far_count++] = (uint32_t)blob;
	return 0;
}

/* The node that begins the chunk behind them has used them all. */
static int far_done(struct image_check *c, struct err *err)
{
	if (c->far_used != c->far_count)
		return image_corrupt(err, "a large RRset that belongs to no node");
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
		return image_corrupt(err, "a data chunk of a wrong size");
	c->data_end = ((uint64_t)number << 16) + size;
	kind = data_kind(chunk);
	if (kind == STREAM_FAR)
		return take_far(c, chunk, size, err);
	if (kind >= STREAM_FAR)
		return image_corrupt(err, "a data chunk of an unknown kind");
	s = &c->stream[kind];
	if (s->next != number || data_first_index(chunk) != s->nodes || size == DATA_HEADER_SIZE)
		return image_corrupt(err, "a data chunk that its stream does not lead to");
	s->next = data_next(chunk);
	if (s->next != NO_CHUNK && (s->next <= number || s->next >= c->layout.chunks[PART_DATA]))
		return image_corrupt(err, "a data chunk that leads backwards");
	for (size_t at = DATA_HEADER_SIZE; at < size; at += node_size(chunk + at)) {
		bool first = at == DATA_HEADER_SIZE;

		turn_over(45);
		if (check_node(c, kind, chunk + at, size - at, make_place(number, (uint32_t)at), err) ||
		    (first && far_done(c, err)))
			return -1;
	}
	return 0;
}

static int data_done(struct image_check *c, struct err *err)
{
	const struct image_header *h = &c->layout.header;

	if (c->stream[STREAM_NAMES].next != NO_CHUNK || c->stream[STREAM_NSEC3].next != NO_CHUNK || c->far_count)
		return image_corrupt(err, "a stream of nodes that does not end");
	if (c->stream[STREAM_NAMES].nodes != h->nodes || c->stream[STREAM_NSEC3].nodes != h->nsec3_nodes ||
	    c->rrsets != h->rrsets || c->record_count != h->records || c->data_end != h->data_end)
		return image_corrupt(err, "another count of nodes or records than the header says");
	if (memcmp(c->content.word, h->content, sizeof h->content) != 0)
		return image_corrupt(err, "another content hash than the header says");
	if (!h->delta && (h->nodes == 0 || leave(c, 0, c->stream[STREAM_NAMES].trail.labels, err)))
		return image_corrupt(err, "no apex");
	return 0;
}

/* ---- the whole ------------------------------------------------------------ */

static int check_packed(struct image_check *c, const uint8_t *image, size_t size, struct err *err)
{
	const struct image_layout *l = &c->layout;
	struct packed_at at;
	size_t nsec3 = (size_t)l->header.nsec3_nodes * NSEC3_ENTRY;

	if (layout_packed(l, image, size, &at, err))
		return -1;
	if (at.end != size || !all_zero(image + at.nsec3 + nsec3, size - at.nsec3 - nsec3))
		return image_corrupt(err, "octets behind its end");
	for (uint32_t i = 0; i < l->chunks[PART_DATA]; i++)
		if (check_data(c, i, image + at.data[i], at.data_size[i], err))
			return -1;
	if (data_done(c, err) || index_check_lines(c->index, image + at.directory, (size_t)l->header.directory_lines * LINE_SIZE, err))
		return -1;
	index_check_order(c->index, STREAM_NAMES, image + at.order, order_entries(l->header.nodes));
	index_check_order(c->index, STREAM_NSEC3, image + at.nsec3, l->header.nsec3_nodes);
	return 0;
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
	if (h->hash_key != hash_key) {
		image_corrupt(err, "its names are hashed with another store's key");
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
			image_corrupt(err, "octets behind its header");
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
		return image_corrupt(err, "a chunk that is not the next one");
	if (part != PART_DATA && size != layout_chunk_size(&c->layout, part, number))
		return image_corrupt(err, "an index chunk of a wrong size");
	if (part == PART_DATA)
		r = check_data(c, number, chunk, size, err);
	else if (part == PART_DIRECTORY)
		r = all_zero(chunk, LINES_PADDING) ? index_check_lines(c->index, chunk + LINES_PADDING, size - LINES_PADDING, err) :
			image_corrupt(err, "octets before the lines of the directory");
	else
		r = index_check_order_chunk(c->index, number, chunk, size, err);
	c->number++;
	return r ? -1 : part_turn(c, err);
}

int image_check_finish(struct image_check *c, struct err *err)
{
	if (c->part != PART_COUNT)
		return image_corrupt(err, "chunks are missing at its end");
	return index_check_done(c->index, err);
}
