"""`--version`, `--help`, `--check-config`, and how the process ends when it cannot start."""

import re
import subprocess

import pytest

from harness.daemon import binary, run_to_end
from harness.waiting import free_port

VARIABLES = [
    "STATUS_LISTEN_ADDR", "STATUS_REDIS_URL", "REDIS_URL", "REDIS_HOST", "REDIS_PORT",
    "REDIS_PASSWORD", "STATUS_PING_INTERVAL", "STATUS_PONG_TIMEOUT", "STATUS_WRITE_TIMEOUT",
    "STATUS_REDIS_REQUEST_TIMEOUT", "STATUS_REDIS_MAX_RETRIES", "STATUS_REDIS_RETRY_BASE",
    "STATUS_REDIS_RETRY_MAX", "STATUS_LOG_LEVEL", "STATUS_METRICS_ENABLED",
    "STATUS_ALLOWED_ORIGINS", "STATUS_MAX_MESSAGE_SIZE", "STATUS_CONSOLE_ENABLED",
    "STATUS_SEND_HANGUP", "STATUS_MAX_PAYLOAD_SIZE",
]
PASSWORD = "s3cret-pa55"


def _check(*arguments, **settings):
    """`--check-config`: the exit status, and value and origin by setting, and the whole text."""
    done = run_to_end("--check-config", *arguments, settings=settings)
    rows = {}
    for line in done.stdout.splitlines():
        found = re.fullmatch(r"(STATUS_\w+) +(\S.*?)  +(\S.*)", line)
        if found:
            rows[found[1]] = found.groups()[1:]
    return done.returncode, rows, done.stdout + done.stderr


# --version and --help

