"""The network between daemon and Redis, by a proxy that injects faults."""

import time

import pytest

from chaos.accounts import Scrape, assert_delivery
from harness.waiting import wait_until

CLIENTS = 8


@pytest.fixture
def stream(start_redis, start_proxy, start_daemon, start_fleet, start_publisher, channels):
    """A daemon that reaches its Redis through a proxy; messages are published past the proxy."""

    def start(clients=CLIENTS, rate=200, padding=0, buffer=None, **settings):
        redis = start_redis()
        proxy = start_proxy(redis.port, buffer=buffer)
        daemon = start_daemon(proxy, **settings)
        names = channels(clients)
        fleet = start_fleet(daemon, names)
        publisher = start_publisher(redis, names, rate=rate, padding=padding)
        publisher.wait_for(5 * clients)
        return proxy, daemon, fleet, publisher

    return start


def _latencies(clients):
    return [latency for client in clients for _, latency, _ in client["messages"]]


@pytest.mark.quick
def test_delay_and_jitter_make_messages_late_and_nothing_else(stream):
    proxy, daemon, fleet, publisher = stream()
    for direction in proxy.directions:
        direction.delay, direction.jitter = 0.04, 0.04
    publisher.wait_for(20 * CLIENTS)
    fleet.settle(publisher)
    clients = fleet.report()
    assert assert_delivery(publisher, clients, gaps=False) == 0
    assert max(_latencies(clients)) >= 40
    assert daemon.metric("redis_reconnects_total") == 0


@pytest.mark.quick
def test_one_byte_segments_change_nothing(stream):
    proxy, daemon, fleet, publisher = stream(rate=50)
    for direction in proxy.directions:
        direction.segment = 1
    publisher.wait_for(10 * CLIENTS)
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    assert daemon.metric("redis_reconnects_total") == 0


def test_a_narrow_pipe_is_not_a_stall_as_long_as_bytes_come(stream):
    proxy, daemon, fleet, publisher = stream(clients=1, rate=2, padding=20_000, buffer=4096)
    # Each message takes a second and a half, longer than every limit for an answer.
    proxy.to_client.rate = 14_000
    publisher.wait_for(4)
    fleet.settle(publisher, timeout=60)
    clients = fleet.report()
    assert assert_delivery(publisher, clients, gaps=False) == 0
    assert max(_latencies(clients)) > 1_000
    assert not daemon.link_failures(run_id="run0")


@pytest.mark.quick
@pytest.mark.parametrize("way", ["both", "back"])
def test_a_black_hole_is_found_in_time(stream, way):
    proxy, daemon, fleet, publisher = stream()
    proxy.to_client.black_hole = True
    proxy.to_server.black_hole = way == "both"
    begun = time.monotonic()
    daemon.wait_for_link_failure(cause="stalled", count=CLIENTS + 1)
    assert time.monotonic() - begun < 0.6 + 0.5
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    # New connections are made and get no answer.
    daemon.wait_for_link_failure(cause="timeout")
    publisher.wait_for(5 * CLIENTS)
    proxy.heal()
    fleet.settle(publisher)
    # Redis had handed these messages to a subscriber whose link was deaf.
    assert assert_delivery(publisher, fleet.report()) > 0
    wait_until(daemon.is_ready, "/ready to answer 200")


def test_messages_are_life_although_every_ping_is_lost(stream):
    proxy, daemon, fleet, publisher = stream()
    proxy.to_server.black_hole = True
    daemon.wait_for_link_failure(cause="stalled", probe=True)
    publisher.wait_for(25 * CLIENTS)
    proxy.heal()
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    assert daemon.metric("redis_reconnects_total") == 0


def test_a_black_hole_that_is_shorter_than_the_time_limit_costs_nothing(stream):
    proxy, daemon, fleet, publisher = stream(
        STATUS_REDIS_PING_INTERVAL="2s", STATUS_REDIS_REQUEST_TIMEOUT="2s")
    proxy.black_hole()
    publisher.wait_for(10 * CLIENTS)
    proxy.heal()
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    assert daemon.metric("redis_reconnects_total") == 0


@pytest.mark.quick
def test_resets_under_load_lose_nothing_outside_the_gaps(stream):
    proxy, daemon, fleet, publisher = stream(rate=400)
    for _ in range(5):
        before = daemon.metric("redis_reconnects_total")
        assert proxy.reset() >= CLIENTS
        wait_until(lambda: daemon.metric("redis_reconnects_total") >= before + CLIENTS,
                   "all links to be made again")
        publisher.wait_for(2 * CLIENTS)
    fleet.settle(publisher)
    assert_delivery(publisher, fleet.report())
    assert Scrape(daemon).by("redis_reconnects_by_cause_total")["reset"] > 0


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_half_close_ends_the_links_and_they_are_made_again(stream, side):
    proxy, daemon, fleet, publisher = stream()
    proxy.half_close(side)
    daemon.wait_for_link_failure(count=CLIENTS, cause="closed")
    publisher.wait_for(5 * CLIENTS)
    fleet.settle(publisher)
    assert_delivery(publisher, fleet.report())


@pytest.mark.parametrize("mask", [0xFF, 0x80, 0x01])
def test_corrupted_bytes_never_end_the_daemon(stream, mask):
    """What is corrupted in a payload cannot be known; what is corrupted around it is found."""
    proxy, daemon, fleet, publisher = stream(clients=1, rate=100)
    for after in range(0, 70, 3):
        proxy.to_client.corrupt(after=after, length=2, mask=mask)
        corrupted = proxy.to_client.forwarded + after + 2
        wait_until(lambda: proxy.to_client.forwarded > corrupted, "the bytes to pass")
        proxy.to_client.heal()
    daemon.wait_for_link_failure(run_id="run0")
    # The client has seen corrupted payloads; the daemon goes on all the same.
    assert daemon.get("/health").status == 200


def test_a_stream_under_all_faults_in_turn(stream):
    proxy, daemon, fleet, publisher = stream(rate=200)
    for number in range(4):
        for direction in proxy.directions:
            direction.delay, direction.jitter, direction.segment = 0.01, 0.02, 7
        publisher.wait_for(4 * CLIENTS)
        proxy.reset()
        publisher.wait_for(4 * CLIENTS)
        proxy.black_hole()
        # Counted from 1: the probe's link and the clients' are deaf alike.
        daemon.wait_for_link_failure(cause="stalled", count=number + 1)
        proxy.heal()
        publisher.wait_for(8 * CLIENTS)
    fleet.settle(publisher)
    assert_delivery(publisher, fleet.report())
