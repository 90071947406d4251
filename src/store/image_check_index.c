#include "store/image_check_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/turn.h"

/* How far the directory has been read. */
struct check_runs {
	uint64_t slot;                  /* the next one */
	uint32_t home;                  /* whose run is at hand; homes: all are done */
	uint64_t begin, end;            /* of the run */
	uint32_t place;                 /* the last one in it; 0: none yet */
	uint64_t line_end;              /* of the run of the last line's home */
};

struct index_check {
	const struct image_header *header;
	uint32_t homes;
	uint32_t names;                 /* told so far */
	uint64_t seed;
	uint16_t *home_count;           /* names by home */
	uint64_t wanted[2], seen[2];    /* sums over the directory's slots */
	struct check_runs runs;
	XXH3_state_t *order_wanted[2], *order_seen[2];  /* names, NSEC3 */
};

int image_corrupt(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "image: %s", what);
}

void index_check_free(struct index_check *x)
{
	if (!x)
		return;
	for (unsigned i = 0; i < 2; i++) {
		XXH3_freeState(x->order_wanted[i]);
		XXH3_freeState(x->order_seen[i]);
	}
	free(x->home_count);
	free(x);
}

static bool index_check_memory(struct index_check *x)
{
	bool all = true;

	x->home_count = calloc(x->homes ? x->homes : 1, sizeof *x->home_count);
	for (unsigned i = 0; i < 2; i++) {
		x->order_wanted[i] = XXH3_createState();
		x->order_seen[i] = XXH3_createState();
		all = all && x->order_wanted[i] && x->order_seen[i];
	}
	return all && x->home_count;
}

struct index_check *index_check_new(const struct image_header *header, struct err *err)
{
	struct index_check *x = calloc(1, sizeof *x);

	if (x) {
		x->header = header;
		x->homes = home_lines(header->nodes);
	}
	if (!x || !index_check_memory(x)) {
		err_set(err, ERR_NOMEM, "no memory to check an image");
	} else if (getrandom(&x->seed, sizeof x->seed, 0) != sizeof x->seed) {
		err_system(err, "no random numbers");
	} else {
		for (unsigned i = 0; i < 2; i++) {
			XXH3_128bits_reset_withSeed(x->order_wanted[i], x->seed);
			XXH3_128bits_reset_withSeed(x->order_seen[i], x->seed);
		}
		return x;
	}
	index_check_free(x);
	return NULL;
}

/* ---- what they must say --------------------------------------------------- */

static void slot_sum(uint64_t sum[2], uint64_t seed, uint32_t home, uint16_t tag, uint32_t place)
{
	uint8_t buf[12] = { 0 };
	XXH128_hash_t h;

	store_le32(buf, home);
	store_le16(buf + 4, tag);
	store_le32(buf + 8, place);
	h = XXH3_128bits_withSeed(buf, sizeof buf, seed);
	sum[0] += h.low64;
	sum[1] += h.high64;
}

int index_check_name(struct index_check *x, uint64_t hash, const uint8_t *owner, size_t size, uint32_t place, struct err *err)
{
	uint32_t home = hash_home(hash, x->homes);
	uint8_t entry[ORDER_ENTRY];

	if (x->home_count[home] == UINT16_MAX)
		return image_corrupt(err, "too many names of one hash");
	x->home_count[home]++;
	slot_sum(x->wanted, x->seed, home, hash_tag(hash), place);
	if (x->names++ % ORDER_STEP)
		return 0;
	order_key(entry, owner, size);
	store_le32(entry + ORDER_KEY, place);
	XXH3_128bits_update(x->order_wanted[STREAM_NAMES], entry, sizeof entry);
	return 0;
}

void index_check_nsec3(struct index_check *x, const uint8_t *owner, size_t size, uint32_t place)
{
	uint8_t entry[NSEC3_ENTRY];

	store_le64(entry, order_nsec3_key(owner, size));
	store_le32(entry + 8, place);
	XXH3_128bits_update(x->order_wanted[STREAM_NSEC3], entry, sizeof entry);
}

/* ---- directory ----------------------------------------------------------- */

static void run_set(struct index_check *x, uint64_t end_before)
{
	struct check_runs *r = &x->runs;

	r->begin = run_begin(r->home, end_before);
	r->end = r->begin + (r->home < x->homes ? x->home_count[r->home] : 0);
	r->place = 0;
}

