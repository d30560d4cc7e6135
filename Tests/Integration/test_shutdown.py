"""SIGTERM and SIGINT: every client is sent away, and the process ends cleanly."""

import signal

import pytest

from harness.raw import CLOSE, TEXT, RawSocket, upgrade_request
from harness.waiting import wait_until

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", SIGNALS)
def test_with_send_hangup_a_signal_sends_it_and_closes_1000(
        start_daemon, redis, open_page, channel, number):
    daemon = start_daemon(redis, STATUS_SEND_HANGUP="true")
    pages = [open_page(daemon, channel).live() for _ in range(3)]
    daemon.signal(number)
    for page in pages:
        types, code = page.end()
        assert code == 1000
        # The hangup is the last message, and there is one.
        assert types[-1] == "hangup" and types.count("hangup") == 1
    assert daemon.wait() == 0
    assert [line["msg"] for line in daemon.logs][-1] == "status2 stopped"


@pytest.mark.parametrize("number", SIGNALS)
def test_without_clients_a_signal_ends_the_process_with_0(start_daemon, redis, number):
    daemon = start_daemon(redis)
    daemon.signal(number)
    assert daemon.wait() == 0
    assert daemon.stderr == ""


@pytest.mark.parametrize("value", [None, "false", "0", "F"])
def test_without_send_hangup_a_signal_closes_1012_without_hangup(
        start_daemon, redis, open_page, channel, value):
    daemon = start_daemon(redis, STATUS_SEND_HANGUP=value)
    page = open_page(daemon, channel).live()
    daemon.signal()
    types, code = page.end()
    assert code == 1012
    assert "hangup" not in types
    assert daemon.wait() == 0


def test_messages_before_the_signal_are_delivered_before_the_hangup(
        start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_SEND_HANGUP="true")
    page = open_page(daemon, channel).live()
    with redis.client() as client:
        for number in range(200):
            client.publish(channel, number)
    daemon.wait_for_metric("messages_forwarded_total", 200)
    daemon.signal()
    types, code = page.end()
    assert [kind for kind in types if kind != "ping"] == ["status"] * 200 + ["hangup"]
    assert code == 1000
    assert daemon.wait() == 0


def test_a_client_that_never_answers_the_close_is_cut_off_in_time(
        start_daemon, redis, raw, channel):
    daemon = start_daemon(redis, STATUS_SHUTDOWN_TIMEOUT="300ms")
    connection = raw(daemon).upgrade(channel)
    daemon.signal()
    connection.read_until(CLOSE)
    assert daemon.wait(2) == 0
    daemon.wait_for_log("graceful shutdown failed", connections=1)


def test_while_draining_no_new_connection_is_accepted(start_daemon, redis, raw, channel):
    daemon = start_daemon(redis)
    connection = raw(daemon).upgrade(channel)
    daemon.signal()
    connection.read_until(CLOSE)
    with pytest.raises(ConnectionRefusedError):
        RawSocket(daemon.port)
    connection.send_frame(CLOSE, b"\x03\xe8")
    connection.read_to_end()
    connection.close()
    assert daemon.wait() == 0


def test_a_request_that_is_not_complete_does_not_hold_the_end_up(start_daemon, redis, raw):
    daemon = start_daemon(redis, STATUS_SHUTDOWN_TIMEOUT="1m")
    connection = raw(daemon).send(b"GET /run:channel HTTP/1.1\r\n")
    # A whole round trip on another connection: the first one is accepted by then.
    daemon.get("/health")
    daemon.signal()
    assert connection.read_to_end() == b""
    assert daemon.wait(2) == 0


def test_an_upgrade_that_waits_for_redis_is_sent_away_too(
        start_daemon, fake_redis, raw, channel):
    server = fake_redis(answers={"SUBSCRIBE": None})
    daemon = start_daemon(
        server, STATUS_REDIS_REQUEST_TIMEOUT="30s", STATUS_SEND_HANGUP="true")
    connection = raw(daemon).send(upgrade_request("/" + channel))
    server.wait_for("SUBSCRIBE")
    daemon.signal()
    assert connection.read_answer().status == 101
    assert connection.read_until(TEXT).payload == b'{"type":"hangup"}'
    assert connection.read_until(CLOSE).code == 1000
    connection.send_frame(CLOSE, b"\x03\xe8")
    connection.read_to_end()
    connection.close()
    assert daemon.wait() == 0


def test_a_shutdown_before_redis_answers_ends_with_0(start_daemon, fake_redis):
    server = fake_redis(answers={"HELLO": None})
    daemon = start_daemon(server, ready=False, STATUS_REDIS_REQUEST_TIMEOUT="30s")
    server.wait_for("HELLO")
    daemon.signal()
    assert daemon.wait(2) == 0


def test_all_redis_connections_are_gone_after_the_end(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis)
    page = open_page(daemon, channel).live()
    daemon.signal()
    page.end()
    assert daemon.wait() == 0
    wait_until(lambda: redis.subscribers(channel) == 0, "the subscription to end")
