"""`status2 healthcheck`, `status2 publish` and `status2 watch`: the binary against a deployment."""

import json
import os
import signal
import ssl
import subprocess
import threading

import pytest
from websockets.sync.server import serve

from harness import daemon as daemon_module
from harness.certificates import Authority
from harness.daemon import run_to_end
from harness.tls_redis import RawPeer
from harness.waiting import free_port, wait_until

PASSWORD = "s3cret-pa55"


# healthcheck

def _health(*arguments, **settings):
    return run_to_end("healthcheck", *arguments, settings=settings)


def test_a_daemon_that_serves_is_well(start_daemon, redis):
    daemon = start_daemon(redis)
    for arguments in ([], ["--ready"]):
        done = _health(*arguments, STATUS_LISTEN_ADDR=daemon.address)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _health("--listen-addr", daemon.address).returncode == 0


def test_a_daemon_without_redis_is_well_and_not_ready(start_daemon, start_redis):
    redis = start_redis()
    daemon = start_daemon(redis)
    redis.stop()
    wait_until(lambda: not daemon.is_ready(), "the daemon to miss Redis")
    assert _health(STATUS_LISTEN_ADDR=daemon.address).returncode == 0
    done = _health("--ready", STATUS_LISTEN_ADDR=daemon.address)
    assert done.returncode == 1
    assert "503" in done.stderr and "redis_unavailable" in done.stderr


def test_a_unix_socket_is_asked_too(start_daemon, redis, tmp_path):
    address = f"unix:{tmp_path}/status2.sock"
    daemon = start_daemon(redis, ready=False, STATUS_LISTEN_ADDR=address)
    daemon.wait_for_log("ready")
    assert _health("--ready", STATUS_LISTEN_ADDR=address).returncode == 0
    daemon.stop()
    done = _health(STATUS_LISTEN_ADDR=address)
    assert done.returncode == 1 and "refused" in done.stderr


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1", "[::]", "localhost"])
def test_the_address_of_every_interface_is_asked_on_this_machine(start_daemon, redis, host):
    port = free_port()
    daemon = start_daemon(redis, ready=False, STATUS_LISTEN_ADDR=f"{host}:{port}")
    daemon.wait_for_log("ready")
    assert _health(STATUS_LISTEN_ADDR=f"{host}:{port}").returncode == 0


def test_nobody_or_a_stranger_is_not_well():
    done = _health(STATUS_LISTEN_ADDR=f"127.0.0.1:{free_port()}")
    assert done.returncode == 1 and "connection refused" in done.stderr
    stranger = RawPeer(b"SSH-2.0-OpenSSH_9\r\n")
    try:
        done = _health("--timeout", "1s", STATUS_LISTEN_ADDR=f"127.0.0.1:{stranger.port}")
        assert done.returncode == 1
    finally:
        stranger.stop()
    assert _health(STATUS_LISTEN_ADDR="127.0.0.1:0").returncode == 1
    assert _health(STATUS_LISTEN_ADDR="nowhere").returncode == 1
    assert _health("--timeout", "soon").returncode == 2


def test_a_daemon_that_stands_still_is_not_well_after_the_timeout(start_daemon, redis):
    daemon = start_daemon(redis)
    daemon.signal(signal.SIGSTOP)
    done = _health("--timeout", "300ms", STATUS_LISTEN_ADDR=daemon.address)
    daemon.signal(signal.SIGCONT)
    assert done.returncode == 1 and "no answer in time" in done.stderr


# publish

def _publish(redis, *arguments, stdin=b"", **settings):
    return subprocess.run(
        [str(daemon_module.binary()), "publish", *arguments], input=stdin, capture_output=True,
        timeout=10, env={"STATUS_REDIS_URL": redis.url} | settings)


def test_a_message_reaches_the_page_and_the_receivers_are_printed(
        start_daemon, redis, open_page, channel):
    daemon = start_daemon(redis)
    assert _publish(redis, channel, "early").stdout == b"0\n"
    page = open_page(daemon, channel).live()
    done = _publish(redis, channel, "hellö")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")
    assert page.status() == "hellö"
    done = _publish(redis, channel, "-", stdin=b"two\nlines\n")
    assert done.stdout == b"1\n" and page.status() == "two\nlines\n"
    done = _publish(redis, channel, "-", "--lines", stdin=b"one\n\ntwo")
    assert done.stdout == b"1\n1\n1\n"
    assert [page.status() for _ in range(3)] == ["one", "", "two"]


def test_what_no_page_gets_is_remarked_on(redis):
    assert b"not run:channel" in _publish(redis, "nocolon", "x").stderr
    done = _publish(redis, "a:b", "xx", STATUS_MAX_PAYLOAD_SIZE="1")
    assert done.returncode == 0 and b"STATUS_MAX_PAYLOAD_SIZE" in done.stderr


