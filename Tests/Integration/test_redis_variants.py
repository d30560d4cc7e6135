"""Redis in its variants: users with few rights, passwords that change, limits, old protocols, IPv6."""

import pathlib
import signal
import socket
import struct
import threading

import pytest

from harness.waiting import wait_until


def _relays(redis, page, channel, payload="hello"):
    redis.publish(channel, payload)
    assert page.status() == payload


def _user_url(redis, user="relay", password="s3cret", database=2):
    return f"redis://{user}:{password}@127.0.0.1:{redis.port}/{database}"


# Rights

def test_a_user_who_may_only_subscribe_is_served(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    redis.cli(
        "ACL", "SETUSER", "relay", "on", ">s3cret", "&run*", "-@all", "+subscribe", "+hello",
        "+select", "+client|setname")
    daemon = start_daemon(
        None, STATUS_REDIS_URL=_user_url(redis), STATUS_REDIS_PING_INTERVAL="50ms",
        STATUS_REDIS_REQUEST_TIMEOUT="500ms")
    page = open_page(daemon, channel).live()

    def refused_pings():
        statistics = redis.cli("INFO", "commandstats")
        return "cmdstat_ping" in statistics and int(
            statistics.split("cmdstat_ping:")[1].split("rejected_calls=")[1].split(",")[0])

    # Quiet links send PING, which is refused: an answer, and so a sign of life.
    wait_until(lambda: refused_pings() > 10, "many refused pings")
    _relays(redis, page, channel)
    assert not daemon.link_failures()


def test_a_channel_that_the_user_may_not_hear_is_given_up_after_the_cap(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">s3cret", "&run*", "+@pubsub", "+@connection")
    daemon = start_daemon(
        None, STATUS_REDIS_URL=_user_url(redis), STATUS_REDIS_MAX_RETRIES="3")
    denied = open_page(daemon, "secret:status")
    types, code = denied.end()
    assert (types, code) == ([], 1011)
    line = daemon.wait_for_link_failure(run_id="secret", given_up_after_attempts=3)
    assert line["cause"] == "no_permission" and "NOPERM" in line["error"]
    # Nobody else feels it.
    _relays(redis, open_page(daemon, channel).live(), channel)
    assert daemon.is_ready()


def test_a_channel_that_the_user_is_allowed_in_time_is_heard(start_daemon, start_redis, open_page):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">s3cret", "&run*", "+@pubsub", "+@connection")
    daemon = start_daemon(None, STATUS_REDIS_URL=_user_url(redis))
    page = open_page(daemon, "secret:status")
    daemon.wait_for_link_failure(count=2, cause="no_permission")
    redis.cli("ACL", "SETUSER", "relay", "&secret:*")
    page.live()
    _relays(redis, page, "secret:status")


def test_a_password_that_changes_leaves_links_alone_and_is_taken_up_when_changed_back(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">s3cret", "&*", "+@all")
    daemon = start_daemon(None, STATUS_REDIS_URL=_user_url(redis))
    old = open_page(daemon, channel).live()
    redis.cli("ACL", "SETUSER", "relay", "resetpass", ">changed")
    # Who is logged in stays so; who comes now is refused, and told why.
    new = open_page(daemon, channel)
    line = daemon.wait_for_link_failure(count=2, cause="wrong_password")
    assert "WRONGPASS" in line["error"] and line["level"] == "warn"
    _relays(redis, old, channel)
    # The probe logs in anew, so that nobody is sent to a daemon that is deaf to new pages.
    wait_until(lambda: not daemon.is_ready(), "/ready to answer 503")
    redis.cli("ACL", "SETUSER", "relay", ">s3cret")
    new.live()
    wait_until(daemon.is_ready, "/ready to answer 200", 40)
    _relays(redis, new, channel, "again")
    assert "s3cret" not in daemon.output


def test_a_user_that_is_deleted_loses_its_links_until_it_is_there_again(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">s3cret", "&*", "+@all")
    daemon = start_daemon(None, STATUS_REDIS_URL=_user_url(redis))
    page = open_page(daemon, channel).live()
    redis.cli("ACL", "DELUSER", "relay")
    daemon.wait_for_link_failure(count=2, cause="wrong_password")
    assert daemon.get("/ready").status == 503
    redis.cli("ACL", "SETUSER", "relay", "on", ">s3cret", "&*", "+@all")
    redis.wait_for_subscribers(channel, 1)
    _relays(redis, page, channel)
    wait_until(daemon.is_ready, "/ready to answer 200")


# Limits and states of the server

