/* What is peculiar to people: colour, the progress bar, questions. */
#ifndef TOOL_TERMINAL_H
#define TOOL_TERMINAL_H

#include "tool/tool.h"

enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW };

void terminal_setup(struct tool *);
/* Writes text with control octets made harmless: what comes from zone files
 * and notes must not steer the terminal. */
void terminal_put(FILE *, const char *text);
/* The same, of what must not begin a line of its own: a note that looks like
 * another entry of the history. */
void terminal_put_line(FILE *, const char *text);
void terminal_colour(struct tool *, enum colour);       /* on out; PLAIN ends */
/* "schwenk: error: TEXT" on say. */
void terminal_error(struct tool *, const char *text);
/* 1,234,567 */
char *terminal_number(int64_t, char buf[32]);
/* "1 zone", "1,234 zones": one is what the things are called, singly. */
#define COUNT_TEXT 64
char *terminal_count(int64_t, const char *one, char buf[COUNT_TEXT]);
/* RFC 3339 in UTC → the local time, for people; what is no time stays. */
char *terminal_time(const char *rfc3339, char buf[32]);
char *terminal_bytes(int64_t octets, char buf[32]);

void terminal_progress_start(struct tool *);
void terminal_progress(struct tool *, const json_t *progress);
void terminal_progress_clear(struct tool *);
/* The bar as a line without control octets; for the above, and tests. */
void terminal_progress_text(char *buf, size_t size, const json_t *progress, double seconds);

/* Asks; gives one of the letters, or 0: standard input has ended. */
char terminal_ask(struct tool *, const char *question, const char *letters);

#endif
