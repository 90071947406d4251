#include "answer/answer.h"

#include <stdlib.h>
#include <string.h>

#include "answer/access.h"
#include "answer/compose.h"
#include "base/bytes.h"
#include "store/node.h"
#include "wire/query.h"
#include "wire/response.h"
#include "wire/rrtype.h"

#define MESSAGE_MIN 512
#define NSID_MAX 128            /* so that header, question and OPT with all its options fit into 512 octets */
#define STRING_MAX 255          /* a character-string */
#define SOA_TAIL 20             /* serial, refresh, retry, expire, minimum */

/* What is known of a query from one pass to the next. */
struct answer_state {
	enum query_verdict verdict;
	bool prepared;
	bool denied;                    /* the zone is not for this client */
	const struct zone_view *zone;
	struct query query;
};

struct chaos_name { const char *wire; uint8_t size; const char *text; };

struct answerer {
	struct answer_options options;
	char *texts[3];                 /* ours: version, hostname, identity */
	uint8_t nsid[NSID_MAX];
	struct cookie_secrets cookies;
	uint8_t cookie[COOKIE_SIZE];    /* of the reply that is being made */
	uint32_t now;
	uint64_t hash_key;
	struct answer_counters counters;
	struct composer composer;
	struct answer_state state[ANSWER_BATCH];
};

static bool copy_text(char **mine, const char **text)
{
	if (!*text)
		return true;
	*mine = strdup(*text);
	*text = *mine;
	return *mine;
}

struct answerer *answerer_new(const struct answer_options *options, uint64_t hash_key)
{
	struct answerer *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->options = *options;
	a->hash_key = hash_key;
	if (a->options.udp_payload_max < MESSAGE_MIN)
		a->options.udp_payload_max = MESSAGE_MIN;
	if (a->options.nsid) {
		if (a->options.nsid_size > NSID_MAX)
			a->options.nsid_size = NSID_MAX;
		memcpy(a->nsid, options->nsid, a->options.nsid_size);
		a->options.nsid = a->nsid;
	}
	if (!copy_text(&a->texts[0], &a->options.version) || !copy_text(&a->texts[1], &a->options.hostname) ||
	    !copy_text(&a->texts[2], &a->options.identity)) {
		answerer_free(a);
		return NULL;
	}
	return a;
}

void answerer_free(struct answerer *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < 3; i++)
		free(a->texts[i]);
	free(a);
}

struct answer_counters *answerer_counters(struct answerer *a)
{
	return &a->counters;
}

void answerer_set_cookies(struct answerer *a, const struct cookie_secrets *secrets)
{
	a->cookies = *secrets;
}

void answerer_set_time(struct answerer *a, uint32_t now)
{
	a->now = now;
}

/* ---- first and second pass ------------------------------------------------------ */

/* Types that are looked up in a zone; a transfer is another matter. */
static bool is_transfer(uint16_t type)
{
	return type == TYPE_AXFR || type == TYPE_IXFR;
}

static void read_query(struct answerer *a, struct answer_job *job, struct answer_state *s)
{
	job->state = s;
	job->reply_size = 0;
	job->kind = ANSWER_ERROR;
	job->account = 0;
	job->cookie_good = false;
	s->zone = NULL;
	s->prepared = s->denied = false;
	a->counters.queries++;
	a->counters.tcp += job->tcp;
	s->verdict = query_parse(&s->query, job->query, job->query_size, job->tcp, a->hash_key);
}

static bool wants_zone(const struct answer_state *s)
{
	return s->verdict == QUERY_FIND && s->query.rrclass == CLASS_IN;
}

static void look_at(const struct answer_job *job, struct answer_state *s, zone_lookup *lookup, void *arg)
{
	if (!wants_zone(s))
		return;
	s->zone = lookup(arg, &s->query.name, s->query.type == TYPE_DS, &s->prepared);
	if (s->zone && s->zone->kept)
		s->denied = !access_allows(s->zone->kept, job->client, job->client_size);
	if (s->zone && !s->zone->unreadable)
		view_prefetch_directory(&s->zone->view, s->query.name.hash[0]);
}

static void look_ahead(const struct answer_state *s)
{
	if (s->zone && !s->zone->unreadable)
		view_prefetch_node(&s->zone->view, s->query.name.hash[0]);
}

/* ---- third pass ------------------------------------------------------------------ */

static const char *chaos_text(const struct answerer *a, const struct name *n)
{
	const struct chaos_name names[] = {
		{ "\7version\4bind", 14, a->options.version }, { "\7version\6server", 16, a->options.version },
		{ "\10hostname\4bind", 15, a->options.hostname }, { "\2id\6server", 11, a->options.identity },
	};

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (n->size == names[i].size && !memcmp(n->lower, names[i].wire, n->size))
			return names[i].text;
	return NULL;
}

