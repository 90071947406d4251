noinst_LIBRARIES += src/store/libstore.a
src_store_libstore_a_SOURCES = \
	src/store/key.c src/store/key.h \
	src/store/env.c src/store/env.h src/store/large_pages.c src/store/large_pages.h src/store/map_ahead.c src/store/map_ahead.h \
	src/store/catalog.c src/store/catalog.h src/store/catalog_internal.h \
	src/store/catalog_rows.c src/store/catalog_rows.h \
	src/store/catalog_zone.c src/store/catalog_set.c src/store/catalog_edition.c src/store/catalog_group.c \
	src/store/catalog_history.c src/store/catalog_hold.c src/store/catalog_keys.c src/store/catalog_serial.c src/store/catalog_spare.c \
	src/store/catalog_switch.c src/store/catalog_plan.c src/store/catalog_plan.h \
	src/store/catalog_cutover.c src/store/catalog_rollback.c src/store/catalog_confirm.c \
	src/store/catalog_backup.c src/store/catalog_backup.h \
	src/store/signing.c src/store/signing.h \
	src/store/snapshot.c src/store/snapshot.h \
	src/store/zone_cache.c src/store/zone_cache.h \
	src/store/writer.c src/store/writer.h src/store/writer_internal.h \
	src/store/copy_in.c src/store/store_copy.c src/store/warm.c \
	src/store/fsck.c src/store/fsck_internal.h src/store/fsck_pages.c src/store/lmdb_format.h \
	src/store/fsck_catalog.c src/store/fsck_zone.c src/store/fsck_set.c src/store/fsck_group.c src/store/fsck_history.c \
	src/store/fsck_spare.c
EXTRA_DIST += src/store/FORMAT.md
include src/store/image.mk