def test_version_prints_name_and_number():
    done = run_to_end("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"status2 \d+\.\d+\.\d+\S*\n", done.stdout)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_each_variable_and_its_flag(flag):
    done = run_to_end(flag)
    assert (done.returncode, done.stderr) == (0, "")
    for name in VARIABLES:
        assert name in done.stdout
        if name.startswith("STATUS_"):
            option = "--" + name.removeprefix("STATUS_").lower().replace("_", "-")
            assert option in done.stdout


def test_help_names_the_defaults():
    text = " ".join(run_to_end("--help").stdout.split())
    for default in (":9002", "redis://localhost:6379/2", "5s", "75s", "2s", "30s", "64KB"):
        assert f"default: {default})" in text


# --check-config

def test_check_config_of_nothing_prints_the_defaults_and_exits_0():
    status, rows, text = _check()
    assert status == 0, text
    assert rows["STATUS_LISTEN_ADDR"] == (":9002", "default")
    assert rows["STATUS_REDIS_URL"] == ("redis://localhost:6379/2", "default")
    assert {origin for _, origin in rows.values()} == {"default"}


def test_check_config_prints_the_origin_of_each_value():
    status, rows, text = _check(
        "--ping-interval=700ms", STATUS_PONG_TIMEOUT="101s", REDIS_HOST="cache", REDIS_PORT="6380")
    assert status == 0, text
    assert rows["STATUS_PING_INTERVAL"] == ("700ms", "flag --ping-interval")
    assert rows["STATUS_PONG_TIMEOUT"] == ("101s", "environment STATUS_PONG_TIMEOUT")
    assert rows["STATUS_REDIS_URL"][0] == "redis://cache:6380/2"
    assert "REDIS_HOST" in rows["STATUS_REDIS_URL"][1]


def test_a_flag_wins_over_its_variable():
    _, rows, _ = _check("--ping-interval", "7s", STATUS_PING_INTERVAL="9s")
    assert rows["STATUS_PING_INTERVAL"] == ("7s", "flag --ping-interval")


@pytest.mark.parametrize("settings", [
    {"STATUS_REDIS_URL": f"redis://:{PASSWORD}@h:1/0"},
    {"STATUS_REDIS_URL": f"rediss://user:{PASSWORD}@h:1/0"},
    {"REDIS_URL": f"redis://user:{PASSWORD}@h:1/0"},
    {"REDIS_PASSWORD": PASSWORD}, {"STATUS_REDIS_PASSWORD": PASSWORD},
    {"STATUS_REDIS_URL": f"redis://:x@h:1/0?{PASSWORD}"},
])
def test_check_config_masks_passwords(settings):
    status, _, text = _check(**settings)
    assert status == 0
    assert PASSWORD not in text
    assert ":***@" in text


@pytest.mark.parametrize("url", [
    f"redis://user:{PASSWORD}@h:notaport/0", f"nonsense://user:{PASSWORD}@h",
    f"redis://user:{PASSWORD}@h:1/0#{PASSWORD}", f"redis://:{PASSWORD}/x@h:1/0", f"{PASSWORD}@h",
])
@pytest.mark.parametrize("arguments", [["--check-config"], []])
def test_no_password_of_a_bad_url_is_printed(url, arguments):
    for done in (run_to_end(*arguments, settings={"STATUS_REDIS_URL": url}),
                 run_to_end(*arguments, f"--redis-url={url}")):
        assert done.returncode in (1, 2)
        assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("name, value", [
    ("STATUS_PING_INTERVAL", "5"), ("STATUS_PING_INTERVAL", "-5s"), ("STATUS_PONG_TIMEOUT", "x"),
    ("STATUS_METRICS_ENABLED", "yes"), ("STATUS_LOG_LEVEL", "loud"),
    ("STATUS_MAX_MESSAGE_SIZE", "64XB"), ("STATUS_REDIS_MAX_RETRIES", "many"),
    ("STATUS_LISTEN_ADDR", "nowhere"), ("STATUS_REDIS_URL", "ftp://x"), ("REDIS_PORT", "x"),
    ("STATUS_ALLOWED_ORIGINS", "[a"), ("STATUS_REDIS_PASSWORD_FILE", "/nowhere"),
    ("STATUS_PING_INTERVAL", "1us"), ("STATUS_WRITE_TIMEOUT", "2us"),
])
def test_check_config_exits_1_and_names_what_is_wrong(name, value):
    settings = {name: value} | ({"REDIS_HOST": "h"} if name == "REDIS_PORT" else {})
    status, _, text = _check(**settings)
    assert status == 1
    assert name in text


@pytest.mark.parametrize("settings", [
    {"STATUS_PING_INTERVALL": "5s"}, {"STATUS_PONG_TIMEOUT": "59s"},
    {"STATUS_HANGUP_ON_SHUTDOWN": "false"}, {"STATUS_REDIS_RETRY_BASE": "31s"},
    {"STATUS_REDIS_URL": "redis://h/2?pool_size=10&dial_timeout=3s&bogus=1"},
    {"STATUS_TRUSTED_PROXIES": "0.0.0.0/0"}, {"STATUS_ALLOWED_ORIGINS": "{a,b}.org"},
    {"STATUS_ALLOWED_ORIGINS": "(c|d).org"}, {"STATUS_ALLOWED_ORIGINS": "https://a.org:0443"},
    {"STATUS_ALLOWED_ORIGINS": "https://a..org"}, {"STATUS_PING_INTERVAL": "1m"},
])
def test_check_config_exits_0_with_warnings(settings):
    status, _, text = _check(**settings)
    assert status == 0, text
    (name,) = settings
    assert f"warning: {name} " in text and text.endswith("The configuration is sound.\n")


def test_check_config_warns_of_origins_that_are_all_let_in():
    _, _, text = _check(STATUS_ALLOWED_ORIGINS="")
    assert "warning: STATUS_ALLOWED_ORIGINS is empty: pages of every origin may connect\n" in text
    _, _, text = _check(STATUS_ALLOWED_ORIGINS="app.example")
    assert "warning" not in text


def test_check_config_shows_the_file_of_a_secret_and_masks_it(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    status, rows, text = _check(STATUS_REDIS_PASSWORD_FILE=secret, STATUS_REDIS_URL="redis://u@h/1")
    assert status == 0, text
    assert rows["STATUS_REDIS_URL"] == (
        "redis://u:***@h:6379/1",
        f"environment STATUS_REDIS_URL, file {secret} (STATUS_REDIS_PASSWORD_FILE)")
    assert rows["STATUS_REDIS_PASSWORD"] == ("***", f"file {secret} (STATUS_REDIS_PASSWORD_FILE)")
    assert PASSWORD not in text


@pytest.mark.parametrize("variable", [
    "STATUS_REDIS_PASSWORD_FILE", "REDIS_PASSWORD_FILE", "STATUS_REDIS_URL_FILE",
    "REDIS_URL_FILE", "STATUS_REDIS_SENTINEL_PASSWORD_FILE"])
@pytest.mark.parametrize("content, reason", [
    (None, "cannot be read: no such file or directory"), ("directory", "is not a regular file"),
    (b"", "is an empty file"), (b"\n", "is an empty file"),
    (PASSWORD.encode() + b"\xff", "is a file that is not UTF-8"),
    (PASSWORD.encode() * 65536, "is a file of over 65536 bytes"),
])
def test_a_secret_file_that_cannot_be_used_ends_the_start_with_one_line(
        tmp_path, variable, content, reason):
    path = tmp_path / "secret"
    if content == "directory":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    done = run_to_end(settings={variable: path})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line == f'status2: {variable}="{path}" {reason}'
    assert PASSWORD not in done.stdout


def test_a_secret_file_is_no_device_and_no_pipe():
    for path in ("/dev/zero", "/dev/stdin"):
        done = run_to_end(settings={"REDIS_PASSWORD_FILE": path})
        assert done.returncode == 1 and "is not a regular file" in done.stderr


def test_a_secret_beside_its_file_ends_the_start(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    done = run_to_end(settings={"REDIS_PASSWORD_FILE": secret, "REDIS_PASSWORD": PASSWORD})
    assert done.returncode == 1
    assert "REDIS_PASSWORD_FILE cannot stand beside REDIS_PASSWORD" in done.stderr
    assert PASSWORD not in done.stderr + done.stdout
    flags = (f"--redis-password-file={secret}", f"--redis-password={PASSWORD}")
    assert run_to_end(*flags).returncode == 2


@pytest.mark.parametrize("settings, words", [
    ({"STATUS_LISTEN_ADDR": "127.0.0.1"}, "STATUS_LISTEN_ADDR"),
    ({"STATUS_ALLOWED_ORIGINS": "[a.example"}, "[a.example"),
    ({"STATUS_TRUSTED_PROXIES": "10.0.0.0/33"}, "STATUS_TRUSTED_PROXIES"),
    ({"STATUS_MAX_CONNECTIONS": "lots"}, "STATUS_MAX_CONNECTIONS"),
    ({"STATUS_MAX_CONNECTIONS_PER_ADDRESS": "x"}, "STATUS_MAX_CONNECTIONS_PER_ADDRESS"),
    ({"STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY": "no"}, "STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY"),
    ({"STATUS_REDIS_TLS_CA_FILE": "/nowhere.pem", "STATUS_REDIS_URL": "rediss://127.0.0.1"},
     "/nowhere.pem"),
])
def test_a_value_whose_default_is_wider_ends_the_start(settings, words):
    done = run_to_end(settings=settings)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("status2: ") and words in line


KUBERNETES = {
    "STATUS_SERVICE_HOST": "10.0.0.11", "STATUS_SERVICE_PORT": "9002",
    "STATUS_SERVICE_PORT_HTTP": "9002", "STATUS_PORT": "tcp://10.0.0.11:9002",
    "STATUS_PORT_9002_TCP": "tcp://10.0.0.11:9002", "STATUS_PORT_9002_TCP_PROTO": "tcp",
    "STATUS_PORT_9002_TCP_PORT": "9002", "STATUS_PORT_9002_TCP_ADDR": "10.0.0.11",
    "REDIS_SERVICE_HOST": "10.0.0.1", "REDIS_SERVICE_PORT": "6379",
    "REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_PORT_6379_TCP": "tcp://10.0.0.1:6379",
}


def test_what_kubernetes_puts_into_the_environment_is_understood():
    status, rows, text = _check(STATUS_ALLOWED_ORIGINS="app.example", **KUBERNETES)
    assert status == 0 and "warning" not in text, text
    assert rows["STATUS_REDIS_URL"] == ("redis://10.0.0.1:6379/2", "environment REDIS_PORT")


@pytest.mark.parametrize("first, second", [
    ("1m30s", "90s"), ("1.5h", "90m"), ("0.15s", "150ms"), ("1h0m0s", "60m"), ("200000us", "200ms")])
def test_durations_are_those_of_go(first, second):
    shown = [_check(STATUS_PONG_TIMEOUT="2h", STATUS_PING_INTERVAL=text)[:2]
             for text in (first, second)]
    assert [status for status, _ in shown] == [0, 0]
    assert len({rows["STATUS_PING_INTERVAL"] for _, rows in shown}) == 1


def test_a_slash_at_the_end_of_a_redis_url_is_dropped():
    status, rows, text = _check(
        STATUS_REDIS_URL="redis://h:6379/2/", STATUS_ALLOWED_ORIGINS="app.example")
    assert status == 0 and "warning" not in text, text
    assert rows["STATUS_REDIS_URL"][0] == "redis://h:6379/2"


# Output that cannot be written

@pytest.mark.parametrize("arguments", [
    ["--check-config"], ["--version"], ["--help"], ["decode", "--help"], ["decode", "resp"],
    ["--generate-completion-script", "bash"]])
@pytest.mark.parametrize("where", ["full", "closed"])
def test_a_command_fails_whose_output_cannot_be_written(arguments, where):
    redirection = ">/dev/full" if where == "full" else ">&-"
    done = subprocess.run(
        ["sh", "-c", f'printf "+OK\\r\\n" | "$0" "$@" {redirection}', str(binary()), *arguments],
        capture_output=True, text=True, timeout=10, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 1
    assert "status2: cannot write standard output: " in done.stderr


# Usage errors

@pytest.mark.parametrize("arguments", [
    ["--bogus"], ["stray"], ["--ping-interval"], ["--ping-interval=x"], ["--metrics-enabled=2"],
    ["--redis-url", "ftp://x"], ["--hangup-on-shutdown", "false"], ["--embedded-redis=nonsense"], ["--embedded-redis-allow-remote"],
])
def test_a_usage_error_exits_2(arguments):
    done = run_to_end(*arguments)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr


def test_a_mistyped_flag_is_guessed():
    done = run_to_end("--ping-intervall=5s")
    assert done.returncode == 2 and "Was '--ping-interval' meant?" in done.stderr


# A start that fails

def test_a_port_in_use_exits_1_with_one_clear_line(start_daemon, redis):
    first = start_daemon(redis)
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": first.address, "STATUS_REDIS_URL": redis.url})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("status2: ") and first.address in line and "in use" in line


def test_an_address_of_another_machine_exits_1_with_one_clear_line(redis):
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": "192.0.2.1:9002", "STATUS_REDIS_URL": redis.url})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "192.0.2.1:9002" in line


# Warnings at the start

def test_an_unknown_variable_is_warned_of(start_daemon, redis):
    daemon = start_daemon(redis, STATUS_PING_INTERVALL="9s")
    (line,) = [line for line in daemon.logs if "STATUS_PING_INTERVALL" in line["msg"]]
    assert line["level"] == "warn"
    assert "STATUS_PING_INTERVAL" in line["msg"].replace("STATUS_PING_INTERVALL", "")


def test_the_former_name_of_a_setting_is_warned_of_with_what_takes_its_place(start_daemon, redis):
    daemon = start_daemon(redis, STATUS_HANGUP_ON_SHUTDOWN="true")
    (line,) = [line for line in daemon.logs if "STATUS_HANGUP_ON_SHUTDOWN" in line["msg"]]
    assert line["level"] == "warn" and "STATUS_SEND_HANGUP" in line["msg"]
    _, rows, text = _check(STATUS_HANGUP_ON_SHUTDOWN="true")
    assert rows["STATUS_SEND_HANGUP"] == ("false", "default")
    assert "STATUS_HANGUP_ON_SHUTDOWN" not in rows and "warning: STATUS_HANGUP_ON_SHUTDOWN" in text


def test_a_value_that_does_not_parse_falls_back_with_a_warning(start_daemon, redis):
    daemon = start_daemon(redis, STATUS_WRITE_TIMEOUT="soon")
    (line,) = [line for line in daemon.logs if "STATUS_WRITE_TIMEOUT" in line["msg"]]
    assert line["level"] == "warn" and "2s" in line["msg"]


def test_a_short_pong_timeout_is_warned_of(start_daemon, redis):
    daemon = start_daemon(redis, STATUS_PONG_TIMEOUT="59s")
    assert [line for line in daemon.logs if "STATUS_PONG_TIMEOUT" in line["msg"]]


# Logs

def test_each_log_line_is_json_with_time_level_msg_and_component(
        start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis, STATUS_LOG_LEVEL="debug")
    open_page(daemon, channel).live().close()
    daemon.stop()
    for line in daemon.logs:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["time"])
        assert line["level"] in ("debug", "info", "warn", "error")
        assert line["msg"] and line["component"] in ("server", "redis", "broker", "main")
    assert daemon.stderr == ""


@pytest.mark.parametrize("level, silent", [
    ("warn", {"debug", "info"}), ("warning", {"debug", "info"}),
    ("error", {"debug", "info", "warn"}), ("info", {"debug"})])
def test_the_log_level_is_a_threshold(redis, level, silent):
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_LOG_LEVEL": level,
        "STATUS_REDIS_URL": f"redis://127.0.0.1:{free_port()}/2", "STATUS_REDIS_MAX_RETRIES": "2",
        "STATUS_REDIS_RETRY_BASE": "1ms", "STATUS_REDIS_RETRY_MAX": "2ms"})
    levels = set(re.findall(r'"level":"(\w+)"', done.stdout))
    assert levels and not levels & silent


