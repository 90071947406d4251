/*
 * The page cache of the store's files in pages of 2 MiB, where the kernel and
 * the file system have such (ext4 since Linux 6.16, XFS since 5.18). Workers
 * then map them as such, and looking up a name among millions costs two TLB
 * misses less. Pages in the cache stay what they were made as, whatever is
 * written to them. Where there are none, all of this makes small pages.
 */
#ifndef STORE_LARGE_PAGES_H
#define STORE_LARGE_PAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <pthread.h>

#define LARGE_PAGE ((uint64_t)2 << 20)

static inline uint64_t large_page_down(uint64_t at) { return at & ~(LARGE_PAGE - 1); }
static inline uint64_t large_page_up(uint64_t at) { return large_page_down(at + LARGE_PAGE - 1); }

/* Brings the whole pages between the two offsets into the cache. Waits for the
 * disk, but where nothing was ever written. */
void large_pages_read(int fd, uint64_t begin, uint64_t end);

/* The same of single pages, in a thread: a list is made, and then read. Begins
 * with zeros. */
#define READ_AHEAD_MAX 32
struct read_ahead {
	pthread_t thread;
	bool started;                   /* and not joined yet */
	atomic_bool reading, stop;
	int fd;
	unsigned count;
	uint64_t page[READ_AHEAD_MAX];  /* offsets */
};
bool read_ahead_busy(struct read_ahead *);
/* Only while it is not busy; the page that holds the offset. false: no more fit. */
bool read_ahead_add(struct read_ahead *, uint64_t offset);
void read_ahead_go(struct read_ahead *, int fd);
/* Waits for the thread, which ends after the page at hand. */
void read_ahead_end(struct read_ahead *);

#endif
