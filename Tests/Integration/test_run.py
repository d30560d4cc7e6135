"""`make run`: the daemon with an embedded broker, on the usual ports or on the next free ones."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from harness import daemon
from harness.waiting import PATIENCE

_SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "Scripts/run"


@pytest.fixture
def usual():
    """Two ports of which this test says that they are the usual ones, with the next one free."""
    found = []
    while len(found) < 2:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
            if port not in [taken + 1 for taken in found] and port < 65_535:
                with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
                    found.append(port)
    return found


@contextlib.contextmanager
def _running(usual, **settings):
    """What is told before the daemon is up, and where it says that it is."""
    process = subprocess.Popen(
        [str(_SCRIPT)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
        env=os.environ | {
            "STATUS2_BINARY": str(daemon.binary()), "STATUS2_USUAL_LISTEN": str(usual[0]),
            "STATUS2_USUAL_BROKER": str(usual[1]), "SWIFT_BACKTRACE": "enable=no"} | settings)
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "redis-cli -p" in line:
                break
        yield said
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


def _ports(said):
    """The ports of the pages and of the broker."""
    return (int(re.search(r"ws://127.0.0.1:(\d+)/", said)[1]),
            int(re.search(r"redis-cli -p (\d+)", said)[1]))


def test_the_usual_ports_are_taken_where_they_are_free(usual):
    with _running(usual) as said:
        assert _ports(said) == tuple(usual)
        assert "taken" not in said


def test_a_usual_port_that_is_taken_is_left_and_the_next_one_told(usual):
    with socket.create_server(("127.0.0.1", usual[1])), _running(usual) as said:
        assert _ports(said) == (usual[0], usual[1] + 1)
        assert f"Port {usual[1]} is taken; the broker is on {usual[1] + 1}." in said
        with socket.create_connection(("127.0.0.1", usual[1] + 1)) as broker:
            broker.sendall(b"PING\r\n")
            assert broker.recv(100) == b"+PONG\r\n"


def test_both_may_be_taken(usual):
    listen, broker = usual
    with socket.create_server(("127.0.0.1", listen)), socket.create_server(("127.0.0.1", broker)):
        with _running(usual) as said:
            assert _ports(said) == (listen + 1, broker + 1)


def test_an_address_that_is_given_is_taken_as_it_is(usual):
    with socket.create_server(("127.0.0.1", usual[1])):
        with _running(usual, BROKER=f"127.0.0.1:{usual[1]}") as said:
            assert "taken" not in said and "redis-cli" not in said
            assert "in use" in said
