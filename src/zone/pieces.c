#include "zone/pieces.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/turn.h"
#include "wire/rrtype.h"
#include "zone/parse.h"

#define HEAD_SIZE     (64u << 10)       /* has the SOA, $ORIGIN and $TTL, read before the others begin */
#define LOOK_SIZE     (64u << 10)       /* within so much of where a piece should end a line begins */
#define PROGRESS_NS   100000000L
#define TELL_RECORDS  1024

struct ns { const uint8_t *target; struct place place; bool at_apex; };

struct piece {
	struct pieces *all;
	uint64_t begin, end;            /* in the file */
	unsigned line;                  /* of its first */
	struct parser *parser;
	struct reporter reporter;       /* tells nobody: what is told makes the piece fail */
	struct sorter *sorter;
	struct ns *ns;
	size_t ns_count, ns_space;
	atomic_uint_least64_t records;
	_Atomic double share;
	pthread_t thread;
	bool started;
};

struct pieces {
	const struct pieces_request *request;
	struct piece piece[1 + PIECES_MAX];     /* the first is the head */
	unsigned count;
	atomic_bool failed;
};

/* ---- where pieces begin ---------------------------------------------------------- */

static bool begins_record(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '*' || c == '@';
}

/* The first place from at on where a line begins that looks like a record;
 * end: none that is near. */
static uint64_t find_begin(int fd, uint64_t at, uint64_t end, char *buffer)
{
	size_t size = end - at < LOOK_SIZE ? (size_t)(end - at) : LOOK_SIZE;
	ssize_t n = pread(fd, buffer, size, (off_t)at);
	const char *p = buffer, *stop = buffer + (n > 0 ? n : 0);

	while (p < stop && (p = memchr(p, '\n', (size_t)(stop - p)))) {
		if (++p < stop && begins_record(*p))
			return at + (uint64_t)(p - buffer);
	}
	return end;
}

/* The lines' ends between two places of the file. */
static bool count_lines(int fd, uint64_t at, uint64_t end, char *buffer, unsigned *lines)
{
	while (at < end) {
		size_t size = end - at < LOOK_SIZE ? (size_t)(end - at) : LOOK_SIZE;
		ssize_t n = pread(fd, buffer, size, (off_t)at);
		unsigned count = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		turn_over((int)(n / 100));
		for (ssize_t i = 0; i < n; i++)
			count += buffer[i] == '\n';
		*lines += count;
		at += (uint64_t)n;
	}
	return true;
}

/* The head, and pieces of the same size each behind it; buffer: of LOOK_SIZE.
 * false: not this file. */
