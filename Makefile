# What a person needs: `make run` and `make test`. Both install what is missing, as root or by sudo.

SWIFT ?= swift
# The simulated machine is a part of the package (see Package.swift).
export STATUS2_SIMULATION := 1
# Where `make run` listens: for browsers, and for redis-cli. Where nothing is said, on 127.0.0.1:9002 and
# 127.0.0.1:6379, or on the next ports that are free.
LISTEN ?=
BROKER ?=
# What `make against-hiredis` reads: streams that are always the same. `make fuzz` takes new ones.
HIREDIS_STREAMS ?= --streams 600 --seed 1

RELEASE := .build/release/status2
TEST_PACKAGES := redis-server redis-tools python3-venv chromium chromium-driver iproute2 nginx prometheus \
	haproxy apache2-utils curl nodejs
DEPLOY_PACKAGES := debootstrap procps groff zsh fish systemd systemd-container caddy
# How many worlds `make simulate` makes, and the seed of the first.
SEEDS ?= 1000
SEED ?= 1
COVERAGE_SEEDS ?= 200
# How long `make soak` takes.
SOAK_MINUTES ?= 30

.PHONY: run test test-unit test-integration conformance conformance-quick fuzz fuzz-coverage fuzz-corpus build lint clean libraries
.PHONY: simulate simulate-coverage simulate-quick mutations
.PHONY: chaos chaos-quick soak scale scale-quick test-tools release load-tool ws-echo tests
.PHONY: against-hiredis test-pages documentation compatibility compatibility-quick compatibility-tools
.PHONY: bench bench-quick bench-check bench-codecs bench-resp bench-wsframe bench-timers bench-relay bench-tools
.PHONY: dist dist-reproducible test-deploy test-deploy-quick sanitize nightly nightly-simulation nightly-mutations
.PHONY: nightly-fuzz nightly-chaos nightly-scale nightly-deploy nightly-reproducible nightly-bench
.NOTPARALLEL:

run: release
	@LISTEN=$(LISTEN) BROKER=$(BROKER) Scripts/run

# Everything, and nothing skipped: a server that is missing is a failure here. The one exception is
# the Autobahn suite, which needs a Python that few systems still have.
test: libraries test-tools lint
	@STATUS2_REQUIRE_SERVERS=1 $(MAKE) --no-print-directory test-unit test-pages test-integration chaos-quick \
		scale-quick simulate-quick compatibility-quick
	@$(MAKE) --no-print-directory against-hiredis conformance-quick test-deploy-quick bench-check

# No server is needed; what needs one is skipped with its reason.
test-unit: tests
	@echo "Running the unit tests."
	@Scripts/quietly ' skipped|Test run with' $(SWIFT) test --skip-build

