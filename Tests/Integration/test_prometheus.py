"""The alert rules and the dashboard, against a real Prometheus that scrapes a real daemon."""

import json
import math
import re

import pytest

from conftest import missing
from harness import prometheus as prometheus_module
from harness.prometheus import DASHBOARD, RULE_TESTS, RULES, Prometheus, promtool

_DOCS = RULES.parents[2] / "docs"
_NAME = re.compile(r"\b(?:status2|process)_[a-z0-9_]+")

# What Grafana puts in the place of its variables.
_VARIABLES = {"$job": "status2", "$instance": ".*", "$__rate_interval": "1m"}


@pytest.fixture(autouse=True)
def _installed():
    if not prometheus_module.is_installed():
        missing("prometheus with promtool")


def _alerts():
    """The alerts of the rules by name, as promtool has checked them: their expressions."""
    text = RULES.read_text()
    alerts = {}
    for block in text.split("- alert: ")[1:]:
        name, rest = block.split("\n", 1)
        expression = re.search(r"expr: (?:\|\n(.*?)\n        (?=for|labels)|(.*))", rest, re.DOTALL)
        alerts[name] = expression.group(1) or expression.group(2).split("\n")[0]
    return alerts


def _queries():
    """Title and expression of every query of the dashboard, variables filled in."""
    board = json.loads(DASHBOARD.read_text())
    found = [(panel["title"], target["expr"])
             for panel in board["panels"] for target in panel.get("targets", [])]
    found += [(f"annotation {note['name']}", note["expr"])
              for note in board["annotations"]["list"]]
    for name, value in _VARIABLES.items():
        found = [(title, expression.replace(name, value)) for title, expression in found]
    return found


# The rules by themselves

def test_promtool_takes_the_rules():
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(_alerts())} rules found" in done.stdout


def test_each_alert_fires_when_it_should_and_not_else():
    done = promtool("test", "rules", RULE_TESTS.name, directory=RULE_TESTS.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = RULE_TESTS.read_text()
    for alert in _alerts():
        assert f'name: "{alert} fires"' in tests
        assert re.search(rf'name: "{alert}: .*"', tests), f"nothing says when {alert} is silent"


def test_the_tests_of_the_rules_notice_a_wrong_rule(tmp_path):
    rules = RULES.read_text()
    assert "status2_ready == 0" in rules
    (tmp_path / RULES.name).write_text(rules.replace("status2_ready == 0", "status2_ready == 2"))
    (tmp_path / RULE_TESTS.name).write_text(RULE_TESTS.read_text())
    assert promtool("test", "rules", RULE_TESTS.name, directory=tmp_path).returncode != 0


def test_the_runbook_knows_every_alert():
    runbook = (_DOCS / "runbook.md").read_text()
    assert "\n## Alerts\n" in runbook
    for alert in _alerts():
        assert f"| `{alert}` |" in runbook


# With a daemon

@pytest.fixture
def scraped(start_redis, start_daemon, open_page, cleanup, tmp_path, channel):
    """A daemon to which everything has happened that families with labels need, and Prometheus."""
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_PING_INTERVAL="100ms", STATUS_REDIS_PING_INTERVAL="100ms",
        STATUS_ALLOWED_ORIGINS="https://app.example.org", STATUS_CANARY_INTERVAL="200ms")
    directory = tmp_path / "prometheus"
    directory.mkdir()
    server = Prometheus(directory, daemon.address)
    cleanup.callback(server.stop)
    page = open_page(daemon, channel).live()
    redis.publish(channel, "first")
    page.pong()
    server.wait_for('up{job="status2"} == 1')
    return redis, daemon, server, page


def _make_events(redis, daemon, page, open_page, channel):
    """What brings the labels into being that appear with their first event."""
    with open_page(daemon, channel + ".short").live():
        pass
    daemon.get("/not-a-channel")
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    daemon.wait_for_link_failure(cause="closed", count=2)
    redis.wait_for_subscribers(channel, 1)
    # PING is refused, and the link goes on.
    redis.cli("ACL", "SETUSER", "default", "-ping")
    daemon.wait_for_log("redis answers PING with an error; the link goes on")
    redis.cli("ACL", "SETUSER", "default", "+ping")
    for number in range(20):
        redis.publish(channel, str(number))
        page.status()
        page.pong()


def test_every_query_of_the_dashboard_has_series(scraped, open_page, channel):
    redis, daemon, server, page = scraped
    _make_events(redis, daemon, page, open_page, channel)
    # A rate needs two scrapes of a series: these appear last.
    server.wait_for("rate(status2_redis_unexpected_replies_total[1m])")
    server.wait_for("rate(status2_redis_reconnects_by_cause_total[1m])")
    server.wait_for("rate(status2_connections_ended_total[1m])")
    server.wait_for("rate(status2_refusals_total[1m])")
    server.wait_for("rate(status2_heartbeat_round_trip_seconds_count[1m]) > 0")
    server.wait_for("rate(status2_delivery_seconds_count[1m]) > 0")
    server.wait_for("rate(status2_canary_latency_seconds_count[1m]) > 0")
    queries = _queries()
    assert len(queries) > 50
    for title, expression in queries:
        found = server.query(expression)
        if "> 0" in expression:
            # Only a restart would show; without the comparison there is a series.
            found = server.query(expression.replace("> 0", ""))
        assert found, f"{title}: nothing for {expression}"
        if "le=" in expression or "quantile" in expression:
            assert not any(math.isnan(value) for _, value in found), f"{title}: {expression}"


def test_every_alert_can_be_evaluated_and_is_silent_in_good_times(scraped):
    _, daemon, server, _ = scraped
    server.wait_for("rate(status2_delivery_seconds_count[1m])")
    families = {name for name, _ in _series(daemon)}
    for alert, expression in _alerts().items():
        assert server.query(expression) == [], f"{alert} fires"
        for name in _NAME.findall(expression):
            assert name in families, f"{alert}: no {name} in /metrics"


def _series(daemon):
    """Name and labels of each series that is served."""
    text = daemon.get("/metrics").body.decode()
    return {(line.split("{")[0].split(" ")[0], line.rsplit(" ", 1)[0])
            for line in text.splitlines() if not line.startswith("#")}


def test_the_dashboard_shows_every_family_of_the_page_of_metrics(daemon):
    shown = set(_NAME.findall(DASHBOARD.read_text()))
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}
    page = (_DOCS / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `((?:status2|process)_[a-z0-9_]+)` \|", page, re.MULTILINE))
    told_by_others = {
        # Each is the sum of one that is shown by its label, or another name of it.
        "status2_messages_forwarded_total", "status2_redis_reconnects_total",
        "status2_standstills_total", "status2_timers"}
    assert documented - plain == told_by_others
    assert plain <= documented


def test_an_alert_fires_when_redis_is_gone(scraped):
    redis, _, server, _ = scraped
    redis.kill()
    found = server.wait_for('ALERTS{alertname="Status2NotReady"}')
    assert found[0][0]["alertstate"] == "pending"
    assert found[0][0]["severity"] == "page"


def test_prometheus_scrapes_openmetrics_with_types_and_units(scraped):
    _, _, server, _ = scraped
    assert server.target()["health"] == "up"
    metadata = server.metadata()
    assert metadata["status2_delivery_seconds"]["type"] == "histogram"
    # The unit stands in OpenMetrics alone.
    assert metadata["status2_delivery_seconds"]["unit"] == "seconds"
    assert server.value(
        'histogram_quantile(0.5, sum by (le) (status2_loop_lag_seconds_bucket))') < 12.8
