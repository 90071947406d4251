# unit tests of base
check_PROGRAMS += tests/unit/base_glob_test
TESTS += tests/unit/base_glob_test
tests_unit_base_glob_test_SOURCES = tests/unit/base_glob_test.c
tests_unit_base_glob_test_LDADD = src/base/libbase.a $(CMOCKA_LIBS)
