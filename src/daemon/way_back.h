/*
 * The commands that take a switch back, as they are shown to people: always
 * ones that would do it if they were given now.
 */
#ifndef DAEMON_WAY_BACK_H
#define DAEMON_WAY_BACK_H

#include <jansson.h>

#include "daemon/rows_json.h"

/* "schwenk rollback ZONE", or --group where group is not empty; buf of
 * SET_TEXT_MAX + 32; returns buf. */
char *back_command(char *buf, size_t size, const char *group, const uint8_t *apex);
/* Would `schwenk rollback --group` take back something of this entry? Not where
 * it is no longer the group's last switch, all its members are back by
 * themselves, or the sets that they had are gone. Of a confirmed switch of very
 * many zones the first 1,000 are looked at. */
bool back_by_group(struct catalog_txn *, const struct history_row *);
/* The command that takes back what still stands of an entry of the history: of
 * its group, or of up to ten zones that were not switched again since; null
 * where there is nothing. Owned by the caller. */
json_t *back_of_entry(struct catalog_txn *, const struct history_row *);
/* The same after a command for a group that moved nothing. Zones that were
 * switched one by one are named so: the group's command would not take them
 * back, unless the group was confirmed, and its switch with it. */
json_t *back_of_group(struct catalog_txn *, const char *group, const struct switch_result *, bool confirm);

#endif
