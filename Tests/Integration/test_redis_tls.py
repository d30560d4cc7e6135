"""Redis over TLS: what is relayed, which certificates are taken, and what changes while it runs."""

import hashlib
import json
import time

import pytest

from harness.certificates import Authority
from harness.daemon import LINK_FAILURES, run_to_end
from harness.tls_redis import RawPeer, TLSRedis
from harness.waiting import PATIENCE, wait_until
from test_redis_start import _refuses_to_start

NAMES = ("localhost", "127.0.0.1")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def start_tls_redis(cleanup, tmp_path, authority):
    """Starts a Redis that speaks TLS with a certificate, by default for localhost."""

    def start(certificate=None, *arguments, **options):
        directory = tmp_path / "redis"
        directory.mkdir()
        server = TLSRedis(
            directory, authority, certificate or authority.issue(*NAMES), *arguments, **options)
        cleanup.callback(server.stop)
        return server

    return start


@pytest.fixture
def tls_redis(start_tls_redis):
    return start_tls_redis()


@pytest.fixture
def raw_peer(cleanup):
    def start(answer):
        peer = RawPeer(answer)
        cleanup.callback(peer.stop)
        return peer

    return start


def _trust(authority, **settings):
    return {"STATUS_REDIS_TLS_CA_FILE": authority.file} | settings


def _relays(daemon, redis, open_page, channel, text="hello"):
    page = open_page(daemon, channel).live()
    redis.publish(channel, text)
    assert page.status() == text
    return page


def _handshakes(daemon, kind):
    line = f'status2_redis_tls_handshakes_total{{kind="{kind}"}} '
    for text in daemon.get("/metrics").body.decode().splitlines():
        if text.startswith(line):
            return int(text.removeprefix(line))
    raise AssertionError(f"no metric {line}")


# Relaying

