"""Fixtures: servers, daemons on them, and what is held against them, each ended after its test."""

import contextlib
import itertools
import os
import pathlib

import pytest

from compat.servers import SERVERS
from harness import daemon as daemon_module
from harness.daemon import Daemon
from harness.page import Page

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

MODES = ("dedicated", "shared")
"""The values of STATUS_REDIS_SUBSCRIPTIONS."""

PAYLOADS = [
    b"step 1 of 3: reading the climate files",
    b"",
    b"\r\n$5\r\nhello\r\n",
    bytes(range(256)),
    '{"type":"hangup"} \u2028\u2029 \u00e9\u20ac\U0001f680 \\ " \x00 \x7f'.encode(),
    b"cut in the middle: \xf0\x9f\x9a",
    b"x" * 100_000,
]
"""What is awkward on one of the two ways: RESP's own bytes, JSON's, ill-formed UTF-8, a long one."""


def as_text(payload):
    """What the page gets of a payload: well-formed, with U+FFFD for what is not."""
    return payload.decode("utf-8", errors="replace")


def missing(what):
    """Skips for want of something, or fails where everything is required."""
    reason = f"{what} is not installed"
    if os.environ.get("STATUS2_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_report_header():
    return f"status2 under test: {daemon_module.binary()}"


@pytest.fixture
def cleanup():
    """Ends what a test has started, the last first."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def start_server(cleanup, tmp_path):
    """Starts a server of a kind."""
    numbers = itertools.count()

    def start(kind, *arguments, **options):
        directory = tmp_path / f"server{next(numbers)}"
        directory.mkdir()
        server = kind.start(directory, *arguments, **options)
        cleanup.callback(server.stop)
        return server

    return start


@pytest.fixture
def redis(start_server):
    """Debian's Redis, for what is held against clients."""
    kind = next(kind for kind in SERVERS if kind.name == "Redis 7.0")
    if kind.program is None:
        missing("redis-server")
    return start_server(kind)


@pytest.fixture
def start_daemon(cleanup):
    """Starts a daemon on a server, or on the address of one."""

    def start(server, *arguments, ready=True, **settings):
        url = server if isinstance(server, str) else server.url
        # One event loop, so that all pages share where they share.
        daemon = Daemon({"STATUS_REDIS_URL": url, "STATUS_LOOPS": 1} | settings, arguments)
        cleanup.callback(daemon.stop)
        return daemon.wait_ready() if ready else daemon

    return start


@pytest.fixture
def open_page(cleanup):
    """Opens WebSockets with the `websockets` client."""

    def open(daemon, path, **options):
        page = Page(daemon, path, **options)
        cleanup.callback(page.close)
        return page

    return open
