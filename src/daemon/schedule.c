/*
 * Since Linux 6.12 a process of the ordinary policy may ask for the length of
 * its turns (sched_setattr(2), sched_runtime): its share of the CPU stays what
 * it is, but with short turns its deadline is near when it wakes, so that it
 * gets on before who has been computing. A switch passes through main, the
 * writer, main, every worker and main again: on busy cores each step would
 * wait for the end of another's turn. Older kernels take no notice, and
 * nothing is lost by that.
 */
#include "daemon/schedule.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#define SHORT_NS 100000u        /* the least that the kernel takes */
#define LONG_NS  10000000u

/* Of linux/sched/types.h, as its first version had it: the C library of Debian
 * 12 knows neither the call nor the structure, later ones know both. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void set_turns(uint64_t ns)
{
	struct attributes a = { .size = sizeof a, .policy = SCHED_OTHER, .runtime = ns };

	errno = 0;
	a.nice = getpriority(PRIO_PROCESS, 0);
	if (errno || sched_getscheduler(0) != SCHED_OTHER)
		return;         /* whoever started us has chosen another policy */
	if (syscall(SYS_sched_setattr, 0, &a, 0u) < 0)
		log_debug("cannot ask for turns of %u us on the CPU: %s", (unsigned)(ns / 1000), strerror(errno));
}

void schedule_short_turns(void) { set_turns(SHORT_NS); }
void schedule_long_turns(void) { set_turns(LONG_NS); }
