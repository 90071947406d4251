/*
 * LMDB's own pages. LMDB trusts what it reads: a wrong page number, bound or
 * length in the file is a wild pointer in the process. So, before anything is
 * looked up through it, the two trees of the snapshot's meta page (of free
 * pages, and of tables) and those of the tables are walked here by pread: each
 * page is there, is what the one above says, is used once, and what it says of
 * itself lies within it.
 *
 * What is let pass may still be nonsense, but LMDB can read it; the rows are
 * for fsck.c and fsck_catalog.c.
 */
#include "store/fsck_internal.h"
#include "store/lmdb_format.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBLEMS_TOLD 20        /* of one file */
#define DEPTH_MAX     32        /* LMDB's CURSOR_STACK */
#define KEY_SIZE_MAX  511
#define SNAPSHOTS_MAX 100       /* tries to read a snapshot's meta page before it is written over */
struct pages {
	struct fsck *f;
	const char *path;
	int fd;
	uint32_t size;          /* of a page */
	uint64_t last;          /* the last page of the snapshot */
	uint8_t *used;          /* a bit a page */
	unsigned told;
};

enum tree_kind { TREE_FREE, TREE_TABLES, TREE_ROWS };
struct tree {
	enum tree_kind kind;
	const char *name;
	unsigned depth;
	uint64_t entries;
	uint8_t key[KEY_SIZE_MAX];      /* the last one seen */
	size_t key_size;
};

static int walk(struct pages *p, enum tree_kind kind, const char *name, const struct lmdb_table *row);

/* ---- telling --------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5)))
static int bad(struct pages *p, const struct tree *tree, uint64_t number, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (p->told++ < PROBLEMS_TOLD) {
		va_start(ap, fmt);
		vsnprintf(text, sizeof text, fmt, ap);
		va_end(ap);
		fsck_say(p->f, "%s: page %" PRIu64 ", of %s: %s", p->path, number, tree->name, text);
	}
	return -1;
}

/* ---- pages ------------------------------------------------------------------------ */

/* The pages belong to this tree, and to nothing else. */
static int claim(struct pages *p, const struct tree *tree, uint64_t number, uint64_t count, const char *what)
{
	if (number < LMDB_META_PAGES || number > p->last || count > p->last - number + 1)
		return bad(p, tree, number, "%s of %" PRIu64 " pages lies outside of the file, whose last page is %" PRIu64, what, count, p->last);
	for (uint64_t i = number; i < number + count; i++) {
		uint8_t bit = (uint8_t)(1u << i % 8);

		if (p->used[i / 8] & bit)
			return bad(p, tree, i, "%s, and something else, too", what);
		p->used[i / 8] |= bit;
	}
	return 0;
}

static int read_page(struct pages *p, const struct tree *tree, uint64_t number, uint8_t *buf, size_t size)
{
	struct lmdb_page head;

	if (pread(p->fd, buf, size, (off_t)(number * p->size)) != (ssize_t)size)
		return bad(p, tree, number, "it cannot be read: the file is cut short, or the disk has an error");
	memcpy(&head, buf, sizeof head);
	if (head.number != number)
		return bad(p, tree, number, "it says that it is page %" PRIu64, head.number);
	return 0;
}

/* ---- values ------------------------------------------------------------------------- */

/* A value in pages of its own; its octets are read where data is given (malloc'd). */
static int check_big(struct pages *p, const struct tree *tree, uint64_t number, uint64_t size, uint8_t **data)
{
	uint64_t count = (sizeof(struct lmdb_page) - 1 + size) / p->size + 1;
	uint8_t buf[sizeof(struct lmdb_page)];
	struct lmdb_page head;

	if (claim(p, tree, number, count, "a long value") || read_page(p, tree, number, buf, sizeof buf))
		return -1;
	memcpy(&head, buf, sizeof head);
	if (head.flags != LMDB_OVERFLOW || head.u.count != count)
		return bad(p, tree, number, "it begins a value of %" PRIu64 " octets (%" PRIu64 " pages), and is of kind %#x, with %" PRIu32
			" pages", size, count, head.flags, head.u.count);
	if (!data)
		return 0;
	*data = malloc(size);
	if (!*data || pread(p->fd, *data, size, (off_t)(number * p->size + sizeof head)) != (ssize_t)size) {
		free(*data);
		*data = NULL;
		return bad(p, tree, number, "its value cannot be read");
	}
	return 0;
}

