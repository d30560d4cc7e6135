"""The phases of a shutdown: not ready, no more accepts, closes spread over a window, the end."""

import json
import signal
import threading
import time

import pytest

from harness.raw import CLOSE, RawSocket, upgrade_request
from harness.waiting import PATIENCE, wait_until

WINDOW = 2.0
"""Seconds over which closes are spread here."""


def test_during_the_delay_the_daemon_serves_and_is_not_ready(
        start_daemon, redis, open_page, raw, channel):
    daemon = start_daemon(redis, STATUS_DRAIN_DELAY="1500ms")
    old = open_page(daemon, channel).live()
    daemon.signal()
    daemon.wait_for_log("shutdown signal received", delay_ms=1500)
    answer = daemon.get("/ready")
    assert (answer.status, json.loads(answer.body)) == (503, ["draining"])
    assert daemon.get("/health").status == 200
    new = open_page(daemon, channel).live()
    with redis.client() as client:
        assert client.publish(channel, "still there") == 2
    for page in (old, new):
        assert page.status() == "still there"
    for page in (old, new):
        types, code = page.end()
        assert "hangup" not in types and code == 1012
    assert daemon.wait() == 0


def test_after_the_delay_nobody_is_let_in_while_pages_wait_for_their_turn(
        start_daemon, redis, raw, channel):
    daemon = start_daemon(redis, STATUS_DRAIN_WINDOW="1m")
    early = raw(daemon)
    pages = [raw(daemon).upgrade(channel) for _ in range(3)]
    # Whole round trips on later connections: the first one has been taken by then.
    daemon.signal()
    daemon.wait_for_log("draining: no more connections are taken", connections=3)
    with pytest.raises(ConnectionRefusedError):
        RawSocket(daemon.port)
    # What was taken before is answered.
    early.send(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = early.read_answer()
    assert (answer.status, json.loads(answer.body)) == (503, ["draining"])
    with redis.client() as client:
        assert client.publish(channel, "in the window") >= 2
    # The pages leave by themselves: the window is not waited for.
    for page in pages:
        page.reset()
    early.close()
    assert daemon.wait(5) == 0


def test_a_signal_during_the_delay_ends_the_process_at_once(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_DRAIN_DELAY="1m")
    open_page(daemon, channel).live()
    daemon.signal()
    daemon.wait_for_log("shutdown signal received")
    daemon.signal(signal.SIGINT)
    assert daemon.wait(2) == 128 + signal.SIGINT


def _close_times(daemon, connections):
    """The frame of each connection's close, and its time in seconds after the signal."""
    closes = [None] * len(connections)

    def wait_for_close(index):
        frame = connections[index].read_until(CLOSE)
        closes[index] = (time.monotonic() - start, frame)
        connections[index].send_frame(CLOSE, frame.payload)
        connections[index].read_to_end()
        connections[index].close()

    start = time.monotonic()
    daemon.signal()
    waiting = [threading.Thread(target=wait_for_close, args=(index,), daemon=True)
               for index in range(len(connections))]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(PATIENCE)
    assert None not in closes
    return closes


@pytest.mark.parametrize("hangup", [True, False])
def test_closes_are_spread_over_the_window(start_daemon, redis, raw, channel, hangup):
    daemon = start_daemon(
        redis, STATUS_DRAIN_WINDOW=f"{WINDOW}s", STATUS_SEND_HANGUP=hangup)
    count = 40
    closes = _close_times(daemon, [raw(daemon).upgrade(channel) for _ in range(count)])
    assert daemon.wait() == 0
    times = sorted(seconds for seconds, _ in closes)
    # A busy machine is late, never early: ten in each quarter are planned.
    assert times[-1] < WINDOW + 1
    assert sum(seconds < WINDOW / 4 for seconds in times) <= count / 4
    assert sum(seconds < WINDOW * 3 / 4 for seconds in times) <= count * 3 / 4
    assert times[0] < WINDOW / 2
    assert {frame.code for _, frame in closes} == {1000 if hangup else 1012}
    if not hangup:
        reasons = [frame.payload[2:].decode() for _, frame in closes]
        assert all(reason.startswith("retry_ms=") for reason in reasons)
        waits = sorted(int(reason.removeprefix("retry_ms=")) for reason in reasons)
        assert 0 <= waits[0] and waits[-1] <= WINDOW * 1000
        assert waits[-1] - waits[0] > WINDOW * 500


def test_the_deadline_comes_after_delay_and_window(start_daemon, redis, raw, channel):
    daemon = start_daemon(
        redis, STATUS_DRAIN_DELAY="300ms", STATUS_DRAIN_WINDOW="500ms",
        STATUS_SHUTDOWN_TIMEOUT="400ms")
    # This client never answers the close frame.
    raw(daemon).upgrade(channel)
    start = time.monotonic()
    daemon.signal()
    assert daemon.wait(5) == 0
    assert 0.7 <= time.monotonic() - start
    daemon.wait_for_log("graceful shutdown failed", connections=1)


def test_redis_is_unsubscribed_from_before_the_page_has_gone(start_daemon, redis, raw, channel):
    daemon = start_daemon(
        redis, STATUS_SHUTDOWN_TIMEOUT="1m", STATUS_REDIS_REQUEST_TIMEOUT="30s")
    connection = raw(daemon).upgrade(channel)
    wait_until(lambda: redis.subscribers(channel) == 1, "the subscription")
    daemon.signal()
    connection.read_until(CLOSE)
    # The page has not answered yet.
    wait_until(lambda: redis.subscribers(channel) == 0, "the end of the subscription")
    assert daemon.is_running
    connection.send_frame(CLOSE, b"\x03\xe8")
    connection.read_to_end()
    connection.close()
    assert daemon.wait() == 0
    ended = daemon.wait_for_log("client disconnected")
    assert ended["reason"] == "shutdown"
    assert ended["received"] == ended["delivered"] + ended["dropped"]
    assert not daemon.link_failures()


def test_a_redis_that_does_not_answer_the_unsubscribe_is_not_waited_for(
        start_daemon, fake_redis, raw, channel):
    server = fake_redis(answers={"UNSUBSCRIBE": None})
    daemon = start_daemon(server, STATUS_REDIS_REQUEST_TIMEOUT="30s")
    connection = raw(daemon).send(upgrade_request("/" + channel))
    assert connection.read_answer().status == 101
    daemon.signal()
    server.wait_for("UNSUBSCRIBE")
    connection.read_until(CLOSE)
    server.publish(channel, "too late")
    connection.send_frame(CLOSE, b"\x03\xe8")
    connection.read_to_end()
    connection.close()
    assert daemon.wait(2) == 0
    ended = daemon.wait_for_log("client disconnected")
    assert ended["received"] == ended["delivered"] + ended["dropped"]
