"""Fixtures: servers on free ports of 127.0.0.1, each ended by its process id after its test."""

import contextlib
import itertools
import os

import pytest

from harness import browser as browser_module
from harness import daemon as daemon_module
from harness import nginx as nginx_module
from harness import redis_server
from harness.daemon import Daemon
from harness.fake_redis import FakeRedis
from harness.page import Page
from harness.raw import RawSocket
from harness.redis_server import Redis


def missing(what):
    """Skips for want of a program, or fails where all of them are required."""
    reason = f"{what} is not installed"
    if os.environ.get("STATUS2_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_report_header():
    return f"status2 under test: {daemon_module.binary()}"


@pytest.fixture(scope="session", autouse=True)
def _binary():
    found = daemon_module.binary()
    if found is None or not found.exists():
        pytest.exit("no status2 binary: build it, or name it in STATUS2_BINARY", returncode=2)


@pytest.fixture(scope="session")
def ended():
    """Closes what is put into it, the last first, and tells of each failure."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def cleanup():
    """Ends what a test has started, the last first."""
    with contextlib.ExitStack() as stack:
        yield stack


def _start_redis(stack, directory, arguments, options):
    if not redis_server.is_installed():
        missing("redis-server with redis-cli")
    server = Redis(directory, *arguments, **options)
    stack.callback(server.stop)
    return server


def _start_daemon(stack, redis, arguments, settings, limits=None):
    if redis is not None:
        settings = {"STATUS_REDIS_URL": redis.url} | settings
    started = Daemon(settings, arguments, limits)
    stack.callback(started.stop)
    return started


@pytest.fixture(scope="session")
def redis(ended, tmp_path_factory):
    """A Redis for all tests that leave it as it is; each takes a channel of its own."""
    return _start_redis(ended, tmp_path_factory.mktemp("redis"), (), {})


@pytest.fixture(scope="session")
def daemon(ended, redis):
    """A daemon for all tests that need no settings of their own."""
    return _start_daemon(ended, redis, (), {"STATUS_PING_INTERVAL": "500ms"}).wait_ready()


@pytest.fixture
def start_redis(cleanup, tmp_path):
    """Starts a Redis of the test's own, to be broken at will."""
    numbers = itertools.count()

    def start(*arguments, **options):
        directory = tmp_path / f"redis{next(numbers)}"
        directory.mkdir()
        return _start_redis(cleanup, directory, arguments, options)

    return start


@pytest.fixture
def start_daemon(cleanup):
    """Starts a daemon on a Redis (or None) with settings and resource limits of the test's own."""

    def start(redis, *arguments, ready=True, limits=None, **settings):
        started = _start_daemon(cleanup, redis, arguments, settings, limits)
        return started.wait_ready() if ready else started

    return start


@pytest.fixture
def open_page(cleanup):
    """Opens WebSockets with the `websockets` client."""

    def open(daemon, path, **options):
        page = Page(daemon, path, **options)
        cleanup.callback(page.close)
        return page

    return open


@pytest.fixture
def raw(cleanup):
    """Opens raw connections to a daemon."""

    def open(daemon, **options):
        connection = RawSocket(daemon.port, **options)
        cleanup.callback(connection.close)
        return connection

    return open


@pytest.fixture(scope="session")
def browser(ended):
    """Chromium, one for all tests that look at pages."""
    if not browser_module.is_installed():
        missing("chromium with chromedriver")
    started = browser_module.start()
    ended.callback(started.quit)
    return started


@pytest.fixture
def start_nginx(cleanup):
    """Starts nginx on files and before a daemon."""

    def start(directory, upstream):
        if not nginx_module.program():
            missing("nginx")
        server = nginx_module.Nginx(directory, upstream)
        cleanup.callback(server.stop)
        return server

    return start


_channels = itertools.count(1)


@pytest.fixture
def channel():
    """A channel that no other test uses."""
    return f"run;;{next(_channels)}:status"

@pytest.fixture
def fake_redis(cleanup):
    """Starts a server that is made to misbehave like no real Redis."""

    def start(**options):
        server = FakeRedis(**options)
        cleanup.callback(server.stop)
        return server

    return start
