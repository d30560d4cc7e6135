# What a person needs: `make run` and `make test`. Both install what is missing, as root or by sudo.

SWIFT ?= swift
# Where `make run` listens: for browsers, and for redis-cli.
LISTEN ?= 127.0.0.1:9002
BROKER ?= 127.0.0.1:6379

RELEASE := .build/release/status2
TEST_PACKAGES := redis-server redis-tools python3-venv chromium chromium-driver

.PHONY: run test test-unit test-integration build lint clean libraries test-tools release tests
.NOTPARALLEL:

run: release
	@STATUS_CONSOLE_ENABLED=true $(RELEASE) --listen-addr $(LISTEN) --embedded-redis=$(BROKER)

# Everything, and nothing skipped: a server that is missing is a failure here.
test: libraries test-tools
	@STATUS2_REQUIRE_SERVERS=1 $(MAKE) --no-print-directory test-unit test-integration

# No server is needed; what needs one is skipped with its reason.
test-unit: tests
	@echo "Running the unit tests."
	@Scripts/quietly ' skipped|Test run with' $(SWIFT) test --skip-build

test-integration: release test-tools
	@echo "Running the integration tests against $(RELEASE)."
	@STATUS2_BINARY=$(CURDIR)/$(RELEASE) PYTHONDONTWRITEBYTECODE=1 \
		.venv/bin/python -m pytest -q -rs -p no:cacheprovider Tests/Integration

build: libraries
	@$(SWIFT) build

lint:
	@$(SWIFT) format lint --strict --recursive Package.swift Sources Tests Fuzz

clean:
	@rm -rf .build .venv

libraries:
	@Scripts/require libssl-dev

test-tools:
	@Scripts/require $(TEST_PACKAGES)
	@Scripts/venv

release: libraries
	@echo "Building status2 for release, which takes some minutes the first time."
	@Scripts/quietly '(warning|error): ' $(SWIFT) build -c release --product status2

tests: libraries
	@echo "Building the tests, which takes some minutes the first time."
	@Scripts/quietly '(warning|error): ' $(SWIFT) build --build-tests
