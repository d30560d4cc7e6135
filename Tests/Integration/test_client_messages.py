"""What a page may say: `init`, `pong`, and whatever is ignored."""

import json

import pytest

from harness.raw import PING, PONG, TEXT


@pytest.fixture
def quiet(start_daemon, redis):
    """A daemon whose heartbeat does not come within a test: a ping answers something."""
    return start_daemon(redis, STATUS_PING_INTERVAL="10m", STATUS_PONG_TIMEOUT="1h")


@pytest.fixture
def page(quiet, open_page, channel):
    return open_page(quiet, channel).live()


def _assert_only_status_follows(page, redis, channel):
    """A message published now is the next to come: what was sent before got no answer."""
    # An answered protocol ping says that the daemon has read all that was sent before it.
    assert page.connection.ping().wait(10)
    redis.publish(channel, "proof")
    assert page.next() == {"type": "status", "data": "proof"}


@pytest.mark.parametrize("text", [
    '{"type":"init"}', ' {\t"type" :\r\n "init" } ', '{"type":"INIT"}', '{"type":"Init"}',
    '{"a":[1,{"type":"pong"},null],"type":"init","z":"x"}', r'{"type":"\u0069nit"}',
    r'{"\u0074ype":"init"}', '{"TYPE":"init"}', '{"type":"x","type":"init"}',
])
def test_init_is_answered_by_a_ping_at_once(page, text):
    page.send(text)
    assert page.next() == {"type": "ping"}


def test_each_init_is_answered(page):
    for _ in range(3):
        page.init()
        assert page.next() == {"type": "ping"}


@pytest.mark.parametrize("text", [
    '{"type":"pong"}', '{"type":"PONG"}', '{"type":"hello"}', '{"type":"ping"}', '{"type":1}',
    '{"type":null}', '{"type":""}', '{"type":"init2"}', "{}", "[]", "[1,2]", '"init"', "1", "null",
    "true", '{"other":"init"}', '{"data":{"type":"init"}}',
])
def test_other_json_is_ignored(page, quiet, redis, channel, text):
    page.send(text)
    _assert_only_status_follows(page, redis, channel)
    assert quiet.metric("client_messages_malformed_total") == 0


@pytest.mark.parametrize("text", [
    "", " ", "init", "{", "}", '{"type":"init"', '{"type":"init"}}', "{'type':'init'}",
    '{"type":init}', '{"type":"init",}', '{"type" "init"}', '"\x01"', "01", "1.", "nul",
    '{"type":"\\x"}', "[" * 1000 + "]" * 1000,
])
def test_text_that_is_not_json_is_ignored_and_counted(page, quiet, redis, channel, text):
    page.send(text)
    _assert_only_status_follows(page, redis, channel)
    assert quiet.metric("client_messages_malformed_total") == 1


def test_binary_messages_are_ignored(page, quiet, redis, channel):
    page.send(b'{"type":"init"}')
    page.send(b"\xff\xfe")
    _assert_only_status_follows(page, redis, channel)
    assert quiet.metric("client_messages_malformed_total") == 0


def test_text_that_is_not_json_is_logged_at_a_limited_rate(start_daemon, redis, raw, channel):
    quiet = start_daemon(redis, STATUS_MAX_MESSAGE_RATE=0)
    connection = raw(quiet).upgrade(channel)
    for _ in range(500):
        connection.send_frame(TEXT, b"not JSON")
    connection.send_frame(PING, b"read")
    assert connection.read_until(PONG).payload == b"read"
    assert quiet.metric("client_messages_malformed_total") == 500
    lines = quiet.log_lines("invalid client message")
    assert 1 <= len(lines) <= 10
    assert (lines[0]["run_id"], lines[0]["channel"]) == tuple(channel.split(":"))
    assert lines[0]["level"] == "warn"


def test_what_a_browser_sends_is_never_logged(quiet, raw, channel):
    connection = raw(quiet).upgrade(channel)
    connection.send_frame(TEXT, b"a secret of the page")
    connection.send_frame(PING)
    connection.read_until(PONG)
    quiet.wait_for_log("invalid client message")
    assert "a secret" not in quiet.output


def test_what_redis_sends_is_never_logged(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_LOG_LEVEL="debug")
    page = open_page(daemon, channel).live()
    redis.publish(channel, "a secret of the job")
    assert page.status() == "a secret of the job"
    assert "a secret" not in daemon.output
    assert json.loads(daemon.lines[0])["level"] in ("debug", "info")
