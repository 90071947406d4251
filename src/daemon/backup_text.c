/* A backup in text form: see BACKUP.md for what stands in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/backup.h"
#include "daemon/loader.h"
#include "daemon/rows_json.h"
#include "store/catalog_backup.h"

#define BUFFER_SIZE (256u << 10)

struct text_backup {
	struct store_reader *reader;
	struct catalog_txn *catalog;
	const char *dir;
	FILE *lines;
	int sets_fd;                    /* the directory */
	char *buffer;                   /* of the zone file that is written */
	struct zone_row zone;
	json_t *list;                   /* zones, until there are enough for a line */
	const char *group; uint64_t history;    /* whose they are */
	uint64_t zones, sets, editions, spares, groups, entries, holds, retired, records;
	uint64_t zone_count, printing;  /* for the progress; records of the edition that is printed */
	void (*progress)(void *, uint64_t records, double share);
	void *arg;
	struct err *err;
};

/* ---- lines ------------------------------------------------------------------ */

/* Takes the line over. */
static int put_line(struct text_backup *b, json_t *line)
{
	int status;

	if (!line)
		return err_set(b->err, ERR_NOMEM, "no memory for a line of the backup");
	status = json_dumpf(line, b->lines, JSON_COMPACT) < 0 || putc('\n', b->lines) == EOF;
	json_decref(line);
	return status ? err_system(b->err, "cannot write %s/%s", b->dir, BACKUP_CATALOG) : 0;
}

static int put_ids(struct text_backup *b)
{
	struct catalog_ids ids;

	catalog_ids(b->catalog, &ids);
	return put_line(b, json_pack("{s:s,s:I,s:I,s:I,s:I}", "kind", "ids", "zone", (json_int_t)ids.zone, "set", (json_int_t)ids.set,
		"history", (json_int_t)ids.history, "group", (json_int_t)ids.group));
}

/* The zones that had the name before this one, the newest first; NULL: err. */
static json_t *formers_json(struct text_backup *b, uint64_t zone)
{
	json_t *formers = json_array();
	int64_t id = (int64_t)zone;

	while (id && (id = catalog_former(b->catalog, (uint64_t)id, b->err)) > 0)
		json_array_append_new(formers, json_integer(id));
	if (id == 0)
		return formers;
	json_decref(formers);
	return NULL;
}

static int put_retired(void *arg, const uint8_t *apex, size_t size, const struct retired_row *row)
{
	struct text_backup *b = arg;
	json_t *formers = formers_json(b, row->zone);
	char name[NAME_TEXT_MAX];

	b->retired++;
	return !formers ? -1 : put_line(b, json_pack("{s:s,s:s,s:o,s:I,s:o}", "kind", "retired", "zone", name_to_text_short(name, apex),
		"serial", row->serial_known ? json_integer(row->highest_serial) : json_null(), "id", (json_int_t)row->zone, "former", formers));
}

/* ---- sets ------------------------------------------------------------------------ */

/* share: of the edition that is printed. */
static void tell(void *arg, double share)
{
	struct text_backup *b = arg;
	double zones = (double)b->zones - 1 + (share > 0 ? share : 0);

	if (b->progress)
		b->progress(b->arg, b->records + (uint64_t)(share > 0 ? share * (double)b->printing : 0),
			b->zone_count ? zones / (double)b->zone_count : -1);
}

