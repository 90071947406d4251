/* The writer's commands that are one transaction each; those that name many
 * zones or sets are in writer_many.c, switches in writer_switch.c. */
#include <string.h>

#include "control/commands.h"
#include "daemon/rows_json.h"
#include "daemon/writer.h"

int writer_zone(struct catalog_txn *txn, const char *text, struct zone_row *zone, struct err *err)
{
	uint8_t apex[NAME_MAX_SIZE];
	size_t size;

	if (control_parse_zone(text, apex, &size, err) < 0)
		return -1;
	return catalog_zone(txn, apex, size, zone, err);
}

/* ---- zones ---------------------------------------------------------------------- */

static json_t *zone_set(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	struct zone_row zone;

	if (writer_zone(txn, json_text(request, "zone"), &zone, err) < 0 ||
	    properties_change(zone.properties, sizeof zone.properties, json_object_get(request, "properties"), err) < 0 ||
	    catalog_zone_set_properties(txn, zone.apex, zone.apex_size, zone.properties, err) < 0)
		return NULL;
	return json_pack("{s:o}", "zone", zone_json(txn, &zone));
}

static json_t *serial(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	json_int_t n = json_integer_value(json_object_get(request, "serial"));
	struct zone_row zone;
	struct who who;

	who_from_json(&who, json_object_get(request, "who"));
	if (n < 0 || n > UINT32_MAX) {
		err_set(err, ERR_BAD_REQUEST, "a serial is a number from 0 to 4294967295");
		return NULL;
	}
	if (writer_zone(txn, json_text(request, "zone"), &zone, err) < 0 ||
	    catalog_serial(txn, zone.apex, zone.apex_size, (uint32_t)n, &who, json_text(request, "note"), err) < 0)
		return NULL;
	return json_pack("{s:s,s:I,s:I}", "zone", json_text(request, "zone"), "from_serial", (json_int_t)zone.served_serial, "serial", n);
}

static json_t *group_delete(struct catalog_txn *txn, const json_t *request, struct err *err)
{
	return catalog_group_delete(txn, json_text(request, "group"), err) < 0 ? NULL :
		json_pack("{s:O,s:[]}", "group", json_object_get(request, "group"), "zones");
}

/* ---- without a transaction ------------------------------------------------------ */

static json_t *space_json(const struct store_space *s)
{
	return json_pack("{s:f,s:I,s:I,s:I,s:I}", "share", s->share, "map", (json_int_t)s->map, "used", (json_int_t)s->used,
		"file", (json_int_t)s->file, "readers", (json_int_t)s->readers);
}

static json_t *space(struct writer *w, const json_t *request, struct err *err)
{
	struct store_space catalog, images;

	if (store_space(w->store, &catalog, &images, err) < 0)
		return NULL;
	return json_pack("{s:o,s:o}", "catalog", space_json(&catalog), "images", space_json(&images));
}

/* While the store is copied no image may go. */
static json_t *pause_deletions(struct writer *w, const json_t *request, struct err *err)
{
	w->deletions_paused++;
	return json_object();
}

static json_t *resume_deletions(struct writer *w, const json_t *request, struct err *err)
{
	if (w->deletions_paused && --w->deletions_paused == 0)
		writer_want_cleaning(w);
	return json_object();
}

/* ---- the table ------------------------------------------------------------------ */

static const struct now_command {
	const char *name;
	json_t *(*run)(struct catalog_txn *, const json_t *request, struct err *);   /* in a transaction */
	json_t *(*look)(struct writer *, const json_t *request, struct err *);       /* without one */
	bool leaves_garbage;
} commands[] = {
	{ "zone-add", many_run, NULL, false },
	{ "zone-set", zone_set, NULL, false },
	{ "zone-remove", many_run, NULL, true },
	{ "cutover", run_cutover, NULL, false },
	{ "rollback", run_rollback, NULL, false },
	{ "confirm", run_confirm, NULL, false },
	{ "group-create", many_run, NULL, false },
	{ "group-delete", group_delete, NULL, true },
	{ "group-add", many_run, NULL, false },
	{ "group-remove", many_run, NULL, false },
	{ "drop", many_run, NULL, true },
	{ "serial", serial, NULL, false },
	{ "space", NULL, space, false },
	{ "pause-deletions", NULL, pause_deletions, false },
	{ "resume-deletions", NULL, resume_deletions, false },
	{ NULL, NULL, NULL, false },
};

/* Each request is a commit of its own: the error of one is not another's. */
static json_t *run_in_transaction(struct writer *w, const struct now_command *c, const json_t *request, struct err *err)
{
	struct catalog_txn *txn;
	bool changed = false;
	json_t *reply;

	if ((many_adds(request) ? catalog_begin_bulk : catalog_begin)(w->store, &txn, err) < 0)
		return NULL;
	reply = c->run(txn, request, err);
	if (!reply) {
		catalog_abort(txn);
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	if (json_is_true(json_object_get(request, "dry_run"))) {
		catalog_abort(txn);
		json_object_set_new(reply, "dry_run", json_true());
		return reply;
	}
	if (writer_commit(w, txn, &changed, err) < 0) {
		json_decref(reply);
		return NULL;
	}
	writer_committed(w, reply, changed);
	if (c->leaves_garbage)
		writer_want_cleaning(w);
	return reply;
}

bool writer_run_now(struct writer *w, struct pending *p)
{
	const char *name = json_text(p->json, "command");
	const struct now_command *c = commands;
	struct err err = ERR_INIT;
	json_t *reply;

	while (c->name && (!name || strcmp(c->name, name) != 0))
		c++;
	if (!c->name)
		return false;
	reply = c->run ? run_in_transaction(w, c, p->json, &err) : c->look(w, p->json, &err);
	if (reply)
		writer_reply(w, p->id, reply);
	else
		writer_fail(w, p->id, &err);
	return true;
}
