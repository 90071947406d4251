# unit tests of store: the readers' side
check_PROGRAMS += tests/unit/snapshot_test
TESTS += tests/unit/snapshot_test
tests_unit_snapshot_test_SOURCES = tests/unit/snapshot_test.c
tests_unit_snapshot_test_LDADD = $(UNIT_LIBS)
