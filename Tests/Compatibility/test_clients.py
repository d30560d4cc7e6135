"""WebSocket clients of other languages and libraries, with their own defaults."""

import json
import time

import pytest

from compat.clients import CLIENTS
from conftest import PAYLOADS, as_text
from harness.waiting import wait_until

pytestmark = pytest.mark.quick

each_client = pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.name)

PING = {"type": "ping"}


def _status(client):
    """The payload of the next message from Redis; heartbeats are answered."""
    while True:
        message = json.loads(client.next())
        if message["type"] == "status":
            return message["data"]
        assert message == PING, message
        client.send('{"type":"pong"}')


@each_client
def test_a_page_opens_gets_its_messages_and_leaves(start_daemon, redis, kind):
    daemon = start_daemon(redis)
    client = kind(f"ws://{daemon.address}/run%3B%3B1:status")
    assert json.loads(client.next()) == PING
    client.send('{"type":"init"}')
    assert json.loads(client.next()) == PING
    with redis.client() as publisher:
        for payload in PAYLOADS:
            assert publisher.publish("run;;1:status", payload) == 1
    assert [_status(client) for _ in PAYLOADS] == [as_text(payload) for payload in PAYLOADS]
    client.close()
    line = daemon.wait_for_log("client disconnected", run_id="run;;1")
    assert (line["code"], line["reason"]) == (1000, "client_closed")
    assert (line["received"], line["delivered"]) == (len(PAYLOADS), len(PAYLOADS))


@each_client
def test_many_messages_come_in_order_and_a_long_one_whole(start_daemon, redis, kind):
    daemon = start_daemon(redis, STATUS_MAX_PAYLOAD_SIZE="1MB")
    client = kind(f"ws://{daemon.address}/run:status")
    assert json.loads(client.next()) == PING
    with redis.client() as publisher:
        with publisher.pipeline(transaction=False) as pipeline:
            for number in range(1000):
                pipeline.publish("run:status", number)
            pipeline.execute()
    assert [_status(client) for _ in range(1000)] == [str(number) for number in range(1000)]
    with redis.client() as publisher:
        publisher.publish("run:status", "y" * 900_000)
    assert _status(client) == "y" * 900_000
    client.close()


@each_client
def test_who_answers_the_heartbeat_stays_and_who_does_not_is_closed_with_1008(
        start_daemon, redis, kind):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="200ms", STATUS_PONG_TIMEOUT="1s")
    lively = kind(f"ws://{daemon.address}/run:lively")
    silent = kind(f"ws://{daemon.address}/run:silent")
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        assert json.loads(lively.next()) == PING
        lively.send('{"type":"pong"}')
    assert silent.end() == 1008
    assert daemon.metric("connections_active") == 1
    lively.close()


@each_client
def test_a_shutdown_is_a_close_with_1012(start_daemon, redis, kind):
    daemon = start_daemon(redis)
    client = kind(f"ws://{daemon.address}/run:status")
    assert json.loads(client.next()) == PING
    daemon.signal()
    assert client.end() == 1012
    assert daemon.wait() == 0


@each_client
def test_a_message_that_is_too_long_is_a_close_with_1009(start_daemon, redis, kind):
    daemon = start_daemon(redis, STATUS_MAX_MESSAGE_SIZE="64KB")
    client = kind(f"ws://{daemon.address}/run:status")
    # As long as it may be, whatever the client makes of it: ignored, since it is not JSON.
    client.send("x" * 65_536)
    wait_until(lambda: daemon.metric("client_messages_malformed_total") >= 1, "it to be ignored")
    client.send("x" * 65_537)
    assert client.end() == 1009


@pytest.mark.parametrize(
    "kind", [kind for kind in CLIENTS if kind.pings], ids=lambda kind: kind.name)
def test_ping_frames_are_answered(start_daemon, redis, kind):
    client = kind(f"ws://{start_daemon(redis).address}/run:status")
    assert json.loads(client.next()) == PING
    for payload in (b"", b"abc", bytes(range(125))):
        client.ping(payload)
    client.close()
