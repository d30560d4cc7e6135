"""systemd's protocols, spoken by the real daemon: notices, watchdog, sockets that are handed over."""

import os
import shutil
import signal
import socket
import subprocess

import pytest

from conftest import missing
from harness import daemon as daemon_module
from harness.daemon import Daemon
from harness.raw import http_get, upgrade_request
from harness.waiting import PATIENCE, free_port, wait_until


class Manager:
    """The socket of a service manager, and what came to it."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(PATIENCE)
        self.notices = []

    def next(self):
        notice = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))
        self.notices.append(notice)
        return notice

    def next_with(self, name):
        """The next notice that has this assignment; those before it are passed over."""
        while True:
            notice = self.next()
            if name in notice:
                return notice


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, cleanup):
    name = str(tmp_path / "notify") if request.param == "path" else f"@status2-{os.getpid()}-{id(request)}"
    started = Manager(name.replace("@", "\0", 1))
    cleanup.callback(started.socket.close)
    started.name = name
    return started


def test_ready_comes_when_redis_has_answered_and_stopping_at_the_signal(
        start_daemon, redis, manager):
    daemon = start_daemon(
        redis, NOTIFY_SOCKET=manager.name, STATUS_DRAIN_DELAY="100ms", STATUS_SHUTDOWN_TIMEOUT="2s")
    ready = manager.next_with("READY")
    assert ready == {"READY": "1", "STATUS": "Serving 0 pages, Redis answers"}
    assert daemon.get("/ready").status == 200
    daemon.signal()
    stopping = manager.next_with("STOPPING")
    assert stopping["STATUS"] == "Going down, 0 pages left"
    # The delay, the window, the time-out and a margin.
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) == 7_100_000
    assert daemon.wait() == 0


def test_a_reload_is_told_and_ends_with_ready(start_daemon, redis, manager):
    daemon = start_daemon(redis, NOTIFY_SOCKET=manager.name)
    manager.next_with("READY")
    daemon.signal(signal.SIGHUP)
    assert int(manager.next_with("RELOADING")["MONOTONIC_USEC"]) > 0
    assert manager.next()["READY"] == "1"
    assert daemon.is_running


def test_there_is_no_ready_without_redis(start_daemon, manager):
    start_daemon(
        None, ready=False, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC=500_000,
        STATUS_REDIS_URL=f"redis://127.0.0.1:{free_port()}/2")
    for _ in range(4):
        manager.next_with("WATCHDOG")
    assert not any("READY" in notice for notice in manager.notices)
    assert any(notice.get("STATUS", "").startswith("Waiting for Redis at ")
               for notice in manager.notices)


def test_the_watchdog_is_fed_while_the_loop_turns(start_daemon, redis, manager):
    daemon = start_daemon(redis, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC=400_000)
    manager.next_with("READY")
    for _ in range(5):
        manager.next_with("WATCHDOG")
    assert daemon.is_running


def test_a_watchdog_of_another_process_is_none(start_daemon, redis, manager):
    daemon = start_daemon(
        redis, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC=1000, WATCHDOG_PID=os.getpid())
    daemon.get("/health")
    daemon.signal()
    assert daemon.wait() == 0
    manager.next_with("STOPPING")
    assert not any("WATCHDOG" in notice for notice in manager.notices)


def test_a_manager_that_cannot_be_told_is_warned_of(start_daemon, redis):
    daemon = start_daemon(redis, NOTIFY_SOCKET="vsock:2:1")
    daemon.wait_for_log(
        "NOTIFY_SOCKET is neither a path nor an abstract name: nobody is notified", level="warn")


# Sockets


class Activated(Daemon):
    """A daemon that inherits listening sockets as the descriptors from 3 on."""

    def __init__(self, sockets, settings):
        self._sockets = sockets
        super().__init__(
            settings, (), before=self._hand_over, kept=range(3, 3 + len(sockets)))

    def _command(self, _):
        # The process that is named is the one that `exec` makes of the shell.
        return ["sh", "-c", 'LISTEN_PID=$$ exec "$0"', str(daemon_module.binary())]

    def _hand_over(self):
        for number, given in enumerate(self._sockets, start=3):
            os.dup2(given.fileno(), number, inheritable=True)


@pytest.fixture
def start_activated(cleanup, redis):
    def start(sockets, **settings):
        daemon = Activated(
            sockets, {"STATUS_REDIS_URL": redis.url, "LISTEN_FDS": len(sockets)} | settings)
        cleanup.callback(daemon.stop)
        return daemon
    return start


@pytest.fixture
def listening(cleanup):
    opened = socket.create_server(("127.0.0.1", 0))
    cleanup.callback(opened.close)
    return opened


def test_a_socket_that_is_handed_over_takes_the_place_of_the_address(
        start_activated, listening, open_page, redis, channel):
    port = listening.getsockname()[1]
    daemon = start_activated([listening], STATUS_LISTEN_ADDR="192.0.2.1:80").wait_ready()
    assert daemon.port == port
    page = open_page(daemon, channel).live()
    with redis.client() as client:
        assert client.publish(channel, "hello") == 1
    assert page.status() == "hello"


def test_connections_wait_while_the_daemon_is_restarted(start_activated, listening):
    first = start_activated([listening]).wait_ready()
    first.signal()
    assert first.wait() == 0
    waiting = socket.create_connection(listening.getsockname(), timeout=PATIENCE)
    waiting.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    start_activated([listening])
    assert waiting.recv(4096).startswith(b"HTTP/1.1 200 ")
    waiting.close()


def test_pages_wait_until_the_daemon_has_heard_from_redis(start_activated, listening):
    pages = [socket.create_connection(listening.getsockname(), timeout=PATIENCE) for _ in range(30)]
    for number, page in enumerate(pages):
        page.sendall(upgrade_request(f"/run:{number}"))
    start_activated([listening])
    for page in pages:
        assert page.recv(4096).startswith(b"HTTP/1.1 101 ")
        page.close()


def test_a_unix_socket_that_is_handed_over_keeps_its_file(start_activated, cleanup, tmp_path):
    path = tmp_path / "status2"
    opened = socket.socket(socket.AF_UNIX)
    cleanup.callback(opened.close)
    opened.bind(str(path))
    opened.listen()
    daemon = start_activated([opened])
    daemon.wait_for_log("ready")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
    daemon.signal()
    assert daemon.wait() == 0
    assert path.exists()


@pytest.mark.parametrize("kind", ["two", "datagram"])
def test_sockets_that_cannot_be_served_end_the_start(start_activated, listening, cleanup, kind):
    if kind == "two":
        second = socket.create_server(("127.0.0.1", 0))
        sockets, reason = [listening, second], "one ListenStream"
    else:
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sockets, reason = [second], "invalid argument"
    cleanup.callback(second.close)
    daemon = start_activated(sockets)
    assert daemon.wait() == 1
    assert reason in daemon.stderr


def test_systemd_s_own_tool_activates_the_daemon(cleanup, redis, tmp_path):
    if not shutil.which("systemd-socket-activate"):
        missing("systemd-socket-activate")
    port = free_port()
    process = subprocess.Popen(
        ["systemd-socket-activate", f"--listen=127.0.0.1:{port}",
         f"--setenv=STATUS_REDIS_URL={redis.url}", "--setenv=STATUS_SHUTDOWN_TIMEOUT=1s",
         str(daemon_module.binary())],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    cleanup.callback(lambda: (process.terminate(), process.wait(10)))

    def answers():
        try:
            return http_get(port, "/ready").status == 200
        except OSError:
            return False
    # The first connection starts the daemon, and is answered by it.
    wait_until(answers, "the daemon to answer")
