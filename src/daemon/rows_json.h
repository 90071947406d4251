/* Rows of the catalog as the protocol's objects (PROTOCOL.md), and back. */
#ifndef DAEMON_ROWS_JSON_H
#define DAEMON_ROWS_JSON_H

#include <jansson.h>

#include "store/catalog.h"

/* What stands under the key; NULL, 0: nothing, or something else. */
const char *json_text(const json_t *object, const char *key);
uint64_t json_number(const json_t *object, const char *key);

/* "shop.example" or "shop.example@new"; buf of SET_TEXT_MAX; returns buf. */
#define SET_TEXT_MAX (NAME_TEXT_MAX + SET_NAME_MAX + 2)
char *set_text(char *buf, const uint8_t *apex, const char *set);
json_t *time_json(int64_t wall_us);                     /* RFC 3339; null for 0 */
/* Objects are owned by the caller. */
json_t *zone_json(struct catalog_txn *, const struct zone_row *);
json_t *set_json(struct catalog_txn *, const struct zone_row *, const struct set_row *);
/* How many spare SOAs are left; null where none is needed. */
json_t *spares_json(const struct serial_outlook *);
/* With at most member_max members; by whom, when, why. */
json_t *history_json(struct catalog_txn *, const struct history_row *, unsigned member_max);
/* The entry of this id; -1: none. */
int history_find(struct catalog_txn *, uint64_t id, struct history_row *);

json_t *who_json(const struct who *);
void who_from_json(struct who *, const json_t *);

/* Properties: "key=value\n"… ↔ object of strings. */
json_t *properties_json(const char *text);
/* changes: texts by name, null takes away. text of size octets is changed in
 * place. ERR_BAD_REQUEST, ERR_LIMIT. */
int properties_change(char *text, size_t size, const json_t *changes, struct err *);
/* The value of a property in buf, or NULL. */
const char *property_get(const char *text, const char *key, char *buf, size_t size);

/* 64-bit numbers that may use the highest bit go as hexadecimal text. */
json_t *hex64_json(uint64_t);
uint64_t hex64_from_json(const json_t *);
/* {"until", "more", "keys": [[hash, tag, algorithm, flags]…]}, null where not
 * signed: what a loader says to the writer. */
json_t *signing_json(const struct set_signing *);
void signing_from_json(struct set_signing *, const json_t *);
/* Until when a set's signatures are valid; null where it is not signed. */
json_t *until_json(const struct set_signing *);
json_t *content_json(const struct content_hash *);
void content_from_json(struct content_hash *, const json_t *);

#endif
