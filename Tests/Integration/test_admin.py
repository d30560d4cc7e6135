"""The admin listener: what it shows, to whom, and what the public port shows no more."""

import http.client
import json
import signal
import socket
import stat
import subprocess

import pytest

from harness.daemon import binary, run_to_end
from harness.raw import http_get, http_request
from harness.waiting import wait_until


@pytest.fixture
def administered(start_redis, start_daemon):
    """A Redis, and a daemon with an admin listener on a free port."""
    def start(**settings):
        redis = start_redis()
        daemon = start_daemon(redis, STATUS_ADMIN_ADDR="127.0.0.1:0", **settings)
        daemon.admin_address = daemon.wait_for_log("admin listening")["address"]
        daemon.admin_port = int(daemon.admin_address.rsplit(":", 1)[1])
        return redis, daemon
    return start


def _page(daemon, path, **headers):
    answer = http_get(daemon.admin_port, path, headers)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.body)


def _connections(daemon, query=""):
    return _page(daemon, f"/debug/connections{query}")["connections"]


# Which port shows what

def test_the_public_port_shows_none_of_it(administered):
    _, daemon = administered()
    for path in ("/health", "/ready", "/metrics", "/debug/connections", "/debug/closed",
                 "/debug/links", "/debug/streams", "/debug/loops", "/debug/trace"):
        assert http_get(daemon.admin_port, path).status == 200, path
    assert daemon.get("/metrics").status == 404
    assert daemon.get("/debug/connections").status == 400
    assert daemon.get("/debug/trace").status == 400
    # Load balancers ask these on the port that pages use.
    assert daemon.get("/health").status == 200
    assert daemon.get("/ready").status == 200


def test_without_an_admin_listener_all_is_as_it_was(start_daemon, redis):
    daemon = start_daemon(redis)
    assert daemon.get("/metrics").status == 200
    assert daemon.log_lines("admin listening") == []


def test_the_reasons_of_unreadiness_are_for_the_admin_alone(administered):
    redis, daemon = administered()
    redis.kill()
    wait_until(lambda: daemon.get("/ready").status == 503, "/ready to answer 503")
    assert json.loads(daemon.get("/ready").body) == ["not_ready"]
    answer = http_get(daemon.admin_port, "/ready")
    assert (answer.status, json.loads(answer.body)) == (503, ["redis_unavailable"])


def test_the_public_port_takes_no_post(administered):
    _, daemon = administered()
    answer = http_request(daemon.port, "POST", "/debug/trace")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_metrics_are_served_whether_enabled_or_not(administered):
    _, daemon = administered(STATUS_METRICS_ENABLED="false")
    answer = http_get(
        daemon.admin_port, "/metrics", {"Accept": "application/openmetrics-text"})
    assert answer.body.endswith(b"# EOF\n")
    assert b"status2_ready 1\n" in answer.body


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0", "10.1.2.3:9100", "host.example:1"])
def test_an_address_that_others_reach_ends_the_start(address, redis):
    done = run_to_end(settings={"STATUS_ADMIN_ADDR": address, "STATUS_REDIS_URL": redis.url,
                                "STATUS_LISTEN_ADDR": "127.0.0.1:0"})
    assert done.returncode == 1
    assert "STATUS_ADMIN_ADDR" in done.stderr and "only this machine reaches" in done.stderr


