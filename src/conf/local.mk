noinst_LIBRARIES += src/conf/libconf.a
src_conf_libconf_a_SOURCES = \
	src/conf/conf.h \
	src/conf/options.c src/conf/options.h \
	src/conf/parse.c \
	src/conf/check.c \
	src/conf/secrets.c