# The browser's client in Node, with sockets and a clock of the tests' own.
test-pages:
	@Scripts/require nodejs python3 node-typescript
	@echo "Running the tests of Clients/js."
	@Scripts/quietly '^# (tests|pass|fail)|not ok' node --test --test-reporter=tap Tests/Pages/*.test.mjs

# Most of the time is waiting, so that two files at a time take half as long.
test-integration: release load-tool test-tools
	@echo "Running the integration tests against $(RELEASE)."
	@STATUS2_BINARY=$(CURDIR)/$(RELEASE) PYTHONDONTWRITEBYTECODE=1 \
		.venv/bin/python -m pytest -q -rs -p no:cacheprovider -n 2 --dist loadfile Tests/Integration

CHAOS = STATUS2_BINARY=$(CURDIR)/$(RELEASE) PYTHONDONTWRITEBYTECODE=1 \
	.venv/bin/python -m pytest -rs Tests/Chaos

# Every drill of docs/chaos-playbook.md but the soak; the namespaces need root. With
# STATUS2_REPORT=directory the figures of docs/reliability.md are written there.
chaos: release test-tools
	@echo "Running the chaos drills against $(RELEASE), which takes some minutes."
	@STATUS2_REQUIRE_SERVERS=1 $(CHAOS) -m 'not soak'

# The short form, under 90 seconds, which `make test` includes.
chaos-quick: release test-tools
	@echo "Running the short form of the chaos drills against $(RELEASE)."
	@$(CHAOS) -q -m quick

# Clients come and go for SOAK_MINUTES; descriptors, memory and timers return to their level.
soak: release test-tools
	@echo "Soaking $(RELEASE) for $(SOAK_MINUTES) minutes."
	@STATUS2_SOAK_MINUTES=$(SOAK_MINUTES) $(CHAOS) -q -m soak

# status2-load against the daemon's default settings: 300 pages at the mission's cadence, SCALE_PAGES
# (9,000) over a restart of Redis, one of the daemon, a pause and a fail-over in a cluster, 1,000 that
# lose their connections at random, and SCALE_PAGES for SCALE_MINUTES (10).
# A process needs two descriptors for each page, and some more. Scripts/scale NAME does one of them.
scale: release load-tool
	@Scripts/require redis-server python3 nodejs
	@Scripts/scale

# 6,000 pages for 30 seconds, and 100 that lose their connections for 20, which `make test` includes.
scale-quick: release load-tool
	@Scripts/require redis-server python3 nodejs
	@Scripts/scale quick
	@Scripts/scale resume-quick

COMPATIBILITY = STATUS2_BINARY=$(CURDIR)/$(RELEASE) PYTHONDONTWRITEBYTECODE=1 STATUS2_REQUIRE_SERVERS=1 \
	.venv-compatibility/bin/python -m pytest -q -rs Tests/Compatibility

# The servers, browsers and WebSocket clients of the README's table. Some minutes.
compatibility: release compatibility-tools
	@Scripts/require redis-server redis-tools chromium chromium-driver firefox-esr nginx haproxy caddy
	@echo "Trying $(RELEASE) with servers, browsers and WebSocket clients."
	@$(COMPATIBILITY)

# The short form, which `make test` includes: Debian's Redis, and the clients.
compatibility-quick: release compatibility-tools
	@Scripts/require redis-server redis-tools
	@echo "Trying $(RELEASE) with WebSocket clients and Debian's Redis."
	@$(COMPATIBILITY) -m quick

compatibility-tools:
	@Scripts/require python3-venv
	@Scripts/venv .venv-compatibility Tests/Compatibility/requirements.txt

# What goes to a server: dist/ gets an archive, a Debian package and their sums. The program holds the
# Swift runtime.
dist: libraries
	@Scripts/require binutils python3
	@Scripts/dist

# Builds the commit in two fresh clones and compares the sums. Some minutes.
dist-reproducible: libraries
	@Scripts/require binutils python3
	@Scripts/dist-reproducible

DEPLOY = STATUS2_BINARY=$(CURDIR)/.build-dist/release/status2 PYTHONDONTWRITEBYTECODE=1 \
	STATUS2_REQUIRE_SERVERS=1 .venv/bin/python -m pytest -q -rs Tests/Deploy

# What dist/ and Deploy/ hold, tried as on a server: in a fresh Debian, in one that systemd has booted, as
# a container's root, behind Caddy, nginx and HAProxy. Needs root; four minutes, and one more the first
# time, for the Debian.
test-deploy: dist test-tools
	@Scripts/require $(DEPLOY_PACKAGES)
	@Scripts/lint-workflows
	@echo "Installing and deploying what is in dist."
	@$(DEPLOY)

# The short form, which `make test` includes: what needs no root file system and no waiting.
test-deploy-quick: dist test-tools
	@Scripts/require $(DEPLOY_PACKAGES)
	@Scripts/lint-workflows
	@echo "Looking over dist and Deploy, and trying the configurations of the proxies."
	@$(DEPLOY) -m 'not root and not slow'

# The unit tests with the address sanitizer, then with the thread sanitizer. A build each. Leaks are the
# soak's: a test drops a whole relay with what its sockets had not sent, and XCTest leaks by itself.
sanitize: export ASAN_OPTIONS = detect_leaks=0
sanitize: export TSAN_OPTIONS = suppressions=$(CURDIR)/Scripts/thread-sanitizer.txt
sanitize: libraries
	@for kind in address thread; do \
		echo "Running the unit tests with the $$kind sanitizer, which takes some minutes."; \
		Scripts/quietly 'Test run with|Sanitizer' $(SWIFT) test --sanitize=$$kind \
			--scratch-path .build-sanitize-$$kind || exit 1; \
	done

# What runs each night (docs/releasing.md): hours in all; each part by itself too. Where a part has
# figures, Scripts/figures holds them against the last night's: 10 % worse is a failure.
nightly: nightly-simulation nightly-mutations nightly-fuzz nightly-chaos nightly-scale nightly-deploy \
	nightly-reproducible nightly-bench compatibility sanitize

# 100,000 worlds, from a seed that is another one each night and is printed.
nightly-simulation: libraries
	@$(MAKE) --no-print-directory simulate SEEDS=100000 SEED=$$(date +%y%m%d)00000
	@Scripts/figures simulation

nightly-mutations: mutations

nightly-fuzz:
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-400} $(MAKE) --no-print-directory fuzz fuzz-coverage
	@Scripts/figures fuzz

# What a relayed message costs, by count.
nightly-bench: bench-check
	@Scripts/figures bench

# With the figures of docs/reliability.md.
nightly-chaos:
	@mkdir -p .build-nightly/chaos
	@STATUS2_REPORT=$(CURDIR)/.build-nightly/chaos $(MAKE) --no-print-directory chaos soak
	@Scripts/figures chaos

nightly-scale: conformance
	@STATUS2_REPORT=$(CURDIR)/.build-nightly/scale $(MAKE) --no-print-directory scale
	@Scripts/figures scale

nightly-deploy: test-deploy

nightly-reproducible: dist-reproducible

# All 301 cases of the Autobahn suite, in both roles; a failure where the suite cannot be had.
conformance: ws-echo
	@Scripts/conformance .build/release/ws-echo

# The same without the cases of throughput; where the suite cannot be had, it says so.
conformance-quick: ws-echo
	@Scripts/conformance --quick .build/release/ws-echo

# The RESP parser against Python's hiredis, on HIREDIS_STREAMS.
against-hiredis: release
	@Scripts/require python3-venv
	@Scripts/venv .venv-hiredis Fuzz/requirements.txt
	@.venv-hiredis/bin/python Fuzz/resp-against-hiredis.py $(RELEASE) $(HIREDIS_STREAMS)

# SEEDS worlds of the simulated relay, from SEED on, in parallel processes (docs/simulation.md).
simulate: libraries
	@echo "Simulating $(SEEDS) worlds, from seed $(SEED) on."
	@Scripts/simulate --seeds $(SEEDS) --first $(SEED)

# Which parts of the daemon COVERAGE_SEEDS worlds reach.
simulate-coverage: libraries
	@Scripts/require python3
	@Scripts/simulate-coverage --seeds $(COVERAGE_SEEDS)

# The short form, which `make test` includes: 200 worlds that are always the same, and 50 new ones.
# The traces of some are the same in two processes, and in builds for debugging and for speed.
simulate-quick: tests
	@echo "Simulating 200 worlds and 50 new ones."
	@Scripts/simulate --seeds 200
	@Scripts/simulate --seeds 50 --first $$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
	@Scripts/same-traces 25

# Plants faults in a copy of the daemon, one after the other: the simulated relay must find each of
# them within 1,000 worlds (docs/simulation.md). An hour.
mutations: libraries
	@Scripts/mutations

# FUZZ_SECONDS for each harness, then again with the address sanitizer; then the RESP parser against
# Python's hiredis. What was learnt stays in .build-fuzz, and the next run goes on from there.
fuzz: libraries
	@Scripts/fuzz
	@$(MAKE) --no-print-directory against-hiredis HIREDIS_STREAMS="--seconds $${FUZZ_SECONDS:-60}"

# Which parts of RESP and WSFrame the corpora reach; a failure under 99 %, or where something that
# they do not reach is not named in Fuzz/unreached.txt.
fuzz-coverage: libraries
	@Scripts/require python3
	@Scripts/fuzz-coverage

# Takes the learnt inputs that reach something new into the corpora.
fuzz-corpus: libraries
	@Scripts/fuzz-corpus

# The daemon in its modes beside other relays and beside the floor, in turn: processor time a message,
# latency, memory, the connect storm (Benchmarks/README.md). Some twenty minutes.
bench: bench-tools
	@Benchmarks/Relays/run.sh

# The daemon, webdis and the floor at a fixed rate, once: under two minutes when all is built.
bench-quick: bench-tools
	@Benchmarks/Relays/run.sh --quick

# Budgets of the hot path: instructions, allocations and retains of a relayed message. Under a minute.
bench-check: release
	@Scripts/require redis-server valgrind python3
	@echo "What a relayed message costs, held to Benchmarks/Relay/budgets.json."
	@Benchmarks/Relay/check.sh

# Each codec against the libraries that others use, in one run; the timer wheel; then instructions
# and allocations, a table each. Half an hour the first time.
bench-codecs: bench-resp bench-wsframe bench-timers bench-relay

bench-resp: libraries
	@Scripts/require libhiredis-dev python3-venv valgrind
	@echo "The RESP codec, hiredis and Python's hiredis (Benchmarks/RESP):"
	@Benchmarks/RESP/run.sh
	@Benchmarks/RESP/instructions.sh

bench-wsframe: libraries
	@Scripts/require libwslay-dev python3-venv valgrind
	@echo "The WebSocket codec, wslay and Python's websockets (Benchmarks/WSFrame):"
	@Benchmarks/WSFrame/run.sh
	@Benchmarks/WSFrame/instructions.sh

bench-timers: libraries
	@echo "The timer wheel (Benchmarks/TimerWheel):"
	@Benchmarks/TimerWheel/run.sh

bench-relay: libraries
	@Scripts/require redis-server valgrind python3
	@echo "A relayed message, with the trace off and on (Benchmarks/Relay):"
	@Benchmarks/Relay/instructions.sh

bench-tools: release load-tool
	@Scripts/require redis-server webdis nginx libnginx-mod-nchan liburing-dev libhiredis-dev libuv1-dev gcc libc6-dev \
		golang-go golang-nhooyr-websocket-dev golang-gopkg-redis.v5-dev python3-venv

build: libraries
	@$(SWIFT) build

# The documentation of RESP and WSFrame, by docc; a warning is a failure.
documentation: release
	@Scripts/documentation

lint:
	@echo "Looking over the sources and the workflows."
	@$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Fuzz Load
	@Scripts/lint-workflows

clean:
	@rm -rf .build .build-* .venv .venv-autobahn .venv-compatibility .venv-hiredis .venv-relays .venv-actionlint dist

libraries:
	@Scripts/require libssl-dev

test-tools:
	@Scripts/require $(TEST_PACKAGES)
	@Scripts/venv

release: export STATUS2_REVISION = $(shell Scripts/version --revision)
release: libraries
	@echo "Building status2 for release, which takes some minutes the first time."
	@Scripts/quietly '(warning|error): ' $(SWIFT) build -c release --product status2

load-tool: libraries
	@echo "Building status2-load for release."
	@Scripts/quietly '(warning|error): ' $(SWIFT) build -c release --product status2-load

ws-echo: libraries
	@echo "Building ws-echo for release."
	@Scripts/quietly '(warning|error): ' $(SWIFT) build -c release --product ws-echo

tests: libraries
	@echo "Building the tests, which takes some minutes the first time."
	@Scripts/quietly '(warning|error): ' $(SWIFT) build --build-tests