/* A list of free pages: their number, then they, falling. */
static int check_free_list(struct pages *p, const struct tree *tree, uint64_t number, const uint8_t *data, uint64_t size)
{
	uint64_t count, page, before = LMDB_NO_PAGE;

	if (size < 8)
		return bad(p, tree, number, "a list of free pages of %" PRIu64 " octets", size);
	memcpy(&count, data, sizeof count);
	if (count > size / 8 - 1)
		return bad(p, tree, number, "a list of %" PRIu64 " free pages in %" PRIu64 " octets", count, size);
	for (uint64_t i = 1; i <= count; i++, before = page) {
		memcpy(&page, data + 8 * i, sizeof page);
		if (page >= before)
			return bad(p, tree, number, "a list of free pages that does not fall: %" PRIu64 " behind %" PRIu64, page, before);
		if (claim(p, tree, page, 1, "it is free"))
			return -1;
	}
	return 0;
}

static int check_table(struct pages *p, const struct tree *tree, uint64_t number, const uint8_t *key, size_t key_size,
	const uint8_t *data, uint64_t size)
{
	struct lmdb_table row;
	char name[96];

	if (size != sizeof row)
		return bad(p, tree, number, "a table's row of %" PRIu64 " octets", size);
	memcpy(&row, data, sizeof row);
	for (size_t i = 0; i < key_size; i++)
		if (key[i] < 0x20 || key[i] > 0x7e)
			return bad(p, tree, number, "the name of a table is no text");
	snprintf(name, sizeof name, "the table %.*s", (int)(key_size < 64 ? key_size : 64), (const char *)key);
	if (row.flags)
		return bad(p, tree, number, "%s is of kind %#x, which ours are not", name, row.flags);
	return walk(p, TREE_ROWS, name, &row);
}

static int check_value(struct pages *p, const struct tree *tree, uint64_t number, const struct lmdb_node *node, const uint8_t *key,
	const uint8_t *data, uint64_t size)
{
	uint8_t *list = NULL;
	uint64_t first;
	int rc;

	if (node->flags & ~(unsigned)(LMDB_BIG | LMDB_TABLE) || !(node->flags & LMDB_TABLE) != (tree->kind != TREE_TABLES))
		return bad(p, tree, number, "a value of kind %#x, which is none of ours", node->flags);
	if (node->flags & LMDB_TABLE)
		return node->flags & LMDB_BIG ? bad(p, tree, number, "a table's row in pages of its own") :
			check_table(p, tree, number, key, node->key_size, data, size);
	if (!(node->flags & LMDB_BIG))
		return tree->kind == TREE_FREE ? check_free_list(p, tree, number, data, size) : 0;
	memcpy(&first, data, sizeof first);
	rc = check_big(p, tree, first, size, tree->kind == TREE_FREE ? &list : NULL);
	if (!rc && list)
		rc = check_free_list(p, tree, first, list, size);
	free(list);
	return rc;
}

/* ---- nodes -------------------------------------------------------------------------- */

/* Keys rise from the first leaf to the last. */
static int check_key(struct pages *p, struct tree *tree, uint64_t number, const uint8_t *key, size_t size)
{
	size_t n = size < tree->key_size ? size : tree->key_size;
	uint64_t a, b;
	int order;

	if (tree->kind == TREE_FREE) {
		if (size != 8)
			return bad(p, tree, number, "a key of %zu octets", size);
		memcpy(&b, key, sizeof b);
		memcpy(&a, tree->key, sizeof a);
		order = a < b ? -1 : a > b;
	} else {
		order = memcmp(tree->key, key, n);
		if (!order)
			order = tree->key_size < size ? -1 : tree->key_size > size;
	}
	if (tree->entries && order >= 0)
		return bad(p, tree, number, "its keys are not in order");
	memcpy(tree->key, key, size);
	tree->key_size = size;
	tree->entries++;
	return 0;
}

