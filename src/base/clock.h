/* Time, in one place, so that tests can set it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_us(void);  /* microseconds since 1970-01-01 UTC */
int64_t clock_boot_us(void);  /* CLOCK_BOOTTIME: never goes back, counts sleep */
int64_t clock_cpu_us(void);   /* CPU time of this process */
/* Tests: from now on the wall clock gives this; 0 sets it free again. */
void clock_set_wall_us(int64_t us);
/* RFC 3339 in UTC with seconds ("2026-11-24T10:00:00Z"); buf of 32 octets. */
char *clock_format(int64_t wall_us, char buf[32]);

#endif
