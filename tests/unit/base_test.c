/* Errors, bytes, arena, clock, log. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

/* ---- err ----------------------------------------------------------------------- */

static void test_first_error_sticks(void **state)
{
	struct err err = ERR_INIT;

	assert_null(err.code);
	assert_int_equal(err_set(&err, ERR_PARSE, "line %d", 7), -1);
	assert_int_equal(err_set(&err, ERR_LIMIT, "another"), -1);
	assert_true(err_is(&err, ERR_PARSE));
	assert_false(err_is(&err, ERR_LIMIT));
	assert_string_equal(err.message, "line 7");
	errno = ENOENT;
	assert_int_equal(err_system(&err, "a third"), -1);
	assert_string_equal(err.message, "line 7");
	err_clear(&err);
	assert_null(err.code);
	assert_false(err_is(&err, ERR_PARSE));
	assert_string_equal(err.message, "");
	assert_int_equal(err_set(&err, ERR_LIMIT, "later"), -1);
	assert_true(err_is(&err, ERR_LIMIT));
}

static void test_no_error_wanted(void **state)
{
	errno = EIO;
	assert_int_equal(err_set(NULL, ERR_PARSE, "nobody listens"), -1);
	assert_int_equal(err_system(NULL, "nobody listens"), -1);
	assert_int_equal(err_context(NULL, "nobody listens"), -1);
}

static void test_system_errors_have_codes(void **state)
{
	static const struct { int number; const char *code; } rows[] = {
		{ ENOENT, ERR_SYSTEM }, { EIO, ERR_SYSTEM }, { ENOSPC, ERR_FULL }, { EDQUOT, ERR_FULL }, { ENOMEM, ERR_NOMEM },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = ERR_INIT;
		char want[256];

		errno = rows[i].number;
		assert_int_equal(err_system(&err, "cannot open %s", "x"), -1);
		assert_int_equal(errno, rows[i].number);
		assert_string_equal(err.code, rows[i].code);
		snprintf(want, sizeof want, "cannot open x: %s", strerror(rows[i].number));
		assert_string_equal(err.message, want);
	}
}

static void test_context_goes_in_front(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(err_context(&err, "nothing happened"), -1);
	assert_null(err.code);
	assert_string_equal(err.message, "");
	err_set(&err, ERR_RULE, "no SOA");
	err_context(&err, "line %d", 3);
	err_context(&err, "shop.zone");
	assert_string_equal(err.message, "shop.zone: line 3: no SOA");
	assert_string_equal(err.code, ERR_RULE);
}

