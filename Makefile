# The two commands are `make run` and `make test`; both install what is missing on Debian 12. README.md says more.

# How many compilers run at once. A sanitizer build of an HTTP file takes about 1.5 GB of memory.
JOBS ?= $(shell nproc)
build = cmake --preset $(1) >/dev/null && cmake --build --preset $(1) -j $(JOBS)

.DEFAULT_GOAL := help
.PHONY: help run demo test bench smoke scenarios conformance format lint release debug asan tsan soak clean

help: ## what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

run: ## install what is missing, build, and serve http://127.0.0.1:3100
	@scripts/install-dependencies build run
	@$(call build,release) --target paperclip
	@exec build/release/bin/paperclip serve

demo: ## install what is missing, build, and watch a small company of agents work (ten seconds, no model)
	@scripts/install-dependencies build run
	@$(call build,release) --target paperclip
	@exec build/release/bin/paperclip demo

test: ## install what is missing, build, and run every test
	@scripts/install-dependencies
	@scripts/test

scenarios: release ## our own HTTP conversations against the release build
	@scripts/with-server node tests/scenarios/run.mjs

conformance: release ## the conversations recorded from the reference system (needs ../shared/conformance)
	@scripts/conformance

bench: release ## measure the whole server; prints the tables of SPECIFICATION.md
	@bench/server
	@bench/engine

smoke: release ## the benchmarks' quick self check
	@bench/server --smoke
	@bench/engine --smoke

release: ## build/release: optimised, what runs
	@$(call build,release)

debug: ## build/debug: g++, for development
	@$(call build,debug)

asan: ## build/asan: clang-19 with address and undefined-behaviour sanitizers
	@$(call build,asan)

tsan: ## build with the thread sanitizer and run every unit test under it
	@$(call build,tsan)
	@ctest --preset tsan

soak: release debug ## play 100,000 stories of the engine, kill servers at every point, let 1,000 bombs go off (hours)
	@build/release/bin/paperclip-simulator --seeds 100000 --jobs $(JOBS)
	@node tests/chaos/crash-points.mjs --program build/debug/bin/paperclip
	@node tests/chaos/broken-machines.mjs --program build/debug/bin/paperclip
	@node tests/chaos/bombs.mjs --bombs 1000 --tests build/debug/bin/environments_tests

format: ## rewrite changed C++ files in the house style
	@scripts/lint --fix

lint: ## check the style of changed C++ files and run the named clang-tidy checks on them
	@scripts/lint

clean: ## remove every build tree
	@rm -rf build
