"""The systemd units: as systemd's own tools judge them, and in a Debian that systemd has booted."""

import re
import shutil
import subprocess

import pytest

from conftest import REPOSITORY, missing
from deploy.debian import RootFileSystem
from deploy.documents import commands_behind
from deploy.machine import CannotBoot, Machine
from harness import daemon as daemon_module
from harness.daemon import run_to_end
from harness.waiting import wait_until

UNITS = REPOSITORY / "Deploy/systemd"

# A page that is live, publishes to its own channel, and gets what it published.
PAGE = """
import json, redis, websockets.sync.client
with websockets.sync.client.connect("ws://127.0.0.1:9002/run:status") as page:
    assert json.loads(page.recv(10))["type"] == "ping"
    assert redis.Redis(port=6379).publish("run:status", "hello") == 1
    print(json.loads(page.recv(10))["data"])
"""

# Many at once; whoever is refused raises.
PAGES = """
import concurrent.futures, websockets.sync.client
def open_page(number):
    with websockets.sync.client.connect(f"ws://127.0.0.1:9002/run:{number}") as page:
        return page.recv(10)
with concurrent.futures.ThreadPoolExecutor(30) as pool:
    print(set(pool.map(open_page, range(30))))
"""

HEALTH = """
from harness.raw import http_get
print({{http_get(9002, "/health").status for _ in range({count})}})
"""


# As systemd's tools judge them


@pytest.fixture
def units(tmp_path):
    """The units, with a program that is there."""
    if not shutil.which("systemd-analyze"):
        missing("systemd-analyze")
    for name in ("status2.service", "status2.socket"):
        text = (UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/bin/status2", str(daemon_module.binary())))
    return tmp_path


def test_systemd_finds_no_fault_with_the_units(units):
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", units / "status2.service",
         units / "status2.socket"], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_exposure_is_under_2(units):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
         units / "status2.service"], capture_output=True, text=True)
    found = re.search(r"Overall exposure level for status2\.service: ([0-9.]+)", done.stdout)
    assert done.returncode == 0 and float(found[1]) < 2.0, done.stdout


def test_the_example_of_the_settings_names_settings_that_are_there():
    text = (UNITS / "status2.env").read_text()
    settings = dict(re.findall(r"^#?((?:STATUS|REDIS)_\w+)=(.*)$", text, re.MULTILINE))
    del settings["STATUS_REDIS_PASSWORD_FILE"]
    done = run_to_end("--check-config", settings=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout.lower()
    for name in settings:
        assert re.search(rf"^{name} +\S.* {name}$", done.stdout, re.MULTILINE), done.stdout


# In a Debian that systemd has booted


@pytest.fixture(scope="module")
def machine(tmp_path_factory, package):
    for program in ("debootstrap", "systemd-nspawn"):
        if not shutil.which(program):
            missing(program)
    directory = tmp_path_factory.mktemp("machine")
    root = RootFileSystem.debian(directory / "root")
    (root.path / "tmp/status2.deb").write_bytes(package.read_bytes())
    root.apt("update")
    root.apt("install", "systemd", "systemd-sysv", "redis-server", "/tmp/status2.deb")
    # As an operator would, in files of the unit's own: a short watchdog, so that the test is short.
    drop_in = root.path / "etc/systemd/system/status2.service.d/test.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nWatchdogSec=8s\nEnvironment=STATUS_LOOPS=0\n")
    try:
        machine = Machine(root, directory)
    except CannotBoot as reason:
        pytest.skip(f"no machine can be booted here: {reason}")
    yield machine
    machine.stop()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def running(machine):
    """The service, started by its unit."""
    machine.run("systemctl", "start", "status2.service")
    yield machine
    machine.run("systemctl", "stop", "status2.socket", "status2.service")


@pytest.mark.root
def test_the_installation_starts_nothing_and_enables_nothing(machine):
    assert machine.show("ActiveState") == "inactive"
    assert machine.show("UnitFileState") == "disabled"


@pytest.mark.root
def test_the_service_serves_a_page_within_its_restrictions(running):
    # `start` came back, so the daemon has said that it is ready.
    assert running.show("ActiveState") == "active"
    assert running.show("StatusText") == "Serving 0 pages, Redis answers"
    assert running.script(PAGE) == "hello\n"
    assert '"msg":"client disconnected"' in running.journal()
    status = running.run("cat", f"/proc/{running.show('MainPID')}/status").stdout
    assert re.search(r"^Seccomp:\s*2$", status, re.MULTILINE)
    assert re.search(r"^CapBnd:\s*0+$", status, re.MULTILINE)
    assert not re.search(r"^Uid:\s*0\b", status, re.MULTILINE)
    # For a trace in a file.
    assert running.run("stat", "-c", "%a %U", "/var/log/status2").stdout == "750 status2\n"


