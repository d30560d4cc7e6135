"""A page with the deployed script's behaviour, in headless Chromium, behind nginx under the
deployed path: what a person who looks at it sees over restarts of the daemon and of Redis."""

import pathlib
import shutil
import signal
import time

import pytest
from selenium.webdriver.common.by import By

from harness import nginx
from harness.waiting import free_port, wait_until

pytestmark = pytest.mark.browser

_PAGE = pathlib.Path(__file__).parent / "harness" / "deployed_page.html"

RETURN_SECONDS = 20.0
"""The script's longest wait is 15 s; within this a page that comes back has come back."""

TWO_RETURNS_SECONDS = 5.0
"""The script's first two waits are 1.5 s and 3 s; after this a page that comes back has tried."""


class Seen:
    """What the person at the page sees, and what the page has counted."""

    def __init__(self, browser):
        self._browser = browser

    @property
    def state(self):
        return self._browser.find_element(By.ID, "state").text

    @property
    def lines(self):
        return self._browser.find_element(By.ID, "log").text.splitlines()

    def _count(self, name):
        return self._browser.execute_script(f"return seen.{name}")

    opens = property(lambda self: self._count("opens"))
    pings = property(lambda self: self._count("pings"))
    closes = property(lambda self: [tuple(close) for close in self._count("closes")])
    waits = property(lambda self: self._count("waits"))

    def wait_for(self, what, value, timeout=RETURN_SECONDS):
        wait_until(
            lambda: getattr(self, what) == value, f"{what} to become {value!r}", timeout)

    def wait_for_line(self, line):
        wait_until(lambda: line in self.lines, f"the line {line!r} on the page", RETURN_SECONDS)


class Site:
    """nginx with the page, and a daemon behind it that can be started again on its port."""

    def __init__(self, start_daemon, redis, settings):
        self.redis = redis
        self.upstream = f"127.0.0.1:{free_port()}"
        self._start = lambda: start_daemon(
            redis, ready=False, STATUS_LISTEN_ADDR=self.upstream, STATUS_PING_INTERVAL="200ms",
            STATUS_PONG_TIMEOUT="60s", **settings)
        self.daemon = self.start()

    def start(self):
        self.daemon = self._start().wait_ready()
        return self.daemon

    def end(self, number=signal.SIGTERM):
        """Ends the daemon by a signal."""
        self.daemon.signal(number)
        return self.daemon.wait()


@pytest.fixture
def open_site(browser, start_daemon, start_redis, start_nginx, channel, tmp_path):
    """Starts Redis, daemon and nginx, and opens the page; gives back all of it."""

    def open(**settings):
        site = Site(start_daemon, start_redis(), settings)
        root = tmp_path / "nginx"
        root.mkdir()
        shutil.copy(_PAGE, root / "page.html")
        proxy = start_nginx(root, site.upstream)
        browser.get("about:blank")
        browser.get(f"http://{proxy.address}/page.html#{channel}")
        seen = Seen(browser)
        seen.wait_for("state", "open")
        site.redis.wait_for_subscribers(channel, 1)
        site.redis.publish(channel, "before")
        seen.wait_for_line("before")
        return site, seen

    return open


def _sees_what_comes(site, seen, channel, line):
    """Whether the person sees a line that is published now."""
    site.redis.wait_for_subscribers(channel, 1)
    site.redis.publish(channel, line)
    seen.wait_for_line(line)


def _stays_dead(site, seen, channel, opens=1):
    """The page has ended for good: in the time of two returns it has tried none."""
    seen.wait_for("state", "ended")
    deadline = time.monotonic() + TWO_RETURNS_SECONDS
    wait_until(lambda: time.monotonic() > deadline, "the time of two returns", RETURN_SECONDS)
    assert (seen.state, seen.opens, seen.waits) == ("ended", opens, [])
    assert site.redis.subscribers(channel) == 0
    site.redis.publish(channel, "after")
    assert "after" not in seen.lines


