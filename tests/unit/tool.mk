# unit tests of tool
TOOL_TESTS = tests/unit/tool_args_test tests/unit/tool_files_test tests/unit/tool_test
check_PROGRAMS += $(TOOL_TESTS)
TESTS += $(TOOL_TESTS)
TOOL_TEST_SUPPORT = \
	tests/unit/tool_run.c tests/unit/tool_run.h \
	tests/unit/tool_server.c tests/unit/tool_server.h
TOOL_TEST_LIBS = $(SCHWENK_LIBS) $(CMOCKA_LIBS) -lpthread
tests_unit_tool_args_test_SOURCES = tests/unit/tool_args_test.c $(TOOL_TEST_SUPPORT)
tests_unit_tool_args_test_LDADD = $(TOOL_TEST_LIBS)
tests_unit_tool_files_test_SOURCES = tests/unit/tool_files_test.c $(TOOL_TEST_SUPPORT)
tests_unit_tool_files_test_LDADD = $(TOOL_TEST_LIBS)
tests_unit_tool_test_SOURCES = tests/unit/tool_test.c $(TOOL_TEST_SUPPORT)
tests_unit_tool_test_LDADD = $(TOOL_TEST_LIBS)
