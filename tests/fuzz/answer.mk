FUZZ_HARNESSES += tests/fuzz/answer
tests_fuzz_answer_SOURCES = tests/fuzz/answer.c $(ANSWER_PROOF_FILES) $(FUZZ_MAIN)
tests_fuzz_answer_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_answer_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/fuzz/answer.corpus
ANSWER_PROOF_FILES = \
	tests/unit/answer_layers.c tests/unit/answer_layers.h \
	tests/unit/answer_proof.c tests/unit/answer_proof.h tests/unit/answer_signed.c tests/unit/answer_signed.h \
	tests/unit/answer_texts.h tests/unit/answer_zone.c tests/unit/answer_zone.h \
	tests/unit/reply_check.c tests/unit/reply_check.h
