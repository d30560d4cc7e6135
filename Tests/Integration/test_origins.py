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
]

DENIED = [
    "http://example.org:81", "http://example.org.evil.example", "http://evilexample.org",
    "http://wild.example", "http://a.wild.example:80", "http://secure.example",
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
])
def test_the_daemons_own_host_is_accepted(strict, raw, origin, host):
    assert _status(raw, strict, host=host, Origin=origin) == 101


@pytest.mark.parametrize("origin, host", [
    ("http://status.internal", "status.internal:9002"),
    ("http://status.internal:9003", "status.internal:9002"),
    ("http://status.internal:9002", "status.internal"),
])
def test_the_own_host_includes_the_port(strict, raw, origin, host):
    assert _status(raw, strict, host=host, Origin=origin) == 403


def test_an_origin_that_is_refused_opens_no_subscription(strict, redis, raw):
    channel = "refused:origin"
    request = upgrade_request("/" + channel, Origin="http://evil.example")
    assert raw(strict).send(request).read_answer().status == 403
    assert redis.subscribers(channel) == 0


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
