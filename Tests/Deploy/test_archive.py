"""The archive that `make dist` makes: its name, its sums, its bytes, and the texts beside the program."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile

import pytest

from conftest import REPOSITORY, missing
from deploy.documents import dead_links

SETTING = re.compile(r"^STATUS_\w+", re.MULTILINE)


def _run(*arguments, **options):
    return subprocess.run(
        list(map(str, arguments)), capture_output=True, text=True, timeout=200, **options)


def _settings(program):
    """The variables of the table of settings, with their flags."""
    done = _run(program, "--help")
    return {
        name: "--" + name.removeprefix("STATUS_").lower().replace("_", "-")
        for name in re.findall(r"\((STATUS_\w+);", " ".join(done.stdout.split()))}


def test_it_is_named_after_the_version_and_the_machine(archive, unpacked):
    said = _run(unpacked / "bin/status2", "--version").stdout.strip().removeprefix("status2 ")
    number = said.partition("+")[0]
    assert archive.name in {
        f"status2-{version}-linux-{os.uname().machine}.tar.gz" for version in (said, number)}
    assert unpacked.name == archive.name.removesuffix(".tar.gz")


def test_the_sums_are_those_of_the_files(dist):
    for line in (dist / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest


def test_it_tells_nothing_of_the_machine_that_made_it(archive):
    commit = int(_run("git", "log", "-1", "--format=%ct", cwd=REPOSITORY).stdout)
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names, key=lambda name: [part.encode() for part in name.split("/")])
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} \
        == {(0, 0, "", "")}
    assert {member.mode for member in members} == {0o755, 0o644}
    assert {member.mtime for member in members} == {commit}


def test_the_program_holds_the_swift_runtime_and_needs_five_libraries(unpacked):
    needed = re.findall(r"Shared library: \[(.*?)\.so", _run(
        "readelf", "-d", unpacked / "bin/status2").stdout)
    assert {name for name in needed if not name.startswith("ld-linux")} == {
        "libssl", "libcrypto", "libm", "libstdc++", "libgcc_s", "libc"}
    assert "no symbols" in _run("nm", unpacked / "bin/status2").stderr


def test_its_documents_lead_to_nothing_that_it_does_not_hold(unpacked):
    documents = sorted((unpacked / "share/doc/status2").rglob("*.md"))
    assert {path.name for path in documents} >= {"README.md", "CHANGELOG.md", "deployment.md", "runbook.md"}
    assert {str(path): dead_links(path) for path in documents if dead_links(path)} == {}


@pytest.mark.slow
def test_packing_again_gives_the_same_bytes(dist, tmp_path):
    """The same commit and program give the same archive and package, whenever they are made."""
    if _run("git", "status", "--porcelain", "--untracked-files=no", cwd=REPOSITORY).stdout:
        pytest.skip("the tree has changes: it is not the commit that dist/ was made from")
    before = (dist / "SHA256SUMS").read_text()
    done = _run(REPOSITORY / "Scripts/dist", env=dict(os.environ, TZ="Asia/Tokyo"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (dist / "SHA256SUMS").read_text() == before


# What the program says of itself, in the forms that shells and `man` read


def test_the_man_page_has_every_setting_and_no_warning(unpacked):
    page = unpacked / "share/man/man1/status2.1"
    text = page.read_text().replace("\\-", "-")
    for name, flag in _settings(unpacked / "bin/status2").items():
        assert f"\\fB{flag}\\fR" in text and f"\\fB{name}\\fR" in text
    if not shutil.which("groff"):
        missing("groff")
    done = _run("groff", "-man", "-Tutf8", "-ww", page, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")


def _bash(unpacked, line):
    """What bash offers behind this command line."""
    words = line.split(" ")
    script = f"""
        source {unpacked}/share/bash-completion/completions/status2
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)}) COMP_CWORD={len(words) - 1}
        COMP_LINE='{line}' COMP_POINT={len(line)}
        _status2 status2 '{words[-1]}' '{words[-2]}'
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = _run("bash", "-c", script)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_offers_settings_options_and_values(unpacked):
    assert _bash(unpacked, "status2 --listen-a") == ["--listen-addr"]
    assert _bash(unpacked, "status2 --trace-fi") == ["--trace-file", "--trace-file-size"]
    assert _bash(unpacked, "status2 --console-enabled t") == ["true"]
    assert _bash(unpacked, "status2 deco") == ["decode"]
    # The value of a setting is no subcommand.
    assert _bash(unpacked, "status2 --listen-addr d") == []
    offered = _bash(unpacked, "status2 --")
    assert set(_settings(unpacked / "bin/status2").values()) <= set(offered)


def test_zsh_reads_its_completions(unpacked):
    if not shutil.which("zsh"):
        missing("zsh")
    path = unpacked / "share/zsh/vendor-completions/_status2"
    done = _run("zsh", "-n", path)
    assert (done.returncode, done.stderr) == (0, "")
    for flag in _settings(unpacked / "bin/status2").values():
        assert f"'{flag}[" in path.read_text()


def test_fish_offers_settings_and_values(unpacked):
    if not shutil.which("fish"):
        missing("fish")
    path = unpacked / "share/fish/vendor_completions.d/status2.fish"

    def offered(line):
        done = _run("fish", "--no-config", "-c", f"source {path}; complete -C '{line}'")
        assert done.stderr == ""
        return [offer.split("\t")[0] for offer in done.stdout.splitlines()]

    assert offered("status2 --listen-a") == ["--listen-addr"]
    assert offered("status2 --console-enabled t") == ["true"]
    assert set(_settings(unpacked / "bin/status2").values()) <= set(offered("status2 --"))


@pytest.mark.root
@pytest.mark.parametrize("arguments", [["--version"], []])
def test_without_proc_where_the_arguments_stand_nothing_is_started(unpacked_program, arguments):
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", 'umount -l /proc && exec "$0" "$@"', unpacked_program,
         *arguments],
        capture_output=True, text=True, timeout=20)
    assert done.returncode == 2
    assert done.stderr == "status2: the arguments cannot be read: /proc is not mounted\n"
    assert done.stdout == ""
