"""A soak: clients come and go for minutes; descriptors, memory and timers return to their level.

`STATUS2_SOAK_MINUTES` says how long; `make soak SOAK_MINUTES=30` sets it.
"""

import os
import random
import time

import pytest

from chaos import report
from chaos.accounts import Scrape, assert_delivery, descriptors, memory
from chaos.fleet import Fleet
from harness.waiting import wait_until

MINUTES = float(os.environ.get("STATUS2_SOAK_MINUTES", "0"))
RESIDENTS = 100
VISITORS = 100


def _rest(daemon, residents):
    """Waits until the visitors are gone; the level that the process comes back to."""
    wait_until(lambda: Scrape(daemon)["connections_active"] == residents, "the visitors to go")
    wait_until(lambda: Scrape(daemon).by("redis_links")["pending"] == 0, "all links to be live")
    return {"descriptors": descriptors(daemon), "memory_bytes": memory(daemon),
            "timers": Scrape(daemon)["timers"]}


@pytest.mark.soak
@pytest.mark.skipif(not MINUTES, reason="STATUS2_SOAK_MINUTES is not set")
@pytest.mark.timeout(60 * MINUTES + 600)
def test_everything_returns_to_its_level(
        start_redis, start_proxy, start_daemon, start_fleet, start_publisher, channels, capsys):
    draw = random.Random(1)
    redis = start_redis()
    to_redis = start_proxy(redis.port)
    daemon = start_daemon(to_redis, STATUS_REDIS_PING_INTERVAL="1s", STATUS_PING_INTERVAL="1s",
                          STATUS_REDIS_REQUEST_TIMEOUT="1s")
    before_daemon = start_proxy(daemon.port)
    names = channels(RESIDENTS)
    residents = start_fleet(daemon, names)
    publisher = start_publisher(redis, names, rate=200)
    levels = []
    waves = 0
    idle = _idle_processor_share(daemon)
    ending = time.monotonic() + 60 * MINUTES
    while time.monotonic() < ending:
        _wave(daemon, before_daemon, to_redis, redis, draw)
        waves += 1
        levels.append(_rest(daemon, RESIDENTS))
        Scrape(daemon).assert_balance()
        assert daemon.get("/health").status == 200
    residents.settle(publisher)
    assert_delivery(publisher, residents.report())
    busy = _idle_processor_share(daemon)
    # The first waves fill the pools that are kept for good.
    settled, last = levels[min(len(levels) - 1, len(levels) // 4)], levels[-1]
    report.write(
        "soak", minutes=MINUTES, waves=waves, visitors=waves * VISITORS, residents=RESIDENTS,
        messages=publisher.count, after_a_quarter=settled, at_the_end=last,
        most_descriptors=max(level["descriptors"] for level in levels),
        processor_share_at_first=idle, processor_share_at_the_end=busy)
    with capsys.disabled():
        print(f"\n{waves} waves of {VISITORS} visitors: "
              f"{settled} after a quarter, {last} at the end")
    assert last["descriptors"] <= settled["descriptors"] + 2
    assert last["memory_bytes"] < settled["memory_bytes"] * 1.1 + 4_000_000
    # The scrape's own connection has a timer, and one more may wait for its end.
    assert last["timers"] <= settled["timers"] + 2
    assert busy < 2 * idle + 0.02


def _wave(daemon, before_daemon, to_redis, redis, draw):
    """Visitors come, some well and some badly; one fault befalls them; they go."""
    visitors = Fleet(draw.choice([daemon, before_daemon]).address)
    try:
        visitors.open([f"visitor{number}:chaos" for number in range(VISITORS)])
        fault = draw.choice(["none", "reset clients", "reset redis", "kill", "slow", "hole"])
        if fault == "reset clients":
            before_daemon.reset()
        elif fault == "reset redis":
            to_redis.reset()
        elif fault == "kill":
            redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        elif fault == "slow":
            before_daemon.to_client.rate = 20_000
        elif fault == "hole":
            to_redis.black_hole()
            wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
        with redis.client() as client:
            for number in range(VISITORS):
                client.publish(f"visitor{number}:chaos", f"visitor{number}:chaos#1#0")
        to_redis.heal()
        before_daemon.heal()
    finally:
        to_redis.heal()
        before_daemon.heal()
        visitors.stop()


def _idle_processor_share(daemon):
    """The part of one processor that the daemon takes while only the residents are there."""
    before, begun = Scrape(daemon)["process_cpu_seconds_total"], time.monotonic()
    # A fixed time is what is measured.
    time.sleep(5)
    spent = Scrape(daemon)["process_cpu_seconds_total"] - before
    return round(spent / (time.monotonic() - begun), 4)
