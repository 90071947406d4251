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

static bool in_memory(int fd, uint64_t at, size_t octets)
{
	unsigned char present[512];
	size_t pages = octets / 4096;
	void *p = mmap(NULL, octets, PROT_READ, MAP_SHARED, fd, (off_t)at);
	bool all = true;

	assert_true(p != MAP_FAILED && pages <= sizeof present);
	assert_int_equal(mincore(p, octets, present), 0);
	for (size_t i = 0; i < pages; i++)
		all = all && (present[i] & 1);
	munmap(p, octets);
	return all;
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
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS)
		return false;
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	return !in_memory(fd, LARGE_PAGE, LARGE_PAGE);
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

/* What is missing of a staged set is read, by one round, without a touch. */
static void test_a_round_reads_what_is_not_in_memory(void **state)
{
	struct store_warm warm = { .set = 0 };
	uint64_t end;
	int fd, n;

	import_large("one");
	scene_close(&scene);
	fd = open(images, O_RDONLY);
	end = size_of(fd) - (16 << 20);         /* behind it there may be nothing but the reserve */
	if (!forget(fd)) {
		close(fd);
		skip();
	}
	must(&scene, scene_open(&scene));
	for (int i = 0; (n = store_warm_step(scene.writer, &warm, 500, &scene.err)) == 1 && i < 10000; i++)
		usleep(1000);
	must(&scene, n);
	assert_true(warm.asked > NAMES * 20);
	for (int i = 0; i < 10000 && !in_memory(fd, large_page_down(end), LARGE_PAGE); i++)
		usleep(1000);
	for (uint64_t at = 0; at + LARGE_PAGE <= end; at += LARGE_PAGE)
		assert_true(in_memory(fd, at, LARGE_PAGE));
	warm = (struct store_warm){ .set = 0 };
	while ((n = store_warm_step(scene.writer, &warm, 500, &scene.err)) == 1)
		;
	must(&scene, n);
	assert_int_equal(warm.asked, 0);
	close(fd);
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
		with_store(test_closing_while_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
