noinst_LIBRARIES += src/zone/libzone.a
src_zone_libzone_a_SOURCES = \
	src/zone/change.c \
	src/zone/check.c src/zone/check.h \
	src/zone/check_view.c \
	src/zone/diff.c \
	src/zone/fold.c \
	src/zone/gather.c src/zone/gather.h \
	src/zone/load.c src/zone/load.h \
	src/zone/parse.c src/zone/parse.h \
	src/zone/print.c src/zone/print.h \
	src/zone/rdata.c src/zone/rdata.h \
	src/zone/records.c src/zone/records.h \
	src/zone/rules.c src/zone/rules.h \
	src/zone/scan.c src/zone/scan.h \
	src/zone/sort.c src/zone/sort.h
