"""`--embedded-redis`: a broker within the process, for any Redis client."""

import shutil
import socket
import subprocess

import pytest
import redis as redis_library

from conftest import missing
from harness.daemon import run_to_end
from harness.waiting import wait_until

PASSWORD = "br0ker-pa55"


class Broker:
    """A daemon with its broker, as clients of either see it."""

    def __init__(self, daemon, password=None):
        self.daemon = daemon
        self.password = password
        address = daemon.wait_for_log("embedded broker listening")["address"]
        self.port = int(address.rsplit(":", 1)[1])

    def client(self, **options):
        return redis_library.Redis(
            host="127.0.0.1", port=self.port, password=self.password, socket_timeout=5, **options)

    def cli(self, *arguments, stdin=None):
        done = subprocess.run(
            ["redis-cli", "-p", str(self.port), *arguments], input=stdin, capture_output=True,
            timeout=10)
        return done.stdout.decode().strip()


@pytest.fixture
def broker(start_daemon):
    return Broker(start_daemon(None, "--embedded-redis=127.0.0.1:0"))


@pytest.fixture
def tools():
    if not shutil.which("redis-cli") or not shutil.which("redis-benchmark"):
        missing("redis-tools")


# The relay on its own broker

def test_a_message_published_with_redis_cli_reaches_a_client(tools, broker, open_page, channel):
    page = open_page(broker.daemon, channel).live()
    assert broker.cli("PUBLISH", channel, "hello") == "1"
    assert page.status() == "hello"


def test_any_bytes_pass(tools, broker, open_page, channel):
    page = open_page(broker.daemon, channel).live()
    broker.cli("-x", "PUBLISH", channel, stdin=bytes(range(128)))
    assert page.status() == bytes(range(128)).decode()


def test_a_thousand_messages_keep_their_order(broker, open_page, channel):
    page = open_page(broker.daemon, channel).live()
    with broker.client() as client, client.pipeline(transaction=False) as pipeline:
        for number in range(1000):
            pipeline.publish(channel, number)
        assert pipeline.execute() == [1] * 1000
    assert [page.status() for _ in range(1000)] == [str(number) for number in range(1000)]


def test_a_large_payload_passes(broker, open_page, channel):
    page = open_page(broker.daemon, channel).live()
    with broker.client() as client:
        assert client.publish(channel, "x" * 1_000_000) == 1
    assert page.status() == "x" * 1_000_000


def test_a_person_is_told_how_to_go_on(broker):
    wait_until(lambda: "Publish" in broker.daemon.stderr, "the lines for a person")
    assert f"ws://{broker.daemon.address}/" in broker.daemon.stderr
    assert f"redis-cli -p {broker.port} PUBLISH" in broker.daemon.stderr


@pytest.mark.parametrize("arguments", [
    ["--embedded-redis", "127.0.0.1:7001"], ["--embedded-redis=127.0.0.1:7001"],
    ["--log-level", "info", "--embedded-redis", "127.0.0.1:7001"]])
def test_its_address_stands_behind_a_blank_or_an_equals_sign(arguments):
    done = run_to_end(*arguments, "--check-config")
    assert done.returncode == 0 and "redis://127.0.0.1:7001" in done.stdout, done


def test_the_standard_address_is_loopback():
    done = run_to_end("--embedded-redis", "--check-config")
    assert done.returncode == 0
    assert "redis://127.0.0.1:6379" in done.stdout


# redis-cli

