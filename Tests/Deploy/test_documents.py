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


@each_document
def test_every_script_and_test_folder_that_is_named_is_there(path):
    for name in re.findall(r"`((?:Scripts|Tests|Deploy|Benchmarks|docs)/[\w./-]+)`?", path.read_text()):
        assert (REPOSITORY / name.rstrip("./")).exists(), name
