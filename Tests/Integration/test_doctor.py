"""`status2 doctor` against real Redis servers: plain, with users, with TLS, and none."""

import json
import os
import subprocess

import pytest

from harness.certificates import Authority
from harness.daemon import binary, run_to_end
from harness.tls_redis import TLSRedis
from harness.waiting import free_port

PASSWORD = "s3cret-pa55"
SOUND = {"STATUS_ALLOWED_ORIGINS": "app.example", "STATUS_MAX_CONNECTIONS": "100"}


def _examine(**settings):
    """Exit status, and level, text and advice by subject."""
    done = run_to_end("doctor", "--json", settings=SOUND | settings)
    assert PASSWORD not in done.stdout + done.stderr
    checks = json.loads(done.stdout)["checks"]
    return done.returncode, {check["subject"]: check for check in checks}


def _levels(checks):
    return {subject: check["verdict"] for subject, check in checks.items()}


def test_a_sound_deployment_is_ok_throughout(redis):
    status, checks = _examine(STATUS_REDIS_URL=redis.url)
    # The kernel's backlog is this machine's.
    assert set(_levels({name: check for name, check in checks.items() if name != "backlog"}
                       ).values()) == {"ok"}, checks
    assert status == 0 or checks["backlog"]["verdict"] == "warn"
    assert set(checks) == {
        "configuration", "origins", "hangup", "heartbeat", "descriptors", "backlog", "local ports",
        "redis", "maxclients", "output buffer", "idle links", "clock", "rights", "delivery"}


def test_each_verdict_is_a_line(redis):
    done = run_to_end("doctor", settings=SOUND | {"STATUS_REDIS_URL": redis.url})
    lines = done.stdout.splitlines()
    assert len(lines) == 14 and all(line.split()[0] in ("ok", "warn") for line in lines)


@pytest.mark.parametrize("settings, subject, level", [
    ({"STATUS_ALLOWED_ORIGINS": ""}, "origins", "warn"),
    ({"STATUS_ALLOWED_ORIGINS": "*"}, "origins", "warn"),
    ({"STATUS_ALLOWED_ORIGINS": "(a|b).example"}, "origins", "fail"),
    ({"STATUS_SEND_HANGUP": "true"}, "hangup", "warn"),
    ({"STATUS_PING_INTERVAL": "50s"}, "heartbeat", "warn"),
    ({"STATUS_MAX_CONNECTIONS": "1000000"}, "descriptors", "fail"),
    ({"STATUS_PING_INTERVALL": "5s"}, "configuration", "warn"),
    ({"STATUS_WRITE_TIMEOUT": "soon"}, "configuration", "warn"),
])
def test_what_is_wrong_with_the_configuration_is_found(redis, settings, subject, level):
    status, checks = _examine(STATUS_REDIS_URL=redis.url, **settings)
    assert checks[subject]["verdict"] == level, checks
    assert status == {"warn": 1, "fail": 2}[level]


@pytest.mark.parametrize("arguments, subject, words", [
    (["--maxclients", "50"], "maxclients", "maxclients 50"),
    (["--client-output-buffer-limit", "pubsub 1mb 0 0"], "output buffer", "1048576 0 0"),
    (["--client-output-buffer-limit", "pubsub 0 0 0"], "output buffer", "0 0 0"),
])
def test_what_redis_is_set_to_is_found(start_redis, arguments, subject, words):
    redis = start_redis(*arguments)
    status, checks = _examine(STATUS_REDIS_URL=redis.url)
    assert status == 1 and checks[subject]["verdict"] == "warn"
    assert words in checks[subject]["text"] and checks[subject]["advice"]


def test_a_time_out_of_redis_is_told_of(start_redis):
    _, checks = _examine(STATUS_REDIS_URL=start_redis("--timeout", "60").url)
    assert checks["idle links"]["verdict"] == "ok" and "60 s" in checks["idle links"]["text"]


