# The control socket's side of schwenkd, the writer and the loader.
src_daemon_schwenkd_SOURCES += \
	src/daemon/control_server.c \
	src/daemon/handlers_jobs.h src/daemon/loader.h \
	src/daemon/peer_rights.c src/daemon/peer_rights.h \
	src/daemon/request.h \
	src/daemon/rows_json.c src/daemon/rows_json.h \
	src/daemon/writer.c src/daemon/writer.h \
	src/daemon/writer_bulk.c src/daemon/writer_intake.h \
	src/daemon/writer_commands.c \
	src/daemon/writer_portfolio.c
