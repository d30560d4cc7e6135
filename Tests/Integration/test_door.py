"""Limits at the door: descriptors, rates, addresses, and what idle connections may hold."""

import os
import resource
import socket

import pytest

from harness.raw import CLOSE, PING, PONG, TEXT, http_get, upgrade_request
from harness.waiting import free_port, wait_until

HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


def refusals(daemon, reason):
    text = daemon.get("/metrics").body.decode()
    start = f'status2_refusals_total{{reason="{reason}"}} '
    return sum(int(line.removeprefix(start)) for line in text.splitlines()
               if line.startswith(start))


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def limit_descriptors(daemon, count):
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (count, count))


def processor_seconds(daemon):
    with open(f"/proc/{daemon.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def has_ended(connection):
    connection.socket.setblocking(False)
    try:
        return connection.socket.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        connection.socket.setblocking(True)


# Descriptors

def test_without_descriptors_accepting_waits_without_spinning(
        start_daemon, redis, open_page, raw, channel):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="200ms")
    pages = [open_page(daemon, channel).live() for _ in range(5)]
    # What the metrics count is a moment old: the connections of /ready must have gone.
    wait_until(lambda: daemon.metric("connections_active") == 5, "five pages")
    limit_descriptors(daemon, descriptors(daemon))
    waiting = [raw(daemon).send(HEALTH) for _ in range(30)]
    daemon.wait_for_log("accept failed; accepting pauses")
    before = processor_seconds(daemon)
    for _ in range(10):
        pages[0].next_of("ping")
    # Two seconds have gone by, in which the loop had next to nothing to do.
    assert processor_seconds(daemon) - before < 0.3
    assert daemon.is_running
    for page in pages[1:]:
        page.close()
    for connection in waiting:
        answer = connection.read_answer()
        assert (answer.status, answer.body) == (200, b"OK")
        connection.close()
    assert daemon.get("/health").status == 200
    assert daemon.metric("accept_failures_total") > 0
    pages[0].next_of("ping")


def test_without_descriptors_connections_that_say_nothing_give_way(
        start_daemon, redis, open_page, raw, channel):
    daemon = start_daemon(redis)
    page = open_page(daemon, channel).live()
    limit_descriptors(daemon, descriptors(daemon) + 10)
    idle = [raw(daemon) for _ in range(15)]
    daemon.wait_for_log("accept failed; accepting pauses")
    before = processor_seconds(daemon)
    # Long before any of them has used up its time for a request.
    asking = raw(daemon).send(HEALTH)
    assert asking.read_answer().status == 200
    assert processor_seconds(daemon) - before < 0.3
    assert has_ended(idle[0])
    assert not has_ended(idle[-1])
    for connection in idle:
        connection.close()
    asking.close()
    wait_until(lambda: refusals(daemon, "gave_way") > 0, "the count")
    page.send({"type": "init"})
    page.next_of("ping")


def test_idle_connections_up_to_the_limit_do_not_keep_health_from_its_answer(
        start_daemon, redis, raw):
    # With 300 descriptors there is room for so many connections beside the links.
    port = free_port()
    daemon = start_daemon(
        redis, STATUS_MAX_CONNECTIONS=10, STATUS_LISTEN_ADDR=f"127.0.0.1:{port}",
        limits={resource.RLIMIT_NOFILE: 300})
    idle = [raw(daemon) for _ in range(250)]
    for _ in range(5):
        assert daemon.get("/health").status == 200
    assert refusals(daemon, "gave_way") >= 80
    assert daemon.metric("accept_failures_total") == 0
    assert has_ended(idle[0]) and not has_ended(idle[-1])


# Rates

def test_beyond_the_accept_rate_connections_wait_for_their_turn(start_daemon, redis, raw):
    daemon = start_daemon(redis, STATUS_ACCEPT_RATE=50)
    connections = [raw(daemon).send(HEALTH) for _ in range(80)]
    before = processor_seconds(daemon)
    for connection in connections:
        assert connection.read_answer().status == 200
    assert processor_seconds(daemon) - before < 0.5
    assert daemon.metric("accept_pauses_total") > 0
    assert len(daemon.log_lines("accepting pauses: more connections than STATUS_ACCEPT_RATE")) == 1