static bool split(struct pieces *all, char *buffer)
{
	const struct pieces_request *q = all->request;
	off_t begin = lseek(q->fd, 0, SEEK_CUR);
	unsigned line = 1;
	uint64_t end;
	struct stat st;

	if (begin < 0 || fstat(q->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= begin)
		return false;
	end = (uint64_t)st.st_size;
	if (end - (uint64_t)begin < (q->file_min ? q->file_min : PIECES_FILE_MIN))
		return false;
	all->piece[0].begin = (uint64_t)begin;
	all->piece[1].begin = find_begin(q->fd, (uint64_t)begin + HEAD_SIZE, end, buffer);
	for (unsigned i = 2; i <= q->threads; i++)
		all->piece[i].begin = find_begin(q->fd, all->piece[1].begin + (end - all->piece[1].begin) / q->threads * (i - 1), end, buffer);
	all->count = 1 + q->threads;
	for (unsigned i = 0; i < all->count; i++) {
		struct piece *p = &all->piece[i];

		p->end = i + 1 < all->count ? all->piece[i + 1].begin : end;
		p->line = line;
		if (p->begin >= p->end || !count_lines(q->fd, p->begin, p->end, buffer, &line))
			return false;
	}
	return true;
}

/* ---- a piece ----------------------------------------------------------------------- */

static bool add_ns(struct piece *p, const struct parsed *r)
{
	if (p->ns_count == p->ns_space) {
		size_t space = p->ns_space ? 2 * p->ns_space : 256;
		struct ns *ns = realloc(p->ns, space * sizeof(*ns));

		if (!ns)
			return false;
		p->ns = ns;
		p->ns_space = space;
	}
	p->ns[p->ns_count++] = (struct ns){ .target = sorter_last_rdata(p->sorter), .place = r->place,
		.at_apex = r->owner_size == p->all->request->apex_size };
	return true;
}

static bool add_record(struct piece *p, const struct parsed *r)
{
	const struct pieces_request *q = p->all->request;
	struct err ignored = ERR_INIT;

	return name_is_at_or_below(r->owner, r->owner_size, q->apex, q->apex_size) &&
		sorter_add(p->sorter, r, q->apex_size, r->same_owner, &ignored) == 0 && (r->type != TYPE_NS || add_ns(p, r));
}

static bool read_piece(struct piece *p)
{
	struct err ignored = ERR_INIT;
	struct parsed r;
	uint64_t records = 0;

	while (parser_next(p->parser, &r) > 0) {
		/* told of or not, it is not for this thread to go on */
		if (p->reporter.warnings || p->reporter.errors || !add_record(p, &r))
			return false;
		if (++records % TELL_RECORDS == 0) {
			atomic_store_explicit(&p->records, records, memory_order_relaxed);
			atomic_store_explicit(&p->share, parser_share(p->parser), memory_order_relaxed);
			if (atomic_load_explicit(&p->all->failed, memory_order_relaxed))
				return false;
		}
	}
	return !p->reporter.warnings && !p->reporter.errors && sorter_finish(p->sorter, &ignored) == 0;
}

static void *run_piece(void *arg)
{
	struct piece *p = arg;

	turn_bulk();
	if (!read_piece(p))
		atomic_store(&p->all->failed, true);
	return NULL;
}

/* head NULL: it is the head. */
static bool open_piece(struct piece *p, const struct piece *head)
{
	const struct pieces_request *q = p->all->request;
	struct parser_options options = { .apex = q->apex, .apex_size = q->apex_size, .reporter = &p->reporter };
	struct scanner *scanner = scanner_new_piece(q->fd, p->begin, p->end - p->begin, q->name, p->line);

	if (scanner)
		p->parser = head ? parser_new_piece(scanner, head->parser, &p->reporter) : parser_new(scanner, &options);
	p->sorter = sorter_new(head ? q->memory_limit / q->threads : q->memory_limit / 8, -1);
	return p->parser && p->sorter;
}

static void close_piece(struct piece *p)
{
	parser_free(p->parser);
	sorter_free(p->sorter);
	free(p->ns);
}

/* ---- all of them --------------------------------------------------------------------- */

static void tell_progress(const struct pieces *all)
{
	const struct pieces_request *q = all->request;
	uint64_t records = 0;
	double share = 0;

	if (!q->progress)
		return;
	for (unsigned i = 0; i < all->count; i++)
		records += atomic_load_explicit(&all->piece[i].records, memory_order_relaxed);
	for (unsigned i = 1; i < all->count; i++)
		share += atomic_load_explicit(&all->piece[i].share, memory_order_relaxed) / (all->count - 1);
	q->progress(q->arg, records, share);
}

static void wait_for(struct pieces *all, struct piece *p)
{
	struct timespec until;

	do {
		tell_progress(all);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
	} while (pthread_timedjoin_np(p->thread, NULL, &until) == ETIMEDOUT);
}

/* Would the records of all be in memory, as those of the head let one expect,
 * with a quarter to spare? Else they are sorted on disk, in order. */
static bool fits(const struct pieces *all)
{
	const struct piece *head = &all->piece[0], *last = &all->piece[all->count - 1];
	double factor = (double)sorter_memory(head->sorter) / (double)(head->end - head->begin);

	return 1.25 * factor * (double)(last->end - head->end) < (double)all->request->memory_limit;
}

static bool read_all(struct pieces *all)
{
	struct piece *head = &all->piece[0];

	/* what stands only later must not hold for what stands before */
	if (!open_piece(head, NULL) || !read_piece(head) || !parser_has_soa(head->parser) || !fits(all))
		return false;
	for (unsigned i = 1; i < all->count && !all->failed; i++) {
		struct piece *p = &all->piece[i];

		p->started = open_piece(p, head) && pthread_create(&p->thread, NULL, run_piece, p) == 0;
		if (!p->started)
			all->failed = true;
	}
	for (unsigned i = 1; i < all->count; i++)
		if (all->piece[i].started)
			wait_for(all, &all->piece[i]);
	return !all->failed;
}

/* In the order of the file: records of one owner stay in theirs. */
static int take_all(struct pieces *all, struct sorter *sorter, struct checker *checker, struct err *err)
{
	for (unsigned i = 0; i < all->count; i++) {
		struct piece *p = &all->piece[i];

		for (size_t k = 0; k < p->ns_count; k++)
			if (checker_ns(checker, p->ns[k].at_apex, p->ns[k].target, &p->ns[k].place) < 0)
				return err_set(err, ERR_NOMEM, "no memory for the names of the name servers");
		if (sorter_adopt(sorter, p->sorter, err) < 0)
			return -1;
		p->sorter = NULL;
	}
	return 1;
}

int pieces_read(const struct pieces_request *q, struct sorter *sorter, struct checker *checker, uint32_t *soa_minimum,
	struct err *err)
{
	struct pieces *all;
	char *buffer;
	int status = 0;

	if (q->threads < 2 || q->threads > PIECES_MAX)
		return 0;
	all = calloc(1, sizeof(*all));
	buffer = malloc(LOOK_SIZE);
	if (!all || !buffer) {
		free(all);
		free(buffer);
		return 0;
	}
	all->request = q;
	for (unsigned i = 0; i < 1 + PIECES_MAX; i++)
		all->piece[i].all = all;
	if (split(all, buffer) && read_all(all)) {
		*soa_minimum = parser_soa_minimum(all->piece[0].parser);
		status = take_all(all, sorter, checker, err);
	}
	for (unsigned i = 0; i < all->count; i++)
		close_piece(&all->piece[i]);
	free(buffer);
	free(all);
	return status;
}
