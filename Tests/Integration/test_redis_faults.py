"""Redis killed, stopped and brought back; links that stall; what is given up."""

import json
import time

import pytest

from harness.waiting import wait_until


def _wait_for_subscription(redis, channel):
    redis.wait_for_subscribers(channel, 1)


def test_after_sigkill_and_restart_the_subscription_is_back(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis)
    page = open_page(daemon, channel).live()
    redis.publish(channel, "before")
    assert page.status() == "before"
    redis.kill()
    daemon.wait_for_link_failure(run_id=channel.split(":")[0])
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    assert daemon.get("/health").status == 200
    redis.start()
    _wait_for_subscription(redis, channel)
    redis.publish(channel, "after")
    assert page.status() == "after"
    assert daemon.metric("redis_reconnects_total") >= 1
    wait_until(daemon.is_ready, "/ready to answer 200")


def test_a_stopped_redis_is_noticed_as_stalled_and_reconnected(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_REDIS_PING_INTERVAL="300ms", STATUS_REDIS_REQUEST_TIMEOUT="300ms")
    page = open_page(daemon, channel).live()
    redis.pause()
    begun = time.monotonic()
    line = daemon.wait_for_link_failure(run_id=channel.split(":")[0], cause="stalled", timeout=3)
    assert time.monotonic() - begun < 0.6 + 0.3
    assert line["channel"] == "status" and line["level"] == "warn"
    assert daemon.metric("redis_timeouts_total") >= 1
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    redis.resume()
    daemon.wait_for_log("redis answers", count=2)
    _wait_for_subscription(redis, channel)
    redis.publish(channel, "after")
    assert page.status() == "after"


def test_heartbeats_go_on_while_redis_is_away(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="50ms")
    page = open_page(daemon, channel).live()
    redis.kill()
    daemon.wait_for_link_failure(count=5)
    for _ in range(10):
        page.next_of("ping")


def test_a_new_client_during_an_outage_is_served_when_redis_is_back(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_REDIS_REQUEST_TIMEOUT="200ms")
    redis.kill()
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    page = open_page(daemon, channel)
    redis.start()
    page.live()
    redis.publish(channel, "x")
    assert page.status() == "x"


def test_killed_subscriptions_are_made_again(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis)
    pages = [open_page(daemon, channel).live() for _ in range(5)]
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    daemon.wait_for_link_failure(cause="closed", count=5)
    redis.wait_for_subscribers(channel, 5)
    assert redis.publish(channel, "again") == 5
    for page in pages:
        assert page.status() == "again"
    assert daemon.metric("redis_reconnects_total") == 5
    # Redis itself was there all the time.
    assert daemon.get("/ready").status == 200


def test_no_two_links_retry_in_step(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_REDIS_RETRY_BASE="50ms", STATUS_REDIS_RETRY_MAX="5s")
    for _ in range(20):
        open_page(daemon, channel).live()
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    daemon.wait_for_link_failure(cause="closed", count=20)
    # Those of the pages: the probe asks more often.
    delays = [int(line["retry_in_ms"]) for line in daemon.link_failures(cause="closed")
              if line["msg"] == "redis stream interrupted"]
    # The first retry included: between the base and three times the base.
    assert all(50 <= delay <= 150 for delay in delays)
    assert len(set(delays)) > 5


def test_a_quiet_channel_stays_subscribed_and_loses_nothing(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_REDIS_PING_INTERVAL="20ms", STATUS_REDIS_REQUEST_TIMEOUT="2s")
    page = open_page(daemon, channel).live()

    def pings():
        statistics = redis.cli("INFO", "commandstats")
        return int(statistics.split("cmdstat_ping:calls=")[1].split(",")[0])

    before = pings()
    # The page's and the daemon's own.
    lines = [line for line in redis.connections_named("status2") if " sub=1 " in line]
    assert len(lines) == 2
    wait_until(lambda: pings() - before > 60, "many pings of quiet links")
    assert lines[0].split(" ")[0] in redis.cli("CLIENT", "LIST")
    assert lines[1].split(" ")[0] in redis.cli("CLIENT", "LIST")
    redis.publish(channel, "after the quiet")
    assert page.status() == "after the quiet"
    assert daemon.metric("redis_reconnects_total") == 0
    assert daemon.metric("redis_timeouts_total") == 0
    assert not daemon.link_failures()


def test_any_byte_received_counts_as_life(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_REDIS_PING_INTERVAL="10m", STATUS_REDIS_REQUEST_TIMEOUT="100ms")
    page = open_page(daemon, channel).live()
    with redis.client() as client:
        for number in range(100):
            client.publish(channel, number)
            assert page.status() == str(number)
    assert daemon.metric("redis_timeouts_total") == 0


def test_a_server_that_never_answers_a_subscription_is_counted_as_a_timeout(
        start_daemon, fake_redis, open_page, channel):
    server = fake_redis(answers={"SUBSCRIBE": None})
    daemon = start_daemon(server, STATUS_REDIS_REQUEST_TIMEOUT="100ms")
    open_page(daemon, channel)
    line = daemon.wait_for_link_failure(cause="timeout")
    assert "SUBSCRIBE" in line["error"]
    assert daemon.metric("redis_timeouts_total") >= 1


@pytest.mark.parametrize("hangup", [True, False])
def test_at_the_retry_cap_clients_get_1011_after_a_hangup_only_if_that_is_set(
        start_daemon, start_redis, open_page, channel, hangup):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_REDIS_MAX_RETRIES="3", STATUS_SEND_HANGUP=hangup)
    pages = [open_page(daemon, channel).live() for _ in range(2)]
    redis.kill()
    for page in pages:
        types, code = page.end()
        assert code == 1011
        assert types.count("hangup") == (1 if hangup else 0)
        assert not hangup or types[-1] == "hangup"
    daemon.wait_for_log("client disconnected", reason="redis_given_up", count=2)
    # The daemon itself goes on, and serves again when Redis is back.
    assert daemon.get("/health").status == 200
    assert json.loads(daemon.get("/ready").body) == ["redis_unavailable"]
    redis.start()
    wait_until(daemon.is_ready, "/ready to answer 200")
    page = open_page(daemon, channel).live()
    redis.publish(channel, "x")
    assert page.status() == "x"


def test_the_attempts_count_from_zero_after_each_acknowledgement(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_REDIS_MAX_RETRIES="3")
    page = open_page(daemon, channel).live()
    # More losses than the cap allows, were they not forgiven in between.
    for number in range(1, 6):
        redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        daemon.wait_for_link_failure(cause="closed", count=number)
        _wait_for_subscription(redis, channel)
    redis.publish(channel, "x")
    assert page.status() == "x"
    attempts = {line["attempt"] for line in daemon.link_failures()}
    assert attempts == {1}


@pytest.mark.parametrize("garbage", [b"$-5\r\n", b"!!!\r\n", b"\0\0\0\0", b"*-9\r\n"])
def test_garbage_from_redis_makes_the_link_again(
        start_daemon, fake_redis, open_page, channel, garbage):
    server = fake_redis()
    daemon = start_daemon(server)
    page = open_page(daemon, channel).live()
    server.send_raw(channel, garbage)
    daemon.wait_for_link_failure(cause="protocol")
    server.wait_for_acknowledgements(channel, 2)
    server.publish(channel, "x")
    assert page.status() == "x"
