# System tests: the real daemon, real sockets; a file per guarantee. Each
# prints a line a case and ends with "N passed, N failed".
check_PROGRAMS += tests/support/dnsload
tests_support_dnsload_SOURCES = tests/support/dnsload.c tests/support/dnsload.h \
	tests/support/dnsload_message.c tests/support/dnsload_verdict.c

SYSTEM_TESTS = \
	tests/system/load_client.py \
	tests/system/access.py \
	tests/system/answers.py \
	tests/system/atomic.py \
	tests/system/backup.py \
	tests/system/bad_input.py \
	tests/system/changes.py \
	tests/system/cookies.py \
	tests/system/durable.py \
	tests/system/faults.py \
	tests/system/flows.py \
	tests/system/full_disk.py \
	tests/system/history.py \
	tests/system/jobs.py \
	tests/system/killed.py \
	tests/system/limits.py \
	tests/system/lists.py \
	tests/system/many.py \
	tests/system/privileges.py \
	tests/system/serials.py \
	tests/system/service.py \
	tests/system/signed.py \
	tests/system/staging.py \
	tests/system/start.py \
	tests/system/tcp.py \
	tests/system/tour.py \
	tests/system/unread.py \
	tests/system/way_back.py
TESTS += $(SYSTEM_TESTS)
EXTRA_DIST += $(SYSTEM_TESTS) tests/support/schwenk.py tests/support/full.py tests/system/store-schema-1.tar.xz

# The daemon, the tool and the load client are built before any of them runs.
$(SYSTEM_TESTS:.py=.log): src/daemon/schwenkd src/tool/schwenk tests/support/dnsload
