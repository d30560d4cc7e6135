"""A real Redis Cluster on 127.0.0.1, and a load that follows its slots."""

import contextlib
import random
import socket
import subprocess
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.redis_server import Redis
from harness.waiting import wait_until

NODE_TIMEOUT = 1.5
"""Seconds after which nodes take another for dead (`cluster-node-timeout`)."""

_BUS = 10_000
_MADE_WITHIN = 60.0


def _port_with_bus():
    """A free port whose bus port is free as well."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in (port, port + _BUS):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", number))
            return port


class Node(Redis):
    """A node: a Redis server with `cluster-enabled yes`."""

    def __init__(self, directory, *arguments, **options):
        super().__init__(
            directory, "--cluster-enabled", "yes",
            "--cluster-node-timeout", str(int(NODE_TIMEOUT * 1000)),
            "--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0",
            *arguments, port=_port_with_bus(), **options)

    def start(self):
        """Starts the node; one that does not come up is ended."""
        try:
            return super().start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def is_alive(self):
        return self.process.poll() is None

    @property
    def identity(self):
        return self.cli("CLUSTER", "MYID")

    def role(self):
        return self.cli("ROLE").splitlines()[0]

    def sharded_subscribers(self, channel):
        return int(self.cli("PUBSUB", "SHARDNUMSUB", channel).split()[-1])


class Cluster:
    """Three masters, each with as many replicas as are wanted."""

    def __init__(self, directory, *arguments, replicas=1, password=None, protocol=3, tls=None):
        self.password = password
        self._authority, self._certificate = tls or (None, None)
        if password:
            arguments += ("--requirepass", password, "--masterauth", password)
        self.nodes = []
        try:
            for number in range(3 * (1 + replicas)):
                own = directory / f"node{number}"
                own.mkdir()
                self.nodes.append(
                    Node(own, *arguments, *self._tls(), password=password, protocol=protocol))
            self._join(replicas)
        except BaseException:
            self.stop()
            raise

    def _tls(self):
        """Settings of a node that speaks TLS as well, to the other nodes too, on a port of its own."""
        if not self._authority:
            return ()
        return (
            "--tls-port", str(_port_with_bus()), "--tls-cluster", "yes", "--tls-auth-clients", "no",
            "--tls-cert-file", str(self._certificate.certificate),
            "--tls-key-file", str(self._certificate.key),
            "--tls-ca-cert-file", str(self._authority.file))

    def _addresses(self):
        """Where nodes are, by TLS where they speak it."""
        if not self._authority:
            return [f"127.0.0.1:{node.port}" for node in self.nodes]
        return [f"127.0.0.1:{node.arguments[node.arguments.index('--tls-port') + 1]}"
                for node in self.nodes]

    def _join(self, replicas):
        command = ["redis-cli"]
        if self.password:
            command += ["--no-auth-warning", "-a", self.password]
        if self._authority:
            command += ["--tls", "--cacert", str(self._authority.file)]
        done = subprocess.run(
            [*command, "--cluster", "create", *self._addresses(),
             "--cluster-replicas", str(replicas), "--cluster-yes"],
            capture_output=True, text=True, timeout=_MADE_WITHIN)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until(lambda: self._is_whole(replicas), "the cluster to be whole", _MADE_WITHIN)

    def _is_whole(self, replicas):
        for node in self.nodes:
            if "cluster_state:ok" not in node.cli("CLUSTER", "INFO"):
                return False
            with node.client() as client:
                shards = client.execute_command("CLUSTER SLOTS")
                nodes = {tuple(each) for each in _shards(shards)}
            if len(nodes) != 3 or any(len(each) != 1 + replicas for each in nodes):
                return False
        return all(
            "master_link_status:up" in node.cli("INFO", "replication")
            for node in self.nodes if node.role() == "slave")

    @property
    def url(self):
        user = f":{self.password}@" if self.password else ""
        scheme = "rediss" if self._authority else "redis"
        return f"{scheme}+cluster://{user}{','.join(self._addresses())}/0"

    @property
    def alive(self):
        return [node for node in self.nodes if node.is_alive()]

    def node(self, port):
        return next(node for node in self.nodes if node.port == port)

    def slot(self, channel):
        return int(self.alive[0].cli("CLUSTER", "KEYSLOT", channel))

    def masters(self):
        return [node for node in self.alive if node.role() == "master"]

    def master_of(self, channel):
        """The node that takes the channel's messages itself."""
        for node in self.masters():
            if "MOVED" not in node.cli("SPUBLISH", channel, ""):
                return node
        raise AssertionError(f"no master of {channel}")

    def replica_of(self, master):
        line = next(
            line for line in master.cli("INFO", "replication").splitlines()
            if line.startswith("slave0:"))
        return self.node(int(line.split("port=")[1].split(",")[0]))

    def publish(self, channel, payload):
        """Publishes at the master of the channel's slot; returns how many have got it."""
        for node in self.masters():
            answer = node.cli("SPUBLISH", channel, payload)
            if answer.isdigit():
                return int(answer)
        raise AssertionError(f"no master took a message of {channel}")

    def subscribers(self, channel):
        """By port, the nodes that have subscribers of the channel."""
        counts = {node.port: node.sharded_subscribers(channel) for node in self.alive}
        return {port: count for port, count in counts.items() if count}

    def channels_at(self, node, count, prefix="run"):
        """Channels whose slots are the node's."""
        found = []
        for number in range(10_000):
            channel = f"{prefix}{number}:status"
            if node.cli("SPUBLISH", channel, "").isdigit():
                found.append(channel)
                if len(found) == count:
                    return found
        raise AssertionError("too few channels")

    def migrate(self, channel, target):
        """Gives the slot of a channel to another master, as redis-cli does it."""
        slot, source = str(self.slot(channel)), self.master_of(channel)
        to = target.identity
        assert target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", source.identity) == "OK"
        assert source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", to) == "OK"
        assert target.cli("CLUSTER", "SETSLOT", slot, "NODE", to) == "OK"
        source.cli("CLUSTER", "SETSLOT", slot, "NODE", to)
        for node in self.masters():
            if node not in (source, target):
                node.cli("CLUSTER", "SETSLOT", slot, "NODE", to)

    def fail_over(self, master):
        """Has the replica of a master take its place; returns the replica."""
        replica = self.replica_of(master)
        assert replica.cli("CLUSTER", "FAILOVER") == "OK"
        wait_until(lambda: replica.role() == "master", "the replica to be master", 20)
        return replica

    def stop(self):
        for node in self.nodes:
            node.stop()


