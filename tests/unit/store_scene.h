/*
 * A store in a temporary directory, and the steps that tests take in it. Steps
 * return 0 or -1 with err set, as the store does; must() is for tests in which
 * they have to succeed.
 *
 * LMDB must not be open twice in one process: what reads beside the writer
 * (fsck, a copy, a reader) runs in a child of its own, by in_child().
 */
#ifndef TESTS_STORE_SCENE_H
#define TESTS_STORE_SCENE_H

#include "image_model.h"
#include "store/catalog.h"
#include "store/snapshot.h"
#include "store/writer.h"

struct scene {
	char dir[256];
	struct store_writer *writer;    /* NULL: closed */
	uint64_t map;                   /* octets of each environment; 0: 64 MiB */
	const char *base;               /* where to make the directory; NULL: $TMPDIR, /tmp */
	struct err err;                 /* of the last step */
};

extern const struct who scene_who;

/* $TMPDIR, else a directory in memory where there is one: for tests that make
 * stores by the thousand. */
const char *scene_fast_base(void);
/* Makes the directory and opens the writer. */
void scene_begin(struct scene *);
int scene_open(struct scene *);
void scene_close(struct scene *);
/* Closes, and removes the directory. */
void scene_end(struct scene *);
/* Removes a directory with all in it. */
void remove_tree(const char *dir);

#define must(scene, step) must_((scene), (step), #step, __FILE__, __LINE__)
void must_(struct scene *, int rc, const char *step, const char *file, int line);
/* The step must fail with the code. */
#define must_fail(scene, code, step) must_fail_((scene), (code), (step), #step, __FILE__, __LINE__)
void must_fail_(struct scene *, const char *code, int rc, const char *step, const char *file, int line);

/* ---- steps: each a transaction of its own, committed ---- */
int scene_zone_add(struct scene *, const char *zone);
int scene_zone_remove(struct scene *, const char *zone);
struct import { const char *zone, *set; const struct model *model; uint32_t serial; bool fixed, failed, automatic;
	const struct set_signing *signing; };
/* A staged set. id: of it; may be NULL. */
int scene_import(struct scene *, const struct import *, uint64_t *id);
/* The same with a small made-up zone whose TXT record says text. */
int scene_import_text(struct scene *, const char *zone, const char *set, uint32_t serial, const char *text);
/* An edition more that leads from one model to the other. */
int scene_edit(struct scene *, const char *zone, const char *set, const struct model *from, const struct model *to, uint32_t serial);
/* A set whose SOA is signed; www has its serial as address. signing may be NULL. */
int scene_import_signed(struct scene *, const char *zone, const char *set, uint32_t serial, const struct set_signing *);
/* A spare SOA of a set whose serial is fixed. */
int scene_spare(struct scene *, const char *zone, const char *set, uint32_t serial);
int scene_fold(struct scene *, const char *zone, const char *set);
int scene_drop(struct scene *, const char *zone, const char *set);
/* zone@set, or several separated by blanks; result may be NULL, else it is to be freed. */
int scene_cutover(struct scene *, const char *sets, bool hold, struct switch_result *);
int scene_rollback(struct scene *, const char *zones, struct switch_result *);
int scene_confirm(struct scene *, const char *zones, struct switch_result *);
int scene_group_cutover(struct scene *, const char *group, const char *set, bool hold, struct switch_result *);
int scene_group_rollback(struct scene *, const char *group, struct switch_result *);
int scene_group_confirm(struct scene *, const char *group, struct switch_result *);
int scene_group(struct scene *, const char *group, const char *zones);
/* Deletes what is garbage, all of it. */
int scene_clean(struct scene *);
/* Any switch, for what the others do not say; item_count of items. */
int scene_switch(struct scene *, struct switch_request *, struct switch_result *);
int scene_items(const char *sets, struct switch_item *items, unsigned max);

/* ---- looking ---- */
void scene_zone(struct scene *, const char *zone, struct zone_row *);
void scene_set(struct scene *, const char *zone, const char *set, struct set_row *);
/* "set/serial" of the live set, "-" where there is none. */
const char *scene_live(struct scene *, const char *zone, char buf[128]);
/* All that was ever promised, in one text: zones, what is live and held, the
 * serials, and what can be switched to. */
char *scene_text(struct scene *, char *buf, size_t size);
size_t apex_of(const char *zone, uint8_t apex[NAME_MAX_SIZE]);

/* ---- beside the writer ---- */
/* Runs it in a child; its return value (0 to 99). 127: it died. */
int in_child(int (*run)(void *), void *arg);
/* Problems of the store in dir, told on stderr; -1: fsck failed. In this
 * process: no environment may be open. */
int fsck_here(const char *dir);
/* In a child; a problem fails the test. */
#define assert_sound(scene) assert_int_equal(scene_fsck(scene), 0)
int scene_fsck(struct scene *);

#endif
