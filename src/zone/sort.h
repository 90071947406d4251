/*
 * Records by owner, in canonical order; those of one owner stay in the order
 * in which they came. In memory as long as they fit, else in sorted runs in a
 * file that are merged.
 */
#ifndef ZONE_SORT_H
#define ZONE_SORT_H

#include "zone/parse.h"

struct sort_record {
	const uint8_t *owner;   /* relative, case as it came */
	const uint8_t *rdata;
	struct place place;
	uint32_t ttl;
	uint16_t type, size;
	uint8_t owner_size;
	bool ttl_known;
	bool next_owner;        /* another owner than the record before */
};

struct sorter;
/* memory_limit: octets, at least 64 KiB are taken; scratch_fd: -1: none, what
 * does not fit is ERR_LIMIT. NULL: no memory. */
struct sorter *sorter_new(size_t memory_limit, int scratch_fd);
void sorter_free(struct sorter *);
/* A record of the zone whose apex has so many octets. same_owner: octet for
 * octet as in the call before. Everything is copied. */
int sorter_add(struct sorter *, const struct parsed *, size_t apex_size, bool same_owner, struct err *);
/* The rdata of what was added last, where it stays until it is given out;
 * without a scratch file only. */
const uint8_t *sorter_last_rdata(const struct sorter *);
/* Takes over what is in another sorter, which is finished and has no scratch
 * file, behind what is in this one. -1: no memory, other stays the caller's. */
int sorter_adopt(struct sorter *, struct sorter *other, struct err *);
uint64_t sorter_count(const struct sorter *);
/* Octets that are taken of the limit. */
size_t sorter_memory(const struct sorter *);
/* All are in: sort. */
int sorter_finish(struct sorter *, struct err *);
/* 1: a record, valid until the next call (or, if sorter_stable, until
 * sorter_free), 0: the end, -1: error. */
int sorter_next(struct sorter *, struct sort_record *, struct err *);
bool sorter_stable(const struct sorter *);

#endif
