sbin_PROGRAMS += src/daemon/schwenkd
src_daemon_schwenkd_SOURCES = \
	src/daemon/barrier.c \
	src/daemon/children.c src/daemon/children.h \
	src/daemon/cookie_secrets.c src/daemon/cookie_secrets.h \
	src/daemon/daemon.h \
	src/daemon/listen.c src/daemon/listen.h \
	src/daemon/lock.c src/daemon/lock.h \
	src/daemon/main.c \
	src/daemon/notify.c src/daemon/notify.h \
	src/daemon/privileges.c src/daemon/privileges.h \
	src/daemon/rate_limit.c src/daemon/rate_limit.h \
	src/daemon/reload.c \
	src/daemon/role.c \
	src/daemon/stats.c \
	src/daemon/supervise.c \
	src/daemon/tcp.c src/daemon/tcp_clients.c src/daemon/tcp_clients.h \
	src/daemon/udp.c \
	src/daemon/worker.c src/daemon/worker.h \
	src/daemon/worker_limits.c src/daemon/worker_ahead.c \
	src/daemon/writer_link.c
include src/daemon/control.mk
src_daemon_schwenkd_LDADD = $(SCHWENKD_LIBS)
SCHWENKD_LIBS = \
	src/answer/libanswer.a src/zone/libzone.a src/store/libstore.a \
	src/wire/libwire.a src/control/libcontrol.a src/conf/libconf.a \
	src/ipc/libipc.a src/base/libbase.a \
	$(LDNS_LIBS) $(EVENT_LIBS) $(LMDB_LIBS) $(JANSSON_LIBS) $(YAML_LIBS) \
	$(SYSTEMD_LIBS) $(CAPNG_LIBS) $(SECCOMP_LIBS) $(IDN2_LIBS) $(XXHASH_LIBS) \
	$(SODIUM_LIBS)
dist_man_MANS += src/daemon/schwenkd.8 src/daemon/schwenkd.yaml.5
