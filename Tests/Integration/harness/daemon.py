"""The status2 binary as a child process."""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import threading
import time

from harness.raw import http_get
from harness.waiting import PATIENCE, wait_until

_REPOSITORY = pathlib.Path(__file__).resolve().parents[3]

# Short enough for a test to end soon, whatever its clients do.
_DEFAULTS = {
    "STATUS_LISTEN_ADDR": "127.0.0.1:0",
    "STATUS_METRICS_ENABLED": "true",
    "STATUS_REDIS_RETRY_BASE": "20ms",
    "STATUS_REDIS_RETRY_MAX": "100ms",
    "STATUS_REDIS_MAX_RETRIES": "0",
    "STATUS_SHUTDOWN_TIMEOUT": "3s",
}


LINK_FAILURES = (
    "redis unavailable, retrying", "redis subscribe failed", "redis stream interrupted")
"""What a failure of a link to Redis is called: of the probe, before and after it was live."""


def binary():
    """The binary under test; None where none is built."""
    named = os.environ.get("STATUS2_BINARY")
    if named:
        return pathlib.Path(named).resolve()
    for kind in ("release", "debug"):
        candidate = _REPOSITORY / ".build" / kind / "status2"
        if candidate.exists():
            return candidate
    return None


def _environment(settings):
    # Nothing of the caller's environment may configure the daemon, but for how many event loops it
    # has: every test is to hold with any number.
    loops = os.environ.get("STATUS2_TEST_LOOPS")
    settings = ({"STATUS_LOOPS": loops} if loops else {}) | settings
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "SWIFT_BACKTRACE": "enable=no"} | {
        name: str(value) for name, value in settings.items() if value is not None
    }


def run_to_end(*arguments, settings=None, timeout=PATIENCE):
    """Runs the binary until it ends by itself: exit status, standard output and error as text."""
    return subprocess.run(
        [str(binary()), *arguments], env=_environment(settings or {}), capture_output=True,
        text=True, timeout=timeout, stdin=subprocess.DEVNULL)


def _set_limits(limits):
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))


class Daemon:
    """A running daemon with what it has written so far."""

    def __init__(self, settings, arguments=(), limits=None, before=None, kept=()):
        self.lines = []
        self._is_told_to_end = False
        self.stderr = ""
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            self._command(arguments), env=_environment(_DEFAULTS | settings),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=(lambda: _set_limits(limits)) if limits else before, pass_fds=kept)
        self._readers = [
            threading.Thread(target=self._collect_lines, daemon=True),
            threading.Thread(target=self._collect_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self._address = None

    def _command(self, arguments):
        return [str(binary()), *arguments]

    def _collect_lines(self):
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.decode("utf-8"))
                self._changed.notify_all()

    def _collect_errors(self):
        for line in self.process.stderr:
            self.stderr += line.decode("utf-8")

    # Logs

    @property
    def logs(self):
        """The log so far, a dictionary a line."""
        with self._changed:
            return [json.loads(line) for line in self.lines]

    def log_lines(self, msg, **fields):
        """The log lines with this message and these fields."""
        wanted = {"msg": msg, **fields}
        return [line for line in self.logs if wanted.items() <= line.items()]

    def link_failures(self, **fields):
        """The log lines of failures of links to Redis, of the probe's too, with these fields."""
        return [line for msg in LINK_FAILURES for line in self.log_lines(msg, **fields)]

    def wait_for_link_failure(self, count=1, timeout=PATIENCE, **fields):
        """Waits until there are `count` such lines; returns the last one."""
        wait_until(
            lambda: len(self.link_failures(**fields)) >= count or not self.is_running,
            f"{count} failures of links with {fields}", timeout)
        found = sorted(self.link_failures(**fields), key=lambda line: line["time"])
        assert len(found) >= count, f"{len(found)} failures of links with {fields}:\n{self.output}"
        return found[-1]

    def wait_for_log(self, msg, count=1, timeout=PATIENCE, **fields):
        """Waits until there are `count` such lines; returns the last one."""
        deadline = time.monotonic() + timeout
        while True:
            # What has ended, with all its output read, writes no more.
            ended = not any(reader.is_alive() for reader in self._readers)
            found = self.log_lines(msg, **fields)
            if len(found) >= count:
                return found[-1]
            left = deadline - time.monotonic()
            if left <= 0 or ended:
                raise AssertionError(
                    f"no log line {msg!r} {fields} within {timeout} s in:\n{self.output}")
            with self._changed:
                self._changed.wait(min(left, 0.05))

    @property
    def output(self):
        """All that the daemon has written, to look for what must not be there."""
        with self._changed:
            return "".join(self.lines) + self.stderr

    # Addresses and requests

    @property
    def address(self):
        """`127.0.0.1:port` as it was bound."""
        if self._address is None:
            self._address = self.wait_for_log("listening")["address"]
        return self._address

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def get(self, path, **headers):
        """Answer to a plain GET: status, headers, body."""
        return http_get(self.port, path, headers)

    def is_ready(self):
        return self.get("/ready").status == 200

    def wait_ready(self, timeout=PATIENCE):
        self.wait_for_log("ready", timeout=timeout)
        wait_until(self.is_ready, "/ready to answer 200", timeout)
        return self

    def metric(self, name):
        """The value of a metric, named without its prefix and with its labels if it has any."""
        text = self.get("/metrics").body.decode()
        return int(re.search(rf"^status2_{re.escape(name)} (\d+)$", text, re.MULTILINE).group(1))

    def wait_for_metric(self, name, value, timeout=PATIENCE):
        wait_until(
            lambda: self.metric(name) == value,
            f"status2_{name} to become {value} (it is {self.metric(name)})", timeout)

    # The end

    def signal(self, number=signal.SIGTERM):
        self._is_told_to_end |= number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE):
        """Waits for the end of the process and of its output; returns the exit status."""
        status = self.process.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return status

    @property
    def is_running(self):
        return self.process.poll() is None

    def stop(self):
        """Ends the daemon; one that was running must end cleanly."""
        if not self.is_running:
            self.wait()
            return
        # A second signal ends it at once, and that is no clean end.
        if not self._is_told_to_end:
            self.signal()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError("SIGTERM did not end the daemon:\n" + self.output) from None
        assert status == 0, f"exit status {status} at the end of the test:\n{self.output}"

    def kill(self):
        """Ends the daemon without ceremony."""
        self.process.kill()
        self.wait()
