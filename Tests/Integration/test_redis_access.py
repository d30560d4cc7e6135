"""Ways to reach Redis: old servers, users and passwords, sockets, the variables' order."""

import pytest
import redis as redis_library
from websockets.sync.client import unix_connect

from harness.fake_redis import FakeRedis
from harness.waiting import wait_until

PASSWORD = "pa55:w0rd/@%"
ENCODED = "pa55%3Aw0rd%2F%40%25"


def _relays(daemon, redis, open_page, channel):
    page = open_page(daemon, channel).live()
    redis.publish(channel, "hello")
    assert page.status() == "hello"


# RESP2

def test_a_server_that_knows_no_hello_is_spoken_to_in_resp2(
        start_daemon, fake_redis, open_page, channel):
    server = fake_redis()
    daemon = start_daemon(server)
    _relays(daemon, server, open_page, channel)
    assert [b"CLIENT", b"SETNAME", b"status2"] in server.commands
    assert [b"SELECT", b"2"] in server.commands
    # The name is set before the subscription.
    names = server.names()
    assert names.index("CLIENT") < names.index("SUBSCRIBE")


@pytest.mark.parametrize("reply", [
    b"-NOPROTO unsupported protocol version\r\n", b"-ERR unknown command `HELLO`\r\n"])
def test_a_server_that_refuses_resp3_is_spoken_to_in_resp2(
        start_daemon, fake_redis, open_page, channel, reply):
    server = fake_redis(answers={"HELLO": reply})
    daemon = start_daemon(server)
    _relays(daemon, server, open_page, channel)


def test_a_server_that_knows_no_names_is_relayed_from(
        start_daemon, fake_redis, open_page, channel):
    server = fake_redis(answers={"CLIENT": b"-ERR unknown command 'CLIENT'\r\n"})
    daemon = start_daemon(server)
    _relays(daemon, server, open_page, channel)


def test_in_resp2_the_password_is_given_by_auth(start_daemon, fake_redis, open_page, channel):
    server = fake_redis()
    daemon = start_daemon(
        None, STATUS_REDIS_URL=f"redis://:{ENCODED}@127.0.0.1:{server.port}/2")
    _relays(daemon, server, open_page, channel)
    assert [b"AUTH", PASSWORD.encode()] in server.commands
    assert PASSWORD not in daemon.output


def test_in_resp2_a_quiet_link_is_kept_by_ping(start_daemon, fake_redis, open_page, channel):
    server = fake_redis()
    daemon = start_daemon(
        server, STATUS_REDIS_PING_INTERVAL="50ms", STATUS_REDIS_REQUEST_TIMEOUT="500ms")
    page = open_page(daemon, channel).live()
    server.wait_for("PING", 12)
    server.publish(channel, "x")
    assert page.status() == "x"
    assert daemon.metric("redis_reconnects_total") == 0
    assert not daemon.link_failures()


# Users, passwords, sockets

def test_a_password_in_the_url(start_daemon, start_redis, open_page, channel):
    redis = start_redis("--requirepass", PASSWORD, password=PASSWORD)
    daemon = start_daemon(
        None, STATUS_LOG_LEVEL="debug",
        STATUS_REDIS_URL=f"redis://:{ENCODED}@127.0.0.1:{redis.port}/2")
    _relays(daemon, redis, open_page, channel)
    assert PASSWORD not in daemon.output and ENCODED not in daemon.output


def test_an_acl_user_with_its_password(start_daemon, start_redis, open_page, channel):
    redis = start_redis()
    redis.cli("ACL", "SETUSER", "relay", "on", ">s3cret", "&*", "+@pubsub", "+@connection")
    daemon = start_daemon(
        None, STATUS_REDIS_URL=f"redis://relay:s3cret@127.0.0.1:{redis.port}/2")
    _relays(daemon, redis, open_page, channel)
    assert any(" user=relay " in line for line in redis.connections_named("status2"))
    assert "s3cret" not in daemon.output


