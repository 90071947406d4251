# unit tests of store
STORE_SCENE = tests/unit/store_scene.c tests/unit/store_scene.h $(IMAGE_MODEL)
STORE_STORY = $(STORE_SCENE) tests/unit/store_story.c tests/unit/store_story.h \
	tests/support/record_writes.c tests/support/record_writes.h tests/support/disk.c
STORE_TESTS = tests/unit/store_catalog_test tests/unit/store_switch_test tests/unit/store_serial_test \
	tests/unit/store_power_test tests/unit/store_fail_test tests/unit/store_fsck_test \
	tests/unit/store_env_test tests/unit/store_copy_test tests/unit/store_random_test \
	tests/unit/store_format_test tests/unit/store_signed_test tests/unit/store_pages_test
check_PROGRAMS += $(STORE_TESTS)
TESTS += $(STORE_TESTS)
tests_unit_store_catalog_test_SOURCES = tests/unit/store_catalog_test.c $(STORE_SCENE)
tests_unit_store_catalog_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_switch_test_SOURCES = tests/unit/store_switch_test.c $(STORE_SCENE)
tests_unit_store_switch_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_serial_test_SOURCES = tests/unit/store_serial_test.c $(STORE_SCENE)
tests_unit_store_serial_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_power_test_SOURCES = tests/unit/store_power_test.c $(STORE_STORY)
tests_unit_store_power_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_fail_test_SOURCES = tests/unit/store_fail_test.c $(STORE_STORY)
tests_unit_store_fail_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_fsck_test_SOURCES = tests/unit/store_fsck_test.c $(STORE_STORY)
tests_unit_store_fsck_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_env_test_SOURCES = tests/unit/store_env_test.c $(STORE_STORY)
tests_unit_store_env_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_copy_test_SOURCES = tests/unit/store_copy_test.c $(STORE_STORY)
tests_unit_store_copy_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_random_test_SOURCES = tests/unit/store_random_test.c $(STORE_STORY)
tests_unit_store_random_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_pages_test_SOURCES = tests/unit/store_pages_test.c $(STORE_SCENE)
tests_unit_store_pages_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_signed_test_SOURCES = tests/unit/store_signed_test.c $(STORE_SCENE)
tests_unit_store_signed_test_LDADD = $(IMAGE_TEST_LIBS)
tests_unit_store_format_test_SOURCES = tests/unit/store_format_test.c $(IMAGE_MODEL)
tests_unit_store_format_test_LDADD = $(IMAGE_TEST_LIBS)
