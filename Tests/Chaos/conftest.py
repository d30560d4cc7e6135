"""Fixtures of the drills: a daemon, a Redis, a fleet of clients, and faults between them.

At the end of each drill every daemon is held to the same accounts (`accounts.assert_sound`) and
must end with status 0 on SIGTERM.
"""

import contextlib
import itertools
import pytest

from chaos import accounts, namespace
from chaos.fault_proxy import FaultProxy
from chaos.fleet import Fleet
from chaos.publisher import Publisher
from chaos.requirement import missing
from harness import daemon as daemon_module
from harness import redis_server
from harness.daemon import Daemon
from harness.redis_server import Redis

# A stalled link is found within the sum of the first two.
_DRILL_SETTINGS = {
    "STATUS_REDIS_PING_INTERVAL": "300ms",
    "STATUS_REDIS_REQUEST_TIMEOUT": "300ms",
    "STATUS_PING_INTERVAL": "500ms",
    "STATUS_GAP_NOTICES": "true",
}


def pytest_report_header():
    return f"status2 under test: {daemon_module.binary()}"


def pytest_terminal_summary(terminalreporter):
    """Says in every run, quiet ones too, what made packets late and lost."""
    if namespace.unavailable() is None and namespace.has_netem():
        means = "sch_netem in a network namespace, and the proxy"
    else:
        means = "the proxy alone: there is no sch_netem here"
    terminalreporter.write_line(f"Delay, jitter and loss were made by {means}.")


@pytest.fixture(scope="session", autouse=True)
def _binary():
    found = daemon_module.binary()
    if found is None or not found.exists():
        pytest.exit("no status2 binary: build it, or name it in STATUS2_BINARY", returncode=2)


@pytest.fixture
def cleanup():
    """Ends what a drill has started, the last first."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def start_redis(cleanup, tmp_path):
    """Starts a Redis to be broken at will; it also listens on a Unix socket, past all faults."""
    numbers = itertools.count()

    def start(*arguments, **options):
        if not redis_server.is_installed():
            missing("redis-server with redis-cli is not installed")
        directory = tmp_path / f"redis{next(numbers)}"
        directory.mkdir()
        socket_path = directory / "redis.sock"
        server = Redis(directory, "--unixsocket", str(socket_path), *arguments, **options)
        server.socket_path = socket_path
        cleanup.callback(server.stop)
        return server

    return start


@pytest.fixture
def start_daemon(cleanup):
    """Starts a daemon on a Redis, or on a proxy before it; it is held to account at the end."""

    def start(server, **settings):
        settings = _DRILL_SETTINGS | {"STATUS_REDIS_URL": server.url} | settings
        daemon = Daemon(settings)
        cleanup.callback(daemon.stop)
        daemon.wait_ready()
        cleanup.callback(accounts.assert_sound, daemon, accounts.descriptors(daemon))
        return daemon

    return start


@pytest.fixture
def start_proxy(cleanup):
    """Puts a proxy before a port."""

    def start(port, **options):
        proxy = FaultProxy(port, **options)
        cleanup.callback(proxy.stop)
        return proxy

    return start


@pytest.fixture
def start_fleet(cleanup):
    """Opens a client for each channel on a daemon, or on a proxy before it."""

    def start(target, channels, **options):
        fleet = Fleet(target.address)
        cleanup.callback(fleet.stop)
        fleet.open(channels, **options)
        return fleet

    return start


@pytest.fixture
def start_publisher(cleanup):
    """Begins to publish numbered messages."""

    def start(server, channels, **options):
        publisher = Publisher(server, channels, **options)
        cleanup.callback(publisher.stop)
        return publisher.start()

    return start


@pytest.fixture
def channels():
    """Names of so many channels."""
    return lambda count: [f"run{number}:chaos" for number in range(count)]
