#include "store/image_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/turn.h"

struct name_entry { uint32_t spread, place; uint16_t tag; };    /* spread: the hash's upper half */
struct order_entry { uint8_t key[ORDER_KEY]; uint32_t place; };
struct nsec3_entry { uint64_t key; uint32_t place; };

static void *array_add(struct index_array *a, size_t item, struct err *err)
{
	if (a->count == a->size) {
		size_t size = a->size ? a->size * 2 : 64;
		void *items = realloc(a->items, size * item);

		if (!items) {
			err_set(err, ERR_NOMEM, "no memory for an image's index (%zu octets)", size * item);
			return NULL;
		}
		a->items = items;
		a->size = size;
	}
	return (uint8_t *)a->items + a->count++ * item;
}

int image_index_name(struct image_index *x, uint64_t hash, const uint8_t *owner, size_t size, uint32_t place, struct err *err)
{
	size_t number = x->names.count;
	struct name_entry *name = array_add(&x->names, sizeof *name, err);
	struct order_entry *order;

	if (!name)
		return -1;
	*name = (struct name_entry){ .spread = (uint32_t)(hash >> 32), .tag = hash_tag(hash), .place = place };
	if (number % ORDER_STEP)
		return 0;
	order = array_add(&x->order, sizeof *order, err);
	if (!order)
		return -1;
	order_key(order->key, owner, size);
	order->place = place;
	return 0;
}

int image_index_nsec3(struct image_index *x, const uint8_t *owner, size_t size, uint32_t place, struct err *err)
{
	struct nsec3_entry *entry = array_add(&x->nsec3, sizeof *entry, err);

	if (!entry)
		return -1;
	entry->key = order_nsec3_key(owner, size);
	entry->place = place;
	return 0;
}

/* ---- directory ----------------------------------------------------------- */

static uint32_t entry_home(const struct image_index *x, const struct name_entry *name)
{
	return hash_home((uint64_t)name->spread << 32, x->homes);
}

int image_index_close(struct image_index *x, uint32_t *lines, struct err *err)
{
	const struct name_entry *name = x->names.items;
	uint64_t end = 0;
	uint32_t home;

	x->homes = home_lines((uint32_t)x->names.count);
	x->run_end = calloc(x->homes ? x->homes : 1, sizeof *x->run_end);
	if (!x->run_end)
		return err_set(err, ERR_NOMEM, "no memory for an image's directory");
	for (size_t i = 0; i < x->names.count; i++)
		x->run_end[entry_home(x, &name[i])]++;
	for (home = 0; home < x->homes; home++) {
		uint64_t begin = run_begin(home, end);

		if (x->run_end[home] > UINT16_MAX || begin - (uint64_t)home * LINE_SLOTS > UINT16_MAX)
			return err_set(err, ERR_LIMIT, "too many names of one hash");
		end = begin + x->run_end[home];
		x->run_end[home] = (uint32_t)end;
	}
	*lines = chunks_for(run_begin(x->homes, end), LINE_SLOTS);
	return 0;
}

static uint8_t *line_in(uint8_t *directory, uint32_t line, bool chunked)
{
	if (!chunked)
		return directory + (size_t)line * LINE_SIZE;
	return directory + (size_t)(line / LINES_PER_CHUNK) * CHUNK_STRIDE + LINES_PADDING + (size_t)(line % LINES_PER_CHUNK) * LINE_SIZE;
}

void image_index_put_directory(struct image_index *x, uint8_t *p, bool chunked)
{
	const struct name_entry *name = x->names.items;
	uint64_t end = 0;

	for (uint32_t home = 0; home < x->homes; home++) {
		uint8_t *line = line_in(p, home, chunked);
		uint64_t begin = run_begin(home, end);

		end = x->run_end[home];
		store_le16(line + LINE_SHIFT, (uint16_t)(begin - (uint64_t)home * LINE_SLOTS));
		store_le16(line + LINE_COUNT, (uint16_t)(end - begin));
	}
	/* each run from its end, so that places rise in it */
	for (size_t i = x->names.count; i-- > 0;) {
		uint32_t at = --x->run_end[entry_home(x, &name[i])];
		uint8_t *line = line_in(p, at / LINE_SLOTS, chunked);

		turn_over(5);
		store_le16(line + 2 * (at % LINE_SLOTS), name[i].tag);
		store_le32(line + LINE_PLACES + 4 * (at % LINE_SLOTS), name[i].place);
	}
}

/* ---- order --------------------------------------------------------------- */

size_t image_index_order_size(const struct image_index *x)
{
	return x->order.count * ORDER_ENTRY + x->nsec3.count * NSEC3_ENTRY;
}

void image_index_put_order(const struct image_index *x, uint8_t *p, bool chunked)
{
	const struct order_entry *order = x->order.items;
	const struct nsec3_entry *nsec3 = x->nsec3.items;
	uint32_t before = chunked ? chunks_for(x->order.count, ORDER_PER_CHUNK) : 0;
	uint8_t *begin = p;

	for (size_t i = 0; i < x->order.count; i++) {
		if (chunked)
			p = begin + i / ORDER_PER_CHUNK * CHUNK_STRIDE + i % ORDER_PER_CHUNK * ORDER_ENTRY;
		memcpy(p, order[i].key, ORDER_KEY);
		store_le32(p + ORDER_KEY, order[i].place);
		p += ORDER_ENTRY;
	}
	for (size_t i = 0; i < x->nsec3.count; i++) {
		if (chunked)
			p = begin + (before + i / NSEC3_PER_CHUNK) * CHUNK_STRIDE + i % NSEC3_PER_CHUNK * NSEC3_ENTRY;
		store_le64(p, nsec3[i].key);
		store_le32(p + 8, nsec3[i].place);
		p += NSEC3_ENTRY;
	}
}

void image_index_free(struct image_index *x)
{
	free(x->names.items);
	free(x->order.items);
	free(x->nsec3.items);
	free(x->run_end);
}