def test_messages_come_over_tls_in_order(
        start_daemon, tls_redis, open_page, channel, authority):
    daemon = start_daemon(tls_redis, **_trust(authority))
    page = open_page(daemon, channel).live()
    with tls_redis.client() as client:
        pipe = client.pipeline(transaction=False)
        for number in range(1000):
            pipe.publish(channel, f"line {number}")
        pipe.execute()
    assert [page.status() for _ in range(1000)] == [f"line {number}" for number in range(1000)]
    assert daemon.metric("redis_reconnects_total") == 0


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_large_payloads_come_whole_in_both_versions(
        start_daemon, start_tls_redis, open_page, channel, authority, protocol):
    redis = start_tls_redis(None, "--tls-protocols", protocol)
    daemon = start_daemon(redis, **_trust(authority, STATUS_LOG_LEVEL="debug"))
    page = open_page(daemon, channel).live()
    for size in (1, 16_383, 16_384, 16_385, 65_536, 900_000):
        payload = hashlib.sha256(str(size).encode()).hexdigest() * (size // 64 + 1)
        redis.publish(channel, payload[:size])
        assert page.status() == payload[:size]
    assert daemon.log_lines("redis link secured", version=protocol)


def test_many_links_relay_each_its_own_channel(
        start_daemon, tls_redis, open_page, channel, authority):
    daemon = start_daemon(tls_redis, **_trust(authority))
    pages = [open_page(daemon, f"{channel}{number}") for number in range(50)]
    for page in pages:
        page.live()
    for number in range(50):
        tls_redis.publish(f"{channel}{number}", f"for {number}")
    assert [page.status() for page in pages] == [f"for {number}" for number in range(50)]
    # All but those that began before the first ticket came took up an earlier handshake.
    assert _handshakes(daemon, "resumed") > 25


def test_the_trace_shows_what_was_meant(start_daemon, tls_redis, open_page, channel, authority):
    daemon = start_daemon(tls_redis, "--trace", **_trust(authority))
    _relays(daemon, tls_redis, open_page, channel, "seen in the trace")
    wait_until(lambda: "seen in the trace" in daemon.stderr, "the trace")
    assert '"HELLO", "3"' in daemon.stderr


# Certificates that verify

@pytest.mark.parametrize("names, host", [
    (("localhost",), "localhost"), (("127.0.0.1",), "127.0.0.1"), (NAMES, "127.0.0.1"),
], ids=["name", "address", "both"])
def test_the_certificate_names_the_host(
        start_daemon, start_tls_redis, open_page, channel, authority, names, host):
    redis = start_tls_redis(authority.issue(*names))
    daemon = start_daemon(None, STATUS_REDIS_URL=redis.url_of(host), **_trust(authority))
    _relays(daemon, redis, open_page, channel)


@pytest.mark.parametrize("name", ["redis.example.org", "10.1.2.3"])
def test_the_server_name_stands_for_the_host(
        start_daemon, start_tls_redis, open_page, channel, authority, name):
    redis = start_tls_redis(authority.issue(name))
    daemon = start_daemon(redis, **_trust(authority, STATUS_REDIS_TLS_SERVER_NAME=name))
    _relays(daemon, redis, open_page, channel)


def test_a_client_certificate_is_presented(
        start_daemon, start_tls_redis, open_page, channel, authority):
    own = authority.issue(label="client")
    redis = start_tls_redis(client_certificate=own)
    daemon = start_daemon(redis, **_trust(
        authority, STATUS_REDIS_TLS_CERT_FILE=own.certificate, STATUS_REDIS_TLS_KEY_FILE=own.key))
    _relays(daemon, redis, open_page, channel)


def test_verification_can_be_left_out_with_a_warning(
        start_daemon, start_tls_redis, open_page, channel, authority):
    redis = start_tls_redis(authority.issue("other.example.org", first_day=-9, last_day=-1))
    daemon = start_daemon(redis, STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY="true")
    _relays(daemon, redis, open_page, channel)
    warnings = [line["msg"] for line in daemon.logs if line["level"] == "warn"]
    assert any("STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY" in warning for warning in warnings)


# Certificates that do not

@pytest.mark.parametrize("names, days, word", [
    (NAMES, (-9, -1), "expired"),
    (NAMES, (1, 9), "not valid yet"),
    (("other.example.org",), (-1, 1), "not for localhost"),
    # An address is no name: neither is one matched by the other.
    (("127.0.0.1",), (-1, 1), "not for localhost"),
    ((), (-1, 1), "not for localhost"),
], ids=["expired", "not yet valid", "wrong name", "address alone", "no name"])
def test_a_certificate_that_does_not_verify_ends_the_start(
        start_tls_redis, authority, names, days, word):
    redis = start_tls_redis(authority.issue(*names, first_day=days[0], last_day=days[1]))
    line, logs = _refuses_to_start(redis.url, **_trust(authority))
    assert word in line and "certificate" in line
    # At the first attempt.
    assert not [entry for entry in logs if entry["msg"] in LINK_FAILURES]


def test_an_authority_of_others_ends_the_start(tls_redis, tmp_path):
    other = Authority(tmp_path, "other")
    line, _ = _refuses_to_start(tls_redis.url, **_trust(other))
    assert "not signed by a trusted authority" in line


def test_the_authorities_of_the_system_do_not_know_ours(tls_redis):
    line, _ = _refuses_to_start(tls_redis.url)
    assert "not signed by a trusted authority" in line


def test_a_wrong_server_name_ends_the_start(tls_redis, authority):
    line, _ = _refuses_to_start(
        tls_redis.url, **_trust(authority, STATUS_REDIS_TLS_SERVER_NAME="redis.example.org"))
    assert "not for redis.example.org" in line


def test_a_missing_client_certificate_ends_the_start(start_tls_redis, authority):
    redis = start_tls_redis(client_certificate=authority.issue(label="client"))
    line, _ = _refuses_to_start(redis.url, **_trust(authority))
    assert "client certificate" in line


def test_a_client_certificate_of_another_authority_ends_the_start(
        start_tls_redis, authority, tmp_path):
    redis = start_tls_redis(client_certificate=authority.issue(label="client"))
    other = Authority(tmp_path, "other").issue(label="stranger")
    line, _ = _refuses_to_start(redis.url, **_trust(
        authority, STATUS_REDIS_TLS_CERT_FILE=other.certificate,
        STATUS_REDIS_TLS_KEY_FILE=other.key))
    assert "client certificate" in line


# Servers with which there is no handshake

# A ServerHello of TLS 1.1 (RFC 4346, section 7.4.1.3): version, random, no session, a cipher, no
# compression. And the alert protocol_version of one that knows no later version.
SERVER_HELLO = b"\x03\x02" + bytes(range(32)) + b"\x00" + b"\xc0\x14" + b"\x00"
TLS_1_1 = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26" + SERVER_HELLO
VERSION_ALERT = b"\x15\x03\x01\x00\x02\x02\x46"


@pytest.mark.parametrize("answer, words", [
    (TLS_1_1, "neither TLS 1.2 nor a later version"),
    (VERSION_ALERT, "neither TLS 1.2 nor a later version"),
    (b"-ERR unknown command\r\n", "does not speak TLS"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
    (b"\x15\x03\x03\x00\x02\x02\x28", "alert handshake failure"),
    (b"", "closed the connection in the handshake"),
], ids=["TLS 1.1", "alert of the version", "Redis without TLS", "HTTP", "alert", "early EOF"])
def test_a_handshake_that_fails_is_retried(start_daemon, raw_peer, authority, answer, words):
    peer = raw_peer(answer)
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_URL=f"rediss://:hidden@localhost:{peer.port}/2",
        **_trust(authority))
    line = daemon.wait_for_link_failure(count=3, cause="tls")
    assert words in line["error"]
    assert daemon.get("/ready").status == 503
    # Handshakes alone go out, with the name that is meant.
    assert all(hello.startswith(b"\x16\x03") and b"localhost" in hello for hello in peer.received)
    assert not any(b"HELLO" in hello or b"hidden" in hello for hello in peer.received)


def test_an_address_is_not_sent_as_a_name(start_daemon, raw_peer, authority):
    peer = raw_peer(b"")
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_URL=f"rediss://127.0.0.1:{peer.port}/2",
        **_trust(authority))
    daemon.wait_for_link_failure(cause="tls")
    assert b"127.0.0.1" not in peer.received[0]


