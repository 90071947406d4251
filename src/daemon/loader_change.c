/*
 * The jobs that make images of sets that are there: copy, record and edit, and
 * the folds that the writer asks for.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "control/commands.h"
#include "daemon/loader_set.h"
#include "daemon/rows_json.h"
#include "zone/records.h"

/* A view of so many images is brought down to so many along with the change:
 * some places are left for what older editions are read from. The oldest stay
 * as they are, for a fold of them may be on its way, and would come too late. */
#define MERGE_IMAGES 24
#define MERGE_DOWN_TO 16
#define IMAGE_ALIGN  4096

static json_t *image_json(uint64_t offset, uint64_t size)
{
	return json_pack("{s:I,s:I}", "offset", (json_int_t)offset, "size", (json_int_t)size);
}

/* ---- copy ---------------------------------------------------------------------- */

/* main has looked at the names; whether it would replace what somebody has
 * staged is looked at here. */
static int copy_check(struct loader *l, const struct opened_set *from, const char *to, struct err *err)
{
	char name[SET_NAME_MAX + 1], text[SET_TEXT_MAX];
	struct err none = ERR_INIT;
	uint8_t apex[NAME_MAX_SIZE];
	struct set_row set;
	size_t size;

	if (control_parse_set(to, apex, &size, name, err) < 0)
		return -1;
	if (catalog_set_by_name(snapshot_catalog(l->reader), &from->zone, name, &set, &none) == 0 && set.state != SET_LOADING)
		return err_set(err, ERR_EXISTS, "%s is there already: `schwenk drop %s` first, or copy under another name",
			set_text(text, from->zone.apex, name), text);
	return !none.code || err_is(&none, ERR_NO_SUCH_SET) ? 0 : err_set(err, none.code, "%s", none.message);
}

static int copy_image(struct loader *l, const struct opened_set *from, struct err *err)
{
	char source[SET_NAME_MAX + 16];
	struct image_header header;
	struct content_hash hash;
	uint32_t serial = from->set.soa_serial;
	uint64_t size;

	if (zone_fold(&from->view, true, l->fd[LOADER_IMAGE_FD], 0, &size, &header, err) < 0)
		return -1;
	memcpy(hash.word, header.content, sizeof hash.word);
	snprintf(source, sizeof source, "copy of @%s", from->set.name);
	view_soa_serial(&from->view, &serial);
	loader_image(l, json_pack("{s:o,s:s,s:I,s:b,s:b,s:s,s:o,s:o}", "image", image_json(0, size), "source", source,
		"soa_serial", (json_int_t)serial, "serial_fixed", view_serial_fixed(&from->view),
		"failed", from->set.state == SET_FAILED, "rule", from->set.note, "hash", content_json(&hash),
		"signing", signing_json(&from->set.signing)), l->fd[LOADER_IMAGE_FD]);
	return 0;
}

int job_copy(struct loader *l, struct err *err)
{
	struct opened_set from;
	int status;

	if (opened_set_find(l, json_text(l->request, "from"), &from, err) < 0 ||
	    copy_check(l, &from, json_text(l->request, "to"), err) < 0 || opened_set_open(l, &from, err) < 0)
		return -1;
	status = copy_image(l, &from, err);
	opened_set_close(&from);
	return status;
}

/* ---- the text of a change --------------------------------------------------------- */

/* Whatever the descriptor is, it is read to its end or to the limit. It may be
 * non-blocking: it is the client's. */
static ssize_t read_some(int fd, void *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		ssize_t n = read(fd, buf, size);

		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
		if (errno == EAGAIN && poll(&p, 1, -1) < 0 && errno != EINTR)
			return -1;
	}
}

static int text_too_long(const char *name, uint64_t limit, struct err *err)
{
	return err_set(err, ERR_LIMIT, "%s is longer than %" PRIu64 " MiB (loader-memory): a zone of that size goes by "
		"`schwenk import`", name, limit >> 20);
}

