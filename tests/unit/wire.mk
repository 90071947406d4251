# unit tests of wire
WIRE_TEST_LIBS = src/wire/libwire.a src/base/libbase.a
check_PROGRAMS += tests/unit/wire_cookie_test tests/unit/wire_name_test tests/unit/wire_nsec3_test tests/unit/wire_query_test tests/unit/wire_rrtype_test
TESTS += tests/unit/wire_cookie_test tests/unit/wire_name_test tests/unit/wire_nsec3_test tests/unit/wire_query_test tests/unit/wire_rrtype_test
tests_unit_wire_cookie_test_SOURCES = tests/unit/wire_cookie_test.c
tests_unit_wire_cookie_test_LDADD = $(WIRE_TEST_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
tests_unit_wire_name_test_SOURCES = tests/unit/wire_name_test.c
tests_unit_wire_name_test_LDADD = $(WIRE_TEST_LIBS) $(LDNS_LIBS) $(CMOCKA_LIBS)
tests_unit_wire_query_test_SOURCES = tests/unit/wire_query_test.c
tests_unit_wire_query_test_LDADD = $(WIRE_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_wire_nsec3_test_SOURCES = tests/unit/wire_nsec3_test.c
tests_unit_wire_nsec3_test_LDADD = $(WIRE_TEST_LIBS) $(LDNS_LIBS) $(CMOCKA_LIBS)
tests_unit_wire_rrtype_test_SOURCES = tests/unit/wire_rrtype_test.c
tests_unit_wire_rrtype_test_LDADD = $(WIRE_TEST_LIBS) $(LDNS_LIBS) $(CMOCKA_LIBS)
