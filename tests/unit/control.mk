# unit tests of control
CONTROL_TEST_LIBS = src/control/libcontrol.a src/wire/libwire.a src/base/libbase.a $(JANSSON_LIBS) $(IDN2_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/control_test tests/unit/control_lines_test tests/unit/control_rows_test
TESTS += tests/unit/control_test tests/unit/control_lines_test tests/unit/control_rows_test
tests_unit_control_test_SOURCES = tests/unit/control_test.c
tests_unit_control_test_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_control_lines_test_SOURCES = tests/unit/control_lines_test.c
tests_unit_control_lines_test_LDADD = $(CONTROL_TEST_LIBS)
tests_unit_control_rows_test_SOURCES = tests/unit/control_rows_test.c
tests_unit_control_rows_test_LDADD = $(CONTROL_TEST_LIBS)
