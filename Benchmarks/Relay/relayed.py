"""Counts what the daemon spends on a relayed message, as callgrind sees it.

    python3 Benchmarks/Relay/relayed.py BINARY NAME [--burst N] [--messages N] [--budgets FILE]
        [-- FLAG ...]

Starts a redis-server and, under valgrind, the daemon with the flags; opens a WebSocket and publishes
messages of 100 bytes, then again three times as many: the difference between the two runs is what
the messages cost, without the start, the connection and the end. Each burst is published in one
write and awaited before the next one, so that it is one turn of the daemon's event loop. Prints one
row of a table. With budgets the exit status is 1 where the row is over its own. Needs redis-server, valgrind and nothing of Python but its standard library.
"""

import argparse
import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE = 120.0
ATTEMPTS = 3
PAYLOAD = b"x" * 100
CHANNEL = b"run-42:status"
# A text frame of 126 to 65,535 bytes has a header of four.
FRAME = 4 + len(b'{"type":"status","data":""}') + len(PAYLOAD)
ALLOCATORS = re.compile(r"(malloc|calloc|realloc|posix_memalign|aligned_alloc)('2)?$")
RETAINS = re.compile(r"(swift_retain|swift_bridgeObjectRetain)(_n)?('2)?$")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connected(port):
    """A socket to the port, as soon as something listens there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextlib.contextmanager
def process(command, **options):
    """A child process, ended by its id."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def read_exactly(connection, count):
    while count > 0:
        count -= len(connection.recv(min(count, 1 << 16)) or sys.exit("the connection ended"))


def read_lines(connection, count):
    """Reads so many lines, which are the replies to PUBLISH."""
    ends = 0
    while ends < count:
        ends += (connection.recv(1 << 16) or sys.exit("Redis ended")).count(b"\n")


def upgraded(port):
    """A WebSocket that is subscribed: its first ping has come."""
    browser = connected(port)
    browser.sendall(
        b"GET /" + CHANNEL + b" HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    received = b""
    while not received.endswith(b'{"type":"ping"}'):
        received += browser.recv(1 << 16) or sys.exit(f"no WebSocket: {received!r}")
    return browser


def relay(port, redis_port, messages, burst):
    """Publishes the messages in bursts and awaits each of them."""
    command = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (
        len(CHANNEL), CHANNEL, len(PAYLOAD), PAYLOAD)
    with upgraded(port) as browser, connected(redis_port) as publisher:
        for _ in range(messages // burst):
            publisher.sendall(command * burst)
            read_lines(publisher, burst)
            read_exactly(browser, burst * FRAME)


def counted(binary, flags, folder, redis_port, messages, burst):
    """Instructions, allocations and retains of one life of the daemon."""
    out = folder / "callgrind.out"
    environment = {
        "PATH": "/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=no",
        "STATUS_LISTEN_ADDR": "127.0.0.1:0", "STATUS_REDIS_URL": f"redis://127.0.0.1:{redis_port}",
        "STATUS_LOOPS": "1", "STATUS_LOG_LEVEL": "info", "STATUS_PING_INTERVAL": "1h",
        "STATUS_PONG_TIMEOUT": "2h",
        "STATUS_WRITE_TIMEOUT": "1m", "STATUS_REDIS_REQUEST_TIMEOUT": "1m"}
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary, *flags]
    with open(folder / "errors", "wb") as errors, process(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors) as daemon:
        for line in daemon.stdout:
            entry = json.loads(line)
            if entry["msg"] == "listening":
                port = int(entry["address"].rsplit(":", 1)[1])
            if entry["msg"] == "ready":
                break
        else:
            sys.exit((folder / "errors").read_text())
        relay(port, redis_port, messages, burst)
        daemon.send_signal(signal.SIGTERM)
        daemon.stdout.read()
        daemon.wait(PATIENCE)
    return read_counts(out)


def read_counts(out):
    """Reads a file of callgrind; functions are named once and then by number."""
    names = {}
    instructions = allocations = retains = 0
    callee = ""
    for line in out.read_text().splitlines():
        named = re.match(r"(c?)fn=(\(\d+\))(?: (.*))?", line)
        if named:
            called, number, name = named.groups()
            if name:
                names[number] = name
            if called:
                callee = names[number]
        elif line.startswith("calls="):
            calls = int(line[6:].split()[0])
            allocations += calls if ALLOCATORS.match(callee) else 0
            retains += calls if RETAINS.match(callee) else 0
        elif line.startswith("totals:"):
            instructions += int(line.split()[1])
    return instructions, allocations, retains


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("name")
    parser.add_argument("--burst", type=int, default=1)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--budgets", type=pathlib.Path)
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    chosen = parser.parse_args(arguments[:end])
    messages = chosen.messages // chosen.burst * chosen.burst
    budget = chosen.budgets and json.loads(
        chosen.budgets.read_text())[chosen.name][str(chosen.burst)]
    binary = str(chosen.binary.resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        port = free_port()
        flags = [flag.replace("FOLDER", name) for flag in arguments[end + 1:]]
        redis = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                 "--dir", name]
        with process(redis, stdout=subprocess.DEVNULL), connected(port):
            cost = cheapest(
                lambda count: counted(binary, flags, folder, port, count, chosen.burst), messages,
                budget)
    print(f"| {chosen.name} | {chosen.burst} | {cost[0]:.0f} | {cost[1]:.3f} | {cost[2]:.3f} |",
          flush=True)
    if budget:
        hold(cost, budget, chosen)


def cheapest(count, messages, budget):
    """What a message costs. Where that is over the budget it is counted again, three times in all: a
    machine that does much besides tears bursts apart and lets timers fire, which only ever adds to a
    life of the daemon, so that the least of each kind of life counts."""
    few = many = None
    for _ in range(ATTEMPTS):
        lives = count(messages), count(3 * messages)
        few, many = (
            tuple(map(min, former or life, life)) for former, life in zip((few, many), lives))
        # Rounded first, and a zero added, so that no zero has a sign.
        cost = [round((more - less) / (2 * messages), 3) + 0.0 for less, more in zip(few, many)]
        if not budget or all(spent <= allowed for spent, allowed in zip(cost, budget)):
            break
    return cost


def hold(cost, budget, chosen):
    """Ends with status 1 where a message costs more than its budget."""
    over = [
        f"{spent:g} {what}, and may cost {allowed:g}"
        for what, spent, allowed in zip(("instructions", "allocations", "retains"), cost, budget)
        if spent > allowed]
    if over:
        sys.exit(
            f"FAILED: a relayed message costs the daemon ({chosen.name}, turns of"
            f" {chosen.burst}) {'; '.join(over)}.\nWhat has become dearer is found with"
            f" callgrind_annotate; a price that is meant is set anew in {chosen.budgets}.")


main()