static void answer_chaos(const struct answerer *a, const struct query *q, struct response *r)
{
	const char *text = q->rrclass == CLASS_CH && q->type == TYPE_TXT ? chaos_text(a, &q->name) : NULL;
	uint8_t rdata[1 + STRING_MAX];
	size_t size;

	if (!text) {
		r->rcode = RCODE_REFUSED;
		return;
	}
	size = strnlen(text, STRING_MAX);
	rdata[0] = (uint8_t)size;
	memcpy(rdata + 1, text, size);
	r->flags |= DNS_FLAG_AA;
	if (!response_add_rdata(r, SECTION_ANSWER, TYPE_TXT, CLASS_CH, 0, rdata, (uint16_t)(size + 1)))
		r->flags |= DNS_FLAG_TC;
}

static void refuse(struct response *r, uint16_t extended_error)
{
	r->rcode = RCODE_REFUSED;
	r->edns.extended_error = extended_error;
}

static void classify(const struct composer *c, struct answer_job *job)
{
	uint16_t rcode = c->response.rcode;

	if (rcode == RCODE_NXDOMAIN)
		job->kind = ANSWER_NXDOMAIN;
	else if (!rcode)
		job->kind = c->referral ? ANSWER_REFERRAL : c->nodata ? ANSWER_NODATA : ANSWER_POSITIVE;
	/* there is no end of names that do not exist */
	if (job->kind != ANSWER_ERROR)
		job->account = rcode ? c->apex_hash : c->account;
}

static void answer_question(struct answerer *a, struct answer_job *job, struct answer_state *s)
{
	struct composer *c = &a->composer;
	struct response *r = &c->response;
	const struct query *q = &s->query;

	if (q->rrclass != CLASS_IN) {
		answer_chaos(a, q, r);
	} else if (s->denied) {
		refuse(r, EXTENDED_ERROR_PROHIBITED);
	} else if (is_transfer(q->type)) {
		if (s->zone && s->zone->view.apex_size == q->name.size)
			refuse(r, EXTENDED_ERROR_PROHIBITED);
		else
			r->rcode = RCODE_NOTAUTH;
	} else if (!s->zone) {
		refuse(r, s->prepared ? EXTENDED_ERROR_NOT_READY : EXTENDED_ERROR_NOT_AUTHORITATIVE);
	} else if (s->zone->unreadable) {
		r->rcode = RCODE_SERVFAIL;
		r->edns.extended_error = EXTENDED_ERROR_INVALID_DATA;
	} else {
		compose_answer(c, q, s->zone, job->query + DNS_HEADER_SIZE, job->tcp);
		classify(c, job);
		a->counters.referrals += c->referral;
		a->counters.nodata += c->nodata;
	}
}

static uint32_t reply_limit(const struct answerer *a, const struct answer_job *job, const struct query *q)
{
	uint32_t limit = MESSAGE_MIN;

	if (job->tcp)
		limit = UINT16_MAX;
	else if (q->edns.present)
		limit = q->edns.payload < a->options.udp_payload_max ? q->edns.payload : a->options.udp_payload_max;
	return limit < job->reply_capacity ? limit : job->reply_capacity;
}

/* The SOA's, as it is answered. */
static uint32_t zone_serial(const struct zone_view *zone, const struct name *name)
{
	const struct view *v = &zone->view;
	struct found apex;
	struct rrset soa;

	if (!zone->serial_fixed)
		return zone->served_serial;
	apex = view_find(v, name->hash[find_above(v, name)], v->apex, 0);
	if (!apex.node || !image_rrset(apex.image, apex.node, TYPE_SOA, &soa) || soa.wire_size < SOA_TAIL)
		return 0;
	return load_be32(soa.wire + soa.wire_size - SOA_TAIL);
}

/* RFC 9660 3.2: the version of the zone that the reply is made of. */
static void add_zone_version(struct edns_reply *e, const struct answer_state *s)
{
	if (s->verdict != QUERY_FIND || !s->zone || s->zone->unreadable || s->denied)
		return;
	e->zone_version = true;
	e->zone_labels = s->zone->view.apex_labels;
	e->zone_serial = zone_serial(s->zone, &s->query.name);
}

static struct edns_reply reply_edns(const struct answerer *a, const struct answer_job *job, const struct answer_state *s)
{
	const struct edns *q = &s->query.edns;
	struct edns_reply e = {
		.payload = a->options.udp_payload_max,
		.dnssec_ok = q->dnssec_ok,
		.extended_error = EXTENDED_ERROR_NONE,
	};

	if (q->nsid && a->options.nsid) {
		e.nsid = a->options.nsid;
		e.nsid_size = a->options.nsid_size;
	}
	if (q->keepalive && job->tcp) {
		uint32_t tenths = 10u * a->options.tcp_idle_seconds;

		e.keepalive = true;
		e.keepalive_100ms = tenths < UINT16_MAX ? (uint16_t)tenths : UINT16_MAX;
	}
	if (q->zone_version)
		add_zone_version(&e, s);
	return e;
}

