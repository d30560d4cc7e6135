"""The table of requests and answers."""

import json

import pytest

from harness.raw import RawSocket, http_request, upgrade_request
from harness.waiting import wait_until

PLAIN_METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"]


def test_health_answers_ok(daemon):
    answer = daemon.get("/health")
    assert (answer.status, answer.body) == (200, b"OK")


def test_ready_answers_an_empty_list_of_reasons(daemon):
    answer = daemon.get("/ready")
    assert (answer.status, json.loads(answer.body)) == (200, [])
    assert answer.headers["content-type"] == "application/json"


def test_metrics_answer_prometheus_text_when_enabled(daemon):
    answer = daemon.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {line.split(" ")[2] for line in answer.body.decode().splitlines()
             if line.startswith("# TYPE")}
    # The Go service's names.
    assert names >= {
        "status2_connections_active", "status2_messages_forwarded_total",
        "status2_redis_reconnects_total", "status2_write_errors_total"}


def test_metrics_answer_404_by_default(start_daemon, redis):
    daemon = start_daemon(redis, STATUS_METRICS_ENABLED=None)
    assert daemon.get("/metrics").status == 404


def test_the_root_answers_404(daemon):
    assert daemon.get("/").status == 404


def test_the_root_answers_404_to_an_upgrade_too(daemon, raw):
    assert raw(daemon).send(upgrade_request("/")).read_answer().status == 404


@pytest.mark.parametrize("path", ["/run:channel", "/run%3Achannel", "/run%3B%3Bx:channel/"])
def test_a_channel_without_an_upgrade_answers_426(daemon, path):
    answer = daemon.get(path)
    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"


