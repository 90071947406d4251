#include "store/catalog_rows.h"

#include <stdio.h>
#include <string.h>

#define ROW_VERSION 1

enum { SIGNING_IS_SIGNED = 1 << 0, SIGNING_MORE_KEYS = 1 << 1 };

/* ---- text and names with a length in front -------------------------------- */

static void put_text(struct cursor *c, const char *text, size_t max)
{
	size_t n = strnlen(text, max);

	cursor_put_le16(c, n);
	cursor_put(c, text, n);
}

static void get_text(struct cursor *c, char *text, size_t size)
{
	size_t n = cursor_get_le16(c);
	const uint8_t *p = cursor_take(c, n);

	if (n >= size)
		c->failed = true;
	if (p && n < size)
		memcpy(text, p, n);
	text[p && n < size ? n : 0] = '\0';
}

static void put_apex(struct cursor *c, const uint8_t *apex, uint8_t size)
{
	cursor_put_u8(c, size);
	cursor_put(c, apex, size);
}

static void get_apex(struct cursor *c, uint8_t apex[NAME_MAX_SIZE], uint8_t *size)
{
	const uint8_t *p;

	*size = cursor_get_u8(c);
	p = cursor_take(c, *size);
	if (!p || *size == 0 || name_length(p, *size) != *size) {
		c->failed = true;
		*size = 1;
		apex[0] = 0;
		return;
	}
	memcpy(apex, p, *size);
}

static void put_at(struct cursor *c, struct set_at at)
{
	cursor_put_le64(c, at.set);
	cursor_put_le32(c, at.edition);
}

static struct set_at get_at(struct cursor *c)
{
	struct set_at at;

	at.set = cursor_get_le64(c);
	at.edition = cursor_get_le32(c);
	return at;
}

static void put_hash(struct cursor *c, const struct content_hash *hash)
{
	for (unsigned i = 0; i < 8; i++)
		cursor_put_le64(c, hash->word[i]);
}

static void get_hash(struct cursor *c, struct content_hash *hash)
{
	for (unsigned i = 0; i < 8; i++)
		hash->word[i] = cursor_get_le64(c);
}

static void put_signing(struct cursor *c, const struct set_signing *s)
{
	cursor_put_u8(c, s->is_signed ? SIGNING_IS_SIGNED | (s->more_keys ? SIGNING_MORE_KEYS : 0) : 0);
	if (!s->is_signed)
		return;
	cursor_put_le64(c, s->until);
	cursor_put_u8(c, s->keys);
	for (unsigned i = 0; i < s->keys; i++) {
		cursor_put_le64(c, s->key[i].hash);
		cursor_put_le16(c, s->key[i].tag);
		cursor_put_u8(c, s->key[i].algorithm);
		cursor_put_u8(c, s->key[i].flags);
	}
}

static void get_signing(struct cursor *c, struct set_signing *s)
{
	uint8_t flags = cursor_get_u8(c);

	memset(s, 0, sizeof *s);
	if (!(flags & SIGNING_IS_SIGNED))
		return;
	s->is_signed = true;
	s->more_keys = flags & SIGNING_MORE_KEYS;
	s->until = cursor_get_le64(c);
	s->keys = cursor_get_u8(c);
	if (s->keys > SET_KEYS_MAX) {
		c->failed = true;
		s->keys = 0;
	}
	for (unsigned i = 0; i < s->keys; i++) {
		s->key[i].hash = cursor_get_le64(c);
		s->key[i].tag = cursor_get_le16(c);
		s->key[i].algorithm = cursor_get_u8(c);
		s->key[i].flags = cursor_get_u8(c);
	}
}

/* ---- begin and end of a row ------------------------------------------------ */

static struct cursor begin_put(uint8_t *buf)
{
	struct cursor c = cursor_over(buf, ROW_MAX);

	cursor_put_u8(&c, ROW_VERSION);
	return c;
}

static int end_put(const struct cursor *c, const char *what, struct err *err)
{
	if (c->failed)
		return err_set(err, ERR_LIMIT, "the %s row would exceed %d octets: shorten its texts", what, ROW_MAX);
	return c->at;
}

static struct cursor begin_get(const void *p, size_t size)
{
	struct cursor c = cursor_over(p, size);

