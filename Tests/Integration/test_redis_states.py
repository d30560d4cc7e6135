"""States in which Redis relays and answers with errors; time-outs, rights, ports of every kind."""

import json
import pathlib
import re
import subprocess
import threading
import time

import pytest

from harness.raw import upgrade_request
from harness.tls_redis import RawPeer
from harness.waiting import free_port, wait_until

QUICK = {"STATUS_REDIS_PING_INTERVAL": "100ms", "STATUS_REDIS_REQUEST_TIMEOUT": "1s"}


def _relays_on(daemon, redis, page, channel, seconds=2.0):
    """Publishes for some time, slowly enough for many questions in between; nothing may be lost."""
    sent = [str(number) for number in range(7)]
    with redis.client() as client:
        for payload in sent:
            assert client.publish(channel, payload) == 1
            time.sleep(seconds / len(sent))
    assert [page.status() for _ in sent] == sent
    assert daemon.is_ready()
    assert not daemon.link_failures()
    assert daemon.metric("redis_reconnects_total") == 0


# Errors in answer to PING

def test_a_full_disk_ends_no_link(start_daemon, start_redis, open_page, channel, tmp_path):
    # As its disk is full: what Redis is to save cannot be saved.
    redis = start_redis("--save", "3600 1", "--enable-protected-configs", "yes")
    daemon = start_daemon(redis, **QUICK)
    page = open_page(daemon, channel).live()
    gone = tmp_path / "gone"
    gone.mkdir()
    with redis.client() as client:
        client.config_set("dir", str(gone))
        gone.rmdir()
        client.set("key", "value")
        client.bgsave()
        wait_until(
            lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "a failed save")
    assert "MISCONF" in redis.cli("PING")
    _relays_on(daemon, redis, page, channel)
    line = daemon.wait_for_log("redis answers PING with an error; the link goes on")
    assert "MISCONF" in line["error"]
    assert daemon.metric('redis_unexpected_replies_total{kind="ping_error"}') > 10
    # Nor is a start, or a new page, in the way of anybody.
    other = start_daemon(redis, **QUICK)
    _relays_on(other, redis, open_page(other, channel + "2").live(), channel + "2")


SCRIPT = """
for i = 1, 7 do
    local start = redis.call('TIME')
    repeat local t = redis.call('TIME') until (t[1] - start[1]) * 1e6 + t[2] - start[2] > 300000
    redis.call('PUBLISH', KEYS[1], i)
end
"""


def test_a_long_script_ends_no_link(start_daemon, start_redis, open_page, channel):
    redis = start_redis("--busy-reply-threshold", "50")
    daemon = start_daemon(redis, **QUICK)
    page = open_page(daemon, channel).live()

    def run():
        with redis.client() as client:
            client.eval(SCRIPT, 1, channel)

    script = threading.Thread(target=run)
    script.start()
    # What is published meanwhile, by the script itself, comes when it is done.
    assert [page.status() for _ in range(7)] == [str(number) for number in range(1, 8)]
    script.join()
    assert not [line for line in daemon.link_failures() if "run_id" in line]
    assert daemon.metric("redis_reconnects_total") == 0
    redis.publish(channel, "after")
    assert page.status() == "after"
    wait_until(daemon.is_ready, "/ready to answer 200")


@pytest.mark.parametrize("reply", [
    b"-ERR only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT allowed in this context\r\n",
    b"-ERR unknown command 'PING'\r\n", b"-LOADING Redis is loading\r\n", b"-BUSY busy\r\n",
    b"-MASTERDOWN Link with MASTER is down\r\n", b"-MISCONF Errors writing\r\n", b"+PONG\r\n",
    b":0\r\n",
])
def test_any_answer_to_ping_is_an_answer(start_daemon, fake_redis, open_page, channel, reply):
    server = fake_redis(answers={"PING": reply})
    daemon = start_daemon(server, **QUICK)
    page = open_page(daemon, channel).live()
    server.wait_for("PING", 10)
    server.publish(channel, "x")
    assert page.status() == "x"
    assert daemon.is_ready()
    assert not daemon.link_failures()


def test_a_replica_that_has_lost_its_master_is_relayed_from(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    with redis.client() as client:
        client.config_set("replica-serve-stale-data", "no")
        client.replicaof("127.0.0.1", free_port())
    assert "MASTERDOWN" in redis.cli("PING")
    daemon = start_daemon(redis, **QUICK)
    page = open_page(daemon, channel).live()
    daemon.wait_for_log("redis answers PING with an error; the link goes on")
    assert daemon.is_ready()
    assert not daemon.link_failures()
    page.close()


# Idle clients that Redis closes

@pytest.mark.parametrize("channels", ["&*", "&run*"])
def test_readiness_does_not_flap_where_redis_closes_idle_clients(
        start_daemon, start_redis, channels):
    redis = start_redis("--timeout", "1")
    # The second user's probe has no channel, and is therefore subject to the time-out.
    redis.cli("ACL", "SETUSER", "relay", "on", ">pw", channels, "+@all")
    daemon = start_daemon(
        None, STATUS_REDIS_URL=f"redis://relay:pw@127.0.0.1:{redis.port}/2",
        STATUS_REDIS_PING_INTERVAL="60s", STATUS_LOG_LEVEL="debug")
    end = time.monotonic() + 6
    while time.monotonic() < end:
        assert daemon.get("/ready").status == 200
        time.sleep(0.005)
    again = daemon.log_lines("redis link is made again before it is needed")
    assert len(again) >= 2 if channels == "&run*" else not again
    assert not daemon.link_failures()


# Rights

RUNBOOK = pathlib.Path(__file__).resolve().parents[2] / "docs" / "runbook.md"


def test_the_rights_that_the_runbook_names_are_enough(
        start_daemon, start_redis, open_page, channel):
    words = re.search(r"`ACL SETUSER … '&\*' (\+[^`]*)`", RUNBOOK.read_text()).group(1).split()
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">pw", "&*", "-@all", *words)
    daemon = start_daemon(
        None, STATUS_REDIS_URL=f"redis://relay:pw@127.0.0.1:{redis.port}/2", **QUICK)
    page = open_page(daemon, channel).live()
    _relays_on(daemon, redis, page, channel, seconds=1)
    page.close()
    wait_until(lambda: redis.subscribers(channel) == 0, "the end of the subscription")
    assert redis.cli("ACL", "LOG") == ""
    assert len(redis.connections_named("status2")) == 1


