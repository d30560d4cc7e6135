"""A real HAProxy, for what its health checks say of the daemon."""

import csv
import io
import os
import pathlib
import shutil
import socket
import subprocess

from harness.waiting import free_port, wait_until

_HEAD = """
global
    stats socket {directory}/stats mode 600
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend clients
    bind 127.0.0.1:{port}
    default_backend {first}
"""


def program():
    """The path of HAProxy, which Debian keeps out of the path of users; None where it is missing."""
    return shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class HAProxy:
    """HAProxy with a backend for each entry of `checks`: its name, and the lines that it has."""

    def __init__(self, directory, upstream, checks, server="check inter 200ms"):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        text = _HEAD.format(directory=directory, port=self.port, first=next(iter(checks)))
        for name, lines in checks.items():
            text += f"backend {name}\n"
            text += "".join(f"    {line}\n" for line in lines)
            text += f"    server status2 {upstream} {server}\n"
        configuration = self.directory / "haproxy.cfg"
        configuration.write_text(text)
        self._log = open(self.directory / "haproxy.log", "wb")
        self.process = subprocess.Popen(
            [program(), "-db", "-f", str(configuration)],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        wait_until(self._answers, "HAProxy to answer")

    def _answers(self):
        assert self.process.poll() is None, (self.directory / "haproxy.log").read_text()
        try:
            return self.states()
        except OSError:
            return None

    def states(self):
        """By backend: the last check's kind of result and its HTTP status, as (`L7OK`, `200`)."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.directory / "stats"))
            connection.sendall(b"show stat\n")
            text = b""
            while data := connection.recv(65536):
                text += data
        rows = csv.DictReader(io.StringIO(text.decode().removeprefix("# ")))
        return {row["pxname"]: (row["check_status"], row["check_code"])
                for row in rows if row["svname"] == "status2"}

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._log.close()


class Balancer:
    """HAProxy before several daemons: each new connection goes to the next one that is ready."""

    def __init__(self, directory, ports):
        self.port = free_port()
        text = _HEAD.format(directory=directory, port=self.port, first="daemons")
        text += "backend daemons\n    balance roundrobin\n"
        text += "    timeout tunnel 60s\n    option httpchk GET /ready\n"
        for number, port in enumerate(ports):
            text += f"    server status{number} 127.0.0.1:{port} check inter 200ms\n"
        configuration = pathlib.Path(directory) / "balancer.cfg"
        configuration.write_text(text)
        self.process = subprocess.Popen(
            [program(), "-db", "-f", str(configuration)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, "HAProxy to answer")

    def _answers(self):
        assert self.process.poll() is None, "HAProxy does not take its configuration"
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return False
        return True

    @property
    def address(self):
        """Where pages connect, as a daemon has it."""
        return f"127.0.0.1:{self.port}"

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
