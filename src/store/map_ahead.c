#include "store/map_ahead.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/env.h"
#include "store/lmdb_format.h"

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

bool count_absent(const void *p, size_t octets, size_t *absent)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (octets + page - 1) / page;    /* the kernel's; LMDB's may be smaller */
	unsigned char present[MAP_PIECE / 4096];

	*absent = 0;
	if (pages > sizeof present || mincore((void *)(uintptr_t)p, pages * page, present) < 0)
		return false;
	for (size_t i = 0; i < pages; i++)
		*absent += present[i] & 1 ? 0 : page;
	return true;
}

int env_map_ahead(const struct store_env *env, MDB_txn *txn, struct map_ahead *m, bool ask, struct err *err)
{
	size_t absent;
	MDB_envinfo info;
	uint64_t end;
	void *p;

	if (!m->map && env_find_map(env, txn, &m->map, err))
		return -1;
	mdb_env_info(env->env, &info);
	end = ((uint64_t)info.me_last_pgno + 1) * env->page_size;
	/* the last piece only when it is full: it will be written to */
	if (end < m->at + MAP_PIECE || !fits_in_memory(end))
		return 0;
	p = (void *)(m->map + m->at);
	if (!count_absent(p, MAP_PIECE, &absent))
		absent = MAP_PIECE;
	if (!absent)
		madvise(p, MAP_PIECE, MADV_POPULATE_READ);
	else if (ask)
		madvise(p, MAP_PIECE, MADV_WILLNEED);
	m->absent += absent;
	m->at += MAP_PIECE;
	return end >= m->at + MAP_PIECE;
}
