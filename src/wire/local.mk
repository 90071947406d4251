noinst_LIBRARIES += src/wire/libwire.a
src_wire_libwire_a_SOURCES = \
	src/wire/cookie.c src/wire/cookie.h \
	src/wire/edns.c src/wire/edns.h \
	src/wire/name.c src/wire/name.h \
	src/wire/nsec3.c src/wire/nsec3.h \
	src/wire/query.c src/wire/query.h \
	src/wire/response.c src/wire/response.h \
	src/wire/rrtype.c src/wire/rrtype.h \
	src/wire/tsig.c src/wire/tsig.h
