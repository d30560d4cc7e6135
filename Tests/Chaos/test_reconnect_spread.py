"""A thousand clients over a restart of Redis: how their links spread over time when it is back."""

import threading
import time

import pytest
import redis as redis_client

from chaos import report
from chaos.accounts import Scrape, assert_delivery
from harness.waiting import wait_until

CLIENTS = 1000
OUTAGE_SECONDS = 3
# STATUS_REDIS_DIAL_RATE, and what the gate lets through at once after a quiet time.
DIALS_PER_SECOND = 500


class ConnectionCount:
    """Samples how many connections Redis has accepted since its start."""

    def __init__(self, server):
        self.samples = []
        self._client = redis_client.Redis(unix_socket_path=str(server.socket_path))
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ending.wait(0.005):
            count = self._client.info("stats")["total_connections_received"]
            self.samples.append((time.monotonic(), count))

    def stop(self):
        self._ending.set()
        self._thread.join(5)
        self._client.close()

    def most_within(self, seconds):
        """The most connections that came in any span of so many seconds."""
        most, start = 0, 0
        for at, count in self.samples:
            while at - self.samples[start][0] > seconds:
                start += 1
            most = max(most, count - self.samples[start][1])
        return most


@pytest.mark.large
@pytest.mark.timeout(300)
def test_1000_links_come_back_spread_and_soon(
        start_redis, start_daemon, start_fleet, start_publisher, channels, cleanup):
    redis = start_redis()
    # The back-off of a daemon that nobody has configured.
    daemon = start_daemon(
        redis, STATUS_REDIS_RETRY_BASE="1s", STATUS_REDIS_RETRY_MAX="30s",
        STATUS_REDIS_PING_INTERVAL="5s", STATUS_REDIS_REQUEST_TIMEOUT="1s",
        STATUS_PING_INTERVAL="5s")
    names = channels(CLIENTS)
    fleet = start_fleet(daemon, names)
    publisher = start_publisher(redis, names, rate=500)
    publisher.wait_for(CLIENTS)
    redis.kill()
    # The length of the outage is what is drilled.
    time.sleep(OUTAGE_SECONDS)
    redis.start()
    back = time.time() * 1000
    count = ConnectionCount(redis)
    cleanup.callback(count.stop)
    wait_until(
        lambda: Scrape(daemon).by("redis_links") == {"live": CLIENTS, "pending": 0},
        "all to be subscribed", 60)
    count.stop()
    fleet.settle(publisher, timeout=60)
    clients = fleet.report()
    assert_delivery(publisher, clients)
    assert {len(client["gaps"]) for client in clients} == {1}

    subscribed = sorted(client["gaps"][0]["to_ms"] - back for client in clients)
    most = count.most_within(0.1)
    report.write(
        "reconnect_spread", clients=CLIENTS, outage_seconds=OUTAGE_SECONDS,
        largest_share_of_reconnects_in_100_ms=round(most / CLIENTS, 4),
        seconds_until_half_are_subscribed=round(subscribed[CLIENTS // 2] / 1000, 2),
        seconds_until_all_are_subscribed=round(subscribed[-1] / 1000, 2))
    # The gate's rate for 100 ms and what it saves up, and the probe.
    assert most <= 2 * DIALS_PER_SECOND / 10 + 1
    # The probe's half a second, the second over which the links are spread, and the gate's two.
    assert subscribed[-1] < 6_000
    reconnects = Scrape(daemon).by("redis_reconnects_by_cause_total")
    assert sum(reconnects.values()) >= CLIENTS
