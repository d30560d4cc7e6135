"""`--trace` and `status2 decode`: the traffic with Redis as people and programs read it."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest
import redis as redis_library

from harness.daemon import binary, run_to_end
from harness.waiting import wait_until

PASSWORD = "tr4ce-pa55"
FORMS = ["text", "json", "hex"]
# A value of each kind that a Pub/Sub link can see, and one that no link sees.
WIRE = (b"+OK\r\n>3\r\n$7\r\nmessage\r\n$3\r\na:b\r\n$3\r\n\xff\x00\n\r\n:-7\r\n_\r\n#t\r\n,inf\r\n"
        b"%1\r\n+k\r\n*2\r\n$-1\r\n=7\r\ntxt:abc\r\n|1\r\n+ttl\r\n:3\r\n-ERR no\r\n")


def decode(kind, *arguments, data=b""):
    """Status, lines and standard error of `status2 decode`."""
    done = subprocess.run(
        [str(binary()), "decode", kind, *map(str, arguments)], input=data, capture_output=True,
        timeout=20)
    return done.returncode, done.stdout.decode().splitlines(), done.stderr.decode()


def values(lines):
    return [json.loads(line) for line in lines]


# decode resp

def test_each_value_is_a_line(tmp_path):
    status, lines, errors = decode("resp", data=WIRE)
    assert (status, errors) == (0, "")
    assert values(lines) == [
        {"type": "simple_string", "value": "OK"},
        {"type": "push", "value": [
            {"type": "blob_string", "value": "message"}, {"type": "blob_string", "value": "a:b"},
            {"type": "blob_string", "value": {"base64": "/wAK"}}]},
        {"type": "number", "value": -7},
        {"type": "null", "value": None},
        {"type": "boolean", "value": True},
        {"type": "double", "value": "inf"},
        {"type": "map", "value": [[
            {"type": "simple_string", "value": "k"},
            {"type": "array", "value": [
                {"type": "null", "value": None},
                {"type": "verbatim_string", "value": {"format": "txt", "text": "abc"}}]}]]},
        {"type": "attribute", "value": [[
            {"type": "simple_string", "value": "ttl"}, {"type": "number", "value": 3}]]},
        {"type": "simple_error", "value": "ERR no"},
    ]
    capture = tmp_path / "capture"
    capture.write_bytes(WIRE)
    assert decode("resp", capture) == (status, lines, errors)
    assert decode("resp", "-", data=WIRE) == (status, lines, errors)


@pytest.mark.parametrize("data, count, status, error", [
    (b"", 0, 0, ""),
    (b":1\r\nx", 1, 1, "error at byte 4: unknown type\n"),
    (b":1\r\n$-2\r\n", 1, 1, "error at byte 5: malformed length\n"),
    (b":1\r\n$9223372036854775807\r\n", 1, 1, "error at byte 5: bulk string over the limit\n"),
    (b":1\r\n$3\r\nab", 1, 3, "incomplete at byte 10\n"),
    (b":1\r\n*2\r\n:1\r\n", 1, 3, "incomplete at byte 12\n"),
    (b":1", 0, 3, "incomplete at byte 2\n"),
])
def test_the_status_tells_how_a_capture_ends(data, count, status, error):
    found, lines, errors = decode("resp", data=data)
    assert (found, len(lines), errors) == (status, count, error)


@pytest.mark.parametrize("path", ["/nonexistent/capture", "/"])
def test_a_file_that_cannot_be_read_is_told_of_in_one_line(path):
    for kind in ("resp", "ws"):
        status, lines, errors = decode(kind, path)
        assert (status, lines) == (1, [])
        assert errors.count("\n") == 1 and path in errors


@pytest.mark.parametrize("arguments", [
    ["decode"], ["decode", "x"], ["decode", "resp", "--bogus"], ["decode", "resp", "a", "b"],
    ["decode", "ws", "--role", "x"], ["--trace-format", "x"], ["--trace-link", "0"],
    ["--trace-link", "x"], ["--trace-max-bytes", "-1"], ["--trace-channel", "[a"],
    ["--trace-file-size", "1000000"], ["--trace-file", "x", "--trace-file-size", "10"],
])
def test_a_wrong_command_line_is_a_usage_error(arguments):
    done = run_to_end(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_lines_come_while_the_capture_goes_on():
    process = subprocess.Popen(
        [str(binary()), "decode", "resp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        process.stdin.write(b":1\r\n:2")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["value"] == 1
        process.stdin.write(b"3\r\n")
        process.stdin.close()
        assert json.loads(process.stdout.readline())["value"] == 23
        assert process.wait(10) == 0


def test_a_reader_that_leaves_ends_it_quietly(tmp_path):
    capture = tmp_path / "capture"
    capture.write_bytes(b":1\r\n" * 500_000)
    process = subprocess.Popen(
        [str(binary()), "decode", "resp", str(capture)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    with process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == -signal.SIGPIPE


# decode ws

HELLO = b"\x81\x05Hello"
MASKED = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"


@pytest.mark.parametrize("arguments, data", [
    ([], HELLO), ([], MASKED), (["--role", "client"], HELLO), (["--role", "server"], MASKED)])
def test_each_frame_is_a_line(arguments, data):
    status, lines, errors = decode("ws", *arguments, data=data)
    assert (status, errors) == (0, "")
    assert values(lines) == [{
        "opcode": "text", "fin": True, "masked": data == MASKED, "length": 5, "payload": "Hello"}]


@pytest.mark.parametrize("arguments, data, count, status, error", [
    ([], b"", 0, 0, ""),
    ([], HELLO + HELLO[:4], 1, 3, "incomplete at byte 7"),
    ([], b"\x81", 0, 3, "incomplete at byte 0"),
    ([], HELLO + b"\xf1\x00", 1, 1, "error at byte 7: "),
    (["--role", "server"], HELLO, 0, 1, "error at byte 0: "),
    (["--role", "client"], MASKED, 0, 1, "error at byte 0: "),
])
def test_the_status_tells_how_captured_frames_end(arguments, data, count, status, error):
    found, lines, errors = decode("ws", *arguments, data=data)
    assert (found, len(lines)) == (status, count)
    assert errors.startswith(error) and errors.count("\n") == (1 if error else 0)


# --trace

@pytest.fixture
def start_traced(start_daemon, tmp_path):
    """Starts a daemon on its own broker which has a password, its trace in a file."""

    def start(*arguments, redis=None, **settings):
        traced = tmp_path / "trace"
        broker = [] if redis else ["--embedded-redis=127.0.0.1:0"]
        settings = {"REDIS_PASSWORD": PASSWORD} | settings
        daemon = start_daemon(
            redis, *broker, "--trace-file", str(traced), *arguments, **settings)
        return daemon, traced

    return start


def publish(daemon, channel, payload):
    address = daemon.wait_for_log("embedded broker listening")["address"]
    port = int(address.rsplit(":", 1)[1])
    with redis_library.Redis(port=port, password=PASSWORD, socket_timeout=5) as client:
        assert client.publish(channel, payload) > 0


def text_of(path, end):
    """The trace, when it contains `end`."""
    def read():
        # While the file is rotated, its name belongs to none for a moment.
        with contextlib.suppress(FileNotFoundError):
            text = path.read_text()
            return text if end in text else None

    return wait_until(read, f"{end!r} in the trace")


def shown(form, text):
    """How a form shows a text of RESP."""
    return text.encode().hex() if form == "hex" else text


@pytest.mark.parametrize("form", FORMS)
def test_no_form_has_a_password(start_traced, open_page, channel, form):
    daemon, path = start_traced("--trace", "--trace-format", form)
    open_page(daemon, channel).live()
    publish(daemon, channel, "the last line")
    text = text_of(path, shown(form, "the last line"))
    assert shown(form, "***") in text and shown(form, "HELLO") in text
    for trace in (text, daemon.output):
        assert PASSWORD not in trace
        assert PASSWORD.encode().hex() not in trace.lower()
    assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", FORMS)
def test_no_form_has_a_password_that_redis_repeats(
        start_traced, fake_redis, open_page, channel, form):
    # As Redis 5 answers a command that it does not know.
    repeated = f"`3`, `AUTH`, `default`, `{PASSWORD}`"
    server = fake_redis(answers={
        "HELLO": f"-ERR unknown command `HELLO`, with args beginning with: {repeated}, \r\n"
        .encode()})
    daemon, path = start_traced("--trace", "--trace-format", form, redis=server)
    open_page(daemon, channel).live()
    text = text_of(path, shown(form, "SUBSCRIBE"))
    assert shown(form, "args beginning with: ***") in text and shown(form, "AUTH") in text
    assert PASSWORD not in text and PASSWORD.encode().hex() not in text


@pytest.mark.parametrize("form", ["json", "hex"])
def test_a_trace_decodes_to_the_values_of_its_bytes(
        start_traced, fake_redis, open_page, channel, form):
    server = fake_redis()
    daemon, path = start_traced(
        "--trace", "--trace-format", form, "--trace-channel", channel.replace(";", "?"),
        redis=server)
    page = open_page(daemon, channel).live()
    # What is no message is passed over by the relay; a push that it does not know, for one.
    other = WIRE.replace(b"a:b", b"c:d").replace(b"-ERR no\r\n", b">1\r\n+x\r\n")
    server.send_raw(channel, b">2\r\n+invalidate\r\n_\r\n" + other[5:])
    assert server.publish(channel, "the last one") == 1
    page.status()
    text_of(path, shown(form, "the last one"))
    status, lines, errors = decode("resp", path)
    assert (status, errors) == (0, "")
    wire = [json.loads(line) for line in decode("resp", data=other[5:])[1]]
    found = values(lines)
    start = found.index(wire[0])
    assert found[start:start + len(wire)] == wire
    assert found[-1]["value"][2] == {"type": "blob_string", "value": "the last one"}
    assert [value["value"] for value in found[0]["value"]][0] == "HELLO"


def test_a_text_line_shows_time_link_direction_and_value(start_traced, open_page):
    daemon, path = start_traced("--trace", "--trace-max-bytes", "9")
    open_page(daemon, "run:text").live()
    publish(daemon, "run:text", 'to "be"\x01 or not')
    line = text_of(path, "(+6 bytes)]\n").splitlines()[-1]
    time, _, rest = line.partition(" ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time)
    assert rest == r'link=2 in >["message", "run:text", "to \"be\"\x01 "...(+6 bytes)]'
    status, lines, errors = decode("resp", path)
    assert (status, lines) == (1, []) and errors.startswith("error at byte 0: ")


def test_filters_leave_other_links_out(start_traced, open_page, channel):
    daemon, path = start_traced("--trace", "--trace-channel", "run*:b*", "--trace-link", "3")
    for name in ("a", "b1", "b2"):
        open_page(daemon, f"run:{name}").live()
    for name in ("b2", "a", "b1"):
        publish(daemon, f"run:{name}", f"to {name}")
    lines = text_of(path, "to b1").splitlines()
    assert all(" link=3 " in line for line in lines)
    assert not [line for line in lines if "to a" in line or "to b2" in line]


def test_the_signal_switches_it_on_standard_error(start_daemon, open_page, channel):
    daemon = start_daemon(None, "--embedded-redis=127.0.0.1:0", REDIS_PASSWORD=PASSWORD)
    page = open_page(daemon, channel).live()

    def step(payload):
        publish(daemon, channel, payload)
        assert page.status() == payload

    step("before")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log("trace switched on")
    step("during")
    wait_until(lambda: "during" in daemon.stderr, "the traced message")
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_log("trace switched off")
    step("after")
    daemon.stop()
    assert [word for word in ("before", "during", "after") if word in daemon.stderr] == ["during"]


def test_a_full_file_is_kept_once(start_traced, open_page, channel):
    daemon, path = start_traced("--trace", "--trace-format", "hex", "--trace-file-size", "65536")
    page = open_page(daemon, channel).live()
    for number in range(40):
        publish(daemon, channel, f"{number} " + "x" * 4000)
        page.status()
    text_of(path, shown("hex", "39 xxx"))
    former = path.with_name("trace.1")
    assert path.stat().st_size <= 65536 and 0 < former.stat().st_size <= 65536
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["trace", "trace.1"]
    numbers = [int(value["value"][2]["value"].split()[0])
               for file in (former, path) for value in values(decode("resp", file)[1])
               if value["type"] == "push" and value["value"][0]["value"] == "message"]
    assert numbers == list(range(40 - len(numbers), 40)) and len(numbers) > 8


def test_a_file_that_cannot_be_made_ends_the_daemon_with_one_line():
    done = run_to_end("--trace-file", "/nonexistent/trace")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "/nonexistent/trace" in done.stderr


def test_a_trace_that_nobody_reads_delays_no_message(cleanup, open_page, channel):
    """Standard error is a full pipe; the lines that do not fit are dropped, counted and told of."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [str(binary()), "--embedded-redis=127.0.0.1:0", "--trace", "--trace-format", "hex"],
        env={"PATH": os.environ["PATH"], "STATUS_LISTEN_ADDR": "127.0.0.1:0",
             "STATUS_METRICS_ENABLED": "true"},
        stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    cleanup.callback(process.wait, 10)
    cleanup.callback(process.stdout.close)
    cleanup.callback(process.kill)
    addresses = {}
    while "ready" not in addresses:
        line = json.loads(process.stdout.readline())
        addresses[line["msg"]] = line.get("address")

    class Started:
        address = addresses["listening"]
        port = int(addresses["listening"].rsplit(":", 1)[1])

    page = open_page(Started, channel).live()
    payload = "x" * 500_000
    broker = int(addresses["embedded broker listening"].rsplit(":", 1)[1])
    with redis_library.Redis(port=broker, socket_timeout=5) as client:
        for number in range(20):
            assert client.publish(channel, f"{number} {payload}") == 1
            assert page.status().split()[0] == str(number)
    text = scrape(Started.port)
    dropped = int(re.search(r"^status2_trace_lines_dropped_total (\d+)$", text, re.M).group(1))
    assert dropped > 5
    # Whoever begins to read learns how many lines there would have been.
    with os.fdopen(reader, "rb") as stream:
        told = 0
        deadline = time.monotonic() + 30
        while told < dropped:
            line = stream.readline()
            assert line and time.monotonic() < deadline, f"{told} of {dropped} were told of"
            if b" dropped=" in line:
                told += int(line.rsplit(b"=", 1)[1])


def scrape(port):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
