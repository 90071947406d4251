/*
 * Zones of several images for tests and fuzzers: an edition over a base, and a
 * spare SOA on top, as the loader makes them.
 */
#ifndef TESTS_UNIT_ANSWER_LAYERS_H
#define TESTS_UNIT_ANSWER_LAYERS_H

#include "answer_signed.h"

/* below with the lines of a change (as `record apply` takes them). What lies
 * below is borrowed: it is freed after the zone. */
void test_zone_edit(struct test_zone *, const struct test_zone *below, const char *text);
/* What is in after, read from below and what differs: an edition that no line
 * of a change could make, such as fresh signatures. Both are borrowed. */
void test_zone_difference(struct test_zone *, const struct test_zone *below, const struct test_zone *after);
/* The same zone in one image. */
void test_zone_fold(struct test_zone *, const struct test_zone *layered);
/* A spare signed SOA comes on top of the zone; what lay below stays, borrowed. */
void signed_zone_add_spare(struct signed_zone *, uint32_t serial);

#endif