@pytest.mark.parametrize("protocol", ["-2", "-3"])
class TestRedisCli:
    def test_ping(self, tools, broker, protocol):
        assert broker.cli(protocol, "PING") == "PONG"
        assert broker.cli(protocol, "PING", "text") == "text"

    def test_info(self, tools, broker, protocol):
        assert "redis_version:" in broker.cli(protocol, "INFO")
        assert "redis_version:" in broker.cli(protocol, "INFO", "server")

    def test_publish_to_nobody(self, tools, broker, protocol):
        assert broker.cli(protocol, "PUBLISH", "a:b", "x") == "0"

    def test_select(self, tools, broker, protocol):
        assert broker.cli(protocol, "-n", "2", "PING") == "PONG"
        assert "out of range" in broker.cli(protocol, "SELECT", "16")

    def test_unknown_command(self, tools, broker, protocol):
        assert "ERR unknown command" in broker.cli(protocol, "GET", "x")

    def test_subscribe(self, tools, broker, protocol, cleanup):
        process = subprocess.Popen(
            ["redis-cli", protocol, "-p", str(broker.port), "SUBSCRIBE", "a:b"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cleanup.callback(process.wait, 10)
        cleanup.callback(process.kill)
        wait_until(lambda: broker.cli("PUBSUB", "NUMSUB", "a:b").endswith("1"), "a subscriber")
        assert broker.cli("PUBLISH", "a:b", "hello") == "1"
        text = b""
        while b"hello" not in text:
            line = process.stdout.readline()
            assert line, text
            text += line
        assert b"subscribe" in text and b"message" in text


def test_redis_cli_tells_the_subscribed_channels(tools, broker, open_page, channel):
    open_page(broker.daemon, channel).live()
    assert broker.cli("PUBSUB", "CHANNELS", "run*") == channel
    # The daemon's own subscription, by which it sees that subscriptions are taken.
    assert broker.cli("PUBSUB", "CHANNELS", "status2:*") == "status2:probe"
    assert broker.cli("PUBSUB", "NUMSUB", channel).split() == [channel, "1"]
    assert broker.cli("PUBSUB", "NUMPAT") == "0"


# redis-py

@pytest.mark.parametrize("protocol", [2, 3])
class TestRedisPy:
    def test_commands(self, broker, protocol):
        with broker.client(protocol=protocol, db=3, client_name="tester") as client:
            assert client.ping()
            assert client.echo("x") == b"x"
            assert client.client_getname() in ("tester", b"tester")
            assert client.info()["redis_mode"] == "standalone"
            assert client.publish("a:b", "x") == 0
            with pytest.raises(redis_library.ResponseError):
                client.get("x")
            assert client.ping()

    def test_publish_and_subscribe(self, broker, protocol):
        with broker.client(protocol=protocol) as client, client.pubsub() as subscriber:
            subscriber.subscribe("a:b", "c:d")
            assert [_next(subscriber)["type"] for _ in range(2)] == ["subscribe"] * 2
            assert client.pubsub_numsub("a:b", "c:d", "e:f") == [
                (b"a:b", 1), (b"c:d", 1), (b"e:f", 0)]
            assert client.publish("c:d", b"\0\xff\r\n") == 1
            message = _next(subscriber)
            assert (message["channel"], message["data"]) == (b"c:d", b"\0\xff\r\n")
            subscriber.ping("still there")
            assert _next(subscriber)["type"] == "pong"
            subscriber.unsubscribe("c:d")
            assert _next(subscriber)["type"] == "unsubscribe"
            assert client.publish("c:d", "x") == 0
            assert client.publish("a:b", "y") == 1
            assert _next(subscriber)["data"] == b"y"
        # Another connection sees it gone.
        with broker.client(protocol=protocol) as client:
            wait_until(lambda: client.pubsub_channels("?:?") == [], "no channel to be left")


def _next(subscriber):
    message = subscriber.get_message(timeout=5)
    assert message is not None
    return message


# redis-benchmark

@pytest.mark.parametrize("arguments", [
    ["-t", "publish", "-n", "2000", "-c", "10"],
    ["-n", "5000", "-c", "10", "-P", "16", "PUBLISH", "a:b", "hello"],
    ["-t", "ping", "-n", "2000", "-c", "10"],
    ["-3", "-n", "2000", "-c", "10", "PUBLISH", "a:b", "hello"],
], ids=["publish", "custom PUBLISH in a pipeline", "ping", "RESP3"])
def test_redis_benchmark_succeeds(tools, broker, arguments):
    done = subprocess.run(
        ["redis-benchmark", "-p", str(broker.port), "-q", *arguments], capture_output=True,
        text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rror" not in done.stdout + done.stderr
    assert broker.daemon.get("/health").status == 200


# Protection

@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:6379", "example.org:6379"])
def test_an_address_beyond_loopback_is_refused_without_the_flag(address):
    done = run_to_end(f"--embedded-redis={address}")
    assert done.returncode == 2
    assert "--embedded-redis-allow-remote" in done.stderr


def test_an_address_beyond_loopback_is_taken_with_the_flag(start_daemon, open_page, channel):
    daemon = start_daemon(
        None, "--embedded-redis=0.0.0.0:0", "--embedded-redis-allow-remote")
    broker = Broker(daemon)
    page = open_page(daemon, channel).live()
    with broker.client() as client:
        client.publish(channel, "x")
    assert page.status() == "x"


def test_redis_password_is_required_of_every_client(tools, start_daemon, open_page, channel):
    daemon = start_daemon(None, "--embedded-redis=127.0.0.1:0", REDIS_PASSWORD=PASSWORD)
    broker = Broker(daemon, PASSWORD)
    page = open_page(daemon, channel).live()
    for protocol in (2, 3):
        with broker.client(protocol=protocol) as client:
            assert client.publish(channel, protocol) == 1
        assert page.status() == str(protocol)
    assert "NOAUTH" in broker.cli("PUBLISH", channel, "x")
    assert "WRONGPASS" in broker.cli("AUTH", "wrong")
    assert PASSWORD not in daemon.output


@pytest.mark.parametrize("data", [
    b"*1\r\n$99999999999\r\n", b"*99999999999\r\n", b"*-5\r\n", b"*1\r\n:5\r\n", b"\xff" * 100,
    b"*3\r\n$9\r\nSUBSCRIBE\r\n",
])
def test_broken_commands_do_no_harm(broker, data):


    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    with broker.client() as client:
        assert client.ping()