def test_redis_is_logged_in_to_and_a_refusal_is_told_without_the_password(start_redis):
    redis = start_redis("--requirepass", PASSWORD, password=PASSWORD)
    good = f"redis://:{PASSWORD}@127.0.0.1:{redis.port}/2"
    assert _publish(redis, "a:b", "x", STATUS_REDIS_URL=good).stdout == b"0\n"
    for url, words in ((redis.url, b"NOAUTH"), (good.replace("pa55", "no"), b"WRONGPASS")):
        done = _publish(redis, "a:b", "x", STATUS_REDIS_URL=url)
        assert done.returncode == 1 and words in done.stderr and done.stdout == b""
        assert b"s3cret" not in done.stderr
    gone = f"redis://127.0.0.1:{free_port()}/2"
    assert b"connection refused" in _publish(redis, "a:b", "x", "--redis-url", gone).stderr
    assert _publish(redis, "a:b", "x", "--lines").returncode == 2


# watch

class _Watch:
    """`status2 watch` with what it prints."""

    def __init__(self, url, *arguments):
        self.process = subprocess.Popen(
            [str(daemon_module.binary()), "watch", url, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env={})
        self.lines, self.told = [], []
        for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.told)):
            threading.Thread(target=lines.extend, args=(stream,), daemon=True).start()

    def wait_for(self, words, count=1):
        wait_until(
            lambda: sum(words in line for line in self.told) >= count,
            f"{words} among {self.told}")

    def wait_for_lines(self, *lines):
        wait_until(lambda: len(self.lines) >= len(lines), f"{lines}, not {self.lines}")
        assert self.lines == [line + "\n" for line in lines]

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@pytest.fixture
def watch(cleanup):
    def start(url, *arguments):
        started = _Watch(url, *arguments)
        cleanup.callback(started.stop)
        return started

    return start


def test_each_message_is_a_line_and_no_message_moves_the_cursor(
        start_daemon, redis, watch, channel):
    daemon = start_daemon(redis, STATUS_PING_INTERVAL="100ms", STATUS_PONG_TIMEOUT="500ms")
    seen = watch(f"ws://{daemon.address}/{channel}")
    seen.wait_for("open")
    redis.wait_for_subscribers(channel, 1)
    for payload in ("one", "two\nlines", "\x1b[2J\ttab", 'quote " and \\ 😀'):
        redis.publish(channel, payload)
    seen.wait_for_lines("one", "two\\nlines", "\\u{1b}[2J\ttab", 'quote " and \\ 😀')
    # It answers heartbeats, so it outlives its pong time-out.
    daemon.wait_for_metric("connections_active", 1)
    with pytest.raises(subprocess.TimeoutExpired):
        seen.process.wait(1.5)
    assert len(seen.told) == 1
    seen.process.send_signal(signal.SIGINT)
    assert seen.process.wait(5) == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_that_is_ended_takes_its_leave_so_that_nothing_is_kept_for_it(
        start_daemon, redis, watch, channel, number):
    daemon = start_daemon(redis)
    seen = watch(f"ws://{daemon.address}/{channel}", "--resume")
    redis.wait_for_subscribers(channel, 1)
    seen.wait_for("open")
    seen.process.send_signal(number)
    assert seen.process.wait(5) == -number
    line = daemon.wait_for_log("client disconnected")
    assert line["reason"] == "client_closed" and line["code"] == 1000
    redis.wait_for_subscribers(channel, 0)


def test_one_that_waits_to_come_back_ends_at_once(watch):
    seen = watch(f"ws://127.0.0.1:{free_port()}/run:status")
    seen.wait_for("again in")
    seen.process.send_signal(signal.SIGINT)
    assert seen.process.wait(5) == -signal.SIGINT


def test_it_ends_after_so_many_messages(start_daemon, redis, watch, channel):
    daemon = start_daemon(redis)
    seen = watch(f"http://{daemon.address}/{channel}", "--count", "2", "--json")
    redis.wait_for_subscribers(channel, 1)
    for payload in ("a", "b", "c"):
        redis.publish(channel, payload)
    assert seen.process.wait(10) == 0
    frames = [json.loads(line) for line in seen.lines]
    assert [frame["data"] for frame in frames] == ["a", "b"]
    # It says good-bye, so that nothing is kept for it.
    daemon.wait_for_log("client disconnected", code=1000)


def test_it_comes_back_after_a_restart_of_the_daemon(start_daemon, redis, watch, channel):
    address = f"127.0.0.1:{free_port()}"
    first = start_daemon(redis, STATUS_LISTEN_ADDR=address)
    seen = watch(f"ws://{address}/{channel}")
    seen.wait_for("open")
    first.stop()
    seen.wait_for("closed with 1012")
    start_daemon(redis, STATUS_LISTEN_ADDR=address)
    seen.wait_for("open", 2)
    redis.wait_for_subscribers(channel, 1)
    redis.publish(channel, "back")
    seen.wait_for_lines("back")


