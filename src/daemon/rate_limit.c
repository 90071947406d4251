#include "daemon/rate_limit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "wire/name.h"
#include "wire/query.h"

#define SECOND_NS INT64_C(1000000000)
#define WAYS 4                  /* buckets of a cache line: where an account may be */

/* A token bucket as one instant: when all that was sent will have been paid
 * for, one response in cost_ns. A second ahead of now, nothing is left. */
struct bucket {
	int64_t paid_ns;
	uint32_t tag;           /* of the account */
	uint32_t over;          /* responses over the limit, for slip */
};
struct line { struct bucket way[WAYS]; };

/* A prefix that the log was told of. */
struct watched {
	struct address prefix;
	uint8_t size;           /* of its addresses; 0: free */
	int64_t since_ns, last_ns;
	uint64_t dropped, truncated;
};

struct rate_limit {
	int64_t cost_ns;
	unsigned rate, slip;
	struct address mask[2];         /* of IPv4 and IPv6 */
	unsigned bits[2];
	struct prefix_list exempt;
	uint64_t seed[2];
	uint64_t lines_mask;
	struct line *lines;
	struct rate_limit_counters counters;
	struct watched watched[RATE_LIMIT_WATCHED];
	uint64_t untold;                /* responses over the limit to prefixes that found no room among them */
};

static struct line *lines_new(size_t octets, uint64_t *mask)
{
	size_t count = 1;
	struct line *lines;

	while (2 * count * sizeof *lines <= octets)
		count *= 2;
	lines = aligned_alloc(sizeof *lines, count * sizeof *lines);
	if (lines)
		memset(lines, 0, count * sizeof *lines);
	*mask = count - 1;
	return lines;
}

struct rate_limit *rate_limit_new(const struct rate_limit_options *o, const uint8_t seed[16])
{
	struct rate_limit *l = calloc(1, sizeof *l);
	struct err err = ERR_INIT;

	if (!l)
		return NULL;
	l->rate = o->rate;
	l->slip = o->slip;
	l->cost_ns = SECOND_NS / o->rate;
	l->bits[0] = o->ipv4_prefix;
	l->bits[1] = o->ipv6_prefix;
	l->mask[0] = prefix_mask(o->ipv4_prefix);
	l->mask[1] = prefix_mask(o->ipv6_prefix);
	l->seed[0] = load_le64(seed) | 1;       /* not 0, which would swallow what it is multiplied with */
	l->seed[1] = load_le64(seed + 8);
	l->lines = lines_new(o->octets, &l->lines_mask);
	for (size_t i = 0; i < o->exempt.count && !err.code; i++)
		prefix_list_add(&l->exempt, &o->exempt.items[i], &err);
	if (!l->lines || err.code) {
		rate_limit_free(l);
		return NULL;
	}
	return l;
}

void rate_limit_free(struct rate_limit *l)
{
	if (!l)
		return;
	prefix_list_clear(&l->exempt);
	free(l->lines);
	free(l);
}

struct rate_limit_counters *rate_limit_counters(struct rate_limit *l)
{
	return &l->counters;
}

unsigned rate_limit_watched(const struct rate_limit *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RATE_LIMIT_WATCHED; i++)
		n += l->watched[i].size != 0;
	return n;
}

/* ---- accounts ----------------------------------------------------------------------- */

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline struct line *line_of(const struct rate_limit *l, uint64_t account)
{
	return &l->lines[account & l->lines_mask];
}

uint64_t rate_limit_account(const struct rate_limit *l, const struct answer_job *job)
{
	struct address a;
	uint64_t account;

	if (!job->reply_size || job->cookie_good || !job->client_size)
		return 0;
	a = address_load(job->client, job->client_size);
	if (prefix_list_matches(&l->exempt, &a, job->client_size))
		return 0;
	a = address_mask(&a, &l->mask[job->client_size == 16]);
	/* the name's hash is keyed, too */
	account = fold(a.word[0] ^ l->seed[1], l->seed[0]) ^ a.word[1] ^ job->client_size;
	account = fold(account ^ l->seed[1], l->seed[0]) ^ job->account;
	account = fold(account ^ (uint64_t)job->kind << 56, l->seed[0]);
	account |= !account;
	__builtin_prefetch(line_of(l, account), 1);
	return account;
}

/* The account's bucket; a new one takes the place of that which got least.
 * Which way it is cannot be foreseen: so without branches. */