	if (cursor_get_u8(&c) != ROW_VERSION)
		c.failed = true;
	return c;
}

static int end_get(const struct cursor *c, const char *what, struct err *err)
{
	if (c->failed || c->at != c->size)
		return err_set(err, ERR_CORRUPT, "a %s row of the catalog is not understood (%zu octets): damaged, or of "
			"a newer version; run fsck", what, c->size);
	return 0;
}

/* ---- meta ------------------------------------------------------------------ */

int row_put_meta(uint8_t *buf, const struct meta_row *m, struct err *err)
{
	struct cursor c = begin_put(buf);

	cursor_put_le32(&c, m->schema);
	cursor_put(&c, m->store_id, sizeof m->store_id);
	cursor_put_le64(&c, m->hash_key);
	cursor_put_le64(&c, m->generation);
	cursor_put_le64(&c, m->last_zone);
	cursor_put_le64(&c, m->last_set);
	cursor_put_le64(&c, m->last_image);
	cursor_put_le64(&c, m->last_history);
	cursor_put_le64(&c, m->last_group);
	return end_put(&c, "meta", err);
}

int row_get_meta(struct meta_row *m, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);
	const uint8_t *id;

	m->schema = cursor_get_le32(&c);
	id = cursor_take(&c, sizeof m->store_id);
	if (id)
		memcpy(m->store_id, id, sizeof m->store_id);
	m->hash_key = cursor_get_le64(&c);
	m->generation = cursor_get_le64(&c);
	m->last_zone = cursor_get_le64(&c);
	m->last_set = cursor_get_le64(&c);
	m->last_image = cursor_get_le64(&c);
	m->last_history = cursor_get_le64(&c);
	m->last_group = cursor_get_le64(&c);
	return end_get(&c, "meta", err);
}

/* ---- zone ------------------------------------------------------------------ */

int row_put_zone(uint8_t *buf, const struct zone_row *z, struct err *err)
{
	struct cursor c = begin_put(buf);

	put_apex(&c, z->apex, z->apex_size);
	cursor_put_le64(&c, z->id);
	put_at(&c, z->live);
	put_at(&c, z->previous);
	cursor_put_le64(&c, z->spare);
	cursor_put_le32(&c, z->served_serial);
	cursor_put_le32(&c, z->highest_serial);
	cursor_put_le32(&c, z->flags);
	cursor_put_le32(&c, z->zones_below);
	cursor_put_le64(&c, z->switch_id);
	cursor_put_le64(&c, z->switched_at_us);
	cursor_put_le64(&c, z->created_us);
	put_text(&c, z->properties, sizeof z->properties);
	return end_put(&c, "zone", err);
}

int row_get_zone(struct zone_row *z, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);

	get_apex(&c, z->apex, &z->apex_size);
	z->id = cursor_get_le64(&c);
	z->live = get_at(&c);
	z->previous = get_at(&c);
	z->spare = cursor_get_le64(&c);
	z->served_serial = cursor_get_le32(&c);
	z->highest_serial = cursor_get_le32(&c);
	z->flags = cursor_get_le32(&c);
	z->zones_below = cursor_get_le32(&c);
	z->switch_id = cursor_get_le64(&c);
	z->switched_at_us = cursor_get_le64(&c);
	z->created_us = cursor_get_le64(&c);
	get_text(&c, z->properties, sizeof z->properties);
	return end_get(&c, "zone", err);
}

/* ---- set ------------------------------------------------------------------- */

int row_put_set(uint8_t *buf, const struct set_row *s, struct err *err)
{
	struct cursor c = begin_put(buf);

	cursor_put_le64(&c, s->id);
	cursor_put_le64(&c, s->zone);
	put_text(&c, s->name, sizeof s->name);
	cursor_put_u8(&c, s->state);
	cursor_put_le32(&c, s->flags);
	cursor_put_le32(&c, s->edition);
	cursor_put_le32(&c, s->soa_serial);
	cursor_put_le64(&c, s->records);
	cursor_put_le64(&c, s->rrsets);
	cursor_put_le64(&c, s->nodes);
	cursor_put_le64(&c, s->octets);
	put_hash(&c, &s->hash);
	put_signing(&c, &s->signing);
	cursor_put_le64(&c, s->created_us);
	put_at(&c, s->base_of);
	put_text(&c, s->source, sizeof s->source);
	put_text(&c, s->note, sizeof s->note);
	cursor_put_u8(&c, s->images);
	for (unsigned i = 0; i < s->images; i++) {
		cursor_put_le64(&c, s->image[i].image);
		cursor_put_le32(&c, s->image[i].from);
		cursor_put_le32(&c, s->image[i].to);
		cursor_put_le64(&c, s->image[i].octets);
	}
	return end_put(&c, "set", err);
}

