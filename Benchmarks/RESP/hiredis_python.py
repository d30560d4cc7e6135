"""Measures PyPI's hiredis on the inputs that `resp-bench --write` left in a folder."""

import os
import sys
import time

import hiredis

PIECE = 16384


def read(wire):
    reader = hiredis.Reader()
    count = 0
    for start in range(0, len(wire), PIECE):
        reader.feed(wire[start:start + PIECE])
        while reader.gets() is not False:
            count += 1
    return count


folder = sys.argv[1]
for name in sorted(os.listdir(folder)):
    title, messages = name.rsplit(".", 1)
    with open(os.path.join(folder, name), "rb") as file:
        wire = file.read()
    best = float("inf")
    deadline = time.monotonic() + 0.7
    while time.monotonic() < deadline:
        start = time.perf_counter_ns()
        count = read(wire)
        best = min(best, time.perf_counter_ns() - start)
        assert count == int(messages), (name, count)
    message = best / count
    title = title.replace("-", " ")
    print(f"| {title} Python hiredis | {len(wire) / best * 1000:.0f} "
          f"| {1e9 / message:.0f} | {message:.0f} |")