static void test_long_messages_are_cut(void **state)
{
	struct err err = ERR_INIT;
	char text[3000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	err_set(&err, ERR_PARSE, "%s", text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
	err_context(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
	err_clear(&err);
	errno = EIO;
	err_system(&err, "%s", text);
	assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

/* ---- bytes ----------------------------------------------------------------------- */

static void test_orders_of_octets(void **state)
{
	uint8_t p[9] = { 0xee, 1, 2, 3, 4, 5, 6, 7, 8 };

	assert_int_equal(load_be16(p + 1), 0x0102);
	assert_int_equal(load_le16(p + 1), 0x0201);
	assert_int_equal(load_be32(p + 1), 0x01020304);
	assert_int_equal(load_le32(p + 1), 0x04030201);
	assert_true(load_be64(p + 1) == UINT64_C(0x0102030405060708));
	assert_true(load_le64(p + 1) == UINT64_C(0x0807060504030201));
	store_be32(p + 1, 0xa0b0c0d0);
	assert_memory_equal(p, "\xee\xa0\xb0\xc0\xd0\x05", 6);
	store_le32(p + 1, 0xa0b0c0d0);
	assert_memory_equal(p, "\xee\xd0\xc0\xb0\xa0\x05", 6);
	store_be16(p + 3, 0x0102);
	store_le16(p + 5, 0x0102);
	assert_memory_equal(p + 3, "\x01\x02\x02\x01\x07", 5);
	store_be64(p + 1, 1);
	assert_memory_equal(p + 1, "\0\0\0\0\0\0\0\1", 8);
	store_le64(p + 1, 1);
	assert_memory_equal(p + 1, "\1\0\0\0\0\0\0\0", 8);
}

static void test_cursor_writes_what_it_reads(void **state)
{
	uint8_t buf[64];
	struct cursor c = cursor_over(buf, sizeof buf);

	cursor_put_u8(&c, 0xab);
	cursor_put_be16(&c, 0x1234);
	cursor_put_le16(&c, 0x1234);
	cursor_put_be32(&c, 0xdeadbeef);
	cursor_put_le32(&c, 0xdeadbeef);
	cursor_put_be64(&c, UINT64_C(0x1122334455667788));
	cursor_put_le64(&c, UINT64_C(0x1122334455667788));
	cursor_put(&c, "tail", 4);
	cursor_put(&c, NULL, 0);
	assert_false(c.failed);
	assert_int_equal(c.at, 1 + 2 + 2 + 4 + 4 + 8 + 8 + 4);
	assert_int_equal(cursor_left(&c), sizeof buf - c.at);
	c = cursor_over(buf, c.at);
	assert_int_equal(cursor_get_u8(&c), 0xab);
	assert_int_equal(cursor_get_be16(&c), 0x1234);
	assert_int_equal(cursor_get_le16(&c), 0x1234);
	assert_int_equal(cursor_get_be32(&c), 0xdeadbeef);
	assert_int_equal(cursor_get_le32(&c), 0xdeadbeef);
	assert_true(cursor_get_be64(&c) == UINT64_C(0x1122334455667788));
	assert_true(cursor_get_le64(&c) == UINT64_C(0x1122334455667788));
	assert_memory_equal(cursor_take(&c, 4), "tail", 4);
	assert_false(c.failed);
	assert_int_equal(cursor_left(&c), 0);
}

static void test_cursor_fails_once_for_all(void **state)
{
	uint8_t buf[6] = { 1, 2, 3, 4, 5, 6 }, untouched[6];
	struct cursor c = cursor_over(buf, 3);

	memcpy(untouched, buf, sizeof buf);
	assert_int_equal(cursor_get_be16(&c), 0x0102);
	assert_int_equal(cursor_get_be16(&c), 0);       /* one octet is left */
	assert_true(c.failed);
	assert_int_equal(cursor_get_u8(&c), 0);         /* which is not given any more */
	assert_int_equal(cursor_left(&c), 0);
	assert_null(cursor_take(&c, 0));
	cursor_put_u8(&c, 9);
	cursor_put(&c, "xx", 2);
	assert_memory_equal(buf, untouched, sizeof buf);

	c = cursor_over(buf, 3);
	cursor_put_le32(&c, 0);                         /* whole or not at all */
	assert_true(c.failed);
	assert_memory_equal(buf, untouched, sizeof buf);
	c = cursor_over(buf, 3);
	assert_null(cursor_take(&c, SIZE_MAX));
	assert_true(c.failed);
	c = cursor_over(buf, 0);
	assert_non_null(cursor_take(&c, 0));
	assert_false(c.failed);
}

/* ---- arena ------------------------------------------------------------------------ */

static void test_arena(void **state)
{
	struct arena a = { .block_size = 256 };
	void *first, *large;
	uint8_t *p[100];

	first = arena_alloc(&a, 1);
	assert_non_null(first);
	assert_int_equal(a.used, 8);
	for (int i = 0; i < 100; i++) {
		p[i] = arena_alloc(&a, (size_t)i);
		assert_int_equal((uintptr_t)p[i] % 8, 0);
		memset(p[i], i, (size_t)i);
	}
	for (int i = 0; i < 100; i++)
		for (int k = 0; k < i; k++)
			assert_int_equal(p[i][k], i);
	large = arena_alloc(&a, 100000);
	assert_non_null(large);
	memset(large, 1, 100000);
	assert_string_equal(arena_strdup(&a, "kept"), "kept");
	assert_memory_equal(arena_memdup(&a, "\0x", 3), "\0x", 3);
	assert_non_null(arena_memdup(&a, NULL, 0));
	assert_null(arena_alloc(&a, SIZE_MAX - 3));
	arena_reset(&a);
	assert_int_equal(a.used, 0);
	assert_ptr_equal(arena_alloc(&a, 8), first);    /* the first block is used again */
	arena_free(&a);
	assert_int_equal(a.used, 0);
	arena_reset(&a);
	arena_free(&a);
}

/* ---- clock ------------------------------------------------------------------------- */

static void test_clock(void **state)
{
	int64_t boot = clock_boot_us(), cpu = clock_cpu_us(), wall = clock_wall_us();
	char buf[32];

	assert_true(wall > INT64_C(1700000000) * 1000000);
	assert_true(clock_boot_us() >= boot);
	for (volatile int i = 0; i < 1000000; i++)
		;
	assert_true(clock_cpu_us() >= cpu);
	clock_set_wall_us(INT64_C(1795514400) * 1000000 + 999999);
	assert_int_equal(clock_wall_us(), INT64_C(1795514400999999));
	assert_true(clock_boot_us() >= boot);           /* only the wall clock stands still */
	assert_string_equal(clock_format(clock_wall_us(), buf), "2026-11-24T10:00:00Z");
	clock_set_wall_us(0);
	assert_true(clock_wall_us() >= wall);
	assert_string_equal(clock_format(0, buf), "1970-01-01T00:00:00Z");
	assert_string_equal(clock_format(INT64_C(4102444799) * 1000000, buf), "2099-12-31T23:59:59Z");
}

/* ---- log --------------------------------------------------------------------------- */

static void test_log_levels(void **state)
{
	static const struct { const char *text; enum log_level level; } rows[] = {
		{ "error", LOG_LEVEL_ERROR }, { "warning", LOG_LEVEL_WARNING }, { "notice", LOG_LEVEL_NOTICE },
		{ "info", LOG_LEVEL_INFO }, { "debug", LOG_LEVEL_DEBUG },
	};
	enum log_level level;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(log_level_from_text(rows[i].text, &level));
		assert_int_equal(level, rows[i].level);
	}
	level = LOG_LEVEL_NOTICE;
	assert_false(log_level_from_text("loud", &level));
	assert_false(log_level_from_text("", &level));
	assert_false(log_level_from_text("Error", &level));
	assert_int_equal(level, LOG_LEVEL_NOTICE);
}

static void talk(void)
{
	char text[5000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_open("worker 2", false, LOG_LEVEL_NOTICE);
	log_error("a %s", "first");
	log_info("not wanted");
	log_warning("two\nlines\tand\x1b[1m");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("%d", 3);
	log_set_level(LOG_LEVEL_ERROR);
	log_notice("not wanted");
	log_error("%s", text);
}

/* What a process that talks writes to its stderr. */
static size_t listen_to(void (*speak)(void), const char *journal, char *said, size_t size)
{
	int fd[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fd[1], STDERR_FILENO);
		if (journal)
			setenv("JOURNAL_STREAM", journal, 1);
		else
			unsetenv("JOURNAL_STREAM");
		speak();
		_exit(0);
	}
	close(fd[1]);
	while (n < size - 1 && (got = read(fd[0], said + n, size - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return n;
}

static void test_log_lines(void **state)
{
	static const char plain[] = "schwenkd[worker 2]: error: a first\n"
		"schwenkd[worker 2]: warning: two lines and [1m\n"
		"schwenkd[worker 2]: debug: 3\n"
		"schwenkd[worker 2]: error: xxx";
	static const char journal[] = "<3>schwenkd[worker 2]: error: a first\n<4>schwenkd[worker 2]: warning: two";
	char said[8192];
	size_t n = listen_to(talk, NULL, said, sizeof said);

	assert_memory_equal(said, plain, sizeof plain - 1);
	assert_int_equal(said[n - 1], '\n');
	assert_true(n < 2048 + 256);
	n = listen_to(talk, "8:1", said, sizeof said);
	assert_memory_equal(said, journal, sizeof journal - 1);
}

/* A pipe that nobody empties holds nobody up. */
static void test_log_waits_for_nobody(void **state)
{
	char said[70000], *at;
	int fd[2], status;
	size_t n = 0, m = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int go;

		alarm(20);
		close(fd[0]);
		dup2(fd[1], STDERR_FILENO);
		unsetenv("JOURNAL_STREAM");
		log_open("main", false, LOG_LEVEL_NOTICE);
		for (int i = 0; i < 5000; i++)
			log_notice("line %d of five thousand", i);
		raise(SIGSTOP);
		for (go = 0; go < 2; go++)
			log_notice("room again, %d", go);
		_exit(0);
	}
	close(fd[1]);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	/* what is there now is read before it goes on */
	assert_int_equal(ioctl(fd[0], FIONREAD, &status), 0);
	while (n < (size_t)status && (got = read(fd[0], said + n, (size_t)status - n)) > 0)
		n += (size_t)got;
	for (size_t i = 0; i < n; i++)
		m += said[i] == '\n';
	assert_true(m > 100 && m < 5000);
	kill(pid, SIGCONT);
	n = 0;
	while ((got = read(fd[0], said + n, sizeof said - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(strtoul(said + strlen("schwenkd[main]: warning: "), &at, 10), 5000 - m);
	assert_memory_equal(at, " lines of the log were lost", 27);
	assert_non_null(strstr(at, "room again, 0\nschwenkd[main]: notice: room again, 1\n"));
	close(fd[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_error_sticks),
		cmocka_unit_test(test_no_error_wanted),
		cmocka_unit_test(test_system_errors_have_codes),
		cmocka_unit_test(test_context_goes_in_front),
		cmocka_unit_test(test_long_messages_are_cut),
		cmocka_unit_test(test_orders_of_octets),
		cmocka_unit_test(test_cursor_writes_what_it_reads),
		cmocka_unit_test(test_cursor_fails_once_for_all),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_log_levels),
		cmocka_unit_test(test_log_lines),
		cmocka_unit_test(test_log_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
