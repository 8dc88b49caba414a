# The few commands a newcomer needs; everything else is CMake (see CMakePresets.json).
BUILD := build/release
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: help build test sanitize sanitize-address sanitize-threads demo
help:
	@echo "make build   set up this machine and build the programs into $(BUILD)/bin"
	@echo "make test    that, and build and run the tests (all but those labelled long)"
	@echo "make sanitize   unit, property and C tests under address and undefined sanitizers, many-at-once tests under the thread sanitizer"
	@echo "make demo    read a book into a memory, end, and continue it from another process"

build:
	@setup/prepare.sh build
	@cmake --build $(BUILD) --parallel $(JOBS) --target rpt rpt-lab rpt_shared
	@setup/default_model.sh

test:
	@setup/prepare.sh test
	@cmake --build $(BUILD) --parallel $(JOBS)
	@ctest --test-dir $(BUILD) --parallel $(JOBS) --output-on-failure --label-exclude '^long$$'

sanitize: sanitize-address sanitize-threads

sanitize-address:
	@setup/prepare.sh sanitize
	@cmake --build build/asan --parallel $(JOBS) --target tests_unit tests_property tests_capi
	@ctest --test-dir build/asan --parallel $(JOBS) --output-on-failure --label-regex '^(unit|property|capi)$$' --label-exclude '^long$$'

sanitize-threads:
	@setup/prepare.sh sanitize
	@cmake --build build/tsan --parallel $(JOBS) --target tests_many
	@ctest --test-dir build/tsan --output-on-failure --label-regex '^many$$'

demo:
	@setup/prepare.sh build
	@cmake --build $(BUILD) --parallel $(JOBS) --target rpt
	@setup/default_model.sh
	@demo/run.sh
