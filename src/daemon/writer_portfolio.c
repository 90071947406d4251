/*
 * A slice of a portfolio: some hundred zones at most, whose images lie in one
 * file. The small ones go in together; then one transaction makes all of them
 * ready and live. What is wrong with one zone is that zone's failure.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/commands.h"
#include "daemon/rows_json.h"
#include "daemon/writer_intake.h"

#define ZONES_MAX 256           /* of one slice */
#define PACKED_MAX (1u << 20)   /* octets of small images put at once */

enum item_state { ITEM_WANTED, ITEM_UNCHANGED, ITEM_IN, ITEM_DONE, ITEM_FAILED };
struct item {
	enum item_state state;
	struct import_claim claim;
	struct zone_row zone;
	uint64_t set;
	struct intake intake;           /* its fd is the slice's */
	struct image_header *header;    /* of what is in */
	char set_name[SET_NAME_MAX + 1];
	uint32_t own_serial, served_serial;     /* of what is live now */
	struct err err;
};

enum slice_state { SLICE_BEGIN, SLICE_PUT, SLICE_FINISH, SLICE_CLEAN };
struct slice {
	struct bulk bulk;
	uint64_t id;
	json_t *json;
	int fd;
	enum slice_state state;
	struct item *items;
	size_t count, at;
};

/* ---- begin ---------------------------------------------------------------------- */

static void begin_item(struct writer *w, struct catalog_txn *txn, struct slice *s, struct item *item, const json_t *json)
{
	const json_t *image = json_object_get(json, "image"), *set = json_object_get(s->json, "set");
	struct set_row row;
	int n;

	claim_from_json(&item->claim, json);
	item->claim.set = json_string_value(set);
	item->claim.create = true;
	item->intake = (struct intake){ .fd = s->fd, .offset = json_number(image, "offset"), .size = json_number(image, "size") };
	n = item->claim.zone ? import_begin(w, txn, &item->claim, &item->zone, &row, &item->err) :
		err_set(&item->err, ERR_BAD_REQUEST, "a zone without a name");
	if (n != 0) {
		item->state = n > 0 ? ITEM_UNCHANGED : ITEM_FAILED;
		return;
	}
	item->set = row.id;
	item->intake.image = catalog_next_image_id(txn);
}

static int slice_begin(struct writer *w, struct slice *s, struct err *err)
{
	const json_t *zones = json_object_get(s->json, "zones");
	struct catalog_txn *txn;

	if (catalog_begin_bulk(w->store, &txn, err) < 0)
		return -1;
	for (size_t i = 0; i < s->count; i++)
		begin_item(w, txn, s, &s->items[i], json_array_get(zones, i));
	if (writer_commit(w, txn, NULL, err) < 0) {
		for (size_t i = 0; i < s->count; i++)
			s->items[i].set = s->items[i].intake.image = 0;
		return -1;
	}
	s->state = SLICE_PUT;
	return 1;
}

/* ---- the images ------------------------------------------------------------------- */

static bool is_small(const struct item *item)
{
	return item->intake.size && item->intake.size <= CHUNK_SIZE;
}

/* A run of small ones from s->at on: one commit. If it fails, each goes by
 * itself, so that a bad image is its own zone's failure. */
static size_t put_small(struct writer *w, struct slice *s)
{
	const uint8_t *images[ZONES_MAX];
	uint64_t ids[ZONES_MAX];
	size_t sizes[ZONES_MAX], n = 0, octets = 0, end = s->at;
	struct err err = ERR_INIT;

	for (; end < s->count && octets < PACKED_MAX; end++) {
		struct item *item = &s->items[end];

		if (item->state != ITEM_WANTED)
			continue;
		if (!is_small(item))
			break;
		images[n] = intake_read(&item->intake, &item->err);
		if (!images[n]) {
			item->state = ITEM_FAILED;
			continue;
		}
		ids[n] = item->intake.image;
		sizes[n] = item->intake.size;
		octets += sizes[n++];
	}
	if (n && store_images_put_packed(w->store, n, ids, images, sizes, &err) == 0) {
		for (size_t i = s->at; i < end; i++)
			if (s->items[i].state == ITEM_WANTED)
				s->items[i].state = ITEM_IN;
	} else if (n) {
		end = s->at;            /* one by one */
	}
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)images[i]);
	return end;
}

