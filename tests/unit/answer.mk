# unit tests of answer
ANSWER_TEST_LIBS = src/answer/libanswer.a src/store/libstore.a src/wire/libwire.a src/base/libbase.a \
	$(LDNS_LIBS) $(LMDB_LIBS) $(XXHASH_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
ANSWER_ZONE = tests/unit/answer_zone.c tests/unit/answer_zone.h
ANSWER_PROOF = tests/unit/answer_proof.c tests/unit/answer_proof.h tests/unit/answer_signed.c tests/unit/answer_signed.h \
	tests/unit/answer_texts.h
REPLY_CHECK = tests/unit/reply_check.c tests/unit/reply_check.h
ANSWER_TESTS = tests/unit/answer_test tests/unit/answer_access_test tests/unit/answer_account_test tests/unit/answer_denial_test tests/unit/answer_odd_test tests/unit/answer_damage_test tests/unit/answer_store_test \
	tests/unit/protocol_test tests/unit/rate_limit_test
check_PROGRAMS += $(ANSWER_TESTS)
TESTS += $(ANSWER_TESTS)
EXTRA_DIST += tests/unit/protocol_cases.txt
tests_unit_answer_test_SOURCES = tests/unit/answer_test.c $(ANSWER_ZONE)
tests_unit_answer_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_answer_denial_test_SOURCES = tests/unit/answer_denial_test.c $(ANSWER_PROOF) $(ANSWER_ZONE)
tests_unit_answer_denial_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_answer_damage_test_SOURCES = tests/unit/answer_damage_test.c $(ANSWER_PROOF) $(ANSWER_ZONE)
tests_unit_answer_damage_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_answer_odd_test_SOURCES = tests/unit/answer_odd_test.c $(ANSWER_ZONE) $(REPLY_CHECK)
tests_unit_answer_odd_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_answer_store_test_SOURCES = tests/unit/answer_store_test.c $(STORE_SCENE)
tests_unit_answer_store_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_protocol_test_SOURCES = tests/unit/protocol_test.c $(ANSWER_ZONE) $(REPLY_CHECK)
tests_unit_protocol_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_answer_access_test_SOURCES = tests/unit/answer_access_test.c $(ANSWER_ZONE)
tests_unit_answer_access_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_answer_account_test_SOURCES = tests/unit/answer_account_test.c $(ANSWER_ZONE) $(REPLY_CHECK)
tests_unit_answer_account_test_LDADD = $(ANSWER_TEST_LIBS)
tests_unit_rate_limit_test_SOURCES = tests/unit/rate_limit_test.c src/daemon/rate_limit.c src/daemon/rate_limit.h
tests_unit_rate_limit_test_LDADD = $(ANSWER_TEST_LIBS)
