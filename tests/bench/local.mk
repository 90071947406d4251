# Benchmarks: run by hand, from the build directory (tests/bench/README.md);
# make check only builds their programs.
check_PROGRAMS += tests/bench/answer tests/bench/gen tests/bench/limit tests/bench/load
tests_bench_answer_SOURCES = tests/bench/answer.c tests/bench/load.h tests/bench/load_pool.c \
	tests/bench/names.c tests/bench/names.h
tests_bench_answer_LDADD = src/answer/libanswer.a src/store/libstore.a src/wire/libwire.a src/base/libbase.a \
	$(LMDB_LIBS) $(XXHASH_LIBS) $(SODIUM_LIBS)
tests_bench_gen_SOURCES = tests/bench/gen.c tests/bench/names.c tests/bench/names.h
tests_bench_limit_SOURCES = tests/bench/limit.c
tests_bench_load_SOURCES = tests/bench/load.c tests/bench/load.h tests/bench/load_pool.c \
	tests/bench/load_results.c tests/bench/load_tcp.c tests/bench/load_udp.c tests/bench/names.c tests/bench/names.h
EXTRA_DIST += tests/bench/README.md tests/bench/run tests/bench/switch \
	tests/bench/content.py tests/bench/machine.py tests/bench/paths.py tests/bench/report.py \
	tests/bench/servers.py tests/bench/speed.py tests/bench/switching.py tests/bench/times.py
