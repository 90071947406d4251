/*
 * The benchmark's zones: what names they hold and what is asked of them. gen
 * writes them, load asks for them; both compute them from a number and a
 * seed, so neither needs the other's output.
 *
 * The big zone: name i has a label of 6 to 13 letters and digits, in an
 * order that has nothing to do with i, and a kind by its hash: addresses
 * (most), CNAME, MX, TXT, SRV below an empty non-terminal, a deeper name, or
 * a delegation with glue. `*.dyn` is a wildcard. Every address is
 * 10.VERSION.x.y: an answer tells which version of the zone it is of.
 *
 * A small zone: apex LABEL.test with five records.
 */
#ifndef BENCH_NAMES_H
#define BENCH_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BIG_APEX   "big.example"
#define SMALL_TLD  "test"
#define LABEL_MAX  16
#define QUERY_MAX  300
#define NAMES_MAX  (UINT64_C(1) << 29)  /* as many again do not exist: NXDOMAINs */

enum kind {
	KIND_ADDRESS, KIND_TWO_ADDRESSES, KIND_BOTH, KIND_CNAME, KIND_MX, KIND_TXT,
	KIND_DELEGATION, KIND_SRV, KIND_DEEP,
};

enum mix {
	MIX_RANDOM,     /* all kinds, over all names; 1 % below the wildcard */
	MIX_HOT,        /* the same, over 1,000 names by Zipf's law */
	MIX_NXDOMAIN,   /* names that do not exist, scattered over the zone */
	MIX_ADDRESS,    /* names with one A record, type A: every answer tells its version */
	MIX_ZONES,      /* www and apex of small zones, type A */
};

struct names {
	uint64_t seed, count;   /* names of the big zone, or small zones */
};

uint64_t random_next(uint64_t *state);
/* Without the final 0; its length. */
size_t name_label(const struct names *, uint64_t i, char out[LABEL_MAX]);
enum kind name_kind(const struct names *, uint64_t i);

void write_big_zone(FILE *, const struct names *, unsigned version, uint32_t serial);
void write_small_zone(FILE *, const char *apex, uint64_t i, unsigned version, uint32_t serial);

/* Questions to ask: their qnames in wire form with QTYPE and QCLASS. */
struct questions {
	struct names names;
	enum mix mix;
	uint64_t state;         /* of the random numbers */
	double *zipf;           /* MIX_HOT: cumulative */
};

int mix_from_text(const char *, enum mix *);
void questions_begin(struct questions *, const struct names *, enum mix, uint64_t seed);
void questions_end(struct questions *);
size_t question_next(struct questions *, uint8_t out[QUERY_MAX]);

#endif
