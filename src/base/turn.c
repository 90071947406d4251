/*
 * Since Linux 6.12 a process of the ordinary policy may ask for the length of
 * its turns (sched_setattr(2), sched_runtime): its share of the CPU stays what
 * it is, but with short turns its deadline is near when it wakes, so that it
 * gets on before who has been computing. A switch passes through main, the
 * writer, main, every worker and main again: on busy cores each step would
 * wait for the end of another's turn.
 *
 * Who wakes when the other's turn is nearly over, or has had more than its
 * share just before, is not let on at once. The turn ends soon, but the kernel
 * does not see that before its next tick, which may be 4 ms away: it looks
 * only where it counts the time that was used. To ask for that time is to have
 * it counted.
 */
#include "base/turn.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define SHORT_NS   100000u      /* the least that the kernel takes */
#define BULK_NS    500000u
#define LOOK_EVERY 3000         /* 30 µs; a look takes 0.3 */

_Thread_local int turn_left;

/* Of linux/sched/types.h, as its first version had it: the C library of Debian
 * 12 knows neither the call nor the structure, later ones know both. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static bool set_turns(uint64_t ns)
{
	struct attributes a = { .size = sizeof a, .policy = SCHED_OTHER, .runtime = ns };

	errno = 0;
	a.nice = getpriority(PRIO_PROCESS, 0);
	return !errno && sched_getscheduler(0) == SCHED_OTHER && syscall(SYS_sched_setattr, 0, &a, 0u) == 0;
}

void turn_short(void)
{
	turn_left = 0;
	if (!set_turns(SHORT_NS))
		log_debug("no short turns on the CPU: %s", errno ? strerror(errno) : "the policy is not the ordinary one");
}

void turn_bulk(void)
{
	turn_left = set_turns(BULK_NS) ? LOOK_EVERY : 0;
}

void turn_look(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	turn_left = LOOK_EVERY;
}
