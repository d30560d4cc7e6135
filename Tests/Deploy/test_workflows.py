"""The workflows call nothing but targets of the Makefile, which anybody can run."""

import re
import subprocess

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
        assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", use) for use in uses), uses


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit_whose_version_stands_beside_it(path):
    uses = [line for line in path.read_text().splitlines() if "uses:" in line]
    assert uses
    for line in uses:
        assert re.search(r"uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_what_actionlint_refuses_fails(tmp_path):
    """Where it can be had; Scripts/lint-workflows tells where not."""
    program = REPOSITORY / ".venv-actionlint/bin/actionlint"
    if not program.exists():
        pytest.skip("actionlint cannot be had here")
    for path in WORKFLOWS:
        assert subprocess.run([program, path]).returncode == 0, path
        broken = tmp_path / path.name
        broken.write_text(path.read_text().replace("timeout-minutes", "timout-minutes"))
        done = subprocess.run([program, "-no-color", broken], capture_output=True, text=True)
        assert done.returncode == 1 and "timout-minutes" in done.stdout


def test_every_night_has_all_parts_of_the_nightly_run():
    (_, job), = jobs(REPOSITORY / ".github/workflows/nightly.yml")
    text = (REPOSITORY / "Makefile").read_text().replace("\\\n", "")
    parts = re.search(r"^nightly: (.*)$", text, re.MULTILINE)[1].split()
    assert sorted(job["strategy"]["matrix"]["part"]) == sorted(parts)


def test_each_change_runs_the_tests_and_the_linter():
    called = {command for _, job in jobs(REPOSITORY / ".github/workflows/change.yml")
              for command in commands(job)}
    assert {"make test", "make lint", "make test-deploy"} <= called


def test_the_harnesses_are_done_with_before_the_night_s_job_ends():
    (_, job), = jobs(REPOSITORY / ".github/workflows/nightly.yml")
    listed = subprocess.run(
        [REPOSITORY / "Scripts/fuzz-harnesses"], capture_output=True, text=True, check=True)
    seconds = int(re.search(
        r"FUZZ_SECONDS:-(\d+)\} \$\(MAKE\)", (REPOSITORY / "Makefile").read_text())[1])
    # Each with and without the address sanitizer; an hour is for builds and coverage.
    assert 2 * seconds * len(listed.stdout.split()) / 60 + 60 < job["timeout-minutes"]


def test_the_thread_sanitizer_passes_over_the_files_with_a_lock_and_no_others():
    listed = re.findall(
        r"^race:(\S+)$", (REPOSITORY / "Scripts/thread-sanitizer.txt").read_text(), re.MULTILINE)
    locked = {
        path.name for path in (REPOSITORY / "Sources").rglob("*.swift")
        if "Mutex<" in path.read_text() or "Mutex(" in path.read_text()}
    assert sorted(listed) == sorted(locked)
