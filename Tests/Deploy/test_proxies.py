"""Caddy, nginx and HAProxy of Debian with the configurations of `Deploy/`, and real clients through them."""

import http.client
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from conftest import missing
from deploy.proxies import PREFIX, PROXIES
from harness.daemon import Daemon
from harness.page import Page
from harness.redis_server import Redis
from harness.waiting import PATIENCE, free_port, wait_until

CHECKED = ["haproxy", "caddy"]
"""The proxies that look by themselves whether the daemon is well."""


@pytest.fixture
def redis(cleanup, tmp_path):
    directory = tmp_path / "redis"
    directory.mkdir()
    server = Redis(directory)
    cleanup.callback(server.stop)
    return server


@pytest.fixture
def start_daemon(cleanup, redis):
    def start(**settings):
        daemon = Daemon({"STATUS_REDIS_URL": redis.url, "STATUS_TRUSTED_PROXIES": "127.0.0.1"} | settings)
        cleanup.callback(daemon.stop)
        return daemon.wait_ready()
    return start


@pytest.fixture
def start_proxy(cleanup, tmp_path):
    def start(name, upstream):
        kind = PROXIES[name]
        if not kind.is_installed():
            missing(name)
        directory = tmp_path / name
        directory.mkdir()
        proxy = kind(directory, upstream)
        cleanup.callback(proxy.stop)
        wait_until(lambda: get(proxy, "health")[0] == 200, f"{name} to find the daemon", 20)
        return proxy
    return start


@pytest.fixture
def open_page(cleanup):
    def open(proxy, path, **options):
        page = Page(proxy, path, **options)
        cleanup.callback(page.close)
        return page
    return open


