/*
 * A short story of a store, told step by step: imports, cutovers, edits, ways
 * back. Each step changes what was promised in one commit, so that a store is
 * at every moment as after a step, or as after the one before.
 */
#ifndef TESTS_STORE_STORY_H
#define TESTS_STORE_STORY_H

#include "store_scene.h"

#define STORY_TEXT 4096

void story_begin(void);         /* makes what is imported */
void story_end(void);
unsigned story_steps(void);
const char *story_name(unsigned step);
/* -1 with scene->err set. */
int story_step(struct scene *, unsigned step);

#endif
