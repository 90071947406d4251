# unit tests of ipc
check_PROGRAMS += tests/unit/ipc_channel_test
TESTS += tests/unit/ipc_channel_test
tests_unit_ipc_channel_test_SOURCES = tests/unit/ipc_channel_test.c
tests_unit_ipc_channel_test_LDADD = src/ipc/libipc.a src/base/libbase.a $(CMOCKA_LIBS)
