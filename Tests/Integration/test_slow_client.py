"""A client that does not read is disconnected and counted, and no other one feels it."""

import pytest

PAYLOAD = b"x" * 16_000
# Well over the kernel's buffers for one connection and the queue of 1 MiB together.
COUNT = 1200


@pytest.fixture
def stuck(raw, channel):
    """Opens a WebSocket with a small receive buffer that is not read any more."""
    return lambda daemon: raw(daemon, receive_buffer=4096).upgrade(channel)


def _publish_and_read(redis, page, channel):
    """Publishes in small groups, so that a client that reads keeps up."""
    with redis.client() as client:
        for start in range(0, COUNT, 20):
            with client.pipeline(transaction=False) as pipeline:
                for number in range(start, start + 20):
                    pipeline.publish(channel, b"%d:%s" % (number, PAYLOAD))
                pipeline.execute()
            for number in range(start, start + 20):
                text = page.status()
                assert text.startswith(f"{number}:") and len(text) > len(PAYLOAD)


def test_past_the_queue_bound_it_is_disconnected_and_others_see_all(
        start_daemon, redis, open_page, stuck, channel):
    daemon = start_daemon(redis, STATUS_WRITE_TIMEOUT="1h")
    page = open_page(daemon, channel).live()
    stuck(daemon)
    assert redis.subscribers(channel) == 2
    _publish_and_read(redis, page, channel)
    line = daemon.wait_for_log("client disconnected", reason="slow_client")
    # The queue held at most its bound of 1 MiB.
    assert 0 < line["queued_bytes"] <= 1 << 20
    assert daemon.metric("slow_clients_total") == 1
    assert redis.subscribers(channel) == 1


def test_past_the_age_bound_it_is_disconnected_and_others_see_all(
        start_daemon, redis, open_page, stuck, channel):
    daemon = start_daemon(redis, STATUS_WRITE_TIMEOUT="300ms", STATUS_PING_INTERVAL="50ms")
    page = open_page(daemon, channel).live()
    stuck(daemon)
    payload = b"x" * 65_000
    with redis.client() as client:
        # A message a heartbeat: the kernel's buffers fill, the daemon's queue hardly.
        for _ in range(500):
            if daemon.log_lines("client disconnected", reason="slow_client"):
                break
            page.next_of("ping")
            client.publish(channel, payload)
            assert len(page.status()) == len(payload)
    line = daemon.wait_for_log("client disconnected", reason="slow_client")
    # There was room for another message, so that its age was the reason.
    assert 0 < line["queued_bytes"] < (1 << 20) - 2 * len(payload)
    daemon.wait_for_metric("slow_clients_total", 1)
    redis.wait_for_subscribers(channel, 1)
    redis.publish(channel, "the other one goes on")
    assert page.status() == "the other one goes on"


def test_redis_is_read_on_for_a_client_that_does_not_read(
        start_daemon, redis, stuck, channel):
    daemon = start_daemon(redis, STATUS_WRITE_TIMEOUT="1h")
    stuck(daemon)
    with redis.client() as client:
        for _ in range(COUNT):
            client.publish(channel, PAYLOAD)
        daemon.wait_for_log("client disconnected", reason="slow_client")
        # Redis itself never had to hold output back for longer than a moment.
        assert all(c["omem"] == "0" for c in client.client_list() if c["name"] == "status2")


def test_a_client_that_reads_slowly_but_in_time_is_kept(
        start_daemon, redis, raw, channel):
    daemon = start_daemon(redis, STATUS_WRITE_TIMEOUT="5s")
    connection = raw(daemon, receive_buffer=4096).upgrade(channel)
    assert b"ping" in connection.read_frame().payload
    with redis.client() as client:
        for number in range(40):
            client.publish(channel, b"%d:%s" % (number, PAYLOAD))
    for number in range(40):
        while b"ping" in (payload := connection.read_frame().payload[:30]):
            pass
        assert payload.startswith(b'{"type":"status","data":"%d:' % number)
    assert daemon.metric("slow_clients_total") == 0
