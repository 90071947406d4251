# unit tests of wire
check_PROGRAMS += tests/unit/wire_name_test tests/unit/wire_query_test
TESTS += tests/unit/wire_name_test tests/unit/wire_query_test
tests_unit_wire_name_test_SOURCES = tests/unit/wire_name_test.c
tests_unit_wire_name_test_LDADD = src/wire/libwire.a src/base/libbase.a $(LDNS_LIBS) $(CMOCKA_LIBS)
tests_unit_wire_query_test_SOURCES = tests/unit/wire_query_test.c
tests_unit_wire_query_test_LDADD = src/wire/libwire.a src/base/libbase.a $(CMOCKA_LIBS)
