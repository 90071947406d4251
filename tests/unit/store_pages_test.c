/* The page cache of the store's files: large pages, and reading ahead of what is not in memory. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "store/large_pages.h"
#include "store_scene.h"

#define A "a.example"
#define NAMES 150000
#define TMPFS 0x01021994

static struct scene scene;
static char images[512];

static int setup(void **state)
{
	memset(&scene, 0, sizeof scene);
	scene_begin(&scene);
	must(&scene, scene_zone_add(&scene, A));
	snprintf(images, sizeof images, "%s/images.mdb", scene.dir);
	return 0;
}

static int teardown(void **state)
{
	scene_end(&scene);
	return 0;
}

static void import_large(const char *set)
{
	struct import in = { .zone = A, .set = set, .serial = 1 };
	struct model m;

	model_begin(&m, A);
	model_soa(&m, 1);
	for (unsigned i = 0; i < NAMES; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%07u", i);
		model_a(&m, name, i);
	}
	in.model = &m;
	must(&scene, scene_import(&scene, &in, NULL));
	model_free(&m);
}

/* ---- looking at the cache ------------------------------------------------------------ */

static uint64_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_size;
}

/* KiB of the process that are mapped by pages of 2 MiB out of files. */
static unsigned long large_kib(void)
{
	unsigned long kib = 0, n;
	char line[256];
	FILE *f = fopen("/proc/self/smaps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "FilePmdMapped: %lu", &n) == 1)
			kib += n;
	fclose(f);
	return kib;
}

/* Octets of the file that are in memory. */
static uint64_t in_memory(int fd)
{
	uint64_t size = size_of(fd), octets = 0;
	unsigned char *present = malloc(size / 4096 + 1);
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	assert_true(present && p != MAP_FAILED);
	assert_int_equal(mincore(p, size, present), 0);
	for (size_t i = 0; i < size / 4096; i++)
		octets += present[i] & 1 ? 4096 : 0;
	munmap(p, size);
	free(present);
	return octets;
}

static bool is_large(int fd, uint64_t at)
{
	unsigned long before = large_kib();
	volatile char *p = mmap(NULL, LARGE_PAGE, PROT_READ, MAP_SHARED, fd, (off_t)at);
	bool large;

	assert_true(p != MAP_FAILED);
	(void)p[4096];
	large = large_kib() > before;
	munmap((void *)p, LARGE_PAGE);
	return large;
}

/* Has this file system such pages? */
static bool has_large_pages(void)
{
	char path[512];
	bool has;
	int fd;

	snprintf(path, sizeof path, "%s/probe", scene.dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, (off_t)(4 * LARGE_PAGE)), 0);
	large_pages_read(fd, 0, 4 * LARGE_PAGE);
	has = is_large(fd, LARGE_PAGE);
	close(fd);
	unlink(path);
	return has;
}

/* Out of the cache with it; false: this file system has nothing behind the cache, or something keeps it there. */
static bool forget(int fd)
{
	uint64_t before = in_memory(fd);
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS)
		return false;
	/* what another CPU has just had in hand does not go at once, and that may
	 * be all of the set */
	for (int i = 0; i < 500; i++) {
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		if (in_memory(fd) < before / 16)
			return true;
		usleep(1000);
	}
	return false;
}

/* ---- tests ------------------------------------------------------------------------------ */

static void test_images_come_into_large_pages(void **state)
{
	unsigned large = 0, all = 0;
	int fd;

	if (!has_large_pages())
		skip();
	import_large("one");
	import_large("two");
	fd = open(images, O_RDONLY);
	for (uint64_t at = LARGE_PAGE; at + LARGE_PAGE <= size_of(fd) - (16 << 20); at += LARGE_PAGE, all++)
		large += is_large(fd, at);
	close(fd);
	assert_true(all >= 5);
	/* the kernel gives them where memory is not in pieces */
	if (large < all)
		print_message("%u of %u pages are large\n", large, all);
	assert_true(large > all / 2);
}

static uint64_t round_asked(void)
{
	struct store_warm warm = { .set = 0 };
	int n;

	while ((n = store_warm_step(scene.writer, &warm, 500, &scene.err)) == 1)
		usleep(100);
	must(&scene, n);
	return warm.asked;
}

/* What is missing of a staged set is read, without a touch. */
static void test_a_round_reads_what_is_not_in_memory(void **state)
{
	uint64_t before, asked;
	int fd;

	import_large("one");
	/* opened before: the kernel reads ahead of what that looks at */
	scene_close(&scene);
	must(&scene, scene_open(&scene));
	fd = open(images, O_RDONLY);
	if (!forget(fd)) {
		close(fd);
		skip();
	}
	before = in_memory(fd);
	asked = round_asked();
	assert_true(asked > 0);
	/* the last pages are being read while the round is over */
	for (int i = 0; i < 1000 && round_asked(); i++)
		usleep(1000);
	assert_int_equal(round_asked(), 0);
	assert_true(in_memory(fd) >= before + asked);
	close(fd);
}

/* KiB of images.mdb in this process's page table. */
static unsigned long mapped_kib(void)
{
	unsigned long kib = 0, n;
	bool ours = false;
	char line[768];
	FILE *f = fopen("/proc/self/smaps", "r");

	while (f && fgets(line, sizeof line, f)) {
		if (strchr(line, '-') && strchr(line, '/'))
			ours = strstr(line, "images.mdb\n") != NULL;
		if (ours && sscanf(line, "Rss: %lu", &n) == 1)
			kib += n;
	}
	if (f)
		fclose(f);
	return kib;
}

static int map_all(void *dir)
{
	struct err err = ERR_INIT;
	struct store_reader *r;
	unsigned long before;
	int n;

	if (store_reader_open(&r, dir, &err))
		return 1;
	before = mapped_kib();
	while ((n = store_reader_map_ahead(r, &err)) == 1)
		;
	if (n < 0)
		return 2;
	if (mapped_kib() < before + NAMES / 1024 * 30)
		return 3;
	if (store_reader_map_ahead(r, &err) != 0)
		return 4;
	store_reader_close(r);
	return 0;
}

static void test_a_reader_maps_what_is_in_memory(void **state)
{
	import_large("one");
	assert_int_equal(in_child(map_all, scene.dir), 0);
}

/* The writer is closed while the thread reads. */
static void test_closing_while_reading(void **state)
{
	struct store_warm warm = { .set = 0 };
	int fd;

	import_large("one");
	for (int i = 0; i < 20; i++) {
		scene_close(&scene);
		fd = open(images, O_RDONLY);
		forget(fd);
		close(fd);
		must(&scene, scene_open(&scene));
		warm = (struct store_warm){ .set = 0 };
		assert_true(store_warm_step(scene.writer, &warm, 500, &scene.err) >= 0);
	}
}

#define with_store(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(test_images_come_into_large_pages),
		with_store(test_a_round_reads_what_is_not_in_memory),
		with_store(test_a_reader_maps_what_is_in_memory),
		with_store(test_closing_while_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
