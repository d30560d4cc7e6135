"""What the command line promises, seen from outside: statuses, streams and masked passwords."""

import json
import os
import subprocess

import pytest

BINARY = os.environ["STATUS2_BINARY"]
SECRET = "s3cr3t"


def status2(*arguments, **environment):
    return subprocess.run(
        [BINARY, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_version():
    done = status2("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "status2 0.1.0\n", "")


def test_help_names_every_setting_and_variable():
    done = status2("--help")
    assert (done.returncode, done.stderr) == (0, "")
    table = status2("--check-config").stdout.splitlines()[1:]
    names = [line.split()[0] for line in table if line.startswith("STATUS_")]
    assert len(names) == 21
    words = " ".join(done.stdout.split())
    for name in names:
        assert f"({name}; default: " in words
        assert "--" + name.removeprefix("STATUS_").lower().replace("_", "-") in words
    for name in ["REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"]:
        assert f" {name} " in words


def test_check_config_shows_where_values_come_from():
    done = status2(
        "--check-config", "--log-level=debug", STATUS_LISTEN_ADDR=":1", REDIS_PASSWORD=SECRET
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert ["STATUS_LISTEN_ADDR", ":1", "environment STATUS_LISTEN_ADDR"] in rows
    assert ["STATUS_LOG_LEVEL", "debug", "flag --log-level"] in rows
    assert ["STATUS_PING_INTERVAL", "5s", "default"] in rows
    redis = "redis://:***@localhost:6379/2"
    assert ["STATUS_REDIS_URL", redis, "environment REDIS_PASSWORD"] in rows


@pytest.mark.parametrize(
    "environment",
    [
        {"STATUS_PING_INTERVAL": "5"},
        {"STATUS_PING_INTERVALL": "5s"},
        {"STATUS_ALLOWED_ORIGINS": "[a"},
        {"STATUS_REDIS_URL": "redis://u:s3cr3t/x@h"},
        {"STATUS_REDIS_RETRY_BASE": "31s"},
    ],
)
def test_check_config_fails_where_anything_is_wrong(environment):
    done = status2("--check-config", **environment)
    assert (done.returncode, done.stderr) == (1, "")
    (name,) = environment
    complaints = [line for line in done.stdout.splitlines() if f": {name}" in line]
    assert len(complaints) == 1
    assert SECRET not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bogus"],
        ["stray"],
        ["--ping-interval"],
        ["--ping-interval", "5"],
        ["--redis-url", f"redis://u:{SECRET}/x@h"],
        [f"redis://u:{SECRET}@h"],
        ["--embedded-redis=nonsense"],
        ["--embedded-redis=0.0.0.0:0"],
        ["--embedded-redis-allow-remote"],
        ["--embedded-redis", "--redis-url=redis://h"],
        ["--check-config", "--log-level=loud"],
    ],
)
def test_usage_errors(arguments):
    done = status2(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert SECRET not in done.stderr


def test_fatal_error_is_one_line_on_each_stream():
    done = status2(STATUS_REDIS_URL=f"redis://u:{SECRET}/x@h")
    assert done.returncode == 1
    (error,) = done.stderr.splitlines()
    (line,) = done.stdout.splitlines()
    record = json.loads(line)
    assert list(record) == ["time", "level", "msg", "component"]
    assert (record["level"], record["component"]) == ("error", "main")
    assert error == "status2: " + record["msg"]
    assert error.startswith("status2: STATUS_REDIS_URL is not a Redis URL")
    assert SECRET not in done.stdout + done.stderr


def test_bare_embedded_redis_has_a_default():
    done = status2("--embedded-redis", "--check-config")
    assert done.returncode == 0
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert ["STATUS_REDIS_URL", "redis://127.0.0.1:6379/2", "flag --embedded-redis"] in rows
