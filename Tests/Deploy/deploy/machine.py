"""A Debian with systemd that is booted in namespaces of its own, with a network that is its own too."""

import os
import pathlib
import signal
import subprocess
import sys

from harness.waiting import wait_until

_HARNESS = pathlib.Path(__file__).resolve().parents[2] / "Integration"


class CannotBoot(Exception):
    """Why no machine can be booted here: most containers do not let one make cgroups."""


class Machine:
    """What `systemd-nspawn --boot` makes of a root file system."""

    def __init__(self, root, directory):
        self.path = root.path
        self._log_path = pathlib.Path(directory) / "console"
        self._log = open(self._log_path, "wb")
        self.process = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
             "--private-network", "--console=pipe", f"--directory={root.path}"],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        try:
            wait_until(self._is_up, "the machine to boot", 60)
        except AssertionError as error:
            self.stop()
            raise CannotBoot(str(error)) from error

    def _is_up(self):
        if self.process.poll() is not None:
            raise CannotBoot(self._log_path.read_text(errors="replace")[-500:])
        if not self._children():
            return False
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def _children(self):
        return subprocess.run(
            ["pgrep", "--parent", str(self.process.pid)], capture_output=True, text=True
        ).stdout.split()

    def run(self, *arguments, check=True):
        """Runs a command of the machine."""
        return self._enter(["--all", *arguments], check)

    def _enter(self, arguments, check):
        done = subprocess.run(
            ["nsenter", "--target", self._children()[0], *arguments], capture_output=True, text=True,
            timeout=60, stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        if check:
            assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done

    def script(self, text):
        """Runs a Python script with this machine's network and the tests' libraries."""
        head = f"import sys; sys.path[:0] = [{str(_HARNESS)!r}]\n"
        return self._enter(["--net", sys.executable, "-c", head + text], True).stdout

    def show(self, name, unit="status2.service"):
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def journal(self, unit="status2.service"):
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit).stdout

    def stop(self):
        if self.process.poll() is None:
            # What is in it dies with its first process: there is no need for it to go down in order.
            for first in self._children():
                os.kill(int(first), signal.SIGKILL)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()
