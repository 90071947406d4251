#include "names.h"

#include <stdlib.h>
#include <string.h>

#define HOT_NAMES   1000
#define DIGITS      "abcdefghijklmnopqrstuvwxyz234567"
#define SUFFIX_BITS 30
#define SUFFIX_MASK ((UINT64_C(1) << SUFFIX_BITS) - 1)

static uint64_t mixed(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t random_next(uint64_t *state)
{
	*state += UINT64_C(0x9e3779b97f4a7c15);
	return mixed(*state);
}

static uint64_t hash_of(const struct names *n, uint64_t i)
{
	return mixed(n->seed * UINT64_C(0x9e3779b97f4a7c15) + i + 1);
}

/* Up to seven letters that come from the hash, then six that are i itself,
 * scrambled by steps that can be taken back: no two labels are equal. */
size_t name_label(const struct names *n, uint64_t i, char out[LABEL_MAX])
{
	uint64_t hash = hash_of(n, i), s = i & SUFFIX_MASK;
	size_t size = hash % 8;

	hash /= 8;
	for (size_t k = 0; k < size; k++, hash /= 32)
		out[k] = DIGITS[hash % 26];
	s = s * 0x2545f491 & SUFFIX_MASK;
	s ^= s >> 15;
	s = s * 0x1b873593 & SUFFIX_MASK;
	for (int shift = SUFFIX_BITS - 5; shift >= 0; shift -= 5)
		out[size++] = DIGITS[s >> shift & 31];
	out[size] = 0;
	return size;
}

enum kind name_kind(const struct names *n, uint64_t i)
{
	static const struct { uint8_t below, kind; } share[] = {
		{ 63, KIND_ADDRESS }, { 70, KIND_TWO_ADDRESSES }, { 80, KIND_BOTH }, { 85, KIND_CNAME }, { 90, KIND_MX },
		{ 95, KIND_TXT }, { 98, KIND_DELEGATION }, { 99, KIND_SRV }, { 100, KIND_DEEP },
	};
	uint64_t percent = hash_of(n, i) >> 40, k = 0;

	percent %= 100;
	while (percent >= share[k].below)
		k++;
	return share[k].kind;
}

/* ---- zone text ----------------------------------------------------------------- */

static void write_soa(FILE *f, uint32_t serial)
{
	fprintf(f, "$TTL 3600\n@ SOA ns1 hostmaster %u 7200 900 1209600 300\n@ NS ns1\n", serial);
}

/* A name with an address: no chains, which servers follow to different lengths. */
static void cname_target(const struct names *n, uint64_t i, char out[LABEL_MAX])
{
	uint64_t at = hash_of(n, i);

	for (unsigned tries = 0; tries < 100; tries++, at++)
		if (name_kind(n, at % n->count) <= KIND_BOTH) {
			name_label(n, at % n->count, out);
			return;
		}
	strcpy(out, "www");
}

static void write_name(FILE *f, const struct names *n, uint64_t i, unsigned version)
{
	char label[LABEL_MAX], target[LABEL_MAX];
	unsigned x = i >> 8 & 255, y = i & 255;

	name_label(n, i, label);
	switch (name_kind(n, i)) {
	case KIND_ADDRESS:
		fprintf(f, "%s A 10.%u.%u.%u\n", label, version, x, y);
		break;
	case KIND_TWO_ADDRESSES:
		fprintf(f, "%s A 10.%u.%u.%u\n%s A 10.%u.%u.%u\n", label, version, x, y, label, version, x, y ^ 128);
		break;
	case KIND_BOTH:
		fprintf(f, "%s A 10.%u.%u.%u\n%s AAAA 2001:db8:%x::%x:%x\n", label, version, x, y, label, version, x + 1, y + 1);
		break;
	case KIND_CNAME:
		cname_target(n, i, target);
		fprintf(f, "%s CNAME %s\n", label, target);
		break;
	case KIND_MX:
		fprintf(f, "%s A 10.%u.%u.%u\n%s MX 10 mail%u\n", label, version, x, y, label, y % 4);
		break;
	case KIND_TXT:
		fprintf(f, "%s A 10.%u.%u.%u\n%s TXT \"v=spf1 ip4:10.%u.%u.0/24 include:mail%u.%s -all\"\n", label, version, x, y,
			label, version, x, y % 4, BIG_APEX);
		break;
	case KIND_DELEGATION:
		fprintf(f, "%s NS ns1.%s\n%s NS ns2.%s\nns1.%s A 10.%u.%u.%u\nns2.%s A 10.%u.%u.%u\n", label, label, label, label,
			label, version, x, y, label, version, x, y ^ 128);
		break;
	case KIND_SRV:
		fprintf(f, "_sip._tcp.%s SRV 10 5 5060 www\n", label);
		break;
	case KIND_DEEP:
		fprintf(f, "www.%s A 10.%u.%u.%u\n", label, version, x, y);
		break;
	}
}

void write_big_zone(FILE *f, const struct names *n, unsigned version, uint32_t serial)
{
	fprintf(f, "$ORIGIN %s.\n", BIG_APEX);
	write_soa(f, serial);
	fprintf(f, "@ NS ns2\n@ MX 10 mail0\n@ A 10.%u.0.1\nns1 A 10.%u.0.2\nns2 A 10.%u.0.3\nwww A 10.%u.0.4\n*.dyn A 10.%u.0.5\n",
		version, version, version, version, version);
	for (unsigned k = 0; k < 4; k++)
		fprintf(f, "mail%u A 10.%u.0.%u\n", k, version, 10 + k);
	for (uint64_t i = 0; i < n->count; i++)
		write_name(f, n, i, version);
}

void write_small_zone(FILE *f, const char *apex, uint64_t i, unsigned version, uint32_t serial)
{
	unsigned x = i >> 8 & 255, y = i & 255;

	fprintf(f, "$ORIGIN %s.\n", apex);
	write_soa(f, serial);
	fprintf(f, "@ A 10.%u.%u.%u\nns1 A 10.%u.0.2\nwww A 10.%u.%u.%u\n", version, x, y, version, version, x, y);
}

/* ---- questions ------------------------------------------------------------------- */

#define TYPE_A    1
#define TYPE_MX   15
#define TYPE_TXT  16
#define TYPE_AAAA 28
#define TYPE_SRV  33

int mix_from_text(const char *text, enum mix *mix)
{
	static const char *const names[] = { "random", "hot", "nxdomain", "address", "zones" };

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(text, names[i])) {
			*mix = (enum mix)i;
			return 0;
		}
	return -1;
}

