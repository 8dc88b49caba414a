# The few commands a newcomer needs; everything else is CMake (see CMakePresets.json).
BUILD := build/release
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: help build test demo
help:
	@echo "make build   set up this machine and build the programs into $(BUILD)/bin"
	@echo "make test    that, and build and run the tests (all but those labelled long)"
	@echo "make demo    read a book into a memory, end, and continue it from another process"

build:
	@setup/prepare.sh build
	@cmake --build $(BUILD) --parallel $(JOBS) --target rpt rpt-lab rpt_shared

test:
	@setup/prepare.sh test
	@cmake --build $(BUILD) --parallel $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure --label-exclude '^long$$'

demo: build
	@demo/run.sh