@pytest.mark.parametrize("form", ["text", "json", "hex"])
@pytest.mark.parametrize("answers", [{}, {"HELLO": b"+OK\r\n"}], ids=["RESP2", "RESP3"])
def test_a_password_reaches_no_trace(
        start_daemon, fake_redis, open_page, channel, form, answers):
    server = fake_redis(answers=answers)
    daemon = start_daemon(
        None, "--trace", f"--trace-format={form}", STATUS_LOG_LEVEL="debug",
        STATUS_REDIS_URL=f"redis://relay:{ENCODED}@127.0.0.1:{server.port}/2")
    _relays(daemon, server, open_page, channel)
    wait_until(lambda: len(daemon.stderr.splitlines()) > 5, "the trace")
    assert any(PASSWORD.encode() in command for command in server.commands)
    for secret in (PASSWORD, ENCODED, PASSWORD.encode().hex()):
        assert secret not in daemon.output


def test_redis_password_is_put_into_a_url_without_one(
        start_daemon, start_redis, open_page, channel):
    redis = start_redis("--requirepass", PASSWORD, password=PASSWORD)
    daemon = start_daemon(None, STATUS_REDIS_URL=redis.url, REDIS_PASSWORD=PASSWORD)
    _relays(daemon, redis, open_page, channel)
    assert PASSWORD not in daemon.output


def test_a_unix_socket(start_daemon, start_redis, open_page, channel, tmp_path):
    path = tmp_path / "redis.sock"
    redis = start_redis("--unixsocket", str(path))
    daemon = start_daemon(None, STATUS_REDIS_URL=f"unix://{path}")
    _relays(daemon, redis, open_page, channel)
    assert all(str(path) in line for line in redis.connections_named("status2"))


def test_a_name_is_looked_up(start_daemon, redis, open_page, channel):
    # localhost may give ::1 first, where nobody listens: the next address is tried.
    daemon = start_daemon(None, STATUS_REDIS_URL=f"redis://localhost:{redis.port}/2")
    _relays(daemon, redis, open_page, channel)


@pytest.mark.parametrize("variables", [
    {"REDIS_URL": "redis://127.0.0.1:{port}/2"},
    {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "{port}"},
    {"REDIS_URL": "redis://127.0.0.1:{port}/2", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1"},
    {"STATUS_REDIS_URL": "redis://127.0.0.1:{port}/2", "REDIS_URL": "redis://127.0.0.1:1/2"},
], ids=["REDIS_URL", "REDIS_HOST and REDIS_PORT", "REDIS_URL first", "STATUS_REDIS_URL first"])
def test_the_variables_count_in_their_order(start_daemon, redis, open_page, channel, variables):
    values = {name: value.format(port=redis.port) for name, value in variables.items()}
    daemon = start_daemon(None, **values)
    _relays(daemon, redis, open_page, channel)


def test_a_url_without_a_database_selects_none(start_daemon, fake_redis):
    server = fake_redis()
    start_daemon(None, STATUS_REDIS_URL=f"redis://127.0.0.1:{server.port}")
    assert "SELECT" not in server.names()


def test_browsers_may_come_by_a_unix_socket(start_daemon, redis, tmp_path, channel):
    path = tmp_path / "listen.sock"
    # The second one finds the first one's socket, or none, and listens all the same.
    for _ in range(2):
        daemon = start_daemon(redis, ready=False, STATUS_LISTEN_ADDR=f"unix:{path}")
        daemon.wait_for_log("ready")
        with unix_connect(str(path), uri=f"ws://localhost/{channel}") as connection:
            assert connection.recv(10) == '{"type":"ping"}'
            redis.publish(channel, "x")
            assert '"data":"x"' in connection.recv(10)
        daemon.stop()


def test_the_fake_server_is_no_real_redis():
    """What these tests lean on: the fake answers HELLO with an error."""
    server = FakeRedis()
    try:
        with redis_library.Redis(port=server.port, protocol=3, retry=None) as client:
            with pytest.raises(redis_library.RedisError):
                client.execute_command("HELLO", 3)
    finally:
        server.stop()
