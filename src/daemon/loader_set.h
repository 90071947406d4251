/*
 * What the jobs that read and change sets share: a set that a request names,
 * opened; a view with one image more; rows of a difference.
 */
#ifndef DAEMON_LOADER_SET_H
#define DAEMON_LOADER_SET_H

#include "daemon/loader.h"

/* set: as it was at the edition meant. live and previous mean the editions
 * that are, and would be, served; a name means the newest. */
struct opened_set {
	struct zone_row zone;
	struct set_row set;
	bool by_name;                   /* not "ZONE", "ZONE@live" */
	struct view view;               /* images == 0: not open */
};
/* text: "ZONE@SET" or "ZONE". */
int opened_set_find(struct loader *, const char *text, struct opened_set *, struct err *);
int opened_set_open(struct loader *, struct opened_set *, struct err *);
/* What the zone serves: the live set, with the spare SOA that it serves on top. */
int opened_set_open_served(struct loader *, struct opened_set *, struct err *);
void opened_set_close(struct opened_set *);
/* "ZONE@SET", as it is called. */
char *opened_set_text(const struct opened_set *, char *buf /* SET_TEXT_MAX */);

/* An image file in front of a view: what the set will be. The view of before
 * must outlive it, and have room for one image. */
struct stacked {
	struct image_file *file;
	struct view view;
};
int stacked_open(struct stacked *, const struct view *below, int fd, uint64_t offset, uint64_t size, struct err *);
void stacked_close(struct stacked *);

/* ---- differences ------------------------------------------------------------- */

/* {"kind", "owner", "type", "old", "new"} as PROTOCOL.md has it. NULL: no memory. */
json_t *diff_row_json(const struct diff_rrset *);

/* As many rows as a reply may hold. */
#define DIFF_ROWS_MAX   1000
#define DIFF_OCTETS_MAX (1u << 20)
struct diff_rows {
	json_t *rows;
	size_t octets;
	bool more;                      /* there were more */
	struct err *err;
};
/* For zone_diff: goes on counting when the rows are full. */
int diff_rows_add(void *rows, const struct diff_rrset *);

#endif
