"""RESP and WSFrame as a stranger takes them: from a tag, with nothing but the standard library."""

import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import REPOSITORY, missing

MANIFEST = """\
// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "toy",
    dependencies: [.package(url: "file://{library}", from: "9.0.0"{traits})],
    targets: [
        .executableTarget(
            name: "Toy",
            dependencies: [
                .product(name: "RESP", package: "library"),
                .product(name: "WSFrame", package: "library"),
            ])
    ])
"""

PROGRAM = """\
import RESP
import WSFrame

var encoder = RESPEncoder()
encoder.command("PING")
var parser = PubSubParser()
let step = try parser.next(Array("+PONG\\r\\n".utf8).span, from: 0)
print(encoder.bytes.count, step.end, WebSocketUpgrade.acceptKey(for: "dGhlIHNhbXBsZSBub25jZQ=="))
"""


def _git(*arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments], check=True,
        capture_output=True)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What is here, the changes of the work tree too, as a repository with a tag."""
    if not shutil.which("swift"):
        missing("swift")
    folder = tmp_path_factory.mktemp("taken") / "library"
    folder.mkdir()
    for name in ("Package.swift", "Sources", "Tests", "Fuzz", "Load", "Clients"):
        subprocess.run(["cp", "-a", str(REPOSITORY / name), str(folder)], check=True)
    _git("init", "-q", str(folder))
    _git("-C", str(folder), "add", "-A")
    _git("-C", str(folder), "commit", "-qm", "as it is")
    _git("-C", str(folder), "tag", "9.0.0")
    return folder


@pytest.fixture
def toy(tmp_path, library):
    """Makes a package that takes both libraries."""

    def make(traits):
        (tmp_path / "Sources/Toy").mkdir(parents=True)
        (tmp_path / "Sources/Toy/main.swift").write_text(PROGRAM)
        (tmp_path / "Package.swift").write_text(MANIFEST.format(library=library, traits=traits))
        return tmp_path

    return make


def _swift(toy, *arguments):
    # What the tests of this repository ask of its own manifest is nobody else's.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("STATUS2_")}
    done = subprocess.run(
        ["swift", *arguments], cwd=toy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _fetched(toy):
    return {path.name for path in (toy / ".build/checkouts").iterdir()}


def test_without_the_daemon_s_trait_nothing_else_is_fetched(toy):
    package = toy(", traits: []")
    _swift(package, "package", "resolve")
    resolved = json.loads((package / "Package.resolved").read_text())
    assert [pin["identity"] for pin in resolved["pins"]] == ["library"]
    assert _fetched(package) == {"library"}


@pytest.mark.slow
def test_both_libraries_build_and_run_in_another_package(toy):
    package = toy(", traits: []")
    # Bytes of `*1 $4 PING`, all of `+PONG`, and the key of RFC 6455, section 1.3.
    said = _swift(package, "run", "Toy")
    assert said.splitlines()[-1] == "14 7 s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert _fetched(package) == {"library"}


def test_the_libraries_themselves_import_nothing():
    for library in ("RESP", "WSFrame"):
        for path in (REPOSITORY / "Sources" / library).glob("*.swift"):
            assert not re.findall(r"^\s*(?:\w+ )?import ", path.read_text(), re.MULTILINE), path


def test_the_documentation_has_no_warnings():
    modules = REPOSITORY / ".build-dist/release/Modules"
    if not shutil.which("docc") or not modules.exists():
        missing("docc, or the modules that `make dist` leaves")
    done = subprocess.run(
        [REPOSITORY / "Scripts/documentation", modules], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == [".build-documentation/RESP", ".build-documentation/WSFrame"]
