/* Answers out of a real store: hundreds of zones, in batches, each from the zone
 * that it is of and from the set that is live. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer/answer.h"
#include "base/bytes.h"
#include "store_scene.h"
#include "wire/query.h"
#include "wire/rrtype.h"

#define ZONES 300               /* enough for the reader to fetch them ahead */
#define REPLY_MAX 1232

static struct scene scene;

static const char *zone_name(unsigned number, char buf[32])
{
	snprintf(buf, 32, "z%u.example", number);
	return buf;
}

static int setup(void **state)
{
	memset(&scene, 0, sizeof scene);
	scene.base = scene_fast_base();
	scene_begin(&scene);
	for (unsigned i = 0; i < ZONES; i++) {
		char name[32], at[64], text[64];

		zone_name(i, name);
		must(&scene, scene_zone_add(&scene, name));
		snprintf(text, sizeof text, "old %u", i);
		must(&scene, scene_import_text(&scene, name, "old", 1, text));
		snprintf(text, sizeof text, "new %u", i);
		must(&scene, scene_import_text(&scene, name, "new", 2, text));
		snprintf(at, sizeof at, "%s@%s", name, i % 3 ? "old" : "new");
		/* of every seventh nothing is live */
		if (i % 7)
			must(&scene, scene_cutover(&scene, at, false, NULL));
	}
	return 0;
}

static int teardown(void **state)
{
	assert_sound(&scene);
	scene_end(&scene);
	return 0;
}

/* ---- asking ------------------------------------------------------------ */

struct asked { unsigned zone; const char *owner; uint8_t query[DNS_HEADER_SIZE + NAME_MAX_SIZE + 4]; uint16_t size; uint8_t reply[REPLY_MAX]; };

static void make(struct asked *q, unsigned zone, const char *owner)
{
	char name[32], full[64];
	const char *reason;
	size_t n = DNS_HEADER_SIZE;

	q->zone = zone;
	q->owner = owner;
	snprintf(full, sizeof full, "%s.%s", owner, zone_name(zone, name));
	memcpy(q->query, "\0\0\1\0\0\1\0\0\0\0\0\0", n);
	n += name_from_text(q->query + n, full, strlen(full), NULL, false, &reason);
	store_be16(q->query + n, TYPE_TXT);
	store_be16(q->query + n + 2, CLASS_IN);
	q->size = (uint16_t)(n + 4);
}

/* What is wrong with a reply; 0: nothing. */
static int judge(const struct asked *q, const struct answer_job *job)
{
	bool live = q->zone < ZONES && q->zone % 7, there = strcmp(q->owner, "www") == 0;
	unsigned rcode = live ? there ? RCODE_NOERROR : RCODE_NXDOMAIN : RCODE_REFUSED;
	char text[64];

	snprintf(text, sizeof text, "%s %u", q->zone % 3 ? "old" : "new", q->zone);
	if (job->reply_size < DNS_HEADER_SIZE || (job->reply[3] & 15) != rcode)
		return 1;
	if (load_be16(job->reply + 6) != (live && there))
		return 2;
	if (live && there && memcmp(job->reply + job->reply_size - strlen(text), text, strlen(text)) != 0)
		return 3;
	return 0;
}

static int ask_batches(struct answerer *a, struct store_reader *r)
{
	static struct asked asked[ANSWER_BATCH];
	struct answer_job jobs[ANSWER_BATCH];
	struct err err = ERR_INIT;
	int bad = 0;

	for (unsigned round = 0; round < 40 && !bad; round++) {
		for (unsigned i = 0; i < ANSWER_BATCH; i++) {
			/* some are of no zone here */
			make(&asked[i], (round * 61 + i * 17) % (ZONES + 20), i % 4 ? "www" : "none");
			jobs[i] = (struct answer_job){ .query = asked[i].query, .query_size = asked[i].size, .reply = asked[i].reply,
				.reply_capacity = REPLY_MAX };
		}
		if (snapshot_begin(r, &err))
			return 4;
		answer_batch(a, r, jobs, ANSWER_BATCH);
		snapshot_end(r);
		for (unsigned i = 0; i < ANSWER_BATCH && !bad; i++)
			bad = judge(&asked[i], &jobs[i]);
	}
	return bad;
}

static int ask(const struct scene *s)
{
	static const struct answer_options options = { .udp_payload_max = REPLY_MAX };
	struct err err = ERR_INIT;
	struct store_reader *r;
	struct answerer *a;
	int bad;

	if (store_reader_open(&r, s->dir, &err))
		return 5;
	a = answerer_new(&options, store_hash_key(r));
	bad = a ? ask_batches(a, r) : 6;
	answerer_free(a);
	store_reader_close(r);
	return bad;
}

static void batches_of_many_zones(void **state)
{
	/* a store is open once in a process */
	scene_close(&scene);
	assert_int_equal(ask(&scene), 0);
	must(&scene, scene_open(&scene));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_of_many_zones),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