def test_outages_and_gaps_are_told_of(start_daemon, start_redis, watch, channel):
    redis = start_redis()
    daemon = start_daemon(redis, STATUS_GAP_NOTICES="true")
    seen = watch(f"ws://{daemon.address}/{channel}")
    redis.wait_for_subscribers(channel, 1)
    redis.kill()
    seen.wait_for("outage since 20")
    redis.start()
    seen.wait_for("gap (redis_outage): messages may be missing from 20")
    assert seen.lines == []


def test_a_hangup_ends_it_and_a_refusal_too(start_daemon, redis, watch, channel):
    daemon = start_daemon(redis, STATUS_SEND_HANGUP="true", STATUS_ALLOWED_ORIGINS="a.example")
    url = f"ws://{daemon.address}/{channel}"
    refused = watch(url, "--origin", "https://b.example")
    assert refused.process.wait(10) == 1
    refused.wait_for("status 403")
    assert watch(f"ws://{daemon.address}/nocolon").process.wait(10) == 1
    seen = watch(url, "--origin", "https://a.example")
    seen.wait_for("open")
    daemon.stop()
    assert seen.process.wait(10) == 0
    seen.wait_for("hangup")


def test_without_reconnect_the_end_is_a_failure(start_daemon, redis, watch, channel):
    daemon = start_daemon(redis)
    seen = watch(f"ws://{daemon.address}/{channel}", "--no-reconnect")
    seen.wait_for("open")
    daemon.stop()
    assert seen.process.wait(10) == 1
    assert watch(f"ws://127.0.0.1:{free_port()}/{channel}", "--no-reconnect").process.wait(10) == 1


def test_it_ends_quietly_when_nobody_reads_and_loudly_on_a_full_disk(
        start_daemon, redis, channel):
    daemon = start_daemon(redis)
    for redirection, status, words in (("| head -n 1", 0, ""), ("> /dev/full", 1, "cannot write")):
        command = f"\"$0\" watch 'ws://{daemon.address}/{channel}' {redirection}"
        process = subprocess.Popen(
            ["sh", "-c", command, str(daemon_module.binary())], stderr=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
        redis.wait_for_subscribers(channel, 1)
        redis.publish(channel, "one")
        if status == 0:
            assert process.stdout.readline() == "one\n"
            redis.publish(channel, "two")
        _, errors = process.communicate(timeout=10)
        assert process.returncode == status and words in errors
        redis.wait_for_subscribers(channel, 0)


def _numbering_relay(cleanup, ids):
    """A relay that sends a ping and a message with these numbers, then closes; its paths."""
    paths = []

    def serve_page(page):
        paths.append(page.request.path)
        for kind, number in zip(("ping", "status"), ids):
            page.send(json.dumps({"type": kind, "data": "x", "id": number}))
        page.close(1001)

    server = serve(serve_page, "127.0.0.1", 0, compression=None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cleanup.callback(server.shutdown)
    return server.socket.getsockname()[1], paths


@pytest.mark.parametrize("ids, resumed", [
    (("e1-7", "e1-8"), "/run:status?resume=e1-8"), (("e1-7",), "/run:status?resume=e1-7"),
    (("e1-7", "a&b=c"), "/run:status?resume=e1-7"), ((None, None), "/run:status?resume=1")])
def test_it_resumes_where_the_relay_numbers_messages(cleanup, watch, ids, resumed):
    port, paths = _numbering_relay(cleanup, ids)
    seen = watch(f"ws://127.0.0.1:{port}/run:status", "--resume")
    wait_until(lambda: len(paths) > 1, "the page to come back")
    assert paths[:2] == ["/run:status?resume=1", resumed]
    assert set(seen.lines) <= {"x\n"}
    assert any("numbers no messages" in line for line in seen.told) == (ids[0] is None)


def test_wss_verifies_the_certificate(cleanup, watch, tmp_path):
    authority = Authority(tmp_path)
    files = authority.issue("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)

    def serve_page(page):
        page.send('{"type":"ping"}')
        page.send('{"type":"status","data":"secret"}')
        page.recv(10)

    server = serve(serve_page, "127.0.0.1", 0, ssl=context, compression=None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cleanup.callback(server.shutdown)
    url = f"wss://localhost:{server.socket.getsockname()[1]}/run:status"
    seen = watch(url, "--count", "1", "--ca-file", str(authority.file))
    assert seen.process.wait(10) == 0
    seen.wait_for_lines("secret")
    stranger = watch(url)
    assert stranger.process.wait(10) == 1
    stranger.wait_for("not signed by a trusted authority")


@pytest.mark.parametrize("url", ["127.0.0.1:9002/a:b", "ftp://h/a:b", "ws://h", "ws://h/", "ws:///a:b"])
def test_what_is_no_url_of_a_channel_is_a_usage_error(url):
    assert run_to_end("watch", url).returncode == 2
