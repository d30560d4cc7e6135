"""Each WebSocket has its own subscription connection to Redis."""

import os

from harness.waiting import wait_until


def _subscriptions(redis, before=()):
    """The connections of CLIENT LIST with a subscription, as dictionaries."""
    lines = redis.connections_named("status2")
    clients = [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]
    return [client for client in clients if client["sub"] != "0" and client["id"] not in before]


def test_each_websocket_has_its_own_redis_connection(daemon, redis, open_page, channel):
    before = {client["id"] for client in _subscriptions(redis)}
    pages = [open_page(daemon, channel) for _ in range(3)]
    mine = _subscriptions(redis, before)
    assert len(mine) == len(pages) == redis.subscribers(channel)
    assert len({client["addr"] for client in mine}) == 3
    assert all(client["sub"] == "1" for client in mine)


def test_its_connection_disappears_with_the_websocket(daemon, redis, open_page, channel):
    first, second = open_page(daemon, channel), open_page(daemon, channel)
    assert redis.subscribers(channel) == 2
    first.close()
    redis.wait_for_subscribers(channel, 1)
    redis.publish(channel, "still here")
    assert second.status() == "still here"
    second.close()
    redis.wait_for_subscribers(channel, 0)


def test_its_connection_disappears_when_the_client_vanishes(daemon, redis, raw, channel):
    connection = raw(daemon).upgrade(channel)
    assert redis.subscribers(channel) == 1
    connection.reset()
    redis.wait_for_subscribers(channel, 0)


def test_the_connection_has_the_name_status2(daemon, redis, open_page, channel):
    with open_page(daemon, channel):
        names = [line for line in redis.cli("CLIENT", "LIST").splitlines() if " sub=1 " in line]
        assert names and all(" name=status2 " in line for line in names)


def test_the_connection_speaks_resp3_on_the_database_of_the_url(
        daemon, redis, open_page, channel):
    before = {client["id"] for client in _subscriptions(redis)}
    with open_page(daemon, channel):
        (mine,) = _subscriptions(redis, before)
        assert mine["resp"] == "3" and mine["db"] == "2"


def test_the_number_of_open_websockets_is_a_gauge(start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis)
    assert daemon.metric("connections_active") == 0
    pages = [open_page(daemon, channel) for _ in range(3)]
    assert daemon.metric("connections_active") == 3
    for page in pages:
        page.close()
    daemon.wait_for_metric("connections_active", 0)


def test_opening_and_closing_leaves_nothing_behind(
        start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis)
    descriptors = f"/proc/{daemon.process.pid}/fd"

    def count():
        return len(os.listdir(descriptors))

    before = count()
    for _ in range(50):
        open_page(daemon, channel).close()
    wait_until(lambda: count() <= before, f"{before} descriptors to be open")
    redis.wait_for_subscribers(channel, 0)
