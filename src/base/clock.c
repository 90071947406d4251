#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t fixed_wall_us;

static int64_t get(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_wall_us(void) { return fixed_wall_us ? fixed_wall_us : get(CLOCK_REALTIME); }
int64_t clock_boot_us(void) { return get(CLOCK_BOOTTIME); }
int64_t clock_cpu_us(void) { return get(CLOCK_PROCESS_CPUTIME_ID); }
void clock_set_wall_us(int64_t us) { fixed_wall_us = us; }

char *clock_format(int64_t wall_us, char buf[32])
{
	time_t t = wall_us / 1000000;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(buf, "?");
	return buf;
}
