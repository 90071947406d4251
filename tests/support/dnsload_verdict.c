/* The verdict: what was seen, beside the switches that were made meanwhile. */
#include "dnsload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EVENTS 100000

struct event {
	uint64_t at;
	int marker;
	bool end;
};

static struct event *events;
static size_t event_count;

void read_events(const char *path)
{
	FILE *f = fopen(path, "r");
	char kind;
	uint64_t at;
	int marker;

	if (!f)
		die("%s: %s", path, strerror(errno));
	events = calloc(MAX_EVENTS, sizeof(*events));
	if (!events)
		die("out of memory");
	while (event_count < MAX_EVENTS && fscanf(f, " %c %" SCNu64 " %d", &kind, &at, &marker) == 3)
		events[event_count++] = (struct event){ .at = at, .marker = marker, .end = kind == 'E' };
	fclose(f);
}

/* The first event later than t. */
static size_t events_after(uint64_t t)
{
	size_t low = 0, high = event_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (events[middle].at <= t)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What may answer a query under way from `sent` to `received`: what the last
 * event before left live or made possible, and what every later one did. */
static unsigned may_answer(uint64_t sent, uint64_t received)
{
	size_t next = events_after(sent), i = next;
	unsigned allowed = 0;

	while (i > 0) {
		allowed |= 1u << events[i - 1].marker;
		if (events[--i].end)
			break;
	}
	for (i = next; i < event_count && events[i].at <= received; i++)
		allowed |= 1u << events[i].marker;
	return allowed;
}

static char *question_text(uint32_t q, char text[300])
{
	const uint8_t *p = questions[q].wire;
	char *t = text;

	while (*p) {
		memcpy(t, p + 1, *p);
		t += *p;
		*t++ = '.';
		p += 1 + *p;
	}
	sprintf(t, " type %d", p[1] << 8 | p[2]);
	return text;
}

static void tell(const char *what, const struct asked *a)
{
	static unsigned told;
	char text[300];

	if (told++ < 10)
		fprintf(stderr, "%s: %s over %s, sent at %" PRIu64 ", answered %" PRIu64
			" us later, markers %#x, rcode %u\n", what, question_text(a->question, text),
			a->tcp ? "TCP" : "UDP", a->sent,
			a->received ? (a->received - a->sent) / 1000 : 0, a->markers, a->rcode);
}

/* G3: within each switch, from the first answer of the new set on, no query
 * sent later gets another set (until the next switch begins). */
static uint64_t count_half(void)
{
	uint64_t *first = calloc(event_count + 1, sizeof(*first)), count = 0;
	uint32_t i;

	if (!first)
		die("out of memory");
	for (i = 0; i < asked_count; i++) {
		size_t k = events_after(asked[i].received);

		/* the switch that this answer may have come from */
		if (k && events[k - 1].end)
			k--;
		if (!k || !asked[i].received || events[k - 1].end)
			continue;
		if (asked[i].markers == 1u << events[k - 1].marker &&
		    (!first[k - 1] || asked[i].received < first[k - 1]) &&
		    asked[i].sent > (k > 1 ? events[k - 2].at : 0))
			first[k - 1] = asked[i].received;
	}
	for (i = 0; i < asked_count; i++) {
		size_t k = events_after(asked[i].sent);

		if (k && events[k - 1].end)
			k--;
		if (!k || !asked[i].received || events[k - 1].end || !first[k - 1])
			continue;
		if (asked[i].sent <= first[k - 1])
			continue;
		/* a later switch may have begun before the answer came */
		if (k + 1 < event_count && asked[i].received >= events[k + 1].at)
			continue;
		if (asked[i].markers && asked[i].markers != 1u << events[k - 1].marker) {
			count++;
			tell("half switched", &asked[i]);
		}
	}
	free(first);
	return count;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int verdict(void)
{
	uint64_t mixed = 0, old = 0, half, unmarked = 0, other = 0, unanswered = 0, answered = 0;
	uint64_t *took = calloc(asked_count + 1, sizeof(*took)), span, over_tcp = 0;
	unsigned seen = 0;
	uint32_t i;

	if (!took)
		die("out of memory");
	for (i = 0; i < asked_count; i++) {
		const struct asked *a = &asked[i];

		if (!a->received) {
			unanswered++;
			tell("unanswered", a);
			continue;
		}
		took[answered++] = a->received - a->sent;
		over_tcp += a->tcp;
		seen |= a->markers;
		if (a->rcode != 0 && a->rcode != 3) {
			other++;
			tell("rcode", a);
		} else if (!a->markers) {
			unmarked++;
			tell("unmarked", a);
		} else if (a->markers & (a->markers - 1)) {
			mixed++;
			tell("mixed", a);
		} else if (!(a->markers & may_answer(a->sent, a->received))) {
			old++;
			tell("old", a);
		}
	}
	half = count_half();
	qsort(took, answered, sizeof(*took), by_size);
	span = asked_count ? asked[asked_count - 1].sent - asked[0].sent : 1;
	printf("{\"sent\":%u,\"answered\":%" PRIu64 ",\"over_tcp\":%" PRIu64 ",\"unanswered\":%" PRIu64
		",\"mixed\":%" PRIu64 ",\"old\":%" PRIu64 ",\"half\":%" PRIu64 ",\"unmarked\":%" PRIu64
		",\"other_rcode\":%" PRIu64 ",\"markers\":%u,\"lost_connections\":%" PRIu64
		",\"connect_failures\":%" PRIu64 ",\"p50_us\":%" PRIu64 ",\"p99_us\":%" PRIu64
		",\"max_us\":%" PRIu64 ",\"per_second\":%.0f}\n",
		asked_count, answered, over_tcp, unanswered, mixed, old, half, unmarked, other, seen,
		lost_connections, connect_failures,
		answered ? took[answered / 2] / 1000 : 0, answered ? took[answered * 99 / 100] / 1000 : 0,
		answered ? took[answered - 1] / 1000 : 0, (double)asked_count * 1e9 / (double)(span ? span : 1));
	free(took);
	return mixed || old || half || unmarked || other || unanswered;
}
