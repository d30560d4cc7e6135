"""A real Redis server as a child process, and the clients to look at it."""

import contextlib
import shutil
import signal
import subprocess

import redis

from harness.waiting import free_port, wait_until


def is_installed():
    return all(shutil.which(name) for name in ("redis-server", "redis-cli"))


class Redis:
    """A Redis server on 127.0.0.1 with its files in a directory of its own."""

    def __init__(self, directory, *arguments, port=None, password=None, protocol=3,
                 program="redis-server"):
        self.directory = directory
        self.program = program
        self.arguments = arguments
        self.password = password
        self.protocol = protocol
        self.port = port or free_port()
        self.process = None
        self.start()

    def start(self):
        """Starts the server, on the port that it had before."""
        log = open(self.directory / "redis.log", "ab")
        with log:
            self.process = subprocess.Popen(
                [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                 "--appendonly", "no", "--dir", str(self.directory), *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, "Redis to answer")
        return self

    def _answers(self):
        assert self.process.poll() is None, (self.directory / "redis.log").read_text()
        with contextlib.suppress(redis.ConnectionError), self.client() as client:
            return client.ping()
        return False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/2"

    def client(self, **options):
        """A client that is not ours, on bytes; close it after use."""
        options = {"password": self.password, "protocol": self.protocol} | options
        return redis.Redis(host="127.0.0.1", port=self.port, **options)

    def cli(self, *arguments, stdin=None):
        """What redis-cli prints; `stdin` becomes the last argument, whatever its bytes are."""
        command = ["redis-cli", "-p", str(self.port)]
        if self.password:
            command += ["--no-auth-warning", "-a", self.password]
        if stdin is not None:
            command.append("-x")
        done = subprocess.run(
            [*command, *arguments], input=stdin, capture_output=True, timeout=10, check=True)
        return done.stdout.decode().strip()

    def publish(self, channel, payload):
        """Publishes with redis-cli; returns how many subscribers Redis has handed it to."""
        payload = payload if isinstance(payload, bytes) else payload.encode()
        return int(self.cli("PUBLISH", channel, stdin=payload))

    def subscribers(self, channel):
        """How many connections are subscribed to the channel."""
        return int(self.cli("PUBSUB", "NUMSUB", channel).split()[-1])

    def wait_for_subscribers(self, channel, count):
        wait_until(
            lambda: self.subscribers(channel) == count, f"{count} subscribers of {channel}")

    def connections_named(self, name):
        """The lines of CLIENT LIST about connections of that name."""
        return [line for line in self.cli("CLIENT", "LIST").splitlines() if f" name={name} " in line]

    # Faults

    def pause(self):
        """Stops the process: connections stay, and nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process.poll() is None:
            self.kill()
