noinst_LIBRARIES += src/control/libcontrol.a
src_control_libcontrol_a_SOURCES = \
	src/control/client.c src/control/client.h \
	src/control/commands.c src/control/commands.h \
	src/control/lines.c src/control/lines.h \
	src/control/reply.c \
	src/control/request.c \
	src/control/rows.c src/control/rows.h \
	src/control/set_name.c
EXTRA_DIST += src/control/PROTOCOL.md
