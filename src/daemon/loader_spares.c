/* The job import-soa: a text of spare signed SOAs into images for a set. */
#include <stdlib.h>
#include <string.h>

#include "control/commands.h"
#include "daemon/loader_set.h"
#include "daemon/rows_json.h"

static json_t *made_json(const struct spares_result *r)
{
	json_t *spares = json_array();

	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(spares, json_pack("{s:I,s:I,s:I,s:I}", "serial", (json_int_t)r->spares[i].serial,
			"until", (json_int_t)r->spares[i].until, "offset", (json_int_t)r->spares[i].offset,
			"size", (json_int_t)r->spares[i].size));
	return spares;
}

static void reply(struct loader *l, const struct opened_set *s, const struct spares_result *r)
{
	if (!r->count) {
		loader_reply(l, json_pack("{s:s,s:o,s:i,s:i,s:I}", "outcome", "unchanged", "set",
			set_json(snapshot_catalog(l->reader), &s->zone, &s->set), "added", 0, "errors", 0, "warnings", (json_int_t)r->warnings));
		return;
	}
	loader_image(l, json_pack("{s:I,s:I,s:o,s:i,s:I}", "set_id", (json_int_t)s->set.id, "edition", (json_int_t)s->set.edition,
		"spares", made_json(r), "errors", 0, "warnings", (json_int_t)r->warnings), l->fd[LOADER_IMAGE_FD]);
}

static void refuse(struct loader *l, const struct spares_result *r, const struct err *err)
{
	json_t *error = control_error(err);

	json_object_set_new(error, "errors", json_integer(r->errors));
	json_object_set_new(error, "warnings", json_integer(r->warnings));
	loader_reply(l, error);
}

int job_spares(struct loader *l, struct err *err)
{
	const char *name = json_string_value(json_object_get(l->request, "name"));
	struct spares_request q = { .text_fd = l->fd[LOADER_CLIENT_FD], .text_name = name ? name : "the text",
		.image_fd = l->fd[LOADER_IMAGE_FD], .problem = loader_problem, .arg = l };
	struct spares_result r;
	struct opened_set s;

	if (opened_set_find(l, json_string_value(json_object_get(l->request, "set")), &s, err) < 0 || opened_set_open(l, &s, err) < 0)
		return -1;
	q.view = &s.view;
	q.served_known = s.zone.flags & ZONE_SERIAL_KNOWN;
	q.served = s.zone.highest_serial;
	if (zone_spares(&q, &r, err) < 0)
		refuse(l, &r, err);
	else
		reply(l, &s, &r);
	free(r.spares);
	opened_set_close(&s);
	return 0;
}