static int check_slot(struct index_check *x, uint16_t tag, uint32_t place, struct err *err)
{
	struct check_runs *r = &x->runs;

	while (r->home < x->homes && r->slot >= r->end) {
		uint64_t end = r->end;

		r->home++;
		run_set(x, end);
	}
	if (r->home < x->homes && r->slot >= r->begin) {
		if (place <= r->place)
			return image_corrupt(err, "a name that is missing in the directory, or out of order");
		r->place = place;
		slot_sum(x->seen, x->seed, r->home, tag, place);
	} else if (tag || place) {
		return image_corrupt(err, "a directory slot that belongs to no name");
	}
	r->slot++;
	return 0;
}

/* What a line tells of the run of its home. */
static int check_line(struct index_check *x, const uint8_t *line, struct err *err)
{
	struct check_runs *r = &x->runs;
	uint32_t home = (uint32_t)(r->slot / LINE_SLOTS);
	uint64_t begin = run_begin(home, r->line_end), shift = begin - (uint64_t)home * LINE_SLOTS;
	uint16_t count = home < x->homes ? x->home_count[home] : 0;

	r->line_end = begin + count;
	if (line_shift(line) != (home < x->homes ? shift : 0) || line_count(line) != count)
		return image_corrupt(err, "a directory line that is wrong about its run");
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		if (check_slot(x, line_tag(line, i), line_place(line, i), err))
			return -1;
	return 0;
}

int index_check_lines(struct index_check *x, const uint8_t *p, size_t size, struct err *err)
{
	if (x->runs.slot == 0)
		run_set(x, 0);
	for (size_t at = 0; at < size; at += LINE_SIZE) {
		turn_over(30);
		if (check_line(x, p + at, err))
			return -1;
	}
	return 0;
}

static int directory_done(struct index_check *x, struct err *err)
{
	struct check_runs *r = &x->runs;
	uint64_t end;

	/* runs behind the last slot read must be empty */
	if (x->header->directory_lines == 0)
		run_set(x, 0);
	for (end = r->end; r->home < x->homes; end = r->end) {
		if (r->end > r->slot && r->end > r->begin)
			return image_corrupt(err, "a directory that is cut short");
		r->home++;
		run_set(x, end);
	}
	if (x->header->directory_lines != chunks_for(run_begin(x->homes, end), LINE_SLOTS))
		return image_corrupt(err, "a directory of a wrong length");
	if (x->wanted[0] != x->seen[0] || x->wanted[1] != x->seen[1])
		return image_corrupt(err, "a directory that does not lead to the names");
	return 0;
}

/* ---- order --------------------------------------------------------------- */

void index_check_order(struct index_check *x, enum stream_kind kind, const uint8_t *p, size_t entries)
{
	XXH3_128bits_update(x->order_seen[kind], p, entries * (kind == STREAM_NSEC3 ? NSEC3_ENTRY : ORDER_ENTRY));
}

int index_check_order_chunk(struct index_check *x, uint32_t number, const uint8_t *p, size_t size, struct err *err)
{
	uint32_t names = chunks_for(order_entries(x->header->nodes), ORDER_PER_CHUNK);
	uint64_t left;
	size_t n;

	if (number < names) {
		index_check_order(x, STREAM_NAMES, p, size / ORDER_ENTRY);
		return 0;
	}
	left = x->header->nsec3_nodes - (uint64_t)(number - names) * NSEC3_PER_CHUNK;
	n = left < NSEC3_PER_CHUNK ? (size_t)left : NSEC3_PER_CHUNK;
	if (!all_zero(p + n * NSEC3_ENTRY, size - n * NSEC3_ENTRY))
		return image_corrupt(err, "octets behind the order of the NSEC3 nodes");
	index_check_order(x, STREAM_NSEC3, p, n);
	return 0;
}

int index_check_done(struct index_check *x, struct err *err)
{
	if (directory_done(x, err))
		return -1;
	for (unsigned i = 0; i < 2; i++)
		if (!XXH128_isEqual(XXH3_128bits_digest(x->order_wanted[i]), XXH3_128bits_digest(x->order_seen[i])))
			return image_corrupt(err, "an order that does not lead to the nodes");
	return 0;
}
