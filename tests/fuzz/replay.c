/*
 * main() for a fuzz harness where there is no libFuzzer: runs it over files,
 * directories of files, and a fixed number of random mutations of each (the
 * same ones every time), so that make check notices what a fuzzer once found.
 * Without arguments the seeds are in $top_srcdir/PROGRAM.corpus.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define INPUT_MAX_SIZE (1u << 20)
#define MUTATIONS 20000                 /* of all seeds together */
#define MAX_SECONDS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A harness may have one; ours is nothing. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

struct seed {
	uint8_t *data;
	size_t size;
};

static struct seed *seeds;
static size_t seed_count;
static uint64_t state = 0x9e3779b97f4a7c15u;

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

/* The harness gets a block of exactly that size, so that ASan sees its ends. */
static void run_one(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static int read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX_SIZE);
	struct seed *more = realloc(seeds, (seed_count + 1) * sizeof(*seeds));

	if (!f || !data || !more) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	seeds = more;
	seeds[seed_count].size = fread(data, 1, INPUT_MAX_SIZE, f);
	seeds[seed_count++].data = data;
	fclose(f);
	return 0;
}

static int read_path(const char *path)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	if (stat(path, &st))
		return -1;
	if (!S_ISDIR(st.st_mode))
		return read_file(path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char inside[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
		read_file(inside);
	}
	if (dir)
		closedir(dir);
	return 0;
}

static void mutate(const struct seed *seed, uint8_t *work)
{
	size_t size = seed->size;
	unsigned i, changes = 1 + rnd(6);

	memcpy(work, seed->data, size);
	for (i = 0; i < changes && size; i++) {
		uint32_t at = rnd((uint32_t)size);

		switch (rnd(5)) {
		case 0: work[at] = (uint8_t)rnd(256); break;
		case 1: work[at] ^= (uint8_t)(1u << rnd(8)); break;
		case 2: work[at] = rnd(2) ? 0xff : 0; break;
		case 3: size = at + 1; break;
		default:
			memmove(work + rnd((uint32_t)size - at) + at, work + at, 1);
			break;
		}
	}
	run_one(work, size);
}

int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir"), *name = strrchr(argv[0], '/');
	time_t end = time(NULL) + MAX_SECONDS;
	char path[4096];
	uint8_t *work;
	size_t i;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < (size_t)argc; i++)
		if (read_path(argv[i])) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
	if (argc == 1) {
		name = name ? name + 1 : argv[0];
		if (!strncmp(name, "lt-", 3))
			name += 3;
		snprintf(path, sizeof(path), "%s/tests/fuzz/%s.corpus", top ? top : ".", name);
		read_path(path);
		if (!seed_count) {
			fprintf(stderr, "no seeds in %s\n", path);
			return 1;
		}
	}
	run_one((const uint8_t *)"", 0);
	for (i = 0; i < seed_count; i++)
		run_one(seeds[i].data, seeds[i].size);
	work = malloc(INPUT_MAX_SIZE);
	for (i = 0; work && seed_count && i < MUTATIONS && time(NULL) < end; i++)
		mutate(&seeds[i % seed_count], work);
	printf("%zu seeds, %zu mutations\n", seed_count, i);
	free(work);
	for (i = 0; i < seed_count; i++)
		free(seeds[i].data);
	free(seeds);
	return 0;
}
