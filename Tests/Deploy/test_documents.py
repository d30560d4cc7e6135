"""The documents name files, sections and make targets that are there."""

import re
import subprocess

import pytest

from conftest import REPOSITORY
from deploy.documents import dead_links

DOCUMENTS = sorted(
    REPOSITORY / name for name in subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-co", "--exclude-standard", "*.md"],
        capture_output=True, text=True, check=True).stdout.splitlines())
TARGETS = set(re.findall(
    r"^([a-z][a-z-]*):(?!=)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))

each_document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))


@each_document
def test_every_link_leads_somewhere(path):
    assert dead_links(path) == []


@each_document
def test_every_target_of_make_is_there(path):
    for target in re.findall(r"`make ([a-z-]+)", path.read_text()):
        assert target in TARGETS, target


MAKEFILE = (REPOSITORY / "Makefile").read_text()
VARIABLES = set(re.findall(r"^([A-Z][A-Z_]*)\s*\?=", MAKEFILE, re.MULTILINE))
ENVIRONMENT = "".join(
    path.read_text() for path in (REPOSITORY / "Scripts").iterdir() if path.is_file()) + MAKEFILE


@each_document
def test_every_variable_of_make_is_read(path):
    for name in re.findall(r"\bmake [a-z-]+(?: [A-Z_]+=\S+)*? ([A-Z_]+)=", path.read_text()):
        assert name in VARIABLES or re.search(rf"\b{name}\b", ENVIRONMENT), name


def test_every_symbolic_link_leads_somewhere():
    entries = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "--stage"],
        capture_output=True, text=True, check=True).stdout.splitlines()
    links = [REPOSITORY / entry.split("\t", 1)[1] for entry in entries if entry.startswith("120000")]
    assert links and [str(link) for link in links if not link.exists()] == []


@each_document
def test_every_script_and_test_folder_that_is_named_is_there(path):
    for name in re.findall(r"`((?:Scripts|Tests|Deploy|Benchmarks|docs)/[\w./-]+)`?", path.read_text()):
        assert (REPOSITORY / name.rstrip("./")).exists(), name