@pytest.mark.parametrize("method", PLAIN_METHODS)
@pytest.mark.parametrize("path", ["/health", "/run:channel", "/"])
def test_another_method_answers_405_with_allow(daemon, method, path):
    answer = http_request(daemon.port, method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


def _head_and_body(raw, daemon, request):
    return raw(daemon).send(request).read_to_end().split(b"\r\n\r\n", 1)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("path", ["/health", "/ready", "/health/", "/", "/bad", "/run:channel"])
def test_head_is_answered_as_get_without_the_body(daemon, raw, path, version):
    # RFC 9110, section 9.3.2: the same headers, and no content behind them.
    get, head = (
        _head_and_body(raw, daemon, f"{method} {path} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
        for method in ("GET", "HEAD"))
    assert head == [get[0], b""]
    assert f"\r\nContent-Length: {len(get[1])}\r\n".encode() in get[0] + b"\r\n"


def test_head_of_the_metrics_has_their_length(daemon, raw):
    head, body = _head_and_body(raw, daemon, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and body == b""
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert length > 1000


def test_head_of_a_channel_answers_426_with_an_upgrade_too(daemon, raw, channel):
    request = upgrade_request("/" + channel).replace(b"GET ", b"HEAD ", 1)
    head, body = _head_and_body(raw, daemon, request)
    assert head.startswith(b"HTTP/1.1 426 ") and body == b""


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/console"])
def test_a_slash_at_the_end_of_the_fixed_paths_is_dropped(start_daemon, redis, path):
    daemon = start_daemon(redis, STATUS_CONSOLE_ENABLED="true")
    assert daemon.get(path + "/").status == 200
    assert daemon.get(path + "//").status == 400


# HTTP/1.0 and what is odd but harmless

@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
@pytest.mark.parametrize("headers", [
    "", "Host: x\r\n", "Host:\r\n", "Connection: keep-alive\r\n", "Connection: close\r\n",
    "Content-Length: 0\r\n", "User-Agent: a\r\nUser-Agent: b\r\n"])
def test_http_1_0_is_served(daemon, raw, path, headers):
    answer = raw(daemon).send(f"GET {path} HTTP/1.0\r\n{headers}\r\n".encode()).read_answer()
    assert answer.status == 200


def test_the_status_line_is_that_of_http_1_1(daemon, raw):
    connection = raw(daemon).send(b"GET /health HTTP/1.0\r\n\r\n")
    answer = connection.read_to_end()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\nConnection: close\r\n" in answer


def test_a_channel_is_not_upgraded_in_http_1_0(daemon, raw, redis, channel):
    request = upgrade_request("/" + channel).replace(b"HTTP/1.1", b"HTTP/1.0")
    assert raw(daemon).send(request).read_answer().status == 426
    assert redis.subscribers(channel) == 0


HARMLESS = {
    "a higher minor version": "GET /health HTTP/1.2\r\nHost: x\r\n\r\n",
    "an absolute target": "GET http://x:80/health HTTP/1.1\r\nHost: x\r\n\r\n",
    "an absolute target without Host": "GET http://x/health HTTP/1.0\r\n\r\n",
    "an empty Host": "GET /health HTTP/1.1\r\nHost:\r\n\r\n",
    "a Host with a dot at its end": "GET /health HTTP/1.1\r\nHost: x.example.\r\n\r\n",
    "a Host with an underscore": "GET /health HTTP/1.1\r\nHost: status_1:9002\r\n\r\n",
    "a Host of IPv6": "GET /health HTTP/1.1\r\nHost: [2001:db8::1]:9002\r\n\r\n",
    "empty values": "GET /health HTTP/1.1\r\nHost: x\r\nAccept:\r\nConnection:\r\nX: \t\r\n\r\n",
    "a body of no length": "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "a body": "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
    "headers twice": "GET /health HTTP/1.1\r\nHost: x\r\n" + "".join(
        f"{name}: {value}\r\n" for value in "ab" for name in (
            "User-Agent", "Accept", "Cookie", "Referer", "Authorization", "X-Request-Id",
            "X-Forwarded-For", "Via", "Cache-Control")) + "\r\n",
    "an offer of h2c": "GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                       "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "an empty line before": "\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query": "GET /health?verbose=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "expecting 100": "GET /health HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
}


@pytest.mark.parametrize("request_text", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_is_odd_but_harmless_is_served(daemon, raw, request_text):
    assert raw(daemon).send(request_text.encode()).read_answer().status == 200


@pytest.mark.parametrize("connection", ["close, Upgrade", "UPGRADE", "upgrade,keep-alive", ",Upgrade"])
def test_upgrade_is_one_of_the_connection_options(daemon, raw, channel, connection):
    request = upgrade_request("/" + channel, Connection=connection)
    assert raw(daemon).send(request).read_answer().status == 101


def test_an_upgrade_answers_101_with_the_key_accepted(daemon, raw, channel):
    answer = raw(daemon).send(upgrade_request("/" + channel)).read_answer()
    assert answer.status == 101
    assert answer.headers["upgrade"].lower() == "websocket"
    assert answer.headers["connection"].lower() == "upgrade"
    # The example of RFC 6455, section 1.3.
    assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_offered_extensions_and_subprotocols_are_not_accepted(daemon, raw, channel):
    answer = raw(daemon).send(upgrade_request(
        "/" + channel, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits",
        Sec_WebSocket_Protocol="chat, superchat", User_Agent="a\r\nUser-Agent: b")).read_answer()
    assert answer.status == 101
    assert "sec-websocket-extensions" not in answer.headers
    assert "sec-websocket-protocol" not in answer.headers


def test_header_names_and_tokens_are_of_any_letter_case(daemon, raw, channel):
    request = upgrade_request(
        "/" + channel, Upgrade="WebSocket", Connection="keep-alive, UPGRADE")
    request = request.replace(b"Sec-WebSocket-Key", b"SEC-websocket-KEY")
    assert raw(daemon).send(request).read_answer().status == 101


def test_a_request_in_single_bytes_is_understood(daemon, raw, channel):
    connection = raw(daemon)
    for byte in upgrade_request("/" + channel):
        connection.send(bytes([byte]))
    assert connection.read_answer().status == 101


def test_the_connection_is_closed_after_an_answer(daemon, raw):
    connection = raw(daemon)
    connection.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.read_answer().headers["connection"] == "close"
    assert connection.read_to_end() == b""


def test_refused_requests_are_counted_by_reason(start_daemon, redis):
    daemon = start_daemon(redis)
    daemon.get("/")
    daemon.get("/bad")
    daemon.get("/run:channel")
    text = daemon.get("/metrics").body.decode()
    for reason in ("not_found", "channel", "no_upgrade"):
        assert f'status2_refusals_total{{reason="{reason}"}} 1\n' in text


def test_connections_over_the_limit_are_answered_503(start_daemon, redis, open_page, raw):
    daemon = start_daemon(redis, STATUS_MAX_CONNECTIONS="2")
    pages = [open_page(daemon, "limit:channel") for _ in range(2)]
    answer = raw(daemon).send(upgrade_request("/limit:channel")).read_answer()
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    pages.pop().close()
    wait_until(lambda: _upgrades(daemon, "/limit:channel"), "a place to become free")


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_at_the_limit_of_websockets_plain_requests_are_still_answered(
        start_daemon, redis, open_page, channel, path):
    daemon = start_daemon(redis, STATUS_MAX_CONNECTIONS="1")
    open_page(daemon, channel).live()
    assert daemon.get(path).status == 200


def _upgrades(daemon, path):
    with RawSocket(daemon.port) as connection:
        return connection.send(upgrade_request(path)).read_answer().status == 101
