FUZZ_HARNESSES += tests/fuzz/query
tests_fuzz_query_SOURCES = tests/fuzz/query.c $(FUZZ_MAIN)
tests_fuzz_query_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_query_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/fuzz/query.corpus