def get(proxy, path):
    """Status and body of a plain request under the prefix."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    try:
        connection.request("GET", PREFIX + path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return None, b""
    finally:
        connection.close()


each_proxy = pytest.mark.parametrize("name", PROXIES)


@each_proxy
def test_a_page_under_the_prefix_gets_its_messages(start_daemon, start_proxy, open_page, redis, name):
    daemon = start_daemon()
    proxy = start_proxy(name, daemon.port)
    # A run's name may have semicolons, which clients encode.
    page = open_page(proxy, "run%3B%3B1:status").live()
    page.init()
    page.next_of("ping")
    with redis.client() as client:
        assert client.publish("run;;1:status", "a\n" * 5000) == 1
    assert page.status() == "a\n" * 5000
    # The daemon knows who the page is, not who passes it on.
    page.close()
    ended = daemon.wait_for_log("client disconnected", run_id="run;;1", code=1000)
    assert ended["peer"] == "127.0.0.1" and ended["via"].startswith("127.0.0.1:")


@each_proxy
def test_what_is_for_operators_is_not_passed_on(start_daemon, start_proxy, name):
    daemon = start_daemon(STATUS_CONSOLE_ENABLED="true")
    proxy = start_proxy(name, daemon.port)
    assert get(proxy, "health") == (200, b"OK")
    for path in ("metrics", "console", "metrics/", "debug/links"):
        assert get(proxy, path)[0] == 404, path
    assert daemon.get("/metrics").status == 200
    # A channel's name may begin like one of them.
    assert get(proxy, "metrics:status")[0] == 426


@each_proxy
def test_origins_are_judged_by_the_proxy_s_own_address(start_daemon, start_proxy, open_page, name):
    daemon = start_daemon(STATUS_ALLOWED_ORIGINS="https://app.example.org")
    proxy = start_proxy(name, daemon.port)
    for origin in (f"http://127.0.0.1:{proxy.port}", "https://app.example.org"):
        open_page(proxy, "run:status", origin=origin).live()
    with pytest.raises(InvalidStatus) as refused:
        open_page(proxy, "run:status", origin="https://elsewhere.example.org")
    assert refused.value.response.status_code == 403


@each_proxy
def test_a_shutdown_reaches_the_page_as_it_is(start_daemon, start_proxy, open_page, name):
    daemon = start_daemon()
    page = open_page(start_proxy(name, daemon.port), "run:status").live()
    daemon.signal()
    assert page.end()[1] == 1012


@pytest.mark.parametrize("name", CHECKED)
def test_while_redis_is_away_no_page_is_sent_there_and_those_there_are_stay(
        start_daemon, start_proxy, open_page, redis, name):
    daemon = start_daemon(STATUS_GAP_NOTICES="true")
    proxy = start_proxy(name, daemon.port)
    page = open_page(proxy, "run:status").live()
    redis.kill()
    wait_until(lambda: get(proxy, "health")[0] == 503, f"{name} to take the daemon out", 30)
    page.next_of("outage")
    redis.start()
    wait_until(lambda: get(proxy, "health")[0] == 200, f"{name} to take the daemon in again", 30)
    page.next_of("gap")
    with redis.client() as client:
        client.publish("run:status", "after")
    assert page.status() == "after"


@pytest.mark.parametrize("name", CHECKED)
def test_a_restart_of_the_daemon_lets_requests_wait(start_daemon, start_proxy, open_page, name):
    port = free_port()
    first = start_daemon(STATUS_LISTEN_ADDR=f"127.0.0.1:{port}")
    proxy = start_proxy(name, port)
    first.signal()
    assert first.wait() == 0
    answers = []
    asking = threading.Thread(target=lambda: answers.append(get(proxy, "health")[0]))
    asking.start()
    start_daemon(STATUS_LISTEN_ADDR=f"127.0.0.1:{port}")
    asking.join(PATIENCE)
    assert answers == [200]
    open_page(proxy, "run:status").live()


class Fleet:
    """Pages that read until they are closed, and count what they get."""

    def __init__(self, pages):
        self.got = [[] for _ in pages]
        self.closed = [False] * len(pages)
        self._threads = [
            threading.Thread(target=self._read, args=(number, page), daemon=True)
            for number, page in enumerate(pages)]
        for thread in self._threads:
            thread.start()

    def _read(self, number, page):
        try:
            while True:
                message = page.next(60)
                if message["type"] == "status":
                    self.got[number].append(int(message["data"]))
        except (ConnectionClosed, EOFError, OSError, TimeoutError):
            self.closed[number] = True


@each_proxy
def test_a_reload_under_load_closes_no_page_that_the_proxy_can_keep(
        start_daemon, start_proxy, open_page, redis, name):
    daemon = start_daemon()
    proxy = start_proxy(name, daemon.port)
    fleet = Fleet([open_page(proxy, "run:status").live() for _ in range(20)])
    published = 0
    refused = []
    with redis.client() as client:
        for turn in range(3):
            # New pages come all the time, and none is turned away.
            def visit():
                try:
                    open_page(proxy, "run:visitor").live()
                except (OSError, InvalidStatus, EOFError, TimeoutError) as error:
                    refused.append(error)
            visitors = [threading.Thread(target=visit) for _ in range(10)]
            for visitor in visitors:
                visitor.start()
            proxy.reload()
            for _ in range(100):
                client.publish("run:status", published)
                published += 1
                time.sleep(0.002)
            for visitor in visitors:
                visitor.join(PATIENCE)
    assert refused == []
    if proxy.keeps_pages:
        wait_until(lambda: all(len(got) == published for got in fleet.got), "every message", 20)
        assert all(got == list(range(published)) for got in fleet.got)
        assert not any(fleet.closed)
    else:
        # They are closed so that they know it, and come back through the new configuration.
        wait_until(lambda: all(fleet.closed), "the pages to be closed", 20)
        page = open_page(proxy, "run:status").live()
        with redis.client() as client:
            client.publish("run:status", "back")
        assert page.status() == "back"


@pytest.mark.slow
def test_a_page_may_be_silent_for_longer_than_the_proxies_defaults(
        start_daemon, start_proxy, open_page, redis):
    """Nothing passes for 70 s: nginx's default is 60 s, and that of Debian's HAProxy 50 s."""
    daemon = start_daemon(STATUS_PING_INTERVAL="10m", STATUS_PONG_TIMEOUT="30m")
    pages = {
        name: open_page(start_proxy(name, daemon.port), "run:status").live() for name in PROXIES}
    time.sleep(70)
    with redis.client() as client:
        assert client.publish("run:status", "still there") == len(pages)
    assert {name: page.status() for name, page in pages.items()} \
        == {name: "still there" for name in pages}