def test_an_address_that_is_taken_ends_the_start(administered, redis):
    _, daemon = administered()
    done = run_to_end(settings={
        "STATUS_ADMIN_ADDR": daemon.admin_address, "STATUS_REDIS_URL": redis.url,
        "STATUS_LISTEN_ADDR": "127.0.0.1:0"})
    assert done.returncode == 1
    assert "for the admin listener" in done.stderr


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def test_a_unix_socket_is_its_owners_and_goes_with_the_daemon(start_daemon, redis, tmp_path):
    path = tmp_path / "admin.sock"
    daemon = start_daemon(
        redis, STATUS_ADMIN_ADDR=f"unix:{path}", STATUS_METRICS_ENABLED="false")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    connection = _UnixConnection(path)
    connection.request("GET", "/debug/loops")
    assert json.load(connection.getresponse())["loops"][0]["loop"] == 0
    connection.close()
    done = subprocess.run(
        [binary(), "trace", "--admin", f"unix:{path}", "--for", "200ms"],
        capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    daemon.stop()
    assert not path.exists()


def test_pages_of_other_sites_are_refused(administered):
    _, daemon = administered()
    rebound = {"Host": "evil.example:80"}
    assert http_get(daemon.admin_port, "/debug/connections", rebound).status == 403
    crossing = {"Origin": "https://evil.example"}
    assert http_request(daemon.admin_port, "POST", "/debug/trace", crossing).status == 403
    assert _page(daemon, "/debug/trace") == {"on": False}


# Connections

def test_a_page_is_found_by_its_run_with_all_that_is_known(
        administered, open_page, channel):
    redis, daemon = administered(
        STATUS_PING_INTERVAL="100ms", STATUS_REDIS_PING_INTERVAL="100ms")
    page = open_page(daemon, channel).live()
    open_page(daemon, "other:status").live()
    for number in range(3):
        redis.publish(channel, str(number))
        page.status()
    page.pong()
    run, name = channel.split(":")
    rows = wait_until(
        lambda: [row for row in _connections(daemon, f"?run={run.replace(';', '%3B')}")
                 if "heartbeat_rtt_ms" in row and row["redis_rtt_ms"] >= 0], "a round trip")
    assert len(rows) == 1
    row = rows[0]
    assert (row["run"], row["channel"], row["state"]) == (run, name, "open")
    assert row["address"].startswith("127.0.0.1:")
    assert (row["received"], row["delivered"], row["dropped"]) == (3, 3, {})
    assert (row["queued_messages"], row["queued_bytes"]) == (0, 0)
    assert row["link_state"] == "live"
    links = _page(daemon, f"/debug/links?link={row['link']}")["links"]
    assert [link["channels"] for link in links] == [[channel]]
    assert links[0]["server"] == f"127.0.0.1:{redis.port}"
    assert len(_connections(daemon, f"?link={row['link']}")) == 1


def test_filters_of_state_and_address(administered, open_page, raw, channel):
    _, daemon = administered()
    open_page(daemon, channel).live()
    waiting = raw(daemon)
    waiting.send(b"GET / HT")
    wait_until(lambda: len(_connections(daemon)) == 2, "both connections")
    assert [row["state"] for row in _connections(daemon, "?state=request")] == ["request"]
    assert len(_connections(daemon, "?state=open&address=127.0.0.1")) == 1
    assert _connections(daemon, "?address=10.*") == []
    assert _connections(daemon, "?run=*&state=request") == []


def test_the_page_that_is_late_is_found(administered, open_page, raw, channel):
    redis, daemon = administered(STATUS_WRITE_TIMEOUT="1h")
    open_page(daemon, "quick:status").live()
    stuck = raw(daemon, receive_buffer=4096)
    stuck.upgrade(channel)
    assert _connections(daemon, "?late=50ms") == []
    payload = "x" * 60_000

    def late():
        redis.publish(channel, payload)
        return _connections(daemon, "?late=50ms")

    (row,) = wait_until(late, "a late page", 30)
    assert f"{row['run']}:{row['channel']}" == channel
    assert row["queued_bytes"] > 0 and row["oldest_queued_ms"] >= 50


def test_a_long_list_comes_in_parts(administered, open_page):
    _, daemon = administered()
    runs = {f"run{number}" for number in range(25)}
    for run in runs:
        open_page(daemon, f"{run}:status").live()
    seen, cursor, parts = [], "", 0
    while True:
        answer = _page(daemon, f"/debug/connections?limit=10{cursor}")
        assert answer["matched"] == 25 and len(answer["connections"]) <= 10
        seen += [row["run"] for row in answer["connections"]]
        parts += 1
        if "next" not in answer:
            break
        cursor = f"&cursor={answer['next']}"
    assert parts == 3 and len(seen) == 25 and set(seen) == runs


@pytest.mark.parametrize("query", [
    "limit=0", "limit=1001", "limit=all", "cursor=x", "run=[", "late=5", "what=1", "run=a&run=b",
    "run", "run=%zz"])
def test_a_query_that_cannot_be_read_is_refused(administered, query):
    _, daemon = administered()
    answer = http_get(daemon.admin_port, f"/debug/connections?{query}")
    assert answer.status == 400 and answer.body.strip()


# What has ended

def test_what_has_ended_is_remembered_with_its_reason_and_its_ledger(
        administered, open_page, raw, channel):
    redis, daemon = administered()
    page = open_page(daemon, channel).live()
    link = _connections(daemon, "?state=open")[0]["link"]
    redis.publish(channel, "one")
    page.status()
    page.close(1000)
    vanishing = raw(daemon)
    vanishing.upgrade("other:status")
    vanishing.reset()
    rows = wait_until(
        lambda: [row for row in _page(daemon, "/debug/closed")["closed"]] if
        len(_page(daemon, "/debug/closed")["closed"]) == 2 else None, "both ends")
    assert [row["reason"] for row in rows] == ["client_vanished", "client_closed"]
    (row,) = _page(daemon, "/debug/closed?reason=client_closed")["closed"]
    assert f"{row['run']}:{row['channel']}" == channel
    assert (row["code"], row["received"], row["delivered"], row["unsent"]) == (1000, 1, 1, 0)
    assert row["link"] == link
    line = daemon.wait_for_log("client disconnected", reason="client_closed")
    assert row["address"] == line["peer"] and abs(row["duration_ms"] - line["duration_ms"]) < 2


# What is held for pages that may come back

@pytest.mark.parametrize("mode", ["dedicated", "shared"])
def test_what_is_held_for_pages_that_are_away(administered, open_page, mode):
    redis, daemon = administered(
        STATUS_LOOPS="3", STATUS_REDIS_SUBSCRIPTIONS=mode, STATUS_RESUME_WINDOW="5s")
    pages = [open_page(daemon, f"run{number}:status?resume=1").live() for number in range(6)]
    for number, page in enumerate(pages):
        redis.publish(f"run{number}:status", "seen")
        page.status()
    rows = _connections(daemon, "?state=open")
    assert [(row["resumes"], row["resumed"], row["position"], row["held_messages"]) for row in rows
            ] == [(True, "begun", 1, 1)] * 6
    for page in pages[:4]:
        page.connection.socket.shutdown(2)
    kept = wait_until(
        lambda: len(rows := _streams(daemon, "?state=kept")) == 4 and rows, "four kept streams")
    redis.publish("run1:status", "missed")
    (row,) = wait_until(
        lambda: [row for row in _streams(daemon, "?run=run1") if row["position"] == 2],
        "the message to be held")
    assert {row["run"] for row in kept} == {f"run{number}" for number in range(4)}
    assert len({row["id"].split(".")[0] for row in kept}) == 3
    assert (row["state"], row["pages"], row["held_messages"]) == ("kept", 0, 2)
    assert 0 < row["kept_ms"] <= 5000 and row["kept_until"] > row["began"]
    held = sum(row["held_bytes"] for row in _streams(daemon))
    metrics = http_get(daemon.admin_port, "/metrics").body.decode()
    assert f"status2_resume_bytes {held}\n" in metrics
    heard = _streams(daemon, "?state=heard")
    assert {row["run"] for row in heard} == {"run4", "run5"}
    assert {row["stream"] for row in _connections(daemon, "?state=open")} == {
        row["id"] for row in heard}
    wait_until(lambda: _streams(daemon, "?state=kept") == [], "the window to be over", 10)


def _streams(daemon, query=""):
    return _page(daemon, f"/debug/streams{query}")["streams"]


# Links and loops

def test_several_loops_are_one_daemon(administered, open_page):
    redis, daemon = administered(STATUS_LOOPS="3")
    names = [f"run{number}:status" for number in range(9)]
    pages = [open_page(daemon, name).live() for name in names]
    rows = _connections(daemon, "?state=open")
    assert {row["run"] for row in rows} == {f"run{number}" for number in range(9)}
    assert {row["id"].split(".")[0] for row in rows} == {"0", "1", "2"}
    loops = _page(daemon, "/debug/loops")["loops"]
    assert [row["loop"] for row in loops] == [0, 1, 2]
    assert sum(row["websockets"] for row in loops) == 9
    tracing = _Tracing(daemon, "--channel", "run*", "--for", "1s")
    for name, page in zip(names, pages):
        redis.publish(name, f"to {name}")
        page.status()
    status, lines, _ = tracing.end()
    assert status == 0
    for name in names:
        assert any(f'"to {name}"' in line for line in lines), (name, lines)
    for page in reversed(pages):
        page.close()
    wait_until(lambda: _page(daemon, "/debug/closed")["matched"] == 9, "all ends")


def test_the_link_that_is_quiet_is_found(administered, open_page, channel):
    redis, daemon = administered(
        STATUS_REDIS_PING_INTERVAL="300ms", STATUS_REDIS_REQUEST_TIMEOUT="10s")
    open_page(daemon, channel).live()
    assert _page(daemon, "/debug/links?quiet=1s")["links"] == []
    redis.pause()
    try:
        links = wait_until(
            lambda: [link for link in _page(daemon, "/debug/links?quiet=1s&run=*")["links"]],
            "a quiet link")
    finally:
        redis.resume()
    assert links[0]["channels"] == [channel]
    assert links[0]["asking"] and links[0]["state"] == "live" and links[0]["quiet_ms"] >= 1000
    wait_until(lambda: _page(daemon, "/debug/links?quiet=1s")["links"] == [], "Redis to answer")


def test_a_link_that_cannot_be_made_says_why(administered, open_page, channel):
    redis, daemon = administered(STATUS_REDIS_RETRY_BASE="1h", STATUS_REDIS_RETRY_MAX="1h")
    open_page(daemon, channel).live()
    redis.kill()
    (link,) = wait_until(
        lambda: _page(daemon, "/debug/links?run=*&state=backingOff")["links"], "a link that waits")
    assert link["last_cause"] in ("closed", "reset") and link["failed_attempts"] == 1
    assert link["outage_ms"] >= 0


def test_loops_add_up_to_the_metrics(administered, open_page, channel):
    redis, daemon = administered()
    page = open_page(daemon, channel).live()
    redis.publish(channel, "x")
    page.status()
    loops = _page(daemon, "/debug/loops")["loops"]
    assert sum(row["websockets"] for row in loops) == 1
    assert sum(row["delivered"] for row in loops) == 1


# The trace

class _Tracing:
    """`status2 trace` while it runs."""

    def __init__(self, daemon, *arguments):
        self.process = subprocess.Popen(
            [binary(), "trace", "--admin", daemon.admin_address, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: _page(daemon, "/debug/trace")["on"], "the trace to be on")

    def end(self):
        output, errors = self.process.communicate(timeout=20)
        return self.process.returncode, output.splitlines(), errors


def test_one_page_is_watched_in_a_running_daemon(administered, open_page, channel):
    redis, daemon = administered()
    page = open_page(daemon, channel).live()
    open_page(daemon, "other:status").live()
    tracing = _Tracing(daemon, "--channel", channel.split(":")[0] + ":*", "--for", "1s")
    state = _page(daemon, "/debug/trace")
    assert state["to"] == "here" and 0 < state["remaining_ms"] <= 1000
    for number in range(3):
        redis.publish(channel, f"message {number}")
        redis.publish("other:status", "not of this page")
        page.status()
    status, lines, errors = tracing.end()
    assert (status, errors) == (0, "")
    messages = [line for line in lines if '"message"' in line]
    assert [line.split('"')[-2] for line in messages] == [f"message {n}" for n in range(3)]
    assert not any("other:status" in line for line in lines)
    # It has ended by itself, and the daemon has written none of it anywhere else.
    assert _page(daemon, "/debug/trace") == {"on": False}
    assert daemon.stderr == ""
    assert daemon.wait_for_log("trace switched off")


def test_a_trace_ends_with_who_reads_it(administered, open_page, channel):
    _, daemon = administered()
    tracing = _Tracing(daemon, "--for", "1h")
    tracing.process.send_signal(signal.SIGTERM)
    tracing.end()
    wait_until(lambda: not _page(daemon, "/debug/trace")["on"], "the trace to be off")


def test_a_trace_is_ended_by_another_command(administered):
    _, daemon = administered()
    tracing = _Tracing(daemon, "--for", "1h")
    second = subprocess.run(
        [binary(), "trace", "--admin", daemon.admin_address], capture_output=True, text=True,
        timeout=20)
    assert second.returncode == 1 and "a trace is on already" in second.stderr
    off = subprocess.run(
        [binary(), "trace", "--admin", daemon.admin_address, "--off"], capture_output=True,
        text=True, timeout=20)
    assert (off.returncode, off.stdout, off.stderr) == (0, "", "")
    assert tracing.end()[0] == 0


def test_a_trace_that_cannot_be_written_is_a_failure(administered, open_page, channel):
    redis, daemon = administered()
    open_page(daemon, channel).live()
    with subprocess.Popen(
            ["sh", "-c", '"$0" trace --admin "$1" --for 20s > /dev/full', str(binary()),
             daemon.admin_address], stderr=subprocess.PIPE, text=True) as done:
        wait_until(lambda: _page(daemon, "/debug/trace")["on"], "the trace to be on")
        redis.publish(channel, "x")
        assert "cannot write standard output" in done.communicate(timeout=20)[1]
    assert done.returncode == 1


def test_the_configured_sink_gets_the_lines_where_that_is_asked_for(
        start_redis, start_daemon, open_page, channel, tmp_path):
    redis = start_redis()
    trace = tmp_path / "trace"
    daemon = start_daemon(redis, "--trace-file", str(trace), STATUS_ADMIN_ADDR="127.0.0.1:0")
    daemon.admin_port = int(daemon.wait_for_log("admin listening")["address"].rsplit(":", 1)[1])
    page = open_page(daemon, channel).live()
    answer = http_request(
        daemon.admin_port, "POST", "/debug/trace?for=60s&to=sink&format=json")
    assert answer.status == 200
    assert _page(daemon, "/debug/trace")["to"] == "sink"
    redis.publish(channel, "seen")
    page.status()
    wait_until(lambda: "seen" in trace.read_text(), "the line in the file")
    assert http_request(daemon.admin_port, "DELETE", "/debug/trace").status == 200
    # SIGUSR1 begins one again, as it is configured.
    daemon.signal(signal.SIGUSR1)
    wait_until(lambda: _page(daemon, "/debug/trace")["on"], "the trace to be on")


def test_no_password_is_shown(start_daemon, start_redis, open_page, channel):
    redis = start_redis("--requirepass", "s3cr3t-pass", password="s3cr3t-pass")
    url = f"redis://:s3cr3t-pass@127.0.0.1:{redis.port}/0"
    daemon = start_daemon(
        redis, STATUS_REDIS_URL=url, STATUS_ADMIN_ADDR="127.0.0.1:0")
    daemon.admin_address = daemon.wait_for_log("admin listening")["address"]
    daemon.admin_port = int(daemon.admin_address.rsplit(":", 1)[1])
    tracing = _Tracing(daemon, "--for", "1s")
    open_page(daemon, channel).live()
    shown = "".join(
        http_get(daemon.admin_port, path).body.decode() for path in
        ("/metrics", "/debug/connections", "/debug/links", "/debug/loops", "/debug/closed"))
    status, lines, _ = tracing.end()
    assert status == 0 and any("HELLO" in line and "***" in line for line in lines)
    assert "s3cr3t" not in shown + "".join(lines) + daemon.output


def test_the_command_says_what_is_wrong(administered, redis):
    _, daemon = administered()
    cases = [
        (["--admin", "10.0.0.1:1"], 2, "only this machine"),
        (["--admin", "http://127.0.0.1:1"], 2, "--admin"),
        (["--admin", "127.0.0.1:1"], 1, "cannot connect"),
        (["--admin", daemon.admin_address, "--for", "never"], 2, "for "),
        (["--admin", daemon.admin_address, "--for", "2h"], 2, "at most 1h"),
        (["--admin", daemon.admin_address, "--format", "xml"], 2, "format is not"),
        (["--admin", daemon.address], 1, "refuses"),
        ([], 2, "--admin"),
    ]
    for arguments, status, text in cases:
        done = run_to_end("trace", *arguments)
        assert done.returncode == status and text in done.stderr, (arguments, done)


# Under way down, and under attack

def test_it_answers_while_the_daemon_drains(administered, open_page, channel):
    _, daemon = administered(STATUS_DRAIN_DELAY="2s")
    open_page(daemon, channel).live()
    daemon.signal()
    answer = wait_until(
        lambda: (found := http_get(daemon.admin_port, "/ready")).status == 503 and found,
        "/ready to answer 503")
    assert json.loads(answer.body) == ["draining"]
    assert len(_connections(daemon, "?state=open")) == 1
    assert daemon.wait() == 0


def test_connections_are_limited_and_do_not_hold_up_pages(administered, open_page, channel):
    _, daemon = administered()
    idle = [socket.create_connection(("127.0.0.1", daemon.admin_port)) for _ in range(32)]
    try:
        with socket.create_connection(("127.0.0.1", daemon.admin_port)) as one_more:
            one_more.settimeout(10)
            try:
                assert one_more.recv(1) == b""
            except ConnectionResetError:
                pass
        open_page(daemon, channel).live()
    finally:
        for connection in idle:
            connection.close()
    wait_until(lambda: http_get(daemon.admin_port, "/health").status == 200, "room again")


def test_what_is_no_request_is_refused(administered):
    _, daemon = administered()
    with socket.create_connection(("127.0.0.1", daemon.admin_port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert daemon.get("/health").status == 200
