"""Any bytes in place of a request end in a clear outcome, and the daemon serves on."""

import random
import time

import pytest

from harness.raw import CLOSE, KEY, TEXT, RawSocket, frame, upgrade_request

HEAD_LIMIT = 16 * 1024


def _head_of(size, line=1000):
    """An upgrade request of exactly `size` bytes in lines of at most about `line`."""
    request = upgrade_request("/big:head")[:-2]
    missing = size - len(request) - 2
    number = 0
    while missing > 0:
        number += 1
        name = f"X-Filler-{number:03}: ".encode()
        length = missing if missing <= line else line
        if 0 < missing - length < len(name) + 3:
            length -= len(name) + 3
        request += name + b"x" * (length - len(name) - 2) + b"\r\n"
        missing -= length
    request += b"\r\n"
    assert len(request) == size
    return request


def _answer(raw, daemon, request):
    return raw(daemon).send(request).read_answer()


def _assert_serves(daemon):
    assert daemon.is_running
    assert daemon.get("/health").status == 200


# The size of the head

def test_a_header_block_of_16_kib_is_taken(daemon, raw):
    assert _answer(raw, daemon, _head_of(HEAD_LIMIT)).status == 101


def test_a_header_block_over_16_kib_answers_431(daemon, raw):
    assert _answer(raw, daemon, _head_of(HEAD_LIMIT + 1)).status == 431


def test_a_header_line_that_never_ends_answers_431(daemon, raw):
    request = b"GET /run:channel HTTP/1.1\r\nX: " + b"x" * (HEAD_LIMIT + 100)
    assert _answer(raw, daemon, request).status == 431


def test_one_long_header_within_16_kib_is_taken(daemon, raw):
    # A page's cookies easily make one header of more than 8 KiB.
    assert _answer(raw, daemon, _head_of(12 * 1024, line=11 * 1024)).status == 101


def test_the_bytes_behind_a_refused_head_do_no_harm(daemon, raw):
    connection = raw(daemon).send(_head_of(HEAD_LIMIT + 1))
    assert connection.read_answer().status == 431
    assert connection.read_to_end() == b""
    _assert_serves(daemon)


# The time for the head

def test_headers_that_are_not_complete_in_10_s_end_the_connection(daemon, raw):
    silent, partial = raw(daemon), raw(daemon)
    partial.send(upgrade_request("/run:channel")[:-2])
    silent.socket.settimeout(15)
    partial.socket.settimeout(15)
    begun = time.monotonic()
    assert partial.read_answer().status == 408
    assert partial.read_to_end() == b""
    assert silent.read_to_end() == b""
    assert 8.5 < time.monotonic() - begun < 12


# Malformed heads

MALFORMED = {
    "no HTTP at all": b"hello\r\n\r\n",
    "a request line of one word": b"GET\r\nHost: x\r\n\r\n",
    "a request line of two words": b"GET /run:channel\r\nHost: x\r\n\r\n",
    "a request line of four words": b"GET /run:channel HTTP/1.1 x\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  /run:channel HTTP/1.1\r\nHost: x\r\n\r\n",
    "a leading space": b" GET /run:channel HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method with a colon": b"G:T /run:channel HTTP/1.1\r\nHost: x\r\n\r\n",
    "no slash": b"GET run:channel HTTP/1.1\r\nHost: x\r\n\r\n",
    "a version without a number": b"GET / HTTP/x.y\r\nHost: x\r\n\r\n",
    "a version of three digits": b"GET / HTTP/1.10\r\nHost: x\r\n\r\n",
    "another protocol": b"GET / ICY/1.1\r\nHost: x\r\n\r\n",
    "bare line feeds": b"GET /health HTTP/1.1\nHost: x\n\n",
    "a bare carriage return": b"GET /health HTTP/1.1\r\nHost: x\rY: z\r\n\r\n",
    "no Host": b"GET /health HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "a Host that is none": b"GET /health HTTP/1.1\r\nHost: a b/c\r\n\r\n",
    "a header without a colon": b"GET /health HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "a header without a name": b"GET /health HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    "a blank before the colon": b"GET /health HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
    "a folded header": b"GET /health HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n",
    "NUL in a value": b"GET /health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "NUL in the target": b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length that is no number": b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length and coding": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
}


@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_line_or_header_answers_400(daemon, raw, request_bytes):
    connection = raw(daemon).send(request_bytes)
    connection.end_sending()
    assert connection.read_answer().status == 400
    assert connection.read_to_end() == b""


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9"])
def test_another_version_of_http_answers_505(daemon, raw, version):
    request = f"GET /health {version}\r\nHost: x\r\n\r\n".encode()
    assert _answer(raw, daemon, request).status == 505