/* The node lies within the page; *size: how much of it is there. */
static int check_node(struct pages *p, const struct tree *tree, uint64_t number, const uint8_t *page, unsigned at, bool leaf,
	struct lmdb_node *node, uint32_t *data_size, uint32_t *size)
{
	struct lmdb_page head;
	uint64_t here = 0;

	memcpy(&head, page, sizeof head);
	if (at % 2 || at < head.u.bound.upper || at + sizeof *node > p->size)
		return bad(p, tree, number, "a node at %u, outside of it", at);
	memcpy(node, page + at, sizeof *node);
	*data_size = (uint32_t)node->low | (uint32_t)node->high << 16;
	if (leaf)
		here = node->flags & LMDB_BIG ? sizeof(uint64_t) : *data_size;
	if (node->key_size > KEY_SIZE_MAX || at + sizeof *node + node->key_size + here > p->size || (leaf && !node->key_size))
		return bad(p, tree, number, "a node at %u with a key of %u and a value of %" PRIu32 " octets does not fit into it", at,
			node->key_size, *data_size);
	*size = (uint32_t)((sizeof *node + node->key_size + here + 1) & ~UINT64_C(1));
	return 0;
}

static int walk_page(struct pages *p, struct tree *tree, uint64_t number, unsigned level);

static int walk_nodes(struct pages *p, struct tree *tree, uint64_t number, const uint8_t *page, unsigned level)
{
	struct lmdb_page head;
	uint64_t sum = 0;
	bool leaf;
	int rc = 0;

	memcpy(&head, page, sizeof head);
	leaf = head.flags == LMDB_LEAF;
	for (unsigned i = 0; i < (head.u.bound.lower - sizeof head) / 2; i++) {
		struct lmdb_node node;
		uint32_t data_size = 0, size = 0;
		uint64_t below;
		uint16_t at;

		memcpy(&at, page + sizeof head + 2 * i, sizeof at);
		if (check_node(p, tree, number, page, at, leaf, &node, &data_size, &size))
			return -1;
		sum += size;
		if (leaf) {
			const uint8_t *key = page + at + sizeof node;

			if (check_key(p, tree, number, key, node.key_size))
				return -1;
			rc |= check_value(p, tree, number, &node, key, key + node.key_size, data_size);
		} else {
			/* others than the damaged one are looked at all the same */
			below = (uint64_t)data_size | (uint64_t)node.flags << 32;
			rc |= walk_page(p, tree, below, level + 1);
		}
	}
	if (sum > p->size - head.u.bound.upper)
		return bad(p, tree, number, "its nodes overlap");
	return rc;
}

static int check_head(struct pages *p, const struct tree *tree, uint64_t number, const uint8_t *page, unsigned level)
{
	unsigned wanted = level == tree->depth ? LMDB_LEAF : LMDB_BRANCH, keys, least;
	struct lmdb_page head;

	memcpy(&head, page, sizeof head);
	if (head.flags != wanted)
		return bad(p, tree, number, "it is of kind %#x, where %#x is wanted", head.flags, wanted);
	if (head.u.bound.lower < sizeof head || head.u.bound.lower % 2 || head.u.bound.lower > head.u.bound.upper ||
	    head.u.bound.upper > p->size)
		return bad(p, tree, number, "its bounds are %u and %u, of %" PRIu32 " octets", head.u.bound.lower, head.u.bound.upper, p->size);
	keys = (unsigned)(head.u.bound.lower - sizeof head) / 2;
	least = wanted == LMDB_BRANCH && tree->kind != TREE_FREE ? 2 : 1;
	if (keys < least)
		return bad(p, tree, number, "it has %u keys", keys);
	return 0;
}

