#include "daemon/loader_set.h"

#include <string.h>

#include "control/commands.h"
#include "daemon/rows_json.h"
#include "wire/rrtype.h"

char *opened_set_text(const struct opened_set *s, char *buf)
{
	return set_text(buf, s->zone.apex, s->set.name);
}

/* The edition that is meant by the name under which the set was asked for. */
static uint32_t edition_meant(const struct zone_row *zone, const struct set_row *set, const char *name)
{
	if (!name[0] || strcmp(name, "live") == 0)
		return zone->live.edition;
	return strcmp(name, "previous") == 0 ? zone->previous.edition : set->edition;
}

int opened_set_find(struct loader *l, const char *text, struct opened_set *s, struct err *err)
{
	char name[SET_NAME_MAX + 1];
	uint8_t apex[NAME_MAX_SIZE];
	struct set_at at;
	size_t size;

	s->view.images = 0;
	if (control_parse_set(text, apex, &size, name, err) < 0 || loader_set(l, text, &s->zone, &s->set, err) < 0)
		return -1;
	s->by_name = name[0] && strcmp(name, "live") != 0;
	at = (struct set_at){ s->set.id, edition_meant(&s->zone, &s->set, name) };
	return catalog_set_at(snapshot_catalog(l->reader), at, &s->set, err);
}

int opened_set_open(struct loader *l, struct opened_set *s, struct err *err)
{
	return snapshot_open_set(l->reader, s->set.id, s->set.edition, &s->view, err);
}

int opened_set_open_served(struct loader *l, struct opened_set *s, struct err *err)
{
	return snapshot_open_zone(l->reader, &s->zone, &s->view, err);
}

void opened_set_close(struct opened_set *s)
{
	if (s->view.images)
		view_close(&s->view);
	s->view.images = 0;
}

int stacked_open(struct stacked *s, const struct view *below, int fd, uint64_t offset, uint64_t size, struct err *err)
{
	s->view = *below;
	s->view.image[0] = NULL;
	s->file = image_file_open(fd, offset, size, err);
	if (!s->file)
		return -1;
	memcpy(&s->view.image[1], below->image, below->images * sizeof below->image[0]);
	s->view.images = below->images + 1;
	s->view.image[0] = image_open(image_file_source(s->file), 0, err);
	if (s->view.image[0])
		return 0;
	stacked_close(s);
	return -1;
}

void stacked_close(struct stacked *s)
{
	if (s->file) {
		image_close(s->view.image[0]);
		image_file_close(s->file);
	}
	s->file = NULL;
}

/* ---- differences ------------------------------------------------------------- */

static json_t *texts_json(char *const *text, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(array, json_string(text[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *diff_row_json(const struct diff_rrset *r)
{
	char owner[NAME_TEXT_MAX], type[16], kind[2] = { r->kind, '\0' };

	return json_pack("{s:s,s:s,s:s,s:o,s:o}", "kind", kind, "owner", name_to_text_short(owner, r->owner),
		"type", rrtype_to_text(r->type, type), "old", texts_json(r->old_text, r->old_count),
		"new", texts_json(r->new_text, r->new_count));
}

static size_t octets_of(const struct diff_rrset *r)
{
	size_t n = 64;

	for (size_t i = 0; i < r->old_count; i++)
		n += strlen(r->old_text[i]) + 3;
	for (size_t i = 0; i < r->new_count; i++)
		n += strlen(r->new_text[i]) + 3;
	return n;
}

int diff_rows_add(void *arg, const struct diff_rrset *r)
{
	struct diff_rows *rows = arg;
	size_t octets = octets_of(r);
	json_t *row;

	if (rows->more || json_array_size(rows->rows) >= DIFF_ROWS_MAX || rows->octets + octets > DIFF_OCTETS_MAX) {
		rows->more = true;
		return 0;
	}
	row = diff_row_json(r);
	if (!row)
		return err_set(rows->err, ERR_NOMEM, "no memory for the difference");
	rows->octets += octets;
	json_array_append_new(rows->rows, row);
	return 0;
}
