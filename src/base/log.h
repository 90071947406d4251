/*
 * One line an event, to stderr or syslog. Nobody waits for who reads it: lines
 * that find no room are counted, and the next one that does is told how many.
 *
 * stderr lines are "schwenkd[worker 2]: warning: text"; with systemd's
 * journal on stderr the level goes as an "<N>" prefix instead.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* role: "main", "worker 1", ...; copied. */
void log_open(const char *role, bool to_syslog, enum log_level level);
void log_set_level(enum log_level level);
bool log_level_from_text(const char *text, enum log_level *level);
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