def test_a_peer_that_is_silent_in_the_handshake_is_found(start_daemon, raw_peer, authority):
    peer = raw_peer(None)
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_URL=f"rediss://localhost:{peer.port}/2",
        **_trust(authority))
    wait_until(lambda: peer.received, "the handshake to begin")
    begun = time.monotonic()
    assert daemon.get("/health").status == 200
    line = daemon.wait_for_link_failure(cause="timeout")
    assert "TLS handshake" in line["error"]
    assert 4 < time.monotonic() - begun < 7
    assert daemon.metric("redis_timeouts_total") == 1


# Losing Redis, and changes while the daemon runs

def test_after_sigkill_and_restart_the_subscription_is_back(
        start_daemon, tls_redis, open_page, channel, authority):
    daemon = start_daemon(tls_redis, **_trust(authority))
    page = _relays(daemon, tls_redis, open_page, channel)
    tls_redis.kill()
    daemon.wait_for_link_failure(run_id=channel.split(":")[0])
    tls_redis.start()
    tls_redis.wait_for_subscribers(channel, 1)
    tls_redis.publish(channel, "after")
    assert page.status() == "after"


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_links_that_come_back_take_up_the_earlier_handshake(
        start_daemon, start_tls_redis, open_page, channel, authority, protocol):
    redis = start_tls_redis(None, "--tls-protocols", protocol)
    daemon = start_daemon(redis, **_trust(authority))
    page = _relays(daemon, redis, open_page, channel)
    full = _handshakes(daemon, "full")
    for round in range(3):
        redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        wait_until(
            lambda: daemon.metric("redis_reconnects_total") == round + 1, "another connection")
        redis.wait_for_subscribers(channel, 1)
        redis.publish(channel, f"round {round}")
        assert page.status() == f"round {round}"
    assert _handshakes(daemon, "full") == full
    assert _handshakes(daemon, "resumed") >= 3


def test_the_authority_may_change_while_the_daemon_runs(
        start_daemon, tls_redis, open_page, channel, authority, tmp_path):
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.file.read_bytes())
    daemon = start_daemon(tls_redis, STATUS_REDIS_TLS_CA_FILE=trusted)
    page = _relays(daemon, tls_redis, open_page, channel)
    successor = Authority(tmp_path, "successor")
    tls_redis.certificate = successor.issue(*NAMES, label="renewed")
    tls_redis.kill()
    tls_redis.start()
    # Once it serves, nothing ends the daemon.
    daemon.wait_for_link_failure(count=3, cause="certificate")
    assert daemon.is_running
    (tmp_path / "new.pem").write_bytes(successor.file.read_bytes())
    (tmp_path / "new.pem").replace(trusted)
    daemon.wait_for_log("TLS files have changed and are in force")
    tls_redis.wait_for_subscribers(channel, 1)
    tls_redis.publish(channel, "renewed")
    assert page.status() == "renewed"


def test_a_broken_file_changes_nothing_and_is_told_of_once(
        start_daemon, tls_redis, open_page, channel, authority, tmp_path):
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.file.read_bytes())
    daemon = start_daemon(tls_redis, STATUS_REDIS_TLS_CA_FILE=trusted)
    page = _relays(daemon, tls_redis, open_page, channel)
    trusted.write_text("half a certificate")
    for round in range(2):
        tls_redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        wait_until(
            lambda: daemon.metric("redis_reconnects_total") == round + 1, "another connection")
        tls_redis.wait_for_subscribers(channel, 1)
    tls_redis.publish(channel, "as before")
    assert page.status() == "as before"
    line, = [line for line in daemon.logs if line["msg"].startswith("TLS files")]
    assert line["level"] == "warn" and str(trusted) in line["error"]


