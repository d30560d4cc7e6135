"""SIGHUP: the environment file and the secrets are read again, and no page is closed for it."""

import json
import signal
import time

import pytest

from harness.certificates import Authority
from harness.daemon import run_to_end
from harness.raw import upgrade_request
from harness.tls_redis import TLSRedis
from harness.waiting import wait_until

PASSWORD = "s3cret-pa55"
NEW_PASSWORD = "n3w-s3cret"
DONE = "configuration reloaded"


class _File:
    """An environment file, and the daemon that reads it."""

    def __init__(self, path):
        self.path = path
        self.values = {}

    def write(self, **values):
        self.values |= {name: value for name, value in values.items()}
        self.path.write_text("".join(
            f"{name}={value}\n" for name, value in self.values.items() if value is not None))

    def reload(self, daemon, message=DONE, **values):
        """Changes the file, sends SIGHUP and waits for what the daemon says of it."""
        self.write(**values)
        count = len(daemon.log_lines(message))
        daemon.signal(signal.SIGHUP)
        return daemon.wait_for_log(message, count + 1)


@pytest.fixture
def file(tmp_path):
    return _File(tmp_path / "status2.env")


@pytest.fixture
def start(start_daemon, redis, file):
    def start(**values):
        file.write(**{"STATUS_LOG_LEVEL": "info", **values})
        return start_daemon(redis, STATUS_ENV_FILE=file.path)

    return start


def test_the_log_level_changes_and_pages_stay(start, file, redis, open_page, channel):
    daemon = start()
    page = open_page(daemon, channel).live()
    # What a reload has done is told by the more talkative of both levels.
    line = file.reload(daemon, STATUS_LOG_LEVEL="warn")
    assert line["applied"] == "STATUS_LOG_LEVEL=warn" and "restart" not in line
    silent = open_page(daemon, channel + "2").live()
    file.reload(daemon, STATUS_LOG_LEVEL="info")
    open_page(daemon, channel + "3").live()
    daemon.wait_for_log("client connected", channel="status", run_id=channel.split(":")[0])
    wait_until(lambda: len(daemon.log_lines("client connected")) == 2, "the first and the third")
    silent.init()
    redis.publish(channel, "still here")
    assert page.status() == "still here"
    assert not daemon.log_lines("client disconnected")


def test_origins_and_limits_hold_for_those_who_come(start, file, raw, redis, open_page, channel):
    daemon = start(STATUS_ALLOWED_ORIGINS="a.example")
    page = open_page(daemon, channel, additional_headers={"Origin": "https://a.example"}).live()

    def status(origin):
        request = upgrade_request("/" + channel, Origin=f"https://{origin}")
        return raw(daemon).send(request).read_answer().status

    assert status("b.example") == 403
    file.reload(
        daemon, STATUS_ALLOWED_ORIGINS="b.example", STATUS_MAX_CONNECTIONS="2",
        STATUS_METRICS_ENABLED="false")
    assert status("a.example") == 403
    assert daemon.get("/metrics").status == 404
    keeper = raw(daemon).send(upgrade_request("/" + channel, Origin="https://b.example"))
    assert keeper.read_answer().status == 101
    assert status("b.example") == 503
    redis.publish(channel, "x")
    assert page.status() == "x"


def test_heartbeats_of_open_pages_follow(start, file, open_page, channel):
    daemon = start(STATUS_PING_INTERVAL="10m")
    page = open_page(daemon, channel).live()
    file.reload(daemon, STATUS_PING_INTERVAL="100ms", STATUS_PONG_TIMEOUT="1s")
    begun = time.monotonic()
    for _ in range(4):
        page.next_of("ping")
    assert time.monotonic() - begun < 2
    types, code = page.end()
    assert code == 1008
    # The page had the full new time from the reload on.
    assert time.monotonic() - begun >= 0.9


def test_what_takes_a_restart_is_named_and_left_alone(start, file, raw, channel):
    daemon = start()
    address = daemon.address
    line = file.reload(
        daemon, "configuration reloaded; what is named takes a restart",
        STATUS_REDIS_SUBSCRIPTIONS="shared", STATUS_REDIS_DIAL_RATE="7", STATUS_WRITE_TIMEOUT="3s")
    assert set(line["restart"].split()) == {
        "STATUS_REDIS_SUBSCRIPTIONS", "STATUS_REDIS_DIAL_RATE"}
    assert line["applied"] == "STATUS_WRITE_TIMEOUT=3s" and line["level"] == "warn"
    assert daemon.address == address and daemon.is_ready()


@pytest.mark.parametrize("change, words", [
    ({"STATUS_PING_INTERVAL": "soon"}, "STATUS_PING_INTERVAL"),
    ({"STATUS_ALLOWED_ORIGINS": "[a"}, "STATUS_ALLOWED_ORIGINS"),
    ({"STATUS_REDIS_URL": f"redis://:{PASSWORD}@h:port"}, "STATUS_REDIS_URL"),
    ({"no name": "1"}, "has no NAME=value in line"),
])
def test_where_something_is_wrong_nothing_is_changed(start, file, raw, channel, change, words):
    daemon = start()
    line = file.reload(
        daemon, "the configuration was read again and is faulty; nothing is changed",
        STATUS_WRITE_TIMEOUT="9s", **change)
    assert words in line["error"] and line["level"] == "error"
    assert PASSWORD not in daemon.output
    # The one sound value of that file is new still when the others are mended.
    for name in change:
        file.values.pop(name)
    assert file.reload(daemon)["applied"] == "STATUS_WRITE_TIMEOUT=9s"


