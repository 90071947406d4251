FUZZ_HARNESSES += tests/fuzz/control
tests_fuzz_control_SOURCES = tests/fuzz/control.c $(FUZZ_MAIN)
tests_fuzz_control_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_control_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/fuzz/control.corpus