def test_a_client_certificate_may_change_while_the_daemon_runs(
        start_daemon, start_tls_redis, open_page, channel, authority, tmp_path):
    own = authority.issue(label="client")
    redis = start_tls_redis(client_certificate=authority.issue(label="tests"))
    daemon = start_daemon(redis, **_trust(
        authority, STATUS_REDIS_TLS_CERT_FILE=own.certificate, STATUS_REDIS_TLS_KEY_FILE=own.key))
    page = _relays(daemon, redis, open_page, channel)
    authority.issue(label="client")
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    daemon.wait_for_log("TLS files have changed and are in force")
    redis.wait_for_subscribers(channel, 1)
    redis.publish(channel, "renewed")
    assert page.status() == "renewed"


# Configuration

def _check(**settings):
    done = run_to_end("--check-config", settings={
        "STATUS_REDIS_URL": "rediss://localhost:6379/2"} | settings)
    return done.returncode, done.stdout


def test_check_config_takes_files_that_can_be_used(authority):
    own = authority.issue(label="client")
    status, text = _check(**_trust(
        authority, STATUS_REDIS_TLS_CERT_FILE=own.certificate, STATUS_REDIS_TLS_KEY_FILE=own.key))
    assert status == 0, text


@pytest.mark.parametrize("variable", [
    "STATUS_REDIS_TLS_CA_FILE", "STATUS_REDIS_TLS_CERT_FILE", "STATUS_REDIS_TLS_KEY_FILE"])
@pytest.mark.parametrize("content, words", [
    (None, "cannot be read: no such file"), ("nothing", "in PEM form")], ids=["missing", "broken"])
def test_a_file_that_cannot_be_used_ends_the_start(
        authority, tmp_path, variable, content, words):
    path = tmp_path / "file.pem"
    if content:
        path.write_text(content)
    own = authority.issue(label="client")
    settings = _trust(
        authority, STATUS_REDIS_TLS_CERT_FILE=own.certificate,
        STATUS_REDIS_TLS_KEY_FILE=own.key) | {variable: path}
    status, text = _check(**settings)
    assert status == 1
    assert [line for line in text.splitlines()
            if line.startswith(f"fatal: {variable}=") and words in line]
    line, _ = _refuses_to_start("rediss://localhost:1/2", **settings)
    assert variable in line and str(path) in line and words in line


def test_a_key_of_another_certificate_ends_the_start(authority):
    own, other = authority.issue(label="client"), authority.issue(label="other")
    line, _ = _refuses_to_start("rediss://localhost:1/2", **_trust(
        authority, STATUS_REDIS_TLS_CERT_FILE=own.certificate,
        STATUS_REDIS_TLS_KEY_FILE=other.key))
    assert "STATUS_REDIS_TLS_KEY_FILE" in line and "does not belong to the certificate" in line


@pytest.mark.parametrize("given, missing", [("CERT", "KEY"), ("KEY", "CERT")])
def test_a_certificate_without_its_key_ends_the_start(authority, given, missing):
    own = authority.issue(label="client")
    path = own.certificate if given == "CERT" else own.key
    line, _ = _refuses_to_start("rediss://localhost:1/2", **_trust(
        authority, **{f"STATUS_REDIS_TLS_{given}_FILE": path}))
    assert f"STATUS_REDIS_TLS_{given}_FILE needs STATUS_REDIS_TLS_{missing}_FILE" in line


def test_tls_settings_without_tls_are_warned_of(start_daemon, redis, authority):
    daemon = start_daemon(redis, **_trust(authority))
    assert any("has no effect" in line["msg"] for line in daemon.logs if line["level"] == "warn")
    status, text = _check(**_trust(authority, STATUS_REDIS_URL="redis://localhost:6379/2"))
    assert status == 0 and "STATUS_REDIS_TLS_CA_FILE has no effect" in text


def test_leaving_verification_out_is_a_warning():
    status, text = _check(STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY="true")
    assert status == 0 and "warning: STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY" in text


# The wrong kind of port

def test_a_plain_connection_to_a_tls_port_is_named(start_daemon, tls_redis):
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_URL=f"redis://127.0.0.1:{tls_redis.port}/2")
    line = daemon.wait_for_link_failure()
    assert "rediss://" in line["error"], line


def test_a_tls_connection_to_a_plain_port_is_named(start_daemon, redis, authority):
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_URL=f"rediss://127.0.0.1:{redis.port}/2",
        **_trust(authority))
    line = daemon.wait_for_link_failure()
    assert "redis://" in line["error"], line
