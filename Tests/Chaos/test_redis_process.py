"""The Redis process stopped, killed and restarted; its commands against subscribers; its limits."""

import signal
import time

import pytest

from chaos.accounts import Scrape, assert_delivery, memory
from harness.waiting import wait_until

CLIENTS = 10
# Over the 32 MiB that Redis holds for a subscriber by default.
BIG = b"x" * (33 << 20)


@pytest.fixture
def stream(start_redis, start_daemon, start_fleet, start_publisher, channels):
    """A Redis, a daemon, clients on channels of their own, and a stream of messages to them."""

    def start(*arguments, clients=CLIENTS, rate=300, padding=0, **settings):
        redis = start_redis(*arguments)
        daemon = start_daemon(redis, **settings)
        names = channels(clients)
        fleet = start_fleet(daemon, names)
        publisher = start_publisher(redis, names, rate=rate, padding=padding)
        publisher.wait_for(5 * clients)
        return redis, daemon, fleet, publisher

    return start


def _reconnects_by_cause(daemon):
    return Scrape(daemon).by("redis_reconnects_by_cause_total")


@pytest.mark.quick
def test_a_stop_is_found_in_time_and_what_it_cost_lies_in_the_gap(stream):
    redis, daemon, fleet, publisher = stream()
    redis.pause()
    begun = time.monotonic()
    # Every client's link and the probe's.
    daemon.wait_for_link_failure(cause="stalled", count=CLIENTS + 1)
    # The quiet before the PING, the time for its answer, and a busy machine.
    assert time.monotonic() - begun < 0.6 + 0.5
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    redis.resume()
    fleet.settle(publisher)
    assert_delivery(publisher, fleet.report())
    scrape = Scrape(daemon)
    assert scrape.by("redis_reconnects_by_cause_total")["stalled"] >= CLIENTS
    assert scrape["redis_outage_seconds_total"] > 0
    assert scrape["gap_notices_total"] == CLIENTS
    wait_until(daemon.is_ready, "/ready to answer 200")


def test_a_stop_that_is_shorter_than_the_time_limit_costs_nothing(stream):
    redis, daemon, fleet, publisher = stream(
        STATUS_REDIS_PING_INTERVAL="2s", STATUS_REDIS_REQUEST_TIMEOUT="2s")
    redis.pause()
    # Redis is asked nothing in this time: what passes is the stop itself.
    time.sleep(0.5)
    redis.resume()
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    assert daemon.metric("redis_reconnects_total") == 0
    assert not daemon.link_failures()


@pytest.mark.quick
def test_after_sigkill_and_restart_all_subscriptions_are_back(stream):
    redis, daemon, fleet, publisher = stream()
    redis.kill()
    daemon.wait_for_link_failure(count=CLIENTS)
    publisher.wait_for(CLIENTS)
    redis.start()
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report()) > 0
    assert Scrape(daemon)["gap_notices_total"] == CLIENTS


def test_three_restarts_one_after_the_other_leave_three_gaps(stream):
    redis, daemon, fleet, publisher = stream()
    for number in range(1, 4):
        redis.kill()
        daemon.wait_for_link_failure(count=number)
        redis.start()
        # Down again only after every client is back, so that each outage is one of its own.
        wait_until(lambda: Scrape(daemon)["gap_notices_total"] == number * CLIENTS,
                   f"{number} gap notices for each client")
    fleet.settle(publisher)
    clients = fleet.report()
    assert_delivery(publisher, clients)
    assert {len(client["gaps"]) for client in clients} == {3}


@pytest.mark.quick
def test_killed_subscriptions_come_back_while_redis_is_there_all_the_time(stream):
    redis, daemon, fleet, publisher = stream()
    for _ in range(3):
        before = daemon.metric("redis_reconnects_total")
        redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        wait_until(lambda: daemon.metric("redis_reconnects_total") >= before + CLIENTS,
                   "all links to be made again")
        assert daemon.get("/ready").status == 200
        publisher.wait_for(5 * CLIENTS)
    fleet.settle(publisher)
    assert_delivery(publisher, fleet.report())


def test_a_pause_of_writes_delays_and_loses_nothing(stream):
    redis, daemon, fleet, publisher = stream()
    redis.cli("CLIENT", "PAUSE", "1000", "WRITE")
    # PUBLISH waits; the PINGs of quiet links are answered all the while.
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    assert daemon.metric("redis_reconnects_total") == 0


def test_a_pause_of_all_commands_is_a_stall_and_passes(stream):
    redis, daemon, fleet, publisher = stream()
    redis.cli("CLIENT", "PAUSE", "1500", "ALL")
    daemon.wait_for_link_failure(cause="stalled")
    # While it lasts, new connections get no answer to their first command.
    daemon.wait_for_link_failure(cause="timeout")
    fleet.settle(publisher)
    assert_delivery(publisher, fleet.report())


def test_a_full_output_buffer_ends_the_link_and_the_gap_says_what_is_lost(stream):
    redis, daemon, fleet, publisher = stream(
        "--client-output-buffer-limit", "pubsub 1mb 512kb 5", clients=1, rate=2000, padding=16_000,
        STATUS_REDIS_PING_INTERVAL="5s", STATUS_REDIS_REQUEST_TIMEOUT="5s",
        STATUS_WRITE_TIMEOUT="30s")
    daemon.signal(signal.SIGSTOP)
    try:
        # The kernel's buffers and Redis's own fill up, until Redis cuts the link.
        wait_until(lambda: redis.subscribers("run0:chaos") == 0, "Redis to cut the link", 30)
        publisher.pause()
    finally:
        daemon.signal(signal.SIGCONT)
    line = daemon.wait_for_link_failure(run_id="run0")
    assert line["cause"] in ("output_buffer", "closed", "reset"), line
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report()) > 0
    assert sum(_reconnects_by_cause(daemon).values()) >= 1


def test_a_publish_of_33_mb_is_skipped_where_redis_hands_it_out(stream):
    redis, daemon, fleet, publisher = stream(
        "--client-output-buffer-limit", "pubsub 0 0 0", clients=2, rate=50)
    before = memory(daemon)
    with redis.client() as client:
        assert client.publish("run0:chaos", BIG) == 1
    wait_until(lambda: Scrape(daemon).by("messages_dropped_total")["oversized"] == 1, "the skip")
    fleet.settle(publisher)
    clients = fleet.report()
    assert assert_delivery(publisher, clients) == 0
    gaps = [[gap["reason"] for gap in client["gaps"]] for client in clients]
    assert gaps == [["payload_too_large"], []]
    assert daemon.metric("redis_reconnects_total") == 0
    # It was read and forgotten in pieces, and never held.
    assert memory(daemon, "VmHWM") - before < 8_000_000


def test_a_publish_of_33_mb_over_the_output_limit_costs_one_link(stream):
    redis, daemon, fleet, publisher = stream(clients=2, rate=50)
    before = memory(daemon)
    with redis.client() as client:
        # Redis counts the subscriber and cuts it off.
        assert client.publish("run0:chaos", BIG) >= 0
    daemon.wait_for_link_failure(run_id="run0")
    fleet.settle(publisher)
    assert_delivery(publisher, fleet.report())
    assert daemon.metric("redis_reconnects_total") == 1
    assert not daemon.link_failures(run_id="run1")
    assert memory(daemon, "VmHWM") - before < 8_000_000