@pytest.mark.parametrize("change, cause", [
    ({"STATUS_REDIS_URL": f"redis://127.0.0.1:{free_port()}/2"}, "connection refused"),
    ({"STATUS_REDIS_URL": "redis://no-such-host.invalid/2"}, "name look-up failed"),
])
def test_a_redis_that_is_not_reached_fails(change, cause):
    status, checks = _examine(**change)
    assert status == 2 and checks["redis"]["verdict"] == "fail"
    assert cause in checks["redis"]["text"] and checks["redis"]["advice"]


@pytest.mark.parametrize("url, cause", [
    ("redis://127.0.0.1:{port}/2", "NOAUTH"), ("redis://:wrong@127.0.0.1:{port}/2", "WRONGPASS"),
    ("redis://:s3cret-pa55@127.0.0.1:{port}/99", "database"),
    ("rediss://127.0.0.1:{port}/2", "TLS"),
])
def test_a_log_in_that_fails_is_told_apart(start_redis, url, cause):
    redis = start_redis("--requirepass", PASSWORD, password=PASSWORD)
    status, checks = _examine(STATUS_REDIS_URL=url.format(port=redis.port))
    assert status == 2 and cause in checks["redis"]["text"], checks


def _user(redis, *rules):
    redis.cli("ACL", "SETUSER", "status", "on", f">{PASSWORD}", *rules)
    return f"redis://status:{PASSWORD}@127.0.0.1:{redis.port}/2"


def test_a_user_with_no_more_than_the_daemon_needs_is_unknown_where_redis_does_not_tell(
        start_redis):
    redis = start_redis()
    url = _user(redis, "&*", "+subscribe", "+unsubscribe", "+ping", "+hello", "+client", "+select")
    status, checks = _examine(STATUS_REDIS_URL=url)
    levels = _levels(checks)
    for subject in ("maxclients", "output buffer", "idle links", "clock", "rights", "delivery"):
        assert levels[subject] == "unknown" and checks[subject]["advice"]
    assert status == 0 or levels["backlog"] == "warn"


def test_rights_that_lack_are_found(start_redis):
    redis = start_redis()
    url = _user(redis, "&*", "+@all", "-subscribe")
    status, checks = _examine(STATUS_REDIS_URL=url)
    assert status == 2 and checks["rights"]["verdict"] == "fail"
    assert "subscribe" in checks["rights"]["text"] and "ACL SETUSER" in checks["rights"]["advice"]
    redis.cli("ACL", "SETUSER", "status", "+subscribe", "resetchannels", "&run:*", "&status2:*")
    status, checks = _examine(STATUS_REDIS_URL=url)
    assert status == 1 and checks["rights"]["verdict"] == "warn"
    assert "run:*" in checks["rights"]["text"]


def test_a_user_without_the_doctor_s_channel_may_have_those_of_the_pages(start_redis):
    redis = start_redis()
    url = _user(redis, "&run*", "+@all")
    status, checks = _examine(STATUS_REDIS_URL=url)
    assert status == 1 and checks["rights"]["verdict"] == "warn" and "run*" in checks["rights"]["text"]
    assert checks["delivery"]["verdict"] == "unknown"
    redis.cli("ACL", "SETUSER", "status", "-acl")
    status, checks = _examine(STATUS_REDIS_URL=url)
    assert checks["rights"]["verdict"] == "unknown"
    assert "not to status2:doctor" in checks["rights"]["text"]


def test_only_who_shares_links_must_be_able_to_unsubscribe(start_redis):
    redis = start_redis()
    url = _user(redis, "&*", "+@all", "-unsubscribe")
    _, checks = _examine(STATUS_REDIS_URL=url)
    assert checks["rights"]["verdict"] == "ok"
    status, checks = _examine(STATUS_REDIS_URL=url, STATUS_REDIS_SUBSCRIPTIONS="shared")
    assert status == 2 and checks["rights"]["verdict"] == "fail"
    assert "unsubscribe" in checks["rights"]["text"]


def test_only_a_canary_must_be_able_to_publish(start_redis):
    redis = start_redis()
    url = _user(redis, "&*", "+@all", "-publish")
    _, checks = _examine(STATUS_REDIS_URL=url)
    assert checks["delivery"]["verdict"] == "unknown"
    status, checks = _examine(STATUS_REDIS_URL=url, STATUS_CANARY_INTERVAL="10s")
    assert status == 2 and checks["delivery"]["verdict"] == "fail"
    assert "+publish" in checks["delivery"]["advice"]


