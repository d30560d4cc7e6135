"""A page that comes back gets what it has missed, once and in order, or is told of a gap."""

import contextlib
import re
import time

import pytest
from websockets.exceptions import ConnectionClosed

from harness import nginx
from harness.waiting import wait_until

ID = re.compile(r"[0-9a-f]{30}-[0-9]+")


@pytest.fixture(params=["dedicated", "shared"])
def start(request, start_daemon):
    def start(redis, **settings):
        settings = {"STATUS_REDIS_SUBSCRIPTIONS": request.param} | settings
        return start_daemon(redis, **settings)

    return start


class Resuming:
    """A page that can resume: it remembers the position of the last thing that it has got."""

    def __init__(self, open_page, daemon, channel, last="1"):
        self.page = open_page(daemon, f"{channel}?resume={last}")
        # What it cannot have it is told before.
        self.gap = None
        first = self.page.next()
        while first["type"] != "ping":
            self.gap = first if first["type"] == "gap" else self.gap
            first = self.page.next()
        assert ID.fullmatch(first["id"])
        self.first = self.last = first["id"]

    def receive(self, count):
        """The payloads of the next messages, whose numbers count up by one."""
        payloads = []
        for _ in range(count):
            message = self.page.next_of("status")
            epoch, number = message["id"].split("-")
            last_epoch, last_number = self.last.split("-")
            assert epoch == last_epoch and int(number) == int(last_number) + 1
            self.last = message["id"]
            payloads.append(message["data"])
        return payloads

    def vanish(self):
        """The connection is gone without a word."""
        self.page.connection.socket.shutdown(2)
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.page.next()

    def back(self, open_page, daemon, channel, last=None):
        return Resuming(open_page, daemon, channel, last or self.last)


def _is_gone(daemon):
    daemon.wait_for_metric("connections_active", 0)


def test_a_page_that_can_resume_gets_positions_and_others_what_they_always_got(
        start, redis, open_page, raw, channel):
    daemon = start(redis)
    resuming = Resuming(open_page, daemon, channel)
    other = raw(daemon).upgrade(channel)
    assert other.read_frame().payload == b'{"type":"ping"}'
    redis.publish(channel, "one")
    assert resuming.receive(1) == ["one"]
    assert other.read_frame().payload == b'{"type":"status","data":"one"}'


def test_what_was_sent_meanwhile_comes_once_and_in_order_before_anything_newer(
        start, redis, open_page, channel):
    daemon = start(redis)
    page = Resuming(open_page, daemon, channel)
    redis.publish(channel, "before")
    assert page.receive(1) == ["before"]
    page.vanish()
    _is_gone(daemon)
    for number in range(5):
        redis.publish(channel, f"missed {number}")
    page = page.back(open_page, daemon, channel)
    redis.publish(channel, "after")
    assert page.receive(6) == [f"missed {number}" for number in range(5)] + ["after"]
    assert daemon.metric('resumes_total{outcome="complete"}') == 1
    assert daemon.metric("replayed_messages_total") == 5


def test_what_the_browser_took_and_the_page_never_saw_comes_again(
        start, redis, open_page, channel):
    daemon = start(redis)
    page = Resuming(open_page, daemon, channel)
    for number in range(3):
        redis.publish(channel, f"{number}")
    page.receive(1)
    seen = page.last
    page.receive(2)
    page.vanish()
    assert page.back(open_page, daemon, channel, seen).first == seen
    page.last = seen
    back = page.back(open_page, daemon, channel, seen)
    assert back.receive(2) == ["1", "2"]


def test_a_page_comes_back_while_its_old_connection_seems_to_live(
        start, redis, open_page, channel):
    daemon = start(redis)
    old = Resuming(open_page, daemon, channel)
    new = old.back(open_page, daemon, channel)
    redis.publish(channel, "both")
    assert old.receive(1) == new.receive(1) == ["both"]


def _gap(page):
    gap = page.gap or page.page.next_of("gap")
    assert gap["from_ms"] <= gap["to_ms"]
    return gap["reason"]


def test_a_place_that_is_not_known_is_a_gap_since_the_stream_began(
        start, redis, open_page, channel):
    daemon = start(redis)
    page = Resuming(open_page, daemon, channel)
    epoch, _ = page.last.split("-")
    strange = epoch[:-1] + ("0" if epoch[-1] != "0" else "1") + "-3"
    for last in (strange, "nonsense", "9" * 200, f"{epoch}-77"):
        opened = int(time.time() * 1000)
        back = page.back(open_page, daemon, channel, last)
        gap = back.gap
        assert gap["reason"] == "resume" and gap["from_ms"] <= opened <= gap["to_ms"] + 1000
        redis.publish(channel, "live")
        assert back.receive(1) == ["live"]


def test_after_the_window_nothing_is_kept(start, start_redis, open_page):
    redis = start_redis()
    daemon = start(redis, STATUS_RESUME_WINDOW="1s")
    page = Resuming(open_page, daemon, "run:status")
    page.vanish()
    _is_gone(daemon)
    assert redis.subscribers("run:status") == 1
    redis.wait_for_subscribers("run:status", 0)
    assert daemon.metric("resume_kept") == 0 and daemon.metric("resume_bytes") == 0
    assert _gap(page.back(open_page, daemon, "run:status")) == "resume"


