"""Measures PyPI's hiredis on the inputs that `resp-bench --write` left in a folder, and its encoder."""

import os
import sys
import time

import hiredis

SECONDS = 0.7


def read(wire, piece):
    """Reads all values of the bytes, handed over in pieces; returns how many they are."""
    reader = hiredis.Reader()
    count = 0
    for start in range(0, len(wire), piece):
        reader.feed(wire[start:start + piece])
        while reader.gets() is not False:
            count += 1
    return count


def write(times):
    """Writes so many PUBLISH commands; returns their bytes."""
    payload = b"a" * 100
    return sum(
        len(hiredis.pack_command(("PUBLISH", "run-42:status", payload))) for _ in range(times))


def measured(work):
    """Nanoseconds of the fastest call."""
    best = float("inf")
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        start = time.perf_counter_ns()
        work()
        best = min(best, time.perf_counter_ns() - start)
    return best


def row(name, size, messages, best):
    message = best / messages
    print(f"| {name} Python hiredis | {size / best * 1000:.0f} | {1e9 / message:.0f} "
          f"| {message:.0f} |", flush=True)


def main():
    folder = sys.argv[1]
    for name in sorted(os.listdir(folder)):
        title, messages = name.rsplit(".", 1)
        with open(os.path.join(folder, name), "rb") as file:
            wire = file.read()
        piece = 1 if title.startswith("bytewise") else 16384
        assert read(wire, piece) == int(messages), name
        best = measured(lambda: read(wire, piece))
        row(title.replace("-", " "), len(wire), int(messages), best)
    row("write 100", write(500), 500, measured(lambda: write(500)))


main()
