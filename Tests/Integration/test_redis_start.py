"""The start: Redis is probed with back-off; a wrong configuration ends the process."""

import json

import pytest

from harness.daemon import LINK_FAILURES, run_to_end
from harness.fake_redis import FakeRedis
from harness.raw import upgrade_request
from harness.waiting import PATIENCE, free_port, wait_until

PASSWORD = "pa55-w0rd!secret"


def _refuses_to_start(url, **settings):
    """Runs with this URL to the end: status 1 and one clear line, which is returned."""
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_REDIS_URL": url, "STATUS_LOG_LEVEL": "debug",
        "STATUS_REDIS_RETRY_BASE": "10ms", "STATUS_REDIS_RETRY_MAX": "20ms"} | settings)
    assert done.returncode == 1, done
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("status2: "), done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["level"] == "error" and last["error"] in lines[0]
    assert last["msg"] in ("configuration error", "failed to construct server")
    assert PASSWORD not in done.stdout + done.stderr
    return lines[0], [json.loads(line) for line in done.stdout.splitlines()]


# Retried

def test_the_daemon_waits_for_redis_and_serves_when_it_comes(
        start_daemon, start_redis, open_page, raw, channel):
    port = free_port()
    daemon = start_daemon(None, ready=False, STATUS_REDIS_URL=f"redis://127.0.0.1:{port}/2")
    daemon.wait_for_link_failure(count=3, cause="refused")
    assert daemon.get("/health").status == 200
    answer = daemon.get("/ready")
    assert (answer.status, json.loads(answer.body)) == (503, ["redis_unavailable"])
    answer = raw(daemon).send(upgrade_request("/" + channel)).read_answer()
    assert answer.status == 503 and answer.headers["retry-after"]
    redis = start_redis(port=port)
    daemon.wait_ready()
    page = open_page(daemon, channel).live()
    redis.publish(channel, "at last")
    assert page.status() == "at last"


LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
BUSY = b"-BUSY Redis is busy running a script.\r\n"


@pytest.mark.parametrize("answer, cause", [
    (LOADING, "loading"), (BUSY, "busy"), (None, "timeout"),
    (b"-ERR max number of clients reached\r\n", "max_clients"),
    (b"-DENIED Redis is running in protected mode because\r\n", "protected_mode"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong_server"), (b"\0\0\0", "protocol"),
], ids=["LOADING", "BUSY", "silence", "too many clients", "protected mode", "HTTP", "no Redis"])
def test_what_may_pass_is_retried(start_daemon, fake_redis, answer, cause):
    server = fake_redis(answers={"HELLO": answer})
    daemon = start_daemon(server, ready=False, STATUS_REDIS_REQUEST_TIMEOUT="100ms")
    daemon.wait_for_link_failure(count=2, cause=cause)
    assert daemon.get("/ready").status == 503
    server.answers.pop("HELLO")
    daemon.wait_ready()


def test_an_early_end_of_every_connection_is_retried(start_daemon, fake_redis):
    server = fake_redis(answers={"HELLO": FakeRedis.CLOSE, "CLIENT": FakeRedis.CLOSE})
    daemon = start_daemon(server, ready=False)
    daemon.wait_for_link_failure(count=2, cause="closed")
    assert daemon.get("/ready").status == 503
    server.answers.clear()
    daemon.wait_ready()


def test_a_name_that_cannot_be_looked_up_is_retried_and_blocks_nothing(start_daemon):
    daemon = start_daemon(None, ready=False, STATUS_REDIS_URL="redis://no-such-host.invalid:6379/2")
    assert daemon.get("/health").status == 200
    daemon.wait_for_link_failure(count=2, cause="name", timeout=30)
    assert daemon.is_running


def test_a_silent_network_does_not_block_the_daemon(start_daemon, fake_redis):
    server = fake_redis(answers={"HELLO": None})
    daemon = start_daemon(server, ready=False, STATUS_REDIS_REQUEST_TIMEOUT="0")
    server.wait_for("HELLO")
    assert daemon.get("/health").status == 200
    assert daemon.get("/ready").status == 503


def test_at_the_retry_cap_the_process_ends_with_one_clear_line():
    line, logs = _refuses_to_start(
        f"redis://127.0.0.1:{free_port()}/2", STATUS_REDIS_MAX_RETRIES="4")
    assert "connection refused" in line and "4 attempts" in line
    assert [entry["attempt"] for entry in logs if entry["msg"] in LINK_FAILURES] == [
        1, 2, 3]


def test_without_a_cap_the_attempts_go_on(start_daemon):
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_MAX_RETRIES="0", STATUS_REDIS_RETRY_BASE="1ms",
        STATUS_REDIS_RETRY_MAX="5ms", STATUS_REDIS_URL=f"redis://127.0.0.1:{free_port()}/2")
    daemon.wait_for_link_failure(count=20)
    assert daemon.is_running


