"""Heartbeats, the first ping, and the idle cut-off."""

import concurrent.futures
import itertools
import time

import pytest

from harness.waiting import wait_until


def _assert_took(begun, seconds):
    """The time since `begun` is `seconds`: no less, and on a busy machine not much more."""
    elapsed = time.monotonic() - begun
    assert seconds - 0.01 <= elapsed < seconds + 0.5


def _ping_times(page, count):
    times = []
    for _ in range(count):
        page.next_of("ping")
        times.append(time.monotonic())
    return times


def test_a_ping_comes_every_interval(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="200ms")
    page = open_page(daemon, channel).live()
    # The phase of the first beat is random; from it on they are regular.
    times = _ping_times(page, 11)
    # A late turn of the loop shifts no later beat, so that delays do not add up.
    assert times[-1] - times[0] == pytest.approx(2.0, abs=0.3)
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 0.5


def test_the_phases_of_connections_are_spread(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="1s")
    pages = [open_page(daemon, channel).live() for _ in range(12)]
    with concurrent.futures.ThreadPoolExecutor(len(pages)) as pool:
        beats = sorted(time % 1.0 for (time,) in pool.map(lambda page: _ping_times(page, 1), pages))
    gaps = [later - earlier for earlier, later in itertools.pairwise(beats)]
    gaps.append(beats[0] + 1.0 - beats[-1])
    # All in step would leave a gap of the whole interval; twelve at random almost never one of 0.8.
    assert max(gaps) < 0.8


def test_messages_do_not_disturb_the_heartbeat(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="100ms")
    page = open_page(daemon, channel).live()
    types = []
    with redis.client() as client:
        while types.count("ping") < 5:
            client.publish(channel, "x")
            types.append(page.next()["type"])
    assert types.count("status") > 5


# The first ping

def test_the_first_ping_follows_the_acknowledgement_and_the_101(
        start_daemon, fake_redis, open_page, channel):
    server = fake_redis(answers={"SUBSCRIBE": None})
    daemon = start_daemon(
        server, STATUS_REDIS_REQUEST_TIMEOUT="300ms", STATUS_PING_INTERVAL="50ms")
    begun = time.monotonic()
    page = open_page(daemon, channel)
    # Redis does not acknowledge: the upgrade is completed all the same, after the time-out.
    _assert_took(begun, 0.3)
    page.init()
    # The link is made again and again; nothing of it may look live to the page.
    server.wait_for("SUBSCRIBE", 4)
    with pytest.raises(TimeoutError):
        page.next(timeout=0)
    server.acknowledge()
    # No acknowledgement of a link that is given up counts; that of the next one does.
    assert page.next()["type"] == "ping"
    server.publish(channel, "x")
    assert page.status() == "x"


def test_with_a_stopped_redis_the_101_comes_after_the_request_timeout(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_REDIS_REQUEST_TIMEOUT="300ms", STATUS_PING_INTERVAL="50ms")
    redis.pause()
    begun = time.monotonic()
    page = open_page(daemon, channel)
    _assert_took(begun, 0.3)
    page.init()
    daemon.wait_for_link_failure(run_id=channel.split(":")[0], count=2)
    with pytest.raises(TimeoutError):
        page.next(timeout=0)
    redis.resume()
    assert page.next()["type"] == "ping"
    redis.publish(channel, "after")
    assert page.status() == "after"


def test_the_answer_to_an_init_before_the_acknowledgement_is_the_first_ping(
        start_daemon, fake_redis, open_page, channel):
    server = fake_redis(answers={"SUBSCRIBE": None})
    daemon = start_daemon(
        server, STATUS_REDIS_REQUEST_TIMEOUT="200ms", STATUS_PING_INTERVAL="10m")
    page = open_page(daemon, channel)
    page.init()
    server.acknowledge()
    assert page.next()["type"] == "ping"
    server.publish(channel, "x")
    assert page.next() == {"type": "status", "data": "x"}


# The idle cut-off

def test_without_init_or_pong_the_close_is_1008_without_hangup(
        start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="100ms", STATUS_PONG_TIMEOUT="500ms")
    begun = time.monotonic()
    types, code = open_page(daemon, channel).end()
    assert code == 1008
    assert set(types) == {"ping"}
    _assert_took(begun, 0.5)
    daemon.wait_for_log("client disconnected", reason="pong_timeout")


@pytest.mark.parametrize("kind", ["pong", "init", "PONG"])
def test_an_answer_keeps_the_connection_open(start_daemon, redis, open_page, channel, kind):
    # An init is answered by a ping at once, so this page sends as fast as it can.
    daemon = start_daemon(
        redis, STATUS_PING_INTERVAL="100ms", STATUS_PONG_TIMEOUT="600ms",
        STATUS_MAX_MESSAGE_RATE=0)
    page = open_page(daemon, channel)
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        page.next_of("ping")
        page.send({"type": kind})
    types, code = page.end()
    assert code == 1008 and "hangup" not in types


@pytest.mark.parametrize("message", ["not JSON", '{"type":"other"}', b"pong"])
def test_nothing_else_keeps_the_connection_open(
        start_daemon, redis, open_page, channel, message):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="50ms", STATUS_PONG_TIMEOUT="400ms")
    page = open_page(daemon, channel)
    begun = time.monotonic()
    for _ in range(4):
        page.next_of("ping")
        page.send(message)
        page.connection.ping()
    assert page.end()[1] == 1008
    _assert_took(begun, 0.4)


def test_a_page_that_was_never_pinged_is_not_blamed_for_its_silence(
        start_daemon, start_redis, open_page, channel):
    # Redis goes after the start and is away for five times as long as a page may be silent.
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_REDIS_MAX_RETRIES="0", STATUS_REDIS_REQUEST_TIMEOUT="100ms",
        STATUS_REDIS_RETRY_BASE="10ms", STATUS_REDIS_RETRY_MAX="50ms",
        STATUS_PING_INTERVAL="100ms", STATUS_PONG_TIMEOUT="400ms")
    redis.stop()
    wait_until(lambda: not daemon.is_ready(), "the daemon to miss Redis")
    page = open_page(daemon, channel)
    with pytest.raises(TimeoutError):
        page.next(timeout=2)
    assert not daemon.log_lines("client disconnected")
    redis.start()
    page.live()
    redis.publish(channel, "after")
    assert page.status() == "after"
    # From its first ping on its silence counts.
    assert page.end()[1] == 1008
