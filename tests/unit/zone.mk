# unit tests of zone
check_PROGRAMS += tests/unit/zone_test tests/unit/zone_pieces_test tests/unit/zone_change_test tests/unit/zone_signed_test
TESTS += tests/unit/zone_test tests/unit/zone_pieces_test tests/unit/zone_change_test tests/unit/zone_signed_test
tests_unit_zone_test_SOURCES = tests/unit/zone_test.c tests/unit/zone_support.c tests/unit/zone_support.h
tests_unit_zone_test_LDADD = $(UNIT_LIBS)
tests_unit_zone_pieces_test_SOURCES = tests/unit/zone_pieces_test.c tests/unit/zone_support.c tests/unit/zone_support.h
tests_unit_zone_pieces_test_LDADD = $(UNIT_LIBS)
tests_unit_zone_change_test_SOURCES = tests/unit/zone_change_test.c tests/unit/zone_support.c tests/unit/zone_support.h
tests_unit_zone_change_test_LDADD = $(UNIT_LIBS)
tests_unit_zone_signed_test_SOURCES = tests/unit/zone_signed_test.c tests/unit/zone_signer.c tests/unit/zone_signer.h \
	tests/unit/zone_support.c tests/unit/zone_support.h
tests_unit_zone_signed_test_LDADD = $(UNIT_LIBS)
EXTRA_DIST += zones
