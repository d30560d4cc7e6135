"""Which pages may connect."""

import pytest

from harness.daemon import Daemon
from harness.raw import upgrade_request

PATTERNS = "example.org,*.wild.example,https://secure.example,one?.example,[a-c].set.example," \
    "port.example:8080,http://*.scheme.example"

ALLOWED = [
    "http://example.org", "https://example.org", "https://EXAMPLE.org", "https://a.wild.example",
    "https://a.b.wild.example", "https://secure.example", "http://one1.example",
    "http://a.set.example", "http://port.example:8080", "http://x.scheme.example",
    "http://example.org:80", "https://example.org:443", "http://a.wild.example:80",
    "https://secure.example:443",
]

DENIED = [
    "http://example.org:81", "http://example.org.evil.example", "http://evilexample.org",
    "http://wild.example", "http://a.wild.example:443", "http://secure.example",
    "https://example.org:80", "http://secure.example:443",
    "https://secure.example:8443", "http://one.example", "http://one22.example",
    "http://d.set.example", "http://port.example", "https://x.scheme.example", "null", "garbage",
    "http://localhost.evil.example", "http://localhost:1", "http://",
    "http://evil.example/a.wild.example", "http://evil.example?.wild.example",
]


@pytest.fixture(scope="module")
def strict(ended, redis):
    """A daemon with a list of origins."""
    daemon = Daemon({"STATUS_REDIS_URL": redis.url, "STATUS_ALLOWED_ORIGINS": PATTERNS})
    ended.callback(daemon.stop)
    return daemon.wait_ready()


def _status(raw, daemon, host="localhost", **headers):
    return raw(daemon).send(upgrade_request("/run:channel", host=host, **headers)).read_answer().status


@pytest.mark.parametrize("origin", ALLOWED)
def test_an_origin_that_a_pattern_matches_is_accepted(strict, raw, origin):
    assert _status(raw, strict, Origin=origin) == 101


@pytest.mark.parametrize("origin", DENIED)
def test_another_origin_answers_403(strict, raw, origin):
    assert _status(raw, strict, Origin=origin) == 403


def test_no_origin_is_accepted(strict, raw):
    assert _status(raw, strict) == 101


@pytest.mark.parametrize("origin, host", [
    ("http://localhost", "localhost"),
    ("http://status.internal:9002", "status.internal:9002"),
    ("https://Status.Internal:9002", "STATUS.internal:9002"),
    ("http://[::1]:9002", "[::1]:9002"),
    ("https://status.internal", "status.internal:443"),
    ("https://status.internal:443", "status.internal"),
    ("http://status.internal:80", "status.internal"),
    ("http://[::1]", "[::1]:80"),
])
def test_the_daemons_own_host_is_accepted(strict, raw, origin, host):
    assert _status(raw, strict, host=host, Origin=origin) == 101


@pytest.mark.parametrize("origin, host", [
    ("http://status.internal", "status.internal:9002"),
    ("http://status.internal:9003", "status.internal:9002"),
    ("http://status.internal:9002", "status.internal"),
    ("https://status.internal", "status.internal:80"),
    ("http://status.internal", "status.internal:443"),
])
def test_the_own_host_includes_the_port(strict, raw, origin, host):
    assert _status(raw, strict, host=host, Origin=origin) == 403


def test_an_origin_that_is_refused_opens_no_subscription(strict, redis, raw):
    channel = "refused:origin"
    request = upgrade_request("/" + channel, Origin="http://evil.example")
    assert raw(strict).send(request).read_answer().status == 403
    assert redis.subscribers(channel) == 0


@pytest.mark.parametrize("patterns, origin", [
    ("https://app.example/", "https://app.example"), ("\"https://app.example\"", "https://app.example"),
    ("'a.example, app.example'", "https://app.example"), ("a.example app.example", "https://app.example"),
    ("https://app.example:443", "https://app.example"), ("http://app.example:80", "http://app.example"),
    ("app.example:443", "https://app.example"), ("[::1]", "http://[::1]"),
    ("http://[::1]:9002", "http://[::1]:9002"), ("APP.Example", "https://app.example"),
    ("https://*", "https://app.example"), ("wss://app.example", "https://app.example"),
])
def test_patterns_are_understood_as_people_write_them(start_daemon, redis, raw, patterns, origin):
    daemon = start_daemon(redis, STATUS_ALLOWED_ORIGINS=patterns)
    assert _status(raw, daemon, Origin=origin) == 101
    assert _status(raw, daemon, Origin="https://evil.example:8443") == (
        101 if patterns == "https://*" else 403)
    assert not any("STATUS_ALLOWED_ORIGINS" in line["msg"] for line in daemon.logs)


@pytest.mark.parametrize("pattern, why", [
    ("https://app.example/page", "has a path"), ("app.example/page", "has a slash"),
    (".app.example", "begins with a dot"), ("https:app.example", "has a port"),
])
def test_a_pattern_that_can_never_match_is_told_of_at_start(start_daemon, redis, pattern, why):
    daemon = start_daemon(redis, STATUS_ALLOWED_ORIGINS=f"{pattern},other.example")
    warnings = [line["msg"] for line in daemon.logs if line["level"] == "warn"]
    assert any(pattern in text and why in text for text in warnings)


def test_a_refused_origin_is_logged_with_what_it_is_held_against(start_daemon, redis, raw):
    daemon = start_daemon(redis, STATUS_ALLOWED_ORIGINS="app.example")
    assert _status(raw, daemon, host="10.0.0.7:9002", Origin="https://www.example") == 403
    line = daemon.wait_for_log("request refused", reason="origin", origin="https://www.example")
    assert (line["level"], line["status"], line["host"], line["path"]) == (
        "warn", 403, "10.0.0.7:9002", "/run:channel")
    assert line["peer"].startswith("127.0.0.1:")


def test_a_flood_of_one_origin_hides_no_other(start_daemon, redis, raw):
    daemon = start_daemon(redis, STATUS_ALLOWED_ORIGINS="app.example", STATUS_LOOPS="1")
    for _ in range(100):
        assert _status(raw, daemon, Origin="https://evil.example") == 403
    assert _status(raw, daemon, Origin="https://new.example") == 403
    line = daemon.wait_for_log("request refused", reason="origin", origin="https://new.example")
    assert line["suppressed"] >= 90
    assert len(daemon.log_lines("request refused", origin="https://evil.example")) <= 2


def test_with_an_empty_list_every_origin_is_accepted(daemon, raw):
    for origin in ("http://evil.example", "null", "garbage"):
        assert _status(raw, daemon, Origin=origin) == 101


def test_with_an_empty_list_a_warning_is_logged_and_the_gauge_is_1(daemon):
    warnings = [line["msg"] for line in daemon.logs if line["level"] == "warn"]
    assert any("STATUS_ALLOWED_ORIGINS" in text for text in warnings)
    assert daemon.metric("origin_check_disabled") == 1


def test_with_a_list_there_is_no_warning_and_the_gauge_is_0(strict):
    assert not any("STATUS_ALLOWED_ORIGINS" in line["msg"] for line in strict.logs)
    assert strict.metric("origin_check_disabled") == 0
