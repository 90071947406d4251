/*
 * The answer path by itself: what a worker does between recvmmsg and
 * sendmmsg, out of a store, without sockets. For the profiler; its figure is
 * the server's own part of the CPU per answer that `run udp` shows.
 *
 *   answer DIRECTORY [--mix MIX] [--names COUNT] [--edns SIZE] [--do]
 *          [--pool COUNT] [--seconds S]
 *
 * DIRECTORY: a database of schwenkd's with the zones of gen; the daemon may
 * run meanwhile. It tells the CPU time per answer of the best, the median and
 * the worst of ten parts of the time: others on the machine only add to it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer/answer.h"
#include "load.h"

#define PARTS     10
#define REPLY_MAX 4096

static uint8_t replies[ANSWER_BATCH][REPLY_MAX];
static uint64_t answered, octets;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("answer: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const char *value(int argc, char **argv, const char *name, const char *otherwise)
{
	for (int i = 2; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	return otherwise;
}

static bool given(int argc, char **argv, const char *name)
{
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return false;
}

/* A batch as udp.c makes it; the queries are copied, as the kernel does. */
static void answer_once(struct answerer *a, struct store_reader *reader, struct pool *pool)
{
	static uint8_t queries[ANSWER_BATCH][QUERY_MAX + 64];
	static const uint8_t client[4] = { 127, 0, 0, 1 };
	struct answer_job jobs[ANSWER_BATCH];
	struct err err = ERR_INIT;
	unsigned n = 0;

	while (n < ANSWER_BATCH) {
		unsigned count, size;
		const uint8_t *p = pool_take(pool, ANSWER_BATCH - n, &count, &size);

		for (unsigned i = 0; i < count; i++, n++) {
			memcpy(queries[n], p + i * size, size);
			jobs[n] = (struct answer_job){
				.query = queries[n], .query_size = (uint16_t)size, .reply = replies[n], .reply_capacity = REPLY_MAX,
				.client = client, .client_size = sizeof client,
			};
		}
	}
	if (snapshot_begin(reader, &err))
		die("%s", err.message);
	answer_batch(a, reader, jobs, n);
	snapshot_end(reader);
	for (unsigned i = 0; i < n; i++)
		octets += jobs[i].reply_size;
	answered += n;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct answerer *a, struct store_reader *reader, struct pool *pool, double seconds)
{
	const struct answer_counters *c = answerer_counters(a);
	double part[PARTS];

	for (uint32_t i = 0; i < pool->queries; i += ANSWER_BATCH)
		answer_once(a, reader, pool);           /* pages come into memory */
	answered = octets = 0;
	for (unsigned i = 0; i < PARTS; i++) {
		uint64_t from = cpu_ns(), before = answered, now;

		do {
			for (unsigned k = 0; k < 100; k++)
				answer_once(a, reader, pool);
			now = cpu_ns();
		} while ((double)(now - from) < 1e9 * seconds / PARTS);
		part[i] = (double)(now - from) / (double)(answered - before);
	}
	qsort(part, PARTS, sizeof part[0], ascending);
	printf("ns/answer: %.1f best, %.1f median, %.1f worst; %.0f octets, rcode 0: %.0f %%, 3: %.0f %%\n", part[0],
		part[PARTS / 2], part[PARTS - 1], (double)octets / (double)answered,
		100.0 * (double)c->rcode[0] / (double)c->responses, 100.0 * (double)c->rcode[3] / (double)c->responses);
}

int main(int argc, char **argv)
{
	struct answer_options answer_options = { .udp_payload_max = 1232, .tcp_idle_seconds = 10 };
	struct options o = { .names.seed = 1, .seed = 1 };
	struct store_reader *reader = NULL;
	struct answerer *answerer;
	struct err err = ERR_INIT;
	struct pool pool;

	if (argc < 2 || mix_from_text(value(argc, argv, "--mix", "random"), &o.mix))
		die("usage: answer DIRECTORY [--mix MIX] [--names COUNT] [--edns SIZE] [--do] [--pool COUNT] [--seconds S]");
	o.names.count = strtoull(value(argc, argv, "--names", "1000000"), NULL, 10);
	o.pool = (unsigned)strtoul(value(argc, argv, "--pool", "4000000"), NULL, 10);
	o.edns = (unsigned)strtoul(value(argc, argv, "--edns", "0"), NULL, 10);
	o.dnssec_ok = given(argc, argv, "--do");
	if (!o.names.count || !o.pool)
		die("--names and --pool are numbers");
	pool_fill(&pool, &o, 0);
	if (store_reader_open(&reader, argv[1], &err))
		die("%s", err.message);
	answerer = answerer_new(&answer_options, store_hash_key(reader));
	if (!answerer)
		die("out of memory");
	measure(answerer, reader, &pool, strtod(value(argc, argv, "--seconds", "2"), NULL));
	answerer_free(answerer);
	store_reader_close(reader);
	free(pool.bytes);
	free(pool.groups);
	return 0;
}
