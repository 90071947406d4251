/* What a cutover, or a reload, would do to its zones. */
#include "store/catalog_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int check_reload(struct switch_plan *p, const struct zone_row *zone)
{
	char text[NAME_TEXT_MAX];

	name_to_text_short(text, zone->apex);
	if (zone->flags & ZONE_HELD)
		return err_set(p->err, ERR_HELD, "%s is held: its last cutover awaits `schwenk confirm %s` or `schwenk rollback %s`; "
			"until then import into a set by name, %s@SET", text, text, text, text);
	if (p->req->expect_live_given && !set_at_equal(zone->live, p->req->expect_live))
		return err_set(p->err, ERR_OVERTAKEN, "the live set of %s changed since the import began: nothing was switched; "
			"import again", text);
	return 0;
}

static int check_expected(struct switch_plan *p, const struct zone_row *zone, const struct set_row *set)
{
	char hash[CONTENT_HASH_TEXT], text[NAME_TEXT_MAX];

	if (!p->req->expect)
		return 0;
	content_hash_text(&set->hash, hash);
	if (strcasecmp(hash, p->req->expect))
		return err_set(p->err, ERR_CHANGED, "%s@%s is not what was planned: its content hash is %s, expected was %s",
			name_to_text_short(text, zone->apex), set->name, hash, p->req->expect);
	return 0;
}

/* A serial that was asked for, of what is live with another one: to change
 * nothing in silence would leave the operator with the wrong one. */
static int check_served(struct switch_plan *p, const struct zone_row *zone, const struct switch_result_item *item)
{
	uint32_t wanted = p->req->serial;
	char text[NAME_TEXT_MAX];

	if (!p->req->serial_given || wanted == zone->served_serial)
		return 0;
	name_to_text_short(text, zone->apex);
	if (!serial_ahead(wanted, zone->highest_serial))
		return err_set(p->err, ERR_SERIAL, "%s@%s is live already, with serial %u, and %u is not ahead of it (RFC 1982): nothing was "
			"changed", text, item->member.to_name, zone->served_serial, wanted);
	return err_set(p->err, ERR_SERIAL, "%s@%s is live already, with serial %u: nothing was changed; the serial alone is raised by "
		"`schwenk serial %s %u`", text, item->member.to_name, zone->served_serial, text, wanted);
}

int plan_cutover(struct switch_plan *p, const struct zone_row *zone, const char *set_name)
{
	struct switch_result_item *item = plan_zone_item(p, zone);
	struct set_row set;
	struct set_at to;

	if (!item)
		return -1;
	if (p->req->kind == SWITCH_RELOAD && check_reload(p, zone))
		return -1;
	if (catalog_set_by_name(p->t, zone, set_name, &set, p->err))
		return -1;
	if (check_expected(p, zone, &set))
		return -1;
	/* "previous" means the edition that a rollback would return to */
	to = !strcmp(set_name, "previous") ? zone->previous : (struct set_at){ .set = set.id, .edition = set.edition };
	if (!strcmp(set_name, "live") || set_at_equal(to, zone->live))
		return check_served(p, zone, item) ? -1 : plan_already(p, zone, item);
	return plan_move(p, zone, &set, to, OUTCOME_SWITCHED, item);
}

/* ---- a group ------------------------------------------------------------- */

static void name_missing(struct switch_plan *p, const struct zone_row *zone)
{
	char text[NAME_TEXT_MAX];
	size_t n = strlen(p->missing_names);

	if (p->missing++ < MISSING_NAMED)
		snprintf(p->missing_names + n, sizeof p->missing_names - n, "%s%.70s", n ? ", " : "",
			name_to_text_short(text, zone->apex));
}

int plan_group_cutover(struct switch_plan *p)
{
	const char *set = p->req->count ? p->req->items[0].set : "";
	uint64_t *ids;
	size_t count;
	int rc = 0;

	if (group_get(p->t, p->req->group, &p->group, p->err)
	    || prefix_ids(p->t, T_MEMBER, p->group.id, 8, &ids, &count, p->err))
		return -1;
	if (!count)
		rc = err_set(p->err, ERR_NO_SUCH_ZONE, "the group %s has no members", p->req->group);
	for (size_t i = 0; i < count && !rc; i++) {
		struct zone_row zone;

		rc = catalog_zone_by_id(p->t, ids[i], &zone, p->err);
		if (rc || !(rc = plan_cutover(p, &zone, set)))
			continue;
		/* name them all, not only the first */
		if (err_is(p->err, ERR_NO_SUCH_SET)) {
			name_missing(p, &zone);
			err_clear(p->err);
			rc = 0;
		}
	}
	free(ids);
	if (!rc && p->missing)
		return err_set(p->err, ERR_NO_SUCH_SET, "nothing was switched: %u of %zu members of group %s have no set @%s: %s%s",
			p->missing, count, p->req->group, set, p->missing_names, p->missing > MISSING_NAMED ? ", …" : "");
	return rc;
}
