FUZZ_HARNESSES += tests/fuzz/zone
tests_fuzz_zone_SOURCES = tests/fuzz/zone.c tests/unit/zone_support.c tests/unit/zone_support.h $(FUZZ_MAIN)
tests_fuzz_zone_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_zone_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/fuzz/zone.corpus
