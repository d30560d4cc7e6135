"""Sentinel: the master is asked for before every connection, and followed when it changes."""

import contextlib
import json
import subprocess
import time

import pytest

from harness.daemon import run_to_end
from harness.sentinel import SERVICE, Sentinel
from harness.waiting import free_port, wait_until

PASSWORD = "pa55-w0rd!sentinel"
SENTINELS = 3
PAGES = 10

FOLLOWED_WITHIN = 20.0
"""Seconds from the end of a master until every page receives from the next one. Sentinel takes half
a second to miss the master, and one or two to choose and promote a replica."""


@pytest.fixture
def start_sentinel(cleanup, tmp_path):
    """Starts one Sentinel for a master."""
    directories = iter(tmp_path / f"sentinel{number}" for number in range(100))

    def start(master, **options):
        directory = next(directories)
        directory.mkdir()
        sentinel = Sentinel(directory, master, **options)
        cleanup.callback(sentinel.stop)
        return sentinel

    return start


@pytest.fixture
def group(start_redis, start_sentinel):
    """A master, its replica, and three Sentinels that know of each other."""
    master = start_redis("--repl-diskless-sync-delay", "0")
    replica = start_redis(
        "--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", str(master.port))
    wait_until(
        lambda: "master_link_status:up" in replica.cli("INFO", "replication"),
        "the replica to be in step")
    sentinels = [start_sentinel(master) for _ in range(SENTINELS)]
    for sentinel in sentinels:
        wait_until(lambda: sentinel.knows(1, SENTINELS - 1), "the Sentinels to meet", 30)
    return master, replica, sentinels


def _url(*ports, service=SERVICE):
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"redis+sentinel://{hosts}/{service}/2"


def _open_pages(open_page, daemon, channel):
    return [open_page(daemon, channel).live() for _ in range(PAGES)]


def _wait_until_all_receive_from(redis, pages, channel, begun):
    """Publishes there until every page hears from there; returns the seconds that it took."""

    def are_there():
        # A server that becomes a master cuts off its clients, redis-cli included.
        with contextlib.suppress(subprocess.CalledProcessError):
            return redis.subscribers(channel) == len(pages)

    wait_until(
        are_there, "all subscriptions at the new master",
        FOLLOWED_WITHIN - (time.monotonic() - begun))
    redis.publish(channel, "from the new master")
    for page in pages:
        assert page.status() == "from the new master"
    return time.monotonic() - begun


def test_messages_come_from_the_master_that_sentinel_names(
        group, start_daemon, open_page, channel):
    master, replica, sentinels = group
    daemon = start_daemon(None, STATUS_REDIS_URL=_url(*(each.port for each in sentinels)))
    pages = _open_pages(open_page, daemon, channel)
    assert (master.subscribers(channel), replica.subscribers(channel)) == (PAGES, 0)
    master.publish(channel, "x")
    for page in pages:
        assert page.status() == "x"
    # A Sentinel is asked and left.
    assert not daemon.link_failures()


def test_a_failover_that_is_asked_for_is_followed(
        group, start_daemon, open_page, channel):
    master, replica, sentinels = group
    daemon = start_daemon(
        None, STATUS_REDIS_URL=_url(*(each.port for each in sentinels)),
        STATUS_REDIS_PING_INTERVAL="500ms")
    pages = _open_pages(open_page, daemon, channel)
    begun = time.monotonic()
    # The former master lives on, and Sentinel lets it keep its clients for some ten seconds.
    assert sentinels[0].call("SENTINEL", "FAILOVER", SERVICE)
    seconds = _wait_until_all_receive_from(replica, pages, channel, begun)
    print(f"followed within {seconds:.2f} s")
    wait_until(
        lambda: "role:slave" in master.cli("INFO", "replication"), "the former master's new role", timeout=60)
    assert master.subscribers(channel) == 0
    wait_until(daemon.is_ready, "/ready to answer 200")


def test_the_death_of_the_master_is_followed(
        group, start_daemon, open_page, channel):
    master, replica, sentinels = group
    daemon = start_daemon(None, STATUS_REDIS_URL=_url(*(each.port for each in sentinels)))
    pages = _open_pages(open_page, daemon, channel)
    begun = time.monotonic()
    master.kill()
    seconds = _wait_until_all_receive_from(replica, pages, channel, begun)
    print(f"followed within {seconds:.2f} s")
    wait_until(daemon.is_ready, "/ready to answer 200")


