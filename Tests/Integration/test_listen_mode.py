"""STATUS_LISTEN_MODE: who may connect to a Unix socket."""

import os
import socket
import stat
import subprocess
import sys

import pytest

from harness import daemon as daemon_module
from harness.daemon import run_to_end


def _mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def _with_umask(redis, cleanup, tmp_path, umask, *arguments, **settings):
    path = tmp_path / "status2.sock"
    daemon = daemon_module.Daemon(
        {"STATUS_REDIS_URL": redis.url, "STATUS_LISTEN_ADDR": f"unix:{path}", **settings},
        arguments, before=lambda: os.umask(umask))
    cleanup.callback(daemon.stop)
    daemon.wait_for_log("listening")
    return path


@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o777])
@pytest.mark.parametrize("text, mode", [
    ("0660", 0o660), ("666", 0o666), ("0o600", 0o600), ("0777", 0o777), ("0020", 0o020)])
def test_the_socket_has_the_mode_whatever_the_umask(redis, cleanup, tmp_path, umask, text, mode):
    path = _with_umask(redis, cleanup, tmp_path, umask, STATUS_LISTEN_MODE=text)
    assert _mode(path) == mode


@pytest.mark.parametrize("umask, mode", [(0, 0o777), (0o022, 0o755), (0o077, 0o700)])
def test_without_it_the_umask_decides(redis, cleanup, tmp_path, umask, mode):
    assert _mode(_with_umask(redis, cleanup, tmp_path, umask)) == mode


def test_it_is_a_flag_too(redis, cleanup, tmp_path):
    assert _mode(_with_umask(redis, cleanup, tmp_path, 0o022, "--listen-mode", "0660")) == 0o660


def test_the_socket_takes_connections(redis, cleanup, tmp_path):
    path = _with_umask(redis, cleanup, tmp_path, 0o022, STATUS_LISTEN_MODE="0600")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_the_file_never_has_another_mode(redis, cleanup, tmp_path):
    # Every look at the file while the daemon starts, again and again, must show the one mode.
    watcher = subprocess.Popen(
        [sys.executable, "-c",
         "import os, sys\n"
         "seen = set()\n"
         "while not os.path.exists(sys.argv[2]):\n"
         "    try: seen.add(os.lstat(sys.argv[1]).st_mode & 0o777)\n"
         "    except FileNotFoundError: pass\n"
         "print(sorted(seen))", str(tmp_path / "status2.sock"), str(tmp_path / "done")],
        stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        daemon = daemon_module.Daemon(
            {"STATUS_REDIS_URL": redis.url, "STATUS_LISTEN_MODE": "0600",
             "STATUS_LISTEN_ADDR": f"unix:{tmp_path}/status2.sock"}, before=lambda: os.umask(0))
        cleanup.callback(daemon.stop)
        daemon.wait_for_log("listening")
        daemon.stop()
    (tmp_path / "done").touch()
    assert watcher.communicate(timeout=10)[0] == "[384]\n"


@pytest.mark.parametrize("text", ["rw", "0888", "1777", "-660", "66", "00660", "0x1b0", "+660"])
def test_what_is_no_mode_is_named(text):
    report = run_to_end("--check-config", settings={
        "STATUS_LISTEN_MODE": text, "STATUS_LISTEN_ADDR": "unix:/run/status2.sock"})
    assert report.returncode == 1
    assert f'STATUS_LISTEN_MODE="{text}" is not an octal mode' in report.stdout
    assert run_to_end("--listen-mode", text).returncode == 2


def test_it_is_part_of_the_report(redis):
    report = run_to_end("--check-config", settings={
        "STATUS_LISTEN_MODE": "660", "STATUS_LISTEN_ADDR": "unix:/run/status2.sock"})
    assert report.returncode == 0
    line = next(line for line in report.stdout.splitlines() if "STATUS_LISTEN_MODE" in line)
    assert line.split() == ["STATUS_LISTEN_MODE", "0660", "environment", "STATUS_LISTEN_MODE"]


def test_without_a_unix_socket_it_is_warned_of():
    report = run_to_end("--check-config", settings={"STATUS_LISTEN_MODE": "0660"})
    assert "STATUS_LISTEN_MODE has no effect" in report.stdout
