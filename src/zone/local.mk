noinst_LIBRARIES += src/zone/libzone.a
src_zone_libzone_a_SOURCES = \
	src/zone/canonical.c src/zone/canonical.h \
	src/zone/change.c src/zone/change_internal.h \
	src/zone/change_after.c src/zone/change_check.c src/zone/change_read.c \
	src/zone/change_touched.c src/zone/change_write.c \
	src/zone/check.c src/zone/check.h \
	src/zone/check_view.c \
	src/zone/denials.c src/zone/denials.h \
	src/zone/diff.c \
	src/zone/digest.c src/zone/digest.h \
	src/zone/fold.c \
	src/zone/gather.c src/zone/gather.h \
	src/zone/load.c src/zone/load.h \
	src/zone/owners.c src/zone/owners.h \
	src/zone/parse.c src/zone/parse.h \
	src/zone/pieces.c src/zone/pieces.h \
	src/zone/print.c src/zone/print.h \
	src/zone/rdata.c src/zone/rdata.h src/zone/rdata_internal.h \
	src/zone/rdata_codes.c src/zone/rdata_fields.c src/zone/rdata_ldns.c \
	src/zone/records.c src/zone/records.h \
	src/zone/rules.c src/zone/rules.h \
	src/zone/scan.c src/zone/scan.h \
	src/zone/signing.c src/zone/signing.h \
	src/zone/sort.c src/zone/sort.h \
	src/zone/spare.c \
	src/zone/verify.c src/zone/verify.h \
	src/zone/zonemd.c src/zone/zonemd.h
