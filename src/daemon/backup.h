/*
 * A backup: a directory in one of two forms, which BACKUP.md describes. The
 * job `backup` (loader_store.c) makes one, restore.c puts it back.
 *
 *   binary  the store's own files, copied while in use
 *   text    the catalog as lines of JSON, and a zone file for each edition
 *
 * BACKUP.json comes last and is synced when all the rest is: a directory
 * without it is no backup.
 */
#ifndef DAEMON_BACKUP_H
#define DAEMON_BACKUP_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "store/snapshot.h"
#include "store/writer.h"

#define BACKUP_VERSION  1
#define BACKUP_MANIFEST "BACKUP.json"
#define BACKUP_CATALOG  "catalog.jsonl"
#define BACKUP_SETS     "sets"
#define BACKUP_LIST_MAX 1000            /* zones in one line */
#define BACKUP_PATH_MAX 4352

/* ---- backup.c ------------------------------------------------------------ */

extern const char *const backup_store_file[];  /* of the binary form; ends with NULL */

/* dir/name; ERR_LIMIT. */
int backup_path(char path[BACKUP_PATH_MAX], const char *dir, const char *name, struct err *);
/* {"backup", "version", "form", "schwenk", "created"}; NULL: no memory. */
json_t *backup_manifest_new(const char *form);
/* The last file of a backup; nothing of it is left where it fails. */
int backup_manifest_write(const char *dir, const json_t *, struct err *);
/* NULL with err where there is none (half a backup), or one of another
 * version; *text: which form. */
json_t *backup_manifest_read(const char *dir, bool *text, struct err *);
int backup_sync_directory(const char *dir, struct err *);
/* A set's file of an edition, without directory. newest: of all that are kept. */
char *backup_file_name(char name[256], const uint8_t *apex, const struct set_row *, uint32_t edition, bool newest);
/* The file of its spare SOAs, beside the zone file of an edition. */
char *backup_spares_name(char name[256], const char *zone_file);
/* "[set, edition]" or null. */
json_t *backup_at_json(struct set_at);

/* ---- backup_text.c --------------------------------------------------------- */

/* The whole store of one snapshot, which has begun, into an empty directory;
 * counts go into the manifest. progress: records written so far, share 0..1. */
int backup_write_text(struct store_reader *, const char *dir, json_t *manifest,
	void (*progress)(void *, uint64_t records, double share), void *arg, struct err *);
/* What backup_write_text left when it failed. */
void backup_remove_text(const char *dir);

/* ---- restore_text.c ---------------------------------------------------------- */

/* Into a new, empty store; scratch: a directory for files without a name.
 * Commits as it goes. */
int restore_read_text(struct store_writer *, const char *dir, const json_t *manifest, const char *scratch, struct err *);

#endif
