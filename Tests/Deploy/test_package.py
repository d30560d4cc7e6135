"""The Debian package on a machine that has never seen Swift: installed, serving, gone again."""

import re
import subprocess

import pytest

from deploy.daemon import DaemonInRoot
from deploy.documents import dead_links
from harness.page import Page
from harness.waiting import free_port
from redis import Redis as RedisClient

pytestmark = [pytest.mark.root]

# What dpkg and the tools for users keep for themselves, whatever is installed and removed.
_OF_THE_SYSTEM = {
    "/proc", "/tmp", "/run", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/log",
    "/etc/.pwd.lock", "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-",
}
# The only packages of others that it may bring along.
_COMPANIONS = {
    "ca-certificates", "libssl3", "libstdc++6", "libgcc-s1", "openssl", "systemd-standalone-sysusers",
    "libssl3t64",
}


def _packages(root):
    return set(root.run("dpkg-query", "-W", "-f", "${Package}\n").stdout.split())


@pytest.fixture(scope="module")
def before(debian, package):
    """The root file system as it was before, with what the package depends on."""
    debian.apt("update")
    (debian.path / "tmp/status2.deb").write_bytes(package.read_bytes())
    # First everything else that it brings, which stays when it goes.
    had = _packages(debian)
    plan = debian.apt("install", "--dry-run", "/tmp/status2.deb").stdout
    brought = set(re.findall(r"^Inst (\S+)", plan, re.MULTILINE)) - {"status2"}
    assert brought <= _COMPANIONS, f"it brings {brought}"
    if brought - had:
        debian.apt("install", *sorted(brought))
    return debian.entries(_OF_THE_SYSTEM)


@pytest.fixture(scope="module")
def installed(debian, before):
    debian.apt("install", "/tmp/status2.deb")
    return debian


@pytest.fixture
def start(installed, cleanup):
    """Starts the installed daemon as its own user."""

    def start(*arguments, **settings):
        daemon = DaemonInRoot(installed, settings, *arguments, user="status2:status2")
        cleanup.callback(daemon.stop)
        return daemon.wait_ready()

    return start


def test_the_machine_has_no_swift(installed):
    assert installed.run("find", "/usr", "/opt", "-name", "libswift*").stdout == ""
    assert "not found" not in installed.run("ldd", "/usr/bin/status2").stdout


def test_its_version_is_the_build_s(installed, package):
    said = installed.run("/usr/bin/status2", "--version").stdout
    number, revision = re.fullmatch(r"status2 ([0-9.]+)(?:\+(\S+))?\n", said).groups()
    version = installed.run("dpkg-query", "-W", "-f", "${Version}", "status2").stdout
    assert version == number or version.startswith(number + "~git") and version.endswith(revision)
    assert version in package.name


def test_it_serves_a_page_and_logs_to_a_pipe(start, open_channel="run:status"):
    port = free_port()
    daemon = start(f"--embedded-redis=127.0.0.1:{port}")
    assert daemon.get("/health").body == b"OK"
    with Page(daemon, open_channel) as page:
        page.live()
        assert RedisClient(port=port).publish(open_channel, "hello") == 1
        assert page.status() == "hello"
    assert daemon.wait_for_log("client disconnected", delivered=1)
    revision = daemon.wait_for_log("starting status2")["version"].partition("+")[2]
    assert f'revision="{revision}"}} 1' in daemon.get("/metrics").body.decode()


def test_its_user_may_do_nothing_else(installed):
    line = installed.run("getent", "passwd", "status2").stdout.strip().split(":")
    assert int(line[2]) < 1000 and line[6].endswith("nologin")
    modes = installed.run("stat", "-c", "%a %U %G", "/etc/status2", "/etc/status2/status2.env").stdout
    assert modes.split("\n")[:2] == ["750 root status2", "640 root status2"]


def test_its_settings_are_those_of_its_service(installed):
    """The unit starts the daemon with the example of the settings as it is shipped."""
    text = (installed.path / "etc/status2/status2.env").read_text()
    variables = [line for line in text.splitlines() if line and not line.startswith("#")]
    done = installed.run("env", *variables, "/usr/bin/status2", "--check-config", user="status2:status2")
    assert re.search(r"^STATUS_LISTEN_ADDR +127\.0\.0\.1:9002 ", done.stdout, re.MULTILINE)


def test_what_belongs_to_a_package_is_there(installed):
    files = set(installed.run("dpkg-query", "-L", "status2").stdout.split("\n"))
    assert files >= {
        "/usr/bin/status2", "/usr/lib/systemd/system/status2.service",
        "/usr/lib/systemd/system/status2.socket", "/usr/lib/sysusers.d/status2.conf",
        "/usr/share/man/man1/status2.1.gz", "/usr/share/bash-completion/completions/status2",
        "/usr/share/zsh/vendor-completions/_status2",
        "/usr/share/fish/vendor_completions.d/status2.fish", "/etc/status2/status2.env",
        "/usr/share/doc/status2/copyright", "/usr/share/doc/status2/changelog.gz",
    }
    assert installed.run("dpkg", "--verify", "status2").stdout == ""


def test_its_documents_lead_to_nothing_that_it_does_not_hold(installed):
    documents = sorted((installed.path / "usr/share/doc/status2").rglob("*.md"))
    assert {path.name for path in documents} >= {"README.md", "deployment.md", "runbook.md"}
    assert {str(path): dead_links(path) for path in documents if dead_links(path)} == {}


def test_each_of_its_libraries_is_in_a_package_that_it_depends_on(installed, package):
    needed = installed.run("ldd", "/usr/bin/status2").stdout
    paths = re.findall(r"=> (/\S+)", needed)
    owners = set()
    for path in paths:
        found = installed.run("sh", "-c", f"dpkg-query -S $(realpath {path}) || dpkg-query -S {path}")
        owners.add(found.stdout.split(":")[0])
    depends = subprocess.run(
        ["dpkg-deb", "--field", str(package), "Depends"], capture_output=True, text=True).stdout
    assert {owner for owner in owners if not re.search(rf"\b{re.escape(owner)}(?![\w.+-])", depends)} \
        <= {"libssl3t64"}


def test_an_upgrade_keeps_the_settings(installed):
    settings = installed.path / "etc/status2/status2.env"
    text = settings.read_text()
    settings.write_text(text + "STATUS_LOG_LEVEL=debug\n")
    installed.apt("install", "--reinstall", "/tmp/status2.deb")
    assert settings.read_text().endswith("STATUS_LOG_LEVEL=debug\n")
    settings.write_text(text)


def test_a_removal_keeps_the_settings_and_a_purge_leaves_no_trace(installed, before):
    (installed.path / "etc/status2/redis-password").write_text("secret\n")
    # As its unit makes it, for a trace in a file.
    logs = installed.path / "var/log/status2"
    logs.mkdir()
    (logs / "trace").write_text("run1:status\n")
    installed.apt("remove", "status2")
    assert (installed.path / "etc/status2/redis-password").exists()
    assert not (installed.path / "usr/bin/status2").exists()
    installed.apt("purge", "status2")
    after = installed.entries(_OF_THE_SYSTEM)
    assert sorted(after.keys() ^ before.keys()) == []
    assert not logs.exists()
    assert [path for path in before if before[path] != after[path]] == []
    assert "status2" not in installed.run("dpkg-query", "-W").stdout