def test_who_names_no_settings_is_told_that_the_defaults_are_judged():
    done = subprocess.run([binary(), "doctor", "--json"], capture_output=True, text=True, env={})
    checks = {check["subject"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["configuration"]["verdict"] == "unknown"
    assert "--env-file" in checks["configuration"]["advice"]


def test_root_is_told_that_it_reads_what_others_may_not(redis, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("x")
    _, checks = _examine(STATUS_REDIS_URL=redis.url, STATUS_REDIS_PASSWORD_FILE=secret)
    assert ("user" in checks) == (os.geteuid() == 0)


def test_a_password_that_redis_does_not_ask_for_is_taken_as_the_daemon_takes_it(redis):
    url = redis.url.replace("redis://", "redis://:unneeded@")
    status, checks = _examine(STATUS_REDIS_URL=url)
    assert checks["redis"]["verdict"] == "ok" and status < 2


def test_a_canary_must_have_its_channels(start_redis):
    redis = start_redis()
    url = _user(redis, "&run*", "+@all")
    status, checks = _examine(STATUS_REDIS_URL=url, STATUS_CANARY_INTERVAL="10s")
    assert status == 2 and checks["delivery"]["verdict"] == "fail"
    assert "status2-canary:*" in checks["delivery"]["text"]
    redis.cli("ACL", "SETUSER", "status", "&status2-canary:*")
    _, checks = _examine(STATUS_REDIS_URL=url, STATUS_CANARY_INTERVAL="10s")
    assert checks["delivery"]["verdict"] == "ok"


def test_a_plain_url_for_a_port_of_tls_is_told(cleanup, tmp_path):
    redis = _tls(cleanup, tmp_path, Authority(tmp_path))
    status, checks = _examine(STATUS_REDIS_URL=redis.url.replace("rediss://", "redis://"))
    assert status == 2 and "rediss://" in checks["redis"]["text"] + checks["redis"]["advice"]


# TLS

def _tls(cleanup, directory, authority, **validity):
    (directory / "redis").mkdir()
    server = TLSRedis(
        directory / "redis", authority, authority.issue("localhost", "127.0.0.1", **validity))
    cleanup.callback(server.stop)
    return server


@pytest.mark.parametrize("days, level", [(20, "ok"), (5, "warn")])
def test_the_end_of_a_certificate_is_seen_coming(cleanup, tmp_path, days, level):
    authority = Authority(tmp_path)
    redis = _tls(cleanup, tmp_path, authority, last_day=days + 0.5)
    _, checks = _examine(STATUS_REDIS_URL=redis.url, STATUS_REDIS_TLS_CA_FILE=authority.file)
    assert checks["tls"]["verdict"] == level and "TLSv1.3" in checks["tls"]["text"]
    assert f"{days} days" in checks["tls"]["text"]
    assert checks["delivery"]["verdict"] == "ok"


def test_a_certificate_that_does_not_verify_fails(cleanup, tmp_path):
    redis = _tls(cleanup, tmp_path, Authority(tmp_path))
    status, checks = _examine(STATUS_REDIS_URL=redis.url)
    assert status == 2 and "not signed by a trusted authority" in checks["redis"]["text"]
    _, checks = _examine(
        STATUS_REDIS_URL=redis.url, STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY="true")
    assert checks["tls"]["verdict"] == "warn"
    status, checks = _examine(STATUS_REDIS_URL=redis.url, STATUS_REDIS_TLS_CA_FILE="/nowhere.pem")
    assert status == 2 and checks["redis"]["verdict"] == "unknown"


def test_output_that_cannot_be_written_is_a_failure(redis):
    done = subprocess.run(
        ["sh", "-c", '"$0" doctor > /dev/full', str(binary())], timeout=10,
        env=SOUND | {"STATUS_REDIS_URL": redis.url}, capture_output=True)
    assert done.returncode == 2
