"""Every refusal leaves a warning, and what is no HTTP is named."""

import pytest

from harness.raw import upgrade_request

UPGRADE = upgrade_request("/run:channel")

REFUSED = {
    "404": (b"GET /?key=s3cr3t HTTP/1.1\r\nHost: x\r\n\r\n", "not_found", "/"),
    "400 channel": (b"GET /bad HTTP/1.1\r\nHost: x\r\n\r\n", "channel", "/bad"),
    "400 head": (b"GET /run:channel HTTP/1.1\r\n\r\n", "bad_request", "/run:channel"),
    "400 key": (upgrade_request("/run:channel", Sec_WebSocket_Key="x"), "handshake", "/run:channel"),
    "405": (b"PUT /health HTTP/1.1\r\nHost: x\r\n\r\n", "method", "/health"),
    "414": (b"GET /" + b"a" * 17_000, "bad_request", "/" + "a" * 255 + "…"),
    "426": (b"GET /run:channel HTTP/1.1\r\nHost: x\r\n\r\n", "no_upgrade", "/run:channel"),
    "431": (b"GET /x HTTP/1.1\r\nX: " + b"a" * 17_000, "bad_request", "/x"),
    "501": (b"GET /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "bad_request", "/x"),
    "503": (UPGRADE, "connection_limit", "/run:channel"),
    "505": (b"GET /x HTTP/2.0\r\nHost: x\r\n\r\n", "bad_request", "/x"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_logged_with_status_reason_peer_and_path(start_daemon, redis, open_page, raw, name):
    request, reason, path = REFUSED[name]
    status = int(name.split()[0])
    daemon = start_daemon(redis, STATUS_MAX_CONNECTIONS="1")
    if status == 503:
        open_page(daemon, "other:channel").live()
    assert raw(daemon).send(request).read_answer().status == status
    line = daemon.wait_for_log("request refused", status=status)
    assert (line["level"], line["reason"], line["path"]) == ("warn", reason, path)
    assert line["peer"].startswith("127.0.0.1:")
    assert daemon.metric(f'refusals_total{{reason="{reason}"}}') == 1
    assert "s3cr3t" not in daemon.output


FOREIGN = {
    "tls_on_plain_port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "proxy_protocol": b"PROXY TCP4 192.0.2.1 192.0.2.2 51000 9002\r\nGET /health HTTP/1.1\r\n",
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "redis_protocol": b"*1\r\n$4\r\nPING\r\n",
}


@pytest.mark.parametrize("reason", FOREIGN)
def test_what_is_no_http_is_named(start_daemon, redis, raw, reason):
    daemon = start_daemon(redis)
    assert raw(daemon).send(FOREIGN[reason]).read_answer().status in (400, 505)
    assert daemon.wait_for_log("request refused", reason=reason)["level"] == "warn"
    assert daemon.metric(f'refusals_total{{reason="{reason}"}}') == 1


def test_version_2_of_the_proxy_protocol_is_named_too(start_daemon, redis, raw):
    daemon = start_daemon(redis)
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12)
    assert raw(daemon).send(header + UPGRADE).read_answer().status == 400
    daemon.wait_for_log("request refused", reason="proxy_protocol")


def test_a_real_tls_client_is_named(start_daemon, redis):
    import socket
    import ssl
    daemon = start_daemon(redis)
    context = ssl.create_default_context()
    with socket.create_connection(("127.0.0.1", daemon.port)) as plain:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname="localhost")
    daemon.wait_for_log("request refused", reason="tls_on_plain_port")


def test_a_flood_leaves_few_lines_and_their_number(start_daemon, redis):
    daemon = start_daemon(redis)
    for number in range(200):
        daemon.get(f"/bad{number}")
    # Ten in each ten seconds; the flood may take a little longer than that.
    assert 10 <= len(daemon.log_lines("request refused", reason="channel")) <= 30
    daemon.get("/")
    daemon.wait_for_log("request refused", reason="not_found")


def test_the_spare_connection_of_a_browser_is_counted_and_no_warning(start_daemon, redis, raw):
    daemon = start_daemon(redis)
    # Browsers open connections ahead of need, and ask nothing on most of them.
    spare = raw(daemon)
    spare.socket.settimeout(20)
    assert spare.read_to_end() == b""
    daemon.wait_for_metric('refusals_total{reason="request_timeout"}', 1)
    assert not [line for line in daemon.logs if "refused" in line["msg"]]