int row_get_set(struct set_row *s, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);
	unsigned state;

	s->id = cursor_get_le64(&c);
	s->zone = cursor_get_le64(&c);
	get_text(&c, s->name, sizeof s->name);
	state = cursor_get_u8(&c);
	if (state > SET_DROPPING)
		c.failed = true;
	s->state = state <= SET_DROPPING ? (enum set_state)state : SET_FAILED;
	s->flags = cursor_get_le32(&c);
	s->edition = cursor_get_le32(&c);
	s->soa_serial = cursor_get_le32(&c);
	s->records = cursor_get_le64(&c);
	s->rrsets = cursor_get_le64(&c);
	s->nodes = cursor_get_le64(&c);
	s->octets = cursor_get_le64(&c);
	get_hash(&c, &s->hash);
	get_signing(&c, &s->signing);
	s->created_us = cursor_get_le64(&c);
	s->base_of = get_at(&c);
	get_text(&c, s->source, sizeof s->source);
	get_text(&c, s->note, sizeof s->note);
	s->images = cursor_get_u8(&c);
	if (s->images > IMAGE_DELTA_MAX + 1) {
		c.failed = true;
		s->images = 0;
	}
	for (unsigned i = 0; i < s->images; i++) {
		s->image[i].image = cursor_get_le64(&c);
		s->image[i].from = cursor_get_le32(&c);
		s->image[i].to = cursor_get_le32(&c);
		s->image[i].octets = cursor_get_le64(&c);
	}
	return end_get(&c, "set", err);
}

int row_put_edition(uint8_t *buf, const struct edition_row *e, struct err *err)
{
	struct cursor c = begin_put(buf);

	cursor_put_le32(&c, e->flags);
	cursor_put_le32(&c, e->soa_serial);
	cursor_put_le64(&c, e->records);
	cursor_put_le64(&c, e->rrsets);
	cursor_put_le64(&c, e->nodes);
	cursor_put_le64(&c, e->octets);
	put_hash(&c, &e->hash);
	put_signing(&c, &e->signing);
	return end_put(&c, "edition", err);
}

int row_get_edition(struct edition_row *e, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);

	e->flags = cursor_get_le32(&c);
	e->soa_serial = cursor_get_le32(&c);
	e->records = cursor_get_le64(&c);
	e->rrsets = cursor_get_le64(&c);
	e->nodes = cursor_get_le64(&c);
	e->octets = cursor_get_le64(&c);
	get_hash(&c, &e->hash);
	get_signing(&c, &e->signing);
	return end_get(&c, "edition", err);
}

int row_put_spare(uint8_t *buf, const struct spare_row *s, struct err *err)
{
	struct cursor c = begin_put(buf);

	cursor_put_le64(&c, s->image);
	cursor_put_le64(&c, s->octets);
	cursor_put_le64(&c, s->until);
	return end_put(&c, "spare SOA", err);
}

int row_get_spare(struct spare_row *s, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);

	s->image = cursor_get_le64(&c);
	s->octets = cursor_get_le64(&c);
	s->until = cursor_get_le64(&c);
	return end_get(&c, "spare SOA", err);
}

/* ---- group, held ------------------------------------------------------------ */

void row_put_retired(uint8_t buf[RETIRED_ROW_SIZE], const struct retired_row *row)
{
	store_le32(buf, row->serial_known);
	store_le32(buf + 4, row->highest_serial);
	store_le64(buf + 8, row->zone);
}