static void put_one(struct writer *w, struct slice *s, struct item *item)
{
	int n = intake_step(w, &item->intake, s->id, &item->err);

	if (n > 0)
		return;
	if (n == 0 && intake_check(&item->intake, &item->zone, false, &item->err) == 0) {
		item->header = malloc(sizeof *item->header);
		if (item->header)
			*item->header = *copy_in_header(item->intake.copy);
		else
			err_set(&item->err, ERR_NOMEM, "no memory");
	}
	copy_in_free(item->intake.copy);
	item->intake.copy = NULL;
	item->state = item->header ? ITEM_IN : ITEM_FAILED;
	s->at++;
}

static int slice_put(struct writer *w, struct slice *s)
{
	size_t end;

	while (s->at < s->count && s->items[s->at].state != ITEM_WANTED)
		s->at++;
	if (s->at == s->count) {
		s->state = SLICE_FINISH;
		return 1;
	}
	end = is_small(&s->items[s->at]) ? put_small(w, s) : s->at;
	if (end == s->at)
		put_one(w, s, &s->items[s->at]);
	else
		s->at = end;
	return 1;
}

/* ---- ready and live ------------------------------------------------------------------ */

/* What was put packed tells its header itself. */
static int item_header(struct item *item, struct image_header *h)
{
	struct image_frames frames;
	enum image_part part;
	const uint8_t *chunk;
	uint32_t number;
	size_t size;
	int n;

	if (item->header) {
		*h = *item->header;
		return 0;
	}
	if (image_frames_begin(&frames, item->intake.fd, item->intake.offset, item->intake.size, &item->err) < 0)
		return -1;
	n = image_frames_next(&frames, &part, &number, &chunk, &size, &item->err);
	*h = frames.header;
	image_frames_end(&frames);
	if (n <= 0)
		return -1;
	if (h->delta || h->apex_size != item->zone.apex_size || memcmp(h->apex, item->zone.apex, h->apex_size) != 0)
		return err_set(&item->err, ERR_CORRUPT, "the loader made an image of another zone than it was asked for");
	return 0;
}

static int finish_item(struct catalog_txn *txn, struct item *item)
{
	struct image_header h;
	struct set_row set;

	if (item_header(item, &h) < 0 ||
	    import_finish(txn, item->set, &item->claim, &h, item->intake.image, item->intake.size, &set, &item->err) < 0)
		return -1;
	memcpy(item->set_name, set.name, sizeof item->set_name);
	item->own_serial = item->served_serial = set.soa_serial;
	item->state = ITEM_DONE;
	return 0;
}

/* The live set may have changed since the slice began: not that zone then. */
static bool still_wanted(struct catalog_txn *txn, struct item *item)
{
	struct zone_row now;

	if (catalog_zone(txn, item->zone.apex, item->zone.apex_size, &now, &item->err) < 0)
		return false;
	if (now.flags & ZONE_HELD)
		err_set(&item->err, ERR_HELD, "the zone was cut over meanwhile and is held");
	else if (now.live.set != item->zone.live.set || now.live.edition != item->zone.live.edition)
		err_set(&item->err, ERR_OVERTAKEN, "the live set changed meanwhile");
	return !item->err.code;
}

static bool goes_live(const struct item *item)
{
	return item->state == ITEM_DONE && !item->claim.failed && !item->claim.set;
}

/* The result has the zones in the order in which they were named. */
static void take_serials(struct slice *s, const struct switch_result *result)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count && n < result->count; i++)
		if (goes_live(&s->items[i]))
			s->items[i].served_serial = result->items[n++].member.to_serial;
}

static int switch_items(struct catalog_txn *txn, struct slice *s, uint64_t *id, struct err *err)
{
	struct switch_item *items = calloc(s->count, sizeof *items);
	struct switch_request request = { .kind = SWITCH_RELOAD, .items = items, .append_to = json_number(s->json, "append_to"),
		.note = json_text(s->json, "note"), .now_us = clock_wall_us() };
	struct switch_result result = { .items = NULL };
	int status = 0;

	if (!items)
		return err_set(err, ERR_NOMEM, "no memory");
	who_from_json(&request.who, json_object_get(s->json, "who"));
	for (size_t i = 0; i < s->count; i++) {
		struct item *item = &s->items[i];

		if (!goes_live(item))
			continue;
		memcpy(items[request.count].apex, item->zone.apex, item->zone.apex_size);
		items[request.count].apex_size = item->zone.apex_size;
		memcpy(items[request.count].set, item->set_name, sizeof item->set_name);
		request.count++;
	}
	if (request.count)
		status = catalog_switch(txn, &request, &result, err);
	*id = result.id;
	if (status == 0)
		take_serials(s, &result);
	switch_result_free(&result);
	free(items);
	return status;
}