static FILE *open_file(struct text_backup *b, const char *name)
{
	int fd = openat(b->sets_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file)
		return file;
	err_system(b->err, "cannot create %s/%s/%s", b->dir, BACKUP_SETS, name);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int print_edition(struct text_backup *b, uint64_t set, uint32_t edition, const char *name)
{
	FILE *file = open_file(b, name);
	struct view view;
	int status;

	if (!file)
		return -1;
	setvbuf(file, b->buffer, _IOFBF, BUFFER_SIZE);
	status = snapshot_open_set(b->reader, set, edition, &view, b->err);
	if (status == 0) {
		status = zone_print(&view, file, NULL, tell, b, b->err);
		view_close(&view);
	}
	if (fclose(file) != 0 && status == 0)
		status = err_system(b->err, "cannot write");
	return status < 0 ? err_context(b->err, "%s/%s/%s", b->dir, BACKUP_SETS, name) : 0;
}

struct spare_pass { struct text_backup *b; const struct set_row *set; FILE *file; uint32_t edition; unsigned count; };

static int print_spare(void *arg, const struct spare *spare)
{
	struct spare_pass *p = arg;
	struct view view;
	int status;

	if (snapshot_open_spare(p->b->reader, &p->b->zone, (struct set_at){ p->set->id, p->edition }, spare->image, &view, p->b->err) < 0)
		return -1;
	status = zone_print_soa(&view, p->file, p->b->err);
	view_close(&view);
	p->count++;
	return status;
}

static int count_spare(void *arg, const struct spare *spare)
{
	++*(unsigned *)arg;
	return 0;
}

/* The spare SOAs of an edition, one behind the other in a file: its name, or
 * null. NULL: err is set. */
static json_t *spares_json_of(struct text_backup *b, const struct set_row *set, uint32_t edition, const char *zone_file)
{
	struct set_at at = { set->id, edition };
	struct spare_pass pass = { .b = b, .set = set, .edition = edition };
	unsigned count = 0;
	char name[256];
	int status;

	if (catalog_spares(b->catalog, at, count_spare, &count, b->err) < 0)
		return NULL;
	if (!count)
		return json_null();
	backup_spares_name(name, zone_file);
	pass.file = open_file(b, name);
	if (!pass.file)
		return NULL;
	status = catalog_spares(b->catalog, at, print_spare, &pass, b->err);
	if (fclose(pass.file) != 0 && status == 0)
		status = err_system(b->err, "cannot write");
	b->spares += pass.count;
	if (status == 0 && !b->err->code)
		return json_string(name);
	err_context(b->err, "%s/%s/%s", b->dir, BACKUP_SETS, name);
	return NULL;
}

/* One edition: its file, and what is said of it. */
static json_t *edition_json(struct text_backup *b, const struct set_row *set, uint32_t edition, bool newest)
{
	struct set_row then;
	json_t *spares;
	char name[256];

	backup_file_name(name, b->zone.apex, set, edition, newest);
	if (catalog_set_at(b->catalog, (struct set_at){ set->id, edition }, &then, b->err) < 0)
		return NULL;
	b->printing = then.records;
	if (print_edition(b, set->id, edition, name) < 0)
		return NULL;
	spares = spares_json_of(b, set, edition, name);
	if (!spares)
		return NULL;
	b->editions++;
	b->records += then.records;
	return json_pack("{s:o,s:I,s:s,s:I,s:o}", "spares", spares, "edition", (json_int_t)edition, "file", name, "records", (json_int_t)then.records,
		"hash", content_json(&then.hash));
}

static json_t *editions_json(struct text_backup *b, const struct set_row *set)
{
	uint32_t editions[IMAGE_DELTA_MAX + 1];
	json_t *list = json_array();
	unsigned count;

	if (catalog_set_editions(b->catalog, &b->zone, set, editions, IMAGE_DELTA_MAX + 1, &count, b->err) < 0) {
		json_decref(list);
		return NULL;
	}
	for (unsigned i = 0; i < count; i++) {
		json_t *edition = edition_json(b, set, editions[i], i + 1 == count);

		if (!edition || json_array_append_new(list, edition) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* What is being loaded, or dropped, is no set that could be had back. */
static int put_set(void *arg, const struct set_row *set)
{
	struct text_backup *b = arg;
	json_t *editions;

	if (set->state != SET_READY && set->state != SET_FAILED)
		return 0;
	editions = editions_json(b, set);
	if (!editions)
		return err_set(b->err, ERR_NOMEM, "no memory for a line of the backup");
	b->sets++;
	return put_line(b, json_pack("{s:s,s:I,s:I,s:s,s:s,s:b,s:b,s:I,s:o,s:o,s:o,s:o}", "kind", "set", "id", (json_int_t)set->id,
		"zone", (json_int_t)set->zone, "name", set->name, "state", set_state_name[set->state],
		"auto_named", set->flags & SET_AUTO_NAMED ? 1 : 0, "served", set->flags & SET_SERVED ? 1 : 0,
		"created_us", (json_int_t)set->created_us, "base_of", backup_at_json(set->base_of), "source", loader_text(set->source),
		"note", loader_text(set->note), "editions", editions));
}

static int put_zone(void *arg, const struct zone_row *zone)
{
	struct text_backup *b = arg;
	json_t *formers = formers_json(b, zone->id);
	char name[NAME_TEXT_MAX];

	b->zone = *zone;
	b->zones++;
	if (!formers || put_line(b, json_pack("{s:s,s:I,s:s,s:o,s:o,s:I,s:o,s:b,s:b,s:I,s:I,s:I,s:o,s:o}", "kind", "zone", "id", (json_int_t)zone->id,
		"zone", name_to_text_short(name, zone->apex), "live", backup_at_json(zone->live), "previous", backup_at_json(zone->previous),
		"serial", (json_int_t)zone->served_serial,
		"highest", zone->flags & ZONE_SERIAL_KNOWN ? json_integer(zone->highest_serial) : json_null(),
		"serial_fixed", zone->flags & ZONE_SERIAL_FIXED ? 1 : 0, "held", zone->flags & ZONE_HELD ? 1 : 0,
		"switch", (json_int_t)zone->switch_id, "switched_us", (json_int_t)zone->switched_at_us,
		"created_us", (json_int_t)zone->created_us, "properties", properties_json(zone->properties),
		"former", formers)) < 0)
		return -1;
	/* a failure of put_set is in err: catalog_sets ends quietly */
	return catalog_sets(b->catalog, zone->id, put_set, b, b->err) < 0 || b->err->code ? -1 : 0;
}

/* ---- lists of zones: some in a line --------------------------------------------- */

static int put_list(struct text_backup *b)
{
	json_t *list = b->list;

	b->list = json_array();
	if (json_array_size(list) == 0) {
		json_decref(list);
		return 0;
	}
	if (b->group)
		return put_line(b, json_pack("{s:s,s:s,s:o}", "kind", "members", "group", b->group, "zones", list));
	return put_line(b, json_pack("{s:s,s:I,s:o}", "kind", "history-zones", "id", (json_int_t)b->history, "zones", list));
}

static int add_to_list(struct text_backup *b, json_t *item)
{
	if (json_array_append_new(b->list, item) < 0)
		return err_set(b->err, ERR_NOMEM, "no memory for a line of the backup");
	return json_array_size(b->list) < BACKUP_LIST_MAX ? 0 : put_list(b);
}

static int add_member(void *arg, const uint8_t *apex, size_t size)
{
	char name[NAME_TEXT_MAX];

	return add_to_list(arg, json_string(name_to_text_short(name, apex)));
}

static int put_group(void *arg, const char *group, uint64_t members)
{
	struct text_backup *b = arg;
	uint64_t last;

	b->groups++;
	b->group = group;
	if (catalog_group_switch(b->catalog, group, &last, b->err) < 0 ||
	    put_line(b, json_pack("{s:s,s:s,s:I}", "kind", "group", "group", group, "switch", (json_int_t)last)) < 0 ||
	    catalog_group(b->catalog, group, add_member, b, b->err) < 0 || b->err->code || put_list(b) < 0)
		return -1;
	b->group = NULL;
	return 0;
}

static int add_history_zone(void *arg, const struct history_member *m)
{
	char name[NAME_TEXT_MAX];

	return add_to_list(arg, json_pack("{s:s,s:I,s:o,s:o,s:s,s:s,s:I,s:I}", "zone", name_to_text_short(name, m->apex),
		"id", (json_int_t)m->zone, "from", backup_at_json(m->from), "to", backup_at_json(m->to), "from_name", m->from_name,
		"to_name", m->to_name, "from_serial", (json_int_t)m->from_serial, "to_serial", (json_int_t)m->to_serial));
}

static json_t *by_json(const struct who *who)
{
	json_t *json = json_pack("{s:I,s:I,s:I,s:I}", "uid", (json_int_t)who->uid, "gid", (json_int_t)who->gid,
		"login_uid", (json_int_t)who->login_uid, "pid", (json_int_t)who->pid);

	json_object_set_new(json, "name", loader_text(who->name));
	return json;
}

static int put_history(void *arg, const struct history_row *h)
{
	struct text_backup *b = arg;

	b->entries++;
	b->history = h->id;
	if (put_line(b, json_pack("{s:s,s:I,s:s,s:I,s:o,s:s,s:o,s:I}", "kind", "history", "id", (json_int_t)h->id,
		"what", switch_kind_name[h->kind], "at_us", (json_int_t)h->at_us, "who", by_json(&h->who), "group", h->group,
		"note", loader_text(h->note), "held_members", (json_int_t)h->held_members)) < 0 ||
	    catalog_history_members(b->catalog, h->id, add_history_zone, b, b->err) < 0 || b->err->code)
		return -1;
	return put_list(b);
}

static int put_hold(void *arg, const struct catalog_hold *hold)
{
	struct text_backup *b = arg;

	b->holds++;
	return put_line(b, json_pack("{s:s,s:I,s:I,s:o,s:b,s:b}", "kind", "hold", "zone", (json_int_t)hold->zone,
		"switch", (json_int_t)hold->switch_id, "from", backup_at_json(hold->from), "group", hold->group, "open", hold->open));
}

/* ---- the whole ---------------------------------------------------------------------- */

/* An iterator that a callback ends has no failure of its own: err has it. */
static int put_everything(struct text_backup *b)
{
	struct err *err = b->err;

	b->zone_count = catalog_zone_count(b->catalog);
	if (put_ids(b) < 0 || catalog_retired(b->catalog, put_retired, b, err) < 0 || err->code ||
	    catalog_zones(b->catalog, NULL, 0, put_zone, b, err) < 0 || err->code ||
	    catalog_groups(b->catalog, put_group, b, err) < 0 || err->code ||
	    catalog_history(b->catalog, 0, 0, put_history, b, err) < 0 || err->code ||
	    catalog_holds(b->catalog, put_hold, b, err) < 0 || err->code)
		return -1;
	return put_line(b, json_pack("{s:s}", "kind", "end"));
}

static int open_files(struct text_backup *b)
{
	char path[BACKUP_PATH_MAX];

	if (backup_path(path, b->dir, BACKUP_SETS, b->err) < 0)
		return -1;
	if (mkdir(path, 0750) < 0)
		return err_system(b->err, "cannot make the directory %s", path);
	b->sets_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->sets_fd < 0)
		return err_system(b->err, "cannot open the directory %s", path);
	if (backup_path(path, b->dir, BACKUP_CATALOG, b->err) < 0)
		return -1;
	b->lines = fopen(path, "wex");
	if (!b->lines)
		return err_system(b->err, "cannot create %s", path);
	b->list = json_array();
	b->buffer = malloc(BUFFER_SIZE);
	return b->list && b->buffer ? 0 : err_set(b->err, ERR_NOMEM, "no memory for a backup");
}

static void add_counts(const struct text_backup *b, json_t *manifest)
{
	const struct { const char *name; uint64_t count; } counts[] = {
		{ "zones", b->zones }, { "sets", b->sets }, { "editions", b->editions }, { "spares", b->spares }, { "records", b->records },
		{ "groups", b->groups }, { "history", b->entries }, { "holds", b->holds }, { "retired", b->retired },
	};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
		json_object_set_new(manifest, counts[i].name, json_integer((json_int_t)counts[i].count));
}

int backup_write_text(struct store_reader *reader, const char *dir, json_t *manifest,
	void (*progress)(void *, uint64_t records, double share), void *arg, struct err *err)
{
	struct text_backup b = { .reader = reader, .catalog = snapshot_catalog(reader), .dir = dir, .sets_fd = -1,
		.progress = progress, .arg = arg, .err = err };
	int status = open_files(&b);

	if (status == 0)
		status = put_everything(&b);
	if (b.lines && fclose(b.lines) != 0 && status == 0)
		status = err_system(err, "cannot write %s/%s", dir, BACKUP_CATALOG);
	/* all files at once: one by one a hundred thousand would take an hour */
	if (status == 0 && syncfs(b.sets_fd) < 0)
		status = err_system(err, "cannot sync %s", dir);
	if (b.sets_fd >= 0)
		close(b.sets_fd);
	json_decref(b.list);
	free(b.buffer);
	if (status == 0)
		add_counts(&b, manifest);
	return status;
}

void backup_remove_text(const char *dir)
{
	char path[BACKUP_PATH_MAX];
	struct err ignored = ERR_INIT;
	struct dirent *entry;
	DIR *sets;

	if (backup_path(path, dir, BACKUP_CATALOG, &ignored) == 0)
		unlink(path);
	if (backup_path(path, dir, BACKUP_SETS, &ignored) < 0)
		return;
	sets = opendir(path);
	while (sets && (entry = readdir(sets)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(sets), entry->d_name, 0);
	if (sets)
		closedir(sets);
	rmdir(path);
}
