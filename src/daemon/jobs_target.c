/*
 * The commands that are jobs, one row each; and what main asks its own
 * snapshot before a loader is started for them: is the zone here, may the
 * client do that to it, which set is live. The writer looks at all of it
 * again when it commits; an import that cannot succeed need not take an hour
 * to fail.
 */
#include <string.h>

#include "control/commands.h"
#include "daemon/jobs.h"
#include "daemon/rows_json.h"

static const char *text_of(const struct job *job, const char *key)
{
	return json_string_value(json_object_get(job->json, key));
}

/* ---- import ----------------------------------------------------------------------- */

/* A reload changes what is served. */
static int may_reload(const struct job *job, const struct zone_row *zone, struct err *err)
{
	char value[64], name[NAME_TEXT_MAX];

	if (property_get(zone->properties, "reload", value, sizeof value) && strcmp(value, "stagers") == 0)
		return 0;
	if (request_need_right(job->request, RIGHT_SWITCH, err) == 0)
		return 0;
	return err_context(err, "import into what is live of %s", name_to_text_short(name, job->apex));
}

static int zone_to_make(struct job *job, struct err *err)
{
	char name[NAME_TEXT_MAX];

	if (job->request->right >= RIGHT_ADMIN) {
		job->create = true;
		return 0;
	}
	name_to_text_short(name, job->apex);
	return err_set(err, ERR_NO_SUCH_ZONE, "there is no zone %s here; root or the daemon's own user adds it: "
		"`schwenk zone add %s`", name, name);
}

static int check_set_free(const struct job *job, struct catalog_txn *txn, const struct zone_row *zone, struct err *err)
{
	char text[SET_TEXT_MAX];
	struct err none = ERR_INIT;
	struct set_row set;

	if (catalog_set_by_name(txn, zone, job->set, &set, &none) < 0 || (set.id != zone->live.set && set.id != zone->previous.set))
		return 0;
	return err_set(err, ERR_IN_USE, "%s is the %s set: import under another name, or without one for an ordinary reload",
		set_text(text, job->apex, job->set), set.id == zone->live.set ? "live" : "previous");
}

static int check_not_held(const struct job *job, const struct zone_row *zone, struct err *err)
{
	char name[NAME_TEXT_MAX];

	if (!(zone->flags & ZONE_HELD))
		return 0;
	name_to_text_short(name, job->apex);
	return err_set(err, ERR_HELD, "%s is held since its cutover: `schwenk confirm %s` or `schwenk rollback %s` first, "
		"or import into a set (%s@NAME)", name, name, name, name);
}

static int import_in(struct job *job, struct catalog_txn *txn, struct err *err)
{
	struct err missing = ERR_INIT;
	struct zone_row zone;

	if (catalog_zone(txn, job->apex, job->apex_size, &zone, &missing) < 0) {
		if (!err_is(&missing, ERR_NO_SUCH_ZONE)) {
			*err = missing;
			return -1;
		}
		return zone_to_make(job, err);
	}
	job->live = zone.live;
	if (job->set[0])
		return check_set_free(job, txn, &zone, err);
	return may_reload(job, &zone, err) < 0 ? -1 : check_not_held(job, &zone, err);
}

/* Also a name's own form, before a loader reads a million lines for it. */
static int parse_set_name(struct job *job, const char *name, struct err *err)
{
	if (!set_name_valid(name))
		return err_set(err, ERR_BAD_REQUEST, "\"%.80s\" is no name for a set: 1 to 63 of a-z, 0-9, \".\", \"_\", \"-\", "
			"and not \"live\" or \"previous\"", name);
	strcpy(job->set, name);
	return 0;
}

static int target_import(struct job *job, bool right, struct err *err)
{
	struct daemon *d = job_daemon(job);
	const char *set = text_of(job, "set");
	int status;

	/* what is live is taken from the request's begin: see "overtaken" */
	if (!right)
		return 0;
	if (control_parse_zone(text_of(job, "zone"), job->apex, &job->apex_size, err) < 0 ||
	    (set && parse_set_name(job, set, err) < 0) || daemon_snapshot(d, err) < 0)
		return -1;
	status = import_in(job, snapshot_catalog(d->reader), err);
	snapshot_end(d->reader);
	return status;
}

static int target_directory(struct job *job, bool right, struct err *err)
{
	const char *set = text_of(job, "set");

	if (!right)
		return 0;
	if (set && parse_set_name(job, set, err) < 0)
		return -1;
	if (set && json_is_true(json_object_get(job->json, "prune")))
		return err_set(err, ERR_BAD_REQUEST, "\"prune\" goes with what is live at once: staging (\"set\") removes nothing");
	return portfolio_begin_job(job, err);
}

/* ---- copy -------------------------------------------------------------------------- */

