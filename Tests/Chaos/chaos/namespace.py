"""A network namespace with a Redis in it, at the end of a link that can be cut."""

import contextlib
import functools
import itertools
import os
import pathlib
import shutil
import subprocess

import redis

from harness.redis_server import Redis
from harness.waiting import wait_until

_numbers = itertools.count()


# capabilities(7)
_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21


def is_permitted():
    """Whether this process may make namespaces: root may, but not in most containers."""
    status = pathlib.Path("/proc/self/status").read_text()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    return all(effective >> bit & 1 for bit in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))


@functools.cache
def unavailable():
    """Why no namespace can be made here; None where one can."""
    if shutil.which("ip") is None:
        return "ip is not installed (Debian package iproute2)"
    try:
        Namespace().close()
    except subprocess.CalledProcessError as failure:
        return f"no network namespace can be made: {failure.stderr.decode().strip()}"
    return None


@functools.cache
def has_netem():
    """Whether the kernel has the queueing discipline that delays and loses packets."""
    if unavailable() is not None or shutil.which("tc") is None:
        return False
    with contextlib.closing(Namespace()) as probe:
        return probe.netem("delay", "1ms")


class Namespace:
    """A namespace at the other end of a pair of virtual interfaces; `close` removes both."""

    def __init__(self):
        self.name = f"s2chaos-{os.getpid()}-{next(_numbers)}"
        # An interface's name has 15 characters at most.
        self._outer = f"s2c{os.getpid() % 1_000_000}o{next(_numbers)}"
        self._inner = f"s2c{os.getpid() % 1_000_000}i{next(_numbers)}"
        # A network for benchmarks (RFC 2544), which no real one uses.
        block = f"198.18.{os.getpid() % 250}.{next(_numbers) % 60 * 4}"
        self.outer_address, self.address = _hosts(block)
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._outer, "type", "veth", "peer", "name", self._inner)
            _ip("link", "set", self._inner, "netns", self.name)
            _ip("addr", "add", f"{self.outer_address}/30", "dev", self._outer)
            _ip("link", "set", self._outer, "up")
            self._inside("addr", "add", f"{self.address}/30", "dev", self._inner)
            self._inside("link", "set", self._inner, "up")
            self._inside("link", "set", "lo", "up")
        except subprocess.CalledProcessError:
            self.close()
            raise

    def command(self, *words):
        """The words of a command that runs inside."""
        return ["ip", "netns", "exec", self.name, *words]

    def take_down(self):
        """Cuts the link at the far end: packets vanish, and nobody is told."""
        self._inside("link", "set", self._inner, "down")

    def bring_up(self):
        self._inside("link", "set", self._inner, "up")

    def netem(self, *options):
        """Delays or loses packets towards the namespace; False where the kernel cannot."""
        done = subprocess.run(
            ["tc", "qdisc", "replace", "dev", self._outer, "root", "netem", *options],
            capture_output=True, check=False)
        return done.returncode == 0

    def close(self):
        _ip("netns", "del", self.name)
        subprocess.run(["ip", "link", "del", self._outer], capture_output=True, check=False)

    def _inside(self, *words):
        _ip("-n", self.name, *words)


def _hosts(block):
    network, last = block.rsplit(".", 1)
    return f"{network}.{int(last) + 1}", f"{network}.{int(last) + 2}"


def _ip(*words):
    subprocess.run(["ip", *words], capture_output=True, check=True)


class NamespacedRedis(Redis):
    """A Redis inside a namespace; tests reach it by its Unix socket, whatever the link does."""

    def __init__(self, cable, directory):
        self._cable = cable
        self.socket_path = directory / "redis.sock"
        super().__init__(directory)

    def start(self):
        with open(self.directory / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                self._cable.command(
                    "redis-server", "--port", str(self.port), "--bind", self._cable.address,
                    "--protected-mode", "no", "--unixsocket", str(self.socket_path),
                    "--save", "", "--appendonly", "no", "--dir", str(self.directory)),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, "Redis to answer")
        return self

    @property
    def url(self):
        return f"redis://{self._cable.address}:{self.port}/2"

    def client(self, **options):
        return redis.Redis(unix_socket_path=str(self.socket_path), **options)
