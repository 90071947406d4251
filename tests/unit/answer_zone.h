/* A zone in memory for tests and fuzzers: text or RRs → an image → a view. */
#ifndef TESTS_UNIT_ANSWER_ZONE_H
#define TESTS_UNIT_ANSWER_ZONE_H

#include <stdbool.h>    /* first: else ldns makes _Bool a signed char */
#include <ldns/ldns.h>

#include "answer/answer.h"

#define TEST_HASH_KEY 0x5ca1ab1e0ddba11ull

struct test_zone {
	int fd;
	struct image_file *file;
	struct zone_view view;
};

/* Exits with a message where the text or the builder fails. */
ldns_rr_list *test_zone_read(const char *origin, const char *text);
void test_zone_from_text(struct test_zone *, const char *origin, const char *text);
void test_zone_from_list(struct test_zone *, const ldns_rdf *apex, const ldns_rr_list *rrs);
void test_zone_free(struct test_zone *);

/* A store of up to four zones: the longest match, as snapshot_find_zone. */
struct test_store { unsigned count; struct test_zone *zone[4]; bool prepared; };
const struct zone_view *test_store_find(void *store, const struct name *, bool parent_side, bool *prepared);

#endif
