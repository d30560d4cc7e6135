"""STATUS_CANARY_INTERVAL: a daemon whose Redis answers and delivers nothing is not ready."""

import re

import pytest

from harness.daemon import run_to_end
from harness.waiting import wait_until

CANARY = {"STATUS_CANARY_INTERVAL": "100ms"}


def _family(daemon, name):
    text = daemon.get("/metrics").body.decode()
    found = re.search(rf"^status2_canary_{name} (\d+)$", text, re.MULTILINE)
    return int(found.group(1)) if found else None


def test_messages_come_back_and_are_measured(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, **CANARY)
    wait_until(lambda: _family(daemon, "latency_seconds_count") >= 5, "five messages")
    assert _family(daemon, "misses_total") == 0 and _family(daemon, "lost") == 0
    assert daemon.is_ready()
    # Nobody else is disturbed, and the way down is as short as before.
    page = open_page(daemon, channel).live()
    redis.publish(channel, "x")
    assert page.status() == "x"
    daemon.signal()
    assert daemon.wait(5) == 0
    assert not daemon.log_lines("canary lost: what is published does not come back")


def test_it_opens_its_page_when_redis_has_answered_the_daemon(start_daemon, fake_redis):
    # The canary by itself would find nothing wrong with this Redis.
    server = fake_redis(answers={"PROBE": b"-LOADING Redis is loading the dataset in memory\r\n"})
    daemon = start_daemon(server, ready=False, STATUS_REDIS_RETRY_BASE="300ms", **CANARY)
    server.wait_for("PROBE", 3)
    assert "PUBLISH" not in server.names()
    server.answers.pop("PROBE")
    server.wait_for("PUBLISH")
    assert not daemon.log_lines("request refused")


def test_a_unix_socket_is_flown_through_too(start_daemon, redis, tmp_path):
    daemon = start_daemon(
        redis, ready=False, STATUS_LISTEN_ADDR=f"unix:{tmp_path}/s", STATUS_LOG_LEVEL="debug",
        **CANARY)
    daemon.wait_for_log("ready")
    wait_until(
        lambda: any("status2-canary" in line.get("run_id", "") for line in daemon.logs),
        "the canary's page")


def test_a_redis_that_answers_and_delivers_nothing_takes_the_daemon_out_of_service(
        start_daemon, fake_redis):
    # It says of each message that nobody is subscribed, and answers everything else.
    server = fake_redis(answers={"PUBLISH": b":0\r\n"})
    daemon = start_daemon(server, ready=False, **CANARY)
    daemon.wait_for_log("ready")
    daemon.wait_for_log("canary lost: what is published does not come back", timeout=30)
    answer = daemon.get("/ready")
    assert (answer.status, answer.body) == (503, b'["canary_lost"]')
    assert daemon.get("/health").status == 200
    assert _family(daemon, "lost") == 1 and _family(daemon, "misses_total") >= 2
    # It delivers again: the fake hands messages on where it is not told to answer otherwise.
    done = run_to_end("healthcheck", "--ready", settings={"STATUS_LISTEN_ADDR": daemon.address})
    assert done.returncode == 1 and "canary_lost" in done.stderr


def test_it_comes_back_with_the_first_message(start_daemon, start_redis):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "default", "resetchannels", "&status2:*", "&none:*")
    daemon = start_daemon(redis, ready=False, STATUS_REDIS_REQUEST_TIMEOUT="200ms", **CANARY)
    daemon.wait_for_log("ready")
    wait_until(lambda: _family(daemon, "latency_seconds_count") == 0, "the canary to try")
    redis.cli("ACL", "SETUSER", "default", "allchannels")
    wait_until(lambda: _family(daemon, "latency_seconds_count") > 0, "a message", 30)
    wait_until(daemon.is_ready, "the daemon to be ready")


def test_a_user_who_may_not_publish_is_warned_of_once(start_daemon, start_redis):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "default", "-publish")
    daemon = start_daemon(redis, **CANARY)
    line = daemon.wait_for_log("the canary may not publish, and finds nothing out")
    assert line["level"] == "warn" and "PUBLISH" in line["error"] and "NOPERM" in line["error"]
    assert daemon.is_ready() and _family(daemon, "lost") == 0
    redis.cli("ACL", "SETUSER", "default", "+publish")
    wait_until(lambda: _family(daemon, "latency_seconds_count") > 0, "a message", 30)
    assert len(daemon.log_lines("the canary may not publish, and finds nothing out")) == 1


def test_an_outage_of_redis_is_no_loss_of_the_canary(start_daemon, start_redis):
    redis = start_redis()
    daemon = start_daemon(redis, **CANARY)
    wait_until(lambda: _family(daemon, "latency_seconds_count") > 0, "a message")
    redis.stop()
    wait_until(
        lambda: daemon.get("/ready").body == b'["redis_unavailable"]', "the daemon to miss Redis")
    redis.start()
    before = _family(daemon, "latency_seconds_count")
    wait_until(lambda: _family(daemon, "latency_seconds_count") > before, "a message", 30)
    assert daemon.is_ready() and _family(daemon, "lost") == 0
    assert not daemon.log_lines("canary lost: what is published does not come back")


@pytest.mark.parametrize("settings", [{}, {"STATUS_CANARY_INTERVAL": "0"}])
def test_without_an_interval_there_is_none(start_daemon, redis, settings):
    daemon = start_daemon(redis, **settings)
    assert _family(daemon, "lost") is None
