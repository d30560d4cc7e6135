"""The metrics: their form, their absence, and that every counter is what the clients saw."""

import shutil
import subprocess

import pytest

from chaos.accounts import Scrape, assert_delivery, descriptors
from chaos.requirement import missing
from harness.daemon import Daemon
from harness.waiting import wait_until

CLIENTS = 300


def _check(text):
    if shutil.which("promtool") is None:
        missing("promtool is not installed (Debian package prometheus)")
    return subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)


@pytest.mark.quick
def test_promtool_finds_nothing_to_mend(
        start_redis, start_daemon, start_fleet, start_publisher, channels):
    redis = start_redis()
    daemon = start_daemon(redis)
    # With something in every metric, those with labels above all.
    names = channels(5)
    fleet = start_fleet(daemon, names)
    publisher = start_publisher(redis, names)
    publisher.wait_for(20)
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    daemon.wait_for_link_failure(cause="closed", count=5)
    daemon.get("/nothing:here")
    daemon.get("/not-a-channel")
    fleet.settle(publisher)
    fleet.close()
    daemon.wait_for_metric("connections_active", 0)
    done = _check(Scrape(daemon).text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_is_heard_when_something_is_wrong():
    assert _check("# TYPE wrong counter\nwrong 1\n").returncode != 0


@pytest.mark.quick
def test_without_metrics_there_is_no_page_of_them(start_redis, cleanup):
    daemon = Daemon({"STATUS_METRICS_ENABLED": "false", "STATUS_REDIS_URL": start_redis().url})
    cleanup.callback(daemon.stop)
    daemon.wait_ready()
    assert daemon.get("/metrics").status == 404


@pytest.mark.large
@pytest.mark.timeout(180)
def test_every_counter_is_what_300_clients_saw_over_a_restart_of_redis(
        start_redis, start_daemon, start_fleet, start_publisher, channels):
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_REDIS_PING_INTERVAL="1s", STATUS_REDIS_REQUEST_TIMEOUT="1s")
    names = channels(CLIENTS)
    before = Scrape(daemon).assert_balance()
    fleet = start_fleet(daemon, names)
    publisher = start_publisher(redis, names, rate=600)
    publisher.wait_for(4 * CLIENTS)
    redis.kill()
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    publisher.wait_for(2 * CLIENTS)
    redis.start()
    publisher.wait_for(2 * CLIENTS)
    fleet.settle(publisher)
    live = Scrape(daemon).assert_balance()
    clients = fleet.report()
    missed = assert_delivery(publisher, clients)
    assert missed > 0

    seen = sum(len(client["messages"]) for client in clients)
    notices = sum(len(client["gaps"]) for client in clients)
    handed_out = sum(
        sent.receivers for stream in publisher.sent.values() for sent in stream if sent.receivers)

    def grown(name, scrape=live):
        return scrape[name] - before[name]

    assert live["connections_active"] == CLIENTS
    assert live.by("redis_links") == {"live": CLIENTS, "pending": 0}
    assert grown("messages_received_total") == seen
    assert grown("messages_delivered_total") == seen
    assert grown("messages_forwarded_total") == seen
    assert live["messages_queued"] == live["queued_bytes"] == live.dropped == 0
    # What Redis had handed out when it was killed may have died with it, and nothing else.
    assert 0 <= handed_out - seen < CLIENTS
    assert grown("gap_notices_total") == notices == CLIENTS
    reconnects = live.by("redis_reconnects_by_cause_total")
    assert sum(reconnects.values()) == live["redis_reconnects_total"] >= CLIENTS
    assert set(reconnects) <= {"closed", "reset", "refused", "output_buffer"}
    failures = live.by("redis_link_failures_total")
    # Every reconnect has a failure behind it; the probe's failures are counted too.
    assert all(failures[cause] >= count for cause, count in reconnects.items())
    outage = sum(gap["to_ms"] - gap["from_ms"] for client in clients for gap in client["gaps"])
    assert abs(live["redis_outage_seconds_total"] - outage / 1000) < 0.005 * CLIENTS
    assert live["process_open_fds"] == descriptors(daemon) + 1
    for name in ("write_errors_total", "slow_clients_total", "utf8_replacements_total",
                 "accept_failures_total", "client_messages_malformed_total"):
        assert grown(name) == 0, name

    fleet.close()
    daemon.wait_for_metric("connections_active", 0)
    after = Scrape(daemon).assert_balance()
    assert after.by("connections_ended_total") == {"client_closed": CLIENTS}
    assert after.by("redis_links") == {"live": 0, "pending": 0}
    # Each counter goes up only, and the restart of Redis is over.
    assert after["redis_reconnects_total"] == live["redis_reconnects_total"]
