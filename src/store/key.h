/*
 * Keys that sort as the canonical order of names (RFC 4034 6.1), for tables
 * that LMDB compares bytewise: the labels from the right, lower case, 00 as
 * 01 01, 01 as 01 02, each label ended by 00. The root is a single 00. So
 * whatever is below an apex begins with the apex's key (but not so the
 * root's, which is handled by itself).
 */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KEY_MAX 511     /* LMDB's limit */

/* name: well-formed wire form, any case, size octets with the root label.
 * Returns the key's length, or -1 with ERR_LIMIT where the key would be longer
 * than LMDB takes. */
int key_from_name(uint8_t key[KEY_MAX], const uint8_t *name, size_t size, struct err *err);
/* Back again, lower case: the name's length, or 0 where the key is none of ours. */
size_t key_to_name(uint8_t name[255], const uint8_t *key, size_t size);
/* The longest prefix of key, no longer than common octets, that ends with a
 * whole label: 0 where there is none. */
size_t key_label_boundary(const uint8_t *key, size_t common);

#endif
