"""Events that the Go service logs carry its texts, so that searches and alerts go on working."""

import json

import pytest

from harness.daemon import run_to_end
from harness.raw import CLOSE, TEXT
from harness.waiting import free_port


def _levels(daemon, msg):
    return {line["level"] for line in daemon.log_lines(msg)}


def test_the_start_and_the_end(start_daemon, redis):
    daemon = start_daemon(redis)
    assert daemon.logs[0]["msg"] == "starting status2"
    daemon.signal()
    assert daemon.wait() == 0
    assert _levels(daemon, "shutdown signal received") == {"info"}
    assert (daemon.logs[-1]["msg"], daemon.logs[-1]["level"]) == ("status2 stopped", "info")


def test_a_start_before_redis_is_there(start_daemon, start_redis):
    redis = start_redis()
    redis.kill()
    daemon = start_daemon(redis, ready=False)
    daemon.wait_for_log("redis unavailable, retrying", count=3)
    redis.start()
    line = daemon.wait_for_log("connected to redis after retry")
    failures = daemon.log_lines("redis unavailable, retrying")
    assert [failure["attempt"] for failure in failures[:3]] == [1, 2, 3]
    assert {failure["level"] for failure in failures} == {"warn"}
    assert line["level"] == "info" and line["attempts"] == len(failures) + 1


def test_a_start_at_once_says_nothing_of_a_retry(daemon):
    assert not daemon.log_lines("connected to redis after retry")


def test_a_subscription_that_is_lost_and_comes_back(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis)
    open_page(daemon, channel).live()
    run = channel.split(":")[0]
    first = daemon.wait_for_log("redis subscription established", run_id=run)
    assert first["level"] == "info" and first["link"] > 1 and "outage_ms" not in first
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    lost = daemon.wait_for_log("redis stream interrupted", run_id=run)
    again = daemon.wait_for_log("redis subscription established", run_id=run, count=2)
    assert (lost["level"], lost["attempt"], lost["link"]) == ("warn", 1, first["link"])
    assert again["link"] == first["link"] and again["outage_ms"] >= 0
    assert not daemon.log_lines("redis subscribe failed")


def test_a_subscription_that_cannot_be_made(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">s3cret", "&other*", "+@pubsub", "+@connection")
    daemon = start_daemon(
        None, STATUS_REDIS_URL=f"redis://relay:s3cret@127.0.0.1:{redis.port}/0",
        STATUS_REDIS_MAX_RETRIES="2")
    assert open_page(daemon, channel).end()[1] == 1011
    lines = daemon.log_lines("redis subscribe failed")
    assert [line.get("attempt") for line in lines] == [1, None]
    assert lines[-1]["given_up_after_attempts"] == 2
    assert not daemon.log_lines("redis stream interrupted")


def test_a_message_that_is_not_json(start_daemon, redis, raw, channel):
    daemon = start_daemon(redis)
    raw(daemon).upgrade(channel).send_frame(TEXT, b"{")
    assert daemon.wait_for_log("invalid client message")["level"] == "warn"


def test_a_shutdown_that_takes_too_long(start_daemon, redis, raw, channel):
    daemon = start_daemon(redis, STATUS_SHUTDOWN_TIMEOUT="200ms")
    connection = raw(daemon).upgrade(channel)
    daemon.signal()
    connection.read_until(CLOSE)
    assert daemon.wait() == 0
    line = daemon.wait_for_log("graceful shutdown failed")
    assert line["level"] == "error" and "timed out" in line["error"]


@pytest.mark.parametrize("settings, msg", [
    ({"STATUS_LISTEN_ADDR": "nowhere"}, "configuration error"),
    ({"STATUS_REDIS_URL": "http://h"}, "configuration error"),
    ({"STATUS_REDIS_URL": f"redis://127.0.0.1:{free_port()}", "STATUS_REDIS_MAX_RETRIES": "1",
      "STATUS_LISTEN_ADDR": "127.0.0.1:0"}, "failed to construct server"),
])
def test_a_start_that_fails(settings, msg):
    done = run_to_end(settings=settings)
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["level"], last["msg"]) == (1, "error", msg)
    assert done.stderr == f"status2: {last['error']}\n"