def test_a_file_that_is_gone_changes_nothing(start, file):
    daemon = start()
    file.path.unlink()
    daemon.signal(signal.SIGHUP)
    line = daemon.wait_for_log(
        "the configuration was read again and is faulty; nothing is changed")
    assert "STATUS_ENV_FILE" in line["error"] and "cannot be read" in line["error"]
    assert daemon.is_ready()


def test_without_a_change_that_is_said(start, file):
    daemon = start()
    file.reload(daemon, "configuration reloaded; nothing has changed")


def test_a_password_in_the_file_changes_for_new_connections(
        start_daemon, start_redis, file, open_page, channel):
    redis = start_redis("--requirepass", PASSWORD, password=PASSWORD)
    file.write(STATUS_REDIS_URL=redis.url, STATUS_REDIS_PASSWORD=PASSWORD)
    daemon = start_daemon(None, STATUS_ENV_FILE=file.path)
    page = open_page(daemon, channel).live()
    redis.cli("CONFIG", "SET", "requirepass", NEW_PASSWORD)
    redis.password = NEW_PASSWORD
    line = file.reload(daemon, STATUS_REDIS_PASSWORD=NEW_PASSWORD)
    assert "STATUS_REDIS_PASSWORD=***" in line["applied"]
    other = open_page(daemon, channel).live()
    redis.publish(channel, "both")
    assert [page.status(), other.status()] == ["both", "both"]
    assert PASSWORD not in daemon.output and NEW_PASSWORD not in daemon.output


def test_a_file_of_a_secret_is_read_again_too(start_daemon, start_redis, open_page, channel, tmp_path):
    redis = start_redis("--requirepass", PASSWORD, password=PASSWORD)
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    daemon = start_daemon(redis, STATUS_REDIS_PASSWORD_FILE=secret)
    redis.cli("CONFIG", "SET", "requirepass", NEW_PASSWORD)
    secret.write_text(NEW_PASSWORD)
    daemon.signal(signal.SIGHUP)
    line = daemon.wait_for_log(DONE)
    assert "STATUS_REDIS_PASSWORD=***" in line["applied"]
    open_page(daemon, channel).live()
    assert NEW_PASSWORD not in daemon.output


def test_certificates_are_read_again(start_daemon, cleanup, file, tmp_path, open_page, channel):
    authority = Authority(tmp_path)
    (tmp_path / "redis").mkdir()
    redis = TLSRedis(tmp_path / "redis", authority, authority.issue("localhost", "127.0.0.1"))
    cleanup.callback(redis.stop)
    file.write(STATUS_REDIS_URL=redis.url, STATUS_REDIS_TLS_CA_FILE=authority.file)
    daemon = start_daemon(None, STATUS_ENV_FILE=file.path)
    authority.file.write_bytes(authority.file.read_bytes() + b"\n")
    line = file.reload(daemon)
    assert line["certificates"] == "reloaded"
    open_page(daemon, channel).live()


def test_a_reload_on_the_way_down_changes_nothing(start_daemon, redis, raw, channel):
    daemon = start_daemon(redis, STATUS_DRAIN_DELAY="1m")
    raw(daemon).upgrade(channel)
    daemon.signal(signal.SIGTERM)
    daemon.wait_for_log("shutdown signal received")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_log("reload signal ignored: the daemon is shutting down")
    assert daemon.is_running
    daemon.kill()


# The file itself

def _check(*arguments, **settings):
    done = run_to_end("--check-config", *arguments, settings=settings)
    return done.returncode, done.stdout + done.stderr


def test_the_file_wins_over_the_environment_and_a_flag_over_both(tmp_path):
    path = tmp_path / "env"
    path.write_text(
        "# a comment\n\nexport STATUS_PING_INTERVAL='7s'\r\nSTATUS_PONG_TIMEOUT=\"99s\"\n"
        "STATUS_WRITE_TIMEOUT=9s\nOTHER=1\n")
    status, text = _check(
        "--env-file", str(path), "--write-timeout", "4s", STATUS_PING_INTERVAL="3s",
        STATUS_ENV_FILE="/nowhere")
    assert status == 0, text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith("STATUS_")}
    assert rows["STATUS_PING_INTERVAL"] == ["7s", "file", str(path), "(STATUS_ENV_FILE)"]
    assert rows["STATUS_PONG_TIMEOUT"][0] == "99s"
    assert rows["STATUS_WRITE_TIMEOUT"] == ["4s", "flag", "--write-timeout"]


@pytest.mark.parametrize("content, words", [
    (f"STATUS_REDIS_PASSWORD='{PASSWORD}", "quote that is not closed in line 1"),
    (f"\n{PASSWORD}\n", "no NAME=value in line 2"), (b"\xff", "not UTF-8"),
])
def test_a_file_that_cannot_be_read_ends_the_start_without_a_word_of_it(tmp_path, content, words):
    path = tmp_path / "env"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    status, text = _check(STATUS_ENV_FILE=path)
    assert status == 1 and words in text and PASSWORD not in text
    done = run_to_end(settings={"STATUS_ENV_FILE": path})
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert json.loads(done.stdout.splitlines()[-1])["level"] == "error"
