/*
 * Turns on the CPU, where cores are busy: who answers or switches comes before
 * who does bulk work, though all have the same share.
 *
 * None of this has an effect before Linux 6.12, or where whoever started us
 * has chosen another policy than the ordinary one.
 */
#ifndef BASE_TURN_H
#define BASE_TURN_H

/* Short turns: main, workers, the writer. They do little at a time, and others
 * wait for it. */
void turn_short(void);
/* Longer ones, which give way to short ones and end where turn_over is called:
 * loaders, and the writer while it does bulk work. For the calling thread. */
void turn_bulk(void);

extern _Thread_local int turn_left;    /* until turn_look, in units of 10 ns; 0: turns are not bulk */
void turn_look(void);

/* In the loops of bulk work: what was done since the last call took about so
 * much time, in units of 10 ns. */
static inline void turn_over(int cost)
{
	if (turn_left > 0 && (turn_left -= cost) <= 0)
		turn_look();
}

#endif
