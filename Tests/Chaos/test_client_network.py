"""The network between clients and daemon, by a proxy that injects faults."""

import pytest

from chaos.accounts import Scrape, assert_delivery
from chaos.fleet import Fleet
from harness.waiting import wait_until

CLIENTS = 8
# A plain client on a channel of its own, past the proxy: it must never notice anything.
BYSTANDER = "bystander:chaos"


@pytest.fixture
def stream(start_redis, start_proxy, start_daemon, start_fleet, start_publisher, channels, cleanup):
    """Clients that reach their daemon through a proxy, and one that does not."""

    def start(rate=200, padding=0, buffer=None, **settings):
        redis = start_redis()
        daemon = start_daemon(redis, **settings)
        proxy = start_proxy(daemon.port, buffer=buffer)
        names = channels(CLIENTS)
        fleet = start_fleet(proxy, names)
        bystander = start_fleet(daemon, [BYSTANDER])
        publisher = start_publisher(redis, [*names, BYSTANDER], rate=rate, padding=padding)
        publisher.wait_for(5 * CLIENTS)
        cleanup.callback(_assert_undisturbed, bystander, publisher)
        return proxy, daemon, fleet, publisher

    return start


def _assert_undisturbed(bystander, publisher):
    publisher.pause()
    last = {BYSTANDER: publisher.publish(BYSTANDER).number}
    assert not bystander.late(last, 10)
    assert assert_delivery(publisher, bystander.report(), gaps=False) == 0


def _ends(daemon, reason, count=CLIENTS):
    """Waits for the end of all clients by this reason."""
    daemon.wait_for_log("client disconnected", count=count, reason=reason)
    assert Scrape(daemon).by("connections_ended_total")[reason] == count


@pytest.mark.quick
def test_delay_and_jitter_make_messages_late_and_nothing_else(stream):
    proxy, _, fleet, publisher = stream()
    for direction in proxy.directions:
        direction.delay, direction.jitter = 0.04, 0.04
    publisher.wait_for(20 * CLIENTS)
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0


def test_clients_open_and_live_by_one_byte_segments(stream):
    proxy, daemon, _, publisher = stream(rate=50)
    for direction in proxy.directions:
        direction.segment = 1
    latecomers = Fleet(proxy.address)
    try:
        latecomers.open(["latecomer:chaos"])
        publisher.wait_for(5 * CLIENTS)
    finally:
        latecomers.stop()
    daemon.wait_for_log("client disconnected", run_id="latecomer", reason="client_closed")


@pytest.mark.quick
def test_resets_end_the_clients_and_nothing_else(stream):
    proxy, daemon, fleet, publisher = stream()
    assert proxy.reset() == CLIENTS
    daemon.wait_for_metric("connections_active", 1)
    publisher.wait_for(5 * CLIENTS)
    ended = Scrape(daemon).by("connections_ended_total")
    assert ended["client_vanished"] + ended["write_error"] == CLIENTS
    assert all(client["closed_at"] for client in fleet.report())


def test_vanished_clients_are_found_by_the_pong_timeout(stream):
    proxy, daemon, _, publisher = stream(STATUS_PONG_TIMEOUT="1s", STATUS_WRITE_TIMEOUT="30s")
    proxy.black_hole()
    # A close frame is sent, which nobody answers; then the connection is cut.
    _ends(daemon, "pong_timeout")
    publisher.wait_for(5 * CLIENTS)
    proxy.heal()


def test_clients_that_take_nothing_are_found_by_the_write_timeout(stream):
    proxy, daemon, _, _ = stream(
        rate=400, padding=30_000, buffer=4096, STATUS_WRITE_TIMEOUT="500ms")
    proxy.to_client.black_hole = True
    _ends(daemon, "slow_client")
    scrape = Scrape(daemon)
    assert scrape["slow_clients_total"] == CLIENTS
    # What waited for them is accounted for as theirs.
    assert scrape.by("messages_dropped_total")["slow_client"] > 0
    proxy.heal()


def test_clients_on_a_narrow_pipe_that_keep_up_are_kept(stream):
    proxy, daemon, fleet, publisher = stream(rate=40, padding=1_000, buffer=4096)
    proxy.to_client.rate = 30_000
    publisher.wait_for(20 * CLIENTS)
    fleet.settle(publisher)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    assert daemon.metric("slow_clients_total") == 0


@pytest.mark.parametrize("side", ["server", "client"])
def test_a_half_close_ends_the_clients(stream, side):
    proxy, daemon, fleet, _ = stream()
    proxy.half_close(side)
    wait_until(lambda: Scrape(daemon)["connections_active"] == 1, "the clients to end")
    if side == "server":
        assert Scrape(daemon).by("connections_ended_total")["client_vanished"] == CLIENTS
    wait_until(lambda: all(client["closed_at"] for client in fleet.report()), "all to know")


@pytest.mark.parametrize("mask", [0xFF, 0x80, 0x01])
def test_corrupted_frames_of_clients_end_them_and_nothing_else(stream, mask):
    proxy, daemon, fleet, _ = stream()
    corrupted = 0
    # Pongs come all the time; where the corruption meets a payload, the message is only ignored.
    while Scrape(daemon)["connections_active"] > 1:
        proxy.to_server.corrupt(after=corrupted % 7, length=6, mask=mask)
        corrupted += 1
        passed = proxy.to_server.forwarded + 13
        wait_until(lambda: proxy.to_server.forwarded >= passed or proxy.connections == 0, "a pong")
        assert corrupted < 300
    proxy.to_server.heal()
    wait_until(lambda: Scrape(daemon).total("connections_ended_total") == CLIENTS, "the ends")
    ended = Scrape(daemon).by("connections_ended_total")
    assert ended["protocol_error"] + ended["client_closed"] + ended["client_vanished"] == CLIENTS
    assert ended["protocol_error"] > 0
    codes = {line["code"] for line in daemon.log_lines(
        "client disconnected", reason="protocol_error")}
    assert codes <= {1002, 1007, 1009}


def test_a_storm_of_clients_that_come_and_are_cut_off_leaks_nothing(stream):
    proxy, daemon, _, publisher = stream()
    for number in range(10):
        storm = Fleet(proxy.address)
        try:
            storm.open([f"storm{number}-{index}:chaos" for index in range(30)])
            proxy.reset()
        finally:
            storm.stop()
    daemon.wait_for_metric("connections_active", 1)
    publisher.wait_for(2 * CLIENTS)
    opened = 10 * 30 + CLIENTS
    assert Scrape(daemon).total("connections_ended_total") == opened
