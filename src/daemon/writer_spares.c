/*
 * Spare signed SOAs on their way in: many small images, some in a commit, then
 * their rows in one. A process that ends in the middle leaves images that no row
 * names: they are cleared at the next start.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/rows_json.h"
#include "daemon/writer_intake.h"

#define BATCH_MAX    64
#define BATCH_OCTETS (256u << 10)

enum spares_state { SPARES_BEGIN, SPARES_PUT, SPARES_FINISH, SPARES_CLEAN };
struct spares_job {
	struct bulk bulk;
	uint64_t id;
	json_t *json;
	enum spares_state state;
	struct intake intake;           /* its descriptor; offset and size are of the spare at hand */
	struct zone_row zone;
	struct set_at at_set;
	struct spare *spares; size_t count, at;
};

static const json_t *spare_json(const struct spares_job *job, size_t i)
{
	return json_array_get(json_object_get(job->json, "spares"), i);
}

static int step_begin(struct writer *w, struct spares_job *job, struct err *err)
{
	struct catalog_txn *txn;
	struct set_row set;

	job->spares = calloc(job->count ? job->count : 1, sizeof *job->spares);
	if (!job->spares)
		return err_set(err, ERR_NOMEM, "no memory for %zu spare SOAs", job->count);
	if (catalog_begin_bulk(w->store, &txn, err) < 0)
		return -1;
	if (catalog_set(txn, job->at_set.set, &set, err) < 0 || catalog_zone_by_id(txn, set.zone, &job->zone, err) < 0) {
		catalog_abort(txn);
		return -1;
	}
	for (size_t i = 0; i < job->count; i++) {
		const json_t *json = spare_json(job, i);

		job->spares[i] = (struct spare){ .serial = (uint32_t)json_number(json, "serial"), .image = catalog_next_image_id(txn),
			.octets = json_number(json, "size"), .until = json_integer_value(json_object_get(json, "until")) };
	}
	if (writer_commit(w, txn, NULL, err) < 0) {
		job->count = 0;         /* none has an id */
		return -1;
	}
	job->state = SPARES_PUT;
	return 1;
}

/* What met strangers' bytes is looked at before it may lie on top of a set. */
static uint8_t *read_spare(struct writer *w, struct spares_job *job, size_t i, struct err *err)
{
	const struct spare *spare = &job->spares[i];
	uint8_t *image;

	job->intake.offset = json_number(spare_json(job, i), "offset");
	job->intake.size = spare->octets;
	if (!spare->octets || spare->octets > CHUNK_SIZE) {
		err_set(err, ERR_LIMIT, "the apex of the zone has too many records for spare SOAs");
		return NULL;
	}
	image = intake_read(&job->intake, err);
	if (image && spare_image_check(image, spare->octets, store_writer_hash_key(w->store), job->zone.apex, job->zone.apex_size,
	    spare->serial, err) < 0) {
		free(image);
		return NULL;
	}
	return image;
}

static int step_put(struct writer *w, struct spares_job *job, struct err *err)
{
	uint8_t *images[BATCH_MAX];
	uint64_t ids[BATCH_MAX];
	size_t sizes[BATCH_MAX], n = 0, octets = 0;
	int status = 0;

	while (job->at + n < job->count && n < BATCH_MAX && octets < BATCH_OCTETS) {
		images[n] = read_spare(w, job, job->at + n, err);
		if (!images[n]) {
			status = -1;
			break;
		}
		ids[n] = job->spares[job->at + n].image;
		sizes[n] = (size_t)job->spares[job->at + n].octets;
		octets += sizes[n++];
	}
	if (status == 0 && n)
		status = store_images_put_packed(w->store, n, ids, (const uint8_t *const *)images, sizes, err);
	for (size_t i = 0; i < n; i++)
		free(images[i]);
	if (status < 0)
		return -1;
	job->at += n;
	if (job->at == job->count)
		job->state = SPARES_FINISH;
	return 1;
}

static int step_finish(struct writer *w, struct spares_job *job, struct err *err)
{
	struct catalog_txn *txn;
	json_t *reply;

	if (catalog_begin_bulk(w->store, &txn, err) < 0)
		return -1;
	if (catalog_spares_put(txn, job->at_set, job->spares, job->count, err) < 0) {
		catalog_abort(txn);
		return -1;
	}
	reply = import_reply(txn, &job->zone, job->at_set.set, "added");
	json_object_set_new(reply, "added", json_integer((json_int_t)job->count));
	if (writer_commit(w, txn, NULL, err) < 0) {
		json_decref(reply);
		return -1;
	}
	writer_committed(w, reply, false);
	writer_reply(w, job->id, reply);
	writer_want_cleaning(w);
	return 0;
}

/* Of images that came in, and have no row. */
static int step_clean(struct writer *w, struct spares_job *job)
{
	if (job->at >= job->count)
		return 0;
	job->intake.image = job->spares[job->at].image;
	if (!intake_delete(w, &job->intake))
		job->at++;
	return 1;
}

static int spares_step(struct writer *w, struct bulk *bulk)
{
	struct spares_job *job = (struct spares_job *)bulk;
	struct err err = ERR_INIT;
	int n = 1;

	switch (job->state) {
	case SPARES_BEGIN:
		n = step_begin(w, job, &err);
		break;
	case SPARES_PUT:
		n = step_put(w, job, &err);
		break;
	case SPARES_FINISH:
		n = step_finish(w, job, &err);
		break;
	case SPARES_CLEAN:
		return step_clean(w, job);
	}
	if (n >= 0)
		return n;
	writer_fail(w, job->id, &err);
	job->state = SPARES_CLEAN;
	job->at = 0;
	return 1;
}

static void spares_free(struct bulk *bulk)
{
	struct spares_job *job = (struct spares_job *)bulk;

	intake_free(&job->intake);
	json_decref(job->json);
	free(job->spares);
	free(job);
}

struct bulk *spares_begin(struct pending *p)
{
	struct spares_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->bulk = (struct bulk){ .step = spares_step, .free = spares_free };
	job->id = p->id;
	job->json = json_incref(p->json);
	job->at_set = (struct set_at){ json_number(job->json, "set_id"), (uint32_t)json_number(job->json, "edition") };
	job->count = json_array_size(json_object_get(job->json, "spares"));
	intake_take(&job->intake, p);
	return &job->bulk;
}