@pytest.mark.root
def test_a_daemon_that_stands_still_is_started_anew(running):
    stopped = running.show("MainPID")
    running.run("sh", "-c", f"kill -STOP {stopped}")
    wait_until(
        lambda: running.show("NRestarts") != "0" and running.show("ActiveState") == "active",
        "the watchdog to start the daemon anew", 30)
    assert running.show("MainPID") != stopped
    assert running.script(PAGE) == "hello\n"


@pytest.mark.root
def test_redis_that_is_away_at_the_start_delays_ready(machine):
    machine.run("systemctl", "stop", "redis-server.service")
    machine.run("systemctl", "start", "--no-block", "status2.service")
    wait_until(
        lambda: machine.show("StatusText").startswith("Waiting for Redis at "), "the status", 20)
    assert machine.show("ActiveState") == "activating"
    machine.run("systemctl", "start", "redis-server.service")
    wait_until(lambda: machine.show("ActiveState") == "active", "the service to be ready", 40)
    machine.run("systemctl", "stop", "status2.service")


@pytest.mark.root
def test_a_start_that_ends_at_once_is_tried_until_what_is_wrong_is_mended(machine):
    settings = machine.path / "etc/status2/status2.env"
    text = settings.read_text()
    settings.write_text(text + "STATUS_REDIS_URL=redis://127.0.0.1:6379/99\n")
    machine.run("systemctl", "start", "--no-block", "status2.service")
    # More often than systemd by itself lets a service start within ten seconds.
    wait_until(lambda: int(machine.show("NRestarts")) > 6, "the service to be started again", 60)
    settings.write_text(text)
    wait_until(lambda: machine.show("ActiveState") == "active", "the service to be ready", 20)
    machine.run("systemctl", "stop", "status2.service")


@pytest.mark.root
def test_a_reload_takes_up_the_settings_and_keeps_the_process(running):
    process = running.show("MainPID")
    settings = running.path / "etc/status2/status2.env"
    text = settings.read_text()
    settings.write_text(text + "STATUS_PING_INTERVAL=7s\n")
    running.run("systemctl", "reload", "status2.service")
    wait_until(lambda: "configuration reloaded" in running.journal(), "the reload", 20)
    assert running.show("MainPID") == process and running.show("ActiveState") == "active"
    assert running.show("StatusText") == "Serving 0 pages, Redis answers"
    settings.write_text(text)


@pytest.mark.root
def test_a_stop_is_clean(running):
    running.run("systemctl", "stop", "status2.service")
    assert running.show("Result") == "success"

    def last_of_its_own():
        return [line for line in running.journal().splitlines() if line.startswith("{")][-1]

    # The journal gets the daemon's lines and the manager's each by a way of its own.
    wait_until(lambda: '"msg":"status2 stopped"' in last_of_its_own(), "its last line", 20)


@pytest.mark.root
def test_the_socket_starts_the_service_with_the_first_connection(machine):
    machine.run("systemctl", "start", "status2.socket")
    assert machine.show("ActiveState") == "inactive"
    # They wait in the kernel until the daemon is there and Redis has answered it.
    assert "ping" in machine.script(PAGES)
    wait_until(lambda: machine.show("ActiveState") == "active", "the service to be ready", 20)
    assert machine.script(PAGE) == "hello\n"
    machine.run("systemctl", "stop", "status2.socket", "status2.service")


@pytest.mark.root
def test_a_restart_with_the_socket_refuses_nobody(machine):
    machine.run("systemctl", "start", "status2.socket", "status2.service")
    machine.run("systemctl", "restart", "--no-block", "status2.service")
    assert machine.script(HEALTH.format(count=200)) == "{200}\n"
    machine.run("systemctl", "stop", "status2.socket", "status2.service")


@pytest.mark.root
def test_the_archive_serves_where_it_is_installed_as_the_document_says(machine, archive):
    machine.run("dpkg", "--purge", "status2")
    machine.run("systemctl", "daemon-reload")
    (machine.path / "root" / archive.name).write_bytes(archive.read_bytes())
    commands = commands_behind("On another Linux", REPOSITORY / "docs/deployment.md")
    assert "status2-VERSION-linux-ARCH.tar.gz" in commands
    machine.run("sh", "-ec", "cd /root\n" + commands.replace("status2-VERSION-linux-ARCH.tar.gz", archive.name))
    assert machine.show("FragmentPath") == "/usr/local/lib/systemd/system/status2.service"
    machine.run("systemctl", "enable", "--now", "status2.service")
    assert machine.show("StatusText") == "Serving 0 pages, Redis answers"
    assert machine.script(PAGE) == "hello\n"
    machine.run("systemctl", "stop", "status2.service")
