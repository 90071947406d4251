#include <inttypes.h>
#include <stdio.h>

#include "load.h"

struct results results;

static unsigned step_of(uint64_t ns)
{
	unsigned octave;

	if (ns < STEPS)
		return (unsigned)ns;
	octave = 63 - (unsigned)__builtin_clzll(ns);            /* >= 5 */
	if (octave >= OCTAVES)
		return OCTAVES * STEPS - 1;
	return (octave - 4) * STEPS + (unsigned)((ns >> (octave - 5)) - STEPS);
}

/* The upper end of a step. */
static uint64_t step_end(unsigned step)
{
	if (step < STEPS)
		return step;
	return (uint64_t)(step % STEPS + STEPS + 1) << (step / STEPS - 1);
}

static uint64_t latency_at(double share)
{
	uint64_t wanted = (uint64_t)((double)results.answered * share), seen = 0;

	for (unsigned i = 0; i < OCTAVES * STEPS; i++) {
		seen += results.latency[i];
		if (seen > wanted)
			return step_end(i) < results.latency_max ? step_end(i) : results.latency_max;
	}
	return results.latency_max;
}

static const uint8_t *skip_name(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		if (*p >= 0xc0)
			return p + 2;
		if (!*p)
			return p + 1;
		p += *p + 1;
	}
	return end;
}

/* Of the first record of the answer, where it is an address 10.VERSION.x.y; else 0. */
static unsigned version_of(const uint8_t *message, size_t size)
{
	const uint8_t *end = message + size, *p;

	if (!(message[6] | message[7]))
		return 0;
	p = skip_name(message + HEADER, end);
	if (end - p < 4)
		return 0;
	p = skip_name(p + 4, end);
	if (end - p < 14 || p[0] || p[1] != 1 || p[10] != 10)
		return 0;
	return p[11];
}

static void note_version(unsigned version, uint64_t sent, uint64_t now)
{
	if (version == results.version) {
		results.new_answers++;
		if (!results.first_new)
			results.first_new = now;
		return;
	}
	results.old_answers++;
	results.last_old = now;
	results.last_old_sent = sent;
	if (results.first_new && sent > results.first_new)
		results.old_after_new++;
}

void results_note(const uint8_t *message, size_t size, size_t whole_size, uint64_t sent, uint64_t now)
{
	uint64_t took = now > sent ? now - sent : 0;
	unsigned version;

	results.answered++;
	results.octets += whole_size;
	results.rcode[message[3] & 15]++;
	results.truncated += message[2] >> 1 & 1;
	results.with_data += (message[6] | message[7]) != 0;
	results.latency[step_of(took)]++;
	if (took > results.latency_max)
		results.latency_max = took;
	if (results.version && (version = version_of(message, size)))
		note_version(version, sent, now);
}

void results_print(const struct options *o, double seconds, const uint64_t cpu[PIDS_MAX])
{
	printf("{\"seconds\":%.6f,\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"late\":%" PRIu64,
		seconds, results.sent, results.answered, results.lost, results.late);
	printf(",\"octets\":%" PRIu64 ",\"with_data\":%" PRIu64 ",\"truncated\":%" PRIu64 ",\"failed_connections\":%" PRIu64,
		results.octets, results.with_data, results.truncated, results.failed_connections);
	printf(",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 ",\"p999_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 ",\"rcode\":{",
		latency_at(.5), latency_at(.99), latency_at(.999), results.latency_max);
	for (unsigned i = 0, n = 0; i < 16; i++)
		if (results.rcode[i])
			printf("%s\"%u\":%" PRIu64, n++ ? "," : "", i, results.rcode[i]);
	printf("},\"cpu_ns\":{");
	for (unsigned i = 0; i < o->pid_count; i++)
		printf("%s\"%d\":%" PRIu64, i ? "," : "", (int)o->pids[i], cpu[i]);
	printf("}");
	if (results.version)
		printf(",\"old\":%" PRIu64 ",\"new\":%" PRIu64 ",\"old_after_new\":%" PRIu64 ",\"first_new_ns\":%" PRIu64
			",\"last_old_ns\":%" PRIu64 ",\"last_old_sent_ns\":%" PRIu64, results.old_answers, results.new_answers,
			results.old_after_new, results.first_new, results.last_old, results.last_old_sent);
	printf("}\n");
}