def test_a_user_without_a_password_is_that_user(start_daemon, start_redis, open_page):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", "nopass", "&run*", "+@all")
    daemon = start_daemon(
        None, STATUS_REDIS_URL=f"redis://relay@127.0.0.1:{redis.port}/2", **QUICK)
    page = open_page(daemon, "run:status").live()
    assert all(" user=relay " in line for line in redis.connections_named("status2"))
    # What the user may not hear is not heard as somebody else either.
    open_page(daemon, "secret:status")
    line = daemon.wait_for_link_failure(run_id="secret")
    assert line["cause"] == "no_permission"
    redis.publish("run:status", "x")
    assert page.status() == "x"


def test_a_message_of_another_channel_reaches_no_page(
        start_daemon, fake_redis, open_page, channel):
    server = fake_redis()
    daemon = start_daemon(server)
    page = open_page(daemon, channel).live()
    server.send_raw(channel, b"*3\r\n$7\r\nmessage\r\n$5\r\nother\r\n$6\r\nsecret\r\n")
    server.send_raw(
        channel, b"*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$5\r\nother\r\n$6\r\nsecret\r\n")
    server.publish(channel, "mine")
    assert page.status() == "mine"
    assert daemon.metric('redis_unexpected_replies_total{kind="foreign_message"}') == 2


# HELLO in other servers' words

@pytest.mark.parametrize("reply", [
    b"-unsupported command 'HELLO'\r\n", b"-ERR command 'HELLO' is not allowed\r\n",
    b"-ERR unknown or unsupported command 'HELLO'\r\n", b"-ERR unsupported command\r\n",
    b"-NOPERM this user has no permissions to run the 'hello' command\r\n",
    b"-ERR Syntax error in HELLO option 'SETNAME'\r\n", b"-ERR syntax error\r\n",
    b"-NOAUTH HELLO must be called with the client already authenticated\r\n",
    b"-NOAUTH Authentication required.\r\n", b"-ERR\r\n", b"-\r\n",
])
def test_hello_may_be_refused_in_any_words(start_daemon, fake_redis, open_page, channel, reply):
    server = fake_redis(answers={"HELLO": reply, "CLIENT": b"-ERR unknown subcommand\r\n"})
    daemon = start_daemon(
        None, STATUS_REDIS_URL=f"redis://:pw@127.0.0.1:{server.port}/0", **QUICK)
    page = open_page(daemon, channel).live()
    server.wait_for("PING", 3)
    server.publish(channel, "x")
    assert page.status() == "x"
    assert [b"AUTH", b"pw"] in server.commands
    assert "SELECT" not in server.names()
    assert not daemon.link_failures()


def test_a_server_that_closes_at_hello_is_spoken_to_in_resp2(
        start_daemon, fake_redis, open_page, channel):
    server = fake_redis()
    server.answers["HELLO"] = server.CLOSE
    daemon = start_daemon(server, **QUICK)
    page = open_page(daemon, channel).live()
    server.publish(channel, "x")
    assert page.status() == "x"
    # It is remembered: the page's own link was not closed first.
    assert server.names().count("HELLO") == 1
    assert not daemon.link_failures()


# Ports

def _time_waits(port):
    """How many connections of this machine to the port wait for their time to be over."""
    rows = subprocess.run(
        ["ss", "-Htan", "state", "time-wait", f"( dport = :{port} )"], capture_output=True,
        text=True, check=True).stdout
    return len(rows.splitlines())


def test_pages_that_come_and_go_leave_no_port_occupied(
        start_daemon, start_redis, raw, channel):
    redis = start_redis()
    daemon = start_daemon(redis)
    # One client of the test's own, for its connections wait as well.
    with redis.client() as client:
        def subscribers():
            return client.pubsub_numsub(channel)[0][1]

        assert subscribers() == 0
        before = _time_waits(redis.port)
        for _ in range(4):
            pages = [raw(daemon).send(upgrade_request("/" + channel)) for _ in range(100)]
            for page in pages:
                assert page.read_answer().status == 101
            assert subscribers() == 100
            for page in pages:
                page.close()
            wait_until(lambda: subscribers() == 0, "the end of the subscriptions")
        assert _time_waits(redis.port) <= before


# The wrong kind of port

@pytest.mark.parametrize("answer, words", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server answers"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH server answers"),
    (b"\x15\x03\x01\x00\x02\x02\x46", "rediss:// is meant"),
])
def test_what_is_no_redis_is_named(start_daemon, cleanup, answer, words):
    peer = RawPeer(answer)
    cleanup.callback(peer.stop)
    daemon = start_daemon(
        None, ready=False, STATUS_REDIS_URL=f"redis://127.0.0.1:{peer.port}/0")
    line = daemon.wait_for_link_failure(cause="wrong_server")
    assert words in line["error"]
    assert json.loads(daemon.get("/ready").body) == ["redis_unavailable"]