static struct bucket *bucket_of(const struct rate_limit *l, uint64_t account)
{
	struct bucket *way = line_of(l, account)->way;
	uint32_t tag = (uint32_t)(account >> 32);
	unsigned found = (unsigned)(way[0].tag == tag) | (unsigned)(way[1].tag == tag) << 1 |
		(unsigned)(way[2].tag == tag) << 2 | (unsigned)(way[3].tag == tag) << 3;
	unsigned a = way[1].paid_ns < way[0].paid_ns, b = 2 + (unsigned)(way[3].paid_ns < way[2].paid_ns);
	unsigned least = a + (b - a) * (unsigned)(way[b].paid_ns < way[a].paid_ns);

	if (found)
		return &way[__builtin_ctz(found)];
	way[least] = (struct bucket){ .tag = tag };
	return &way[least];
}

/* ---- the log -------------------------------------------------------------------------- */

static char *watched_text(const struct rate_limit *l, const struct watched *w, char buf[PREFIX_TEXT])
{
	return prefix_to_text(buf, &w->prefix, w->size, l->bits[w->size == 16]);
}

static void tell_begin(const struct rate_limit *l, const struct watched *w, const struct answer_job *job)
{
	static const char *const kind[ANSWER_KINDS] = {
		[ANSWER_POSITIVE] = "positive", [ANSWER_NODATA] = "NODATA", [ANSWER_NXDOMAIN] = "NXDOMAIN",
		[ANSWER_REFERRAL] = "referral", [ANSWER_ERROR] = "error",
	};
	char prefix[PREFIX_TEXT], name[NAME_TEXT_MAX] = "?";

	/* a question there is has been found well-formed */
	if (job->records_at > DNS_HEADER_SIZE)
		name_to_text_short(name, job->reply + DNS_HEADER_SIZE);
	log_notice("responses to %s are limited to %u a second (%s, asked for %s)", watched_text(l, w, prefix), l->rate,
		kind[job->kind], name);
}

static void tell_end(const struct rate_limit *l, const struct watched *w)
{
	char prefix[PREFIX_TEXT];

	log_notice("responses to %s are limited no more: %" PRIu64 " were dropped and %" PRIu64 " truncated in %" PRId64 " s",
		watched_text(l, w, prefix), w->dropped, w->truncated, (w->last_ns - w->since_ns) / SECOND_NS + 1);
}

/* The prefix's place among those that the log was told of, which bounds what
 * it is told. NULL: there is none. */
static struct watched *watch(struct rate_limit *l, const struct answer_job *job, int64_t now_ns)
{
	struct address a = address_load(job->client, job->client_size);
	struct watched *free_one = NULL;

	a = address_mask(&a, &l->mask[job->client_size == 16]);
	for (unsigned i = 0; i < RATE_LIMIT_WATCHED; i++) {
		struct watched *w = &l->watched[i];

		if (w->size == job->client_size && w->prefix.word[0] == a.word[0] && w->prefix.word[1] == a.word[1])
			return w;
		if (!w->size)
			free_one = w;
	}
	if (free_one) {
		*free_one = (struct watched){ .prefix = a, .size = job->client_size, .since_ns = now_ns };
		tell_begin(l, free_one, job);
	} else {
		l->untold++;
	}
	return free_one;
}

void rate_limit_sweep(struct rate_limit *l, int64_t now_ns)
{
	unsigned left = 0;

	for (unsigned i = 0; i < RATE_LIMIT_WATCHED; i++) {
		struct watched *w = &l->watched[i];

		if (w->size && now_ns - w->last_ns >= RATE_LIMIT_QUIET_NS) {
			tell_end(l, w);
			w->size = 0;
		}
		left += w->size != 0;
	}
	if (l->untold && left < RATE_LIMIT_WATCHED) {
		log_notice("%" PRIu64 " responses to further prefixes were over the limit", l->untold);
		l->untold = 0;
	}
}

/* ---- the verdict ------------------------------------------------------------------------- */

static void refuse(struct rate_limit *l, struct bucket *b, struct answer_job *job, int64_t now_ns)
{
	struct watched *w = watch(l, job, now_ns);
	bool truncate = l->slip && b->over++ % l->slip == 0;

	if (truncate)
		answer_truncate(job);
	else
		job->reply_size = 0;
	l->counters.truncated += truncate;
	l->counters.dropped += !truncate;
	if (w) {
		w->last_ns = now_ns;
		w->truncated += truncate;
		w->dropped += !truncate;
	}
}

void rate_limit_apply(struct rate_limit *l, uint64_t account, struct answer_job *job, int64_t now_ns)
{
	struct bucket *b = bucket_of(l, account);
	int64_t paid = (b->paid_ns > now_ns ? b->paid_ns : now_ns) + l->cost_ns;

	if (paid - now_ns <= SECOND_NS)
		b->paid_ns = paid;
	else
		refuse(l, b, job, now_ns);
}
