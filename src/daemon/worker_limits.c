/* The worker's rate limiter: made of the configuration, asked for each batch,
 * swept once a second. */
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/rate_limit.h"
#include "daemon/worker.h"

static const struct timeval second = { 1, 0 };

static int64_t now_ns(void)
{
	return clock_boot_us() * 1000;
}

static struct rate_limit *new_limit(const struct worker *w, const struct conf *conf)
{
	const struct rate_limit_options o = {
		.rate = conf->rate_limit, .slip = conf->rate_limit_slip, .octets = conf->rate_limit_table,
		.ipv4_prefix = conf->rate_limit_ipv4_prefix, .ipv6_prefix = conf->rate_limit_ipv6_prefix,
		.exempt = conf->rate_limit_exempt,
	};
	struct rate_limit *l = rate_limit_new(&o, w->rate_seed);

	if (!l)
		log_error("out of memory for the table of rate limits: there are none");
	return l;
}

static void on_second(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	if (w->rate_limit)
		rate_limit_sweep(w->rate_limit, now_ns());
}

int worker_limits_begin(struct worker *w, struct err *err)
{
	if (getrandom(w->rate_seed, sizeof w->rate_seed, 0) != sizeof w->rate_seed)
		return err_system(err, "cannot get random octets");
	w->rate_sweep = event_new(w->base, -1, EV_PERSIST, on_second, w);
	if (!w->rate_sweep || event_add(w->rate_sweep, &second) < 0)
		return err_set(err, ERR_NOMEM, "out of memory");
	if (w->role.conf->rate_limit)
		w->rate_limit = new_limit(w, w->role.conf);
	return 0;
}

void worker_limits_end(struct worker *w)
{
	if (w->rate_sweep)
		event_free(w->rate_sweep);
	rate_limit_free(w->rate_limit);
}

static bool same_limits(const struct conf *a, const struct conf *b)
{
	return a->rate_limit == b->rate_limit && a->rate_limit_slip == b->rate_limit_slip &&
		a->rate_limit_table == b->rate_limit_table && a->rate_limit_ipv4_prefix == b->rate_limit_ipv4_prefix &&
		a->rate_limit_ipv6_prefix == b->rate_limit_ipv6_prefix &&
		prefix_list_equal(&a->rate_limit_exempt, &b->rate_limit_exempt);
}

void worker_limits_change(struct worker *w, const struct conf *new)
{
	struct rate_limit *old = w->rate_limit;

	/* what an attacker has used up stays so through a reload of something else */
	if (same_limits(w->role.conf, new))
		return;
	w->rate_limit = new->rate_limit ? new_limit(w, new) : NULL;
	if (w->rate_limit && old)
		*rate_limit_counters(w->rate_limit) = *rate_limit_counters(old);
	rate_limit_free(old);
}

void worker_limit(struct worker *w, struct answer_job *jobs, unsigned count)
{
	uint64_t account[ANSWER_BATCH], any = 0;
	int64_t now;

	if (!w->rate_limit)
		return;
	/* the places of all are on their way into the cache before the first is looked at */
	for (unsigned i = 0; i < count; i++)
		any |= account[i] = rate_limit_account(w->rate_limit, &jobs[i]);
	if (!any)
		return;
	now = now_ns();
	for (unsigned i = 0; i < count; i++)
		if (account[i])
			rate_limit_apply(w->rate_limit, account[i], &jobs[i], now);
}

void worker_limits_stats(const struct worker *w, json_t *into)
{
	static const struct rate_limit_counters none;
	const struct rate_limit_counters *c = w->rate_limit ? rate_limit_counters(w->rate_limit) : &none;

	json_object_set_new(into, "rate_limit_dropped", json_integer((json_int_t)c->dropped));
	json_object_set_new(into, "rate_limit_truncated", json_integer((json_int_t)c->truncated));
	json_object_set_new(into, "rate_limit_prefixes", json_integer(w->rate_limit ? rate_limit_watched(w->rate_limit) : 0));
}
