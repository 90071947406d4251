# Unit tests: one cmocka program per module, in tests/unit; each module's
# fragment adds its own.
UNIT_LIBS = $(SCHWENKD_LIBS) $(CMOCKA_LIBS)
if HAVE_CMOCKA
include tests/unit/base.mk
include tests/unit/wire.mk
include tests/unit/image.mk
include tests/unit/store.mk
include tests/unit/edition.mk
include tests/unit/snapshot.mk
include tests/unit/answer.mk
include tests/unit/zone.mk
include tests/unit/ipc.mk
include tests/unit/control.mk
include tests/unit/conf.mk
include tests/unit/tool.mk
endif

# Includes point one way.
TESTS += tests/includes.sh
EXTRA_DIST += tests/includes.sh

include tests/system/local.mk
include tests/interop/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk

# For contrib/check: what may run side by side, and what has the machine for
# itself.
.PHONY: print-tests-side-by-side print-tests-alone
print-tests-side-by-side:
	@echo $(filter-out tests/system/% tests/interop/%,$(TESTS))
print-tests-alone:
	@echo $(filter tests/system/% tests/interop/%,$(TESTS))
