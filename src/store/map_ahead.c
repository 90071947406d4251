#include "store/map_ahead.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/env.h"
#include "store/lmdb_format.h"

#define PIECE     ((size_t)256 << 10)   /* mapped in about 10 µs */
#define PAGES_MAX (PIECE / 4096)

bool fits_in_memory(uint64_t octets)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	return pages > 0 && octets / (size_t)sysconf(_SC_PAGESIZE) < (uint64_t)pages / 2;
}

/* Every page of LMDB's has its number in front: that of a first row, which has
 * been read before, tells where the file begins. */
int env_find_map(const struct store_env *env, MDB_txn *txn, uintptr_t *map, struct err *err)
{
	MDB_val key = { .mv_size = strlen(env->first_row), .mv_data = (void *)(uintptr_t)env->first_row }, value;
	int rc = mdb_get(txn, env->dbi[0], &key, &value);
	uintptr_t page;

	if (rc)
		return env_error(err, rc, env, "cannot read the first row");
	page = (uintptr_t)value.mv_data & ~(uintptr_t)(env->page_size - 1);
	*map = page - ((const struct lmdb_page *)page)->number * env->page_size;
	return 0;
}

static size_t absent_pages(void *p, size_t page)
{
	unsigned char present[PAGES_MAX];
	size_t absent = 0, pages = PIECE / page;

	if (pages > PAGES_MAX || mincore(p, PIECE, present) < 0)
		return pages;
	for (size_t i = 0; i < pages; i++)
		absent += !(present[i] & 1);
	return absent;
}

int env_map_ahead(const struct store_env *env, MDB_txn *txn, struct map_ahead *m, bool ask, struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), missing;
	MDB_envinfo info;
	uint64_t end;
	void *p;

	if (!m->map && env_find_map(env, txn, &m->map, err))
		return -1;
	mdb_env_info(env->env, &info);
	end = ((uint64_t)info.me_last_pgno + 1) * env->page_size;
	/* the last piece only when it is full: it will be written to */
	if (end < m->at + PIECE || !fits_in_memory(end))
		return 0;
	p = (void *)(m->map + m->at);
	missing = absent_pages(p, page);
	if (!missing)
		madvise(p, PIECE, MADV_POPULATE_READ);
	else if (ask)
		madvise(p, PIECE, MADV_WILLNEED);
	m->absent += missing * page;
	m->at += PIECE;
	return end >= m->at + PIECE;
}
