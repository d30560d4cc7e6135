"""The daemon on each server: Redis 6.2, 7.0 and 8.2, and on fakeredis as three others."""

import time

import pytest

from compat.servers import SERVERS
from conftest import MODES, PAYLOADS, as_text
from harness.daemon import run_to_end
from harness.waiting import wait_until

REAL = [kind for kind in SERVERS if kind.asks_for_passwords]


def _kinds(kinds):
    return [
        pytest.param(kind, id=kind.name, marks=[pytest.mark.quick] * (kind.name == "Redis 7.0"))
        for kind in kinds]


each_server = pytest.mark.parametrize("kind", _kinds(SERVERS))
each_real_server = pytest.mark.parametrize("kind", _kinds(REAL))
each_mode = pytest.mark.parametrize("mode", MODES)
each_protocol = pytest.mark.parametrize("protocol", [3, 2], ids=["RESP3", "RESP2"])


def _values(daemon, direction):
    """The values of the trace that passed in this direction."""
    return [
        line.split(f" {direction} ", 1)[1] for line in daemon.stderr.splitlines()
        if f" {direction} " in line]


@each_server
@each_mode
@each_protocol
def test_every_byte_of_every_message_comes_once_and_in_order(
        start_server, start_daemon, open_page, kind, mode, protocol):
    server = start_server(kind, without_hello=protocol == 2)
    daemon = start_daemon(server, "--trace", STATUS_REDIS_SUBSCRIPTIONS=mode)
    pages = [open_page(daemon, path).live() for path in ("run%3B%3B1:status", "run%3B%3B1:status")]
    other = open_page(daemon, "run2:status").live()
    with server.client() as client:
        for payload in PAYLOADS:
            # Each page has its own subscription, or both have one together.
            assert client.publish("run;;1:status", payload) == (2 if mode == "dedicated" else 1)
        client.publish("run2:status", b"to the other")
    for page in pages:
        assert [page.status() for _ in PAYLOADS] == [as_text(payload) for payload in PAYLOADS]
    assert other.status() == "to the other"
    hello = next(value for value in _values(daemon, "in"))
    assert ("unknown command" in hello.lower()) == (protocol == 2), hello
    assert not daemon.link_failures()


@each_server
@each_mode
@each_protocol
def test_a_quiet_link_is_asked_and_stays(
        start_server, start_daemon, open_page, kind, mode, protocol):
    """What a subscribed connection may ask, and how it is answered, differs between servers."""
    server = start_server(kind, without_hello=protocol == 2)
    daemon = start_daemon(
        server, "--trace", STATUS_REDIS_SUBSCRIPTIONS=mode, STATUS_REDIS_PING_INTERVAL="50ms",
        STATUS_REDIS_REQUEST_TIMEOUT="1s")
    page = open_page(daemon, "run:status").live()
    asked = ("PING", "SUBSCRIBE")
    wait_until(
        lambda: sum(any(word in value for word in asked) for value in _values(daemon, "out")) > 25,
        "two dozen questions")
    with server.client() as client:
        client.publish("run:status", b"still there")
    assert page.status() == "still there"
    assert not daemon.link_failures()
    assert daemon.metric("redis_reconnects_total") == 0


@each_server
@each_mode
def test_after_a_restart_the_page_goes_on_and_is_told_of_the_gap(
        start_server, start_daemon, open_page, kind, mode):
    server = start_server(kind)
    daemon = start_daemon(
        server, STATUS_REDIS_SUBSCRIPTIONS=mode, STATUS_GAP_NOTICES="true")
    page = open_page(daemon, "run:status").live()
    server.publish("run:status", "before")
    assert page.status() == "before"
    down = time.time() * 1000
    server.kill()
    assert page.next_of("outage")["since_ms"] <= time.time() * 1000
    wait_until(lambda: daemon.get("/ready").status == 503, "the daemon not to be ready")
    server.start()
    gap = page.next_of("gap")
    assert gap["reason"] == "redis_outage" and gap["from_ms"] <= down <= gap["to_ms"]
    server.publish("run:status", "after")
    assert page.status() == "after"
    daemon.wait_ready()


@each_server
@each_mode
def test_a_channel_that_no_page_watches_any_more_is_given_up(
        start_server, start_daemon, open_page, kind, mode):
    server = start_server(kind)
    daemon = start_daemon(
        server, STATUS_REDIS_SUBSCRIPTIONS=mode)
    first, second = open_page(daemon, "run:a").live(), open_page(daemon, "run:b").live()
    first.close()
    with server.client() as client:
        wait_until(lambda: client.publish("run:a", b"nobody") == 0, "the subscription to end")
        assert client.publish("run:b", b"somebody") == 1
    assert second.status() == "somebody"
    assert not daemon.link_failures()


@each_real_server
@each_mode
@each_protocol
def test_the_server_s_password_is_given_and_a_wrong_one_ends_the_start(
        start_server, start_daemon, open_page, kind, mode, protocol):
    server = start_server(
        kind, "--requirepass", "s3cret", password="s3cret", without_hello=protocol == 2)
    daemon = start_daemon(
        server, STATUS_REDIS_SUBSCRIPTIONS=mode, STATUS_REDIS_PASSWORD="s3cret")
    page = open_page(daemon, "run:status").live()
    server.publish("run:status", "let in")
    assert page.status() == "let in"
    for password, code in (("wrong", "WRONGPASS"), ("", "NOAUTH")):
        ended = run_to_end(settings={
            "STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_REDIS_URL": server.url,
            "STATUS_REDIS_PASSWORD": password or None})
        assert ended.returncode == 1
        assert code in ended.stdout, ended.stdout
        assert "s3cret" not in ended.stdout + ended.stderr


@each_real_server
@each_mode
def test_a_user_with_no_more_rights_than_are_needed_is_served_and_no_more(
        start_server, start_daemon, open_page, kind, mode):
    server = start_server(kind)
    server.cli(
        "ACL", "SETUSER", "relay", "on", ">s3cret", "resetchannels", "&run*", "&status2:*", "-@all",
        "+subscribe", "+unsubscribe", "+ping", "+hello", "+select", "+client|setname")
    daemon = start_daemon(
        f"redis://relay:s3cret@127.0.0.1:{server.port}/2", STATUS_REDIS_SUBSCRIPTIONS=mode,
        STATUS_REDIS_MAX_RETRIES="2", STATUS_REDIS_PING_INTERVAL="50ms")
    page = open_page(daemon, "run:status").live()
    denied = open_page(daemon, "secret:status")
    assert denied.end() == ([], 1011)
    server.publish("run:status", "allowed")
    assert page.status() == "allowed"


@pytest.mark.parametrize(
    "kind", [kind for kind in SERVERS if not kind.asks_for_passwords], ids=lambda kind: kind.name)
def test_a_user_is_named_to_a_server_that_asks_nobody(start_server, start_daemon, open_page, kind):
    server = start_server(kind)
    daemon = start_daemon(f"redis://relay:s3cret@127.0.0.1:{server.port}/2")
    page = open_page(daemon, "run:status").live()
    server.publish("run:status", "hello")
    assert page.status() == "hello"
    assert "s3cret" not in daemon.output