def test_a_server_that_is_full_is_told_apart_and_retried(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(redis)
    first = open_page(daemon, channel).live()
    with redis.client() as operator:
        connected = operator.info("clients")["connected_clients"]
        operator.config_set("maxclients", connected)
        second = open_page(daemon, channel)
        daemon.wait_for_link_failure(count=2, cause="max_clients")
        operator.config_set("maxclients", 1000)
    second.live()
    redis.publish(channel, "x")
    assert (first.status(), second.status()) == ("x", "x")


def test_a_server_that_loads_its_data_set_takes_subscriptions_and_is_relayed_from(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis("--dbfilename", "dump.rdb")
    with redis.client() as client:
        client.mset({f"key{number}": "x" for number in range(1000)})
        client.save()
    redis.kill()
    # Five seconds for a thousand keys; PING is answered with an error meanwhile.
    redis.arguments += ("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    daemon = start_daemon(
        redis, ready=False, STATUS_REDIS_PING_INTERVAL="50ms", STATUS_REDIS_REQUEST_TIMEOUT="2s")
    begun = threading.Thread(target=redis.start)
    begun.start()
    try:
        daemon.wait_ready()
        page = open_page(daemon, channel).live()
        assert "loading:1" in redis.cli("INFO", "persistence")
        daemon.wait_for_log("redis answers PING with an error; the link goes on")
        _relays(redis, page, channel)
    finally:
        begun.join()
    _relays(redis, page, channel, "loaded")
    assert daemon.metric("redis_reconnects_total") == 0


def test_a_subscriber_that_outgrows_its_output_buffer_is_told_apart(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis("--client-output-buffer-limit", "pubsub 256kb 0 0")
    daemon = start_daemon(
        redis, STATUS_REDIS_PING_INTERVAL="10m", STATUS_REDIS_REQUEST_TIMEOUT="10m",
        STATUS_PING_INTERVAL="10m")
    page = open_page(daemon, channel).live()
    daemon.signal(signal.SIGSTOP)
    try:
        with redis.client() as client:
            # The kernel's buffers on the way take some megabytes before Redis has to keep any.
            wait_until(
                lambda: client.publish(channel, b"x" * 100_000) == 0, "Redis to end the link", 30)
    finally:
        daemon.signal(signal.SIGCONT)
    line = daemon.wait_for_link_failure(channel="status")
    assert line["cause"] == "output_buffer", line
    assert "output buffer" in line["error"]
    redis.wait_for_subscribers(channel, 1)
    redis.publish(channel, "the next")
    wait_until(lambda: page.status() == "the next", "the next message")


# Protocols and addresses

def test_a_real_server_without_hello_is_spoken_to_in_resp2(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis("--rename-command", "HELLO", "", protocol=2)
    daemon = start_daemon(
        redis, STATUS_REDIS_PING_INTERVAL="50ms", STATUS_REDIS_REQUEST_TIMEOUT="500ms")
    page = open_page(daemon, channel).live()
    wait_until(
        lambda: int(redis.cli("INFO", "commandstats").split("cmdstat_ping:calls=")[1].split(",")[0])
        > 20, "pings of quiet links")
    _relays(redis, page, channel)
    assert all(" resp=2" in line for line in redis.connections_named("status2"))
    assert not daemon.link_failures()


def _has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no ::1")
def test_a_server_at_an_ipv6_address(start_daemon, start_redis, open_page, channel):
    redis = start_redis("--bind", "127.0.0.1 ::1")
    daemon = start_daemon(None, STATUS_REDIS_URL=f"redis://[::1]:{redis.port}/2")
    _relays(redis, open_page(daemon, channel).live(), channel)
    assert all(" addr=[::1]:" in line for line in redis.connections_named("status2"))


# The kernel's watch over quiet connections

def test_the_kernel_probes_quiet_links(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    daemon = start_daemon(
        redis, STATUS_REDIS_PING_INTERVAL="87s", STATUS_REDIS_REQUEST_TIMEOUT="2s")
    open_page(daemon, channel).live()
    # proc(5), /proc/net/tcp: timer 02 is that of keepalive, and behind it is when it fires, in
    # hundredths of a second.
    address = struct.pack("<I", struct.unpack(">I", socket.inet_aton("127.0.0.1"))[0]).hex().upper()
    server = f"{address}:{redis.port:04X}"

    def timers():
        rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return [row[5].split(":") for row in rows if row[2] == server and row[3] == "01"]

    ours = len(redis.connections_named("status2"))
    wait_until(
        lambda: sum(1 for kind, due in timers() if kind == "02" and 0 < int(due, 16) <= 9_000)
        >= ours, f"{ours} keepalive timers of at most 90 s in {timers()}")
