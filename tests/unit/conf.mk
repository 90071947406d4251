# unit tests of conf
check_PROGRAMS += tests/unit/conf_test
TESTS += tests/unit/conf_test
tests_unit_conf_test_SOURCES = tests/unit/conf_test.c
tests_unit_conf_test_LDADD = src/conf/libconf.a src/base/libbase.a $(YAML_LIBS) $(CMOCKA_LIBS)
