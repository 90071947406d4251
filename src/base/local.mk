noinst_LIBRARIES += src/base/libbase.a
src_base_libbase_a_SOURCES = \
	src/base/arena.c src/base/arena.h \
	src/base/bytes.h \
	src/base/clock.c src/base/clock.h \
	src/base/err.c src/base/err.h \
	src/base/glob.c src/base/glob.h \
	src/base/log.c src/base/log.h \
	src/base/prefix.c src/base/prefix.h \
	src/base/property.c src/base/property.h \
	src/base/turn.c src/base/turn.h
