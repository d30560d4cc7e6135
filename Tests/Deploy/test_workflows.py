"""The workflows call nothing but targets of the Makefile, which anybody can run."""

import re

import pytest
import yaml

from conftest import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):(?!=)", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"].items()


def commands(job):
    """What a job runs, once for each value of its matrix."""
    values = job.get("strategy", {}).get("matrix", {}).get("part", [""])
    for step in job["steps"]:
        for value in values:
            if "run" in step:
                yield step["run"].replace("${{ matrix.part }}", value)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_runs_targets_of_the_makefile(path):
    for name, job in jobs(path):
        called = [
            re.fullmatch(r"make ([a-z-]+)((?: [A-Z_]+=\S+)*)", command)
            for command in commands(job) if not command.startswith("Scripts/require ")]
        assert called and all(called), (name, list(commands(job)))
        assert {found[1] for found in called} <= TARGETS, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_ends_and_has_no_more_rights_than_reading(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in jobs(path):
        assert 0 < job["timeout-minutes"] <= 360, name
        uses = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", use) for use in uses), uses


def test_every_night_has_all_parts_of_the_nightly_run():
    (_, job), = jobs(REPOSITORY / ".github/workflows/nightly.yml")
    text = (REPOSITORY / "Makefile").read_text()
    parts = re.search(r"^nightly: (.*)$", text, re.MULTILINE)[1].split()
    assert sorted(job["strategy"]["matrix"]["part"]) == sorted(parts)


def test_each_change_runs_the_tests_and_the_linter():
    called = {command for _, job in jobs(REPOSITORY / ".github/workflows/change.yml")
              for command in commands(job)}
    assert {"make test", "make lint", "make test-deploy"} <= called
