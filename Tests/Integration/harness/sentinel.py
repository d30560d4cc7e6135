"""Redis Sentinels as child processes."""

import contextlib
import subprocess

import redis

from harness.waiting import free_port, wait_until

SERVICE = "mymaster"


class Sentinel:
    """A Sentinel on 127.0.0.1 that watches over one master, and takes it for dead soon."""

    def __init__(self, directory, master, quorum=2, password=None):
        self.port = free_port()
        self.password = password
        self.directory = directory
        lines = [
            f"port {self.port}", "bind 127.0.0.1", f"dir {directory}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} {quorum}",
            f"sentinel down-after-milliseconds {SERVICE} 500",
            f"sentinel failover-timeout {SERVICE} 5000",
        ]
        if password:
            lines += [f"requirepass {password}", f"sentinel sentinel-pass {password}"]
        # Sentinel writes what it learns into its configuration.
        configuration = directory / "sentinel.conf"
        configuration.write_text("\n".join(lines) + "\n")
        with open(directory / "sentinel.log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", str(configuration), "--sentinel"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.call("PING") is not None, "Sentinel to answer")

    def call(self, *arguments):
        """What Sentinel answers; None where it does not."""
        assert self.process.poll() is None, (self.directory / "sentinel.log").read_text()
        with contextlib.suppress(redis.ConnectionError):
            with redis.Redis(
                    host="127.0.0.1", port=self.port, password=self.password,
                    decode_responses=True) as client:
                return client.execute_command(*arguments)
        return None

    @property
    def master_port(self):
        """The port of the present master."""
        return int(self.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def knows(self, replicas, sentinels):
        """Whether it has found so many replicas and other Sentinels."""
        master = self.call("SENTINEL", "MASTER", SERVICE)
        return (int(master["num-slaves"]), int(master["num-other-sentinels"])) == (
            replicas, sentinels)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self):
        if self.process.poll() is None:
            self.kill()