static int target_copy(struct job *job, bool right, struct err *err)
{
	struct daemon *d = job_daemon(job);
	uint8_t from[NAME_MAX_SIZE];
	char name[SET_NAME_MAX + 1], to[SET_NAME_MAX + 1];
	struct zone_row zone;
	size_t from_size;
	int status;

	if (!right)
		return 0;
	if (control_parse_set(text_of(job, "from"), from, &from_size, name, err) < 0 ||
	    control_parse_set(text_of(job, "to"), job->apex, &job->apex_size, to, err) < 0)
		return -1;
	if (!to[0])
		return err_set(err, ERR_BAD_REQUEST, "copy to what? \"to\" must name the new set, ZONE@SET");
	if (from_size != job->apex_size || memcmp(from, job->apex, from_size) != 0)
		return err_set(err, ERR_BAD_REQUEST, "a set is copied within its zone: \"from\" and \"to\" name two");
	if (parse_set_name(job, to, err) < 0 || daemon_snapshot(d, err) < 0)
		return -1;
	status = catalog_zone(snapshot_catalog(d->reader), job->apex, job->apex_size, &zone, err);
	if (status == 0)
		status = check_set_free(job, snapshot_catalog(d->reader), &zone, err);
	snapshot_end(d->reader);
	return status;
}

/* ---- record, edit ------------------------------------------------------------------- */

static int change_in(struct job *job, struct catalog_txn *txn, bool right, struct err *err)
{
	bool dry_run = json_is_true(json_object_get(job->json, "dry_run"));
	struct zone_row zone;
	struct set_row set;

	if (catalog_zone(txn, job->apex, job->apex_size, &zone, err) < 0 ||
	    catalog_set_by_name(txn, &zone, job->set[0] ? job->set : "live", &set, err) < 0)
		return -1;
	job->set_id = set.id;
	if (!right)
		return 0;
	job->may_live = job->request->right >= RIGHT_SWITCH;
	return set.id == zone.live.set && !dry_run ? request_need_right(job->request, RIGHT_SWITCH, err) : 0;
}

/* By the set's id, so that a name that comes to mean another set meanwhile
 * ("@live") is noticed. */
static int target_change(struct job *job, bool right, struct err *err)
{
	struct daemon *d = job_daemon(job);
	int status;

	if (control_parse_set(text_of(job, "set"), job->apex, &job->apex_size, job->set, err) < 0 ||
	    daemon_snapshot(d, err) < 0)
		return -1;
	status = change_in(job, snapshot_catalog(d->reader), right, err);
	snapshot_end(d->reader);
	return status;
}

/* ---- spare SOAs ----------------------------------------------------------------------- */

/* What was served once may be somebody's way back: what a stager brings would
 * be served by it. */
static int spares_in(struct job *job, struct catalog_txn *txn, bool right, struct err *err)
{
	struct zone_row zone;
	struct set_row set;

	if (!job->set[0])
		return err_set(err, ERR_BAD_REQUEST, "spare SOAs are for a set, ZONE@SET: \"%s\" names none; the live one is @live",
			text_of(job, "set"));
	if (catalog_zone(txn, job->apex, job->apex_size, &zone, err) < 0 || catalog_set_by_name(txn, &zone, job->set, &set, err) < 0)
		return -1;
	job->set_id = set.id;
	job->may_live = true;
	return right && (set.flags & SET_SERVED) ? request_need_right(job->request, RIGHT_SWITCH, err) : 0;
}

static int target_spares(struct job *job, bool right, struct err *err)
{
	struct daemon *d = job_daemon(job);
	int status;

	if (control_parse_set(text_of(job, "set"), job->apex, &job->apex_size, job->set, err) < 0 ||
	    daemon_snapshot(d, err) < 0)
		return -1;
	status = spares_in(job, snapshot_catalog(d->reader), right, err);
	snapshot_end(d->reader);
	return status;
}

/* ---- the rows ------------------------------------------------------------------------- */

const struct job_kind job_kinds[] = {
	{ .name = "import", .lane = LANE_IMPORT, .target = target_import, .label = { "zone", "set" }, .writer = "copy-in", .files = true },
	{ .name = "import-soa", .lane = LANE_CHANGE, .target = target_spares, .label = { "set" }, .writer = "spares-in", .changes_set = true },
	{ .name = "import-dir", .lane = LANE_IMPORT, .target = target_directory, .writer = "put-zones", .files = true },
	{ .name = "copy", .lane = LANE_CHANGE, .target = target_copy, .label = { "to" }, .writer = "copy-in" },
	{ .name = "record", .lane = LANE_CHANGE, .target = target_change, .label = { "set" }, .writer = "edit-in", .changes_set = true,
	  .stays = true },
	{ .name = "edit", .lane = LANE_CHANGE, .target = target_change, .label = { "set" }, .writer = "edit-in", .changes_set = true },
	{ .name = "fold", .lane = LANE_CHANGE, .label = { "set" }, .writer = "fold-in", .stays = true },
	{ .name = "export", .lane = LANE_READ, .label = { "zone", "set" } },
	{ .name = "diff", .lane = LANE_READ, .label = { "to" } },
	{ .name = "check", .lane = LANE_READ, .label = { "set" } },
	{ .name = "backup", .lane = LANE_READ, .label = { "directory" }, .pauses_deletions = true, .fills_directory = true },
	{ .name = "fsck", .lane = LANE_READ, .checks_store = true, .pauses_deletions = true, .without_writer = true },
	{ .name = NULL },
};

const struct job_kind *job_kind_find(const char *name)
{
	for (const struct job_kind *kind = job_kinds; kind->name; kind++)
		if (strcmp(kind->name, name) == 0)
			return kind;
	return NULL;
}
