"""A thousand clients of which a hundred stop reading: nobody else may notice."""

import pathlib
import subprocess
import sys

import pytest

from chaos import report
from chaos.accounts import Scrape, assert_delivery, memory
from harness.raw import RawSocket
from harness.waiting import wait_until

READERS = 900
STUCK = 100
RATE = 900
PADDING = 200
# Bytes a second to those that are stuck.
FLOOD = 20_000_000

_FLOOD_PROGRAM = pathlib.Path(report.__file__).with_name("flood.py")

# What one stuck client may hold: its queue, with the blocks' headers.
_QUEUE = (1 << 20) + 64 * 1024
# What a client that reads may cost while messages pass, its link to Redis included.
_CONNECTION = 16 * 1024


@pytest.fixture
def stuck(cleanup):
    """Opens WebSockets with small receive buffers that are never read after the upgrade."""

    def open(daemon, channels):
        sockets = []
        for channel in channels:
            connection = RawSocket(daemon.port, receive_buffer=4096)
            cleanup.callback(connection.close)
            sockets.append(connection.upgrade(channel))
        return sockets

    return open


@pytest.fixture
def flood(cleanup):
    """Publishes large messages to channels until the test has ended; bytes a second in all."""

    def start(server, channels, size, rate):
        process = subprocess.Popen(
            [sys.executable, str(_FLOOD_PROGRAM), str(server.socket_path), str(size),
             str(rate), *channels], stdin=subprocess.PIPE)
        cleanup.callback(process.wait, 10)
        cleanup.callback(process.stdin.close)

    return start


def _percentiles(clients, first, last):
    """Of the latencies of the messages from the `first` number up to the `last`."""
    return report.milliseconds(
        latency for client in clients for number, latency, _ in client["messages"]
        if first <= number <= last)


@pytest.mark.large
@pytest.mark.timeout(300)
def test_900_clients_do_not_feel_100_that_stop_reading(
        start_redis, start_daemon, start_fleet, start_publisher, channels, stuck, flood):
    redis = start_redis()
    # No time limit: every stuck client holds as much as it may before it is disconnected.
    daemon = start_daemon(
        redis, STATUS_WRITE_TIMEOUT="10m", STATUS_PING_INTERVAL="5s",
        STATUS_REDIS_PING_INTERVAL="5s", STATUS_REDIS_REQUEST_TIMEOUT="5s")
    empty = memory(daemon)
    names = channels(READERS)
    fleet = start_fleet(daemon, names)
    publisher = start_publisher(redis, names, rate=RATE, padding=PADDING)
    publisher.wait_for(10 * READERS, timeout=60)
    before = len(publisher.sent[names[0]])

    blocked = [f"stuck{number}:chaos" for number in range(STUCK)]
    stuck(daemon, blocked)
    # Through the kernel's buffers and up to the bound of each queue.
    flood(redis, blocked, size=100_000, rate=FLOOD)
    wait_until(lambda: Scrape(daemon).by("connections_ended_total")["slow_client"] == STUCK,
               "all that are stuck to be disconnected", 120)
    after = len(publisher.sent[names[0]])
    fleet.settle(publisher, timeout=60)
    clients = fleet.report()
    assert assert_delivery(publisher, clients, gaps=False) == 0

    # The first two messages came while the clients were opening.
    quiet = _percentiles(clients, 3, before)
    loaded = _percentiles(clients, before + 1, after)
    bound = empty + STUCK * _QUEUE + (READERS + STUCK) * _CONNECTION
    peak = memory(daemon, "VmHWM")
    report.write(
        "slow_clients", readers=READERS, stuck=STUCK, messages_per_second=RATE,
        latency_ms_before=quiet, latency_ms_with_stuck_clients=loaded,
        memory_empty_bytes=empty, memory_peak_bytes=peak, memory_bound_bytes=bound)
    scrape = Scrape(daemon)
    assert scrape["slow_clients_total"] == STUCK
    assert scrape.by("connections_ended_total") == {"slow_client": STUCK}
    assert peak < bound
    # Clients, publisher and flood share the processors with the daemon, and perhaps with others:
    # a daemon that waited for those that are stuck would be late by seconds.
    assert loaded["p50"] < quiet["p50"] + 20
    assert loaded["p95"] < quiet["p95"] + 500


def test_memory_is_back_within_30_seconds_after_100_stuck_clients_have_gone(
        start_redis, start_daemon, stuck, flood):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_WRITE_TIMEOUT="10m", STATUS_REDIS_REQUEST_TIMEOUT="5s")
    before = memory(daemon)
    blocked = [f"stuck{number}:chaos" for number in range(STUCK)]
    stuck(daemon, blocked)
    flood(redis, blocked, size=100_000, rate=FLOOD)
    wait_until(lambda: Scrape(daemon).by("connections_ended_total")["slow_client"] == STUCK,
               "all that are stuck to be disconnected", 120)
    peak = memory(daemon, "VmHWM")
    # The burst has really taken the memory that must come back.
    assert peak > before + STUCK * 500_000
    wait_until(lambda: memory(daemon) < before + 8_000_000,
               f"{before + 8_000_000} bytes at most again (it is {memory(daemon)})", 30)
    report.write("memory_after_burst", before_bytes=before, peak_bytes=peak,
                 after_bytes=memory(daemon))


def test_the_memory_budget_sheds_the_largest_queues_and_nobody_else(
        start_redis, start_daemon, start_fleet, start_publisher, channels, stuck):
    redis = start_redis()
    budget = 4_000_000
    daemon = start_daemon(redis, STATUS_WRITE_TIMEOUT="10m", STATUS_MEMORY_BUDGET=budget)
    names = channels(20)
    fleet = start_fleet(daemon, names)
    publisher = start_publisher(redis, names, rate=200)
    before = memory(daemon)
    blocked = [f"stuck{number}:chaos" for number in range(20)]
    stuck(daemon, blocked)
    with redis.client() as client:
        # Twenty queues of up to 1 MiB do not fit into the budget.
        while Scrape(daemon).by("connections_ended_total")["memory_budget"] < 5:
            for channel in blocked:
                client.publish(channel, b"x" * 30_000)
            assert Scrape(daemon)["buffered_bytes"] <= budget
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    scrape = Scrape(daemon)
    assert scrape.by("messages_dropped_total")["memory_budget"] > 0
    assert memory(daemon, "VmHWM") - before < budget + 16_000_000
    line = daemon.wait_for_log("client disconnected", reason="memory_budget")
    assert line["run_id"].startswith("stuck")
    wait_until(lambda: Scrape(daemon)["connections_active"] >= 20, "the readers to stay")