def test_sentinels_that_are_away_or_strangers_are_passed_over(
        group, start_daemon, fake_redis, open_page, channel):
    master, _, sentinels = group
    silent = fake_redis(answers={"SENTINEL": None})
    stranger = fake_redis()
    ports = [free_port(), silent.port, stranger.port, sentinels[2].port]
    daemon = start_daemon(
        None, STATUS_REDIS_URL=_url(*ports), STATUS_REDIS_REQUEST_TIMEOUT="300ms")
    page = open_page(daemon, channel).live()
    master.publish(channel, "x")
    assert page.status() == "x"
    # The one that helped is asked first from then on.
    assert silent.names() == stranger.names() == ["SENTINEL"]


def test_a_server_that_is_no_master_is_not_subscribed_to(
        group, start_daemon, fake_redis, open_page, channel):
    master, replica, _ = group

    def answer(redis):
        port = str(redis.port).encode()
        return b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port)

    # A Sentinel whose news are old.
    sentinel = fake_redis(answers={"SENTINEL": answer(replica)})
    daemon = start_daemon(None, ready=False, STATUS_REDIS_URL=_url(sentinel.port))
    daemon.wait_for_link_failure(count=2, cause="not_master")
    assert daemon.get("/ready").status == 503
    sentinel.answers["SENTINEL"] = answer(master)
    daemon.wait_ready()
    open_page(daemon, channel).live()
    assert (master.subscribers(channel), replica.subscribers(channel)) == (1, 0)


def test_a_service_that_no_sentinel_knows_is_told_and_retried(
        start_redis, start_sentinel, start_daemon):
    sentinel = start_sentinel(start_redis())
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_URL=_url(sentinel.port, service="another"))
    line = daemon.wait_for_link_failure(count=2, cause="unknown_service")
    assert "no Sentinel knows the service another" in line["error"]
    assert json.loads(daemon.get("/ready").body) == ["redis_unavailable"]


def test_without_any_sentinel_the_start_is_retried_up_to_the_cap():
    done = run_to_end(settings={
        "STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_REDIS_MAX_RETRIES": "2",
        "STATUS_REDIS_RETRY_BASE": "10ms", "STATUS_REDIS_RETRY_MAX": "10ms",
        "STATUS_REDIS_URL": _url(free_port(), free_port())})
    assert done.returncode == 1
    assert "no Sentinel has named a master: connection refused, after 2 attempts" in done.stderr


@pytest.mark.parametrize("form", ["text", "json", "hex"])
def test_sentinels_own_password_is_sent_to_them_alone_and_shown_nowhere(
        start_redis, start_sentinel, start_daemon, open_page, channel, form):
    redis = start_redis()
    sentinel = start_sentinel(redis, password=PASSWORD)
    daemon = start_daemon(
        None, "--trace", f"--trace-format={form}", STATUS_REDIS_URL=_url(sentinel.port),
        STATUS_REDIS_SENTINEL_PASSWORD=PASSWORD, STATUS_LOG_LEVEL="debug")
    page = open_page(daemon, channel).live()
    redis.publish(channel, "x")
    assert page.status() == "x"
    wait_until(lambda: len(daemon.stderr.splitlines()) > 10, "the trace")
    for secret in (PASSWORD, PASSWORD.encode().hex()):
        assert secret not in daemon.output


@pytest.mark.parametrize("given, word", [(None, "NOAUTH"), ("wrong", "WRONGPASS")])
def test_wrong_credentials_for_the_sentinels_end_the_process(
        start_redis, start_sentinel, given, word):
    sentinel = start_sentinel(start_redis(), password=PASSWORD)
    settings = {"STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_REDIS_URL": _url(sentinel.port)}
    if given:
        settings["STATUS_REDIS_SENTINEL_PASSWORD"] = given
    done = run_to_end(settings=settings)
    assert done.returncode == 1
    assert word in done.stderr and "Sentinel" in done.stderr
    assert len(done.stderr.splitlines()) == 1