def test_heartbeats_and_lines_pass_the_proxy_as_they_come(open_site, channel):
    site, seen = open_site()
    wait_until(lambda: seen.pings > 10, "ten heartbeats")
    for number in range(20):
        _sees_what_comes(site, seen, channel, f"line {number}")
    assert seen.lines == ["before"] + [f"line {number}" for number in range(20)]
    assert seen.opens == 1 and not seen.closes


@pytest.mark.parametrize("value", [None, "false"])
def test_after_a_restart_of_the_daemon_the_page_sees_the_next_lines(open_site, channel, value):
    site, seen = open_site(STATUS_SEND_HANGUP=value)
    assert site.end() == 0
    seen.wait_for("state", "coming back")
    assert seen.closes == [(1012, "retry_ms=0")]
    site.start()
    seen.wait_for("state", "open")
    _sees_what_comes(site, seen, channel, "after the restart")
    assert seen.lines == ["before", "after the restart"]
    assert seen.waits[0] == 1500


def test_with_send_hangup_a_restart_of_the_daemon_ends_the_page_for_good(open_site, channel):
    site, seen = open_site(STATUS_SEND_HANGUP="true")
    assert site.end() == 0
    site.start()
    _stays_dead(site, seen, channel)
    # The page closes as soon as it has read the hangup, before or after our close has come.
    assert len(seen.closes) == 1
    assert not site.daemon.log_lines("client connected")


@pytest.mark.parametrize("value", ["false", "true"])
def test_a_daemon_that_dies_without_a_word_is_come_back_to(open_site, channel, value):
    site, seen = open_site(STATUS_SEND_HANGUP=value)
    assert site.end(signal.SIGKILL) == -signal.SIGKILL
    seen.wait_for("state", "coming back")
    assert seen.closes == [(1006, "")]
    site.start()
    _sees_what_comes(site, seen, channel, "after the crash")
    assert seen.lines == ["before", "after the crash"]


def test_a_long_absence_of_the_daemon_is_outlasted(open_site, channel):
    site, seen = open_site()
    assert site.end() == 0
    # The proxy refuses meanwhile: the page tries after 1.5 s, and then after twice as long.
    wait_until(lambda: len(seen.waits) == 3, "a third wait", RETURN_SECONDS)
    assert seen.waits == [1500, 3000, 6000]
    site.start()
    seen.wait_for("state", "open")
    _sees_what_comes(site, seen, channel, "after the absence")


@pytest.mark.parametrize("value", ["false", "true"])
def test_a_restart_of_redis_keeps_the_page_on_its_socket(open_site, channel, value):
    site, seen = open_site(STATUS_SEND_HANGUP=value)
    site.redis.kill()
    pings = seen.pings
    wait_until(lambda: seen.pings > pings + 2, "heartbeats during the outage")
    site.redis.start()
    _sees_what_comes(site, seen, channel, "after the restart of Redis")
    assert seen.opens == 1 and not seen.closes


def test_a_redis_given_up_and_back_is_come_back_to(open_site, channel):
    site, seen = open_site(STATUS_REDIS_MAX_RETRIES="2")
    site.redis.kill()
    seen.wait_for("state", "coming back")
    assert seen.closes[0] == (1011, "redis unavailable")
    site.redis.start()
    _sees_what_comes(site, seen, channel, "after the outage")
    assert site.daemon.is_running and seen.opens > 1


def test_with_send_hangup_a_redis_given_up_ends_the_page_for_good(open_site, channel):
    site, seen = open_site(STATUS_REDIS_MAX_RETRIES="2", STATUS_SEND_HANGUP="true")
    site.redis.kill()
    site.daemon.wait_for_log("client disconnected", reason="redis_given_up")
    site.redis.start()
    wait_until(site.daemon.is_ready, "/ready to answer 200")
    _stays_dead(site, seen, channel)
    assert len(site.daemon.log_lines("client connected")) == 1