static int read_text(int fd, const char *name, uint64_t limit, char **text, size_t *size, struct err *err)
{
	size_t room = 0;
	ssize_t n;

	do {
		if (*size == room) {
			char *more = realloc(*text, room = room ? 2 * room : 65536);

			if (!more)
				return err_set(err, ERR_NOMEM, "no memory for the text of %s", name);
			*text = more;
		}
		n = read_some(fd, *text + *size, room - *size);
		if (n > 0)
			*size += (size_t)n;
		if (*size > limit)
			return text_too_long(name, limit, err);
	} while (n > 0);
	return n < 0 ? err_system(err, "cannot read %s", name) : 0;
}

/* ---- record, edit -------------------------------------------------------------------- */

struct change_job {
	struct loader *l;
	struct opened_set at;
	char *text;
	size_t size;
	bool whole;
	struct change_request request;
	struct change_result result;
	struct view deltas;             /* the newest of at.view */
	struct stacked folded;          /* over the others; file NULL: not needed */
	struct stacked after;
	uint64_t end;                   /* of what is in the image file */
	unsigned rules, warnings;       /* of the whole set, where it was failed */
	char rule[256];                 /* the first rule that it still breaks */
};

static uint64_t align(uint64_t at)
{
	return (at + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN;
}

static int get_text(struct change_job *j, struct err *err)
{
	const json_t *request = j->l->request, *text = json_object_get(request, "text");
	const char *name = json_text(request, "name");
	int fd = j->l->fd[LOADER_CLIENT_FD];

	j->request.text_name = name ? name : text ? "the request" : "the text";
	if (text && fd >= 0)
		return err_set(err, ERR_BAD_REQUEST, "the lines come as \"text\" or as a descriptor, not as both");
	if (text) {
		j->request.text = json_string_value(text);
		j->request.text_size = json_string_length(text);
		return 0;
	}
	if (fd < 0)
		return err_set(err, ERR_BAD_REQUEST, "there is no change: it comes as \"text\" or as a descriptor");
	/* before the snapshot begins: nobody knows how long this takes */
	if (read_text(fd, j->request.text_name, j->l->role.conf->loader_memory, &j->text, &j->size, err) < 0)
		return -1;
	j->request.text = j->text;
	j->request.text_size = j->size;
	return 0;
}

/* An edit of a live set is of the edition that is served. */
static int find_base(struct change_job *j, struct err *err)
{
	struct opened_set *at = &j->at;

	if (opened_set_find(j->l, json_text(j->l->request, "set"), at, err) < 0)
		return -1;
	if (at->zone.live.set == at->set.id)
		return catalog_set_at(snapshot_catalog(j->l->reader), at->zone.live, &at->set, err);
	/* "previous" is an edition that a rollback returns to: it stays, and the
	 * set goes on from its newest */
	return catalog_set(snapshot_catalog(j->l->reader), at->set.id, &at->set, err);
}

/* `schwenk sets` shows the newest edition's hash; after a rollback the live one
 * may be older. */
static int check_expected(struct change_job *j, struct err *err)
{
	const char *expect = json_text(j->l->request, "expect");
	char hash[CONTENT_HASH_TEXT], newest[CONTENT_HASH_TEXT], text[SET_TEXT_MAX];
	struct set_row set;

	if (!expect)
		return 0;
	content_hash_text(&j->at.set.hash, hash);
	if (strcasecmp(hash, expect) == 0)
		return 0;
	if (!j->at.by_name) {
		if (catalog_set(snapshot_catalog(j->l->reader), j->at.set.id, &set, err) < 0)
			return -1;
		if (strcasecmp(content_hash_text(&set.hash, newest), expect) == 0)
			return 0;
	}
	return err_set(err, ERR_CHANGED, "%s is not what was edited: its content hash is %s, expected was %s; export it anew, and "
		"edit that", opened_set_text(&j->at, text), hash, expect);
}

/* Many deltas: for the change the newest are one. */
static int fold_deltas(struct change_job *j, struct err *err)
{
	int fd = j->l->fd[LOADER_IMAGE_FD];
	struct view *view = &j->at.view, base;
	struct image_header header;
	uint64_t size;

	j->request.base = view;
	if (view->images < MERGE_IMAGES)
		return 0;
	j->deltas = base = *view;
	base.images = MERGE_DOWN_TO - 2;
	j->deltas.images -= base.images;
	memcpy(base.image, view->image + j->deltas.images, base.images * sizeof base.image[0]);
	if (zone_fold(&j->deltas, false, fd, 0, &size, &header, err) < 0 || stacked_open(&j->folded, &base, fd, 0, size, err) < 0)
		return -1;
	j->request.base = &j->folded.view;
	j->end = align(size);
	return 0;
}

static void told_rule(void *arg, const struct problem *p)
{
	struct change_job *j = arg;

	if (p->severity == PROBLEM_RULE && !j->rule[0])
		snprintf(j->rule, sizeof j->rule, "rule %s: %.200s", p->rule, p->message);
	loader_problem(j->l, p);
}

/* A failed set: does it obey the rules now, as a whole? Of any other the change
 * was checked, but a digest of the zone is of all of it. */
static int check_whole(struct change_job *j, struct err *err)
{
	struct check_request q = { .view = &j->after.view, .problem = told_rule, .arg = j };
	struct check_result r;

	if (j->at.set.state != SET_FAILED && j->result.serial_fixed && zone_check_zonemd(&j->after.view, err) < 0)
		return err_context(err, "the change needs the ZONEMD that it makes wrong to be replaced, or deleted, along with it");
	if (j->at.set.state != SET_FAILED)
		return 0;
	if (zone_check(&q, &r, err) < 0)
		return -1;
	j->rules = r.rules;
	j->warnings = r.warnings;
	return 0;
}

static const char *outcome_of(const struct change_job *j)
{
	if (!j->result.image_size)
		return "unchanged";
	if (j->rules)
		return "failed";
	return j->at.zone.live.set == j->at.set.id ? "live" : "staged";
}

static void reply_unchanged(struct change_job *j)
{
	json_t *reply = json_pack("{s:s,s:o,s:I,s:i}", "outcome", outcome_of(j), "set",
		set_json(snapshot_catalog(j->l->reader), &j->at.zone, &j->at.set),
		"serial", (json_int_t)j->at.zone.served_serial, "changed_rrsets", 0);

	if (json_is_true(json_object_get(j->l->request, "dry_run")))
		json_object_set_new(reply, "dry_run", json_true());
	loader_reply(j->l, reply);
}

/* What would be: the rows, and no image. */
static int reply_dry_run(struct change_job *j, struct err *err)
{
	struct diff_rows rows = { .rows = json_array(), .err = err };
	struct diff_counts counts;

	if (zone_diff(j->request.base, &j->after.view, diff_rows_add, &rows, &counts, err) < 0) {
		json_decref(rows.rows);
		return -1;
	}
	loader_reply(j->l, json_pack("{s:b,s:s,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:b}", "dry_run", true, "outcome", outcome_of(j),
		"set", set_json(snapshot_catalog(j->l->reader), &j->at.zone, &j->at.set), "serial", (json_int_t)j->at.zone.served_serial,
		"changed_rrsets", (json_int_t)j->result.changed_rrsets, "added", (json_int_t)counts.added,
		"removed", (json_int_t)counts.removed, "changed", (json_int_t)counts.changed, "rows", rows.rows, "more", rows.more));
	return 0;
}

/* The folded deltas and the change in one: should the set have no fewer
 * images when the writer gets to it, it takes this. */
static json_t *merge(struct change_job *j, struct err *err)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct view both = j->after.view;
	struct image_header header;
	unsigned count;
	uint64_t size;

	both.images = 2;
	if (catalog_set_path(&j->at.set, j->at.set.edition, path, &count, err) < 0 ||
	    zone_fold(&both, false, j->l->fd[LOADER_IMAGE_FD], j->end, &size, &header, err) < 0)
		return NULL;
	return json_pack("{s:I,s:I,s:I,s:I}", "offset", (json_int_t)j->end, "size", (json_int_t)size,
		"from", (json_int_t)path[j->deltas.images - 1].from, "images", (json_int_t)MERGE_IMAGES);
}

