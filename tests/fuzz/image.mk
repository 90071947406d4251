FUZZ_HARNESSES += tests/fuzz/image
tests_fuzz_image_SOURCES = tests/fuzz/image.c $(FUZZ_MAIN)
tests_fuzz_image_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_image_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/fuzz/image.corpus