/* RFC 7873 5.2: a query with a bad cookie is answered as one without, and with
 * a good one for the next time. False: no cookies here. */
static bool judge_cookie(struct answerer *a, struct answer_job *job, const struct query *q, enum cookie_verdict *verdict)
{
	if (!q->edns.cookie_size || !a->cookies.count || !job->client_size)
		return false;
	*verdict = cookie_judge(&a->cookies, q->edns.cookie, q->edns.cookie_size, job->client, job->client_size, a->now, a->cookie);
	job->cookie_good = *verdict == COOKIE_GOOD;
	a->counters.cookies += job->cookie_good;
	return true;
}

/* Of a query that is not looked up. */
static uint16_t reply_rcode(const struct answer_state *s, bool cookies, enum cookie_verdict cookie)
{
	if (s->verdict != QUERY_COOKIE)
		return s->query.rcode;
	if (!cookies)
		return RCODE_FORMERR;   /* RFC 7873 5.4 is for those who have them */
	return cookie == COOKIE_BAD ? RCODE_BADCOOKIE : RCODE_NOERROR;
}

static void answer_job(struct answerer *a, struct answer_job *job)
{
	struct answer_state *s = job->state;
	struct response *r = &a->composer.response;
	const struct query *q = &s->query;
	enum cookie_verdict verdict = COOKIE_NEW;
	struct edns_reply edns;
	bool cookies;

	if (s->verdict == QUERY_DROP || job->reply_capacity < MESSAGE_MIN) {
		a->counters.dropped++;
		return;
	}
	edns = reply_edns(a, job, s);
	cookies = judge_cookie(a, job, q, &verdict);
	edns.cookie = cookies ? a->cookie : NULL;
	response_begin(r, job->reply, reply_limit(a, job, q), q, job->query + DNS_HEADER_SIZE,
		q->edns.present ? &edns : NULL);
	if (s->verdict == QUERY_FIND) {
		answer_question(a, job, s);
	} else {
		r->rcode = reply_rcode(s, cookies, verdict);
		r->refused = q->tsig.present && r->rcode == RCODE_NOTAUTH ? &q->tsig : NULL;
		if (r->rcode == RCODE_NOTIMP)
			r->edns.extended_error = EXTENDED_ERROR_NOT_SUPPORTED;
	}
	job->records_at = DNS_HEADER_SIZE + r->question_size;
	job->records_end = r->size;
	job->reply_size = response_finish(r);
	job->behind = (uint16_t)(load_be16(job->reply + 10) - r->count[SECTION_ADDITIONAL]);
	a->counters.responses++;
	a->counters.truncated += !!(r->flags & DNS_FLAG_TC);
	a->counters.rcode[r->rcode]++;
}

static void read_batch(struct answerer *a, struct answer_job *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		read_query(a, &jobs[i], &a->state[i]);
}

static void answer_read(struct answerer *a, zone_lookup *lookup, void *arg, struct answer_job *jobs, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		look_at(&jobs[i], &a->state[i], lookup, arg);
	for (unsigned i = 0; i < count; i++)
		look_ahead(&a->state[i]);
	for (unsigned i = 0; i < count; i++)
		answer_job(a, &jobs[i]);
}

void answer_batch_from(struct answerer *a, zone_lookup *lookup, void *arg, struct answer_job *jobs, unsigned count)
{
	read_batch(a, jobs, count);
	answer_read(a, lookup, arg, jobs, count);
}

static const struct zone_view *lookup_snapshot(void *arg, const struct name *name, bool parent_side, bool *prepared)
{
	return snapshot_find_zone(arg, name, parent_side, prepared);
}

void answer_batch(struct answerer *a, struct store_reader *reader, struct answer_job *jobs, unsigned count)
{
	read_batch(a, jobs, count);
	if (snapshot_wants_prefetch(reader))
		for (unsigned step = 0; step < SNAPSHOT_PREFETCH_STEPS; step++)
			for (unsigned i = 0; i < count; i++)
				if (wants_zone(&a->state[i]))
					snapshot_prefetch_zone(reader, &a->state[i].query.name, step);
	answer_read(a, lookup_snapshot, reader, jobs, count);
}

void answer_truncate(struct answer_job *job)
{
	uint8_t *p = job->reply;
	uint32_t size = job->reply_size - job->records_end;

	memmove(p + job->records_at, p + job->records_end, size);
	job->reply_size = job->records_at + size;
	job->records_end = job->records_at;
	store_be16(p + 2, load_be16(p + 2) | DNS_FLAG_TC);
	store_be32(p + 6, 0);           /* answer and authority */
	store_be16(p + 10, job->behind);
}
