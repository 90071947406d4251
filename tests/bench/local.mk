# Benchmarks: run by hand, from the build directory; not in make check.
EXTRA_DIST += tests/bench/run tests/bench/switch
