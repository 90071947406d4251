# unit tests of answer
ANSWER_TEST_LIBS = src/answer/libanswer.a src/store/libstore.a src/wire/libwire.a src/base/libbase.a \
	$(LDNS_LIBS) $(LMDB_LIBS) $(XXHASH_LIBS) $(SODIUM_LIBS)
check_PROGRAMS += tests/unit/answer_test tests/unit/answer_denial_test
TESTS += tests/unit/answer_test tests/unit/answer_denial_test
tests_unit_answer_test_SOURCES = tests/unit/answer_test.c tests/unit/answer_zone.c tests/unit/answer_zone.h
tests_unit_answer_test_LDADD = $(ANSWER_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_answer_denial_test_SOURCES = tests/unit/answer_denial_test.c \
	tests/unit/answer_signed.c tests/unit/answer_signed.h tests/unit/answer_texts.h tests/unit/answer_zone.c tests/unit/answer_zone.h
tests_unit_answer_denial_test_LDADD = $(ANSWER_TEST_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/protocol_test
TESTS += tests/unit/protocol_test
EXTRA_DIST += tests/unit/protocol_cases.txt
tests_unit_protocol_test_SOURCES = tests/unit/protocol_test.c tests/unit/answer_zone.c tests/unit/answer_zone.h \
	tests/unit/reply_check.c tests/unit/reply_check.h
tests_unit_protocol_test_LDADD = $(ANSWER_TEST_LIBS) $(CMOCKA_LIBS)
