# unit tests of image
IMAGE_TEST_LIBS = src/store/libstore.a src/wire/libwire.a src/base/libbase.a $(LMDB_LIBS) $(XXHASH_LIBS) $(CMOCKA_LIBS)
IMAGE_MODEL = tests/unit/image_model.c tests/unit/image_model.h
check_PROGRAMS += tests/unit/image_test
TESTS += tests/unit/image_test
tests_unit_image_test_SOURCES = tests/unit/image_test.c $(IMAGE_MODEL)
tests_unit_image_test_LDADD = $(IMAGE_TEST_LIBS)