def test_the_delays_lie_between_base_and_maximum_with_jitter(start_daemon):
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_RETRY_BASE="10ms", STATUS_REDIS_RETRY_MAX="60ms",
        STATUS_REDIS_URL=f"redis://127.0.0.1:{free_port()}/2")
    daemon.wait_for_link_failure(count=20)
    delays = [int(line["retry_in_ms"]) for line in daemon.link_failures()]
    assert all(10 <= delay <= 60 for delay in delays)
    assert len(set(delays)) > 5
    assert delays[0] <= 30


# Fatal at once

def test_a_wrong_password_ends_the_process(start_redis):
    redis = start_redis("--requirepass", "right", password="right")
    line, _ = _refuses_to_start(f"redis://:{PASSWORD}@127.0.0.1:{redis.port}/2")
    assert "WRONGPASS" in line


def test_a_wrong_user_ends_the_process(start_redis):
    redis = start_redis("--requirepass", "right", password="right")
    line, _ = _refuses_to_start(f"redis://nobody:{PASSWORD}@127.0.0.1:{redis.port}/2")
    assert "WRONGPASS" in line


def test_a_missing_password_ends_the_process(start_redis):
    redis = start_redis("--requirepass", "right", password="right")
    line, _ = _refuses_to_start(redis.url)
    assert "NOAUTH" in line


def test_a_database_that_the_server_lacks_ends_the_process(redis):
    line, _ = _refuses_to_start(f"redis://127.0.0.1:{redis.port}/99")
    assert "database" in line


def test_a_user_without_permission_ends_the_process(start_redis):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", f">{PASSWORD}", "~*", "&*", "-@all")
    line, _ = _refuses_to_start(f"redis://relay:{PASSWORD}@127.0.0.1:{redis.port}/2")
    assert "NOPERM" in line


@pytest.mark.parametrize("command, reply, word", [
    ("HELLO", b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", "WRONGPASS"),
    ("AUTH", b"-ERR invalid password\r\n", "WRONGPASS"),
    ("SELECT", b"-NOPERM this user has no permissions to run the 'select' command\r\n", "NOPERM"),
    ("PROBE", b"-NOPERM this user has no permissions to run the 'subscribe' command\r\n", "NOPERM"),
    ("PROBE", b"-NOAUTH Authentication required.\r\n", "NOAUTH"),
])
def test_refusals_of_the_greeting_are_fatal_at_the_first_attempt(fake_redis, command, reply, word):
    server = fake_redis(answers={command: reply})
    line, logs = _refuses_to_start(server.url.replace("://", f"://:{PASSWORD}@"))
    assert word in line
    assert server.names().count("HELLO") == 1
    assert not [entry for entry in logs if entry["msg"] in LINK_FAILURES]


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:6379/2", f"redis://:{PASSWORD}@127.0.0.1:notaport/2",
    f"redis://:{PASSWORD}@127.0.0.1:6379/notanumber", f"redis://:{PASSWORD}@:70000/1",
    "127.0.0.1:6379", f"redis//:{PASSWORD}@127.0.0.1",
])
def test_a_bad_url_ends_the_process(url):
    line, _ = _refuses_to_start(url)
    assert "STATUS_REDIS_URL" in line


def test_a_refusal_of_a_later_connection_does_not_end_the_process(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis)
    page = open_page(daemon, channel).live()
    redis.cli("CONFIG", "SET", "requirepass", "new")
    redis.password = "new"
    redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
    daemon.wait_for_link_failure(cause="password_missing", timeout=PATIENCE)
    redis.cli("CONFIG", "SET", "requirepass", "")
    redis.password = None
    wait_until(lambda: redis.subscribers(channel) == 1, "the subscription to be back")
    redis.publish(channel, "again")
    assert page.status() == "again"
