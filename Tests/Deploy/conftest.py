"""Fixtures: what `make dist` has made, and root file systems to put it into."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import pytest

from deploy.debian import RootFileSystem
from harness import daemon as daemon_module

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def missing(what):
    """Skips for want of something, or fails where everything is required."""
    if os.environ.get("STATUS2_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is missing")


def pytest_report_header():
    return f"status2 under test: {daemon_module.binary()}"


def pytest_runtest_setup(item):
    if item.get_closest_marker("root") and os.geteuid() != 0:
        missing("root, who may make root file systems,")


@pytest.fixture
def cleanup():
    """Ends what a test has started, the last first."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def dist():
    """The folder that `make dist` has filled."""
    folder = pathlib.Path(os.environ.get("STATUS2_DIST", REPOSITORY / "dist"))
    if not (folder / "SHA256SUMS").exists():
        pytest.exit("there is no dist/SHA256SUMS: run `make dist`", returncode=2)
    return folder


@pytest.fixture(scope="session")
def archive(dist):
    """The newest archive, as the sums name it."""
    return next(dist / name for name in _names(dist) if name.endswith(".tar.gz"))


@pytest.fixture(scope="session")
def unpacked(archive, tmp_path_factory):
    """The folder that the archive holds."""
    directory = tmp_path_factory.mktemp("archive")
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(directory)], check=True)
    return next(directory.iterdir())


@pytest.fixture(scope="session")
def unpacked_program(unpacked):
    """The program as it is released."""
    return unpacked / "bin/status2"


@pytest.fixture(scope="session")
def package(dist):
    """The newest Debian package, as the sums name it."""
    return next(dist / name for name in _names(dist) if name.endswith(".deb"))


def _names(dist):
    return [line.split()[1] for line in (dist / "SHA256SUMS").read_text().splitlines()]


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    """A fresh Debian, for the tests of one file."""
    if not shutil.which("debootstrap"):
        missing("debootstrap")
    directory = tmp_path_factory.mktemp("debian")
    yield RootFileSystem.debian(directory / "root")
    shutil.rmtree(directory, ignore_errors=True)
