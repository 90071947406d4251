/* The way back from a backup in text form (BACKUP.md): the catalog's rows with
 * the ids that they had, and an image out of each zone file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/commands.h"
#include "daemon/backup.h"
#include "daemon/rows_json.h"
#include "store/catalog_backup.h"
#include "zone/load.h"

#define LINE_MAX_OCTETS (64u << 20)
#define COMMIT_LINES    500
#define SMALL_IMAGES    256             /* put at once, … */
#define SMALL_OCTETS    (1u << 20)      /* … or so many octets */
#define COPY_SLICE_US   200000

struct text_restore {
	struct store_writer *store;
	const char *dir;
	struct catalog_txn *txn;        /* open from line to line */
	unsigned lines_in_txn;
	uint64_t line;
	int sets_fd, image_fd, spares_fd, scratch_fd;
	struct zone_row zone;           /* the one whose sets come */
	struct catalog_ids ids;
	bool ended;
	uint64_t zones, sets, editions, spares, groups, entries, holds, retired;
	/* small images that are not put yet */
	uint64_t small_id[SMALL_IMAGES];
	uint8_t *small[SMALL_IMAGES];
	size_t small_size[SMALL_IMAGES], small_octets;
	unsigned small_count;
	struct err *err;
};

/* ---- transactions ------------------------------------------------------------- */

static int put_small(struct text_restore *r)
{
	int status = 0;

	if (r->small_count)
		status = store_images_put_packed(r->store, r->small_count, r->small_id, (const uint8_t *const *)r->small,
			r->small_size, r->err);
	for (unsigned i = 0; i < r->small_count; i++)
		free(r->small[i]);
	r->small_count = 0;
	r->small_octets = 0;
	return status;
}

/* Images before the rows that name them. */
static int commit(struct text_restore *r)
{
	struct catalog_txn *txn = r->txn;

	if (!txn)
		return 0;
	if (put_small(r) < 0)
		return -1;
	r->txn = NULL;
	r->lines_in_txn = 0;
	return catalog_commit(txn, NULL, NULL, r->err);
}

static int begin(struct text_restore *r)
{
	if (r->txn && ++r->lines_in_txn >= COMMIT_LINES && commit(r) < 0)
		return -1;
	return r->txn ? 0 : catalog_begin_bulk(r->store, &r->txn, r->err);
}

/* ---- images --------------------------------------------------------------------- */

static int keep_small(struct text_restore *r, int fd, uint64_t offset, uint64_t id, size_t size)
{
	uint8_t *image = malloc(size);
	size_t got = 0;

	if (!image)
		return err_set(r->err, ERR_NOMEM, "no memory for an image");
	while (got < size) {
		ssize_t n = pread(fd, image + got, size - got, (off_t)(offset + got));

		if (n <= 0) {
			free(image);
			return err_system(r->err, "reading an image back");
		}
		got += (size_t)n;
	}
	r->small_id[r->small_count] = id;
	r->small[r->small_count] = image;
	r->small_size[r->small_count++] = size;
	r->small_octets += size;
	return r->small_count == SMALL_IMAGES || r->small_octets >= SMALL_OCTETS ? put_small(r) : 0;
}

static int put_image(struct text_restore *r, uint64_t id, uint64_t size)
{
	struct copy_in *copy;
	int n;

	if (size <= CHUNK_SIZE)
		return keep_small(r, r->image_fd, 0, id, (size_t)size);
	if (copy_in_begin(r->store, r->image_fd, 0, size, id, &copy, r->err) < 0)
		return -1;
	while ((n = copy_in_step(copy, COPY_SLICE_US, r->err)) > 0)
		;
	copy_in_free(copy);
	return n;
}

/* The image file that was made last, as a view. */
struct base_view { struct image_file *file; struct view view; };

static int base_view_open(struct base_view *b, struct text_restore *r, const struct set_row *set)
{
	struct view *v = &b->view;

	memset(b, 0, sizeof *b);
	b->file = image_file_open(r->image_fd, 0, set->octets, r->err);
	if (!b->file)
		return -1;
	v->image[0] = image_open(image_file_source(b->file), 1, r->err);
	if (!v->image[0])
		return -1;
	v->images = 1;
	v->apex = r->zone.apex;
	v->apex_size = r->zone.apex_size;
	v->apex_labels = name_count_labels(r->zone.apex);
	v->hash_key = store_writer_hash_key(r->store);
	return 0;
}

