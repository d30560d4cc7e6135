"""Redis, the daemon and a load, as every trial has them."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

from Scale.report import keep
from Scale.servers import Failure, Redis, Server, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAEMON = os.environ.get("STATUS2_BINARY", str(ROOT / ".build/release/status2"))
LOAD = os.environ.get("STATUS2_LOAD_BINARY", str(ROOT / ".build/release/status2-load"))

# A second's pages: under the daemon's dial gate of 500 a second.
PAGES_A_SECOND = 400


class Trial:
    """Redis, the daemon with its default settings, and a load; used as a context."""

    def __init__(self, pages, broker=Redis, **settings):
        self.pages, self.broker, self.settings = pages, broker, settings
        self.directory = tempfile.TemporaryDirectory(prefix="status2-scale-")
        self.redis = self.daemon = self.load = None

    def __enter__(self):
        try:
            path = pathlib.Path(self.directory.name)
            self.redis = self.broker(path, self.pages)
            listen = free_port()
            # The caller's own settings must not make these other than the defaults.
            environment = {
                name: value for name, value in os.environ.items()
                if not name.startswith(("STATUS_", "REDIS_"))}
            self.daemon = Server(
                "the daemon", [DAEMON], listen,
                environment | {
                    "STATUS_LISTEN_ADDR": f"127.0.0.1:{listen}",
                    "STATUS_REDIS_URL": self.redis.url,
                    "STATUS_METRICS_ENABLED": "true"} | self.settings,
                path / "daemon.log")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.load is not None and self.load.poll() is None:
            self.load.terminate()
            self.load.wait()
        if self.daemon is not None:
            self.daemon.stop()
            keep(self.daemon.log)
        if self.redis is not None:
            self.redis.stop()
            for log in self.redis.logs:
                keep(log)
        self.directory.cleanup()

    def begin(self, *arguments, rate, seconds, pages_a_second=PAGES_A_SECOND):
        """Starts the load."""
        command = [
            LOAD, "--url", f"ws://127.0.0.1:{self.daemon.port}",
            "--redis-url", self.redis.url, "--sockets", str(self.pages),
            "--ramp", f"{max(1, self.pages // pages_a_second)}s", "--rate", str(rate),
            "--duration", f"{seconds}s", "--json", *arguments]
        self.load = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)

    def wait_for_measuring(self):
        """Passes progress on until the load measures."""
        for line in self.load.stderr:
            if not self._progress(line) or line.startswith("measuring"):
                return

    @staticmethod
    def _progress(line):
        """Shows a line; on a terminal each line takes the place of the one before it."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K" + line.rstrip("\n"))
        return line

    def end(self):
        """Waits for the load; its figures. Raises what did not hold."""
        last = ""
        for line in self.load.stderr:
            last = self._progress(line)
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        text = self.load.stdout.read()
        status = self.load.wait()
        if status not in (0, 1):
            raise Failure(f"status2-load ended with status {status}: {last.strip()}")
        figures = json.loads(text)
        if figures["failures"]:
            raise Failure("; ".join(figures["failures"]), figures)
        return figures

    def metrics(self):
        with urllib.request.urlopen(
                f"http://127.0.0.1:{self.daemon.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {
            name: float(value)
            for name, value in re.findall(r"^([a-z_0-9]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}

    def subscriptions(self):
        return self.metrics()['status2_redis_subscriptions{state="live"}']

    def wait_for_subscriptions(self, count, seconds):
        """Waits until Redis has so many subscriptions again; how long that took."""
        begun = time.monotonic()
        wait_until(lambda: self.subscriptions() == count, f"{count:.0f} subscriptions", seconds)
        return time.monotonic() - begun

    def assert_links_undisturbed(self):
        metrics = self.metrics()
        for name in ("status2_redis_reconnects_total", "status2_write_errors_total",
                     "status2_slow_clients_total", "status2_ledger_imbalances_total",
                     'status2_redis_link_failures_total{cause="stalled"}'):
            value = metrics.get(name, 0)
            if value != 0:
                raise Failure(f"{name} is {value:.0f}")
        return metrics

    def assert_ledgers_balance(self):
        """In each life of the daemon, of which the metrics tell only the last."""
        log = (pathlib.Path(self.directory.name) / "daemon.log").read_text()
        if "the ledger does not balance" in log:
            raise Failure("a ledger does not balance")

    def assert_none_stalled(self):
        metrics = self.metrics()
        stalled = metrics.get('status2_redis_link_failures_total{cause="stalled"}', 0)
        if stalled != 0:
            raise Failure(f"{stalled:.0f} healthy links were called stalled")
        return metrics
