# Fuzz harnesses: one LLVMFuzzerTestOneInput in tests/fuzz/NAME.c, listed in a
# fragment of its own, included below:
#
#	FUZZ_HARNESSES += tests/fuzz/NAME
#	tests_fuzz_NAME_SOURCES = tests/fuzz/NAME.c $(FUZZ_MAIN)
#	tests_fuzz_NAME_LDFLAGS = $(FUZZ_LINK)
#	tests_fuzz_NAME_LDADD = $(UNIT_LIBS)
#	EXTRA_DIST += tests/fuzz/NAME.corpus
#
# With --enable-fuzzers (clang) they are libFuzzer programs: make fuzzers.
# Without, each is linked with replay.c and run by make check over its seeds
# in tests/fuzz/NAME.corpus/ and a bounded number of mutations of them.
FUZZ_HARNESSES =
if FUZZERS
FUZZ_MAIN =
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
else
FUZZ_MAIN = tests/fuzz/replay.c
FUZZ_LINK = $(AM_LDFLAGS)
TESTS += $(FUZZ_HARNESSES)
endif
EXTRA_DIST += tests/fuzz/replay.c
check_PROGRAMS += $(FUZZ_HARNESSES)

fuzzers: $(FUZZ_HARNESSES)
print-fuzzers:
	@echo $(FUZZ_HARNESSES)

include tests/fuzz/answer.mk
include tests/fuzz/control.mk
include tests/fuzz/image.mk
include tests/fuzz/query.mk
include tests/fuzz/zone.mk
