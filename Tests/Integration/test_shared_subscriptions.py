"""STATUS_REDIS_SUBSCRIPTIONS=shared: the pages of an event loop have one link to Redis together."""

import time

import pytest

from harness.waiting import wait_until

ON_CHANNELS = "~* +@all &status2:* &open:*"


@pytest.fixture
def shared(start_daemon):
    def start(redis, **settings):
        settings = {"STATUS_REDIS_SUBSCRIPTIONS": "shared", "STATUS_LOOPS": "1"} | settings
        return start_daemon(redis, **settings)

    return start


def _channels(redis):
    """The channels that Redis has subscribers of, without those of probes."""
    names = redis.cli("PUBSUB", "CHANNELS").split()
    return sorted(name for name in names if not name.startswith("status2:"))


def test_all_pages_have_one_link_and_each_channel_one_subscription(shared, start_redis, open_page):
    redis = start_redis()
    daemon = shared(redis)
    pages = [open_page(daemon, f"run{number % 7}:status") for number in range(20)]
    assert _channels(redis) == [f"run{number}:status" for number in range(7)]
    assert all(redis.subscribers(f"run{number}:status") == 1 for number in range(7))
    # The probe's and the shared one.
    assert len(redis.connections_named("status2")) == 2
    for number in range(7):
        redis.publish(f"run{number}:status", f"to {number}")
    assert [page.status() for page in pages] == [f"to {number % 7}" for number in range(20)]


def test_a_second_page_of_a_channel_is_live_at_once(shared, start_redis, open_page):
    redis = start_redis()
    daemon = shared(redis, STATUS_REDIS_REQUEST_TIMEOUT="30s")
    open_page(daemon, "run:status")
    redis.pause()
    # Redis could not acknowledge anything now, and need not.
    late = open_page(daemon, "run:status")
    assert late.next() == {"type": "ping"}
    redis.resume()
    redis.publish("run:status", "here")
    assert late.status() == "here"


def test_the_last_page_takes_the_subscription_along(shared, start_redis, open_page):
    redis = start_redis()
    daemon = shared(redis)
    first, second = open_page(daemon, "run:status"), open_page(daemon, "run:status")
    first.close()
    daemon.wait_for_metric("connections_active", 1)
    assert redis.subscribers("run:status") == 1
    second.close()
    redis.wait_for_subscribers("run:status", 0)
    assert len(redis.connections_named("status2")) == 2


def test_pages_that_come_and_go_at_once_leave_what_is_wanted(shared, start_redis, open_page):
    redis = start_redis()
    daemon = shared(redis)
    for number in range(100):
        open_page(daemon, f"run{number % 3}:status").close()
    last = open_page(daemon, "run1:status")
    daemon.wait_for_metric("connections_active", 1)
    wait_until(lambda: _channels(redis) == ["run1:status"], "nothing but the last channel")
    redis.publish("run1:status", "still")
    assert last.status() == "still"


def test_a_page_that_comes_while_its_channel_ends_gets_nothing_before_its_ping(
        shared, start_redis, open_page):
    redis = start_redis()
    daemon = shared(redis, STATUS_REDIS_REQUEST_TIMEOUT="1s")
    first = open_page(daemon, "run:status")
    redis.pause()
    first.close()
    daemon.wait_for_metric("connections_active", 0)
    # UNSUBSCRIBE is on its way; the upgrade is completed when the time for the answer is over.
    second = open_page(daemon, "run:status")
    redis.resume()
    assert second.next() == {"type": "ping"}
    redis.publish("run:status", "live")
    assert second.status() == "live"


def test_redis_back_has_a_thousand_subscriptions_within_a_second(shared, start_redis, open_page):
    redis = start_redis()
    daemon = shared(redis, STATUS_GAP_NOTICES="true", STATUS_PING_INTERVAL="60s")
    pages = [open_page(daemon, f"run{number}:status") for number in range(1000)]
    assert len(_channels(redis)) == 1000
    redis.kill()
    # The instant of the return is that of the link, which backs off as any.
    redis.start()
    wait_until(lambda: _channels(redis), "the first subscription", timeout=20)
    began = time.monotonic()
    wait_until(lambda: len(_channels(redis)) == 1000, "all of them")
    assert time.monotonic() - began < 1
    for page in (pages[0], pages[999]):
        outage = page.next_of("outage")
        assert page.next_of("gap")["from_ms"] == outage["since_ms"]


def test_a_channel_that_the_user_may_not_have_concerns_its_pages_alone(
        shared, start_redis, open_page):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">pw", "resetchannels", *ON_CHANNELS.split())
    url = redis.url.replace("redis://", "redis://relay:pw@")
    daemon = shared(redis, STATUS_REDIS_URL=url, STATUS_GAP_NOTICES="true")
    allowed = open_page(daemon, "open:status")
    refused = open_page(daemon, "closed:status")
    assert refused.end()[1] == 1011
    redis.publish("open:status", "on")
    assert allowed.status() == "on"
    failures = daemon.log_lines("redis subscribe failed")
    assert [failure["channel"] for failure in failures] == ["status"]
    assert failures[0]["run_id"] == "closed"


def test_a_page_that_does_not_read_touches_no_other_of_its_channel(
        shared, start_redis, open_page, raw):
    redis = start_redis()
    daemon = shared(redis, STATUS_WRITE_TIMEOUT="500ms")
    stuck = raw(daemon, receive_buffer=4096).upgrade("run:status")
    page = open_page(daemon, "run:status")
    with redis.client() as client:
        for turn in range(0, 400, 20):
            for number in range(turn, turn + 20):
                client.publish("run:status", f"{number} " + "x" * 20_000)
            received = [page.status().split()[0] for _ in range(20)]
            assert received == [str(number) for number in range(turn, turn + 20)]
    daemon.wait_for_metric("connections_active", 1)
    assert redis.subscribers("run:status") == 1
    stuck.close()


def test_a_shutdown_sends_every_page_away(shared, start_redis, open_page):
    redis = start_redis()
    daemon = shared(redis)
    pages = [open_page(daemon, f"run{number % 2}:status") for number in range(10)]
    daemon.signal()
    assert {page.end()[1] for page in pages} == {1012}
    assert daemon.wait() == 0
