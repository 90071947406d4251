# unit tests of store: editions
check_PROGRAMS += tests/unit/edition_test
TESTS += tests/unit/edition_test
tests_unit_edition_test_SOURCES = tests/unit/edition_test.c
tests_unit_edition_test_LDADD = $(UNIT_LIBS)
