"""The daemon stands still: stopped, as by a debugger, a frozen container or a machine that migrates."""

import signal
import time

import pytest

from chaos.accounts import Scrape, assert_delivery
from harness.raw import RawSocket
from harness.waiting import wait_until

CLIENTS = 200


def _stop(daemon, seconds):
    daemon.signal(signal.SIGSTOP)
    # What passes is the stop itself.
    time.sleep(seconds)
    daemon.signal(signal.SIGCONT)


@pytest.mark.quick
@pytest.mark.timeout(120)
def test_pages_that_answer_every_second_and_healthy_links_outlive_three_stops(
        start_redis, start_daemon, start_fleet, start_publisher, channels):
    redis = start_redis()
    # A stop is longer than every time-out that there is.
    daemon = start_daemon(
        redis, STATUS_PING_INTERVAL="1s", STATUS_PONG_TIMEOUT="4s", STATUS_REDIS_PING_INTERVAL="1s",
        STATUS_REDIS_REQUEST_TIMEOUT="1s")
    names = channels(CLIENTS)
    fleet = start_fleet(daemon, names)
    publisher = start_publisher(redis, names, rate=500)
    publisher.wait_for(2 * CLIENTS)
    for _ in range(3):
        _stop(daemon, 5)
        publisher.wait_for(2 * CLIENTS)
    fleet.settle(publisher)
    clients = fleet.report()
    assert assert_delivery(publisher, clients, gaps=False) == 0
    assert [client["code"] for client in clients if client["code"]] == []
    scrape = Scrape(daemon)
    assert scrape.by("redis_link_failures_total") == {}
    assert scrape["redis_reconnects_total"] == 0
    assert scrape["standstills_total"] >= 3
    assert scrape["standstill_seconds_total"] > 12
    assert daemon.wait_for_log("the daemon stood still")["duration_ms"] > 3000


def test_a_client_that_went_silent_before_a_stop_is_still_found(
        start_redis, start_daemon, cleanup, channels):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="500ms", STATUS_PONG_TIMEOUT="2s")
    connection = RawSocket(daemon.port)
    cleanup.callback(connection.close)
    connection.upgrade(channels(1)[0])
    _stop(daemon, 5)
    # Asked once more, with a full time-out, and then closed.
    line = daemon.wait_for_log("client disconnected", timeout=15)
    assert line["reason"] == "pong_timeout"
    wait_until(lambda: Scrape(daemon)["connections_active"] == 0, "nobody to be left")
