/*
 * A large zone file, read by several threads, each a piece of it.
 *
 * Whether a line begins a record is known only to who has read all before it.
 * So it is assumed of lines that look like it, and found out at the end: where
 * a piece ends in the middle of a record, or has anything to be told of, a
 * mistake, a warning, a directive, nothing of all that is kept, and the file
 * is read from the beginning, in order, by one thread, which tells it.
 */
#ifndef ZONE_PIECES_H
#define ZONE_PIECES_H

#include "zone/check.h"
#include "zone/sort.h"

#define PIECES_MAX 16
#define PIECES_FILE_MIN (4u << 20)      /* octets: smaller files are not worth it */

struct pieces_request {
	int fd; const char *name;       /* a regular file, from where its position is; that stays */
	const uint8_t *apex; size_t apex_size;
	unsigned threads;
	size_t memory_limit;            /* of the records, octets */
	uint64_t file_min;              /* 0: PIECES_FILE_MIN (tests take less) */
	void (*progress)(void *arg, uint64_t records, double share);   /* ten times a second; may be NULL */
	void *arg;
};

/* 1: all records are in the sorter, their NS told to the checker; 0: nothing
 * is: to be read in order; -1: no memory. */
int pieces_read(const struct pieces_request *, struct sorter *, struct checker *, uint32_t *soa_minimum, struct err *);

#endif