static int send_edition(struct change_job *j, struct err *err)
{
	const struct change_result *r = &j->result;
	struct content_hash add, subtract;
	json_t *meta, *merged = NULL;

	memcpy(add.word, r->hash_add, sizeof add.word);
	memcpy(subtract.word, r->hash_subtract, sizeof subtract.word);
	if (j->folded.file && !(merged = merge(j, err)))
		return err_set(err, ERR_NOMEM, "no memory for the change");
	meta = json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:I,s:b,s:b,s:I}",
		"image", image_json(j->request.image_offset, r->image_size), "set_id", (json_int_t)j->at.set.id,
		"from", (json_int_t)j->at.set.edition, "records", (json_int_t)r->records, "rrsets", (json_int_t)r->rrsets,
		"nodes", (json_int_t)r->nodes, "hash_add", content_json(&add), "hash_subtract", content_json(&subtract),
		"soa_serial", (json_int_t)r->soa_serial, "serial_fixed", r->serial_fixed,
		"repaired", j->at.set.state == SET_FAILED && !j->rules, "changed_rrsets", (json_int_t)r->changed_rrsets);
	if (merged)
		json_object_set_new(meta, "merged", merged);
	if (j->rule[0])
		json_object_set_new(meta, "rule", json_string(j->rule));
	loader_image(j->l, meta, j->l->fd[LOADER_IMAGE_FD]);
	return 0;
}

