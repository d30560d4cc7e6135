"""Redis's bytes as a JSON string: any byte sequence gives well-formed JSON and UTF-8."""

import pytest

PAYLOADS = {
    "nothing": b"",
    "quotes and backslashes": rb'"a\b\"c\\',
    "every ASCII byte": bytes(range(128)),
    "NUL alone": b"\0",
    "line ends": b"a\r\nb\nc\r",
    "JSON": b'{"type":"hangup"}',
    "JSON that would close the string": b'"}{"type":"hangup","x":"',
    "Latin, Greek, CJK": "café λόγος 状态".encode(),
    "emoji and joiners": "👩‍👩‍👧‍👦🇨🇭✌🏽".encode(),
    "line separators of JavaScript": "\u2028\u2029".encode(),
    "noncharacters and the last code point": "\ufffe\uffff\U0010ffff".encode(),
    "byte order mark": "\ufeffx".encode(),
}

# Maximal subparts, each one replacement (Unicode 15, section 3.9).
ILL_FORMED = {
    "a lone continuation byte": (b"a\x80b", 1),
    "bytes that never occur": (b"\xfe\xff", 2),
    "a truncated sequence": (b"a\xe2\x82", 1),
    "a truncated sequence before ASCII": (b"\xf0\x9f\x98x", 1),
    "an overlong NUL": (b"\xc0\x80", 2),
    "a surrogate": (b"\xed\xa0\x80", 3),
    "beyond the last code point": (b"\xf4\x90\x80\x80", 4),
    "every byte": (bytes(range(256)), 128),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_payload_decodes_to_itself(daemon, redis, open_page, channel, payload):
    page = open_page(daemon, channel).live()
    redis.publish(channel, payload)
    assert page.status().encode() == payload


@pytest.mark.parametrize("payload, replaced", ILL_FORMED.values(), ids=ILL_FORMED.keys())
def test_ill_formed_utf8_is_replaced_and_counted(
        daemon, redis, open_page, channel, payload, replaced):
    page = open_page(daemon, channel).live()
    before = daemon.metric("utf8_replacements_total")
    redis.publish(channel, payload)
    received = page.status()
    assert received == payload.decode("utf-8", errors="replace")
    assert received.count("\ufffd") == replaced
    assert daemon.metric("utf8_replacements_total") - before == replaced


def test_a_status_message_has_type_and_data_and_nothing_else(daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    redis.publish(channel, "x")
    assert page.next_of("status") == {"type": "status", "data": "x"}


@pytest.mark.parametrize("size", [125 - 27, 126 - 27, 65535 - 27, 65536 - 27, 100 * 1024])
def test_payloads_around_the_frame_header_sizes_arrive_whole(
        daemon, redis, open_page, channel, size):
    page = open_page(daemon, channel).live()
    text = ("0123456789abcdef" * (size // 16 + 1))[:size]
    redis.publish(channel, text)
    assert page.status() == text


def test_a_payload_under_the_limit_is_relayed(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_MAX_PAYLOAD_SIZE="200KB")
    page = open_page(daemon, channel).live()
    text = "x" * (200 * 1024)
    redis.publish(channel, text)
    assert page.status() == text
    assert daemon.metric('messages_dropped_total{reason="oversized"}') == 0


def test_a_payload_over_the_limit_is_skipped_and_counted_and_the_stream_goes_on(
        start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_MAX_PAYLOAD_SIZE="200KB")
    page = open_page(daemon, channel).live()
    redis.publish(channel, "before")
    redis.publish(channel, "x" * (200 * 1024 + 1))
    redis.publish(channel, "x" * (4 << 20))
    redis.publish(channel, "after")
    assert [page.status(), page.status()] == ["before", "after"]
    assert daemon.metric('messages_dropped_total{reason="oversized"}') == 2
    assert daemon.metric("redis_reconnects_total") == 0
    assert daemon.log_lines("skipped a payload over STATUS_MAX_PAYLOAD_SIZE", bytes=204801)


def test_a_payload_of_the_default_limit_is_relayed(daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    text = "x" * (1 << 20)
    redis.publish(channel, text)
    assert page.status() == text


def test_a_payload_whose_escapes_make_it_six_times_as_long_is_relayed(
        daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    redis.publish(channel, b"\x01" * (512 * 1024))
    assert page.status() == "\x01" * (512 * 1024)