static void base_view_close(struct base_view *b)
{
	image_close(b->view.image[0]);
	image_file_close(b->file);
}

static int open_set_file(struct text_restore *r, const char *name)
{
	int fd;

	if (name[0] == '.' || strchr(name, '/'))
		return err_set(r->err, ERR_CORRUPT, "\"%.100s\" is no name of a file in %s", name, BACKUP_SETS);
	fd = openat(r->sets_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_system(r->err, "cannot read %s/%s", BACKUP_SETS, name) : fd;
}

/* The zone file becomes the image file. */
static int load_file(struct text_restore *r, const char *name, struct load_result *result)
{
	struct load_request q = { .apex = r->zone.apex, .apex_size = r->zone.apex_size, .hash_key = store_writer_hash_key(r->store),
		.text_name = name, .image_fd = r->image_fd, .scratch_fd = r->scratch_fd, .include_anywhere = false };
	int status;

	q.text_fd = open_set_file(r, name);
	if (q.text_fd < 0)
		return -1;
	if (ftruncate(r->image_fd, 0) < 0)
		status = err_system(r->err, "the image file");
	else
		status = zone_load(&q, result, r->err);
	close(q.text_fd);
	return status;
}

/* Of the edition whose image lies in image_fd. */
static int read_spares(struct text_restore *r, const json_t *edition, const struct set_row *set)
{
	const char *name = json_string_value(json_object_get(edition, "spares"));
	struct set_at at = { set->id, set->edition };
	struct spares_request q = { .text_name = name, .image_fd = r->spares_fd };
	struct spares_result made = { .spares = NULL };
	struct base_view base;
	int status;

	if (!name)
		return 0;
	q.text_fd = open_set_file(r, name);
	if (q.text_fd < 0)
		return -1;
	status = base_view_open(&base, r, set);
	q.view = &base.view;
	if (status == 0)
		status = ftruncate(r->spares_fd, 0) < 0 ? err_system(r->err, "the image file") : zone_spares(&q, &made, r->err);
	base_view_close(&base);
	close(q.text_fd);
	for (size_t i = 0; i < made.count && status == 0; i++) {
		struct spare spare = { .serial = made.spares[i].serial, .until = made.spares[i].until, .octets = made.spares[i].size,
			.image = catalog_next_image_id(r->txn) };

		status = made.spares[i].size > CHUNK_SIZE ? err_set(r->err, ERR_LIMIT, "a spare SOA beside too large an apex") :
			keep_small(r, r->spares_fd, made.spares[i].offset, spare.image, (size_t)spare.octets);
		if (status == 0)
			status = catalog_put_spare(r->txn, r->zone.id, at, &spare, r->err);
		r->spares++;
	}
	free(made.spares);
	return status;
}

static int check_hash(struct text_restore *r, const json_t *edition, const struct set_row *set, const char *name)
{
	struct content_hash wanted;

	content_from_json(&wanted, json_object_get(edition, "hash"));
	if (memcmp(&wanted, &set->hash, sizeof wanted) != 0)
		return err_set(r->err, ERR_CORRUPT, "%s/%s does not hold what was backed up: its content hash is another; it was changed "
			"or damaged since", BACKUP_SETS, name);
	return 0;
}

/* One edition of the set out of its file: an image, and a row of what the set
 * was then. */
static int read_edition(struct text_restore *r, const json_t *json, struct set_row *set)
{
	const char *name = json_string_value(json_object_get(json, "file"));
	json_int_t edition = json_integer_value(json_object_get(json, "edition"));
	struct load_result result;
	uint64_t id;

	if (!name || edition <= (json_int_t)set->edition || edition > UINT32_MAX)
		return err_set(r->err, ERR_CORRUPT, "an edition without a file, or not behind the one before");
	if (set->images > IMAGE_DELTA_MAX)
		return err_set(r->err, ERR_CORRUPT, "a set of more than %d editions", IMAGE_DELTA_MAX + 1);
	if (load_file(r, name, &result) < 0)
		return -1;
	id = catalog_next_image_id(r->txn);
	if (put_image(r, id, result.image_size) < 0)
		return -1;
	set->edition = (uint32_t)edition;
	set->image[set->images++] = (struct set_image){ id, 0, set->edition, result.image_size };
	set->soa_serial = result.soa_serial;
	set->records = result.header.records;
	set->rrsets = result.header.rrsets;
	set->nodes = result.header.nodes;
	set->octets = result.image_size;
	memcpy(set->hash.word, result.header.content, sizeof set->hash.word);
	set->signing = result.signing;
	set->flags = (set->flags & ~SET_SERIAL_FIXED) | (result.serial_fixed ? SET_SERIAL_FIXED : 0);
	r->editions++;
	return check_hash(r, json, set, name) < 0 ? -1 : read_spares(r, json, set);
}

/* ---- lines ------------------------------------------------------------------------ */

static int bad_line(struct text_restore *r, const char *what)
{
	return err_set(r->err, ERR_CORRUPT, "%s", what);
}

static int unpack_failed(struct text_restore *r, const json_error_t *e)
{
	return err_set(r->err, ERR_CORRUPT, "not what a line of this kind is: %s", e->text);
}

/* null: none. */
static int get_at(struct text_restore *r, const json_t *json, struct set_at *at)
{
	*at = (struct set_at){ 0, 0 };
	if (json_is_null(json))
		return 0;
	if (json_array_size(json) != 2 || !json_is_integer(json_array_get(json, 0)) || !json_is_integer(json_array_get(json, 1)))
		return bad_line(r, "a set's edition is a pair of numbers");
	at->set = (uint64_t)json_integer_value(json_array_get(json, 0));
	at->edition = (uint32_t)json_integer_value(json_array_get(json, 1));
	return 0;
}

static int get_text(struct text_restore *r, char *to, size_t size, const char *text)
{
	if ((size_t)snprintf(to, size, "%s", text) >= size)
		return bad_line(r, "a text is too long");
	return 0;
}

static int put_ids(struct text_restore *r, json_t *line)
{
	json_int_t zone, set, history, group;
	json_error_t e;

	if (json_unpack_ex(line, &e, 0, "{s:I,s:I,s:I,s:I}", "zone", &zone, "set", &set, "history", &history, "group", &group) < 0)
		return unpack_failed(r, &e);
	r->ids = (struct catalog_ids){ (uint64_t)zone, (uint64_t)set, (uint64_t)history, (uint64_t)group };
	return 0;
}

/* Backups of before it was kept have no "former". */
static int put_formers(struct text_restore *r, uint64_t zone, const json_t *formers)
{
	const json_t *former;
	size_t i;

	json_array_foreach(formers, i, former) {
		uint64_t id = (uint64_t)json_integer_value(former);

		if (catalog_put_former(r->txn, zone, id, r->err) < 0)
			return -1;
		zone = id;
	}
	return 0;
}

static int put_retired(struct text_restore *r, json_t *line)
{
	uint8_t apex[NAME_MAX_SIZE];
	json_t *serial, *formers = NULL;
	struct retired_row row;
	json_int_t id = 0;
	const char *name;
	json_error_t e;
	size_t size;

	if (json_unpack_ex(line, &e, 0, "{s:s,s:o,s?I,s?o}", "zone", &name, "serial", &serial, "id", &id, "former", &formers) < 0)
		return unpack_failed(r, &e);
	r->retired++;
	row = (struct retired_row){ .serial_known = json_is_integer(serial), .highest_serial = (uint32_t)json_integer_value(serial),
		.zone = (uint64_t)id };
	if (control_parse_zone(name, apex, &size, r->err) < 0 || put_formers(r, row.zone, formers) < 0)
		return -1;
	return catalog_put_retired(r->txn, apex, size, &row, r->err);
}

static int put_zone(struct text_restore *r, json_t *line)
{
	json_int_t id, serial, switch_id, switched, created;
	json_t *live, *previous, *highest, *properties, *formers = NULL;
	struct zone_row *z = &r->zone;
	int fixed, held;
	const char *name;
	json_error_t e;
	size_t size;

	memset(z, 0, sizeof *z);
	if (json_unpack_ex(line, &e, 0, "{s:I,s:s,s:o,s:o,s:I,s:o,s:b,s:b,s:I,s:I,s:I,s:o,s?o}", "id", &id, "zone", &name, "live", &live,
		"previous", &previous, "serial", &serial, "highest", &highest, "serial_fixed", &fixed, "held", &held,
		"switch", &switch_id, "switched_us", &switched, "created_us", &created, "properties", &properties,
		"former", &formers) < 0)
		return unpack_failed(r, &e);
	if (control_parse_zone(name, z->apex, &size, r->err) < 0 || get_at(r, live, &z->live) < 0 || get_at(r, previous, &z->previous) < 0 ||
	    properties_change(z->properties, sizeof z->properties, properties, r->err) < 0)
		return -1;
	z->apex_size = (uint8_t)size;
	z->id = (uint64_t)id;
	z->served_serial = (uint32_t)serial;
	z->highest_serial = (uint32_t)json_integer_value(highest);
	z->flags = (fixed ? ZONE_SERIAL_FIXED : 0) | (held ? ZONE_HELD : 0) | (json_is_integer(highest) ? ZONE_SERIAL_KNOWN : 0);
	z->switch_id = (uint64_t)switch_id;
	z->switched_at_us = switched;
	z->created_us = created;
	r->zones++;
	return put_formers(r, z->id, formers) < 0 ? -1 : catalog_put_zone(r->txn, z, r->err);
}

static int put_editions(struct text_restore *r, const json_t *editions, struct set_row *set)
{
	struct err *err = r->err;
	const json_t *edition;
	size_t i;

	json_array_foreach(editions, i, edition) {
		if (i && catalog_put_edition(r->txn, set, err) < 0)
			return -1;
		if (read_edition(r, edition, set) < 0)
			return -1;
	}
	return i ? 0 : bad_line(r, "a set without editions");
}

static int put_set(struct text_restore *r, json_t *line)
{
	json_int_t id, zone, created;
	json_t *base, *editions;
	const char *name, *state, *source, *note;
	int auto_named, served;
	struct set_row set;
	json_error_t e;

	memset(&set, 0, sizeof set);
	if (json_unpack_ex(line, &e, 0, "{s:I,s:I,s:s,s:s,s:b,s:b,s:I,s:o,s:s,s:s,s:o}", "id", &id, "zone", &zone, "name", &name,
		"state", &state, "auto_named", &auto_named, "served", &served, "created_us", &created, "base_of", &base,
		"source", &source, "note", &note, "editions", &editions) < 0)
		return unpack_failed(r, &e);
	set.id = (uint64_t)id;
	set.zone = (uint64_t)zone;
	set.created_us = created;
	set.flags = (auto_named ? SET_AUTO_NAMED : 0) | (served ? SET_SERVED : 0);
	set.state = strcmp(state, set_state_name[SET_FAILED]) == 0 ? SET_FAILED : SET_READY;
	if (set.zone != r->zone.id || !set_name_valid(name) || (set.state == SET_READY && strcmp(state, set_state_name[SET_READY]) != 0))
		return bad_line(r, "a set that is not of the zone before it, or has no proper name or state");
	if (get_text(r, set.name, sizeof set.name, name) < 0 || get_text(r, set.source, sizeof set.source, source) < 0 ||
	    get_text(r, set.note, sizeof set.note, note) < 0 || get_at(r, base, &set.base_of) < 0 || put_editions(r, editions, &set) < 0)
		return -1;
	r->sets++;
	return catalog_put_set(r->txn, &set, r->err);
}

static int put_group(struct text_restore *r, json_t *line)
{
	json_int_t last;
	const char *group;
	json_error_t e;

	if (json_unpack_ex(line, &e, 0, "{s:s,s:I}", "group", &group, "switch", &last) < 0)
		return unpack_failed(r, &e);
	r->groups++;
	return catalog_put_group(r->txn, group, (uint64_t)last, r->err);
}

static int put_members(struct text_restore *r, json_t *line)
{
	json_t *zones, *zone;
	const char *group;
	json_error_t e;
	size_t i;

	if (json_unpack_ex(line, &e, 0, "{s:s,s:o}", "group", &group, "zones", &zones) < 0)
		return unpack_failed(r, &e);
	json_array_foreach(zones, i, zone) {
		uint8_t apex[NAME_MAX_SIZE];
		size_t size;

		if (!json_is_string(zone))
			return bad_line(r, "a member that is no zone");
		if (control_parse_zone(json_string_value(zone), apex, &size, r->err) < 0 ||
		    catalog_group_add(r->txn, group, apex, size, r->err) < 0)
			return -1;
	}
	return 0;
}

static int find_kind(struct text_restore *r, const char *name, enum switch_kind *kind)
{
	for (int i = 0; i <= SWITCH_RESTORE; i++)
		if (strcmp(switch_kind_name[i], name) == 0) {
			*kind = (enum switch_kind)i;
			return 0;
		}
	return bad_line(r, "an entry of the history of a kind that is not known");
}

static int put_history(struct text_restore *r, json_t *line)
{
	json_int_t id, at, held;
	const char *what, *group, *note;
	struct history_row row;
	json_error_t e;
	json_t *who;

	memset(&row, 0, sizeof row);
	if (json_unpack_ex(line, &e, 0, "{s:I,s:s,s:I,s:o,s:s,s:s,s:I}", "id", &id, "what", &what, "at_us", &at, "who", &who,
		"group", &group, "note", &note, "held_members", &held) < 0)
		return unpack_failed(r, &e);
	row.id = (uint64_t)id;
	row.at_us = at;
	row.held_members = (uint32_t)held;
	who_from_json(&row.who, who);
	r->entries++;
	if (find_kind(r, what, &row.kind) < 0 || get_text(r, row.group, sizeof row.group, group) < 0 ||
	    get_text(r, row.note, sizeof row.note, note) < 0)
		return -1;
	return catalog_put_history(r->txn, &row, r->err);
}

static int put_history_zone(struct text_restore *r, uint64_t entry, json_t *json)
{
	json_int_t zone, from_serial, to_serial;
	const char *name, *from_name, *to_name;
	struct history_member m;
	json_t *from, *to;
	json_error_t e;
	size_t size;

	memset(&m, 0, sizeof m);
	if (json_unpack_ex(json, &e, 0, "{s:s,s:I,s:o,s:o,s:s,s:s,s:I,s:I}", "zone", &name, "id", &zone, "from", &from, "to", &to,
		"from_name", &from_name, "to_name", &to_name, "from_serial", &from_serial, "to_serial", &to_serial) < 0)
		return unpack_failed(r, &e);
	if (control_parse_zone(name, m.apex, &size, r->err) < 0 || get_at(r, from, &m.from) < 0 || get_at(r, to, &m.to) < 0 ||
	    get_text(r, m.from_name, sizeof m.from_name, from_name) < 0 || get_text(r, m.to_name, sizeof m.to_name, to_name) < 0)
		return -1;
	m.apex_size = (uint8_t)size;
	m.zone = (uint64_t)zone;
	m.from_serial = (uint32_t)from_serial;
	m.to_serial = (uint32_t)to_serial;
	return catalog_put_history_member(r->txn, entry, &m, r->err);
}

static int put_history_zones(struct text_restore *r, json_t *line)
{
	json_t *zones, *zone;
	json_error_t e;
	json_int_t id;
	size_t i;

	if (json_unpack_ex(line, &e, 0, "{s:I,s:o}", "id", &id, "zones", &zones) < 0)
		return unpack_failed(r, &e);
	json_array_foreach(zones, i, zone)
		if (put_history_zone(r, (uint64_t)id, zone) < 0)
			return -1;
	return 0;
}

static int put_hold(struct text_restore *r, json_t *line)
{
	struct catalog_hold hold;
	json_int_t zone, id;
	json_error_t e;
	json_t *from;
	int group, open;

	if (json_unpack_ex(line, &e, 0, "{s:I,s:I,s:o,s:b,s:b}", "zone", &zone, "switch", &id, "from", &from, "group", &group,
		"open", &open) < 0)
		return unpack_failed(r, &e);
	hold = (struct catalog_hold){ .zone = (uint64_t)zone, .switch_id = (uint64_t)id, .group = group, .open = open };
	r->holds++;
	return get_at(r, from, &hold.from) < 0 ? -1 : catalog_put_hold(r->txn, &hold, r->err);
}

static int put_end(struct text_restore *r, json_t *line)
{
	r->ended = true;
	return catalog_put_ids(r->txn, &r->ids, r->err);
}

static const struct { const char *kind; int (*put)(struct text_restore *, json_t *line); } kinds[] = {
	{ "ids", put_ids }, { "retired", put_retired }, { "zone", put_zone }, { "set", put_set }, { "group", put_group },
	{ "members", put_members }, { "history", put_history }, { "history-zones", put_history_zones }, { "hold", put_hold },
	{ "end", put_end },
};

static int put_line(struct text_restore *r, json_t *line)
{
	const char *kind = json_string_value(json_object_get(line, "kind"));

	if (r->ended)
		return bad_line(r, "there is a line behind the end");
	for (size_t i = 0; kind && i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			return begin(r) < 0 ? -1 : kinds[i].put(r, line);
	return err_set(r->err, ERR_CORRUPT, "a line of a kind that is not known: \"%.40s\"", kind ? kind : "");
}

/* ---- the whole ---------------------------------------------------------------------- */

static int read_lines(struct text_restore *r, FILE *file)
{
	char *text = NULL;
	size_t room = 0;
	ssize_t n = 0;
	int status = 0;

	while (status == 0 && (n = getline(&text, &room, file)) > 0) {
		json_error_t e;
		json_t *line = n > LINE_MAX_OCTETS ? NULL : json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &e);

		r->line++;
		if (n > LINE_MAX_OCTETS)
			status = bad_line(r, "a line is too long");
		else if (!line)
			status = err_set(r->err, ERR_CORRUPT, "%s", e.text);
		else
			status = put_line(r, line);
		json_decref(line);
	}
	free(text);
	if (status == 0 && ferror(file))
		status = err_system(r->err, "cannot read");
	if (status == 0 && !r->ended)
		status = bad_line(r, "the last line is not the end: the file was cut short");
	return status < 0 ? err_context(r->err, "%s/%s:%" PRIu64, r->dir, BACKUP_CATALOG, r->line) : 0;
}

/* What the manifest says was written must have come. */
static int check_counts(const struct text_restore *r, const json_t *manifest)
{
	const struct { const char *name; uint64_t count; } counts[] = {
		{ "zones", r->zones }, { "sets", r->sets }, { "editions", r->editions }, { "spares", r->spares }, { "groups", r->groups },
		{ "history", r->entries }, { "holds", r->holds }, { "retired", r->retired },
	};

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		json_int_t wanted = json_integer_value(json_object_get(manifest, counts[i].name));

		if (wanted != (json_int_t)counts[i].count)
			return err_set(r->err, ERR_CORRUPT, "%s/%s: %" PRIu64 " %s, the backup was of %lld", r->dir, BACKUP_CATALOG,
				counts[i].count, counts[i].name, (long long)wanted);
	}
	return 0;
}

