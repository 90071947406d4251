bin_PROGRAMS += src/tool/schwenk
dist_man_MANS += src/tool/schwenk.1
src_tool_schwenk_SOURCES = src/tool/main.c
src_tool_schwenk_LDADD = $(SCHWENK_LIBS)
SCHWENK_LIBS = \
	src/tool/libtool.a src/control/libcontrol.a src/conf/libconf.a \
	src/wire/libwire.a src/base/libbase.a \
	$(JANSSON_LIBS) $(YAML_LIBS) $(SMARTCOLS_LIBS) $(IDN2_LIBS)
noinst_LIBRARIES += src/tool/libtool.a
src_tool_libtool_a_SOURCES = \
	src/tool/args.c src/tool/args.h \
	src/tool/cmd_admin.c \
	src/tool/cmd_edit.c \
	src/tool/cmd_import.c \
	src/tool/cmd_sets.c \
	src/tool/cmd_switch.c \
	src/tool/cmd_zones.c \
	src/tool/commands.c \
	src/tool/files.c src/tool/files.h \
	src/tool/names.c src/tool/names.h \
	src/tool/rdata.c src/tool/rdata.h \
	src/tool/session.c src/tool/session.h \
	src/tool/show.c src/tool/show.h src/tool/show_parts.h \
	src/tool/show_signed.c src/tool/show_status.c \
	src/tool/show_switch.c \
	src/tool/table.c src/tool/table.h \
	src/tool/terminal.c src/tool/terminal.h \
	src/tool/tool.c src/tool/tool.h

# the man page, and the completion, have all that the tool has
TOOL_WORDS = tests/unit/tool_manual.sh tests/unit/tool_completion.sh
TESTS += $(TOOL_WORDS)
EXTRA_DIST += $(TOOL_WORDS)
$(TOOL_WORDS:.sh=.log): src/tool/schwenk
