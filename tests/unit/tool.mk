# unit tests of tool
check_PROGRAMS += tests/unit/tool_test
TESTS += tests/unit/tool_test
tests_unit_tool_test_SOURCES = tests/unit/tool_test.c tests/unit/tool_server.c tests/unit/tool_server.h
tests_unit_tool_test_LDADD = $(SCHWENK_LIBS) $(CMOCKA_LIBS) -lpthread