static int walk_page(struct pages *p, struct tree *tree, uint64_t number, unsigned level)
{
	uint8_t *page;
	int rc;

	if (claim(p, tree, number, 1, "a page of the tree"))
		return -1;
	page = malloc(p->size);
	if (!page)
		return bad(p, tree, number, "no memory to look at it");
	rc = read_page(p, tree, number, page, p->size) || check_head(p, tree, number, page, level) ||
		walk_nodes(p, tree, number, page, level) ? -1 : 0;
	free(page);
	return rc;
}

/* ---- trees --------------------------------------------------------------------------- */

static int walk(struct pages *p, enum tree_kind kind, const char *name, const struct lmdb_table *row)
{
	struct tree *tree;
	int rc = -1;

	if (row->root == LMDB_NO_PAGE && !row->depth && !row->entries)
		return 0;
	tree = calloc(1, sizeof *tree);
	if (!tree) {
		p->told++;
		fsck_say(p->f, "%s: no memory to look at %s", p->path, name);
		return -1;
	}
	*tree = (struct tree){ .kind = kind, .name = name, .depth = row->depth };
	if (!row->depth || row->depth > DEPTH_MAX)
		bad(p, tree, row->root, "a tree of %u levels", row->depth);
	else if (!walk_page(p, tree, row->root, 1))
		rc = tree->entries == row->entries ? 0 :
			bad(p, tree, row->root, "it has %" PRIu64 " keys, and should have %" PRIu64, tree->entries, row->entries);
	free(tree);
	return rc;
}

/* The meta page of this transaction; 0: it has been written over since. */
static int read_meta(struct pages *p, uint64_t txn, struct lmdb_meta *meta)
{
	for (int i = 0; i < 2; i++)
		if (pread(p->fd, meta, sizeof *meta, (off_t)i * p->size + (off_t)sizeof(struct lmdb_page)) == (ssize_t)sizeof *meta &&
		    meta->txn == txn)
			return 1;
	return 0;
}

/* A snapshot, whose pages nobody writes to meanwhile, and its meta page. */
static int begin(struct pages *p, struct store_env *env, MDB_txn **txn, struct lmdb_meta *meta, struct err *err)
{
	bool remapped = false;

	for (int i = 0; i < SNAPSHOTS_MAX; i++) {
		if (env_begin_read(env, txn, &remapped, err))
			return -1;
		if (read_meta(p, mdb_txn_id(*txn), meta))
			return 0;
		mdb_txn_abort(*txn);
		*txn = NULL;
	}
	return err_set(err, ERR_BUSY, "%s is written to too fast to be looked at: run fsck again", env->path);
}

static void look(struct pages *p, const struct lmdb_meta *meta)
{
	static const struct tree nothing = { .name = "the whole" };

	p->last = meta->last_page;
	p->used = calloc(1, p->last / 8 + 1);
	if (!p->used)
		bad(p, &nothing, p->last, "no memory for a bit a page");
	else if (!walk(p, TREE_FREE, "the free pages", &meta->table[0]))
		walk(p, TREE_TABLES, "the tables", &meta->table[1]);
	else    /* what is wrong there says nothing of the tables */
		memset(p->used, 0, p->last / 8 + 1), walk(p, TREE_TABLES, "the tables", &meta->table[1]);
	free(p->used);
}

int fsck_pages(struct fsck *f, const char *dir, bool images, struct err *err)
{
	struct pages p = { .f = f };
	struct lmdb_meta meta;
	struct store_env env;
	MDB_txn *txn = NULL;
	int rc;

	if (env_open_bare(&env, dir, images, err))
		return -1;
	mdb_env_get_fd(env.env, &p.fd);
	p.path = env.path;
	p.size = env.page_size;
	rc = begin(&p, &env, &txn, &meta, err);
	if (!rc && env_check_reader(&env, err))
		rc = -1;
	if (!rc)
		look(&p, &meta);
	if (txn)
		mdb_txn_abort(txn);
	if (p.told > PROBLEMS_TOLD)
		fsck_say(f, "%s: and %u more pages", env.path, p.told - PROBLEMS_TOLD);
	env_close(&env);
	return rc ? -1 : p.told != 0;
}
