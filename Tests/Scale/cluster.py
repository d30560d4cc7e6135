"""A Redis Cluster that loses the master of most channels."""

import os
import subprocess
import time

from Scale.servers import Failure, Server, free_port, wait_until
from Scale.trial import Trial
from Scale.trials import HEARTBEAT_LATENESS, with_cost

# After so long nodes take another for dead.
NODE_TIMEOUT_SECONDS = 2
# The first master has three quarters of the slots: of 14,000 channels some 10,500.
SLOTS = ((0, 12_287), (12_288, 14_335), (14_336, 16_383))
# From the promotion to the last subscription: a question about the topology a second at most, and as
# much for what it tells to be settled; then links come at 500 a second, which shared ones do not need.
AGAIN_LIMIT_SECONDS = {"dedicated": 30, "shared": 4}


class Node(Server):
    """A node of a cluster."""

    def __init__(self, directory, pages):
        port = free_port(beside=10_000)
        directory.mkdir()
        super().__init__(
            f"the node at {port}",
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--dir", str(directory), "--maxclients", str(2 * pages + 512),
             "--cluster-enabled", "yes", "--cluster-replica-validity-factor", "0",
             "--cluster-node-timeout", str(NODE_TIMEOUT_SECONDS * 1000),
             "--repl-diskless-sync-delay", "0"],
            port, os.environ, directory.parent / f"node-{port}.log")

    def ask(self, *command):
        return subprocess.run(
            ["redis-cli", "-p", str(self.port), *map(str, command)], capture_output=True, text=True,
            timeout=10, check=True).stdout.strip()

    def is_master(self):
        return self.ask("ROLE").startswith("master")


class Cluster:
    """Three masters, each with a replica."""

    def __init__(self, directory, pages):
        self.nodes = []
        try:
            for number in range(6):
                self.nodes.append(Node(directory / f"node{number}", pages))
            self._join()
        except BaseException:
            self.stop()
            raise

    def _join(self):
        masters, replicas = self.nodes[:3], self.nodes[3:]
        for epoch, (node, slots) in enumerate(zip(masters, SLOTS), start=1):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", epoch)
            node.ask("CLUSTER", "ADDSLOTSRANGE", *slots)
        for node in self.nodes[1:]:
            node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
        for master, replica in zip(masters, replicas):
            identity = master.ask("CLUSTER", "MYID")
            wait_until(lambda: identity in replica.ask("CLUSTER", "NODES"), "the nodes to meet", 30)
            replica.ask("CLUSTER", "REPLICATE", identity)
        wait_until(self._is_whole, "the cluster to be whole", 60)

    def _is_whole(self):
        return all(
            "cluster_state:ok" in node.ask("CLUSTER", "INFO")
            and node.ask("CLUSTER", "NODES").count("connected") == 6 for node in self.nodes
        ) and all(
            "master_link_status:up" in node.ask("INFO", "replication") for node in self.nodes[3:])

    @property
    def url(self):
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def logs(self):
        return [node.log for node in self.nodes]

    def stop(self):
        for node in self.nodes:
            node.stop()


def fail_over(pages, mode="dedicated"):
    """A master dies, and its replica has the subscriptions of its channels; no page is closed."""
    settings = {"STATUS_REDIS_SUBSCRIPTIONS": mode, "STATUS_REDIS_MAX_RETRIES": "0"}
    with Trial(pages, Cluster, **settings) as trial:
        trial.begin(
            "--no-publish", "--channels", str(pages), "--max-reconnects", "0",
            "--max-heartbeat-lateness", HEARTBEAT_LATENESS, rate=0, seconds=60)
        trial.wait_for_measuring()
        time.sleep(5)
        count, dying, heir = trial.subscriptions(), trial.redis.nodes[0], trial.redis.nodes[3]
        moved = len(dying.ask("PUBSUB", "SHARDCHANNELS").splitlines())
        begun = time.monotonic()
        dying.kill()
        wait_until(heir.is_master, "the replica to be promoted", 30)
        failed_over = time.monotonic() - begun
        again = trial.wait_for_subscriptions(count, 2 * AGAIN_LIMIT_SECONDS["dedicated"])
        heard = len(heir.ask("PUBSUB", "SHARDCHANNELS").splitlines())
        figures = with_cost(trial.end(), trial.assert_none_stalled()) | {
            "moved": moved, "failed_over_s": round(failed_over, 2),
            "subscribed_again_s": round(again, 2)}
        if heard != moved:
            raise Failure(f"of {moved} channels the new master has {heard}", figures)
        if again > AGAIN_LIMIT_SECONDS[mode]:
            raise Failure(f"the last subscription was made again after {again:.2f} s", figures)
        return figures
