#include "store/large_pages.h"

#include <stddef.h>
#include <sys/mman.h>

void large_pages_read(int fd, uint64_t begin, uint64_t end)
{
	end = large_page_down(end);
	for (begin = large_page_up(begin); begin < end; begin += LARGE_PAGE) {
		void *p = mmap(NULL, LARGE_PAGE, PROT_READ, MAP_SHARED, fd, (off_t)begin);

		if (p == MAP_FAILED)
			return;
		madvise(p, LARGE_PAGE, MADV_HUGEPAGE);
		madvise(p, LARGE_PAGE, MADV_RANDOM);    /* this one, and not what else would be read ahead */
		madvise(p, LARGE_PAGE, MADV_POPULATE_READ);
		munmap(p, LARGE_PAGE);
	}
}

static void *read_pages(void *arg)
{
	struct read_ahead *r = arg;

	for (unsigned i = 0; i < r->count && !atomic_load(&r->stop); i++)
		large_pages_read(r->fd, r->page[i], r->page[i] + LARGE_PAGE);
	atomic_store(&r->reading, false);
	return NULL;
}

bool read_ahead_busy(struct read_ahead *r)
{
	if (atomic_load(&r->reading))
		return true;
	if (r->started) {
		pthread_join(r->thread, NULL);
		r->started = false;
		r->count = 0;
	}
	return false;
}

bool read_ahead_add(struct read_ahead *r, uint64_t offset)
{
	offset = large_page_down(offset);
	if (r->count && r->page[r->count - 1] == offset)
		return true;
	if (r->count == READ_AHEAD_MAX)
		return false;
	r->page[r->count++] = offset;
	return true;
}

void read_ahead_go(struct read_ahead *r, int fd)
{
	if (!r->count)
		return;
	r->fd = fd;
	atomic_store(&r->reading, true);
	if (pthread_create(&r->thread, NULL, read_pages, r) == 0) {
		r->started = true;
	} else {
		atomic_store(&r->reading, false);
		r->count = 0;           /* the next round finds them absent still */
	}
}

void read_ahead_end(struct read_ahead *r)
{
	atomic_store(&r->stop, true);
	if (r->started)
		pthread_join(r->thread, NULL);
	r->started = false;
}