static int change(struct change_job *j, struct err *err)
{
	struct change_request *q = &j->request;

	if (get_text(j, err) < 0 || find_base(j, err) < 0 || check_expected(j, err) < 0 || opened_set_open(j->l, &j->at, err) < 0 ||
	    fold_deltas(j, err) < 0)
		return -1;
	q->base_serial = j->at.set.soa_serial;
	q->whole = j->whole;
	q->image_fd = j->l->fd[LOADER_IMAGE_FD];
	q->image_offset = j->end;
	q->problem = loader_problem;
	q->arg = j->l;
	if (zone_change(q, &j->result, err) < 0)
		return -1;
	if (!j->result.image_size) {
		reply_unchanged(j);
		return 0;
	}
	j->end = align(q->image_offset + j->result.image_size);
	if (stacked_open(&j->after, q->base, q->image_fd, q->image_offset, j->result.image_size, err) < 0 || check_whole(j, err) < 0)
		return -1;
	return json_is_true(json_object_get(j->l->request, "dry_run")) ? reply_dry_run(j, err) : send_edition(j, err);
}

int job_change(struct loader *l, struct err *err)
{
	struct change_job *j = calloc(1, sizeof *j);
	int status;

	if (!j)
		return err_set(err, ERR_NOMEM, "no memory");
	j->l = l;
	j->whole = strcmp(json_text(l->request, "command"), "edit") == 0;
	status = change(j, err);
	stacked_close(&j->after);
	stacked_close(&j->folded);
	opened_set_close(&j->at);
	free(j->text);
	free(j);
	return status;
}

/* ---- fold --------------------------------------------------------------------------- */

/* So many of the view's images, newest first, into one. */
static int fold(struct loader *l, const struct set_row *set, struct view *view, unsigned images, uint32_t from, struct err *err)
{
	unsigned all = view->images;
	struct image_header header;
	uint64_t size;
	int status;

	view->images = images;
	status = zone_fold(view, from == 0, l->fd[LOADER_IMAGE_FD], 0, &size, &header, err);
	view->images = all;
	if (status < 0)
		return -1;
	loader_image(l, json_pack("{s:o,s:I,s:I,s:I}", "image", image_json(0, size), "set_id", (json_int_t)set->id,
		"from", (json_int_t)from, "to", (json_int_t)set->edition), l->fd[LOADER_IMAGE_FD]);
	return 0;
}

int job_fold(struct loader *l, struct err *err)
{
	struct set_image path[IMAGE_DELTA_MAX + 1];
	struct set_row set;
	struct view view;
	unsigned count, run;
	int status;

	if (snapshot_begin(l->reader, err) < 0)
		return -1;
	l->in_snapshot = true;
	if (catalog_set(snapshot_catalog(l->reader), json_number(l->request, "set_id"), &set, err) < 0 ||
	    catalog_set_path(&set, set.edition, path, &count, err) < 0)
		return -1;
	run = catalog_fold_run(path, count);
	if (!run)
		return err_set(err, ERR_OVERTAKEN, "the set @%s needs no fold any more", set.name);
	if (snapshot_open_set(l->reader, set.id, set.edition, &view, err) < 0)
		return -1;
	status = fold(l, &set, &view, run, path[run - 1].from, err);
	view_close(&view);
	return status;
}
