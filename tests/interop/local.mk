# Beside other houses' servers: the same zones in nsd, knotd and named; unbound
# and ldns validate, also while signed zones move. Skipped where they are not
# installed.
INTEROP_TESTS = \
	tests/interop/compare.py \
	tests/interop/moves.py \
	tests/interop/validate.py
TESTS += $(INTEROP_TESTS)
EXTRA_DIST += $(INTEROP_TESTS) tests/interop/ask.py tests/interop/differences.py tests/interop/judge.py \
	tests/interop/secondary.py tests/interop/servers.py tests/interop/zones.py

$(INTEROP_TESTS:.py=.log): src/daemon/schwenkd src/tool/schwenk
