/*
 * A zone's properties: a text of lines "key=value\n".
 */
#ifndef BASE_PROPERTY_H
#define BASE_PROPERTY_H

#include <stddef.h>

/* The value of a key, of size octets, in the text; NULL: there is none. */
const char *property_find(const char *text, const char *key, size_t *size);

#endif