int row_get_retired(struct retired_row *row, const void *data, size_t size, struct err *err)
{
	const uint8_t *at = data;

	if (size != RETIRED_ROW_SIZE || load_le32(at) > 1)
		return err_set(err, ERR_CORRUPT, "the row of a removed zone is damaged; run fsck");
	*row = (struct retired_row){ .serial_known = load_le32(at), .highest_serial = load_le32(at + 4), .zone = load_le64(at + 8) };
	return 0;
}

int row_put_group(uint8_t *buf, const struct group_row *g, struct err *err)
{
	struct cursor c = begin_put(buf);

	cursor_put_le64(&c, g->id);
	cursor_put_le64(&c, g->members);
	cursor_put_le64(&c, g->last_switch);
	return end_put(&c, "group", err);
}

int row_get_group(struct group_row *g, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);

	g->id = cursor_get_le64(&c);
	g->members = cursor_get_le64(&c);
	g->last_switch = cursor_get_le64(&c);
	return end_get(&c, "group", err);
}

int row_put_held(uint8_t *buf, const struct held_row *h, struct err *err)
{
	struct cursor c = begin_put(buf);

	cursor_put_le32(&c, h->flags);
	put_at(&c, h->from);
	return end_put(&c, "held", err);
}

int row_get_held(struct held_row *h, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);

	h->flags = cursor_get_le32(&c);
	h->from = get_at(&c);
	return end_get(&c, "held", err);
}

/* ---- history ----------------------------------------------------------------- */

int row_put_history(uint8_t *buf, const struct history_row *h, struct err *err)
{
	struct cursor c = begin_put(buf);

	cursor_put_le64(&c, h->id);
	cursor_put_u8(&c, h->kind);
	cursor_put_le64(&c, h->at_us);
	cursor_put_le32(&c, h->who.uid);
	cursor_put_le32(&c, h->who.gid);
	cursor_put_le32(&c, h->who.login_uid);
	cursor_put_le32(&c, h->who.pid);
	put_text(&c, h->who.name, sizeof h->who.name);
	put_text(&c, h->group, sizeof h->group);
	put_text(&c, h->note, sizeof h->note);
	cursor_put_le32(&c, h->members);
	cursor_put_le32(&c, h->held_members);
	return end_put(&c, "history", err);
}

int row_get_history(struct history_row *h, const void *p, size_t size, struct err *err)
{
	struct cursor c = begin_get(p, size);
	unsigned kind;

	h->id = cursor_get_le64(&c);
	kind = cursor_get_u8(&c);
	if (kind > SWITCH_RESTORE)
		c.failed = true;
	h->kind = kind <= SWITCH_RESTORE ? (enum switch_kind)kind : SWITCH_RESTORE;
	h->at_us = cursor_get_le64(&c);
	h->who.uid = cursor_get_le32(&c);
	h->who.gid = cursor_get_le32(&c);
	h->who.login_uid = cursor_get_le32(&c);
	h->who.pid = cursor_get_le32(&c);
	get_text(&c, h->who.name, sizeof h->who.name);
	get_text(&c, h->group, sizeof h->group);
	get_text(&c, h->note, sizeof h->note);
	h->members = cursor_get_le32(&c);
	h->held_members = cursor_get_le32(&c);
	h->held = h->held_members > 0;
	return end_get(&c, "history", err);
}

void row_put_member(struct cursor *c, const struct history_member *m)
{
	put_apex(c, m->apex, m->apex_size);
	cursor_put_le64(c, m->zone);
	put_at(c, m->from);
	put_at(c, m->to);
	put_text(c, m->from_name, sizeof m->from_name);
	put_text(c, m->to_name, sizeof m->to_name);
	cursor_put_le32(c, m->from_serial);
	cursor_put_le32(c, m->to_serial);
}

int row_get_member(struct cursor *c, struct history_member *m, struct err *err)
{
	get_apex(c, m->apex, &m->apex_size);
	m->zone = cursor_get_le64(c);
	m->from = get_at(c);
	m->to = get_at(c);
	get_text(c, m->from_name, sizeof m->from_name);
	get_text(c, m->to_name, sizeof m->to_name);
	m->from_serial = cursor_get_le32(c);
	m->to_serial = cursor_get_le32(c);
	if (c->failed)
		return err_set(err, ERR_CORRUPT, "a member row of the history is not understood; run fsck");
	return 0;
}