def _shards(answer):
    """The nodes of each master's slots, by what redis-py makes of the answer or by the answer."""
    if isinstance(answer, dict):
        found = {}
        for value in answer.values():
            found[value["primary"]] = [value["primary"], *value["replicas"]]
        return found.values()
    found = {}
    for _, _, *nodes in answer:
        found[nodes[0][1]] = [tuple(node[:2]) for node in nodes]
    return found.values()


class Load:
    """Numbered messages to channels of a cluster, one after the other, by a client that follows slots."""

    def __init__(self, cluster, channels, pause=0.002):
        self._cluster = cluster
        self._channels = channels
        self._pause = pause
        self._clients = {}
        self._ports = {}
        self._ended = threading.Event()
        self.sent = {channel: {} for channel in channels}
        """By channel and number, the Unix times before and after in milliseconds, of messages that a
        master has taken."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        number = 0
        while not self._ended.is_set():
            number += 1
            for channel in self._channels:
                before = time.time_ns() // 1_000_000
                if self._publish(channel, str(number)):
                    self.sent[channel][number] = (before, -(-time.time_ns() // 1_000_000))
            time.sleep(self._pause)

    def _publish(self, channel, text):
        port = self._ports.get(channel)
        if port is None:
            port = random.choice(self._cluster.alive).port
        for _ in range(5):
            try:
                self._client(port).execute_command("SPUBLISH", channel, text)
                self._ports[channel] = port
                return True
            except redis.exceptions.MovedError as moved:
                port = moved.port
            except redis.RedisError:
                # Whether it was taken is not known; another node may know the way.
                self._clients.pop(port, None)
                self._ports.pop(channel, None)
                return False
        return False

    def _client(self, port):
        if port not in self._clients:
            self._clients[port] = redis.Redis(
                host="127.0.0.1", port=port, password=self._cluster.password, socket_timeout=1,
                retry=Retry(NoBackoff(), 0))
        return self._clients[port]

    def stop(self):
        self._ended.set()
        self._thread.join()


class Listener:
    """A page that notes everything that it gets, as it comes."""

    def __init__(self, page, channel):
        self.channel = channel
        self.messages = []
        self.code = None
        self._page = page
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        from websockets.exceptions import ConnectionClosed
        try:
            while True:
                self.messages.append(self._page.next(3600))
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd else 0

    @property
    def numbers(self):
        return [int(message["data"]) for message in list(self.messages)
                if message["type"] == "status" and message["data"].isdigit()]

    def heard(self, text):
        return any(message.get("data") == text for message in list(self.messages))

    def gaps(self):
        return [message for message in list(self.messages) if message["type"] == "gap"]

    def check(self, sent, fails_over):
        """Everything came once and in order, or may have been sent within a gap; returns what is
        missing.

        Where the shard `fails_over` its nodes relay one another's messages, each at its own pace: what a
        page is told that it may have missed, it may get from both."""
        assert self.code is None, f"closed with {self.code}"
        gaps = [(gap["from_ms"], gap["to_ms"]) for gap in self.gaps()]

        def is_told_of(number):
            return any(first <= sent[number][1] and sent[number][0] <= last for first, last in gaps)

        numbers = self.numbers
        greatest = 0
        for number in numbers:
            assert number > greatest or fails_over and is_told_of(number), \
                f"{self.channel}: {number} came behind {greatest}, outside {gaps}"
            greatest = max(greatest, number)
        got = set(numbers)
        missing = [number for number in sent if number not in got]
        lost = [(number, sent[number]) for number in missing if not is_told_of(number)]
        assert not lost, f"{self.channel}: {len(lost)} lost outside {gaps}: {lost[:5]}"
        return missing
