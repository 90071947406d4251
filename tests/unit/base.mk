# unit tests of base
BASE_TESTS = tests/unit/base_test tests/unit/base_glob_test tests/unit/base_prefix_test tests/unit/base_turn_test
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)
tests_unit_base_test_SOURCES = tests/unit/base_test.c
tests_unit_base_test_LDADD = src/base/libbase.a $(CMOCKA_LIBS)
tests_unit_base_glob_test_SOURCES = tests/unit/base_glob_test.c
tests_unit_base_glob_test_LDADD = src/base/libbase.a $(CMOCKA_LIBS)
tests_unit_base_turn_test_SOURCES = tests/unit/base_turn_test.c
tests_unit_base_turn_test_LDADD = src/base/libbase.a $(CMOCKA_LIBS)
tests_unit_base_prefix_test_SOURCES = tests/unit/base_prefix_test.c
tests_unit_base_prefix_test_LDADD = src/base/libbase.a $(CMOCKA_LIBS)