def test_the_preface_of_http2_answers_505(daemon, raw):
    assert _answer(raw, daemon, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 505


def test_a_request_cut_off_by_the_end_of_the_stream_is_closed(daemon, raw):
    connection = raw(daemon).send(b"GET /health HT")
    connection.end_sending()
    assert connection.read_to_end() == b""
    _assert_serves(daemon)


def test_random_bytes_end_every_connection(daemon):
    # The seed is fixed: a failure can be repeated.
    source = random.Random(2)
    for _ in range(200):
        with RawSocket(daemon.port) as connection:
            try:
                connection.send(source.randbytes(source.randrange(1, 3000)))
                connection.end_sending()
            except (BrokenPipeError, ConnectionResetError, OSError):
                continue
            answer = connection.read_to_end()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or \
                answer.startswith(b"HTTP/1.1 5")
    _assert_serves(daemon)


def test_an_upgrade_with_random_changes_is_answered_or_closed(daemon):
    source = random.Random(3)
    request = upgrade_request("/run:channel")
    for _ in range(300):
        changed = bytearray(request)
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        with RawSocket(daemon.port) as connection:
            connection.send(bytes(changed))
            connection.end_sending()
            answer = connection.read_to_end()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    _assert_serves(daemon)


# The upgrade

@pytest.mark.parametrize("key", [
    None, "", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=",
    "dGhlIHNhbXBsZSBub25jZTE=", "dGhlIHNhbXBsZSBub25j!Q==", "AAAA", KEY + KEY,
])
def test_a_bad_or_missing_key_answers_400(daemon, raw, key):
    request = upgrade_request("/run:channel", Sec_WebSocket_Key=key)
    assert _answer(raw, daemon, request).status == 400


def test_two_keys_answer_400(daemon, raw):
    request = upgrade_request("/run:channel")
    request = request[:-2] + f"Sec-WebSocket-Key: {KEY}\r\n\r\n".encode()
    assert _answer(raw, daemon, request).status == 400


@pytest.mark.parametrize("version", [None, "", "0", "8", "12", "14", "13, 8", "013", "x"])
def test_another_websocket_version_answers_426_and_names_13(daemon, raw, version):
    answer = _answer(
        raw, daemon, upgrade_request("/run:channel", Sec_WebSocket_Version=version))
    assert answer.status == 426
    assert answer.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize("headers", [
    {"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}])
def test_a_body_on_the_upgrade_answers_400(daemon, raw, headers):
    request = upgrade_request("/run:channel", **headers) + b"hello"
    assert _answer(raw, daemon, request).status == 400


@pytest.mark.parametrize("changes", [
    {"Upgrade": None}, {"Connection": None}, {"Connection": "close"}, {"Upgrade": "h2c"}])
def test_an_incomplete_upgrade_answers_426(daemon, raw, changes):
    assert _answer(raw, daemon, upgrade_request("/run:channel", **changes)).status == 426


@pytest.mark.parametrize("value", [
    "", ",", "permessage-deflate;", "permessage-deflate; client max", "a=b", "a; b=", "a; b=\"\"",
    "a; b=\"c", "a; b=\"c d\"", "a; b=\"c,d\"", "\"a\"", "a b", ";", "a\r\nSec-WebSocket-Extensions: b;",
])
def test_malformed_extensions_answer_400(daemon, raw, value):
    request = upgrade_request("/run:channel", Sec_WebSocket_Extensions=value)
    assert _answer(raw, daemon, request).status == 400


@pytest.mark.parametrize("value", [
    "permessage-deflate", "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame",
    "a; b=\"c\"; d=e ,f", "a,,b", "a\r\nSec-WebSocket-Extensions: b; c=\"\\d\"",
])
def test_well_formed_extensions_are_declined(daemon, raw, channel, value):
    answer = _answer(raw, daemon, upgrade_request("/" + channel, Sec_WebSocket_Extensions=value))
    assert answer.status == 101
    assert "sec-websocket-extensions" not in answer.headers


@pytest.mark.parametrize("name, value", [
    ("Host", "localhost"), ("Origin", "http://localhost"), ("Sec-WebSocket-Version", "13"),
    ("Content-Length", "0"), ("Transfer-Encoding", "chunked")])
def test_headers_that_decide_something_stand_once(daemon, raw, name, value):
    headers = {name.replace("-", "_"): f"{value}\r\n{name}: {value}"}
    host = headers.pop("Host", "localhost")
    assert _answer(raw, daemon, upgrade_request("/run:channel", host=host, **headers)).status == 400


# Frames with the request

def test_frames_in_the_same_segment_as_the_request_are_kept(daemon, raw, channel):
    connection = raw(daemon)
    connection.send(
        upgrade_request("/" + channel) + frame(TEXT, b'{"type":"init"}')
        + frame(CLOSE, b"\x03\xe8"))
    assert connection.read_answer().status == 101
    # The first ping of the stream, the answer to init, the echo of the close.
    assert [connection.read_frame().payload for _ in range(3)] == [
        b'{"type":"ping"}', b'{"type":"ping"}', b"\x03\xe8"]
    assert connection.read_to_end() == b""


def test_broken_frames_in_the_same_segment_close_after_the_101(daemon, raw, channel):
    connection = raw(daemon).send(upgrade_request("/" + channel) + b"\xff" * 20)
    assert connection.read_answer().status == 101
    assert connection.read_until(CLOSE).code == 1002