@pytest.mark.parametrize("opcode", [TEXT, PING])
def test_too_many_messages_are_closed_1008(start_daemon, redis, raw, channel, opcode):
    daemon = start_daemon(redis, STATUS_MAX_MESSAGE_RATE=10)
    connection = raw(daemon).upgrade(channel)
    for _ in range(80):
        connection.send_frame(opcode, b"{}")
    frame = connection.read_until(CLOSE)
    assert frame.code == 1008
    assert frame.payload[2:] == b"message rate"
    connection.close()
    assert daemon.wait_for_log("client disconnected")["reason"] == "message_rate"
    assert refusals(daemon, "message_rate") == 1


def test_a_page_that_answers_its_pings_is_far_from_the_rate(daemon, raw, channel):
    connection = raw(daemon).upgrade(channel)
    for _ in range(100):
        connection.send_frame(PING, b"x")
    for _ in range(100):
        assert connection.read_until(PONG).payload == b"x"


# Addresses

@pytest.fixture
def behind_a_proxy(start_daemon, redis):
    return start_daemon(
        redis, STATUS_MAX_CONNECTIONS_PER_ADDRESS=2,
        STATUS_TRUSTED_PROXIES="127.0.0.0/8, 10.0.0.0/8")


def test_an_address_over_its_cap_gets_429(behind_a_proxy, raw, channel):
    daemon = behind_a_proxy

    def ask(address):
        connection = raw(daemon).send(upgrade_request("/" + channel, X_Forwarded_For=address))
        return connection, connection.read_answer()

    answers = [ask(address) for address in (
        "203.0.113.7", "1.1.1.1, 203.0.113.7", "203.0.113.7:999, 10.0.0.5")]
    assert [answer.status for _, answer in answers] == [101, 101, 429]
    assert int(answers[2][1].headers["retry-after"]) > 0
    assert [ask("203.0.113.8")[1].status, ask("2001:db8::1")[1].status] == [101, 101]
    assert refusals(daemon, "address_limit") == 1
    # Its place is free again when a WebSocket of it has ended.
    answers[0][0].reset()
    wait_until(lambda: ask("203.0.113.7")[1].status == 101, "a free place")


def test_the_log_names_the_client_and_the_proxy(behind_a_proxy, raw, channel):
    connection = raw(behind_a_proxy).upgrade(channel, X_Forwarded_For="203.0.113.7")
    line = behind_a_proxy.wait_for_log("client connected", peer="203.0.113.7")
    assert line["via"].startswith("127.0.0.1:")
    connection.reset()
    behind_a_proxy.wait_for_log("client disconnected", peer="203.0.113.7", via=line["via"])


def test_without_trusted_proxies_nobody_s_word_counts(daemon, raw, channel):
    raw(daemon).upgrade(channel, X_Forwarded_For="203.0.113.7")
    run_id, name = channel.split(":")
    line = daemon.wait_for_log("client connected", run_id=run_id, channel=name)
    assert line["peer"].startswith("127.0.0.1:") and "via" not in line


# Unix sockets

def _ask_unix(path, request):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(request)
        return connection.recv(65536)


def test_the_file_of_a_unix_socket_goes_with_the_daemon(start_daemon, redis, tmp_path, channel):
    path = tmp_path / "status2.sock"
    daemon = start_daemon(
        redis, ready=False, STATUS_LISTEN_ADDR=f"unix:{path}", STATUS_TRUSTED_PROXIES="unix")
    daemon.wait_for_log("ready")
    assert _ask_unix(path, HEALTH).startswith(b"HTTP/1.1 200")
    assert _ask_unix(
        path, upgrade_request("/" + channel, X_Forwarded_For="203.0.113.7")
    ).startswith(b"HTTP/1.1 101")
    daemon.wait_for_log("client connected", peer="203.0.113.7", via="unix")
    daemon.signal()
    assert daemon.wait() == 0
    assert not path.exists()


def test_a_file_that_has_taken_the_socket_s_place_stays(start_daemon, redis, tmp_path):
    path = tmp_path / "status2.sock"
    daemon = start_daemon(redis, ready=False, STATUS_LISTEN_ADDR=f"unix:{path}")
    daemon.wait_for_log("ready")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as successor:
        successor.bind(str(path))
        daemon.signal()
        assert daemon.wait() == 0
        assert path.exists()


def test_an_end_at_start_leaves_no_socket_file(start_daemon, fake_redis, tmp_path):
    path = tmp_path / "status2.sock"
    server = fake_redis(answers={"AUTH": b"-WRONGPASS wrong\r\n"})
    daemon = start_daemon(
        None, ready=False, STATUS_LISTEN_ADDR=f"unix:{path}",
        STATUS_REDIS_URL=f"redis://:wrong@127.0.0.1:{server.port}/2")
    assert daemon.wait() == 1
    assert not path.exists()
