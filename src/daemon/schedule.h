/* How long a process's turns on the CPU are, where cores are busy. */
#ifndef DAEMON_SCHEDULE_H
#define DAEMON_SCHEDULE_H

/* Main, the writer, workers: short turns, often. They do little at a time and
 * others wait for it. */
void schedule_short_turns(void);
/* Loaders: long turns, and they give way to who has short ones. */
void schedule_long_turns(void);

#endif
