# unit tests of image
IMAGE_TEST_LIBS = src/store/libstore.a src/wire/libwire.a src/base/libbase.a $(LMDB_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS)
IMAGE_MODEL = tests/unit/image_model.c tests/unit/image_model_build.c tests/unit/image_model.h \
	tests/unit/image_assert.c tests/unit/image_assert.h
check_PROGRAMS += tests/unit/image_test tests/unit/image_delta_test tests/unit/image_check_test
TESTS += tests/unit/image_test tests/unit/image_delta_test tests/unit/image_check_test
tests_unit_image_test_SOURCES = tests/unit/image_test.c $(IMAGE_MODEL)
tests_unit_image_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_image_delta_test_SOURCES = tests/unit/image_delta_test.c $(IMAGE_MODEL)
tests_unit_image_delta_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_image_check_test_SOURCES = tests/unit/image_check_test.c $(IMAGE_MODEL)
tests_unit_image_check_test_LDADD = $(IMAGE_TEST_LIBS)
