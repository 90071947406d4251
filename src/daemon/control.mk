# The control socket's side of schwenkd, the writer and the loader.
src_daemon_schwenkd_SOURCES += \
	src/daemon/backup.c src/daemon/backup.h src/daemon/backup_text.c \
	src/daemon/control_server.c \
	src/daemon/handlers.c src/daemon/handlers.h \
	src/daemon/handlers_history.c \
	src/daemon/handlers_jobs.c src/daemon/handlers_jobs.h \
	src/daemon/handlers_read.c \
	src/daemon/handlers_status.c \
	src/daemon/handlers_write.c \
	src/daemon/jobs.h \
	src/daemon/jobs_loader.c \
	src/daemon/jobs_kept.c src/daemon/jobs_portfolio.c \
	src/daemon/jobs_target.c \
	src/daemon/jobs_writer.c \
	src/daemon/loader.c src/daemon/loader.h \
	src/daemon/loader_change.c \
	src/daemon/loader_import.c src/daemon/loading.h \
	src/daemon/loader_portfolio.c \
	src/daemon/loader_read.c \
	src/daemon/loader_set.c src/daemon/loader_set.h \
	src/daemon/loader_spares.c \
	src/daemon/loader_store.c \
	src/daemon/peer_rights.c src/daemon/peer_rights.h \
	src/daemon/reading.c src/daemon/reading.h \
	src/daemon/request.h \
	src/daemon/restore.c src/daemon/restore_text.c \
	src/daemon/restore_lines.c src/daemon/restore_sets.c src/daemon/restore_internal.h \
	src/daemon/rows_json.c src/daemon/rows_json.h \
	src/daemon/way_back.c src/daemon/way_back.h \
	src/daemon/writer.c src/daemon/writer.h \
	src/daemon/writer_bulk.c src/daemon/writer_clean.c src/daemon/writer_intake.h src/daemon/writer_warm.c \
	src/daemon/writer_commands.c \
	src/daemon/writer_edition.c \
	src/daemon/writer_many.c \
	src/daemon/writer_portfolio.c \
	src/daemon/writer_spares.c \
	src/daemon/writer_switch.c
EXTRA_DIST += src/daemon/BACKUP.md
