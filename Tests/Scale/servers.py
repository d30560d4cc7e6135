"""Servers of a trial: child processes on free ports of 127.0.0.1."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time


class Failure(Exception):
    """What did not hold."""


def free_port(beside=0):
    """A free port; where `beside` is given, the one so much above it is free as well."""
    while True:
        with contextlib.suppress(OSError, OverflowError), contextlib.ExitStack() as stack:
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if beside:
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port + beside))
            return port


def wait_until(condition, what, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


class Server:
    """A child process that listens on a port; it can be ended and started again."""

    def __init__(self, name, command, port, environment, log):
        self.name, self.command, self.port = name, command, port
        self.environment, self.log = environment, log
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        wait_until(self._listens, f"{self.name} to listen")

    def _listens(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} has ended:\n{pathlib.Path(self.log).read_text()[-2000:]}")
        return self._takes_connections()

    def _takes_connections(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def roll(self):
        """Another process takes over as soon as this one has let go of the port."""
        former = self.process
        former.terminate()
        wait_until(lambda: not self._takes_connections(), f"{self.name} to let go of its port")
        self.start()
        if former.wait(30) != 0:
            raise Failure(f"{self.name} ended with status {former.returncode}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Redis(Server):
    """One Redis, for the pages of a daemon and of the one before it."""

    def __init__(self, directory, pages):
        port = free_port()
        super().__init__(
            "redis-server",
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", str(directory), "--maxclients", str(2 * pages + 512)],
            port, os.environ, directory / "redis.log")

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/2"

    @property
    def logs(self):
        return [self.log]
