"""The README's table of what the daemon works with says what these tests were run with."""

import importlib.metadata
import os
import re
import shutil
import subprocess

import pytest

from compat import clients
from compat.servers import SERVERS
from conftest import REPOSITORY, missing


def _said(*command):
    program = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        missing(command[0])
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def _table():
    """The cells of the README's table, by their row's first."""
    text = (REPOSITORY / "README.md").read_text()
    section = re.search(r"^### What it works with$(.*?)^##", text, re.MULTILINE | re.DOTALL)[1]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1] for cells in rows}


@pytest.mark.parametrize("kind", SERVERS, ids=lambda kind: kind.name)
def test_servers(kind):
    row = _table()["servers"]
    name = kind.name.split()[0]
    assert re.search(rf"{name} [^;]*\b{re.escape(kind.version())}\b", row), (kind.version(), row)


@pytest.mark.parametrize("client", clients.CLIENTS, ids=lambda client: client.name)
def test_clients(client):
    assert f"{client.name} {clients.version(client)}" in _table()["WebSocket clients"]


DEBIAN = {
    "Chromium": ("browsers", ("chromium", "--version"), r"Chromium (\S+)"),
    "Firefox": ("browsers", ("firefox-esr", "--version"), r"Firefox (\S+?)(?:esr)?$"),
    "nginx": ("proxies", ("nginx", "-v"), r"nginx/(\S+)"),
    "HAProxy": ("proxies", ("haproxy", "-v"), r"version (\d+\.\d+\.\d+)"),
    "Caddy": ("proxies", ("caddy", "version"), r"^v?(\d\S+)"),
}


@pytest.mark.parametrize("name", DEBIAN)
def test_what_debian_brings_is_of_the_age_that_is_told(name):
    """Debian's packages move on within a version; browsers are replaced by younger ones."""
    row, command, pattern = DEBIAN[name]
    found = re.search(pattern, _said(*command), re.MULTILINE)[1]
    told = re.search(rf"{name} (\d+(?:\.\d+)*)", _table()[row])[1]
    parts = 1 if row == "browsers" else 2
    assert told.split(".")[:parts] <= found.split(".")[:parts], (told, found)
    if row == "proxies":
        assert told.split(".")[:2] == found.split(".")[:2]


def test_everything_that_is_pinned_is_what_is_installed():
    lines = (REPOSITORY / "Tests/Compatibility/requirements.txt").read_text().split()
    for line in lines:
        name, version = line.split("==")
        assert importlib.metadata.version(name) == version
