"""A Redis in a network namespace of its own, whose link is cut: a black hole for the kernel too."""

import time

import pytest

from chaos import namespace
from chaos.accounts import Scrape, assert_delivery
from chaos.namespace import Namespace, NamespacedRedis
from chaos.requirement import missing
from harness.waiting import wait_until

CLIENTS = 8


@pytest.fixture
def stream(cleanup, tmp_path, start_daemon, start_fleet, start_publisher, channels):
    """A daemon here, its Redis at the other end of a virtual cable, a stream of messages."""
    if not namespace.is_permitted():
        pytest.skip("network namespaces need root with CAP_NET_ADMIN and CAP_SYS_ADMIN")
    if (reason := namespace.unavailable()) is not None:
        missing(reason)

    def start(**settings):
        cable = Namespace()
        cleanup.callback(cable.close)
        redis = NamespacedRedis(cable, tmp_path)
        cleanup.callback(redis.stop)
        daemon = start_daemon(redis, **settings)
        names = channels(CLIENTS)
        fleet = start_fleet(daemon, names)
        publisher = start_publisher(redis, names)
        publisher.wait_for(5 * CLIENTS)
        return cable, daemon, fleet, publisher

    return start


@pytest.mark.quick
def test_a_cut_cable_is_found_in_time_and_mended(stream):
    cable, daemon, fleet, publisher = stream()
    cable.take_down()
    begun = time.monotonic()
    daemon.wait_for_link_failure(cause="stalled", count=CLIENTS + 1)
    assert time.monotonic() - begun < 0.6 + 0.5
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    publisher.wait_for(5 * CLIENTS)
    cable.bring_up()
    fleet.settle(publisher, timeout=60)
    # Redis handed these to subscribers at the other end of a cut cable.
    assert assert_delivery(publisher, fleet.report()) > 0
    assert Scrape(daemon).by("redis_reconnects_by_cause_total")["stalled"] >= CLIENTS
    wait_until(daemon.is_ready, "/ready to answer 200")


def test_a_cut_that_is_shorter_than_the_time_limit_costs_nothing(stream):
    cable, daemon, fleet, publisher = stream(
        STATUS_REDIS_PING_INTERVAL="10s", STATUS_REDIS_REQUEST_TIMEOUT="10s")
    cable.take_down()
    publisher.wait_for(10 * CLIENTS)
    cable.bring_up()
    # The kernels send again what was lost on the way.
    fleet.settle(publisher, timeout=60)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
    assert daemon.metric("redis_reconnects_total") == 0


def test_a_cable_that_flaps_leaves_every_client_subscribed(stream):
    cable, daemon, fleet, publisher = stream()
    for number in range(1, 4):
        cable.take_down()
        daemon.wait_for_link_failure(cause="stalled", count=number)
        cable.bring_up()
        wait_until(daemon.is_ready, "/ready to answer 200", 30)
    fleet.settle(publisher, timeout=60)
    assert_delivery(publisher, fleet.report())


def test_delay_jitter_and_loss_of_packets_lose_no_message(stream):
    if not namespace.has_netem():
        # The header of the run says so too: the proxy's drills stand for this one.
        pytest.skip("this kernel has no sch_netem; test_redis_network.py stands for it")
    cable, _, fleet, publisher = stream(
        STATUS_REDIS_PING_INTERVAL="2s", STATUS_REDIS_REQUEST_TIMEOUT="5s")
    assert cable.netem("delay", "40ms", "20ms", "loss", "3%")
    publisher.wait_for(50 * CLIENTS)
    fleet.settle(publisher, timeout=60)
    assert assert_delivery(publisher, fleet.report(), gaps=False) == 0
