"""/metrics in both forms, as parsers that are not ours read them."""

import math

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as classic_text

from harness.waiting import wait_until

_OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_CLASSIC = "text/plain; version=0.0.4; charset=utf-8"
_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
_HISTOGRAMS = {
    "status2_delivery_seconds", "status2_heartbeat_round_trip_seconds",
    "status2_redis_round_trip_seconds", "status2_loop_lag_seconds"}


def _families(daemon, accept=None):
    """The families of a scrape by their names, and its content type."""
    answer = daemon.get("/metrics", **({"Accept": accept} if accept else {}))
    assert answer.status == 200
    kind = answer.headers["content-type"]
    parse = open_metrics if kind == _OPEN else classic_text
    return {family.name: family for family in parse(answer.body.decode())}, kind


def _count(daemon, name):
    family = _families(daemon)[0][name]
    return next(sample.value for sample in family.samples if sample.name == name + "_count")


def _bucket(family, edge):
    return next(
        sample.value for sample in family.samples
        if sample.name.endswith("_bucket") and float(sample.labels["le"]) == edge)


@pytest.mark.parametrize("accept, kind", [
    (None, _CLASSIC), ("*/*", _CLASSIC), ("text/plain", _CLASSIC), (_PROMETHEUS, _OPEN),
    ("application/openmetrics-text", _OPEN), ("application/openmetrics-text;q=0", _CLASSIC)])
def test_the_request_decides_on_the_form(daemon, accept, kind):
    answer = daemon.get("/metrics", **({"Accept": accept} if accept else {}))
    assert (answer.headers["content-type"], answer.headers["vary"]) == (kind, "Accept")
    assert answer.body.decode().endswith("\n# EOF\n") == (kind == _OPEN)


def test_both_forms_have_the_same_families(daemon):
    opened, _ = _families(daemon, _PROMETHEUS)
    classic, _ = _families(daemon)
    # The parser of the classic form takes `_total` off a counter's name as well.
    assert opened.keys() == classic.keys()
    assert {name: (family.type, family.documentation) for name, family in opened.items()} \
        == {name: (family.type, family.documentation) for name, family in classic.items()}
    assert opened["status2_loop_lag_seconds"].unit == "seconds"


def test_histograms_count_what_happened(start_redis, start_daemon, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_PING_INTERVAL="100ms", STATUS_REDIS_PING_INTERVAL="100ms")
    with open_page(daemon, channel).live() as page:
        for number in range(4):
            redis.publish(channel, str(number))
            page.status()
        for _ in range(3):
            page.next_of("ping")
            page.pong()
        # What answers this has seen the pongs.
        page.init()
        page.next_of("ping")
        wait_until(lambda: _count(daemon, "status2_heartbeat_round_trip_seconds") >= 3, "pongs")
        families, _ = _families(daemon, _PROMETHEUS)
    assert {name for name, family in families.items() if family.type == "histogram"} == _HISTOGRAMS
    for name in _HISTOGRAMS:
        family = families[name]
        values = {sample.name: sample.value for sample in family.samples}
        counts = [s.value for s in family.samples if s.name == name + "_bucket"]
        assert counts == sorted(counts), name
        assert counts[-1] == _bucket(family, math.inf) == values[name + "_count"] > 0, name
        assert 0 < values[name + "_sum"] < 60, name
    assert _bucket(families["status2_delivery_seconds"], math.inf) == 4
    # A quiet machine's answers come in time.
    assert _bucket(families["status2_delivery_seconds"], 1.6) == 4
    assert _bucket(families["status2_heartbeat_round_trip_seconds"], math.inf) >= 3