void questions_begin(struct questions *q, const struct names *names, enum mix mix, uint64_t seed)
{
	double sum = 0;

	*q = (struct questions){ .names = *names, .mix = mix, .state = mixed(seed + 77) };
	if (mix != MIX_HOT || !(q->zipf = calloc(HOT_NAMES, sizeof *q->zipf)))
		return;
	for (unsigned k = 0; k < HOT_NAMES; k++)
		q->zipf[k] = sum += 1.0 / (k + 1);
}

void questions_end(struct questions *q)
{
	free(q->zipf);
}

static uint64_t draw_zipf(struct questions *q)
{
	double at = (double)(random_next(&q->state) >> 11) / (double)(UINT64_C(1) << 53) * q->zipf[HOT_NAMES - 1];
	unsigned low = 0, high = HOT_NAMES - 1;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (q->zipf[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	/* the hot names lie anywhere in the zone */
	return mixed(low + 1) % q->names.count;
}

/* A name in presentation form, without a final dot. */
static size_t to_wire(uint8_t *out, const char *name, uint16_t type)
{
	size_t at = 0;

	while (*name) {
		size_t n = strcspn(name, ".");

		out[at++] = (uint8_t)n;
		memcpy(out + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	out[at++] = 0;
	out[at++] = (uint8_t)(type >> 8);
	out[at++] = (uint8_t)type;
	out[at++] = 0;
	out[at++] = 1;
	return at;
}

static size_t ask_name(struct questions *q, uint64_t i, uint8_t *out)
{
	char label[LABEL_MAX], text[64];
	const char *before = "";
	uint16_t type = TYPE_A;

	name_label(&q->names, i, label);
	switch (name_kind(&q->names, i)) {
	case KIND_BOTH:
		type = random_next(&q->state) & 1 ? TYPE_A : TYPE_AAAA;
		break;
	case KIND_MX:
		type = TYPE_MX;
		break;
	case KIND_TXT:
		type = TYPE_TXT;
		break;
	case KIND_SRV:
		before = "_sip._tcp.";
		type = TYPE_SRV;
		break;
	case KIND_DELEGATION:
	case KIND_DEEP:
		before = "www.";
		break;
	default:
		break;
	}
	snprintf(text, sizeof text, "%s%s.%s", before, label, BIG_APEX);
	return to_wire(out, text, type);
}

static size_t ask_existing(struct questions *q, uint8_t *out)
{
	char label[LABEL_MAX], text[64];

	if (random_next(&q->state) % 100 == 0) {
		name_label(&q->names, random_next(&q->state) & SUFFIX_MASK, label);
		snprintf(text, sizeof text, "%s.dyn.%s", label, BIG_APEX);
		return to_wire(out, text, TYPE_A);
	}
	return ask_name(q, random_next(&q->state) % q->names.count, out);
}

static size_t ask_absent(struct questions *q, uint8_t *out)
{
	char label[LABEL_MAX], text[64];

	name_label(&q->names, NAMES_MAX + random_next(&q->state) % NAMES_MAX, label);
	snprintf(text, sizeof text, "%s.%s", label, BIG_APEX);
	return to_wire(out, text, TYPE_A);
}

static size_t ask_address(struct questions *q, uint8_t *out)
{
	uint64_t i;

	do
		i = random_next(&q->state) % q->names.count;
	while (name_kind(&q->names, i) != KIND_ADDRESS);
	return ask_name(q, i, out);
}

static size_t ask_zone(struct questions *q, uint8_t *out)
{
	char label[LABEL_MAX], text[64];
	uint64_t i = random_next(&q->state) % q->names.count;

	name_label(&q->names, i, label);
	snprintf(text, sizeof text, "%s%s.%s", random_next(&q->state) & 1 ? "www." : "", label, SMALL_TLD);
	return to_wire(out, text, TYPE_A);
}

size_t question_next(struct questions *q, uint8_t out[QUERY_MAX])
{
	switch (q->mix) {
	case MIX_HOT:
		return ask_name(q, draw_zipf(q), out);
	case MIX_NXDOMAIN:
		return ask_absent(q, out);
	case MIX_ADDRESS:
		return ask_address(q, out);
	case MIX_ZONES:
		return ask_zone(q, out);
	default:
		return ask_existing(q, out);
	}
}
