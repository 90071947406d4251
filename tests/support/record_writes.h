/*
 * What this program does to the files of one directory, written down; and the
 * n-th such call fails. The calls are caught by functions of the same names as
 * the C library's, so that what is linked with this file (and LMDB with it)
 * comes through here.
 *
 * From the log a disk can be made as a power loss would have left it: what was
 * synced is there, of the rest any part. Lock files are left out: a start
 * after a power loss makes them anew.
 */
#ifndef TESTS_RECORD_WRITES_H
#define TESTS_RECORD_WRITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind { RECORD_WRITE, RECORD_EXTEND /* the file has at least so many octets */, RECORD_TRUNCATE, RECORD_SYNC,
	RECORD_CREATE, RECORD_RENAME, RECORD_REMOVE, RECORD_SYNC_DIRECTORY, RECORD_MARK };
struct record_op {
	enum record_kind kind;
	bool durable;           /* a write through O_DSYNC: on disk when it returned */
	char file[32], to[32];  /* names in the directory; to: of a rename */
	uint64_t at, size;      /* RECORD_MARK: at is the mark */
	uint8_t *bytes;
};
struct record_log { struct record_op *op; size_t count, capacity; };

/* From now on everything is logged. One directory at a time; dir has no
 * symbolic links in it. */
void record_begin(const char *dir, struct record_log *);
void record_end(void);
void record_log_free(struct record_log *);
/* The test's own remark: what came before it was acknowledged. */
void record_mark(uint64_t mark);

/* Room for files is not made, only said to be (a sparse file): on a file
 * system in memory it would be paid for. */
void record_sparse(bool);

enum { FAIL_WRITE = 1, FAIL_SYNC = 2, FAIL_ROOM = 4 /* fallocate, ftruncate */, FAIL_NAME = 8 /* open with O_CREAT, rename */ };
#define FAIL_SHORT (-1)         /* a write of only half the octets */
/* The n-th call (from 1) of these kinds in the directory gives the error. */
void fail_nth(const char *dir, unsigned kinds, unsigned n, int error);
/* Ends it; whether it came to that. */
bool fail_end(void);

/* The disk is full: no file of the directory grows any more. */
void disk_full(const char *dir, bool);

/* ---- disks out of a log ---- */
struct disk;
struct disk *disk_new(void);
void disk_free(struct disk *);
/* The next operation has returned to the program. */
void disk_apply(struct disk *, const struct record_op *);
/* The power goes. what: 0 nothing that is not synced is kept, 1 all of it, else
 * some of it, by the numbers that random gives; next: the operation that was
 * under way, or NULL. Writes the files into dir, which must be empty. */
void disk_write(const struct disk *, unsigned what, uint64_t (*random)(void *), void *arg, const struct record_op *next,
	const char *dir);

#endif
