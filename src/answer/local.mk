EXTRA_DIST += src/answer/BEHAVIOUR.md
noinst_LIBRARIES += src/answer/libanswer.a
src_answer_libanswer_a_SOURCES = \
	src/answer/access.c src/answer/access.h \
	src/answer/answer.c src/answer/answer.h \
	src/answer/compose.c src/answer/compose.h \
	src/answer/denial.c src/answer/denial.h \
	src/answer/find.c src/answer/find.h