static json_t *item_json(const struct item *item)
{
	struct err err = item->err;
	json_t *json = json_pack("{s:s}", "zone", item->claim.zone ? item->claim.zone : "");
	json_t *error;

	if (item->state == ITEM_UNCHANGED || item->state == ITEM_DONE) {
		json_object_set_new(json, "outcome", json_string(item->state == ITEM_UNCHANGED ? "unchanged" :
			item->claim.failed ? "failed" : item->claim.set ? "staged" : "live"));
		if (item->own_serial != item->served_serial)
			json_object_update_new(json, json_pack("{s:I,s:I}", "own_serial", (json_int_t)item->own_serial,
				"serial", (json_int_t)item->served_serial));
		return json;
	}
	err_set(&err, ERR_INTERNAL, "no reason was given");
	error = control_error(&err);
	json_object_set_new(json, "outcome", json_string("error"));
	json_object_set(json, "error", json_object_get(error, "error"));
	json_decref(error);
	return json;
}

static void slice_reply(struct writer *w, struct slice *s, uint64_t switch_id, bool changed)
{
	json_t *zones = json_array();
	json_t *reply;

	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(zones, item_json(&s->items[i]));
	/* no "changed": one barrier a command, behind its last slice */
	reply = json_pack("{s:o,s:I,s:b}", "zones", zones, "switch", (json_int_t)switch_id, "switched", changed);
	writer_committed(w, reply, false);
	writer_reply(w, s->id, reply);
}

static int slice_finish(struct writer *w, struct slice *s, struct err *err)
{
	uint64_t switch_id = 0;
	struct catalog_txn *txn;
	bool changed = false;

	if (catalog_begin_bulk(w->store, &txn, err) < 0)
		return -1;
	for (size_t i = 0; i < s->count; i++) {
		struct item *item = &s->items[i];

		if (item->state != ITEM_IN)
			continue;
		if ((!item->claim.set && !still_wanted(txn, item)) || finish_item(txn, item) < 0)
			item->state = ITEM_FAILED;
	}
	if (switch_items(txn, s, &switch_id, err) < 0) {
		catalog_abort(txn);
		return -1;
	}
	if (writer_commit(w, txn, &changed, err) < 0)
		return -1;
	slice_reply(w, s, switch_id, changed);
	s->state = SLICE_CLEAN;
	s->at = 0;
	return 1;
}

/* ---- the end ------------------------------------------------------------------------- */

static int slice_clean(struct writer *w, struct slice *s)
{
	while (s->at < s->count) {
		struct item *item = &s->items[s->at];

		if (item->state == ITEM_FAILED && item->intake.image) {
			if (intake_delete(w, &item->intake))
				return 1;
			drop_loading(w, item->set);
			s->at++;
			return 1;
		}
		s->at++;
	}
	writer_want_cleaning(w);
	return 0;
}

static int slice_step(struct writer *w, struct bulk *bulk)
{
	struct slice *s = (struct slice *)bulk;
	struct err err = ERR_INIT;
	int n = 0;

	switch (s->state) {
	case SLICE_BEGIN:
		n = slice_begin(w, s, &err);
		break;
	case SLICE_PUT:
		n = slice_put(w, s);
		break;
	case SLICE_FINISH:
		n = slice_finish(w, s, &err);
		break;
	case SLICE_CLEAN:
		return slice_clean(w, s);
	}
	if (n < 0) {
		writer_fail(w, s->id, &err);
		for (size_t i = 0; i < s->count; i++)
			if (s->items[i].state != ITEM_UNCHANGED)
				s->items[i].state = ITEM_FAILED;
		s->state = SLICE_CLEAN;
		s->at = 0;
		n = 1;
	}
	return n;
}

static void slice_free(struct bulk *bulk)
{
	struct slice *s = (struct slice *)bulk;

	for (size_t i = 0; i < s->count; i++) {
		copy_in_free(s->items[i].intake.copy);
		free(s->items[i].header);
	}
	free(s->items);
	if (s->fd >= 0)
		close(s->fd);
	json_decref(s->json);
	free(s);
}

struct bulk *portfolio_begin(struct pending *p)
{
	size_t count = json_array_size(json_object_get(p->json, "zones"));
	struct slice *s = calloc(1, sizeof *s);

	if (count > ZONES_MAX)
		count = ZONES_MAX;
	if (s)
		s->items = calloc(count ? count : 1, sizeof *s->items);
	if (!s || !s->items) {
		free(s);
		return NULL;
	}
	s->bulk = (struct bulk){ .step = slice_step, .free = slice_free };
	s->id = p->id;
	s->json = json_incref(p->json);
	s->fd = p->fd;
	p->fd = -1;
	s->count = count;
	return &s->bulk;
}
