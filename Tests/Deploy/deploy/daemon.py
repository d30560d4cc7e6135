"""A daemon that is started in a root file system, with the log lines that it writes to a pipe."""

import os
import signal
import subprocess

from harness.daemon import Daemon
from harness.waiting import wait_until


class DaemonInRoot(Daemon):
    """The daemon of a root file system, started as a user of it; it is stopped by its own id."""

    def __init__(self, root, settings, *arguments, user, program="/usr/bin/status2"):
        self._root = root
        self._user = user
        self._program = program
        super().__init__(settings, arguments)

    def _command(self, arguments):
        return self._root.command(self._program, *arguments, user=self._user)

    def signal(self, number=signal.SIGTERM):
        """Signals the daemon itself, which is the only child of the process that made its namespaces."""
        os.kill(self._child(), number)

    def _child(self):
        def find():
            done = subprocess.run(
                ["pgrep", "--parent", str(self.process.pid)], capture_output=True, text=True)
            return done.stdout.split()
        return int(wait_until(find, "the daemon to be started")[0])
