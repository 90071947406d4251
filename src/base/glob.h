/*
 * Shell patterns: "*", "?", "[abc]", "[a-z]", "[!a-z]", and "\" before a
 * character that is meant as it stands. ASCII letters match without case.
 *
 * The pattern may be a stranger's: the time is at most the product of both
 * lengths, where that of fnmatch(3) grows without end.
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include <stdbool.h>

bool glob_match(const char *pattern, const char *text);

#endif
