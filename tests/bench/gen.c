/*
 * Writes the benchmark's zones as text.
 *
 *   gen zone COUNT [VERSION [SERIAL [SEED]]]
 *       the big zone of COUNT names, on standard output
 *   gen zones DIR COUNT [VERSION [SERIAL [SEED [FROM TO]]]]
 *       COUNT small zones (or those from FROM to before TO) as DIR/APEX.zone,
 *       and their apexes, one a line, on standard output
 *   gen records COUNT [VERSION [SEED]]
 *       one A record a line, of names of the big zone that have only that:
 *       what updates may replace
 *
 * The same numbers give the same octets.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

static void usage(void)
{
	fputs("usage: gen zone COUNT [VERSION [SERIAL [SEED]]]\n"
	      "       gen zones DIR COUNT [VERSION [SERIAL [SEED [FROM TO]]]]\n"
	      "       gen records COUNT [VERSION [SEED]]\n", stderr);
	exit(2);
}

static uint64_t number(int argc, char **argv, int i, uint64_t otherwise)
{
	char *end;
	uint64_t v;

	if (i >= argc)
		return otherwise;
	errno = 0;
	v = strtoull(argv[i], &end, 10);
	if (errno || *end || end == argv[i]) {
		fprintf(stderr, "gen: %s is no number\n", argv[i]);
		exit(2);
	}
	return v;
}

static void write_small_zones(const char *dir, const struct names *names, unsigned version, uint32_t serial, uint64_t from,
	uint64_t to)
{
	char label[LABEL_MAX], apex[64], path[4096];

	for (uint64_t i = from; i < to; i++) {
		FILE *f;

		name_label(names, i, label);
		snprintf(apex, sizeof apex, "%s.%s", label, SMALL_TLD);
		snprintf(path, sizeof path, "%s/%s.zone", dir, apex);
		f = fopen(path, "w");
		if (!f) {
			fprintf(stderr, "gen: %s: %s\n", path, strerror(errno));
			exit(1);
		}
		write_small_zone(f, apex, i, version, serial);
		if (fclose(f)) {
			fprintf(stderr, "gen: %s: %s\n", path, strerror(errno));
			exit(1);
		}
		puts(apex);
	}
}

static void write_records(const struct names *names, unsigned version)
{
	char label[LABEL_MAX];

	for (uint64_t i = 0; i < names->count; i++) {
		if (name_kind(names, i) != KIND_ADDRESS)
			continue;
		name_label(names, i, label);
		printf("%s 3600 A 10.%u.%u.%u\n", label, version, (unsigned)(i >> 8 & 255), (unsigned)(i & 255));
	}
}

int main(int argc, char **argv)
{
	struct names names = { .seed = 1 };
	const char *what = argc > 2 ? argv[1] : "";
	int at = strcmp(what, "zones") ? 2 : 3;
	unsigned version = (unsigned)number(argc, argv, at + 1, 1) & 255;

	if (argc <= at)
		usage();
	names.count = number(argc, argv, at, 0);
	if (!names.count || names.count > NAMES_MAX) {
		fprintf(stderr, "gen: from 1 to %" PRIu64 " names\n", NAMES_MAX);
		return 2;
	}
	if (!strcmp(what, "zone")) {
		names.seed = number(argc, argv, 5, 1);
		write_big_zone(stdout, &names, version, (uint32_t)number(argc, argv, 4, version));
	} else if (!strcmp(what, "zones")) {
		names.seed = number(argc, argv, 6, 1);
		write_small_zones(argv[2], &names, version, (uint32_t)number(argc, argv, 5, version), number(argc, argv, 7, 0),
			number(argc, argv, 8, names.count));
	} else if (!strcmp(what, "records")) {
		names.seed = number(argc, argv, 4, 1);
		write_records(&names, version);
	} else {
		usage();
	}
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "gen: cannot write: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
