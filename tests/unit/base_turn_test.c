/* Turns on the CPU: what the kernel is asked for, and when it is asked to look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/turn.h"

/* Of linux/sched/types.h. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static struct attributes attributes(void)
{
	struct attributes a = { .size = sizeof a };

	assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0u), 0);
	return a;
}

/* Whoever runs the tests may have them run under another policy. */
static bool ordinary(void)
{
	return sched_getscheduler(0) == SCHED_OTHER;
}

static void test_length(void **state)
{
	if (!ordinary())
		skip();
	assert_int_equal(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 1), 0);
	turn_short();
	assert_int_equal(attributes().nice, getpriority(PRIO_PROCESS, 0));
	assert_int_equal(attributes().policy, SCHED_OTHER);
	if (!attributes().runtime)
		skip();         /* before Linux 6.12 */
	assert_int_equal(attributes().runtime, 100000);
	turn_bulk();
	assert_true(attributes().runtime > 100000);
	assert_int_equal(attributes().nice, getpriority(PRIO_PROCESS, 0));
	turn_short();
	assert_int_equal(attributes().runtime, 100000);
}

/* As often as the work's cost says; not at all where turns are short. */
static void test_looks(void **state)
{
	unsigned looks = 0;

	turn_short();
	assert_int_equal(turn_left, 0);
	turn_over(1000000);
	assert_int_equal(turn_left, 0);
	if (!ordinary())
		skip();
	turn_bulk();
	for (unsigned i = 0; i < 100000; i++) {
		int before = turn_left;

		turn_over(30);
		assert_true(turn_left > 0);
		if (turn_left > before)
			looks++;
	}
	assert_in_range(looks, 900, 1100);      /* 30 ms of work, every 30 us */
	turn_over(1000000);
	assert_true(turn_left > 0);
	turn_short();
	assert_int_equal(turn_left, 0);
}

static void test_other_policy(void **state)
{
	struct sched_param none = { 0 };

	assert_int_equal(sched_setscheduler(0, SCHED_BATCH, &none), 0);
	turn_bulk();
	assert_int_equal(turn_left, 0);
	turn_short();
	assert_int_equal(attributes().policy, SCHED_BATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_other_policy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