static int open_scratch(const char *dir, struct err *err)
{
	char path[BACKUP_PATH_MAX];
	int fd;

	if (backup_path(path, dir, "scratch.XXXXXX", err) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_system(err, "no temporary file in %s", dir);
	unlink(path);
	return fd;
}

static int read_all(struct text_restore *r, const json_t *manifest, const char *scratch)
{
	char path[BACKUP_PATH_MAX];
	FILE *file;
	int status;

	if (backup_path(path, r->dir, BACKUP_SETS, r->err) < 0)
		return -1;
	r->sets_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->sets_fd < 0)
		return err_system(r->err, "cannot read %s", path);
	r->image_fd = open_scratch(scratch, r->err);
	r->spares_fd = r->image_fd < 0 ? -1 : open_scratch(scratch, r->err);
	r->scratch_fd = r->spares_fd < 0 ? -1 : open_scratch(scratch, r->err);
	if (r->scratch_fd < 0 || backup_path(path, r->dir, BACKUP_CATALOG, r->err) < 0)
		return -1;
	file = fopen(path, "re");
	if (!file)
		return err_system(r->err, "cannot read %s", path);
	status = read_lines(r, file);
	fclose(file);
	if (status == 0)
		status = commit(r);
	return status < 0 ? -1 : check_counts(r, manifest);
}

int restore_read_text(struct store_writer *store, const char *dir, const json_t *manifest, const char *scratch, struct err *err)
{
	struct text_restore *r = calloc(1, sizeof *r);
	int status;

	if (!r)
		return err_set(err, ERR_NOMEM, "no memory for a restore");
	r->store = store;
	r->dir = dir;
	r->sets_fd = r->image_fd = r->spares_fd = r->scratch_fd = -1;
	r->err = err;
	status = read_all(r, manifest, scratch);
	catalog_abort(r->txn);
	for (unsigned i = 0; i < r->small_count; i++)
		free(r->small[i]);
	if (r->sets_fd >= 0)
		close(r->sets_fd);
	if (r->image_fd >= 0)
		close(r->image_fd);
	if (r->spares_fd >= 0)
		close(r->spares_fd);
	if (r->scratch_fd >= 0)
		close(r->scratch_fd);
	free(r);
	return status;
}
