/*
 * Which serial a switch serves (src/answer/BEHAVIOUR.md, last row), and out of which SOA
 * where that was signed elsewhere.
 */
#include "store/catalog_internal.h"

static int64_t earlier(int64_t a, int64_t b)
{
	return !a || (b && b < a) ? b : a;
}

static uint32_t next_serial(uint32_t serial)
{
	return serial + 1 ? serial + 1 : 1;     /* some secondaries take 0 for "none" */
}

int catalog_serial_outlook(struct catalog_txn *t, struct set_at at, bool known, uint32_t highest, struct serial_outlook *o,
	struct err *err)
{
	struct edition_row edition;
	struct spare spare;
	bool own_ahead;
	int rc;

	if (edition_get(t, at, &edition, err))
		return -1;
	own_ahead = !known || serial_ahead(edition.soa_serial, highest);
	*o = (struct serial_outlook){ .fixed = edition.flags & SET_SERIAL_FIXED, .until = edition.signing.until,
		.serial = own_ahead ? edition.soa_serial : next_serial(highest) };
	if (!o->fixed)
		return 0;
	if (spare_count(t, at, known, highest, &o->spares, err))
		return -1;
	if (own_ahead)
		return 0;
	rc = spare_ahead(t, at, known, highest, &spare, err);
	if (rc < 0)
		return -1;
	o->stuck = !rc;
	o->serial = rc ? spare.serial : edition.soa_serial;
	o->spare = rc ? spare.image : 0;
	if (rc)
		o->until = earlier(o->until, spare.until);
	return 0;
}

/* One that was asked for by its number: the set's own, or exactly that spare. */
static int decide_given(struct catalog_txn *t, const struct switch_request *req, const struct zone_row *zone, const struct edition_row *to,
	const char *set_name, struct switch_result_item *item, struct err *err)
{
	char text[NAME_TEXT_MAX];
	struct spare spare;
	int rc;

	name_to_text_short(text, zone->apex);
	if (zone->flags & ZONE_SERIAL_KNOWN && !serial_ahead(req->serial, zone->highest_serial))
		return err_set(err, ERR_SERIAL, "serial %u of %s is not ahead of %u, which was served (RFC 1982): secondaries would not "
			"follow", req->serial, text, zone->highest_serial);
	item->member.to_serial = req->serial;
	if (!(to->flags & SET_SERIAL_FIXED) || to->soa_serial == req->serial)
		return 0;
	rc = spare_find(t, item->member.to, req->serial, &spare, err);
	if (rc < 0)
		return -1;
	if (!rc)
		return err_set(err, ERR_SERIAL, "%s@%s cannot be served with serial %u: its SOA (serial %u) is signed elsewhere, or covered "
			"by a ZONEMD, and it has no spare one with that serial", text, set_name, req->serial, to->soa_serial);
	item->spare = spare.image;
	item->signed_until = earlier(item->signed_until, spare.until);
	return 0;
}

static int decide(struct catalog_txn *t, const struct switch_request *req, const struct zone_row *zone, const char *set_name,
	struct switch_result_item *item, struct err *err)
{
	char text[NAME_TEXT_MAX];
	struct serial_outlook o;

	name_to_text_short(text, zone->apex);
	if (catalog_serial_outlook(t, item->member.to, zone->flags & ZONE_SERIAL_KNOWN, zone->highest_serial, &o, err))
		return -1;
	if (o.stuck && req->kind != SWITCH_ROLLBACK)
		return err_set(err, ERR_SERIAL, "%s@%s has serial %u, which is not ahead of %u, which was served, and cannot be raised: its "
			"SOA is signed elsewhere, or covered by a ZONEMD, and no spare one is ahead. Sign it with a higher serial and "
			"import it again, or the SOA alone: `schwenk import %s@%s --soa FILE`", text, set_name, o.serial, zone->highest_serial,
			text, set_name);
	item->member.to_serial = o.serial;
	item->spare = o.spare;
	item->serial_stuck = o.stuck;
	item->signed_until = o.until;
	return 0;
}

int serial_decide(struct catalog_txn *t, const struct switch_request *req, const struct zone_row *zone, const struct edition_row *to,
	const char *set_name, struct switch_result_item *item, struct err *err)
{
	uint32_t highest;

	if (req->serial_given ? decide_given(t, req, zone, to, set_name, item, err) : decide(t, req, zone, set_name, item, err))
		return -1;
	highest = item->serial_stuck ? zone->highest_serial : item->member.to_serial;
	if (catalog_serial_outlook(t, item->member.to, true, highest, &item->outlook, err))
		return -1;
	if (!zone->live.set)
		return 0;
	if (catalog_serial_outlook(t, zone->live, true, highest, &item->back, err))
		return -1;
	item->back_signed_until = item->back.until;
	return 0;
}