def test_of_more_bytes_than_are_kept_the_oldest_are_a_gap(start, redis, open_page, channel):
    daemon = start(redis, STATUS_RESUME_CHANNEL_BYTES="1KB")
    page = Resuming(open_page, daemon, channel)
    page.vanish()
    _is_gone(daemon)
    for _ in range(3):
        redis.publish(channel, "x" * 400)
    # Each counts for eight bytes more than it has.
    assert daemon.metric("resume_bytes") == 2 * 408
    assert _gap(page.back(open_page, daemon, channel)) == "resume"


def test_a_good_bye_is_the_end(start, start_redis, open_page):
    redis = start_redis()
    daemon = start(redis)
    page = Resuming(open_page, daemon, "run:status")
    page.page.close(1000)
    redis.wait_for_subscribers("run:status", 0)
    page = Resuming(open_page, daemon, "run:status")
    page.page.close(1001)
    _is_gone(daemon)
    assert redis.subscribers("run:status") == 1


def test_a_redis_that_was_away_meanwhile_is_told_of(start, start_redis, open_page):
    redis = start_redis()
    daemon = start(redis, STATUS_REDIS_RETRY_BASE="100ms", STATUS_REDIS_RETRY_MAX="300ms")
    page = Resuming(open_page, daemon, "run:status")
    page.vanish()
    _is_gone(daemon)
    redis.publish("run:status", "before")
    wait_until(lambda: daemon.metric("resume_bytes") == 14, "the message to be held")
    redis.kill()
    redis.start()
    redis.wait_for_subscribers("run:status", 1)
    redis.publish("run:status", "after")
    page = page.back(open_page, daemon, "run:status")
    assert _gap(page) == "redis_outage"
    assert page.receive(2) == ["before", "after"]


def test_a_daemon_that_was_started_anew_says_that_there_is_a_gap(
        start, redis, open_page, channel):
    first = start(redis)
    page = Resuming(open_page, first, channel)
    first.stop()
    assert _gap(page.back(open_page, start(redis), channel)) == "resume"


def test_whichever_loop_takes_the_connection_the_stream_is_found(
        start, redis, open_page, channel):
    daemon = start(redis, STATUS_LOOPS="3")
    page = Resuming(open_page, daemon, channel)
    for number in range(9):
        page.vanish()
        _is_gone(daemon)
        # Another connection, so that the next one is another loop's turn.
        with open_page(daemon, f"other{number}:status"):
            redis.publish(channel, f"{number}")
            page = page.back(open_page, daemon, channel)
            assert page.receive(1) == [f"{number}"]
        _is_gone_but_one(daemon)


def _is_gone_but_one(daemon):
    daemon.wait_for_metric("connections_active", 1)


def test_another_channel_learns_nothing_by_a_position(start, redis, open_page, channel):
    daemon = start(redis)
    page = Resuming(open_page, daemon, channel)
    redis.publish(channel, "secret")
    page.receive(1)
    epoch, _ = page.last.split("-")
    stranger = page.back(open_page, daemon, "another:status", f"{epoch}-0")
    assert _gap(stranger) == "resume"
    redis.publish("another:status", "own")
    assert stranger.receive(1) == ["own"]


def test_a_proxy_passes_positions_on_however_it_writes_them(
        start, redis, open_page, start_nginx, channel, tmp_path):
    daemon = start(redis)
    proxy = start_nginx(tmp_path, daemon.address)
    path = f"{nginx.PREFIX[1:]}{channel}"
    page = Resuming(open_page, proxy, path)
    for write in (str, lambda last: last.replace("-", "%2D"), lambda last: f"{last}&token=a%26b"):
        page.vanish()
        _is_gone(daemon)
        redis.publish(channel, "missed")
        last = page.last
        page = page.back(open_page, proxy, path, write(last))
        assert page.first == last and page.receive(1) == ["missed"]
    assert daemon.metric('resumes_total{outcome="gap"}') == 0


def test_a_visitor_takes_nothing_from_a_page_that_is_away(start, redis, open_page, channel):
    daemon = start(redis)
    page = Resuming(open_page, daemon, channel)
    page.vanish()
    _is_gone(daemon)
    with open_page(daemon, channel).live() as visitor:
        redis.publish(channel, "while it is there")
        visitor.status()
    _is_gone(daemon)
    redis.publish(channel, "after it has gone")
    back = page.back(open_page, daemon, channel)
    assert back.receive(2) == ["while it is there", "after it has gone"]


def test_many_short_messages_all_come_though_their_frames_are_long(
        start, redis, open_page, channel):
    """Some 1.6 MB of frames, of which any page's queue may hold one."""
    daemon = start(redis)
    page = Resuming(open_page, daemon, channel)
    page.vanish()
    _is_gone(daemon)
    with redis.client() as client, client.pipeline(transaction=False) as pipe:
        for number in range(20_000):
            pipe.publish(channel, f"{number % 10}")
        pipe.execute()
    wait_until(lambda: daemon.metric("resume_bytes") == 20_000 * 9, "all to be held")
    back = page.back(open_page, daemon, channel)
    assert back.receive(20_000) == [f"{number % 10}" for number in range(20_000)]
    assert daemon.metric("slow_clients_total") == 0


def test_with_a_window_of_zero_nothing_is_numbered(start, redis, open_page, channel):
    daemon = start(redis, STATUS_RESUME_WINDOW="0")
    page = open_page(daemon, f"{channel}?resume=1")
    assert page.next() == {"type": "ping"}
    redis.publish(channel, "plain")
    assert page.next_of("status") == {"type": "status", "data": "plain"}
